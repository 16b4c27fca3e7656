//! Reads which queues hang on an exchange, or on any, within bounds.

use std::collections::BTreeSet;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd};

use super::names::{Binding, Names};
use crate::broker::Listed;
use crate::protocol::QueueName;

/// Members that are asked for in a round.
const ROUND: usize = 500;

/// Rounds; an exchange with more bindings is not looked at any further.
const ROUNDS: usize = 20;

/// Keys that are asked for in a round of the search for exchanges, and rounds; a larger database is not looked at any further.
const KEYS: usize = 1_000;
const KEY_ROUNDS: usize = 200;

/// Exchanges whose bindings are read.
const EXCHANGES: usize = 200;

/// The bindings of an exchange; `None` when there are too many.
pub(super) async fn read(
    connection: &mut MultiplexedConnection,
    names: &Names,
    exchange: &str,
) -> RedisResult<Option<Vec<Binding>>> {
    let key = names.bindings(exchange);
    let mut bindings = Vec::new();
    let mut cursor = 0_u64;
    for _ in 0..ROUNDS {
        let mut scan = cmd("SSCAN");
        scan.arg(&key).arg(cursor).arg("COUNT").arg(ROUND);
        let (next, members): (u64, Vec<Vec<u8>>) = scan.query_async(connection).await?;
        let texts = members.iter().map(|member| String::from_utf8_lossy(member));
        bindings.extend(texts.filter_map(|text| names.binding(&text)));
        if next == 0 {
            return Ok(Some(bindings));
        }
        cursor = next;
    }
    Ok(None)
}

/// The queues that hang on any exchange for tasks.
pub(super) async fn listed(
    connection: &mut MultiplexedConnection,
    names: &Names,
) -> RedisResult<Listed> {
    let (exchanges, mut complete) = exchanges(connection, names).await?;
    let mut queues = BTreeSet::new();
    for exchange in exchanges {
        match read(connection, names, &exchange).await? {
            Some(bindings) => {
                let bound = bindings.into_iter().filter_map(Binding::into_queue);
                queues.extend(bound.map(QueueName));
            }
            None => complete = false,
        }
    }
    Ok(Listed {
        queues,
        by: "kombu's bindings",
        complete,
    })
}

/// The exchanges for tasks, and whether these are all.
async fn exchanges(
    connection: &mut MultiplexedConnection,
    names: &Names,
) -> RedisResult<(BTreeSet<String>, bool)> {
    let mut exchanges = BTreeSet::new();
    let mut cursor = 0_u64;
    for _ in 0..KEY_ROUNDS {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(names.all_bindings());
        scan.arg("COUNT").arg(KEYS);
        let (next, keys): (u64, Vec<Vec<u8>>) = scan.query_async(connection).await?;
        let keys = keys.iter().map(|key| String::from_utf8_lossy(key));
        exchanges.extend(keys.filter_map(|key| names.task_exchange(&key).map(str::to_owned)));
        if next == 0 {
            return Ok((exchanges, true));
        }
        if exchanges.len() >= EXCHANGES {
            break;
        }
        cursor = next;
    }
    Ok((exchanges, false))
}
