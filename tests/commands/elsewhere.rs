//! Calls that were made at another broker than umbel is at: nothing is asked, concluded or sent unless a person meant it.

use rstest::rstest;

use crate::contract;
use crate::support::{Sandbox, key};

/// Where nobody listens.
const OTHER: &str = "amqp://127.0.0.1:1//";

/// A home with a call of the demo that has not ended and one that has; another broker is in the environment.
fn home() -> Sandbox {
    let home = Sandbox::new();
    let open = ["demo.slow.sleep", "30", "--timeout", "300ms"];
    let keep = ["--history", "--task-id"];
    home.cli(&[&["--demo", "call"], &open[..], &keep, &["open"]].concat())
        .expect_code(3);
    let ended = ["demo.math.add", "2", "3"];
    home.cli(&[&["--demo", "call"], &ended[..], &keep, &["ended"]].concat())
        .expect_code(0);
    home.env("CELERY_BROKER_URL", OTHER)
}

#[rstest]
#[case(&["wait", "open"])]
#[case(&["wait", "ended", "open"])]
#[case(&["result", "open"])]
#[case(&["revoke", "open"])]
#[case(&["revoke", "open", "--yes"])]
fn nothing_is_asked_of_another_broker_than_the_call_was_made_at(#[case] words: &[&str]) {
    let outcome = home().cli(&[words, &["--json"]].concat());
    let document = contract::failure(&outcome, 11, "config");
    let said = document["error"].to_string();
    assert!(
        said.contains("open was made at memory://demo/, umbel is at amqp://127.0.0.1:1/"),
        "{said}"
    );
    assert!(said.contains("--broker"), "{said}");
}

#[test]
fn an_interrupt_at_the_question_ends_it() {
    let home = home();
    let mut pty = home.pty(24, 120, &["again", "ended"]);
    pty.wait_for("Y sends it");
    pty.keys(key::CTRL_C);
    assert_eq!(pty.wait_exit().exit_code(), 130, "{}", pty.text());
}

#[test]
fn what_history_has_of_an_end_is_told_wherever_umbel_is() {
    let outcome = home().cli(&["wait", "ended"]).expect_code(0);
    assert_eq!(outcome.stdout, "5\n");
}

#[rstest]
#[case(&["wait", "open"], "tells nothing of it")]
#[case(&["again", "open"], "now it goes to amqp://127.0.0.1:1/")]
fn a_broker_on_the_command_line_is_meant(#[case] words: &[&str], #[case] warned: &str) {
    let outcome = home().cli(&[words, &["--broker", OTHER]].concat());
    // It is asked, and not there.
    let outcome = outcome.expect_code(4);
    assert!(outcome.stderr.contains(warned), "{}", outcome.stderr);
}

#[rstest]
#[case(&["again", "ended"])]
#[case(&["call", "--from", "ended"])]
#[case(&["send", "--from", "ended"])]
fn a_call_goes_to_another_broker_only_when_that_is_confirmed(#[case] words: &[&str]) {
    let home = home();
    let outcome = home.cli(&[words, &["--json"]].concat());
    let document = contract::failure(&outcome, 9, "refused");
    let hint = document["error"]["hint"].as_str().unwrap();
    assert!(
        hint.contains("--yes") && hint.contains("--broker"),
        "{hint}"
    );
    let outcome = home.cli(&[words, &["--yes"]].concat()).expect_code(4);
    assert!(
        outcome.stderr.contains("made on memory://demo/"),
        "{}",
        outcome.stderr
    );
    // Nothing is sent that would have to be confirmed.
    home.cli(&[words, &["--dry-run"]].concat()).expect_code(0);
}

#[rstest]
#[case("Y\r", 4)]
#[case("y\r", 9)]
fn on_a_terminal_a_person_is_asked(#[case] typed: &str, #[case] code: u32) {
    let home = home();
    let mut pty = home.pty(24, 120, &["again", "ended"]);
    pty.wait_for("Y sends it");
    pty.keys(typed);
    assert_eq!(pty.wait_exit().exit_code(), code, "{}", pty.text());
}

#[test]
fn what_is_advised_of_a_call_that_was_made_elsewhere_works_as_it_stands() {
    let home = home();
    let shown = home.cli(&["history", "show", "open"]).expect_code(0).stderr;
    assert!(
        shown.contains("next: umbel result open --demo\n"),
        "{shown}"
    );
    home.cli(&["result", "open", "--demo"]).expect_code(3);
    let there = home.cli(&["--demo", "history", "show", "open"]).stderr;
    assert!(there.contains("next: umbel result open\n"), "{there}");
}
