//! RabbitMQ as a [`Broker`], spoken with lapin; no other room names lapin.
//!
//! It dials and gives out a link; it holds no connection itself and never tries again: that is `client`'s part.

mod convert;
mod dial;
mod errors;
mod lane;
mod link;
mod listening;
mod pump;
mod queues;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::Instant;
use uuid::Uuid;

use super::url::{BrokerUrl, Endpoint};
use super::{Broker, Incoming, Link};
use crate::error::{Error, Kind};
use crate::server::TransportOptions;
use crate::server::http::HttpUrl;
use link::AmqpLink;

/// How long connecting may take over all addresses, and how long any answer on a living connection is awaited.
const STEP: Duration = Duration::from_secs(5);

/// A way to a RabbitMQ, or to the first of several that answers.
pub struct AmqpBroker {
    url: BrokerUrl,
    /// Where results of this run are sent; the same over reconnects, so that what came meanwhile is found.
    result_queue: String,
    /// The address that answered last.
    current: AtomicUsize,
    options: Arc<TransportOptions>,
    management: Option<HttpUrl>,
}

impl AmqpBroker {
    /// A broker at this URL. Makes the name of this run's result queue; nothing is dialled yet.
    pub fn new(url: BrokerUrl) -> Self {
        Self {
            url,
            result_queue: format!("umbel.{}", Uuid::new_v4()),
            current: AtomicUsize::new(0),
            options: Arc::default(),
            management: None,
        }
    }

    /// With these transport options, and RabbitMQ's management API for what AMQP does not tell.
    #[must_use]
    pub fn with(mut self, options: Arc<TransportOptions>, management: Option<HttpUrl>) -> Self {
        self.options = options;
        self.management = management;
        self
    }
}

#[async_trait]
impl Broker for AmqpBroker {
    async fn connect(&self, incoming: mpsc::Sender<Incoming>) -> Result<Arc<dyn Link>, Error> {
        let deadline = Instant::now() + STEP;
        let endpoints = self.url.endpoints();
        let mut failures = Vec::new();
        for (index, endpoint) in endpoints.iter().enumerate() {
            let deadline = share(deadline, endpoints.len() - index);
            let opened =
                AmqpLink::open(endpoint, &self.result_queue, incoming.clone(), deadline).await;
            match opened {
                Ok(link) => {
                    self.current.store(index, Ordering::Relaxed);
                    return Ok(link);
                }
                Err(failure) => failures.push(errors::connecting(endpoint, &failure)),
            }
        }
        Err(together(failures))
    }

    fn address(&self) -> String {
        self.url.masked()
    }

    fn short_address(&self) -> String {
        self.url
            .endpoints()
            .get(self.current.load(Ordering::Relaxed))
            .map_or_else(|| self.url.short(), Endpoint::short)
    }
}

/// The deadline of the next of `left` addresses: all share the time that is left, so that a dead one does not eat it up.
fn share(deadline: Instant, left: usize) -> Instant {
    let now = Instant::now();
    let parts = u32::try_from(left).unwrap_or(u32::MAX).max(1);
    now + deadline.saturating_duration_since(now) / parts
}

/// One failure as it is; several as a list.
fn together(mut failures: Vec<Error>) -> Error {
    if failures.len() == 1 {
        return failures.remove(0);
    }
    let all: Vec<_> = failures.iter().map(|failure| &*failure.message).collect();
    let message = format!("none of {} addresses works: {}", all.len(), all.join("; "));
    let error = Error::new(Kind::Unsent, message);
    match failures.into_iter().find_map(|failure| failure.hint) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::url;

    #[test]
    fn the_result_queue_is_named_once_for_a_run_and_tells_whose_it_is() {
        let parse = || url::parse("amqp://h").unwrap();
        let (one, other) = (AmqpBroker::new(parse()), AmqpBroker::new(parse()));
        assert!(one.result_queue.starts_with("umbel."));
        assert_ne!(one.result_queue, other.result_queue);
    }

    #[test]
    fn several_failures_are_told_together() {
        let told = together(vec![
            Error::new(Kind::Unsent, "broker a: refused").hint("check a"),
            Error::new(Kind::Unsent, "broker b: refused"),
        ]);
        assert_eq!(
            told.message,
            "none of 2 addresses works: broker a: refused; broker b: refused"
        );
        assert_eq!(told.hint.as_deref(), Some("check a"));
    }

    #[test]
    fn addresses_share_the_time_that_is_left() {
        let deadline = Instant::now() + STEP;
        assert!(share(deadline, 5) < Instant::now() + Duration::from_millis(1100));
        assert!(share(deadline, 1) <= deadline);
    }
}
