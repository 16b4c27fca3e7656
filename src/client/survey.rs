//! When the first round of questions is over (ux.md 0.1, rulings 20 and 21). Pure.

use std::time::Duration;

use crate::broker::Reach;
use crate::clock::Moment;
use crate::cluster::{Cluster, Worker};

/// The longest a survey takes.
const LONGEST: Duration = Duration::from_secs(1);

/// What a survey is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A listing of tasks and queues: complete, plus 100 ms of silence.
    Tasks,
    /// A listing of workers with their pools and running tasks; as [`Purpose::Tasks`].
    Workers,
    /// Before a call: at most 300 ms after the first answer, and after the last one of a worker that has not told all.
    Call,
    /// The screen: everything, and go on asking.
    Screen,
}

impl Purpose {
    /// Silence that has to follow the last expected answer.
    fn quiet(self) -> Duration {
        match self {
            Self::Call | Self::Screen => Duration::ZERO,
            Self::Tasks | Self::Workers => Duration::from_millis(100),
        }
    }

    /// Whether calls are made, so that the result backend is needed.
    pub fn reads_results(self) -> bool {
        matches!(self, Self::Call | Self::Screen)
    }

    /// Patience after the first answer.
    fn patience(self) -> Duration {
        match self {
            Self::Call => Duration::from_millis(300),
            _ => LONGEST,
        }
    }

    /// Whether `worker` has told all that this purpose needs.
    fn told(self, worker: &Worker) -> bool {
        let tasks = worker.tasks.is_some()
            && worker.items.len() >= 2
            && worker.queues.is_some()
            && worker.conf.is_some();
        match self {
            Self::Tasks => tasks,
            Self::Call => tasks && worker.report.is_some(),
            Self::Workers | Self::Screen => {
                tasks
                    && worker.stats.is_some()
                    && worker.active.is_some()
                    && worker.reserved.is_some()
                    && worker.report.is_some()
            }
        }
    }
}

/// A survey under way.
#[derive(Clone, Copy, Debug)]
pub struct Survey {
    purpose: Purpose,
    started: Moment,
    first: Option<Moment>,
    last: Option<Moment>,
}

impl Survey {
    /// Begins now.
    pub fn new(purpose: Purpose, now: Moment) -> Self {
        Self {
            purpose,
            started: now,
            first: None,
            last: None,
        }
    }

    /// Something was heard.
    pub fn heard(&mut self, now: Moment) {
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// When it is over, as far as can be told now.
    pub fn ends(&self, cluster: &Cluster) -> Moment {
        let latest = self.started.after(LONGEST);
        if cluster
            .asked
            .is_some_and(|(_, reach)| matches!(reach, Reach::Nobody | Reach::Listeners(0)))
        {
            return self.started;
        }
        // Who is in the middle of telling, and slow at it, still has to say where its tasks go.
        let waited = if self.half_told(cluster) {
            self.last
        } else {
            self.first
        };
        let patient = waited.map_or(latest, |at| at.after(self.purpose.patience()));
        let complete = self
            .last
            .filter(|_| self.complete(cluster))
            .map_or(latest, |last| last.after(self.purpose.quiet()));
        latest.min(patient).min(complete)
    }

    /// Whether a worker has told a part of what it was asked.
    fn half_told(&self, cluster: &Cluster) -> bool {
        let mut workers = cluster.workers.values();
        workers.any(|worker| !self.purpose.told(worker))
    }

    /// Whether everybody who could answer has told everything.
    fn complete(&self, cluster: &Cluster) -> bool {
        let all_told = !cluster.workers.is_empty()
            && cluster
                .workers
                .values()
                .all(|worker| self.purpose.told(worker));
        let listeners = match cluster.asked {
            Some((_, Reach::Listeners(listeners))) => cluster.workers.len() as u64 >= listeners,
            Some(_) => true,
            None => false,
        };
        let known = cluster
            .queues
            .values()
            .all(|queue| queue.ready.is_some() || queue.unknown_because.is_some());
        all_told && listeners && known && cluster.unaccounted().unwrap_or(0) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::{Depth, Held};
    use crate::clock::Now;
    use crate::cluster::{Answer, Heard, Question};
    use crate::protocol::control::{ConsumedQueue, Report};

    fn now(ms: u64) -> Now {
        Now::fixed(Duration::from_millis(ms))
    }

    fn cluster(consumers: u64) -> Cluster {
        let mut cluster = Cluster::default();
        cluster.apply(
            Heard::Asked {
                question: Question::Registered,
                reach: Reach::Somebody,
            },
            now(0),
        );
        let queue = ConsumedQueue {
            name: "celery".into(),
            exchange: "celery".into(),
            routing_key: "celery".into(),
            ..ConsumedQueue::default()
        };
        for answer in [
            Answer::Tasks(vec!["a".into()]),
            Answer::Item {
                item: "queue".into(),
                values: vec![],
            },
            Answer::Item {
                item: "ignore_result".into(),
                values: vec![],
            },
            Answer::Queues(vec![queue]),
            Answer::Conf(Box::default()),
        ] {
            cluster.apply(
                Heard::Answer {
                    node: "w1@h".into(),
                    answer,
                    took: Duration::ZERO,
                },
                now(10),
            );
        }
        let depth = Ok(Depth::Known {
            ready: 0,
            held: Held::Unknown,
            held_ago: Duration::ZERO,
            rates: None,
            consumers: Some(consumers),
        });
        cluster.apply(
            Heard::Depth {
                queue: "celery".into(),
                depth,
                took: Duration::ZERO,
            },
            now(12),
        );
        cluster
    }

    fn survey(purpose: Purpose) -> Survey {
        let mut survey = Survey::new(purpose, Moment::default());
        survey.heard(now(12).mono);
        survey
    }

    #[test]
    fn a_listing_ends_100_ms_after_everybody_accounted_for_has_answered() {
        assert_eq!(survey(Purpose::Tasks).ends(&cluster(1)), now(112).mono);
    }

    #[test]
    fn an_unaccounted_consumer_is_waited_for_up_to_a_second() {
        assert_eq!(survey(Purpose::Tasks).ends(&cluster(2)), now(1000).mono);
    }

    #[test]
    fn a_call_waits_300_ms_after_the_first_answer_for_the_rest() {
        assert_eq!(survey(Purpose::Call).ends(&cluster(2)), now(312).mono);
    }

    #[test]
    fn a_call_waits_for_the_rest_of_what_a_slow_worker_tells() {
        let mut half = cluster(2);
        let mut survey = survey(Purpose::Call);
        survey.heard(now(300).mono);
        assert_eq!(survey.ends(&half), now(600).mono);
        survey.heard(now(800).mono);
        assert_eq!(survey.ends(&half), now(1000).mono, "a second at most");
        let report = Heard::Answer {
            node: "w1@h".into(),
            answer: Answer::Report(Report::default()),
            took: Duration::ZERO,
        };
        half.apply(report, now(800));
        assert_eq!(survey.ends(&half), now(312).mono, "it has told all");
    }

    #[test]
    fn nobody_listening_ends_it_at_once() {
        let mut cluster = Cluster::default();
        cluster.apply(
            Heard::Asked {
                question: Question::Registered,
                reach: Reach::Nobody,
            },
            now(3),
        );
        assert_eq!(
            Survey::new(Purpose::Screen, Moment::default()).ends(&cluster),
            Moment::default()
        );
    }

    #[test]
    fn silence_ends_it_after_a_second() {
        assert_eq!(
            Survey::new(Purpose::Workers, Moment::default()).ends(&Cluster::default()),
            now(1000).mono
        );
    }
}
