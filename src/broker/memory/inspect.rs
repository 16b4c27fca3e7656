//! A look inside the broker, for tests: what is queued, what was published, what is left behind. Never changes anything.

use std::sync::Arc;

use super::MemoryServer;
use super::record::{Published, Target};
use crate::protocol::Message;

impl MemoryServer {
    /// Names of all queues, in order.
    pub fn queue_names(&self) -> Vec<String> {
        self.look(|state| state.queues.keys().cloned().collect())
    }

    /// Messages ready in a queue; `None` when there is no such queue.
    pub fn queue_depth(&self, queue: &str) -> Option<usize> {
        self.look(|state| state.queues.get(queue).map(|queue| queue.ready.len()))
    }

    /// The messages ready in a queue, first to go first.
    pub fn messages(&self, queue: &str) -> Vec<Arc<Message>> {
        self.look(|state| {
            let ready = state.queues.get(queue).into_iter().flat_map(|q| &q.ready);
            ready.map(|parcel| Arc::clone(&parcel.message)).collect()
        })
    }

    /// Messages of a queue that were delivered and not acknowledged.
    pub fn unacked(&self, queue: &str) -> usize {
        self.look(|state| {
            let out = state.out.values();
            out.filter(|out| {
                state
                    .readers
                    .get(&out.reader)
                    .is_some_and(|r| r.queue == queue)
            })
            .count()
        })
    }

    /// Those who consume from a queue.
    pub fn consumers(&self, queue: &str) -> usize {
        self.look(|state| state.queues.get(queue).map_or(0, |q| q.readers.len()))
    }

    /// What clients wrote, oldest first, whatever became of it: at most the last 1,024 publishes and 16 MiB.
    pub fn published(&self) -> Vec<Published> {
        self.look(|state| state.record.entries.iter().cloned().collect())
    }

    /// The tasks among [`MemoryServer::published`], without control requests.
    pub fn published_tasks(&self) -> Vec<Arc<Message>> {
        let tasks = self.published().into_iter();
        tasks
            .filter(|published| matches!(published.target, Target::Queue(_)))
            .map(|published| published.message)
            .collect()
    }

    /// Publishes of clients since the start, also those no longer remembered.
    pub fn published_total(&self) -> u64 {
        self.look(|state| state.record.total)
    }

    /// Connections of clients that are open.
    pub fn links(&self) -> usize {
        self.look(|state| state.links.len())
    }

    /// Connects tried since the start, refused ones included.
    pub fn attempts(&self) -> u64 {
        self.look(|state| state.attempts)
    }

    /// Waits until `condition` holds; looked at again only when something changed. The caller sets the deadline.
    pub async fn wait_until(&self, condition: impl Fn(&Self) -> bool) {
        let mut version = self.inner.version.subscribe();
        while !condition(self) {
            if version.changed().await.is_err() {
                return;
            }
        }
    }
}
