//! One queue: what waits in it, who reads it, to whom it belongs. Never decides who gets a message; that is `state`.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::protocol::Message;

/// Most messages a queue holds; beyond, publishes to it are refused.
const LIMIT: usize = 100_000;

/// Most control requests that wait for a worker that does not read them; then the oldest go.
const PIDBOX_LIMIT: usize = 256;

/// What sort of queue it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// Stays until deleted: task queues and the clients' result queues.
    Durable,
    /// Belongs to one link and goes with it: control replies.
    Exclusive(u64),
    /// A worker's mailbox for control requests: bound to the fanout exchange, goes with its consumer.
    Pidbox,
}

/// A message in a queue, and whether it has been out before.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub message: Arc<Message>,
    pub redelivered: bool,
}

/// A queue.
#[derive(Debug)]
pub(super) struct Queue {
    pub sort: Sort,
    pub ready: VecDeque<Parcel>,
    /// Ids of those who read it; the next message goes to the first that has room.
    pub readers: VecDeque<u64>,
}

impl Queue {
    pub(super) fn new(sort: Sort) -> Self {
        Self {
            sort,
            ready: VecDeque::new(),
            readers: VecDeque::new(),
        }
    }

    /// Adds a message at the end. `false`: the queue is full and took nothing.
    pub(super) fn push(&mut self, message: Arc<Message>) -> bool {
        if self.sort == Sort::Pidbox && self.ready.len() >= PIDBOX_LIMIT {
            self.ready.pop_front();
        }
        if self.ready.len() >= LIMIT {
            return false;
        }
        self.ready.push_back(Parcel {
            message,
            redelivered: false,
        });
        true
    }

    /// Puts a message back to where it was taken from.
    pub(super) fn put_back(&mut self, message: Arc<Message>) {
        self.ready.push_front(Parcel {
            message,
            redelivered: true,
        });
    }
}
