//! A Redis as result backend, spoken with the redis crate; in this room only this file and its folder name that crate.
//!
//! It dials and gives out a link; it holds no connection itself and never tries again: that is `client`'s part.

mod keys;
mod link;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Backend, Incoming, Link, Told};
use crate::error::Error;
use crate::protocol::control::Keyprefix;
use crate::server::redis::{RedisServer, STEP};
use keys::Keys;
use link::RedisLink;

/// A way to a Redis that keeps results.
pub struct RedisBackend {
    server: RedisServer,
    /// Where in it results are; shared by all connections, because it may be learned from what is heard.
    keys: Arc<Keys>,
}

impl RedisBackend {
    /// This Redis. Its option `global_keyprefix` is that of the application's `result_backend_transport_options`; without it the
    /// prefix is what workers tell ([`Backend::hear`]), or else learned from the first result.
    pub fn new(server: RedisServer) -> Self {
        let keys = match &server.options().global_keyprefix {
            Some(prefix) => Keys::prefixed(prefix),
            None => Keys::unknown(),
        };
        Self {
            server,
            keys: Arc::new(keys),
        }
    }
}

#[async_trait]
impl Backend for RedisBackend {
    async fn connect(&self, incoming: mpsc::Sender<Incoming>) -> Result<Arc<dyn Link>, Error> {
        let opened = RedisLink::open(self.server.clone(), self.keys.clone(), incoming);
        match timeout(STEP, opened).await {
            Ok(opened) => Ok(Arc::new(opened?)),
            Err(_) => Err(self.server.silent()),
        }
    }

    fn address(&self) -> String {
        self.server.masked()
    }

    fn hear(&self, told: &Told) {
        match &told.keyprefix {
            Some(Keyprefix::None) => self.keys.set(""),
            Some(Keyprefix::Known(prefix)) => self.keys.set(prefix),
            Some(Keyprefix::Censored) => self.keys.censored(),
            None => {}
        }
    }
}
