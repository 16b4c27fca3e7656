//! Writes YAML in flow style that PyYAML's `safe_load` reads as the very same values, or refuses.

use std::fmt::Write;

use base64::prelude::{BASE64_STANDARD, Engine};

use super::super::super::Json;
use super::super::super::json::{double, is_real};
use super::super::super::typed::{self, Kind, Typed};
use super::super::{EncodeError, Serializer, key_twice};
use super::DEEPEST;

/// A key longer than this is marked with `?`: PyYAML looks ahead 1,024 characters for the colon of an unmarked one.
const SHORT_KEY: usize = 100;

/// Writes one value. Refused is what PyYAML would not read as the same value: numbers beyond a double, times of day, decimals
/// and UUIDs, a key given twice.
pub(in super::super) fn write(value: &Json) -> Result<String, EncodeError> {
    let mut out = String::new();
    write_value(&mut out, value, DEEPEST)?;
    Ok(out)
}

fn refuse(what: impl Into<String>) -> EncodeError {
    EncodeError::Unwritable {
        what: what.into(),
        serializer: Serializer::Yaml,
    }
}

fn write_value(out: &mut String, value: &Json, room: usize) -> Result<(), EncodeError> {
    if let Some(typed) = typed::recognise(value) {
        out.push_str(&write_typed(&typed)?);
        return Ok(());
    }
    let deeper = || {
        room.checked_sub(1)
            .ok_or_else(|| refuse("such deep nesting"))
    };
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Number(number) if is_real(number) => out.push_str(&write_number(number)?),
        Json::Number(text) | Json::Text(text) => write_text(out, text),
        Json::List(items) => {
            let room = deeper()?;
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write_value(out, item, room)?;
            }
            out.push(']');
        }
        Json::Object(entries) => write_map(out, entries, deeper()?)?,
    }
    Ok(())
}

fn write_map(out: &mut String, entries: &[(String, Json)], room: usize) -> Result<(), EncodeError> {
    if let Some(key) = key_twice(entries) {
        return Err(refuse(format!("the key {key:?} twice in one object")));
    }
    out.push('{');
    for (index, (key, value)) in entries.iter().enumerate() {
        out.push_str(if index > 0 { ", " } else { "" });
        out.push_str(if key.len() > SHORT_KEY { "? " } else { "" });
        write_text(out, key);
        out.push_str(": ");
        write_value(out, value, room)?;
    }
    out.push('}');
    Ok(())
}

/// Quoted with an explicit tag, so that no resolver has a say.
fn write_typed(typed: &Typed<'_>) -> Result<String, EncodeError> {
    match typed.kind {
        Kind::Bytes | Kind::Base64 => match typed.bytes() {
            Some(bytes) => Ok(format!("!!binary \"{}\"", BASE64_STANDARD.encode(bytes))),
            None => Err(refuse("broken base64")),
        },
        Kind::Date | Kind::Datetime => {
            let exact = typed::build(typed.kind, typed.text).map_err(refuse)?;
            let text = exact.get("__value__").and_then(Json::as_str);
            Ok(format!("!!timestamp \"{}\"", text.unwrap_or_default()))
        }
        kind => Err(refuse(format!("a {kind} ({})", typed::plain(typed)))),
    }
}

/// A float needs a dot, and a sign at its exponent; the digits stay.
fn write_number(number: &str) -> Result<String, EncodeError> {
    match number {
        "NaN" => return Ok(".nan".to_owned()),
        "Infinity" => return Ok(".inf".to_owned()),
        "-Infinity" => return Ok("-.inf".to_owned()),
        "-0" => return Ok("0".to_owned()),
        _ => {}
    }
    if double(number).is_none() && number.contains(['.', 'e', 'E']) {
        return Err(refuse(format!(
            "the number {number}, which is beyond a float"
        )));
    }
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (number, None),
    };
    let Some(exponent) = exponent else {
        return Ok(number.to_owned());
    };
    let dot = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['+', '-']) {
        ""
    } else {
        "+"
    };
    Ok(format!("{mantissa}{dot}e{sign}{exponent}"))
}

fn escape(out: &mut String, letter: char, digits: usize, code: u32) {
    // Writing to a String never fails.
    let _ = write!(out, "\\{letter}{code:0digits$x}");
}

/// In double quotes: raw but for quotes, backslashes, and what PyYAML takes for a line break or refuses.
fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        let code = u32::from(char);
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{a0}' => escape(out, 'x', 2, code),
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                escape(out, 'u', 4, code);
            }
            _ => out.push(char),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::super::super::json::{Limits, arbitrary};
    use super::super::super::canonical;
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes(), Limits::default()).unwrap()
    }

    #[rstest]
    #[case(
        "[1, -0, 1.10, 1e5, 1E-7, -2.5e3]",
        "[1, 0, 1.10, 1.0e+5, 1.0e-7, -2.5e+3]"
    )]
    #[case("[NaN, Infinity, -Infinity]", "[.nan, .inf, -.inf]")]
    #[case(
        r#"{"yes": "no", "": null, "<<": "=", "1": "~"}"#,
        r#"{"yes": "no", "": null, "<<": "=", "1": "~"}"#
    )]
    #[case(
        r#""a\"\\\n\u0000\u0085\u2028\ufeff\u017e""#,
        r#""a\"\\\n\x00\x85\u2028\ufeffž""#
    )]
    #[case(r#"{"__type__": "base64", "__value__": "/wA="}"#, r#"!!binary "/wA=""#)]
    #[case(
        r#"{"__type__": "date", "__value__": "2024-05-01"}"#,
        r#"!!timestamp "2024-05-01""#
    )]
    #[case(
        r#"{"__type__": "datetime", "__value__": "2024-05-01T12:30:15.123456+00:00"}"#,
        r#"!!timestamp "2024-05-01T12:30:15.123456+00:00""#
    )]
    fn values_are_written_so_that_no_resolver_has_a_say(#[case] value: &str, #[case] text: &str) {
        assert_eq!(write(&json(value)).unwrap(), text);
    }

    #[rstest]
    #[case(
        r#"{"__type__": "time", "__value__": "01:02:03"}"#,
        "a time (01:02:03)"
    )]
    #[case(r#"{"__type__": "decimal", "__value__": "1.10"}"#, "a decimal (1.10)")]
    #[case(
        r#"{"__type__": "uuid", "__value__": {"hex": "12345678123456781234567812345678"}}"#,
        "a uuid (12345678-1234-5678-1234-567812345678)"
    )]
    #[case("1e400", "the number 1e400, which is beyond a float")]
    #[case(r#"[{"a": 1, "a": 2}]"#, "the key \"a\" twice in one object")]
    fn what_pyyaml_would_read_as_something_else_is_refused(
        #[case] value: &str,
        #[case] what: &str,
    ) {
        let expected = format!("yaml cannot carry {what}: send it in another serializer");
        assert_eq!(write(&json(value)).unwrap_err().to_string(), expected);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in arbitrary::lenient()) {
            if let Ok(text) = write(&value) {
                let read = super::super::read(text.as_bytes(), Limits::default());
                prop_assert_eq!(canonical(&read.unwrap()), canonical(&value), "{}", text);
            }
        }
    }
}
