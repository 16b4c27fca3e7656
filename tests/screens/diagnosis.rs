//! Result about a call that is not back: where it is, why, what can be done, and what is asked for that.

use std::time::Duration;

use umbel::call::Fact;
use umbel::call::diagnosis::{Looked, Usual};
use umbel::client::{Command, Event, LinkName};
use umbel::cluster::{Answer, Heard};
use umbel::protocol::control::{HeldTask, Place};
use umbel::protocol::{NodeName, TaskId};
use umbel::tui::effect::Effect;

use crate::looks::{called, look, running, small};
use crate::stage::{CAST, Stage, down};

pub fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// All but `w3`, which is silent, answer a round of questions; `holder` has the call.
pub fn answered(stage: &mut Stage, holder: Option<(&str, Place)>) {
    stage.fact(Fact::Asked);
    for cast in CAST.iter().filter(|cast| cast.name != "w3@stg-9") {
        let node = NodeName::from(cast.name);
        let worker = &stage.state.shared.cluster.workers[&node];
        let running = worker.active.clone().unwrap_or_default();
        stage.heard(Heard::Answer {
            node,
            answer: Answer::Active(running),
            took: Duration::ZERO,
        });
        for looked in [Looked::Tasks, Looked::Scheduled] {
            let held = holder.is_some_and(|(node, _)| node == cast.name) && looked == Looked::Tasks;
            stage.fact(Fact::Answered {
                node: NodeName::from(cast.name),
                looked,
                held,
                asked: stage.now.mono,
            });
        }
    }
    if let Some((node, place)) = holder {
        let id = stage.last_id();
        let started = stage.now.wall.as_millisecond() as f64 / 1000.0 - 9.2;
        stage.fact(Fact::Seen {
            place,
            node: NodeName::from(node),
            task: HeldTask {
                id,
                name: "shop.orders.refund".into(),
                started: (place == Place::Active).then_some(started),
                acknowledged: place == Place::Active,
                pid: Some(4120),
                redelivered: false,
            },
        });
    }
}

/// The ids of the calls that somebody shall be asked about.
fn investigated(stage: &mut Stage) -> Vec<TaskId> {
    let effects = std::mem::take(&mut stage.effects);
    let asked = effects.into_iter().filter_map(|effect| match effect {
        Effect::Client(Command::Investigate { id, .. }) => Some(id),
        _ => None,
    });
    asked.collect()
}

/// A call that runs on `w2`, both of whose slots are taken, after its time is over.
pub fn over() -> Stage {
    let mut stage = called(small());
    stage.pass(seconds(11));
    stage.depth("default", 12, 3);
    answered(&mut stage, Some(("w2@stg-4", Place::Active)));
    stage.pass(Duration::from_millis(400));
    stage
}

#[test]
fn looks_of_a_call_that_is_not_back() {
    look("diagnosis", &over());
    let mut turned = over();
    turned.keys("]");
    look("diagnosis_turned", &turned);
    let mut stuck = called(small());
    stuck.depth("default", 12, 3);
    stuck.pass(Duration::from_millis(1_200));
    answered(&mut stuck, Some(("w2@stg-4", Place::Reserved)));
    stuck.pass(Duration::from_millis(100));
    look("diagnosis_stuck", &stuck);
    let mut nobody = called(small());
    nobody.depth("default", 12, 0);
    nobody.pass(seconds(11));
    answered(&mut nobody, None);
    look("diagnosis_no_consumer", &nobody);
    let mut slow = running(small());
    let times = (1..=212).map(Duration::from_millis).collect();
    let usual = Usual::of(times).expect("some times");
    let usual_of = &mut slow.state.shared.usual;
    usual_of.insert("shop.orders.refund".into(), usual);
    look("diagnosis_slow", &slow);
}

/// The broker is gone, and with it the results, while a call is under way.
fn without_links(mut stage: Stage) -> Stage {
    stage.fact(Fact::BackendLost(
        "redis://localhost:6379/0: connection refused (os error 111)".to_owned(),
    ));
    let now = stage.now;
    for (name, address) in [
        (LinkName::Broker, "amqp://localhost:5672/"),
        (LinkName::Backend, "redis://localhost:6379/0"),
    ] {
        let reason = format!("{address}: connection refused (os error 111)");
        stage.event(Event::Link(name, down(now, &reason)));
    }
    stage.heard(Heard::Lost);
    stage
}

#[test]
fn one_outage_is_told_once_and_what_can_be_done_stays() {
    let mut waiting = without_links(running(small()));
    waiting.pass(seconds(4));
    look("outage_running", &waiting);
    let mut over = without_links(over());
    over.pass(seconds(4));
    look("outage", &over);
    over.keys("]");
    look("outage_turned", &over);
    let mut large = without_links(running(Stage::new(160, 48).shop()));
    large.pass(seconds(14));
    look("outage_large", &large);
    for stage in [&waiting, &over] {
        let screen = stage.screen();
        let told = screen.matches("amqp://localhost:5672/: connection").count();
        assert!(told <= 1, "{told} times\n{screen}");
    }
    assert!(over.screen().contains("What you can do"));
    assert!(over.screen().contains("X  revoke"), "{}", over.screen());
    assert!(waiting.screen().contains("revoke at the workers"));
}

#[test]
fn everybody_is_asked_once_it_looks_stuck_and_again_when_its_time_is_over() {
    let mut stage = called(small());
    stage.effects.clear();
    stage.pass(Duration::from_millis(900));
    assert_eq!(investigated(&mut stage), []);
    stage.pass(Duration::from_millis(300));
    assert_eq!(investigated(&mut stage), [stage.last_id()]);
    stage.pass(Duration::from_millis(8_700));
    assert_eq!(investigated(&mut stage).len(), 2, "less and less often");
    stage.pass(Duration::from_millis(300));
    assert_eq!(investigated(&mut stage).len(), 1, "at once at its timeout");
}

/// Once nothing moves by itself the next tick is a second away.
#[test]
fn everybody_is_asked_at_once_also_where_an_event_shows_first_that_its_time_is_over() {
    let mut stage = called(small());
    stage.pass(Duration::from_millis(9_950));
    stage.effects.clear();
    stage.now = stage.now.plus(Duration::from_millis(80));
    stage.heard(Heard::Surveyed);
    assert_eq!(investigated(&mut stage), [], "that is about no call");
    stage.fact(Fact::NotStored);
    assert_eq!(investigated(&mut stage), [stage.last_id()]);
    stage.pass(Duration::from_millis(500));
    assert_eq!(investigated(&mut stage), [], "and not twice");
}

#[test]
fn a_call_nobody_looks_at_is_asked_about_when_its_time_is_over_and_no_more() {
    let mut stage = called(small());
    stage.state.result = umbel::tui::panes::result::State::default();
    stage.effects.clear();
    stage.pass(Duration::from_millis(9_900));
    assert_eq!(investigated(&mut stage), []);
    stage.pass(seconds(60));
    assert_eq!(investigated(&mut stage).len(), 1);
}

#[test]
fn an_age_that_is_seen_ticks_until_the_call_is_back_and_not_where_it_is_not_seen() {
    let mut stage = over();
    stage.changed();
    stage.pass(Duration::from_millis(100));
    assert!(stage.changed(), "ages tick");
    stage.keys("4");
    stage.changed();
    stage.pass(Duration::from_millis(100));
    assert!(!stage.changed(), "History shows no age of it");
}

/// The worker that ran it first was killed; the broker gave it to another one, which has run it to its end.
#[test]
fn the_timeline_has_each_start_with_who_it_was() {
    let mut stage = called(small());
    let run = |stage: &mut Stage, node: &str, pid, redelivered| {
        let id = stage.last_id();
        let started = stage.now.wall.as_millisecond() as f64 / 1000.0 - 0.5;
        stage.fact(Fact::Seen {
            place: Place::Active,
            node: NodeName::from(node),
            task: HeldTask {
                id,
                name: "shop.orders.refund".into(),
                started: Some(started),
                acknowledged: false,
                pid: Some(pid),
                redelivered,
            },
        });
    };
    stage.pass(seconds(1));
    run(&mut stage, "w2@stg-4", 41, false);
    stage.pass(seconds(3));
    run(&mut stage, "w1@stg-1", 77, true);
    stage.pass(seconds(1));
    let screen = stage.screen();
    let row = |text: &str| screen.lines().find(|line| line.contains(text));
    let received = row("RECV").expect("received");
    assert!(received.contains("w2@stg-4"), "{screen}");
    let first = row("pid 41").expect("the first start");
    assert!(
        first.contains("RUN") && first.contains("queued"),
        "{screen}"
    );
    let last = row("again on w1@stg-1 pid 77").expect("the last start");
    assert!(last.contains("RUN") && !last.contains("queued"), "{screen}");
}

#[test]
fn a_run_that_its_worker_denies_is_not_shown_as_a_run() {
    let mut stage = running(small());
    stage.pass(seconds(2));
    answered(&mut stage, None);
    stage.pass(Duration::from_millis(100));
    let screen = stage.screen();
    assert!(!screen.contains("had it"), "its end may follow: {screen}");
    stage.pass(seconds(1));
    let screen = stage.screen();
    assert!(screen.contains("running ?"), "{screen}");
    assert!(
        screen.contains("w1@stg-1 had it and has it no longer"),
        "{screen}"
    );
    stage.pass(seconds(8));
    let screen = stage.screen();
    assert!(screen.contains("nobody knows; w1@stg-1 had it"), "{screen}");
}

#[test]
fn names_of_others_in_a_reason_are_shown_and_not_obeyed() {
    let mut stage = called(small());
    let evil = "w2@stg-4";
    let task = HeldTask {
        id: "y".into(),
        name: "\u{1b}[2Jreports\u{202e}".into(),
        started: Some(1.0),
        acknowledged: true,
        pid: None,
        redelivered: false,
    };
    stage.heard(Heard::Answer {
        node: NodeName::from(evil),
        answer: Answer::Active(vec![task.clone(), task]),
        took: Duration::ZERO,
    });
    stage.pass(Duration::from_millis(1_200));
    answered(&mut stage, Some((evil, Place::Reserved)));
    stage.pass(Duration::from_millis(100));
    let screen = stage.screen();
    assert!(screen.contains("is BUSY 2/2"), "{screen}");
    assert!(!screen.contains('\u{1b}') && !screen.contains('\u{202e}'));
}

#[test]
fn that_its_expiry_applies_no_longer_is_said_only_of_a_call_that_has_one() {
    let mut stage = over();
    let screen = stage.screen();
    assert!(screen.contains("It may still finish."), "{screen}");
    assert!(!screen.contains("Expiry"), "{screen}");
    let id = stage.last_id();
    let call = stage.state.shared.calls.get_mut(&id).expect("the call");
    call.signature.options.expires = Some(seconds(60));
    assert!(stage.screen().contains("Expiry no longer applies."));
}
