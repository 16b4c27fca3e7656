//! Who reads its queue, and has its task.

use super::*;

#[test]
fn a_queue_without_a_reader_is_told_with_what_waits_in_it() {
    let mut world = World::new();
    world.hear(depth(3, 0), 20);
    assert_eq!(world.kinds(1_000), ["no_consumer"]);
    assert_eq!(
        world.line("no_consumer", 1_000),
        "nobody reads queue celery: 3 waiting"
    );
    let next = world.diagnosis(1_000).next;
    assert_eq!(next[0].kind(), "start_worker");
}

/// Workers keep in their memory what is revoked: where none listens there is nobody to tell.
#[rstest]
#[case(Reach::Nobody, false)]
#[case(Reach::Listeners(0), false)]
#[case(Reach::Somebody, true)]
fn to_revoke_is_advised_where_somebody_hears_it(#[case] reach: Reach, #[case] advised: bool) {
    let mut world = World::new();
    world.cluster = Cluster::default();
    let question = Question::Registered;
    world.hear(Heard::Asked { question, reach }, 2);
    world.hear(depth(1, 0), 20);
    let next = world.diagnosis(1_000).next;
    let revokes = next.iter().any(|it| it.kind() == "revoke");
    assert_eq!(revokes, advised, "{next:?}");
}

#[test]
fn to_revoke_is_not_advised_once_all_workers_are_gone() {
    let mut world = World::new();
    let revokes = |world: &World, ms: u64| {
        let next = world.diagnosis(ms).next;
        next.iter().any(|it| it.kind() == "revoke")
    };
    world.hear(depth(1, 1), 20);
    world.silent(500, 5_000);
    assert!(
        revokes(&world, 5_000),
        "it may be frozen, and hear it later"
    );
    world.hear(depth(1, 0), 5_100);
    assert!(!revokes(&world, 5_200));
}

#[test]
fn on_redis_nobody_reads_it_when_all_who_hear_answered_and_read_others() {
    let mut world = World::new();
    world.call.queue = Some("mail".into());
    let depth = Depth::Known {
        ready: 2,
        held: Held::AllQueues(0),
        held_ago: Duration::ZERO,
        rates: None,
        consumers: None,
    };
    world.hear(
        Heard::Depth {
            queue: "mail".into(),
            depth: Ok(depth),
            took: Duration::ZERO,
        },
        20,
    );
    let asked = |listeners| Heard::Asked {
        question: Question::Registered,
        reach: Reach::Listeners(listeners),
    };
    world.hear(asked(2), 30);
    assert!(
        !world.kinds(1_000).contains(&"no_consumer"),
        "one did not answer"
    );
    world.hear(asked(1), 40);
    assert_eq!(world.kinds(1_000), ["no_consumer"]);
}

#[test]
fn a_task_that_no_reader_has_is_told_with_where_it_is() {
    let mut world = World::new();
    world.hear(answer(NODE, Answer::Tasks(vec!["other".into()])), 2);
    world.joins("w2@h", "mail", &["shop.refund"]);
    world.hear(depth(1, 2), 20);
    assert!(
        !world.kinds(1_000).contains(&"not_registered"),
        "a reader is unheard"
    );
    world.hear(depth(1, 1), 30);
    assert_eq!(
        world.line("not_registered", 1_000),
        "the one worker that reads celery does not have shop.refund; w2@h (reads mail) has it"
    );
    let next = &world.diagnosis(1_000).next[0];
    assert_eq!(next.line(), "send it to mail, whose readers have the task");
}

/// One reader has it, the other took the message and answered `NotRegistered`.
#[test]
fn readers_that_have_a_task_are_told_apart_from_those_that_lack_it() {
    let mut world = World::new();
    world.joins("w2@h", "celery", &["other"]);
    world.hear(depth(0, 2), 20);
    let mut fact = result(State::Failure);
    if let Fact::Result(result) = &mut fact {
        result.exception = Some(crate::protocol::result::Exception {
            kind: "NotRegistered".to_owned(),
            module: None,
            args: vec!["shop.refund".into()],
        });
    }
    world.fact(fact, 500);
    assert_eq!(world.call.state(), CallState::NoTask);
    assert_eq!(
        world.line("not_registered", 1_000),
        "1 of the 2 workers that read celery does not have shop.refund; w1@h (reads celery) has it"
    );
    let next = world.diagnosis(1_000).next;
    assert!(next.iter().all(|it| it.kind() != "other_queue"), "{next:?}");
}

#[test]
fn a_look_at_the_queue_from_before_the_call_says_nothing_of_it() {
    let mut world = World::new();
    world.hear(depth(12, 1), 3);
    assert_eq!(world.kinds(1_000), ["not_known"]);
}

/// It was acknowledged by the only worker, which was killed.
#[test]
fn that_nobody_reads_a_queue_it_is_no_longer_in_is_no_reason() {
    let mut world = World::new();
    world.hear(depth(0, 0), 2_000);
    assert_eq!(world.kinds(3_000), ["not_known"]);
}
