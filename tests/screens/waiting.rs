//! Calls under way: the question of a revoke, timeouts, the countdown, and leaving with calls in the air.

use std::time::Duration;

use rstest::rstest;
use umbel::backend::Results;
use umbel::call::{CallState, Fact};
use umbel::client::{Command, Event, LinkName, LinkState};
use umbel::clock::{Moment, Now, Timestamp};
use umbel::error::{Error, Kind};
use umbel::protocol::Json;
use umbel::protocol::result::State as TaskState;
use umbel::tui::effect::Effect;
use umbel::tui::message::Message;

use crate::rules::{SECOND, quit, revoked, says, sent, shop, state_of};
use crate::stage::{Stage, down, result, started};

#[test]
fn only_the_capital_letter_revokes_and_not_at_once() {
    for key in [
        "Enter", "y", "n", "Esc", "q", "Space", "r", "X", "Tab", "F5", "1",
    ] {
        let mut stage = shop();
        stage.keys("Enter");
        stage.send();
        stage.keys("X");
        stage.pass(SECOND);
        stage.keys(key);
        assert!(revoked(&stage).is_empty(), "{key}");
        assert_eq!(sent(&stage).len(), 1, "{key}");
    }
    let mut stage = shop();
    stage.keys("Enter");
    stage.send();
    stage.keys("X");
    stage.fast_keys("Enter Enter y Y");
    assert!(revoked(&stage).is_empty());
}

#[test]
fn a_yes_that_comes_too_soon_is_told_and_not_taken() {
    let too_soon = "too soon: read it, then press again";
    for key in ["Y", "T"] {
        let mut stage = shop();
        stage.keys("Enter");
        stage.send();
        stage.keys("X");
        assert!(!says(&stage, too_soon));
        stage.pass(Duration::from_millis(300));
        stage.fast_keys(key);
        assert!(revoked(&stage).is_empty(), "{key}");
        assert!(says(&stage, too_soon), "{key}\n{}", stage.screen());
        stage.keys(key);
        assert!(!says(&stage, too_soon), "{key}");
    }
    let mut stage = shop();
    stage.keys("Enter");
    stage.send();
    stage.keys("q");
    stage.fast_keys("q");
    assert!(!quit(&stage));
    assert!(says(&stage, too_soon), "{}", stage.screen());
}

#[test]
fn a_notice_of_what_was_done_goes_by_itself_and_the_screen_is_drawn_for_it() {
    let mut stage = shop();
    stage.tell(Message::Input(umbel::tui::input::Input::Paste(
        "some text".to_owned(),
    )));
    assert!(says(&stage, "paste ignored here"));
    stage.pass(5 * SECOND);
    stage.changed();
    assert!(says(&stage, "paste ignored here"));
    stage.pass(SECOND);
    assert!(stage.changed(), "an idle screen is drawn once more");
    assert!(!says(&stage, "paste ignored here"), "{}", stage.screen());
}

#[test]
fn what_became_of_a_call_stands_for_what_was_told_of_it_before() {
    let mut stage = shop();
    for number in 0..3 {
        stage.keys(&format!("1 Enter Esc G k k k k Del a {number} Esc"));
        stage.pass(SECOND);
        stage.keys("2 c");
        stage.fact(Fact::Publishing);
        stage.fact(Fact::Confirmed);
        stage.keys("1");
    }
    let calls = stage.state.shared.calls.newest_first();
    let ids: Vec<_> = calls.map(|call| call.id().clone()).collect();
    stage.pass(15 * SECOND);
    assert!(says(&stage, "+2"), "{}", stage.screen());
    for id in &ids {
        stage.fact_of(id, result(id, TaskState::Success, "5"));
    }
    assert!(says(&stage, "LATE OK"), "{}", stage.screen());
    assert!(says(&stage, "+2"), "not +5\n{}", stage.screen());
}

#[test]
fn what_has_no_limit_has_no_countdown() {
    let mut stage = shop();
    stage.keys("Enter");
    stage.send();
    stage.keys("0");
    stage.pass(12 * SECOND);
    assert!(says(&stage, "12.5s  no limit (24h)"), "{}", stage.screen());
    for shown in [" left", "of no limit", "24h0m"] {
        assert!(!says(&stage, shown), "{shown}\n{}", stage.screen());
    }
    stage.tell(Message::Input(umbel::tui::input::Input::Resize {
        width: 50,
        height: 12,
    }));
    assert!(says(&stage, "12.5s  no limit (24h)"), "{}", stage.screen());
    assert!(!says(&stage, " left"), "{}", stage.screen());
}

#[test]
fn the_question_says_that_a_started_task_goes_on() {
    let mut stage = shop();
    stage.keys("Enter");
    stage.send();
    let id = stage.last_id();
    stage.keys("X");
    assert!(!says(&stage, "started: it will go on"));
    stage.fact(started(&id));
    assert!(says(&stage, "started: it will go on"));
}

#[test]
fn twenty_late_results_each_land_in_their_own_call() {
    let mut stage = shop();
    let mut ids = Vec::new();
    for number in 0..20 {
        stage.keys(&format!("1 Enter Esc G k k k k Del a {number}"));
        stage.keys("Esc");
        stage.pass(SECOND);
        stage.keys("2 c");
        stage.fact(Fact::Publishing);
        stage.fact(Fact::Confirmed);
        ids.push(stage.last_id());
    }
    stage.pass(15 * SECOND);
    assert!(
        ids.iter()
            .all(|id| state_of(&stage, id) == CallState::Timeout)
    );
    for (number, id) in ids.iter().enumerate().rev() {
        for _ in 0..2 {
            stage.fact_of(id, result(id, TaskState::Success, &number.to_string()));
        }
    }
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(state_of(&stage, id), CallState::LateOk);
        let call = stage.state.shared.calls.get(id).expect("a call");
        let value = call.result.as_ref().map(|result| result.value.clone());
        assert_eq!(value, Some(Json::Number(number.to_string())));
    }
}

#[test]
fn plus_waits_again_and_minus_never_ends_the_wait_at_once() {
    let mut stage = shop();
    stage.keys("Enter 1");
    stage.send();
    let id = stage.last_id();
    stage.pass(8 * SECOND);
    stage.keys("-");
    assert_eq!(state_of(&stage, &id), CallState::Sent);
    stage.pass(2 * SECOND);
    assert_eq!(state_of(&stage, &id), CallState::Timeout);
    stage.keys("+");
    assert_eq!(state_of(&stage, &id), CallState::Sent);
    stage.keys("d");
    assert_eq!(state_of(&stage, &id), CallState::Detached);
    stage.fact(result(&id, TaskState::Success, "5"));
    assert_eq!(state_of(&stage, &id), CallState::Ok);
}

#[test]
fn an_unknown_delivery_is_never_sent_again() {
    let mut stage = shop();
    stage.keys("Enter 1 F5");
    stage.fact(Fact::Publishing);
    stage.fact(Fact::Unknown(Error::new(
        Kind::UnknownDelivery,
        "reset by peer",
    )));
    let id = stage.last_id();
    let now = stage.now;
    stage.event(Event::Link(LinkName::Broker, down(now, "reset by peer")));
    stage.event(Event::Link(
        LinkName::Broker,
        LinkState::Up { latency: None },
    ));
    stage.keys("r");
    stage.pass(5 * SECOND);
    assert_eq!(state_of(&stage, &id), CallState::UnknownDelivery);
    assert!(says(&stage, "SENT?"));
    assert_eq!(sent(&stage).len(), 1);
}

#[test]
fn a_command_that_the_client_refused_makes_the_call_unsent() {
    let mut stage = shop();
    stage.keys("Enter 1 F5");
    let order = stage.effects.drain(..).find_map(|effect| match effect {
        Effect::Client(command @ Command::Call(_)) => Some(command),
        _ => None,
    });
    stage.tell(Message::CommandRefused(Box::new(order.expect("an order"))));
    let id = stage.last_id();
    assert_eq!(state_of(&stage, &id), CallState::Unsent);
}

#[test]
fn the_countdown_follows_the_monotonic_clock_alone() {
    let mut stage = shop();
    stage.keys("Enter 1");
    stage.send();
    let id = stage.last_id();
    let at = |stage: &Stage, by: Duration, wall: i64| Now {
        wall: Timestamp::from_second(wall).expect("a time"),
        mono: Moment(stage.now.mono.0 + by),
    };
    stage.now = at(&stage, 3 * SECOND, 1_795_400_000);
    stage.tell(Message::Tick);
    assert!(says(&stage, "3.0s of 10s"));
    stage.now = at(&stage, SECOND, 5);
    stage.tell(Message::Tick);
    assert!(says(&stage, "4.0s of 10s"));
    stage.now = at(&stage, 3600 * SECOND, 1_795_349_100);
    stage.tell(Message::Tick);
    assert_eq!(state_of(&stage, &id), CallState::Timeout);
}

#[test]
fn the_bar_warns_from_80_percent_on() {
    let mut stage = shop();
    stage.keys("Enter 1");
    stage.send();
    stage.pass(8 * SECOND);
    assert!(says(&stage, "8.0s of 10s"));
    assert!(says(&stage, "2.0s left"));
}

#[test]
fn quitting_with_calls_in_the_air_asks_first() {
    let mut stage = shop();
    stage.keys("Enter 1");
    stage.send();
    stage.keys("q");
    assert!(!quit(&stage));
    assert!(says(&stage, "1 call has no result yet."));
    assert!(says(&stage, "[q] quit   [Esc] stay"));
    stage.keys("Esc");
    assert!(!says(&stage, "no result yet."));
    stage.event(Event::Results(Results::Rpc));
    stage.keys("q");
    assert!(says(&stage, "rpc results die"));
    stage.keys("q");
    assert!(quit(&stage));
}

#[test]
fn quitting_without_calls_quits() {
    let mut stage = shop();
    stage.keys("q");
    assert!(quit(&stage));
}

#[rstest]
#[case("")]
#[case("/")]
#[case("Enter")]
#[case("Enter F2")]
#[case("?")]
#[case("4")]
fn ctrl_c_stops_the_innermost_thing_and_quits_only_twice(#[case] before: &str) {
    let mut stage = shop();
    if !before.is_empty() {
        stage.keys(before);
    }
    stage.keys("^C");
    assert!(!quit(&stage));
    assert!(says(&stage, "again within 2s quits"));
    stage.pass(3 * SECOND);
    stage.keys("^C");
    assert!(!quit(&stage));
    stage.keys("^C");
    assert!(quit(&stage));
}

#[test]
fn ctrl_c_on_a_running_call_stops_waiting_for_it() {
    let mut stage = shop();
    stage.keys("Enter 1");
    stage.send();
    let id = stage.last_id();
    stage.keys("^C");
    assert_eq!(state_of(&stage, &id), CallState::Detached);
}
