//! How long a task usually takes, from calls of our own that returned. Pure.

use std::time::Duration;

/// So many earlier calls are looked at, the newest.
pub const SAMPLE: usize = 1_000;

/// Earlier calls of a task that returned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usual {
    /// From publishing to the end.
    pub total: Spread,
    /// The run alone, of those calls whose start was seen.
    pub ran: Spread,
}

/// Durations in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread(Vec<Duration>);

impl Spread {
    /// Puts durations in order.
    pub fn new(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        Self(durations)
    }

    /// All of them, the shortest first.
    pub fn durations(&self) -> &[Duration] {
        &self.0
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The usual one; `None` of none.
    pub fn p50(&self) -> Option<Duration> {
        self.percentile(50)
    }

    /// 95 of 100 are not longer; `None` of none.
    pub fn p95(&self) -> Option<Duration> {
        self.percentile(95)
    }

    /// The nearest rank: the shortest that `percent` of all do not exceed.
    fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied()
    }

    /// Of how many percent of them `duration` is the longer one, rounded down; `None` of none.
    pub fn slower_than(&self, duration: Duration) -> Option<u8> {
        let shorter = self.0.partition_point(|earlier| *earlier < duration);
        let percent = (shorter * 100).checked_div(self.0.len())?;
        u8::try_from(percent).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn spread(ms: impl IntoIterator<Item = u64>) -> Spread {
        Spread::new(ms.into_iter().map(Duration::from_millis).collect())
    }

    #[rstest]
    #[case(spread([]), None, None)]
    #[case(spread([7]), Some(7), Some(7))]
    #[case(spread([4, 1, 3, 2]), Some(2), Some(4))]
    #[case(spread(1..=100), Some(50), Some(95))]
    #[case(spread(1..=212), Some(106), Some(202))]
    fn percentiles_are_durations_that_were_measured(
        #[case] spread: Spread,
        #[case] p50: Option<u64>,
        #[case] p95: Option<u64>,
    ) {
        assert_eq!(spread.p50(), p50.map(Duration::from_millis));
        assert_eq!(spread.p95(), p95.map(Duration::from_millis));
    }

    #[test]
    fn a_call_is_slower_than_a_share_of_the_earlier_ones() {
        let earlier = spread(1..=212);
        let than = |ms| earlier.slower_than(Duration::from_millis(ms));
        assert_eq!(than(1), Some(0));
        assert_eq!(than(212), Some(99));
        assert_eq!(than(213), Some(100));
        assert_eq!(spread([]).slower_than(Duration::ZERO), None);
    }
}
