//! When things happened to a call, all on our own clock: a worker's clock may be wrong.

use std::time::Duration;

use crate::clock::Now;

/// The moments of a call that are known; `None` is unknown, not "at once".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// The call was made.
    pub created: Now,
    /// Its message was handed to the broker.
    pub published: Option<Now>,
    /// The broker confirmed it (or was lost before it could).
    pub confirmed: Option<Now>,
    /// A worker was seen to hold it.
    pub received: Option<Now>,
    /// A worker was seen to run it.
    pub started: Option<Now>,
    /// Its end was heard.
    pub done: Option<Now>,
}

impl Timeline {
    /// Nothing happened yet.
    pub fn new(created: Now) -> Self {
        Self {
            created,
            published: None,
            confirmed: None,
            received: None,
            started: None,
            done: None,
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

    /// Time it waited before a worker started it.
    pub fn queued(&self) -> Option<Duration> {
        Some(self.started?.mono.since(self.published?.mono))
    }

    /// Time it ran, as seen from here.
    pub fn ran(&self) -> Option<Duration> {
        Some(self.done?.mono.since(self.started?.mono))
    }

    /// Time from publishing to its end.
    pub fn total(&self) -> Option<Duration> {
        Some(self.done?.mono.since(self.published?.mono))
    }

    /// A worker's unix time as a moment of ours, if it is possible on our clock (after publishing, before now); else now.
    pub fn clamp_remote(&self, unix: Option<f64>, now: Now) -> Now {
        let sent = self.published.unwrap_or(self.created);
        let ago = unix.map(|unix| now.wall.as_millisecond() as f64 / 1000.0 - unix);
        match ago {
            Some(ago) if ago >= 0.0 && ago <= now.mono.since(sent.mono).as_secs_f64() => {
                let ago = Duration::from_secs_f64(ago);
                let mono = crate::clock::Moment(now.mono.0.saturating_sub(ago));
                Now {
                    wall: now.wall.checked_sub(ago).unwrap_or(now.wall),
                    mono,
                }
            }
            _ => now,
        }
    }
}
