//! The client: one actor that owns both links, reconnects them, correlates replies, and answers with events. Everything else holds its handle.

pub mod actor;
pub mod backoff;
pub mod event;
pub mod guard;
pub mod replies;
pub mod survey;
#[cfg(test)]
mod tests;

use tokio::sync::mpsc;

use crate::broker::Route;
use crate::call::Answer;
use crate::call::preflight::Preflight;
use crate::protocol::control::Signal;
use crate::protocol::{NodeName, QueueName, Signature, TaskId};

pub use event::{Event, LinkName, LinkState};
pub use guard::Confirmed;

/// What the actor is asked to do. It answers with [`Event`]s.
#[derive(Debug)]
pub enum Command {
    /// Subscribe to the result, then publish once. Facts follow as [`Event::Call`].
    Call(Box<Order>),
    /// A call with this id may follow soon: subscribe to its result while there is time. Only a hint; it tells nothing and sends nothing.
    Expect(TaskId),
    /// Listen for a call that was sent before, by an earlier run or by somebody else: its result is watched and fetched where a backend
    /// keeps it ([`crate::call::Fact::NotStored`]: nothing is there), and the workers are asked for it. Publishes no task; told as
    /// [`Event::Call`]. On `rpc://` only the workers can tell: a result goes to its caller alone.
    Follow(TaskId),
    /// Results were at this address, password masked, when a call was made: they are read there if nobody else has told where they are.
    /// Answered with [`Event::Results`], or [`Event::ResultsTrouble`] where the way there is not known.
    ResultsWereAt(String),
    /// Ask everything again now; reconnect now if a link waits for its next try.
    Refresh,
    /// Ask for the depth of one more queue, now and from now on.
    Queue(QueueName),
    /// Ask the broker which queues there are, whoever reads them. Answered with [`Event::Listed`], if it is connected.
    ListQueues,
    /// A call looks stuck: ask everybody where it is, its queue how long it is, and its backend what it has. Answers follow as
    /// [`Event::Call`] and [`Event::Heard`].
    Investigate {
        /// Which call.
        id: TaskId,
        /// Its queue.
        queue: Option<QueueName>,
    },
    /// Workers are being looked at: ping every 2 s instead of every 10 s.
    WatchWorkers(bool),
    /// Revoke a task at all workers (tier 3: a person confirmed it).
    Revoke {
        /// Which.
        id: TaskId,
        /// Kill the process if it runs (SIGTERM).
        terminate: bool,
        /// Proof that a person confirmed it.
        confirmed: Confirmed,
    },
    /// As [`Command::Revoke`] with `terminate`, with a signal that the person chose.
    Terminate {
        /// Which.
        id: TaskId,
        /// With which signal.
        signal: Signal,
        /// Proof that a person confirmed it.
        confirmed: Confirmed,
    },
    /// Remove what is ours on the broker, close both links, end. [`Event::Closed`] is the last event.
    Close,
}

/// A call ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// What to call.
    pub signature: Signature,
    /// Where it is published to.
    pub route: Route,
    /// With a start in the future: the routing key for native delayed delivery, where the workers use that.
    pub delayed: Option<String>,
    /// From where its outcome is awaited.
    pub answer: Answer,
    /// Workers that would run it, as far as known; where its end comes by events, they are switched on first.
    pub readers: Vec<NodeName>,
}

impl Order {
    /// The order that follows from looking before sending.
    pub fn new(mut signature: Signature, seen: &Preflight) -> Self {
        signature.options.serializer = Some(seen.serializer);
        Self {
            signature,
            route: seen.route.clone(),
            delayed: seen.delayed.clone(),
            answer: seen.answer,
            readers: seen.readers.clone(),
        }
    }

    /// Straight to a queue, with a result.
    pub fn to_queue(signature: Signature, queue: &QueueName) -> Self {
        Self {
            signature,
            route: Route::to_queue(queue),
            delayed: None,
            answer: Answer::Result,
            readers: Vec::new(),
        }
    }
}

/// A cheap handle to the actor.
#[derive(Clone, Debug)]
pub struct Client {
    commands: mpsc::Sender<Command>,
}

impl Client {
    /// A handle that sends to `commands`.
    pub fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands }
    }

    /// Hands a command over without waiting; gives it back if the actor is too busy or gone (nothing was done then).
    pub fn try_send(&self, command: Command) -> Result<(), Command> {
        self.commands
            .try_send(command)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(command)
                | mpsc::error::TrySendError::Closed(command) => command,
            })
    }

    /// Hands a command over, waiting for room; false if the actor is gone.
    pub async fn send(&self, command: Command) -> bool {
        self.commands.send(command).await.is_ok()
    }
}

/// `gen<pid>@<host>`, as Celery's own client says where a message comes from.
pub fn origin() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::env::var("HOSTNAME").map_err(std::io::Error::other));
    let host = host.map_or_else(|_| "unknown".to_owned(), |host| host.trim().to_owned());
    format!("gen{}@{host}", std::process::id())
}
