//! The writers: compact for the wire, indented for people, serde for our own documents.

use std::fmt::Write;

use serde::Serializer;
use serde::ser::{Serialize, SerializeMap, SerializeSeq};

use super::{Json, is_non_finite};

pub(super) fn compact(value: &Json) -> String {
    let mut out = String::new();
    write_compact(&mut out, value);
    out
}

fn write_compact(out: &mut String, value: &Json) {
    match value {
        Json::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_compact(out, item);
            }
            out.push(']');
        }
        Json::Object(entries) => {
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(out, key);
                out.push(':');
                write_compact(out, value);
            }
            out.push('}');
        }
        scalar => write_scalar(out, scalar),
    }
}

pub(super) fn pretty(value: &Json) -> String {
    let mut out = String::new();
    write_pretty(&mut out, value, 0);
    out
}

fn write_pretty(out: &mut String, value: &Json, depth: usize) {
    match value {
        Json::List(items) if !items.is_empty() => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                new_line(out, index, depth + 1);
                write_pretty(out, item, depth + 1);
            }
            new_line(out, 0, depth);
            out.push(']');
        }
        Json::Object(entries) if !entries.is_empty() => {
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                new_line(out, index, depth + 1);
                write_text(out, key);
                out.push_str(": ");
                write_pretty(out, value, depth + 1);
            }
            new_line(out, 0, depth);
            out.push('}');
        }
        flat => write_compact(out, flat),
    }
}

fn new_line(out: &mut String, index: usize, depth: usize) {
    out.push_str(if index > 0 { ",\n" } else { "\n" });
    out.extend(std::iter::repeat_n("  ", depth));
}

fn write_scalar(out: &mut String, value: &Json) {
    match value {
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Number(number) if is_number(number) || is_non_finite(number) => out.push_str(number),
        // A number's text is public, so it may be anything; in quotes it can do no harm.
        Json::Number(text) | Json::Text(text) => write_text(out, text),
        _ => out.push_str("null"),
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        // The byte is ASCII, so the slice ends between characters.
        out.push_str(text.get(start..at).unwrap_or_default());
        write_escape(out, byte);
        start = at + 1;
    }
    out.push_str(text.get(start..).unwrap_or_default());
    out.push('"');
}

fn write_escape(out: &mut String, byte: u8) {
    match byte {
        b'"' => out.push_str("\\\""),
        b'\\' => out.push_str("\\\\"),
        b'\n' => out.push_str("\\n"),
        b'\r' => out.push_str("\\r"),
        b'\t' => out.push_str("\\t"),
        _ => {
            // Writing to a String never fails.
            let _ = write!(out, "\\u{byte:04x}");
        }
    }
}

/// Whether `text` is a number as RFC 8259 writes it.
pub fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let exponent = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    all_digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(all_digits)
        && exponent.is_none_or(all_digits)
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Strict JSON for our own documents: order and duplicate keys kept, numbers digit for digit (`1E5` is respelt `1e+5`, as Python
/// writes it), non-finite numbers as strings (`"NaN"`).
impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(text) => match strict_number(text) {
                Some(number) => number.serialize(serializer),
                None => serializer.serialize_str(text),
            },
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

fn strict_number(text: &str) -> Option<serde_json::Number> {
    is_number(text).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, arbitrary};
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn read(text: &str) -> Json {
        Json::parse(text.as_bytes(), Limits::default()).unwrap()
    }

    #[test]
    fn the_wire_is_compact_and_keeps_what_python_wrote() {
        let text = r#"{"b": [1.10, NaN, -Infinity, 1180591620717411303424], "a": null, "b": "ž"}"#;
        let wire = r#"{"b":[1.10,NaN,-Infinity,1180591620717411303424],"a":null,"b":"ž"}"#;
        assert_eq!(read(text).to_wire(), wire);
    }

    #[test]
    fn only_what_must_be_escaped_is_escaped() {
        let text = Json::from("\u{0}\n\r\t\u{1b}\"\\/\u{7f}é\u{2028}");
        assert_eq!(
            text.to_wire(),
            "\"\\u0000\\n\\r\\t\\u001b\\\"\\\\/\u{7f}é\u{2028}\""
        );
    }

    #[test]
    fn pretty_indents_by_two_and_leaves_empty_things_short() {
        let value = read(r#"{"a":[1,[]],"b":{},"c":{"d":NaN}}"#);
        let pretty =
            "{\n  \"a\": [\n    1,\n    []\n  ],\n  \"b\": {},\n  \"c\": {\n    \"d\": NaN\n  }\n}";
        assert_eq!(value.to_pretty(), pretty);
    }

    #[rstest]
    #[case("")]
    #[case("-")]
    #[case("abc")]
    #[case("01")]
    #[case("1,2")]
    #[case("inf")]
    fn a_number_that_is_none_goes_out_as_text(#[case] text: &str) {
        let number = Json::Number(text.to_owned());
        assert_eq!(number.to_wire(), format!("\"{text}\""));
        assert_eq!(
            serde_json::to_string(&number).unwrap(),
            format!("\"{text}\"")
        );
    }

    #[test]
    fn our_documents_are_strict_and_keep_digits_order_and_duplicates() {
        let text = r#"{"z":1.10,"a":1e+400,"z":-0,"n":[NaN,Infinity,-Infinity],"e":1E5}"#;
        let strict = r#"{"z":1.10,"a":1e+400,"z":-0,"n":["NaN","Infinity","-Infinity"],"e":1e+5}"#;
        assert_eq!(serde_json::to_string(&read(text)).unwrap(), strict);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_the_same(value in arbitrary::lenient()) {
            prop_assert_eq!(&read(&value.to_wire()), &value);
            prop_assert_eq!(&read(&value.to_pretty()), &value);
        }

        #[test]
        fn serde_writes_the_same_strict_document(value in arbitrary::strict()) {
            let document = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(Json::parse_strict(&document), Ok(value));
        }

        #[test]
        fn a_number_is_what_the_reader_takes_for_one(text in "[-+0-9.eE]{0,8}") {
            let read = Json::parse_strict(&text);
            prop_assert_eq!(is_number(&text), read == Ok(Json::Number(text.clone())));
        }
    }
}
