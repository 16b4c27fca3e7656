//! What may be the reason, each with its evidence: a word for documents, a line for people, and how sure it is. Decides nothing.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::Usual;
use crate::clock::Timestamp;
use crate::protocol::{NodeName, QueueName, TaskName};
use crate::text::human::duration;

/// A span of time; milliseconds in documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl Span {
    /// ` for 4.9s`; nothing of what began in this second.
    pub fn lasting(self) -> String {
        if self.0 < Duration::from_secs(1) {
            return String::new();
        }
        format!(" for {self}")
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX))
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&duration(self.0))
    }
}

/// How a worker that had the task was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// It does not answer and is no longer connected: it is stopping, cut off, or dead.
    Gone,
    /// It was started again after it had the task.
    Restarted,
    /// It answers, and has the task no longer.
    Denied,
    /// The same, and its results are not seen here.
    Unseen,
}

/// One reason, with what it rests on. In documents `kind` is the name in `snake_case`, spans are milliseconds in fields that end
/// in `_ms`, and unknown is null.
#[derive(Clone, Debug, PartialEq, Serialize, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    /// The broker is not connected.
    BrokerDown {
        /// Why.
        reason: String,
        /// Since when.
        since_ms: Span,
        /// When the next try is due.
        retry_ms: Option<Span>,
        /// Whether the result backend went down with it, as one on the same server does: then it is no reason of its own.
        result_backend_too: bool,
    },
    /// The broker takes no messages: a memory or disk alarm.
    PublishersBlocked {
        /// In the broker's words.
        reason: String,
    },
    /// Nobody reads the queue.
    NoConsumer {
        /// Which queue.
        queue: QueueName,
        /// Messages that wait in it.
        waiting: Option<u64>,
    },
    /// The queue is gone, with what was in it.
    QueueMissing {
        /// Which queue.
        queue: QueueName,
    },
    /// No reader of the queue has the task.
    NotRegistered {
        /// The task.
        task: TaskName,
        /// The queue it was sent to.
        queue: QueueName,
        /// Readers of the queue that told their tasks.
        readers: usize,
        /// Those of them that do not have it.
        lacking: usize,
        /// Workers that do have it, and the queues they read.
        elsewhere: Vec<(NodeName, Vec<QueueName>)>,
    },
    /// The task keeps no result.
    ResultIgnored {
        /// The task.
        task: TaskName,
    },
    /// The workers write results elsewhere.
    BackendMismatch {
        /// Where they write, password masked.
        workers_write_to: String,
        /// Where umbel looks.
        looked_for_in: String,
        /// Which of them said so.
        workers: Vec<NodeName>,
        /// Of how many that may write it: the one that has it, else the readers of its queue.
        of: usize,
        /// Whether it may be the same place under another name.
        by_name_only: bool,
    },
    /// Results cannot be read.
    BackendUnreachable {
        /// Which backend.
        address: String,
        /// Why.
        reason: String,
        /// Since when; null if only this call's subscription is cut.
        since_ms: Option<Span>,
    },
    /// Its time to start is over.
    Expired {
        /// How long ago, by our clock; the worker's own decides.
        ago_ms: Span,
        /// Whether a worker dropped it for that.
        dropped: bool,
    },
    /// It waits in its queue.
    Queued {
        /// Which queue.
        queue: QueueName,
        /// Messages in it, this one among them.
        waiting: u64,
        /// How long those ahead take at most, where the queue's speed is known.
        wait_ms: Option<Span>,
        /// Workers that read it.
        readers: usize,
        /// Tasks that they hold and have not started: taken from their queues before; null if not all of them told.
        held: Option<u64>,
    },
    /// Its readers have nothing to do, and do not take it.
    NotTaken {
        /// Which queue.
        queue: QueueName,
        /// Messages in it.
        waiting: u64,
        /// Its readers.
        workers: Vec<NodeName>,
    },
    /// A worker has it and has not started it.
    Held {
        /// Which worker.
        worker: NodeName,
        /// Tasks it runs before.
        behind: Option<u64>,
        /// Other tasks it holds and has not started: it does not tell their order, so that many may go first at most.
        held: Option<u64>,
    },
    /// All slots of a worker are taken.
    WorkerBusy {
        /// Which worker.
        worker: NodeName,
        /// Tasks it runs, this one among them if it runs there.
        running: u64,
        /// Its slots.
        slots: u64,
        /// The task that runs longest.
        oldest: Option<TaskName>,
        /// For how long, by our clock, when that was told.
        oldest_ms: Option<Span>,
        /// How long ago that was told; null if a moment ago.
        told_ms: Option<Span>,
    },
    /// A worker keeps it for a rate limit, which hides it from all its lists.
    RateLimited {
        /// The task.
        task: TaskName,
        /// Its limit as the workers tell it: `10/m`.
        limit: Option<String>,
        /// The worker that received it, if one was seen to.
        worker: Option<NodeName>,
    },
    /// It failed, and waits for its next try.
    RetryWaiting {
        /// When that is.
        at: Option<String>,
        /// In how long.
        left_ms: Option<Span>,
        /// Whether it expires before that, by our clock: no worker will run it then.
        expires_first: bool,
        /// Tries that failed.
        retries: Option<u64>,
        /// Tries at most beside the first.
        max: Option<u64>,
        /// Why the last one failed.
        exception: Option<String>,
        /// The worker that keeps it.
        worker: Option<NodeName>,
    },
    /// A worker keeps it until its ETA.
    Scheduled {
        /// When that is.
        at: String,
        /// In how long; null if it has passed.
        left_ms: Option<Span>,
        /// Whether it expires before that, by our clock: no worker will run it then.
        expires_first: bool,
        /// The worker that keeps it.
        worker: Option<NodeName>,
    },
    /// It runs.
    Running {
        /// Where.
        worker: Option<NodeName>,
        /// For how long; null if its start was heard too late to tell.
        since_ms: Option<Span>,
        /// How long ago that was told last; null if a moment ago, or if only the result backend has it so.
        told_ms: Option<Span>,
        /// Whether nobody but the result backend says so, which keeps the last state it was given whatever became of the worker.
        only_stored: bool,
        /// How long it took before.
        usual: Option<Usual>,
    },
    /// The worker that had it died, or lost it.
    WorkerLost {
        /// Which worker.
        worker: NodeName,
        /// How that shows.
        how: Loss,
        /// Whether it was started there.
        started: bool,
        /// Whether the broker gives it to another worker; null if it is not known whether it was acknowledged.
        runs_again: Option<bool>,
        /// Whether it does so only after its visibility timeout (Redis; an hour unless the application sets another); null if that
        /// was not seen.
        after_visibility_timeout: Option<bool>,
        /// Whether it is perhaps back in its queue, where messages wait, on a broker that does not say more (Redis); null if that was
        /// not looked at.
        back_in_queue: Option<bool>,
        /// Whether nobody but the result backend said that it was there, which keeps the last state it was given.
        only_stored: bool,
    },
    /// A worker does not answer.
    WorkerSilent {
        /// Which worker.
        worker: NodeName,
        /// When it was heard last; null if it never was.
        heard_ms: Option<Span>,
        /// Whether its pool cannot answer while it works; null if it never told its pool.
        solo: Option<bool>,
        /// Whether it has the task, as far as was told.
        has_it: bool,
    },
    /// Somebody reads the queue and did not answer.
    ReaderUnheard {
        /// Which queue.
        queue: QueueName,
        /// How many.
        readers: u64,
    },
    /// Somebody heard the questions and did not answer, and which queues that one reads is not known (Redis).
    WorkerUnheard {
        /// How many.
        workers: u64,
    },
    /// It is not in its queue and in no list of a worker, but the pool of one is full, or may be, and lists only what it runs.
    PoolUnseen {
        /// Which worker.
        worker: NodeName,
        /// Tasks it runs.
        running: Option<u64>,
        /// Its slots.
        slots: Option<u64>,
    },
    /// It is not in its queue and in no list of a worker, but some messages were taken and not acknowledged (Redis).
    TakenUnseen {
        /// Its queue.
        queue: QueueName,
        /// Such messages.
        taken: u64,
        /// Whether those of all queues are counted.
        of_all_queues: bool,
    },
    /// The broker delivered it a second time.
    Redelivered {
        /// To which worker.
        worker: NodeName,
        /// When that was told.
        at: String,
        /// Whether it was seen to be started again there, after it had been started before: it may have run twice.
        started: bool,
    },
    /// Nothing knows it.
    Lost {
        /// Its queue, which is empty.
        queue: QueueName,
        /// Workers that answered that they do not have it.
        replied: usize,
    },
    /// Its queue is read and short: it is not the reason.
    QueueFine {
        /// Which queue.
        queue: QueueName,
        /// Messages in it.
        waiting: u64,
    },
    /// No worker that answered has it, and it was not sent from here: it may wait somewhere, be long over, or never have been sent.
    NoRecord {
        /// Workers that answered that they do not have it.
        replied: usize,
        /// Of how many.
        of: usize,
    },
    /// Too little is known.
    NotKnown {
        /// Workers that answered.
        replied: usize,
        /// Of how many.
        of: usize,
    },
}

impl Verdict {
    /// Its word in documents.
    pub fn kind(&self) -> &'static str {
        self.into()
    }

    /// Whether it is concluded, not told.
    pub fn inferred(&self) -> bool {
        match self {
            Self::RateLimited { .. }
            | Self::NotTaken { .. }
            | Self::Lost { .. }
            | Self::ReaderUnheard { .. }
            | Self::WorkerUnheard { .. }
            | Self::TakenUnseen { .. }
            | Self::PoolUnseen { .. }
            | Self::Queued { .. }
            | Self::NoRecord { .. }
            | Self::NotKnown { .. } => true,
            Self::BackendMismatch {
                by_name_only,
                workers,
                of,
                ..
            } => *by_name_only || workers.len() < *of,
            Self::Expired { dropped, .. } => !dropped,
            Self::Running {
                told_ms,
                only_stored,
                ..
            } => told_ms.is_some() || *only_stored,
            Self::WorkerBusy { told_ms, .. } => told_ms.is_some(),
            Self::RetryWaiting { expires_first, .. } | Self::Scheduled { expires_first, .. } => {
                *expires_first
            }
            // Stopped in order, its earlier process may still finish what it runs.
            Self::WorkerLost { how, started, .. } => *started || *how != Loss::Restarted,
            Self::Redelivered { started, .. } => !started,
            _ => false,
        }
    }
}

/// A moment as documents have it.
pub(super) fn at(moment: Timestamp) -> String {
    crate::call::document::rfc3339(moment)
}
