//! The serializers that kombu knows, by their names and content types.
//!
//! Pickle is known so that it can be told apart; it is never written, and never executed. Everything is read through
//! [`payload::decode`](super::payload::decode).

pub(super) mod msgpack;
pub(super) mod pickle;
pub(super) mod yaml;

use std::collections::HashSet;

use super::Json;
use super::message::EncodeError;

/// How the body of a task is written.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
)]
#[strum(serialize_all = "lowercase")]
pub enum Serializer {
    /// `application/json`, what every worker accepts unless told otherwise.
    #[default]
    Json,
    /// `application/x-yaml`; the worker needs PyYAML.
    Yaml,
    /// `application/x-msgpack`; the worker needs msgpack.
    Msgpack,
}

impl Serializer {
    /// The content type of such a body.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/x-yaml",
            Self::Msgpack => "application/x-msgpack",
        }
    }

    /// The content encoding of such a body.
    pub fn content_encoding(self) -> &'static str {
        match self {
            Self::Json | Self::Yaml => "utf-8",
            Self::Msgpack => "binary",
        }
    }

    /// The bytes of one document, such as a task's `[args, kwargs, embed]`, so that Python reads exactly these values. kombu's
    /// typed values become what the serializer has for them (bytes; in YAML also dates and times of a day); whatever it
    /// cannot carry is refused.
    pub fn write(self, document: &Json) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::Json => Ok(document.to_wire().into_bytes()),
            Self::Yaml => yaml::write(document).map(String::into_bytes),
            Self::Msgpack => msgpack::write(document),
        }
    }
}

/// The first key that stands twice in an object. Python would take its last value without a word.
fn key_twice(entries: &[(String, Json)]) -> Option<&str> {
    let mut seen = HashSet::new();
    let twice = entries.iter().find(|(key, _)| !seen.insert(key));
    twice.map(|(key, _)| key.as_str())
}

/// A document as Python sees it: numbers with a fraction are doubles, bytes are bytes, times are written one way.
#[cfg(test)]
fn canonical(value: &Json) -> Json {
    use super::json::{double, float_text};
    use super::typed;
    if let Some(typed) = typed::recognise(value) {
        return match typed.bytes() {
            Some(bytes) => typed::of_bytes(bytes),
            None => typed::build(typed.kind, typed.text).unwrap_or_else(|_| value.clone()),
        };
    }
    match value {
        Json::Number(number) if number == "-0" => Json::from(0),
        Json::Number(number) if number.contains(['.', 'e', 'E']) => {
            Json::Number(double(number).map_or_else(|| number.clone(), float_text))
        }
        Json::List(items) => Json::List(items.iter().map(canonical).collect()),
        Json::Object(entries) => {
            let canonical = |(key, value): &(String, Json)| (key.clone(), canonical(value));
            Json::Object(entries.iter().map(canonical).collect())
        }
        other => other.clone(),
    }
}
