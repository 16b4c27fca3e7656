//! Two records of one call by processes that know nothing of each other: what stays of both. Pure.

use super::Record;

impl Record {
    /// The one that knows more stays ([`Record::revision`]; of equals the other one), and with it what only the other knew: the later
    /// look, and who had the call and when. In whichever order records come, the same stays.
    pub(in crate::history) fn join(&mut self, mut other: Self) {
        if other.revision() >= self.revision() {
            std::mem::swap(self, &mut other);
        }
        self.remember(&other);
        self.look_as(other);
    }

    /// Whoever listened from the first moment on was told more than whoever came for the end.
    fn remember(&mut self, other: &Self) {
        let (own, told) = (&mut self.times, &other.times);
        own.held = own.held.or(told.held);
        own.received = own.received.or(told.received);
        if own.started.is_none() {
            (own.started, own.told_start) = (told.started, told.told_start);
        }
        if own.last_started.is_none() {
            (own.last_started, own.told_last_start) = (told.last_started, told.told_last_start);
            own.runtime = own.runtime.or(told.runtime);
        }
        if self.worker.is_none() {
            (self.worker, self.pid) = (other.worker.clone(), self.pid.or(other.pid));
        }
        let (own, first) = (&mut self.first, &other.first);
        own.holder = own.holder.take().or_else(|| first.holder.clone());
        if own.worker.is_none() {
            (own.worker, own.pid) = (first.worker.clone(), own.pid.or(first.pid));
        }
        if self.twice.is_none() {
            self.twice.clone_from(&other.twice);
        }
        // None are taken back.
        self.retries = self.retries.max(other.retries);
    }

    /// A look is about a call that has not ended. It says nothing of what was heard, so it makes no record a later one.
    fn look_as(&mut self, other: Self) {
        let at = |record: &Self| record.looked.map(|look| look.at.after);
        if self.whereabouts.is_some() && at(&other) > at(self) {
            (self.looked, self.diagnosis) = (other.looked, other.diagnosis);
        }
    }
}
