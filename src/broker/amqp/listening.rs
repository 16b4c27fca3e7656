//! Listens to the events of workers and tasks, on a channel of its own, so that a flood of them delays no result.
//!
//! The queue is as Celery's own receiver has it (protocol.md 4): exclusive, and messages in it live 5 s, so that a stalled reader
//! costs the broker nothing. Events that find no room are dropped.

use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, ExchangeDeclareOptions, QueueBindOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::convert;
use super::dial::Wire;
use super::queues::passing;
use crate::broker::Incoming;

/// How long an event waits for its reader, in ms (Celery's `event_queue_ttl`).
const TTL: i32 = 5_000;

/// How long the queue lives without a consumer, in ms (Celery's `event_queue_expires`).
const EXPIRES: i32 = 60_000;

/// Declares a queue, binds it to all events, and carries what comes to `incoming` until the channel is closed.
pub(super) async fn listen(
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
    let mut limits = FieldTable::default();
    limits.insert("x-message-ttl".into(), AMQPValue::LongInt(TTL));
    limits.insert("x-expires".into(), AMQPValue::LongInt(EXPIRES));
    let bind = QueueBindOptions::default();
    channel
        .queue_declare(name.as_str().into(), passing(), limits)
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
    let mut events = channel
        .basic_consume(
            name.as_str().into(),
            "events".into(),
            unacknowledged,
            nothing(),
        )
        .await?;
    let incoming = incoming.clone();
    tokio::spawn(async move {
        while let Some(Ok(delivery)) = events.next().await {
            let Some(incoming) = incoming.upgrade() else {
                return;
            };
            match incoming.try_send(Incoming::Event(convert::message(delivery))) {
                Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => {}
                Err(mpsc::error::TrySendError::Closed(_)) => return,
            }
        }
    });
    Ok(channel)
}
