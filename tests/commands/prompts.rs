//! What is asked on a terminal, by whom and how it is answered: a revoke that needs a person, a secret that nobody sees.

use rstest::rstest;

use crate::contract;
use crate::support::{Pty, Sandbox, key};

#[rstest]
#[case::yes("Y\r", 0)]
#[case::no("n\r", 9)]
#[case::a_small_y_is_no("y\r", 9)]
#[case::enter_alone_is_no("\r", 9)]
fn a_revoke_is_sent_only_for_a_capital_y(#[case] typed: &str, #[case] code: u32) {
    let mut pty = Sandbox::new().pty(24, 120, &["--demo", "revoke", "some-id"]);
    pty.wait_for("Y revokes");
    pty.keys(typed);
    assert_eq!(pty.wait_exit().exit_code(), code, "{}", pty.text());
    let sent = pty.text().contains("flagged as revoked");
    assert_eq!(sent, code == 0, "{}", pty.text());
}

#[test]
fn where_nothing_is_to_be_asked_a_revoke_needs_its_flag() {
    let mut pty = Sandbox::new().pty(24, 120, &["--demo", "revoke", "some-id", "--no-input"]);
    assert_eq!(pty.wait_exit().exit_code(), 9);
    assert!(pty.text().contains("--yes confirms it"), "{}", pty.text());
}

/// A home whose last call had a secret among its keywords, and another deep in one.
fn home() -> Sandbox {
    let home = Sandbox::new();
    let words = [
        "--demo",
        "call",
        "demo.text.echo",
        "早",
        "password=hunter22",
        "user:={\"name\": \"ž\", \"api_key\": \"abcd9876\"}",
        "--task-id",
        "sss-1",
        "--history",
        "--no-preflight",
    ];
    home.cli(&words);
    home
}

#[test]
fn without_a_terminal_the_very_command_to_type_is_told() {
    let home = home();
    for words in [
        &["--demo", "again", "--json"][..],
        &["--demo", "again", "sss", "--no-input", "--json"],
        &["--demo", "call", "--from", "sss", "--json"],
        &["--demo", "again", "--dry-run", "--json"],
    ] {
        let document = contract::failure(&home.cli(words), 8, "invalid_arguments");
        let said = document["error"]["message"].as_str().unwrap();
        assert!(said.contains("password, user.api_key"), "{said}");
        let hint = document["error"]["hint"].as_str().unwrap();
        let command = r#"umbel again sss-1 password=... 'user:={"name":"ž","api_key":"..."}'"#;
        assert!(hint.starts_with(command), "{hint}");
    }
    let sends = home.cli(&["--demo", "send", "--from", "sss", "--json"]);
    let document = contract::failure(&sends, 8, "invalid_arguments");
    let hint = document["error"]["hint"].as_str().unwrap();
    assert!(
        hint.starts_with("umbel send --from sss-1 password=... "),
        "{hint}"
    );
}

#[test]
fn a_secret_is_given_anew_as_an_item_and_other_items_win_too() {
    let home = home();
    let words = [
        "--demo",
        "again",
        "sss",
        "password=@-",
        "user=x",
        "new=1",
        "晚",
        "--dry-run",
    ];
    let home = home.stdin("line of stdin");
    let message = home.cli(&words).expect_code(0).json();
    assert_eq!(message["body"][0], serde_json::json!(["晚"]));
    assert_eq!(message["body"][1]["password"], "line of stdin");
    assert_eq!(message["body"][1]["user"], "x");
    assert_eq!(message["body"][1]["new"], 1);
    // A name before the first = is no id: it is the last call.
    let words = ["--demo", "again", "password=p", "user=x", "--dry-run"];
    let message = home.cli(&words).expect_code(0).json();
    assert_eq!(message["body"][0], serde_json::json!(["早"]));
}

/// Answers both questions with these keys, and waits for the end.
fn answered(pty: &mut Pty, first: &str, second: &str) -> u32 {
    pty.wait_for("password:");
    pty.keys(first);
    pty.keys(key::ENTER);
    pty.wait_for("user.api_key:");
    pty.keys(second);
    pty.keys(key::ENTER);
    pty.wait_exit().exit_code()
}

#[test]
fn on_a_terminal_secrets_are_asked_for_and_never_seen_nor_kept() {
    let home = home();
    let words = [
        "--demo",
        "again",
        "--json",
        "--no-preflight",
        "--history",
        "--log",
        "log",
    ];
    let mut pty = home.pty(60, 120, &words);
    let code = answered(&mut pty, "geheim密22", "otherKey77");
    let said = String::from_utf8_lossy(&pty.bytes()).into_owned();
    // The demo's echo takes no keywords: what matters is that it was sent.
    assert!(code == 0 || code == 1, "{code} {said}");
    assert!(said.contains("\"password\": \"***\""), "{said}");
    let log = std::fs::read_to_string(home.home().join("log")).unwrap_or_default();
    let history = home.cli(&["history", "--jsonl"]).expect_code(0);
    assert_eq!(history.json_lines().len(), 2);
    for secret in ["geheim密22", "otherKey77"] {
        for text in [&log, &history.stdout] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        let before_the_answer = said.split("\"schema\"").next().unwrap_or_default();
        assert!(!before_the_answer.contains(secret), "{said}");
    }
}

#[rstest]
#[case::ctrl_c(key::CTRL_C, 130)]
#[case::nothing_typed(key::ENTER, 8)]
fn who_types_no_secret_sends_nothing_and_gets_the_terminal_back(
    #[case] keys: &str,
    #[case] code: u32,
) {
    let home = home();
    let script = r#"
        stty -a >before
        "$UMBEL" --demo again
        echo "code $?"
        stty -a >after
        cmp before after && echo "same settings"
        echo over; read -r"#;
    let mut pty = home.shell_in_pty(30, 120, script);
    pty.wait_for("password:");
    pty.keys(keys);
    pty.wait_for("over");
    let said = pty.text();
    assert!(said.contains(&format!("code {code}")), "{said}");
    assert!(said.contains("same settings"), "{said}");
    pty.keys(key::ENTER);
    pty.wait_exit();
    let history = home.cli(&["history", "--jsonl"]).expect_code(0);
    assert_eq!(history.json_lines().len(), 1);
}
