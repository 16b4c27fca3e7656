//! Listens to the events of workers and tasks, on a channel of its own, so that a flood of them delays no result.
//!
//! The queue is as Celery's own receiver has it (protocol.md 4): exclusive, and messages in it live 5 s, so that a stalled reader
//! costs the broker nothing. Events that find no room are dropped.

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Consumer, ExchangeKind};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::convert;
use super::dial::Wire;
use super::queues::passing;
use crate::broker::{Incoming, LARGEST_NOTE};

/// How long an event waits for its reader, in ms (Celery's `event_queue_ttl`).
const TTL: i32 = 5_000;

/// How long the queue lives without a consumer, in ms (Celery's `event_queue_expires`).
const EXPIRES: i32 = 60_000;

/// The consumer of what other umbels leave behind.
const HEIR: &str = "heir";

/// The channels of one who listens.
pub(super) struct Listening {
    events: Channel,
    /// On one of its own: a user who may not declare the queue loses the channel.
    heir: Option<Heir>,
}

/// Who reads what other umbels leave behind.
struct Heir {
    channel: Channel,
    /// Ends when all that came was passed on.
    carrying: JoinHandle<()>,
}

impl Listening {
    /// Whether events still come.
    pub(super) fn is_on(&self) -> bool {
        self.events.status().connected()
    }

    /// Ends it. The queue for heirs is gone when this returns, if nobody else reads it, and what came there is passed on.
    pub(super) async fn end(self) {
        if let Some(Heir { channel, carrying }) = self.heir {
            let _ = channel
                .basic_cancel(HEIR.into(), BasicCancelOptions::default())
                .await;
            // Whoever left something to us counted on us. It does not panic, and nobody aborts it.
            let _ = carrying.await;
            let _ = channel.close(200, "OK".into()).await;
        }
        // Its queue goes with its consumer.
        let _ = self.events.close(200, "OK".into()).await;
    }
}

/// Listens to events, and to what other umbels that did so leave behind.
pub(super) async fn open(
    wire: &Wire,
    exchange: &str,
    incoming: &mpsc::WeakSender<Incoming>,
) -> lapin::Result<Listening> {
    let events = listen(wire, exchange, incoming).await?;
    let mut heir = inherit(wire, exchange, incoming).await;
    if heir.is_err() {
        // The last reader may have left, and taken the queue with it, between our two steps.
        heir = inherit(wire, exchange, incoming).await;
    }
    if let Err(error) = &heir {
        tracing::debug!(%error, "what other umbels leave behind is not heard");
    }
    let heir = heir.ok();
    Ok(Listening { events, heir })
}

/// The queue that every umbel that listens to events reads: what is sent there comes to one of them. It goes with its last reader
/// (durable, since RabbitMQ 4.3 knows no other queue for several connections).
pub(super) fn heirs(exchange: &str) -> String {
    format!("umbel.{exchange}")
}

async fn inherit(
    wire: &Wire,
    exchange: &str,
    incoming: &mpsc::WeakSender<Incoming>,
) -> lapin::Result<Heir> {
    let channel = wire.connection().create_channel().await?;
    let name = ShortString::from(heirs(exchange));
    let shared = QueueDeclareOptions {
        durable: true,
        auto_delete: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare(name.clone(), shared, limits())
        .await?;
    let options = BasicConsumeOptions::default();
    let notes = channel
        .basic_consume(name, HEIR.into(), options, FieldTable::default())
        .await?;
    let carrying = tokio::spawn(carry_notes(notes, incoming.clone()));
    Ok(Heir { channel, carrying })
}

/// Until the consumer is cancelled. Nothing is dropped, since nobody else knows these workers; what was not passed on before we die
/// goes to another umbel.
async fn carry_notes(mut notes: Consumer, incoming: mpsc::WeakSender<Incoming>) {
    while let Some(Ok(Delivery { data, acker, .. })) = notes.next().await {
        let Some(incoming) = incoming.upgrade() else {
            return;
        };
        let fits = data.len() <= LARGEST_NOTE;
        if fits && incoming.send(Incoming::HandedOver(data)).await.is_err() {
            return;
        }
        // Without it the note comes to another umbel too, which does no harm.
        let _ = acker.ack(BasicAckOptions::default()).await;
    }
}

/// Messages wait for their reader 5 s, and a queue without one is kept a minute.
fn limits() -> FieldTable {
    let mut limits = FieldTable::default();
    limits.insert("x-message-ttl".into(), AMQPValue::LongInt(TTL));
    limits.insert("x-expires".into(), AMQPValue::LongInt(EXPIRES));
    limits
}

/// Until the channel is closed. What finds no room is dropped.
fn carry(
    mut consumer: Consumer,
    incoming: &mpsc::WeakSender<Incoming>,
    told: impl Fn(Delivery) -> Incoming + Send + 'static,
) {
    let incoming = incoming.clone();
    tokio::spawn(async move {
        while let Some(Ok(delivery)) = consumer.next().await {
            let Some(incoming) = incoming.upgrade() else {
                return;
            };
            match incoming.try_send(told(delivery)) {
                Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => {}
                Err(mpsc::error::TrySendError::Closed(_)) => return,
            }
        }
    });
}

/// Declares a queue, binds it to all events, and carries what comes to `incoming` until the channel is closed.
async fn listen(
    wire: &Wire,
    exchange: &str,
    incoming: &mpsc::WeakSender<Incoming>,
) -> lapin::Result<Channel> {
    let channel = wire.connection().create_channel().await?;
    // The flags are Celery's: a first declaration with others would break every worker (protocol.md 9.26).
    let topic = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    let nothing = FieldTable::default;
    channel
        .exchange_declare(exchange.into(), ExchangeKind::Topic, topic, nothing())
        .await?;
    let name = format!("celeryev.{}", Uuid::new_v4());
    let bind = QueueBindOptions::default();
    channel
        .queue_declare(name.as_str().into(), passing(), limits())
        .await?;
    channel
        .queue_bind(
            name.as_str().into(),
            exchange.into(),
            "#".into(),
            bind,
            nothing(),
        )
        .await?;
    let unacknowledged = BasicConsumeOptions {
        no_ack: true,
        ..BasicConsumeOptions::default()
    };
    let events = channel
        .basic_consume(
            name.as_str().into(),
            "events".into(),
            unacknowledged,
            nothing(),
        )
        .await?;
    carry(events, incoming, |delivery| {
        Incoming::Event(convert::message(delivery))
    });
    Ok(channel)
}
