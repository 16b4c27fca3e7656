//! What Result says and offers of a call that is not back: all of the reasons, and what each key really does to it.

use std::time::Duration;

use umbel::call::Fact;
use umbel::call::diagnosis::Usual;
use umbel::cluster::{Answer, Heard};
use umbel::error::{Error, Kind};
use umbel::protocol::NodeName;
use umbel::protocol::control::{Conf, Place, Stats};
use umbel::protocol::result::State as TaskState;

use crate::again::repeat_the_last;
use crate::diagnosis::{answered, over, seconds};
use crate::looks::{called, look, running, small};
use crate::rules::{says, sent};
use crate::stage::{Stage, result};

/// The words of the screen in one line, without what frames them.
pub fn words(stage: &Stage) -> String {
    let screen = stage.screen();
    let right = screen.lines().map(|line| {
        let inside = line.rsplit('┃').nth(1).unwrap_or(line);
        inside.trim().to_owned()
    });
    right.collect::<Vec<_>>().join(" ")
}

/// The worker that ran it was started again, and nobody has it, after its time is over.
fn restarted(stage: Stage) -> Stage {
    let mut stage = running(stage);
    stage.pass(seconds(9));
    stage.heard(Heard::Answer {
        node: NodeName::from("w1@stg-1"),
        answer: Answer::Stats(Stats {
            pool: Some("prefork".to_owned()),
            slots: Some(8),
            pid: Some(9_001),
            uptime: Some(0),
            ..Stats::default()
        }),
        took: Duration::from_millis(4),
    });
    answered(&mut stage, None);
    stage.pass(seconds(2));
    stage
}

/// A call that its worker runs, and nothing else, after its time is over.
fn healthy() -> Stage {
    let mut stage = called(small());
    stage.pass(seconds(11));
    stage.depth("default", 0, 3);
    answered(&mut stage, Some(("w1@stg-1", Place::Active)));
    stage.pass(Duration::from_millis(400));
    stage
}

#[test]
fn the_words_that_decide_are_not_cut_while_lines_stay_blank() {
    let stage = restarted(small());
    let said = words(&stage);
    assert!(
        said.contains(
            "if it was killed: whether it runs again depends on acks_late, which is not known"
        ),
        "{}",
        stage.screen()
    );
    look("restarted", &stage);
}

#[test]
fn what_does_not_fit_is_marked_and_can_be_scrolled_to() {
    let mut stage = restarted(Stage::new(80, 18).shop());
    let last = "acks_late, which is not known";
    assert!(!words(&stage).contains(last), "{}", stage.screen());
    assert!(says(&stage, "of 9, j k"), "{}", stage.screen());
    assert!(says(&stage, "TIMEOUT  shop.orders.refund"));
    stage.keys("G");
    assert!(words(&stage).contains(last), "{}", stage.screen());
    assert!(
        says(&stage, "TIMEOUT  shop.orders.refund"),
        "the title stays"
    );
    stage.keys("g");
    assert!(says(&stage, "No result within 10s"), "{}", stage.screen());
    stage.keys("j");
    assert!(!says(&stage, "No result within 10s"), "{}", stage.screen());
}

#[test]
fn every_key_that_applies_to_a_call_that_is_over_time_is_offered() {
    let stage = over();
    for line in [
        "+  wait 10s more           0  wait with no limit",
        "X  revoke (it runs already: needs terminate)",
        ".  call again: it may then run twice",
    ] {
        assert!(says(&stage, line), "{line}\n{}", stage.screen());
    }
}

#[test]
fn how_long_its_result_is_kept_is_said_as_its_worker_tells_it() {
    let mut stage = healthy();
    assert!(!says(&stage, "result is kept"), "{}", stage.screen());
    stage.heard(Heard::Answer {
        node: NodeName::from("w1@stg-1"),
        answer: Answer::Conf(Box::new(Conf {
            result_expires: Some(Duration::from_hours(1)),
            ..Conf::default()
        })),
        took: Duration::from_millis(4),
    });
    let said = "its result is kept for 1h from its end on";
    assert!(says(&stage, said), "{}", stage.screen());
    let id = stage.last_id();
    let call = stage.state.shared.calls.get_mut(&id).expect("the call");
    call.signature.options.ignore_result = Some(true);
    assert!(!says(&stage, "result is kept"), "{}", stage.screen());
}

#[test]
fn a_revoke_is_offered_for_what_it_does() {
    let mut nobody = called(small());
    nobody.depth("default", 12, 0);
    nobody.pass(seconds(11));
    answered(&mut nobody, None);
    assert!(says(&nobody, "X  revoke it, if it has not started"));
    // Its worker has gone: what it ran does not go on there.
    let gone = restarted(small());
    assert!(!says(&gone, "runs already"), "{}", gone.screen());
    assert!(
        says(&gone, "X  revoke: who gets it again drops it"),
        "{}",
        gone.screen()
    );
    let mut thread = healthy();
    thread.heard(Heard::Answer {
        node: NodeName::from("w1@stg-1"),
        answer: Answer::Stats(Stats {
            pool: Some("threads".to_owned()),
            slots: Some(8),
            ..Stats::default()
        }),
        took: Duration::from_millis(4),
    });
    assert!(!says(&thread, "needs terminate"), "{}", thread.screen());
    assert!(
        says(&thread, "X  revoke (it runs already, and goes on)"),
        "{}",
        thread.screen()
    );
}

#[test]
fn a_healthy_long_task_is_said_to_simply_run() {
    let mut stage = healthy();
    assert!(
        words(&stage).contains("it simply runs; how long it usually takes is not known"),
        "{}",
        stage.screen()
    );
    let times = (1..=20).map(Duration::from_secs).collect();
    let usual = Usual::of(times).expect("some times");
    let of_task = &mut stage.state.shared.usual;
    of_task.insert("shop.orders.refund".into(), usual);
    assert!(
        words(&stage).contains("it simply runs: usual 10s  p95 19s"),
        "{}",
        stage.screen()
    );
    look("healthy", &stage);
    let times = (1..=20).map(Duration::from_millis).collect();
    let usual = Usual::of(times).expect("some times");
    let of_task = &mut stage.state.shared.usual;
    of_task.insert("shop.orders.refund".into(), usual);
    assert!(
        words(&stage).contains("it runs, slower than 99% of 20 earlier calls"),
        "{}",
        stage.screen()
    );
}

#[test]
fn of_a_call_that_nobody_is_known_to_run_it_is_not_said_that_it_simply_runs() {
    for make in [restarted, called] {
        let stage = make(small());
        assert!(!says(&stage, "simply runs"), "{}", stage.screen());
    }
}

#[test]
fn a_call_whose_outcome_is_unknown_is_not_sent_again_before_it_is_said_that_it_may_run_twice() {
    let mut stage = over();
    stage.effects.clear();
    repeat_the_last(&mut stage);
    assert_eq!(sent(&stage), Vec::<String>::new(), "{}", stage.screen());
    assert!(
        words(&stage).contains("the outcome of c7 a31f09 is unknown: it may then run twice"),
        "{}",
        stage.screen()
    );
    assert!(says(&stage, "F5 again within 5s sends it"));
    stage.pass(seconds(1));
    stage.keys("F5");
    assert_eq!(sent(&stage).len(), 1, "{}", stage.screen());
    // It is nothing that the new call suffers from.
    assert!(
        !words(&stage).contains("may then run twice"),
        "{}",
        stage.screen()
    );
}

#[test]
fn that_it_may_run_twice_is_no_matter_once_its_outcome_is_here_or_it_is_another_call() {
    let mut stage = over();
    let id = stage.last_id();
    stage.effects.clear();
    repeat_the_last(&mut stage);
    assert!(
        words(&stage).contains("may then run twice"),
        "{}",
        stage.screen()
    );
    stage.fact_of(&id, result(&id, TaskState::Success, "1"));
    assert!(
        !words(&stage).contains("may then run twice"),
        "{}",
        stage.screen()
    );
    stage.pass(seconds(1));
    stage.keys("F5");
    assert_eq!(sent(&stage).len(), 1, "{}", stage.screen());
    let mut other = over();
    other.effects.clear();
    repeat_the_last(&mut other);
    other.keys("i 7 Enter Esc");
    assert!(
        !words(&other).contains("may then run twice"),
        "{}",
        other.screen()
    );
}

#[test]
fn a_call_that_is_waited_for_is_called_again_at_one_press() {
    let mut stage = running(small());
    stage.pass(seconds(1));
    stage.effects.clear();
    repeat_the_last(&mut stage);
    assert_eq!(sent(&stage).len(), 1, "{}", stage.screen());
}

#[test]
fn of_a_call_that_may_not_have_been_sent_it_is_said_too() {
    let mut stage = small();
    stage.keys("j Enter order_id=42 Enter F5");
    stage.fact(Fact::Publishing);
    let lost = Error::new(Kind::UnknownDelivery, "the connection broke");
    stage.fact(Fact::Unknown(lost));
    stage.pass(seconds(1));
    stage.effects.clear();
    repeat_the_last(&mut stage);
    assert_eq!(sent(&stage), Vec::<String>::new(), "{}", stage.screen());
}
