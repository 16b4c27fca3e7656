//! Calls that never go to disk, because that was wanted: a history of their own in memory, which answers beside the one on disk.

use std::borrow::Cow;
use std::cmp::Reverse;

use crate::clock::Timestamp;
use crate::history::filter::{COUNTED, LONGEST_PAGE};
use crate::history::record::Key;
use crate::history::store::{Store, Trouble};
use crate::history::{Count, Cursor, Filter, Found, Keep, Persist, Record, Row, Usual};
use crate::protocol::{QueueName, TaskId, TaskName};

/// The calls that stay in memory.
pub(super) struct Fleeting {
    persist: Persist,
    /// There once it is needed.
    store: Option<Store>,
}

impl Fleeting {
    pub(super) fn new(persist: Persist) -> Self {
        Self {
            persist,
            store: None,
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.store.is_none()
    }

    /// Whether a call of this id stays here, or did until it was forgotten.
    pub(super) fn knows(&self, id: &TaskId) -> bool {
        let store = self.store.as_ref();
        store.is_some_and(|store| store.has(id) || store.was_forgotten(id).unwrap_or(true))
    }

    /// As [`Fleeting::knows`], of one call.
    pub(super) fn knows_call(&self, key: &Key) -> bool {
        let store = self.store.as_ref();
        store.is_some_and(|store| {
            store.has_call(key) || store.was_call_forgotten(key).unwrap_or(true)
        })
    }

    /// Takes what must not go to disk, and gives back the rest. A call that lies on disk, from a time when that was allowed, stays
    /// there as it is: it is not told twice.
    pub(super) fn sift<'a>(&mut self, records: &'a [Record], disk: &Store) -> Cow<'a, [Record]> {
        let goes = |record: &&Record| self.persist.keeps(record.task());
        if records.iter().all(|record| goes(&record)) {
            return Cow::Borrowed(records);
        }
        let (rest, stays): (Vec<&Record>, Vec<&Record>) = records.iter().partition(goes);
        let stays = stays
            .into_iter()
            .filter(|record| !disk.has_call(&record.key()));
        let stays: Vec<Record> = stays.cloned().collect();
        // Memory has no reason to fail; and if it does, the disk is not the place to go on.
        if self.store.is_none() && !stays.is_empty() {
            self.store = Store::memory().ok();
        }
        if let Some(store) = &mut self.store {
            let _ = store.upsert(&stays);
        }
        Cow::Owned(rest.into_iter().cloned().collect())
    }

    /// The page of both.
    pub(super) fn page(
        &self,
        mut rows: Vec<Row>,
        (filter, before, limit): (&Filter, Option<Cursor>, usize),
    ) -> Result<Vec<Row>, Trouble> {
        if let Some(store) = &self.store {
            let own = store.page(filter, before, limit)?;
            rows.extend(own.into_iter().map(|row| Row {
                fleeting: true,
                ..row
            }));
            rows.sort_by_key(|row| Reverse(row.cursor));
            rows.truncate(limit.min(LONGEST_PAGE));
        }
        Ok(rows)
    }

    pub(super) fn call(&self, key: &Key) -> Result<Option<Record>, Trouble> {
        let record = self.store.as_ref().map(|store| store.call(key));
        Ok(record.transpose()?.flatten())
    }

    pub(super) fn get_call(&self, key: &Key) -> Result<Found, Trouble> {
        let found = self.store.as_ref().map(|store| store.get_call(key));
        Ok(found.transpose()?.unwrap_or(Found::None))
    }

    pub(super) fn count(&self, disk: Count, filter: &Filter) -> Result<Count, Trouble> {
        let Some(store) = &self.store else {
            return Ok(disk);
        };
        let own = store.count(filter)?;
        let calls = disk.calls + own.calls;
        Ok(Count {
            calls: calls.min(COUNTED),
            or_more: disk.or_more || own.or_more || calls > COUNTED,
            fleeting: own.calls,
        })
    }

    pub(super) fn get(&self, disk: Found, id: &str) -> Result<Found, Trouble> {
        let Some(store) = &self.store else {
            return Ok(disk);
        };
        let own = store.get(id)?;
        let is_it = |found: &Found| found.id().is_some_and(|found| found.as_str() == id);
        if is_it(&disk) {
            return Ok(disk);
        }
        if is_it(&own) {
            return Ok(own);
        }
        Ok(match (disk.id(), own.id()) {
            (Some(one), Some(other)) => Found::Several(one.clone(), other.clone()),
            _ => match (disk, own) {
                (several @ Found::Several(..), _) | (_, several @ Found::Several(..)) => several,
                (Found::None, found) | (found, _) => found,
            },
        })
    }

    /// The task of a call that is here, and its place among all calls.
    pub(super) fn place(&self, key: &Key) -> Result<Option<(TaskName, Cursor)>, Trouble> {
        let place = self.store.as_ref().map(|store| store.place(key));
        Ok(place.transpose()?.flatten())
    }

    /// How long a task usually takes whose calls are here; else what the disk says.
    pub(super) fn usual(
        &self,
        disk: Option<Usual>,
        (task, broker, queue): (&TaskName, &str, Option<&QueueName>),
    ) -> Result<Option<Usual>, Trouble> {
        match &self.store {
            Some(store) if disk.is_none() => store.usual(task, broker, queue),
            _ => Ok(disk),
        }
    }

    pub(super) fn forget(
        &mut self,
        id: &TaskId,
        now: Timestamp,
    ) -> Result<Option<Record>, Trouble> {
        let store = self.store.as_mut();
        let record = store.map(|store| store.forget(id, now));
        Ok(record.transpose()?.flatten())
    }

    pub(super) fn forget_call(
        &mut self,
        key: &Key,
        now: Timestamp,
    ) -> Result<Option<Record>, Trouble> {
        let store = self.store.as_mut();
        let record = store.map(|store| store.forget_call(key, now));
        Ok(record.transpose()?.flatten())
    }

    /// Takes back [`Fleeting::forget`], if it was one of these. Returns whether it was.
    pub(super) fn recollect(&mut self, record: &Record) -> Result<bool, Trouble> {
        if self.persist.keeps(record.task()) {
            return Ok(false);
        }
        match &mut self.store {
            Some(store) if store.was_call_forgotten(&record.key())? => {
                store.recollect(record)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// As [`Store::slim`].
    pub(super) fn slim(&mut self, bytes: usize) -> Result<usize, Trouble> {
        let store = self.store.as_mut();
        store.map_or(Ok(0), |store| store.slim(bytes))
    }

    /// As [`Store::prune`].
    pub(super) fn prune(&mut self, keep: Keep, now: Timestamp) -> Result<usize, Trouble> {
        let store = self.store.as_mut();
        store.map_or(Ok(0), |store| store.prune(keep, now))
    }
}
