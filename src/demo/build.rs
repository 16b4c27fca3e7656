//! Short ways to write JSON documents down. Never reads any.

use std::fmt::Display;

use crate::protocol::Json;

/// An object with these entries.
pub(super) fn object<const N: usize>(entries: [(&str, Json); N]) -> Json {
    Json::Object(entries.map(|(key, value)| (key.to_owned(), value)).into())
}

/// A list of texts.
pub(super) fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Json {
    Json::List(texts.into_iter().map(Json::from).collect())
}

/// A number as it is written.
pub(super) fn number(number: impl Display) -> Json {
    Json::Number(number.to_string())
}

/// A text, or null.
pub(super) fn text_or_null(text: Option<&str>) -> Json {
    text.map_or(Json::Null, Json::from)
}
