//! How a fact is taken in, and how everything shown is concluded from all that was taken in. Decides nothing by the order of merging.

use std::sync::Arc;
use std::time::Duration;

use super::evidence::{Sighting, Step, Teller};
use super::patience::Span;
use super::story::{Bounds, Story};
use super::{Call, Fact, Outcome, Phase, Waiting, outcome};
use crate::clock::{Moment, Now, Timestamp};
use crate::error::Error;
use crate::protocol::control::{HeldTask, Place};
use crate::protocol::{NodeName, State, TaskResult};

/// How long after an outage states may come that are old.
pub(super) const CATCHING_UP: Duration = Duration::from_secs(2);
/// Changes of the way to the result backend that are kept of one call.
const LINKS: usize = 64;
/// Warnings that are kept of one call.
const WARNINGS: usize = 32;

impl Call {
    /// Takes in what a fact tells. Returns whether it brought a result.
    pub(super) fn merge(&mut self, fact: Fact, now: Now) -> bool {
        match fact {
            Fact::Ordered => self.ordered(now),
            Fact::Publishing => self.publishing(now),
            Fact::Confirmed => self.confirmed(now),
            Fact::Returned(reason) => self.returned(&reason, now),
            Fact::Unsent(error) => self.unsent(error, now),
            Fact::Unknown(error) => self.unknown(error, now),
            Fact::NoResult => self.ends.nothing(now),
            Fact::Result(result) => return self.heard(*result, now),
            Fact::Arriving(size) => self.arrives(size, now),
            Fact::Unreadable { reason, state } => self.cannot_read(reason, state.as_ref(), now),
            Fact::Event(event) => self.told(*event, now),
            Fact::Warning(warning) => self.warns(warning),
            Fact::Seen { place, node, task } => self.seen(place, node, &task, now),
            Fact::Asked | Fact::Answered { .. } | Fact::Eta(_) | Fact::NotStored => {}
            Fact::BackendLost(reason) => self.link(Some(reason), now),
            Fact::BackendBack => self.link(None, now),
        }
        false
    }

    /// A large result is here. What arrived before the deadline and is read after it is not late.
    fn arrives(&mut self, size: usize, now: Now) {
        let order = |(at, size): (Now, usize)| (at.mono, size);
        if self
            .large
            .is_none_or(|known| order((now, size)) > order(known))
        {
            self.large = Some((now, size));
        }
    }

    /// Something has to be known about it; it is said once.
    fn warns(&mut self, warning: String) {
        if self.warnings.len() < WARNINGS && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The way to the result backend went or came back. Of one moment the good news counts.
    fn link(&mut self, lost: Option<String>, now: Now) {
        let order = |(at, lost): &(Now, Option<String>)| (at.mono, lost.is_none(), lost.clone());
        let link = (now, lost);
        let place = self.links.partition_point(|it| order(it) < order(&link));
        if self.links.get(place) != Some(&link) {
            self.links.insert(place, link);
        }
        if self.links.len() > LINKS {
            self.links.remove(0);
        }
    }

    /// Whether a state that is heard at `at` may be an old one: after an outage they come all at once, and tell nothing of when they
    /// were.
    pub(super) fn heard_late(&self, at: Moment) -> bool {
        let before = self.links.partition_point(|(link, _)| link.mono <= at);
        let lost = |link: Option<&(Now, Option<String>)>| link.is_some_and(|it| it.1.is_some());
        let known = &self.links[..before];
        self.anew.fetched(at)
            || lost(known.last())
            || known.windows(2).any(|it| {
                let back = lost(it.first()) && !lost(it.last());
                back && at.since(it[1].0.mono) < CATCHING_UP
            })
    }

    /// A state of the result backend.
    fn heard(&mut self, result: TaskResult, now: Now) -> bool {
        self.reads(now);
        let result = Arc::new(result);
        let step = match &result.state {
            State::Pending => return false,
            State::Success | State::Failure | State::Revoked => {
                self.told_of(now);
                let outcome = outcome(&result);
                return self.ends.result(result, outcome, now);
            }
            State::Started | State::Custom(_) => Step::Started(result.retries),
            // It names those before the one that it orders (verified on Celery 5.7).
            State::Retry => Step::Retried(result.retries.map(|before| before.saturating_add(1))),
        };
        self.told_of(now);
        self.evidence.add(Sighting {
            at: now,
            teller: Teller::State,
            node: result.worker.clone(),
            pid: result.pid,
            step,
        });
        self.ends.state(result, now)
    }

    fn reads(&mut self, now: Now) {
        self.read = self.read.max(Some(now.mono));
    }

    pub(super) fn told_of(&mut self, now: Now) {
        if self.told_at.is_none_or(|at| at.mono < now.mono) {
            self.told_at = Some(now);
        }
    }

    /// A list of a worker has it.
    fn seen(&mut self, place: Place, node: NodeName, task: &HeldTask, now: Now) {
        self.told_of(now);
        let started = task
            .started
            .and_then(|unix| Duration::try_from_secs_f64(unix).ok())
            .and_then(|unix| Timestamp::UNIX_EPOCH.checked_add(unix).ok());
        self.evidence.add(Sighting {
            at: now,
            teller: Teller::List {
                started,
                acknowledged: task.acknowledged,
                redelivered: task.redelivered,
                waits: place == Place::Scheduled,
            },
            node: Some(node),
            pid: task.pid.filter(|_| place == Place::Active),
            step: match place {
                Place::Active => Step::Started(None),
                Place::Reserved | Place::Scheduled => Step::Received(None),
            },
        });
    }

    /// A result came and cannot be read. Where its state is sure, the task has ended.
    fn cannot_read(&mut self, reason: String, state: Option<&State>, now: Now) {
        self.reads(now);
        let hint = format!(
            "a worker has answered, only its answer is out of reach here; Celery itself reads it: AsyncResult('{}')",
            self.id()
        );
        let error = Error::new(crate::error::Kind::Internal, reason).hint(hint);
        let outcome = match state {
            Some(State::Success) => Some(Outcome::Ok),
            Some(State::Failure) => Some(Outcome::Fail),
            Some(State::Revoked) => Some(Outcome::Revoked),
            _ => None,
        };
        self.ends.unreadable(error, outcome, now);
    }

    /// Concludes from all that was gathered what is shown.
    pub(super) fn conclude(&mut self) {
        let end = self.ends.end();
        self.outcome = end.as_ref().map(|end| end.outcome);
        let heard = end.as_ref().map(|end| end.at);
        let ended = end.as_ref().and_then(|end| self.ended_at(end));
        self.timeline.done = ended.map(|(at, _)| at);
        self.timeline.done_told = ended.is_some_and(|(_, told)| told);
        self.source = end.as_ref().and_then(|end| end.source);
        let bounds = Bounds {
            sent: self.timeline.published.unwrap_or(self.timeline.created),
            done: heard,
        };
        let story = self.tells(bounds);
        self.phase = story.phase();
        self.ordered = story.ordered;
        let ended_at = end.as_ref().and_then(|end| end.worker.clone());
        self.worker = ended_at.or_else(|| story.worker.clone());
        let moved = self.worker != story.worker;
        self.pid = story.pid.filter(|_| !moved);
        self.acknowledged = story.acknowledged;
        let told = end.as_ref().and_then(|end| end.retries);
        self.retries = told.max(story.numbered.then_some(story.attempt));
        self.twice.clone_from(&story.twice);
        self.first.clone_from(&story.opened);
        self.timeline.runs(&story, end.as_ref());
        self.custom = self
            .ends
            .custom()
            .filter(|_| end.is_none() && self.phase == Phase::Run);
        (self.result, self.repr) = self.ends.shown(self.phase);
        self.trouble = self.ends.trouble().or_else(|| self.delivered.1.clone());
        self.waits();
    }

    /// Its story. What there is no room for is told for good: the first start stays the first, and no retry is uncounted.
    fn tells(&mut self, bounds: Bounds) -> Story {
        let memory = |it: &Self| it.memory.clone().unwrap_or_else(|| it.before.memory());
        if let Some(count) = self.evidence.surplus() {
            let late = |at: Moment| self.heard_late(at);
            let first = (&self.evidence, count);
            let (before, mut mind) = self.before.told(memory(self), first, bounds, &late);
            mind.bound();
            self.before = before;
            self.memory = Some(mind);
            self.evidence.forget(count, bounds.sent);
        }
        let late = |at: Moment| self.heard_late(at);
        let all = (&self.evidence, usize::MAX);
        self.before.told(memory(self), all, bounds, &late).0
    }

    /// Whether it is waited, and what keeps the result from coming.
    pub(super) fn waits(&mut self) {
        let heard = self.ends.end().map(|end| end.at);
        self.timeout = self.patience.timeout_now(heard.is_some());
        let large = self
            .large
            .filter(|(at, _)| self.read.is_none_or(|read| at.mono > read));
        self.arriving = large.filter(|_| self.outcome.is_none());
        let span = Span {
            since: self.timeline.waiting_since(),
            arriving: self.arriving.map(|(at, _)| at.mono),
        };
        self.waiting = match heard {
            Some(heard) => self.patience.at_the_end(heard, span),
            None => self.patience.by_now(span),
        };
        self.late = self.outcome.is_some() && matches!(self.waiting, Waiting::TimedOut(_));
        self.noticed &= matches!(self.waiting, Waiting::TimedOut(_));
        let lost = self.links.last().and_then(|(_, lost)| lost.clone());
        self.backend_lost = lost.filter(|_| self.outcome.is_none());
    }
}
