//! Calls that were kept: listed, shown, compared, exported, forgotten, and called again.

use std::time::Duration;

use serde_json::{Value, json};
use umbel::call::{Call, CallState, Fact, Look};
use umbel::clock::{Clock, Now};
use umbel::history::store::Store;
use umbel::history::{Known, Record, Scribe};
use umbel::protocol::{Json, Options, Signature, State, TaskResult};

use crate::contract;
use crate::support::{Outcome, Sandbox};

/// A home in whose history these calls of the demo are.
fn home(calls: &[&[&str]]) -> Sandbox {
    let home = Sandbox::new();
    for words in calls {
        call(&home, words);
    }
    home
}

fn call(home: &Sandbox, words: &[&str]) -> Outcome {
    home.cli(&[&["--demo", "call", "--history"], words].concat())
}

const ADD: [&str; 5] = ["demo.math.add", "2", "3", "--task-id", "aaa-1"];
const FAIL: [&str; 3] = ["demo.fail.always", "--task-id", "bbb-2"];

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
    let records: Vec<Record> = (0..1_100)
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

#[test]
fn a_result_that_was_too_large_to_keep_is_not_shown_as_if_it_were_whole() {
    let home = home(&[&ADD]);
    let mut store = Store::open(&file(&home)).unwrap();
    store
        .upsert(&[record("large", Json::from("x".repeat(5 << 20)))])
        .unwrap();
    drop(store);
    let words = "larger than history keeps";
    for command in [
        &["history", "show", "large"][..],
        &["result", "large"],
        &["--demo", "result", "large"],
    ] {
        let outcome = home.cli(command).expect_code(0);
        assert_eq!(outcome.stdout, "", "{command:?}");
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
        let document = home
            .cli(&[command, &["--json"]].concat())
            .expect_code(0)
            .json();
        assert_eq!(
            (&document["result"], &document["result_known"]),
            (&Value::Null, &json!(false))
        );
        assert!(
            document["warnings"].to_string().contains(words),
            "{document}"
        );
    }
}

#[test]
fn where_a_call_was_when_it_was_kept_is_not_told_as_now() {
    let home = home(&[&[
        "demo.slow.sleep",
        "5",
        "--timeout",
        "300ms",
        "--task-id",
        "slow-1",
    ]]);
    let shown = home.cli(&["history", "show", "slow-1"]).expect_code(0);
    assert!(shown.stderr.contains("when last "), "{}", shown.stderr);
    assert!(!shown.stderr.contains("now:"), "{}", shown.stderr);
    let document = home
        .cli(&["history", "show", "slow-1", "--json"])
        .expect_code(0)
        .json();
    assert!(document["diagnosed_at"].is_string(), "{document}");
}

/// A home with these calls, each as a record of it at a moment.
fn keeping(records: &[Record]) -> Sandbox {
    let home = Sandbox::new();
    let file = file(&home);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder is made");
    let mut store = Store::open(&file).expect("a history");
    store.upsert(records).expect("records are kept");
    home
}

#[test]
fn a_call_that_a_look_found_nowhere_is_listed_and_searched_as_that() {
    let made = Clock::default().now();
    let mut call = sent("ccc-1", Vec::new(), made);
    let record = Record::of(&call, &Scribe::default(), Known::default(), made);
    call.looked = Some(Look {
        at: made.plus(Duration::from_secs(90)),
        state: Some(CallState::Lost),
        inferred: true,
    });
    let why = Json::parse_strict(
        r#"{"asked": {"replied": 1}, "now": {"state": "lost"}, "why": [{"text": "gone"}]}"#,
    );
    let home = keeping(&[record.looked_for(&call, &why.unwrap())]);
    for words in [&["state:lost"][..], &["--state", "lost"], &["state:lost?"]] {
        let listed = home.cli(&[&["history"], words].concat()).expect_code(0);
        assert!(listed.stdout.contains("LOST?"), "{}", listed.stdout);
    }
    let document = home
        .cli(&["history", "--jsonl"])
        .expect_code(0)
        .json_lines()
        .remove(0);
    assert_eq!(contract::keys(&document), contract::CALL);
    assert_eq!(document["state"], "lost");
    let at = made.plus(Duration::from_secs(90)).wall;
    assert_eq!(document["diagnosed_at"], format!("{at:.3}"));
    let shown = home
        .cli(&["history", "show", "ccc-1"])
        .expect_code(0)
        .stderr;
    let time = at.to_zoned(jiff::tz::TimeZone::system());
    let time = time.strftime("%Y-%m-%d %H:%M:%S");
    assert!(
        shown.contains(&format!("when last asked, {time}: LOST?")),
        "{shown}"
    );
    assert!(
        shown.contains("\nLOST?  t  id ccc-1") && shown.contains("why then: gone"),
        "{shown}"
    );
    let unknown = home.cli(&["history", "state:zzz"]).expect_code(2);
    assert!(unknown.stderr.contains(" lost "), "{}", unknown.stderr);
}

#[test]
fn a_call_that_nobody_waited_for_is_told_without_a_timeout_and_as_of_when_it_was_heard_of() {
    let made = Clock::default().now();
    let mut call = sent("ccc-1", Vec::new(), made);
    call.detach(made.plus(Duration::from_millis(50)));
    // A screen that listens writes it down much later.
    let written = made.plus(Duration::from_mins(5));
    let record = Record::of(&call, &Scribe::default(), Known::default(), written);
    let home = keeping(&[record]);
    let shown = home
        .cli(&["history", "show", "ccc-1"])
        .expect_code(0)
        .stderr;
    assert!(shown.contains("\nDETACHED  t  id ccc-1"), "{shown}");
    let time = made.wall.to_zoned(jiff::tz::TimeZone::system());
    let heard = format!(
        "when last heard of, {}: SENT",
        time.strftime("%Y-%m-%d %H:%M:%S")
    );
    assert!(shown.contains(&heard), "{shown}");
}

fn file(home: &Sandbox) -> std::path::PathBuf {
    home.home().join(".local/share/umbel/history.db")
}

/// A call that returned this just now.
fn record(id: &str, value: Json) -> Record {
    let now = Clock::default().now();
    let call = returned(sent(id, Vec::new(), now), value, now);
    Record::of(&call, &Scribe::default(), Known::default(), now)
}

fn sent(id: &str, kwargs: Vec<(String, Json)>, now: Now) -> Call {
    let signature = Signature {
        task: "t".into(),
        id: id.into(),
        args: Vec::new(),
        kwargs,
        options: Options::default(),
    };
    let mut call = Call::new(signature, std::time::Duration::from_secs(9), now);
    call.apply(Fact::Publishing, now);
    call.apply(Fact::Confirmed, now);
    call
}

fn returned(mut call: Call, value: Json, now: Now) -> Call {
    let result = TaskResult {
        size: 1,
        ..TaskResult::new(call.signature.id.clone(), State::Success, value)
    };
    call.apply(Fact::Result(Box::new(result)), now);
    call
}

#[test]
fn a_result_that_is_not_kept_for_a_secret_s_sake_has_no_beginning() {
    let home = home(&[&ADD]);
    let now = Clock::default().now();
    let kwargs = vec![("password".to_owned(), Json::from("hunter2xyz"))];
    let earlier = sent("secret", kwargs, now);
    let earlier = Record::of(&earlier, &Scribe::default(), Known::default(), now);
    let call = returned(earlier.pick_up(now), Json::from("hunter2xyz"), now);
    let record = Record::after(&earlier, &call, &Scribe::default(), now);
    let mut store = Store::open(&file(&home)).unwrap();
    store.upsert(&[record]).unwrap();
    drop(store);
    let shown = home.cli(&["history", "show", "secret"]).expect_code(0);
    assert!(shown.stderr.contains("not kept: it may quote"), "{shown:?}");
    assert!(!shown.stderr.contains("begins"), "{shown:?}");
}

#[test]
fn a_history_that_cannot_be_read_is_no_empty_one() {
    let home = Sandbox::new();
    let file = home.home().join("history.db");
    std::fs::write(&file, "this is no database").unwrap();
    let home = home.env("UMBEL_HISTORY", &file.display().to_string());
    for words in [
        &["history"][..],
        &["history", "show", "a"],
        &["history", "export"],
        &["--demo", "again"],
        &["--demo", "call", "--from", "a"],
    ] {
        let outcome = home.cli(&[words, &["--json"]].concat());
        let document = contract::failure(&outcome, 11, "config");
        assert_eq!(document["error"]["hint"], "umbel history repair");
    }
    home.cli(&["history", "repair"]).expect_code(0);
    home.cli(&["history"]).expect_code(0);
}

#[test]
fn a_call_whose_record_cannot_be_read_is_said_wherever_it_is_wanted() {
    let home = home(&[&ADD, &FAIL]);
    let garbled = rusqlite::Connection::open(file(&home)).unwrap();
    let sql = "UPDATE bodies SET record = 'no JSON' WHERE number = (SELECT number FROM calls WHERE id = 'aaa-1')";
    assert_eq!(garbled.execute(sql, []).unwrap(), 1);
    drop(garbled);
    let shown = home.cli(&["history", "show", "aaa", "--json"]);
    let document = contract::failure(&shown, 11, "config");
    let message = document["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("aaa-1 is in the history"), "{message}");
    let listed = home.cli(&["history"]).expect_code(0);
    assert!(listed.stdout.contains("aaa-1"), "{}", listed.stdout);
    for words in [&["history", "export"][..], &["history", "export", "--csv"]] {
        let export = home.cli(words).expect_code(11);
        assert!(export.stdout.contains("bbb-2"), "{}", export.stdout);
        assert!(export.stderr.contains("aaa-1"), "{}", export.stderr);
    }
    let document = home.cli(&["history", "--json"]).expect_code(11).json();
    assert_eq!(document["unreadable"][0]["id"], "aaa-1");
    let repaired = home.cli(&["history", "repair"]).expect_code(0);
    assert!(
        repaired.stderr.contains("1 calls were saved, 1 could not"),
        "{}",
        repaired.stderr
    );
    home.cli(&["history", "export"]).expect_code(0);
}

#[test]
fn a_repair_that_reads_nothing_does_not_say_that_nothing_was_lost() {
    for (from, to) in [(0, 16), (100, 300)] {
        let home = home(&[&ADD, &FAIL]);
        let mut bytes = std::fs::read(file(&home)).unwrap();
        bytes[from..to].fill(0x5a);
        std::fs::write(file(&home), bytes).unwrap();
        let repaired = home.cli(&["history", "repair"]).expect_code(0).stderr;
        let said =
            "0 calls were saved; how many could not be read is not known; the history as it was";
        assert!(repaired.contains(said), "{from}: {repaired}");
    }
}

#[test]
fn a_row_that_is_not_what_it_should_be_is_counted_as_one_that_cannot_be_read() {
    let home = home(&[&ADD, &FAIL]);
    let garbled = rusqlite::Connection::open(file(&home)).unwrap();
    let sql = "UPDATE bodies SET record = CAST(x'ff' AS TEXT) WHERE number = (SELECT number FROM calls WHERE id = 'aaa-1')";
    assert_eq!(garbled.execute(sql, []).unwrap(), 1);
    drop(garbled);
    let repaired = home.cli(&["history", "repair"]).expect_code(0).stderr;
    assert!(
        repaired.contains("1 calls were saved, 1 could not"),
        "{repaired}"
    );
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
