//! How long a call is waited for: what the user did about it, and when. Whether an end was late follows from when it was heard, not
//! from what was looked at first. Reads no clock.

use std::time::Duration;

use super::Waiting;
use crate::clock::{Moment, Now};

/// What a user does about the waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Act {
    /// Waits so long, from the confirm on.
    Wait(Duration),
    /// Waits no longer.
    Detach,
    /// Somebody else waits for it, so long from then on. Whether its end is late does not change by that.
    Anew(Duration),
}

/// All that was done about the waiting.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Patience {
    /// How it was before anything was done.
    pub before: Waiting,
    /// How long was waited before anything was done.
    pub timeout: Duration,
    acts: Vec<(Now, Act)>,
    /// Time was looked at last.
    pub looked: Option<Moment>,
}

/// From when to when it is waited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// From where the timeout counts.
    pub since: Option<Now>,
    /// When something large arrived that is being read.
    pub arriving: Option<Moment>,
}

impl Patience {
    /// Nothing was done yet.
    pub fn new(timeout: Duration) -> Self {
        Self {
            before: Waiting::Yes,
            timeout,
            acts: Vec::new(),
            looked: None,
        }
    }

    /// The user does something.
    pub fn act(&mut self, act: Act, now: Now) {
        let order = |(at, act): &(Now, Act)| (at.mono, *act);
        let place = self.acts.partition_point(|it| order(it) < (now.mono, act));
        // Said twice at one moment is said once.
        if self
            .acts
            .get(place)
            .is_none_or(|it| order(it) != (now.mono, act))
        {
            self.acts.insert(place, (now, act));
        }
    }

    /// Time passes.
    pub fn look(&mut self, moment: Moment) {
        self.looked = self.looked.max(Some(moment));
    }

    /// How long is waited, as was said last; by the caller, once it has `ended`.
    pub fn timeout_now(&self, ended: bool) -> Duration {
        let said = self.acts.iter().rev().find_map(|(_, act)| match act {
            Act::Wait(timeout) => Some(*timeout),
            Act::Anew(timeout) if !ended => Some(*timeout),
            Act::Anew(_) | Act::Detach => None,
        });
        said.unwrap_or(self.timeout)
    }

    /// From where the time that is waited now counts; `since` unless somebody else has begun to wait.
    pub fn since_now(&self, since: Option<Now>) -> Option<Now> {
        let last = self.acts.iter().rev().find_map(|(at, act)| match act {
            Act::Wait(_) => Some(since),
            Act::Anew(_) => Some(Some(*at)),
            Act::Detach => None,
        });
        last.unwrap_or(since)
    }

    /// Whether it was waited when the end was heard: what was done at that very moment comes after it, a deadline at that moment
    /// before.
    pub fn at_the_end(&self, end: Now, span: Span) -> Waiting {
        let of_the_caller = |at, act: Act| at < end.mono && !matches!(act, Act::Anew(_));
        self.until(end.mono, span, of_the_caller)
    }

    /// Whether it is waited, as far as time was looked at.
    pub fn by_now(&self, span: Span) -> Waiting {
        self.until(self.looked.unwrap_or_default(), span, |_, _| true)
    }

    fn until(&self, moment: Moment, whole: Span, counts: impl Fn(Moment, Act) -> bool) -> Waiting {
        let mut span = whole;
        let mut waiting = self.before;
        let mut timeout = self.timeout;
        let mut said = None;
        let acts = self.acts.iter().filter(|(at, act)| counts(at.mono, *act));
        for (at, act) in acts {
            waiting = over(waiting, timeout, at.mono, said, span);
            match act {
                Act::Detach if waiting == Waiting::Yes => waiting = Waiting::Detached(*at),
                Act::Detach => {}
                Act::Anew(from_now) => {
                    (timeout, said, waiting) = (*from_now, None, Waiting::Yes);
                    span.since = Some(*at);
                }
                Act::Wait(longer) => {
                    span.since = whole.since;
                    timeout = *longer;
                    said = Some(*at);
                    let deadline = span.since.map(|since| since.mono.after(timeout));
                    if deadline.is_none_or(|deadline| deadline > at.mono) {
                        waiting = Waiting::Yes;
                    }
                }
            }
        }
        over(waiting, timeout, moment, said, span)
    }
}

/// The waiting ends at the deadline, whenever somebody looks; when less time was `said` than had passed, then.
fn over(
    waiting: Waiting,
    timeout: Duration,
    moment: Moment,
    said: Option<Now>,
    span: Span,
) -> Waiting {
    let Some(deadline) = span.since.map(|since| since.plus(timeout)) else {
        return waiting;
    };
    let here = span.arriving.is_some_and(|at| at < deadline.mono);
    let deadline = said
        .filter(|at| at.mono > deadline.mono)
        .unwrap_or(deadline);
    if waiting == Waiting::Yes && deadline.mono <= moment && !here {
        return Waiting::TimedOut(deadline);
    }
    waiting
}
