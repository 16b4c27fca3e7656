//! No password, argument or result where it does not belong: not on the screen, not in a document, not in the log.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rstest::rstest;

use crate::support::Sandbox;

const PASSWORD: &str = "hunter2xyz";

#[track_caller]
fn assert_clean(text: &str, secret: &str) {
    assert!(!text.contains(secret), "{secret} leaks in:\n{text}");
}

#[rstest]
#[case::unreachable("amqp://user:hunter2xyz@127.0.0.1:1/v", "rpc://")]
#[case::unreachable_backend(
    "amqp://user:hunter2xyz@127.0.0.1:1/v",
    "redis://:hunter2xyz@127.0.0.1:1/0"
)]
#[case::unknown_host("amqp://user:hunter2xyz@no-such-host.invalid/v", "rpc://")]
#[case::unsupported_scheme("redis://:hunter2xyz@127.0.0.1:1/0", "rpc://")]
#[case::bad_port("amqp://user:hunter2xyz@127.0.0.1:port/v", "rpc://")]
#[case::password_as_port("amqp://user:hunter2xyz/@127.0.0.1/v", "rpc://")]
#[case::no_scheme("user:hunter2xyz@127.0.0.1", "rpc://")]
#[case::bad_backend("amqp://127.0.0.1:1//", "db+postgresql://u:hunter2xyz@h/x")]
#[case::bad_backend_database("amqp://127.0.0.1:1//", "redis://:hunter2xyz@h/x")]
#[case::bad_backend_port("amqp://127.0.0.1:1//", "redis://:hunter2xyz@h:port/0")]
#[case::tls(
    "amqps://user:hunter2xyz@127.0.0.1:1/v",
    "rediss://:hunter2xyz@127.0.0.1:1/0"
)]
fn no_password_of_a_url_is_ever_said(#[case] broker: &str, #[case] backend: &str) {
    let plain = Sandbox::new();
    let by_environment = Sandbox::new()
        .env("CELERY_BROKER_URL", broker)
        .env("CELERY_RESULT_BACKEND", backend);
    for command in [
        &["call", "t", "1"][..],
        &["tasks"],
        &["queues", "q"],
        &["workers"],
        &["call", "t", "--dry-run"],
    ] {
        for form in [&[][..], &["--json"], &["--plain"]] {
            let base: Vec<&str> = command
                .iter()
                .chain(form)
                .copied()
                .chain(["--log", "log"])
                .collect();
            let flags: Vec<&str> = base
                .iter()
                .copied()
                .chain(["--broker", broker, "--backend", backend])
                .collect();
            for (sandbox, words) in [(&plain, &flags), (&by_environment, &base)] {
                let outcome = sandbox.cli(words);
                assert_clean(&outcome.stdout, PASSWORD);
                assert_clean(&outcome.stderr, PASSWORD);
                assert_clean(
                    &fs::read_to_string(sandbox.home().join("log")).unwrap_or_default(),
                    PASSWORD,
                );
            }
        }
    }
}

#[test]
fn a_password_on_the_command_line_is_warned_of_because_ps_shows_it() {
    let sandbox = Sandbox::new();
    let broker = "amqp://user:hunter2xyz@127.0.0.1:1/v";
    for command in [&["call", "t"][..], &["tasks"], &["queues"], &["workers"]] {
        let words: Vec<&str> = command
            .iter()
            .copied()
            .chain(["--broker", broker])
            .collect();
        let said = sandbox.cli(&words).expect_code(4).stderr;
        assert!(
            said.contains("visible") && said.contains("ps"),
            "{command:?}: {said}"
        );
        let sandbox = Sandbox::new().env("CELERY_BROKER_URL", broker);
        let said = sandbox.cli(command).expect_code(4).stderr;
        assert!(!said.contains("visible"), "{said}");
    }
    let words = [
        "call",
        "t",
        "--broker",
        "amqp://127.0.0.1:1//",
        "--backend",
        "redis://:hunter2xyz@127.0.0.1:1/0",
    ];
    let said = sandbox.cli(&words).expect_code(4).stderr;
    assert!(
        said.contains("--backend") && said.contains("visible"),
        "{said}"
    );
}

#[test]
fn everybody_knows_the_password_guest() {
    let said = Sandbox::new()
        .cli(&["tasks", "--broker", "amqp://guest:guest@127.0.0.1:1//"])
        .expect_code(4)
        .stderr;
    assert!(!said.contains("visible"), "{said}");
}

#[test]
fn the_log_is_ours_alone_and_holds_no_arguments_and_no_results() {
    let sandbox = Sandbox::new();
    sandbox
        .cli(&[
            "--demo",
            "call",
            "demo.text.echo",
            "arg-4711",
            "--log",
            "log",
        ])
        .expect_code(0);
    sandbox
        .cli(&[
            "--demo",
            "call",
            "demo.fail.always",
            "arg-4711",
            "--log",
            "log",
        ])
        .expect_code(1);
    let log = sandbox.home().join("log");
    assert_clean(&fs::read_to_string(&log).expect("a log"), "arg-4711");
    let mode = fs::metadata(&log).expect("a log").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
