//! A Redis as [`Broker`], as kombu uses it; in this room only this file's folder names the redis crate.
//!
//! It dials and gives out a link; it holds no connection itself and never tries again: that is `client`'s part.

mod bindings;
mod debts;
mod errors;
mod events;
mod held;
mod inbox;
mod lease;
mod link;
mod names;
mod publish;
mod pump;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::several::{STEP, share, together};
use super::{Broker, Incoming, Link};
use crate::error::Error;
use crate::server::redis::RedisServer;
use debts::Debts;
use link::RedisLink;
use names::Names;

/// A way to a Redis, or to the first of several that answers.
pub struct RedisBroker {
    /// Never empty.
    servers: Vec<RedisServer>,
    list: ReplyList,
    /// The server that answered last.
    current: AtomicUsize,
}

/// The list that replies and results of this run come to; the same over reconnects, so that what came meanwhile is found.
#[derive(Clone)]
struct ReplyList {
    /// Without `global_keyprefix`, which workers add by themselves.
    name: String,
    debts: Arc<Debts>,
    numbers: Arc<AtomicU64>,
}

impl ReplyList {
    /// Where the next connection begins to number its results, so that an old number never means a new result.
    fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1 << 32, Ordering::Relaxed)
    }
}

impl RedisBroker {
    /// A broker at these servers, tried in order. Makes the name of this run's list; nothing is dialled yet.
    pub fn new(servers: Vec<RedisServer>) -> Self {
        let list = ReplyList {
            name: format!("umbel.{}", Uuid::new_v4()),
            debts: Arc::default(),
            numbers: Arc::default(),
        };
        Self {
            servers,
            list,
            current: AtomicUsize::new(0),
        }
    }

    async fn open(
        &self,
        server: &RedisServer,
        incoming: mpsc::Sender<Incoming>,
        deadline: Instant,
    ) -> Result<RedisLink, Error> {
        let names = Names::new(server.options(), server.db(), server.is_sentinel());
        let opened = RedisLink::open(server.clone(), names, self.list.clone(), incoming);
        match timeout_at(deadline, opened).await {
            Ok(opened) => opened,
            Err(_) => Err(server.silent()),
        }
    }
}

#[async_trait]
impl Broker for RedisBroker {
    async fn connect(&self, incoming: mpsc::Sender<Incoming>) -> Result<Arc<dyn Link>, Error> {
        let deadline = Instant::now() + STEP;
        let mut failures = Vec::new();
        for (index, server) in self.servers.iter().enumerate() {
            let deadline = share(deadline, self.servers.len() - index);
            match self.open(server, incoming.clone(), deadline).await {
                Ok(link) => {
                    self.current.store(index, Ordering::Relaxed);
                    return Ok(Arc::new(link));
                }
                Err(failure) => failures.push(failure),
            }
        }
        Err(together(failures))
    }

    fn address(&self) -> String {
        let all: Vec<_> = self.servers.iter().map(RedisServer::masked).collect();
        all.join(";")
    }

    fn short_address(&self) -> String {
        self.servers
            .get(self.current.load(Ordering::Relaxed))
            .map(RedisServer::short)
            .unwrap_or_default()
    }
}
