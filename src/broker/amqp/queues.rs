//! Our two queues: the one results come to, which outlives a connection, and the one control replies come to, which does not.
//!
//! Facts: protocol.md 11.1 (measured: which declarations keep a result over a lost connection). Nothing of Celery's is declared
//! here, above all not `celery.pidbox` (protocol.md 9.26).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::try_join;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Consumer};
use tokio::time::timeout;

use super::dial::Wire;
use crate::broker::AckTag;

/// RabbitMQ's pseudo queue for replies without a queue; the fallback for users who may not declare one.
pub(super) const DIRECT: &str = "amq.rabbitmq.reply-to";

/// How long the result queue lives without a consumer, in milliseconds. Never to be changed lightly: declaring a queue again
/// with another value is refused (406).
const EXPIRES_MS: i32 = 300_000;

/// Results that the broker hands us before the first is acknowledged; bounds what waits in memory.
const PREFETCH: u16 = 64;

/// A queue that outlives its connection. (RabbitMQ 4.3 knows only durable and exclusive queues.)
pub(super) fn lasting() -> QueueDeclareOptions {
    QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    }
}

/// A queue that goes with its connection.
pub(super) fn passing() -> QueueDeclareOptions {
    QueueDeclareOptions {
        exclusive: true,
        auto_delete: true,
        ..QueueDeclareOptions::default()
    }
}

/// The result queue: declared, and consumed with explicit acks and without the exclusive flag, so that a connection that died
/// unnoticed does not lock us out.
pub(super) async fn open_results(
    wire: &Wire,
    name: &ShortString,
) -> lapin::Result<(Channel, Consumer)> {
    let channel = wire.connection().create_channel().await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-expires".into(), AMQPValue::LongInt(EXPIRES_MS));
    // All at once: a channel is answered in the order it was asked.
    let (.., consumer) = try_join!(
        channel.basic_qos(PREFETCH, BasicQosOptions::default()),
        channel.queue_declare(name.clone(), lasting(), arguments),
        consume(&channel, name.clone(), false),
    )?;
    Ok((channel, consumer))
}

/// The queue for control replies: it goes with the connection.
pub(super) async fn open_replies(
    wire: &Wire,
    name: &ShortString,
) -> lapin::Result<(Channel, Consumer)> {
    let channel = wire.connection().create_channel().await?;
    let (_, consumer) = try_join!(
        channel.queue_declare(name.clone(), passing(), FieldTable::default()),
        consume(&channel, name.clone(), true),
    )?;
    Ok((channel, consumer))
}

/// Replies straight to this channel, which must be the one that publishes (protocol.md 2.3).
pub(super) async fn open_direct(channel: &Channel) -> lapin::Result<Consumer> {
    consume(channel, DIRECT.into(), true).await
}

async fn consume(channel: &Channel, queue: ShortString, no_ack: bool) -> lapin::Result<Consumer> {
    let options = BasicConsumeOptions {
        no_ack,
        ..BasicConsumeOptions::default()
    };
    channel
        .basic_consume(queue, "".into(), options, FieldTable::default())
        .await
}

/// Where results are acknowledged: the channel that brings them, which may be replaced during the life of a link.
pub(super) struct Seat(Mutex<(u64, Channel)>);

/// Bits of an [`AckTag`] that hold the broker's delivery tag; above them is which channel brought it, because an ack for another
/// channel's delivery is an error that closes the channel.
const TAG_BITS: u32 = 48;

impl Seat {
    pub(super) fn new(channel: Channel) -> Self {
        Self(Mutex::new((0, channel)))
    }

    /// Acknowledgements go to this channel from now on; tags of the one before are forgotten, the broker delivers those again.
    pub(super) fn replace(&self, channel: Channel) {
        let mut seat = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *seat = (seat.0 + 1, channel);
    }

    /// Our tag for a delivery on the present channel.
    pub(super) fn tag(&self, delivery: u64) -> AckTag {
        let generation = self.0.lock().unwrap_or_else(PoisonError::into_inner).0;
        AckTag((generation << TAG_BITS) | (delivery & ((1 << TAG_BITS) - 1)))
    }

    /// Acknowledges, if the channel that brought it is still there. A lost ack only means that the result comes again.
    pub(super) async fn ack(&self, tag: AckTag, within: Duration) {
        let (generation, channel) = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if tag.0 >> TAG_BITS != generation {
            return;
        }
        let delivery = tag.0 & ((1 << TAG_BITS) - 1);
        let acked = timeout(
            within,
            channel.basic_ack(delivery, BasicAckOptions::default()),
        );
        if let Ok(Err(error)) = acked.await {
            tracing::debug!(%error, "a result could not be acknowledged; it will come again");
        }
    }
}

/// Removes the result queue.
pub(super) async fn delete(channel: &Channel, name: &ShortString) {
    let deleted = channel
        .queue_delete(name.clone(), QueueDeleteOptions::default())
        .await;
    if let Err(error) = deleted {
        tracing::debug!(%error, "the result queue was not deleted; it expires by itself");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_queue_of_ours_is_durable_or_exclusive_as_rabbitmq_4_3_demands() {
        for options in [lasting(), passing()] {
            assert!(options.durable != options.exclusive, "{options:?}");
        }
        assert!(!lasting().auto_delete, "it would go with its consumer");
    }
}
