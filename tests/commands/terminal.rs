//! The command line on a terminal: what comes from afar is shown and never obeyed; no colours where none are wanted.

use rstest::rstest;

use crate::support::{Pty, Sandbox};

/// What would clear the screen, leave the alternate screen, set the title, write the clipboard, and turn text round.
const HOSTILE: &str = "\u{1b}[2J\u{1b}[?1049l\u{1b}]0;owned\u{7}\u{1b}]52;c;b3duZWQ=\u{7}\u{9b}2J\u{1b}[31m\u{202e}gnp.exe\u{2066}end";

/// Runs to the end and returns every byte as text.
fn shown(words: &[&str]) -> String {
    let mut pty = Sandbox::new().pty(40, 120, words);
    pty.wait_exit();
    text(&pty)
}

fn text(pty: &Pty) -> String {
    String::from_utf8(pty.bytes()).expect("valid UTF-8, so that no lone C1 byte is in it")
}

/// No control sequence but those of our own progress line, no control character, nothing that turns the text round.
#[track_caller]
fn assert_harmless(said: &str) {
    let rest = said.replace("\r\u{1b}[K", "");
    for (index, c) in rest.char_indices() {
        let harmless = !c.is_control() || c == '\n' || c == '\r';
        let bidi = ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c);
        let around: String = rest[index..].chars().take(20).collect();
        assert!(harmless && !bidi, "{c:?} before {around:?} in {rest:?}");
    }
}

#[rstest]
#[case::result(&["--demo", "call", "demo.text.echo", HOSTILE])]
#[case::result_in_a_document(&["--demo", "call", "demo.text.echo", HOSTILE, "--json"])]
#[case::plain(&["--demo", "call", "demo.text.echo", HOSTILE, "--plain"])]
#[case::everything_at_once(&["--demo", "call", "demo.unicode"])]
#[case::exception(&["--demo", "call", "demo.fail.always", HOSTILE])]
#[case::task_name(&["--demo", "call", HOSTILE])]
#[case::task_name_unknown_to_the_worker(&["--demo", "call", HOSTILE, "--no-preflight"])]
#[case::queue_name(&["--demo", "call", "demo.math.add", "1", "2", "--queue", HOSTILE])]
#[case::queue_name_in_a_listing(&["--demo", "queues", HOSTILE])]
#[case::id(&["--demo", "call", "demo.silent.ignored", "--task-id", HOSTILE])]
#[case::pattern(&["--demo", "tasks", HOSTILE])]
#[case::message(&["call", HOSTILE, HOSTILE, "--dry-run"])]
#[case::broker(&["tasks", "--broker", "amqp://\u{9b}2J\u{202e}:1//"])]
#[case::type_of_an_item(&["call", "t", "x:\u{9b}2J=1"])]
fn text_from_afar_does_not_reach_the_terminal_as_it_is(#[case] words: &[&str]) {
    assert_harmless(&shown(words));
}

#[test]
fn a_progress_line_cannot_be_broken_by_what_a_task_tells() {
    let mut pty = Sandbox::new().pty(40, 120, &["--demo", "call", "demo.slow.sleep", "1"]);
    pty.wait_for("RUN on alpha@demo");
    pty.wait_exit();
    let said = text(&pty);
    assert!(said.contains("\r\u{1b}[K"));
    assert_harmless(&said);
    // The line is gone in the end.
    assert!(!pty.text().contains("of 10s"), "{}", pty.text());
    assert!(tells_the_time(&pty.text()), "{}", pty.text());
}

/// Whether the line that closes a call is there: `OK 1.0s`.
fn tells_the_time(said: &str) -> bool {
    let after = said.split("OK ").nth(1);
    after.is_some_and(|time| time.starts_with(|digit: char| digit.is_ascii_digit()))
}

#[test]
fn progress_on_a_terminal_is_one_line_that_counts_and_goes() {
    let words = ["--demo", "call", "demo.slow.sleep", "4", "--timeout", "60"];
    let mut pty = Sandbox::new().pty(24, 100, &words);
    pty.wait_for("RUN on alpha@demo");
    // It stands alone: nothing was printed yet, and the cursor is behind it.
    assert_eq!(pty.text().trim().lines().count(), 1, "{}", pty.text());
    pty.wait_exit();
    let said = text(&pty);
    let frames: Vec<&str> = said.split("\r\u{1b}[K").collect();
    let counting = frames.iter().filter(|frame| frame.contains(" of 1m0s"));
    assert!(counting.clone().count() >= 10, "{said:?}");
    assert!(
        counting.clone().all(|frame| !frame.contains('\n')),
        "{said:?}"
    );
    let twice = frames
        .windows(2)
        .find(|pair| !pair[0].is_empty() && pair[0] == pair[1]);
    assert_eq!(twice, None, "{said:?}");
    // The last one is taken away before the answer.
    let last = frames.last().expect("the answer");
    assert!(
        !last.contains(" of 1m0s") && tells_the_time(last),
        "{said:?}"
    );
}

#[test]
fn without_progress_a_terminal_shows_the_answer_alone() {
    for how in [
        &["--progress", "none"][..],
        &["-q"],
        &["--progress", "plain"],
    ] {
        let words = [&["--demo", "call", "demo.slow.sleep", "0.4"], how].concat();
        let said = shown(&words);
        assert!(!said.contains(" of 10s"), "{how:?}: {said:?}");
    }
}

#[test]
fn a_typed_value_is_shown_plainly_on_a_terminal() {
    let words = ["--demo", "call", "demo.text.echo", ":decimal=12.50"];
    let said = shown(&words);
    assert!(said.contains("\"12.50\""), "{said:?}");
    assert!(!said.contains("__type__"), "{said:?}");
    let piped = Sandbox::new().cli(&words).expect_code(0);
    assert_eq!(
        piped.stdout,
        "{\"__type__\":\"decimal\",\"__value__\":\"12.50\"}\n"
    );
}

#[test]
fn documents_are_indented_on_a_terminal_and_pure_json_all_the_same() {
    let said = shown(&["--demo", "call", "demo.text.echo", "客戶", "--json"]);
    let document: serde_json::Value =
        serde_json::from_str(&said.replace("\r\n", "\n")).expect("JSON");
    assert_eq!(document["result"], "客戶");
    assert!(said.lines().count() > 20);
}

#[rstest]
#[case::wrong_flag(&["--nope"])]
#[case::wrong_command(&["taks"])]
#[case::help(&["--help"])]
#[case::listing(&["--demo", "tasks"])]
#[case::call(&["--demo", "call", "demo.math.add", "1", "2"])]
#[case::failure(&["--demo", "call", "demo.fail.always"])]
#[case::configuration(&["tasks"])]
fn without_colours_there_are_none(#[case] words: &[&str]) {
    let mut pty = Sandbox::new().env("NO_COLOR", "1").pty(50, 120, words);
    pty.wait_exit();
    let said = text(&pty);
    assert!(!has_colour(&said), "{said:?}");
}

#[rstest]
#[case::wrong_flag(&["--nope"])]
#[case::help(&["--help"])]
#[case::failure(&["--demo", "call", "demo.fail.always"])]
fn outside_a_terminal_there_are_no_colours_and_no_progress(#[case] words: &[&str]) {
    let outcome = Sandbox::new().env("TERM", "xterm-256color").cli(words);
    assert!(
        !outcome.stdout.contains('\u{1b}') && !outcome.stderr.contains('\u{1b}'),
        "{}",
        outcome.account()
    );
}

/// Whether there is a `CSI … m`.
fn has_colour(text: &str) -> bool {
    text.split("\u{1b}[").skip(1).any(|rest| {
        rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';')
            .starts_with('m')
    })
}
