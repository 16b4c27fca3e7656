//! What a word means in YAML 1.1: PyYAML's resolver (`yaml/resolver.py`) and constructor (`yaml/constructor.py`), rule by rule.

use base64::prelude::{BASE64_STANDARD, Engine};

use super::super::super::Json;
use super::super::super::json::float_text;
use super::super::super::typed::{self, Kind};

/// The value of a scalar: by its tag (`int`, `python/name:x`), by its look if it is plain, else a text.
pub(super) fn resolve(text: &str, plain: bool, tag: Option<&str>) -> Result<Json, String> {
    let wanted = |kind: &str| format!("{:?} is not a {kind}", brief(text));
    match tag {
        None if plain => implicit(text),
        None | Some("str") => Ok(Json::from(text)),
        Some("null") => Ok(Json::Null),
        Some("bool") => boolean(&text.to_lowercase()).ok_or_else(|| wanted("bool")),
        Some("int") => integer(text).ok_or_else(|| wanted("int")),
        Some("float") => float(text)
            .or_else(|| as_float(text))
            .ok_or_else(|| wanted("float")),
        Some("timestamp") => moment(text).unwrap_or_else(|| Err(wanted("timestamp"))),
        Some("binary") => binary(text).ok_or_else(|| wanted("binary")),
        Some(other) => Ok(Json::Text(super::opaque(other, &Json::from(text)))),
    }
}

fn brief(text: &str) -> String {
    text.chars().take(60).collect()
}

fn implicit(text: &str) -> Result<Json, String> {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Ok(Json::Null);
    }
    if text == "<<" {
        return Err("a merge key, which no worker writes".to_owned());
    }
    let found = boolean_word(text)
        .or_else(|| integer(text))
        .or_else(|| float(text));
    match found {
        Some(value) => Ok(value),
        None => moment(text).unwrap_or_else(|| Ok(Json::from(text))),
    }
}

/// One letter case throughout, or a capital first.
fn boolean_word(text: &str) -> Option<Json> {
    let lower = text.to_ascii_lowercase();
    let mut capital = lower.clone();
    capital.get_mut(..1)?.make_ascii_uppercase();
    let spelt = text == lower || text == capital || text == text.to_ascii_uppercase();
    boolean(&lower).filter(|_| spelt)
}

fn boolean(lower: &str) -> Option<Json> {
    match lower {
        "yes" | "true" | "on" => Some(Json::Bool(true)),
        "no" | "false" | "off" => Some(Json::Bool(false)),
        _ => None,
    }
}

/// The sign and what follows it.
fn signed(text: &str) -> (&'static str, &str) {
    match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    }
}

fn all(text: &str, fits: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(fits)
}

fn digit_or_line(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'_'
}

/// Binary, octal (`017`), decimal, hexadecimal, base 60 (`1:30`), all with `_`. Beyond 128 bits only decimal digits are read.
fn integer(text: &str) -> Option<Json> {
    let (sign, rest) = signed(text);
    let digits = rest.replace('_', "");
    let radix = |digits: &str, radix| {
        u128::from_str_radix(digits, radix)
            .ok()
            .map(|n| n.to_string())
    };
    let value = if let Some(bits) = rest.strip_prefix("0b") {
        all(bits, |byte| matches!(byte, b'0' | b'1' | b'_')).then(|| radix(&digits[2..], 2))?
    } else if let Some(hex) = rest.strip_prefix("0x") {
        all(hex, |byte| byte.is_ascii_hexdigit() || byte == b'_')
            .then(|| radix(&digits[2..], 16))?
    } else if rest == "0" {
        Some(digits)
    } else if let Some(octal) = rest.strip_prefix('0') {
        all(octal, |byte| matches!(byte, b'0'..=b'7' | b'_')).then(|| radix(&digits, 8))?
    } else if !rest.starts_with(|first: char| first.is_ascii_digit()) {
        None
    } else if rest.contains(':') {
        sexagesimal(&digits).map(|value| value.to_string())
    } else {
        all(rest, digit_or_line).then_some(digits)
    }?;
    let sign = if value == "0" { "" } else { sign };
    Some(Json::Number(format!("{sign}{value}")))
}

/// `190:20:30`: every part but the first is below 60.
fn sexagesimal(digits: &str) -> Option<u128> {
    let mut parts = digits.split(':');
    let first: u128 = parts.next()?.parse().ok()?;
    parts.try_fold(first, |value, part| {
        let fits = part.len() <= 2 && all(part, |byte| byte.is_ascii_digit());
        let part: u128 = part.parse().ok().filter(|&part| fits && part < 60)?;
        value.checked_mul(60)?.checked_add(part)
    })
}

/// A float has a dot; an exponent needs its sign (`1e5` is a text, `1.0e+5` a number).
fn float(text: &str) -> Option<Json> {
    let (sign, rest) = signed(text);
    match rest {
        ".inf" | ".Inf" | ".INF" => return Some(Json::Number(format!("{sign}Infinity"))),
        ".nan" | ".NaN" | ".NAN" if text == rest => return Some(Json::Number("NaN".to_owned())),
        _ => {}
    }
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let (whole, fraction) = mantissa.split_once('.')?;
    if whole.contains(':') {
        return exponent.is_none().then(|| base_60(sign, whole, fraction))?;
    }
    // Without digits before the dot there is no sign.
    let starts =
        whole.starts_with(|first: char| first.is_ascii_digit()) && all(whole, digit_or_line);
    let bare = whole.is_empty()
        && text == rest
        && fraction.starts_with(|first: char| first.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']);
        digits.is_some_and(|digits| all(digits, |byte| byte.is_ascii_digit()))
    });
    let fits = (starts || bare) && fraction.bytes().all(digit_or_line) && exponent_fits;
    fits.then(|| Json::Number(number(sign, whole, fraction, exponent)))
}

/// The digits as JSON writes them; nothing is rounded.
fn number(sign: &str, whole: &str, fraction: &str, exponent: Option<&str>) -> String {
    let whole = whole.replace('_', "");
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let fraction = fraction.replace('_', "");
    let fraction = match (fraction.trim_end_matches('0'), exponent) {
        // PyYAML writes 1e+16 as 1.0e+16 because a float needs its dot.
        ("", Some(_)) => String::new(),
        ("", None) => ".0".to_owned(),
        _ => format!(".{fraction}"),
    };
    let exponent = exponent.map_or_else(String::new, |exponent| format!("e{exponent}"));
    format!("{sign}{whole}{fraction}{exponent}")
}

fn base_60(sign: &str, whole: &str, fraction: &str) -> Option<Json> {
    let fits = whole.starts_with(|first: char| first.is_ascii_digit())
        && fraction.bytes().all(digit_or_line);
    let parts = sexagesimal(&whole.replace('_', ""))?;
    let rest: f64 = format!("0.{}0", fraction.replace('_', "")).parse().ok()?;
    let value = parts as f64 + rest;
    let value = if sign == "-" { -value } else { value };
    fits.then(|| Json::Number(float_text(value)))
}

/// `!!float "1e5"` is whatever Python's `float()` takes.
fn as_float(text: &str) -> Option<Json> {
    let value: f64 = text.replace('_', "").trim().parse().ok()?;
    Some(Json::Number(float_text(value)))
}

fn binary(text: &str) -> Option<Json> {
    let packed: String = text.split_ascii_whitespace().collect();
    BASE64_STANDARD.decode(packed).ok().map(typed::of_bytes)
}

/// `2001-12-14`, `2001-12-14 21:59:43.1 -5`; `None` if it looks like neither, an error if no calendar has it.
fn moment(text: &str) -> Option<Result<Json, String>> {
    let (day, clock) = match text.find(['T', 't', ' ', '\t']) {
        Some(at) => (
            &text[..at],
            Some(text[at + 1..].trim_start_matches([' ', '\t'])),
        ),
        None => (text, None),
    };
    let parts: Vec<&str> = day.split('-').collect();
    let [year, month, day] = parts[..] else {
        return None;
    };
    // A date alone has two digits for month and day, a time may have one.
    let least = if clock.is_some() { 1 } else { 2 };
    let fits = |part: &str, least: usize, most: usize| {
        (least..=most).contains(&part.len()) && all(part, |byte| byte.is_ascii_digit())
    };
    if !fits(year, 4, 4) || !fits(month, least, 2) || !fits(day, least, 2) {
        return None;
    }
    let date = format!("{year}-{month:0>2}-{day:0>2}");
    Some(match clock {
        None => typed::build(Kind::Date, &date),
        Some(clock) => typed::build(Kind::Datetime, &format!("{date}T{}", time(clock)?)),
    })
}

/// `21:59:43.1 -5` as ISO writes it; digits beyond microseconds are dropped, as PyYAML does.
fn time(text: &str) -> Option<String> {
    let end = text.find(|char: char| !matches!(char, '0'..='9' | ':' | '.'));
    let (clock, zone) = text.split_at(end.unwrap_or(text.len()));
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let parts: Vec<&str> = clock.split(':').collect();
    let [hour, minute, second] = parts[..] else {
        return None;
    };
    let two = |part: &str| part.len() == 2 && all(part, |byte| byte.is_ascii_digit());
    let fits = matches!(hour.len(), 1 | 2) && two(minute) && two(second);
    let digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    let micros: String = fraction.chars().take(6).collect();
    let micros = if micros.is_empty() {
        micros
    } else {
        format!(".{micros}")
    };
    let zone = offset(zone.trim_start_matches([' ', '\t']))?;
    (fits && digits).then(|| format!("{hour:0>2}:{minute}:{second}{micros}{zone}"))
}

fn offset(text: &str) -> Option<String> {
    if matches!(text, "" | "Z") {
        return Some(text.to_owned());
    }
    let sign = text.get(..1).filter(|sign| matches!(*sign, "+" | "-"))?;
    let (hours, minutes) = text[1..].split_once(':').unwrap_or((&text[1..], "00"));
    let digits = |part: &str| all(part, |byte| byte.is_ascii_digit());
    let fits =
        matches!(hours.len(), 1 | 2) && minutes.len() == 2 && digits(hours) && digits(minutes);
    fits.then(|| format!("{sign}{hours:0>2}:{minutes}"))
}
