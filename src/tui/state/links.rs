//! The two links as the screen tells them: how each is, since when it is lost, and why. Dials nothing.

use std::time::Duration;

use crate::call::diagnosis::Way;
use crate::client::{LinkName, LinkState};
use crate::clock::Now;
use crate::error::Error;

/// A round trip longer than this reads `slow`.
const SLOW: Duration = Duration::from_millis(200);
/// A cut shorter than this shows no banner.
const BANNER_AFTER: Duration = Duration::from_secs(2);

/// Both links.
#[derive(Debug)]
pub struct Links {
    /// The broker.
    pub broker: Link,
    /// The result backend; `None` until one with a connection of its own is known.
    pub backend: Option<Link>,
}

/// One link.
#[derive(Debug)]
pub struct Link {
    /// How it is now.
    pub state: LinkState,
    /// Since when it is not up, and why, once a try has failed.
    pub down: Option<Down>,
    /// Whether it was up in this run.
    pub was_up: bool,
    /// As the diagnosis of a call wants it.
    pub way: Way,
}

/// Since when a link is down, and why.
#[derive(Clone, Debug)]
pub struct Down {
    /// When it was lost, or the first try failed.
    pub since: Now,
    /// Why.
    pub reason: Error,
}

/// A link in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The first tries.
    Connecting,
    /// Up.
    Up,
    /// Up, and slower than 200 ms.
    Slow,
    /// Publishers are blocked by the broker.
    Blocked,
    /// Down.
    Down,
}

impl Word {
    /// As the header says it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Up => "up",
            Self::Slow => "slow",
            Self::Blocked => "BLOCKED",
            Self::Down => "DOWN",
        }
    }
}

impl Default for Links {
    fn default() -> Self {
        Self {
            broker: Link::new(),
            backend: None,
        }
    }
}

impl Links {
    /// Takes a change in. Returns whether anything that is shown changed.
    pub fn apply(&mut self, name: LinkName, state: LinkState) -> bool {
        match name {
            LinkName::Broker => self.broker.apply(state),
            LinkName::Backend => self.backend.get_or_insert_with(Link::new).apply(state),
        }
    }

    /// Whether some link is not up: the screen then counts seconds.
    pub fn any_down(&self) -> bool {
        self.broker.down.is_some()
            || self
                .backend
                .as_ref()
                .is_some_and(|link| link.down.is_some())
    }

    /// The link that the banner is about: the broker first.
    pub fn banner(&self, now: Now) -> Option<(LinkName, &Link)> {
        let broker = Some((LinkName::Broker, &self.broker));
        let backend = self.backend.as_ref().map(|link| (LinkName::Backend, link));
        [broker, backend]
            .into_iter()
            .flatten()
            .find(|(_, link)| link.banner_due(now))
    }
}

impl Link {
    fn new() -> Self {
        Self {
            state: LinkState::Connecting { attempt: 1 },
            down: None,
            was_up: false,
            way: Way::Unknown,
        }
    }

    fn apply(&mut self, state: LinkState) -> bool {
        let before = (self.word(), self.down.is_some());
        match &state {
            LinkState::Up { .. } | LinkState::Blocked(_) => {
                self.down = None;
                self.was_up = true;
            }
            LinkState::Waiting { reason, since, .. } => {
                self.down = Some(Down {
                    since: *since,
                    reason: reason.clone(),
                });
            }
            LinkState::Connecting { .. } | LinkState::Closed => {}
        }
        self.way = state.way(&self.way);
        self.state = state;
        before != (self.word(), self.down.is_some()) || self.down.is_some()
    }

    /// In one word.
    pub fn word(&self) -> Word {
        match &self.state {
            LinkState::Up {
                latency: Some(latency),
            } if *latency > SLOW => Word::Slow,
            LinkState::Up { .. } => Word::Up,
            LinkState::Blocked(_) => Word::Blocked,
            LinkState::Connecting { .. } if self.down.is_none() && !self.was_up => Word::Connecting,
            LinkState::Connecting { .. } | LinkState::Waiting { .. } | LinkState::Closed => {
                Word::Down
            }
        }
    }

    /// Whether messages can go over it.
    pub fn is_up(&self) -> bool {
        matches!(self.word(), Word::Up | Word::Slow)
    }

    /// Whether it has been gone for long enough to tell it loudly.
    fn banner_due(&self, now: Now) -> bool {
        let long = |down: &Down| now.mono.since(down.since.mono) >= BANNER_AFTER;
        self.down
            .as_ref()
            .is_some_and(|down| !self.was_up || long(down))
    }

    /// When the next try comes, and which it is.
    pub fn next_try(&self) -> Option<(Now, u32)> {
        match &self.state {
            LinkState::Waiting {
                attempt, retry_at, ..
            } => Some((*retry_at, attempt.saturating_add(1))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn waiting(at: Now) -> LinkState {
        LinkState::Waiting {
            attempt: 1,
            retry_at: at.plus(Duration::from_secs(1)),
            reason: Error::new(Kind::Unsent, "refused"),
            since: at,
        }
    }

    fn up(millis: u64) -> LinkState {
        LinkState::Up {
            latency: Some(Duration::from_millis(millis)),
        }
    }

    #[test]
    fn a_latency_within_its_word_changes_nothing_that_is_shown() {
        let mut links = Links::default();
        assert!(links.apply(LinkName::Broker, up(3)));
        assert!(!links.apply(LinkName::Broker, up(180)));
        assert!(links.apply(LinkName::Broker, up(201)));
        assert_eq!(links.broker.word(), Word::Slow);
    }

    #[test]
    fn a_short_cut_shows_no_banner_and_a_first_failure_shows_one_at_once() {
        let now = Now::fixed(Duration::from_secs(100));
        let mut links = Links::default();
        links.apply(LinkName::Broker, waiting(now));
        assert!(links.banner(now).is_some());
        links.apply(LinkName::Broker, up(3));
        links.apply(LinkName::Broker, waiting(now));
        assert!(links.banner(now).is_none());
        assert!(links.banner(now.plus(BANNER_AFTER)).is_some());
    }

    #[test]
    fn a_link_that_dials_again_is_still_down() {
        let now = Now::fixed(Duration::from_secs(100));
        let mut link = Link::new();
        assert_eq!(link.word(), Word::Connecting);
        link.apply(waiting(now));
        link.apply(LinkState::Connecting { attempt: 2 });
        assert_eq!(link.word(), Word::Down);
    }
}
