//! What one worker told of the attempts of a task, in the order of its own events. Pure.

use std::collections::BTreeSet;

/// Attempts that a worker may hold unstarted at once. Of an honest one there are two: a retry may be received before the start of the
/// attempt that ordered it is told.
const UNSTARTED: usize = 16;

/// What one worker told so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Seat {
    pub received: Option<u64>,
    /// Attempts that were received and not started. A retry is published by the process that runs the task, while its worker tells the
    /// start and the retry when it hears of them from that process: so the next attempt may be received first.
    unstarted: BTreeSet<u64>,
    pub running: Option<u64>,
    pub retried: u64,
    /// It received again what it had started.
    pub again: bool,
}

impl Seat {
    pub fn receives(&mut self, number: u64) {
        self.again = self.running == Some(number);
        self.received = Some(number);
        self.unstarted.insert(number);
        while self.unstarted.len() > UNSTARTED {
            self.unstarted.pop_first();
        }
    }

    /// The attempt that starts: the first of those that wait for it.
    pub fn starts(&mut self) -> u64 {
        let known = self.received.unwrap_or_default().max(self.retried);
        let number = self.unstarted.pop_first().unwrap_or(known);
        self.running = Some(number);
        number
    }

    /// The attempt that is ordered because one failed.
    pub fn retries(&mut self) -> u64 {
        let counted = self.running.take().map(|running| running.saturating_add(1));
        // Nobody told that it was started; what was received may be what it ordered.
        let number = counted.unwrap_or(self.received.unwrap_or_default().max(1));
        self.retried = self.retried.max(number);
        self.unstarted = self.unstarted.split_off(&self.retried);
        number
    }
}
