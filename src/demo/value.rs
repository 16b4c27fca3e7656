//! JSON through Python's eyes: what a worker has after reading an argument, and what its type is called. Never changes what a value means.

use super::number;
use crate::protocol::Json;
use crate::protocol::typed::{self, Kind};

/// A value as Python would write it again after reading it: floats in their shortest form, of a key given twice the last value.
pub(super) fn seen(value: Json) -> Json {
    match value {
        Json::Number(text) => Json::Number(number::respelt(&text)),
        Json::List(items) => Json::List(items.into_iter().map(seen).collect()),
        Json::Object(entries) => Json::Object(dict(entries)),
        other => other,
    }
}

fn dict(entries: Vec<(String, Json)>) -> Vec<(String, Json)> {
    let mut dict: Vec<(String, Json)> = Vec::with_capacity(entries.len());
    let mut places = std::collections::HashMap::new();
    for (key, value) in entries {
        let value = seen(value);
        let place = *places.entry(key.clone()).or_insert(dict.len());
        match dict.get_mut(place) {
            Some((_, old)) => *old = value,
            None => dict.push((key, value)),
        }
    }
    dict
}

/// The name of a value's type in Python's error texts.
pub(super) fn type_name(value: &Json) -> &'static str {
    if let Some(typed) = typed::recognise(value) {
        return match typed.kind {
            Kind::Datetime => "datetime.datetime",
            Kind::Date => "datetime.date",
            Kind::Time => "datetime.time",
            Kind::Decimal => "decimal.Decimal",
            Kind::Uuid => "UUID",
            Kind::Bytes | Kind::Base64 => "bytes",
        };
    }
    match value {
        Json::Null => "NoneType",
        Json::Bool(_) => "bool",
        Json::Number(text) if number::is_int(text) => "int",
        Json::Number(_) => "float",
        Json::Text(_) => "str",
        Json::List(_) => "list",
        Json::Object(_) => "dict",
    }
}
