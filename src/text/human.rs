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

/// The first letter small, so that it goes on after a colon; the operating system's number (`(os error 111)`) dropped.
pub fn clause(text: &str) -> String {
    let text = text.split(" (os error").next().unwrap_or(text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

/// At most so many characters, and `…` where there were more.
pub fn bounded(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[rstest]
    #[case(0, "0ms")]
    #[case(212, "212ms")]
    #[case(999, "999ms")]
    #[case(1000, "1.0s")]
    #[case(3249, "3.2s")]
    #[case(9949, "9.9s")]
    #[case(9950, "10s")]
    #[case(58_000, "58s")]
    #[case(59_499, "59s")]
    #[case(59_500, "1m0s")]
    #[case(552_000, "9m12s")]
    #[case(3_599_500, "1h0m")]
    #[case(11_040_000, "3h4m")]
    #[case(86_400_000, "24h0m")]
    fn a_duration_has_two_or_three_figures(#[case] value: u64, #[case] expected: &str) {
        assert_eq!(duration(millis(value)), expected);
    }

    #[rstest]
    #[case(0, "0.0s")]
    #[case(400, "0.4s")]
    #[case(3210, "3.2s")]
    #[case(58_000, "58.0s")]
    #[case(59_949, "59.9s")]
    #[case(59_950, "1m0s")]
    #[case(552_900, "9m12s")]
    fn a_countdown_keeps_one_decimal_below_a_minute(#[case] value: u64, #[case] expected: &str) {
        assert_eq!(countdown(millis(value)), expected);
    }

    #[rstest]
    #[case(0, "0")]
    #[case(999, "999")]
    #[case(3412, "3,412")]
    #[case(1_234_567, "1,234,567")]
    #[case(u64::MAX, "18,446,744,073,709,551,615")]
    fn counts_are_grouped_by_thousands(#[case] value: u64, #[case] expected: &str) {
        assert_eq!(count(value), expected);
    }

    #[rstest]
    #[case(12, "12")]
    #[case(999, "999")]
    #[case(1000, "1.0k")]
    #[case(3412, "3.4k")]
    #[case(9_999, "9.9k")]
    #[case(10_000, "10k")]
    #[case(999_999, "999k")]
    #[case(1_234_567, "1.2M")]
    #[case(999_999_999, "999M")]
    #[case(1_000_000_000, "1.0G")]
    #[case(u64::MAX, "18E")]
    fn short_counts_never_say_more_than_there_is(#[case] value: u64, #[case] expected: &str) {
        assert_eq!(short_count(value), expected);
    }

    #[rstest]
    #[case(0, "0 bytes")]
    #[case(1, "1 byte")]
    #[case(214, "214 bytes")]
    #[case(999, "999 bytes")]
    #[case(1000, "1.0 kB")]
    #[case(1249, "1.2 kB")]
    #[case(999_949, "999.9 kB")]
    #[case(999_950, "1.0 MB")]
    #[case(20_000_000, "20.0 MB")]
    #[case(3_000_000_000, "3.0 GB")]
    #[case(5_000_000_000_000, "5 TB")]
    fn sizes_have_one_decimal_above_bytes(#[case] value: usize, #[case] expected: &str) {
        assert_eq!(bytes(value), expected);
    }

    #[rstest]
    #[case("10", 10_000)]
    #[case("1.5", 1500)]
    #[case(".5s", 500)]
    #[case("0.25s", 250)]
    #[case("5.", 5000)]
    #[case(" 200ms ", 200)]
    #[case("2m", 120_000)]
    #[case("1.5h", 5_400_000)]
    #[case("87600h", 315_360_000_000)]
    #[case("0.5000000000000000000000000000000000000000000000001", 500)]
    fn a_duration_is_a_number_with_a_unit(#[case] text: &str, #[case] expected: u64) {
        assert_eq!(parse_duration(text), Ok(millis(expected)));
    }

    #[rstest]
    #[case("", "is not a duration")]
    #[case("s", "is not a duration")]
    #[case(".", "is not a duration")]
    #[case("1.2.3", "is not a duration")]
    #[case("-1", "is not a duration")]
    #[case("+1", "is not a duration")]
    #[case("1e3", "is not a duration")]
    #[case("NaN", "is not a duration")]
    #[case("inf", "is not a duration")]
    #[case("10 s", "is not a duration")]
    #[case("5S", "is not a duration")]
    #[case("1h30m", "is not a duration")]
    #[case("٣", "is not a duration")]
    #[case("0", "more than zero")]
    #[case("0.0000000000001ms", "more than zero")]
    #[case("87601h", "at most ten years")]
    #[case("99999999999999999999999999999999999999999999h", "at most ten years")]
    fn what_is_no_duration_is_refused_with_what_is_accepted(
        #[case] text: &str,
        #[case] expected: &str,
    ) {
        let error = parse_duration(text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    proptest! {
        #[test]
        fn short_counts_below_1000m_have_at_most_four_characters(value in 0_u64..1_000_000_000) {
            prop_assert!(short_count(value).len() <= 4);
        }

        #[test]
        fn any_text_is_a_duration_or_an_error(text in any::<String>()) {
            let _ = parse_duration(&text);
        }

        #[test]
        fn any_duration_can_be_told(seconds in any::<u64>(), nanos in 0_u32..1_000_000_000) {
            let value = Duration::new(seconds, nanos);
            prop_assert!(!duration(value).is_empty() && !countdown(value).is_empty());
        }
    }

    #[rstest]
    #[case("Connection refused (os error 111)", "connection refused")]
    #[case("ÄRGER", "äRGER")]
    #[case("", "")]
    fn a_clause_goes_on_after_a_colon(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(clause(text), expected);
    }

    #[rstest]
    #[case("客戶月報", 4, "客戶月報")]
    #[case("客戶月報", 3, "客戶月…")]
    #[case("x", 0, "…")]
    #[case("", 0, "")]
    fn a_bounded_text_says_that_there_was_more(
        #[case] text: &str,
        #[case] characters: usize,
        #[case] expected: &str,
    ) {
        assert_eq!(bounded(text, characters), expected);
    }
}
