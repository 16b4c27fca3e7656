//! Dialling, losing and redialling the two links. Written once for both.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::calls::Tracked;
use super::polling::announce;
use super::{Actor, Connected, Done, INCOMING};
use crate::backend::{self, Results, Told};
use crate::broker;
use crate::call::Fact;
use crate::client::backoff;
use crate::client::event::{Event, LinkName, LinkState};
use crate::client::survey::Survey;
use crate::clock::{Moment, Now};
use crate::cluster::{Cluster, Heard};
use crate::error::Error;

/// Latency within which a broker answers at its ease.
pub(super) const SLOW: Duration = Duration::from_millis(200);

/// One link as the actor sees it.
pub(super) struct Slot<L: ?Sized> {
    phase: Phase<L>,
    /// Failures since it was up last.
    failed: u32,
    /// When it was lost, or first failed.
    since: Option<Now>,
    /// Its latency was above [`SLOW`] when measured last.
    pub(super) slow: bool,
}

enum Phase<L: ?Sized> {
    /// Not wanted (yet).
    Idle,
    Dialling,
    Waiting(Moment),
    Up(Arc<L>),
}

impl<L: ?Sized> Slot<L> {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Idle,
            failed: 0,
            since: None,
            slow: false,
        }
    }

    /// The living connection, if there is one.
    pub(super) fn link(&self) -> Option<Arc<L>> {
        match &self.phase {
            Phase::Up(link) => Some(Arc::clone(link)),
            _ => None,
        }
    }

    /// Whether a connection is being made.
    pub(super) fn is_dialling(&self) -> bool {
        matches!(self.phase, Phase::Dialling)
    }

    /// When it has to be dialled again.
    pub(super) fn retry_at(&self) -> Option<Moment> {
        match self.phase {
            Phase::Waiting(at) => Some(at),
            _ => None,
        }
    }

    fn up(&mut self, link: Arc<L>) {
        self.phase = Phase::Up(link);
        self.failed = 0;
        self.since = None;
    }

    /// Notes a loss or a failed try; returns the state to tell.
    fn down(&mut self, reason: Error, now: Now) -> LinkState {
        self.failed = self.failed.saturating_add(1);
        let since = *self.since.get_or_insert(now);
        let retry_at = now.plus(backoff::delay(self.failed));
        self.phase = Phase::Waiting(retry_at.mono);
        LinkState::Waiting {
            attempt: self.failed,
            retry_at,
            reason,
            since,
        }
    }
}

/// What the workers tell of their result backend.
fn told_backend(cluster: &Cluster) -> Option<Told> {
    let conf = cluster.conf();
    let named = cluster.result_backend()?;
    // The report leaves out the query, in which the database of a socket stands; the settings have it from Celery 5.6 on.
    let set = conf.and_then(|conf| conf.result_backend.as_deref());
    let whole = set.filter(|set| {
        let (_, rest) = set.split_once('+').unwrap_or(("", set));
        named.starts_with("socket://") && rest.starts_with(named)
    });
    Some(Told {
        url: whole.unwrap_or(named).to_owned(),
        keyprefix: conf.map(|conf| conf.result_keyprefix.clone()),
        master_name: conf.and_then(|conf| conf.result_master_name.clone()),
    })
}

impl Actor {
    pub(super) async fn dial_broker(&mut self) {
        self.broker.phase = Phase::Dialling;
        self.tell(Event::Link(
            LinkName::Broker,
            LinkState::Connecting {
                attempt: self.broker.failed + 1,
            },
        ))
        .await;
        let (way, done) = (Arc::clone(&self.way), self.done.clone());
        tokio::spawn(async move {
            let (sender, incoming) = mpsc::channel(INCOMING);
            let connected = way
                .connect(sender)
                .await
                .map(|link| Connected { link, incoming });
            let _ = done.send(Done::Broker(connected)).await;
        });
    }

    pub(super) async fn dial_backend(&mut self) {
        let Some(Results::Stored(way)) = self.results.clone() else {
            return;
        };
        if !self.purpose.reads_results() {
            return;
        }
        self.backend.phase = Phase::Dialling;
        self.tell(Event::Link(
            LinkName::Backend,
            LinkState::Connecting {
                attempt: self.backend.failed + 1,
            },
        ))
        .await;
        let done = self.done.clone();
        tokio::spawn(async move {
            let (sender, incoming) = mpsc::channel(INCOMING);
            let connected = way
                .connect(sender)
                .await
                .map(|link| Connected { link, incoming });
            let _ = done.send(Done::Backend(connected)).await;
        });
    }

    pub(super) async fn redial_if_due(&mut self, now: Now) {
        if self.broker.retry_at().is_some_and(|at| now.mono >= at) {
            self.dial_broker().await;
        }
        if self.backend.retry_at().is_some_and(|at| now.mono >= at) {
            self.dial_backend().await;
        }
    }

    /// The user does not want to wait for the next try.
    pub(super) async fn redial_now(&mut self) {
        if self.broker.retry_at().is_some() {
            self.dial_broker().await;
        }
        if self.backend.retry_at().is_some() {
            self.dial_backend().await;
        }
    }

    pub(super) async fn broker_up(&mut self, link: Arc<dyn broker::Link>) {
        let again = self.broker.since.is_some() && self.cluster.heard_at.is_some();
        let (questions, announcements) = mpsc::channel(INCOMING);
        tokio::spawn(announce(
            Arc::clone(&link),
            announcements,
            self.done.clone(),
        ));
        self.line = Some(questions);
        self.broker.up(link);
        self.tell(Event::Link(
            LinkName::Broker,
            LinkState::Up { latency: None },
        ))
        .await;
        if again || self.cluster.lost_at.is_some() {
            self.heard(Heard::Back).await;
        }
        if !self.cluster.surveyed {
            self.survey = Some(Survey::new(self.purpose, self.now().mono));
        }
        self.ask_everything();
        self.measure(LinkName::Broker);
        self.open_ears();
        self.tell_reply_calls(Fact::BackendBack).await;
    }

    pub(super) async fn broker_failed(&mut self, reason: Error) {
        self.blocked = false;
        let now = self.now();
        let state = self.broker.down(reason, now);
        self.tell(Event::Link(LinkName::Broker, state)).await;
    }

    pub(super) async fn broker_lost(&mut self, reason: Error) {
        if self.broker.link().is_none() {
            return;
        }
        self.schedule.forget_outstanding();
        self.line = None;
        let message = reason.message.clone();
        self.broker_failed(reason).await;
        self.heard(Heard::Lost).await;
        self.lose_ears().await;
        self.tell_reply_calls(Fact::BackendLost(message)).await;
    }

    pub(super) async fn broker_says(&mut self, incoming: broker::Incoming) {
        match incoming {
            broker::Incoming::Result { message, tag } => self.result_message(message, tag).await,
            broker::Incoming::Reply(message) => self.control_reply(&message).await,
            broker::Incoming::Notice(notice) => self.notice(notice).await,
            broker::Incoming::Event(message) => self.events_came(&message).await,
            broker::Incoming::HandedOver(note) => self.inherit(&note),
            broker::Incoming::Blocked(Some(reason)) => {
                self.blocked = true;
                self.tell(Event::Link(LinkName::Broker, LinkState::Blocked(reason)))
                    .await;
            }
            broker::Incoming::Blocked(None) => {
                self.blocked = false;
                self.tell(Event::Link(
                    LinkName::Broker,
                    LinkState::Up { latency: None },
                ))
                .await;
            }
            broker::Incoming::Lost(reason) => self.broker_lost(reason).await,
        }
    }

    pub(super) async fn backend_up(&mut self, link: Arc<dyn backend::Link>) {
        self.backend.up(Arc::clone(&link));
        self.expected.clear();
        self.tell(Event::Link(
            LinkName::Backend,
            LinkState::Up { latency: None },
        ))
        .await;
        self.measure(LinkName::Backend);
        self.watch_again(&link);
    }

    pub(super) async fn backend_failed(&mut self, reason: Error) {
        let now = self.now();
        let state = self.backend.down(reason, now);
        self.tell(Event::Link(LinkName::Backend, state)).await;
    }

    pub(super) async fn backend_lost(&mut self, reason: Error) {
        if self.backend.link().is_none() {
            return;
        }
        let message = reason.message.clone();
        self.backend_failed(reason).await;
        self.tell_stored_calls(Fact::BackendLost(message)).await;
    }

    pub(super) async fn backend_says(&mut self, incoming: backend::Incoming) {
        match incoming {
            backend::Incoming::Result { id, payload } => self.document(id, payload).await,
            backend::Incoming::Notice(notice) => self.notice(notice).await,
            backend::Incoming::Lost(reason) => self.backend_lost(reason).await,
        }
    }

    /// Measures the round trip of a link.
    pub(super) fn measure(&self, name: LinkName) {
        let done = self.done.clone();
        let (broker, backend) = (self.broker.link(), self.backend.link());
        tokio::spawn(async move {
            let latency = match (name, broker, backend) {
                (LinkName::Broker, Some(link), _) => link.ping().await,
                (LinkName::Backend, _, Some(link)) => link.ping().await,
                _ => return,
            };
            let _ = done.send(Done::Latency(name, latency)).await;
        });
    }

    /// A failed ping is no news: the link itself tells when it is lost.
    pub(super) async fn latency(&mut self, name: LinkName, latency: Result<Duration, Error>) {
        let Ok(latency) = latency else {
            return;
        };
        let slow = latency > SLOW;
        let up = match name {
            LinkName::Broker => {
                self.broker.slow = slow;
                // The pinged connection is up all the same; what matters to a caller is that publishing is not.
                self.broker.link().is_some() && !self.blocked
            }
            LinkName::Backend => {
                self.backend.slow = slow;
                self.backend.link().is_some()
            }
        };
        if up {
            self.tell(Event::Link(
                name,
                LinkState::Up {
                    latency: Some(latency),
                },
            ))
            .await;
        }
    }

    /// The workers told where results are: choose, once. A backend that the user named hears what they tell of it.
    pub(super) async fn choose_results(&mut self) {
        let Some(told) = told_backend(&self.cluster) else {
            return;
        };
        if let Some(results) = &self.results {
            if let Results::Stored(way) = results {
                way.hear(&told);
            }
            return;
        }
        self.resolve_results(&told).await;
    }

    /// Nobody told, and this is where they were when a call was made.
    pub(super) async fn results_were_at(&mut self, address: &str) {
        if matches!(self.results, None | Some(Results::Unknown)) {
            self.resolve_results(&Told::from(address)).await;
        }
    }

    async fn resolve_results(&mut self, told: &Told) {
        let Some(resolve) = &self.resolve else {
            return;
        };
        match resolve(told) {
            Ok(results) => self.set_results(results).await,
            // Unknown from now on, and told as the trouble that it is: nothing may be sent before the question is answered.
            Err(error) => {
                self.results = Some(Results::Unknown);
                self.tell(Event::ResultsTrouble(error)).await;
            }
        }
    }

    pub(super) async fn set_results(&mut self, results: Results) {
        if matches!(results, Results::Stored(_)) {
            // Calls that were sent before this was known are looked for there too.
            self.calls.values_mut().for_each(Tracked::on_backend);
        }
        self.results = Some(results.clone());
        self.tell(Event::Results(results)).await;
        self.dial_backend().await;
    }
}
