//! What is in a database of Redis, for a test that asserts that nothing of ours stays.

use std::fmt;

use redis::{Commands, Connection};

/// One key.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Key {
    /// Its name; bytes that are not UTF-8 are replaced.
    pub name: String,
    /// `string`, `list`, `set`, `hash`, `zset`, `stream`.
    pub kind: String,
    /// Seconds until it expires; `None` when it never does.
    pub ttl: Option<u64>,
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind, self.name)?;
        match self.ttl {
            Some(ttl) => write!(formatter, " ({ttl} s)"),
            None => formatter.write_str(" (for ever)"),
        }
    }
}

/// Everything in the database of this connection, by name.
pub fn keys_left(connection: &mut Connection) -> Vec<Key> {
    let names: Vec<Vec<u8>> = connection.keys("*").expect("redis lists its keys");
    let mut keys: Vec<Key> = names
        .iter()
        .filter_map(|name| {
            let kind: String = redis::cmd("TYPE")
                .arg(name)
                .query(connection)
                .expect("redis knows the type of a key");
            let ttl: i64 = connection.ttl(name).expect("redis knows the life of a key");
            // -2: it expired in this moment; -1: it never will.
            (ttl != -2).then(|| Key {
                name: String::from_utf8_lossy(name).into_owned(),
                kind,
                ttl: u64::try_from(ttl).ok(),
            })
        })
        .collect();
    keys.sort();
    keys
}
