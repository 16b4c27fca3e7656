//! How a call ended: of all ends that were told the one that counts, and what the call brought. Decides nothing of the waiting.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use super::{Outcome, Phase, Repr, Source};
use crate::clock::{Now, Timestamp};
use crate::error::Error;
use crate::protocol::{Json, NodeName, State, TaskResult};

/// An end that an event told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub at: Now,
    pub outcome: Outcome,
    pub node: NodeName,
    /// When, by the worker's clock.
    pub sent: Option<Timestamp>,
    /// How long it ran, by the worker's clock.
    pub runtime: Option<Duration>,
    /// What it returned.
    pub repr: Option<Repr>,
    /// What it raised.
    pub result: Option<Arc<TaskResult>>,
}

/// A retry that an event told.
#[derive(Clone, Debug, PartialEq)]
struct Retried {
    order: (Option<Timestamp>, u64, NodeName),
    result: Arc<TaskResult>,
}

/// The end that counts.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub at: Now,
    pub outcome: Outcome,
    pub source: Option<Source>,
    pub worker: Option<NodeName>,
    pub retries: Option<u64>,
    /// When it ended by the clock of the worker that told it in an event.
    pub own: Option<(NodeName, Timestamp)>,
    /// How long it ran, by the worker's clock.
    pub runtime: Option<Duration>,
}

/// All that was told of what a call brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ends {
    state: Option<(Now, Arc<TaskResult>)>,
    retried: Option<Box<Retried>>,
    result: Option<(Now, Outcome, Arc<TaskResult>)>,
    unreadable: Option<(Now, Option<Outcome>, Error)>,
    event: Option<Box<Told>>,
    nothing: Option<Now>,
    /// When an end as good as the one that counts was heard first.
    heard: [Option<Now>; 2],
}

/// A plain `REVOKED` is the weakest end: Celery 5.7 stores it at once, and a worker that runs the task after all writes over it; 5.6
/// stores it before `terminated`.
fn weak(outcome: Outcome) -> bool {
    outcome == Outcome::Revoked
}

impl Ends {
    /// A state that is no end: the newest counts. Returns whether it is the newest.
    pub fn state(&mut self, result: Arc<TaskResult>, now: Now) -> bool {
        let newer = self.state.as_ref().is_none_or(|(at, known)| {
            now.mono.cmp(&at.mono).then_with(|| order(&result, known)) == Ordering::Greater
        });
        if newer {
            let same = self
                .state
                .as_ref()
                .is_some_and(|(_, known)| *known == result);
            self.state = Some((now, result));
            return !same;
        }
        false
    }

    /// A result that ends it. Returns whether it is the one that counts.
    pub fn result(&mut self, result: Arc<TaskResult>, outcome: Outcome, now: Now) -> bool {
        self.hear(outcome, now);
        let better = self.result.as_ref().is_none_or(|(at, before, known)| {
            let sooner = (weak(outcome), now.mono, outcome).cmp(&(weak(*before), at.mono, *before));
            sooner.then_with(|| order(&result, known)) == Ordering::Less
        });
        if better {
            self.result = Some((now, outcome, result));
        }
        better
    }

    /// A result that cannot be read.
    pub fn unreadable(&mut self, error: Error, outcome: Option<Outcome>, now: Now) {
        if let Some(outcome) = outcome {
            self.hear(outcome, now);
        }
        let key = |at: Now, outcome: Option<Outcome>, error: &Error| {
            (
                outcome.is_none(),
                outcome.is_some_and(weak),
                at.mono,
                outcome,
                error.message.clone(),
            )
        };
        let better = self
            .unreadable
            .as_ref()
            .is_none_or(|(at, before, known)| key(now, outcome, &error) < key(*at, *before, known));
        if better {
            self.unreadable = Some((now, outcome, error));
        }
    }

    /// An event that ends it.
    pub fn event(&mut self, told: Told) {
        self.hear(told.outcome, told.at);
        let better = self.event.as_ref().is_none_or(|known| {
            let key = |it: &Told| {
                let text = it.repr.as_ref().map(|repr| repr.text.clone());
                (
                    weak(it.outcome),
                    it.at.mono,
                    it.outcome,
                    it.node.clone(),
                    it.sent,
                    it.runtime,
                    text,
                )
            };
            let results = match (&told.result, &known.result) {
                (Some(one), Some(other)) => order(one, other),
                (one, other) => one.is_some().cmp(&other.is_some()),
            };
            key(&told).cmp(&key(known)).then(results) == Ordering::Less
        });
        if better {
            self.event = Some(Box::new(told));
        }
    }

    /// An event that orders a retry: the newest of its worker counts.
    pub fn retried(
        &mut self,
        result: Arc<TaskResult>,
        sent: Option<Timestamp>,
        clock: u64,
        node: NodeName,
    ) {
        let retried = Retried {
            order: (sent, clock, node),
            result,
        };
        let newer = self.retried.as_ref().is_none_or(|known| {
            let by_order = retried.order.cmp(&known.order);
            by_order.then_with(|| order(&retried.result, &known.result)) == Ordering::Greater
        });
        if newer {
            self.retried = Some(Box::new(retried));
        }
    }

    /// Nothing is kept or wanted.
    pub fn nothing(&mut self, now: Now) {
        earlier(&mut self.nothing, now);
    }

    fn hear(&mut self, outcome: Outcome, now: Now) {
        earlier(&mut self.heard[usize::from(weak(outcome))], now);
    }

    /// The end that counts.
    pub fn end(&self) -> Option<End> {
        let result = self.result.as_ref().map(|(_, outcome, _)| *outcome);
        let unread = self
            .unreadable
            .as_ref()
            .and_then(|(_, outcome, _)| *outcome);
        let event = self.event.as_ref().map(|told| told.outcome);
        let all = [
            result.map(|it| (it, Source::Backend)),
            unread.map(|it| (it, Source::Backend)),
            event.map(|it| (it, Source::Event)),
        ];
        // Of equal ones the first is taken: a result, one that cannot be read, an event.
        let counts = all
            .into_iter()
            .flatten()
            .min_by_key(|(outcome, _)| weak(*outcome));
        let Some((outcome, source)) = counts else {
            return self.nothing.map(End::nothing);
        };
        let value = self.value().filter(|_| source == Source::Backend);
        let told = self.event.as_deref();
        Some(End {
            at: self.heard[usize::from(weak(outcome))]?,
            outcome,
            source: Some(source),
            worker: value
                .and_then(|it| it.worker.clone())
                .or_else(|| told.map(|it| it.node.clone())),
            retries: value.and_then(|it| it.retries),
            own: told.and_then(|it| Some((it.node.clone(), it.sent?))),
            runtime: told.and_then(|it| it.runtime),
        })
    }

    /// The result that counts.
    pub fn value(&self) -> Option<&Arc<TaskResult>> {
        self.result.as_ref().map(|(.., result)| result)
    }

    /// What is shown of what it brought: the value, or the exception, or the state that was told last; and a repr.
    pub fn shown(&self, phase: Phase) -> (Option<Arc<TaskResult>>, Option<Repr>) {
        let state = || self.state.as_ref().map(|(_, state)| state);
        match self.end().and_then(|end| end.source) {
            Some(Source::Backend) if self.counts_unread() => (None, None),
            Some(Source::Backend) => (self.value().cloned(), None),
            Some(Source::Event) => {
                let told = self.event.as_deref();
                let result = told.and_then(|told| told.result.clone());
                (result, told.and_then(|told| told.repr.clone()))
            }
            None => {
                let retried = self.retried.as_ref().map(|it| &it.result);
                let told = state().is_some_and(|it| it.state == State::Retry);
                let result = match (state(), retried) {
                    (Some(_), Some(retried)) if phase == Phase::Retry && !told => Some(retried),
                    (state, retried) => state.or(retried),
                };
                (result.cloned(), None)
            }
        }
    }

    /// Whether the end that counts is one whose result cannot be read.
    fn counts_unread(&self) -> bool {
        let unread = self
            .unreadable
            .as_ref()
            .and_then(|(_, outcome, _)| *outcome);
        match (unread, &self.result) {
            (Some(_), None) => true,
            (Some(unread), Some((_, outcome, _))) => weak(*outcome) && !weak(unread),
            _ => false,
        }
    }

    /// Why the result cannot be read, unless there is an end that can.
    pub fn trouble(&self) -> Option<Error> {
        let (_, _, error) = self.unreadable.as_ref()?;
        let end = self.end().and_then(|end| end.source);
        let matters = end.is_none() || (end == Some(Source::Backend) && self.counts_unread());
        matters.then(|| error.clone())
    }

    /// The application's own state, if that was told last.
    pub fn custom(&self) -> Option<(String, Json)> {
        let (_, result) = self.state.as_ref()?;
        match &result.state {
            State::Custom(word) => Some((word.clone(), result.value.clone())),
            _ => None,
        }
    }
}

impl End {
    fn nothing(at: Now) -> Self {
        Self {
            at,
            outcome: Outcome::NoResult,
            source: None,
            worker: None,
            retries: None,
            own: None,
            runtime: None,
        }
    }
}

/// An order of results that were heard at one moment, so that the same of them counts however they are merged.
fn order(one: &TaskResult, other: &TaskResult) -> Ordering {
    fn key(it: &TaskResult) -> impl Ord + '_ {
        let place = (&it.worker, it.pid, it.retries, it.done_at);
        (it.state.as_str(), it.size, place, &it.traceback, &it.value)
    }
    key(one).cmp(&key(other))
}

fn earlier(place: &mut Option<Now>, now: Now) {
    if place.is_none_or(|at| (now.mono, now.wall) < (at.mono, at.wall)) {
        *place = Some(now);
    }
}
