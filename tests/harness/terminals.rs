//! Programs in terminals, without servers.

use crate::support::{PATIENCE, Sandbox, Tmux, cli, eventually, key};
use std::thread;
use std::time::Duration;

#[test]
fn a_program_in_a_terminal_shows_its_words_and_is_heard_to_the_end() {
    let script = "read -r line; echo \"heard $line\"; exit 3";
    let mut pty = Sandbox::new().shell_in_pty(24, 80, script);
    pty.keys("you");
    pty.keys(key::ENTER);
    pty.wait_for("heard you");
    assert_eq!(pty.wait_exit().exit_code(), 3);
    assert!(String::from_utf8_lossy(&pty.bytes()).contains("heard you\r\n"));
}

#[test]
fn a_terminal_has_its_size_and_tells_of_a_new_one() {
    let script = "trap 'stty size' WINCH; stty size; while :; do sleep 0.05; done";
    let mut pty = Sandbox::new().shell_in_pty(24, 80, script);
    pty.wait_for("24 80");
    pty.resize(48, 160);
    pty.wait_for("48 160");
    pty.signal("TERM");
    assert!(!pty.wait_exit().success());
}

#[test]
fn an_unread_terminal_holds_up_its_program() {
    let mut pty = Sandbox::new().shell_in_pty(
        24,
        80,
        "echo ready; read -r; yes | head -c 500000; echo; echo over",
    );
    pty.wait_for("ready");
    pty.pause_reading(true);
    pty.keys(key::ENTER);
    let before = pty.bytes_written();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(pty.bytes_written(), before);
    pty.pause_reading(false);
    pty.wait_for("over");
    pty.settle(Duration::from_millis(50));
    assert!(pty.bytes_written() > 500_000);
    assert!(pty.wait_exit().success());
}

#[test]
fn a_run_of_the_binary_has_its_output_and_exit_code() {
    let outcome = cli(&["--version"]).expect_code(0);
    assert!(
        outcome.stdout.starts_with("umbel "),
        "{}",
        outcome.account()
    );
    let outcome = Sandbox::new()
        .stdin("{}")
        .cli(&["--no-such-flag"])
        .expect_code(2);
    assert_eq!(outcome.stdout, "");
    assert!(
        outcome.stderr.contains("--no-such-flag"),
        "{}",
        outcome.account()
    );
}

#[test]
fn a_program_in_tmux_is_typed_to_pasted_to_and_resized() {
    let sandbox = Sandbox::new();
    let script = r#"test -x "$UMBEL" && echo ready; read -r line; echo "heard <$line>"; read -r line; echo "then <$line>"; stty size; exit 4"#;
    let tmux = Tmux::start(&sandbox, 24, 80, &["/bin/bash", "-c", script]);
    tmux.wait_for("ready");
    tmux.text("Enter");
    tmux.keys(&["Enter"]);
    tmux.wait_for("heard <Enter>");
    assert_eq!(tmux.ask("cursor_x"), "0");
    tmux.resize(30, 100);
    tmux.paste("不 one", &[]);
    tmux.keys(&["Enter"]);
    tmux.wait_for("then <不 one>");
    tmux.wait_for("30 100");
    assert_eq!(tmux.wait_exit(), 4);
}

#[test]
fn a_terminal_in_which_a_program_is_stopped_returns_to_its_shell() {
    let mut pty = Sandbox::new().interactive_shell(24, 80);
    pty.wait_for("prompt> ");
    pty.keys("sleep 100\r");
    pty.wait_until(PATIENCE, "the command runs", |screen| {
        !screen.contents().ends_with("prompt> ")
    });
    eventually(PATIENCE, "the shell gets its terminal back", || {
        pty.keys(key::CTRL_Z);
        pty.text().contains("Stopped")
    });
}

#[test]
fn a_sandbox_has_its_own_home_and_nothing_of_this_environment() {
    let sandbox = Sandbox::new().env("EXTRA", "1");
    let home = sandbox.home().display().to_string();
    let mut pty = sandbox.shell_in_pty(50, 200, "env | sort; echo over");
    pty.wait_for("over");
    let text = pty.text();
    assert!(text.contains(&format!("HOME={home}")), "{text}");
    assert!(text.contains("EXTRA=1"), "{text}");
    assert!(!text.contains("CARGO"), "{text}");
    pty.wait_exit();
}

#[test]
fn a_key_is_typed_only_when_the_one_before_was_read() {
    let sandbox = Sandbox::new();
    let go = sandbox.home().join("go");
    let script = format!(
        r#"stty raw -echo; echo ready; until [ -e "{}" ]; do sleep .02; done; head -c 1; cat"#,
        go.display()
    );
    let mut pty = sandbox.shell_in_pty(24, 80, &script);
    pty.wait_for("ready");
    pty.keys("a");
    let reads = go.clone();
    let reading = thread::spawn(move || {
        thread::sleep(Duration::from_millis(500));
        std::fs::write(reads, "").expect("a file");
    });
    pty.keys("b");
    assert!(
        go.exists(),
        "it was typed before anybody read the first one"
    );
    reading.join().expect("a file");
    pty.wait_for("ab");
}
