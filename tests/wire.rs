//! Messages of real Celery 5.3 to 5.7, captured from RabbitMQ and Redis, read and compared with ours.
//! The files in `fixtures/` say in their `description` how each was captured; some hold a bare `Infinity`, so our own reader loads them.

#![expect(
    clippy::unwrap_used,
    reason = "a capture of another shape is a broken test"
)]

#[path = "wire/envelopes.rs"]
mod envelopes;
#[path = "wire/events.rs"]
mod events;
#[path = "wire/messages.rs"]
mod messages;
#[path = "wire/remote.rs"]
mod remote;
#[path = "wire/results.rs"]
mod results;

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use umbel::protocol::json::Limits;
use umbel::protocol::message::Sender;
use umbel::protocol::{Json, Message, Options, Properties, Signature};

fn fixture(name: &str) -> Json {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let bytes = std::fs::read(folder.join(name)).unwrap();
    parse(&bytes)
}

fn capture(name: &str, version: &str) -> Json {
    fixture(&format!("{name}_{version}.json"))
}

fn parse(bytes: &[u8]) -> Json {
    Json::parse(bytes, Limits::default()).unwrap()
}

fn body(message: &Message) -> Json {
    message.payload().unwrap().into_value()
}

fn text(value: &Json, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

/// A message as the captures write it.
fn message(captured: &Json) -> Message {
    let properties = captured.get("properties").unwrap();
    let number = |key| {
        properties
            .get(key)
            .and_then(Json::as_u64)
            .map(|value| value.try_into().unwrap())
    };
    Message {
        properties: Properties {
            content_type: text(properties, "content_type"),
            content_encoding: text(properties, "content_encoding"),
            delivery_mode: number("delivery_mode"),
            correlation_id: text(properties, "correlation_id"),
            reply_to: text(properties, "reply_to"),
            priority: number("priority"),
        },
        headers: captured
            .get("headers")
            .unwrap()
            .as_object()
            .unwrap()
            .to_vec(),
        body: text(captured, "body_utf8")
            .map_or_else(|| bytes(captured, "body_base64"), String::into_bytes),
    }
}

fn header<'a>(message: &'a Message, name: &str) -> &'a Json {
    &message
        .headers
        .iter()
        .find(|(key, _)| key == name)
        .unwrap()
        .1
}

fn number(text: &str) -> Json {
    Json::Number(text.to_owned())
}

/// A call of what the captured message calls, with its id, and its sender.
fn like(captured: &Message) -> (Signature, Sender) {
    let body = body(captured);
    let [args, kwargs, _] = body.as_list().unwrap() else {
        panic!("a body has three parts");
    };
    let signature = Signature {
        task: header(captured, "task").as_str().unwrap().into(),
        id: header(captured, "id").as_str().unwrap().into(),
        args: args.as_list().unwrap().to_vec(),
        kwargs: kwargs.as_object().unwrap().to_vec(),
        options: Options::default(),
    };
    let sender = Sender {
        origin: header(captured, "origin").as_str().unwrap().to_owned(),
        reply_to: captured.properties.reply_to.clone(),
        now: "2026-11-22T10:29:05.676287Z".parse().unwrap(),
    };
    (signature, sender)
}

fn bytes(captured: &Json, key: &str) -> Vec<u8> {
    BASE64_STANDARD
        .decode(text(captured, key).unwrap())
        .unwrap()
}

/// Compares with the summary that was looked at and kept under this name.
fn assert_looks_like(name: &str, summary: &str) {
    insta::assert_snapshot!(name, summary);
}
