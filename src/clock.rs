//! Time as a value: the wall clock for people, a monotonic clock for waiting. Only [`Clock`] reads either.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub use jiff::Timestamp;

/// A moment on the monotonic clock, as the time since some fixed start of this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub Duration);

impl Moment {
    /// Time from `earlier` to this moment; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment `by` before this one; the first one if there is none.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(by))
    }

    /// The moment `by` after this one.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }
}

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Wall clock, UTC: what is shown and written into documents.
    pub wall: Timestamp,
    /// Monotonic clock: what every deadline and duration is measured with.
    pub mono: Moment,
}

impl Now {
    /// A reading at `mono` after the Unix epoch on both clocks; for tests and fixed screens.
    pub fn fixed(mono: Duration) -> Self {
        let wall = Timestamp::UNIX_EPOCH
            .checked_add(mono)
            .unwrap_or(Timestamp::MAX);
        Self {
            wall,
            mono: Moment(mono),
        }
    }

    /// The same reading, both clocks `by` later.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self {
            wall: self.wall.checked_add(by).unwrap_or(Timestamp::MAX),
            mono: self.mono.after(by),
        }
    }
}

/// Where moments of the running program begin, so that one before its start, of a call made by an earlier run, has a name too.
const LONG_AGO: Duration = Duration::from_hours(24 * 365 * 10);

/// The only reader of the system's clocks. All of one process agree: moments count from ten years before the first one made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        static START: OnceLock<Instant> = OnceLock::new();
        Self {
            start: *START.get_or_init(Instant::now),
        }
    }
}

impl Clock {
    /// Both clocks, now.
    pub fn now(&self) -> Now {
        Now {
            wall: Timestamp::now(),
            mono: Moment(LONG_AGO + self.start.elapsed()),
        }
    }
}
