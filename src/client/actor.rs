//! The actor that owns both links: dials, reconnects, asks, publishes, and tells everything as events. It never draws and never decides for a person.

mod calls;
mod events;
mod following;
mod investigation;
mod links;
mod polling;
mod results;
mod tidying;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use self::calls::Tracked;
use self::events::Ears;
use self::investigation::Investigation;
use self::links::Slot;
use self::polling::{Announcement, Schedule};
use self::results::Arrival;
use self::tidying::Chore;
use super::event::{Event, LinkName, LinkState};
use super::replies::Replies;
use super::survey::{Purpose, Survey};
use super::{Client, Command};
use crate::backend::{self, Results, Told};
use crate::broker::{self, Broker, Delivery, Depth, Listed, Reach};
use crate::call::Fact;
use crate::clock::{Clock, Moment, Now};
use crate::cluster::{Cluster, Heard, Question};
use crate::error::{Error, Kind};
use crate::protocol::control::Signal;
use crate::protocol::{QueueName, TaskId};

/// Commands that may wait for the actor, outcomes that may wait for it, and events that may wait for their reader.
const ROOM: usize = 1024;
/// How long a connection that is being made is awaited at the end.
const DIALLING: Duration = Duration::from_millis(150);
/// Different notices that are told; more would be a flood.
const MOST_NOTICES: usize = 32;
/// How long leaving the workers as they were may take, and closing the links.
const CLOSING: Duration = Duration::from_secs(2);
/// Deliveries of a link that may wait for the actor.
const INCOMING: usize = 1024;

/// Turns what a worker says about its result backend into a way to it.
pub type Resolve = Box<dyn Fn(&Told) -> Result<Results, Error> + Send + Sync>;

/// Where the results are to be read.
pub enum ResultsSource {
    /// The user named it.
    Given(Results),
    /// The workers are asked (`conf`, then `report`).
    Workers(Resolve),
}

/// What a client is started with.
pub struct Setup {
    /// The way to the broker.
    pub broker: Arc<dyn Broker>,
    /// Where results are.
    pub results: ResultsSource,
    /// What it is for: how much is asked, and whether it goes on asking.
    pub purpose: Purpose,
    /// Time.
    pub clock: Clock,
    /// `origin` header of tasks, `gen<pid>@<host>`.
    pub origin: String,
}

/// What came of something that ran beside the actor.
enum Done {
    Broker(Result<Connected<dyn broker::Link, broker::Incoming>, Error>),
    Backend(Result<Connected<dyn backend::Link, backend::Incoming>, Error>),
    /// The result of this id is subscribed to, though no call was ordered yet.
    Expected(TaskId),
    Publishing(TaskId),
    NotSent(TaskId, Error),
    Published(TaskId, Delivery, bool),
    Fetched(TaskId, Result<Option<Vec<u8>>, Error>),
    /// A large result was read.
    Read(Arrival),
    /// The link brings events now, or cannot.
    Hearing(Result<(), Error>),
    /// What is left of results that were read can be tidied up.
    Quiet,
    /// A question leaves now.
    Asking(String, Question),
    Reached(Option<Question>, Result<Reach, Error>),
    /// A look at a queue that began then.
    Depth(QueueName, Moment, Result<Depth, Error>),
    Listed(Result<Option<Listed>, Error>),
    Latency(LinkName, Result<Duration, Error>),
    RevokeSent(TaskId, Result<Reach, Error>),
}

struct Connected<L: ?Sized, I> {
    link: Arc<L>,
    incoming: mpsc::Receiver<I>,
}

struct Actor {
    clock: Clock,
    purpose: Purpose,
    origin: String,
    events: mpsc::Sender<Event>,
    done: mpsc::Sender<Done>,
    way: Arc<dyn Broker>,
    broker: Slot<dyn broker::Link>,
    /// Questions on their way to the workers, while the broker is up.
    line: Option<mpsc::Sender<Announcement>>,
    backend: Slot<dyn backend::Link>,
    results: Option<Results>,
    resolve: Option<Resolve>,
    replies: Replies,
    cluster: Cluster,
    survey: Option<Survey>,
    calls: HashMap<TaskId, Tracked>,
    /// Results that are subscribed to before their call is ordered.
    expected: HashSet<TaskId>,
    /// Events, for the calls whose end they tell.
    ears: Ears,
    /// The broker blocks publishers.
    blocked: bool,
    /// What was told as [`Event::Notice`].
    noticed: HashSet<String>,
    schedule: Schedule,
    investigation: Investigation,
    /// What is left of results that were read.
    chores: Vec<Chore>,
}

/// The ends of the channels that only the loop reads.
struct Inbox {
    commands: mpsc::Receiver<Command>,
    done: mpsc::Receiver<Done>,
    broker: Option<mpsc::Receiver<broker::Incoming>>,
    backend: Option<mpsc::Receiver<backend::Incoming>>,
}

/// Starts the actor on the current runtime; it dials at once.
pub fn start(setup: Setup) -> (Client, mpsc::Receiver<Event>) {
    let (command_sender, commands) = mpsc::channel(ROOM);
    let (events, event_receiver) = mpsc::channel(ROOM);
    let (done_sender, done) = mpsc::channel(ROOM);
    let (results, resolve) = match setup.results {
        ResultsSource::Given(results) => (Some(results), None),
        ResultsSource::Workers(resolve) => (None, Some(resolve)),
    };
    let actor = Actor {
        clock: setup.clock,
        purpose: setup.purpose,
        origin: setup.origin,
        events,
        done: done_sender,
        way: setup.broker,
        broker: Slot::new(),
        line: None,
        backend: Slot::new(),
        results,
        resolve,
        replies: Replies::default(),
        cluster: Cluster::default(),
        survey: None,
        calls: HashMap::new(),
        expected: HashSet::new(),
        ears: Ears::default(),
        blocked: false,
        noticed: HashSet::new(),
        schedule: Schedule::default(),
        investigation: Investigation::default(),
        chores: Vec::new(),
    };
    let inbox = Inbox {
        commands,
        done,
        broker: None,
        backend: None,
    };
    tokio::spawn(actor.run(inbox));
    (Client::new(command_sender), event_receiver)
}

impl Actor {
    async fn run(mut self, mut inbox: Inbox) {
        self.dial_broker().await;
        if let Some(results) = self.results.clone() {
            self.tell(Event::Results(results)).await;
            self.dial_backend().await;
        }
        while self.step(&mut inbox).await {}
        self.await_dial(&mut inbox).await;
        self.await_switches(&mut inbox).await;
        self.close(inbox).await;
    }

    /// Waits for one thing and handles it; false at the end.
    async fn step(&mut self, inbox: &mut Inbox) -> bool {
        let due = self.next_due().0.saturating_sub(self.clock.now().mono.0);
        tokio::select! {
            biased;
            // First, so that a call is known to be published before its result is read.
            Some(done) = inbox.done.recv() => self.done(done, inbox).await,
            incoming = next(&mut inbox.broker) => if let Some(incoming) = incoming { self.broker_says(incoming).await } else {
                inbox.broker = None;
                self.broker_lost(ended("broker")).await;
            },
            incoming = next(&mut inbox.backend) => if let Some(incoming) = incoming { self.backend_says(incoming).await } else {
                inbox.backend = None;
                self.backend_lost(ended("result backend")).await;
            },
            command = inbox.commands.recv() => match command {
                None | Some(Command::Close) => return false,
                Some(command) => self.command(command).await,
            },
            () = tokio::time::sleep(due) => self.tick().await,
        }
        true
    }

    async fn done(&mut self, done: Done, inbox: &mut Inbox) {
        match done {
            Done::Broker(Ok(Connected { link, incoming })) => {
                inbox.broker = Some(incoming);
                self.broker_up(link).await;
            }
            Done::Broker(Err(error)) => self.broker_failed(error).await,
            Done::Backend(Ok(Connected { link, incoming })) => {
                inbox.backend = Some(incoming);
                self.backend_up(link).await;
            }
            Done::Backend(Err(error)) => self.backend_failed(error).await,
            Done::Expected(id) => {
                self.expected.insert(id);
            }
            Done::Publishing(id) => self.publishing(id).await,
            Done::NotSent(id, error) => self.not_sent(id, error).await,
            Done::Published(id, delivery, no_result) => {
                self.published(id, delivery, no_result).await;
            }
            Done::Fetched(id, document) => self.fetched(id, document).await,
            Done::Read(arrival) => self.read(arrival).await,
            Done::Hearing(heard) => self.hearing(heard).await,
            Done::Quiet => self.tidy(),
            Done::Asking(ticket, question) => self.asking(&ticket, question).await,
            Done::Reached(question, reach) => self.reached(question, reach).await,
            Done::Depth(queue, began, depth) => self.depth(queue, began, depth).await,
            Done::Listed(listed) => self.tell(Event::Listed(listed)).await,
            Done::Latency(link, latency) => self.latency(link, latency).await,
            Done::RevokeSent(id, reach) => self.revoke_sent(id, reach).await,
        }
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Call(order) => self.order(*order).await,
            Command::Expect(id) => self.expect(id),
            Command::Follow(id) => self.follow(id),
            Command::ResultsWereAt(address) => self.results_were_at(&address).await,
            Command::Refresh => self.refresh().await,
            Command::Queue(queue) => self.look_at(queue),
            Command::ListQueues => self.list_queues(),
            Command::Investigate { id, queue } => self.investigate(id, queue).await,
            Command::WatchWorkers(watched) => self.schedule.watch_workers(watched),
            Command::Revoke {
                id,
                terminate,
                confirmed,
            } => {
                let signal = terminate.then(Signal::default);
                self.revoke(id, signal, confirmed).await;
            }
            Command::Terminate {
                id,
                signal,
                confirmed,
            } => self.revoke(id, Some(signal), confirmed).await,
            Command::Close => {}
        }
    }

    async fn tick(&mut self) {
        let now = self.now();
        self.redial_if_due(now).await;
        self.cluster.tick(now);
        if self.cluster.forget_gone(now, |_| false) {
            let workers = &self.cluster.workers;
            self.replies.forget(|node| !workers.contains_key(node));
        }
        self.poll(now);
        self.follow_calls(now);
        self.investigate_due(now).await;
        self.tick_ears(now).await;
        self.tell_deferred(now).await;
        self.end_survey_if_due(now).await;
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    /// Tells an event; waits for room, since none of them may be lost.
    async fn tell(&self, event: Event) {
        log(&event);
        // The reader is gone only when the program ends.
        let _ = self.events.send(event).await;
    }

    /// Tells what the user should know of a link, once however often it connects.
    async fn notice(&mut self, notice: String) {
        if self.noticed.len() < MOST_NOTICES && self.noticed.insert(notice.clone()) {
            self.tell(Event::Notice(notice)).await;
        }
    }

    /// Folds something heard into our own picture, and tells it.
    async fn heard(&mut self, heard: Heard) {
        let now = self.now();
        self.cluster.apply(heard.clone(), now);
        self.tell(Event::Heard(heard, now)).await;
    }

    /// A connection that is being made may have declared our queues already: it gets a moment to come up, so that they can be removed.
    async fn await_dial(&mut self, inbox: &mut Inbox) {
        if !self.broker.is_dialling() {
            return;
        }
        let connected = async {
            while let Some(done) = inbox.done.recv().await {
                if let Done::Broker(connected) = done {
                    return connected.ok();
                }
            }
            None
        };
        let connected = tokio::time::timeout(DIALLING, connected).await;
        if let Ok(Some(Connected { link, .. })) = connected {
            link.close().await;
        }
    }

    /// Removes what is ours and says good-bye, in bounded time.
    async fn close(mut self, mut inbox: Inbox) {
        let _ = tokio::time::timeout(CLOSING, self.restore_workers(&mut inbox)).await;
        let broker = async {
            if let Some(link) = self.broker.link() {
                link.close().await;
            }
        };
        let backend = async {
            if let Some(link) = self.backend.link() {
                link.close().await;
            }
        };
        let both = async { tokio::join!(broker, backend) };
        let _ = tokio::time::timeout(CLOSING, both).await;
        let _ = self.events.send(Event::Closed).await;
    }
}

/// The log's lines: links and the stations of calls; no argument, no result.
fn log(event: &Event) {
    match event {
        Event::Link(
            name,
            LinkState::Waiting {
                attempt, reason, ..
            },
        ) => {
            tracing::warn!(link = %name, attempt, reason = %reason.message, "link is down");
        }
        Event::Link(name, LinkState::Up { latency: None }) => {
            tracing::info!(link = %name, "link is up");
        }
        Event::Notice(notice) => tracing::warn!(%notice, "notice"),
        Event::Results(results) => tracing::info!(backend = %results.address(), "results"),
        Event::Heard(Heard::Unreadable { .. }, _) => {
            tracing::warn!("an answer of a worker cannot be read");
        }
        // One line for an investigation: what is answered follows from that everybody was asked. That a backend is back its link says.
        Event::Call(
            _,
            Fact::Answered { .. }
            | Fact::Seen { .. }
            | Fact::Eta(_)
            | Fact::NotStored
            | Fact::BackendBack,
            _,
        ) => {}
        Event::Call(id, fact, _) => tracing::info!(%id, station = fact.name(), "call"),
        _ => {}
    }
}

async fn next<T>(receiver: &mut Option<mpsc::Receiver<T>>) -> Option<T> {
    match receiver {
        Some(receiver) => receiver.recv().await,
        None => std::future::pending().await,
    }
}

fn ended(what: &str) -> Error {
    Error::new(
        if what == "broker" {
            Kind::Unsent
        } else {
            Kind::BackendUnreachable
        },
        format!("the connection to the {what} ended"),
    )
}
