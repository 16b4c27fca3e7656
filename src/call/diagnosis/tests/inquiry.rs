//! When everybody is asked, and what counts as an answer.

use super::*;

/// A worker that was started again answers the question for the call that is asked every second, not that of the round.
#[test]
fn who_answers_a_later_question_did_not_answer_the_one_that_went_to_everybody() {
    let mut world = World::new();
    world.fact(Fact::Asked, 2_000);
    let answered = |asked| Fact::Answered {
        node: NODE.into(),
        looked: Looked::Tasks,
        held: false,
        asked: at(asked).mono,
    };
    world.fact(answered(1_900), 2_050);
    let asked = world.diagnosis(2_100).asked.unwrap();
    assert_eq!((asked.replied, asked.of), (0, 1), "to an earlier question");
    assert_eq!(asked.ago, Duration::from_millis(100));
    world.fact(answered(20_000), 20_010);
    let asked = world.diagnosis(21_000).asked.unwrap();
    assert_eq!((asked.replied, asked.ago), (1, Duration::from_secs(1)));
}

#[test]
fn everybody_is_asked_when_it_looks_stuck_then_less_and_less_often_and_at_once_when_its_time_is_over()
 {
    let mut world = World::new();
    let mut asked = Vec::new();
    for ms in (0..60_000).step_by(100) {
        world.call.tick(at(ms));
        if world.call.wants_inquiry(at(ms)) {
            world.call.inquiry.wanted(at(ms));
            asked.push(ms);
        }
    }
    assert!(matches!(world.call.waiting, Waiting::TimedOut(_)));
    assert_eq!(asked, [1_100, 3_100, 7_100, 10_100, 26_100, 56_100]);
}

/// What was told before a step is over with it: however long the pause has grown, the next question follows the step.
#[test]
fn everybody_is_asked_anew_a_second_after_a_step_and_after_its_time_has_come() {
    let mut world = World::new();
    let mut asked = Vec::new();
    for ms in (0..60_000).step_by(100) {
        match ms {
            20_000 | 20_200 => world.fact(result(State::Started), ms),
            20_300 => world.fact(result(State::Retry), ms),
            21_100 => world.fact(Fact::Eta(at(35_000).wall), ms),
            _ => {}
        }
        if world.call.wants_inquiry(at(ms)) {
            world.call.inquiry.wanted(at(ms));
            asked.push(ms);
        }
    }
    assert_eq!(asked, [1_100, 3_100, 7_100, 15_100, 21_000, 36_000]);
}

#[test]
fn a_call_that_ended_is_not_asked_about() {
    let mut world = World::new();
    world.fact(result(State::Success), 500);
    assert!(!world.call.wants_inquiry(at(20_000)));
    assert_eq!(world.kinds(20_000), [""; 0]);
}

#[test]
fn what_left_the_list_of_its_worker_is_asked_about_without_the_long_pause() {
    let mut world = World::new();
    world.seen(At::Active, 1_000);
    for ms in [2_000, 4_000, 8_000, 16_000] {
        world.call.inquiry.wanted(at(ms));
    }
    assert!(!world.call.wants_inquiry(at(19_000)), "it is a long pause");
    let denies = |looked, ms| Fact::Answered {
        node: NODE.into(),
        looked,
        held: false,
        asked: at(ms).mono,
    };
    world.fact(denies(Looked::Tasks, 18_500), 18_510);
    assert!(world.call.wants_inquiry(at(19_000)));
    world.fact(denies(Looked::Scheduled, 19_010), 19_020);
    assert!(!world.call.wants_inquiry(at(22_000)), "it has told all");
}

/// An older worker has it in that list alone.
#[test]
fn what_waits_for_its_time_is_asked_about_no_oftener() {
    let mut world = World::new();
    let answers = |looked, held, ms| Fact::Answered {
        node: NODE.into(),
        looked,
        held,
        asked: at(ms).mono,
    };
    world.fact(answers(Looked::Scheduled, true, 1_000), 1_010);
    world.seen(At::Scheduled, 1_010);
    for ms in [2_000, 4_000, 8_000, 16_000] {
        world.call.inquiry.wanted(at(ms));
    }
    world.fact(answers(Looked::Tasks, false, 18_500), 18_510);
    assert!(!world.call.wants_inquiry(at(19_000)));
}
