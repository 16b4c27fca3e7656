//! Makes one AMQP connection within a deadline, and can cut it at any moment. It declares and publishes nothing.
//!
//! lapin's connect has no deadline of its own (a Redis port keeps it waiting for ever, protocol.md 11.3), and dropping its
//! future leaves a thread behind that waits with it; so we keep a second handle of the socket and shut that down.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lapin::tcp::{AsyncTcpStream, OwnedIdentity, OwnedTLSConfig};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Connection, ConnectionProperties};
use secrecy::ExposeSecret;
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout_at};

use super::errors::Failure;
use crate::broker::url::Endpoint;
use crate::server::tls::TlsFiles;

/// Seconds between heartbeats; a dead broker is noticed after twice as long (ux.md 0.1, ruling 15).
const HEARTBEAT: u16 = 5;

/// The largest frame, in bytes. lapin fills two buffers of 32 frames with zeros during each connect: with the 128 KiB that
/// RabbitMQ offers that is 16 MB of memory and most of the time of a connect. Only headers must fit in one frame; bodies take
/// as many as they need.
pub(super) const FRAME_MAX: u32 = 32 * 1024;

/// A connection that is cut when dropped.
pub(super) struct Wire {
    connection: Connection,
    fuse: Fuse,
}

impl Wire {
    /// Connects and logs in. A TCP connection that answers too late, or that nobody waits for any more, is shut down.
    pub(super) async fn dial(
        endpoint: &Endpoint,
        files: &TlsFiles,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let addresses: Vec<_> =
            match timeout_at(deadline, lookup_host((&*endpoint.host, endpoint.port))).await {
                Ok(Ok(addresses)) => addresses.collect(),
                Ok(Err(_)) => return Err(Failure::UnknownHost),
                Err(_) => return Err(Failure::Silence { reached: false }),
            };
        let fuse = Fuse::default();
        let outcome = timeout_at(
            deadline,
            handshake(endpoint, trust(files), addresses, &fuse.0),
        )
        .await;
        let reached = fuse.0.is_open();
        match outcome {
            Ok(Ok(connection)) => Ok(Self { connection, fuse }),
            Ok(Err(error)) => Err(Failure::Amqp { error, reached }),
            Err(_) => Err(Failure::Silence { reached }),
        }
    }

    /// lapin's connection.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether the connection lives.
    pub(super) fn is_up(&self) -> bool {
        self.connection.status().connected()
    }

    /// Whether the broker has told us that it takes no publishes on it.
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Says goodbye and waits for the answer; the caller bounds the time.
    pub(super) async fn close(&self) {
        if let Err(error) = self.connection.close(200, "OK".into()).await {
            tracing::debug!(%error, "the broker connection did not close in good order");
        }
    }

    /// Ends the connection without a word; lapin's thread ends with it.
    pub(super) fn cut(&self) {
        self.fuse.0.cut();
    }
}

/// Cuts its connection when dropped, whatever state that is in.
#[derive(Default)]
struct Fuse(Arc<Socket>);

impl Drop for Fuse {
    fn drop(&mut self) {
        self.0.cut();
    }
}

/// A second handle of a connection's socket.
#[derive(Default)]
struct Socket(Mutex<Handle>);

#[derive(Default)]
enum Handle {
    /// There is no TCP connection yet.
    #[default]
    Waiting,
    Open(TcpStream),
    Cut,
}

impl Socket {
    fn lock(&self) -> MutexGuard<'_, Handle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a handle of a new connection; refuses it when that was given up meanwhile.
    fn keep(&self, stream: impl AsFd) -> io::Result<()> {
        let mut handle = self.lock();
        if matches!(*handle, Handle::Cut) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        *handle = Handle::Open(TcpStream::from(stream.as_fd().try_clone_to_owned()?));
        Ok(())
    }

    fn is_open(&self) -> bool {
        matches!(*self.lock(), Handle::Open(_))
    }

    fn cut(&self) {
        if let Handle::Open(stream) = std::mem::replace(&mut *self.lock(), Handle::Cut) {
            // The peer may have gone first; there is nothing left to do then.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

async fn handshake(
    endpoint: &Endpoint,
    trust: OwnedTLSConfig,
    addresses: Vec<SocketAddr>,
    socket: &Arc<Socket>,
) -> lapin::Result<Connection> {
    let socket = socket.clone();
    let runtime = lapin::runtime::default_runtime()?;
    Connection::connector(
        uri(endpoint),
        runtime,
        async move |uri, runtime| {
            // The socket is set to TCP_NODELAY in there (async-rs 0.8 `implementors/tokio.rs`).
            let stream = AsyncTcpStream::connect(&runtime, addresses.clone()).await?;
            if let AsyncTcpStream::Plain(plain) = &stream {
                socket.keep(plain.get_ref())?;
            }
            Ok(match uri.scheme {
                AMQPScheme::AMQP => stream,
                AMQPScheme::AMQPS => stream.into_tls(&uri.authority.host, trust.as_ref()).await?,
            })
        },
        properties(),
    )
    .await
}

/// Whom we trust beside the system's authorities, and who we are.
fn trust(files: &TlsFiles) -> OwnedTLSConfig {
    let identity = files.identity.clone();
    OwnedTLSConfig {
        identity: identity.map(|(pem, key)| OwnedIdentity::PKCS8 { pem, key }),
        cert_chain: files.authorities.clone(),
    }
}

/// Our address in lapin's terms; built, never parsed, because its rules for vhosts are not kombu's (protocol.md 5.4).
fn uri(endpoint: &Endpoint) -> AMQPUri {
    AMQPUri {
        scheme: if endpoint.tls {
            AMQPScheme::AMQPS
        } else {
            AMQPScheme::AMQP
        },
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: endpoint.user.clone(),
                password: endpoint.password.expose_secret().to_owned(),
            },
            host: endpoint.host.clone(),
            port: endpoint.port,
        },
        vhost: endpoint.vhost.clone(),
        query: AMQPQueryString {
            frame_max: Some(FRAME_MAX),
            heartbeat: Some(HEARTBEAT),
            ..AMQPQueryString::default()
        },
    }
}

/// What operators see of us in the broker's list of connections. No automatic recovery: with it an outage of 32 s gave no
/// event at all (design.md 6).
fn properties() -> ConnectionProperties {
    ConnectionProperties::default().with_connection_name("umbel".into())
}
