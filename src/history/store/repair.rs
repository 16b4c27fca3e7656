//! A broken history is moved aside, and what can be read of it goes into a new one. Nothing is deleted.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{OpenFlags, Row};

use super::read::body;
use super::schema;
use super::trouble::{Cause, Reason};
use super::{Record, Store, Trouble, connect};
use crate::clock::Timestamp;

/// Records that are written at once.
const BATCH: usize = 200;

/// How often what lies between two damaged places is looked for.
const PROBES: usize = 64;

/// What came of a repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repaired {
    /// Nothing was wrong, and nothing was done.
    Sound,
    /// There is no history yet.
    Nothing,
    /// The broken one lies at `moved`, and so many of its calls are in a new one.
    Saved {
        /// Where the broken one is.
        moved: PathBuf,
        /// How many calls could be read.
        calls: usize,
        /// How many were found that could not; they are where the broken one is.
        unreadable: usize,
        /// Whether damage hides parts of the broken one: nobody knows how many calls were there.
        hidden: bool,
    },
}

/// Repairs the history at `path`. Other umbels that run go on with the new one.
///
/// # Errors
/// It is not broken but newer, foreign or not writable; or it cannot be moved.
pub fn repair(path: &Path, now: Timestamp) -> Result<Repaired, Trouble> {
    if !path.exists() {
        return Ok(Repaired::Nothing);
    }
    let sound = Store::open(path).and_then(|store| store.is_sound());
    match sound {
        Ok(true) => return Ok(Repaired::Sound),
        Ok(false) => {}
        Err(trouble) if matches!(trouble.cause, Cause::Broken | Cause::Unreadable) => {}
        Err(trouble) => return Err(trouble),
    }
    let moved = aside(path, now).map_err(|error| Reason::from(error).at(path))?;
    let mut store = Store::open(path)?;
    let salvaged = salvage(&moved, &mut store)?;
    Ok(Repaired::Saved {
        moved,
        calls: salvaged.calls,
        unreadable: salvaged.unreadable,
        hidden: salvaged.hidden,
    })
}

/// Moves the database with its side files: the newest calls may be in those only.
fn aside(path: &Path, now: Timestamp) -> std::io::Result<PathBuf> {
    let time = now.strftime("%Y%m%dT%H%M%SZ");
    let mut moved = with_suffix(path, &format!(".broken-{time}"));
    let mut again = 1;
    while moved.exists() {
        again += 1;
        moved = with_suffix(path, &format!(".broken-{time}-{again}"));
    }
    for side in ["-wal", "-shm"] {
        let from = with_suffix(path, side);
        if from.exists() {
            fs::rename(from, with_suffix(&moved, side))?;
        }
    }
    fs::rename(path, &moved)?;
    Ok(moved)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// What was copied, see [`Repaired::Saved`].
struct Salvaged {
    calls: usize,
    unreadable: usize,
    hidden: bool,
}

/// Copies what can be read. A file of which nothing can be read gives nothing, which tells nothing of how much was there.
fn salvage(from: &Path, into: &mut Store) -> Result<Salvaged, Trouble> {
    let Some(broken) = open_broken(from) else {
        return Ok(Salvaged {
            calls: 0,
            unreadable: 0,
            hidden: true,
        });
    };
    let mut saved = Saved {
        into,
        seen: HashSet::new(),
        batch: Vec::new(),
        calls: 0,
        unreadable: 0,
    };
    // From both ends as far as it goes, then between.
    let low = saved.run(&broken, i64::MIN, i64::MAX, true)?;
    if let Some(low) = low {
        let high = saved.run(&broken, low, i64::MAX, false)?.unwrap_or(low);
        saved.between(&broken, low, high)?;
    }
    saved.flush()?;
    Ok(Salvaged {
        calls: saved.calls,
        unreadable: saved.unreadable,
        hidden: low.is_some(),
    })
}

/// The broken database, if it still can be asked; the journal in its log is read too.
fn open_broken(path: &Path) -> Option<Store> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).ok()?;
    // Without it SQLite reads nothing at all of a file that is shorter than it was.
    connection
        .pragma_update(None, "writable_schema", true)
        .ok()?;
    schema::check(&connection, schema::version(&connection).ok()?).ok()?;
    Some(Store {
        connection,
        path: Some(path.to_owned()),
        identity: None,
        leftovers: false,
    })
}

impl Store {
    /// The newest records as far as they can be read, at most `limit` and about `bytes`. Never fails: it is asked when the disk does.
    pub(in crate::history) fn newest(&self, limit: usize, bytes: usize) -> Vec<Record> {
        let sql = "SELECT number, record, result FROM bodies ORDER BY number DESC";
        let mut records = Vec::new();
        let Ok(mut statement) = self.connection.prepare(sql) else {
            return records;
        };
        let Ok(mut rows) = statement.query([]) else {
            return records;
        };
        let mut left = bytes;
        while let Ok(Some(row)) = rows.next()
            && records.len() < limit
            && left > 0
        {
            if let Ok(body) = body(row) {
                left = left.saturating_sub(body.size());
                records.extend(body.record());
            }
        }
        records
    }
}

struct Saved<'a> {
    into: &'a mut Store,
    seen: HashSet<i64>,
    batch: Vec<Record>,
    calls: usize,
    unreadable: usize,
}

impl Saved<'_> {
    /// Reads from one end of a range to the other; returns the last number that could be read if damage stopped it.
    fn run(
        &mut self,
        broken: &Store,
        low: i64,
        high: i64,
        upward: bool,
    ) -> Result<Option<i64>, Trouble> {
        let order = if upward { "" } else { "DESC" };
        // Only this table is needed: all the others can be made of it.
        let sql = format!(
            "SELECT number, record, result FROM bodies WHERE number >= ?1 AND number <= ?2 ORDER BY number {order}"
        );
        let mut last = if upward { low } else { high };
        let Ok(mut statement) = broken.connection.prepare(&sql) else {
            return Ok(Some(last));
        };
        let Ok(mut rows) = statement.query([low, high]) else {
            return Ok(Some(last));
        };
        loop {
            match rows.next() {
                Ok(Some(row)) => {
                    let Ok(body) = body(row) else {
                        self.strange(row);
                        continue;
                    };
                    last = body.number;
                    if !self.seen.insert(body.number) {
                        continue;
                    }
                    match body.record() {
                        Ok(record) => self.keep(record)?,
                        Err(_) => self.unreadable += 1,
                    }
                }
                Ok(None) => return Ok(None),
                Err(_) => return Ok(Some(last)),
            }
        }
    }

    /// Looks for what lies between two damaged places, each time in the middle of the widest gap.
    fn between(&mut self, broken: &Store, low: i64, high: i64) -> Result<(), Trouble> {
        let mut gaps = vec![(low, high)];
        for _ in 0..PROBES {
            let widest =
                (0..gaps.len()).max_by_key(|index| gaps[*index].1.saturating_sub(gaps[*index].0));
            let Some((low, high)) = widest.map(|index| gaps.swap_remove(index)) else {
                return Ok(());
            };
            let middle = low.midpoint(high);
            if middle <= low || middle >= high {
                continue;
            }
            let before = self.seen.len();
            let up = self.run(broken, middle, high, true)?.unwrap_or(high);
            let down = self.run(broken, low, middle, false)?.unwrap_or(low);
            if self.seen.len() > before {
                gaps.push((low, down));
                gaps.push((up, high));
            } else {
                gaps.push((low, middle));
                gaps.push((middle, high));
            }
        }
        Ok(())
    }

    /// A row is there whose columns are not what they should be.
    fn strange(&mut self, row: &Row<'_>) {
        if row.get(0).is_ok_and(|number| self.seen.insert(number)) {
            self.unreadable += 1;
        }
    }

    fn keep(&mut self, record: Record) -> Result<(), Trouble> {
        self.batch.push(record);
        self.calls += 1;
        if self.batch.len() >= BATCH {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Trouble> {
        let batch = std::mem::take(&mut self.batch);
        self.into.upsert(&batch).map(|_| ())
    }
}
