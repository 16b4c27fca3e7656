//! Reads which queues hang on an exchange, within bounds.

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd};

use super::names::{Binding, Names};

/// Members that are asked for in a round.
const ROUND: usize = 500;

/// Rounds; an exchange with more bindings is not looked at any further.
const ROUNDS: usize = 20;

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
