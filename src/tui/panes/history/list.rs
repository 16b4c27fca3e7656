//! The calls that History lists: those of this run and those on disk, newest first, as far as they were fetched. Fetches nothing itself.

use std::collections::HashSet;

use crate::clock::Timestamp;
use crate::history::record::{Key, key};
use crate::history::{Cursor, Row};
use crate::protocol::TaskId;
use crate::tui::past::PAGE;
use crate::tui::state::calls::{Calls, key_of};

/// One call of the list.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its id.
    pub id: &'a TaskId,
    /// When it was made.
    pub created: Timestamp,
    /// As it lies on disk; `None`: only this run knows it.
    pub row: Option<&'a Row>,
}

impl Entry<'_> {
    /// Which call it is.
    pub fn key(&self) -> Key {
        key(self.id, self.created)
    }
}

/// Where a call of the list comes from.
#[derive(Clone, Debug)]
enum Place {
    /// Only this run knows it.
    Own(Key),
    /// A row of the disk.
    Row(usize),
}

/// The list.
#[derive(Debug, Default)]
pub struct List {
    rows: Vec<Row>,
    entries: Vec<Place>,
    /// Calls that were deleted.
    gone: HashSet<Key>,
    /// Whether the disk has more than what was fetched.
    more: bool,
    /// Whether the rows are those of the list that is wanted; those of an earlier one stay until it comes.
    fetched: bool,
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

    /// Whether the list that is wanted has come.
    pub fn is_fetched(&self) -> bool {
        self.fetched
    }

    /// The call in this row.
    pub fn at(&self, row: usize) -> Option<Entry<'_>> {
        self.entries.get(row).map(|place| self.entry(place))
    }

    /// This call.
    pub fn get(&self, (id, created): &Key) -> Option<Entry<'_>> {
        let mut entries = self.entries.iter().map(|place| self.entry(place));
        entries.find(|entry| entry.id == id && entry.created == *created)
    }

    fn entry<'a>(&'a self, place: &'a Place) -> Entry<'a> {
        match place {
            Place::Own((id, created)) => Entry {
                id,
                created: *created,
                row: None,
            },
            Place::Row(index) => Entry {
                id: &self.rows[*index].id,
                created: self.rows[*index].created,
                row: Some(&self.rows[*index]),
            },
        }
    }

    /// Where the next page begins, if there is one.
    pub fn next_page(&self) -> Option<Cursor> {
        let last = self.rows.last().filter(|_| self.more);
        last.map(|row| row.cursor)
    }

    /// Where a page begins that holds the call in this row of the list; `None`: the first page does.
    pub fn page_of(&self, row: usize) -> Option<Cursor> {
        let above = self.entries.get(..row)?.iter().rev();
        let mut rows = above.filter_map(|place| match place {
            Place::Row(index) => Some(*index),
            Place::Own(_) => None,
        });
        let index = rows.next().filter(|index| *index >= PAGE / 2)?;
        self.rows.get(index).map(|row| row.cursor)
    }

    /// A page came, of the calls before `before`: it takes the place of what was known of that stretch of time. Returns whether
    /// anything changed.
    pub fn page(&mut self, before: Option<Cursor>, rows: Vec<Row>) -> bool {
        if before.is_none() && !std::mem::replace(&mut self.fetched, true) {
            self.more = rows.len() == PAGE;
            self.rows = rows;
            return true;
        }
        let full = rows.len() == PAGE;
        let end = rows.last().map(|row| row.cursor).filter(|_| full);
        let above = |row: &Row| before.is_some_and(|before| row.cursor >= before);
        let below = |row: &Row| end.is_some_and(|end| row.cursor < end);
        let from = self.rows.partition_point(above);
        let to = self.rows.partition_point(|row| !below(row)).max(from);
        if self.rows[from..to] == rows[..] && (full || to == self.rows.len()) {
            if to == self.rows.len() {
                self.more = full;
            }
            return false;
        }
        // Between a page and older ones that it does not touch there may be calls that nobody fetched.
        let touches = from < to;
        let older = self.rows.split_off(to);
        self.rows.truncate(from);
        self.rows.extend(rows);
        if full && touches && !older.is_empty() {
            self.rows.extend(older);
        } else {
            self.more = full;
        }
        true
    }

    /// Another list is wanted; this one stays until it comes.
    pub fn expect_another(&mut self) {
        self.fetched = false;
        self.more = false;
    }

    /// There is nothing to list.
    pub fn clear(&mut self) {
        self.expect_another();
        self.rows.clear();
    }

    /// A call was deleted, or is back.
    pub fn gone(&mut self, key: &Key, gone: bool) {
        if gone {
            self.gone.insert(key.clone());
            self.rows.retain(|row| row.key() != *key);
        } else {
            self.gone.remove(key);
        }
    }

    /// Makes the list anew: calls of this run that no filter hides, and what the disk has.
    pub fn make(&mut self, calls: &Calls, filtered: bool) {
        let mut entries: Vec<(Timestamp, Place)> = Vec::with_capacity(self.rows.len());
        if !filtered {
            let seen: HashSet<Key> = self.rows.iter().map(Row::key).collect();
            let own = calls.newest_first().map(|call| (key_of(call), call));
            let own = own.filter(|(key, _)| !seen.contains(key) && !self.gone.contains(key));
            // What is older than all that was fetched comes with its page.
            let oldest = self.rows.last().filter(|_| self.more);
            let own = own.filter(|(_, call)| {
                oldest.is_none_or(|row| call.timeline.created.wall >= row.created)
            });
            let own = own.map(|(key, call)| (call.timeline.created.wall, Place::Own(key)));
            entries.extend(own);
        }
        let alone = entries.is_empty();
        let rows = self.rows.iter().enumerate();
        entries.extend(rows.map(|(index, row)| (row.created, Place::Row(index))));
        if !alone {
            // Of calls made at one moment the order stays.
            entries.sort_by_key(|(created, _)| std::cmp::Reverse(*created));
        }
        self.entries = entries.into_iter().map(|(_, place)| place).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Call, Fact};
    use crate::clock::Now;
    use crate::history::store::Store;
    use crate::history::{Filter, Known, Record, Scribe};
    use crate::protocol::{Options, Signature};
    use proptest::prelude::*;
    use std::time::Duration;

    fn record(second: u64) -> Record {
        let now = Now::fixed(Duration::from_secs(1_000 + second));
        let signature = Signature {
            task: "shop.refund".into(),
            id: format!("{second}").as_str().into(),
            args: Vec::new(),
            kwargs: Vec::new(),
            options: Options::default(),
        };
        let mut call = Call::new(signature, Duration::from_secs(10), now);
        call.apply(Fact::Publishing, now);
        Record::of(&call, &Scribe::default(), Known::default(), now)
    }

    fn ids(rows: &[Row]) -> Vec<String> {
        rows.iter().map(|row| row.id.to_string()).collect()
    }

    proptest! {
        // A thousand rows of SQLite each.
        #![proptest_config(ProptestConfig::with_cases(10))]

        /// Whatever others write and forget meanwhile, pages never leave a hole, and paging on ends with what the disk has.
        #[test]
        fn pages_come_together_to_what_the_disk_has(
            steps in prop::collection::vec((0u8..5, 0u64..900, 1usize..450), 1..12),
        ) {
            let mut store = Store::memory().unwrap();
            let mut list = List::default();
            let all = Filter::default();
            let ask = |store: &Store, before| store.page(&all, before, PAGE).unwrap();
            for (what, first, count) in steps {
                match what {
                    0 => {
                        let records: Vec<Record> = (first..first + count as u64).map(record).collect();
                        store.upsert(&records).unwrap();
                    }
                    1 => {
                        let now = Timestamp::UNIX_EPOCH;
                        for second in (first..first + count as u64).step_by(3) {
                            store.forget(&format!("{second}").as_str().into(), now).unwrap();
                        }
                    }
                    2 => { list.page(None, ask(&store, None)); }
                    3 => {
                        list.make(&Calls::default(), false);
                        let before = list.page_of(count);
                        list.page(before, ask(&store, before));
                    }
                    _ => if let Some(before) = list.next_page() {
                        list.page(Some(before), ask(&store, Some(before)));
                    },
                }
                prop_assert!(list.rows.is_sorted_by(|one, next| one.cursor > next.cursor));
            }
            list.page(None, ask(&store, None));
            let mut renewed = list.rows.get(PAGE - 1).map(|row| row.cursor).filter(|_| list.rows.len() > PAGE);
            while let Some(before) = renewed {
                let page = ask(&store, Some(before));
                renewed = page.last().map(|row| row.cursor).filter(|_| page.len() == PAGE);
                list.page(Some(before), page);
            }
            while let Some(before) = list.next_page() {
                list.page(Some(before), ask(&store, Some(before)));
            }
            let mut whole = Vec::new();
            let mut before = None;
            loop {
                let page = ask(&store, before);
                before = page.last().map(|row| row.cursor);
                let full = page.len() == PAGE;
                whole.extend(page);
                if !full { break; }
            }
            prop_assert_eq!(ids(&list.rows), ids(&whole));
            prop_assert!(!list.page(None, ask(&store, None)));
        }
    }
}
