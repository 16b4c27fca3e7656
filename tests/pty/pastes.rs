//! What is pasted into the screen is text or nothing, and never a command.

use std::thread::sleep;
use std::time::Duration;

use crate::support::{PATIENCE, Pty, key};
use crate::{F2, call, demo, open, press};

/// A text that would quit, revoke, call and confirm if it were taken for keys.
const NASTY: &str = "qX.\ncY\n";

/// The ways a paste comes: with brackets, as keys with carriage returns, as keys with line feeds.
fn paste_in_every_way(pty: &mut Pty) {
    pty.paste(NASTY);
    sleep(Duration::from_millis(200));
    pty.keys(&NASTY.replace('\n', "\r"));
    sleep(Duration::from_millis(200));
    pty.keys(NASTY);
    sleep(Duration::from_millis(200));
}

/// The screen lives, and its history knows no call.
#[track_caller]
fn assert_nothing_was_called(pty: &mut Pty) {
    for _ in 0..3 {
        press(pty, key::ESCAPE);
    }
    press(pty, "4");
    pty.wait_for("Calls made here are kept");
    pty.wait_until(PATIENCE, "the history is empty", |screen| {
        let text = screen.contents();
        text.contains("None") && text.contains("yet.")
    });
}

#[test]
fn a_paste_into_the_list_of_tasks_calls_nothing_and_does_not_quit() {
    let mut pty = demo();
    paste_in_every_way(&mut pty);
    assert_nothing_was_called(&mut pty);
}

#[test]
fn a_paste_into_the_form_is_text() {
    let mut pty = demo();
    open(&mut pty, "text.echo");
    pty.paste("客戶 qX.");
    pty.wait_for("客戶 qX.");
    paste_in_every_way(&mut pty);
    assert_nothing_was_called(&mut pty);
}

#[test]
fn a_paste_into_the_json_editor_is_text() {
    let mut pty = demo();
    open(&mut pty, "text.echo");
    press(&mut pty, F2);
    paste_in_every_way(&mut pty);
    pty.wait_for("qX.");
    assert_nothing_was_called(&mut pty);
}

#[test]
fn a_paste_onto_the_call_button_calls_nothing() {
    let mut pty = demo();
    open(&mut pty, "math.add");
    pty.keys("1");
    press(&mut pty, key::ENTER);
    press(&mut pty, key::ENTER);
    sleep(Duration::from_millis(300));
    pty.keys("\rq\r");
    sleep(Duration::from_millis(300));
    assert_nothing_was_called(&mut pty);
}

#[test]
fn a_paste_into_a_question_confirms_nothing() {
    let mut pty = demo();
    call(&mut pty, "slow.sleep", &["60"]);
    pty.wait_for("RUN ");
    sleep(Duration::from_millis(500));
    press(&mut pty, "X");
    pty.wait_for("[ Cancel ]");
    sleep(Duration::from_millis(500));
    pty.keys("Yes\r");
    sleep(Duration::from_millis(500));
    assert!(!pty.text().contains("REVOKED"), "{}", pty.text());
    assert!(!pty.text().contains("KILLED"), "{}", pty.text());
}
