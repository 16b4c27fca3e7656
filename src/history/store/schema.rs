//! The form of the database and how an older one is brought to it: numbered SQL files, one `user_version` each.

use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use super::trouble::{Cause, Reason};

/// What leads from each form to the next; the last one is ours.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../assets/migrations/001.sql"),
    include_str!("../../../assets/migrations/002.sql"),
    include_str!("../../../assets/migrations/003.sql"),
];

/// `umbl`: marks a database as ours.
const APPLICATION: i32 = 0x756d_626c;

/// Bytes of a page of a new database. So large that one page holds the way to all calls that are usually kept: with SQLite's 4096
/// a table of some hundred calls grows an inner page that lies far behind, and a file that lost its end would lose everything.
const PAGE: i64 = 16_384;

/// Makes a new, empty or older database one of the present form. A foreign or newer one is left as it is.
pub(super) fn bring_up(connection: &Connection) -> Result<(), Reason> {
    let version = version(connection)?;
    check(connection, version)?;
    if version == 0 {
        connection.pragma_update(None, "page_size", PAGE)?;
    }
    write_ahead(connection)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // What is forgotten is overwritten.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
    connection.pragma_update(None, "cache_size", -8_000)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    if version < MIGRATIONS.len() {
        migrate(connection)?;
    }
    Ok(())
}

/// The form of a database.
pub(super) fn version(connection: &Connection) -> Result<usize, Reason> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    usize::try_from(version).map_err(|_| foreign())
}

/// Refuses what is not ours to write.
pub(super) fn check(connection: &Connection, version: usize) -> Result<(), Reason> {
    if version > MIGRATIONS.len() && is_ours(connection)? {
        let what = format!(
            "a later umbel made it (form {version}; this one knows {})",
            MIGRATIONS.len()
        );
        return Err(Reason::new(Cause::Newer, what));
    }
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let empty = version == 0 && tables == 0;
    if empty || is_ours(connection)? {
        Ok(())
    } else {
        Err(foreign())
    }
}

fn is_ours(connection: &Connection) -> Result<bool, Reason> {
    let id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    Ok(id == i64::from(APPLICATION))
}

fn foreign() -> Reason {
    Reason::new(Cause::Foreign, "it is the database of another program")
}

/// Readers and one writer at once. Where the file system cannot share memory SQLite stays with its older way.
fn write_ahead(connection: &Connection) -> Result<(), Reason> {
    let mut tries = 0;
    loop {
        let mode = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode.map_err(Reason::from) {
            Ok(_) => return Ok(()),
            // Several that open a new file at once: SQLite does not wait here by itself.
            Err(reason) if reason.cause == Cause::Busy && tries < 50 => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(reason) => return Err(reason),
        }
    }
}

fn migrate(connection: &Connection) -> Result<(), Reason> {
    // Another process may have been faster: the form is read again where nobody else can write.
    let transaction =
        rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let from = version(&transaction)?;
    check(&transaction, from)?;
    for sql in MIGRATIONS.iter().skip(from) {
        transaction.execute_batch(sql)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    let version = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()?;
    Ok(())
}
