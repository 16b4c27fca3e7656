//! What a frame costs does not grow with the arguments of a call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use umbel::call::Fact;
use umbel::tui::message::Message;
use umbel::tui::panes::call::check;

use crate::stage::Stage;

/// A form that holds these arguments, and the call that was made of them.
fn called(kwargs: &[String]) -> Stage {
    let mut stage = Stage::new(160, 48).shop();
    stage.keys("Enter");
    for row in kwargs {
        stage.paste(row);
        stage.keys("Enter");
    }
    stage.keys("Esc F5");
    stage.fact(Fact::Publishing);
    stage.fact(Fact::Confirmed);
    stage
}

/// The quickest of some frames: what else the machine does makes none quicker.
fn frame(stage: &Stage) -> Duration {
    let timed = |_| {
        let begun = Instant::now();
        std::hint::black_box(stage.screen());
        begun.elapsed()
    };
    (0..8).map(timed).min().expect("a frame")
}

#[test]
fn a_call_with_20_mb_of_arguments_is_drawn_about_as_fast_as_a_small_one() {
    let arguments = |size: usize| {
        let numbers = vec!["123456789"; size / 10].join(",");
        let list = format!("numbers:=[{numbers}]");
        let text = format!("text={}", "客戶 x".repeat(size / 8));
        [list, text, "password=hunter2xyz".to_owned()]
    };
    let (small, large) = (called(&arguments(100)), called(&arguments(10 << 20)));
    for stage in [&small, &large] {
        let screen = stage.screen();
        assert!(screen.contains("numbers=[123456789"), "{screen}");
        assert!(!screen.contains("hunter2xyz"), "{screen}");
    }
    let (small, large) = (frame(&small), frame(&large));
    assert!(large < small * 10, "{large:?} against {small:?}");
}

#[test]
fn what_is_found_before_sending_is_looked_for_once_until_the_form_or_the_cluster_changes() {
    let mut stage = Stage::new(80, 24).shop();
    stage.keys("Enter 1");
    let found = |stage: &Stage| {
        let draft = stage.state.call.draft().expect("a form");
        check::preflight_of(draft, &stage.state.shared, stage.now)
    };
    let first = found(&stage);
    stage.screen();
    stage.tell(Message::Tick);
    assert!(Arc::ptr_eq(&first, &found(&stage)), "nothing changed");
    stage.depth("default", 99, 3);
    let second = found(&stage);
    assert!(!Arc::ptr_eq(&first, &second), "more is waiting");
    assert_ne!(first.lines, second.lines);
    stage.keys("Enter Esc");
    assert!(!Arc::ptr_eq(&second, &found(&stage)), "the form changed");
}
