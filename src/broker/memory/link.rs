//! A client's connection to the broker in memory. Drops its unacknowledged results back into their queue when it goes; never reconnects.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::pump::Pump;
use super::queue::{Queue, Sort};
use super::record::{Published, Target};
use super::state::{Fate, Signal, State, Submission};
use super::{MemoryServer, PATIENCE, unanswered};
use crate::broker::{AckTag, Delivery, Depth, Held, Incoming, Link, Reach, Route};
use crate::error::{Error, Kind};
use crate::protocol::{Message, QueueName};

/// Results on their way to the client, unacknowledged, at most.
const RESULTS_PREFETCH: usize = 256;

/// Control replies on their way to the client at most.
const REPLIES_PREFETCH: usize = 256;

/// How long closing may take.
const CLOSING: Duration = Duration::from_secs(1);

/// A client's connection.
pub(super) struct MemoryLink {
    server: MemoryServer,
    id: u64,
    results: String,
    replies: String,
    signal: watch::Receiver<Signal>,
    /// Weak: the channel ends with what carries its deliveries.
    incoming: mpsc::WeakSender<Incoming>,
    /// Carries events, while they are wanted.
    listening: Mutex<Option<JoinHandle<()>>>,
}

impl MemoryLink {
    /// Opens a connection, declares both reply queues and starts to read them.
    pub(super) fn open(
        server: &MemoryServer,
        results: &str,
        incoming: mpsc::Sender<Incoming>,
    ) -> Self {
        let (mailbox, deliveries) = mpsc::channel(RESULTS_PREFETCH + REPLIES_PREFETCH);
        let (id, signal, replies, results_reader) = server.change(|state| {
            let (id, signal) = state.open_link();
            let replies = format!("{results}.control.{id}");
            state.declare(results, Sort::Durable);
            state.declare(&replies, Sort::Exclusive(id));
            state.subscribe(&replies, mailbox.clone(), REPLIES_PREFETCH, Some(id));
            let reader = state.subscribe(results, mailbox, RESULTS_PREFETCH, Some(id));
            (id, signal, replies, reader)
        });
        let weak = incoming.downgrade();
        let pump = Pump {
            server: server.clone(),
            results: results_reader,
            deliveries,
            signal: signal.clone(),
            incoming,
        };
        tokio::spawn(pump.run());
        Self {
            server: server.clone(),
            id,
            results: results.to_owned(),
            replies,
            signal,
            incoming: weak,
            listening: Mutex::default(),
        }
    }

    /// One question and its answer: at once, slow, or not at all.
    async fn answered(&self) -> Result<(), Error> {
        let mut signal = self.signal.clone();
        let answer = async {
            self.server.lag().await;
            match signal.wait_for(|s| s.lost.is_some() || !s.frozen).await {
                Ok(signal) => signal.lost.clone().map_or(Ok(()), Err),
                Err(_) => Err(closed()),
            }
        };
        tokio::select! {
            answer = timeout(PATIENCE, answer) => answer.unwrap_or_else(|_| Err(unanswered())),
            error = self.lost() => Err(error),
        }
    }

    /// Resolves when the connection is gone.
    async fn lost(&self) -> Error {
        let mut signal = self.signal.clone();
        match signal.wait_for(|signal| signal.lost.is_some()).await {
            Ok(signal) => signal.lost.clone().unwrap_or_else(closed),
            Err(_) => closed(),
        }
    }

    fn why_gone(&self) -> Error {
        self.signal.borrow().lost.clone().unwrap_or_else(closed)
    }

    /// Publishes, and waits for what became of it. `Err`: nobody knows (`Some`), or there was no connection (`None`).
    async fn send(&self, target: Target, message: Message) -> Result<Fate, Unsettled> {
        let message = Arc::new(message);
        let published = Published { target, message };
        let submission = self.server.change(|state| state.submit(self.id, published));
        let wait = async {
            let fate = match submission {
                Submission::Settled(fate) => fate,
                Submission::Held(confirm) => {
                    let confirmed = confirm.await;
                    confirmed.map_err(|_| Unsettled::Unknown(self.why_gone()))?
                }
                Submission::Broke => return Err(Unsettled::Unknown(self.why_gone())),
                Submission::Gone => return Err(Unsettled::Unsent(self.why_gone())),
            };
            self.server.lag().await;
            Ok(fate)
        };
        tokio::select! {
            biased;
            fate = timeout(PATIENCE, wait) => {
                fate.unwrap_or_else(|_| Err(Unsettled::Unknown(unanswered())))
            }
            error = self.lost() => Err(Unsettled::Unknown(error)),
        }
    }
}

/// Why nothing is known of a publish.
enum Unsettled {
    /// It was written.
    Unknown(Error),
    /// It was not.
    Unsent(Error),
}

fn closed() -> Error {
    Error::new(Kind::Unsent, "the connection is closed")
}

fn full() -> Error {
    Error::new(Kind::Unsent, "the broker refused the message: queue full")
}

#[async_trait]
impl Link for MemoryLink {
    fn result_queue(&self) -> String {
        self.results.clone()
    }

    fn reply_queue(&self) -> String {
        self.replies.clone()
    }

    async fn publish(&self, route: &Route, message: Message) -> Delivery {
        if !route.exchange.is_empty() {
            let error = format!("there is no exchange {:?}", route.exchange);
            return Delivery::Unsent(Error::new(Kind::Unsent, error));
        }
        let queue = QueueName::from(route.routing_key.as_str());
        match self.send(Target::Queue(queue), message).await {
            Ok(Fate::Routed(_)) => Delivery::Confirmed,
            Ok(Fate::NoRoute) => Delivery::Returned("312 NO_ROUTE".to_owned()),
            Ok(Fate::Full) => Delivery::Unsent(full()),
            Err(Unsettled::Unsent(error)) => Delivery::Unsent(error),
            Err(Unsettled::Unknown(mut error)) => {
                error.kind = Kind::UnknownDelivery;
                Delivery::Unknown(error)
            }
        }
    }

    async fn broadcast(&self, request: Message) -> Result<Reach, Error> {
        match self.send(Target::Pidbox, request).await {
            Ok(Fate::Routed(_)) => Ok(Reach::Somebody),
            Ok(Fate::NoRoute) => Ok(Reach::Nobody),
            Ok(Fate::Full) => Err(full()),
            Err(Unsettled::Unsent(error) | Unsettled::Unknown(error)) => Err(error),
        }
    }

    async fn depth(&self, queue: &QueueName) -> Result<Depth, Error> {
        self.answered().await?;
        let depth = |state: &State| match state.queues.get(queue.as_str()) {
            None => Depth::Missing,
            Some(queue) if belongs_elsewhere(queue, self.id) => Depth::Locked,
            Some(queue) => Depth::Known {
                ready: queue.ready.len() as u64,
                held: Held::Unknown,
                held_ago: Duration::ZERO,
                rates: None,
                consumers: Some(queue.readers.len() as u64),
            },
        };
        Ok(self.server.look(depth))
    }

    async fn events(&self, wanted: bool) -> Result<(), Error> {
        self.answered().await?;
        let mut listening = self
            .listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match (listening.take(), wanted) {
            (Some(ear), true) => *listening = Some(ear),
            (Some(ear), false) => ear.abort(),
            (None, true) => {
                let events = self.server.inner.events.subscribe();
                *listening = Some(tokio::spawn(listen(events, self.incoming.clone())));
            }
            (None, false) => {}
        }
        Ok(())
    }

    async fn ack(&self, tag: AckTag) {
        self.server.change(|state| {
            if state.links.contains_key(&self.id) {
                state.ack(tag.0);
            }
        });
    }

    async fn ping(&self) -> Result<Duration, Error> {
        let start = Instant::now();
        self.answered().await?;
        Ok(start.elapsed())
    }

    async fn close(&self) {
        let reached = timeout(CLOSING, self.answered()).await;
        self.server.change(|state| {
            state.end_link(self.id, None);
            if matches!(reached, Ok(Ok(()))) {
                state.delete(&self.results);
            }
        });
    }
}

fn belongs_elsewhere(queue: &Queue, link: u64) -> bool {
    matches!(queue.sort, Sort::Exclusive(owner) if owner != link)
}

impl Drop for MemoryLink {
    fn drop(&mut self) {
        let listening = self.listening.get_mut();
        if let Some(ear) = listening.unwrap_or_else(PoisonError::into_inner).take() {
            ear.abort();
        }
        self.server.change(|state| state.end_link(self.id, None));
    }
}

/// Carries events until the broker or the reader is gone; one that finds no room is dropped.
async fn listen(
    mut events: broadcast::Receiver<Arc<Message>>,
    incoming: mpsc::WeakSender<Incoming>,
) {
    loop {
        let event = match events.recv().await {
            Ok(event) => Incoming::Event(Arc::unwrap_or_clone(event)),
            Err(broadcast::error::RecvError::Lagged(_)) => continue,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        let Some(incoming) = incoming.upgrade() else {
            return;
        };
        // Full: dropped. Closed: the next one finds nobody.
        let _ = incoming.try_send(event);
    }
}
