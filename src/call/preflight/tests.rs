//! The verdicts before sending. No IO, no async.

use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::broker::{Depth, Held};
use crate::clock::Now;
use crate::cluster::{Answer, Heard, Question};
use crate::protocol::control::{Conf, ConsumedQueue};
use crate::protocol::{Options, TaskId};

fn now() -> Now {
    Now::fixed(Duration::from_secs(1))
}

fn signature(task: &str, queue: Option<&str>) -> Signature {
    let options = Options {
        queue: queue.map(Into::into),
        ..Options::default()
    };
    Signature {
        task: task.into(),
        id: TaskId::random(),
        args: vec![],
        kwargs: vec![],
        options,
    }
}

/// A cluster of workers: name, tasks, queue.
fn cluster(workers: &[(&str, &[&str], &str)]) -> Cluster {
    let mut cluster = Cluster::default();
    cluster.apply(
        Heard::Asked {
            question: Question::Registered,
            reach: Reach::Somebody,
        },
        now(),
    );
    for (node, tasks, queue) in workers {
        let queue = ConsumedQueue {
            name: (*queue).into(),
            exchange: String::new(),
            routing_key: String::new(),
            ..ConsumedQueue::default()
        };
        tell(
            &mut cluster,
            node,
            Answer::Tasks(tasks.iter().map(|&task| task.into()).collect()),
        );
        tell(&mut cluster, node, Answer::Queues(vec![queue]));
        let kept = tasks
            .iter()
            .map(|&task| (task.into(), "False".to_owned()))
            .collect();
        tell(
            &mut cluster,
            node,
            Answer::Item {
                item: "ignore_result".into(),
                values: kept,
            },
        );
    }
    cluster
}

fn tell(cluster: &mut Cluster, node: &str, answer: Answer) {
    cluster.apply(
        Heard::Answer {
            node: node.into(),
            answer,
            took: Duration::ZERO,
        },
        now(),
    );
}

fn depth(cluster: &mut Cluster, queue: &str, depth: Depth) {
    cluster.apply(
        Heard::Depth {
            queue: queue.into(),
            depth: Ok(depth),
        },
        now(),
    );
}

fn consumers(consumers: u64) -> Depth {
    Depth::Known {
        ready: 3,
        held: Held::Unknown,
        rates: None,
        consumers: Some(consumers),
    }
}

fn look(cluster: &Cluster, task: &str) -> Preflight {
    preflight(cluster, &signature(task, None), &Results::Rpc)
}

fn routed(conf: Conf) -> Cluster {
    let mut cluster = cluster(&[("w1", &["shop.add", "shop.mail"], "celery")]);
    tell(&mut cluster, "w1", Answer::Conf(Box::new(conf)));
    cluster
}

#[test]
fn a_registered_task_with_a_reader_is_sent_without_a_word() {
    let mut cluster = cluster(&[("w1", &["a"], "celery")]);
    depth(&mut cluster, "celery", consumers(1));
    let verdict = look(&cluster, "a");
    assert_eq!(
        (
            verdict.refusal,
            verdict.warnings.as_slice(),
            verdict.no_result
        ),
        (None, [].as_slice(), false)
    );
    assert_eq!((verdict.queue.as_str(), verdict.ready), ("celery", Some(3)));
}

#[rstest]
#[case(Some("mine"), Conf::default(), "mine", QueueSource::User)]
#[case(None, Conf { routes: vec![("shop.*".into(), "globbed".into()), ("shop.add".into(), "exact".into())], ..Conf::default() }, "exact", QueueSource::Routes)]
#[case(None, Conf { routes: vec![("shop.*".into(), "globbed".into())], ..Conf::default() }, "globbed", QueueSource::Routes)]
#[case(None, Conf { default_queue: Some("main".into()), ..Conf::default() }, "main", QueueSource::Default)]
#[case(None, Conf::default(), "celery", QueueSource::Celery)]
fn the_queue_is_chosen_by_the_first_who_says(
    #[case] named: Option<&str>,
    #[case] conf: Conf,
    #[case] queue: &str,
    #[case] source: QueueSource,
) {
    assert_eq!(
        choose_queue(&routed(conf), &signature("shop.add", named)),
        (queue.into(), source)
    );
}

#[test]
fn a_tasks_own_queue_goes_before_the_routes() {
    let mut cluster = routed(Conf {
        routes: vec![("*".into(), "routed".into())],
        ..Conf::default()
    });
    tell(
        &mut cluster,
        "w1",
        Answer::Item {
            item: "queue".into(),
            values: vec![("shop.mail".into(), "mail".into())],
        },
    );
    assert_eq!(
        choose_queue(&cluster, &signature("shop.mail", None)),
        ("mail".into(), QueueSource::Task)
    );
}

#[rstest]
#[case(Depth::Missing)]
#[case(consumers(0))]
fn a_queue_that_nobody_reads_is_refused(#[case] found: Depth) {
    let mut cluster = cluster(&[]);
    depth(&mut cluster, "celery", found);
    assert_eq!(look(&cluster, "a").refusal.unwrap().kind, Kind::NoWorker);
}

#[test]
fn the_one_other_queue_that_would_work_is_named() {
    let mut cluster = cluster(&[("w1", &["a"], "other"), ("w2", &["a"], "other")]);
    depth(&mut cluster, "celery", Depth::Missing);
    assert!(
        look(&cluster, "a")
            .refusal
            .unwrap()
            .hint
            .unwrap()
            .contains("--queue other")
    );
}

#[test]
fn a_task_that_none_of_all_readers_knows_is_refused_with_a_near_name() {
    let mut cluster = cluster(&[("w1", &["shop.refund"], "celery")]);
    depth(&mut cluster, "celery", consumers(1));
    let refusal = look(&cluster, "shop.refnd").refusal.unwrap();
    assert_eq!(refusal.kind, Kind::NoWorker);
    assert!(refusal.hint.unwrap().contains("did you mean shop.refund?"));
}

#[test]
fn a_reader_that_did_not_answer_may_know_the_task_so_it_is_sent_with_a_warning() {
    let mut cluster = cluster(&[("w1", &["b"], "celery")]);
    depth(&mut cluster, "celery", consumers(2));
    let verdict = look(&cluster, "a");
    assert_eq!(verdict.refusal, None);
    assert!(
        verdict
            .warnings
            .iter()
            .any(|warning| warning.contains("none of the 1 workers"))
    );
}

#[test]
fn nobody_listening_is_proof() {
    let mut cluster = Cluster::default();
    cluster.apply(
        Heard::Asked {
            question: Question::Registered,
            reach: Reach::Nobody,
        },
        now(),
    );
    assert_eq!(look(&cluster, "a").refusal.unwrap().kind, Kind::NoWorker);
}

#[test]
fn an_unknown_depth_is_a_doubt_and_no_proof() {
    let cluster = cluster(&[("w1", &["a"], "celery")]);
    let verdict = look(&cluster, "a");
    assert_eq!(verdict.refusal, None);
    assert!(
        verdict
            .warnings
            .iter()
            .any(|warning| warning.contains("is not known"))
    );
}

#[test]
fn a_task_on_some_workers_only_may_end_as_no_task() {
    let mut cluster = cluster(&[("w1", &["a"], "celery"), ("w2", &["b"], "celery")]);
    depth(&mut cluster, "celery", consumers(2));
    assert!(
        look(&cluster, "a")
            .warnings
            .iter()
            .any(|warning| warning.contains("1 of 2 workers"))
    );
}

#[rstest]
#[case(Results::Disabled, true)]
#[case(Results::Unreadable("db+sqlite".into()), true)]
#[case(Results::Unknown, false)]
#[case(Results::Rpc, false)]
fn where_no_result_can_come_from_nothing_is_waited_for(
    #[case] results: Results,
    #[case] no_result: bool,
) {
    let mut cluster = cluster(&[("w1", &["a"], "celery")]);
    depth(&mut cluster, "celery", consumers(1));
    let verdict = preflight(&cluster, &signature("a", None), &results);
    assert_eq!(verdict.no_result, no_result);
    assert_eq!(verdict.warnings.is_empty(), matches!(results, Results::Rpc));
}

#[test]
fn an_ignored_result_is_said_before_sending_unless_it_is_forced() {
    let mut cluster = cluster(&[("w1", &["a"], "celery")]);
    depth(&mut cluster, "celery", consumers(1));
    tell(
        &mut cluster,
        "w1",
        Answer::Item {
            item: "ignore_result".into(),
            values: vec![("a".into(), "True".into())],
        },
    );
    assert!(look(&cluster, "a").no_result);
    let mut forced = signature("a", None);
    forced.options.ignore_result = Some(false);
    assert!(!preflight(&cluster, &forced, &Results::Rpc).no_result);
}

/// On Redis: so many heard the question; the queue has no count of consumers.
fn heard_by(cluster: &mut Cluster, listeners: u64, queue: &str) {
    let reach = Reach::Listeners(listeners);
    let question = Question::Registered;
    cluster.apply(Heard::Asked { question, reach }, now());
    let known = Depth::Known {
        ready: 0,
        held: Held::Queue(0),
        rates: None,
        consumers: None,
    };
    depth(cluster, queue, known);
}

#[test]
fn where_consumers_are_not_counted_the_answers_of_all_who_heard_are_proof() {
    let mut unread = cluster(&[("w1", &["a"], "other")]);
    heard_by(&mut unread, 1, "celery");
    let refusal = look(&unread, "a").refusal.unwrap();
    assert_eq!(refusal.message, "queue celery: no worker reads it");
    assert!(refusal.hint.unwrap().contains("--queue other"));
    let mut unknown = cluster(&[("w1", &["b"], "celery")]);
    heard_by(&mut unknown, 1, "celery");
    let refusal = look(&unknown, "a").refusal.unwrap();
    assert!(refusal.message.contains("has a registered"), "{refusal}");
    assert_eq!(look(&unknown, "b").refusal, None);
}

#[rstest]
#[case(&["a"], "other")]
#[case(&["b"], "celery")]
fn one_who_heard_and_did_not_answer_may_run_it(#[case] tasks: &[&str], #[case] queue: &str) {
    let mut cluster = cluster(&[("w1", tasks, queue)]);
    heard_by(&mut cluster, 2, "celery");
    assert_eq!(look(&cluster, "a").refusal, None);
}

#[test]
fn a_question_that_nobody_heard_is_proof() {
    let mut cluster = Cluster::default();
    heard_by(&mut cluster, 0, "celery");
    assert_eq!(look(&cluster, "a").refusal.unwrap().kind, Kind::NoWorker);
}
