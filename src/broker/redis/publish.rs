//! Sends tasks: one command, written once, never again. What the server refuses was not sent; what it did not answer may have been.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, cmd, pipe};
use tokio::time::timeout;

use super::names::{Names, Way, way};
use super::{bindings, errors};
use crate::broker::{Delivery, Route};
use crate::error::{Error, Kind};
use crate::protocol::{Message, envelope};
use crate::server::redis::{RedisServer, STEP};

/// The slowest line that a large message is sent on, in bytes per second.
const SLOWEST: u64 = 1 << 20;

/// A connection that only publishes, so that a large message delays nothing else.
pub(super) struct Publisher {
    pub(super) server: RedisServer,
    pub(super) connection: MultiplexedConnection,
    /// Messages on their way.
    pub(super) busy: AtomicUsize,
}

/// Where a message is to go.
enum Aim {
    /// To these lists.
    Lists(Vec<String>),
    /// To whoever listens on these channels.
    Channels(Vec<String>),
}

impl Publisher {
    /// Whether nothing is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.busy.load(Ordering::Relaxed) == 0
    }

    /// Sends it. `questions` is the connection to look up bindings on.
    pub(super) async fn publish(
        &self,
        names: &Names,
        mut questions: MultiplexedConnection,
        route: &Route,
        message: &Message,
    ) -> Delivery {
        let aim = match timeout(STEP, self.aim(names, &mut questions, route, message)).await {
            Ok(Ok(aim)) => aim,
            Ok(Err(refused)) => return refused,
            Err(_) => return Delivery::Unsent(self.server.silent()),
        };
        let element = envelope::encode(message, &route.exchange, &route.routing_key);
        self.busy.fetch_add(1, Ordering::Relaxed);
        let delivery = self.send(aim, &element, route).await;
        self.busy.fetch_sub(1, Ordering::Relaxed);
        delivery
    }

    async fn aim(
        &self,
        names: &Names,
        questions: &mut MultiplexedConnection,
        route: &Route,
        message: &Message,
    ) -> Result<Aim, Delivery> {
        let priority = message.properties.priority;
        let Route {
            exchange,
            routing_key,
        } = route;
        if exchange.is_empty() {
            return Ok(Aim::Lists(vec![names.list(routing_key, priority)]));
        }
        let unsent = |error| Delivery::Unsent(error);
        let doing = || format!("SSCAN {}", names.bindings(exchange));
        let bound = bindings::read(questions, names, exchange)
            .await
            .map_err(|error| unsent(errors::told(&self.server, &doing(), &error)))?
            .ok_or_else(|| {
                let what = format!("exchange {exchange} has too many bindings to look at");
                unsent(self.server.failed(&what))
            })?;
        match way(&bound, routing_key) {
            Way::Fanout => Ok(Aim::Channels(names.channels(exchange, routing_key))),
            Way::Queues(queues) if queues.is_empty() => Err(Delivery::Returned(format!(
                "no queue is bound to exchange {exchange} with routing key {routing_key:?}"
            ))),
            Way::Queues(queues) => Ok(Aim::Lists(
                queues
                    .iter()
                    .map(|queue| names.list(queue, priority))
                    .collect(),
            )),
        }
    }

    async fn send(&self, aim: Aim, element: &[u8], route: &Route) -> Delivery {
        let mut connection = self.connection.clone();
        let limit = STEP + Duration::from_secs(element.len() as u64 / SLOWEST);
        let (doing, sent) = match &aim {
            Aim::Lists(lists) => (
                format!("LPUSH {}", lists.join(", ")),
                timeout(limit, push(&mut connection, lists, element)).await,
            ),
            Aim::Channels(channels) => (
                format!("PUBLISH {}", channels.join(", ")),
                timeout(limit, announce(&mut connection, channels, element)).await,
            ),
        };
        match (sent, &aim) {
            (Ok(Ok(0)), Aim::Channels(_)) => Delivery::Returned(format!(
                "nobody listens to the fanout exchange {}",
                route.exchange
            )),
            (Ok(Ok(_)), _) => Delivery::Confirmed,
            (Ok(Err(error)), _) if was_refused(&error, &aim) => {
                Delivery::Unsent(errors::told(&self.server, &doing, &error))
            }
            (Ok(Err(error)), _) => self.unknown(&error.to_string()),
            (Err(_), _) => self.unknown(&format!("no answer within {} s", limit.as_secs())),
        }
    }

    fn unknown(&self, why: &str) -> Delivery {
        let told = self
            .server
            .failed(&format!("the message was written and not confirmed: {why}"));
        Delivery::Unknown(Error {
            kind: Kind::UnknownDelivery,
            ..told
        })
    }
}

/// Whether nothing was queued. One list of several may have it though another refused.
fn was_refused(error: &RedisError, aim: &Aim) -> bool {
    match aim {
        Aim::Lists(lists) if lists.len() > 1 => errors::is_aborted(error),
        _ => errors::is_answer(error),
    }
}

/// Pushes it to one list, or to several at once as kombu does for an exchange.
async fn push(
    connection: &mut MultiplexedConnection,
    lists: &[String],
    element: &[u8],
) -> RedisResult<u64> {
    if let [list] = lists {
        return cmd("LPUSH")
            .arg(list)
            .arg(element)
            .query_async(connection)
            .await;
    }
    let mut all = pipe();
    all.atomic();
    for list in lists {
        all.cmd("LPUSH").arg(list).arg(element);
    }
    let lengths: Vec<u64> = all.query_async(connection).await?;
    Ok(lengths.into_iter().sum())
}

/// Publishes it on every channel; how many heard it.
pub(super) async fn announce(
    connection: &mut MultiplexedConnection,
    channels: &[String],
    element: &[u8],
) -> RedisResult<u64> {
    let mut all = pipe();
    for channel in channels {
        all.cmd("PUBLISH").arg(channel).arg(element);
    }
    let heard: Vec<u64> = all.query_async(connection).await?;
    Ok(heard.into_iter().sum())
}

/// Tells those who listen on these channels, and whether somebody does. Counted are those alone who subscribed to just them: whoever
/// watches everything by a pattern is no umbel. At once with the telling, so that nobody leaves in between.
pub(super) async fn leave(
    connection: &mut MultiplexedConnection,
    channels: &[String],
    note: &[u8],
) -> RedisResult<bool> {
    let mut all = pipe();
    all.atomic().cmd("PUBSUB").arg("NUMSUB").arg(channels);
    for channel in channels {
        all.cmd("PUBLISH").arg(channel).arg(note).ignore();
    }
    let (heirs,): (HashMap<String, u64>,) = all.query_async(connection).await?;
    Ok(heirs.into_values().any(|heirs| heirs > 0))
}
