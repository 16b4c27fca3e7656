//! Durations, counts and sizes for people, and the DUR grammar of the command line (ux.md 2.1; 0.1, ruling 17).

use std::time::Duration;

const MINUTE: u128 = 60;
const HOUR: u128 = 3600;

/// `212ms`, `3.2s`, `58s`, `9m12s`, `3h4m`.
pub fn duration(value: Duration) -> String {
    let millis = value.as_millis();
    let tenths = rounded(millis, 100);
    let seconds = rounded(millis, 1000);
    if millis < 1000 {
        format!("{millis}ms")
    } else if tenths < 100 {
        format!("{}.{}s", tenths / 10, tenths % 10)
    } else if seconds < MINUTE {
        format!("{seconds}s")
    } else {
        long(seconds)
    }
}

/// `3.2s` with exactly one decimal below a minute, for countdowns (`3.2s`, `0.4s`, `58.0s`, `9m12s`).
pub fn countdown(value: Duration) -> String {
    let tenths = rounded(value.as_millis(), 100);
    if tenths < MINUTE * 10 {
        return format!("{}.{}s", tenths / 10, tenths % 10);
    }
    long(tenths / 10)
}

fn rounded(value: u128, step: u128) -> u128 {
    (value + step / 2) / step
}

fn long(seconds: u128) -> String {
    if seconds < HOUR {
        return format!("{}m{}s", seconds / MINUTE, seconds % MINUTE);
    }
    let minutes = rounded(seconds, MINUTE);
    format!("{}h{}m", minutes / 60, minutes % 60)
}

/// `3,412`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `3.4k`, `12`, `1.2M`: at most four characters below 1000M.
pub fn short_count(value: u64) -> String {
    let mut unit = 1;
    let mut letters = ["", "k", "M", "G", "T", "P", "E"].iter();
    let mut letter = letters.next();
    while value / unit >= 1000 {
        unit *= 1000;
        letter = letters.next();
    }
    let letter = letter.unwrap_or(&"");
    // Cut, not rounded: 999,999 stays 999k, and a count is never overstated.
    match value / unit {
        whole if unit > 1 && whole < 10 => {
            format!("{whole}.{}{letter}", value % unit / (unit / 10))
        }
        whole => format!("{whole}{letter}"),
    }
}

/// `214 bytes`, `1.2 kB`, `20.0 MB` (powers of 1000).
pub fn bytes(value: usize) -> String {
    match value {
        1 => return "1 byte".to_owned(),
        0..1000 => return format!("{value} bytes"),
        _ => {}
    }
    let mut unit: usize = 1000;
    for name in ["kB", "MB", "GB"] {
        let tenth = unit / 10;
        let tenths = value / tenth + usize::from(value % tenth >= tenth / 2);
        if tenths < 10_000 {
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
        unit = unit.saturating_mul(1000);
    }
    format!("{} TB", value / unit)
}

/// Ten years: more than any wait, and far from every overflow.
const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);

/// Reads DUR: a number with a unit `ms s m h`, unit optional (seconds), fractions allowed (`.5s`, `1.5`, `10`). Zero, negative and garbage are errors whose text says what is accepted.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "{text:?} is not a duration; write a number and a unit ms, s, m or h, such as 10, 1.5s, 200ms or 2m"
        )
    };
    let nanos = nanos(text.trim()).ok_or_else(wrong)?;
    if nanos == 0 {
        return Err(format!(
            "{text:?} is no time at all; a duration is more than zero, such as 10 or 200ms"
        ));
    }
    let longest = LONGEST.as_nanos();
    match u64::try_from(nanos) {
        Ok(nanos) if u128::from(nanos) <= longest => Ok(Duration::from_nanos(nanos)),
        _ => Err(format!(
            "{text:?} is too long; at most ten years, such as 87600h"
        )),
    }
}

fn nanos(text: &str) -> Option<u128> {
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let unit: u128 = match unit {
        "ms" => 1_000_000,
        "" | "s" => 1_000_000_000,
        "m" => MINUTE * 1_000_000_000,
        "h" => HOUR * 1_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    // Digits beyond these are far below a nanosecond, or far above ten years.
    let fraction = fraction.get(..12).unwrap_or(fraction);
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let part = digits(fraction) * unit / scale;
    Some(digits(whole).saturating_mul(unit).saturating_add(part))
}

/// A run of ASCII digits as a number; too many are as good as infinite.
fn digits(text: &str) -> u128 {
    let add = |sum: u128, digit: u8| {
        let digit = u128::from(digit.saturating_sub(b'0'));
        sum.saturating_mul(10).saturating_add(digit)
    };
    text.bytes().fold(0, add)
}
