//! Which tasks are registered on how many workers, kept up to date answer by answer: one answer costs its own names, not those of all
//! workers. Knows no worker by name.

use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::TaskName;

/// On how many workers a task is registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registered {
    /// Workers that answer.
    pub answering: usize,
    /// Workers that are SILENT, and had it when they were heard last.
    pub silent: usize,
}

/// All tasks that any worker told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskIndex {
    counts: BTreeMap<TaskName, Registered>,
    generation: u64,
}

impl TaskIndex {
    /// Another number each time anything here changed: while it stays, a list made of it stays good.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The tasks, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&TaskName, Registered)> {
        self.counts.iter().map(|(name, count)| (name, *count))
    }

    /// How often a task is registered; `None` if no worker told it.
    pub fn get(&self, name: &TaskName) -> Option<Registered> {
        self.counts.get(name).copied()
    }

    /// A worker that answers told its tasks anew.
    pub(super) fn told(
        &mut self,
        before: Option<&BTreeSet<TaskName>>,
        now: Option<&BTreeSet<TaskName>>,
    ) {
        let nothing = BTreeSet::new();
        let (old, new) = (before.unwrap_or(&nothing), now.unwrap_or(&nothing));
        for name in new.difference(old) {
            self.count(name, |count| count.answering += 1);
        }
        for name in old.difference(new) {
            self.count(name, |count| {
                count.answering = count.answering.saturating_sub(1);
            });
        }
        // Even without a task: that one more worker has told is to be seen.
        if before.is_some() != now.is_some() {
            self.generation += 1;
        }
    }

    /// A worker became SILENT, or answers again.
    pub(super) fn fell(&mut self, tasks: Option<&BTreeSet<TaskName>>, silent: bool) {
        for name in tasks.into_iter().flatten() {
            self.count(name, |count| {
                let (from, to) = if silent {
                    (&mut count.answering, &mut count.silent)
                } else {
                    (&mut count.silent, &mut count.answering)
                };
                *from = from.saturating_sub(1);
                *to += 1;
            });
        }
        if tasks.is_some() {
            self.generation += 1;
        }
    }

    /// A SILENT worker is forgotten.
    pub(super) fn forgotten(&mut self, tasks: Option<&BTreeSet<TaskName>>) {
        for name in tasks.into_iter().flatten() {
            self.count(name, |count| count.silent = count.silent.saturating_sub(1));
        }
    }

    fn count(&mut self, name: &TaskName, change: impl FnOnce(&mut Registered)) {
        self.generation += 1;
        let count = self.counts.entry(name.clone()).or_default();
        change(count);
        if *count == Registered::default() {
            self.counts.remove(name);
        }
    }
}
