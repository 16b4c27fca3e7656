//! Who reads the queues that a call goes to, how long their lines are, and which of the readers know the task. Pure; asks nobody.

use super::listed;
use crate::cluster::{Cluster, Queue, Worker};
use crate::protocol::{NodeName, QueueName, TaskName};

/// A queue that takes the call, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taker {
    /// Which.
    pub queue: QueueName,
    /// Who reads it.
    pub readers: Readers,
    /// Messages ready in it; `None` if not known.
    pub waiting: Option<u64>,
    /// Whether the broker has no such queue.
    pub missing: bool,
}

/// How many read a queue: consumers as RabbitMQ counts them, else workers that told so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Nobody told.
    Unknown,
    /// These told so; others may read it too.
    AtLeast(u64),
    /// So many and no more; 0 is proof that nobody does.
    Exactly(u64),
}

/// Which workers know the task, among those that told their tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// How many have it.
    pub on: usize,
    /// Those that do not, by name.
    pub lacking: Vec<NodeName>,
    /// Whether only those were looked at that read one of the queues; else all, because none is known to.
    pub among_readers: bool,
    /// Readers of one queue, as the broker counts them, that are none of those.
    pub unheard: u64,
}

impl Taker {
    /// What is known of `queue`.
    pub(super) fn of(cluster: &Cluster, queue: &QueueName) -> Self {
        let known = cluster.queues.get(queue);
        Self {
            queue: queue.clone(),
            readers: readers(cluster, queue, known),
            waiting: known.and_then(|queue| queue.ready),
            missing: known.is_some_and(|queue| queue.missing),
        }
    }
}

/// A doubt where one of several queues has no reader: its copy waits.
pub(super) fn unread(takers: &[Taker]) -> Option<String> {
    let unread = takers
        .iter()
        .filter(|taker| taker.readers == Readers::Exactly(0));
    let names: Vec<&str> = unread.map(|taker| taker.queue.as_str()).collect();
    (takers.len() > 1 && !names.is_empty()).then(|| {
        format!(
            "no worker reads queue {}: what goes there waits",
            names.join(", ")
        )
    })
}

fn readers(cluster: &Cluster, name: &QueueName, known: Option<&Queue>) -> Readers {
    if known.is_some_and(|queue| queue.missing || queue.unread) {
        return Readers::Exactly(0);
    }
    if let Some(consumers) = known.and_then(|queue| queue.consumers) {
        return Readers::Exactly(consumers);
    }
    let told = cluster.answering().filter(|worker| worker.reads(name));
    match (told.count() as u64, cluster.all_told()) {
        (0, _) => Readers::Unknown,
        (told, true) => Readers::Exactly(told),
        (told, false) => Readers::AtLeast(told),
    }
}

impl Registered {
    /// Looks at the answering workers that read one of `takers`, or at all that answer if none is known to.
    pub(super) fn on(cluster: &Cluster, takers: &[Taker], task: &TaskName) -> Self {
        let told = || {
            cluster
                .answering()
                .filter(|worker| worker.knows(task).is_some())
        };
        // What a worker told before does not count against proof that nobody reads a queue.
        let read = |taker: &&Taker| taker.readers != Readers::Exactly(0);
        let reads = |worker: &&Worker| {
            let mut takers = takers.iter().filter(read);
            takers.any(|taker| worker.reads(&taker.queue))
        };
        let among_readers = told().any(|worker| reads(&worker));
        let (having, lacking): (Vec<&Worker>, Vec<&Worker>) = told()
            .filter(|worker| !among_readers || reads(worker))
            .partition(|worker| worker.knows(task) == Some(true));
        let unheard = takers.iter().filter_map(|taker| {
            let heard = told().filter(|worker| worker.reads(&taker.queue));
            match taker.readers {
                Readers::Exactly(all) => Some(all.saturating_sub(heard.count() as u64)),
                _ => None,
            }
        });
        Self {
            on: having.len(),
            lacking: lacking.iter().map(|it| it.name.clone()).collect(),
            among_readers,
            unheard: unheard.max().unwrap_or(0),
        }
    }

    /// How many told.
    pub fn of(&self) -> usize {
        self.on + self.lacking.len()
    }

    /// `w2@stg-4, w5@stg-6 and 3 more`: the workers without it.
    pub fn missing_on(&self) -> String {
        listed(self.lacking.iter().map(NodeName::as_str))
    }

    /// A doubt, where not every reader has it, or none told whether it has.
    pub(super) fn doubt(&self, takers: &[Taker], task: &TaskName) -> Option<String> {
        if !self.among_readers {
            return self.doubt_of_others(takers, task);
        }
        if self.lacking.is_empty() {
            return None;
        }
        Some(match (self.on, self.of()) {
            (0, 1) => {
                format!("the one worker that answered and reads it has no {task}; others may")
            }
            (0, of) => {
                format!("none of the {of} workers that read it and answered has {task}; others may")
            }
            (on, of) => format!(
                "registered on {on} of {of} workers that read it, not on {}: the call may end as NO TASK",
                self.missing_on()
            ),
        })
    }

    /// What workers have that cannot get the call says nothing of those that can.
    fn doubt_of_others(&self, takers: &[Taker], task: &TaskName) -> Option<String> {
        let read = |taker: &&Taker| matches!(taker.readers, Readers::Exactly(1..));
        let read: Vec<&str> = takers
            .iter()
            .filter(read)
            .map(|taker| taker.queue.as_str())
            .collect();
        (self.of() > 0 && !read.is_empty()).then(|| {
            format!(
                "no worker that told its tasks reads queue {}: whether those that read it have {task} is not known",
                listed(read.into_iter())
            )
        })
    }
}
