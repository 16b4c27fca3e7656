//! One living pair of connections to a Redis, as the [`Link`] that `client` uses: one for commands, one that listens.
//!
//! It never reconnects and never writes to the Redis.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::{StreamExt, try_join};
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use redis::{Client, Msg, RedisError, RedisResult, cmd, pipe};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::keys::{Keys, Subscription};
use crate::backend::{Incoming, Link};
use crate::error::{Error, Kind};
use crate::protocol::TaskId;
use crate::server::redis::{RedisServer, STEP, dial, is_denied, ping};

/// The largest result that is read; a Redis value may have 512 MiB.
const MAX_RESULT: u64 = 256 << 20;

/// Rounds of a search for a key whose prefix is not known, and keys a round: a bound for a Redis with millions of them.
const SEARCH_ROUNDS: usize = 10;
const SEARCH_KEYS: usize = 1000;

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
    keys: Arc<Keys>,
    client: Client,
    commands: MultiplexedConnection,
    listening: PubSubSink,
    /// Set when the user may not ask for a part or the size of a value: then every result is treated as a large one.
    only_get: AtomicBool,
    /// Set when the user may not listen to patterns.
    no_patterns: AtomicBool,
    /// What is subscribed.
    watched: Mutex<HashMap<TaskId, Subscription>>,
    /// Weak: the channel ends with the pump.
    incoming: mpsc::WeakSender<Incoming>,
    /// Dropped or used, it stops the pump.
    stop: Mutex<Option<oneshot::Sender<()>>>,
}

impl RedisLink {
    /// Dials twice at once, makes sure that commands are allowed, and starts to carry what arrives to `incoming`.
    pub(super) async fn open(
        server: RedisServer,
        keys: Arc<Keys>,
        incoming: mpsc::Sender<Incoming>,
    ) -> Result<Self, Error> {
        let client = server.client().await?;
        let (commands, listening) = try_join!(dial(&client), client.get_async_pubsub())
            .map_err(|error| server.told(&error))?;
        let (listening, stream) = listening.split();
        let (stop, stopped) = oneshot::channel();
        let weak = incoming.downgrade();
        let pump = Pump {
            server: server.clone(),
            keys: keys.clone(),
            commands: commands.clone(),
            listening: listening.clone(),
            stream,
            incoming,
        };
        tokio::spawn(pump.run(stopped));
        Ok(Self {
            server,
            keys,
            client,
            commands,
            listening,
            only_get: AtomicBool::new(false),
            no_patterns: AtomicBool::new(false),
            watched: Mutex::default(),
            incoming: weak,
            stop: Mutex::new(Some(stop)),
        })
    }

    fn watched(&self) -> std::sync::MutexGuard<'_, HashMap<TaskId, Subscription>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens by pattern; false: the server does not let us.
    async fn listen_by_pattern(&self, pattern: &str) -> Result<bool, Error> {
        let mut listening = self.listening.clone();
        match timeout(STEP, listening.psubscribe(pattern)).await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(error)) if error.is_io_error() => Err(self.server.told(&error)),
            Ok(Err(_)) => Ok(false),
            Err(_) => Err(self.server.silent()),
        }
    }

    async fn end(&self, subscription: Subscription) -> Result<(), Error> {
        let mut listening = self.listening.clone();
        match subscription {
            Subscription::Channels(channels) => {
                self.bounded(STEP, listening.unsubscribe(channels)).await
            }
            Subscription::Pattern(pattern) => {
                self.bounded(STEP, listening.punsubscribe(pattern)).await
            }
        }
    }

    /// From now on only what is named is listened to.
    fn without_patterns(&self) {
        let first = !self.no_patterns.swap(true, Ordering::Relaxed);
        if !(first && self.keys.is_secret()) {
            return;
        }
        let notice = "the workers put a prefix before the keys of their results and do not tell it, and this user may not listen by pattern: results may not be heard; give the option global_keyprefix (--backend-option)";
        if let Some(incoming) = self.incoming.upgrade() {
            // A full channel means that much else is told.
            let _ = incoming.try_send(Incoming::Notice(notice.to_owned()));
        }
    }

    /// What is stored under `key`.
    async fn value(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let (start, size) = if self.only_get.load(Ordering::Relaxed) {
            (Vec::new(), UNKNOWN_SIZE)
        } else {
            self.look(key).await?
        };
        // An overwrite between the two commands shows as a size that does not fit; the plain GET then settles it.
        match size {
            0 => Ok(None),
            size if size == start.len() as u64 => Ok(Some(start)),
            size => self.fetch_large(key, size).await,
        }
    }

    /// Looks for a key whose prefix is not known, not farther than the bound; `None`: not found, which says nothing.
    async fn search(&self, id: &TaskId) -> Option<String> {
        let mut commands = self.commands.clone();
        let pattern = Keys::pattern(id);
        let mut cursor = 0_u64;
        for _ in 0..SEARCH_ROUNDS {
            let mut scan = cmd("SCAN");
            scan.arg(cursor)
                .arg("MATCH")
                .arg(&pattern)
                .arg("COUNT")
                .arg(SEARCH_KEYS);
            let answer = timeout(STEP, scan.query_async(&mut commands)).await;
            let (next, found): (u64, Vec<String>) = answer.ok()?.ok()?;
            if let Some(key) = found.into_iter().next() {
                // Its spelling is remembered for the next one.
                return self.keys.read(&key).map(|_| key);
            }
            cursor = next;
            if cursor == 0 {
                return None;
            }
        }
        None
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
        let by_pattern = !self.no_patterns.load(Ordering::Relaxed);
        let mut subscription = self.keys.subscription(id, by_pattern);
        if let Subscription::Pattern(pattern) = &subscription
            && !self.listen_by_pattern(pattern).await?
        {
            self.without_patterns();
            subscription = self.keys.subscription(id, false);
        }
        if let Subscription::Channels(channels) = &subscription {
            let mut listening = self.listening.clone();
            self.bounded(STEP, listening.subscribe(channels)).await?;
        }
        let before = self.watched().insert(id.clone(), subscription.clone());
        match before.filter(|before| *before != subscription) {
            Some(before) => self.end(before).await,
            None => Ok(()),
        }
    }

    async fn unwatch(&self, id: &TaskId) -> Result<(), Error> {
        let subscription = self.watched().remove(id);
        match subscription {
            Some(subscription) => self.end(subscription).await,
            None => Ok(()),
        }
    }

    async fn fetch(&self, id: &TaskId) -> Result<Option<Vec<u8>>, Error> {
        for key in self.keys.of(id) {
            if let Some(found) = self.value(&key).await? {
                return Ok(Some(found));
            }
        }
        if !self.keys.is_secret() {
            return Ok(None);
        }
        match self.search(id).await {
            Some(key) => self.value(&key).await,
            None => Ok(None),
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
    keys: Arc<Keys>,
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
            keys,
            commands,
            listening,
            mut stream,
            incoming,
        } = self;
        let why = tokio::select! {
            biased;
            _ = stop => return,
            why = carry(&mut stream, &keys, &incoming) => why,
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
    keys: &Keys,
    incoming: &mpsc::Sender<Incoming>,
) -> Option<String> {
    while let Some(message) = stream.next().await {
        if let Some(result) = result(keys, &message) {
            incoming.send(result).await.ok()?;
        }
    }
    Some("the server closed it".to_owned())
}

/// The channel is the key (protocol.md 2.2). What is beyond our limit is left to [`Link::fetch`], which says so.
fn result(keys: &Keys, message: &Msg) -> Option<Incoming> {
    let id = keys.read(message.get_channel_name())?;
    let payload = message.get_payload_bytes();
    (payload.len() as u64 <= MAX_RESULT).then(|| Incoming::Result {
        id,
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
