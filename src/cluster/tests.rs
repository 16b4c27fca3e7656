//! The fold of what is heard. No IO, no async.

use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::broker::Held;

fn at(seconds: u64) -> Now {
    Now::fixed(Duration::from_secs(seconds))
}

fn answer(node: &str, answer: Answer) -> Heard {
    Heard::Answer {
        node: node.into(),
        answer,
        took: Duration::from_millis(3),
    }
}

fn reads(queue: &str) -> Answer {
    Answer::Queues(vec![ConsumedQueue {
        name: queue.into(),
        exchange: queue.to_owned(),
        routing_key: queue.to_owned(),
        ..ConsumedQueue::default()
    }])
}

fn depth(queue: &str, ready: u64, consumers: u64) -> Heard {
    Heard::Depth {
        queue: queue.into(),
        took: Duration::ZERO,
        depth: Ok(Depth::Known {
            ready,
            held: Held::Unknown,
            held_ago: Duration::ZERO,
            rates: None,
            consumers: Some(consumers),
        }),
    }
}

fn task(id: &str) -> HeldTask {
    HeldTask {
        id: id.into(),
        name: "t".into(),
        started: None,
        acknowledged: true,
        pid: None,
        redelivered: false,
    }
}

fn slots(slots: u64) -> Answer {
    Answer::Stats(Stats {
        slots: Some(slots),
        pool: Some("prefork".into()),
        ..Stats::default()
    })
}

fn ping() -> Heard {
    Heard::Asked {
        question: Question::Ping,
        reach: Reach::Somebody,
    }
}

fn state(cluster: &Cluster, node: &str) -> WorkerState {
    cluster.workers[&NodeName::from(node)].state()
}

#[test]
fn a_worker_with_all_slots_active_is_busy_and_says_so() {
    let mut cluster = Cluster::default();
    cluster.apply(answer("w1", slots(2)), at(0));
    cluster.apply(answer("w1", Answer::Active(vec![task("a")])), at(0));
    assert_eq!(state(&cluster, "w1"), WorkerState::Ok);
    cluster.apply(
        answer("w1", Answer::Active(vec![task("a"), task("b")])),
        at(1),
    );
    assert_eq!(state(&cluster, "w1"), WorkerState::Busy);
    assert_eq!(
        cluster.workers[&NodeName::from("w1")].evidence(),
        "2/2 slots active"
    );
}

#[test]
fn a_worker_that_does_not_answer_a_ping_within_2_s_is_silent_until_it_does() {
    let mut cluster = Cluster::default();
    cluster.apply(answer("w1", Answer::Pong), at(0));
    cluster.apply(ping(), at(10));
    assert!(!cluster.tick(at(11)));
    assert!(cluster.tick(at(12)));
    assert_eq!(state(&cluster, "w1"), WorkerState::Silent);
    assert!(!cluster.tick(at(13)), "nothing more changes");
    cluster.apply(answer("w1", Answer::Pong), at(14));
    assert_eq!(state(&cluster, "w1"), WorkerState::Ok);
}

#[test]
fn nobody_becomes_silent_while_the_broker_is_down() {
    let mut cluster = Cluster::default();
    cluster.apply(answer("w1", Answer::Pong), at(0));
    cluster.apply(ping(), at(1));
    cluster.apply(Heard::Lost, at(2));
    assert!(!cluster.tick(at(60)));
    cluster.apply(Heard::Back, at(61));
    assert!(
        !cluster.tick(at(62)),
        "the old question is not held against it"
    );
}

#[test]
fn the_same_answer_again_changes_nothing_that_can_be_seen() {
    let mut cluster = Cluster::default();
    assert!(cluster.apply(answer("w1", Answer::Pong), at(0)));
    assert!(!cluster.apply(answer("w1", Answer::Pong), at(10)));
    assert!(cluster.apply(depth("celery", 0, 1), at(10)));
    assert!(!cluster.apply(depth("celery", 0, 1), at(11)));
    assert!(cluster.apply(depth("celery", 1, 1), at(12)));
}

#[test]
fn what_is_not_known_of_a_queue_is_none_and_says_why() {
    let mut cluster = Cluster::default();
    cluster.apply(depth("mail", 7, 1), at(0));
    cluster.apply(
        Heard::Depth {
            queue: "mail".into(),
            depth: Err("broken".into()),
            took: Duration::ZERO,
        },
        at(1),
    );
    let queue = &cluster.queues[&QueueName::from("mail")];
    assert_eq!(
        (
            queue.ready,
            queue.consumers,
            queue.unknown_because.as_deref()
        ),
        (None, None, Some("broken"))
    );
}

#[rstest]
#[case(&[5, 5, 5], 1, QueueTrouble::Fine)]
#[case(&[0], 0, QueueTrouble::NoConsumer)]
#[case(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], 1, QueueTrouble::Growing)]
#[case(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 5], 1, QueueTrouble::Fine)]
#[case(&[4; 40], 1, QueueTrouble::Stuck)]
#[case(&[0; 40], 1, QueueTrouble::Fine)]
fn a_queues_trouble_is_told_by_what_was_seen_of_it(
    #[case] readies: &[u64],
    #[case] consumers: u64,
    #[case] trouble: QueueTrouble,
) {
    let mut cluster = Cluster::default();
    for (second, ready) in readies.iter().enumerate() {
        cluster.apply(depth("q", *ready, consumers), at(second as u64));
    }
    assert_eq!(cluster.queues[&QueueName::from("q")].trouble(), trouble);
}

#[test]
fn consumers_that_no_answer_accounts_for_are_counted() {
    let mut cluster = Cluster::default();
    cluster.apply(answer("w1", reads("celery")), at(0));
    assert_eq!(cluster.unaccounted(), None, "the broker has not told yet");
    cluster.apply(depth("celery", 0, 3), at(0));
    assert_eq!(cluster.unaccounted(), Some(2));
}

#[test]
fn a_silent_worker_is_told_apart_and_never_counted_as_not_registered() {
    let mut cluster = Cluster::default();
    for node in ["w1", "w2"] {
        cluster.apply(answer(node, Answer::Tasks(vec!["a".into()])), at(0));
    }
    cluster.apply(ping(), at(1));
    cluster.apply(answer("w1", Answer::Pong), at(1));
    cluster.tick(at(5));
    let row = cluster.task(&"a".into()).unwrap();
    assert_eq!(
        (row.workers, row.silent),
        (vec!["w1".into()], vec!["w2".into()])
    );
    assert_eq!(cluster.told_tasks(), 1);
}

#[test]
fn the_backend_is_told_by_the_report_first_and_by_conf_else() {
    let mut cluster = Cluster::default();
    let conf = Conf {
        result_backend: Some("rpc://".into()),
        ..Conf::default()
    };
    cluster.apply(answer("w2", Answer::Conf(Box::new(conf))), at(0));
    assert_eq!(cluster.result_backend(), Some("rpc://"));
    // A worker's environment wins over its settings, and only the report shows it.
    let report = Report {
        results: Some("redis://h/1".into()),
        ..Report::default()
    };
    cluster.apply(answer("w1", Answer::Report(report)), at(0));
    assert_eq!(cluster.result_backend(), Some("redis://h/1"));
}

#[test]
fn trouble_comes_first() {
    let mut cluster = Cluster::default();
    cluster.apply(depth("a", 0, 1), at(0));
    cluster.apply(depth("z", 0, 0), at(0));
    let names: Vec<&str> = cluster
        .queues_by_trouble()
        .iter()
        .map(|queue| queue.name.as_str())
        .collect();
    assert_eq!(names, ["z", "a"]);
}

#[test]
fn a_ping_around_a_limit_does_not_flicker() {
    let mut cluster = Cluster::default();
    let pong = |ms| Heard::Answer {
        node: "w1".into(),
        answer: Answer::Pong,
        took: Duration::from_millis(ms),
    };
    cluster.apply(pong(8), at(0));
    for (second, ms) in [12, 8, 14, 9, 11, 13, 15, 12].into_iter().enumerate() {
        assert!(!cluster.apply(pong(ms), at(second as u64)), "{ms} ms");
    }
    let slow: Vec<bool> = (0..5)
        .map(|second| cluster.apply(pong(80), at(20 + second)))
        .collect();
    assert_eq!(
        slow.iter().filter(|changed| **changed).count(),
        1,
        "it is told once"
    );
}

#[test]
fn counters_that_only_grow_draw_nothing() {
    let mut cluster = Cluster::default();
    let stats = |uptime| {
        answer(
            "w1",
            Answer::Stats(Stats {
                slots: Some(2),
                uptime: Some(uptime),
                ..Stats::default()
            }),
        )
    };
    assert!(cluster.apply(stats(1), at(0)));
    assert!(!cluster.apply(stats(6), at(5)));
}

#[test]
fn a_queue_without_a_count_of_consumers_is_unread_when_all_who_heard_say_so() {
    let mut cluster = Cluster::default();
    let depth = |ready| Heard::Depth {
        queue: "lonely".into(),
        took: Duration::ZERO,
        depth: Ok(Depth::Known {
            ready,
            held: crate::broker::Held::AllQueues(12_345),
            held_ago: Duration::ZERO,
            rates: None,
            consumers: None,
        }),
    };
    let asked = |listeners| Heard::Asked {
        question: Question::Registered,
        reach: Reach::Listeners(listeners),
    };
    let trouble = |cluster: &Cluster| cluster.queues[&QueueName::from("lonely")].trouble();
    cluster.apply(depth(1), at(0));
    cluster.apply(asked(2), at(0));
    cluster.apply(answer("w1", Answer::Queues(vec![])), at(1));
    assert_eq!(trouble(&cluster), QueueTrouble::Fine, "one is silent");
    assert!(cluster.apply(asked(1), at(2)));
    assert_eq!(trouble(&cluster), QueueTrouble::NoConsumer);
    cluster.apply(depth(0), at(3));
    assert_eq!(trouble(&cluster), QueueTrouble::Fine, "nothing waits");
    cluster.apply(depth(1), at(4));
    cluster.apply(asked(0), at(5));
    assert_eq!(trouble(&cluster), QueueTrouble::Fine, "nobody heard it");
}

/// Counts the tasks as the index should have them, from the workers alone.
fn counted(cluster: &Cluster) -> Vec<(TaskName, Registered)> {
    let mut counts = std::collections::BTreeMap::<TaskName, Registered>::new();
    for worker in cluster.workers.values() {
        for name in worker.tasks.iter().flatten() {
            let count = counts.entry(name.clone()).or_default();
            match worker.state() {
                WorkerState::Silent => count.silent += 1,
                _ => count.answering += 1,
            }
        }
    }
    counts.into_iter().collect()
}

fn index(cluster: &Cluster) -> Vec<(TaskName, Registered)> {
    let entries = cluster.index.iter();
    entries.map(|(name, count)| (name.clone(), count)).collect()
}

proptest! {
    #[test]
    fn the_index_is_what_the_workers_together_told(
        steps in prop::collection::vec((0..4_u8, 0..4_u8, 0..16_u8), 0..60),
    ) {
        let mut cluster = Cluster::default();
        for (second, (what, worker, tasks)) in (0..).zip(steps) {
            let node = format!("w{worker}");
            let names = (0..4).filter(|bit| tasks >> bit & 1 == 1);
            let names = names.map(|bit| TaskName(format!("t{bit}"))).collect();
            let now = at(second * 400);
            let before = (index(&cluster), cluster.told_tasks(), cluster.index.generation());
            match what {
                0 => cluster.apply(answer(&node, Answer::Tasks(names)), now),
                1 => cluster.apply(answer(&node, Answer::Pong), now),
                2 => cluster.apply(ping(), now),
                _ => cluster.tick(now) | cluster.forget_gone(now, |_| false),
            };
            prop_assert_eq!(index(&cluster), counted(&cluster));
            let same = (index(&cluster), cluster.told_tasks()) == (before.0, before.1);
            prop_assert!(same || cluster.index.generation() != before.2, "what a list shows changed in silence");
        }
    }
}

/// A cluster in which `w1` has been SILENT since the first second, and `w2` answers.
fn one_silent() -> Cluster {
    let mut cluster = Cluster::default();
    for node in ["w1", "w2"] {
        cluster.apply(answer(node, reads("celery")), at(0));
        cluster.apply(answer(node, Answer::Tasks(vec!["a".into()])), at(0));
    }
    cluster.apply(answer("w1", reads("w1.dq2")), at(0));
    cluster.apply(ping(), at(1));
    cluster.apply(answer("w2", Answer::Pong), at(1));
    cluster.tick(at(4));
    assert_eq!(state(&cluster, "w1"), WorkerState::Silent);
    cluster
}

fn missing(queue: &str) -> Heard {
    Heard::Depth {
        queue: queue.into(),
        depth: Ok(Depth::Missing),
        took: Duration::ZERO,
    }
}

#[test]
fn a_worker_whose_queues_have_no_consumer_of_its_own_is_forgotten_after_15_minutes() {
    let mut cluster = one_silent();
    cluster.apply(missing("w1.dq2"), at(5));
    assert!(!cluster.forget_gone(at(14 * 60), |_| false));
    assert!(cluster.forget_gone(at(15 * 60), |_| false));
    assert!(!cluster.workers.contains_key(&NodeName::from("w1")));
    assert!(!cluster.queues.contains_key(&QueueName::from("w1.dq2")));
    let count = Registered {
        answering: 1,
        silent: 0,
    };
    assert_eq!(cluster.index.get(&"a".into()), Some(count));
}

#[test]
fn a_silent_worker_that_may_still_be_there_is_kept_for_a_day() {
    let mut cluster = one_silent();
    cluster.apply(depth("w1.dq2", 0, 1), at(5));
    assert!(
        !cluster.forget_gone(at(60 * 60), |_| false),
        "it may be in the middle of a long task"
    );
    assert!(cluster.forget_gone(at(24 * 60 * 60), |_| false));
}

#[test]
fn a_worker_that_a_call_is_at_is_kept() {
    let mut cluster = one_silent();
    cluster.apply(missing("w1.dq2"), at(5));
    assert!(!cluster.forget_gone(at(48 * 60 * 60), |node| node.as_str() == "w1"));
}

#[test]
fn while_the_broker_is_away_nobody_is_forgotten() {
    let mut cluster = one_silent();
    cluster.apply(missing("w1.dq2"), at(5));
    cluster.apply(Heard::Lost, at(6));
    assert!(!cluster.forget_gone(at(48 * 60 * 60), |_| false));
}

#[test]
fn where_the_listeners_are_counted_the_count_is_the_proof() {
    let mut cluster = one_silent();
    let asked = |listeners| Heard::Asked {
        question: Question::Registered,
        reach: Reach::Listeners(listeners),
    };
    cluster.apply(asked(2), at(5));
    assert!(!cluster.forget_gone(at(60 * 60), |_| false));
    cluster.apply(asked(1), at(6));
    assert!(cluster.forget_gone(at(60 * 60), |_| false));
}

#[test]
fn a_silent_worker_is_gone_once_nobody_hears_a_ping_any_longer() {
    let mut cluster = one_silent();
    let worker = cluster.workers.values().next().expect("one").clone();
    let asked = Heard::Asked {
        question: Question::Registered,
        reach: Reach::Listeners(2),
    };
    cluster.apply(asked, at(5));
    assert!(!cluster.proved_gone(&worker, at(5)));
    for (reach, gone) in [
        (Reach::Somebody, false),
        (Reach::Nobody, true),
        (Reach::Listeners(2), false),
        (Reach::Listeners(1), true),
    ] {
        cluster.apply(Heard::Reached(reach), at(6));
        assert_eq!(cluster.proved_gone(&worker, at(6)), gone, "{reach:?}");
    }
}

/// We are back at a broker that was started again before its workers are.
#[test]
fn right_after_the_broker_came_back_nobody_is_gone() {
    let mut cluster = one_silent();
    let worker = cluster.workers.values().next().expect("one").clone();
    let asked = Heard::Asked {
        question: Question::Registered,
        reach: Reach::Nobody,
    };
    cluster.apply(asked, at(5));
    assert!(cluster.proved_gone(&worker, at(5)));
    cluster.apply(Heard::Lost, at(6));
    cluster.apply(Heard::Back, at(10));
    assert!(!cluster.proved_gone(&worker, at(39)));
    assert!(cluster.proved_gone(&worker, at(40)));
}

#[test]
fn when_a_consumer_goes_its_workers_are_in_doubt_until_they_are_heard() {
    let mut cluster = Cluster::default();
    for node in ["w1", "w2", "w3"] {
        let queue = if node == "w3" { "mail" } else { "celery" };
        cluster.apply(answer(node, reads(queue)), at(1));
        let tasks = Answer::Tasks(vec!["shop.add".into()]);
        cluster.apply(answer(node, tasks), at(1));
    }
    cluster.apply(depth("celery", 0, 2), at(1));
    cluster.apply(depth("celery", 0, 1), at(2));
    assert!(cluster.wants_ping());
    let doubted = |cluster: &Cluster| {
        let workers = cluster.workers.values().filter(|it| it.in_doubt());
        workers.map(|it| it.name.to_string()).collect::<Vec<_>>()
    };
    assert!(doubted(&cluster).is_empty(), "it is not shown at once");
    cluster.apply(ping(), at(2));
    assert!(!cluster.wants_ping(), "they are asked already");
    cluster.apply(answer("w1", Answer::Pong), at(3));
    assert!(cluster.tick(at(3)));
    assert_eq!(doubted(&cluster), ["w2"]);
    assert_eq!(state(&cluster, "w2"), WorkerState::Ok);
    assert_eq!(index(&cluster), counted(&cluster));
    assert!(cluster.tick(at(4)));
    assert_eq!(state(&cluster, "w2"), WorkerState::Silent);
    assert!(doubted(&cluster).is_empty(), "no doubt is left");
    cluster.apply(answer("w2", Answer::Pong), at(5));
    assert!(doubted(&cluster).is_empty());
}

#[test]
fn a_consumer_that_no_answering_worker_was_raises_no_doubt() {
    let mut cluster = Cluster::default();
    cluster.apply(answer("w1", reads("celery")), at(1));
    cluster.apply(depth("celery", 0, 2), at(1));
    cluster.apply(depth("celery", 0, 1), at(2));
    assert!(!cluster.wants_ping());
}

#[test]
fn where_the_listeners_are_counted_one_that_goes_raises_doubt() {
    let mut cluster = Cluster::default();
    let reach = Reach::Listeners(2);
    let question = Question::Registered;
    cluster.apply(Heard::Asked { question, reach }, at(1));
    cluster.apply(answer("w1", reads("celery")), at(1));
    cluster.apply(answer("w2", reads("celery")), at(1));
    cluster.apply(Heard::Reached(Reach::Listeners(2)), at(2));
    assert!(!cluster.wants_ping());
    cluster.apply(Heard::Reached(Reach::Listeners(1)), at(3));
    assert!(cluster.wants_ping());
}
