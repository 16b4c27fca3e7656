//! A Redis as result backend, spoken with the redis crate; in this room only this file and its folder name that crate.
//!
//! It dials and gives out a link; it holds no connection itself and never tries again: that is `client`'s part.

mod link;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Backend, Incoming, Link};
use crate::error::Error;
use crate::server::redis::{RedisServer, STEP};
use link::RedisLink;

/// A way to a Redis that keeps results.
pub struct RedisBackend {
    server: RedisServer,
    /// What stands before a task's id in keys and channels.
    stem: String,
}

impl RedisBackend {
    /// This Redis. Its option `global_keyprefix` is that of the application's `result_backend_transport_options`.
    pub fn new(server: RedisServer) -> Self {
        let stem = stem(&server.options().global_keyprefix);
        Self { server, stem }
    }
}

#[async_trait]
impl Backend for RedisBackend {
    async fn connect(&self, incoming: mpsc::Sender<Incoming>) -> Result<Arc<dyn Link>, Error> {
        let opened = RedisLink::open(self.server.clone(), self.stem.clone(), incoming);
        match timeout(STEP, opened).await {
            Ok(opened) => Ok(Arc::new(opened?)),
            Err(_) => Err(self.server.silent()),
        }
    }

    fn address(&self) -> String {
        self.server.masked()
    }
}

/// `celery-task-meta-` behind the prefix, which Celery 5.5 and later separate by `_` unless it ends in a separator already
/// (protocol.md 2.2).
fn stem(keyprefix: &str) -> String {
    let separator = match keyprefix.chars().last() {
        None | Some(':' | '_' | '-' | '.') => "",
        Some(_) => "_",
    };
    format!("{keyprefix}{separator}celery-task-meta-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::none("", "celery-task-meta-")]
    #[case::word("acme", "acme_celery-task-meta-")]
    #[case::underscore("kp_", "kp_celery-task-meta-")]
    #[case::colon("kp:", "kp:celery-task-meta-")]
    fn a_key_is_spelled_as_celery_5_5_spells_it(#[case] prefix: &str, #[case] expected: &str) {
        assert_eq!(stem(prefix), expected);
    }
}
