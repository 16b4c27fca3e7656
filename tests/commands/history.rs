//! Calls that were kept: listed, shown, compared, exported, forgotten, and called again.

use serde_json::{Value, json};
use umbel::history::store::Store;
use umbel::protocol::Json;

use crate::contract;
use crate::records::{file, record};
use crate::support::{Outcome, Sandbox};

/// A home in whose history these calls of the demo are.
pub fn home(calls: &[&[&str]]) -> Sandbox {
    let home = Sandbox::new();
    for words in calls {
        call(&home, words);
    }
    home
}

fn call(home: &Sandbox, words: &[&str]) -> Outcome {
    home.cli(&[&["--demo", "call", "--history"], words].concat())
}

pub const ADD: [&str; 5] = ["demo.math.add", "2", "3", "--task-id", "aaa-1"];
pub const FAIL: [&str; 3] = ["demo.fail.always", "--task-id", "bbb-2"];

#[test]
fn history_lists_the_newest_call_first_in_every_form() {
    let home = home(&[&ADD, &FAIL]);
    let lines = home
        .cli(&["history", "--jsonl"])
        .expect_code(0)
        .json_lines();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["id"], "bbb-2");
    assert_eq!(contract::keys(&lines[1]), contract::CALL);
    assert_eq!(lines[1]["result"], json!(5));
    let document = home.cli(&["history", "--json"]).expect_code(0).json();
    assert_eq!(document["schema"], "umbel.history/1");
    assert_eq!(document["calls"][1]["id"], "aaa-1");
    let words = home.cli(&["history"]).expect_code(0);
    assert!(words.stdout.contains("add(2, 3)"), "{}", words.stdout);
    let plain = home.cli(&["history", "--plain"]).expect_code(0);
    assert!(plain.stdout.starts_with("created\tstate\tid\ttask\t"));
    let csv = home.cli(&["history", "--csv"]).expect_code(0);
    assert_eq!(csv.stdout.lines().count(), 3, "{}", csv.stdout);
}

#[test]
fn history_is_searched_by_words_state_and_task() {
    let home = home(&[&ADD, &FAIL]);
    let ids = |words: &[&str]| -> Vec<String> {
        let outcome = home.cli(&[&["history", "--jsonl"], words].concat());
        let lines = outcome.expect_code(0).json_lines();
        let id = |line: &serde_json::Value| line["id"].as_str().unwrap_or_default().to_owned();
        lines.iter().map(id).collect()
    };
    assert_eq!(ids(&["--state", "fail,timeout"]), ["bbb-2"]);
    assert_eq!(ids(&["--task", "*.add"]), ["aaa-1"]);
    assert_eq!(ids(&["add", "--since", "1h"]), ["aaa-1"]);
    assert_eq!(ids(&["--limit", "1"]), ["bbb-2"]);
    home.cli(&["history", "--state", "broken"]).expect_code(2);
}

#[test]
fn the_command_line_takes_the_words_of_the_screen_and_says_when_no_call_matches() {
    let home = home(&[&ADD, &FAIL]);
    let listed = |words: &[&str]| home.cli(&[&["history"], words].concat()).expect_code(0);
    let fails = listed(&["state:fail"]);
    assert!(fails.stdout.contains("bbb-2") && !fails.stdout.contains("aaa-1"));
    let sums = listed(&["task:*.add", "2", "--jsonl"]).json_lines();
    assert_eq!(sums.len(), 1);
    let none = listed(&["state:timeout"]);
    assert_eq!(
        none.stderr.trim(),
        "no call matches \"state:timeout\"; 2 calls are kept"
    );
    let options = listed(&["--state", "timeout"]).stderr;
    assert!(
        options.starts_with("no call matches these options;"),
        "{options}"
    );
    let unknown = home.cli(&["history", "state:broken"]).expect_code(2);
    assert!(unknown.stderr.contains("No state is called"));
}

#[test]
fn an_export_says_how_many_calls_it_wrote_and_what_it_took_for_a_word() {
    let home = home(&[&ADD, &FAIL]);
    let all = home.cli(&["history", "export"]).expect_code(0);
    assert_eq!(all.stderr.trim(), "umbel: exported 2 calls");
    let one = home
        .cli(&["history", "export", "state:ok", "--csv"])
        .expect_code(0);
    assert_eq!(one.stderr.trim(), "umbel: exported 1 call");
    let none = home.cli(&["history", "export", "csv"]).expect_code(0);
    assert_eq!(none.stdout, "");
    assert!(
        none.stderr
            .contains("exported nothing: no call matches \"csv\"; 2 calls are kept"),
        "{}",
        none.stderr
    );
    assert!(none.stderr.contains("--csv writes CSV"), "{}", none.stderr);
}

#[test]
fn one_call_is_shown_compared_and_forgotten_by_the_beginning_of_its_id() {
    let other = ["demo.math.add", "2", "4", "--task-id", "ccc-3"];
    let home = home(&[&ADD, &other]);
    let shown = home.cli(&["history", "show", "aaa"]).expect_code(0);
    assert_eq!(shown.stdout, "5\n");
    let diff = home.cli(&["history", "diff", "aaa", "ccc", "--json"]);
    let diff = diff.expect_code(0).json();
    assert_eq!(diff["schema"], "umbel.diff/1");
    assert_eq!(
        (&diff["same"], &diff["changes"][0]["after"]),
        (&json!(false), &json!(6))
    );
    home.cli(&["history", "forget", "aaa"]).expect_code(0);
    home.cli(&["history", "show", "aaa"]).expect_code(2);
    let export = home.cli(&["history", "export"]).expect_code(0);
    assert_eq!(export.json_lines().len(), 1);
    home.cli(&["history", "repair"]).expect_code(0);
}

#[test]
fn an_empty_history_is_no_failure_but_has_no_call_to_repeat() {
    let home = Sandbox::new();
    home.cli(&["history"]).expect_code(0);
    let nothing = home.cli(&["history", "--json"]).expect_code(0).json();
    assert_eq!(nothing["calls"], json!([]));
    home.cli(&["--demo", "again"]).expect_code(2);
}

#[test]
fn a_call_is_made_again_with_a_new_id_or_with_other_arguments() {
    let home = home(&[&ADD]);
    let again = contract::call(&home.cli(&["--demo", "again", "--json"]).expect_code(0));
    assert_eq!(again["result"], json!(5));
    assert_ne!(again["id"], "aaa-1");
    let words = ["--demo", "call", "--from", "aaa", "10", "20", "--json"];
    let changed = contract::call(&home.cli(&words).expect_code(0));
    assert_eq!(changed["result"], json!(30));
    assert_eq!(changed["task"], "demo.math.add");
}

#[test]
fn what_may_be_an_argument_of_again_is_not_taken_for_the_beginning_of_an_id() {
    let uuid = "10b981f0-0b1c-4d2e-8f3a-001122334455";
    let other = ["demo.math.add", "1", "1", "--task-id", uuid];
    let order = ["demo.math.add", "2", "2", "--task-id", "5-order"];
    let home = home(&[&other, &order]);
    for (word, id) in [("5", "5-order"), ("10", uuid), ("1", uuid)] {
        let refused = home.cli(&["--demo", "again", word]).expect_code(2);
        let said = format!("{word} may be an argument, or the beginning of {id}");
        assert!(refused.stderr.contains(&said), "{}", refused.stderr);
    }
    for word in ["5-order", "10b", "10b981f0", uuid] {
        home.cli(&["--demo", "again", word]).expect_code(0);
    }
    home.cli(&["--demo", "call", "--from", "5-"]).expect_code(0);
}

#[test]
fn a_task_beside_from_is_not_taken_for_an_argument() {
    let home = home(&[&ADD]);
    for task in ["demo.math.add", "demo.text.echo"] {
        let words = ["--demo", "call", task, "--from", "aaa", "--json"];
        let document = contract::failure(&home.cli(&words), 2, "usage");
        let said = document["error"]["message"].to_string();
        assert!(said.contains("would be an argument"), "{said}");
    }
    let meant = ["call", "--from", "aaa", "--dry-run", "--", "demo.math.add"];
    let message = home.cli(&meant).expect_code(0).json();
    assert_eq!(message["body"][0], json!(["demo.math.add"]));
}

#[test]
fn a_secret_that_was_not_kept_has_to_be_given_anew() {
    let secret = [
        "demo.text.echo",
        "password=hunter22",
        "--task-id",
        "sss-1",
        "--no-preflight",
    ];
    let home = home(&[&secret]);
    let words = [
        "--demo",
        "call",
        "--from",
        "sss",
        "password=x",
        "--dry-run",
        "--json",
    ];
    let message = home.cli(&words).expect_code(0).json();
    assert_eq!(message["body"][1]["password"], "x");
}

#[test]
fn a_history_that_cannot_be_written_changes_no_exit_code() {
    let home = Sandbox::new().env("UMBEL_HISTORY", "/proc/nowhere/history.db");
    let outcome = call(&home, &ADD).expect_code(0);
    assert_eq!(outcome.stdout, "5\n");
    for said in ["warning: history /proc/nowhere", "not kept for sure"] {
        assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
    }
}

#[test]
fn a_call_is_kept_also_where_another_program_holds_the_file_for_a_while() {
    let home = home(&[&ADD]);
    let other = rusqlite::Connection::open(file(&home)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let holds = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_secs(3));
        other.execute_batch("ROLLBACK").unwrap();
    });
    let outcome = call(&home, &FAIL).expect_code(1);
    holds.join().unwrap();
    assert!(!outcome.stderr.contains("warning"), "{}", outcome.stderr);
    home.cli(&["history", "show", "bbb-2"]).expect_code(0);
}

#[test]
fn an_id_that_is_used_again_has_both_calls_in_the_lists() {
    let home = home(&[&ADD, &["demo.math.add", "3", "4", "--task-id", "aaa-1"]]);
    let lines = home
        .cli(&["history", "--jsonl"])
        .expect_code(0)
        .json_lines();
    assert_eq!(
        (&lines[0]["result"], &lines[1]["result"]),
        (&json!(7), &json!(5))
    );
    let shown = home.cli(&["history", "show", "aaa-1"]).expect_code(0);
    assert_eq!(shown.stdout, "7\n");
    assert!(
        shown.stderr.contains("last call of its id"),
        "{}",
        shown.stderr
    );
}

#[test]
fn what_was_asked_for_and_where_it_went_is_told_of_every_call() {
    let words = [
        "demo.math.add",
        "2",
        "3",
        "--task-id",
        "opt-1",
        "--countdown",
        "10ms",
        "--priority",
        "3",
        "--header",
        "token=abc",
    ];
    let home = home(&[&words]);
    let document = home
        .cli(&["history", "show", "opt", "--json"])
        .expect_code(0)
        .json();
    assert_eq!(
        document["options"],
        json!({"countdown": 0.01, "priority": 3, "headers": {"token": "***"}})
    );
    assert!(
        document["broker"].is_string() && document["created_at"].is_string(),
        "{document}"
    );
    let shown = home.cli(&["history", "show", "opt"]).expect_code(0);
    assert!(shown.stderr.contains("countdown=0.01"), "{}", shown.stderr);
    assert!(!shown.stderr.contains("abc"), "{}", shown.stderr);
    let csv = home.cli(&["history", "--csv"]).expect_code(0).stdout;
    assert!(csv.contains("\"\"countdown\"\":0.01"), "{csv}");
}

#[test]
fn two_forms_of_one_answer_are_refused() {
    let home = home(&[]);
    for words in [
        &["history", "--csv", "--json"][..],
        &["history", "export", "--csv", "--jsonl"],
    ] {
        home.cli(words).expect_code(2);
    }
}

#[test]
fn a_list_is_as_long_as_was_asked_for() {
    let home = home(&[&ADD]);
    let mut store = Store::open(&file(&home)).unwrap();
    let records: Vec<_> = (0..1_100)
        .map(|n| record(&format!("many-{n}"), Json::Null))
        .collect();
    store.upsert(&records).unwrap();
    drop(store);
    let plain = home
        .cli(&["history", "--plain", "--limit", "5000"])
        .expect_code(0);
    assert_eq!(plain.stdout.lines().count(), 1 + 1_101);
    let plain = home
        .cli(&["history", "--plain", "--limit", "1050"])
        .expect_code(0);
    assert_eq!(plain.stdout.lines().count(), 1 + 1_050);
}

/// What spreadsheets execute, what breaks lines and cells, and what is wide.
const HOSTILE: [&str; 6] = [
    "=cmd|'/c calc'!A1",
    "＝HYPERLINK(\"x\")",
    "@SUM(1;2)",
    "+1,\"2\"",
    "\t=2\n-1",
    "客戶\t備註\r\n",
];

#[test]
fn what_a_spreadsheet_would_execute_is_exported_as_text() {
    let home = Sandbox::new();
    for (number, hostile) in HOSTILE.iter().enumerate() {
        let id = format!("{hostile}{number}");
        let words = [
            hostile,
            hostile,
            "--task-id",
            &id,
            "--no-preflight",
            "--timeout",
            "1ms",
        ];
        call(&home, &words);
    }
    let csv = home
        .cli(&["history", "export", "--csv"])
        .expect_code(0)
        .stdout;
    for cell in cells(&csv) {
        let formula = cell.starts_with(['=', '+', '-', '@', '＝', '\t', '\r', '\n']);
        assert!(!formula, "{cell:?} in {csv}");
    }
    assert!(csv.contains("'=cmd|'/c calc'!A1"), "{csv}");
    let lines = home.cli(&["history", "export"]).expect_code(0).json_lines();
    assert_eq!(lines.len(), HOSTILE.len());
    for (line, hostile) in lines.iter().rev().zip(HOSTILE) {
        assert_eq!(contract::keys(line), contract::CALL);
        assert_eq!(line["task"], hostile);
        assert_eq!(line["args"][0], hostile);
    }
}

/// The cells of RFC 4180.
fn cells(csv: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    for c in csv.chars() {
        match c {
            '"' => {
                // A doubled quote stands for one: it was closed and opens again.
                if !quoted && !cell.is_empty() {
                    cell.push('"');
                }
                quoted = !quoted;
            }
            ',' | '\n' if !quoted => cells.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            c => cell.push(c),
        }
    }
    cells
}

#[test]
fn results_whose_difference_may_be_masked_are_not_called_the_same() {
    let home = Sandbox::new();
    for (id, secret) in [("one", "first-secret"), ("two", "second-secret")] {
        let password = format!("password={secret}");
        let words = ["demo.text.echo", &password, "--task-id", id, "--history"];
        home.cli(&[&["--demo", "call"][..], &words].concat())
            .expect_code(0);
    }
    let outcome = home
        .cli(&["history", "diff", "one", "two", "--json"])
        .expect_code(0);
    let document = outcome.json();
    assert_eq!(document["same"], Value::Null, "{document}");
    assert!(
        document["unknown"].to_string().contains("masked"),
        "{document}"
    );
    let outcome = home.cli(&["history", "diff", "one", "two"]).expect_code(0);
    assert!(
        outcome.stderr.contains("not compared"),
        "{}",
        outcome.stderr
    );
    assert!(!outcome.stderr.contains("the same"), "{}", outcome.stderr);
}

#[test]
fn what_is_given_as_none_takes_the_place_of_what_the_call_had() {
    let home = home(&[&[&ADD[..], &["--expires", "1h", "--result", "none"]].concat()]);
    let again = |words: &[&str]| {
        let from = ["call", "--from", "aaa", "--dry-run", "--json"];
        let message = home.cli(&[&from[..], words].concat());
        message.expect_code(0).json()["headers"].clone()
    };
    let same = again(&[]);
    assert!(same["expires"].is_string(), "{same}");
    assert_eq!(same["ignore_result"], true, "{same}");
    let never = again(&["--expires", "none"]);
    assert!(never["expires"].is_null(), "{never}");
    assert_eq!(never["ignore_result"], true, "{never}");
    let auto = again(&["--result", "auto"]);
    assert!(auto["expires"].is_string(), "{auto}");
    assert_ne!(auto["ignore_result"], true, "{auto}");
}
