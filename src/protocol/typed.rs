//! kombu's typed values: objects of exactly `__type__` and `__value__` that stand for a Python value JSON has not (kombu 5.3+, `kombu.utils.json`).

use super::Json;

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

/// Recognises a typed value: an object of exactly the two keys and a known type.
pub fn recognise(value: &Json) -> Option<Typed<'_>> {
    let _ = value;
    unimplemented!()
}

/// Builds a typed value from what a person typed (`12.50`, `2026-11-22T10:00`, a UUID, text or `base64:...`/`hex:...` for bytes).
/// The error says what the text should look like.
pub fn build(kind: Kind, text: &str) -> Result<Json, String> {
    let _ = (kind, text);
    unimplemented!()
}

/// The first object, anywhere inside, that has exactly the keys `__type__` and `__value__` with a type kombu does not know:
/// a worker's decoder raises on it and the message is lost (protocol.md 1.7). Returns its `__type__`.
pub fn unknown_marker(value: &Json) -> Option<String> {
    let _ = value;
    unimplemented!()
}

/// The same document with typed values as plain strings, for display.
pub fn flatten(value: &Json) -> Json {
    let _ = value;
    unimplemented!()
}
