//! The options of a call as the documents and people read them: those that were asked for, named and meant as `apply_async` has them. Pure.

use std::time::Duration;

use crate::protocol::message::Start;
use crate::protocol::{Json, Options, QueueName};

/// The options that were asked for, as an object; durations in seconds.
pub fn of(options: &Options) -> Json {
    let mut all: Vec<(String, Json)> = Vec::new();
    let mut may = |name: &str, value: Option<Json>| {
        all.extend(value.map(|value| (name.to_owned(), value)));
    };
    let text = |value: Option<&str>| value.map(Json::from);
    let (countdown, eta) = match options.start {
        Some(Start::After(after)) => (Some(seconds(after)), None),
        Some(Start::At(at)) => (None, Some(Json::from(at.to_string()))),
        None => (None, None),
    };
    may("queue", text(options.queue.as_ref().map(QueueName::as_str)));
    may("exchange", text(options.exchange.as_deref()));
    may("routing_key", text(options.routing_key.as_deref()));
    may("countdown", countdown);
    may("eta", eta);
    let until = options.expires_at.map(|at| Json::from(at.to_string()));
    may("expires", until.or(options.expires.map(seconds)));
    may(
        "priority",
        options.priority.map(|level| u64::from(level).into()),
    );
    may("time_limit", options.time_limit.map(seconds));
    may("soft_time_limit", options.soft_time_limit.map(seconds));
    let headers = Some(&options.headers).filter(|headers| !headers.is_empty());
    may(
        "headers",
        headers.map(|headers| Json::Object(headers.clone())),
    );
    let serializer = options.serializer.map(|name| name.to_string());
    may("serializer", serializer.map(Json::from));
    let compression = options.compression.map(|name| name.to_string());
    may("compression", compression.map(Json::from));
    may("shadow", text(options.shadow.as_deref()));
    may("ignore_result", options.ignore_result.map(Json::Bool));
    Json::Object(all)
}

/// `queue=reports countdown=30`, for people; `None` where none was asked for.
pub fn line(options: &Options) -> Option<String> {
    let Json::Object(all) = of(options) else {
        return None;
    };
    let word = |(name, value): &(String, Json)| match value {
        Json::Text(text) => format!("{name}={text}"),
        value => format!("{name}={}", value.to_wire()),
    };
    let words: Vec<String> = all.iter().map(word).collect();
    (!words.is_empty()).then(|| words.join("  "))
}

/// As few digits as say it exactly.
fn seconds(value: Duration) -> Json {
    let exact = format!("{}.{:09}", value.as_secs(), value.subsec_nanos());
    let short = exact.trim_end_matches('0').trim_end_matches('.');
    Json::Number(short.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_is_told_in_the_words_of_apply_async() {
        assert_eq!(of(&Options::default()).to_wire(), "{}");
        assert_eq!(line(&Options::default()), None);
        let options = Options {
            queue: Some("reports".into()),
            start: Some(Start::After(Duration::from_millis(1_500))),
            expires: Some(Duration::from_mins(1)),
            priority: Some(0),
            headers: vec![("tenant".to_owned(), Json::from("a"))],
            ..Options::default()
        };
        assert_eq!(
            of(&options).to_wire(),
            r#"{"queue":"reports","countdown":1.5,"expires":60,"priority":0,"headers":{"tenant":"a"}}"#
        );
        assert_eq!(
            line(&options).as_deref(),
            Some(r#"queue=reports  countdown=1.5  expires=60  priority=0  headers={"tenant":"a"}"#)
        );
    }
}
