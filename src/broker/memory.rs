//! A broker inside this process, with AMQP's semantics: the demo lives on it, and tests of everything above the traits run against it.
//!
//! [`MemoryServer`] is the broker itself: queues, the fanout exchange of control requests, what workers need, and for tests a way to
//! misbehave ([`trouble`]) and to look inside ([`inspect`]). [`MemoryBroker`] is one client's way to it.
//! It never touches the network, never expires a queue, and never wakes up by itself: without traffic it costs nothing.

pub mod consumer;
pub mod inspect;
mod link;
mod pump;
mod queue;
pub mod record;
mod state;
pub mod trouble;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::timeout;

use super::{Broker, Incoming, Link};
use crate::error::{Error, Kind};
use crate::protocol::Message;
use link::MemoryLink;
use state::State;

pub use consumer::{Consumer, Delivered};
pub use record::{Published, Target};

/// Events that wait for a slow listener at most.
const EVENTS: usize = 256;

/// How long a connect, a confirm or any other answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The broker. A handle: clones are the same broker.
#[derive(Clone)]
pub struct MemoryServer {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    state: Mutex<State>,
    version: watch::Sender<u64>,
    /// Events of workers and tasks, for whoever listens; a slow listener misses some.
    events: broadcast::Sender<Arc<Message>>,
}

impl MemoryServer {
    /// A broker without queues, shown as `memory://name/`.
    pub fn new(name: &str) -> Self {
        let inner = Inner {
            name: name.to_owned(),
            state: Mutex::default(),
            version: watch::Sender::new(0),
            events: broadcast::Sender::new(EVENTS),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// A client's way to this broker, with a result queue of its own that outlives its connections.
    pub fn broker(&self) -> MemoryBroker {
        let id = uuid::Uuid::new_v4();
        MemoryBroker {
            server: self.clone(),
            results: format!("umbel.{id}"),
        }
    }

    fn address(&self) -> String {
        format!("memory://{}/", self.inner.name)
    }

    /// The time an answer takes.
    async fn lag(&self) {
        let delay = self.look(|state| state.trouble.delay);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    /// Looks at the state without changing it.
    fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        let state = self.inner.state.lock();
        look(&state.unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the state and wakes those who wait for a change.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let state = self.inner.state.lock();
        let answer = change(&mut state.unwrap_or_else(PoisonError::into_inner));
        self.inner.version.send_modify(|version| *version += 1);
        answer
    }
}

/// One client's way to a [`MemoryServer`].
#[derive(Clone)]
pub struct MemoryBroker {
    server: MemoryServer,
    results: String,
}

impl MemoryBroker {
    /// The queue that results come back to, the same over all connections.
    pub fn result_queue(&self) -> &str {
        &self.results
    }

    async fn dial(&self, incoming: mpsc::Sender<Incoming>) -> Result<Arc<dyn Link>, Error> {
        self.server.change(State::attempt)?;
        self.server.lag().await;
        self.server
            .wait_until(|server| server.look(|state| !state.trouble.frozen))
            .await;
        let link = MemoryLink::open(&self.server, &self.results, incoming);
        Ok(Arc::new(link))
    }
}

#[async_trait]
impl Broker for MemoryBroker {
    async fn connect(&self, incoming: mpsc::Sender<Incoming>) -> Result<Arc<dyn Link>, Error> {
        match timeout(PATIENCE, self.dial(incoming)).await {
            Ok(link) => link,
            Err(_) => Err(unanswered()),
        }
    }

    fn address(&self) -> String {
        self.server.address()
    }

    fn short_address(&self) -> String {
        self.server.address()
    }
}

fn unanswered() -> Error {
    let seconds = PATIENCE.as_secs();
    Error::new(Kind::Unsent, format!("no answer within {seconds}s"))
}

#[cfg(test)]
mod tests;
