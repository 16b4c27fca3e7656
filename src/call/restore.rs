//! A call brought back from what a record kept of it. Pure; it knows nothing of records.

use std::time::Duration;

use super::ending::Told;
use super::patience::Patience;
use super::story::{Stage, Start, Story};
use super::{Call, CallState, Delivery, Fact, Outcome, Phase, Source, Waiting};
use crate::clock::Now;
use crate::error::{Error, Kind};
use crate::protocol::Signature;

/// How long ago a call may have been sent that was not sent from here.
const LONG: Duration = Duration::from_hours(365 * 24);

/// What of a call cannot be read from its public fields.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// [`Call::state`].
    pub state: CallState,
    /// [`Call::whereabouts`].
    pub whereabouts: Option<CallState>,
    /// [`Call::sent`].
    pub sent: Option<bool>,
}

impl Call {
    /// Goes on from what its public fields say and from `standing`: it shows the same, and merges facts again.
    #[must_use]
    pub fn resume(mut self, standing: Standing) -> Self {
        let Standing {
            state,
            whereabouts,
            sent,
        } = standing;
        self.delivery = delivery(state, sent, whereabouts, self.trouble.is_some());
        self.delivered = (self.timeline.created, self.trouble.clone());
        self.phase = phase(whereabouts);
        self.outcome = outcome(state);
        self.before = self.story();
        self.patience = Patience::new(self.timeout);
        self.patience.before = self.waiting;
        self.noticed = matches!(self.waiting, Waiting::TimedOut(_));
        if let Some(lost) = &self.backend_lost {
            self.links.push((self.timeline.created, Some(lost.clone())));
        }
        if let Some(outcome) = self.outcome {
            self.resume_ended(outcome);
        } else if let Some(result) = self.result.clone() {
            let at = self.told_at.unwrap_or(self.timeline.created);
            self.ends.state(result, at);
        }
        self.late = self.outcome.is_some() && self.noticed;
        self
    }

    fn story(&self) -> Story {
        let timeline = &self.timeline;
        let start = |at: Now, told: bool| Start {
            live: Some(at).filter(|_| !told),
            told: Some(at).filter(|_| told),
            ..Start::default()
        };
        let least = u64::from(self.phase == Phase::Retry);
        Story {
            attempt: self.retries.unwrap_or_default().max(least),
            stage: match self.phase {
                Phase::Run => Stage::Run,
                Phase::Recv => Stage::Held,
                Phase::Sent | Phase::Retry => Stage::Sent,
            },
            numbered: self.retries.is_some(),
            worker: self.worker.clone(),
            pid: self.pid,
            acknowledged: self.acknowledged,
            received: timeline.received,
            first: timeline.started.map(|at| start(at, timeline.told)),
            last: timeline
                .last_started
                .map(|at| start(at, timeline.last_told)),
            runtime: timeline.runtime,
            twice: None,
        }
    }

    fn resume_ended(&mut self, outcome: Outcome) {
        let at = self.timeline.done.unwrap_or(self.timeline.created);
        match (self.source, self.result.clone()) {
            (Some(Source::Event), result) => self.ends.event(Told {
                at,
                outcome,
                node: self.worker.clone().unwrap_or_default(),
                sent: None,
                runtime: None,
                repr: self.repr.clone(),
                result,
            }),
            (Some(Source::Backend), Some(result)) => {
                self.ends.result(result, outcome, at);
            }
            (Some(Source::Backend), None) => {
                let trouble = self.trouble.clone();
                let trouble =
                    trouble.unwrap_or_else(|| Error::new(Kind::Internal, "it was not readable"));
                self.ends.unreadable(trouble, Some(outcome), at);
            }
            (None, _) => self.ends.nothing(at),
        }
    }

    /// Nobody was there to wait or to hear a confirm since `at`: whoever waited has gone, and a publish that was under way
    /// then has an unknown end.
    pub fn abandoned(&mut self, at: Now) {
        if self.delivery == Delivery::Publishing {
            self.delivery = Delivery::Unknown;
            self.timeline.confirmed.get_or_insert(at);
        }
        self.links.clear();
        self.detach(at);
    }

    /// A call that was sent elsewhere, if it was: only its id is known, and whatever is heard of it from now on.
    pub fn stranger(signature: Signature, timeout: Duration, now: Now) -> Self {
        let long_ago = Now {
            wall: now.wall.checked_sub(LONG).unwrap_or(now.wall),
            mono: now.mono.before(LONG),
        };
        let mut call = Self::new(signature, timeout, long_ago);
        call.delivery = Delivery::Unknown;
        call.waiting = Waiting::Detached(now);
        call.patience.before = call.waiting;
        call
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

    /// Its end was heard when its result was fetched, which may be long after: it ended when the worker says so, if that is possible
    /// on our clock, and where it does not say, that is unknown. To be said again after every fact.
    pub fn ended_before(&mut self) {
        let Some(heard) = self.timeline.done else {
            return;
        };
        let sent = self.timeline.published.unwrap_or(self.timeline.created);
        let told = self.result.as_ref().and_then(|it| it.done_at);
        self.timeline.done = told.map(|at| {
            let ago = Duration::try_from(heard.wall.duration_since(at)).ok();
            match ago.filter(|ago| *ago <= heard.mono.since(sent.mono)) {
                Some(ago) => Now {
                    wall: at,
                    mono: heard.mono.before(ago),
                },
                None => heard,
            }
        });
    }
}

fn delivery(
    state: CallState,
    sent: Option<bool>,
    whereabouts: Option<CallState>,
    trouble: bool,
) -> Delivery {
    match (sent, state, whereabouts) {
        (Some(true), ..) => Delivery::Confirmed,
        (Some(false), CallState::Draft, _) if trouble => Delivery::Refused,
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
