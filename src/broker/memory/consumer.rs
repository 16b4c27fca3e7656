//! What a worker needs of the broker: declare and consume queues, hear control requests, publish results and replies. Never speaks for a client.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::MemoryServer;
use super::queue::Sort;
use super::state::{Fate, State};
use crate::protocol::control::EXCHANGE;
use crate::protocol::{Message, NodeName, QueueName};

/// Control requests a worker takes at once.
const PIDBOX_PREFETCH: usize = 16;

/// A message as its consumer gets it.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// For [`Consumer::ack`].
    pub tag: u64,
    /// The message.
    pub message: Arc<Message>,
    /// Whether somebody had it before.
    pub redelivered: bool,
    /// Who reads.
    pub(super) reader: u64,
}

/// Reads one queue. What it did not acknowledge goes back to the queue when it is dropped.
pub struct Consumer {
    server: MemoryServer,
    id: u64,
    mailbox: mpsc::Receiver<Delivered>,
}

impl Consumer {
    /// The next message; `None` when the queue was deleted.
    pub async fn next(&mut self) -> Option<Delivered> {
        self.mailbox.recv().await
    }

    /// Acknowledges a message: it is gone, and there is room for another.
    pub fn ack(&self, tag: u64) {
        self.server.change(|state| state.ack(tag));
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.server.change(|state| state.unsubscribe(self.id));
    }
}

impl MemoryServer {
    /// Declares a durable queue, if there is none of that name.
    pub fn declare(&self, queue: &QueueName) {
        self.change(|state| state.declare(queue.as_str(), Sort::Durable));
    }

    /// Deletes a queue and what is in it. A client that reads it loses its connection.
    pub fn delete(&self, queue: &QueueName) {
        self.change(|state| state.delete(queue.as_str()));
    }

    /// Declares and reads a queue, at most `prefetch` messages unacknowledged at a time (at least 1).
    pub fn consume(&self, queue: &QueueName, prefetch: usize) -> Consumer {
        self.reader(queue.as_str(), Sort::Durable, prefetch.max(1))
    }

    /// Hears control requests, through the queue `<node>.celery.pidbox`, which goes with the consumer.
    pub fn hear_control(&self, node: &NodeName) -> Consumer {
        self.reader(&format!("{node}.{EXCHANGE}"), Sort::Pidbox, PIDBOX_PREFETCH)
    }

    fn reader(&self, queue: &str, sort: Sort, prefetch: usize) -> Consumer {
        let (sender, mailbox) = mpsc::channel(prefetch);
        let subscribe = |state: &mut State| {
            state.declare(queue, sort);
            state.subscribe(queue, sender, prefetch, None)
        };
        Consumer {
            id: self.change(subscribe),
            server: self.clone(),
            mailbox,
        }
    }

    /// Sends an event as a worker does; without a listener it is gone.
    pub fn publish_event(&self, event: Message) {
        // An error means that nobody listens.
        let _ = self.inner.events.send(Arc::new(event));
    }

    /// Publishes to the default exchange as a worker does: not mandatory, so without such a queue the message is gone.
    /// Returns whether a queue took it.
    pub fn publish(&self, queue: &QueueName, message: Message) -> bool {
        let fate = self.change(|state| state.route(queue, Arc::new(message)));
        matches!(fate, Fate::Routed(_))
    }
}
