//! What is concluded where nobody has it.

use super::*;

#[test]
fn before_anybody_answered_it_says_that_nothing_is_known() {
    let mut world = World::new();
    assert_eq!(
        world.line("not_known", 1_000),
        "nothing is known yet: 0 of 1 workers answered"
    );
    world.fact(Fact::Asked, 1_100);
    world.hear(depth(0, 2), 1_110);
    assert_eq!(
        world.line("not_known", 1_200),
        "nothing is known yet: 0 of 2 workers answered"
    );
}

#[test]
fn lost_only_when_everybody_answered_and_the_queue_is_empty() {
    let mut world = World::new();
    world.hear(depth(0, 1), 2_000);
    assert!(!world.diagnosis(3_000).lost(), "nobody was asked");
    world.denies(2_000);
    let diagnosis = world.diagnosis(3_000);
    assert_eq!(world.kinds(3_000), ["lost"]);
    assert_eq!(
        (diagnosis.now.word(), diagnosis.now.inferred),
        ("LOST?", true)
    );
    let asked = diagnosis.asked.unwrap();
    assert_eq!((asked.replied, asked.of), (1, 1));
    world.hear(depth(0, 2), 2_200);
    assert!(!world.diagnosis(3_000).lost(), "a reader is unheard");
    world.hear(depth(1, 1), 2_300);
    assert!(!world.diagnosis(3_000).lost(), "a message waits");
}

/// A pool of greenlets takes more than it runs, and what waits in it is in no list.
#[rstest]
#[case::full("gevent", 2, "pool_unseen")]
#[case::free("gevent", 3, "lost")]
#[case::another("odd", 2, "pool_unseen")]
#[case::prefork("prefork", 2, "lost")]
fn in_a_full_pool_that_lists_only_what_it_runs_nothing_is_lost(
    #[case] pool: &str,
    #[case] slots: u64,
    #[case] kind: &str,
) {
    let mut world = World::new();
    let stats = Stats {
        pool: Some(pool.to_owned()),
        slots: Some(slots),
        ..Stats::default()
    };
    world.hear(answer(NODE, Answer::Stats(stats)), 5);
    let others = ["y", "z"].map(|id| task(id, "reports.daily", Some(1.0)));
    world.hear(answer(NODE, Answer::Active(others.to_vec())), 5);
    world.hear(depth(0, 1), 2_000);
    world.denies(2_000);
    assert_eq!(world.kinds(3_000), [kind]);
    if kind == "pool_unseen" && pool == "gevent" {
        let told = "perhaps it waits in the pool of w1@h, which runs 2/2 and does not list what waits there";
        assert_eq!(world.line(kind, 3_000), told);
    }
}

/// RabbitMQ's management API tells numbers that are seconds old.
#[test]
fn that_nothing_was_held_before_it_was_taken_is_no_trace_of_it() {
    let mut world = World::new();
    world.hear(held(Held::Queue(0), Duration::from_secs(7)), 2_000);
    world.denies(2_000);
    assert_eq!(world.kinds(3_000), ["not_known"]);
    world.hear(held(Held::Queue(0), Duration::ZERO), 3_100);
    assert!(world.diagnosis(3_200).lost());
    world.hear(held(Held::Queue(1), Duration::ZERO), 3_300);
    assert!(!world.diagnosis(3_400).lost());
}

#[test]
fn nothing_is_lost_while_a_reader_has_not_told_its_limits_as_they_are_now() {
    let mut world = World::new();
    world.hear(depth(0, 1), 2_000);
    world.denies(2_000);
    let reach = Reach::Somebody;
    world.joins("w2@h", "celery", &["shop.refund"]);
    let asked = Heard::Asked {
        question: Question::Registered,
        reach,
    };
    world.hear(asked, 1_000);
    for looked in [Looked::Tasks, Looked::Scheduled] {
        let node = "w2@h".into();
        let asked = at(2_000).mono;
        world.fact(
            Fact::Answered {
                node,
                looked,
                held: false,
                asked,
            },
            2_010,
        );
    }
    let mut active = answer("w2@h", Answer::Active(vec![]));
    if let Heard::Answer { took, .. } = &mut active {
        *took = Duration::ZERO;
    }
    world.hear(active, 2_010);
    assert_eq!(world.kinds(3_000), ["not_known"]);
    world.hear(answer("w2@h", limit("None")), 2_020);
    assert!(world.diagnosis(3_000).lost());
}

/// Before the queue was found empty it may have waited there, and may have been taken after that by who had just denied it.
#[test]
fn who_denied_it_while_it_waited_may_have_taken_it_when_its_queue_was_found_empty() {
    let mut world = World::new();
    world.hear(answer(NODE, limit("10/m")), 5);
    world.hear(depth(1, 1), 1_500);
    world.denies(2_000);
    world.hear(depth(0, 1), 2_100);
    assert_eq!(world.kinds(3_000), ["not_known"]);
    world.hear(depth(0, 1), 4_000);
    world.denies(3_900);
    assert_eq!(world.kinds(4_100), ["rate_limited"]);
    world.hear(answer(NODE, limit("None")), 4_100);
    assert!(world.diagnosis(4_200).lost());
}

#[test]
fn a_look_that_began_before_it_was_published_does_not_find_its_queue_empty() {
    let mut world = World::new();
    let Heard::Depth { queue, depth, .. } = depth(0, 1) else {
        unreachable!()
    };
    let took = Duration::from_millis(1_996);
    world.hear(Heard::Depth { queue, depth, took }, 2_000);
    world.denies(2_000);
    assert_eq!(world.kinds(3_000), ["not_known"]);
}

#[test]
fn an_answer_from_before_the_last_round_does_not_make_a_call_lost() {
    let mut world = World::new();
    world.denies(2_000);
    world.fact(Fact::Asked, 4_000);
    world.hear(depth(0, 1), 4_100);
    assert_eq!(world.kinds(4_200), ["not_known"]);
    assert_eq!(world.diagnosis(4_200).asked.unwrap().replied, 0);
}
