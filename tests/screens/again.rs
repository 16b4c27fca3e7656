//! Calling a call of the past again with one key: once, only where the user still is, and never to another broker at one press.

use std::time::Duration;

use umbel::error::{Error, Kind};
use umbel::history::store::Store;
use umbel::history::{Filter, Found, Known, Origin, Record, Scribe};
use umbel::protocol::Json;
use umbel::protocol::result::State as TaskState;
use umbel::tui::effect::Effect;
use umbel::tui::message::Message;
use umbel::tui::panes::Pane;
use umbel::tui::past::{Purpose, Told, Wish};

use crate::choices::words;
use crate::past::{answer, call, listed, record, scribe, stage};
use crate::rules::{says, sent};
use crate::stage::{Stage, result};

const HOUR: Duration = Duration::from_hours(1);
const NEWEST: &str = "shop.orders.refund(order_id=42)";

/// The wishes to call again, taken out of what the screen asked for.
fn wishes(stage: &mut Stage) -> Vec<Wish> {
    let again = |effect: &mut Effect| {
        matches!(
            effect,
            Effect::History(Wish::Get(_, Purpose::Again(_)) | Wish::Last(..))
        )
    };
    let effects = stage.effects.extract_if(.., again);
    let wish = |effect| match effect {
        Effect::History(wish) => Some(wish),
        _ => None,
    };
    effects.filter_map(wish).collect()
}

/// The disk answers such a wish.
fn told(stage: &mut Stage, store: &Store, wish: Wish) {
    let (found, press) = match wish {
        Wish::Get(id, Purpose::Again(press)) => (store.get_call(&id).expect("an answer"), press),
        Wish::Last(task, press) => {
            let page = store
                .records(&Filter::task(&task), None, 1)
                .expect("records");
            let last = page.records.into_iter().next();
            let found = last.map_or(Found::None, |record| Found::One(Box::new(record)));
            (found, press)
        }
        other => panic!("{other:?}"),
    };
    let told = Told::Got(found, Purpose::Again(press));
    stage.tell(Message::History(vec![told]));
}

/// The one wish that there must be.
fn only(stage: &mut Stage) -> Wish {
    let mut wishes = wishes(stage);
    assert_eq!(wishes.len(), 1, "{wishes:?}");
    wishes.remove(0)
}

/// The key that calls the call shown in Result again, which history knows as it is.
pub fn repeat_the_last(stage: &mut Stage) {
    stage.state.shared.scribe = Some(scribe());
    let id = stage.last_id();
    stage.keys(".");
    let Wish::Get(key, Purpose::Again(press)) = only(stage) else {
        panic!("it asks for the call that is shown");
    };
    let call = stage.state.shared.calls.find(&key).expect("the call");
    assert_eq!(*call.id(), id);
    let found = Found::One(Box::new(record(call, stage.now)));
    let told = Told::Got(found, Purpose::Again(press));
    stage.tell(Message::History(vec![told]));
}

/// The list of calls with one that was made at another broker.
fn from_elsewhere() -> (Stage, Store) {
    let mut stage = stage(80, 24);
    let (mut call, at) = call(9, &[("order_id", Json::from(9_u64))], stage.now, HOUR);
    let end = result(&call.id().clone(), TaskState::Success, "null");
    call.apply(end, at);
    let there = Scribe {
        origin: Origin {
            broker: "redis://stg-redis:6379/0".to_owned(),
            ..Origin::default()
        },
        ..scribe()
    };
    let mut store = Store::memory().expect("a store in memory");
    store
        .upsert(&[Record::of(&call, &there, Known::default(), at)])
        .expect("a record is kept");
    stage.keys("4");
    stage.tell(Message::Tick);
    answer(&mut stage, &store);
    (stage, store)
}

#[test]
fn one_press_calls_again_once() {
    let (mut stage, store) = listed(80, 24);
    stage.keys(".");
    let wish = only(&mut stage);
    told(&mut stage, &store, wish);
    assert_eq!(sent(&stage), [NEWEST]);
    assert_eq!(stage.state.focus, Pane::Result);
}

#[test]
fn a_call_of_an_earlier_run_without_an_outcome_wants_a_second_press() {
    let (mut stage, store) = listed(80, 24);
    stage.keys("j j .");
    let wish = only(&mut stage);
    told(&mut stage, &store, wish);
    assert!(sent(&stage).is_empty(), "{}", stage.screen());
    let said = "the outcome of 00 000007 is unknown: it may then run twice";
    assert!(words(&stage).contains(said), "{}", stage.screen());
    stage.pass(Duration::from_secs(1));
    stage.keys("F5");
    assert_eq!(sent(&stage), ["shop.orders.refund(order_id=7)"]);
}

#[test]
fn two_presses_while_the_disk_is_slow_call_once() {
    let (mut stage, store) = listed(80, 24);
    stage.keys(". . .");
    assert!(says(&stage, "once is enough"), "{}", stage.screen());
    let wish = only(&mut stage);
    told(&mut stage, &store, wish);
    assert_eq!(sent(&stage), [NEWEST]);
}

#[test]
fn a_key_held_down_calls_once_whatever_the_disk_does() {
    let (mut stage, store) = listed(80, 24);
    stage.keys(".");
    let wish = only(&mut stage);
    told(&mut stage, &store, wish);
    // It repeats in Result now, where it means the same.
    for _ in 0..20 {
        stage.now = stage.now.plus(Duration::from_millis(33));
        stage.fast_keys(".");
    }
    assert!(wishes(&mut stage).is_empty());
    stage.pass(Duration::from_secs(5));
    assert_eq!(sent(&stage), [NEWEST]);
}

#[test]
fn who_went_elsewhere_or_types_sends_nothing() {
    for keys in ["1", "5", "Tab", "/", "?", "^R", "q", "Tab 4"] {
        let (mut stage, store) = listed(80, 24);
        stage.keys(".");
        let wish = only(&mut stage);
        stage.keys(keys);
        let focus = stage.state.focus;
        told(&mut stage, &store, wish);
        assert!(sent(&stage).is_empty(), "{keys}");
        assert_eq!(stage.state.focus, focus, "{keys}");
    }
}

#[test]
fn an_answer_to_a_press_that_was_cancelled_is_none_to_the_next_one() {
    let (mut stage, store) = listed(80, 24);
    stage.keys(".");
    let cancelled = only(&mut stage);
    stage.keys("1 4 j .");
    let wish = only(&mut stage);
    told(&mut stage, &store, cancelled);
    assert!(sent(&stage).is_empty());
    assert!(says(&stage, "not called again"), "{}", stage.screen());
    told(&mut stage, &store, wish);
    assert_eq!(sent(&stage), ["shop.orders.refund(order_id=41)"]);
}

#[test]
fn a_disk_that_cannot_answer_says_so_and_the_key_works_again() {
    let (mut stage, store) = listed(80, 24);
    stage.keys(".");
    let Wish::Get(_, Purpose::Again(press)) = only(&mut stage) else {
        panic!("it asks for the call under the cursor");
    };
    let error = Error::new(Kind::Internal, "disk I/O error");
    stage.tell(Message::History(vec![Told::NotGot(
        Purpose::Again(press),
        error,
    )]));
    assert!(says(&stage, "not called again: disk I/O error"));
    stage.keys(".");
    let wish = only(&mut stage);
    told(&mut stage, &store, wish);
    assert_eq!(sent(&stage), [NEWEST]);
}

#[test]
fn the_last_call_of_the_form_is_repeated_once_too() {
    let (mut stage, store) = listed(80, 24);
    stage.keys("1 j Enter Esc . .");
    let wish = only(&mut stage);
    told(&mut stage, &store, wish);
    assert_eq!(sent(&stage), [NEWEST]);
}

#[test]
fn a_call_of_another_broker_wants_a_second_press() {
    let (mut stage, store) = from_elsewhere();
    stage.keys(".");
    let wish = only(&mut stage);
    told(&mut stage, &store, wish);
    assert!(sent(&stage).is_empty());
    assert_eq!(stage.state.focus, Pane::Call);
    for words in ["! made at redis://stg-redis", "F5 again within 5s sends it"] {
        assert!(says(&stage, words), "{}", stage.screen());
    }
    stage.pass(Duration::from_secs(1));
    stage.keys("F5");
    assert_eq!(sent(&stage), ["shop.orders.refund(order_id=9)"]);
}

#[test]
fn a_call_of_another_broker_that_was_loaded_wants_it_too() {
    let (mut stage, store) = from_elsewhere();
    stage.keys("E");
    answer(&mut stage, &store);
    stage.pass(Duration::from_secs(1));
    stage.keys("F5");
    assert!(sent(&stage).is_empty(), "{}", stage.screen());
    stage.pass(Duration::from_secs(1));
    stage.keys("F5");
    assert_eq!(sent(&stage), ["shop.orders.refund(order_id=9)"]);
}

/// The form as `E` loads it from a call of another broker.
fn loaded_from_elsewhere() -> Stage {
    let (mut stage, store) = from_elsewhere();
    stage.keys("E");
    answer(&mut stage, &store);
    stage.pass(Duration::from_secs(1));
    stage
}

#[test]
fn where_a_loaded_call_was_made_and_where_it_goes_are_told_in_full() {
    let stage = loaded_from_elsewhere();
    let told = "! made at redis://stg-redis:6379/0; it goes to amqp://localhost:5672/ now";
    assert!(words(&stage).contains(told), "{}", stage.screen());
}

#[test]
fn a_task_that_is_opened_anew_is_no_call_of_another_broker() {
    let mut stage = loaded_from_elsewhere();
    assert!(says(&stage, "made at"), "{}", stage.screen());
    stage.keys("Esc Esc");
    assert_eq!(stage.state.focus, Pane::Tasks);
    stage.keys("g j Enter");
    assert!(says(&stage, "order_id=9"), "{}", stage.screen());
    assert!(!says(&stage, "made at"), "{}", stage.screen());
    stage.keys("F5");
    assert_eq!(sent(&stage), ["shop.orders.refund(order_id=9)"]);
}

#[test]
fn where_a_call_was_made_before_is_no_reason_why_it_is_slow() {
    let mut stage = loaded_from_elsewhere();
    stage.keys("F5");
    stage.pass(Duration::from_secs(1));
    stage.send();
    assert_eq!(sent(&stage), ["shop.orders.refund(order_id=9)"]);
    stage.pass(Duration::from_secs(12));
    assert_eq!(stage.state.focus, Pane::Result);
    assert!(!says(&stage, "another broker"), "{}", stage.screen());
}
