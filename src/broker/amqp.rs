//! RabbitMQ as a [`Broker`], spoken with lapin; no other room names lapin.
//!
//! It dials and gives out a link; it holds no connection itself and never tries again: that is `client`'s part.

mod convert;
mod dial;
mod errors;
mod lane;
mod link;
mod listening;
mod management;
mod pump;
mod queues;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::Instant;
use uuid::Uuid;

use super::several::{STEP, share, together};
use super::url::{BrokerUrl, Endpoint};
use super::{Broker, Incoming, Link};
use crate::error::{Error, Kind};
use crate::server::TransportOptions;
use crate::server::http::HttpUrl;
use crate::server::tls::TlsFiles;
use link::{AmqpLink, Way};

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
        if let BrokerUrl::Amqp(endpoints) = &mut self.url {
            let tls = options.wants_tls();
            for endpoint in endpoints {
                endpoint.tls |= tls;
            }
        }
        self.options = options;
        self.management = management;
        self
    }
}

#[async_trait]
impl Broker for AmqpBroker {
    async fn connect(&self, incoming: mpsc::Sender<Incoming>) -> Result<Arc<dyn Link>, Error> {
        let deadline = Instant::now() + STEP;
        let files = TlsFiles::load(&self.options)
            .await
            .map_err(|reason| Error::new(Kind::Config, format!("broker: {reason}")))?;
        let endpoints = self.url.endpoints();
        let mut failures = Vec::new();
        for (index, endpoint) in endpoints.iter().enumerate() {
            let deadline = share(deadline, endpoints.len() - index);
            let way = Way {
                endpoint,
                result_queue: &self.result_queue,
                options: &self.options,
                management: self.management.as_ref(),
                files: &files,
            };
            match AmqpLink::open(&way, incoming.clone(), deadline).await {
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
}
