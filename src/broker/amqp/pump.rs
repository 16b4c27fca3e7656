//! Carries what the broker sends to the one who asked: results, control replies, blocks, and at last the loss of the connection.
//!
//! One task for everything, so that [`Incoming::Lost`] is certainly the last word. It reads nothing into the messages and never
//! reconnects; it only declares and consumes a queue again that was deleted under its consumer.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use lapin::message::Delivery;
use lapin::types::ShortString;
use lapin::{Channel, Consumer, Event};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::dial::Wire;
use super::errors::{self, Failure};
use super::queues::{Seat, open_replies, open_results};
use super::{STEP, convert};
use crate::broker::url::Endpoint;
use crate::broker::{AckTag, Incoming};

/// Before a queue is declared again: should something delete it at once each time, we do not spin.
const PAUSE: Duration = Duration::from_millis(50);

/// Events of a connection.
pub(super) type Events = std::pin::Pin<Box<dyn Stream<Item = Event> + Send>>;

/// A connection and what it tells about itself.
pub(super) struct Side {
    wire: Arc<Wire>,
    events: Events,
    /// The broker's reason for blocking it.
    blocked: Option<String>,
}

impl Side {
    pub(super) fn new(wire: Arc<Wire>) -> Self {
        let events = Box::pin(wire.connection().events_listener());
        Self {
            wire,
            events,
            blocked: None,
        }
    }
}

/// Where results come from.
pub(super) enum Source {
    /// Our durable queue of this name.
    Queue(ShortString),
    /// Direct reply-to; such replies need no ack and cannot be had again.
    Direct,
}

/// The task; see [`Pump::run`].
pub(super) struct Pump {
    pub(super) endpoint: Endpoint,
    pub(super) control: Side,
    pub(super) publishing: Side,
    pub(super) source: Source,
    pub(super) results: Consumer,
    pub(super) seat: Arc<Seat>,
    pub(super) reply_queue: ShortString,
    /// `None`: the user may not have a reply queue.
    pub(super) replies: Option<(Channel, Consumer)>,
    pub(super) incoming: mpsc::Sender<Incoming>,
}

/// What one round brought.
enum Round {
    Result(Option<lapin::Result<Delivery>>),
    Reply(Option<lapin::Result<Delivery>>),
    Control(Option<Event>),
    Publishing(Option<Event>),
    Unwanted,
}

/// Why the pump ends.
enum End {
    Lost(Failure),
    /// Nobody listens any more.
    Unwanted,
}

impl Pump {
    /// Runs until the connection is lost, `stop` says so or is dropped, or nobody listens. In the first case the last word is
    /// [`Incoming::Lost`], and both connections are cut; after `stop` nothing more is said.
    pub(super) async fn run(mut self, stop: oneshot::Receiver<()>) {
        let end = tokio::select! {
            biased;
            _ = stop => return,
            end = self.carry() => end,
        };
        self.control.wire.cut();
        self.publishing.wire.cut();
        if let End::Lost(failure) = end {
            let error = errors::lost(&self.endpoint, &failure);
            // An error means that nobody listens.
            let _ = self.incoming.send(Incoming::Lost(error)).await;
        }
    }

    async fn carry(&mut self) -> End {
        loop {
            let round = self.next().await;
            if let Err(end) = self.handle(round).await {
                return end;
            }
        }
    }

    /// Results first, so that nothing delays them.
    async fn next(&mut self) -> Round {
        let replies = &mut self.replies;
        let reply = async {
            match replies {
                Some((_, consumer)) => consumer.next().await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            item = self.results.next() => Round::Result(item),
            item = reply => Round::Reply(item),
            event = self.publishing.events.next() => Round::Publishing(event),
            event = self.control.events.next() => Round::Control(event),
            () = self.incoming.closed() => Round::Unwanted,
        }
    }

    async fn handle(&mut self, round: Round) -> Result<(), End> {
        match round {
            Round::Result(Some(Ok(delivery))) => self.result(delivery).await,
            Round::Reply(Some(Ok(delivery))) => {
                self.pass(Incoming::Reply(convert::message(delivery))).await
            }
            Round::Result(Some(Err(error))) | Round::Reply(Some(Err(error))) => {
                survives(&self.control.wire, error)
            }
            Round::Result(None) => self.results_again().await,
            Round::Reply(None) => self.replies_again().await,
            Round::Publishing(event) => {
                let before = self.blocked();
                note(&mut self.publishing, event)?;
                self.tell_blocked(before).await
            }
            Round::Control(event) => {
                let before = self.blocked();
                note(&mut self.control, event)?;
                self.tell_blocked(before).await
            }
            Round::Unwanted => Err(End::Unwanted),
        }
    }

    async fn result(&mut self, delivery: Delivery) -> Result<(), End> {
        let tag = match self.source {
            Source::Queue(_) => self.seat.tag(delivery.delivery_tag),
            Source::Direct => AckTag(u64::MAX),
        };
        let message = convert::message(delivery);
        self.pass(Incoming::Result { message, tag }).await
    }

    async fn pass(&mut self, incoming: Incoming) -> Result<(), End> {
        self.incoming
            .send(incoming)
            .await
            .map_err(|_| End::Unwanted)
    }

    /// A stream that ends without an error means that its queue was deleted (protocol.md 11.1), or that the channel or the
    /// connection is gone; trying again tells which.
    async fn results_again(&mut self) -> Result<(), End> {
        let Source::Queue(name) = &self.source else {
            return Err(Self::gone());
        };
        sleep(PAUSE).await;
        let (channel, consumer) = bounded(open_results(&self.control.wire, name)).await?;
        self.seat.replace(channel);
        self.results = consumer;
        Ok(())
    }

    async fn replies_again(&mut self) -> Result<(), End> {
        sleep(PAUSE).await;
        let wire = &self.control.wire;
        self.replies = Some(bounded(open_replies(wire, &self.reply_queue)).await?);
        Ok(())
    }

    /// The end of a channel that cannot be opened again.
    fn gone() -> End {
        let state = lapin::ErrorKind::InvalidChannelState(lapin::ChannelState::Closed, "consume");
        End::Lost(lapin::Error::from(state).into())
    }

    fn blocked(&self) -> Option<String> {
        let either = self.publishing.blocked.as_ref();
        either.or(self.control.blocked.as_ref()).cloned()
    }

    /// Tells when the first connection is blocked and when none is any more.
    async fn tell_blocked(&mut self, before: Option<String>) -> Result<(), End> {
        let now = self.blocked();
        if before.is_some() == now.is_some() {
            return Ok(());
        }
        self.pass(Incoming::Blocked(now)).await
    }
}

/// Whether a connection survives an error: those of its channels come through its events too (protocol.md 11.3).
fn survives(wire: &Wire, error: lapin::Error) -> Result<(), End> {
    if errors::closes_channel_only(&error) && wire.is_up() {
        return Ok(());
    }
    Err(End::Lost(error.into()))
}

/// What a connection tells about itself.
fn note(side: &mut Side, event: Option<Event>) -> Result<(), End> {
    match event {
        Some(Event::ConnectionBlocked(reason)) => side.blocked = Some(reason),
        Some(Event::ConnectionUnblocked) => side.blocked = None,
        Some(Event::Error(error)) => survives(&side.wire, error)?,
        Some(_) => {}
        None => return Err(End::Lost(Failure::Silence { reached: true })),
    }
    Ok(())
}

/// A step that fails or takes too long means that the connection is of no use any more.
async fn bounded<T>(step: impl Future<Output = lapin::Result<T>>) -> Result<T, End> {
    match timeout(STEP, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(End::Lost(error.into())),
        Err(_) => Err(End::Lost(Failure::Silence { reached: true })),
    }
}
