//! Messages that workers have taken and not acknowledged: all queues share one hash, whose values hold whole messages. It is
//! scanned piece by piece within bounds, at most once a second for all queues together (protocol.md 5.2, 6.3).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::bindings;
use super::names::{Names, Way, way};
use crate::broker::Held;
use crate::protocol::envelope::Unacked;
use crate::server::redis::is_denied;

/// More messages than these are only counted.
const MOST: u64 = 10_000;

/// Bytes of a scan. What it moves, the server's reader pays: the more it was, the longer it is not repeated.
const MOST_BYTES: usize = 16 << 20;
const BYTES_PER_SECOND: usize = 2 << 20;

/// Rounds of a scan.
const ROUNDS: usize = 200;

/// What one round is to bring, in bytes, and how many messages at first, when their size is not known.
const ROUND: usize = 256 << 10;
const FIRST: usize = 10;

/// Exchanges whose bindings are looked at in one scan.
const EXCHANGES: usize = 8;

/// How long an answer holds at least.
const FRESH: Duration = Duration::from_secs(1);

/// The last answer, for all queues.
#[derive(Default)]
pub(super) struct HeldMessages(Mutex<Option<Last>>);

struct Last {
    /// When the scan began: what it found is not older.
    began: Instant,
    holds_until: Instant,
    snapshot: Snapshot,
}

impl Last {
    fn of(&self, queue: &str) -> (Held, Duration) {
        (self.snapshot.of(queue), self.began.elapsed())
    }
}

/// What one look found.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Snapshot {
    /// The user may not look.
    Unknown,
    Each(HashMap<String, u64>),
    Total(u64),
}

impl Snapshot {
    fn of(&self, queue: &str) -> Held {
        match self {
            Self::Unknown => Held::Unknown,
            Self::Each(queues) => Held::Queue(queues.get(queue).copied().unwrap_or(0)),
            Self::Total(total) => Held::AllQueues(*total),
        }
    }
}

impl HeldMessages {
    /// Of this queue, and how long ago at most they were counted. Those who ask while a scan runs wait for it.
    pub(super) async fn of(
        &self,
        connection: &mut MultiplexedConnection,
        names: &Names,
        queue: &str,
    ) -> RedisResult<(Held, Duration)> {
        let mut last = self.0.lock().await;
        if let Some(last) = &*last
            && Instant::now() < last.holds_until
        {
            return Ok(last.of(queue));
        }
        let began = Instant::now();
        let mut scan = Scan::default();
        let snapshot = match scan.run(connection, names).await {
            Err(error) if is_denied(&error) => Snapshot::Unknown,
            outcome => outcome?,
        };
        let rest = Duration::from_secs((scan.bytes / BYTES_PER_SECOND) as u64);
        let new = Last {
            began,
            holds_until: Instant::now() + FRESH + rest,
            snapshot,
        };
        let held = new.of(queue);
        *last = Some(new);
        Ok(held)
    }
}

/// A message's tag, and `[envelope, exchange, routing_key]`.
type Entry = (Vec<u8>, Vec<u8>);

/// One scan.
#[derive(Default)]
struct Scan {
    bytes: usize,
    /// A scan may bring the same message twice.
    seen: HashSet<Vec<u8>>,
    queues: HashMap<String, u64>,
    /// Of messages that went through an exchange: exchange and routing key.
    routed: HashMap<(String, String), u64>,
    /// Whether something is not of kombu.
    strange: bool,
}

impl Scan {
    async fn run(
        &mut self,
        connection: &mut MultiplexedConnection,
        names: &Names,
    ) -> RedisResult<Snapshot> {
        let key = names.unacked();
        let total: u64 = cmd("HLEN").arg(&key).query_async(connection).await?;
        if total > MOST || !self.read(connection, &key, total).await? || self.strange {
            return Ok(Snapshot::Total(total));
        }
        if self.resolve(connection, names).await? {
            return Ok(Snapshot::Each(std::mem::take(&mut self.queues)));
        }
        Ok(Snapshot::Total(total))
    }

    /// Reads all there is; `false` when that is too much.
    async fn read(
        &mut self,
        connection: &mut MultiplexedConnection,
        key: &str,
        total: u64,
    ) -> RedisResult<bool> {
        let mut cursor = 0_u64;
        if total == 0 {
            return Ok(true);
        }
        for _ in 0..ROUNDS {
            let mut scan = cmd("HSCAN");
            scan.arg(key)
                .arg(cursor)
                .arg("COUNT")
                .arg(self.next_count());
            let (next, found): (u64, Vec<Entry>) = scan.query_async(connection).await?;
            for (tag, value) in found {
                self.count(tag, &value);
            }
            if next == 0 {
                return Ok(true);
            }
            if self.bytes > MOST_BYTES {
                return Ok(false);
            }
            cursor = next;
        }
        Ok(false)
    }

    /// How many messages the next round may bring.
    fn next_count(&self) -> usize {
        match self.bytes / self.seen.len().max(1) {
            0 => FIRST,
            average => (ROUND / average).clamp(1, 1000),
        }
    }

    fn count(&mut self, tag: Vec<u8>, value: &[u8]) {
        self.bytes += tag.len() + value.len();
        if !self.seen.insert(tag) {
            return;
        }
        let Some(unacked) = Unacked::parse(value) else {
            self.strange = true;
            return;
        };
        if let Some(queue) = unacked.queue() {
            *self.queues.entry(queue.0).or_default() += 1;
        } else {
            let way = (unacked.exchange, unacked.routing_key);
            *self.routed.entry(way).or_default() += 1;
        }
    }

    /// Finds the queues of messages that went through an exchange; `false` if that cannot be told.
    async fn resolve(
        &mut self,
        connection: &mut MultiplexedConnection,
        names: &Names,
    ) -> RedisResult<bool> {
        let exchanges: HashSet<String> = self.routed.keys().map(|(name, _)| name.clone()).collect();
        if exchanges.len() > EXCHANGES {
            return Ok(false);
        }
        for exchange in exchanges {
            let Some(bindings) = bindings::read(connection, names, &exchange).await? else {
                return Ok(false);
            };
            let routed = self
                .routed
                .iter()
                .filter(|((name, _), _)| *name == exchange);
            for ((_, key), count) in routed {
                let Way::Queues(queues) = way(&bindings, key) else {
                    continue;
                };
                // With several it is one of them, and nobody knows which.
                let mut queues = queues.into_iter();
                let (Some(queue), None) = (queues.next(), queues.next()) else {
                    return Ok(false);
                };
                *self.queues.entry(queue).or_default() += count;
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_counts_each_message_once_and_by_its_queue() {
        let mut scan = Scan::default();
        for (tag, tail) in [("a", "q"), ("b", "q"), ("a", "q"), ("c", "p")] {
            let value = format!(r#"[{{"body": "x"}}, "", "{tail}"]"#);
            scan.count(tag.into(), value.as_bytes());
        }
        scan.count(b"d".to_vec(), br#"[{}, "topic", "a.b"]"#);
        assert_eq!((scan.queues["q"], scan.queues["p"]), (2, 1));
        assert_eq!(scan.routed[&("topic".to_owned(), "a.b".to_owned())], 1);
        assert!(!scan.strange);
        scan.count(b"e".to_vec(), b"garbage");
        assert!(scan.strange);
    }

    #[test]
    fn rounds_get_smaller_with_the_size_of_the_messages() {
        let mut scan = Scan::default();
        assert_eq!(scan.next_count(), FIRST);
        scan.count(b"a".to_vec(), &vec![b' '; ROUND / 4]);
        assert_eq!(scan.next_count(), 3);
        scan.count(b"b".to_vec(), &vec![b' '; 8 * ROUND]);
        assert_eq!(scan.next_count(), 1);
    }

    #[test]
    fn what_is_not_held_is_zero_only_where_all_was_seen() {
        let each = Snapshot::Each(HashMap::from([("q".to_owned(), 2)]));
        assert_eq!(
            (each.of("q"), each.of("p")),
            (Held::Queue(2), Held::Queue(0))
        );
        assert_eq!(Snapshot::Total(5).of("q"), Held::AllQueues(5));
        assert_eq!(Snapshot::Unknown.of("q"), Held::Unknown);
    }
}
