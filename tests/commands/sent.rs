//! Calls that were sent before, and what is done about one that is given up: `send`, `wait`, `result`, `revoke`, on the demo.

use rstest::rstest;
use serde_json::json;

use crate::contract;
use crate::support::{Sandbox, cli};

#[test]
fn send_prints_the_id_and_waits_for_nothing() {
    let words = [
        "--demo",
        "send",
        "demo.slow.sleep",
        "30",
        "--task-id",
        "an-id",
    ];
    let outcome = cli(&words).expect_code(0);
    assert_eq!(outcome.stdout, "an-id\n");
    assert!(outcome.stderr.contains("rpc://"), "{}", outcome.stderr);
}

#[test]
fn what_was_sent_has_its_document() {
    let document = contract::call(
        &cli(&["--demo", "send", "demo.math.add", "2", "3", "--json"]).expect_code(0),
    );
    assert_eq!(document["state"], "sent");
    assert_eq!(document["sent"], true);
    assert_eq!(document["ok"], true);
    assert_eq!(document["result_known"], false);
    assert!(document["error"].is_null(), "{document}");
}

#[test]
fn send_has_the_exit_codes_of_call() {
    cli(&["--demo", "send", "demo.math.add", "--queue", "nowhere"]).expect_code(6);
    cli(&["--demo", "send", "demo.math.add", "--kwargs", "{"]).expect_code(8);
    cli(&["send", "demo.math.add"]).expect_code(11);
    cli(&["--demo", "send", "demo.math.add", "--on-timeout", "keep"]).expect_code(2);
}

#[rstest]
#[case("wait")]
#[case("result")]
fn results_that_go_to_their_caller_alone_are_refused_with_the_reason(#[case] command: &str) {
    let outcome = cli(&["--demo", command, "some-id", "--json"]);
    let document = contract::failure(&outcome, 4, "backend_unreachable");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.contains("rpc://"), "{message}");
}

#[test]
fn nobody_is_sent_to_wait_for_a_result_that_comes_to_its_caller_alone() {
    let words = [
        "--demo",
        "call",
        "demo.slow.sleep",
        "30",
        "--timeout",
        "700ms",
    ];
    let words_told = cli(&words).expect_code(3).stderr;
    assert!(!words_told.contains("umbel wait"), "{words_told}");
    let longer = "next: a longer --timeout next time: results on rpc:// come only to";
    assert!(words_told.contains(longer), "{words_told}");
    let document = cli(&[&words[..], &["--json"]].concat())
        .expect_code(3)
        .json();
    let next = document["diagnosis"]["next"].to_string();
    assert!(
        !next.contains("\"wait\"") && next.contains("call_again"),
        "{next}"
    );
}

#[test]
fn a_revoke_without_a_confirmation_sends_nothing() {
    let outcome = cli(&["--demo", "revoke", "some-id", "--json"]);
    let document = contract::failure(&outcome, 9, "refused");
    assert_eq!(document["error"]["hint"], "--yes confirms it");
}

#[test]
fn a_revoke_says_what_each_worker_answered() {
    let outcome = cli(&["--demo", "revoke", "a", "b", "--yes", "--json"]).expect_code(0);
    let document = outcome.json();
    assert_eq!(
        contract::keys(&document),
        [
            "schema",
            "ok",
            "terminate",
            "signal",
            "tasks",
            "warnings",
            "exit"
        ]
    );
    assert_eq!(document["schema"], "umbel.revoke/1");
    assert_eq!(document["tasks"][1]["id"], "b");
    let answer = &document["tasks"][0]["answers"][0];
    assert_eq!(answer["ok"], true);
    assert_eq!(answer["says"], "tasks {'a'} flagged as revoked");
    assert!(document["signal"].is_null());

    let words = cli(&[
        "--demo",
        "revoke",
        "a",
        "--terminate",
        "--signal",
        "kill",
        "--yes",
    ]);
    let words = words.expect_code(0);
    assert!(words.stdout.contains("alpha@demo: "), "{}", words.stdout);
    assert!(words.stderr.contains("another task"), "{}", words.stderr);
    cli(&["--demo", "revoke", "a", "--signal", "kill", "--yes"]).expect_code(2);
}

#[rstest]
#[case("keep", json!(null))]
#[case("terminate", json!("terminate"))]
fn what_is_done_at_the_timeout_is_said(#[case] what: &str, #[case] said: serde_json::Value) {
    let words = [
        "--demo",
        "call",
        "demo.slow.sleep",
        "30",
        "--timeout",
        "700ms",
        "--on-timeout",
        what,
        "--json",
    ];
    let document = contract::call(&cli(&words));
    if said.is_null() {
        assert!(document["revoke"].is_null(), "{document}");
        assert_eq!(document["state"], "timeout");
        return;
    }
    let answers = document["revoke"]["answers"].as_array().unwrap();
    assert!(
        answers
            .iter()
            .any(|answer| answer["says"].as_str().unwrap().starts_with("terminate: ")),
        "{document}"
    );
}

#[test]
fn progress_in_plain_words_is_a_line_for_each_change() {
    let words = [
        "--demo",
        "call",
        "demo.slow.sleep",
        "3",
        "--progress",
        "plain",
    ];
    let outcome = cli(&words).expect_code(0);
    let said: Vec<&str> = outcome
        .stderr
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    assert!(said.contains(&"RUN"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains('\r'), "{}", outcome.stderr);
    let quiet = cli(&[&words[..], &["-q"]].concat()).expect_code(0);
    assert!(!quiet.stderr.contains(" RUN"), "{}", quiet.stderr);
}

#[test]
fn plain_progress_says_every_five_seconds_that_nothing_changed() {
    let call = ["--demo", "call", "demo.slow.sleep", "8"];
    let outcome = cli(&[&call[..], &["--progress", "plain"]].concat()).expect_code(0);
    let unchanged = |line: &&str| line.contains(" RUN ") && line.ends_with("s of 10s");
    let lines = outcome.stderr.lines().filter(unchanged).count();
    assert_eq!(lines, 1, "{}", outcome.stderr);
}

#[test]
fn a_result_is_printed_in_the_shape_that_was_asked_for() {
    let echo = |words: &[&str]| {
        let call = ["--demo", "call", "demo.text.echo", "--args"];
        let value = r#"["早"]"#;
        cli(&[&call[..], &[value], words].concat()).expect_code(0)
    };
    assert_eq!(echo(&[]).stdout, "\"早\"\n");
    assert_eq!(echo(&["--raw"]).stdout, "早\n");
}

#[test]
fn what_was_sent_before_is_printed_in_the_shape_that_was_asked_for() {
    let home = Sandbox::new();
    let echo = ["demo.text.echo", "note=late", "--task-id", "one"];
    let fail = ["demo.fail.always", "--task-id", "two"];
    for words in [&echo[..], &fail] {
        home.cli(&[&["--demo", "call", "--history"], words].concat());
    }
    for command in ["result", "wait"] {
        let with = |words: &[&str]| home.cli(&[&["--demo", command], words].concat());
        let whole = with(&["one"]).expect_code(0).stdout;
        assert!(whole.contains("\"late\""), "{whole}");
        let field = if whole.contains("kwargs") {
            "kwargs.note"
        } else {
            "note"
        };
        assert_eq!(
            with(&["one", "--raw", "--field", field])
                .expect_code(0)
                .stdout,
            "late\n"
        );
        let missing = with(&["one", "--field", "nobody"]).expect_code(1);
        assert!(missing.stderr.contains("\"nobody\""), "{}", missing.stderr);
        with(&["two"]).expect_code(1);
        with(&["two", "--no-check"]).expect_code(0);
    }
    let both = ["wait", "one", "two", "--no-check", "--json"];
    let document = home.cli(&both).expect_code(0).json();
    assert_eq!(document["ok"], false, "{document}");
}

#[test]
fn a_field_that_is_not_there_and_a_failure_that_is_not_checked() {
    let add = ["--demo", "call", "demo.math.add", "2", "3", "--field", "x"];
    let outcome = cli(&add).expect_code(1);
    assert_eq!(outcome.stdout, "");
    assert!(
        outcome.stderr.contains("has no \"x\""),
        "{}",
        outcome.stderr
    );
    let fail = ["--demo", "call", "demo.fail.always", "--no-check"];
    let home = Sandbox::new();
    home.cli(&fail).expect_code(0);
    // Nobody checks, and it failed all the same: the same is said of it afterwards.
    let kept = [&fail[..], &["--history", "--task-id", "bad", "--json"]].concat();
    let called = contract::call(&home.cli(&kept).expect_code(0));
    let result = ["result", "bad", "--no-check", "--json"];
    let read = contract::call(&home.cli(&result).expect_code(0));
    for document in [called, read] {
        let told = (&document["ok"], &document["state"], &document["exit"]);
        assert_eq!(told, (&json!(false), &json!("fail"), &json!(0)));
        assert_eq!(document["error"]["kind"], "task_failed");
    }
}

#[test]
fn more_words_tell_when_what_happened() {
    let outcome = cli(&["--demo", "call", "demo.math.add", "2", "3", "-v"]).expect_code(0);
    assert!(outcome.stderr.contains("  sent 20"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("  back +"), "{}", outcome.stderr);
}

#[test]
fn a_call_that_history_kept_has_its_result_also_where_nobody_else_has_it() {
    let home = Sandbox::new();
    let call = [
        "--demo",
        "call",
        "demo.math.add",
        "2",
        "3",
        "--task-id",
        "kept",
        "--history",
    ];
    home.cli(&call).expect_code(0);
    let outcome = home.cli(&["result", "kept", "--json"]).expect_code(0);
    let document = contract::call(&outcome);
    assert_eq!(
        (&document["state"], &document["result"]),
        (&json!("ok"), &json!(5))
    );
    assert_eq!(document["task"], "demo.math.add");
    let unkept = [
        "--demo",
        "call",
        "demo.math.add",
        "2",
        "3",
        "--task-id",
        "unkept",
    ];
    home.cli(&unkept).expect_code(0);
    home.cli(&["result", "unkept"]).expect_code(11);
}

#[test]
fn the_beginning_of_an_id_is_enough_where_history_knows_the_call() {
    let home = Sandbox::new();
    for id in ["one-1", "two-1", "two-2"] {
        let words = ["demo.math.add", "2", "3", "--task-id", id, "--history"];
        home.cli(&[&["--demo", "call"][..], &words].concat())
            .expect_code(0);
    }
    let outcome = home.cli(&["result", "one"]).expect_code(0);
    assert_eq!(outcome.stdout.trim(), "5");
    assert!(
        outcome.stderr.contains("one is one-1"),
        "{}",
        outcome.stderr
    );
    for verb in ["result", "wait", "revoke"] {
        let outcome = home.cli(&["--demo", verb, "two"]).expect_code(2);
        assert!(outcome.stderr.contains("two-1"), "{}", outcome.stderr);
    }
}

#[test]
fn a_revoke_of_what_looks_like_the_beginning_of_an_unknown_id_is_refused() {
    for words in [
        &["3e19c7d1"][..],
        &["some-id", "3e19c7d1"],
        &["3e", "19c7d1"],
    ] {
        let words = [&["--demo", "revoke", "--yes", "--json"], words].concat();
        let document = contract::failure(&cli(&words), 2, "usage");
        let message = document["error"]["message"].as_str().unwrap();
        assert!(message.contains("is the beginning of no call"), "{message}");
        assert_eq!(document["error"]["hint"], "--exact if this is the whole id");
    }
    let exact = cli(&["--demo", "revoke", "3e19c7d1", "--exact", "--yes"]);
    let told = exact.expect_code(0);
    assert!(told.stdout.contains("where it is, is not known"));
    assert!(
        told.stderr
            .contains("history does not know 3e19c7d1, and none of the"),
        "{}",
        told.stderr
    );
}

#[test]
fn a_revoke_never_takes_the_beginning_of_an_own_id_for_another_call() {
    let home = Sandbox::new();
    let words = ["demo.math.add", "2", "3", "--task-id", "order-12"];
    home.cli(&[&["--demo", "call", "--history"][..], &words].concat());
    let told = home
        .cli(&["--demo", "revoke", "order-1", "--yes"])
        .expect_code(2);
    assert!(told.stderr.contains("order-12"), "{}", told.stderr);
    let words = ["--demo", "revoke", "order-1", "--exact", "--yes", "--json"];
    let exact = home.cli(&words).expect_code(0).json();
    assert_eq!(exact["tasks"][0]["id"], "order-1");
}

#[test]
fn a_history_that_cannot_be_read_is_told_by_a_revoke() {
    let home = Sandbox::new();
    let file = home.home().join("history.db");
    std::fs::write(&file, "this is no database").unwrap();
    let home = home.env("UMBEL_HISTORY", &file.display().to_string());
    let refused = home
        .cli(&["--demo", "revoke", "3e19c7d1", "--yes"])
        .expect_code(2);
    let unread = "history cannot be read";
    assert!(refused.stderr.contains(unread), "{}", refused.stderr);
    let told = home
        .cli(&["--demo", "revoke", "some-id", "--yes"])
        .expect_code(0);
    assert!(told.stderr.contains(unread), "{}", told.stderr);
}

#[test]
fn an_id_that_is_given_twice_is_one() {
    let id = "3e19c7d1-0b1c-4d2e-8f3a-001122334455";
    let words = ["--demo", "revoke", id, id, "--yes", "--json"];
    let document = cli(&words).expect_code(0).json();
    assert_eq!(document["tasks"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_revoke_says_whether_anybody_knows_the_call() {
    let home = Sandbox::new();
    let words = ["demo.math.add", "2", "3", "--task-id", "aaaa", "--history"];
    home.cli(&[&["--demo", "call"][..], &words].concat());
    let revoke = |words: &[&str]| {
        let words = [&["--demo", "revoke", "--yes", "--json"], words].concat();
        home.cli(&words).expect_code(0).json()
    };
    let both = revoke(&["aa", "some-id"]);
    let known = |place: usize| both["tasks"][place]["known"].clone();
    assert_eq!((known(0), known(1)), (json!(true), json!(false)), "{both}");
    assert_eq!(both["tasks"][0]["id"], "aaaa");
    // Whole, it is another id.
    let exact = revoke(&["aa", "--exact"]);
    assert_eq!(exact["tasks"][0]["id"], "aa");
    assert_eq!(exact["tasks"][0]["known"], false);
}

#[test]
fn the_two_groups_of_the_screen_are_one_id() {
    let home = Sandbox::new();
    let id = "bfb4049d-0b1c-4d2e-8f3a-001122334455";
    let words = ["demo.math.add", "2", "3", "--task-id", id, "--history"];
    home.cli(&[&["--demo", "call"][..], &words].concat());
    for words in [&["result"][..], &["wait"], &["history", "show"]] {
        let outcome = home.cli(&[words, &["bf", "b4049d"]].concat());
        assert_eq!(outcome.expect_code(0).stdout.trim(), "5");
    }
    home.cli(&["result", "bf", "b4049e"]).expect_code(2);
    home.cli(&["result", "one-1", "two-2"]).expect_code(2);
    let again = home.cli(&["--demo", "again", "bf", "b4049d", "--json"]);
    let document = contract::failure(&again, 2, "usage");
    let hint = document["error"]["hint"].as_str().unwrap();
    assert!(hint.starts_with("one word: bfb4049d"), "{hint}");
    home.cli(&["history", "forget", "bf", "b4049d"])
        .expect_code(0);
    home.cli(&["history", "show", id]).expect_code(2);
}

#[test]
fn several_calls_are_one_document_or_one_a_line() {
    let home = Sandbox::new();
    for (id, task) in [("one", "demo.math.add"), ("two", "demo.fail.always")] {
        let words = ["2", "3", "--task-id", id, "--history"];
        home.cli(&[&["--demo", "call", task][..], &words].concat());
    }
    let outcome = home.cli(&["wait", "one", "two", "--json"]).expect_code(1);
    let document = outcome.json();
    assert_eq!(
        contract::keys(&document),
        ["schema", "ok", "calls", "exit"],
        "{document}"
    );
    assert_eq!(
        (&document["schema"], &document["ok"], &document["exit"]),
        (&json!("umbel.calls/1"), &json!(false), &json!(1))
    );
    let calls = document["calls"].as_array().unwrap();
    assert_eq!(contract::keys(&calls[0]), contract::CALL);
    assert_eq!(
        (&calls[0]["id"], &calls[1]["id"]),
        (&json!("one"), &json!("two"))
    );
    let lines = home.cli(&["wait", "one", "two", "--jsonl"]).expect_code(1);
    assert_eq!(lines.json_lines().len(), 2);
    let one = home.cli(&["wait", "one", "--json"]).expect_code(0);
    assert_eq!(contract::call(&one)["id"], "one");
}

#[test]
fn plain_progress_says_each_state_once_and_what_the_task_tells_of_itself() {
    let words = [
        "--demo",
        "call",
        "demo.progress.count",
        "4",
        "--progress",
        "plain",
    ];
    let outcome = cli(&words).expect_code(0);
    let said: Vec<&str> = outcome
        .stderr
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(time, _)| time.len() == 8 && time.contains(':'))
        .map(|(_, rest)| rest)
        .collect();
    for (index, line) in said.iter().enumerate() {
        assert!(
            !said[..index].contains(line),
            "{line:?} is said twice: {}",
            outcome.stderr
        );
    }
    let own = said.iter().filter(|line| line.contains("PROGRESS"));
    assert!(own.clone().count() >= 2, "{}", outcome.stderr);
    assert!(
        own.clone().all(|line| line.starts_with("RUN alpha@demo")),
        "{}",
        outcome.stderr
    );
    let (first, last) = (said.first().unwrap(), said.last().unwrap());
    assert!(
        first.starts_with("SEND") || first.starts_with("SENT"),
        "{}",
        outcome.stderr
    );
    assert!(last.starts_with("OK"), "{}", outcome.stderr);
}

#[test]
fn a_call_that_takes_longer_than_before_is_told_to() {
    let home = Sandbox::new();
    let call = |seconds: &str, code: i32| {
        let words = ["demo.slow.sleep", seconds, "--timeout", "2", "--history"];
        home.cli(&[&["--demo", "call"], &words[..]].concat())
            .expect_code(code)
    };
    for _ in 0..3 {
        call("0", 0);
    }
    let outcome = call("30", 3);
    assert!(
        outcome.stderr.contains("slower than all 3 earlier calls"),
        "{}",
        outcome.stderr
    );
    let unkept = ["--demo", "call", "demo.slow.sleep", "30", "--timeout", "1"];
    let outcome = home.cli(&unkept).expect_code(3);
    assert!(!outcome.stderr.contains("slower"), "{}", outcome.stderr);
}

/// A timeout, and the milliseconds it is.
#[rstest]
#[case("0.25", 250)]
#[case("150ms", 150)]
fn a_timeout_below_a_second_is_kept_exactly(#[case] timeout: &str, #[case] ms: u64) {
    // On a machine under load a single measurement says little, so the best of several counts.
    let mut best = u64::MAX;
    let exact = ms..ms + 60;
    for _ in 0..10 {
        let home = Sandbox::new();
        let words = ["demo.slow.sleep", "30", "--timeout", timeout, "--history"];
        let words = [&["--demo", "call", "--json"], &words[..]].concat();
        let document = contract::call(&home.cli(&words).expect_code(3));
        assert_eq!(document["timeout_ms"], ms);
        let listed = home.cli(&["history", "--plain"]).expect_code(0).stdout;
        let took = listed
            .lines()
            .nth(1)
            .and_then(|line| line.split('\t').nth(5));
        best = best.min(
            took.and_then(|ms| ms.parse().ok())
                .expect("how long it was waited for"),
        );
        if exact.contains(&best) {
            break;
        }
    }
    assert!(exact.contains(&best), "{best} ms");
}
