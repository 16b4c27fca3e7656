//! Calls that are only looked at: told from what was written of them, in the past, and left alone where another broker has them.

use std::time::Duration;

use umbel::call::{Call, CallState, Look};
use umbel::clock::Now;
use umbel::history::{Found, Known, Origin, Record, Scribe};
use umbel::protocol::{Json, QueueName};
use umbel::tui::effect::Effect;

use crate::choices::words;
use crate::looks::look;
use crate::past::{self, call, record, scribe, stage};
use crate::rules::says;
use crate::stage::{Stage, started};

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

/// As a program at another broker writes it.
fn there(call: &Call, at: Now) -> Record {
    let there = Scribe {
        origin: Origin {
            broker: "amqp://other:5672/".to_owned(),
            ..Origin::default()
        },
        ..scribe()
    };
    Record::of(call, &there, Known::default(), at)
}

/// Opens a call of history.
fn opened(stage: &mut Stage, record: Record) {
    past::open(stage, Found::One(Box::new(record)));
}

/// A call of three days ago that waits in a queue of another broker; one of that name is here too.
fn waits_elsewhere(width: u16, height: u16) -> Stage {
    let mut stage = stage(width, height);
    let order = [("order_id", Json::from(9_u64))];
    let (mut call, at) = call(9, &order, stage.now, HOUR * 72);
    call.queue = Some(QueueName::from("legacy"));
    call.timeout = Duration::from_secs(1);
    opened(&mut stage, there(&call, at));
    stage.pass(Duration::from_secs(2));
    stage
}

#[test]
fn nothing_is_done_here_to_a_call_of_another_broker() {
    for key in ["X", "+", "-", "0", "d"] {
        let mut stage = waits_elsewhere(160, 48);
        stage.effects.clear();
        stage.keys(key);
        assert!(stage.state.overlay.is_none(), "{key}");
        let said = "made at amqp://other:5672/, this is amqp://localhost:5672/: umbel";
        assert!(says(&stage, said), "{key}: {}", stage.screen());
        stage.keys("Y T");
        let tells = |effect: &Effect| matches!(effect, Effect::Client(_));
        assert!(!stage.effects.iter().any(tells), "{:?}", stage.effects);
    }
}

#[test]
fn what_can_be_done_with_a_call_of_another_broker_is_told_and_no_key_is_offered_that_does_it_here()
{
    let stage = waits_elsewhere(80, 24);
    let text = words(&stage);
    assert!(text.contains("umbel revoke --broker URL 0"), "{text}");
    assert!(
        !text.contains("X revoke") && !text.contains("X  revoke"),
        "{text}"
    );
    assert!(!says(&stage, "detach"), "{}", stage.screen());
    look("visited_elsewhere", &stage);
    look("visited_elsewhere_large", &waits_elsewhere(160, 48));
}

#[test]
fn a_call_of_this_broker_that_is_only_looked_at_can_still_be_revoked() {
    let mut stage = stage(80, 24);
    let (call, at) = call(7, &[], stage.now, Duration::from_secs(3));
    opened(&mut stage, record(&call, at));
    stage.keys("X");
    assert!(stage.state.overlay.is_some(), "{}", stage.screen());
}

#[test]
fn no_queue_or_worker_of_now_explains_a_call_of_then() {
    let stage = waits_elsewhere(80, 24);
    assert!(!says(&stage, "Likely why"), "{}", stage.screen());
    assert!(!says(&stage, "nobody reads"), "{}", stage.screen());
    assert!(!says(&stage, "another umbel waits"), "{}", stage.screen());
    assert!(
        says(&stage, "Nobody wrote what became of it"),
        "{}",
        stage.screen()
    );
}

#[test]
fn that_another_umbel_waits_is_said_as_long_as_it_may() {
    let mut stage = stage(80, 24);
    let (call, at) = call(7, &[], stage.now, Duration::from_secs(3));
    opened(&mut stage, record(&call, at));
    assert!(
        says(&stage, "Another umbel waits for it 10s in all"),
        "{}",
        stage.screen()
    );
    look("visited_waiting", &stage);
    stage.pass(Duration::from_secs(20));
    assert!(!says(&stage, "Another umbel waits"), "{}", stage.screen());
}

/// A call that ran when it was told of, and that a look six minutes later found nowhere.
fn vanished(stage: &Stage) -> Record {
    let (mut call, at) = call(7, &[], stage.now, HOUR);
    call.apply(started(&call.id().clone()), at.plus(Duration::from_secs(1)));
    let over = at.plus(Duration::from_secs(11));
    call.tick(over);
    call.looked = Some(Look {
        at: at.plus(MINUTE * 6),
        state: Some(CallState::Lost),
        inferred: true,
    });
    there(&call, over)
}

#[test]
fn what_a_look_came_to_after_the_last_word_of_a_call_is_told_in_its_place() {
    let mut stage = stage(80, 24);
    let record = vanished(&stage);
    assert_eq!(record.listed(), CallState::Lost);
    opened(&mut stage, record);
    let screen = stage.screen();
    assert!(screen.contains("LOST?"), "{screen}");
    assert!(
        screen.contains("When last asked, at 11:10:43, nothing had it"),
        "{screen}"
    );
    assert!(!screen.contains("TIMEOUT"), "{screen}");
    look("visited_lost", &stage);
}

#[test]
fn a_call_that_ran_when_it_was_told_of_is_not_said_to_run() {
    let mut stage = stage(80, 24);
    stage.event(umbel::client::Event::Results(umbel::backend::Results::Rpc));
    let (mut call, at) = call(7, &[], stage.now, HOUR);
    call.apply(started(&call.id().clone()), at.plus(Duration::from_secs(1)));
    let over = at.plus(Duration::from_secs(11));
    call.tick(over);
    opened(&mut stage, record(&call, over));
    let screen = stage.screen();
    assert!(screen.contains("it ran then"), "{screen}");
    assert!(!screen.contains("it runs already"), "{screen}");
    stage.keys("X");
    let screen = stage.screen();
    assert!(
        screen.contains("RUN on w1@stg-1, when last heard of"),
        "{screen}"
    );
    assert!(screen.contains("It ran then"), "{screen}");
    look("visited_revoke", &stage);
}

#[test]
fn the_day_is_told_of_what_was_not_today() {
    let mut stage = waits_elsewhere(80, 24);
    assert!(
        says(&stage, "Where it was at 19 Nov 12:04:43"),
        "{}",
        stage.screen()
    );
    stage.keys("]");
    assert!(says(&stage, "SENT  19 Nov 12:04:43"), "{}", stage.screen());
    look("visited_timeline", &stage);
}
