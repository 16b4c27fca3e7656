//! Every rule on made-up facts, and that their order does not matter.

use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::broker::{Depth, Held, Reach};
use crate::call::{Fact, Waiting};
use crate::cluster::{Answer, Heard, Question};
use crate::protocol::control::{ConsumedQueue, HeldTask, Place as At, Report, Stats};
use crate::protocol::message::{Options, Start};
use crate::protocol::{Json, Signature, State, TaskResult};

const NODE: &str = "w1@h";

fn at(ms: u64) -> Now {
    Now::fixed(Duration::from_millis(ms))
}

/// A call of `shop.refund`, confirmed at 10 ms, with what is known beside it.
struct World {
    call: Call,
    cluster: Cluster,
    broker: Way,
    backend: Way,
    results: Results,
    usual: Option<Usual>,
}

fn task(id: &str, name: &str, started: Option<f64>) -> HeldTask {
    HeldTask {
        id: id.into(),
        name: name.into(),
        started,
        acknowledged: started.is_some(),
        pid: started.map(|_| 7),
        redelivered: false,
    }
}

fn depth(ready: u64, consumers: u64) -> Heard {
    let depth = Depth::Known {
        ready,
        held: Held::Unknown,
        held_ago: Duration::ZERO,
        rates: None,
        consumers: Some(consumers),
    };
    Heard::Depth {
        queue: "celery".into(),
        depth: Ok(depth),
        took: Duration::ZERO,
    }
}

fn answer(node: &str, answer: Answer) -> Heard {
    Heard::Answer {
        node: node.into(),
        answer,
        took: Duration::from_millis(1),
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

fn limit(value: &str) -> Answer {
    Answer::Item {
        item: "rate_limit".to_owned(),
        values: vec![("shop.refund".into(), value.to_owned())],
    }
}

impl World {
    /// One worker that reads the queue and has the task; nobody has told of the call.
    fn new() -> Self {
        let signature = Signature {
            task: "shop.refund".into(),
            id: "x".into(),
            args: vec![],
            kwargs: vec![],
            options: Options::default(),
        };
        let mut call = Call::new(signature, Duration::from_secs(10), at(0));
        call.queue = Some("celery".into());
        call.apply(Fact::Publishing, at(5));
        call.apply(Fact::Confirmed, at(10));
        let mut world = Self {
            call,
            cluster: Cluster::default(),
            broker: Way::Up,
            backend: Way::Up,
            results: Results::Rpc,
            usual: None,
        };
        world.joins(NODE, "celery", &["shop.refund"]);
        world
    }

    fn joins(&mut self, node: &str, queue: &str, tasks: &[&str]) {
        let tasks = tasks.iter().map(|task| (*task).into()).collect();
        self.hear(answer(node, reads(queue)), 1);
        self.hear(answer(node, Answer::Tasks(tasks)), 1);
        self.hear(answer(node, Answer::Active(vec![])), 1);
        self.hear(answer(node, Answer::Reserved(vec![])), 1);
    }

    fn hear(&mut self, heard: Heard, ms: u64) {
        self.cluster.apply(heard, at(ms));
    }

    fn fact(&mut self, fact: Fact, ms: u64) {
        self.call.apply(fact, at(ms));
    }

    /// A whole round at this time: the worker answers that it does not have it, and what else it is asked as before.
    fn denies(&mut self, ms: u64) {
        self.fact(Fact::Asked, ms);
        let worker = &self.cluster.workers[&NodeName::from(NODE)];
        let active = worker.active.clone().unwrap_or_default();
        let limits = worker.items.get("rate_limit").cloned().unwrap_or_default();
        let limits = Answer::Item {
            item: "rate_limit".to_owned(),
            values: limits.into_iter().collect(),
        };
        for told in [Answer::Active(active), limits] {
            let mut heard = answer(NODE, told);
            if let Heard::Answer { took, .. } = &mut heard {
                *took = Duration::ZERO;
            }
            self.hear(heard, ms);
        }
        for looked in [Looked::Tasks, Looked::Scheduled] {
            self.fact(
                Fact::Answered {
                    node: NODE.into(),
                    looked,
                    held: false,
                    asked: at(ms).mono,
                },
                ms,
            );
        }
    }

    fn seen(&mut self, place: At, ms: u64) {
        let started = (place == At::Active).then(|| ms as f64 / 1000.0);
        self.fact(
            Fact::Seen {
                place,
                node: NODE.into(),
                task: task("x", "shop.refund", started),
            },
            ms,
        );
    }

    fn busy(&mut self, ms: u64) {
        let stats = Stats {
            slots: Some(1),
            ..Stats::default()
        };
        self.hear(answer(NODE, Answer::Stats(stats)), ms);
        let other = task("y", "reports.daily", Some(1.0));
        self.hear(answer(NODE, Answer::Active(vec![other])), ms);
    }

    fn silent(&mut self, asked: u64, now: u64) {
        let reach = Reach::Somebody;
        let question = Question::Ping;
        self.hear(Heard::Asked { question, reach }, asked);
        self.cluster.tick(at(now));
    }

    fn diagnosis(&self, ms: u64) -> Diagnosis {
        let scene = Scene {
            cluster: &self.cluster,
            broker: &self.broker,
            backend: &self.backend,
            results: &self.results,
            usual: self.usual,
        };
        diagnose(&self.call, &scene, at(ms))
    }

    fn kinds(&self, ms: u64) -> Vec<&'static str> {
        self.diagnosis(ms).why.iter().map(Verdict::kind).collect()
    }

    #[track_caller]
    fn line(&self, kind: &str, ms: u64) -> String {
        let diagnosis = self.diagnosis(ms);
        let found = diagnosis.why.iter().find(|it| it.kind() == kind);
        found
            .unwrap_or_else(|| panic!("no {kind}: {diagnosis:?}"))
            .line()
    }
}

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
fn the_broker_comes_first_and_hides_what_silence_seems_to_say() {
    let mut world = World::new();
    world.hear(depth(3, 0), 20);
    world.broker = Way::Down {
        since: at(100),
        reason: "connection refused".to_owned(),
        retry_at: Some(at(7_000)),
    };
    assert_eq!(world.kinds(5_000), ["broker_down"]);
    assert_eq!(
        world.line("broker_down", 5_000),
        "the broker is down for 4.9s, next try in 2.0s: connection refused"
    );
    world.broker = Way::Blocked("low on memory".to_owned());
    assert_eq!(world.kinds(5_000), ["publishers_blocked"]);
}

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

fn writes_to(url: &str) -> Answer {
    let report = Report {
        results: Some(url.to_owned()),
        ..Report::default()
    };
    Answer::Report(report)
}

#[test]
fn that_one_of_the_readers_writes_elsewhere_is_a_perhaps_until_it_has_the_call() {
    let mut world = World::new();
    world.joins("w2@h", "celery", &["shop.refund"]);
    world.hear(answer(NODE, writes_to("redis://:********@cache:6379/1")), 2);
    world.hear(answer("w2@h", writes_to("rpc://")), 2);
    let diagnosis = world.diagnosis(1_000);
    assert!(diagnosis.why[0].inferred());
    assert!(
        world
            .line("backend_mismatch", 1_000)
            .starts_with("perhaps ")
    );
    assert!(
        diagnosis
            .next
            .iter()
            .all(|it| it.kind() != "read_results_at")
    );
    world.seen(At::Active, 1_100);
    assert!(
        world
            .line("backend_mismatch", 1_200)
            .starts_with("the result")
    );
    let node: NodeName = "w2@h".into();
    let task = task("x", "shop.refund", None);
    world.fact(
        Fact::Seen {
            place: At::Active,
            node,
            task,
        },
        1_300,
    );
    assert!(!world.kinds(1_400).contains(&"backend_mismatch"));
}

/// `cache` may be another name of our own host.
#[test]
fn two_names_of_a_host_hide_neither_the_queue_nor_that_it_is_lost() {
    let mut world = World::new();
    let ours = crate::backend::url::parse("redis://localhost:6379/1", &std::sync::Arc::default());
    world.results = ours.unwrap();
    world.hear(answer(NODE, writes_to("redis://cache:6379/1")), 2);
    world.hear(depth(2, 1), 1_500);
    assert_eq!(world.kinds(2_000), ["queued", "backend_mismatch"]);
    world.hear(depth(0, 1), 2_500);
    world.denies(2_500);
    world.fact(Fact::NotStored, 2_600);
    assert_eq!(world.kinds(3_000), ["lost", "backend_mismatch"]);
}

#[test]
fn a_retry_whose_time_is_over_may_be_back_in_its_queue_or_with_another() {
    let mut world = World::new();
    world.fact(result(State::Retry), 500);
    world.fact(Fact::Eta(at(3_000).wall), 900);
    world.hear(depth(2, 1), 5_000);
    world.busy(4_000);
    world.denies(4_500);
    assert_eq!(
        world.kinds(5_100),
        ["queued", "worker_busy", "retry_waiting"]
    );
    assert_eq!(
        world.line("retry_waiting", 5_100),
        "it failed and waits for retry 1, its time has come"
    );
    world.seen(At::Reserved, 6_000);
    let tasks = Looked::Tasks;
    let node = NODE.into();
    let asked = at(5_900).mono;
    world.fact(
        Fact::Answered {
            node,
            looked: tasks,
            held: true,
            asked,
        },
        6_000,
    );
    let kinds = ["held", "worker_busy", "retry_waiting", "queue_fine"];
    assert_eq!(world.kinds(6_100), kinds);
    assert!(
        world
            .line("retry_waiting", 6_100)
            .contains("retry 1 on w1@h")
    );
}

/// A worker of a Redis that stops puts back what it holds at once; one that dies does not.
#[rstest]
#[case::died(0, Held::Queue(1), "gives it out again after the visibility_timeout")]
#[case::put_back(1, Held::Queue(0), "perhaps back in its queue")]
#[case::taken(0, Held::Queue(0), "perhaps another worker has it")]
#[case::unknown(0, Held::Unknown, "so the broker gives it to another worker")]
fn when_what_a_lost_worker_held_runs_again_is_said_as_the_redis_shows_it(
    #[case] ready: u64,
    #[case] held: Held,
    #[case] told: &str,
) {
    let mut world = World::new();
    world.seen(At::Reserved, 1_000);
    let asked = Heard::Asked {
        question: Question::Registered,
        reach: Reach::Listeners(0),
    };
    world.hear(asked, 1_500);
    world.silent(2_000, 4_500);
    let depth = Depth::Known {
        ready,
        held,
        held_ago: Duration::ZERO,
        rates: None,
        consumers: None,
    };
    let (queue, depth, took) = ("celery".into(), Ok(depth), Duration::ZERO);
    world.hear(Heard::Depth { queue, depth, took }, 4_600);
    let line = world.line("worker_lost", 5_000);
    assert!(line.contains(told), "{line}");
}

#[test]
fn an_ignored_result_is_a_reason_only_out_of_sight() {
    let mut world = World::new();
    world.call.signature.options.ignore_result = Some(true);
    assert!(world.kinds(1_000).contains(&"result_ignored"));
    world.seen(At::Active, 1_100);
    assert!(!world.kinds(1_200).contains(&"result_ignored"));
}

#[test]
fn workers_that_write_elsewhere_are_told() {
    let mut world = World::new();
    let report = Report {
        results: Some("redis://:********@cache:6379/1".to_owned()),
        ..Report::default()
    };
    world.hear(answer(NODE, Answer::Report(report)), 2);
    assert_eq!(
        world.line("backend_mismatch", 1_000),
        "the result goes elsewhere: w1@h writes to redis://:********@cache:6379/1, umbel reads rpc://"
    );
    world.fact(result(State::Started), 1_100);
    assert!(
        !world.kinds(1_200).contains(&"backend_mismatch"),
        "a state was read"
    );
}

#[test]
fn a_backend_that_is_down_is_told() {
    let mut world = World::new();
    world.fact(Fact::BackendLost("connection refused".to_owned()), 500);
    assert_eq!(
        world.line("backend_unreachable", 1_000),
        "the result cannot be read: rpc:// is down (connection refused)"
    );
}

#[test]
fn what_expired_is_told_unless_it_started() {
    let mut world = World::new();
    world.call.signature.options.expires = Some(Duration::from_millis(500));
    assert!(!world.kinds(400).contains(&"expired"));
    assert_eq!(
        world.line("expired", 2_505),
        "it expired 2.0s ago: a worker that meets it will drop it"
    );
    world.seen(At::Active, 450);
    assert!(!world.kinds(2_505).contains(&"expired"));
}

#[test]
fn behind_others_in_the_queue_the_wait_is_told_only_where_the_speed_is_known() {
    let mut world = World::new();
    world.hear(depth(12, 1), 20);
    world.busy(30);
    assert_eq!(world.kinds(61_000), ["queued", "worker_busy"]);
    assert_eq!(
        world.line("queued", 61_000),
        "in queue celery: 12 waiting, it among them, 1 worker reads it"
    );
    assert_eq!(
        world.line("worker_busy", 61_000),
        "w1@h is BUSY 1/1, oldest reports.daily 1m0s"
    );
    for second in 1..=10 {
        world.hear(depth(120 - second * 10, 1), 61_000 + second * 1_000);
    }
    world.hear(depth(10, 1), 72_000);
    assert!(world.line("queued", 72_000).contains("wait~ 1.0s at most"));
}

#[test]
fn a_look_at_the_queue_from_before_the_call_says_nothing_of_it() {
    let mut world = World::new();
    world.hear(depth(12, 1), 3);
    assert_eq!(world.kinds(1_000), ["not_known"]);
}

#[test]
fn held_by_a_worker_behind_what_it_runs() {
    let mut world = World::new();
    world.seen(At::Reserved, 100);
    world.busy(200);
    assert_eq!(world.kinds(1_000), ["held", "worker_busy"]);
    assert_eq!(world.line("held", 1_000), "held by w1@h behind 1 running");
    let place = world.diagnosis(1_000).now;
    assert_eq!((place.word(), place.inferred), ("RECV", false));
}

#[test]
fn a_rate_limit_is_perhaps_the_reason_where_no_list_has_what_was_received() {
    let mut world = World::new();
    world.hear(answer(NODE, limit("10/m")), 5);
    world.hear(depth(0, 1), 1_500);
    world.denies(2_000);
    assert_eq!(world.kinds(3_000), ["rate_limited"]);
    assert_eq!(
        world.line("rate_limited", 3_000),
        "perhaps held back by a worker for the rate limit of 10/m of shop.refund: such tasks are in no list"
    );
    assert!(!world.diagnosis(3_000).lost());
}

#[rstest]
#[case("None")]
#[case("0")]
#[case("0/m")]
fn no_limit_is_no_reason(#[case] value: &str) {
    let mut world = World::new();
    world.hear(answer(NODE, limit(value)), 5);
    world.hear(depth(0, 1), 1_500);
    world.denies(2_000);
    assert!(!world.kinds(3_000).contains(&"rate_limited"));
}

#[test]
fn an_idle_worker_that_takes_nothing_is_told_with_the_limit_of_another_task_if_there_is_one() {
    let mut world = World::new();
    world.hear(depth(4, 1), 1_500);
    world.denies(2_000);
    assert_eq!(
        world.line("not_taken", 3_000),
        "4 waiting in celery and w1@h has nothing to do: perhaps it lost its consumer, or a rate limit holds it up"
    );
    world.hear(
        answer(
            NODE,
            Answer::Item {
                item: "rate_limit".to_owned(),
                values: vec![("shop.other".into(), "1/m".to_owned())],
            },
        ),
        2_100,
    );
    assert!(
        world
            .line("rate_limited", 3_000)
            .contains("1/m of shop.other")
    );
}

#[test]
fn a_retry_tells_when_how_often_and_why() {
    let mut world = World::new();
    let mut fact = result(State::Retry);
    if let Fact::Result(result) = &mut fact {
        result.retries = Some(1);
        result.exception = Some(crate::protocol::result::Exception {
            kind: "KeyError".to_owned(),
            module: None,
            args: vec!["sku".into()],
        });
    }
    world.fact(fact, 500);
    world.fact(Fact::Eta(at(31_000).wall), 900);
    world.hear(
        answer(
            NODE,
            Answer::Item {
                item: "max_retries".to_owned(),
                values: vec![("shop.refund".into(), "3".to_owned())],
            },
        ),
        900,
    );
    world.denies(2_000);
    assert_eq!(world.kinds(3_000), ["retry_waiting"]);
    assert_eq!(
        world.line("retry_waiting", 3_000),
        "it failed and waits for retry 2/3 on w1@h, next try in 28s: KeyError: sku"
    );
}

#[test]
fn an_eta_of_ours_is_known_before_a_worker_tells_it() {
    let mut world = World::new();
    world.call.signature.options.start = Some(Start::After(Duration::from_mins(1)));
    assert!(
        world
            .line("scheduled", 1_000)
            .starts_with("it is kept for its ETA: starts in 59s")
    );
    world.seen(At::Scheduled, 1_100);
    assert!(
        world
            .line("scheduled", 1_500)
            .starts_with("it is kept on w1@h")
    );
    assert!(!world.kinds(70_000).contains(&"scheduled"));
}

#[test]
fn what_runs_is_compared_with_what_is_usual() {
    let mut world = World::new();
    world.seen(At::Active, 1_000);
    assert_eq!(world.line("running", 3_000), "it runs on w1@h for 2.0s");
    assert!(!world.diagnosis(3_000).tells());
    let times = (1..=100).map(Duration::from_millis);
    world.usual = Usual::of(times.collect());
    assert!(world.diagnosis(3_000).tells());
    assert!(
        world
            .line("running", 3_000)
            .ends_with("slower than 99% of 100 earlier calls")
    );
    assert!(world.line("running", 9_000).contains("last told 8.0s ago"));
}

#[test]
fn a_worker_that_is_no_longer_connected_may_still_finish_what_it_runs() {
    let mut world = World::new();
    world.seen(At::Active, 1_000);
    world.hear(depth(0, 1), 1_100);
    world.silent(2_000, 4_500);
    assert_eq!(
        world.kinds(5_000),
        ["running", "worker_silent", "queue_fine"]
    );
    assert!(world.diagnosis(5_000).now.inferred);
    world.hear(depth(0, 0), 5_100);
    assert_eq!(world.kinds(5_200), ["worker_lost"]);
    assert_eq!(
        world.line("worker_lost", 5_200),
        "w1@h is no longer connected (stopping, cut off or dead) and was running it, which may still finish: acknowledged before, so it will not run again"
    );
    let diagnosis = world.diagnosis(5_200);
    assert!(diagnosis.why[0].inferred());
    let place = diagnosis.now;
    assert_eq!(
        (
            place.name().as_str(),
            place.inferred,
            place.worker.is_some()
        ),
        ("run", true, true)
    );
}

#[test]
fn a_worker_that_was_started_again_knows_nothing_of_what_it_ran() {
    let mut world = World::new();
    world.seen(At::Active, 1_000);
    world.denies(5_000);
    assert!(
        world
            .line("worker_lost", 6_000)
            .starts_with("w1@h had it and has it no longer")
    );
    let stats = Stats {
        uptime: Some(2),
        ..Stats::default()
    };
    world.hear(answer(NODE, Answer::Stats(stats)), 5_500);
    assert!(
        world
            .line("worker_lost", 6_000)
            .starts_with("w1@h was restarted while it ran it")
    );
}

#[test]
fn what_was_held_by_a_dead_worker_goes_back_to_the_queue() {
    let mut world = World::new();
    world.seen(At::Reserved, 1_000);
    world.hear(depth(0, 0), 1_100);
    world.silent(2_000, 4_500);
    assert!(
        world
            .line("worker_lost", 5_000)
            .contains("the broker gives it to another")
    );
}

#[test]
fn right_after_the_end_of_a_task_its_worker_is_believed() {
    let mut world = World::new();
    world.seen(At::Active, 1_000);
    world.denies(1_300);
    assert_eq!(world.kinds(1_400), ["running"]);
}

#[test]
fn a_silent_solo_worker_is_no_dead_one() {
    let mut world = World::new();
    let stats = Stats {
        pool: Some("solo".to_owned()),
        ..Stats::default()
    };
    world.hear(answer(NODE, Answer::Stats(stats)), 5);
    world.hear(depth(0, 1), 1_500);
    world.silent(2_000, 4_500);
    assert_eq!(
        world.line("worker_silent", 5_005),
        "w1@h does not answer, last heard 5.0s ago; a solo pool cannot answer while it runs a task"
    );
    assert!(!world.diagnosis(5_005).lost());
}

#[test]
fn a_second_delivery_is_told() {
    let mut world = World::new();
    let mut again = task("x", "shop.refund", Some(1.0));
    again.redelivered = true;
    world.fact(
        Fact::Seen {
            place: At::Active,
            node: NODE.into(),
            task: again,
        },
        1_000,
    );
    assert_eq!(
        world.line("redelivered", 2_000),
        "delivered a second time, to w1@h: whether it had started before is not known"
    );
    assert_eq!(world.kinds(2_000), ["running", "redelivered"]);
    assert!(world.diagnosis(2_000).why[1].inferred());
}

fn runs_in(pid: u64, redelivered: bool) -> Fact {
    Fact::Seen {
        place: At::Active,
        node: NODE.into(),
        task: HeldTask {
            pid: Some(pid),
            redelivered,
            ..task("x", "shop.refund", None)
        },
    }
}

#[test]
fn a_second_start_that_was_seen_is_told_as_one() {
    let mut world = World::new();
    world.fact(runs_in(7, false), 1_000);
    world.fact(runs_in(8, true), 3_000);
    world.fact(runs_in(8, true), 4_000);
    assert_eq!(
        world.line("redelivered", 4_100),
        "started again on w1@h at 1970-01-01T00:00:03.000Z: it may have run twice"
    );
    assert!(!world.diagnosis(4_100).why[1].inferred());
}

#[test]
fn what_its_worker_holds_again_after_a_restart_runs_no_longer() {
    let mut world = World::new();
    world.fact(runs_in(7, false), 1_000);
    let mut again = task("x", "shop.refund", None);
    again.redelivered = true;
    let held = |ms| {
        let node = NODE.into();
        let task = again.clone();
        (
            Fact::Seen {
                place: At::Reserved,
                node,
                task,
            },
            ms,
        )
    };
    let (fact, ms) = held(1_500);
    world.fact(fact, ms);
    assert_eq!(
        world.call.whereabouts(),
        Some(CallState::Run),
        "a list from before"
    );
    let (fact, ms) = held(3_000);
    world.fact(fact, ms);
    assert_eq!(world.call.whereabouts(), Some(CallState::Recv));
    assert!(!world.line("redelivered", 3_100).contains("twice"));
    world.fact(runs_in(7, true), 4_000);
    assert!(
        world
            .line("redelivered", 4_100)
            .contains("it may have run twice")
    );
}

/// It was acknowledged by the only worker, which was killed.
#[test]
fn that_nobody_reads_a_queue_it_is_no_longer_in_is_no_reason() {
    let mut world = World::new();
    world.hear(depth(0, 0), 2_000);
    assert_eq!(world.kinds(3_000), ["not_known"]);
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

fn held(held: Held, ago: Duration) -> Heard {
    Heard::Depth {
        queue: "celery".into(),
        depth: Ok(Depth::Known {
            ready: 0,
            held,
            held_ago: ago,
            rates: None,
            consumers: Some(1),
        }),
        took: Duration::ZERO,
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

/// The same old number does not acquit a rate limit either.
#[test]
fn a_rate_limit_is_perhaps_the_reason_though_nothing_was_held_before() {
    let mut world = World::new();
    world.hear(answer(NODE, limit("10/m")), 5);
    world.hear(held(Held::Queue(0), Duration::from_secs(7)), 2_000);
    world.denies(2_000);
    assert_eq!(world.kinds(3_000), ["rate_limited"]);
    world.hear(held(Held::Queue(0), Duration::ZERO), 3_100);
    assert!(!world.kinds(3_200).contains(&"rate_limited"));
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

#[test]
fn a_rate_limit_is_not_blamed_where_its_worker_tells_none() {
    let mut world = World::new();
    let stats = Stats {
        pool: Some("prefork".to_owned()),
        ..Stats::default()
    };
    world.hear(answer(NODE, Answer::Stats(stats)), 5);
    world.seen(At::Reserved, 1_000);
    world.fact(Fact::Asked, 2_000);
    for looked in [Looked::Tasks, Looked::Scheduled] {
        let node = NODE.into();
        let asked = at(2_000).mono;
        world.fact(
            Fact::Answered {
                node,
                looked,
                held: false,
                asked,
            },
            2_000,
        );
    }
    assert_eq!(
        world.kinds(3_000),
        ["rate_limited"],
        "its limit is not told"
    );
    world.hear(answer(NODE, limit("None")), 2_000);
    assert_eq!(world.kinds(3_000), ["worker_lost"]);
    assert!(
        world
            .line("worker_lost", 3_000)
            .contains("has it no longer")
    );
    world.hear(answer(NODE, limit("10/m")), 2_100);
    assert_eq!(world.kinds(3_000), ["rate_limited"]);
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

#[test]
fn a_call_that_ended_is_not_asked_about() {
    let mut world = World::new();
    world.fact(result(State::Success), 500);
    assert!(!world.call.wants_inquiry(at(20_000)));
    assert_eq!(world.kinds(20_000), [""; 0]);
}

fn result(state: State) -> Fact {
    Fact::Result(Box::new(TaskResult {
        id: "x".into(),
        state,
        value: Json::Null,
        exception: None,
        traceback: None,
        done_at: None,
        worker: Some(NODE.into()),
        pid: Some(7),
        retries: None,
        size: 10,
        form: crate::protocol::payload::Form::Json,
        opaque: None,
    }))
}

/// What may become known of one call, each with its time.
fn story() -> impl Strategy<Value = Vec<(u64, Fact)>> {
    let answered = |looked, held, asked| Fact::Answered {
        node: NODE.into(),
        looked,
        held,
        asked: at(asked).mono,
    };
    let answers = (any::<bool>(), 1_000..9_000_u64);
    let fact = prop_oneof![
        Just(Fact::Asked),
        Just(Fact::NotStored),
        Just(Fact::Eta(at(90_000).wall)),
        (answers.clone()).prop_map(move |(held, asked)| answered(Looked::Tasks, held, asked)),
        answers.prop_map(move |(held, asked)| answered(Looked::Scheduled, held, asked)),
    ];
    prop::collection::vec((1_000..9_000_u64, fact), 0..12)
}

proptest! {
    #[test]
    fn the_same_facts_in_any_order_give_the_same_diagnosis(
        (facts, shuffled) in story().prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle())),
        received in any::<bool>(),
        waiting in 0..3_u64,
        busy in any::<bool>(),
    ) {
        let told = |facts: Vec<(u64, Fact)>| {
            let mut world = World::new();
            world.hear(depth(waiting, 1), 9_500);
            if busy {
                world.busy(900);
            }
            if received {
                world.seen(At::Reserved, 950);
            }
            for (ms, fact) in facts {
                world.fact(fact, ms);
            }
            world.diagnosis(10_000)
        };
        prop_assert_eq!(told(facts), told(shuffled));
    }

    #[test]
    fn whatever_is_known_something_is_said_and_nothing_panics(
        facts in story(), now in 0..20_000_u64, down in any::<bool>(),
    ) {
        let mut world = World::new();
        if down {
            world.broker = Way::Down { since: at(3_000), reason: "x".to_owned(), retry_at: None };
        }
        for (ms, fact) in facts {
            world.fact(fact, ms);
        }
        let diagnosis = world.diagnosis(now);
        prop_assert!(!diagnosis.why.is_empty());
        prop_assert!(diagnosis.why.iter().all(|verdict| !verdict.line().is_empty()));
        prop_assert!(!(down && diagnosis.lost()));
    }
}

#[test]
fn a_document_has_the_word_the_evidence_and_the_sentence_of_each_reason() {
    let mut world = World::new();
    world.seen(At::Reserved, 100);
    world.busy(200);
    let diagnosis = world.diagnosis(1_000);
    let document = serde_json::to_value(DiagnosisDocument::new(&diagnosis, at(1_000))).unwrap();
    assert_eq!(document["now"]["state"], "recv");
    assert_eq!(document["why"][1]["kind"], "worker_busy");
    assert_eq!(document["why"][1]["oldest"], "reports.daily");
    assert_eq!(document["why"][1]["inferred"], false);
    assert_eq!(document["why"][0]["text"], "held by w1@h behind 1 running");
    assert!(document["asked"].is_null());
}

#[test]
fn after_an_outage_states_come_at_once_and_nobody_says_how_long_it_ran() {
    let mut world = World::new();
    world.fact(Fact::BackendLost("gone".to_owned()), 500);
    world.fact(Fact::BackendBack, 5_000);
    world.fact(result(State::Started), 5_010);
    assert_eq!(world.line("running", 5_500), "it runs on w1@h");
    world.fact(result(State::Success), 5_020);
    let timeline = &world.call.timeline;
    assert_eq!((timeline.started, timeline.ran()), (None, None));
    assert!(timeline.total().is_some());
}
