//! The one shape of a task message that kills no worker (protocol.md 1.1 and 1.3), and what else must hold of every message of ours.

use umbel::clock::Timestamp;
use umbel::protocol::json::Limits;
use umbel::protocol::{Json, Message, payload, typed};

/// Celery's own headers, in its order.
pub const HEADERS: [&str; 19] = [
    "lang",
    "task",
    "id",
    "shadow",
    "eta",
    "expires",
    "group",
    "group_index",
    "retries",
    "timelimit",
    "root_id",
    "parent_id",
    "argsrepr",
    "kwargsrepr",
    "origin",
    "ignore_result",
    "replaced_task_nesting",
    "stamped_headers",
    "stamps",
];

/// Why a message is not of that shape.
pub fn check(message: &Message) -> Result<(), String> {
    properties(message)?;
    headers(message)?;
    body(message)
}

fn demand(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn header<'a>(message: &'a Message, name: &str) -> Option<&'a Json> {
    let found = message.headers.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value)
}

fn properties(message: &Message) -> Result<(), String> {
    let properties = &message.properties;
    let content = (
        properties.content_type.as_deref(),
        properties.content_encoding.as_deref(),
    );
    let known = matches!(
        content,
        (
            Some("application/json" | "application/x-yaml"),
            Some("utf-8")
        ) | (Some("application/x-msgpack"), Some("binary"))
    );
    demand(known, || format!("content {content:?}"))?;
    demand(properties.delivery_mode == Some(2), || {
        "not persistent".to_owned()
    })?;
    let id = header(message, "id").and_then(Json::as_str);
    demand(properties.correlation_id.as_deref() == id, || {
        format!("correlation_id {:?}", properties.correlation_id)
    })?;
    let short = |text: &Option<String>| text.as_ref().is_none_or(|text| text.len() <= 255);
    let fits = short(&properties.correlation_id) && short(&properties.reply_to);
    demand(fits, || "a property is too long".to_owned())
}

fn headers(message: &Message) -> Result<(), String> {
    let names: Vec<&str> = message
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    demand(names.starts_with(&HEADERS), || format!("headers {names:?}"))?;
    for (place, name) in names.iter().enumerate() {
        demand(!names[..place].contains(name), || format!("{name} twice"))?;
        demand(!name.is_empty() && name.len() <= 255, || {
            format!("name {name:?}")
        })?;
    }
    for (name, value) in &message.headers {
        demand(is_of_its_type(name, value), || {
            format!("{name}: {}", value.to_wire())
        })?;
        demand(travels(value), || {
            format!("{name} cannot travel: {}", value.to_wire())
        })?;
    }
    Ok(())
}

fn is_of_its_type(name: &str, value: &Json) -> bool {
    let text_or_null = || matches!(value, Json::Null | Json::Text(_));
    match name {
        "task" | "id" | "root_id" | "argsrepr" | "kwargsrepr" | "origin" | "lang" => {
            let must = name == "task";
            value
                .as_str()
                .is_some_and(|text| !(must && text.is_empty()))
        }
        "shadow" => text_or_null(),
        "eta" | "expires" => *value == Json::Null || value.as_str().is_some_and(is_time),
        "group" | "group_index" | "parent_id" | "stamped_headers" => *value == Json::Null,
        "retries" | "replaced_task_nesting" => *value == Json::from(0),
        "timelimit" => matches!(value, Json::List(limits) if are_limits(limits)),
        "ignore_result" => matches!(value, Json::Null | Json::Bool(_)),
        "stamps" => *value == Json::Object(Vec::new()),
        "compression" => value
            .as_str()
            .is_some_and(|text| text.starts_with("application/")),
        _ => true,
    }
}

/// Python's `datetime.fromisoformat` of every version reads it.
fn is_time(text: &str) -> bool {
    text.len() == "2026-11-22T12:00:00.000000+00:00".len()
        && text.ends_with("+00:00")
        && text.parse::<Timestamp>().is_ok()
}

fn are_limits(limits: &[Json]) -> bool {
    let seconds = |limit: &Json| match limit {
        Json::Number(digits) => digits.parse::<f64>().ok().filter(|seconds| *seconds > 0.0),
        _ => None,
    };
    match limits {
        [hard, soft] => {
            let fine = |limit: &Json| *limit == Json::Null || seconds(limit).is_some();
            let ordered = match (seconds(hard), seconds(soft)) {
                (Some(hard), Some(soft)) => soft <= hard,
                _ => true,
            };
            fine(hard) && fine(soft) && ordered
        }
        _ => false,
    }
}

/// Whether an AMQP table can hold it, and JSON on Redis says the same.
fn travels(value: &Json) -> bool {
    match value {
        Json::Number(digits) if digits.bytes().all(|it| it.is_ascii_digit() || it == b'-') => {
            digits.parse::<i64>().is_ok()
        }
        // A double on AMQP; Python's JSON has words for these.
        Json::Number(word) if matches!(word.as_str(), "NaN" | "Infinity" | "-Infinity") => true,
        Json::Number(digits) => digits.parse::<f64>().is_ok_and(f64::is_finite),
        Json::List(items) => items.iter().all(travels),
        Json::Object(entries) => {
            typed::recognise(value).is_none()
                && entries
                    .iter()
                    .all(|(key, value)| key.len() <= 255 && travels(value))
        }
        Json::Null | Json::Bool(_) | Json::Text(_) => true,
    }
}

fn body(message: &Message) -> Result<(), String> {
    let content = message.properties.content_type.as_deref();
    let compression = header(message, "compression").and_then(Json::as_str);
    let decoded = payload::decode(&message.body, content, compression, Limits::default());
    let decoded = decoded.map_err(|error| error.to_string())?.into_value();
    let Some([args, kwargs, embed]) = decoded.as_list() else {
        return Err("the body is no list of three".to_owned());
    };
    demand(args.as_list().is_some(), || "args".to_owned())?;
    let names = kwargs.as_object().ok_or("kwargs")?;
    for (place, (name, _)) in names.iter().enumerate() {
        let twice = names[..place].iter().any(|(earlier, _)| earlier == name);
        demand(!twice, || format!("keyword {name:?} twice"))?;
    }
    let parts = embed.as_object().ok_or("embed")?;
    let nothing = parts.len() == 4 && parts.iter().all(|(_, part)| *part == Json::Null);
    demand(nothing, || format!("embed {}", embed.to_wire()))
}
