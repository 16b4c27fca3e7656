//! What clients wrote to the broker, so that a test can say "sent once". Bounded in number and bytes; never holds what workers published.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::protocol::{Message, QueueName};

/// Most publishes remembered.
const COUNT: usize = 1024;

/// Most bytes of bodies remembered.
const BYTES: usize = 16 << 20;

/// Where a message was published to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The default exchange, with this queue as routing key.
    Queue(QueueName),
    /// The fanout exchange of control requests.
    Pidbox,
}

/// One publish of a client, whatever became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Where to.
    pub target: Target,
    /// What.
    pub message: Arc<Message>,
}

/// The publishes remembered, oldest first.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub entries: VecDeque<Published>,
    pub total: u64,
    bytes: usize,
}

impl Record {
    pub(super) fn add(&mut self, published: Published) {
        self.total += 1;
        self.bytes += published.message.body.len();
        self.entries.push_back(published);
        while self.entries.len() > COUNT || self.bytes > BYTES {
            let Some(oldest) = self.entries.pop_front() else {
                return;
            };
            self.bytes -= oldest.message.body.len();
        }
    }
}
