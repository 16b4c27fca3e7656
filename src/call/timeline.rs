//! When things happened to a call, and on which clock that is known: a worker's clock may be wrong. Reads no clock.

use std::time::Duration;

use serde::Serialize;

use super::ending::End;
use super::story::{Start, Story};
use crate::clock::Now;
use crate::protocol::NodeName;

/// Whose clock a figure was measured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// Ours, from here: with the way of the news.
    Ours,
    /// The worker's alone.
    Worker,
    /// From one of them to the other: as wrong as they differ.
    Both,
}

impl Clock {
    /// What goes before a figure on this clock: from one machine's clock to another's it is no more than about right.
    pub fn about(clock: Option<Self>) -> &'static str {
        if clock == Some(Self::Both) { "~" } else { "" }
    }
}

/// Who had the call when it was received and started first: another worker may have it since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct First {
    /// The worker that received it.
    pub holder: Option<NodeName>,
    /// The worker that started it.
    pub worker: Option<NodeName>,
    /// The process that ran it.
    pub pid: Option<u64>,
}

/// The moments of a call that are known; `None` is unknown, not "at once".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// The call was made.
    pub created: Now,
    /// Its message was handed to the broker.
    pub published: Option<Now>,
    /// The broker confirmed it (or was lost before it could).
    pub confirmed: Option<Now>,
    /// A worker had received it by then: it was found there, or it ran. When exactly is not known.
    pub held: Option<Now>,
    /// A worker received it then, as it told in an event.
    pub received: Option<Now>,
    /// A worker was seen to run it for the first time.
    pub started: Option<Now>,
    /// A worker was seen to run it for the last time: its retries start again.
    pub last_started: Option<Now>,
    /// How long its last run took, by its worker's clock.
    pub runtime: Option<Duration>,
    /// Whether [`Timeline::started`] is told by a worker's clock.
    pub told: bool,
    /// Whether [`Timeline::last_started`] is.
    pub last_told: bool,
    /// Its end was heard.
    pub done: Option<Now>,
    /// Whether that is told by a worker's clock: it was heard of long after.
    pub done_told: bool,
}

impl Timeline {
    /// Nothing happened yet.
    pub fn new(created: Now) -> Self {
        Self {
            created,
            published: None,
            confirmed: None,
            held: None,
            received: None,
            started: None,
            last_started: None,
            runtime: None,
            told: false,
            last_told: false,
            done: None,
            done_told: false,
        }
    }

    /// Where the caller's timeout counts from: the confirm, or the publishing if the end was heard before the confirm.
    pub fn waiting_since(&self) -> Option<Now> {
        let in_time = |confirmed: &Now| self.done.is_none_or(|done| confirmed.mono <= done.mono);
        let published = self.published.filter(|_| self.done.is_some());
        self.confirmed.filter(in_time).or(published)
    }

    /// Time from publishing to the confirm.
    pub fn confirm_took(&self) -> Option<Duration> {
        Some(self.confirmed?.mono.since(self.published?.mono))
    }

    /// Time it waited before a worker started it for the first time.
    pub fn queued(&self) -> Option<Duration> {
        Some(self.started?.mono.since(self.published?.mono))
    }

    /// Which clock [`Timeline::queued`] is on.
    pub fn queued_on(&self) -> Option<Clock> {
        self.queued()?;
        Some(if self.told { Clock::Both } else { Clock::Ours })
    }

    /// Whether the last start that was seen is another one than the first.
    pub fn restarted(&self) -> bool {
        let last = self.last_started.zip(self.started);
        last.is_some_and(|(last, first)| last.mono > first.mono)
    }

    /// Time from its first start to its last one, where that is another one.
    pub fn before_last(&self) -> Option<Duration> {
        let (first, last) = self.started.zip(self.last_started)?;
        self.restarted().then(|| last.mono.since(first.mono))
    }

    /// Time its last run took: as its worker tells it, else as seen from here.
    pub fn ran(&self) -> Option<Duration> {
        let seen = || Some(self.done?.mono.since(self.last_started?.mono));
        self.runtime.or_else(seen)
    }

    /// Which clock [`Timeline::ran`] is on.
    pub fn ran_on(&self) -> Option<Clock> {
        self.ran()?;
        Some(match self.runtime {
            Some(_) => Clock::Worker,
            // Of two that are told it is not known whether one worker told both.
            None if self.last_told || self.done_told => Clock::Both,
            None => Clock::Ours,
        })
    }

    /// Time from publishing to its end.
    pub fn total(&self) -> Option<Duration> {
        Some(self.done?.mono.since(self.published?.mono))
    }

    /// Which clock [`Timeline::total`] is on.
    pub fn total_on(&self) -> Option<Clock> {
        self.total()?;
        Some(if self.done_told {
            Clock::Both
        } else {
            Clock::Ours
        })
    }

    /// Takes over what the story of its runs says of times.
    pub(super) fn runs(&mut self, story: &Story, end: Option<&End>) {
        let at = |start: Option<&Start>| start.and_then(Start::at);
        let (first, last) = (at(story.first.as_ref()), at(story.last.as_ref()));
        // The first start is not after the last one, whatever two clocks say.
        let first = match (first, last) {
            (Some(first), Some(last)) if last.0.mono < first.0.mono => Some(last),
            (first, _) => first,
        };
        self.started = first.map(|(at, _)| at);
        self.told = first.is_some_and(|(_, told)| told);
        self.last_started = last.map(|(at, _)| at);
        self.last_told = last.is_some_and(|(_, told)| told);
        // Received at the latest when it started, whenever that was told.
        let known = story.received.map(|at| (at, story.received_told));
        let ran = self.started.map(|at| (at, false));
        let received = match (known, ran) {
            (Some(known), Some(ran)) if ran.0.mono < known.0.mono => Some(ran),
            (known, ran) => known.or(ran),
        };
        self.held = received.map(|(at, _)| at);
        self.received = received.filter(|(_, told)| *told).map(|(at, _)| at);
        let own = || {
            let (node, ended) = end?.own.as_ref()?;
            let (runner, started) = story.last.as_ref()?.own.as_ref()?;
            let took = ended.duration_since(*started);
            Duration::try_from(took).ok().filter(|_| runner == node)
        };
        let told = end.and_then(|end| end.runtime).or_else(own);
        self.runtime = told.or(story.runtime);
    }
}
