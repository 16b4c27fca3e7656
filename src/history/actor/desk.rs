//! The database, or memory in its place: history goes on whatever the disk does, and what the disk still has to get is remembered.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{Notice, Settings, homeless, in_memory};
use crate::clock::{Clock, Moment, Timestamp};
use crate::history::store::{Cause, Identity, Store, Trouble};
use crate::history::{Place, Record};
use crate::protocol::TaskId;

/// Records that are written in one go.
const BATCH: usize = 200;

/// Calls, and bytes of them, that are taken into memory when the disk fails.
const TAKEN_ALONG: (usize, usize) = (1_000, 16 << 20);

/// After so many writes too old calls are looked for.
const PRUNE_EVERY: usize = 500;

pub(super) struct Desk {
    store: Store,
    settings: Settings,
    tell: Box<dyn Fn(Notice) + Send>,
    clock: Clock,
    debt: Option<Debt>,
    /// Writes since too old calls were looked for.
    written: usize,
    watch: Option<Watch>,
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
    records: HashMap<TaskId, Record>,
    forgotten: Vec<(TaskId, Timestamp)>,
    retry_at: Moment,
    /// The file that is broken: not to be tried again until another has its name.
    broken: Option<Identity>,
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
            store: match store {
                Some(store) => store,
                None => Store::memory().ok()?,
            },
            settings,
            tell,
            clock: Clock::default(),
            debt: None,
            written: PRUNE_EVERY,
            watch: None,
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

    /// Writes records; where the disk fails, into memory.
    pub(super) fn write(&mut self, records: &[Record]) {
        self.follow();
        for batch in records.chunks(BATCH) {
            self.written += batch.len();
            if let Err(trouble) = self.store.upsert(batch) {
                self.leave_disk(&trouble);
                // Memory has no reason to fail; and if it does, there is nobody to tell.
                let _ = self.store.upsert(batch);
            }
            if let Some(debt) = &mut self.debt {
                let owed = batch
                    .iter()
                    .map(|record| (record.id().clone(), record.clone()));
                debt.records.extend(owed);
            }
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

    /// Asks; a disk that turns out to be broken is left, and memory asked.
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
        if let Some(debt) = &mut self.debt {
            debt.records.remove(id);
            debt.forgotten.push((id.clone(), now));
        }
        self.store.forget(id, now)
    }

    pub(super) fn recollect(&mut self, record: &Record) -> Result<(), Trouble> {
        if let Some(debt) = &mut self.debt {
            debt.forgotten.retain(|(id, _)| id != record.id());
            debt.records.insert(record.id().clone(), record.clone());
        }
        self.store.recollect(record)
    }

    /// How long until something is due that nobody asks for.
    pub(super) fn next_chore(&self) -> Option<Duration> {
        if self.written >= PRUNE_EVERY {
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
        if self.written >= PRUNE_EVERY {
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

    /// The last try to give the disk what it should have.
    pub(super) fn end(mut self) {
        self.pay();
    }

    fn prune(&mut self) {
        let pruned = self.store.prune(self.settings.keep, self.clock.now().wall);
        match pruned {
            // There may be more, after whatever else is to be done.
            Ok(1..) => {}
            // What cannot be deleted now can be later.
            Ok(0) | Err(_) => self.written = 0,
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
                records: HashMap::new(),
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
        if let Ok(store) = debt.pay() {
            (self.tell)(Notice::OnDisk(debt.path.clone()));
            self.store = store;
            self.debt = None;
        }
    }
}

impl Debt {
    fn pay(&self) -> Result<Store, Trouble> {
        let mut store = Store::open(&self.path)?;
        let records: Vec<Record> = self.records.values().cloned().collect();
        for batch in records.chunks(BATCH) {
            store.upsert(batch)?;
        }
        for (id, at) in &self.forgotten {
            store.forget(id, *at)?;
        }
        Ok(store)
    }
}
