//! A call brought back from what a record kept of it. Pure; it knows nothing of records.

use std::time::Duration;

use super::{Call, CallState, Delivery, Fact, Outcome, Phase, Repr, Source, Timeline, Waiting};
use crate::clock::Now;
use crate::error::Error;
use crate::protocol::{Json, NodeName, QueueName, Signature, TaskResult};

/// How long ago a call may have been sent that was not sent from here.
const LONG: Duration = Duration::from_hours(365 * 24);

/// What is kept of a call: all that [`Call`] shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Remains {
    /// [`Call::signature`].
    pub signature: Signature,
    /// [`Call::queue`].
    pub queue: Option<QueueName>,
    /// [`Call::timeout`].
    pub timeout: Duration,
    /// [`Call::waiting`].
    pub waiting: Waiting,
    /// [`Call::timeline`].
    pub timeline: Timeline,
    /// [`Call::told_at`].
    pub told_at: Option<Now>,
    /// [`Call::worker`].
    pub worker: Option<NodeName>,
    /// [`Call::pid`].
    pub pid: Option<u64>,
    /// [`Call::acknowledged`].
    pub acknowledged: Option<bool>,
    /// [`Call::retries`].
    pub retries: Option<u64>,
    /// [`Call::custom`].
    pub custom: Option<(String, Json)>,
    /// [`Call::result`].
    pub result: Option<TaskResult>,
    /// [`Call::source`].
    pub source: Option<Source>,
    /// [`Call::repr`].
    pub repr: Option<Repr>,
    /// [`Call::trouble`].
    pub trouble: Option<Error>,
    /// [`Call::backend_lost`].
    pub backend_lost: Option<String>,
    /// [`Call::warnings`].
    pub warnings: Vec<String>,
    /// [`Call::state`].
    pub state: CallState,
    /// [`Call::whereabouts`].
    pub whereabouts: Option<CallState>,
    /// [`Call::sent`].
    pub sent: Option<bool>,
    /// [`Call::late`].
    pub late: bool,
}

impl Call {
    /// The call that `remains` are of: it shows the same, and goes on merging facts.
    pub fn restore(remains: Remains) -> Self {
        let call = Self::new(remains.signature, remains.timeout, remains.timeline.created);
        Self {
            delivery: delivery(remains.state, remains.sent, remains.whereabouts),
            phase: phase(remains.whereabouts),
            outcome: outcome(remains.state),
            late: remains.late,
            retries_seen: remains.retries.unwrap_or_default(),
            queue: remains.queue,
            waiting: remains.waiting,
            timeline: remains.timeline,
            told_at: remains.told_at,
            worker: remains.worker,
            pid: remains.pid,
            acknowledged: remains.acknowledged,
            retries: remains.retries,
            custom: remains.custom,
            result: remains.result,
            source: remains.source,
            repr: remains.repr,
            trouble: remains.trouble,
            backend_lost: remains.backend_lost,
            warnings: remains.warnings,
            ..call
        }
    }

    /// A call that was sent elsewhere, if it was: only its id is known, and whatever is heard of it from now on.
    pub fn stranger(signature: Signature, timeout: Duration, now: Now) -> Self {
        let long_ago = Now {
            wall: now.wall.checked_sub(LONG).unwrap_or(now.wall),
            mono: now.mono.before(LONG),
        };
        let call = Self::new(signature, timeout, long_ago);
        Self {
            delivery: Delivery::Unknown,
            waiting: Waiting::Detached(now),
            ..call
        }
    }

    /// Whether it was sent elsewhere, if at all: of every other call it is known when it was published.
    pub fn is_strange(&self) -> bool {
        self.delivery == Delivery::Unknown && self.timeline.published.is_none()
    }

    /// It is listened for from now on: states that come at once are older than that, and tell nothing of when they began.
    pub fn listened_for(&mut self, now: Now) {
        self.apply(Fact::BackendLost(String::new()), now);
        self.apply(Fact::BackendBack, now);
    }

    /// Its end was heard when its result was fetched, which may be long after: it ended when the worker says so, and where it does not
    /// say, that is unknown.
    pub fn ended_before(&mut self) {
        let Some(heard) = self.timeline.done else {
            return;
        };
        let told = self.result.as_ref().and_then(|it| it.done_at);
        self.timeline.done = told.map(|at| {
            let unix = at.as_microsecond() as f64 / 1e6;
            self.timeline.clamp_remote(Some(unix), heard)
        });
    }

    /// Nobody was there to wait or to hear a confirm since `at`: whoever waited has gone, and a publish that was under way
    /// then has an unknown end.
    pub fn abandoned(&mut self, at: Now) {
        if self.delivery == Delivery::Publishing {
            self.delivery = Delivery::Unknown;
            self.timeline.confirmed.get_or_insert(at);
        }
        self.detach(at);
    }
}

fn delivery(state: CallState, sent: Option<bool>, whereabouts: Option<CallState>) -> Delivery {
    match (sent, state, whereabouts) {
        (Some(true), ..) => Delivery::Confirmed,
        (Some(false), CallState::Draft, _) => Delivery::Draft,
        (Some(false), ..) => Delivery::Unsent,
        (None, _, Some(CallState::Send)) => Delivery::Publishing,
        (None, ..) => Delivery::Unknown,
    }
}

fn phase(whereabouts: Option<CallState>) -> Phase {
    match whereabouts {
        Some(CallState::Recv) => Phase::Recv,
        Some(CallState::Run) => Phase::Run,
        Some(CallState::Retry) => Phase::Retry,
        _ => Phase::Sent,
    }
}

fn outcome(state: CallState) -> Option<Outcome> {
    Some(match state {
        CallState::Ok | CallState::LateOk => Outcome::Ok,
        CallState::Fail | CallState::LateFail => Outcome::Fail,
        CallState::NoTask => Outcome::NoTask,
        CallState::Expired => Outcome::Expired,
        CallState::Revoked => Outcome::Revoked,
        CallState::Killed => Outcome::Killed,
        CallState::NoResult => Outcome::NoResult,
        _ => return None,
    })
}
