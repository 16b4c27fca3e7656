//! Where settings come from: a flag, then `UMBEL_*`, then `CELERY_*`; nothing of a variable that is empty.

use crate::contract;
use crate::support::{Sandbox, cli};

/// A broker that is refused by name: the complaint tells which setting it came from.
const BAD: &str = "sqs://";
/// A port that nobody listens on.
const CLOSED: &str = "amqp://127.0.0.1:1//";

#[test]
fn the_broker_is_the_flag_s_then_umbel_s_then_celery_s() {
    let celery = Sandbox::new().env("CELERY_BROKER_URL", BAD);
    let said = celery.cli(&["tasks"]).expect_code(11).stderr;
    assert!(said.contains("CELERY_BROKER_URL: "), "{said}");
    let both = celery.env("UMBEL_BROKER", BAD);
    let said = both.cli(&["tasks"]).expect_code(11).stderr;
    assert!(said.contains("UMBEL_BROKER: "), "{said}");
    let said = both.cli(&["tasks", "--broker", BAD]).expect_code(11).stderr;
    assert!(said.contains("--broker: "), "{said}");
    both.cli(&["tasks", "--broker", CLOSED]).expect_code(4);
}

#[test]
fn the_result_backend_is_the_flag_s_then_umbel_s_then_celery_s() {
    let celery = Sandbox::new()
        .env("CELERY_BROKER_URL", CLOSED)
        .env("CELERY_RESULT_BACKEND", BAD);
    let said = celery.cli(&["call", "t"]).expect_code(11).stderr;
    assert!(said.contains("CELERY_RESULT_BACKEND: "), "{said}");
    let both = celery.env("UMBEL_BACKEND", BAD);
    let said = both.cli(&["call", "t"]).expect_code(11).stderr;
    assert!(said.contains("UMBEL_BACKEND: "), "{said}");
    let said = both
        .cli(&["call", "t", "--backend", BAD])
        .expect_code(11)
        .stderr;
    assert!(said.contains("--backend: "), "{said}");
    both.cli(&["call", "t", "--backend", "rpc://"])
        .expect_code(4);
}

#[test]
fn an_empty_variable_is_not_set() {
    let sandbox = Sandbox::new()
        .env("UMBEL_BROKER", "")
        .env("CELERY_BROKER_URL", CLOSED);
    let sandbox = sandbox
        .env("UMBEL_BACKEND", "")
        .env("UMBEL_TIMEOUT", "")
        .env("UMBEL_LOG", "");
    sandbox.cli(&["tasks"]).expect_code(4);
    let document = contract::call(
        &sandbox
            .cli(&["--demo", "call", "demo.math.add", "1", "2", "--json"])
            .expect_code(0),
    );
    assert_eq!(document["timeout_ms"], 10_000);
}

#[test]
fn the_demo_is_chosen_by_its_flag_alone_and_wins_over_the_environment() {
    let sandbox = Sandbox::new()
        .env("CELERY_BROKER_URL", CLOSED)
        .env("CELERY_RESULT_BACKEND", "redis://127.0.0.1:1/0");
    sandbox
        .cli(&["--demo", "call", "demo.math.add", "1", "2"])
        .expect_code(0);
    cli(&["tasks"]).expect_code(11);
}

#[test]
fn the_timeout_is_the_flag_s_then_the_environment_s() {
    let sandbox = Sandbox::new().env("UMBEL_TIMEOUT", "300ms");
    let slow = ["--demo", "call", "demo.slow.sleep", "30", "--json"];
    assert_eq!(
        contract::call(&sandbox.cli(&slow).expect_code(3))["timeout_ms"],
        300
    );
    let words: Vec<&str> = slow.into_iter().chain(["--timeout", "200ms"]).collect();
    assert_eq!(
        contract::call(&sandbox.cli(&words).expect_code(3))["timeout_ms"],
        200
    );
}

#[test]
fn a_wrong_variable_is_a_configuration_error_and_no_wrong_usage() {
    let sandbox = Sandbox::new().env("UMBEL_TIMEOUT", "soon");
    let document = contract::failure(&sandbox.cli(&["--demo", "tasks", "--json"]), 11, "config");
    assert!(
        document["error"]["message"]
            .to_string()
            .contains("UMBEL_TIMEOUT"),
        "{document}"
    );
    // The flag was meant, whatever stands in the environment.
    sandbox
        .cli(&[
            "--demo",
            "call",
            "demo.math.add",
            "1",
            "2",
            "--timeout",
            "5",
        ])
        .expect_code(0);
}

#[test]
fn the_log_can_be_named_by_the_environment() {
    let sandbox = Sandbox::new();
    let log = sandbox.home().join("named.log");
    let sandbox = sandbox.env("UMBEL_LOG", &log.display().to_string());
    sandbox.cli(&["--demo", "tasks"]).expect_code(0);
    assert!(log.exists());
}

#[test]
fn nothing_is_written_to_the_home_directory() {
    let sandbox = Sandbox::new();
    sandbox
        .cli(&["--demo", "call", "demo.math.add", "1", "2"])
        .expect_code(0);
    let left: Vec<_> = std::fs::read_dir(sandbox.home())
        .expect("a directory")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(left, ["tmp"]);
}

#[test]
fn an_option_is_the_flag_s_then_the_environment_s_then_the_url_s() {
    // Each of the three is wrong in its own place; the complaint tells which one was read.
    let wrong = |sandbox: &Sandbox, words: &[&str], told: &str| {
        let said = sandbox.cli(words).expect_code(11).stderr;
        assert!(said.contains(told), "{said}");
    };
    let url = "rediss://127.0.0.1:1/0?ssl_ca_certs=/nowhere/url.pem";
    let plain = Sandbox::new();
    wrong(
        &plain,
        &["tasks", "--broker", url],
        "/nowhere/url.pem: there is no such file",
    );
    let sandbox = plain.env(
        "UMBEL_BROKER_OPTIONS",
        r#"{"ssl_ca_certs": "/nowhere/variable.pem"}"#,
    );
    wrong(
        &sandbox,
        &["tasks", "--broker", url],
        "/nowhere/variable.pem",
    );
    let flag = [
        "tasks",
        "--broker",
        url,
        "--broker-option",
        "ssl_ca_certs=/nowhere/flag.pem",
    ];
    wrong(&sandbox, &flag, "/nowhere/flag.pem");
}

#[test]
fn an_option_that_cannot_be_used_is_told_with_the_place_where_it_stands() {
    let refused = |sandbox: &Sandbox, words: &[&str], told: &str| {
        let words = [&["tasks", "--broker", CLOSED], words].concat();
        let said = sandbox.cli(&words).expect_code(11).stderr;
        assert!(said.contains(told), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    };
    let plain = Sandbox::new();
    let flag = |option| ["--broker-option", option];
    refused(
        &plain,
        &flag("ssl_ca_cert=/x"),
        "--broker-option: ssl_ca_cert is no transport option; did you mean ssl_ca_certs?",
    );
    refused(&plain, &flag("ssl_cert_reqs=none"), "umbel always checks");
    refused(
        &plain,
        &flag("hunter2"),
        "--broker-option: it is no NAME=VALUE",
    );
    refused(
        &plain,
        &["--backend-option", "sentinel_kwargs=hunter2"],
        "--backend-option: sentinel_kwargs",
    );
    let variable = Sandbox::new().env("UMBEL_BACKEND_OPTIONS", "hunter2");
    refused(
        &variable,
        &[],
        "UMBEL_BACKEND_OPTIONS: it is no JSON object",
    );
    refused(
        &Sandbox::new().env("UMBEL_MANAGEMENT", "amqp://hunter2"),
        &[],
        "UMBEL_MANAGEMENT: it does not begin with http",
    );
}

#[test]
fn an_option_that_changes_nothing_is_taken() {
    let words = ["--broker-option", "visibility_timeout=3600"];
    let words = [&["tasks", "--broker", CLOSED][..], &words].concat();
    cli(&words).expect_code(4);
}
