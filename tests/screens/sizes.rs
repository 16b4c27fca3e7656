//! Every screen at every size: no panic, every line exactly the width (trap 24), and nothing half of a wide character (trap 9).

use std::time::Duration;

use proptest::prelude::*;
use umbel::client::{Event, LinkName};
use umbel::protocol::result::State as TaskState;
use umbel::text::width::cells;
use umbel::tui::input::Input;
use umbel::tui::message::Message;
use umbel::tui::theme::{Depth, Glyphs, Look, Tone};

use crate::stage::{Stage, down, failure, result, started};

/// Every kind of screen, by number.
const SCREENS: usize = 22;

fn screen(number: usize) -> Stage {
    let new = || Stage::new(80, 24);
    let typed = |keys: &str| {
        let mut stage = new().shop();
        stage.keys(keys);
        stage
    };
    let called = |keys: &str| {
        let mut stage = typed("j Enter note=不鏽鋼保溫瓶ｶﾞ한글👨‍👩‍👧 Enter");
        stage.send();
        let id = stage.last_id();
        stage.fact(started(&id));
        stage.keys(keys);
        (stage, id)
    };
    match number {
        0 => new(),
        1 => new().without_broker(),
        2 => typed("/ 客"),
        3 => typed("a 客戶"),
        4 => typed("Enter x=客戶要求退款 Enter x=1 Enter"),
        5 => typed("Enter x=客戶要求退款 Enter F2"),
        6 => typed("Enter Tab Tab Tab 客戶"),
        7 => typed("5"),
        8 => typed("6"),
        9 => typed("?"),
        10 => called("X").0,
        11 => called("q").0,
        12 => called("4").0,
        13 => called("3").0,
        14 => {
            let (mut stage, _) = called("3");
            stage.pass(Duration::from_secs(11));
            stage
        }
        15 => {
            let (mut stage, id) = called("3");
            stage.fact(result(
                &id,
                TaskState::Success,
                r#"{"名": ["不鏽鋼保溫瓶", 1, {"a": []}], "👨‍👩‍👧": null}"#,
            ));
            stage
        }
        16 => {
            let (mut stage, id) = called("3");
            stage.fact(failure(
                &id,
                "庫存不足",
                "[\"客戶\"]",
                Some("Traceback\n  File \"客.py\", line 1\n錯誤"),
            ));
            stage
        }
        17 => typed("Enter 1 Esc o j j j j j j j i 客戶=不鏽鋼保溫瓶 Enter"),
        18 => typed("Enter 1 F2 Esc o G k k l Esc q"),
        19 => crate::recall::wide(""),
        20 => crate::recall::wide("^R ^R 客"),
        _ => {
            let (mut stage, _) = called("5 f");
            let now = stage.now;
            stage.event(Event::Link(LinkName::Broker, down(now, "連線被拒")));
            stage.pass(Duration::from_secs(3));
            stage
        }
    }
}

fn check(stage: &mut Stage, width: u16, height: u16) {
    stage.tell(Message::Input(Input::Resize { width, height }));
    let screen = stage.screen();
    let lines: Vec<&str> = screen.lines().collect();
    assert_eq!(lines.len(), usize::from(height));
    for line in lines {
        assert_eq!(
            cells(line),
            usize::from(width),
            "{width}x{height}: {line:?}"
        );
    }
}

#[test]
fn every_screen_is_drawn_at_the_sizes_that_matter() {
    for number in 0..SCREENS {
        let mut stage = screen(number);
        for (width, height) in [
            (1, 1),
            (2, 2),
            (59, 15),
            (60, 16),
            (75, 16),
            (76, 17),
            (80, 24),
            (149, 39),
            (150, 40),
            (160, 48),
            (300, 120),
        ] {
            check(&mut stage, width, height);
        }
    }
}

#[test]
fn the_ascii_look_without_colours_draws_only_what_is_narrow() {
    for number in 0..SCREENS {
        let look = Look {
            glyphs: Glyphs::Ascii,
            depth: Depth::None,
            tone: Tone::Dark,
        };
        let mut stage = screen(number).look(look);
        check(&mut stage, 80, 24);
        let ambiguous = |char: char| "─│┌┐└┘━┃┏┓┗┛▁▂▃▄▅▆▇█·…".contains(char);
        let screen = stage.screen();
        assert!(!screen.contains(ambiguous), "{number}: {screen}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_screen_is_drawn_at_every_size(number in 0..SCREENS, width in 1..300_u16, height in 1..120_u16) {
        check(&mut screen(number), width, height);
    }

    #[test]
    fn keys_at_any_size_do_not_panic(
        number in 0..SCREENS,
        width in 1..300_u16,
        height in 1..120_u16,
        keys in prop::collection::vec(prop::sample::select(vec![
            "j", "k", "g", "G", "Tab", "S-Tab", "1", "2", "3", "4", "5", "6", "f", "/", "Esc", "?", "Enter", "i",
            "Del", "a", "F2", "o", "h", "l", "Space", "F5", "Right", "S-Tab", "Backspace", "none", "0", "+", "-", "d", "X", "!", "y", "r", "`", "b", "客", "Down", "Up", "^R", "u",
        ]), 0..25),
    ) {
        let mut stage = screen(number);
        check(&mut stage, width, height);
        for key in keys {
            stage.keys(key);
        }
        check(&mut stage, width, height);
    }
}
