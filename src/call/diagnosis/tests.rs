//! Every rule on made-up facts. The facts for the tests by subject.

mod again;
mod holding;
mod inquiry;
mod lost;
mod readers;
mod told;
mod ways;
mod workers;

use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::broker::{Depth, Held, Reach};
use crate::call::{Fact, Waiting};
use crate::cluster::{Answer, Heard, Question};
use crate::protocol::control::{ConsumedQueue, HeldTask, Place as At, Report, Stats};
use crate::protocol::event::{TaskEvent, TaskEventKind};
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

fn stored_at(url: &str) -> Results {
    crate::backend::url::parse(url, &std::sync::Arc::default()).unwrap()
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

fn result(state: State) -> Fact {
    Fact::Result(Box::new(TaskResult {
        worker: Some(NODE.into()),
        pid: Some(7),
        size: 10,
        ..TaskResult::new("x".into(), state, Json::Null)
    }))
}
