//! For servers that do not tell of changes (older than Redis 6, or forbidden): carries what workers push from our list into a
//! second one with the mark and the time to live, and wakes its reader. What it carries is in one of the two at any moment.
//!
//! The first list has no time to live. So it is noted in a register, and whoever connects later removes what was left behind.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Value, cmd, pipe};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::super::lease::DAY;

/// How long the server waits for something to carry, in seconds, and how much later its answer must be here.
const WAIT: u64 = 5;
const LATE: Duration = Duration::from_secs(7);

/// The register of lists without a time to live: name and when their owner lived last, in seconds since 1970.
pub(in crate::broker::redis) const REGISTER: &str = "umbel.lists";

/// How our lists are named.
pub(in crate::broker::redis) const OURS: &str = "umbel.";

/// How long the register itself lives, in seconds.
const REGISTER_TTL: u64 = 30 * DAY;

/// Lists that are removed at once.
const MOST: usize = 100;

/// The second list.
pub(in crate::broker::redis) fn shelf(list: &str) -> String {
    format!("{list}.taken")
}

/// A ferry between the two lists.
pub(in crate::broker::redis) struct Ferry {
    pub(in crate::broker::redis) connection: MultiplexedConnection,
    pub(in crate::broker::redis) register: String,
    /// Name without the prefix of keys, and the key.
    pub(in crate::broker::redis) list: (String, String),
    pub(in crate::broker::redis) wake: Arc<Notify>,
}

impl Ferry {
    /// Carries until the connection is of no use any more; says why.
    pub(in crate::broker::redis) async fn run(mut self) -> String {
        let mut rounds = 0_u32;
        loop {
            if rounds.is_multiple_of(64) {
                self.register().await;
            }
            rounds = rounds.wrapping_add(1);
            let mut carry = cmd("BRPOPLPUSH");
            carry.arg(&self.list.1).arg(shelf(&self.list.1)).arg(WAIT);
            let carried: RedisResult<Option<Value>> =
                match timeout(LATE, carry.query_async(&mut self.connection)).await {
                    Ok(carried) => carried,
                    Err(_) => return format!("nothing heard for {} s", LATE.as_secs()),
                };
            match carried {
                Ok(Some(_)) => self.wake.notify_one(),
                Ok(None) => {}
                Err(error) => return error.to_string(),
            }
        }
    }

    async fn register(&mut self) {
        let noted = async {
            let now = now(&mut self.connection).await?;
            let mut note = pipe();
            note.cmd("ZADD")
                .arg(&self.register)
                .arg(now)
                .arg(&self.list.0);
            note.cmd("EXPIRE").arg(&self.register).arg(REGISTER_TTL);
            note.exec_async(&mut self.connection).await
        };
        if let Ok(Err(error)) = timeout(LATE, noted).await {
            tracing::debug!(%error, "our list is not in the register");
        }
    }
}

/// The server's clock, in seconds since 1970.
async fn now(connection: &mut MultiplexedConnection) -> RedisResult<u64> {
    let (seconds, _): (u64, u64) = cmd("TIME").query_async(connection).await?;
    Ok(seconds)
}

/// Removes the lists whose owners have been dead for a day. `key` makes a key of a name.
pub(in crate::broker::redis) async fn sweep(
    connection: &mut MultiplexedConnection,
    key: impl Fn(&str) -> String,
) -> RedisResult<()> {
    let register = key(REGISTER);
    let dead = now(connection).await?.saturating_sub(DAY);
    let mut look = cmd("ZRANGEBYSCORE");
    look.arg(&register).arg("-inf").arg(dead);
    look.arg("LIMIT").arg(0).arg(MOST);
    let names: Vec<String> = look.query_async(connection).await?;
    if names.is_empty() {
        return Ok(());
    }
    let mut remove = pipe();
    // Only ours, whatever somebody wrote there.
    for name in names.iter().filter(|name| name.starts_with(OURS)) {
        remove.cmd("DEL").arg(key(name));
    }
    remove.cmd("ZREM").arg(&register).arg(&names);
    remove.exec_async(connection).await
}
