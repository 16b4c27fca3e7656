//! Two calls of one id: what is done in History is done with the one under the cursor.

use std::time::Duration;

use umbel::call::{Call, CallState, Fact};
use umbel::history::store::Store;
use umbel::history::{Filter, Record};
use umbel::protocol::result::State as TaskState;
use umbel::protocol::{Json, TaskId};
use umbel::tui::effect::Effect;
use umbel::tui::message::Message;
use umbel::tui::past::{Purpose, Told, Wish};

use crate::earlier::serve;
use crate::past::{answer, call, record, saved, stage, vanishes};
use crate::stage::{Stage, result};

const HOUR: Duration = Duration::from_hours(1);

/// A call of the one id, `hours` ago, for this order.
fn ended(stage: &Stage, order: u64, hours: u32) -> Record {
    let order = [("order_id", Json::from(order))];
    let (mut call, at) = call(7, &order, stage.now, HOUR * hours);
    let end = at.plus(Duration::from_millis(212));
    let fact: Fact = result(&call.id().clone(), TaskState::Success, "1");
    call.apply(fact, end);
    record(&call, end)
}

/// The older one under the cursor, and both as the disk has them.
fn on_the_older() -> (Stage, Store, [Record; 2]) {
    let mut stage = stage(80, 24);
    let mut store = Store::memory().expect("a store in memory");
    let both = [ended(&stage, 41, 2), ended(&stage, 42, 1)];
    store.upsert(&both).expect("both are kept");
    stage.keys("4");
    stage.tell(Message::Tick);
    answer(&mut stage, &store);
    stage.keys("G");
    answer(&mut stage, &store);
    (stage, store, both)
}

#[test]
fn the_cursor_stays_on_its_call_when_the_list_is_read_again() {
    let (mut stage, store, [older, _]) = on_the_older();
    assert_eq!(stage.state.history.selected(), Some(&older.key()));
    stage.pass(Duration::from_secs(2));
    answer(&mut stage, &store);
    assert_eq!(stage.state.history.selected(), Some(&older.key()));
}

#[test]
fn the_call_under_the_cursor_is_shown_though_another_one_has_its_id() {
    let (mut stage, store, _) = on_the_older();
    stage.keys("Enter");
    answer(&mut stage, &store);
    let screen = stage.screen();
    assert!(screen.contains("refund(order_id=41)"), "{screen}");
}

#[test]
fn the_call_under_the_cursor_is_called_again_and_loaded() {
    let (mut stage, store, [older, _]) = on_the_older();
    stage.keys(".");
    let asks = |effect: &Effect| matches!(effect, Effect::History(Wish::Get(key, Purpose::Again(_))) if *key == older.key());
    assert!(stage.effects.iter().any(asks), "{:?}", stage.effects);
    let (mut stage, _, _) = on_the_older();
    stage.keys("E");
    answer(&mut stage, &store);
    let screen = stage.screen();
    assert!(
        screen.contains("41") && !screen.contains("order_id  42"),
        "{screen}"
    );
    assert!(screen.contains("loaded into the form"), "{screen}");
}

#[test]
fn the_call_under_the_cursor_is_deleted_alone_and_comes_back() {
    let (mut stage, mut store, [older, newer]) = on_the_older();
    let ids = |store: &Store| -> Vec<(TaskId, _)> {
        let rows = store.page(&Filter::default(), None, 9).expect("a page");
        rows.iter().map(umbel::history::Row::key).collect()
    };
    stage.keys("Del");
    serve(&mut stage, &mut store);
    assert_eq!(ids(&store), [newer.key()]);
    assert_eq!(stage.state.history.selected(), Some(&newer.key()));
    stage.keys("u");
    serve(&mut stage, &mut store);
    assert_eq!(ids(&store), [newer.key(), older.key()]);
}

#[test]
fn what_a_look_came_to_is_kept_of_the_call_that_was_looked_at() {
    let mut stage = stage(80, 24);
    let (first, at) = call(7, &[], stage.now, HOUR * 2);
    let id = first.id().clone();
    let told = Told::Unresolved(vec![record(&first, at)]);
    stage.tell(Message::History(vec![told]));
    vanishes(&mut stage, &id);
    let (mut second, _) = call(7, &[], stage.now, HOUR);
    second.detach(stage.now);
    stage.state.shared.calls.push(second);
    stage.effects.clear();
    stage.tell(Message::Tick);
    let listed = stage.state.shared.calls.newest_first();
    let listed: Vec<CallState> = listed.map(Call::concluded).collect();
    assert_eq!(listed, [CallState::Detached, CallState::Lost]);
    stage.effects.clear();
    stage.tell(Message::Tick);
    assert!(saved(&stage, &id).is_none(), "nobody looked again");
}
