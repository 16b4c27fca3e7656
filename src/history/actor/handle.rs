//! What everybody but the thread of history holds. Nothing here waits for a disk, but for [`Handle::close`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;

use super::desk::Desk;
use super::inbox::Inbox;
use super::{busy, ended};
use crate::call::diagnosis::Usual;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
#[cfg(doc)]
use crate::history::store::Store;
use crate::history::store::{Records, Trouble};
use crate::history::{Count, Cursor, Filter, Found, Key, Record, Row};
use crate::protocol::{QueueName, TaskId, TaskName};

/// How long the end of a screen waits for the disk.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// History, from any thread; a copy is cheap.
#[derive(Clone)]
pub struct Handle(Arc<Last>);

/// The last handle closes.
struct Last(Arc<Inbox>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What came of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// All is written (in memory only, where that was wanted).
    Written,
    /// The disk took too long, or failed: so many calls are not written for sure.
    Unwritten(usize),
}

/// An answer that comes.
#[must_use = "an answer that nobody waits for is lost"]
#[derive(Debug)]
pub struct Reply<T>(oneshot::Receiver<Result<T>>);

impl<T> Future for Reply<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.0).poll(context);
        answer.map(|answer| answer.unwrap_or_else(|_| Err(ended())))
    }
}

impl Handle {
    pub(super) fn new(inbox: Arc<Inbox>) -> Self {
        Self(Arc::new(Last(inbox)))
    }

    /// Keeps a record. Of several records of one call the one that knows most is written.
    pub fn save(&self, record: Record) {
        self.0.0.save(record);
    }

    /// The newest calls before `before`: see [`Store::page`]. As every answer, it knows all that was saved before.
    pub fn page(&self, filter: Filter, before: Option<Cursor>, limit: usize) -> Reply<Vec<Row>> {
        self.ask(move |desk| desk.page(&filter, before, limit))
    }

    /// Whole records, for an export: see [`Store::records`].
    pub fn records(&self, filter: Filter, before: Option<Cursor>, limit: usize) -> Reply<Records> {
        self.ask(move |desk| desk.records(&filter, before, limit))
    }

    /// The call of an id or of its beginning: see [`Store::get`].
    pub fn get(&self, id: String) -> Reply<Found> {
        self.ask(move |desk| desk.get(&id))
    }

    /// This very call: see [`Store::get_call`].
    pub fn get_call(&self, key: Key) -> Reply<Found> {
        self.ask(move |desk| desk.get_call(&key))
    }

    /// The call of the same task before this one: see [`Store::previous`].
    pub fn previous(&self, key: Key) -> Reply<Option<Record>> {
        self.ask(move |desk| desk.previous(&key))
    }

    /// How many calls: see [`Store::count`].
    pub fn count(&self, filter: Filter) -> Reply<Count> {
        self.ask(move |desk| desk.count(&filter))
    }

    /// How long a task usually takes: see [`Store::usual`].
    pub fn usual(
        &self,
        task: TaskName,
        broker: String,
        queue: Option<QueueName>,
    ) -> Reply<Option<Usual>> {
        self.ask(move |desk| desk.usual(&task, &broker, queue.as_ref()))
    }

    /// How many calls have exactly this id: see [`Store::namesakes`].
    pub fn namesakes(&self, id: TaskId) -> Reply<usize> {
        self.ask(move |desk| desk.read(&|store| store.namesakes(&id)))
    }

    /// Calls without an answer: see [`Store::unresolved`].
    pub fn unresolved(&self, broker: String, since: Timestamp) -> Reply<Vec<Record>> {
        self.ask(move |desk| desk.read(&|store| store.unresolved(&broker, since)))
    }

    /// Deletes a call for good, whatever is heard of it later. Gives back what was there, for [`Handle::recollect`].
    pub fn forget(&self, id: TaskId, now: Timestamp) -> Reply<Option<Record>> {
        self.ask(move |desk| desk.forget(&id, now))
    }

    /// As [`Handle::forget`], one call of its id.
    pub fn forget_call(&self, key: Key, now: Timestamp) -> Reply<Option<Record>> {
        self.ask(move |desk| desk.forget_call(&key, now))
    }

    /// As [`Handle::forget`], also where the record cannot be read; it cannot be taken back.
    pub fn erase(&self, id: TaskId, now: Timestamp) -> Reply<()> {
        self.ask(move |desk| desk.erase(&id, now))
    }

    /// Takes back [`Handle::forget`].
    pub fn recollect(&self, record: Record) -> Reply<()> {
        self.ask(move |desk| desk.recollect(&record))
    }

    /// Writes what is left and ends history, for all handles. Waits at most a second; not for the loop of a screen.
    pub fn close(&self) -> Closed {
        self.close_within(LAST_WORDS)
    }

    /// As [`Handle::close`], waiting at most so long.
    pub fn close_within(&self, limit: Duration) -> Closed {
        self.0.0.close();
        match self.0.0.wait_for_end(limit) {
            0 => Closed::Written,
            left => Closed::Unwritten(left),
        }
    }

    /// Whether history has ended: nothing more is written.
    pub fn has_ended(&self) -> bool {
        self.0.0.has_ended()
    }

    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Desk) -> std::result::Result<T, Trouble> + Send + 'static,
    ) -> Reply<T> {
        let (answer, reply) = oneshot::channel();
        let (refusal, refused) = oneshot::channel();
        let job = Box::new(move |desk: &mut Desk| {
            // Whoever asked may have gone.
            let _ = answer.send(work(desk).map_err(Error::from));
        });
        match self.0.0.ask(job) {
            Ok(()) => Reply(reply),
            Err(full) => {
                let _ = refusal.send(Err(if full { busy() } else { ended() }));
                Reply(refused)
            }
        }
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("history::Handle")
    }
}
