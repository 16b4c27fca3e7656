//! Task events as the way to learn the end of a call: switched on at the workers while a call needs them, and off again at exactly those
//! workers that we switched on, by the last umbel that listens. Workers that send events anyway (`-E`) are never touched.

mod leaving;

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use tokio::task::JoinHandle;

use self::leaving::finished;
use super::{Actor, Done};
use crate::call::{Answer, Fact};
use crate::client::Order;
use crate::client::replies::Switched;
use crate::clock::{Moment, Now};
use crate::error::Error;
use crate::protocol::control::Method;
use crate::protocol::event::{Event, TaskEvent, TaskEventKind, parse};
use crate::protocol::{Message, NodeName, TaskId};

/// How long the workers' answers are waited for before the call is sent.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the workers are asked again: new ones come, and others switch off what they think is theirs.
const RENEW: Duration = Duration::from_secs(5);
/// How long events stay on after the last call that needed them: the next one may follow soon.
const LINGER: Duration = Duration::from_secs(1);
/// Where both a result and an event may come, the result is given this long to be first: it has the value.
pub(super) const DEFERENCE: Duration = Duration::from_millis(300);

/// Whether the link brings events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Hearing {
    #[default]
    Off,
    Opening,
    On,
}

/// Who needs events, and who sends them because of us.
#[derive(Default)]
pub(super) struct Ears {
    hearing: Hearing,
    /// Calls that need them.
    wanted: HashSet<TaskId>,
    /// Calls that are sent once the workers have answered.
    waiting: Vec<Waiting>,
    /// Workers that we switched on.
    ours: BTreeSet<NodeName>,
    /// Workers that others say they leave to us; at most 10,000.
    left: BTreeSet<NodeName>,
    /// Workers that send, because of us or anyway.
    sending: BTreeSet<NodeName>,
    /// Workers that were asked and have not answered.
    unanswered: BTreeSet<NodeName>,
    asked: Option<Moment>,
    /// Since when nobody needs them.
    idle: Option<Moment>,
    /// Since when the connection that brought events is gone.
    deaf: Option<Moment>,
    /// The end of listening, under way.
    closing: Option<JoinHandle<()>>,
}

struct Waiting {
    order: Order,
    until: Moment,
}

impl Waiting {
    /// Workers that would run it and are not known to send events.
    fn missing<'a>(
        &'a self,
        sending: &'a BTreeSet<NodeName>,
    ) -> impl Iterator<Item = &'a NodeName> {
        let readers = self.order.readers.iter();
        readers.filter(|node| !sending.contains(*node))
    }
}

impl Ears {
    /// Whether events of this call are needed.
    pub(super) fn want(&self, id: &TaskId) -> bool {
        self.wanted.contains(id)
    }

    /// Whether this call waits to be sent.
    pub(super) fn holds(&self, id: &TaskId) -> bool {
        let mut waiting = self.waiting.iter();
        waiting.any(|waiting| waiting.order.signature.id == *id)
    }

    /// This call needs no events any longer.
    pub(super) fn spare(&mut self, id: &TaskId, now: Moment) {
        if self.wanted.remove(id) && self.wanted.is_empty() {
            self.idle = Some(now);
        }
    }

    /// When something is to be done.
    pub(super) fn due(&self) -> Option<Moment> {
        let waiting = self.waiting.iter().map(|waiting| waiting.until).min();
        let idle = self.idle.filter(|_| self.hearing == Hearing::On);
        let renew = self.asked.filter(|_| !self.wanted.is_empty());
        let times = [
            waiting,
            idle.map(|idle| idle.after(LINGER)),
            renew.map(|asked| asked.after(RENEW)),
        ];
        times.into_iter().flatten().min()
    }
}

impl Actor {
    /// A call whose end comes by events: the workers are asked to send them first.
    pub(super) async fn listen_first(&mut self, order: Order) {
        let now = self.now().mono;
        self.ears.wanted.insert(order.signature.id.clone());
        self.ears.idle = None;
        let until = now.after(PATIENCE);
        self.ears.waiting.push(Waiting { order, until });
        match self.ears.hearing {
            Hearing::Off => self.open_ears(),
            Hearing::Opening => {}
            Hearing::On => {
                self.release_ready().await;
                if !self.ears.waiting.is_empty() {
                    self.ask_for_events();
                }
            }
        }
    }

    /// Begins to listen, if a call needs it and nobody does yet.
    pub(super) fn open_ears(&mut self) {
        let Some(link) = self.broker.link().filter(|_| !self.ears.wanted.is_empty()) else {
            return;
        };
        self.ears.hearing = Hearing::Opening;
        let (done, closing) = (self.done.clone(), self.ears.closing.take());
        tokio::spawn(async move {
            finished(closing).await;
            let heard = link.events(true).await;
            let _ = done.send(Done::Hearing(heard)).await;
        });
    }

    /// The link brings events now, or cannot.
    pub(super) async fn hearing(&mut self, heard: Result<(), Error>) {
        if self.ears.hearing != Hearing::Opening {
            return;
        }
        match heard {
            Ok(()) => {
                self.ears.hearing = Hearing::On;
                self.tell_missed().await;
                self.ask_for_events();
            }
            Err(error) => {
                self.ears.hearing = Hearing::Off;
                let warning = format!("the workers' events cannot be heard: {}", error.message);
                for waiting in std::mem::take(&mut self.ears.waiting) {
                    self.send_unheard(waiting.order, &warning).await;
                }
            }
        }
    }

    /// After an outage: what happened meanwhile nobody heard.
    async fn tell_missed(&mut self) {
        let Some(since) = self.ears.deaf.take() else {
            return;
        };
        let missed = self.now().mono.since(since);
        let missed = crate::text::human::duration(missed);
        let warning = format!(
            "events of {missed} were missed while the broker was away: if the task ended then, its end was not heard"
        );
        let waiting = |id: &TaskId| self.ears.holds(id);
        let wanted = self.ears.wanted.iter().filter(|id| !waiting(id));
        for id in wanted.cloned().collect::<Vec<_>>() {
            self.fact(id, Fact::Warning(warning.clone())).await;
        }
    }

    /// Sent without events: what else was awaited still is.
    async fn send_unheard(&mut self, mut order: Order, warning: &str) {
        let id = order.signature.id.clone();
        self.ears.spare(&id, self.now().mono);
        self.fact(id, Fact::Warning(warning.to_owned())).await;
        order.answer = match order.answer {
            Answer::Either | Answer::Result => Answer::Result,
            Answer::Events | Answer::Nothing => Answer::Nothing,
        };
        self.dispatch(order).await;
    }

    fn ask_for_events(&mut self) {
        let now = self.now().mono;
        self.ears.asked = Some(now);
        let nodes = self.cluster.answering().map(|it| it.name.clone());
        self.ears.unanswered = nodes.collect();
        self.ask(Method::EnableEvents);
    }

    /// A worker answered `enable_events`.
    pub(super) async fn switched(&mut self, node: NodeName, switched: Option<Switched>) {
        self.ears.note(node, switched);
        self.release_ready().await;
    }

    /// Sends the calls whose workers all send events.
    async fn release_ready(&mut self) {
        let sending = &self.ears.sending;
        let ready = |waiting: &mut Waiting| {
            !waiting.order.readers.is_empty() && waiting.missing(sending).next().is_none()
        };
        let ready: Vec<Waiting> = self.ears.waiting.extract_if(.., ready).collect();
        for waiting in ready {
            self.dispatch(waiting.order).await;
        }
    }

    /// Time passes: calls are not held back for ever, workers are asked again, and nobody is left sending for nothing.
    pub(super) async fn tick_ears(&mut self, now: Now) {
        let over = |waiting: &mut Waiting| now.mono >= waiting.until;
        let over: Vec<Waiting> = self.ears.waiting.extract_if(.., over).collect();
        for waiting in over {
            let id = waiting.order.signature.id.clone();
            let warning = unanswered(&waiting, &self.ears.sending);
            self.fact(id, Fact::Warning(warning)).await;
            self.dispatch(waiting.order).await;
        }
        let renew = self
            .ears
            .asked
            .is_some_and(|at| now.mono.since(at) >= RENEW);
        if renew && !self.ears.wanted.is_empty() && self.ears.hearing == Hearing::On {
            self.ask_for_events();
        }
        let idle = self
            .ears
            .idle
            .is_some_and(|at| now.mono.since(at) >= LINGER);
        if idle && self.ears.hearing == Hearing::On {
            self.close_ears();
        }
    }

    fn close_ears(&mut self) {
        self.ears.hearing = Hearing::Off;
        if let Some(link) = self.broker.link() {
            let ours = self.ears.take_ours(&self.cluster);
            self.ears.leave(link, ours);
        }
        self.ears.sending.clear();
        (self.ears.idle, self.ears.asked) = (None, None);
    }

    /// The connection is gone, and with it what was to be sent; what the workers send because of us stays noted.
    pub(super) async fn lose_ears(&mut self) {
        if self.ears.hearing == Hearing::On && !self.ears.wanted.is_empty() {
            self.ears.deaf.get_or_insert(self.clock.now().mono);
        }
        self.ears.hearing = Hearing::Off;
        self.ears.sending.clear();
        self.ears.asked = None;
        for waiting in std::mem::take(&mut self.ears.waiting) {
            self.ears
                .spare(&waiting.order.signature.id, self.now().mono);
            self.dispatch(waiting.order).await;
        }
    }

    /// A bundle of events.
    pub(super) async fn events_came(&mut self, message: &Message) {
        if self.ears.wanted.is_empty() {
            return;
        }
        for event in parse(message).unwrap_or_default() {
            if let Event::Task(event) = event
                && self.ears.want(&event.uuid)
            {
                self.event_came(event).await;
            }
        }
    }

    async fn event_came(&mut self, event: TaskEvent) {
        let at = self.now();
        let id = event.uuid.clone();
        let ended = ends(&event.kind);
        let fact = Fact::Event(Box::new(event));
        if !ended {
            return self.fact_at(id, fact, at).await;
        }
        let tracked = self.calls.get_mut(&id).filter(|tracked| tracked.defers);
        if let Some(tracked) = tracked {
            tracked.deferred.get_or_insert((fact, at));
            return;
        }
        self.fact_at(id.clone(), fact, at).await;
        self.forget(&id);
    }

    /// Ends that were held back for a result that did not come.
    pub(super) async fn tell_deferred(&mut self, now: Now) {
        let over = |at: &Now| now.mono.since(at.mono) >= DEFERENCE;
        let due: Vec<TaskId> = self
            .calls
            .iter()
            .filter(|(_, tracked)| tracked.deferred.as_ref().is_some_and(|(_, at)| over(at)))
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            let tracked = self.calls.get_mut(&id);
            if let Some((fact, at)) = tracked.and_then(|tracked| tracked.deferred.take()) {
                self.fact_at(id.clone(), fact, at).await;
                self.forget(&id);
            }
        }
    }
}

impl Ears {
    fn note(&mut self, node: NodeName, switched: Option<Switched>) {
        self.unanswered.remove(&node);
        match switched {
            Some(Switched::Now) => {
                self.ours.insert(node.clone());
                self.sending.insert(node);
            }
            Some(Switched::Before) => {
                self.sending.insert(node);
            }
            None => {}
        }
    }
}

fn unanswered(waiting: &Waiting, sending: &BTreeSet<NodeName>) -> String {
    let missing: Vec<&str> = waiting.missing(sending).map(NodeName::as_str).collect();
    let who = match missing.as_slice() {
        [] => "no worker".to_owned(),
        names => names.join(", "),
    };
    let seconds = PATIENCE.as_secs();
    if missing.is_empty() {
        format!(
            "{who} is known to read the queue: whether the task's end will be heard is not known"
        )
    } else {
        format!(
            "{who} did not say within {seconds}s that it sends events: the task's end may not be heard"
        )
    }
}

/// Whether nothing follows.
fn ends(kind: &TaskEventKind) -> bool {
    matches!(
        kind,
        TaskEventKind::Succeeded { .. }
            | TaskEventKind::Failed { .. }
            | TaskEventKind::Revoked { .. }
            | TaskEventKind::Rejected { requeue: false }
    )
}
