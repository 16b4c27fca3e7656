//! The calls that History lists: those of this run and those on disk, newest first, as far as they were fetched. Fetches nothing itself.

use std::collections::HashSet;

use crate::clock::Timestamp;
use crate::history::{Cursor, Row};
use crate::protocol::TaskId;
use crate::tui::past::PAGE;
use crate::tui::state::Calls;

/// One call of the list.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Which.
    pub id: TaskId,
    /// As it lies on disk; `None`: only this run knows it.
    pub row: Option<Row>,
    created: Timestamp,
}

/// The list.
#[derive(Debug, Default)]
pub struct List {
    rows: Vec<Row>,
    entries: Vec<Entry>,
    /// Calls that were deleted.
    gone: HashSet<TaskId>,
    /// Whether the disk has more than what was fetched.
    more: bool,
}

impl List {
    /// How many.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The call in this row.
    pub fn at(&self, row: usize) -> Option<&Entry> {
        self.entries.get(row)
    }

    /// The call with this id.
    pub fn get(&self, id: &TaskId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == *id)
    }

    /// Where the next page begins, if there is one.
    pub fn next_page(&self) -> Option<Cursor> {
        let last = self.rows.last().filter(|_| self.more);
        last.map(|row| row.cursor)
    }

    /// A page came. Returns whether anything changed.
    pub fn page(&mut self, first: bool, rows: Vec<Row>) -> bool {
        let full = rows.len() == PAGE;
        if !first {
            self.more = full;
            let before = self.rows.last().map(|row| row.cursor);
            let new = rows.into_iter();
            let new = new.filter(|row| before.is_none_or(|before| row.cursor < before));
            self.rows.extend(new);
            return true;
        }
        if self.rows.starts_with(&rows) && (full || self.rows.len() == rows.len()) {
            self.more |= full && self.rows.len() == rows.len();
            return false;
        }
        let end = rows.last().map(|row| row.cursor).filter(|_| full);
        let older = std::mem::take(&mut self.rows).into_iter();
        let older: Vec<Row> = older
            .filter(|row| end.is_some_and(|end| row.cursor < end))
            .collect();
        // Older pages stand as they were; without them there may be more.
        self.more = full && (older.is_empty() || self.more);
        self.rows = rows;
        self.rows.extend(older);
        true
    }

    /// Another list is wanted.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.more = false;
    }

    /// A call was deleted, or is back.
    pub fn gone(&mut self, id: &TaskId, gone: bool) {
        if gone {
            self.gone.insert(id.clone());
            self.rows.retain(|row| row.id != *id);
        } else {
            self.gone.remove(id);
        }
    }

    /// Makes the list anew: calls of this run that no filter hides, and what the disk has.
    pub fn make(&mut self, calls: &Calls, filtered: bool) {
        let seen: HashSet<&TaskId> = self.rows.iter().map(|row| &row.id).collect();
        let own = calls.newest_first().filter(|call| {
            !filtered && !seen.contains(call.id()) && !self.gone.contains(call.id())
        });
        let own = own.map(|call| Entry {
            id: call.id().clone(),
            row: None,
            created: call.timeline.created.wall,
        });
        let kept = self.rows.iter().map(|row| Entry {
            id: row.id.clone(),
            row: Some(row.clone()),
            created: row.created,
        });
        let mut entries: Vec<Entry> = own.chain(kept).collect();
        // Of calls made at one moment the order stays.
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.created));
        self.entries = entries;
    }
}
