//! The broker: where tasks are published, control requests go out, and replies and rpc results come in.
//!
//! A [`Broker`] dials, a [`Link`] is one living connection. Neither reconnects by itself: that is written once, in `client`.

pub mod amqp;
pub mod memory;
pub mod redis;
mod several;
pub mod url;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::error::Error;
use crate::protocol::control::ReplyTo;
use crate::protocol::{Message, QueueName, TaskId};

/// A way to a broker.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Dials, logs in, declares our two reply queues and starts to consume from them; what arrives goes to `incoming` until
    /// [`Incoming::Lost`], which comes exactly once and last. No retry. Bounded in time (5 s).
    /// The reply queue for results keeps its name over reconnects, so that results sent meanwhile are found (protocol.md 11.1).
    async fn connect(&self, incoming: mpsc::Sender<Incoming>) -> Result<Arc<dyn Link>, Error>;

    /// The address for people, password masked: `amqp://guest:***@localhost:5672//`.
    fn address(&self) -> String;

    /// Short form for the header: scheme, host, port, vhost; no user: `amqp://localhost:5672/`.
    fn short_address(&self) -> String;
}

/// One living connection to a broker. Calls may run at the same time.
#[async_trait]
pub trait Link: Send + Sync {
    /// The queue that rpc results are to be sent to (`reply_to` of a task).
    fn result_queue(&self) -> String;

    /// The queue or list that control replies are to be sent to.
    fn reply_queue(&self) -> String;

    /// By which exchange they come there.
    fn reply_to(&self) -> ReplyTo {
        ReplyTo::queue(self.reply_queue())
    }

    /// Publishes a task, mandatory, and waits for the broker's confirm (at most 5 s).
    async fn publish(&self, route: &Route, message: Message) -> Delivery;

    /// Publishes a control request to every worker. Returns who could hear it.
    async fn broadcast(&self, request: Message) -> Result<Reach, Error>;

    /// Depth of a queue, without creating it.
    async fn depth(&self, queue: &QueueName) -> Result<Depth, Error>;

    /// The queues that the server itself lists for tasks, whoever reads them; `None` where it cannot be asked. Bounded in time and number.
    async fn listed(&self) -> Result<Option<Listed>, Error> {
        Ok(None)
    }

    /// Acknowledges a result, after it was recorded.
    async fn ack(&self, tag: AckTag);

    /// Acknowledges results together, in any order.
    async fn ack_all(&self, tags: &[AckTag]) {
        for tag in tags {
            self.ack(*tag).await;
        }
    }

    /// Begins (`true`) or ends to listen to the events of workers and tasks; they come as [`Incoming::Event`]. Asked twice, it is
    /// done once. When it has ended, what others left to us is among what came; whoever ends it goes on reading meanwhile. Bounded in
    /// time (10 s).
    async fn events(&self, wanted: bool) -> Result<(), Error>;

    /// For one who listens no longer ([`Link::events`] `false` came before): tells this to another umbel that listens to events here;
    /// it comes as [`Incoming::HandedOver`]. `false`: nobody else listens, or nobody could be told. Bounded in time (5 s). The note has
    /// no more than [`LARGEST_NOTE`] bytes.
    async fn hand_over(&self, _note: Vec<u8>) -> bool {
        false
    }

    /// The end of this task is known, wherever it was learned: nothing more is expected on the result queue for it. Only where
    /// what may still come decides what can be removed at the end (Redis).
    fn settled(&self, _id: &TaskId) {}

    /// A round trip to the broker, for its latency.
    async fn ping(&self) -> Result<std::time::Duration, Error>;

    /// Removes our queues and closes. Bounded in time (1 s).
    async fn close(&self);
}

/// What one umbel tells another at its end is small, in bytes; what is larger is passed over.
pub const LARGEST_NOTE: usize = 1 << 20;

/// Acknowledges one delivery on the link that brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckTag(pub u64);

/// What comes from a broker.
#[derive(Debug)]
pub enum Incoming {
    /// A result on our result queue; to be acknowledged once recorded.
    Result {
        /// The message; `correlation_id` is the task's id.
        message: Message,
        /// For [`Link::ack`].
        tag: AckTag,
    },
    /// A control reply.
    Reply(Message),
    /// An event of a worker or of tasks, while [`Link::events`] wants them. These may be dropped when the reader is slow.
    Event(Message),
    /// What another umbel that listened to events leaves to us ([`Link::hand_over`]). Anybody could have written it; never dropped, no
    /// larger than [`LARGEST_NOTE`].
    HandedOver(Vec<u8>),
    /// Something that the user should know about this link; a sentence for people.
    Notice(String),
    /// The broker blocks publishers (memory or disk alarm, with its reason), or goes on (`None`).
    Blocked(Option<String>),
    /// The connection is gone.
    Lost(Error),
}

/// Where a task is published to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The exchange; empty is the default exchange, which leads straight to the queue named by the routing key.
    pub exchange: String,
    /// The routing key.
    pub routing_key: String,
}

impl Route {
    /// Straight to a queue, through the default exchange: to this one queue and no other (protocol.md 1.4).
    pub fn to_queue(queue: &QueueName) -> Self {
        Self {
            exchange: String::new(),
            routing_key: queue.as_str().to_owned(),
        }
    }
}

/// What became of a published message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The broker has it in a queue.
    Confirmed,
    /// The broker returned it: there is no such queue. Not queued.
    Returned(String),
    /// It certainly was not queued: refused, or never written.
    Unsent(Error),
    /// The connection broke, or nothing was heard, between writing and confirm. It may be queued. Never send it again.
    Unknown(Error),
}

/// Who could hear a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Proved: nobody listens.
    Nobody,
    /// Somebody; the number is not known (AMQP).
    Somebody,
    /// So many listeners (Redis), an upper bound.
    Listeners(u64),
}

/// Queues that the server lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Their names.
    pub queues: BTreeSet<QueueName>,
    /// By what they are listed, for people.
    pub by: &'static str,
    /// Whether these are all: there may be more than is looked at.
    pub complete: bool,
}

/// How full a queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// There is no such queue.
    Missing,
    /// It exists, but belongs to another connection alone: nothing can be asked.
    Locked,
    /// What the broker says.
    Known {
        /// Messages ready for a consumer.
        ready: u64,
        /// Messages delivered and not acknowledged.
        held: Held,
        /// How long ago at most those were counted.
        held_ago: Duration,
        /// Consumers, where the broker tells (AMQP; not Redis).
        consumers: Option<u64>,
        /// Messages a second, where RabbitMQ's management API tells.
        rates: Option<Rates>,
    },
}

/// Messages delivered and not acknowledged: prefetched, waiting for their ETA, or running with late acknowledgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Held {
    /// The broker does not tell (AMQP without its management API).
    #[default]
    Unknown,
    /// So many of this queue.
    Queue(u64),
    /// So many of all queues together: there are too many to look at each (Redis).
    AllQueues(u64),
}

impl Held {
    /// Those of the queue, if that is known.
    pub fn of_queue(self) -> Option<u64> {
        match self {
            Self::Queue(held) => Some(held),
            Self::Unknown | Self::AllQueues(_) => None,
        }
    }

    /// Those of all queues together, if only that is known.
    pub fn of_all(self) -> Option<u64> {
        match self {
            Self::AllQueues(held) => Some(held),
            Self::Unknown | Self::Queue(_) => None,
        }
    }
}

/// Messages a second, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Published to the queue.
    pub in_milli: u64,
    /// Delivered from the queue.
    pub out_milli: u64,
}
