//! When a run began, by each clock that tells it. Pure.

use crate::clock::{Now, Timestamp};
use crate::protocol::NodeName;

/// The start of a run, from each clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Start {
    /// Heard on our clock when it happened.
    pub live: Option<Now>,
    /// Told by a worker whose clock may be believed.
    pub told: Option<Now>,
    /// Heard of in an event, up to a second later.
    pub heard: Option<Now>,
    /// Who told it by an event, and its own time: to be compared with times of the same worker alone.
    pub own: Option<(NodeName, Timestamp)>,
}

impl Start {
    /// When, and whether the worker's clock says it.
    pub fn at(&self) -> Option<(Now, bool)> {
        let ours = |at: Now| (at, false);
        let told = self.told.map(|at| (at, true));
        self.live.map(ours).or(told).or(self.heard.map(ours))
    }

    pub fn join(&mut self, other: Self) {
        earliest(&mut self.live, other.live);
        earliest(&mut self.told, other.told);
        earliest(&mut self.heard, other.heard);
        if self.own.is_none() {
            self.own = other.own;
        }
    }
}

/// Puts `at` there if it is earlier than what is known.
pub fn earliest(place: &mut Option<Now>, at: Option<Now>) {
    if let Some(at) = at
        && place.is_none_or(|before| (at.mono, at.wall) < (before.mono, before.wall))
    {
        *place = Some(at);
    }
}
