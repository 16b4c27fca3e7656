//! The broker: where tasks are published, control requests go out, and replies and rpc results come in.
//!
//! A [`Broker`] dials, a [`Link`] is one living connection. Neither reconnects by itself: that is written once, in `client`.

pub mod amqp;
pub mod memory;
pub mod url;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::error::Error;
use crate::protocol::{Message, QueueName};

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

    /// Publishes a task to the default exchange with routing key `queue`, mandatory, and waits for the broker's confirm (at most 5 s).
    async fn publish(&self, queue: &QueueName, message: Message) -> Delivery;

    /// Publishes a control request to every worker. Returns who could hear it.
    async fn broadcast(&self, request: Message) -> Result<Reach, Error>;

    /// Depth of a queue, without creating it.
    async fn depth(&self, queue: &QueueName) -> Result<Depth, Error>;

    /// Acknowledges a result, after it was recorded.
    async fn ack(&self, tag: AckTag);

    /// A round trip to the broker, for its latency.
    async fn ping(&self) -> Result<std::time::Duration, Error>;

    /// Removes our queues and closes. Bounded in time (1 s).
    async fn close(&self);
}

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
    /// The broker blocks publishers (memory or disk alarm, with its reason), or goes on (`None`).
    Blocked(Option<String>),
    /// The connection is gone.
    Lost(Error),
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
        /// Messages delivered and not acknowledged, where the broker tells (Redis; not AMQP).
        held: Option<u64>,
        /// Consumers, where the broker tells (AMQP; not Redis).
        consumers: Option<u64>,
    },
}
