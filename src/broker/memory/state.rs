//! The broker's state: which queues there are, who reads them, what is out unacknowledged. Synchronous, under one lock; never waits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::consumer::Delivered;
use super::queue::{Queue, Sort};
use super::record::{Published, Record, Target};
use super::trouble::{Loss, Trouble};
use crate::error::{Error, Kind};
use crate::protocol::{Message, QueueName};

/// Most publishes of one link that wait for a blocked or frozen broker.
const HELD_LIMIT: usize = 1024;

/// Everything the broker knows.
#[derive(Default)]
pub(super) struct State {
    pub queues: BTreeMap<String, Queue>,
    pub readers: BTreeMap<u64, Reader>,
    pub out: BTreeMap<u64, Out>,
    pub links: BTreeMap<u64, Wire>,
    pub trouble: Trouble,
    pub record: Record,
    pub attempts: u64,
    last_id: u64,
}

/// Someone who consumes from one queue.
pub(super) struct Reader {
    pub queue: String,
    prefetch: usize,
    unacked: BTreeSet<u64>,
    mailbox: mpsc::Sender<Delivered>,
    link: Option<u64>,
}

/// A message that was delivered and not acknowledged.
pub(super) struct Out {
    pub reader: u64,
    pub message: Arc<Message>,
}

/// The broker's end of a client's connection.
pub(super) struct Wire {
    pub signal: watch::Sender<Signal>,
    held: VecDeque<Held>,
}

/// What a link is told besides messages.
#[derive(Clone, Debug, Default)]
pub(super) struct Signal {
    pub blocked: Option<String>,
    pub frozen: bool,
    pub lost: Option<Error>,
}

struct Held {
    published: Published,
    confirm: oneshot::Sender<Fate>,
}

/// What became of a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// In so many queues.
    Routed(usize),
    /// No queue took it because there is none.
    NoRoute,
    /// The queue is full.
    Full,
}

/// What a client's publish met.
pub(super) enum Submission {
    /// The broker dealt with it.
    Settled(Fate),
    /// The broker will, when it goes on.
    Held(oneshot::Receiver<Fate>),
    /// The connection broke over it.
    Broke,
    /// There was no connection any more.
    Gone,
}

impl State {
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// A client knocks, and may be refused.
    pub(super) fn attempt(&mut self) -> Result<(), Error> {
        self.attempts += 1;
        if self.trouble.refuses() {
            return Err(Error::new(
                Kind::Unsent,
                "connection refused (os error 111)",
            ));
        }
        Ok(())
    }

    pub(super) fn open_link(&mut self) -> (u64, watch::Receiver<Signal>) {
        let id = self.next_id();
        let (signal, heard) = watch::channel(self.signal());
        let held = VecDeque::new();
        self.links.insert(id, Wire { signal, held });
        (id, heard)
    }

    fn signal(&self) -> Signal {
        Signal {
            blocked: self.trouble.blocked.clone(),
            frozen: self.trouble.frozen,
            lost: None,
        }
    }

    /// Tells all links what the broker is like now; when it goes on, deals with what waited.
    pub(super) fn announce(&mut self) {
        let now = self.signal();
        for wire in self.links.values() {
            wire.signal.send_replace(now.clone());
        }
        if self.trouble.holds() {
            return;
        }
        let waiting: Vec<Held> = self
            .links
            .values_mut()
            .flat_map(|wire| wire.held.drain(..))
            .collect();
        for held in waiting {
            let fate = self.deal(&held.published);
            let _ = held.confirm.send(fate);
        }
    }

    /// The connection breaks: its client is told, unless it went itself.
    pub(super) fn end_link(&mut self, id: u64, why: Option<Error>) {
        let Some(wire) = self.links.remove(&id) else {
            return;
        };
        if why.is_some() {
            wire.signal.send_modify(|signal| signal.lost = why);
        }
        let readers = self.readers.iter().filter(|(_, r)| r.link == Some(id));
        let readers: Vec<u64> = readers.map(|(reader, _)| *reader).collect();
        for reader in readers {
            self.unsubscribe(reader);
        }
        self.queues
            .retain(|_, queue| queue.sort != Sort::Exclusive(id));
    }

    pub(super) fn declare(&mut self, name: &str, sort: Sort) {
        if !self.queues.contains_key(name) {
            self.queues.insert(name.to_owned(), Queue::new(sort));
        }
    }

    /// Deletes a queue. Workers that read it see their stream end; a link that read it breaks.
    pub(super) fn delete(&mut self, name: &str) {
        let Some(queue) = self.queues.remove(name) else {
            return;
        };
        for reader in queue.readers {
            let link = self.readers.get(&reader).and_then(|reader| reader.link);
            self.unsubscribe(reader);
            if let Some(link) = link {
                let why = Error::new(Kind::Unsent, format!("queue {name} was deleted"));
                self.end_link(link, Some(why));
            }
        }
    }

    pub(super) fn subscribe(
        &mut self,
        queue: &str,
        mailbox: mpsc::Sender<Delivered>,
        prefetch: usize,
        link: Option<u64>,
    ) -> u64 {
        let id = self.next_id();
        let reader = Reader {
            queue: queue.to_owned(),
            prefetch,
            unacked: BTreeSet::new(),
            mailbox,
            link,
        };
        self.readers.insert(id, reader);
        if let Some(queue) = self.queues.get_mut(queue) {
            queue.readers.push_back(id);
        }
        self.dispatch(queue);
        id
    }

    /// A reader goes: what it did not acknowledge goes back, in order.
    pub(super) fn unsubscribe(&mut self, id: u64) {
        let Some(reader) = self.readers.remove(&id) else {
            return;
        };
        let messages: Vec<_> = reader
            .unacked
            .iter()
            .filter_map(|tag| self.out.remove(tag))
            .collect();
        let Some(queue) = self.queues.get_mut(&reader.queue) else {
            return;
        };
        queue.readers.retain(|reader| *reader != id);
        for out in messages.into_iter().rev() {
            queue.put_back(out.message);
        }
        if queue.sort == Sort::Pidbox && queue.readers.is_empty() {
            self.queues.remove(&reader.queue);
        } else {
            self.dispatch(&reader.queue);
        }
    }

    /// A reader is done with a message.
    pub(super) fn ack(&mut self, tag: u64) {
        if let Some(queue) = self.take_out(tag) {
            self.dispatch(&queue);
        }
    }

    fn take_out(&mut self, tag: u64) -> Option<String> {
        let out = self.out.remove(&tag)?;
        let reader = self.readers.get_mut(&out.reader)?;
        reader.unacked.remove(&tag);
        Some(reader.queue.clone())
    }

    /// A client publishes.
    pub(super) fn submit(&mut self, link: u64, published: Published) -> Submission {
        let holds = self.trouble.holds();
        let Some(wire) = self.links.get_mut(&link) else {
            return Submission::Gone;
        };
        self.record.add(published.clone());
        if holds {
            return wire.hold(published);
        }
        match self.trouble.take_loss(&published.target) {
            None => Submission::Settled(self.deal(&published)),
            Some(loss) => {
                if loss == Loss::Confirm {
                    self.deal(&published);
                }
                let why = Error::new(Kind::UnknownDelivery, "connection reset by peer");
                self.end_link(link, Some(why));
                Submission::Broke
            }
        }
    }

    fn deal(&mut self, published: &Published) -> Fate {
        match &published.target {
            Target::Queue(queue) => self.route(queue, Arc::clone(&published.message)),
            Target::Pidbox => self.fan_out(&published.message),
        }
    }

    /// The default exchange.
    pub(super) fn route(&mut self, name: &QueueName, message: Arc<Message>) -> Fate {
        let Some(queue) = self.queues.get_mut(name.as_str()) else {
            return Fate::NoRoute;
        };
        if !queue.push(message) {
            return Fate::Full;
        }
        self.dispatch(name.as_str());
        Fate::Routed(1)
    }

    /// The fanout exchange of control requests.
    fn fan_out(&mut self, message: &Arc<Message>) -> Fate {
        let bound = self.queues.iter().filter(|(_, q)| q.sort == Sort::Pidbox);
        let bound: Vec<String> = bound.map(|(name, _)| name.clone()).collect();
        for name in &bound {
            self.route(&name.as_str().into(), Arc::clone(message));
        }
        match bound.len() {
            0 => Fate::NoRoute,
            listeners => Fate::Routed(listeners),
        }
    }

    /// Hands out what is ready, in turn, to readers that have room.
    fn dispatch(&mut self, name: &str) {
        while let Some(reader) = self.next_reader(name) {
            let Some(parcel) = self.queues.get_mut(name).and_then(|q| q.ready.pop_front()) else {
                return;
            };
            let tag = self.next_id();
            let message = Arc::clone(&parcel.message);
            self.out.insert(tag, Out { reader, message });
            let delivered = Delivered {
                tag,
                reader,
                message: parcel.message,
                redelivered: parcel.redelivered,
            };
            let Some(entry) = self.readers.get_mut(&reader) else {
                return;
            };
            entry.unacked.insert(tag);
            if entry.mailbox.try_send(delivered).is_err() {
                self.unsubscribe(reader);
            }
        }
    }

    /// The reader whose turn it is, if anything is ready and anyone has room.
    fn next_reader(&mut self, name: &str) -> Option<u64> {
        let queue = self.queues.get_mut(name)?;
        if queue.ready.is_empty() {
            return None;
        }
        for _ in 0..queue.readers.len() {
            let id = queue.readers.pop_front()?;
            queue.readers.push_back(id);
            if self.readers.get(&id).is_some_and(Reader::has_room) {
                return Some(id);
            }
        }
        None
    }
}

impl Reader {
    fn has_room(&self) -> bool {
        self.unacked.len() < self.prefetch
    }
}

impl Wire {
    fn hold(&mut self, published: Published) -> Submission {
        if self.held.len() >= HELD_LIMIT {
            return Submission::Settled(Fate::Full);
        }
        let (confirm, confirmed) = oneshot::channel();
        self.held.push_back(Held { published, confirm });
        Submission::Held(confirmed)
    }
}
