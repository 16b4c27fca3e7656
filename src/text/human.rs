//! Durations, counts and sizes for people, and the DUR grammar of the command line (ux.md 2.1; 0.1, ruling 17).

use std::time::Duration;

/// `212ms`, `3.2s`, `58s`, `9m12s`, `3h4m`.
pub fn duration(value: Duration) -> String {
    let _ = value;
    unimplemented!()
}

/// `3.2s` with exactly one decimal below a minute, for countdowns (`3.2s`, `0.4s`, `58.0s`, `9m12s`).
pub fn countdown(value: Duration) -> String {
    let _ = value;
    unimplemented!()
}

/// `3,412`.
pub fn count(value: u64) -> String {
    let _ = value;
    unimplemented!()
}

/// `3.4k`, `12`, `1.2M`: at most four characters below 1000M.
pub fn short_count(value: u64) -> String {
    let _ = value;
    unimplemented!()
}

/// `214 bytes`, `1.2 kB`, `20.0 MB` (powers of 1000).
pub fn bytes(value: usize) -> String {
    let _ = value;
    unimplemented!()
}

/// Reads DUR: a number with a unit `ms s m h`, unit optional (seconds), fractions allowed (`.5s`, `1.5`, `10`). Zero, negative and garbage are errors whose text says what is accepted.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let _ = text;
    unimplemented!()
}
