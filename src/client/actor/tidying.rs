//! What is left to do when a result was read: acknowledged and unsubscribed a little later, and all of one moment together, so that
//! no result has to wait for it and a thousand of them are few packets. Tells nothing.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::{Actor, Done};
use crate::broker::AckTag;
use crate::protocol::TaskId;
use crate::{backend, broker};

/// How long it waits for others of its kind.
const AFTER: Duration = Duration::from_millis(10);

/// One thing to do.
pub(super) enum Chore {
    /// A result of our queue was recorded.
    Ack(Arc<dyn broker::Link>, AckTag),
    /// Nothing more is expected for this call.
    Unwatch(Arc<dyn backend::Link>, TaskId),
}

impl Chore {
    async fn work(self) {
        match self {
            Self::Ack(link, tag) => link.ack(tag).await,
            // A link that is gone has forgotten it anyway.
            Self::Unwatch(link, id) => drop(link.unwatch(&id).await),
        }
    }
}

impl Actor {
    pub(super) fn tidy_later(&mut self, chore: Chore) {
        self.chores.push(chore);
        if self.chores.len() > 1 {
            return;
        }
        let done = self.done.clone();
        tokio::spawn(async move {
            tokio::time::sleep(AFTER).await;
            let _ = done.send(Done::Quiet).await;
        });
    }

    pub(super) fn tidy(&mut self) {
        let chores = std::mem::take(&mut self.chores);
        tokio::spawn(join_all(chores.into_iter().map(Chore::work)));
    }
}
