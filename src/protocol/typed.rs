//! kombu's typed values: objects of exactly `__type__` and `__value__` that stand for a Python value JSON has not (kombu 5.3+, `kombu.utils.json`).
//!
//! A worker's decoder raises on a typed value it cannot decode, and the whole message is lost (protocol.md 1.7).

mod build;

pub use build::build;
pub(super) use build::of_bytes;

use base64::prelude::{BASE64_STANDARD, Engine};

use super::Json;

const TYPE: &str = "__type__";
const VALUE: &str = "__value__";

/// Digits of a whole number that Python converts from text at most (`sys.int_info.default_max_str_digits`).
const PYTHON_DIGITS: usize = 4300;

/// The kinds of typed values kombu registers.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    strum::EnumString,
    strum::Display,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    /// `datetime.datetime`, ISO 8601.
    Datetime,
    /// `datetime.date`.
    Date,
    /// `datetime.time`.
    Time,
    /// `decimal.Decimal`, digits as text.
    Decimal,
    /// `uuid.UUID`, `{"hex": 32 digits}`.
    Uuid,
    /// `bytes` that are valid UTF-8.
    Bytes,
    /// Other `bytes`, base64.
    Base64,
}

/// A typed value recognised in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed<'a> {
    /// Which type.
    pub kind: Kind,
    /// Its text: ISO time, digits, hex, text or base64.
    pub text: &'a str,
}

impl Typed<'_> {
    /// Python's `bytes` that it stands for; `None` for other kinds and for broken base64.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self.kind {
            Kind::Bytes => Some(self.text.as_bytes().to_vec()),
            Kind::Base64 => build::from_base64(self.text),
            _ => None,
        }
    }
}

/// Recognises a typed value: an object of exactly the two keys and a known type.
pub fn recognise(value: &Json) -> Option<Typed<'_>> {
    let (kind, inner) = marker(value)?;
    let kind: Kind = kind.as_str()?.parse().ok()?;
    let text = match kind {
        Kind::Uuid => inner.get("hex")?,
        _ => inner,
    };
    let text = text.as_str()?;
    Some(Typed { kind, text })
}

/// The two values of an object whose keys are exactly the two, as Python sees them: the last of each counts.
fn marker(value: &Json) -> Option<(&Json, &Json)> {
    let entries = value.as_object()?;
    if entries.iter().any(|(key, _)| key != TYPE && key != VALUE) {
        return None;
    }
    Some((value.get(TYPE)?, value.get(VALUE)?))
}

/// Whether a worker's JSON decoder would take the object for a typed value, a known one or not.
pub(super) fn is_marked(value: &Json) -> bool {
    marker(value).is_some()
}

/// The first object, anywhere inside, that has exactly the keys `__type__` and `__value__` with a type kombu does not know:
/// a worker's decoder raises on it and the message is lost (protocol.md 1.7). Returns its `__type__`.
pub fn unknown_marker(value: &Json) -> Option<String> {
    find(value, &|value| {
        let (kind, _) = marker(value)?;
        match kind {
            Json::Text(name) if name.parse::<Kind>().is_ok() => None,
            Json::Text(name) => Some(name.clone()),
            other => Some(other.to_wire()),
        }
    })
}

/// What, anywhere inside, no worker can decode although its type is known, said for people: a typed value whose content is
/// not of its type, a whole number longer than Python reads. The message would be lost.
pub fn undecodable(value: &Json) -> Option<String> {
    find(value, &|value| match value {
        Json::Number(text) => too_long(text),
        _ => bad_content(value),
    })
}

fn too_long(number: &str) -> Option<String> {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
    (whole && digits.len() > PYTHON_DIGITS).then(|| {
        let count = digits.len();
        format!("a whole number of {count} digits (Python reads at most {PYTHON_DIGITS})")
    })
}

fn bad_content(value: &Json) -> Option<String> {
    let (kind, inner) = marker(value)?;
    let kind: Kind = kind.as_str()?.parse().ok()?;
    let fits = match recognise(value) {
        None => false,
        Some(typed) if kind == Kind::Uuid => {
            // `uuid.UUID(**value)` takes these two and nothing else that JSON can hold.
            let entries = inner.as_object().unwrap_or_default();
            let known = |key: &str| key == "hex" || key == "version";
            entries.iter().all(|(key, _)| known(key)) && build::build(kind, typed.text).is_ok()
        }
        // Python insists on the padding.
        Some(typed) if kind == Kind::Base64 => BASE64_STANDARD.decode(typed.text).is_ok(),
        Some(typed) => kind == Kind::Bytes || build::build(kind, typed.text).is_ok(),
    };
    (!fits).then(|| format!("a {kind} written as {}", brief(inner)))
}

fn brief(value: &Json) -> String {
    super::python::shorten(&value.to_wire(), 60)
}

/// The first answer of `ask`, asked of every value inside from the outside in.
fn find(value: &Json, ask: &dyn Fn(&Json) -> Option<String>) -> Option<String> {
    ask(value).or_else(|| match value {
        Json::List(items) => items.iter().find_map(|item| find(item, ask)),
        Json::Object(entries) => entries.iter().find_map(|(_, inner)| find(inner, ask)),
        _ => None,
    })
}

/// The same document with typed values as plain strings, for display.
pub fn flatten(value: &Json) -> Json {
    if let Some(typed) = recognise(value) {
        return Json::Text(plain(&typed));
    }
    match value {
        Json::List(items) => Json::List(items.iter().map(flatten).collect()),
        Json::Object(entries) => {
            let flat = |(key, value): &(String, Json)| (key.clone(), flatten(value));
            Json::Object(entries.iter().map(flat).collect())
        }
        other => other.clone(),
    }
}

/// The text of a typed value as people write it: a UUID with its hyphens.
pub fn plain(typed: &Typed<'_>) -> String {
    match typed.kind {
        Kind::Uuid => hyphenated(typed.text),
        _ => typed.text.to_owned(),
    }
}

fn hyphenated(hex: &str) -> String {
    uuid::Uuid::parse_str(hex).map_or_else(|_| hex.to_owned(), |uuid| uuid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use strum::IntoEnumIterator;

    fn read(text: &str) -> Json {
        Json::parse_strict(text).unwrap()
    }

    #[test]
    fn kinds_have_kombus_names() {
        let names: Vec<String> = Kind::iter().map(|kind| kind.to_string()).collect();
        let kombu = [
            "datetime", "date", "time", "decimal", "uuid", "bytes", "base64",
        ];
        assert_eq!(names, kombu);
    }

    #[rstest]
    #[case(r#"{"__type__": "decimal", "__value__": "1.10"}"#, Some(("1.10", Kind::Decimal)))]
    #[case(r#"{"__value__": "ab", "__type__": "bytes"}"#, Some(("ab", Kind::Bytes)))]
    #[case(r#"{"__type__": "uuid", "__value__": {"hex": "ff", "version": 4}}"#, Some(("ff", Kind::Uuid)))]
    #[case(r#"{"__type__": "x", "__type__": "date", "__value__": "d"}"#, Some(("d", Kind::Date)))]
    #[case(r#"{"__type__": "decimal", "__value__": "1", "more": 1}"#, None)]
    #[case(r#"{"__type__": "decimal"}"#, None)]
    #[case(r#"{"__type__": "Decimal", "__value__": "1"}"#, None)]
    #[case(r#"{"__type__": "decimal", "__value__": 1}"#, None)]
    #[case(r#"{"__type__": "uuid", "__value__": "ff"}"#, None)]
    #[case("{}", None)]
    fn a_typed_value_has_exactly_two_keys_and_a_known_type(
        #[case] text: &str,
        #[case] expected: Option<(&str, Kind)>,
    ) {
        let value = read(text);
        let found = recognise(&value).map(|typed| (typed.text, typed.kind));
        assert_eq!(found, expected);
    }

    #[rstest]
    #[case(r#"[1, {"a": {"__type__": "money", "__value__": 1}}]"#, Some("money"))]
    #[case(r#"{"__type__": 5, "__value__": 1}"#, Some("5"))]
    #[case(
        r#"{"__type__": "decimal", "__value__": {"__type__": "x", "__value__": 1}}"#,
        Some("x")
    )]
    #[case(r#"{"__type__": "decimal", "__value__": "1"}"#, None)]
    #[case(r#"{"__type__": "money", "__value__": 1, "more": 1}"#, None)]
    fn an_unknown_type_is_found_anywhere(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(unknown_marker(&read(text)).as_deref(), expected);
    }

    #[rstest]
    #[case(r#"{"__type__": "decimal", "__value__": "12,5"}"#, false)]
    #[case(r#"{"__type__": "decimal", "__value__": [1]}"#, false)]
    #[case(
        r#"{"__type__": "uuid", "__value__": "12345678123456781234567812345678"}"#,
        false
    )]
    #[case(
        r#"{"__type__": "uuid", "__value__": {"hex": "12345678123456781234567812345678"}}"#,
        true
    )]
    #[case(r#"{"__type__": "uuid", "__value__": {"hex": "12345678123456781234567812345678", "int": 1}}"#, false)]
    #[case(r#"{"__type__": "datetime", "__value__": "yesterday"}"#, false)]
    #[case(r#"{"__type__": "base64", "__value__": "/wA"}"#, false)]
    #[case(r#"{"__type__": "base64", "__value__": "/wA="}"#, true)]
    #[case(r#"{"__type__": "bytes", "__value__": ""}"#, true)]
    #[case("[1e400, 0.1, {}]", true)]
    fn what_a_worker_cannot_decode_is_found(#[case] text: &str, #[case] fits: bool) {
        assert_eq!(undecodable(&read(text)).is_none(), fits);
    }

    #[test]
    fn whole_numbers_are_as_long_as_python_reads_them() {
        let number = |digits: usize| Json::Number(format!("-{}", "7".repeat(digits)));
        assert_eq!(undecodable(&number(4300)), None);
        let told = undecodable(&Json::List(vec![number(4301)])).unwrap();
        assert!(told.contains("4301 digits"), "{told}");
        let float = Json::Number(format!("{}.5", "7".repeat(5000)));
        assert_eq!(undecodable(&float), None);
    }

    #[test]
    fn flat_documents_have_plain_strings_for_typed_values() {
        let text = r#"[{"a": {"__type__": "decimal", "__value__": "1.10"}},
            {"__type__": "uuid", "__value__": {"hex": "12345678123456781234567812345678"}}, 1]"#;
        let flat = r#"[{"a":"1.10"},"12345678-1234-5678-1234-567812345678",1]"#;
        assert_eq!(flatten(&read(text)).to_wire(), flat);
    }
}
