//! Calls that were sent before, by an earlier run or by somebody else: listened for from now on. Publishes nothing.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::calls::Tracked;
use super::{Actor, Done};
use crate::backend::{Link, Results};
use crate::protocol::TaskId;

impl Actor {
    /// Listens for a call that was sent before; what there is of it is fetched as soon as the backend is up.
    pub(super) fn follow(&mut self, id: TaskId) {
        if self.calls.contains_key(&id) {
            return;
        }
        let stored = matches!(self.results, Some(Results::Stored(_)));
        let tracked = Tracked::followed(stored, self.now().mono);
        self.calls.insert(id.clone(), tracked);
        // A backend that comes up later is asked for all of them.
        if let Some(link) = self.backend.link().filter(|_| stored) {
            watch_and_fetch(link, id, self.done.clone());
        }
    }
}

/// Subscribes first, then looks what is there already, so that nothing is missed between.
pub(super) fn watch_and_fetch(link: Arc<dyn Link>, id: TaskId, done: mpsc::Sender<Done>) {
    tokio::spawn(async move {
        let document = match link.watch(&id).await {
            Ok(()) => link.fetch(&id).await,
            Err(error) => Err(error),
        };
        let _ = done.send(Done::Fetched(id, document)).await;
    });
}
