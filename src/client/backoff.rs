//! How long to wait before the next try to connect. Pure.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(10);

/// Wait after `failed` tries in a row (1 = the first failed): doubling from 0.5 s to at most 10 s.
pub fn delay(failed: u32) -> Duration {
    let doublings = failed.saturating_sub(1).min(10);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_half_a_second_to_ten_seconds() {
        let waits: Vec<u128> = (1..=7).map(|failed| delay(failed).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    }

    #[test]
    fn a_very_long_outage_does_not_overflow() {
        assert_eq!(delay(u32::MAX), LONGEST);
    }
}
