//! Asking: everything is bounded.

use std::time::Duration;

use rusqlite::{OptionalExtension, Params, Row as SqlRow, params, params_from_iter};

use super::query::{Query, numbers};
use super::trouble::{Cause, Reason};
use super::write::{PLACES, base};
use super::{Record, Store, Trouble};
use crate::call::diagnosis::Usual;
use crate::clock::Timestamp;
use crate::history::filter::{COUNTED, Count, Cursor, Filter, Found, LONGEST_PAGE, Row};
use crate::history::record::{Key, Unreadable, codec};
use crate::protocol::{QueueName, TaskId, TaskName};

/// So many earlier calls are looked at for what is usual, the newest.
const SAMPLE: usize = 1_000;

const BODY: &str =
    "SELECT c.number, b.record, b.result, c.id FROM calls AS c JOIN bodies AS b USING (number)";

const ROW: &str = "c.number, c.id, c.task, c.state, c.took, c.queued, c.queue, c.broker, c.profile, c.masked, c.open, b.title, b.brief";

/// A page of whole records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    /// Those that can be read, the newest first.
    pub records: Vec<Record>,
    /// Those that are there and cannot be read, and why.
    pub unreadable: Vec<(TaskId, Unreadable)>,
    /// Where the next page begins; `None`: there is none.
    pub next: Option<Cursor>,
}

impl Store {
    /// The newest calls before `before`, at most `limit` (and [`LONGEST_PAGE`]).
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn page(
        &self,
        filter: &Filter,
        before: Option<Cursor>,
        limit: usize,
    ) -> Result<Vec<Row>, Trouble> {
        let Query { sql, values } = numbers(filter, before, limit.min(LONGEST_PAGE));
        let sql = format!(
            "SELECT {ROW} FROM ({sql}) AS p CROSS JOIN calls AS c USING (number) CROSS JOIN bodies AS b USING (number)
             ORDER BY c.number DESC"
        );
        self.told(self.all(&sql, params_from_iter(values), row))
    }

    /// Whole records, as [`Store::page`].
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn records(
        &self,
        filter: &Filter,
        before: Option<Cursor>,
        limit: usize,
    ) -> Result<Records, Trouble> {
        let limit = limit.min(LONGEST_PAGE);
        let Query { sql, values } = numbers(filter, before, limit);
        let sql = format!("{BODY} WHERE c.number IN ({sql}) ORDER BY c.number DESC");
        let found = self.told(self.all(&sql, params_from_iter(values), named))?;
        let last = found.last().map(|(_, body)| Cursor(body.number));
        let mut page = Records {
            next: last.filter(|_| found.len() == limit),
            ..Records::default()
        };
        for (id, body) in found {
            match body.record() {
                Ok(record) => page.records.push(record),
                Err(why) => page.unreadable.push((id, why)),
            }
        }
        Ok(page)
    }

    /// How many calls `filter` lets through.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn count(&self, filter: &Filter) -> Result<Count, Trouble> {
        let Query { sql, values } = numbers(filter, None, COUNTED + 1);
        let sql = format!("SELECT count(*) FROM ({sql})");
        let counted = self
            .connection
            .query_row(&sql, params_from_iter(values), |row| row.get::<_, i64>(0));
        let counted = self.told(counted.map_err(Reason::from))?;
        let counted = usize::try_from(counted).unwrap_or_default();
        Ok(Count {
            calls: counted.min(COUNTED),
            or_more: counted > COUNTED,
            fleeting: 0,
        })
    }

    /// The last call of this id, or of the only one that begins so; blanks do not count, so that the short form `c7 a31f09` is found.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn get(&self, id: &str) -> Result<Found, Trouble> {
        match self.found(&id.into())? {
            Found::None => {}
            found => return Ok(found),
        }
        let prefix: String = id.chars().filter(|c| !c.is_whitespace()).collect();
        if prefix.is_empty() {
            return Ok(Found::None);
        }
        let sql = "SELECT DISTINCT id FROM calls WHERE id >= ?1 AND id < ?1 || char(0x10ffff) ORDER BY id LIMIT 2";
        let id = |row: &SqlRow<'_>| row.get::<_, String>(0);
        let mut ids = self.told(self.all(sql, [&prefix], id))?.into_iter();
        match (ids.next(), ids.next()) {
            (Some(one), Some(other)) => Ok(Found::Several(one.into(), other.into())),
            (Some(one), None) => self.found(&one.into()),
            _ => Ok(Found::None),
        }
    }

    /// What there is of exactly this id, the last call of it.
    fn found(&self, id: &TaskId) -> Result<Found, Trouble> {
        Ok(found(id, self.told(self.body(id))?))
    }

    /// What there is of this very call.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn get_call(&self, key: &Key) -> Result<Found, Trouble> {
        Ok(found(&key.0, self.told(self.body_of(key))?))
    }

    /// The last call of exactly this id.
    pub(in crate::history) fn record(&self, id: &TaskId) -> Result<Option<Record>, Trouble> {
        let read = |body: Body| body.record().map_err(Reason::from);
        self.told(self.body(id).and_then(|body| body.map(read).transpose()))
    }

    fn body(&self, id: &TaskId) -> Result<Option<Body>, Reason> {
        let sql = format!("{BODY} WHERE c.id = ?1 ORDER BY c.number DESC LIMIT 1");
        let found = self.connection.query_row(&sql, [id.as_str()], body);
        Ok(found.optional()?)
    }

    fn body_of(&self, (id, created): &Key) -> Result<Option<Body>, Reason> {
        let sql = format!("{BODY} WHERE c.id = ?1 AND c.number >= ?2 AND c.number < ?2 + ?3");
        let values = params![id.as_str(), base(*created), PLACES];
        let found = self.connection.query_row(&sql, values, body);
        Ok(found.optional()?)
    }

    /// The call of the same task that was made before this one.
    ///
    /// # Errors
    /// The database cannot be read, or the record in it cannot.
    pub fn previous(&self, (id, created): &Key) -> Result<Option<Record>, Trouble> {
        let sql = format!(
            "{BODY} WHERE c.number = (SELECT max(p.number) FROM calls AS p JOIN
                (SELECT task, number FROM calls WHERE id = ?1 AND number >= ?2 AND number < ?2 + ?3) AS it
                ON p.task = it.task AND p.number < it.number)"
        );
        let values = params![id.as_str(), base(*created), PLACES];
        let found = self.connection.query_row(&sql, values, body);
        let found = found.optional().map_err(Reason::from);
        let read = |body: Body| body.record().map_err(Reason::from);
        self.told(found.and_then(|body| body.map(read).transpose()))
    }

    /// The task of a call, and its place by the time when it was made, which means the same in every store.
    pub(in crate::history) fn place(
        &self,
        (id, created): &Key,
    ) -> Result<Option<(TaskName, Cursor)>, Trouble> {
        let sql =
            "SELECT task, number FROM calls WHERE id = ?1 AND number >= ?2 AND number < ?2 + ?3";
        let values = params![id.as_str(), base(*created), PLACES];
        let place = |row: &SqlRow<'_>| {
            let task: String = row.get(0)?;
            Ok((TaskName::from(task), Cursor(row.get(1)?)))
        };
        let found = self.connection.query_row(sql, values, place);
        self.told(found.optional().map_err(Reason::from))
    }

    /// Changes whenever another program writes; a write of ours leaves it as it is (SQLite's `data_version`).
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn writes_of_others(&self) -> Result<i64, Trouble> {
        let version = self
            .connection
            .pragma_query_value(None, "data_version", |row| row.get(0));
        self.told(version.map_err(Reason::from))
    }

    /// Whether there is a call of exactly this id; a database that cannot be read has none.
    pub(in crate::history) fn has(&self, id: &TaskId) -> bool {
        let sql = "SELECT 1 FROM calls WHERE id = ?1";
        let found = self.connection.prepare_cached(sql);
        found.is_ok_and(|mut found| found.exists([id.as_str()]).unwrap_or(false))
    }

    /// Whether there is this very call, as [`Store::has`].
    pub(in crate::history) fn has_call(&self, (id, created): &Key) -> bool {
        let sql = "SELECT 1 FROM calls WHERE id = ?1 AND number >= ?2 AND number < ?2 + ?3";
        let values = params![id.as_str(), base(*created), PLACES];
        let found = self.connection.prepare_cached(sql);
        found.is_ok_and(|mut found| found.exists(values).unwrap_or(false))
    }

    /// This very call.
    pub(in crate::history) fn call(&self, key: &Key) -> Result<Option<Record>, Trouble> {
        let read = |body: Body| body.record().map_err(Reason::from);
        self.told(
            self.body_of(key)
                .and_then(|body| body.map(read).transpose()),
        )
    }

    /// Whether this very call was forgotten a short time ago.
    pub(in crate::history) fn was_call_forgotten(
        &self,
        (id, created): &Key,
    ) -> Result<bool, Trouble> {
        let sql = "SELECT 1 FROM forgotten WHERE id = ?1 AND since <= ?2 AND upto >= ?2";
        let found = self.connection.prepare_cached(sql);
        let values = params![id.as_str(), base(*created)];
        let found = found.and_then(|mut found| found.exists(values));
        self.told(found.map_err(Reason::from))
    }

    /// Whether a call of this id was forgotten a short time ago.
    pub(in crate::history) fn was_forgotten(&self, id: &TaskId) -> Result<bool, Trouble> {
        let sql = "SELECT 1 FROM forgotten WHERE id = ?1";
        let found = self.connection.prepare_cached(sql);
        let found = found.and_then(|mut found| found.exists([id.as_str()]));
        self.told(found.map_err(Reason::from))
    }

    /// How many calls there are of exactly this id.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn namesakes(&self, id: &TaskId) -> Result<usize, Trouble> {
        let sql = "SELECT count(*) FROM calls WHERE id = ?1";
        let count = |row: &SqlRow<'_>| row.get::<_, i64>(0);
        let counted = self.connection.query_row(sql, [id.as_str()], count);
        let counted = self.told(counted.map_err(Reason::from))?;
        Ok(usize::try_from(counted).unwrap_or_default())
    }

    /// How long calls of `task` on this broker (in `queue`) ran that returned, of those whose start was seen: the newest 1,000.
    /// `None` of none.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn usual(
        &self,
        task: &TaskName,
        broker: &str,
        queue: Option<&QueueName>,
    ) -> Result<Option<Usual>, Trouble> {
        let sql = "SELECT ran FROM calls INDEXED BY calls_usual
            WHERE task = ?1 AND broker = ?2 AND state IN ('ok', 'late_ok') AND (?3 IS NULL OR queue = ?3)
            ORDER BY number DESC LIMIT ?4";
        let queue = queue.map(QueueName::as_str);
        let ran = |row: &SqlRow<'_>| duration(row, 0);
        let values = params![task.as_str(), broker, queue, sql_count(SAMPLE)];
        let found = self.all(sql, values, ran);
        let found = self.told(found)?;
        Ok(Usual::of(found.into_iter().flatten().collect()))
    }

    /// Calls to this broker that have no answer yet, made at `since` or later, the newest first, at most [`LONGEST_PAGE`]. A call of
    /// another umbel that still waits for it is among them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn unresolved(&self, broker: &str, since: Timestamp) -> Result<Vec<Record>, Trouble> {
        let sql = format!(
            "{BODY} WHERE c.open = 1 AND c.broker = ?1 AND c.number >= ?2 ORDER BY c.number DESC LIMIT ?3"
        );
        let found = self.all(
            &sql,
            params![broker, base(since), sql_count(LONGEST_PAGE)],
            body,
        );
        // What cannot be read is passed over: it cannot be listened for.
        let found = self.told(found)?.into_iter();
        Ok(found.filter_map(|body| body.record().ok()).collect())
    }

    pub(super) fn all<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnMut(&SqlRow<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Reason> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(values, read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn found(id: &TaskId, body: Option<Body>) -> Found {
    match body.map(|body| body.record()) {
        Some(Ok(record)) => Found::One(Box::new(record)),
        Some(Err(why)) => Found::Unreadable(id.clone(), why),
        None => Found::None,
    }
}

fn sql_count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A record as it lies there.
pub(super) struct Body {
    pub(super) number: i64,
    document: String,
    result: Option<String>,
}

impl Body {
    pub(super) fn size(&self) -> usize {
        self.document.len() + self.result.as_ref().map_or(0, String::len)
    }

    pub(super) fn record(&self) -> Result<Record, Unreadable> {
        codec::read(&self.document, self.result.as_deref())
    }
}

pub(super) fn body(row: &SqlRow<'_>) -> rusqlite::Result<Body> {
    Ok(Body {
        number: row.get(0)?,
        document: row.get(1)?,
        result: row.get(2)?,
    })
}

fn named(row: &SqlRow<'_>) -> rusqlite::Result<(TaskId, Body)> {
    let id: String = row.get(3)?;
    Ok((id.into(), body(row)?))
}

fn row(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    let number: i64 = row.get(0)?;
    let state: String = row.get(3)?;
    let text = |at: usize| row.get::<_, String>(at);
    Ok(Row {
        id: text(1)?.into(),
        task: text(2)?.into(),
        state: state
            .parse()
            .map_err(|_| rusqlite::Error::InvalidColumnName(state))?,
        took: duration(row, 4)?,
        queued: duration(row, 5)?,
        queue: row.get::<_, Option<String>>(6)?.map(Into::into),
        broker: text(7)?,
        profile: row.get(8)?,
        masked: row.get(9)?,
        open: row.get(10)?,
        fleeting: false,
        title: text(11)?,
        brief: text(12)?,
        created: Timestamp::from_microsecond(number / PLACES).unwrap_or(Timestamp::MAX),
        cursor: Cursor(number),
    })
}

fn duration(row: &SqlRow<'_>, at: usize) -> rusqlite::Result<Option<Duration>> {
    let nanos: Option<i64> = row.get(at)?;
    Ok(nanos.map(|nanos| Duration::from_nanos(u64::try_from(nanos).unwrap_or_default())))
}

impl Store {
    /// Whether SQLite finds no fault, and every call can be listed and read.
    pub(super) fn is_sound(&self) -> Result<bool, Trouble> {
        match self.told(self.all_is_well()) {
            Err(trouble) if matches!(trouble.cause, Cause::Broken | Cause::Unreadable) => Ok(false),
            answer => answer,
        }
    }

    fn all_is_well(&self) -> Result<bool, Reason> {
        let check = "PRAGMA quick_check(1)";
        let said = self
            .connection
            .query_row(check, [], |row| row.get::<_, String>(0))?;
        if said != "ok" {
            return Ok(false);
        }
        let sql = format!(
            "SELECT {ROW}, b.record, b.result FROM bodies AS b CROSS JOIN calls AS c USING (number)"
        );
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(next) = rows.next()? {
            row(next)?;
            let read = Body {
                number: next.get(0)?,
                document: next.get("record")?,
                result: next.get("result")?,
            };
            read.record()?;
        }
        Ok(true)
    }
}
