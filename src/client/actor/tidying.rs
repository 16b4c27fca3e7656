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
        let (mut acks, mut calls) = (Vec::<Vec<AckTag>>::new(), Vec::new());
        let mut links: Vec<Arc<dyn broker::Link>> = Vec::new();
        for chore in std::mem::take(&mut self.chores) {
            match chore {
                Chore::Unwatch(link, id) => calls.push((link, id)),
                Chore::Ack(link, tag) => {
                    if !links.last().is_some_and(|last| Arc::ptr_eq(last, &link)) {
                        links.push(link);
                        acks.push(Vec::new());
                    }
                    if let Some(tags) = acks.last_mut() {
                        tags.push(tag);
                    }
                }
            }
        }
        tokio::spawn(async move {
            for (link, tags) in links.into_iter().zip(acks) {
                link.ack_all(&tags).await;
            }
        });
        // A link that is gone has forgotten them anyway.
        let unwatch =
            async |(link, id): (Arc<dyn backend::Link>, TaskId)| drop(link.unwatch(&id).await);
        tokio::spawn(async move { drop(join_all(calls.into_iter().map(unwatch)).await) });
    }
}
