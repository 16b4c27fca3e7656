//! However the screen ends, the terminal is as it was.

use std::thread::sleep;
use std::time::Duration;

use crate::support::{PATIENCE, Pty, eventually, key, signal};
use crate::{assert_left_clean, count, demo, press, sandbox};

/// Runs umbel in a shell that compares the terminal's settings, ends it by `end`, and returns the screen and the bytes.
fn in_shell(environment: &[(&str, &str)], end: impl FnOnce(&mut Pty)) -> (String, Vec<u8>) {
    let mut sandbox = sandbox();
    for (name, value) in environment {
        sandbox = sandbox.env(name, value);
    }
    let script = r#"
        stty -a >before
        bash -c 'echo $$ >pid; exec "$UMBEL" --demo'
        echo "code $?"
        stty -a >after
        cmp before after && echo "same settings"
        echo over; read -r"#;
    let mut pty = sandbox.shell_in_pty(24, 80, script);
    end(&mut pty);
    pty.wait_for("over");
    let text = pty.text();
    let bytes = pty.bytes();
    pty.keys(key::ENTER);
    pty.wait_exit();
    (text, bytes)
}

/// Sends a signal to umbel, not to the shell around it: its id is the only child's of the shell.
fn signal_umbel(pty: &Pty, name: &str) {
    let children = format!("/proc/{0}/task/{0}/children", pty.pid());
    let children = std::fs::read_to_string(children).expect("the shell's children");
    let child = children.split_whitespace().next();
    let pid = child
        .and_then(|pid| pid.parse().ok())
        .expect("a child of the shell");
    assert!(signal(pid, name));
}

#[test]
fn the_first_frame_shows_the_demo_and_quitting_leaves_the_terminal_as_it_was() {
    let (text, bytes) = in_shell(&[], |pty| {
        pty.wait_for("broker up");
        press(pty, "q");
    });
    assert!(
        text.contains("code 0") && text.contains("same settings"),
        "{text}"
    );
    assert_left_clean(&bytes);
}

#[test]
fn signals_end_the_screen_in_good_order() {
    for (name, code) in [("TERM", 143), ("HUP", 129), ("INT", 130)] {
        let (text, bytes) = in_shell(&[], |pty| {
            pty.wait_for("broker up");
            signal_umbel(pty, name);
        });
        assert!(text.contains(&format!("code {code}")), "{name}: {text}");
        assert!(text.contains("same settings"), "{name}: {text}");
        assert_left_clean(&bytes);
    }
}

#[test]
fn a_bug_gives_the_terminal_back_before_it_is_told() {
    if !cfg!(debug_assertions) {
        return;
    }
    for place in ["draw", "task"] {
        let (text, bytes) = in_shell(&[("UMBEL_TEST_PANIC", place)], |_| ());
        assert!(
            text.contains("code 70") && text.contains("same settings"),
            "{text}"
        );
        assert!(
            text.contains("umbel stopped because of a bug in itself"),
            "{text}"
        );
        assert!(
            text.contains(&format!("UMBEL_TEST_PANIC={place}")),
            "{text}"
        );
        assert_left_clean(&bytes);
        let told = String::from_utf8_lossy(&bytes);
        assert!(told.find("\x1b[?1049l") < told.find("umbel stopped"));
    }
}

#[test]
fn an_error_after_the_start_of_the_program_sets_no_modes() {
    let mut pty = sandbox().pty(24, 80, &["--broker", "nonsense://x"]);
    assert_eq!(pty.wait_exit().exit_code(), 11);
    assert_eq!(count(&pty.bytes(), "\x1b[?1049h"), 0);
}

#[test]
fn ctrl_c_quits_only_when_pressed_twice() {
    let mut pty = demo();
    press(&mut pty, key::CTRL_C);
    pty.wait_for("again within 2s quits");
    sleep(Duration::from_millis(2_200));
    press(&mut pty, key::CTRL_C);
    // Whoever shows help now has not quit.
    press(&mut pty, "?");
    pty.wait_for("Help: Tasks");
    press(&mut pty, key::CTRL_C);
    assert_eq!(pty.wait_exit().exit_code(), 0);
    assert_left_clean(&pty.bytes());
}

#[test]
fn a_terminal_that_is_closed_ends_the_program() {
    let pty = demo();
    let pid = i64::from(pty.pid());
    drop(pty);
    eventually(PATIENCE, "the program is gone", || !signal(pid, "0"));
}
