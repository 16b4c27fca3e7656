//! What has been heard of workers, queues and tasks: a pure fold of replies. Knows no clock and no network; unknown is `None`, never 0.

pub mod index;
pub mod queue;
pub mod tasks;
#[cfg(test)]
mod tests;
pub mod worker;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::broker::{Depth, Reach};
use crate::clock::{Moment, Now};
use crate::protocol::control::{Conf, ConsumedQueue, HeldTask, Report, Stats};
use crate::protocol::{NodeName, QueueName, TaskName};

pub use index::{Registered, TaskIndex};
pub use queue::{Queue, QueueTrouble};
pub use tasks::{Kept, TaskRow};
pub use worker::{RATE_LIMIT, Worker, WorkerState};

/// How long a worker may take to answer before it is SILENT.
pub const SILENT_AFTER: Duration = Duration::from_secs(2);
/// How long after the broker came back workers may still be on their way to it.
const RETURNING: Duration = Duration::from_secs(30);
/// How long a SILENT worker is remembered where it is proved that it is gone.
const REMEMBERED: Duration = Duration::from_mins(15);
/// How long where it may still be there: it may be one that cannot answer while it works.
const REMEMBERED_IN_DOUBT: Duration = Duration::from_hours(24);

/// One thing heard from the cluster.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// A question went out to all workers.
    Asked {
        /// Which.
        question: Question,
        /// Who could hear it.
        reach: Reach,
    },
    /// Who could hear the last ping.
    Reached(Reach),
    /// The last ping may not have gone out: nobody is SILENT for it.
    NotAsked,
    /// One worker answered.
    Answer {
        /// Who.
        node: NodeName,
        /// What.
        answer: Answer,
        /// Time from the question to this answer.
        took: Duration,
    },
    /// One worker answered something that cannot be read, or an error.
    Unreadable {
        /// Who, when it can be told.
        node: Option<NodeName>,
        /// Why, for people.
        reason: String,
    },
    /// The depth of a queue; `Err` says for people why it is not known.
    Depth {
        /// Which queue.
        queue: QueueName,
        /// How full.
        depth: Result<Depth, String>,
        /// How long the look took: what it found is of some moment within.
        took: Duration,
    },
    /// The first survey after connecting is over: everybody accounted for has answered, or the time for it is up.
    Surveyed,
    /// The broker is gone: what is known is getting old.
    Lost,
    /// The broker is back.
    Back,
}

/// Questions whose silence tells something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// Are you there?
    Ping,
    /// Which tasks do you know?
    Registered,
}

/// What a worker answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To a ping.
    Pong,
    /// Names of registered tasks, Celery's own included.
    Tasks(Vec<TaskName>),
    /// One attribute of its tasks (`queue`, `ignore_result`, …); tasks without it are left out.
    Item {
        /// The attribute.
        item: String,
        /// Task and value, as Python's `str()`.
        values: Vec<(TaskName, String)>,
    },
    /// Queues it consumes.
    Queues(Vec<ConsumedQueue>),
    /// Pool and counters.
    Stats(Stats),
    /// Running tasks.
    Active(Vec<HeldTask>),
    /// Prefetched tasks.
    Reserved(Vec<HeldTask>),
    /// Settings.
    Conf(Box<Conf>),
    /// Versions and result backend.
    Report(Report),
}

/// What is known of the cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cluster {
    /// Workers that answered at least once in this run.
    pub workers: BTreeMap<NodeName, Worker>,
    /// Queues that workers consume or that were asked for.
    pub queues: BTreeMap<QueueName, Queue>,
    /// When the tasks were last asked for, and who could hear it.
    pub asked: Option<(Now, Reach)>,
    /// When it was told last who could hear a question.
    counted_at: Option<Moment>,
    /// Whether the first survey is over.
    pub surveyed: bool,
    /// When the broker was lost, while it is.
    pub lost_at: Option<Now>,
    /// When it came back last.
    back_at: Option<Now>,
    /// When anything was heard last.
    pub heard_at: Option<Now>,
    /// The last answer that could not be read.
    pub unreadable: Option<String>,
    /// Which tasks are registered on how many workers.
    pub index: TaskIndex,
}

impl Cluster {
    /// Folds one thing in. Returns whether anything that can be seen changed.
    pub fn apply(&mut self, heard: Heard, now: Now) -> bool {
        self.fold(heard, now) | self.look_for_readers()
    }

    fn fold(&mut self, heard: Heard, now: Now) -> bool {
        match heard {
            Heard::Asked { question, reach } => self.asked(question, reach, now),
            Heard::Reached(reach) => self.reached(reach, now),
            Heard::NotAsked => {
                for worker in self.workers.values_mut() {
                    worker.not_asked();
                }
                false
            }
            Heard::Answer { node, answer, took } => self.answered(node, answer, took, now),
            Heard::Unreadable { node, reason } => {
                self.heard_at = Some(now);
                let who = node.map_or_else(String::new, |node| format!("{node}: "));
                replace(&mut self.unreadable, Some(format!("{who}{reason}")))
            }
            Heard::Depth { queue, depth, took } => self.depth(&queue, depth, took, now),
            Heard::Surveyed => replace(&mut self.surveyed, true),
            Heard::Lost => {
                let new = self.lost_at.is_none();
                self.lost_at = self.lost_at.or(Some(now));
                new
            }
            Heard::Back => self.back(now),
        }
    }

    fn answered(&mut self, node: NodeName, answer: Answer, took: Duration, now: Now) -> bool {
        self.heard_at = Some(now);
        if let Some((_, reach @ Reach::Nobody)) = &mut self.asked {
            *reach = Reach::Somebody;
        }
        let mut changed = !self.workers.contains_key(&node);
        if let Answer::Queues(queues) = &answer {
            for queue in queues {
                changed |= !self.queues.contains_key(&queue.name);
                self.queues
                    .entry(queue.name.clone())
                    .or_insert_with(|| Queue::new(queue.name.clone()));
            }
        }
        let worker = self
            .workers
            .entry(node.clone())
            .or_insert_with(|| Worker::new(node, now));
        if worker.state() == WorkerState::Silent {
            self.index.fell(worker.tasks.as_ref(), false);
        }
        let retold = matches!(answer, Answer::Tasks(_)).then(|| worker.tasks.clone());
        changed |= worker.answer(answer, took, now);
        if let Some(before) = retold {
            self.index.told(before.as_ref(), worker.tasks.as_ref());
        }
        changed
    }

    fn asked(&mut self, question: Question, reach: Reach, now: Now) -> bool {
        match question {
            Question::Registered => {
                self.counted_at = Some(now.mono);
                let before = self.asked.replace((now, reach));
                before.map(|(_, reach)| reach) != Some(reach)
            }
            Question::Ping => {
                for worker in self.workers.values_mut() {
                    worker.pinged(now);
                }
                false
            }
        }
    }

    /// Workers come and go after they were all asked; where the broker counts who listens (Redis), its last count holds. Elsewhere
    /// that nobody does is of that moment: a worker that comes back finds what was asked meanwhile. That somebody does ends it.
    fn reached(&mut self, reach: Reach, now: Now) -> bool {
        self.counted_at = Some(now.mono);
        let (changed, fell) = match (&mut self.asked, reach) {
            (Some((_, known)), Reach::Listeners(count)) => {
                let before = std::mem::replace(known, reach);
                let fell = matches!(before, Reach::Listeners(before) if count < before);
                (before != reach, fell.then_some(count))
            }
            (Some((_, known @ Reach::Listeners(_))), Reach::Nobody) => {
                (replace(known, reach), Some(0))
            }
            (Some((_, known @ Reach::Nobody)), Reach::Somebody) => (replace(known, reach), None),
            _ => (false, None),
        };
        if let Some(listeners) = fell {
            self.doubt(listeners, |_| true, now);
        }
        changed
    }

    fn depth(
        &mut self,
        queue: &QueueName,
        depth: Result<Depth, String>,
        took: Duration,
        now: Now,
    ) -> bool {
        let new = !self.queues.contains_key(queue);
        let known = self.queues.entry(queue.clone());
        let known = known.or_insert_with(|| Queue::new(queue.clone()));
        let before = known.consumers;
        let changed = known.depth(depth, took, now) | new;
        let fell = before.zip(known.consumers).filter(|(was, is)| is < was);
        if let Some((_, consumers)) = fell {
            self.doubt(consumers, |worker| worker.reads(queue), now);
        }
        changed
    }

    /// Only `left` of `those` are there any longer. If more answered when asked last, one of them is gone, and which one is not known.
    fn doubt(&mut self, left: u64, those: impl Fn(&Worker) -> bool, now: Now) {
        let answering = self.answering().filter(|worker| those(worker)).count();
        if left >= answering as u64 {
            return;
        }
        for worker in self.workers.values_mut().filter(|worker| those(worker)) {
            worker.doubt(now);
        }
    }

    /// Who could hear what was asked last.
    pub fn reach(&self) -> Option<Reach> {
        self.asked.map(|(_, reach)| reach)
    }

    /// Whether workers are to be asked at once whether they are there: one of them is gone.
    pub fn wants_ping(&self) -> bool {
        self.workers.values().any(Worker::wants_ping)
    }

    /// Whether a worker that answered before has not been heard since `asked`.
    pub fn awaited_since(&self, asked: Moment) -> bool {
        self.answering().any(|worker| worker.heard_at.mono < asked)
    }

    fn back(&mut self, now: Now) -> bool {
        for worker in self.workers.values_mut() {
            worker.not_asked();
        }
        for queue in self.queues.values_mut() {
            queue.gap();
        }
        let was_lost = self.lost_at.take().is_some();
        if was_lost {
            self.back_at = Some(now);
        }
        was_lost
    }

    /// Time passes: workers that did not answer in time become SILENT (only while the broker is up). Returns whether anything changed.
    pub fn tick(&mut self, now: Now) -> bool {
        if self.lost_at.is_some() {
            return false;
        }
        let mut changed = false;
        for worker in self.workers.values_mut() {
            let was_silent = worker.state() == WorkerState::Silent;
            changed |= worker.tick(now);
            if worker.state() == WorkerState::Silent && !was_silent {
                self.index.fell(worker.tasks.as_ref(), true);
            }
        }
        changed | self.look_for_readers()
    }

    /// Whether everybody who heard the question has answered it and told its queues, where the broker counts those who hear it
    /// (Redis). Workers without remote control hear nothing.
    pub fn all_told(&self) -> bool {
        let told = || self.answering().filter(|worker| worker.queues.is_some());
        match self.asked {
            Some((_, Reach::Listeners(listeners))) if listeners > 0 => {
                told().count() as u64 >= listeners
            }
            _ => false,
        }
    }

    /// Where the broker counts no consumers, the workers themselves are the proof that nobody reads a queue: once everybody who hears
    /// has answered, one that is SILENT is gone.
    fn look_for_readers(&mut self) -> bool {
        let all_told = self.all_told();
        let mut changed = false;
        for queue in self.queues.values_mut() {
            let workers = self.workers.values();
            let mut workers = workers.filter(|worker| worker.state() != WorkerState::Silent);
            let unread = all_told && !workers.any(|worker| worker.reads(&queue.name));
            changed |= queue.set_unread(unread);
        }
        changed
    }

    /// Forgets workers that have been SILENT for long, with the queues that went with them, unless `mentioned`. For 15 minutes each is
    /// kept; for a day while nothing proves that it is gone: a solo worker may be in the middle of a long task. Returns whether anything changed.
    pub fn forget_gone(&mut self, now: Now, mentioned: impl Fn(&NodeName) -> bool) -> bool {
        if self.lost_at.is_some() {
            return false;
        }
        let gone: Vec<NodeName> = self
            .workers
            .values()
            .filter(|worker| worker.state() == WorkerState::Silent && !mentioned(&worker.name))
            .filter(|worker| {
                let silent = now.mono.since(worker.heard_at.mono);
                silent >= REMEMBERED_IN_DOUBT
                    || (silent >= REMEMBERED && self.proved_gone(worker, now))
            })
            .map(|worker| worker.name.clone())
            .collect();
        for node in &gone {
            self.forget(node);
        }
        !gone.is_empty()
    }

    /// Whether a SILENT worker is no longer connected: nobody but the answering workers hears requests (Redis), or none of its queues
    /// has a consumer more than those who answer (AMQP). It may be dead, cut off, or stopping: such a one still finishes what it runs.
    /// While workers may be on their way back to a broker that was gone, that proves nothing.
    pub fn proved_gone(&self, worker: &Worker, now: Now) -> bool {
        if worker.state() != WorkerState::Silent || self.returning(now) {
            return false;
        }
        if let Some(told) = self.all_counted() {
            return told;
        }
        let unread = |name: &QueueName| {
            self.queues.get(name).is_some_and(|queue| {
                let readers = self.answering().filter(|worker| worker.reads(name)).count();
                queue.missing || queue.consumers.is_some_and(|all| all <= readers as u64)
            })
        };
        let queues = worker.queues.as_deref().unwrap_or_default();
        !queues.is_empty() && queues.iter().all(|queue| unread(&queue.name))
    }

    /// Whether nobody but the workers that answered heard what was asked after `since`.
    pub fn nobody_else(&self, since: Moment, now: Now) -> bool {
        let counted = self.counted_at > Some(since);
        counted && self.all_counted() == Some(true) && !self.returning(now)
    }

    /// Whether workers may be on their way back to a broker that was gone.
    fn returning(&self, now: Now) -> bool {
        let returning = |at: Now| now.mono.since(at.mono) < RETURNING;
        self.back_at.is_some_and(returning)
    }

    /// Whether whoever heard the last question has answered; `None` where the broker does not count who did.
    fn all_counted(&self) -> Option<bool> {
        match self.asked {
            Some((_, Reach::Nobody)) => Some(true),
            Some((_, Reach::Listeners(listeners))) => {
                Some(listeners <= self.answering().count() as u64)
            }
            _ => None,
        }
    }

    fn forget(&mut self, node: &NodeName) {
        let Some(worker) = self.workers.remove(node) else {
            return;
        };
        self.index.forgotten(worker.tasks.as_ref());
        for queue in worker.queues.into_iter().flatten() {
            let read = self.workers.values().any(|other| other.reads(&queue.name));
            if !read && self.queues.get(&queue.name).is_some_and(|it| it.missing) {
                self.queues.remove(&queue.name);
            }
        }
    }

    /// Workers that answered when asked last (not SILENT).
    pub fn answering(&self) -> impl Iterator<Item = &Worker> {
        self.workers
            .values()
            .filter(|worker| worker.state() != WorkerState::Silent)
    }

    /// Names of the workers that consume `queue`.
    pub fn readers(&self, queue: &QueueName) -> Vec<NodeName> {
        self.workers
            .values()
            .filter(|worker| worker.reads(queue))
            .map(|worker| worker.name.clone())
            .collect()
    }

    /// Consumers that the broker counts but that no answering worker accounts for: silent workers, or none of Celery's.
    /// `None` when a queue's consumers are not known.
    pub fn unaccounted(&self) -> Option<u64> {
        let mut most = 0;
        for queue in self.queues.values() {
            let readers = self
                .answering()
                .filter(|worker| worker.reads(&queue.name))
                .count() as u64;
            if readers == 0 && queue.consumers.is_none() {
                continue;
            }
            most = most.max(queue.consumers?.saturating_sub(readers));
        }
        Some(most)
    }

    /// Queues, trouble first, then by name.
    pub fn queues_by_trouble(&self) -> Vec<&Queue> {
        let mut queues: Vec<&Queue> = self.queues.values().collect();
        queues.sort_by_key(|queue| (queue.trouble(), queue.name.clone()));
        queues
    }

    /// Workers, trouble first, then by name.
    pub fn workers_by_trouble(&self) -> Vec<&Worker> {
        let mut workers: Vec<&Worker> = self.workers.values().collect();
        workers.sort_by_key(|worker| (worker.state(), worker.name.clone()));
        workers
    }

    /// The settings of the first worker (by name) that told them.
    pub fn conf(&self) -> Option<&Conf> {
        self.workers
            .values()
            .find_map(|worker| worker.conf.as_ref())
    }

    /// The result backend as workers tell it: `report` first, then `conf`. The report names the one in use; `conf` keeps quiet
    /// about a worker's environment, whose `CELERY_RESULT_BACKEND` wins over the application's setting (protocol.md 2.4).
    pub fn result_backend(&self) -> Option<&str> {
        let report = self
            .workers
            .values()
            .find_map(|worker| worker.report.as_ref()?.results.as_deref());
        report.or_else(|| {
            self.workers
                .values()
                .find_map(|worker| worker.conf.as_ref()?.result_backend.as_deref())
        })
    }
}

/// Puts `value` there; whether that changed anything.
fn replace<T: PartialEq>(place: &mut T, value: T) -> bool {
    let changed = *place != value;
    *place = value;
    changed
}
