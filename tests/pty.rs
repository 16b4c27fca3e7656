//! The manners of the screen in a terminal: what it writes byte by byte, how it leaves, and what it makes of what terminals do to programs.
//!
//! Keys are sent as a person types them ([`press`]); what comes faster is a paste, and that is the point of some tests.

#[path = "pty/leaving.rs"]
mod leaving;
#[path = "pty/pastes.rs"]
mod pastes;
#[path = "support/support.rs"]
mod support;

use std::thread::sleep;
use std::time::{Duration, Instant};

use support::{PATIENCE, Pty, Sandbox, eventually, key, rig};

const F5: &str = "\x1b[15~";
const F2: &str = "\x1bOQ";

// ---- helpers -----------------------------------------------------------------------------------

fn sandbox() -> Sandbox {
    Sandbox::new()
        .env("TERM", "xterm-256color")
        .env("COLORTERM", "truecolor")
}

/// The demo, ready: its workers were heard of.
fn demo() -> Pty {
    ready(sandbox().pty(24, 80, &["--demo"]))
}

fn ready(pty: Pty) -> Pty {
    pty.wait_for("demo.math");
    pty.wait_for("3/3");
    pty
}

/// One key, and the time a person takes to see what it does.
fn press(pty: &mut Pty, key: &str) {
    pty.keys(key);
    sleep(Duration::from_millis(40));
}

fn press_all(pty: &mut Pty, keys: &[&str]) {
    for key in keys {
        press(pty, key);
    }
}

/// Filters for `task`, opens its form and is in EDIT on its empty row.
fn open(pty: &mut Pty, task: &str) {
    press(pty, "/");
    pty.wait_for("FILTER");
    pty.keys(task);
    press_all(pty, &[key::ENTER, key::ENTER]);
    pty.wait_for("EDIT");
}

/// Calls `task` with these ITEMs.
fn call(pty: &mut Pty, task: &str, items: &[&str]) {
    open(pty, task);
    for item in items {
        pty.keys(item);
        press(pty, key::ENTER);
    }
    press(pty, F5);
}

fn count(bytes: &[u8], sequence: &str) -> usize {
    let sequence = sequence.as_bytes();
    bytes
        .windows(sequence.len())
        .filter(|window| *window == sequence)
        .count()
}

/// Every mode that was set was unset exactly once, and the cursor is seen in the end.
#[track_caller]
fn assert_left_clean(bytes: &[u8]) {
    for (set, unset) in [
        ("\x1b[?1049h", "\x1b[?1049l"),
        ("\x1b[?2004h", "\x1b[?2004l"),
        ("\x1b[6 q", "\x1b[0 q"),
    ] {
        assert_eq!((count(bytes, set), count(bytes, unset)), (1, 1), "{set:?}");
    }
    let text = String::from_utf8_lossy(bytes);
    assert!(text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l"));
    assert_eq!(count(bytes, "\x1b[?2026h"), count(bytes, "\x1b[?2026l"));
    for mouse in ["?1000h", "?1002h", "?1003h", "?1006h"] {
        assert_eq!(count(bytes, mouse), 0, "{mouse}");
    }
}

// ---- what is written -----------------------------------------------------------------------------

#[test]
fn every_byte_after_the_start_is_part_of_a_synchronised_frame_and_the_terminal_is_asked_nothing() {
    let mut pty = demo();
    press_all(&mut pty, &["4", "5", "6", "1", "?", key::ESCAPE]);
    call(&mut pty, "slow.sleep", &["1"]);
    pty.wait_for("OK  demo.");
    let bytes = pty.bytes();
    let text = String::from_utf8_lossy(&bytes);
    let start = text.find("\x1b[?2026h").unwrap();
    assert_eq!(&text[..start], "\x1b[?1049h\x1b[?2004h\x1b[6 q");
    for frame in text[start..].split_inclusive("\x1b[?2026l") {
        let whole = frame.starts_with("\x1b[?2026h") && frame.ends_with("\x1b[?2026l");
        // The last one may still be on its way.
        assert!(whole || text.ends_with(frame), "{frame:?}");
    }
    for query in [
        "\x1b[6n",
        "\x1b[c",
        "\x1b[>c",
        "\x1b]11;?",
        "\x1b[?2004$p",
        "\x1b[?u",
        "\x1b[14t",
    ] {
        assert_eq!(count(&bytes, query), 0, "{query:?}");
    }
    assert!(count(&bytes, "\x1b[2J") <= 1, "cleared without need");
    press(&mut pty, "q");
}

#[test]
fn an_idle_screen_writes_nothing() {
    let mut pty = sandbox().pty(24, 80, &[]);
    pty.wait_for("Welcome");
    pty.settle(Duration::from_secs(3));
    let before = pty.bytes_written();
    sleep(Duration::from_secs(5));
    assert_eq!(pty.bytes_written(), before);
    press(&mut pty, "q");
    pty.wait_exit();
}

#[test]
fn an_idle_screen_with_a_real_broker_writes_nothing() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let mut pty = sandbox().pty(24, 80, &["--broker", &vhost.url]);
    pty.wait_for("broker up");
    pty.settle(Duration::from_secs(3));
    let before = pty.bytes_written();
    sleep(Duration::from_secs(10));
    assert_eq!(pty.bytes_written(), before, "{}", pty.text());
    press(&mut pty, "q");
    pty.wait_exit();
}

#[test]
fn a_countdown_costs_few_bytes() {
    let mut pty = demo();
    call(&mut pty, "slow.sleep", &["3"]);
    pty.wait_for("RUN ");
    let start = pty.bytes_written();
    pty.wait_for("OK  demo.");
    let bytes = pty.bytes();
    let text = String::from_utf8_lossy(&bytes[start..]);
    let mut sizes: Vec<usize> = text.split_inclusive("\x1b[?2026l").map(str::len).collect();
    sizes.sort_unstable();
    assert!(sizes.len() > 15, "{sizes:?}");
    assert!(sizes[sizes.len() / 2] < 200, "{sizes:?}");
    assert!(sizes.len() < 120, "{} frames in 3 s", sizes.len());
    press(&mut pty, "q");
}

#[test]
fn escape_sequences_in_results_are_shown_and_never_obeyed() {
    let mut pty = demo();
    let attack = r#":="a\u001b]52;c;ZXZpbA==\u0007b\u001b[2Jc\u001b[?1049ld\u009b31me\u202ef""#;
    call(&mut pty, "text.echo", &[attack]);
    pty.wait_for("OK  demo.");
    pty.wait_for("]52;c;ZXZpbA==");
    let bytes = pty.bytes();
    assert_eq!(count(&bytes, "\x1b]"), 0, "an OSC came through");
    assert_eq!(count(&bytes, "\x1b[?1049l"), 0);
    assert!(count(&bytes, "\x1b[2J") <= 1);
    assert_eq!(count(&bytes, "\u{9b}"), 0);
    assert_eq!(count(&bytes, "\u{202e}"), 0);
    press(&mut pty, "q");
}

#[test]
fn escape_sequences_in_what_is_typed_are_shown_and_never_obeyed() {
    let mut pty = demo();
    open(&mut pty, "text.echo");
    pty.paste("x\x1b]52;c;ZXZpbA==\x07\x1b[31m");
    pty.wait_for("]52;c;ZXZpbA==");
    press(&mut pty, key::ENTER);
    press(&mut pty, F2);
    pty.paste("\x1b]0;title\x07");
    sleep(Duration::from_millis(200));
    assert_eq!(count(&pty.bytes(), "\x1b]"), 0, "an OSC came through");
}

#[test]
fn copying_sends_the_exact_text_to_the_terminals_clipboard() {
    let mut pty = demo();
    call(&mut pty, "math.add", &["20", "22"]);
    pty.wait_for("OK  demo.");
    press(&mut pty, "y");
    pty.wait_for("sent to the terminal's clipboard");
    assert_eq!(count(&pty.bytes(), "\x1b]52;c;NDI=\x07"), 1);
}

#[test]
fn without_colours_none_is_written_and_with_the_flag_all_are() {
    let colored = |sandbox: Sandbox, args: &[&str]| {
        let mut pty = ready(sandbox.pty(24, 80, args));
        press(&mut pty, "q");
        pty.wait_exit();
        let bytes = pty.bytes();
        count(&bytes, "\x1b[38;") + count(&bytes, "\x1b[48;") + count(&bytes, ";38;") > 0
    };
    assert!(colored(sandbox(), &["--demo"]));
    assert!(!colored(sandbox().env("NO_COLOR", "1"), &["--demo"]));
    assert!(colored(
        sandbox().env("NO_COLOR", "1"),
        &["--color", "always", "--demo"]
    ));
}

#[test]
fn on_a_terminal_that_draws_ambiguous_characters_wide_only_ascii_is_drawn() {
    let mut pty = ready(
        sandbox()
            .env("UMBEL_AMBIGUOUS", "2")
            .pty(24, 80, &["--demo"]),
    );
    press_all(&mut pty, &["4", "5", "6", "1", "?", key::ESCAPE]);
    call(&mut pty, "slow.sleep", &["1"]);
    pty.wait_for("OK  demo.");
    let bytes = pty.bytes();
    let text = String::from_utf8_lossy(&bytes);
    let ambiguous: Vec<char> = text
        .chars()
        .filter(|char| "─│┌┐└┘━┃┏┓┗┛▁▂▃▄▅▆▇█·…→←↑↓×±●○■▶".contains(*char))
        .collect();
    assert!(ambiguous.is_empty(), "{ambiguous:?}");
}

// ---- what terminals do ---------------------------------------------------------------------------

#[test]
fn two_hundred_sizes_in_a_row_leave_a_whole_screen() {
    let mut pty = demo();
    call(&mut pty, "slow.sleep", &["5"]);
    let mut seed = 12_345_u32;
    let mut random = |below: u32| {
        seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        u16::try_from((seed >> 16) % below).unwrap()
    };
    for _ in 0..200 {
        pty.resize(1 + random(60), 1 + random(200));
        sleep(Duration::from_millis(u64::from(random(12))));
    }
    pty.resize(24, 80);
    pty.wait_until(PATIENCE, "the screen is whole again", |screen| {
        let rows: Vec<String> = screen.rows(0, 80).collect();
        rows[3].starts_with("┌─ 1 Tasks") && rows[3].ends_with('┓') && rows[23].starts_with("NAV")
    });
    pty.wait_for("OK  demo.");
    press(&mut pty, "q");
    assert_eq!(pty.wait_exit().exit_code(), 0);
    assert_left_clean(&pty.bytes());
}

#[test]
fn a_tiny_terminal_says_what_it_needs_and_keys_still_work() {
    let mut pty = sandbox().pty(12, 48, &["--demo"]);
    pty.wait_for("umbel needs 60x16, this is 48x12.");
    press(&mut pty, "q");
    assert_eq!(pty.wait_exit().exit_code(), 0);
}

#[test]
fn while_nobody_reads_the_terminal_a_call_goes_on_and_its_time_is_right() {
    let mut pty = demo();
    call(&mut pty, "slow.sleep", &["2"]);
    pty.wait_for("RUN ");
    pty.pause_reading(true);
    sleep(Duration::from_secs(6));
    pty.pause_reading(false);
    pty.wait_for("OK  demo.");
    // A busy machine takes somewhat longer; the six seconds of the terminal are none of it.
    pty.wait_until(PATIENCE, "its own time is told", |screen| {
        let text = screen.contents();
        (20..50).any(|tenths| text.contains(&format!("{}.{}s", tenths / 10, tenths % 10)))
    });
    press(&mut pty, "4");
    pty.wait_for("[4 History]");
    pty.wait_until(PATIENCE, "history has it", |screen| {
        let text = screen.contents();
        text.lines()
            .any(|line| line.contains("OK") && line.contains("sleep  "))
    });
    press(&mut pty, "q");
    assert_eq!(pty.wait_exit().exit_code(), 0);
}

#[test]
fn a_program_that_was_stopped_shows_the_time_that_has_passed_meanwhile() {
    let mut pty = demo();
    call(&mut pty, "slow.sleep", &["60"]);
    pty.wait_for("RUN ");
    pty.signal("STOP");
    sleep(Duration::from_secs(5));
    let frames = pty.bytes_written();
    pty.signal("CONT");
    // The first frame after it already has the five seconds; nothing of it is caught up second by second.
    let seconds = |screen: &vt100::Screen| -> Option<f64> {
        let text = screen.contents();
        let elapsed = text.split("s of 10s").next()?.rsplit(' ').next()?;
        elapsed.parse().ok()
    };
    pty.wait_until(PATIENCE, "its own time is told", |screen| {
        seconds(screen).is_some_and(|elapsed| elapsed >= 5.0)
    });
    assert!(pty.bytes_written() - frames < 4_000, "{}", pty.text());
    pty.wait_for("TIMEOUT");
}

#[test]
fn a_signal_ends_the_program_also_while_nobody_reads_the_terminal() {
    let mut pty = demo();
    pty.pause_reading(true);
    // Fill what the kernel holds for the reader.
    for size in 0..400 {
        pty.resize(24 + size % 2, 80 + size % 3);
        sleep(Duration::from_millis(10));
    }
    let began = Instant::now();
    pty.signal("TERM");
    // The reader must not wake up before the program is gone.
    let stat = format!("/proc/{}/stat", pty.pid());
    eventually(PATIENCE, "the program ends", || {
        std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") Z "))
    });
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    pty.pause_reading(false);
    assert_eq!(pty.wait_exit().exit_code(), 143);
}

#[test]
fn the_hardware_cursor_is_at_the_caret_by_cells_and_hidden_elsewhere() {
    let mut pty = demo();
    assert!(pty.screen(vt100::Screen::hide_cursor));
    open(&mut pty, "text.echo");
    pty.wait_until(PATIENCE, "the cursor is shown", |screen| {
        !screen.hide_cursor()
    });
    let (row, column) = pty.screen(vt100::Screen::cursor_position);
    pty.keys("客戶a");
    pty.wait_for("客戶a");
    pty.wait_until(PATIENCE, "the cursor is behind it", |screen| {
        screen.cursor_position() == (row, column + 5)
    });
    for _ in 0..20 {
        assert_eq!(
            pty.screen(vt100::Screen::cursor_position),
            (row, column + 5)
        );
        sleep(Duration::from_millis(100));
    }
    press(&mut pty, key::ESCAPE);
    pty.wait_until(PATIENCE, "the cursor is hidden", vt100::Screen::hide_cursor);
}

#[test]
fn a_split_arrow_key_is_no_text_and_no_command() {
    let mut pty = demo();
    open(&mut pty, "text.echo");
    pty.keys("ab");
    pty.wait_for("ab");
    // The terminal's bytes come in two reads.
    pty.send(b"\x1b");
    sleep(Duration::from_millis(20));
    pty.send(b"[A");
    sleep(Duration::from_millis(300));
    assert!(!pty.text().contains("[A"), "{}", pty.text());
}

// ---- a network that says nothing -------------------------------------------------------------------

#[test]
fn a_broker_that_says_nothing_holds_up_neither_help_nor_leaving() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("amqp://127.0.0.1:{}//", silent.local_addr().unwrap().port());
    let mut pty = sandbox().pty(24, 80, &["--broker", &url]);
    pty.wait_for("1 Tasks");
    let start = Instant::now();
    pty.keys("?");
    pty.wait_for("Help: Tasks");
    // The broker itself is waited for longer.
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    press(&mut pty, key::ESCAPE);
    let start = Instant::now();
    press(&mut pty, "q");
    assert_eq!(pty.wait_exit().exit_code(), 0);
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    assert_left_clean(&pty.bytes());
}
