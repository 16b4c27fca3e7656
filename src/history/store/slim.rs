//! A history in memory may not grow with the values of its calls.

use rusqlite::Row as SqlRow;

use super::read::body;
use super::trouble::Reason;
use super::write::{put_body, put_words};
use super::{Store, Trouble};
use crate::history::filter;

/// Bytes of a call that is light enough.
const LIGHT: i64 = 16 << 10;

impl Store {
    /// Drops large values of calls that have ended, the oldest first, until all fit into about `bytes`. Returns how many calls lost theirs.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub fn slim(&mut self, bytes: usize) -> Result<usize, Trouble> {
        let done = self.drop_values(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.told(done)
    }

    fn drop_values(&mut self, bytes: i64) -> Result<usize, Reason> {
        // The index of words is about three times their text.
        let sql = "SELECT c.number, c.open, octet_length(b.record) + coalesce(octet_length(b.result), 0) + 3 * octet_length(w.text)
            FROM calls AS c JOIN bodies AS b USING (number) JOIN words AS w USING (number) ORDER BY c.number DESC";
        let read = |row: &SqlRow<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let mut heavy: Vec<i64> = Vec::new();
        let mut slimmed = 0;
        let mut room = bytes;
        for (number, open, size) in self.all::<(i64, bool, i64)>(sql, [], read)? {
            if size > room && size > LIGHT && !open {
                heavy.push(number);
            } else {
                room -= size;
            }
        }
        let sql = "SELECT number, record, result FROM bodies WHERE number = ?1";
        let transaction = self.connection.transaction()?;
        for number in &heavy {
            let found = transaction.query_row(sql, [number], body)?;
            let record = found.record()?;
            let light = record.clone().lightened();
            // It has lost them already.
            if light == record {
                continue;
            }
            let record = light;
            slimmed += 1;
            put_body(&transaction, *number, &record)?;
            put_words(&transaction, *number, &filter::text_of(&record))?;
        }
        transaction.commit()?;
        Ok(slimmed)
    }
}
