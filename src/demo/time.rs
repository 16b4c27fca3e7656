//! The cluster's wall clock: read once, then carried forward by tokio's clock, so that a test that pauses one pauses both.

use std::time::Duration;

use tokio::time::Instant;

use crate::clock::{Clock, Timestamp};

/// The clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    wall: Timestamp,
    start: Instant,
}

impl Time {
    /// A clock that shows the present.
    pub(super) fn start() -> Self {
        Self {
            wall: Clock::default().now().wall,
            start: Instant::now(),
        }
    }

    /// The time of day, UTC.
    pub(super) fn now(&self) -> Timestamp {
        let wall = self.wall.checked_add(self.start.elapsed());
        wall.unwrap_or(Timestamp::MAX)
    }

    /// Time since the cluster started.
    pub(super) fn uptime(&self) -> Duration {
        self.start.elapsed()
    }

    /// The instant at which this clock shows `at`.
    pub(super) fn instant(&self, at: Timestamp) -> Instant {
        let wait = Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
        Instant::now() + wait
    }
}

/// As Celery writes it: `2026-11-22T10:54:53.904815+00:00`.
pub(super) fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

/// Reads what Celery accepts: ISO 8601, without an offset in UTC (protocol.md 1.5).
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let naive = || {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(zoned.timestamp())
    };
    text.parse().ok().or_else(naive)
}

/// Seconds since 1970, as Python's `time.time()`.
pub(super) fn unix(at: Timestamp) -> f64 {
    at.as_microsecond() as f64 / 1e6
}
