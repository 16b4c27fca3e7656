//! A client's connection to the broker in memory. Drops its unacknowledged results back into their queue when it goes; never reconnects.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use super::pump::Pump;
use super::queue::{Queue, Sort};
use super::record::{Published, Target};
use super::state::{Fate, Signal, State, Submission};
use super::{MemoryServer, PATIENCE, unanswered};
use crate::broker::{AckTag, Delivery, Depth, Incoming, Link, Reach};
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

    async fn publish(&self, queue: &QueueName, message: Message) -> Delivery {
        match self.send(Target::Queue(queue.clone()), message).await {
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
                held: None,
                consumers: Some(queue.readers.len() as u64),
            },
        };
        Ok(self.server.look(depth))
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
        self.server.change(|state| state.end_link(self.id, None));
    }
}
