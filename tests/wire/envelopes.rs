//! Kombu's envelope, in which everything lies on Redis.

use crate::{fixture, header, number, parse, text};
use rstest::rstest;
use umbel::protocol::control::Reply;
use umbel::protocol::{Json, NodeName, QueueName, State, TaskId, TaskResult, envelope};

/// An envelope without the tag that is new each time.
fn without_tag(envelope: &Json) -> Json {
    let Json::Object(entries) = envelope else {
        return envelope.clone();
    };
    let kept = entries.iter().filter(|(key, _)| {
        // Only Celery's own client also sends the AMQP property (protocol.md 9.4).
        key != "delivery_tag" && key != "expiration"
    });
    Json::Object(
        kept.map(|(key, value)| (key.clone(), without_tag(value)))
            .collect(),
    )
}

#[rstest]
#[case("task_redis_default.json")]
#[case("task_redis_priority5.json")]
#[case("task_redis_gzip.json")]
#[case("task_redis_msgpack.json")]
fn an_envelope_is_read_and_written_as_kombu_writes_it(#[case] name: &str) {
    let raw = text(&fixture(name), "raw").unwrap();
    let message = envelope::decode(raw.as_bytes()).unwrap();
    assert_eq!(header(&message, "task").as_str(), Some("shop.tasks.add"));
    let body = message.payload().unwrap().into_value();
    assert_eq!(body.as_list().unwrap().len(), 3);
    let ours = envelope::encode(&message, "", "cap");
    assert_eq!(
        without_tag(&parse(&ours)),
        without_tag(&parse(raw.as_bytes()))
    );
}

#[test]
fn a_control_reply_over_redis_is_read_from_its_envelope() {
    let raw = text(&fixture("pidbox_redis_5.7.0.json"), "reply_raw").unwrap();
    let reply = Reply::parse(&envelope::decode(raw.as_bytes()).unwrap()).unwrap();
    assert_eq!(reply.ticket, "350644f6-fa7b-4c80-8638-c7678c0e0978");
    assert_eq!(reply.node, NodeName::from("p11@host1"));
    assert_eq!(reply.value.unwrap().to_wire(), r#"{"ok":"pong"}"#);
}

#[test]
fn a_held_message_tells_its_queue() {
    let value = text(&fixture("redis_unacked.json"), "value").unwrap();
    assert_eq!(
        envelope::held_queue(value.as_bytes()),
        Some(QueueName::from("celery"))
    );
}

#[test]
fn an_rpc_result_over_redis_is_read_from_its_envelope() {
    let raw = text(&fixture("result_rpc_over_redis_reply.json"), "raw").unwrap();
    let message = envelope::decode(raw.as_bytes()).unwrap();
    let result = TaskResult::of_message(&message, &TaskId::from("?")).unwrap();
    assert_eq!(
        Some(result.id.as_str()),
        message.properties.correlation_id.as_deref()
    );
    assert_eq!((result.state, result.value), (State::Success, number("3")));
}
