//! Bad input and servers that are not there: each has its words, its kind and its exit code, and stdout stays pure.

use std::net::TcpListener;
use std::time::Duration;

use rstest::rstest;

use crate::contract;
use crate::support::{Sandbox, cli};

/// A port of this machine that nobody listens on.
const CLOSED: &str = "amqp://guest:guest@127.0.0.1:1//";

#[rstest]
#[case::unknown_flag(&["--nope"])]
#[case::unknown_command(&["taks"])]
#[case::abbreviation(&["t"])]
#[case::no_task(&["call"])]
#[case::two_forms(&["tasks", "--plain"])]
#[case::two_targets(&["tasks", "--demo", "--broker", CLOSED])]
#[case::two_targets_around_the_command(&["--demo", "tasks", "--broker", CLOSED])]
#[case::demo_with_a_backend(&["--demo", "tasks", "--backend", "rpc://"])]
#[case::bad_duration(&["tasks", "--timeout", "soon"])]
#[case::bad_colour(&["tasks", "--color", "pink"])]
#[case::too_many_words(&["queues", "a", "b"])]
#[case::nothing_at_all(&[])]
fn a_wrong_command_line_is_exit_2_also_as_a_document(#[case] words: &[&str]) {
    let with_json: Vec<&str> = ["--json"]
        .into_iter()
        .chain(words.iter().copied())
        .collect();
    let outcome = cli(&with_json);
    contract::failure(&outcome, 2, "usage");
    assert_eq!(outcome.stderr, "");
    // Without --json there is nothing wrong with --plain.
    if words != ["tasks", "--plain"] {
        let outcome = cli(words).expect_code(2);
        assert_eq!(outcome.stdout, "");
        assert!(!outcome.stderr.is_empty());
    }
}

#[test]
fn a_typo_is_answered_with_what_was_perhaps_meant_and_never_done() {
    let outcome = cli(&["--demo", "taks"]).expect_code(2);
    assert!(outcome.stderr.contains("'tasks'"), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "");
}

#[test]
fn without_a_terminal_umbel_alone_prints_short_help_to_stderr_and_exits_2() {
    for words in [&[][..], &["--demo"]] {
        let outcome = cli(words).expect_code(2);
        assert_eq!(outcome.stdout, "");
        assert!(
            outcome.stderr.contains("Usage: umbel"),
            "{}",
            outcome.stderr
        );
        assert!(outcome.stderr.lines().count() < 80);
    }
}

#[test]
fn help_and_version_are_answers() {
    let help = cli(&["--help"]).expect_code(0);
    for word in [
        "call",
        "tasks",
        "queues",
        "workers",
        "--demo",
        "Exit codes",
        "CELERY_BROKER_URL",
        "UMBEL_TIMEOUT",
    ] {
        assert!(help.stdout.contains(word), "{word}");
    }
    assert_eq!(help.stderr, "");
    let version = cli(&["-V"]).expect_code(0);
    assert_eq!(
        version.stdout,
        format!("umbel {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[rstest]
#[case(&["call", "t"])]
#[case(&["tasks"])]
#[case(&["queues"])]
#[case(&["workers"])]
fn without_a_broker_every_command_says_how_to_name_one(#[case] words: &[&str]) {
    let outcome = cli(words).expect_code(11);
    assert_eq!(outcome.stdout, "");
    assert!(
        outcome.stderr.contains("CELERY_BROKER_URL"),
        "{}",
        outcome.stderr
    );
    let with_json: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
    contract::failure(&cli(&with_json), 11, "config");
}

#[rstest]
#[case::sentinel("sentinel://localhost", "the name of the Sentinels' group")]
#[case::redis_database("redis://localhost/x", "database number")]
#[case::sqs("sqs://", "not supported")]
#[case::memory("memory://", "not supported")]
#[case::http("http://localhost:15672", "not supported")]
#[case::no_scheme("localhost:5672", "does not begin with amqp://")]
#[case::bad_port("amqp://localhost:port//", "port")]
#[case::big_port("amqp://localhost:99999//", "port")]
#[case::blank("  ", "empty")]
fn a_broker_that_cannot_be_used_is_a_configuration_error_in_words(
    #[case] url: &str,
    #[case] said: &str,
) {
    for command in [&["tasks"][..], &["call", "t"]] {
        let words: Vec<&str> = command.iter().copied().chain(["--broker", url]).collect();
        let outcome = cli(&words).expect_code(11);
        assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
        assert_eq!(outcome.stdout, "");
        let with_json: Vec<&str> = words.into_iter().chain(["--json"]).collect();
        contract::failure(&cli(&with_json), 11, "config");
    }
}

#[rstest]
#[case::unknown("nonsense://localhost")]
#[case::nameless("sentinel://localhost")]
#[case::no_scheme("localhost:6379")]
#[case::bad_database("redis://localhost/x")]
fn a_result_backend_that_cannot_be_used_is_a_configuration_error(#[case] url: &str) {
    let outcome = cli(&["call", "t", "--broker", CLOSED, "--backend", url, "--json"]);
    contract::failure(&outcome, 11, "config");
}

#[rstest]
#[case(&["tasks"])]
#[case(&["queues"])]
#[case(&["workers"])]
fn an_unreachable_broker_is_exit_4_at_the_first_try(#[case] words: &[&str]) {
    let words: Vec<&str> = words.iter().copied().chain(["--broker", CLOSED]).collect();
    let outcome = cli(&words).expect_code(4);
    assert_eq!(outcome.stdout, "");
    assert!(
        outcome.stderr.contains("127.0.0.1:1") && outcome.stderr.contains("refused"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.took < Duration::from_secs(3), "{:?}", outcome.took);
    let with_json: Vec<&str> = words.into_iter().chain(["--json"]).collect();
    contract::failure(&cli(&with_json), 4, "unsent");
}

#[test]
fn a_call_to_an_unreachable_broker_has_its_whole_document() {
    let outcome = cli(&["call", "t", "1", "--broker", CLOSED, "--json"]).expect_code(4);
    let document = contract::call(&outcome);
    assert_eq!(document["sent"], false);
    assert_eq!(document["state"], "unsent");
    assert_eq!(document["error"]["kind"], "unsent");
    assert_eq!(document["error"]["retry_safe"], true);
    let outcome = cli(&["call", "t", "1", "--broker", CLOSED]).expect_code(4);
    assert_eq!(outcome.stdout, "");
    assert!(
        outcome.stderr.contains("nothing was sent"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_host_that_does_not_exist_is_exit_4() {
    let outcome = cli(&["tasks", "--broker", "amqp://no-such-host.invalid//"]).expect_code(4);
    assert!(
        outcome.stderr.contains("no-such-host.invalid"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_server_that_takes_the_connection_and_says_nothing_is_given_5_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!(
        "amqp://127.0.0.1:{}//",
        listener.local_addr().expect("an address").port()
    );
    let outcome = cli(&["call", "t", "--broker", &url, "--json"]).expect_code(4);
    contract::call(&outcome);
    assert!(
        outcome.took >= Duration::from_millis(4500),
        "{:?}",
        outcome.took
    );
    assert!(outcome.took < Duration::from_secs(8), "{:?}", outcome.took);
    drop(listener);
}

#[test]
fn of_several_mistakes_the_first_in_order_is_told() {
    // Command line, then configuration, then arguments, then the connection.
    let bad = "sqs://localhost";
    cli(&["call", "t", "x:money=1", "--broker", bad]).expect_code(2);
    cli(&["call", "t", "x=1", "x=2", "--broker", bad]).expect_code(2);
    cli(&["call", "t", "x:=nope", "--broker", bad]).expect_code(11);
    cli(&["call", "t", "x:=nope"]).expect_code(11);
    cli(&["call", "t", "x:=nope", "--broker", CLOSED]).expect_code(8);
    cli(&["call", "t", "--args", "[1", "--broker", CLOSED]).expect_code(8);
    let undecodable = r#"{"__type__":"nonsense","__value__":1}"#;
    cli(&["call", "t", undecodable, "--broker", CLOSED]).expect_code(8);
}

#[test]
fn a_log_that_cannot_be_written_is_a_configuration_error() {
    contract::failure(
        &cli(&["--demo", "tasks", "--json", "--log", "/no/such/place/log"]),
        11,
        "config",
    );
}

#[test]
fn a_failure_in_words_leaves_standard_output_empty_with_every_form() {
    for form in [&[][..], &["--plain"]] {
        let words: Vec<&str> = ["call", "t", "--broker", CLOSED]
            .into_iter()
            .chain(form.iter().copied())
            .collect();
        assert_eq!(Sandbox::new().cli(&words).expect_code(4).stdout, "");
    }
}
