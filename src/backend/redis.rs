//! A Redis as result backend, spoken with the redis crate; in this room only this file and its folder name that crate.
//!
//! It dials and gives out a link; it holds no connection itself and never tries again: that is `client`'s part.

mod errors;
mod link;

use std::sync::Arc;
use std::time::Duration;

use ::redis::io::tcp::TcpSettings;
use ::redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};
use async_trait::async_trait;
use secrecy::ExposeSecret;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::url::RedisUrl;
use super::{Backend, Incoming, Link};
use crate::error::Error;
use link::RedisLink;

/// How long connecting may take, and how long an ordinary answer is awaited.
const STEP: Duration = Duration::from_secs(5);

/// A way to a Redis that keeps results.
pub struct RedisBackend {
    url: RedisUrl,
    /// What stands before a task's id in keys and channels.
    stem: String,
}

impl RedisBackend {
    /// A Redis at this URL. `keyprefix` is the application's `global_keyprefix`, if it has one.
    pub fn new(url: RedisUrl, keyprefix: Option<&str>) -> Self {
        Self {
            url,
            stem: stem(keyprefix.unwrap_or_default()),
        }
    }

    fn client(&self) -> Result<Client, Error> {
        info(&self.url)
            .and_then(Client::open)
            .map_err(|error| errors::told(&self.url, &error))
    }
}

#[async_trait]
impl Backend for RedisBackend {
    async fn connect(&self, incoming: mpsc::Sender<Incoming>) -> Result<Arc<dyn Link>, Error> {
        let client = self.client()?;
        let opened = RedisLink::open(client, self.url.clone(), self.stem.clone(), incoming);
        match timeout(STEP, opened).await {
            Ok(opened) => Ok(Arc::new(opened?)),
            Err(_) => Err(errors::silent(&self.url)),
        }
    }

    fn address(&self) -> String {
        self.url.masked()
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

/// Our address in the crate's terms; built, never parsed, because its parser gives no reasons and has other rules than Celery.
fn info(url: &RedisUrl) -> ::redis::RedisResult<ConnectionInfo> {
    let address = if url.tls {
        ConnectionAddr::TcpTls {
            host: url.host.clone(),
            port: url.port,
            insecure: false,
            tls_params: None,
        }
    } else {
        ConnectionAddr::Tcp(url.host.clone(), url.port)
    };
    let mut login = RedisConnectionInfo::default()
        .set_db(url.db.into())
        .set_lib_name("umbel", env!("CARGO_PKG_VERSION"));
    if let Some(user) = &url.user {
        login = login.set_username(user);
    }
    if let Some(password) = &url.password {
        login = login.set_password(password.expose_secret());
    }
    Ok(address
        .into_connection_info()?
        .set_tcp_settings(TcpSettings::default().set_nodelay(true))
        .set_redis_settings(login))
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
