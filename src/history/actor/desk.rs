//! The database, or memory in its place: history goes on whatever the disk does, and what the disk still has to get is remembered.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use super::fleeting::Fleeting;
use super::{Notice, Settings, homeless, in_memory};
use crate::clock::{Clock, Moment, Timestamp};
use crate::history::filter::LONGEST_PAGE;
use crate::history::record::Key;
use crate::history::store::{Cause, Identity, Records, Store, Trouble};
use crate::history::{Count, Cursor, Filter, Found, Place, Record, Row, Usual};
use crate::protocol::{QueueName, TaskId, TaskName};

/// Records that are written in one go.
const BATCH: usize = 200;

/// Calls, and bytes of them, that are taken into memory when the disk fails.
const TAKEN_ALONG: (usize, usize) = (1_000, 16 << 20);

/// Bytes that calls in memory may take up, on either side.
const MEMORY: usize = 32 << 20;

/// Bytes after which it is looked whether that is too much.
const WEIGHED: usize = MEMORY / 8;

/// Records of a debt that are paid in one go.
const PAID: usize = 20;

/// After so many writes at most it is looked whether there are too many calls.
const PRUNE_EVERY: usize = 500;

/// There may be this part more than are kept before it is looked.
const TOO_MANY: usize = 10;

pub(super) struct Desk {
    store: Store,
    fleeting: Fleeting,
    settings: Settings,
    tell: Box<dyn Fn(Notice) + Send>,
    clock: Clock,
    debt: Option<Debt>,
    /// Writes since it was looked whether there are too many calls; `None`: it never was.
    written: Option<usize>,
    watch: Option<Watch>,
    /// Bytes that went into memory since it was looked how much is there.
    unweighed: usize,
}

/// How other programs' writes are noticed.
struct Watch {
    every: Duration,
    due: Moment,
    /// Which file it was, and its writes of others.
    seen: Option<(Option<Identity>, i64)>,
}

/// What a disk that failed has to get when it is back.
struct Debt {
    path: PathBuf,
    /// Calls that lie in memory meanwhile.
    owed: HashSet<Key>,
    forgotten: Vec<(Gone, Timestamp)>,
    retry_at: Moment,
    /// The file that is broken: not to be tried again until another has its name.
    broken: Option<Identity>,
}

/// What was forgotten.
enum Gone {
    /// All calls of an id.
    Id(TaskId),
    /// One call.
    Call(Key),
}

impl Desk {
    /// `None`: there is not even memory.
    pub(super) fn open(settings: Settings, tell: Box<dyn Fn(Notice) + Send>) -> Option<Self> {
        let (store, trouble) = match &settings.place {
            Place::File(path) => match Store::open(path) {
                Ok(store) => (Some(store), None),
                Err(trouble) => (None, Some(trouble)),
            },
            Place::Memory => (None, None),
            Place::Homeless => {
                tell(Notice::InMemory(homeless()));
                (None, None)
            }
        };
        let mut desk = Self {
            fleeting: Fleeting::new(settings.persist.clone()),
            store: match store {
                Some(store) => store,
                None => Store::memory().ok()?,
            },
            settings,
            tell,
            clock: Clock::default(),
            debt: None,
            written: None,
            watch: None,
            unweighed: 0,
        };
        if let Some(trouble) = trouble {
            desk.owe(&trouble);
        }
        Some(desk)
    }

    /// The same, looking this often whether others wrote.
    pub(super) fn watching(mut self, every: Option<Duration>) -> Self {
        self.watch = every.map(|every| Watch {
            every,
            due: self.clock.now().mono,
            seen: None,
        });
        self.look_around();
        self
    }

    /// Writes records; where the disk fails, into memory. What must not go to disk goes no further than here.
    pub(super) fn write(&mut self, records: &[Record]) {
        self.follow();
        self.unweighed += records.iter().map(Record::heft).sum::<usize>();
        let records = &*self.fleeting.sift(records, &self.store);
        for batch in records.chunks(BATCH) {
            self.written = self.written.map(|written| written + batch.len());
            if let Err(trouble) = self.store.upsert(batch) {
                self.leave_disk(&trouble);
                // Memory has no reason to fail; and if it does, there is nobody to tell.
                let _ = self.store.upsert(batch);
            }
            if let Some(debt) = &mut self.debt {
                debt.owed.extend(batch.iter().map(Record::key));
            }
        }
        self.slim();
    }

    /// Memory is not the disk: when there is too much in it, the oldest calls lose their values, which is said.
    fn slim(&mut self) {
        if self.unweighed < WEIGHED {
            return;
        }
        self.unweighed = 0;
        let own = match self.store.path() {
            Some(_) => Ok(0),
            None => self.store.slim(MEMORY),
        };
        // Memory has no reason to fail.
        let slimmed = own.unwrap_or(0) + self.fleeting.slim(MEMORY).unwrap_or(0);
        if slimmed > 0 {
            (self.tell)(Notice::Slimmed(slimmed));
        }
    }

    /// Somebody repaired or deleted the file: goes on with the one that has its name now, or a new one.
    fn follow(&mut self) {
        let Some(path) = self.store.path().filter(|_| self.store.is_gone()) else {
            return;
        };
        match Store::open(path) {
            Ok(store) => self.store = store,
            Err(trouble) => self.leave_disk(&trouble),
        }
    }

    /// See [`Store::page`]; with the calls that are not on disk.
    pub(super) fn page(
        &mut self,
        filter: &Filter,
        before: Option<Cursor>,
        limit: usize,
    ) -> Result<Vec<Row>, Trouble> {
        let rows = self.read(&|store| store.page(filter, before, limit))?;
        self.fleeting.page(rows, (filter, before, limit))
    }

    /// See [`Store::records`]; with the calls that are not on disk.
    pub(super) fn records(
        &mut self,
        filter: &Filter,
        before: Option<Cursor>,
        limit: usize,
    ) -> Result<Records, Trouble> {
        if self.fleeting.is_empty() {
            return self.read(&|store| store.records(filter, before, limit));
        }
        let rows = self.page(filter, before, limit)?;
        let full = rows.len() == limit.min(LONGEST_PAGE);
        let mut page = Records {
            next: rows.last().map(|row| row.cursor).filter(|_| full),
            ..Records::default()
        };
        for row in rows {
            let key = row.key();
            let found = if row.fleeting {
                self.fleeting.get_call(&key)?
            } else {
                self.read(&|store| store.get_call(&key))?
            };
            match found {
                Found::One(record) => page.records.push(*record),
                Found::Unreadable(id, why) => page.unreadable.push((id, why)),
                Found::None | Found::Several(..) => {}
            }
        }
        Ok(page)
    }

    /// See [`Store::count`]; with the calls that are not on disk.
    pub(super) fn count(&mut self, filter: &Filter) -> Result<Count, Trouble> {
        let count = self.read(&|store| store.count(filter))?;
        self.fleeting.count(count, filter)
    }

    /// See [`Store::get`]; with the calls that are not on disk.
    pub(super) fn get(&mut self, id: &str) -> Result<Found, Trouble> {
        let found = self.read(&|store| store.get(id))?;
        self.fleeting.get(found, id)
    }

    /// See [`Store::get_call`]; of the calls that are not on disk too.
    pub(super) fn get_call(&mut self, key: &Key) -> Result<Found, Trouble> {
        match self.read(&|store| store.get_call(key))? {
            Found::None => self.fleeting.get_call(key),
            found => Ok(found),
        }
    }

    /// See [`Store::previous`]; among the calls that are not on disk too, whichever of both is younger.
    pub(super) fn previous(&mut self, key: &Key) -> Result<Option<Record>, Trouble> {
        if self.fleeting.is_empty() {
            return self.read(&|store| store.previous(key));
        }
        let place = match self.fleeting.place(key)? {
            Some(place) => Some(place),
            None => self.read(&|store| store.place(key))?,
        };
        let Some((task, place)) = place else {
            return Ok(None);
        };
        let rows = self.page(&Filter::task(&task), Some(place), 1)?;
        match rows.first() {
            Some(row) if row.fleeting => self.fleeting.call(&row.key()),
            Some(row) => self.read(&|store| store.call(&row.key())),
            None => Ok(None),
        }
    }

    /// See [`Store::usual`]; from memory where the disk has no call of the task.
    pub(super) fn usual(
        &mut self,
        task: &TaskName,
        broker: &str,
        queue: Option<&QueueName>,
    ) -> Result<Option<Usual>, Trouble> {
        let usual = self.read(&|store| store.usual(task, broker, queue))?;
        self.fleeting.usual(usual, (task, broker, queue))
    }

    /// Asks the disk; one that turns out to be broken is left, and memory asked.
    pub(super) fn read<T>(
        &mut self,
        question: &dyn Fn(&Store) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        match question(&self.store) {
            Err(trouble) if trouble.cause == Cause::Broken && self.store.path().is_some() => {
                self.leave_disk(&trouble);
                question(&self.store)
            }
            answer => answer,
        }
    }

    pub(super) fn forget(
        &mut self,
        id: &TaskId,
        now: Timestamp,
    ) -> Result<Option<Record>, Trouble> {
        if self.fleeting.knows(id) {
            return self.fleeting.forget(id, now);
        }
        let record = self.store.record(id)?;
        self.erase(id, now)?;
        Ok(record)
    }

    /// As [`Desk::forget`], whether it can be read or not.
    pub(super) fn erase(&mut self, id: &TaskId, now: Timestamp) -> Result<(), Trouble> {
        if self.fleeting.knows(id) {
            return self.fleeting.forget(id, now).map(drop);
        }
        if let Some(debt) = &mut self.debt {
            debt.owed.retain(|(owed, _)| owed != id);
            debt.forgotten.push((Gone::Id(id.clone()), now));
        }
        self.store.erase(id, now)
    }

    /// As [`Desk::forget`], one call of its id.
    pub(super) fn forget_call(
        &mut self,
        key: &Key,
        now: Timestamp,
    ) -> Result<Option<Record>, Trouble> {
        if self.fleeting.knows_call(key) {
            return self.fleeting.forget_call(key, now);
        }
        let record = self.store.forget_call(key, now)?;
        if let Some(debt) = &mut self.debt {
            debt.owed.remove(key);
            debt.forgotten.push((Gone::Call(key.clone()), now));
        }
        Ok(record)
    }

    pub(super) fn recollect(&mut self, record: &Record) -> Result<(), Trouble> {
        if self.fleeting.recollect(record)? {
            return Ok(());
        }
        if let Some(debt) = &mut self.debt {
            debt.forgotten.retain(|(gone, _)| match gone {
                Gone::Id(id) => id != record.id(),
                Gone::Call(key) => *key != record.key(),
            });
            debt.owed.insert(record.key());
        }
        self.store.recollect(record)
    }

    /// How long until something is due that nobody asks for.
    pub(super) fn next_chore(&self) -> Option<Duration> {
        if self.wants_prune() {
            return Some(Duration::ZERO);
        }
        let retry = self.debt.as_ref().map(|debt| debt.retry_at);
        let watch = self.watch.as_ref().map(|watch| watch.due);
        let watch = watch.filter(|_| self.store.path().is_some());
        let due = retry.into_iter().chain(watch).min()?;
        Some(due.since(self.clock.now().mono))
    }

    /// Does what is due.
    pub(super) fn chore(&mut self) {
        if self.wants_prune() {
            self.prune();
            return;
        }
        let now = self.clock.now().mono;
        if self.debt.as_ref().is_some_and(|debt| debt.retry_at <= now) {
            self.pay();
        }
        self.look_around();
    }

    /// Says so if others wrote since the last look, or put another file in the place of ours.
    fn look_around(&mut self) {
        let now = self.clock.now().mono;
        let Some(watch) = self.watch.as_mut().filter(|watch| watch.due <= now) else {
            return;
        };
        watch.due = now.after(watch.every);
        let before = watch.seen;
        self.follow();
        let Ok(version) = self.store.writes_of_others() else {
            return;
        };
        let seen = (self.store.identity(), version);
        if before.is_some_and(|before| before != seen) {
            (self.tell)(Notice::Changed);
        }
        if let Some(watch) = &mut self.watch {
            watch.seen = Some(seen);
        }
    }

    /// The last try to give the disk what it should have. Returns how many calls it did not get.
    pub(super) fn end(mut self) -> usize {
        self.pay();
        if self.written != Some(0) {
            self.prune();
        }
        self.store.wipe();
        self.owed()
    }

    /// Calls that the disk has not got.
    pub(super) fn owed(&self) -> usize {
        self.debt.as_ref().map_or(0, |debt| debt.owed.len())
    }

    fn wants_prune(&self) -> bool {
        let kept = usize::try_from(self.settings.keep.calls).unwrap_or(usize::MAX);
        let every = (kept / TOO_MANY).clamp(1, PRUNE_EVERY);
        self.written.is_none_or(|written| written >= every)
    }

    fn prune(&mut self) {
        let (keep, now) = (self.settings.keep, self.clock.now().wall);
        let fleeting = self.fleeting.prune(keep, now);
        let pruned = self.store.prune(keep, now);
        let pruned = pruned.and_then(|pruned| Ok(pruned + fleeting?));
        match pruned {
            // There may be more, after whatever else is to be done.
            Ok(1..) => {}
            // What cannot be deleted now can be later.
            Ok(0) | Err(_) => self.written = Some(0),
        }
    }

    /// Goes on in memory, with the newest calls as far as they can still be read.
    fn leave_disk(&mut self, trouble: &Trouble) {
        if self.store.path().is_none() {
            return;
        }
        let Ok(mut memory) = Store::memory() else {
            return;
        };
        let (calls, bytes) = TAKEN_ALONG;
        // Memory has no reason to fail; and the calls of the past are still where they were.
        let _ = memory.upsert(&self.store.newest(calls, bytes));
        self.store = memory;
        self.owe(trouble);
    }

    fn owe(&mut self, trouble: &Trouble) {
        if trouble.cause.passes() {
            self.debt = Some(Debt {
                path: trouble.path.clone(),
                owed: HashSet::new(),
                forgotten: Vec::new(),
                retry_at: self.retry_at(),
                broken: Identity::of(&trouble.path).filter(|_| trouble.cause == Cause::Broken),
            });
        }
        (self.tell)(Notice::InMemory(in_memory(trouble)));
    }

    fn retry_at(&self) -> Moment {
        self.clock.now().mono.after(self.settings.retry)
    }

    /// Tries the disk again. What it got stays in the debt until all is there; a record written twice is one record.
    fn pay(&mut self) {
        let retry_at = self.retry_at();
        let Some(debt) = &mut self.debt else {
            return;
        };
        debt.retry_at = retry_at;
        if debt.broken.is_some() && debt.broken == Identity::of(&debt.path) {
            return;
        }
        if let Ok(store) = debt.pay(&self.store) {
            (self.tell)(Notice::OnDisk(debt.path.clone()));
            self.store = store;
            self.debt = None;
        }
    }
}

impl Debt {
    fn pay(&self, memory: &Store) -> Result<Store, Trouble> {
        let mut store = Store::open(&self.path)?;
        let owed: Vec<&Key> = self.owed.iter().collect();
        for batch in owed.chunks(PAID) {
            let records = batch.iter().map(|key| memory.call(key));
            let records: Vec<Option<Record>> = records.collect::<Result<_, _>>()?;
            let records = records.into_iter().flatten();
            let records: Vec<Record> = records
                .map(|record| match store.get_call(&record.key()) {
                    Ok(Found::One(earlier)) => Ok(record.with_values_of(&earlier)),
                    found => found.map(|_| record),
                })
                .collect::<Result<_, _>>()?;
            store.upsert(&records)?;
        }
        for (gone, at) in &self.forgotten {
            // Whether the disk's record can be read or not.
            match gone {
                Gone::Id(id) => store.erase(id, *at)?,
                Gone::Call(key) => store.erase_call(key, *at)?,
            }
        }
        Ok(store)
    }
}
