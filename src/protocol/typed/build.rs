//! Typed values from what a person typed, written so that Python 3.8's `fromisoformat` reads them too.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Json, Kind, TYPE, VALUE};

/// Padding may be left out when typing; we always write it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Builds a typed value from what a person typed (`12.50`, `2026-11-22T10:00`, a UUID, text or `base64:...`/`hex:...` for bytes).
/// The error says what the text should look like.
pub fn build(kind: Kind, text: &str) -> Result<Json, String> {
    let wanted = |like: &str| format!("a {kind} should look like {like}");
    let value = match kind {
        Kind::Datetime => datetime(text).ok_or_else(|| wanted("2026-11-22T10:00:00+01:00")),
        Kind::Date => date(text).ok_or_else(|| wanted("2026-11-22")),
        Kind::Time => time(text).ok_or_else(|| wanted("10:00 or 10:00:30.5")),
        Kind::Decimal => decimal(text).ok_or_else(|| wanted("12.50")),
        Kind::Uuid => return uuid(text).ok_or_else(|| wanted(UUID_LIKE)),
        Kind::Bytes => return bytes(text).ok_or_else(|| wanted("text, base64:/wA= or hex:ff00")),
        Kind::Base64 => from_base64(text)
            .map(|bytes| BASE64.encode(bytes))
            .ok_or_else(|| wanted("/wA=")),
    }?;
    Ok(tagged(kind, Json::Text(value)))
}

const UUID_LIKE: &str = "12345678-1234-5678-1234-567812345678";

fn tagged(kind: Kind, value: Json) -> Json {
    Json::Object(vec![
        (TYPE.to_owned(), Json::Text(kind.to_string())),
        (VALUE.to_owned(), value),
    ])
}

fn uuid(text: &str) -> Option<Json> {
    let uuid = uuid::Uuid::parse_str(text.trim()).ok()?;
    let hex = Json::Text(uuid.simple().to_string());
    Some(tagged(
        Kind::Uuid,
        Json::Object(vec![("hex".to_owned(), hex)]),
    ))
}

/// kombu writes bytes as text when they are UTF-8, else as base64; so do we.
fn bytes(text: &str) -> Option<Json> {
    let raw = if let Some(encoded) = text.strip_prefix("base64:") {
        from_base64(encoded)?
    } else if let Some(digits) = text.strip_prefix("hex:") {
        from_hex(digits)?
    } else {
        text.as_bytes().to_vec()
    };
    Some(of_bytes(raw))
}

/// Python's `bytes` as kombu writes them.
pub fn of_bytes(raw: Vec<u8>) -> Json {
    match String::from_utf8(raw) {
        Ok(text) => tagged(Kind::Bytes, Json::Text(text)),
        Err(error) => tagged(Kind::Base64, Json::Text(BASE64.encode(error.as_bytes()))),
    }
}

pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.trim()).ok()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(hex_digit(*high)? << 4 | hex_digit(*low)?),
            _ => None,
        })
        .collect()
}

fn hex_digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

/// Digits as Python's `Decimal` takes them: `.5`, `5.`, leading zeros, an exponent, `NaN`, `Infinity`.
fn decimal(text: &str) -> Option<String> {
    let text = text.trim();
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let words = ["nan", "inf", "infinity"];
    if words.iter().any(|word| unsigned.eq_ignore_ascii_case(word)) {
        return Some(text.to_owned());
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let mantissa = mantissa.replacen('.', "", 1);
    // Python's exponents have at most 18 digits.
    let fits = all_digits(&mantissa) && all_digits(exponent) && exponent.len() < 18;
    fits.then(|| text.to_owned())
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn datetime(text: &str) -> Option<String> {
    let text = text.trim();
    let Some((day, rest)) = text.split_once(['T', 't', ' ']) else {
        return Some(format!("{}T00:00:00", date(text)?));
    };
    let (clock, zone) = split_zone(rest)?;
    Some(format!("{}T{}{zone}", date(day)?, time(clock)?))
}

fn date(text: &str) -> Option<String> {
    let mut parts = text.trim().splitn(3, '-');
    let year = number(parts.next()?, 4)?;
    let month = number(parts.next()?, 2)?;
    let day = number(parts.next()?, 2)?;
    let small = |part: u32| i8::try_from(part).ok();
    let date =
        jiff::civil::Date::new(i16::try_from(year).ok()?, small(month)?, small(day)?).ok()?;
    // Python's years start at 1.
    (year > 0).then(|| date.to_string())
}

/// A number of exactly `digits` digits.
fn number(text: &str, digits: usize) -> Option<u32> {
    (text.len() == digits && all_digits(text)).then(|| text.parse().ok())?
}

fn below(text: &str, limit: u32) -> Option<u32> {
    number(text, 2).filter(|&part| part < limit)
}

/// `HH:MM[:SS[.f…]]`, the fraction brought to the six digits that old Pythons insist on.
fn time(text: &str) -> Option<String> {
    let mut parts = text.trim().splitn(3, ':');
    let hour = below(parts.next()?, 24)?;
    let minute = below(parts.next()?, 60)?;
    let (second, fraction) = match parts.next() {
        None => (0, None),
        Some(seconds) => match seconds.split_once(['.', ',']) {
            None => (below(seconds, 60)?, None),
            Some((whole, fraction)) => (below(whole, 60)?, Some(fraction)),
        },
    };
    let fraction = fraction.map_or(Some(String::new()), micros)?;
    Some(format!("{hour:02}:{minute:02}:{second:02}{fraction}"))
}

fn micros(fraction: &str) -> Option<String> {
    (all_digits(fraction) && fraction.len() <= 6).then(|| format!(".{fraction:0<6}"))
}

/// Splits a clock time from its offset, which becomes `±HH:MM`, or empty if there is none.
fn split_zone(text: &str) -> Option<(&str, String)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some((clock, "+00:00".to_owned()));
    }
    let Some(at) = text.rfind(['+', '-']) else {
        return Some((text, String::new()));
    };
    let (clock, offset) = text.split_at(at);
    let (sign, digits) = offset.split_at(1);
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "00"),
    };
    let (hours, minutes) = (below(hours, 24)?, below(minutes, 60)?);
    Some((clock, format!("{sign}{hours:02}:{minutes:02}")))
}

#[cfg(test)]
mod tests {
    use super::super::{recognise, undecodable};
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use strum::IntoEnumIterator;

    #[rstest]
    #[case(Kind::Datetime, "2026-11-22T10:00", "2026-11-22T10:00:00")]
    #[case(Kind::Datetime, "2026-11-22 10:00:30.5", "2026-11-22T10:00:30.500000")]
    #[case(Kind::Datetime, "2026-11-22T10:00Z", "2026-11-22T10:00:00+00:00")]
    #[case(Kind::Datetime, "2026-11-22T10:00-0530", "2026-11-22T10:00:00-05:30")]
    #[case(Kind::Datetime, "2026-11-22T10:00+01", "2026-11-22T10:00:00+01:00")]
    #[case(Kind::Datetime, "2026-11-22", "2026-11-22T00:00:00")]
    #[case(Kind::Date, "2024-02-29", "2024-02-29")]
    #[case(Kind::Time, "01:02", "01:02:00")]
    #[case(Kind::Time, "23:59:59.000001", "23:59:59.000001")]
    #[case(Kind::Decimal, " 12.50 ", "12.50")]
    #[case(Kind::Decimal, "-.5e-7", "-.5e-7")]
    #[case(Kind::Decimal, "007", "007")]
    #[case(Kind::Decimal, "NaN", "NaN")]
    #[case(Kind::Bytes, "žabc", "žabc")]
    #[case(Kind::Bytes, "base64:YWJj", "abc")]
    #[case(Kind::Bytes, "hex:616263", "abc")]
    #[case(Kind::Base64, "/wA", "/wA=")]
    #[case(
        Kind::Uuid,
        "{12345678-1234-5678-1234-567812345678}",
        "12345678123456781234567812345678"
    )]
    fn what_a_person_types_becomes_what_python_reads(
        #[case] kind: Kind,
        #[case] text: &str,
        #[case] expected: &str,
    ) {
        let value = build(kind, text).unwrap();
        let typed = recognise(&value).unwrap();
        assert_eq!((typed.kind, typed.text), (kind, expected));
    }

    #[test]
    fn bytes_that_are_no_text_become_base64() {
        for text in ["hex:ff00", "hex:FF00", "base64:/wA=", "base64:/wA"] {
            let value = build(Kind::Bytes, text).unwrap();
            let typed = recognise(&value).unwrap();
            assert_eq!((typed.kind, typed.text), (Kind::Base64, "/wA="));
        }
    }

    #[rstest]
    #[case(Kind::Datetime, "22.11.2026", "2026-11-22T10:00:00+01:00")]
    #[case(Kind::Datetime, "2026-11-22T25:00", "2026-11-22T10:00:00+01:00")]
    #[case(Kind::Datetime, "2026-11-22T10:00+1", "2026-11-22T10:00:00+01:00")]
    #[case(Kind::Datetime, "2026-11-22T10:00:00+0é0", "2026-11-22T10:00:00+01:00")]
    #[case(Kind::Date, "2023-02-29", "2026-11-22")]
    #[case(Kind::Date, "0000-01-01", "2026-11-22")]
    #[case(Kind::Date, "2026-11-22T10:00", "2026-11-22")]
    #[case(Kind::Time, "24:00", "10:00")]
    #[case(Kind::Time, "10", "10:00")]
    #[case(Kind::Time, "10:00:00.1234567", "10:00")]
    #[case(Kind::Decimal, "12,50", "12.50")]
    #[case(Kind::Decimal, "", "12.50")]
    #[case(Kind::Decimal, ".", "12.50")]
    #[case(Kind::Decimal, "1.2.3", "12.50")]
    #[case(Kind::Decimal, "1e", "12.50")]
    #[case(Kind::Uuid, "1234", "12345678-1234")]
    #[case(Kind::Bytes, "hex:abc", "hex:ff00")]
    #[case(Kind::Bytes, "base64:*", "base64:/wA=")]
    fn a_refusal_says_what_it_should_look_like(
        #[case] kind: Kind,
        #[case] text: &str,
        #[case] like: &str,
    ) {
        let error = build(kind, text).unwrap_err();
        assert!(error.contains(like), "{error}");
    }

    proptest! {
        #[test]
        fn whatever_is_built_can_be_decoded(text in "[-+0-9a-fT:.Zexinb=, /]{0,24}") {
            for kind in Kind::iter() {
                if let Ok(value) = build(kind, &text) {
                    prop_assert!(recognise(&value).is_some());
                    prop_assert_eq!(undecodable(&value), None);
                }
            }
        }

        #[test]
        fn any_text_is_built_or_refused(text in any::<String>()) {
            for kind in Kind::iter() {
                let _ = build(kind, &text);
            }
        }
    }
}
