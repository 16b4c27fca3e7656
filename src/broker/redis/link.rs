//! One living set of connections to a Redis, as the [`Link`] that `client` uses.
//!
//! Three connections: one publishes tasks, one reads our list, one asks and controls; so nothing large delays anything else. A
//! fourth listens to events while they are wanted. It never reconnects.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::try_join;
use redis::aio::{MultiplexedConnection, PubSubSink};
use redis::{Client, RedisError, RedisResult, Value, cmd, pipe};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::debts::Left;
use super::events::{self, Change};
use super::held::HeldMessages;
use super::inbox::ferry::{self, Ferry, REGISTER, shelf};
use super::inbox::{self, Inbox, Opened};
use super::lease::{self, Lease};
use super::names::Names;
use super::publish::{Publisher, announce, leave};
use super::pump::Pump;
use super::{ReplyList, bindings, errors};
use crate::broker::{AckTag, Delivery, Depth, Held, Incoming, Link, Listed, Reach, Route};
use crate::error::Error;
use crate::protocol::control::ReplyTo;
use crate::protocol::{Message, QueueName, TaskId, envelope};
use crate::server::redis::{RedisServer, STEP, dial, is_denied, ping};

/// How long after connecting a worker that connects too may not yet listen; and how long it is given then (protocol.md 9.25).
const YOUNG: Duration = Duration::from_secs(1);
const SECOND_TRY: Duration = Duration::from_millis(50);

/// How long closing may take.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long replies that are on their way are waited for at the end: while one may come, our list has to stay.
const LAST_REPLIES: Duration = Duration::from_millis(100);

/// See the head of this file.
pub(super) struct RedisLink {
    server: RedisServer,
    client: Client,
    names: Names,
    list: ReplyList,
    lease: Arc<Lease>,
    /// Whether a ferry reads the list; then there are two lists.
    ferried: bool,
    commands: MultiplexedConnection,
    publisher: Arc<Publisher>,
    held: HeldMessages,
    since: Instant,
    asked_twice: AtomicBool,
    recorded: mpsc::UnboundedSender<AckTag>,
    /// What holds the connection for events, while they are listened to, and where to tell the pump.
    events: tokio::sync::Mutex<(Option<PubSubSink>, events::Switch)>,
    /// Dropped or used, it stops the pump.
    stop: Mutex<Option<oneshot::Sender<()>>>,
}

impl RedisLink {
    /// Dials all connections at once, makes sure that it is a master, and starts to carry what arrives to `incoming`.
    pub(super) async fn open(
        server: RedisServer,
        names: Names,
        list: ReplyList,
        incoming: mpsc::Sender<Incoming>,
    ) -> Result<Self, Error> {
        let client = server.client().await?;
        let key = names.key(&list.name);
        let told = |error: RedisError| server.told(&error);
        let (commands, connection, opened) = try_join!(
            async {
                let mut commands = dial(&client).await.map_err(told)?;
                check_role(&server, &mut commands).await?;
                Ok(commands)
            },
            async { dial(&client).await.map_err(told) },
            async { inbox::open(&client, &key).await.map_err(told) },
        )?;
        let ferry = if opened.tracked {
            None
        } else {
            Some(ferry(&server, &client, &names, &list, &opened).await?)
        };
        let lease = Arc::new(Lease::new(names.clone(), &list));
        let publisher = Arc::new(Publisher {
            server: server.clone(),
            connection,
            busy: AtomicUsize::new(0),
        });
        let (recorded, acks) = mpsc::unbounded_channel();
        let read_from = if ferry.is_some() { shelf(&key) } else { key };
        let inbox = Inbox::new(
            server.clone(),
            read_from,
            opened,
            acks,
            incoming.clone(),
            (list.debts.clone(), lease.clone(), list.next_number()),
        )
        .await?;
        if ferry.is_none() {
            let mut commands = commands.clone();
            lease.bind(&mut commands).await.map_err(told)?;
        }
        let (switch, wanted) = events::switch();
        let ferried = ferry.is_some();
        let pump = Pump {
            server: server.clone(),
            commands: commands.clone(),
            publisher: publisher.clone(),
            inbox,
            ferry,
            events: wanted,
            incoming,
        };
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(pump.run(stopped));
        tokio::spawn(sweep(commands.clone(), names.clone()));
        Ok(Self {
            server,
            client,
            names,
            list,
            lease,
            ferried,
            commands,
            publisher,
            held: HeldMessages::default(),
            since: Instant::now(),
            asked_twice: AtomicBool::new(false),
            recorded,
            events: tokio::sync::Mutex::new((None, switch)),
            stop: Mutex::new(Some(stop)),
        })
    }

    /// Runs one exchange within the usual time.
    async fn bounded<T>(
        &self,
        doing: impl FnOnce() -> String,
        exchange: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, Error> {
        match timeout(STEP, exchange).await {
            Ok(answer) => answer.map_err(|error| errors::told(&self.server, &doing(), &error)),
            Err(_) => Err(self.server.silent()),
        }
    }

    /// How many heard it. Nobody at all right after connecting may mean that workers were not ready: once more then. Twice
    /// nobody heard it, so nobody heard it twice.
    async fn ask(&self, channels: &[String], element: &[u8]) -> RedisResult<u64> {
        let mut commands = self.commands.clone();
        self.lease.keep_bound(&mut commands).await?;
        let heard = announce(&mut commands, channels, element).await?;
        let is_young = self.since.elapsed() < YOUNG;
        if heard > 0 || !is_young || self.asked_twice.swap(true, Ordering::Relaxed) {
            return Ok(heard);
        }
        sleep(SECOND_TRY).await;
        announce(&mut commands, channels, element).await
    }

    /// Messages in all lists of a queue. A list is there only while something is in it.
    async fn ready(&self, queue: &str) -> Result<u64, Error> {
        let lists = self.names.lists(queue);
        let mut lengths = pipe();
        for list in &lists {
            lengths.cmd("LLEN").arg(list);
        }
        let mut commands = self.commands.clone();
        let answer = lengths.query_async::<Vec<u64>>(&mut commands);
        let doing = || format!("LLEN {}", lists.join(", "));
        Ok(self.bounded(doing, answer).await?.into_iter().sum())
    }

    /// Removes our list, or leaves it with its time to live where a worker may still push to it.
    async fn tidy_up(&self) -> RedisResult<()> {
        let mut commands = self.commands.clone();
        if !self.ferried {
            return self.lease.end(&mut commands).await;
        }
        let list = self.names.key(&self.list.name);
        let mut tidy = pipe();
        tidy.cmd("DEL").arg(&list).arg(shelf(&list));
        // Else it stays in the register.
        if self.list.debts.left() == Left::Nothing {
            let register = self.names.key(REGISTER);
            tidy.cmd("ZREM").arg(register).arg(&self.list.name);
        }
        tidy.exec_async(&mut commands).await
    }

    /// A task is sent whose result may come here: from the first one on, the list lives longer.
    async fn owe(&self, id: &str) {
        if !self.list.debts.task(id) || self.ferried {
            return;
        }
        let list = self.names.key(&self.list.name);
        let mut commands = self.commands.clone();
        // A server that does not answer will say so to the task itself.
        let _ = timeout(STEP, self.lease.renew(&mut commands, &list)).await;
    }
}

#[async_trait]
impl Link for RedisLink {
    fn result_queue(&self) -> String {
        self.list.name.clone()
    }

    fn reply_queue(&self) -> String {
        self.list.name.clone()
    }

    fn reply_to(&self) -> ReplyTo {
        self.lease.reply_to()
    }

    async fn publish(&self, route: &Route, message: Message) -> Delivery {
        let debts = &self.list.debts;
        let owed = message.properties.correlation_id.as_deref();
        let owed = owed
            .filter(|_| message.properties.reply_to.as_ref() == Some(&self.list.name))
            .map(str::to_owned);
        if let Some(id) = &owed {
            self.owe(id).await;
        }
        let commands = self.commands.clone();
        let delivery = self
            .publisher
            .publish(&self.names, commands, route, &message)
            .await;
        if let (Some(id), Delivery::Unsent(_) | Delivery::Returned(_)) = (&owed, &delivery) {
            debts.not_sent(id);
        }
        delivery
    }

    async fn broadcast(&self, request: Message) -> Result<Reach, Error> {
        let exchange = self.names.control_exchange();
        let channels = self.names.channels(exchange, "");
        let element = envelope::encode(&request, exchange, "");
        let doing = || format!("PUBLISH {}", channels.join(", "));
        let heard = self.bounded(doing, self.ask(&channels, &element)).await;
        self.list.debts.asked(match &heard {
            Ok(heard) => *heard,
            // Perhaps somebody heard it.
            Err(_) => 1,
        });
        Ok(match heard? {
            0 => Reach::Nobody,
            heard => Reach::Listeners(heard),
        })
    }

    async fn depth(&self, queue: &QueueName) -> Result<Depth, Error> {
        let ready = self.ready(queue.as_str()).await?;
        let mut commands = self.commands.clone();
        let held = self.held.of(&mut commands, &self.names, queue.as_str());
        let (held, held_ago): (Held, Duration) = self
            .bounded(|| format!("HSCAN {}", self.names.unacked()), held)
            .await?;
        Ok(Depth::Known {
            ready,
            held,
            held_ago,
            consumers: None,
            rates: None,
        })
    }

    async fn listed(&self) -> Result<Option<Listed>, Error> {
        let mut commands = self.commands.clone();
        let listed = bindings::listed(&mut commands, &self.names);
        let doing = || format!("SCAN {}", self.names.all_bindings());
        self.bounded(doing, listed).await.map(Some)
    }

    async fn events(&self, wanted: bool) -> Result<(), Error> {
        let mut state = self.events.lock().await;
        if state.0.is_some() == wanted {
            return Ok(());
        }
        let stream = if wanted {
            let patterns = self.names.event_patterns();
            let heirs = self.names.heirs();
            let listen = events::listen(&self.client, &patterns, &heirs);
            let doing = || format!("PSUBSCRIBE {}", patterns.join(", "));
            let (sink, stream) = self.bounded(doing, listen).await?;
            state.0 = Some(sink);
            Some(stream)
        } else {
            if let Some(mut sink) = state.0.take() {
                // Confirmed, so that what we leave behind does not come back to us.
                let _ = timeout(STEP, sink.unsubscribe(self.names.heirs())).await;
            }
            None
        };
        let (done, passed) = oneshot::channel();
        // The pump may have ended; then the link is lost and tells so.
        let _ = state.1.send(Change { to: stream, done }).await;
        let _ = timeout(STEP, passed).await;
        Ok(())
    }

    async fn hand_over(&self, note: Vec<u8>) -> bool {
        let channels = self.names.heirs();
        let mut commands = self.commands.clone();
        let doing = || format!("PUBLISH {}", channels.join(", "));
        let told = leave(&mut commands, &channels, &note);
        self.bounded(doing, told).await.unwrap_or(false)
    }

    fn settled(&self, id: &TaskId) {
        self.list.debts.settled(id);
    }

    async fn ack(&self, tag: AckTag) {
        // The reader may have ended; then the result comes again.
        let _ = self.recorded.send(tag);
    }

    async fn ping(&self) -> Result<Duration, Error> {
        let start = Instant::now();
        let mut commands = self.commands.clone();
        self.bounded(|| "PING".to_owned(), ping(&mut commands))
            .await?;
        Ok(start.elapsed())
    }

    async fn close(&self) {
        let _ = timeout(LAST_REPLIES, self.list.debts.replies()).await;
        let stop = self
            .stop
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(stop) = stop {
            // The pump may have ended already; then the list stays with its time to live.
            if stop.send(()).is_err() {
                return;
            }
        }
        match timeout(GOODBYE, self.tidy_up()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "our list was not removed; it expires"),
            Err(_) => tracing::debug!("the broker did not answer our goodbye in time"),
        }
    }
}

/// Connects the ferry, which waits for pushes where the server does not tell of them.
async fn ferry(
    server: &RedisServer,
    client: &Client,
    names: &Names,
    list: &ReplyList,
    opened: &Opened,
) -> Result<Ferry, Error> {
    let connection = dial(client).await.map_err(|error| server.told(&error))?;
    Ok(Ferry {
        connection,
        register: names.key(REGISTER),
        list: (list.name.clone(), names.key(&list.name)),
        wake: opened.wake.clone(),
    })
}

/// Refuses what nothing can be published on, in clear words: to a replica a PUBLISH succeeds and reaches nobody.
async fn check_role(
    server: &RedisServer,
    commands: &mut MultiplexedConnection,
) -> Result<(), Error> {
    let role: RedisResult<Vec<Value>> = cmd("ROLE").query_async(commands).await;
    let role = match role {
        Ok(role) => role,
        // Then the first write tells.
        Err(error) if is_denied(&error) || errors::is_answer(&error) => return Ok(()),
        Err(error) => return Err(server.told(&error)),
    };
    match role.first() {
        Some(Value::BulkString(name)) if name == b"slave" => Err(errors::read_only(server)),
        Some(Value::BulkString(name)) if name == b"sentinel" => Err(errors::sentinel(server)),
        _ => Ok(()),
    }
}

/// Removes what others left behind, beside the main work.
async fn sweep(mut commands: MultiplexedConnection, names: Names) {
    let swept = async {
        lease::sweep(&mut commands, &names).await?;
        ferry::sweep(&mut commands, |name| names.key(name)).await
    };
    if let Ok(Err(error)) = timeout(STEP, swept).await {
        tracing::debug!(%error, "stale lists were not looked for");
    }
}
