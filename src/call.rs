//! The life of one call: one state machine that merges what the publish, the result backend and the workers tell. Pure.
//!
//! A deadline ends the *waiting* only. The outcome is unknown until it is known, and a late result lands in the same record.

pub mod answer;
mod delivery;
pub mod diagnosis;
pub mod document;
pub mod fact;
pub mod preflight;
pub mod restore;
pub mod state;
#[cfg(test)]
mod tests;
pub mod timeline;
mod told;

use std::time::Duration;

use crate::broker::Route;
use crate::clock::{Moment, Now};
use crate::error::Error;
use crate::protocol::control::{HeldTask, Place};
use crate::protocol::{Json, NodeName, QueueName, Signature, State, TaskId, TaskResult};

pub use answer::{Answer, Repr, Source};
pub use diagnosis::Inquiry;
pub use fact::Fact;
pub use state::CallState;
pub use timeline::Timeline;

/// What `none` and `0` mean as a timeout.
pub const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// Whether the caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Until the deadline.
    Yes,
    /// The deadline passed.
    TimedOut(Now),
    /// The user stopped waiting.
    Detached(Now),
}

/// How far the message got.
#[derive(Clone, Debug, PartialEq)]
enum Delivery {
    Draft,
    Publishing,
    Confirmed,
    Unsent,
    Unknown,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Ok,
    Fail,
    NoTask,
    Expired,
    Revoked,
    Killed,
    NoResult,
}

/// What is known of a task that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Sent,
    Recv,
    Run,
    Retry,
}

/// One call, from draft to result.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What was called.
    pub signature: Signature,
    /// The queue it was published to.
    pub queue: Option<QueueName>,
    /// Where it was published to, once that is chosen.
    pub route: Option<Route>,
    /// How long the caller waits, from the confirm.
    pub timeout: Duration,
    /// Whether the caller waits.
    pub waiting: Waiting,
    /// What happened when.
    pub timeline: Timeline,
    /// When a worker or the backend told of it last.
    pub told_at: Option<Now>,
    /// Worker that has or had it.
    pub worker: Option<NodeName>,
    /// Process that runs or ran it.
    pub pid: Option<u64>,
    /// Whether the worker acknowledged the broker's message, when told.
    pub acknowledged: Option<bool>,
    /// Retries so far, when known.
    pub retries: Option<u64>,
    /// The application's own state, such as `PROGRESS`, and its meta.
    pub custom: Option<(String, Json)>,
    /// The last state from a result backend: the result once it ended.
    pub result: Option<TaskResult>,
    /// Where its outcome was heard.
    pub source: Option<Source>,
    /// What it returned, as a worker's event tells it.
    pub repr: Option<Repr>,
    /// A large result has arrived and is being read: since when, and its size in bytes.
    pub arriving: Option<(Now, usize)>,
    /// Why it was not sent, or may not have been, or why its result cannot be read.
    pub trouble: Option<Error>,
    /// Why results cannot come just now.
    pub backend_lost: Option<String>,
    /// Warnings said before it was sent.
    pub warnings: Vec<String>,
    /// What was asked about it.
    pub inquiry: Inquiry,
    delivery: Delivery,
    phase: Phase,
    outcome: Option<Outcome>,
    late: bool,
    retries_seen: u64,
    event_clock: u64,
}

impl Call {
    /// A draft of `signature` that will be waited for `timeout`.
    pub fn new(signature: Signature, timeout: Duration, now: Now) -> Self {
        Self {
            signature,
            queue: None,
            route: None,
            timeout,
            waiting: Waiting::Yes,
            timeline: Timeline::new(now),
            told_at: None,
            worker: None,
            pid: None,
            acknowledged: None,
            retries: None,
            custom: None,
            result: None,
            source: None,
            repr: None,
            arriving: None,
            trouble: None,
            backend_lost: None,
            warnings: Vec::new(),
            inquiry: Inquiry::default(),
            delivery: Delivery::Draft,
            phase: Phase::Sent,
            outcome: None,
            late: false,
            retries_seen: 0,
            event_clock: 0,
        }
    }

    /// Its id.
    pub fn id(&self) -> &TaskId {
        &self.signature.id
    }

    /// Its state in one word.
    pub fn state(&self) -> CallState {
        if let Some(outcome) = self.outcome {
            return self.ended(outcome);
        }
        match (&self.delivery, self.waiting) {
            (Delivery::Draft, _) => CallState::Draft,
            (Delivery::Unsent, _) => CallState::Unsent,
            (_, Waiting::TimedOut(_)) => CallState::Timeout,
            (_, Waiting::Detached(_)) => CallState::Detached,
            (delivery, Waiting::Yes) => self.live(delivery),
        }
    }

    fn live(&self, delivery: &Delivery) -> CallState {
        match (self.phase, delivery) {
            (Phase::Retry, _) => CallState::Retry,
            (Phase::Run, _) => CallState::Run,
            (Phase::Recv, _) => CallState::Recv,
            (Phase::Sent, Delivery::Unknown) => CallState::UnknownDelivery,
            (Phase::Sent, Delivery::Publishing) => CallState::Send,
            (Phase::Sent, _) => CallState::Sent,
        }
    }

    fn ended(&self, outcome: Outcome) -> CallState {
        match (outcome, self.late) {
            (Outcome::Ok, false) => CallState::Ok,
            (Outcome::Ok, true) => CallState::LateOk,
            (Outcome::Fail, false) => CallState::Fail,
            (Outcome::Fail, true) => CallState::LateFail,
            (Outcome::NoTask, _) => CallState::NoTask,
            (Outcome::Expired, _) => CallState::Expired,
            (Outcome::Revoked, _) => CallState::Revoked,
            (Outcome::Killed, _) => CallState::Killed,
            (Outcome::NoResult, _) => CallState::NoResult,
        }
    }

    /// Where the task is as far as is known, also after we stopped waiting: SENT, RECV, RUN or RETRY; `None` once it ended or if it was never sent.
    pub fn whereabouts(&self) -> Option<CallState> {
        let under_way =
            self.outcome.is_none() && !matches!(self.delivery, Delivery::Draft | Delivery::Unsent);
        under_way.then(|| self.live(&self.delivery))
    }

    /// Whether it was refused before it was published: it stays a draft, and nothing more comes.
    pub fn refused(&self) -> bool {
        self.delivery == Delivery::Draft && self.trouble.is_some()
    }

    /// Whether it is certain (`Some`) or not (`None`) that the message was queued.
    pub fn sent(&self) -> Option<bool> {
        match self.delivery {
            Delivery::Draft | Delivery::Unsent => Some(false),
            Delivery::Confirmed => Some(true),
            Delivery::Publishing | Delivery::Unknown => {
                (self.phase > Phase::Sent || self.outcome.is_some()).then_some(true)
            }
        }
    }

    /// Whether the end came after our timeout.
    pub fn late(&self) -> bool {
        self.late
    }

    /// Whether it ended with an outcome of the task (not: unsent).
    pub fn result_known(&self) -> bool {
        matches!(self.outcome, Some(outcome) if outcome != Outcome::NoResult)
    }

    /// When the waiting ends; `None` before the broker has it, and once nobody waits. A result that has arrived in time is read, however
    /// long that takes.
    pub fn deadline(&self) -> Option<Moment> {
        let start = self.timeline.waiting_since()?;
        let open = self.outcome.is_none() && self.arriving.is_none();
        (self.waiting == Waiting::Yes && open).then(|| start.mono.after(self.timeout))
    }

    /// Time waited so far, or in all once it ended or was given up.
    pub fn elapsed(&self, now: Now) -> Option<Duration> {
        let start = self.timeline.waiting_since()?;
        let given_up = match self.waiting {
            Waiting::Yes => now,
            Waiting::TimedOut(at) | Waiting::Detached(at) => at,
        };
        let end = self.timeline.done.unwrap_or(given_up);
        Some(end.mono.since(start.mono))
    }

    /// Time left until the deadline.
    pub fn left(&self, now: Now) -> Option<Duration> {
        self.deadline().map(|deadline| deadline.since(now.mono))
    }

    /// Time passes: at the deadline the waiting ends, nothing else. Returns whether it ended just now.
    pub fn tick(&mut self, now: Now) -> bool {
        let over = self.deadline().is_some_and(|deadline| now.mono >= deadline);
        if over {
            self.waiting = Waiting::TimedOut(now);
        }
        over
    }

    /// Waits `by` longer (or shorter, never less than already elapsed plus a moment); waits again if the deadline had passed.
    pub fn set_timeout(&mut self, timeout: Duration, now: Now) {
        self.timeout = timeout.clamp(Duration::from_millis(1), LONGEST_WAIT);
        let ahead = self
            .timeline
            .waiting_since()
            .is_none_or(|start| start.mono.after(self.timeout) > now.mono);
        if ahead && matches!(self.waiting, Waiting::TimedOut(_) | Waiting::Detached(_)) {
            self.waiting = Waiting::Yes;
        }
    }

    /// The user stops waiting; we go on listening.
    pub fn detach(&mut self, now: Now) {
        if self.waiting == Waiting::Yes && self.outcome.is_none() {
            self.waiting = Waiting::Detached(now);
        }
    }

    /// Merges one fact. Facts may come late, twice and in any order. Returns whether anything changed.
    pub fn apply(&mut self, fact: Fact, now: Now) -> bool {
        // Results may be large: they are compared, never copied.
        let news = match &fact {
            Fact::Result(result) => self.takes_results() && self.result.as_ref() != Some(&**result),
            _ => false,
        };
        let before = self.summary();
        // The same state, fetched again, tells nothing of now.
        if news || !matches!(fact, Fact::Result(_)) {
            self.inquiry.note(&fact, now);
        }
        self.merge(fact, now);
        news || before != self.summary()
    }

    /// What can be seen of it, but for its result.
    fn summary(&self) -> impl PartialEq + use<> {
        (
            (self.state(), self.phase, self.timeline),
            (
                self.worker.clone(),
                self.pid,
                self.acknowledged,
                self.retries,
            ),
            (self.trouble.is_some(), self.backend_lost.is_some()),
            (self.warnings.len(), self.arriving.is_some(), self.source),
            self.inquiry.summary(),
        )
    }

    fn merge(&mut self, fact: Fact, now: Now) {
        match fact {
            Fact::Publishing => self.publishing(now),
            Fact::Confirmed => self.confirmed(now),
            Fact::Returned(reason) => self.returned(&reason),
            Fact::Unsent(error) => self.unsent(error),
            Fact::Unknown(error) => self.unknown(error, now),
            Fact::NoResult => {
                if self.outcome.is_none() {
                    self.end(Outcome::NoResult, now);
                }
            }
            Fact::Result(result) => self.heard(*result, now),
            Fact::Arriving(size) => self.arrives(size, now),
            Fact::Unreadable { reason, state } => self.cannot_read(reason, state.as_ref(), now),
            Fact::Event(event) => self.told(*event, now),
            Fact::Warning(warning) => self.warnings.push(warning),
            Fact::Seen { place, node, task } => self.seen(place, node, &task, now),
            Fact::Asked | Fact::Answered { .. } | Fact::Eta(_) | Fact::NotStored => {}
            Fact::BackendLost(reason) => self.backend_lost = Some(reason),
            Fact::BackendBack => self.backend_lost = None,
        }
    }

    /// Whether a result still tells something: also the value of what only an event has told.
    fn takes_results(&self) -> bool {
        self.outcome.is_none() || self.source == Some(Source::Event)
    }

    /// A large result is here. What arrived before the deadline and is read after it is not late.
    fn arrives(&mut self, size: usize, now: Now) {
        if self.outcome.is_some() {
            return;
        }
        self.arriving = Some((now, size));
        if matches!(self.waiting, Waiting::TimedOut(over) if now.mono < over.mono) {
            self.waiting = Waiting::Yes;
        }
    }

    /// A result came and cannot be read. Where its state is sure, the task has ended.
    fn cannot_read(&mut self, reason: String, state: Option<&State>, now: Now) {
        self.arriving = None;
        if self.outcome.is_some() {
            return;
        }
        let hint = format!(
            "a worker has answered, only its answer is out of reach here; Celery itself reads it: AsyncResult('{}')",
            self.id()
        );
        let kind = crate::error::Kind::Internal;
        self.trouble = Some(Error::new(kind, reason).hint(hint));
        let outcome = match state {
            Some(State::Success) => Outcome::Ok,
            Some(State::Failure) => Outcome::Fail,
            Some(State::Revoked) => Outcome::Revoked,
            _ => return,
        };
        self.source = Some(Source::Backend);
        self.result = None;
        self.end(outcome, now);
    }

    /// The value of a task that an event told the end of.
    fn completed(&mut self, result: TaskResult) {
        if self.takes_results() && result.state.is_final() {
            self.outcome = Some(outcome(&result));
            self.source = Some(Source::Backend);
            self.repr = None;
            self.result = Some(result);
        }
    }

    fn heard(&mut self, result: TaskResult, now: Now) {
        self.arriving = None;
        if self.outcome.is_some() {
            return self.completed(result);
        }
        self.told_at = Some(now);
        self.worker = result.worker.clone().or_else(|| self.worker.take());
        self.pid = result.pid.or(self.pid);
        self.retries = result.retries.or(self.retries);
        self.custom = None;
        match &result.state {
            State::Pending => {}
            State::Started => self.started(now),
            State::Retry => {
                // Without an extended result nobody numbers the retries: those we saw are counted.
                let seen = self
                    .retries_seen
                    .saturating_add(u64::from(self.phase != Phase::Retry));
                self.phase = Phase::Retry;
                self.retries_seen = seen;
                self.retries = result.retries.or(Some(seen));
            }
            State::Custom(word) => {
                self.started(now);
                self.custom = Some((word.clone(), result.value.clone()));
            }
            State::Success | State::Failure | State::Revoked => {
                self.source = Some(Source::Backend);
                let outcome = outcome(&result);
                self.end(outcome, now);
            }
        }
        self.result = Some(result);
    }

    fn started(&mut self, now: Now) {
        self.phase = Phase::Run;
        if !self.inquiry.heard_late(now) {
            self.timeline.started.get_or_insert(now);
        }
    }

    fn seen(&mut self, place: Place, node: NodeName, task: &HeldTask, now: Now) {
        if self.outcome.is_some() {
            return;
        }
        self.told_at = Some(now);
        self.worker = Some(node);
        self.acknowledged = Some(task.acknowledged);
        match place {
            Place::Reserved | Place::Scheduled => {
                self.timeline
                    .received
                    .get_or_insert(self.timeline.started.unwrap_or(now));
                if self.phase < Phase::Recv {
                    self.phase = Phase::Recv;
                }
            }
            Place::Active => {
                self.pid = task.pid.or(self.pid);
                let started = self.timeline.clamp_remote(task.started, now);
                self.phase = Phase::Run;
                // Received at the latest when it started, whenever that was told.
                let started = *self.timeline.started.get_or_insert(started);
                self.timeline.received.get_or_insert(started);
            }
        }
    }

    fn end(&mut self, outcome: Outcome, now: Now) {
        self.late = matches!(self.waiting, Waiting::TimedOut(_));
        self.arriving = None;
        self.outcome = Some(outcome);
        self.backend_lost = None;
        self.timeline.done = Some(now);
    }
}

fn outcome(result: &TaskResult) -> Outcome {
    let exception = result.exception.as_ref();
    match result.state {
        State::Success => Outcome::Ok,
        State::Revoked if exception.is_some_and(super::protocol::result::Exception::is_expired) => {
            Outcome::Expired
        }
        State::Revoked
            if exception.is_some_and(super::protocol::result::Exception::is_terminated) =>
        {
            Outcome::Killed
        }
        State::Revoked => Outcome::Revoked,
        _ if exception.is_some_and(super::protocol::result::Exception::is_not_registered)
            && result.traceback.is_none() =>
        {
            Outcome::NoTask
        }
        _ => Outcome::Fail,
    }
}
