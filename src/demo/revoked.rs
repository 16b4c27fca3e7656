//! The ids a worker was told not to run. Bounded, as Celery's own list is; never forgets before it must.

use std::collections::{BTreeSet, VecDeque};

use crate::protocol::TaskId;

/// Celery's default, `REVOKES_MAX`.
const MOST: usize = 50_000;

/// Revoked ids, the newest kept.
#[derive(Debug, Default)]
pub(super) struct Revoked {
    ids: BTreeSet<TaskId>,
    order: VecDeque<TaskId>,
}

impl Revoked {
    pub(super) fn add(&mut self, id: TaskId) {
        if !self.ids.insert(id.clone()) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }

    pub(super) fn contains(&self, id: &TaskId) -> bool {
        self.ids.contains(id)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &TaskId> {
        self.ids.iter()
    }
}
