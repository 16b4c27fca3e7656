//! `umbel call` on the demo: every state a call can end in, as exit code, as words, as a document.

use rstest::rstest;
use serde_json::json;

use crate::contract;
use crate::support::cli;

fn demo(words: &[&str]) -> crate::support::Outcome {
    let mut all = vec!["--demo", "call"];
    all.extend(words);
    cli(&all)
}

#[test]
fn a_result_is_the_only_thing_on_standard_output() {
    let outcome = demo(&["demo.math.add", "2", "3"]).expect_code(0);
    assert_eq!(outcome.stdout, "5\n");
    assert!(outcome.stderr.starts_with("OK "), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("alpha@demo"), "{}", outcome.stderr);
    let plain = demo(&["demo.math.add", "x=2", "y=3", "--plain"]).expect_code(0);
    assert_eq!(plain.stdout, "5\n");
}

#[test]
fn a_call_that_returned_has_its_document() {
    let outcome =
        demo(&["demo.math.add", "2", "y=3", "--json", "--task-id", "an-id"]).expect_code(0);
    let document = contract::call(&outcome);
    assert_eq!(document["ok"], true);
    assert_eq!(document["state"], "ok");
    assert_eq!(document["task"], "demo.math.add");
    assert_eq!(document["id"], "an-id");
    assert_eq!(document["sent"], true);
    assert_eq!(document["args"], json!([2]));
    assert_eq!(document["kwargs"], json!({"y": 3}));
    assert_eq!(document["result"], json!(5));
    assert_eq!(document["result_known"], true);
    assert_eq!(document["queue"], "celery");
    assert_eq!(document["worker"], "alpha@demo");
    assert_eq!(document["timeout_ms"], 10_000);
    assert_eq!(document["late"], false);
    for unknown in [
        "profile",
        "kind",
        "custom",
        "error",
        "expires_at",
        "diagnosis",
    ] {
        assert!(document[unknown].is_null(), "{unknown}");
    }
    for known in [
        "sent_at",
        "started_at",
        "last_started_at",
        "first_worker",
        "done_at",
        "queued_ms",
        "ran_ms",
        "total_ms",
        "pid",
    ] {
        assert!(!document[known].is_null(), "{known}");
    }
    assert_eq!(outcome.stderr, "");
}

#[test]
fn a_task_that_raises_is_exit_1_with_its_traceback() {
    let outcome = demo(&["demo.fail.always", "--json"]).expect_code(1);
    let document = contract::call(&outcome);
    assert_eq!(document["state"], "fail");
    assert_eq!(document["sent"], true);
    assert_eq!(document["result_known"], true);
    let error = &document["error"];
    assert_eq!(error["kind"], "task_failed");
    assert_eq!(error["type"], "demo.billing.errors.InvoiceError");
    assert!(
        error["traceback"]
            .as_str()
            .is_some_and(|text| text.starts_with("Traceback"))
    );
    assert_eq!(error["argument_error"], false);

    let words = demo(&["demo.fail.always"]).expect_code(1);
    assert_eq!(words.stdout, "");
    let head = words.stderr.lines().next().unwrap_or_default();
    assert!(
        head.starts_with("FAIL ") && head.contains("  demo.fail.always  "),
        "{head}"
    );
    assert!(words.stderr.contains("; -v shows all)"), "{}", words.stderr);
    let all = demo(&["demo.fail.always", "-v"]).expect_code(1);
    assert!(all.stderr.contains("site-packages/"), "{}", all.stderr);
    assert!(!all.stderr.contains("-v shows"), "{}", all.stderr);
    assert!(
        words.stderr.contains("InvoiceError: 無法讀取發票"),
        "{}",
        words.stderr
    );
    assert!(
        words
            .stderr
            .contains("/srv/demo/billing/tasks.py:42 in always"),
        "{}",
        words.stderr
    );
}

#[test]
fn wrong_arguments_are_told_apart_from_a_task_that_raises() {
    let document = contract::call(&demo(&["demo.math.add", "1", "--json"]).expect_code(1));
    assert_eq!(document["error"]["kind"], "task_failed");
    assert_eq!(document["error"]["type"], "TypeError");
    assert_eq!(document["error"]["argument_error"], true);
}

#[test]
fn a_task_that_is_retried_ends_well() {
    let document = contract::call(&demo(&["demo.fail.retry", "--json"]).expect_code(0));
    assert_eq!(document["state"], "ok");
    assert!(
        document["retries"]
            .as_u64()
            .is_some_and(|retries| retries > 0),
        "{document}"
    );
}

#[test]
fn a_timeout_is_exit_3_with_an_unknown_outcome() {
    let outcome = demo(&["demo.slow.sleep", "30", "--timeout", "2", "--json"]).expect_code(3);
    let document = contract::call(&outcome);
    assert_eq!(document["state"], "timeout");
    assert_eq!(document["sent"], true);
    assert_eq!(document["result_known"], false);
    assert!(document["result"].is_null());
    assert_eq!(document["error"]["kind"], "timeout");
    assert_eq!(document["error"]["retry_safe"], false);
    let now = &document["diagnosis"]["now"];
    assert_eq!(
        contract::keys(now),
        [
            "state",
            "worker",
            "pid",
            "since_ms",
            "or_longer",
            "acknowledged",
            "inferred"
        ]
    );
    assert_eq!(
        (&now["state"], &now["worker"]),
        (&json!("run"), &json!("alpha@demo"))
    );
    assert!(
        now["since_ms"]
            .as_u64()
            .is_some_and(|ms| (1000..10_000).contains(&ms)),
        "{now}"
    );
    let why = &document["diagnosis"]["why"][0];
    assert_eq!(
        (&why["kind"], &why["worker"], &why["inferred"]),
        (&json!("running"), &json!("alpha@demo"), &json!(false)),
        "{document}"
    );
    assert_eq!(
        contract::keys(&document["diagnosis"]),
        ["now", "asked", "why", "next"]
    );

    let words = demo(&["demo.slow.sleep", "30", "--timeout", "300ms"]).expect_code(3);
    assert_eq!(words.stdout, "");
    assert!(
        words.stderr.starts_with("TIMEOUT 300ms"),
        "{}",
        words.stderr
    );
    assert!(words.stderr.contains("outcome unknown"), "{}", words.stderr);
    assert!(
        !words.stderr.contains("umbel again"),
        "history does not have it: {}",
        words.stderr
    );
    let kept = ["demo.slow.sleep", "30", "--timeout", "300ms", "--history"];
    let kept = demo(&kept).expect_code(3).stderr;
    let again = kept.lines().find(|line| line.contains("umbel again"));
    assert!(
        again.is_some_and(|line| line.ends_with("# it may then run twice")),
        "{kept}"
    );
    assert!(
        words.stderr.contains("RUN on alpha@demo"),
        "{}",
        words.stderr
    );
}

#[test]
fn the_time_of_a_task_that_was_retried_is_told_with_its_retries_and_its_last_run() {
    let outcome = demo(&["demo.fail.retry"]).expect_code(0);
    let said = outcome.stderr.clone();
    assert!(said.contains(", 2 retries in "), "{}", outcome.account());
    assert!(said.contains(", last run "), "{}", outcome.account());
}

#[test]
fn a_timeout_says_what_the_task_said_last() {
    let outcome = demo(&["demo.progress.count", "1000", "--timeout", "1"]).expect_code(3);
    let says = outcome
        .stderr
        .lines()
        .find(|line| line.starts_with("  says: "));
    let says = says.unwrap_or_else(|| panic!("{}", outcome.account()));
    assert!(
        says.contains("PROGRESS") && says.contains(" of 1000"),
        "{says}"
    );
}

#[test]
fn a_timeout_in_the_middle_of_a_custom_state_names_it() {
    let words = ["demo.progress.count", "1000", "--timeout", "1", "--json"];
    let document = contract::call(&demo(&words).expect_code(3));
    assert_eq!(document["custom"], "PROGRESS");
    assert!(document["custom_meta"].is_object(), "{document}");
    assert_eq!(document["diagnosis"]["now"]["state"], "run");
}

#[rstest]
#[case("500ms", 500)]
#[case(".5s", 500)]
#[case("1.5", 1500)]
#[case("2m", 120_000)]
#[case("1h", 3_600_000)]
#[case("none", 86_400_000)]
#[case("0", 86_400_000)]
fn a_timeout_is_a_duration(#[case] text: &str, #[case] ms: u64) {
    let document = contract::call(
        &demo(&["demo.math.add", "1", "2", "--json", "--timeout", text]).expect_code(0),
    );
    assert_eq!(document["timeout_ms"].as_u64(), Some(ms));
}

#[test]
fn the_end_of_a_task_that_keeps_no_result_is_heard_and_marked() {
    let outcome = demo(&["demo.silent.ignored", "--json"]).expect_code(0);
    let document = contract::call(&outcome);
    assert_eq!(document["state"], "ok");
    assert_eq!(
        (&document["ok"], &document["sent"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        (&document["result"], &document["result_known"]),
        (&json!(null), &json!(false))
    );
    assert_eq!(document["result_repr"], "'nobody reads this'");
    assert_eq!(document["result_source"], "event");
    assert!(document["error"].is_null());
    assert!(
        document["warnings"][0].as_str().is_some_and(
            |text| text.contains("ignores its result") && text.contains("--result force")
        )
    );
    for form in [
        &["demo.silent.ignored"][..],
        &["demo.silent.ignored", "--plain"],
    ] {
        let words = demo(form).expect_code(0);
        assert_eq!(words.stdout, "", "a repr is no result");
        assert!(words.stderr.contains("OK "), "{}", words.stderr);
        assert!(
            words
                .stderr
                .contains("as the worker's log shows it (Python repr): 'nobody reads this'"),
            "{}",
            words.stderr
        );
        assert!(words.stderr.contains("warning: "), "{}", words.stderr);
    }
}

#[test]
fn a_task_that_no_reader_of_the_queue_knows_is_not_sent() {
    let outcome = demo(&["demo.math.ad", "1", "2", "--json"]).expect_code(6);
    let document = contract::call(&outcome);
    assert_eq!(document["state"], "draft");
    assert_eq!(document["sent"], false);
    assert_eq!(document["error"]["kind"], "no_worker");
    assert_eq!(document["error"]["retry_safe"], true);
    let hint = document["error"]["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("did you mean demo.math.add"), "{hint}");
    let words = demo(&["demo.math.ad", "1", "2"]).expect_code(6);
    assert!(
        words.stderr.contains("nothing was sent"),
        "{}",
        words.stderr
    );
}

#[test]
fn without_a_look_first_a_worker_says_that_it_does_not_know_the_task() {
    let document = contract::call(&demo(&["no.such", "--no-preflight", "--json"]).expect_code(1));
    assert_eq!(document["state"], "no_task");
    assert_eq!(document["error"]["kind"], "not_registered");
    let words = demo(&["no.such", "--no-preflight"]).expect_code(1);
    assert!(words.stderr.contains("NO TASK"), "{}", words.stderr);
}

#[test]
fn a_queue_that_nobody_reads_is_refused_and_without_a_look_the_broker_returns_the_message() {
    let words = ["demo.math.add", "1", "2", "--queue", "nowhere", "--json"];
    let document = contract::call(&demo(&words).expect_code(6));
    assert_eq!(
        (&document["state"], &document["queue"]),
        (&json!("draft"), &json!("nowhere"))
    );
    let mut words = words.to_vec();
    words.push("--no-preflight");
    let document = contract::call(&demo(&words).expect_code(4));
    assert_eq!(
        (&document["state"], &document["sent"]),
        (&json!("unsent"), &json!(false))
    );
    assert_eq!(document["error"]["kind"], "unsent");
    assert!(document["sent_at"].is_null());
}

#[test]
fn a_named_queue_is_used() {
    let document = contract::call(
        &demo(&["demo.math.add", "1", "2", "--queue", "mail", "--json"]).expect_code(0),
    );
    assert_eq!(
        (&document["queue"], &document["worker"]),
        (&json!("mail"), &json!("gamma@demo"))
    );
}

#[test]
fn a_time_to_live_is_in_the_document() {
    let words = ["demo.math.add", "1", "2", "--expires", "1h", "--json"];
    let document = contract::call(&demo(&words).expect_code(0));
    assert!(document["expires_at"].is_string());
}

#[rstest]
#[case("1180591620717411303424")]
#[case("1.10")]
#[case("-0.0")]
#[case("1e+400")]
#[case(r#"{"z":1,"a":{"y":[],"b":null}}"#)]
#[case(r#""客戶 👩‍💻 \u0000""#)]
#[case("[[[[[[]]]]]]")]
fn a_value_comes_back_from_a_task_that_echoes_it(#[case] value: &str) {
    let document =
        contract::call(&demo(&["demo.text.echo", &format!(":={value}"), "--json"]).expect_code(0));
    assert_eq!(document["args"][0].to_string(), value);
    if !value.starts_with("1.1") && !value.starts_with("1e+4") {
        assert_eq!(document["result"].to_string(), value);
    }
}

#[test]
fn a_result_that_json_cannot_say_is_a_string_in_the_document_with_a_warning() {
    let document =
        contract::call(&demo(&["demo.text.echo", ":float=nan", "--json"]).expect_code(0));
    assert_eq!(document["result"], "NaN");
    assert!(
        document["warnings"].to_string().contains("NaN"),
        "{document}"
    );
    // Piped for people, it is exactly what the backend has.
    assert_eq!(
        demo(&["demo.text.echo", ":float=nan"])
            .expect_code(0)
            .stdout,
        "NaN\n"
    );
}

#[test]
fn a_large_result_arrives_whole() {
    let outcome = demo(&["demo.result.large", "8", "--json"]).expect_code(0);
    let document = contract::call(&outcome);
    assert!(outcome.stdout.len() > 7 << 20);
    assert_eq!(document["state"], "ok");
}

#[test]
fn flags_go_before_and_after_the_command() {
    for words in [
        ["--demo", "--json", "call", "demo.math.add", "1", "2"],
        ["call", "demo.math.add", "1", "2", "--json", "--demo"],
        ["call", "--demo", "demo.math.add", "1", "--json", "2"],
    ] {
        assert_eq!(
            contract::call(&cli(&words).expect_code(0))["result"],
            json!(3)
        );
    }
}
