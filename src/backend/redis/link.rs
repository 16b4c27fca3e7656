//! One living pair of connections to a Redis, as the [`Link`] that `client` uses: one for commands, one that listens.
//!
//! It never reconnects and never writes to the Redis.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::{StreamExt, try_join};
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use redis::{Client, Msg, RedisError, RedisResult, cmd, pipe};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::backend::{Incoming, Link};
use crate::error::{Error, Kind};
use crate::protocol::TaskId;
use crate::server::redis::{RedisServer, STEP, dial, is_denied, ping};

/// The largest result that is read; a Redis value may have 512 MiB.
const MAX_RESULT: u64 = 256 << 20;

/// Stands for a size that may not be asked for; the patience for the largest is then right.
const UNKNOWN_SIZE: u64 = MAX_RESULT;

/// What the first look at a result brings at most; larger ones come over a connection of their own, so that others do not wait
/// behind them.
const FIRST_LOOK: u64 = 64 << 10;

/// The slowest connection that a large result is awaited on, in bytes per second.
const SLOWEST: u64 = 256 << 10;

/// How often a silent connection is asked whether it lives.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long the command connection may take to answer; nothing large ever runs on it.
const PULSE: Duration = Duration::from_secs(2);

/// How long the listening connection may take: its answer waits behind results on their way, which may be large.
const PATIENCE: Duration = Duration::from_mins(1);

/// See the head of this file.
pub(super) struct RedisLink {
    server: RedisServer,
    stem: String,
    client: Client,
    commands: MultiplexedConnection,
    listening: PubSubSink,
    /// Set when the user may not ask for a part or the size of a value: then every result is treated as a large one.
    only_get: AtomicBool,
    /// Dropped or used, it stops the pump.
    stop: Mutex<Option<oneshot::Sender<()>>>,
}

impl RedisLink {
    /// Dials twice at once, makes sure that commands are allowed, and starts to carry what arrives to `incoming`.
    pub(super) async fn open(
        server: RedisServer,
        stem: String,
        incoming: mpsc::Sender<Incoming>,
    ) -> Result<Self, Error> {
        let client = server.client().await?;
        let (commands, listening) = try_join!(dial(&client), client.get_async_pubsub())
            .map_err(|error| server.told(&error))?;
        let (listening, stream) = listening.split();
        let (stop, stopped) = oneshot::channel();
        let pump = Pump {
            server: server.clone(),
            stem: stem.clone(),
            commands: commands.clone(),
            listening: listening.clone(),
            stream,
            incoming,
        };
        tokio::spawn(pump.run(stopped));
        Ok(Self {
            server,
            stem,
            client,
            commands,
            listening,
            only_get: AtomicBool::new(false),
            stop: Mutex::new(Some(stop)),
        })
    }

    fn key(&self, id: &TaskId) -> String {
        format!("{}{id}", self.stem)
    }

    /// Runs one exchange within `limit`.
    async fn bounded<T>(
        &self,
        limit: Duration,
        exchange: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, Error> {
        match timeout(limit, exchange).await {
            Ok(answer) => answer.map_err(|error| self.server.told(&error)),
            Err(_) => Err(self.server.silent()),
        }
    }

    /// The start of a value and its size.
    async fn look(&self, key: &str) -> Result<(Vec<u8>, u64), Error> {
        let mut commands = self.commands.clone();
        let mut look = pipe();
        look.cmd("GETRANGE").arg(key).arg(0).arg(FIRST_LOOK - 1);
        look.cmd("STRLEN").arg(key);
        let answer = timeout(STEP, look.query_async(&mut commands)).await;
        match answer {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) if is_denied(&error) => {
                self.only_get.store(true, Ordering::Relaxed);
                Ok((Vec::new(), UNKNOWN_SIZE))
            }
            Ok(Err(error)) => Err(self.server.told(&error)),
            Err(_) => Err(self.server.silent()),
        }
    }

    /// A result that may be too large to come with the others.
    async fn fetch_large(&self, key: &str, size: u64) -> Result<Option<Vec<u8>>, Error> {
        if size > MAX_RESULT {
            return Err(too_large(&self.server, size));
        }
        let limit = STEP + Duration::from_secs(size / SLOWEST);
        self.bounded(limit, async {
            let mut own = dial(&self.client).await?;
            cmd("GET").arg(key).query_async(&mut own).await
        })
        .await
    }
}

#[async_trait]
impl Link for RedisLink {
    async fn watch(&self, id: &TaskId) -> Result<(), Error> {
        let mut listening = self.listening.clone();
        self.bounded(STEP, listening.subscribe(self.key(id))).await
    }

    async fn unwatch(&self, id: &TaskId) -> Result<(), Error> {
        let mut listening = self.listening.clone();
        self.bounded(STEP, listening.unsubscribe(self.key(id)))
            .await
    }

    async fn fetch(&self, id: &TaskId) -> Result<Option<Vec<u8>>, Error> {
        let key = self.key(id);
        let (start, size) = if self.only_get.load(Ordering::Relaxed) {
            (Vec::new(), UNKNOWN_SIZE)
        } else {
            self.look(&key).await?
        };
        // An overwrite between the two commands shows as a size that does not fit; the plain GET then settles it.
        match size {
            0 => Ok(None),
            size if size == start.len() as u64 => Ok(Some(start)),
            size => self.fetch_large(&key, size).await,
        }
    }

    async fn ping(&self) -> Result<Duration, Error> {
        let start = Instant::now();
        let mut commands = self.commands.clone();
        self.bounded(STEP, ping(&mut commands)).await?;
        Ok(start.elapsed())
    }

    async fn close(&self) {
        let stop = self
            .stop
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(stop) = stop {
            // The pump may have ended already. Its end closes the listening connection; the other goes with this link.
            let _ = stop.send(());
        }
    }
}

/// A stored result that is larger than we read: the only error of a fetch that is about the result and not about the way to it.
fn too_large(server: &RedisServer, bytes: u64) -> Error {
    let what = format!(
        "the result is {} MiB; at most {} MiB are read",
        bytes >> 20,
        MAX_RESULT >> 20
    );
    Error {
        kind: Kind::TooLarge,
        ..server.failed(&what)
    }
}

/// Carries what arrives, and listens for the pulse of both connections.
struct Pump {
    server: RedisServer,
    stem: String,
    commands: MultiplexedConnection,
    listening: PubSubSink,
    stream: PubSubStream,
    incoming: mpsc::Sender<Incoming>,
}

impl Pump {
    /// Runs until the connection is lost, `stop` says so or is dropped, or nobody listens. In the first case the last word is
    /// [`Incoming::Lost`]; after `stop` nothing more is said.
    async fn run(self, stop: oneshot::Receiver<()>) {
        let Self {
            server,
            stem,
            commands,
            listening,
            mut stream,
            incoming,
        } = self;
        let why = tokio::select! {
            biased;
            _ = stop => return,
            why = carry(&mut stream, &stem, &incoming) => why,
            why = pulse(commands, listening) => Some(why),
            () = incoming.closed() => return,
        };
        if let Some(why) = why {
            // An error means that nobody listens.
            let _ = incoming.send(Incoming::Lost(server.lost(&why))).await;
        }
    }
}

/// Passes messages on until the stream ends, which it does without an error when the server goes (protocol.md 11.4).
async fn carry(
    stream: &mut PubSubStream,
    stem: &str,
    incoming: &mpsc::Sender<Incoming>,
) -> Option<String> {
    while let Some(message) = stream.next().await {
        if let Some(result) = result(stem, &message) {
            incoming.send(result).await.ok()?;
        }
    }
    Some("the server closed it".to_owned())
}

/// The channel is the key (protocol.md 2.2). What is beyond our limit is left to [`Link::fetch`], which says so.
fn result(stem: &str, message: &Msg) -> Option<Incoming> {
    let id = message.get_channel_name().strip_prefix(stem)?;
    let payload = message.get_payload_bytes();
    (payload.len() as u64 <= MAX_RESULT).then(|| Incoming::Result {
        id: TaskId::from(id),
        payload: payload.to_vec(),
    })
}

/// Ends with the reason when either connection has lost its pulse: a frozen server or a cut line says nothing by itself.
async fn pulse(mut commands: MultiplexedConnection, mut listening: PubSubSink) -> String {
    let beat = async {
        loop {
            sleep(HEARTBEAT).await;
            if let Some(why) = silence(PULSE, ping(&mut commands)).await {
                return why;
            }
        }
    };
    let listening = async {
        loop {
            sleep(HEARTBEAT).await;
            let echo = async { listening.ping::<redis::Value>().await.map(drop) };
            if let Some(why) = silence(PATIENCE, echo).await {
                return why;
            }
        }
    };
    let (beat, listening) = (pin!(beat), pin!(listening));
    futures_util::future::select(beat, listening)
        .await
        .factor_first()
        .0
}

/// Why an answer did not come; an error that the server itself wrote is an answer.
async fn silence(
    limit: Duration,
    answer: impl Future<Output = Result<(), RedisError>>,
) -> Option<String> {
    match timeout(limit, answer).await {
        Err(_) => Some(format!("nothing heard for {} s", limit.as_secs())),
        Ok(Err(error)) if error.is_io_error() || error.is_unrecoverable_error() => {
            Some(error.to_string())
        }
        Ok(_) => None,
    }
}
