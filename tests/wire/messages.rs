//! Task messages: ours are those of Celery's own client, in every form and with every option.

use crate::{body, bytes, fixture, header, like, message, number, parse, text};
use rstest::rstest;
use std::time::Duration;
use umbel::protocol::json::Limits;
use umbel::protocol::message::Start;
use umbel::protocol::payload::{self, Payload};
use umbel::protocol::typed::{self, Kind};
use umbel::protocol::{Compression, Json, Message, Options, Serializer, delayed, python};

#[test]
fn our_message_is_the_one_that_celerys_own_client_sends() {
    let celery = message(fixture("task_amqp_default.json").get("message").unwrap());
    let (mut signature, sender) = like(&celery);
    signature.options.ignore_result = Some(false);
    let ours = signature.encode(&sender).unwrap();
    assert_eq!(ours.properties, celery.properties);
    assert_eq!(ours.headers, celery.headers);
    assert_eq!(body(&ours), body(&celery));
}

#[test]
fn expires_and_reprs_are_written_as_celery_writes_them() {
    let celery = message(fixture("task_amqp_options.json").get("message").unwrap());
    let (mut signature, sender) = like(&celery);
    signature.options.expires = Some(Duration::from_mins(2));
    let ours = signature.encode(&sender).unwrap();
    for name in ["expires", "argsrepr", "kwargsrepr"] {
        assert_eq!(header(&ours, name), header(&celery, name), "{name}");
    }
    assert_eq!(*header(&ours, "ignore_result"), Json::Null);
}

#[test]
fn typed_values_pass_through_us_unchanged() {
    let celery = message(
        fixture("task_amqp_kombu_json_types.json")
            .get("message")
            .unwrap(),
    );
    let (signature, sender) = like(&celery);
    assert_eq!(body(&signature.encode(&sender).unwrap()), body(&celery));
    let kinds: Vec<_> = signature
        .args
        .iter()
        .filter_map(typed::recognise)
        .map(|typed| typed.kind)
        .collect();
    let expected = [
        Kind::Datetime,
        Kind::Datetime,
        Kind::Date,
        Kind::Time,
        Kind::Decimal,
        Kind::Uuid,
        Kind::Bytes,
        Kind::Base64,
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn typed_values_are_shown_as_python_source() {
    let celery = message(
        fixture("task_amqp_kombu_json_types.json")
            .get("message")
            .unwrap(),
    );
    let (signature, _) = like(&celery);
    let expected = "echo(datetime.fromisoformat('2024-05-01T12:30:15.123456+00:00'), \
        datetime.fromisoformat('2024-05-01T12:30:00'), date.fromisoformat('2024-05-01'), \
        time.fromisoformat('01:02:03'), Decimal('1.10'), UUID('12345678-1234-5678-1234-567812345678'), \
        b'abc', b'\\xff\\x00', [1, 2], float('nan'), float('inf'), 1180591620717411303424, 'ž😀')";
    assert_eq!(python::call("echo", &signature.args, &[]), expected);
}

#[rstest]
fn a_body_is_read_in_every_compression_of_kombus(
    #[values(
        "application/x-gzip",
        "application/x-bz2",
        "application/x-lzma",
        "application/x-brotli",
        "application/zstd"
    )]
    method: &str,
) {
    let captured = fixture("compression_bodies_5.7.0.json");
    let body = text(&captured, "body_utf8").unwrap();
    let compressed = captured.get("methods").unwrap().get(method).unwrap();
    let json = Some("application/json");
    let payload = payload::decode(
        &bytes(compressed, "base64"),
        json,
        Some(method),
        Limits::default(),
    );
    assert_eq!(payload.unwrap().into_value(), parse(body.as_bytes()));
}

#[rstest]
#[case("task_amqp_yaml.json", Serializer::Yaml, None)]
#[case("task_amqp_msgpack.json", Serializer::Msgpack, None)]
#[case("task_amqp_gzip.json", Serializer::Json, Some(Compression::Gzip))]
#[case("task_amqp_bzip2.json", Serializer::Json, Some(Compression::Bzip2))]
#[case("task_amqp_lzma.json", Serializer::Json, Some(Compression::Lzma))]
fn a_task_in_every_form_is_the_one_that_celerys_own_client_sends(
    #[case] name: &str,
    #[case] serializer: Serializer,
    #[case] compression: Option<Compression>,
) {
    let celery = message(fixture(name).get("message").unwrap());
    let (mut signature, sender) = like(&celery);
    signature.options.ignore_result = Some(false);
    signature.options.serializer = Some(serializer);
    signature.options.compression = compression;
    let ours = signature.encode(&sender).unwrap();
    assert_eq!(ours.properties, celery.properties);
    assert_eq!(ours.headers, celery.headers);
    let sorted = |message: &Message| {
        let mut parts = body(message).as_list().unwrap().to_vec();
        if let Json::Object(embed) = &mut parts[2] {
            // PyYAML sorts keys.
            embed.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        parts
    };
    assert_eq!(sorted(&ours), sorted(&celery));
}

#[test]
fn a_pickled_task_is_taken_apart() {
    let celery = message(fixture("task_amqp_pickle.json").get("message").unwrap());
    let Payload::Opaque(opaque) = celery.payload().unwrap() else {
        panic!("a pickle is opaque");
    };
    let outline = r#"[[1,2],{},{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]"#;
    assert_eq!(opaque.outline.to_wire(), outline);
    assert!(!opaque.truncated && opaque.size == celery.body.len());
    assert_eq!(opaque.lines[0], "     11  int 1");
    assert!(
        opaque
            .lines
            .iter()
            .any(|line| line.ends_with("text 'callbacks'"))
    );
}

#[test]
fn every_option_becomes_what_celerys_own_client_makes_of_it() {
    let celery = message(fixture("task_amqp_options.json").get("message").unwrap());
    let (mut signature, sender) = like(&celery);
    signature.options = Options {
        start: Some(Start::After(Duration::from_secs(30))),
        expires: Some(Duration::from_mins(2)),
        priority: Some(5),
        time_limit: Some(Duration::from_secs(10)),
        soft_time_limit: Some(Duration::from_secs(5)),
        shadow: Some("alias".to_owned()),
        ignore_result: Some(true),
        headers: vec![("x-mine".to_owned(), number("1"))],
        ..Options::default()
    };
    let ours = signature.encode(&sender).unwrap();
    assert_eq!(ours.properties, celery.properties);
    assert_eq!(ours.headers, celery.headers);
}

#[test]
fn a_delayed_task_goes_the_way_that_celerys_own_client_sends_it() {
    let captured = fixture("task_amqp_delayed_delivery.json");
    let message = captured.get("message").unwrap();
    let target = message.get("delivery_info").unwrap();
    let (exchange, routing_key) = delayed::route(5, "qtopic").unwrap();
    assert_eq!(text(target, "exchange"), Some(exchange));
    assert_eq!(text(target, "routing_key"), Some(routing_key));
}
