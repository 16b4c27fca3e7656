//! How long a task usually takes, from earlier calls. Counts nothing itself.

use std::time::Duration;

use serde::Serialize;

use super::Span;
use crate::text::human::{count, duration};

/// How long earlier calls of the same task ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Usual {
    /// How many calls that is from.
    pub count: u64,
    /// Half of them were faster.
    #[serde(rename = "p50_ms")]
    pub p50: Span,
    /// 95 of 100 were faster.
    #[serde(rename = "p95_ms")]
    pub p95: Span,
    /// 99 of 100 were faster.
    #[serde(rename = "p99_ms")]
    pub p99: Span,
}

impl Usual {
    /// Of the run times of earlier calls, in any order; `None` where there are none.
    pub fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        // The nearest rank: a time that was measured.
        let at = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100);
            times.get(rank.saturating_sub(1)).copied().map(Span)
        };
        Some(Self {
            count: times.len() as u64,
            p50: at(50)?,
            p95: at(95)?,
            p99: at(99)?,
        })
    }

    /// `slower than 99% of 212 earlier calls`, where it is one of the slow ones.
    pub fn slower(&self, took: Duration) -> Option<String> {
        let share = match took {
            took if took > self.p99.0 => 99,
            took if took > self.p95.0 => 95,
            _ => return None,
        };
        Some(match self.count {
            1 => "slower than the one earlier call".to_owned(),
            few @ 2..20 => format!("slower than all {few} earlier calls"),
            many => format!("slower than {share}% of {} earlier calls", count(many)),
        })
    }

    /// `usual 180ms  p95 900ms`.
    pub fn line(&self) -> String {
        format!(
            "usual {}  p95 {}",
            duration(self.p50.0),
            duration(self.p95.0)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(times: impl IntoIterator<Item = u64>) -> Option<Usual> {
        Usual::of(times.into_iter().map(Duration::from_millis).collect())
    }

    #[test]
    fn nothing_is_usual_before_the_first_call() {
        assert_eq!(ms([]), None);
    }

    #[test]
    fn the_slow_ones_are_told_among_how_many_they_are() {
        let usual = ms((1..=212).rev()).unwrap();
        assert_eq!(usual.line(), "usual 106ms  p95 202ms");
        let slower = |ms| usual.slower(Duration::from_millis(ms));
        assert_eq!(slower(150), None);
        assert_eq!(
            slower(205).as_deref(),
            Some("slower than 95% of 212 earlier calls")
        );
        assert_eq!(
            slower(400).as_deref(),
            Some("slower than 99% of 212 earlier calls")
        );
    }

    #[test]
    fn of_few_calls_no_share_is_told() {
        let slower = |times: &[u64]| {
            ms(times.iter().copied())
                .unwrap()
                .slower(Duration::from_secs(1))
        };
        assert_eq!(
            slower(&[5]).as_deref(),
            Some("slower than the one earlier call")
        );
        assert_eq!(
            slower(&[5, 6, 7]).as_deref(),
            Some("slower than all 3 earlier calls")
        );
    }
}
