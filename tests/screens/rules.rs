//! Rules of the screen that belong to no one pane: what small keys do, what an idle screen asks for; and the stage that other rules share.

use std::time::Duration;

use proptest::prelude::*;
use umbel::broker::{Depth, Held};
use umbel::call::CallState;
use umbel::client::{Command, Event, LinkName, LinkState};
use umbel::cluster::Heard;
use umbel::protocol::result::State as TaskState;
use umbel::protocol::{QueueName, TaskId, TaskName};
use umbel::tui::effect::Effect;
use umbel::tui::keymap::Context;
use umbel::tui::panes::Pane;

use crate::stage::{Stage, result};

pub const SECOND: Duration = Duration::from_secs(1);

pub fn shop() -> Stage {
    Stage::new(80, 24).shop()
}

/// The orders that went out.
pub fn sent(stage: &Stage) -> Vec<String> {
    let python = |effect: &Effect| match effect {
        Effect::Client(Command::Call(order)) => {
            let signature = &order.signature;
            let task = signature.task.as_str();
            Some(umbel::protocol::python::call(
                task,
                &signature.args,
                &signature.kwargs,
            ))
        }
        _ => None,
    };
    stage.effects.iter().filter_map(python).collect()
}

pub fn revoked(stage: &Stage) -> Vec<TaskId> {
    let id = |effect: &Effect| match effect {
        Effect::Client(Command::Revoke {
            id,
            terminate: false,
            ..
        }) => Some(id.clone()),
        _ => None,
    };
    stage.effects.iter().filter_map(id).collect()
}

pub fn quit(stage: &Stage) -> bool {
    stage
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Quit))
}

pub fn says(stage: &Stage, text: &str) -> bool {
    stage.screen().contains(text)
}

pub fn state_of(stage: &Stage, id: &TaskId) -> CallState {
    stage.state.shared.calls.get(id).expect("a call").state()
}

/// Opens `shop.orders.refund`, which is the second task.
pub fn open_refund(stage: &mut Stage) {
    stage.keys("j Enter");
}

// The flow
// Trap 7: pastes
// Trap 18: the question

#[test]
fn a_key_whose_feature_is_not_built_says_so() {
    let mut stage = shop();
    stage.keys(":");
    assert!(says(&stage, "the command palette: not built yet"));
}

#[test]
fn the_filter_narrows_is_kept_by_enter_and_cleared_by_esc() {
    let mut stage = shop();
    stage.keys("/ refbulk Enter");
    assert_eq!(stage.state.context(), Context::Tasks);
    assert!(says(&stage, "1/5"));
    assert_eq!(
        stage.state.tasks.cursor,
        Some(TaskName::from("shop.orders.refund_bulk"))
    );
    stage.keys("Esc");
    assert!(!says(&stage, "1/5"));
}

#[test]
fn built_ins_are_shown_on_demand() {
    let mut stage = shop();
    assert!(!says(&stage, "backend_cleanup"));
    stage.keys("b");
    assert!(says(&stage, "backend_cleanup"));
}

#[test]
fn the_workers_pane_is_watched_while_it_has_the_focus() {
    let mut stage = shop();
    stage.keys("6 1");
    let watched: Vec<bool> = stage
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Client(Command::WatchWorkers(on)) => Some(*on),
            _ => None,
        })
        .collect();
    assert_eq!(watched, [true, false]);
}

#[test]
fn copying_says_what_was_sent_and_refuses_what_is_too_large() {
    let mut stage = shop();
    stage.keys("Enter 1");
    stage.send();
    let id = stage.last_id();
    stage.fact(result(&id, TaskState::Success, "\"客戶\""));
    stage.keys("y");
    let copied = stage
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Copy(text) if text == "客戶"));
    assert!(copied);
    assert!(says(&stage, "sent to the terminal's clipboard (6 bytes)"));
    stage.keys("2 c");
    let id = stage.last_id();
    let large = format!("\"{}\"", "x".repeat(80_000));
    stage.fact(result(&id, TaskState::Success, &large));
    stage.effects.clear();
    stage.keys("y");
    assert!(stage.effects.is_empty());
    assert!(says(&stage, "too large for the clipboard"));
}

#[test]
fn a_value_too_long_for_its_row_is_opened_by_enter_and_closed_by_esc() {
    let mut stage = shop();
    stage.keys("Enter 1");
    stage.send();
    let id = stage.last_id();
    let long = format!("{{\"note\": \"{}the end\"}}", "客戶要求退款 ".repeat(20));
    stage.fact(result(&id, TaskState::Success, &long));
    assert!(!says(&stage, "the end"));
    stage.keys("j Enter");
    assert!(says(&stage, "the end"));
    stage.keys("Esc");
    assert!(!says(&stage, "the end"));
    assert_eq!(stage.state.focus, Pane::Result);
}

#[test]
fn an_idle_screen_asks_for_no_frame() {
    let mut stage = shop();
    stage.keys("j");
    stage.pass(7 * SECOND);
    stage.changed();
    for _ in 0..10 {
        stage.pass(SECOND);
        stage.ping_all_but("w3@stg-9");
        stage.depth("legacy", 4, 0);
        stage.event(Event::Link(
            LinkName::Broker,
            LinkState::Up {
                latency: Some(Duration::from_millis(7)),
            },
        ));
    }
    assert!(!stage.changed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever is typed, nothing panics, and nothing that acts is done by a burst.
    #[test]
    fn random_bursts_do_nothing_that_acts(keys in "[a-zA-Z0-9 /?!.+`-]{1,40}") {
        let mut stage = shop();
        for key in keys.chars() {
            let key = if key == ' ' { "Enter".to_owned() } else { key.to_string() };
            stage.burst(&key);
        }
        prop_assert!(!quit(&stage));
        prop_assert!(sent(&stage).is_empty());
        prop_assert!(revoked(&stage).is_empty());
    }
}

#[test]
fn messages_that_workers_hold_are_shown_by_queue_or_all_together() {
    let mut stage = Stage::new(100, 30).shop();
    let mut held = |held| {
        stage.heard(Heard::Depth {
            queue: QueueName::from("default"),
            took: Duration::ZERO,
            depth: Ok(Depth::Known {
                ready: 1,
                held,
                held_ago: Duration::ZERO,
                rates: None,
                consumers: None,
            }),
        });
        stage.keys("5");
        stage.screen()
    };
    let none = held(Held::Unknown);
    assert!(!none.contains("held"), "{none}");
    let queue = held(Held::Queue(4711));
    assert!(queue.contains("4,711"), "{queue}");
    let together = held(Held::AllQueues(12_345));
    assert!(
        together.contains("12,345 messages held over all"),
        "{together}"
    );
}
