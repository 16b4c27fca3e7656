//! What differs between two calls of History, over the panes.

use std::time::Duration;

use umbel::call::Fact;
use umbel::history::Record;
use umbel::history::store::Store;
use umbel::protocol::Json;
use umbel::protocol::result::State as TaskState;
use umbel::tui::effect::Effect;
use umbel::tui::message::Message;

use crate::looks::look;
use crate::past::{answer, call, record, stage};
use crate::stage::{Stage, failure, result};

/// A call that ended `ago`.
fn ended(stage: &Stage, number: u64, kwargs: &[(&str, Json)], ago: u64, fact: &str) -> Record {
    let (mut call, at) = call(number, kwargs, stage.now, Duration::from_secs(ago));
    let id = call.id().clone();
    let fact: Fact = match fact {
        "fail" => failure(&id, "OutOfStock", "[\"庫存不足\"]", None),
        value => result(&id, TaskState::Success, value),
    };
    let end = at.plus(Duration::from_millis(200 + ago));
    call.apply(fact, end);
    record(&call, end)
}

/// Calls of the last hours: 1 and 2 differ, 3 is as 2, 4 failed, 5 has a secret.
fn listed(width: u16, height: u16) -> (Stage, Store) {
    let mut stage = stage(width, height);
    let mut store = Store::memory().expect("a store in memory");
    let order =
        |number: u64, note: &str| [("order_id", Json::from(number)), ("note", Json::from(note))];
    let secret = [("password", Json::from("hunter2xyz"))];
    let value = "{\"refunded\": true, \"lines\": [{\"sku\": \"不鏽鋼保溫瓶\", \"qty\": 1}]}";
    let other =
        "{\"refunded\": true, \"lines\": [{\"sku\": \"保溫瓶\", \"qty\": 2}], \"by\": null}";
    let records = [
        ended(&stage, 1, &order(41, "客戶要求退款"), 3_000, value),
        ended(&stage, 2, &order(42, "客戶要求退款"), 2_000, other),
        ended(&stage, 3, &order(42, "客戶要求退款"), 1_500, other),
        ended(&stage, 4, &order(42, "客戶要求退款"), 1_000, "fail"),
        ended(&stage, 5, &secret, 600, "1"),
        ended(&stage, 6, &secret, 500, "1"),
    ];
    store.upsert(&records).expect("records are kept");
    stage.keys("4");
    stage.tell(Message::Tick);
    answer(&mut stage, &store);
    (stage, store)
}

fn keys(stage: &mut Stage, store: &Store, keys: &str) -> String {
    for key in keys.split_inclusive(' ') {
        // A blank is a key of its own here.
        let key = key.trim_end();
        if key == "Space" {
            stage.tell(Message::Input(umbel::tui::input::Input::key(
                crossterm::event::KeyEvent::new(
                    crossterm::event::KeyCode::Char(' '),
                    crossterm::event::KeyModifiers::NONE,
                ),
            )));
        } else {
            stage.keys(key);
        }
        answer(stage, store);
    }
    stage.screen()
}

#[test]
fn looks_of_the_difference() {
    for (name, width, height) in [("diff", 80, 24), ("diff_large", 160, 48)] {
        let (mut stage, store) = listed(width, height);
        keys(&mut stage, &store, "j j j j Space j =");
        look(name, &stage);
    }
    let (mut stage, store) = listed(80, 24);
    keys(&mut stage, &store, "j j Space");
    look("diff_marked", &stage);
}

#[test]
fn without_a_mark_a_call_is_compared_with_the_one_before_it() {
    let (mut stage, store) = listed(80, 24);
    let screen = keys(&mut stage, &store, "j j j =");
    assert!(screen.contains("Both calls are the same."), "{screen}");
    let screen = keys(&mut stage, &store, "Esc k =");
    assert!(screen.contains("They differ: outcome, result."), "{screen}");
    assert!(screen.contains("OK -> FAIL"), "{screen}");
    let screen = keys(&mut stage, &store, "q");
    assert!(
        screen.contains("[4 History]") && !screen.contains("Difference"),
        "{screen}"
    );
    let screen = keys(&mut stage, &store, "G =");
    assert!(screen.contains("nothing to compare"), "{screen}");
}

#[test]
fn secrets_are_never_called_equal() {
    let (mut stage, store) = listed(80, 24);
    let screen = keys(&mut stage, &store, "=");
    assert!(
        screen.contains("password: masked, not compared"),
        "{screen}"
    );
    assert!(!screen.contains("the same."), "{screen}");
    assert!(!screen.contains("hunter2xyz"), "{screen}");
}

#[test]
fn the_difference_is_copied_and_its_help_leads_back_to_it() {
    let (mut stage, store) = listed(80, 24);
    keys(&mut stage, &store, "j j j Space j =");
    stage.effects.clear();
    stage.keys("y");
    let copied = stage.effects.iter().find_map(|effect| match effect {
        Effect::Copy(text) => Some(text.clone()),
        _ => None,
    });
    let copied = copied.expect("nothing was copied");
    assert!(copied.contains("the same: arguments"), "{copied}");
    stage.keys("?");
    assert!(
        stage.screen().contains("Help: Difference"),
        "{}",
        stage.screen()
    );
    stage.keys("Esc");
    assert!(stage.screen().contains("Difference"), "{}", stage.screen());
    stage.keys("Esc");
    assert!(!stage.screen().contains("Difference"), "{}", stage.screen());
}

#[test]
fn a_mark_is_taken_back_by_the_same_key() {
    let (mut stage, store) = listed(80, 24);
    assert!(keys(&mut stage, &store, "Space").contains("* refund"));
    assert!(!keys(&mut stage, &store, "Space").contains("* refund"));
}
