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

/// Words that hold the password under names that are secret, also deep in a value and in a header.
const SECRET_WORDS: [&str; 8] = [
    "password=hunter2xyz",
    "user:={\"name\": \"王\", \"api_token\": \"hunter2xyz\"}",
    "deep:=[{\"a\": [{\"Client-Secret\": \"hunter2xyz\"}]}]",
    "note=the password is hunter2xyz",
    "--header",
    "Authorization=Bearer hunter2xyz",
    "--header",
    "trace=hunter2xyz",
];

/// Everything below the home, as one text.
fn files(home: &std::path::Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(home).expect("a folder").flatten() {
        let path = entry.path();
        all += &if path.is_dir() {
            files(&path)
        } else {
            String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned()
        };
    }
    all
}

#[rstest]
#[case::in_words(&[])]
#[case::in_many_words(&["-v"])]
#[case::as_json(&["--json"])]
#[case::plain(&["--plain"])]
fn no_secret_argument_is_printed_or_written_by_any_command(#[case] form: &[&str]) {
    let home = Sandbox::new();
    let run = |words: &[&str]| {
        let outcome = home.cli(&[words, form, &["--log", "log"]].concat());
        assert_clean(&outcome.stdout, PASSWORD);
        assert_clean(&outcome.stderr, PASSWORD);
        outcome
    };
    let send = |verb: &str, id: &str, task: &str| {
        let words = ["--demo", verb, "--history", "--no-preflight", task];
        let words = [&words[..], &SECRET_WORDS, &["--task-id", id]].concat();
        run(&words)
    };
    send("call", "aaa-1", "demo.fail.always").expect_code(1);
    send("send", "bbb-2", "demo.fail.always").expect_code(0);
    send("call", "ccc-3", "demo.no.such.task");
    run(&["--demo", "again", "aaa-1"]).expect_code(8);
    run(&["--demo", "call", "--from", "aaa-1", "password=hunter2xyz"]).expect_code(8);
    for words in [
        &["history"][..],
        &["history", "show", "aaa-1"],
        &["history", "diff", "aaa-1", "bbb-2"],
        &["history", "export"],
        &["history", "export", "--csv"],
        &["--demo", "result", "aaa-1"],
        &["--demo", "wait", "bbb-2"],
        &["--demo", "tasks"],
        &["--demo", "workers"],
        &["--demo", "queues"],
        &["config", "check"],
    ] {
        run(words);
    }
    let listed = home.cli(&["history", "hunter2xyz", "--jsonl"]);
    assert_eq!(listed.json_lines().len(), 0, "it is searched for");
    let files = files(home.home());
    assert!(files.contains("demo.fail.always") && files.contains("password"));
    assert_clean(&files, PASSWORD);
}

#[test]
fn the_screen_shows_no_password_of_an_address() {
    let home = Sandbox::new()
        .env("CELERY_BROKER_URL", "amqp://user:hunter2xyz@127.0.0.1:1/v")
        .env("CELERY_RESULT_BACKEND", "redis://:hunter2xyz@127.0.0.1:1/0")
        .env("TERM", "xterm-256color");
    let mut screen = home.pty(24, 80, &["--log", "log"]);
    screen.wait_for("127.0.0.1:1");
    screen.keys("?");
    screen.wait_for("Help: Tasks");
    screen.keys("\x1b");
    screen.wait_gone("Help: Tasks");
    screen.keys("4");
    screen.wait_for("[4 History]");
    screen.keys("q");
    screen.wait_exit();
    assert_clean(&String::from_utf8_lossy(&screen.bytes()), PASSWORD);
    assert_clean(&files(home.home()), PASSWORD);
}

#[test]
fn what_was_masked_once_is_masked_again_whatever_the_names_are_now() {
    let home = Sandbox::new();
    let config = home.home().join("own.toml");
    std::fs::write(&config, "[history]\nsecret = [\"iban\"]\n").expect("a file");
    let config = config.to_str().expect("UTF-8");
    let first = [
        "call",
        "demo.fail.always",
        "iban=DE00-hunter2xyz",
        "--task-id",
        "aaa-1",
    ];
    let words = [&["--demo", "--config", config][..], &first, &["--history"]].concat();
    home.cli(&words).expect_code(1);
    // Without that file nothing calls it a secret any more.
    let again = [
        "again",
        "aaa-1",
        "iban=DE00-hunter2xyz",
        "--history",
        "--json",
    ];
    let outcome = home.cli(&[&["--demo"][..], &again].concat()).expect_code(1);
    assert_clean(&outcome.stdout, PASSWORD);
    let listed = home.cli(&["history", "--jsonl"]).json_lines();
    assert_eq!(listed.len(), 2, "both are kept");
    assert_clean(&files(home.home()), PASSWORD);
}

#[rstest]
#[case::unknown_type(&["password:money=hunter2xyz"])]
#[case::number(&["password:int=hunter2xyz"])]
#[case::json(&["password:=hunter2xyz"])]
#[case::no_file(&["password=@hunter2xyz"])]
#[case::header(&["--header", "Authorization:=hunter2xyz"])]
#[case::header_of_no_type(&["--header", "Authorization:money=hunter2xyz"])]
#[case::header_without_a_name(&["--header", "=hunter2xyz"])]
#[case::header_of_a_file(&["--header", "Authorization=@hunter2xyz"])]
#[case::kwargs(&["--kwargs", "{\"password\": \"hunter2xyz\",}"])]
#[case::kwargs_of_python(&["--kwargs", "{'password': 'hunter2xyz'}"])]
#[case::args(&["--args", "[{\"token\": hunter2xyz}]"])]
#[case::no_option(&["--password=hunter2xyz"])]
fn a_secret_on_a_wrong_command_line_is_not_repeated(#[case] words: &[&str]) {
    let sandbox = Sandbox::new();
    for verb in ["call", "send"] {
        for form in [&[][..], &["--json"]] {
            let line = [&["--demo", verb, "t"][..], words, form].concat();
            let outcome = sandbox.cli(&line);
            assert_ne!(outcome.code(), Some(0), "{line:?}");
            assert_clean(&outcome.stdout, "hunter2");
            assert_clean(&outcome.stderr, "hunter2");
        }
    }
    let outcome = sandbox.cli(&["tasks", "password=hunter2xyz", "--nothing"]);
    assert_clean(&outcome.stderr, "hunter2");
}
