//! Keys that want something of history: its answer does what was pressed only while the user stays where he pressed it.

use std::time::Duration;

use umbel::error::{Error, Kind};
use umbel::history::Found;
use umbel::protocol::result::State as TaskState;
use umbel::tui::effect::Effect;
use umbel::tui::message::Message;
use umbel::tui::panes::Pane;
use umbel::tui::past::{PAGE, Purpose, Told, Want, Wish};

use crate::past::{self, answer, call, listed, record, stage, under_way};
use crate::rules::says;
use crate::stage::{Stage, result};

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn who_types_elsewhere_meanwhile_goes_on_typing() {
    let said = [
        ("Enter", "not shown: you went elsewhere"),
        ("E", "not loaded: you went elsewhere"),
        ("j j =", "not compared: you went elsewhere"),
    ];
    for (key, said) in said {
        for (away, typed) in [("1 j Enter order_id=4", "2"), ("1 /", "refund"), ("5", "j")] {
            let (mut stage, store) = listed(80, 24);
            stage.keys(key);
            let told = under_way(&mut stage, &store);
            stage.keys(away);
            let (focus, context) = (stage.state.focus, stage.state.context());
            let rows = says(&stage, "order_id=4");
            let form = |stage: &Stage| stage.state.call.draft().map(|it| it.task.clone());
            let before = form(&stage);
            stage.tell(Message::History(told));
            assert_eq!(stage.state.focus, focus, "{key} {away}");
            assert_eq!(stage.state.context(), context, "{key} {away}");
            assert_eq!(form(&stage), before, "{key} {away}");
            assert_eq!(says(&stage, "order_id=4"), rows, "{key} {away}");
            assert!(says(&stage, said), "{key} {away}: {}", stage.screen());
            stage.keys(typed);
            assert_eq!(stage.state.focus, focus, "{key} {away}");
        }
    }
}

#[test]
fn who_stays_gets_what_he_pressed_last() {
    let (mut stage, store) = listed(80, 24);
    stage.keys("Enter");
    let first = under_way(&mut stage, &store);
    stage.keys("j Enter");
    let second = under_way(&mut stage, &store);
    stage.tell(Message::History(second));
    assert!(
        says(&stage, "FAIL  shop.orders.refund"),
        "{}",
        stage.screen()
    );
    stage.tell(Message::History(first));
    assert!(
        says(&stage, "FAIL  shop.orders.refund"),
        "{}",
        stage.screen()
    );
    assert!(says(&stage, "not shown: you asked for something else"));
}

#[test]
fn a_key_held_down_asks_once() {
    let (mut stage, _) = listed(80, 24);
    stage.effects.clear();
    stage.keys("E E E E");
    let asks = |effect: &&Effect| matches!(effect, Effect::History(Wish::Get(..)));
    assert_eq!(stage.effects.iter().filter(asks).count(), 1);
}

#[test]
fn a_load_that_is_wanted_takes_the_place_of_a_call_that_was() {
    let (mut stage, store) = listed(80, 24);
    stage.keys(".");
    let again = under_way(&mut stage, &store);
    stage.keys("E");
    let load = under_way(&mut stage, &store);
    stage.tell(Message::History(again));
    assert!(says(&stage, "not called again"), "{}", stage.screen());
    assert_eq!(stage.state.shared.calls.len(), 0);
    stage.tell(Message::History(load));
    assert_eq!(stage.state.focus, Pane::Call);
}

#[test]
fn a_disk_that_cannot_answer_says_what_was_not_done() {
    let (mut stage, store) = listed(80, 24);
    stage.keys("Enter");
    let press = stage.effects.iter().find_map(|effect| match effect {
        Effect::History(Wish::Get(_, purpose)) => Some(*purpose),
        _ => None,
    });
    let error = Error::new(Kind::Internal, "disk I/O error");
    let failed = Told::NotGot(press.expect("it is asked for"), error);
    stage.tell(Message::History(vec![failed]));
    assert!(
        says(&stage, "not shown: disk I/O error"),
        "{}",
        stage.screen()
    );
    stage.effects.clear();
    stage.keys("Enter");
    answer(&mut stage, &store);
    assert_eq!(stage.state.focus, Pane::Result);
}

#[test]
fn a_notice_that_is_opened_shows_its_call_only_to_who_stays() {
    let (mut stage, store) = listed(80, 24);
    let context = stage.state.context();
    let newest = store.get_call(stage.state.history.selected().expect("a call"));
    let id = stage.state.history.selected().expect("a call").0.clone();
    let press = stage.state.awaited.pressed(Want::ShowLast(id), context);
    stage.keys("5");
    let purpose = Purpose::Show(press.expect("a press"));
    let told = Told::Got(newest.expect("an answer"), purpose);
    stage.tell(Message::History(vec![told]));
    assert_eq!(stage.state.focus, Pane::Queues);
}

#[test]
fn of_two_renewals_the_one_that_knows_more_stands_whichever_comes_first() {
    let mut stage = stage(80, 24);
    stage.event(umbel::client::Event::Results(umbel::backend::Results::Rpc));
    let (mut call, at) = call(7, &[], stage.now, HOUR);
    let older = record(&call, at);
    past::open(&mut stage, Found::One(Box::new(older.clone())));
    let end = at.plus(Duration::from_secs(5));
    call.apply(result(&call.id().clone(), TaskState::Success, "1"), end);
    for renewed in [record(&call, end), older] {
        let told = Told::Got(Found::One(Box::new(renewed)), Purpose::Renew);
        stage.tell(Message::History(vec![told]));
        assert!(says(&stage, "OK  shop.orders.refund"), "{}", stage.screen());
    }
}

#[test]
fn a_trouble_of_something_else_leaves_the_page_that_is_under_way() {
    let mut stage = stage(80, 24);
    let store = crate::earlier::many(&stage, PAGE as u64 * 2 + 9);
    stage.keys("4");
    stage.tell(Message::Tick);
    answer(&mut stage, &store);
    stage.effects.clear();
    stage.keys("G");
    let asks = |effect: &&Effect| matches!(effect, Effect::History(Wish::Page { .. }));
    assert_eq!(stage.effects.iter().filter(asks).count(), 1);
    let page = under_way(&mut stage, &store);
    let error = || Error::new(Kind::Internal, "disk I/O error");
    stage.tell(Message::History(vec![
        Told::Trouble(error()),
        Told::NotUnresolved(error()),
    ]));
    stage.keys("G");
    assert_eq!(
        stage.effects.iter().filter(asks).count(),
        0,
        "it is under way"
    );
    stage.tell(Message::History(page));
    assert_eq!(
        stage.effects.iter().filter(asks).count(),
        1,
        "the next one is asked for"
    );
}
