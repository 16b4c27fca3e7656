//! One Redis, however it is reached, and connections to it. In the house only this room, `broker/redis` and `backend/redis` name
//! the redis crate. It knows nothing of Celery and never tries again: that is `client`'s part.

mod errors;
mod url;

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::io::tcp::TcpSettings;
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, RedisResult, cmd,
};
use secrecy::ExposeSecret;

use super::TransportOptions;
use crate::error::Error;
pub use errors::is_denied;
pub use url::RedisUrl;

/// How long connecting may take, and how long an ordinary answer is awaited.
pub const STEP: Duration = Duration::from_secs(5);

/// What a Redis is for; it decides how its errors are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Tasks are published there. Its errors are of kind `Unsent`.
    Broker,
    /// Results are kept there. Its errors are of kind `BackendUnreachable`.
    Backend,
}

/// One Redis. A handle: clones are the same.
#[derive(Clone)]
pub struct RedisServer {
    url: RedisUrl,
    role: Role,
    options: Arc<TransportOptions>,
}

impl RedisServer {
    /// The server at `url`; nothing is opened yet.
    pub fn new(url: RedisUrl, role: Role, options: Arc<TransportOptions>) -> Self {
        Self { url, role, options }
    }

    /// The database number.
    pub fn db(&self) -> u32 {
        self.url.db
    }

    /// Its options.
    pub fn options(&self) -> &TransportOptions {
        &self.options
    }

    /// For people, password masked: `redis://:***@host:6379/0`.
    pub fn masked(&self) -> String {
        self.url.masked()
    }

    /// Without credentials: `redis://host:6379/0`.
    pub fn short(&self) -> String {
        self.url.short()
    }

    /// What new connections are made with; to be asked anew for every reconnect. The caller bounds the time.
    pub async fn client(&self) -> Result<Client, Error> {
        info(&self.url)
            .and_then(Client::open)
            .map_err(|error| self.told(&error))
    }

    /// An error of the crate, for people.
    pub fn told(&self, error: &RedisError) -> Error {
        errors::told(self.role, &self.url, error)
    }

    /// Nothing was heard in time.
    pub fn silent(&self) -> Error {
        errors::silent(self.role, &self.url)
    }

    /// A connection that was up and is gone.
    pub fn lost(&self, why: &str) -> Error {
        errors::lost(self.role, &self.url, why)
    }

    /// Anything else that went wrong there: `result backend redis://localhost:6379/0: <what>`.
    pub fn failed(&self, what: &str) -> Error {
        errors::failed(self.role, &self.url, what)
    }
}

/// A connection for commands that has proved to answer. It has no response time-out of its own, so every exchange is to be
/// bounded by its user: the crate's own is 0.5 s, which a large result on a slow line does not make (protocol.md 11.4).
pub async fn dial(client: &Client) -> RedisResult<MultiplexedConnection> {
    let patient = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(STEP))
        .set_response_timeout(None);
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&patient)
        .await?;
    // Only the first command tells that a password is missing.
    ping(&mut connection).await?;
    Ok(connection)
}

/// A round trip.
pub async fn ping(commands: &mut MultiplexedConnection) -> RedisResult<()> {
    cmd("PING").query_async(commands).await
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
