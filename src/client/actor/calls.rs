//! Calls: subscribe first, then publish once; follow them until their end.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::tidying::Chore;
use super::{Actor, Done, events, following};
use crate::backend::{self, Results};
use crate::broker::{self, Delivery, Reach};
use crate::call::{Answer, Fact, preflight};
use crate::client::Order;
use crate::client::event::Event;
use crate::client::guard::Confirmed;
use crate::client::replies::Meaning;
use crate::clock::{Moment, Now};
use crate::error::{Error, Kind};
use crate::protocol::control::{Method, Reply, Signal};
use crate::protocol::message::Sender;
use crate::protocol::{Message, TaskId};

/// The first look for a call at the workers.
const FIRST_LOOK: Duration = Duration::from_millis(300);
/// How often the backend is asked for a call anew: pub/sub can lose a message.
const FETCH_EVERY: Duration = Duration::from_secs(5);
/// Calls looked for in one round.
const LOOKS: usize = 100;
/// Calls fetched in one round.
const FETCHES: usize = 20;

/// A call that is listened for.
pub(super) struct Tracked {
    /// It waits on a backend of its own.
    stored: bool,
    /// It was sent before we came: what the backend does not have of it is told too.
    pub(super) followed: bool,
    /// Published, as far as is known.
    published: Option<Moment>,
    next_look: Moment,
    next_fetch: Moment,
    /// The document that was fetched last: the same again is no news.
    pub(super) fetched: Option<u64>,
    /// Its end may come as a result and as an event: the result goes first.
    pub(super) defers: bool,
    /// An end that an event told, held back for the result.
    pub(super) deferred: Option<(Fact, Now)>,
}

/// What a call is sent with.
struct Ready {
    link: Arc<dyn broker::Link>,
    /// The backend that will have the result, if it is one of its own.
    backend: Option<Arc<dyn backend::Link>>,
    message: Message,
}

impl Tracked {
    /// A call that was sent before we came.
    pub(super) fn followed(stored: bool, now: Moment) -> Self {
        Self {
            stored,
            followed: true,
            published: Some(now),
            next_look: now,
            next_fetch: now.after(FETCH_EVERY),
            fetched: None,
            defers: false,
            deferred: None,
        }
    }

    /// Its result is to be found on the result backend.
    pub(super) fn on_backend(&mut self) {
        self.stored = true;
    }
}

impl Actor {
    pub(super) async fn order(&mut self, order: Order) {
        let id = &order.signature.id;
        if self.calls.contains_key(id) || self.ears.holds(id) {
            return;
        }
        if !order.answer.by_events() {
            return self.dispatch(order).await;
        }
        // What cannot be sent bothers no worker.
        match self.prepare(&order) {
            Ok(_) => self.listen_first(order).await,
            Err(error) => self.fact(id.clone(), Fact::Unsent(error)).await,
        }
    }

    /// Sends an order for which everything is prepared.
    pub(super) async fn dispatch(&mut self, order: Order) {
        let id = order.signature.id.clone();
        match self.prepare(&order) {
            Ok(ready) => self.send(id, order, ready).await,
            Err(error) => self.not_sent(id, error).await,
        }
    }

    /// The links and the message, or why it cannot be sent.
    fn prepare(&self, order: &Order) -> Result<Ready, Error> {
        let link = self.broker.link().ok_or_else(|| {
            let broker = self.way.short_address();
            Error::new(
                Kind::Unsent,
                format!("broker {broker} is down: nothing was sent"),
            )
        })?;
        let stored = matches!(self.results, Some(Results::Stored(_))) && order.answer.by_result();
        let backend = self.backend.link().filter(|_| stored);
        if stored && backend.is_none() {
            let address = self
                .results
                .as_ref()
                .map_or_else(String::new, Results::address);
            let message = format!("result backend {address} is down: nothing was sent");
            return Err(Error::new(Kind::BackendUnreachable, message));
        }
        let sender = Sender {
            origin: self.origin.clone(),
            // Where nobody waits, a result would be left behind in a queue that nobody removes (protocol.md 2.3: it is dropped then).
            reply_to: (order.answer != Answer::Nothing).then(|| link.result_queue()),
            now: self.now().wall,
        };
        let message = order.signature.encode(&sender);
        let message =
            message.map_err(|error| Error::new(Kind::InvalidArguments, error.to_string()))?;
        Ok(Ready {
            link,
            backend,
            message,
        })
    }

    async fn send(&mut self, id: TaskId, order: Order, ready: Ready) {
        let Ready {
            link,
            backend,
            message,
        } = ready;
        let Order {
            signature,
            route,
            delayed,
            answer,
            ..
        } = order;
        let held_back = signature.options.start.zip(delayed);
        let held_back = held_back
            .and_then(|(start, key)| preflight::delayed_route(start, self.now().wall, &key));
        let route = held_back.unwrap_or(route);
        let no_result = answer == Answer::Nothing;
        let expected = self.expected.remove(&id);
        let now = self.now().mono;
        if !no_result {
            let tracked = Tracked {
                stored: backend.is_some(),
                followed: false,
                published: None,
                next_look: now.after(FIRST_LOOK),
                next_fetch: now.after(FETCH_EVERY),
                fetched: None,
                defers: answer == Answer::Either,
                deferred: None,
            };
            self.calls.insert(id.clone(), tracked);
        }
        let mut publish = Box::pin(async move { link.publish(&route, message).await });
        let done = self.done.clone();
        let Some(backend) = backend.filter(|_| !expected) else {
            // Nothing to wait for: the message leaves here, before anything else is done.
            let begun = futures_util::poll!(publish.as_mut());
            self.publishing(id.clone()).await;
            if let Poll::Ready(delivery) = begun {
                return self.published(id, delivery, no_result).await;
            }
            tokio::spawn(async move {
                let published = Done::Published(id, publish.await, no_result);
                let _ = done.send(published).await;
            });
            return;
        };
        tokio::spawn(async move {
            if let Err(error) = backend.watch(&id).await {
                let _ = done.send(Done::NotSent(id, error)).await;
                return;
            }
            let _ = done.send(Done::Publishing(id.clone())).await;
            let published = Done::Published(id, publish.await, no_result);
            let _ = done.send(published).await;
        });
    }

    /// A call with this id may be ordered soon: subscribe to its result while there is time.
    pub(super) fn expect(&mut self, id: TaskId) {
        let Some(link) = self.backend.link() else {
            return;
        };
        let done = self.done.clone();
        tokio::spawn(async move {
            if link.watch(&id).await.is_ok() {
                let _ = done.send(Done::Expected(id)).await;
            }
        });
    }

    pub(super) async fn publishing(&mut self, id: TaskId) {
        let now = self.now().mono;
        if let Some(tracked) = self.calls.get_mut(&id) {
            tracked.published = Some(now);
        }
        self.fact(id, Fact::Publishing).await;
    }

    pub(super) async fn not_sent(&mut self, id: TaskId, error: Error) {
        self.calls.remove(&id);
        self.ears.spare(&id, self.now().mono);
        self.fact(id, Fact::Unsent(error)).await;
    }

    /// `no_result`: once the broker has it, it is over.
    pub(super) async fn published(&mut self, id: TaskId, delivery: Delivery, no_result: bool) {
        let fact = match delivery {
            Delivery::Confirmed if no_result => {
                self.fact(id.clone(), Fact::Confirmed).await;
                Fact::NoResult
            }
            Delivery::Confirmed => Fact::Confirmed,
            Delivery::Returned(reason) => {
                self.forget(&id);
                Fact::Returned(reason)
            }
            Delivery::Unsent(error) => {
                self.forget(&id);
                Fact::Unsent(error)
            }
            Delivery::Unknown(error) => Fact::Unknown(error),
        };
        self.fact(id, fact).await;
    }

    /// Stops listening.
    pub(super) fn forget(&mut self, id: &TaskId) {
        self.ears.spare(id, self.now().mono);
        let Some(tracked) = self.calls.remove(id) else {
            return;
        };
        if let Some(link) = self.broker.link() {
            link.settled(id);
        }
        if let Some(link) = self.backend.link().filter(|_| tracked.stored) {
            self.tidy_later(Chore::Unwatch(link, id.clone()));
        }
    }

    /// After a reconnect: subscribe everything again, then look what was missed.
    pub(super) fn watch_again(&mut self, link: &Arc<dyn backend::Link>) {
        let now = self.now().mono;
        for (id, tracked) in self.calls.iter_mut().filter(|(_, tracked)| tracked.stored) {
            tracked.next_fetch = now.after(FETCH_EVERY);
            following::watch_and_fetch(Arc::clone(link), id.clone(), self.done.clone());
        }
    }

    /// Looks for calls that have not ended: at the workers (`query_task`) and in the backend.
    pub(super) fn follow_calls(&mut self, now: Now) {
        let due: Vec<TaskId> = self.due(
            |tracked| tracked.published.is_some() && now.mono >= tracked.next_look,
            LOOKS,
        );
        for id in &due {
            if let Some(tracked) = self.calls.get_mut(id) {
                tracked.next_look = now.mono.after(look_again_in(
                    now.mono.since(tracked.published.unwrap_or(now.mono)),
                ));
            }
        }
        if !due.is_empty() && self.broker.link().is_some() {
            self.ask(Method::QueryTask(due));
        }
        self.fetch_due(now);
    }

    fn due(&self, wanted: impl Fn(&Tracked) -> bool, most: usize) -> Vec<TaskId> {
        self.calls
            .iter()
            .filter(|(_, tracked)| wanted(tracked))
            .take(most)
            .map(|(id, _)| id.clone())
            .collect()
    }

    fn fetch_due(&mut self, now: Now) {
        let Some(link) = self.backend.link() else {
            return;
        };
        for id in self.due(
            |tracked| tracked.stored && now.mono >= tracked.next_fetch,
            FETCHES,
        ) {
            if let Some(tracked) = self.calls.get_mut(&id) {
                let age = now.mono.since(tracked.published.unwrap_or(now.mono));
                tracked.next_fetch = now.mono.after(look_again_in(age).max(FETCH_EVERY));
            }
            let (link, done) = (Arc::clone(&link), self.done.clone());
            tokio::spawn(async move {
                let document = link.fetch(&id).await;
                let _ = done.send(Done::Fetched(id, document)).await;
            });
        }
    }

    /// When [`Actor::follow_calls`] has something to do.
    pub(super) fn next_look(&self) -> Option<Moment> {
        let looks = self
            .calls
            .values()
            .filter(|tracked| tracked.published.is_some())
            .map(|tracked| tracked.next_look);
        let fetches = self
            .calls
            .values()
            .filter(|tracked| tracked.stored && self.backend.link().is_some())
            .map(|tracked| tracked.next_fetch);
        let deferred = self
            .calls
            .values()
            .filter_map(|tracked| tracked.deferred.as_ref())
            .map(|(_, at)| at.mono.after(events::DEFERENCE));
        looks.chain(fetches).chain(deferred).min()
    }

    pub(super) async fn control_reply(&mut self, message: &Message) {
        let now = self.now();
        let reply = match Reply::parse(message) {
            Ok(reply) => reply,
            Err(error) => {
                return self
                    .heard(crate::cluster::Heard::Unreadable {
                        node: None,
                        reason: error.to_string(),
                    })
                    .await;
            }
        };
        match self.replies.meaning(reply, now) {
            Meaning::Heard(heard) => self.answered(heard).await,
            Meaning::Places {
                node,
                looked,
                about,
                asked,
                places,
            } => self.places(node, (looked, asked), &about, places).await,
            Meaning::Revoked(id, node, answer) => {
                self.tell(Event::Revoked { id, node, answer }).await;
            }
            Meaning::Switched(node, switched) => self.switched(node, switched).await,
            Meaning::Nothing => {}
        }
    }

    /// Sends a revoke; the guard's proof is consumed here.
    pub(super) async fn revoke(
        &mut self,
        id: TaskId,
        terminate: Option<Signal>,
        _confirmed: Confirmed,
    ) {
        let Some(link) = self.broker.link() else {
            let reason = Error::new(Kind::Unsent, "the broker is down: nothing was revoked");
            return self.tell(Event::RevokeFailed { id, reason }).await;
        };
        let request = self.request(
            Method::Revoke {
                id: id.clone(),
                terminate,
            },
            &*link,
        );
        let done = self.done.clone();
        tokio::spawn(async move {
            let reach = link.broadcast(request.encode()).await;
            let _ = done.send(Done::RevokeSent(id, reach)).await;
        });
    }

    pub(super) async fn revoke_sent(&mut self, id: TaskId, reach: Result<Reach, Error>) {
        let reason = match reach {
            Ok(Reach::Nobody | Reach::Listeners(0)) => {
                Error::new(Kind::NoWorker, "no worker listens: nothing was revoked")
            }
            Ok(_) => return,
            Err(error) => Error::new(
                Kind::UnknownDelivery,
                format!("{}: unknown whether a worker heard it", error.message),
            ),
        };
        self.tell(Event::RevokeFailed { id, reason }).await;
    }

    /// Tells a fact to the calls whose results come through the broker.
    pub(super) async fn tell_reply_calls(&mut self, fact: Fact) {
        self.tell_calls(false, fact).await;
    }

    /// Tells a fact to the calls whose results come from a backend of its own.
    pub(super) async fn tell_stored_calls(&mut self, fact: Fact) {
        self.tell_calls(true, fact).await;
    }

    async fn tell_calls(&mut self, stored: bool, fact: Fact) {
        let ids: Vec<TaskId> = self
            .calls
            .iter()
            .filter(|(_, tracked)| tracked.stored == stored)
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            self.fact(id, fact.clone()).await;
        }
    }

    pub(super) async fn fact(&mut self, id: TaskId, fact: Fact) {
        self.fact_at(id, fact, self.now()).await;
    }

    /// A fact that became known a moment ago.
    pub(super) async fn fact_at(&mut self, id: TaskId, fact: Fact, at: Now) {
        self.stirred_by(&fact);
        self.tell(Event::Call(id, fact, at)).await;
    }
}

/// Every second at first, every 5 s after a minute, every 30 s after ten.
fn look_again_in(age: Duration) -> Duration {
    match age.as_secs() {
        0..60 => Duration::from_secs(1),
        60..600 => Duration::from_secs(5),
        _ => Duration::from_secs(30),
    }
}
