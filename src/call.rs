//! The life of one call: one state machine that merges what the publish, the result backend and the workers tell. Pure.
//!
//! A deadline ends the *waiting* only. The outcome is unknown until it is known, and a late result lands in the same record.
//!
//! # Same facts, same state
//!
//! A fact is what was told and the moment at which we heard it. Facts may be merged in any order and twice: nothing is concluded from
//! the order of merging. Everything shown is concluded from what was gathered, by these rules:
//!
//! - **Delivery**: the surest word counts (`Draft < Publishing < Unknown < Refused < Unsent < Confirmed < Returned`).
//! - **Where it is** (`story`): the furthest (attempt, stage) that was told. Events of one worker go by its own time and logical
//!   clock, everything else by when we heard it. What is told of an earlier attempt is old.
//! - **The end** (`ending`): a result before an event, before "nothing is kept"; any end before a plain `REVOKED`, which a worker
//!   that runs the task after all overwrites; a result that can be read before one that cannot; of two alike the one heard first.
//! - **LATE** (`patience`): whether the deadline was over when the end was heard. A deadline at that very moment was over; what the
//!   user did at that very moment came after it.
//! - **Times** are on our own clock, or told by a worker whose clock was never found wrong, which is marked
//!   ([`Timeline::queued_on`], [`Timeline::ran_on`]). What was heard too late to say when it happened has no time.
//!
//! What does depend on when we heard it: moments on our clock, LATE, and the order of states without a number or clock of their own
//! (those of a result backend, and lists), because nothing else orders them.

pub mod answer;
mod delivery;
pub mod diagnosis;
pub mod document;
mod ending;
mod evidence;
pub mod fact;
pub mod heft;
mod kept_at;
pub mod look;
mod merge;
mod patience;
pub mod preflight;
pub mod restore;
pub mod share;
pub mod state;
mod story;
#[cfg(test)]
mod tests;
pub mod timeline;
mod told;

use std::sync::Arc;
use std::time::Duration;

use crate::broker::Route;
use crate::clock::{Moment, Now};
use crate::error::Error;
use crate::protocol::{Json, NodeName, QueueName, Signature, State, TaskId, TaskResult};

use ending::Ends;
use evidence::Evidence;
use patience::{Act, Patience};
use restore::Anew;
use story::{Memory, Story};

pub use answer::{Answer, Repr, Source};
pub use diagnosis::Inquiry;
pub use fact::Fact;
pub use look::Look;
pub use state::CallState;
pub use timeline::{First, Timeline};

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

/// How far the message got, the surest word last: a message that is returned was confirmed too, and one that is confirmed is queued
/// whatever else was feared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Delivery {
    Draft,
    Publishing,
    Unknown,
    /// By ourselves.
    Refused,
    Unsent,
    Confirmed,
    Returned,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// Who had it first.
    pub first: First,
    /// Where an attempt was seen to start that had been seen to start before, and when that was heard.
    pub twice: Option<(NodeName, Now)>,
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
    pub result: Option<Arc<TaskResult>>,
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
    /// What the last look at where it is came to.
    pub looked: Option<Look>,
    /// What was told, from which everything above is concluded.
    delivery: Delivery,
    delivered: (Now, Option<Error>),
    before: Story,
    memory: Option<Memory>,
    evidence: Evidence,
    ends: Ends,
    patience: Patience,
    links: Vec<(Now, Option<String>)>,
    anew: Anew,
    large: Option<(Now, usize)>,
    read: Option<Moment>,
    /// What is concluded, beside the fields above.
    phase: Phase,
    /// When its last retry was ordered.
    ordered: Option<Moment>,
    outcome: Option<Outcome>,
    late: bool,
    /// That the time is over was noticed.
    noticed: bool,
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
            first: First::default(),
            twice: None,
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
            looked: None,
            delivery: Delivery::Draft,
            delivered: (now, None),
            before: Story::default(),
            memory: None,
            evidence: Evidence::default(),
            ends: Ends::default(),
            patience: Patience::new(timeout),
            links: Vec::new(),
            anew: Anew::default(),
            large: None,
            read: None,
            phase: Phase::Sent,
            ordered: None,
            outcome: None,
            late: false,
            noticed: false,
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
        match (self.delivery, self.waiting) {
            (Delivery::Draft | Delivery::Refused, _) => CallState::Draft,
            (Delivery::Unsent | Delivery::Returned, _) => CallState::Unsent,
            (_, Waiting::TimedOut(_)) => CallState::Timeout,
            (_, Waiting::Detached(_)) => CallState::Detached,
            (delivery, Waiting::Yes) => self.live(delivery),
        }
    }

    fn live(&self, delivery: Delivery) -> CallState {
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
        let sent = matches!(
            self.delivery,
            Delivery::Publishing | Delivery::Unknown | Delivery::Confirmed
        );
        (self.outcome.is_none() && sent).then(|| self.live(self.delivery))
    }

    /// Whether it was refused before it was published: it stays a draft, and nothing more comes.
    pub fn refused(&self) -> bool {
        self.delivery == Delivery::Refused
    }

    /// Whether it is certain (`Some`) or not (`None`) that the message was queued.
    pub fn sent(&self) -> Option<bool> {
        match self.delivery {
            Delivery::Draft | Delivery::Refused | Delivery::Unsent | Delivery::Returned => {
                Some(false)
            }
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
        let start = self.patience.since_now(self.timeline.waiting_since())?;
        let open = self.outcome.is_none() && self.arriving.is_none();
        (self.waiting == Waiting::Yes && open).then(|| start.mono.after(self.timeout))
    }

    /// Time waited so far, or in all once it ended or was given up; `None` where it is unknown when it ended.
    pub fn elapsed(&self, now: Now) -> Option<Duration> {
        let start = self.timeline.waiting_since()?;
        if self.outcome.is_some() && self.timeline.done.is_none() {
            return None;
        }
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
        self.patience.look(now.mono);
        if !self.noticed && self.outcome.is_none() {
            self.waits();
        }
        let over = self.outcome.is_none() && matches!(self.waiting, Waiting::TimedOut(_));
        over && !std::mem::replace(&mut self.noticed, over)
    }

    /// Waits `timeout` in all, counted from the confirm, at most [`LONGEST_WAIT`]: longer or shorter than before; waits again if the
    /// deadline had passed.
    pub fn set_timeout(&mut self, timeout: Duration, now: Now) {
        let timeout = timeout.clamp(Duration::from_millis(1), LONGEST_WAIT);
        self.patience.act(Act::Wait(timeout), now);
        self.waits();
        self.look_again();
    }

    /// Somebody waits `timeout` for it from now on, whatever its caller did: see [`restore`].
    pub fn wait_anew(&mut self, timeout: Duration, now: Now) {
        self.patience.act(Act::Anew(timeout), now);
        self.waits();
        self.look_again();
    }

    /// Who waits again looks again, at the end of that.
    fn look_again(&mut self) {
        self.looked = self.looked.filter(|_| self.waiting != Waiting::Yes);
    }

    /// The user stops waiting; we go on listening.
    pub fn detach(&mut self, now: Now) {
        self.patience.act(Act::Detach, now);
        self.waits();
    }

    /// Merges one fact. Facts may come late, twice and in any order. Returns whether anything changed.
    pub fn apply(&mut self, fact: Fact, now: Now) -> bool {
        let before = self.summary();
        // A state that is fetched is an old one, and nobody's word of now.
        self.anew.note(&fact, now.mono);
        if matches!(fact, Fact::Result(_)) && self.anew.fetched(now.mono) {
            self.inquiry.note_stored(now);
        } else {
            self.inquiry.note(&fact, now);
        }
        let news = self.merge(fact, now);
        self.conclude();
        news || before != self.summary()
    }

    /// Where an attempt was seen to start that had been seen to start before, and when that was heard: it may have run twice.
    pub fn started_again(&self) -> Option<(&NodeName, Now)> {
        self.twice.as_ref().map(|(node, at)| (node, *at))
    }

    /// Whether its last start that was seen is another one than the first: after a retry, or because it was given out again.
    pub fn restarted(&self) -> bool {
        self.twice.is_some() || self.timeline.restarted()
    }

    /// The worker that has it after the broker delivered it once before, and when that was told. Whether it had been started before
    /// that says nothing of.
    pub fn delivered_again(&self) -> Option<(&NodeName, Now)> {
        let told = self.inquiry.redelivered.as_ref();
        told.map(|(node, at)| (node, *at))
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
            (self.inquiry.summary(), self.twice.is_some()),
        )
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
