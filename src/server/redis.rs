//! One Redis, however it is reached, and connections to it. In the house only this room, `broker/redis` and `backend/redis` name
//! the redis crate. It knows nothing of Celery and never tries again: that is `client`'s part.

mod errors;
mod sentinel;
pub mod url;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::io::tcp::TcpSettings;
use ::redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, RedisResult, TlsCertificates, cmd,
};
use secrecy::ExposeSecret;

use super::TransportOptions;
use super::tls::TlsFiles;
use crate::error::{Error, Kind};
pub use errors::is_denied;
use errors::{At, Node};
pub use url::{RedisUrl, Way};

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

/// A Redis broker beside which a result backend may be: its login and its TLS then are those of the backend too.
#[derive(Clone, Debug, Default)]
pub struct Neighbour {
    /// Its addresses; empty: the broker is no Redis.
    pub urls: Vec<RedisUrl>,
    /// Its options.
    pub options: Arc<TransportOptions>,
}

/// One Redis. A handle: clones are the same.
#[derive(Clone)]
pub struct RedisServer {
    url: RedisUrl,
    role: Role,
    options: Arc<TransportOptions>,
    /// The master that the Sentinels named last.
    master: Arc<Mutex<Option<(String, u16)>>>,
}

impl RedisServer {
    /// The server at `url`, with what the options say of it (database, TLS); nothing is opened yet.
    pub fn new(mut url: RedisUrl, role: Role, options: Arc<TransportOptions>) -> Self {
        url.db = options.virtual_host.unwrap_or(url.db);
        if let Way::Tcp { tls, .. } = &mut url.way {
            *tls |= options.wants_tls();
        }
        Self {
            url,
            role,
            options,
            master: Arc::default(),
        }
    }

    /// The database number.
    pub fn db(&self) -> u32 {
        self.url.db
    }

    /// Whether Sentinels say where it is. (kombu before 5.4 then names its fanout channels wrongly, protocol.md 11.9.)
    pub fn is_sentinel(&self) -> bool {
        matches!(self.url.way, Way::Sentinel { .. })
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

    /// What new connections are made with; to be asked anew for every reconnect, because with Sentinels it leads to the present
    /// master. The caller bounds the time.
    pub async fn client(&self) -> Result<Client, Error> {
        let files = TlsFiles::load(&self.options)
            .await
            .map_err(|reason| self.misconfigured(&reason))?;
        let address = match &self.url.way {
            Way::Tcp { tls, host, port } => tcp(*tls, host, *port),
            Way::Socket(path) => ConnectionAddr::Unix(path.clone()),
            Way::Sentinel { sentinels } => {
                return sentinel::master(self, sentinels, &files).await;
            }
        };
        open(address, self.login(), &files).map_err(|error| self.told(&error))
    }

    /// How to log in to the data node.
    fn login(&self) -> RedisConnectionInfo {
        let login = RedisConnectionInfo::default()
            .set_db(self.url.db.into())
            .set_lib_name("umbel", env!("CARGO_PKG_VERSION"));
        let login = match &self.url.user {
            Some(user) => login.set_username(user),
            None => login,
        };
        match &self.url.password {
            Some(password) => login.set_password(password.expose_secret()),
            None => login,
        }
    }

    /// An error of the crate, for people.
    pub fn told(&self, error: &RedisError) -> Error {
        self.at(|at| errors::told(at, error))
    }

    /// Nothing was heard in time.
    pub fn silent(&self) -> Error {
        self.at(errors::silent)
    }

    /// A connection that was up and is gone.
    pub fn lost(&self, why: &str) -> Error {
        self.at(|at| errors::lost(at, why))
    }

    /// Anything else that went wrong there: `result backend redis://localhost:6379/0: <what>`.
    pub fn failed(&self, what: &str) -> Error {
        errors::failed(&self.whole(), what)
    }

    /// What the user configured cannot be used.
    fn misconfigured(&self, what: &str) -> Error {
        Error {
            kind: Kind::Config,
            ..self.failed(what)
        }
    }

    /// The server as a whole.
    fn whole(&self) -> At<'_> {
        At {
            role: self.role,
            url: &self.url,
            node: None,
        }
    }

    /// The server, and its present master where Sentinels told it.
    fn at<T>(&self, tell: impl FnOnce(&At<'_>) -> T) -> T {
        let master = self.master.lock().unwrap_or_else(PoisonError::into_inner);
        let node = master
            .as_ref()
            .map(|(host, port)| Node::Master(host, *port));
        tell(&At {
            node,
            ..self.whole()
        })
    }

    fn set_master(&self, master: Option<(String, u16)>) {
        *self.master.lock().unwrap_or_else(PoisonError::into_inner) = master;
    }
}

/// A host in the crate's terms.
fn tcp(tls: bool, host: &str, port: u16) -> ConnectionAddr {
    if tls {
        ConnectionAddr::TcpTls {
            host: host.to_owned(),
            port,
            insecure: false,
            tls_params: None,
        }
    } else {
        ConnectionAddr::Tcp(host.to_owned(), port)
    }
}

/// A client; its address is built, never parsed, because the crate's parser gives no reasons and has other rules than Celery.
fn open(
    address: ConnectionAddr,
    login: RedisConnectionInfo,
    files: &TlsFiles,
) -> RedisResult<Client> {
    let encrypted = matches!(address, ConnectionAddr::TcpTls { .. });
    let info = address
        .into_connection_info()?
        .set_tcp_settings(TcpSettings::default().set_nodelay(true))
        .set_redis_settings(login);
    if !encrypted || (files.authorities.is_none() && files.identity.is_none()) {
        return Client::open(info);
    }
    let identity = files.identity.clone();
    let certificates = TlsCertificates {
        client_tls: identity.map(|(client_cert, client_key)| ClientTlsConfig {
            client_cert,
            client_key,
        }),
        root_cert: files.authorities.clone().map(String::into_bytes),
    };
    Client::build_with_tls(info, certificates)
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
