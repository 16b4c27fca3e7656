//! The verdicts before sending. The facts for the tests by subject. No IO, no async.

mod forms;
mod readers;
mod results;
mod routes;

use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::broker::{Depth, Held};
use crate::clock::Now;
use crate::cluster::{Answer as Answered, Heard, Question};
use crate::protocol::control::{Conf, ConsumedQueue, Report};
use crate::protocol::{Options, TaskId};

fn now() -> Now {
    Now::fixed(Duration::from_secs(1))
}

fn stored_at(url: &str) -> Results {
    crate::backend::url::parse(url, &std::sync::Arc::default()).unwrap()
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
        tell(
            &mut cluster,
            node,
            Answered::Tasks(tasks.iter().map(|&task| task.into()).collect()),
        );
        tell(&mut cluster, node, reads(queue));
        let kept = tasks
            .iter()
            .map(|&task| (task.into(), "False".to_owned()))
            .collect();
        tell(
            &mut cluster,
            node,
            Answered::Item {
                item: "ignore_result".into(),
                values: kept,
            },
        );
    }
    cluster
}

fn reads(queue: &str) -> Answered {
    Answered::Queues(vec![ConsumedQueue {
        name: queue.into(),
        exchange: String::new(),
        routing_key: String::new(),
        ..ConsumedQueue::default()
    }])
}

fn tell(cluster: &mut Cluster, node: &str, answer: Answered) {
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
            took: Duration::ZERO,
        },
        now(),
    );
}

fn consumers(consumers: u64) -> Depth {
    Depth::Known {
        ready: 3,
        held: Held::Unknown,
        held_ago: Duration::ZERO,
        rates: None,
        consumers: Some(consumers),
    }
}

fn look(cluster: &Cluster, task: &str) -> Preflight {
    preflight(cluster, &signature(task, None), &Results::Rpc)
}

fn routed(conf: Conf) -> Cluster {
    let mut cluster = cluster(&[("w1", &["shop.add", "shop.mail"], "celery")]);
    tell(&mut cluster, "w1", Answered::Conf(Box::new(conf)));
    cluster
}

fn report(cluster: &mut Cluster, node: &str, celery: Option<&str>) {
    if let Some(version) = celery {
        let report = Report {
            celery: Some(version.to_owned()),
            ..Report::default()
        };
        tell(cluster, node, Answered::Report(report));
    }
}

/// A queue bound to an exchange.
fn bound(name: &str, exchange: (&str, &str), key: &str) -> ConsumedQueue {
    ConsumedQueue {
        name: name.into(),
        exchange: exchange.0.to_owned(),
        exchange_type: Some(exchange.1.to_owned()),
        routing_key: key.to_owned(),
        ..ConsumedQueue::default()
    }
}

/// One worker that has the task `a` and reads these queues, each with one consumer.
fn reading(queues: Vec<ConsumedQueue>) -> Cluster {
    let mut cluster = cluster(&[("w1", &["a"], "celery")]);
    let names: Vec<_> = queues.iter().map(|queue| queue.name.to_string()).collect();
    tell(&mut cluster, "w1", Answered::Queues(queues));
    for name in names {
        depth(&mut cluster, &name, consumers(1));
    }
    cluster
}

fn sent_to(cluster: &Cluster, options: Options) -> Preflight {
    let signature = Signature {
        options,
        ..signature("a", None)
    };
    preflight(cluster, &signature, &Results::Rpc)
}

/// On Redis: so many heard the question; the queue has no count of consumers.
fn heard_by(cluster: &mut Cluster, listeners: u64, queue: &str) {
    let reach = Reach::Listeners(listeners);
    let question = Question::Registered;
    cluster.apply(Heard::Asked { question, reach }, now());
    let known = Depth::Known {
        ready: 0,
        held: Held::Queue(0),
        held_ago: Duration::ZERO,
        rates: None,
        consumers: None,
    };
    depth(cluster, queue, known);
}

#[test]
fn a_registered_task_with_a_reader_is_sent_without_a_word() {
    let mut cluster = cluster(&[("w1", &["a"], "celery")]);
    depth(&mut cluster, "celery", consumers(1));
    let verdict = look(&cluster, "a");
    assert_eq!(
        (verdict.refusal, verdict.warnings.as_slice(), verdict.answer),
        (None, [].as_slice(), Answer::Result)
    );
    assert_eq!(
        (verdict.queue.as_str(), verdict.lines[0].waiting),
        ("celery", Some(3))
    );
}

#[test]
fn a_keyword_named_self_is_warned_of() {
    let mut cluster = cluster(&[("w1", &["a"], "celery")]);
    depth(&mut cluster, "celery", consumers(1));
    let mut signature = signature("a", None);
    signature.kwargs = vec![("self".to_owned(), Json::Null)];
    let warnings = preflight(&cluster, &signature, &Results::Rpc).warnings;
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("TypeError"));
}
