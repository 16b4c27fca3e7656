//! The three streams: who reads stdin, who closes stdout, what goes where.

use std::time::Duration;

use crate::support::{PATIENCE, Sandbox};

/// Runs a script in bash whose streams are pipes; the binary is `$UMBEL`. Returns the screen's text once it said `over`.
fn script(text: &str) -> String {
    let sandbox = Sandbox::new();
    let pty = sandbox.shell_in_pty(50, 200, &format!("{text}\necho over"));
    pty.wait_until(PATIENCE, "the script ends", |screen| {
        screen.contents().lines().any(|line| line.trim() == "over")
    });
    pty.text()
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    for (command, take) in [
        ("tasks", "true"),
        ("tasks --json", "head -c 1"),
        ("tasks --plain", "head -n 1"),
        ("call demo.result.large 4", "head -c 10"),
        ("call demo.result.large 4 --json", "head -c 10"),
        ("workers", "true"),
    ] {
        let said = script(&format!(
            "\"$UMBEL\" --demo {command} 2>err | {take} >/dev/null; echo \"status ${{PIPESTATUS[0]}}\"; grep -ci -e panick -e 'broken pipe' err"
        ));
        assert!(
            said.contains("status 0") || said.contains("status 141"),
            "{command}: {said}"
        );
        assert!(
            said.lines().any(|line| line.trim() == "0"),
            "{command}: {said}"
        );
    }
}

#[test]
fn help_into_a_closed_pipe_is_quiet() {
    let said = script(
        "\"$UMBEL\" --help 2>err | true; cat err; \"$UMBEL\" tasks --nope 2>&1 >/dev/null | true; cat err",
    );
    assert!(!said.contains("panic"), "{said}");
}

#[test]
fn standard_input_is_not_read_unless_asked() {
    // Nobody types, and the terminal stays open.
    let sandbox = Sandbox::new();
    let mut pty = sandbox.pty(24, 100, &["--demo", "call", "demo.math.add", "40", "2"]);
    assert!(pty.wait_exit().success());
    assert!(pty.text().contains("42"), "{}", pty.text());
}

#[test]
fn a_waiting_writer_on_standard_input_is_left_its_words() {
    let said = script(
        "printf 'one\\ntwo\\n' | { \"$UMBEL\" --demo call demo.math.add 40 2 2>/dev/null; cat; }",
    );
    assert!(
        said.contains("42\none\ntwo") || said.contains("42\r\none"),
        "{said}"
    );
}

#[test]
fn asking_for_standard_input_reads_it_to_its_end() {
    let sandbox = Sandbox::new().stdin("word");
    let outcome = sandbox.cli(&["--demo", "call", "demo.text.echo", "x=@-", "--json"]);
    assert!(outcome.stdout.contains("\"word\""), "{}", outcome.account());
}

#[test]
fn a_file_that_takes_the_answer_gets_nothing_else() {
    let said = script(
        "\"$UMBEL\" --demo call demo.math.add 40 2 >answer; echo \"[$(cat answer)]\"; \"$UMBEL\" --demo call demo.slow.sleep 9 --timeout 1 >answer; echo \"[$(cat answer)]\"",
    );
    assert!(said.contains("[42]") && said.contains("[]"), "{said}");
}

#[test]
fn a_listing_ends_soon() {
    let outcome = Sandbox::new().cli(&["--demo", "tasks"]).expect_code(0);
    assert!(outcome.took < Duration::from_secs(5), "{:?}", outcome.took);
}

#[test]
fn an_answer_that_cannot_be_written_is_said_and_no_success() {
    for (command, code) in [
        ("--demo call demo.math.add 40 2", 70),
        ("--demo call demo.math.add 40 2 --json", 70),
        ("--demo tasks", 70),
        ("help items", 70),
        ("--help", 70),
        ("history export --csv", 70),
        // What became of the call is told before.
        ("--demo call demo.fail.always --json", 1),
        ("--demo call demo.slow.sleep 9 --timeout 300ms --json", 3),
    ] {
        let said = script(&format!(
            "\"$UMBEL\" {command} >/dev/full 2>err; echo \"status $?\"; tail -n 1 err"
        ));
        assert!(
            said.contains(&format!("status {code}")),
            "{command}: {said}"
        );
        assert!(
            said.contains("could not be written: No space"),
            "{command}: {said}"
        );
    }
}
