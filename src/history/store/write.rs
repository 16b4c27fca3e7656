//! Writing: every record of a call joins the one that is there, in one transaction with reading that.

use std::time::Duration;

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, named_params, params};

use super::read::{Body, body};
use super::trouble::Reason;
use super::{Record, Store, Trouble};
use crate::clock::Timestamp;
use crate::history::filter::{self, TITLE};
use crate::history::place::Keep;
use crate::history::record::{Key, codec};
use crate::protocol::{QueueName, TaskId};

/// Places for calls of one microsecond.
pub(super) const PLACES: i64 = 1024;

/// So many records are deleted in one go, so that nobody waits long.
const BATCH: u32 = 500;

/// How long a forgotten call stays so, whatever is heard of it.
const FORGOTTEN: i64 = 24 * 3600;

impl Store {
    /// Keeps records, all or none; returns how many were news. One that knows nothing more than what is there already, or of a call
    /// that was forgotten, is passed over.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn upsert(&mut self, records: &[Record]) -> Result<usize, Trouble> {
        let done = self.transaction(|transaction| {
            let mut news = 0;
            for record in records {
                news += usize::from(upsert(transaction, record)?);
            }
            Ok(news)
        });
        self.told(done)
    }

    /// Deletes the calls of an id. What is heard of them later is not kept. Returns the last of them, for [`Store::recollect`].
    ///
    /// # Errors
    /// The database cannot be read or written, or the record cannot be read: it could not be taken back ([`Store::erase`]).
    pub fn forget(&mut self, id: &TaskId, now: Timestamp) -> Result<Option<Record>, Trouble> {
        let record = self.record(id)?;
        self.erase(id, now)?;
        Ok(record)
    }

    /// As [`Store::forget`], whether it can be read or not.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn erase(&mut self, id: &TaskId, now: Timestamp) -> Result<(), Trouble> {
        let last = "SELECT max(number) FROM calls WHERE id = ?1";
        let last = self
            .connection
            .query_row(last, [id.as_str()], |row| row.get(0));
        let last: Option<i64> = self.told(last.map_err(Reason::from))?;
        let upto = base(now).max(last.unwrap_or_default());
        self.erase_those(id, (0, upto), now)
    }

    fn erase_those(
        &mut self,
        id: &TaskId,
        (since, upto): (i64, i64),
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let done = self.transaction(|transaction| {
            let those = "SELECT number FROM calls WHERE id = ?1 AND number BETWEEN ?2 AND ?3";
            let mut found = transaction.prepare_cached(those)?;
            let found = found.query_map(params![id.as_str(), since, upto], |row| row.get(0))?;
            for number in found.collect::<rusqlite::Result<Vec<i64>>>()? {
                delete(transaction, number)?;
            }
            // The index forgets what was deleted when its parts are put together.
            transaction.execute("INSERT INTO found (found) VALUES ('optimize')", [])?;
            let put =
                "INSERT OR REPLACE INTO forgotten (id, since, upto, at) VALUES (?1, ?2, ?3, ?4)";
            transaction.execute(put, params![id.as_str(), since, upto, now.as_second()])?;
            Ok(())
        });
        self.told(done)?;
        self.leftovers = true;
        self.wipe();
        Ok(())
    }

    /// As [`Store::forget`], one call of its id.
    ///
    /// # Errors
    /// As [`Store::forget`].
    pub fn forget_call(&mut self, key: &Key, now: Timestamp) -> Result<Option<Record>, Trouble> {
        let record = self.call(key)?;
        self.erase_call(key, now)?;
        Ok(record)
    }

    /// As [`Store::forget_call`], whether it can be read or not.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn erase_call(&mut self, (id, created): &Key, now: Timestamp) -> Result<(), Trouble> {
        let first = base(*created);
        self.erase_those(id, (first, first + PLACES - 1), now)
    }

    /// Empties the log, if something that was deleted still stands in it. While another program reads that cannot be done.
    pub(in crate::history) fn wipe(&mut self) {
        let busy = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        if self.leftovers && self.connection.query_row(sql, [], busy) == Ok(0) {
            self.leftovers = false;
        }
    }

    /// Takes back [`Store::forget`].
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn recollect(&mut self, record: &Record) -> Result<(), Trouble> {
        let done = self.transaction(|transaction| {
            let id = record.id().as_str();
            let first = base(record.times.created);
            let sql = "DELETE FROM forgotten WHERE id = ?1 AND since = ?2";
            transaction.execute(sql, params![id, first])?;
            // Those before it stay forgotten.
            let sql =
                "UPDATE forgotten SET upto = ?2 - 1 WHERE id = ?1 AND since < ?2 AND upto >= ?2";
            transaction.execute(sql, params![id, first])?;
            upsert(transaction, record)?;
            Ok(())
        });
        self.told(done)
    }

    /// Deletes what is too old or too much, a few hundred at a time; returns how many. More than none: there may be more. A call whose
    /// answer may still come is not too much before there are as many of those alone.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn prune(&mut self, keep: Keep, now: Timestamp) -> Result<usize, Trouble> {
        let oldest = now.checked_sub(keep.age).unwrap_or(Timestamp::MIN);
        let done = self.transaction(|transaction| {
            let forgotten = now.as_second().saturating_sub(FORGOTTEN);
            transaction.execute("DELETE FROM forgotten WHERE at < ?1", [forgotten])?;
            let nth = |which: &str| -> Result<i64, Reason> {
                let sql = format!(
                    "SELECT number FROM calls {which} ORDER BY number DESC LIMIT 1 OFFSET ?1"
                );
                let found = transaction.query_row(&sql, [keep.calls], |row| row.get(0));
                Ok(found.optional()?.unwrap_or(i64::MIN))
            };
            let (many, open) = (nth("")?, nth("WHERE open = 1")?);
            let sql = "SELECT number FROM calls WHERE number < ?1
                    OR (number <= ?2 AND open = 0) OR (number <= ?3 AND open = 1)
                ORDER BY number LIMIT ?4";
            let mut statement = transaction.prepare_cached(sql)?;
            let found =
                statement.query_map(params![base(oldest), many, open, BATCH], |row| row.get(0))?;
            let numbers = found.collect::<rusqlite::Result<Vec<i64>>>()?;
            // Only what has really gone: a file that lets nothing go is not asked for ever.
            let mut gone = 0;
            for number in &numbers {
                gone += delete(transaction, *number)?;
            }
            Ok(gone)
        });
        self.told(done)
    }

    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Reason>,
    ) -> Result<T, Reason> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }
}

/// Returns how many calls have gone: one, or none.
fn delete(transaction: &Transaction<'_>, number: i64) -> Result<usize, Reason> {
    let mut gone = 0;
    for table in ["words", "bodies", "calls"] {
        let sql = format!("DELETE FROM {table} WHERE number = ?1");
        gone = transaction.prepare_cached(&sql)?.execute([number])?;
    }
    Ok(gone)
}

/// The first number of a moment.
pub(super) fn base(at: Timestamp) -> i64 {
    at.as_microsecond().clamp(0, (1 << 52) - 1) * PLACES
}

/// Whether it was news.
fn upsert(transaction: &Transaction<'_>, record: &Record) -> Result<bool, Reason> {
    let id = record.id().as_str();
    let first = base(record.times.created);
    let forgotten = "SELECT 1 FROM forgotten WHERE id = ?1 AND since <= ?2 AND upto >= ?2";
    if transaction
        .prepare_cached(forgotten)?
        .exists(params![id, first])?
    {
        return Ok(false);
    }
    let Some((known, later)) = known(transaction, record)? else {
        let number = free_number(transaction, record.times.created)?;
        return put(transaction, number, record);
    };
    match known.record() {
        Ok(earlier) => {
            let mut joined = earlier.clone();
            joined.join(record.clone());
            if joined == earlier {
                // Said again it is no less true.
                return Ok(record.revision() >= earlier.revision());
            }
            put(transaction, known.number, &joined)
        }
        // What cannot be read makes room for what can.
        Err(_) if later > record.revision() => Ok(false),
        Err(_) => put(transaction, known.number, record),
    }
}

/// What is there of this very call, with its revision: another call of this id is another call.
fn known(transaction: &Transaction<'_>, record: &Record) -> Result<Option<(Body, i64)>, Reason> {
    let sql = "SELECT c.number, b.record, b.result, c.revision FROM calls AS c JOIN bodies AS b USING (number)
        WHERE c.id = ?1 AND c.number >= ?2 AND c.number < ?2 + ?3";
    let values = params![record.id().as_str(), base(record.times.created), PLACES];
    let found = transaction
        .prepare_cached(sql)?
        .query_row(values, |row| Ok((body(row)?, row.get(3)?)));
    Ok(found.optional()?)
}

fn put(transaction: &Transaction<'_>, number: i64, record: &Record) -> Result<bool, Reason> {
    put_call(transaction, number, record)?;
    put_body(transaction, number, record)?;
    put_words(transaction, number, &filter::text_of(record))?;
    Ok(true)
}

/// The first free number of its microsecond, or of one after it.
fn free_number(transaction: &Transaction<'_>, created: Timestamp) -> Result<i64, Reason> {
    let mut base = base(created);
    let last = "SELECT max(number) FROM calls WHERE number >= ?1 AND number < ?1 + ?2";
    let mut last = transaction.prepare_cached(last)?;
    loop {
        match last.query_row([base, PLACES], |row| row.get::<_, Option<i64>>(0))? {
            None => return Ok(base),
            Some(number) if number + 1 < base + PLACES => return Ok(number + 1),
            Some(_) => base += PLACES,
        }
    }
}

fn put_call(transaction: &Transaction<'_>, number: i64, record: &Record) -> Result<(), Reason> {
    let put = "INSERT OR REPLACE INTO calls
        (number, id, revision, state, task, queue, broker, profile, open, masked, took, queued, ran, total)
        VALUES (:number, :id, :revision, :state, :task, :queue, :broker, :profile, :open, :masked,
            :took, :queued, :ran, :total)";
    let times = &record.times;
    transaction.prepare_cached(put)?.execute(named_params! {
        ":number": number,
        ":id": record.id().as_str(),
        ":revision": record.revision(),
        ":state": record.listed().to_string(),
        ":task": record.task().as_str(),
        ":queue": record.queue.as_ref().map(QueueName::as_str),
        ":broker": record.origin.broker,
        ":profile": record.origin.profile,
        ":open": record.is_open(),
        ":masked": !record.masked.is_empty(),
        ":took": nanos(record.took()),
        ":queued": nanos(times.queued()),
        ":ran": nanos(times.ran()),
        ":total": nanos(times.total()),
    })?;
    Ok(())
}

pub(super) fn put_body(
    transaction: &Transaction<'_>,
    number: i64,
    record: &Record,
) -> Result<(), Reason> {
    let put = "INSERT OR REPLACE INTO bodies (number, title, brief, record, result)
        VALUES (?1, ?2, ?3, ?4, ?5)";
    let (document, result) = codec::write(record);
    let (title, brief) = (record.title(TITLE), record.brief(TITLE));
    transaction
        .prepare_cached(put)?
        .execute(params![number, title, brief, document, result])?;
    Ok(())
}

/// The index is the dearest part of a write: it is left alone where nothing changed.
pub(super) fn put_words(
    transaction: &Transaction<'_>,
    number: i64,
    text: &str,
) -> Result<(), Reason> {
    let put = "INSERT INTO words (number, text) VALUES (?1, ?2)
        ON CONFLICT (number) DO UPDATE SET text = excluded.text WHERE text <> excluded.text";
    transaction
        .prepare_cached(put)?
        .execute(params![number, text])?;
    Ok(())
}

fn nanos(duration: Option<Duration>) -> Option<i64> {
    Some(i64::try_from(duration?.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Filter;
    use crate::history::record::tests::record;
    use crate::history::store::Cause;
    use proptest::prelude::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    #[test]
    fn a_full_disk_is_told_and_what_is_there_can_still_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(&folder.path().join("history.db")).unwrap();
        let mut runner = TestRunner::deterministic();
        let mut any = || record().new_tree(&mut runner).unwrap().current();
        store.upsert(&[any()]).unwrap();
        store
            .connection
            .pragma_update(None, "max_page_count", 40)
            .unwrap();
        let mut large = any();
        large.warnings = vec!["x".repeat(1 << 20)];
        large.signature.id = "large".into();
        let trouble = store.upsert(&[large]).unwrap_err();
        assert_eq!(trouble.cause, Cause::Full, "{trouble}");
        assert_eq!(store.count(&Filter::default()).unwrap().calls, 1);
        store.upsert(&[any()]).unwrap();
    }

    proptest! {
        #[test]
        fn a_record_comes_out_of_the_database_as_it_went_in(record in record()) {
            let mut store = Store::memory().unwrap();
            prop_assert_eq!(store.upsert(std::slice::from_ref(&record)).unwrap(), 1);
            prop_assert_eq!(store.record(record.id()).unwrap(), Some(record.clone()));
            let row = store.page(&Filter::default(), None, 9).unwrap().remove(0);
            prop_assert_eq!((row.id, row.state, row.open), (record.id().clone(), record.listed(), record.is_open()));
            prop_assert_eq!(row.took, record.took());
            prop_assert_eq!(store.newest(9, 1), [record]);
        }
    }
}
