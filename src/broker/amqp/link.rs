//! One living pair of connections to a RabbitMQ, as the [`Link`] that `client` uses.
//!
//! Two connections, because a memory or disk alarm stops everything that is written on a connection that publishes
//! (protocol.md 11.3): one publishes tasks, the other consumes, probes and controls. It never reconnects.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join;
use futures_util::try_join;
use lapin::options::{BasicQosOptions, ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer, ExchangeKind, Queue};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use super::dial::Wire;
use super::errors::{self, Failure};
use super::lane::{self, Fate, Lanes, Parcel, Trouble};
use super::listening::{self, Listening};
use super::management::{Management, Statistics};
use super::pump::{Pump, Side, Source};
use super::queues::{self, Seat};
use super::{STEP, convert};
use crate::broker::url::Endpoint;
use crate::broker::{AckTag, Delivery, Depth, Incoming, Link, Listed, Reach, Route};
use crate::error::{Error, Kind};
use crate::protocol::{Message, QueueName};
use crate::server::TransportOptions;
use crate::server::http::HttpUrl;
use crate::server::tls::TlsFiles;

/// Tasks that can be on their way to the broker at the same time.
const LANES: usize = 8;

/// How long closing and acknowledging may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a link is opened with.
pub(super) struct Way<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) result_queue: &'a str,
    pub(super) options: &'a Arc<TransportOptions>,
    pub(super) management: Option<&'a HttpUrl>,
    pub(super) files: &'a TlsFiles,
}

/// See the head of this file.
pub(super) struct AmqpLink {
    endpoint: Endpoint,
    options: Arc<TransportOptions>,
    management: Option<Arc<Management>>,
    control: Arc<Wire>,
    publishing: Arc<Wire>,
    tasks: Arc<Lanes>,
    broadcasts: Arc<Lanes>,
    /// The channel for questions that may close it; `None` while one is asked, and after one closed it.
    probe: tokio::sync::Mutex<Option<Channel>>,
    seat: Arc<Seat>,
    /// `None`: results come by direct reply-to.
    result_queue: Option<ShortString>,
    reply_queue: ShortString,
    /// What arrives goes there. Weak: the channel ends with the pump.
    incoming: mpsc::WeakSender<Incoming>,
    /// The channels that events come on, while they are wanted.
    events: tokio::sync::Mutex<Option<Listening>>,
    /// Dropped or used, it stops the pump.
    stop: Mutex<Option<oneshot::Sender<()>>>,
}

impl AmqpLink {
    /// Dials twice at once, declares our queues and starts to carry what arrives to `incoming`.
    pub(super) async fn open(
        way: &Way<'_>,
        incoming: mpsc::Sender<Incoming>,
        deadline: Instant,
    ) -> Result<Arc<dyn Link>, Failure> {
        let dial = || Wire::dial(way.endpoint, way.files, deadline);
        let (control, publishing) = try_join!(dial(), dial())?;
        let wires = (Arc::new(control), Arc::new(publishing));
        match timeout_at(deadline, Self::set_up(way, incoming, wires)).await {
            Ok(link) => Ok(Arc::new(link?)),
            Err(_) => Err(Failure::Silence { reached: true }),
        }
    }

    async fn set_up(
        way: &Way<'_>,
        incoming: mpsc::Sender<Incoming>,
        (control, publishing): (Arc<Wire>, Arc<Wire>),
    ) -> Result<Self, Failure> {
        let endpoint = way.endpoint;
        let result_queue = ShortString::from(way.result_queue);
        let reply_queue = ShortString::from(format!("umbel.{}", Uuid::new_v4()));
        let sides = (Side::new(control.clone()), Side::new(publishing.clone()));
        let (tasks, broadcasts, probe, replies, results) = tokio::join!(
            Lanes::open(publishing.clone(), LANES),
            Lanes::open(control.clone(), 1),
            control.connection().create_channel(),
            queues::open_replies(&control, &reply_queue),
            queues::open_results(&control, &result_queue),
        );
        let replies = permitted(replies)?;
        if replies.is_none() {
            // The first thing in a new channel: there is room.
            let _ = incoming.try_send(Incoming::Notice(no_replies(endpoint)));
        }
        let (tasks, result_queue, channel, results) =
            if let Some((channel, results)) = permitted(results)? {
                (tasks?, Some(result_queue), channel, results)
            } else {
                let (tasks, channel, results) = direct(&publishing).await?;
                let _ = incoming.try_send(Incoming::Notice(results_by_channel(endpoint)));
                (tasks, None, channel, results)
            };
        let seat = Arc::new(Seat::new(channel));
        let weak = incoming.downgrade();
        let management = way
            .management
            .map(|url| Arc::new(Management::new(url, endpoint, way.files, weak.clone())));
        let pump = Pump {
            endpoint: endpoint.clone(),
            control: sides.0,
            publishing: sides.1,
            source: result_queue.clone().map_or(Source::Direct, Source::Queue),
            results,
            seat: seat.clone(),
            reply_queue: reply_queue.clone(),
            replies,
            incoming,
        };
        let (stop, stopped) = oneshot::channel();
        let link = Self {
            endpoint: endpoint.clone(),
            options: Arc::clone(way.options),
            management,
            control,
            publishing,
            tasks,
            broadcasts: broadcasts?,
            probe: tokio::sync::Mutex::new(Some(probe?)),
            seat,
            result_queue,
            reply_queue,
            incoming: weak,
            events: tokio::sync::Mutex::new(None),
            stop: Mutex::new(Some(stop)),
        };
        tokio::spawn(pump.run(stopped));
        Ok(link)
    }

    /// Asks on the probing channel, a new one if the last question closed it.
    async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&Channel) -> lapin::Result<T>,
    ) -> Result<T, Failure> {
        let asked = async {
            let mut probe = self.probe.lock().await;
            let channel = match probe.take() {
                Some(channel) if channel.status().connected() => channel,
                _ => self.control.connection().create_channel().await?,
            };
            let answer = question(&channel).await;
            *probe = Some(channel);
            answer
        };
        match timeout(STEP, asked).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Failure::Silence { reached: true }),
        }
    }

    /// Looks at a queue without creating it.
    async fn standing(&self, queue: ShortString) -> Result<Queue, Failure> {
        let passive = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let nothing = FieldTable::default();
        self.ask(async |channel| channel.queue_declare(queue, passive, nothing).await)
            .await
    }

    /// An alarm holds for the whole broker: a publish would only block the other connection too.
    fn is_blocked(&self) -> bool {
        self.publishing.is_blocked() || self.control.is_blocked()
    }

    fn trouble(&self, what: &str, trouble: &Trouble) -> Error {
        let address = self.endpoint.short();
        match trouble {
            Trouble::Blocked => Error::new(
                Kind::Unsent,
                format!("broker {address}: it accepts no messages now (memory or disk alarm)"),
            )
            .hint("rabbitmq-diagnostics alarms tells which; nothing was sent"),
            Trouble::Busy => Error::new(
                Kind::Unsent,
                format!(
                    "broker {address}: {what} was not sent: others still wait for their confirm"
                ),
            ),
            Trouble::Failure(failure) => errors::step(&self.endpoint, what, failure),
        }
    }

    /// Looks first whether an exchange is there, where a publish to a missing one would close the channel that results come to.
    async fn unknown_exchange(&self, exchange: &str) -> Option<Error> {
        if exchange.is_empty() || self.result_queue.is_some() {
            return None;
        }
        let name = convert::short("the name of the exchange", exchange).ok()?;
        let passive = ExchangeDeclareOptions {
            passive: true,
            ..ExchangeDeclareOptions::default()
        };
        let asked = self.ask(async |channel| {
            // The kind is not looked at.
            channel
                .exchange_declare(name, ExchangeKind::Direct, passive, FieldTable::default())
                .await
        });
        match asked.await {
            Err(failure @ Failure::Amqp { .. }) if failure.code() == Some(404) => {
                Some(self.trouble("the message", &Trouble::Failure(failure)))
            }
            _ => None,
        }
    }

    /// A Nack: the queue has a limit and is full, or the broker failed inside.
    fn refused(&self, what: &str) -> Error {
        let address = self.endpoint.short();
        Error::new(
            Kind::Unsent,
            format!("broker {address}: {what} was not taken"),
        )
        .hint("is the queue full (x-max-length with x-overflow reject-publish)?")
    }

    fn unsendable(&self, reason: &convert::Unsendable) -> Error {
        Error::new(
            Kind::Unsent,
            format!(
                "broker {}: the message cannot be sent: {reason}",
                self.endpoint.short()
            ),
        )
    }
}

#[async_trait]
impl Link for AmqpLink {
    fn result_queue(&self) -> String {
        self.result_queue
            .as_ref()
            .map_or(queues::DIRECT, ShortString::as_str)
            .to_owned()
    }

    fn reply_queue(&self) -> String {
        self.reply_queue.as_str().to_owned()
    }

    async fn publish(&self, route: &Route, message: Message) -> Delivery {
        let deadline = Instant::now() + STEP;
        if self.is_blocked() {
            return Delivery::Unsent(self.trouble("the message", &Trouble::Blocked));
        }
        if let Some(error) = self.unknown_exchange(&route.exchange).await {
            return Delivery::Unsent(error);
        }
        let parcel = match parcel(&route.exchange, &route.routing_key, message, 2) {
            Ok(parcel) => parcel,
            Err(reason) => return Delivery::Unsent(self.unsendable(&reason)),
        };
        match self.tasks.publish(parcel, deadline).await {
            Fate::Routed => Delivery::Confirmed,
            Fate::Returned(text) => Delivery::Returned(text),
            Fate::Nacked => Delivery::Unsent(self.refused("the message")),
            Fate::Unsent(trouble) => Delivery::Unsent(self.trouble("the message", &trouble)),
            Fate::Unknown(failure) => {
                Delivery::Unknown(errors::unconfirmed(&self.endpoint, &failure))
            }
        }
    }

    async fn broadcast(&self, request: Message) -> Result<Reach, Error> {
        if self.is_blocked() {
            return Err(self.trouble("a control request", &Trouble::Blocked));
        }
        let exchange = format!("{}.pidbox", self.options.control_exchange);
        let parcel =
            parcel(&exchange, "", request, 1).map_err(|reason| self.unsendable(&reason))?;
        match self.broadcasts.publish(parcel, Instant::now() + STEP).await {
            Fate::Routed => Ok(Reach::Somebody),
            Fate::Returned(_) => Ok(Reach::Nobody),
            Fate::Unsent(Trouble::Failure(Failure::Amqp { error, .. }))
                if errors::code(&error) == Some(404) =>
            {
                // No such exchange: no worker has connected since the broker started.
                Ok(Reach::Nobody)
            }
            Fate::Nacked => Err(self.refused("a control request")),
            Fate::Unsent(trouble) => Err(self.trouble("a control request", &trouble)),
            Fate::Unknown(failure) => {
                Err(errors::step(&self.endpoint, "a control request", &failure))
            }
        }
    }

    async fn depth(&self, queue: &QueueName) -> Result<Depth, Error> {
        let Ok(name) = convert::short("the name of the queue", queue.as_str()) else {
            return Ok(Depth::Missing);
        };
        let answer = self.standing(name);
        let statistics = async {
            match &self.management {
                Some(management) => management.of(queue.as_str()).await,
                None => <(Statistics, Duration)>::default(),
            }
        };
        let (answer, (statistics, held_ago)) = join(answer, statistics).await;
        match answer {
            Ok(found) => Ok(Depth::Known {
                ready: found.message_count().into(),
                held: statistics.held,
                held_ago,
                rates: statistics.rates,
                consumers: Some(found.consumer_count().into()),
            }),
            Err(failure) if failure.code() == Some(404) => Ok(Depth::Missing),
            Err(failure) if failure.code() == Some(405) => Ok(Depth::Locked),
            Err(failure) => Err(errors::step(&self.endpoint, "a look at a queue", &failure)),
        }
    }

    async fn listed(&self) -> Result<Option<Listed>, Error> {
        match &self.management {
            Some(management) => Ok(management.listed().await),
            None => Ok(None),
        }
    }

    async fn events(&self, wanted: bool) -> Result<(), Error> {
        let mut events = self.events.lock().await;
        let living = match events.take() {
            Some(listening) if wanted && listening.is_on() => Some(listening),
            Some(listening) => {
                let _ = timeout(GOODBYE, listening.end()).await;
                None
            }
            None => None,
        };
        let changed = match (living, wanted) {
            (Some(listening), _) => Ok(Some(listening)),
            (None, true) => {
                let exchange = &self.options.event_exchange;
                let open = listening::open(&self.control, exchange, &self.incoming);
                timeout(STEP, open)
                    .await
                    .map_or(Err(Failure::Silence { reached: true }), |listening| {
                        listening.map(Some).map_err(Failure::from)
                    })
            }
            (None, false) => Ok(None),
        };
        *events = changed
            .map_err(|failure| errors::step(&self.endpoint, "a look at events", &failure))?;
        Ok(())
    }

    async fn hand_over(&self, note: Vec<u8>) -> bool {
        if self.is_blocked() {
            return false;
        }
        let heirs = listening::heirs(&self.options.event_exchange);
        let message = Message {
            body: note,
            ..Message::default()
        };
        let Ok(parcel) = parcel("", &heirs, message, 1) else {
            return false;
        };
        let told = self.broadcasts.publish(parcel, Instant::now() + STEP).await;
        // A message that comes while the last reader of the queue leaves is confirmed, and gone with the queue (RabbitMQ 3.10): what
        // counts is that the queue is seen to stand. Where the look is refused (RabbitMQ lets everybody look) the confirm counts: else
        // every end would switch off workers that others listen to. After any other failure they are, and who listens asks them again.
        let gone = |failure: Failure| failure.code() != Some(403);
        matches!(told, Fate::Routed) && !self.standing(heirs.into()).await.is_err_and(gone)
    }

    async fn ack(&self, tag: AckTag) {
        self.ack_all(&[tag]).await;
    }

    async fn ack_all(&self, tags: &[AckTag]) {
        if self.result_queue.is_some() {
            self.seat.ack(tags, GOODBYE).await;
        }
    }

    async fn ping(&self) -> Result<Duration, Error> {
        let start = Instant::now();
        // A question that touches nothing and needs no permission; the probing channel consumes nothing.
        self.ask(async |channel| channel.basic_qos(1, BasicQosOptions::default()).await)
            .await
            .map_err(|failure| errors::step(&self.endpoint, "a ping", &failure))?;
        Ok(start.elapsed())
    }

    async fn close(&self) {
        let stop = self
            .stop
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(stop) = stop {
            // The pump may have ended already.
            let _ = stop.send(());
        }
        let goodbye = async {
            if let Some(name) = &self.result_queue {
                let _ = self
                    .ask(async |channel| {
                        queues::delete(channel, name).await;
                        Ok(())
                    })
                    .await;
            }
            join(self.control.close(), self.publishing.close()).await;
        };
        if self.control.is_up() && timeout(GOODBYE, goodbye).await.is_err() {
            tracing::debug!("the broker did not answer our goodbye in time");
        }
        self.control.cut();
        self.publishing.cut();
    }
}

/// Without a queue of ours: results come to the channel that publishes.
async fn direct(publishing: &Arc<Wire>) -> lapin::Result<(Arc<Lanes>, Channel, Consumer)> {
    let channel = lane::open_channel(publishing).await?;
    let results = queues::open_direct(&channel).await?;
    let tasks = Lanes::only(publishing.clone(), channel.clone());
    Ok((tasks, channel, results))
}

/// What a user is told who may not have a queue for control replies. (Workers answer to a queue only, protocol.md 3.3.)
fn no_replies(endpoint: &Endpoint) -> String {
    format!(
        "user {} may not declare queues on the vhost {}, so workers cannot answer: nothing can be known of them and their tasks (it takes the permission configure for umbel.*, and read and write)",
        endpoint.user, endpoint.vhost
    )
}

/// What a user is told who may not have a queue for results.
fn results_by_channel(endpoint: &Endpoint) -> String {
    format!(
        "user {} may not declare queues on the vhost {}: rpc results come straight to this connection, and are lost if it breaks",
        endpoint.user, endpoint.vhost
    )
}

/// A message ready to be written; `mode` is its delivery mode unless it says one itself.
fn parcel(
    exchange: &str,
    routing_key: &str,
    message: Message,
    mode: u8,
) -> Result<Parcel, convert::Unsendable> {
    let mut properties = convert::properties(&message)?;
    if properties.delivery_mode().is_none() {
        properties = properties.with_delivery_mode(mode);
    }
    Ok(Parcel {
        exchange: convert::short("the name of the exchange", exchange)?,
        routing_key: convert::short("the name of the queue", routing_key)?,
        properties,
        body: message.body,
    })
}

/// `None` where the user lacks the permission.
fn permitted<T>(opened: lapin::Result<T>) -> lapin::Result<Option<T>> {
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if errors::code(&error) == Some(403) => Ok(None),
        Err(error) => Err(error),
    }
}
