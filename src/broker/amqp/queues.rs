//! Our two queues: the one results come to, which outlives a connection, and the one control replies come to, which does not.
//!
//! Facts: protocol.md 11.1 (measured: which declarations keep a result over a lost connection). Nothing of Celery's is declared
//! here, above all not `celery.pidbox` (protocol.md 9.26).

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
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
pub(super) struct Seat {
    place: Mutex<Place>,
    /// Held while acknowledgements are written: they go out in the order in which they were noted. One that comes after another that
    /// covers it would close the channel.
    writing: tokio::sync::Mutex<()>,
}

/// See [`Seat`].
struct Place {
    /// How many channels there were before.
    generation: u64,
    channel: Channel,
    acked: Acked,
}

/// Bits of an [`AckTag`] that hold the broker's delivery tag; above them is which channel brought it, because an ack for another
/// channel's delivery is an error that closes the channel.
const TAG_BITS: u32 = 48;

impl Seat {
    pub(super) fn new(channel: Channel) -> Self {
        let place = Place {
            generation: 0,
            channel,
            acked: Acked::default(),
        };
        Self {
            place: Mutex::new(place),
            writing: tokio::sync::Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Acknowledgements go to this channel from now on; tags of the one before are forgotten, the broker delivers those again.
    pub(super) fn replace(&self, channel: Channel) {
        let mut place = self.lock();
        *place = Place {
            generation: place.generation + 1,
            channel,
            acked: Acked::default(),
        };
    }

    /// Our tag for a delivery on the present channel.
    pub(super) fn tag(&self, delivery: u64) -> AckTag {
        let generation = self.lock().generation;
        AckTag((generation << TAG_BITS) | (delivery & ((1 << TAG_BITS) - 1)))
    }

    /// Acknowledges, if the channel that brought them is still there. A lost ack only means that the result comes again.
    pub(super) async fn ack(&self, tags: &[AckTag], within: Duration) {
        let _turn = self.writing.lock().await;
        let (channel, (together, alone)) = {
            let mut place = self.lock();
            let generation = place.generation;
            let here = tags.iter().filter(|tag| tag.0 >> TAG_BITS == generation);
            let deliveries = here.map(|tag| tag.0 & ((1 << TAG_BITS) - 1)).collect();
            (place.channel.clone(), place.acked.add(deliveries))
        };
        let together = together.map(|last| (last, true));
        let all = together
            .into_iter()
            .chain(alone.into_iter().map(|one| (one, false)));
        // All are begun at once; one that waits for the socket holds back none.
        let send =
            try_join_all(all.map(|(delivery, multiple)| {
                channel.basic_ack(delivery, BasicAckOptions { multiple })
            }));
        if let Ok(Err(error)) = timeout(within, send).await {
            tracing::debug!(%error, "a result could not be acknowledged; it will come again");
        }
    }
}

/// What was acknowledged on a channel that brings nothing but results: their tags count from 1.
#[derive(Debug, Default)]
struct Acked {
    /// All up to this one.
    floor: u64,
    /// Those above it. No more than the prefetch count.
    above: BTreeSet<u64>,
}

impl Acked {
    /// Which one to acknowledge together with all before it, and which each for itself. Where one is still being read, those after it
    /// do not wait for it. None is acknowledged twice, which would close the channel.
    fn add(&mut self, mut deliveries: Vec<u64>) -> (Option<u64>, Vec<u64>) {
        deliveries.sort_unstable();
        let (mut last, mut alone) = (None, Vec::new());
        for delivery in deliveries {
            while self.above.remove(&(self.floor + 1)) {
                self.floor += 1;
            }
            if delivery == self.floor + 1 {
                self.floor = delivery;
                last = Some(delivery);
            } else if delivery > self.floor && self.above.insert(delivery) {
                alone.push(delivery);
            }
        }
        (last, alone)
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn results_that_came_one_after_the_other_are_acknowledged_at_once() {
        let mut acked = Acked::default();
        assert_eq!(acked.add(vec![2, 1, 3]), (Some(3), vec![]));
        assert_eq!(acked.add(vec![4]), (Some(4), vec![]));
    }

    #[test]
    fn results_behind_one_that_is_still_read_do_not_wait_for_it_and_none_is_acknowledged_twice() {
        let mut acked = Acked::default();
        assert_eq!(acked.add(vec![1, 3, 4]), (Some(1), vec![3, 4]));
        assert_eq!(acked.add(vec![6]), (None, vec![6]));
        assert_eq!(acked.add(vec![2, 5, 7]), (Some(7), vec![]));
        assert_eq!(acked.add(vec![7, 3]), (None, vec![]));
        assert_eq!(acked.add(vec![9]), (None, vec![9]));
    }

    proptest! {
        #[test]
        fn in_whatever_order_they_are_read_each_is_acknowledged_once_and_none_too_early(
            order in Just((1_u64..=40).collect::<Vec<_>>()).prop_shuffle(),
            size in 1_usize..8,
        ) {
            let mut acked = Acked::default();
            let (mut read, mut left) = (BTreeSet::new(), (1..=40).collect::<BTreeSet<u64>>());
            for chunk in order.chunks(size) {
                read.extend(chunk.iter().copied());
                let (together, alone) = acked.add(chunk.to_vec());
                if let Some(last) = together {
                    prop_assert!(left.contains(&last));
                    let early = (1..=last).find(|tag| !read.contains(tag));
                    prop_assert_eq!(early, None);
                    left.retain(|tag| *tag > last);
                }
                for tag in alone {
                    prop_assert!(read.contains(&tag) && left.remove(&tag));
                }
            }
            prop_assert!(left.is_empty());
        }
    }

    #[test]
    fn every_queue_of_ours_is_durable_or_exclusive_as_rabbitmq_4_3_demands() {
        for options in [lasting(), passing()] {
            assert!(options.durable != options.exclusive, "{options:?}");
        }
        assert!(!lasting().auto_delete, "it would go with its consumer");
    }
}
