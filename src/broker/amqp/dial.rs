//! Makes one AMQP connection within a deadline, and can cut it at any moment. It declares and publishes nothing.
//!
//! lapin's connect has no deadline of its own (a Redis port keeps it waiting for ever, protocol.md 11.3), and dropping its
//! future leaves a thread behind that waits with it; so we keep a second handle of the socket and shut that down.

use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

use lapin::tcp::{AsyncTcpStream, OwnedTLSConfig};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Connection, ConnectionProperties};
use secrecy::ExposeSecret;
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout_at};

use super::errors::Failure;
use crate::broker::url::Endpoint;

/// Seconds between heartbeats; a dead broker is noticed after twice as long (ux.md 0.1, ruling 15).
const HEARTBEAT: u16 = 5;

/// A connection that is cut when dropped.
pub(super) struct Wire {
    connection: Connection,
    socket: Arc<Socket>,
}

impl Wire {
    /// Connects and logs in. A TCP connection that answers too late is shut down.
    pub(super) async fn dial(endpoint: &Endpoint, deadline: Instant) -> Result<Self, Failure> {
        let addresses: Vec<_> =
            match timeout_at(deadline, lookup_host((&*endpoint.host, endpoint.port))).await {
                Ok(Ok(addresses)) => addresses.collect(),
                Ok(Err(_)) => return Err(Failure::UnknownHost),
                Err(_) => return Err(Failure::Silence { reached: false }),
            };
        let socket = Arc::new(Socket::default());
        let outcome = timeout_at(deadline, handshake(endpoint, addresses, &socket)).await;
        let reached = socket.is_open();
        match outcome {
            Ok(Ok(connection)) => Ok(Self { connection, socket }),
            Ok(Err(error)) => {
                socket.cut();
                Err(Failure::Amqp { error, reached })
            }
            Err(_) => {
                socket.cut();
                Err(Failure::Silence { reached })
            }
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
        self.socket.cut();
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.socket.cut();
    }
}

/// A second handle of a connection's socket, once there is one.
#[derive(Default)]
struct Socket(Mutex<Option<TcpStream>>);

impl Socket {
    fn keep(&self, stream: impl AsFd) -> std::io::Result<()> {
        let handle = TcpStream::from(stream.as_fd().try_clone_to_owned()?);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
        Ok(())
    }

    fn is_open(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    fn cut(&self) {
        let handle = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handle) = handle {
            // The peer may have gone first; there is nothing left to do then.
            let _ = handle.shutdown(Shutdown::Both);
        }
    }
}

async fn handshake(
    endpoint: &Endpoint,
    addresses: Vec<std::net::SocketAddr>,
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
                AMQPScheme::AMQPS => {
                    let trust = OwnedTLSConfig::default();
                    stream.into_tls(&uri.authority.host, trust.as_ref()).await?
                }
            })
        },
        properties(),
    )
    .await
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
