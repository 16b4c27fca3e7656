//! A call brought back from what a record kept of it. Pure; it knows nothing of records.

use std::time::Duration;

use super::ending::{End, Told};
use super::merge::CATCHING_UP;
use super::patience::Patience;
use super::story::{Stage, Start, Story};
use super::{Call, CallState, Delivery, Fact, Outcome, Phase, Source, Waiting};
use crate::clock::{Moment, Now};
use crate::error::{Error, Kind};
use crate::protocol::{Signature, State};

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
        let undelivered = matches!(
            self.delivery,
            Delivery::Unsent | Delivery::Refused | Delivery::Unknown | Delivery::Returned
        );
        let trouble = self.trouble.clone();
        self.delivered = (self.timeline.created, trouble.filter(|_| undelivered));
        self.phase = phase(whereabouts);
        self.outcome = outcome(state);
        self.before = self.story();
        let told = self.told_at.unwrap_or(self.timeline.created);
        self.read = self.had_been_read().then_some(told.mono);
        let word = if self.by_worker() {
            &mut self.inquiry.told
        } else {
            &mut self.inquiry.stored
        };
        *word = self.told_at;
        self.inquiry.acknowledged = self.acknowledged;
        self.patience = Patience::new(self.timeout);
        self.patience.before = self.waiting;
        self.noticed = matches!(self.waiting, Waiting::TimedOut(_));
        if let Some(lost) = &self.backend_lost {
            self.links.push((self.timeline.created, Some(lost.clone())));
        }
        if let Some(outcome) = self.outcome {
            self.anew.undated = self.timeline.done.is_none();
            let told = self.timeline.done.filter(|_| self.timeline.done_told);
            self.anew.told = told.map(|done| done.mono);
            self.resume_ended(outcome);
        } else if let Some(result) = self.result.clone() {
            self.ends.state(result, told);
        }
        if let (None, false, Some(trouble)) = (self.outcome, undelivered, self.trouble.clone()) {
            self.ends.unreadable(trouble, None, told);
        }
        self.late = self.outcome.is_some() && self.noticed;
        self
    }

    /// Whether a worker told of it, as far as a record shows: something that only workers tell is known, or nothing came from a
    /// backend. In doubt the backend alone did, which keeps the last state it was given whatever became of the worker.
    fn by_worker(&self) -> bool {
        let timeline = &self.timeline;
        let clocks = timeline.told || timeline.last_told || timeline.received.is_some();
        let kept = self.result.is_some() || self.custom.is_some() || self.trouble.is_some();
        self.acknowledged.is_some() || clocks || !kept
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
            ordered: None,
            stage: match self.phase {
                Phase::Run => Stage::Run,
                Phase::Recv => Stage::Held,
                Phase::Sent | Phase::Retry => Stage::Sent,
            },
            numbered: self.retries.is_some(),
            worker: self.worker.clone(),
            pid: self.pid,
            acknowledged: self.acknowledged,
            received: timeline.held,
            received_told: timeline.received.is_some(),
            first: timeline.started.map(|at| start(at, timeline.told)),
            last: timeline
                .last_started
                .map(|at| start(at, timeline.last_told)),
            runtime: timeline.runtime,
            opened: self.first.clone(),
            twice: self.twice.clone(),
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
    /// then has an unknown end. It is listened for again from `now` on.
    pub fn abandoned(&mut self, at: Now, now: Now) {
        if self.delivery == Delivery::Publishing {
            self.delivery = Delivery::Unknown;
            self.timeline.published.get_or_insert(at);
            self.timeline.confirmed.get_or_insert(at);
        }
        self.links.clear();
        self.detach(at);
        self.listened_for(now);
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
        call.listened_for(now);
        call
    }

    /// Whether it was sent elsewhere, if at all: of every other call it is known when it was published.
    pub fn is_strange(&self) -> bool {
        self.delivery == Delivery::Unknown && self.timeline.published.is_none()
    }

    /// Whether another umbel, which has gone, or another program called it: what goes to its caller alone does not come here.
    pub fn is_anothers(&self) -> bool {
        self.anew.since.is_some()
    }

    /// Whether a state of it was read where results are looked for here: what came to another that called it may have come to that
    /// one alone.
    pub fn is_read(&self) -> bool {
        self.was_read() && (!self.is_anothers() || self.anew.read)
    }

    /// Whether a state of it came back at all, here or to whoever called it. What an event tells that it raised is none.
    pub(super) fn was_read(&self) -> bool {
        self.read.is_some()
    }

    /// The same of what a record kept. That it waits for a retry an event may have told.
    fn had_been_read(&self) -> bool {
        match (self.outcome, &self.result) {
            (Some(_), _) => self.source == Some(Source::Backend),
            (None, Some(result)) => result.state != State::Retry,
            (None, None) => false,
        }
    }

    /// It is listened for from now on: what is fetched first is older than that, and tells nothing of when it happened.
    fn listened_for(&mut self, now: Now) {
        self.anew.since = Some(now.mono);
    }

    /// When it ended: when that was heard, unless it was fetched, after an outage or by an umbel that came later, which may be long after.
    /// Then it ended when the worker says so, if that is possible on our clock. Else that is unknown to who came later, and to who was
    /// there it came back when it was heard. With it goes whether a worker's clock says it.
    pub(super) fn ended_at(&self, end: &End) -> Option<(Now, bool)> {
        let heard = end.at;
        if self.anew.undated && heard.mono == self.timeline.created.mono {
            return None;
        }
        let arrived = self.large.map(|(at, _)| at.mono);
        let before = arrived.filter(|arrived| *arrived < heard.mono);
        let either =
            |fetched: &dyn Fn(Moment) -> bool| fetched(heard.mono) || before.is_some_and(fetched);
        if end.source == Some(Source::Event) || !either(&|at| self.heard_late(at)) {
            return Some((heard, self.anew.told == Some(heard.mono)));
        }
        let was_there = !either(&|at| self.anew.fetched(at));
        let told = self.dated(heard).map(|at| (at, true));
        told.or_else(|| was_there.then_some((heard, false)))
    }

    /// When the worker says that it ended, if that is possible on our clock.
    fn dated(&self, heard: Now) -> Option<Now> {
        let sent = self.timeline.published.unwrap_or(self.timeline.created);
        let result = self.ends.value()?;
        let told = result.done_at?;
        let ago = Duration::try_from(heard.wall.duration_since(told)).ok()?;
        let believed = self.evidence.believes(result.worker.as_ref(), sent);
        (believed && ago <= heard.mono.since(sent.mono)).then(|| Now {
            wall: told,
            mono: heard.mono.before(ago),
        })
    }
}

/// Since when a call is listened for that was sent before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Anew {
    since: Option<Moment>,
    /// The result backend answered first since then.
    answered: Option<Moment>,
    /// A state was read since then.
    read: bool,
    /// It had ended before, nobody knows when.
    undated: bool,
    /// It had ended before, then, as a worker's clock says.
    told: Option<Moment>,
}

impl Anew {
    /// The first answer may come late: the backend may have to be reached before.
    pub fn note(&mut self, fact: &Fact, at: Moment) {
        let answers = matches!(
            fact,
            Fact::BackendBack
                | Fact::NotStored
                | Fact::Result(_)
                | Fact::Arriving(_)
                | Fact::Unreadable { .. }
        );
        if answers && self.since.is_some_and(|since| since <= at) {
            self.read |= matches!(fact, Fact::Result(_) | Fact::Unreadable { .. });
            self.answered = Some(self.answered.map_or(at, |known| known.min(at)));
        }
    }

    /// Whether what the backend told then had been there before.
    pub fn fetched(&self, at: Moment) -> bool {
        let since = self.since.filter(|since| *since <= at);
        since.is_some_and(|since| at.since(self.answered.unwrap_or(since)) < CATCHING_UP)
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
