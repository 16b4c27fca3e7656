//! What lies between those who have calls to keep or questions, and the thread of history. A record of a call joins
//! the one that is not written yet, so nobody waits and nothing piles up.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::desk::Desk;
use crate::history::Record;
use crate::history::record::Key;

/// A question, or something else to do with the desk.
pub(super) type Job = Box<dyn FnOnce(&mut Desk) + Send>;

/// Questions that may wait.
const MOST_JOBS: usize = 256;

/// How long the first record waits for the next state of its call: a short call is written once.
const GATHER: Duration = Duration::from_millis(50);

/// What is to be done next.
pub(super) enum Work {
    /// Write these, then do that.
    Do {
        /// The records, in the order in which their calls came.
        saves: Vec<Record>,
        /// A question that came after them.
        job: Option<Job>,
    },
    /// Nothing came for a while.
    Idle,
    /// Everything is done, and nothing more comes.
    End,
}

#[derive(Default)]
struct Heap {
    saves: HashMap<Key, Record>,
    order: Vec<Key>,
    /// Records that were taken and are being written.
    writing: usize,
    /// Records that the disk has not got yet, and may never get.
    owed: usize,
    jobs: VecDeque<Job>,
    closing: bool,
    ended: bool,
}

#[derive(Default)]
pub(super) struct Inbox {
    heap: Mutex<Heap>,
    news: Condvar,
}

impl Inbox {
    fn heap(&self) -> MutexGuard<'_, Heap> {
        // A panic elsewhere leaves the heap as it was between two of its changes.
        self.heap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a record to be written.
    pub(super) fn save(&self, record: Record) {
        let mut heap = self.heap();
        let key = record.key();
        if let Some(earlier) = heap.saves.get_mut(&key) {
            return earlier.join(record);
        }
        heap.order.push(key.clone());
        heap.saves.insert(key, record);
        self.news.notify_all();
    }

    /// Takes a question; gives it back if there are too many, or if nobody answers any more.
    pub(super) fn ask(&self, job: Job) -> Result<(), bool> {
        let mut heap = self.heap();
        if heap.ended || heap.closing {
            return Err(false);
        }
        if heap.jobs.len() >= MOST_JOBS {
            return Err(true);
        }
        heap.jobs.push_back(job);
        self.news.notify_all();
        Ok(())
    }

    /// Nothing more will come.
    pub(super) fn close(&self) {
        self.heap().closing = true;
        self.news.notify_all();
    }

    /// The thread has ended.
    pub(super) fn end(&self) {
        let mut heap = self.heap();
        heap.ended = true;
        // Whoever asked hears that nobody answers.
        heap.jobs.clear();
        self.news.notify_all();
    }

    /// Whether the thread has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.heap().ended
    }

    /// So many records have not got to the disk.
    pub(super) fn owed(&self, records: usize) {
        self.heap().owed = records;
    }

    /// What was taken is written, all but so many records that the disk has not got.
    pub(super) fn written(&self, owed: usize) {
        let mut heap = self.heap();
        (heap.writing, heap.owed) = (0, owed);
    }

    /// Waits at most `limit` for the end; returns how many records are not written.
    pub(super) fn wait_for_end(&self, limit: Duration) -> usize {
        let heap = self.heap();
        let waited = self
            .news
            .wait_timeout_while(heap, limit, |heap| !heap.ended);
        let (heap, _) = waited.unwrap_or_else(PoisonError::into_inner);
        heap.saves.len() + heap.writing + heap.owed
    }

    /// The next thing to do, `chore` being the time until something else is due.
    pub(super) fn next(&self, chore: Option<Duration>) -> Work {
        let mut heap = self.heap();
        let nothing =
            |heap: &mut Heap| heap.saves.is_empty() && heap.jobs.is_empty() && !heap.closing;
        heap = match chore {
            None => self
                .news
                .wait_while(heap, nothing)
                .unwrap_or_else(PoisonError::into_inner),
            Some(limit) => {
                let waited = self.news.wait_timeout_while(heap, limit, nothing);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        if nothing(&mut heap) {
            return Work::Idle;
        }
        let gathering = |heap: &mut Heap| heap.jobs.is_empty() && !heap.closing;
        if gathering(&mut heap) {
            let waited = self.news.wait_timeout_while(heap, GATHER, gathering);
            heap = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Self::take(&mut heap)
    }

    fn take(heap: &mut Heap) -> Work {
        let mut saves = std::mem::take(&mut heap.saves);
        let order = std::mem::take(&mut heap.order);
        let saves: Vec<Record> = order.iter().filter_map(|key| saves.remove(key)).collect();
        let job = heap.jobs.pop_front();
        if saves.is_empty() && job.is_none() {
            return Work::End;
        }
        heap.writing = saves.len();
        Work::Do { saves, job }
    }
}
