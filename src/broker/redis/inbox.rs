//! Our one list in the Redis: workers push control replies and rpc results to it, and it is read from here. It publishes nothing.
//!
//! * Nothing is left behind, even after a kill: a worker's LPUSH makes a list without a time to live, so ours is never empty. A
//!   mark stands at its right end and the list has a time to live (its [`Lease`]), which pushes do not change.
//! * A push is heard without asking: `CLIENT TRACKING` in broadcasting mode tells of every change of the list (Redis 6). Where it
//!   may not be had, a [`ferry`] carries what comes into a second list.
//! * Nothing is lost: what was read stays in the list until it was recorded, then it is cut off at the right end together with
//!   the old mark. The mark is another one each time and is watched, so that a cut that arrives late cuts nothing.

pub(super) mod ferry;
mod window;

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ProtocolVersion, PushInfo, RedisError, RedisResult, cmd, pipe,
};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout};

use super::debts::Debts;
use super::errors;
use super::lease::{Lease, RENEW};
use crate::broker::{AckTag, Incoming};
use crate::error::Error;
use crate::protocol::{Message, envelope};
use crate::server::redis::{RedisServer, STEP, dial, ping};
use window::Window;

/// How often a silent connection is asked whether it lives, and how long it may take.
const HEARTBEAT: Duration = Duration::from_secs(5);
const PULSE: Duration = Duration::from_secs(2);

/// How long reading may take; results may be large and lines slow. A frozen server is found by another connection.
const PATIENCE: Duration = Duration::from_mins(10);

/// Elements that are read at once; the next time fewer after large ones, so that what is in memory stays bounded.
const BATCH: usize = 64;
const LARGE_BATCH: usize = 4 << 20;

/// Results that wait for being recorded; no more are read meanwhile.
const UNRECORDED: usize = 64;

/// An element that is larger is decoded apart, so that nothing waits for it.
const LARGE: usize = 256 << 10;

/// How a mark begins; no worker's message does.
const MARK: &str = "umbel:";

/// Tries to cut while others push; then it waits a moment.
const CUTS: usize = 3;
const BETWEEN_CUTS: Duration = Duration::from_millis(20);

/// The reader of the list.
pub(super) struct Inbox {
    server: RedisServer,
    /// The key.
    list: String,
    connection: MultiplexedConnection,
    /// Something changed in the list.
    wake: Arc<Notify>,
    /// What has been recorded.
    recorded: mpsc::UnboundedReceiver<AckTag>,
    incoming: mpsc::Sender<Incoming>,
    debts: Arc<Debts>,
    lease: Arc<Lease>,
    window: Window,
    mark: String,
    batch: usize,
}

/// Where the inbox is read from and who tells of news.
pub(super) struct Opened {
    pub(super) connection: MultiplexedConnection,
    pub(super) wake: Arc<Notify>,
    /// Whether the server tells of changes; else a ferry is needed.
    pub(super) tracked: bool,
}

/// Connects, and asks to be told of every change of `list`.
pub(super) async fn open(client: &Client, list: &str) -> RedisResult<Opened> {
    let wake = Arc::new(Notify::new());
    match track(client, list, wake.clone()).await {
        Ok(connection) => Ok(Opened {
            connection,
            wake,
            tracked: true,
        }),
        // An answer: the server is older than Redis 6, or the user may not.
        Err(error) if !error.is_io_error() => {
            tracing::info!(%error, "no CLIENT TRACKING: replies are carried by BRPOPLPUSH");
            Ok(Opened {
                connection: dial(client).await?,
                wake,
                tracked: false,
            })
        }
        Err(error) => Err(error),
    }
}

async fn track(
    client: &Client,
    list: &str,
    wake: Arc<Notify>,
) -> RedisResult<MultiplexedConnection> {
    let info = client.get_connection_info().clone();
    let login = info.redis_settings().clone();
    let info = info.set_redis_settings(login.set_protocol(ProtocolVersion::RESP3));
    // Whatever is pushed here, the end of the connection included: there is something to look at.
    let look = move |_: PushInfo| {
        wake.notify_one();
        Ok::<_, std::convert::Infallible>(())
    };
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(STEP))
        .set_response_timeout(None)
        .set_push_sender(look);
    let mut connection = Client::open(info)?
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    let mut tracking = cmd("CLIENT");
    tracking.arg(&["TRACKING", "ON", "BCAST", "PREFIX", list]);
    tracking.exec_async(&mut connection).await?;
    Ok(connection)
}

impl Inbox {
    /// Makes sure that the list is there. `first` numbers its results; it must be new for every connection of a run.
    pub(super) async fn new(
        server: RedisServer,
        list: String,
        opened: Opened,
        recorded: mpsc::UnboundedReceiver<AckTag>,
        incoming: mpsc::Sender<Incoming>,
        (debts, lease, first): (Arc<Debts>, Arc<Lease>, u64),
    ) -> Result<Self, Error> {
        let mut inbox = Self {
            server,
            list,
            connection: opened.connection,
            wake: opened.wake,
            recorded,
            incoming,
            debts,
            lease,
            window: Window::new(first),
            mark: String::new(),
            batch: BATCH,
        };
        match inbox.establish().await {
            Ok(()) => Ok(inbox),
            Err(error) => Err(inbox.told("a list of our own", &error)),
        }
    }

    fn told(&self, what: &str, error: &RedisError) -> Error {
        errors::told(&self.server, &format!("{what}: {}", self.list), error)
    }

    /// Reads until the connection is of no use any more; says why. `None`: nobody listens.
    pub(super) async fn run(mut self) -> Option<String> {
        let mut renewed = Instant::now();
        loop {
            if renewed.elapsed() >= RENEW {
                renewed = Instant::now();
                if let Err(why) = self.beat(true).await {
                    return Some(why);
                }
            }
            match self.round().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(End::Lost(why)) => return Some(why),
                Err(End::Unwanted) => return None,
            }
            let pause = match self.window.ripe() {
                0 => HEARTBEAT,
                _ => BETWEEN_CUTS,
            };
            let (wake, recorded) = (self.wake.clone(), &mut self.recorded);
            let idle = tokio::select! {
                () = wake.notified() => false,
                Some(tag) = recorded.recv() => {
                    self.window.settle(tag.0);
                    false
                }
                () = sleep(pause) => pause == HEARTBEAT,
            };
            if idle && let Err(why) = self.beat(false).await {
                return Some(why);
            }
        }
    }

    /// The connection proves that it lives, and perhaps the list's life is prolonged.
    async fn beat(&mut self, renew: bool) -> Result<(), String> {
        let beat = async {
            if renew {
                self.lease.renew(&mut self.connection, &self.list).await
            } else {
                ping(&mut self.connection).await
            }
        };
        match timeout(PULSE, beat).await {
            Err(_) => Err(format!("nothing heard for {} s", PULSE.as_secs())),
            Ok(Err(error)) if !errors::is_answer(&error) => Err(error.to_string()),
            Ok(_) => Ok(()),
        }
    }

    /// Cuts off what was recorded, reads what is new and hands it over. Whether there may be more.
    async fn round(&mut self) -> Result<bool, End> {
        while let Ok(tag) = self.recorded.try_recv() {
            self.window.settle(tag.0);
        }
        self.cut().await?;
        if self.window.unsettled() >= UNRECORDED {
            return Ok(false);
        }
        let elements = self.read().await?;
        if elements.is_empty() {
            return Ok(false);
        }
        let bytes: usize = elements.iter().map(Vec::len).sum();
        self.batch = if bytes > LARGE_BATCH {
            1
        } else {
            (self.batch * 2).min(BATCH)
        };
        // The list grows at its left end: the oldest are last.
        for element in elements.into_iter().rev() {
            self.hand_over(element).await?;
        }
        Ok(true)
    }

    /// The next elements behind those that are in the window, the newest first.
    async fn read(&mut self) -> Result<Vec<Vec<u8>>, End> {
        let seen = self.window.len();
        let (first, last) = (distance(seen + 1 + self.batch), distance(seen + 2));
        let mut look = pipe();
        look.cmd("LINDEX").arg(&self.list).arg(-1);
        look.cmd("LRANGE").arg(&self.list).arg(first).arg(last);
        let (mark, elements): (Option<Vec<u8>>, Vec<Vec<u8>>) =
            patient(look.query_async(&mut self.connection)).await?;
        if mark.as_deref() == Some(self.mark.as_bytes()) {
            return Ok(elements);
        }
        // Somebody emptied the database, or evicted the list: from the start.
        tracing::warn!(list = self.list, "our list of replies was replaced");
        self.window.clear();
        patient(self.establish()).await?;
        if self.lease.is_bound() {
            patient(self.lease.bind(&mut self.connection)).await?;
        }
        self.wake.notify_one();
        Ok(Vec::new())
    }

    async fn hand_over(&mut self, element: Vec<u8>) -> Result<(), End> {
        if element.starts_with(MARK.as_bytes()) {
            self.window.push(true);
            return Ok(());
        }
        let message = decode(element).await;
        let incoming = if is_result(&message) {
            self.debts.result(&message);
            let tag = AckTag(self.window.push(false));
            Incoming::Result { message, tag }
        } else {
            self.debts.reply();
            self.window.push(true);
            Incoming::Reply(message)
        };
        self.incoming.send(incoming).await.or(Err(End::Unwanted))
    }

    /// Removes what was recorded, if it is the oldest.
    async fn cut(&mut self) -> Result<(), End> {
        for _ in 0..CUTS {
            let ripe = self.window.ripe();
            if ripe == 0 {
                return Ok(());
            }
            if patient(self.try_cut(ripe)).await? {
                self.window.remove(ripe);
            }
        }
        Ok(())
    }

    /// `false`: somebody pushed meanwhile, or the mark is not ours.
    async fn try_cut(&mut self, count: usize) -> RedisResult<bool> {
        let mut watch = pipe();
        watch.cmd("WATCH").arg(&self.list).ignore();
        watch.cmd("LINDEX").arg(&self.list).arg(-1);
        let (mark,): (Option<Vec<u8>>,) = watch.query_async(&mut self.connection).await?;
        if mark.as_deref() != Some(self.mark.as_bytes()) {
            cmd("UNWATCH").exec_async(&mut self.connection).await?;
            // Reading finds out.
            return Ok(false);
        }
        let mark = new_mark();
        let mut cut = pipe();
        cut.atomic();
        // The old mark goes, and the last that was recorded becomes the new one.
        cut.cmd("LTRIM")
            .arg(&self.list)
            .arg(0)
            .arg(distance(count + 1));
        cut.cmd("LSET").arg(&self.list).arg(-1).arg(&mark);
        let done: Option<(String, String)> = cut.query_async(&mut self.connection).await?;
        if done.is_some() {
            self.mark = mark;
        }
        Ok(done.is_some())
    }

    /// Puts a new mark of ours at the end of the list, which may hold what came while we were away.
    async fn establish(&mut self) -> RedisResult<()> {
        let mut look = cmd("LINDEX");
        look.arg(&self.list).arg(-1);
        let last: Option<Vec<u8>> = look.query_async(&mut self.connection).await?;
        let is_marked = last.is_some_and(|last| last.starts_with(MARK.as_bytes()));
        self.mark = new_mark();
        let mut set = pipe();
        set.atomic();
        if is_marked {
            set.cmd("LSET").arg(&self.list).arg(-1).arg(&self.mark);
        } else {
            set.cmd("RPUSH").arg(&self.list).arg(&self.mark);
        }
        set.cmd("EXPIRE").arg(&self.list).arg(self.lease.seconds());
        set.exec_async(&mut self.connection).await
    }
}

/// Why reading ends.
enum End {
    Lost(String),
    /// Nobody listens any more.
    Unwanted,
}

/// An exchange on the reader's connection; whatever goes wrong with it, it is of no use any more.
async fn patient<T>(exchange: impl Future<Output = RedisResult<T>>) -> Result<T, End> {
    match timeout(PATIENCE, exchange).await {
        Ok(answer) => answer.map_err(|error| End::Lost(error.to_string())),
        Err(_) => Err(End::Lost(format!("no answer for {} s", PATIENCE.as_secs()))),
    }
}

/// The index of the `count`th element from the right.
fn distance(count: usize) -> i64 {
    i64::try_from(count).map_or(i64::MIN, |count| -count)
}

fn new_mark() -> String {
    format!("{MARK}{}", uuid::Uuid::new_v4())
}

/// Control replies have a ticket, results a `correlation_id` (protocol.md 3.3).
fn is_result(message: &Message) -> bool {
    let has_ticket = message.headers.iter().any(|(name, _)| name == "ticket");
    !has_ticket && message.properties.correlation_id.is_some()
}

/// What cannot be read becomes a message that nobody can read either, so that it is told and not passed over.
async fn decode(element: Vec<u8>) -> Message {
    let decoded = if element.len() < LARGE {
        envelope::decode(&element)
    } else {
        match tokio::task::spawn_blocking(move || envelope::decode(&element)).await {
            Ok(decoded) => decoded,
            Err(_) => return Message::default(),
        }
    };
    decoded.unwrap_or_else(|error| {
        tracing::warn!(%error, "an element of our list is no message");
        Message::default()
    })
}
