//! What may have it without a word: who heard the question and did not answer, and what was taken and never acknowledged.

use super::{SETTLE, holding};
use crate::backend::Results;
use crate::broker::Held;
use crate::call::CallState;
use crate::call::diagnosis::{Case, Verdict};

/// Somebody who could have it was asked and has never answered.
pub(super) fn unheard(case: &Case<'_>) -> Option<Verdict> {
    let asked = case.call.inquiry.asked?;
    let settled = case.now.mono.since(asked.mono) >= SETTLE;
    let count = case.unheard_readers();
    if !settled || count == 0 || !case.only_sent() {
        return None;
    }
    let queue = case.call.queue.clone()?;
    Some(if case.counts_no_consumers() {
        Verdict::WorkerUnheard { workers: count }
    } else {
        Verdict::ReaderUnheard {
            queue,
            readers: count,
        }
    })
}

/// Not in its queue, in no list, and the pool of a reader that is full lists only what it runs.
pub(super) fn in_a_pool(case: &Case<'_>) -> Vec<Verdict> {
    let hiding = if vanished(case) {
        case.hiding().next()
    } else {
        holding::in_its_pool(case)
    };
    let told = hiding.into_iter().map(|worker| Verdict::PoolUnseen {
        worker: worker.name.clone(),
        running: worker.running(),
        slots: worker.slots(),
    });
    told.collect()
}

/// Whether it is not in its queue and in no list of anybody who could have it.
fn vanished(case: &Case<'_>) -> bool {
    case.only_sent() && case.broker_up() && case.emptied().is_some() && case.everybody_denies()
}

/// Nothing knows it: everybody answered, its queue is empty, the broker holds nothing back, and nothing is stored.
pub(super) fn lost(case: &Case<'_>, found: &[Verdict]) -> Option<Verdict> {
    let call = case.call;
    let explained = found
        .iter()
        .any(|it| !matches!(it, Verdict::Expired { .. }));
    let asked = call.inquiry.asked?;
    let queue = case
        .fresh_queue()
        .filter(|it| it.looked_at() >= Some(asked.mono))?;
    let held = match queue.held {
        Held::Unknown => true,
        Held::Queue(held) | Held::AllQueues(held) => held == 0 && case.held_is_fresh(),
    };
    let stored = match case.scene.results {
        Results::Stored(_) => call
            .inquiry
            .not_stored
            .is_some_and(|at| at.mono >= asked.mono),
        _ => true,
    };
    let old = call
        .timeline
        .confirmed
        .is_some_and(|at| case.now.mono.since(at.mono) >= SETTLE);
    let gone =
        call.whereabouts() == Some(CallState::Sent) && vanished(case) && case.limits_are_told();
    (!explained && gone && held && stored && old).then(|| Verdict::Lost {
        queue: queue.name.clone(),
        replied: call.inquiry.replied().count(),
    })
}

/// Not in its queue, in no list, and a Redis keeps messages that nobody acknowledged: a worker that died may have had it. A broker
/// that notices the death of a consumer gives them out again at once.
pub(super) fn taken(case: &Case<'_>) -> Vec<Verdict> {
    let Some(asked) = case.call.inquiry.asked else {
        return Vec::new();
    };
    let fresh = case.fresh_queue();
    let Some(queue) = fresh.filter(|it| it.looked_at() >= Some(asked.mono)) else {
        return Vec::new();
    };
    let (taken, of_all_queues) = match queue.held {
        Held::Queue(taken) => (taken, false),
        Held::AllQueues(taken) => (taken, true),
        Held::Unknown => (0, false),
    };
    let unseen = case.counts_no_consumers()
        && vanished(case)
        && case.held_is_fresh()
        && case.hiding().next().is_none();
    (unseen && taken > 0)
        .then(|| Verdict::TakenUnseen {
            queue: queue.name.clone(),
            taken,
            of_all_queues,
        })
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::backend::Results;
    use crate::broker::{Depth, Reach};
    use crate::call::diagnosis::{Diagnosis, Looked, Scene, Way, diagnose};
    use crate::call::{Call, Fact};
    use crate::clock::Now;
    use crate::cluster::{Answer, Cluster, Heard, Question};
    use crate::protocol::control::ConsumedQueue;
    use crate::protocol::message::Options;
    use crate::protocol::{NodeName, Signature};

    fn at(ms: u64) -> Now {
        Now::fixed(Duration::from_millis(ms))
    }

    /// A call on a Redis about which everybody was asked at 1.1 s, when so many listened, and its queue was looked at after that.
    struct Scenery {
        call: Call,
        cluster: Cluster,
    }

    impl Scenery {
        fn new(listeners: u64, ready: u64, held: Held) -> Self {
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
            call.apply(Fact::Asked, at(1_100));
            let mut cluster = Cluster::default();
            let reach = Reach::Listeners(listeners);
            let question = Question::Registered;
            cluster.apply(Heard::Asked { question, reach }, at(1));
            let depth = Depth::Known {
                ready,
                held,
                held_ago: Duration::ZERO,
                rates: None,
                consumers: None,
            };
            let queue = "celery".into();
            let depth = Ok(depth);
            let took = Duration::ZERO;
            cluster.apply(Heard::Depth { queue, depth, took }, at(1_110));
            Self { call, cluster }
        }

        /// A worker that reads the queue and denies the task.
        fn with(mut self, name: &str) -> Self {
            let node = NodeName::from(name);
            let queue = ConsumedQueue {
                name: "celery".into(),
                ..ConsumedQueue::default()
            };
            let heard = Heard::Answer {
                node: node.clone(),
                answer: Answer::Queues(vec![queue]),
                took: Duration::from_millis(1),
            };
            self.cluster.apply(heard, at(1_120));
            let limits = Answer::Item {
                item: "rate_limit".to_owned(),
                values: vec![],
            };
            for answer in [Answer::Active(vec![]), limits] {
                let heard = Heard::Answer {
                    node: node.clone(),
                    answer,
                    took: Duration::from_millis(1),
                };
                self.cluster.apply(heard, at(1_120));
            }
            for looked in [Looked::Tasks, Looked::Scheduled] {
                let node = node.clone();
                let answered = Fact::Answered {
                    node,
                    looked,
                    held: false,
                    asked: at(1_110).mono,
                };
                self.call.apply(answered, at(1_120));
            }
            self
        }

        fn diagnosis(&self, ms: u64) -> Diagnosis {
            let scene = Scene {
                cluster: &self.cluster,
                broker: &Way::Up,
                backend: &Way::Up,
                results: &Results::Rpc,
                usual: None,
            };
            diagnose(&self.call, &scene, at(ms))
        }

        fn lines(&self, ms: u64) -> Vec<String> {
            let why = self.diagnosis(ms).why;
            why.iter().map(Verdict::line).collect()
        }
    }

    #[test]
    fn who_listens_on_a_redis_and_never_answers_may_have_it() {
        let scenery = Scenery::new(3, 0, Held::Queue(0)).with("w1");
        let told = "perhaps it is at one of 2 workers that heard us and did not answer: busy with a solo pool, or frozen; what it \
                    reads is not known";
        assert_eq!(scenery.lines(3_000), [told]);
        let asked = scenery.diagnosis(3_000).asked.expect("asked");
        assert_eq!((asked.replied, asked.of), (1, 3));
        assert!(!scenery.diagnosis(3_000).lost());
    }

    #[test]
    fn what_was_taken_from_a_redis_and_is_in_no_list_may_be_with_the_dead() {
        let scenery = Scenery::new(1, 0, Held::Queue(2)).with("w1");
        let told = "perhaps a worker took it and died: 2 unacknowledged in celery, given out again after the visibility_timeout (1h \
                    unless set)";
        assert_eq!(scenery.lines(3_000), [told]);
        let all = Scenery::new(1, 0, Held::AllQueues(12_345)).with("w1");
        let lines = all.lines(3_000);
        assert!(lines[0].contains("12,345 unacknowledged in all queues,"));
    }

    #[test]
    fn without_such_messages_it_is_lost_and_in_its_queue_it_waits() {
        let nothing = Scenery::new(1, 0, Held::Queue(0)).with("w1");
        assert!(nothing.diagnosis(3_000).lost());
        let waits = Scenery::new(1, 1, Held::Queue(2)).with("w1");
        let kinds: Vec<_> = waits
            .diagnosis(3_000)
            .why
            .iter()
            .map(Verdict::kind)
            .collect();
        assert!(!kinds.contains(&"taken_unseen"), "{kinds:?}");
    }
}
