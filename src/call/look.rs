//! What a look at where a call is came to, once everybody had been asked. It is a conclusion of its moment: what is told later counts
//! more, and so does a later look.

use super::diagnosis::{Diagnosis, Scene};
use super::{Call, CallState};
use crate::clock::Now;

/// The last look at where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look<At = Now> {
    /// When.
    pub at: At,
    /// Where it was then, in a word; `None`: nobody knew.
    pub state: Option<CallState>,
    /// Whether that is concluded, and not told.
    pub inferred: bool,
}

impl<At> Look<At> {
    /// The same, its time told in another way.
    pub fn timed<Other>(self, time: impl FnOnce(At) -> Other) -> Look<Other> {
        Look {
            at: time(self.at),
            state: self.state,
            inferred: self.inferred,
        }
    }

    /// Whether nothing knew of it.
    pub fn is_lost(&self) -> bool {
        self.state == Some(CallState::Lost)
    }
}

impl Call {
    /// Keeps what a look at `now` came to, if it has not ended and anybody was asked.
    pub fn looked_at(&mut self, found: &Diagnosis, now: Now) {
        if self.whereabouts().is_some() && self.inquiry.asked.is_some() {
            self.looked = Some(Look {
                at: now,
                state: found.now.state,
                inferred: found.now.inferred,
            });
        }
    }

    /// Whether nobody waits for it and all the answers of the last round of questions are here that can be, which nobody has looked
    /// at.
    pub fn wants_look(&self, scene: &Scene<'_>, now: Now) -> bool {
        let unseen = |asked: &Now| self.looked.is_none_or(|look| look.at.mono < asked.mono);
        !self.state().is_waiting()
            && self.whereabouts().is_some()
            && self.inquiry.asked.as_ref().is_some_and(unseen)
            && self.inquiry_complete(scene, now)
    }

    /// Its state in one word, as the last look concluded it: as [`Call::state`], or LOST? as long as nothing was told since.
    pub fn concluded(&self) -> CallState {
        let told = self.told_at.map(|told| told.mono);
        let open = self.whereabouts().is_some();
        match self.looked.filter(|_| open) {
            Some(look) if look.is_lost() && told.is_none_or(|told| told <= look.at.mono) => {
                CallState::Lost
            }
            _ => self.state(),
        }
    }
}
