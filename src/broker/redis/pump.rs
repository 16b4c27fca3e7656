//! Carries what the Redis sends to the one who asked, and listens for the pulse of the connections. One task for everything, so
//! that [`Incoming::Lost`] is certainly the last word.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::errors;
use super::events::Events;
use super::inbox::Inbox;
use super::inbox::ferry::Ferry;
use super::publish::Publisher;
use crate::broker::Incoming;
use crate::server::redis::{RedisServer, ping};

/// How often a connection is asked whether it lives, and how long it may take: a frozen server or a cut line says nothing by
/// itself.
const HEARTBEAT: Duration = Duration::from_secs(5);
const PULSE: Duration = Duration::from_secs(2);

/// The task; see [`Pump::run`].
pub(super) struct Pump {
    pub(super) server: RedisServer,
    pub(super) commands: MultiplexedConnection,
    pub(super) publisher: Arc<Publisher>,
    pub(super) inbox: Inbox,
    pub(super) ferry: Option<Ferry>,
    pub(super) events: Events,
    pub(super) incoming: mpsc::Sender<Incoming>,
}

impl Pump {
    /// Runs until a connection is lost, `stop` says so or is dropped, or nobody listens. In the first case the last word is
    /// [`Incoming::Lost`]; after `stop` nothing more is said.
    pub(super) async fn run(self, stop: oneshot::Receiver<()>) {
        let Self {
            server,
            commands,
            publisher,
            inbox,
            ferry,
            mut events,
            incoming,
        } = self;
        let ferry = async {
            match ferry {
                Some(ferry) => ferry.run().await,
                None => pending().await,
            }
        };
        let why = tokio::select! {
            biased;
            _ = stop => return,
            why = inbox.run() => why,
            why = ferry => Some(why),
            why = events.run(&incoming) => Some(why),
            why = pulse(commands) => Some(why),
            why = publishers_pulse(&publisher) => Some(why),
            () = incoming.closed() => return,
        };
        if let Some(why) = why {
            // An error means that nobody listens.
            let _ = incoming.send(Incoming::Lost(server.lost(&why))).await;
        }
    }
}

/// Ends with the reason when the connection has lost its pulse.
async fn pulse(mut commands: MultiplexedConnection) -> String {
    loop {
        sleep(HEARTBEAT).await;
        if let Some(why) = silence(&mut commands).await {
            return why;
        }
    }
}

/// The same for the connection that publishes, but not while a message is on its way, which may be large.
async fn publishers_pulse(publisher: &Publisher) -> String {
    let mut connection = publisher.connection.clone();
    loop {
        sleep(HEARTBEAT).await;
        if !publisher.is_idle() {
            continue;
        }
        if let Some(why) = silence(&mut connection).await
            && publisher.is_idle()
        {
            return why;
        }
    }
}

/// Why an answer did not come; an error that the server itself wrote is an answer.
async fn silence(connection: &mut MultiplexedConnection) -> Option<String> {
    match timeout(PULSE, ping(connection)).await {
        Err(_) => Some(format!("nothing heard for {} s", PULSE.as_secs())),
        Ok(Err(error)) if !errors::is_answer(&error) => Some(error.to_string()),
        Ok(_) => None,
    }
}
