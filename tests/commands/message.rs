//! `--dry-run`: the message as it would be sent, without any network.

use serde_json::{Value, json};

use crate::contract::keys;
use crate::support::{Outcome, Sandbox, cli};

fn uuid_behind(text: &Value, prefix: &str) -> bool {
    let text = text.as_str().and_then(|text| text.strip_prefix(prefix));
    text.is_some_and(|id| uuid::Uuid::parse_str(id).is_ok_and(|id| id.get_version_num() == 4))
}

#[test]
fn the_message_is_exactly_what_celery_s_own_client_sends() {
    let words = [
        "call",
        "shop.add",
        "1",
        "x=客",
        "--task-id",
        "the-id",
        "--queue",
        "mail",
        "--dry-run",
    ];
    let mut document = cli(&words).expect_code(0).json();
    assert!(
        uuid_behind(&document["properties"]["reply_to"], "umbel."),
        "{document}"
    );
    let origin = document["headers"]["origin"]
        .as_str()
        .expect("a text")
        .to_owned();
    assert!(
        origin.starts_with("gen") && origin.contains('@'),
        "{origin}"
    );
    document["properties"]["reply_to"] = json!("Q");
    document["headers"]["origin"] = json!("O");
    let expected = json!({
        "schema": "umbel.message/1",
        "exchange": "",
        "routing_key": "mail",
        "properties": {
            "content_type": "application/json", "content_encoding": "utf-8", "delivery_mode": 2,
            "correlation_id": "the-id", "reply_to": "Q",
        },
        "headers": {
            "lang": "py", "task": "shop.add", "id": "the-id", "shadow": null, "eta": null, "expires": null,
            "group": null, "group_index": null, "retries": 0, "timelimit": [null, null], "root_id": "the-id",
            "parent_id": null, "argsrepr": "(1,)", "kwargsrepr": "{'x': '客'}", "origin": "O",
            "ignore_result": null, "replaced_task_nesting": 0, "stamped_headers": null, "stamps": {},
        },
        "body": [[1], {"x": "客"}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}],
    });
    assert_eq!(document, expected);
    assert_eq!(keys(&document), keys(&expected));
}

#[test]
fn the_headers_are_those_of_a_message_captured_from_celery() {
    let captured = include_str!("../fixtures/task_amqp_default.json");
    let captured: Value = serde_json::from_str(captured).expect("a fixture");
    let headers = captured
        .pointer("/headers")
        .or_else(|| captured.pointer("/message/headers"));
    let mut theirs = keys(headers.expect("headers in the fixture"));
    let document = cli(&["call", "t", "--dry-run"]).expect_code(0).json();
    let mut ours = keys(&document["headers"]);
    ours.sort_unstable();
    theirs.sort_unstable();
    assert_eq!(ours, theirs);
}

#[test]
fn without_a_queue_and_an_id_the_queue_is_null_and_the_id_random() {
    let run = || cli(&["call", "t", "--dry-run"]).expect_code(0).json();
    let (one, two) = (run(), run());
    assert!(one["routing_key"].is_null());
    assert!(uuid_behind(&one["headers"]["id"], ""));
    assert_eq!(one["headers"]["id"], one["properties"]["correlation_id"]);
    assert_eq!(one["headers"]["id"], one["headers"]["root_id"]);
    assert_ne!(one["headers"]["id"], two["headers"]["id"]);
}

#[test]
fn expires_travels_as_the_header_only() {
    let document = cli(&["call", "t", "--dry-run", "--expires", "60"])
        .expect_code(0)
        .json();
    let expires = document["headers"]["expires"].as_str().expect("a time");
    let at: jiff::Timestamp = expires.parse().expect("ISO 8601");
    let ahead = at.as_second() - jiff::Timestamp::now().as_second();
    assert!((50..=60).contains(&ahead), "{ahead}");
    assert!(document["properties"].get("expiration").is_none());
    let document = cli(&["call", "t", "--dry-run", "--expires", "none"])
        .expect_code(0)
        .json();
    assert!(document["headers"]["expires"].is_null());
}

#[test]
fn it_needs_no_broker_and_opens_no_connection() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let url = format!(
        "amqp://127.0.0.1:{}//",
        listener.local_addr().expect("an address").port()
    );
    let sandbox = Sandbox::new()
        .env("CELERY_BROKER_URL", &url)
        .env("CELERY_RESULT_BACKEND", "rpc://");
    sandbox.cli(&["call", "t", "--dry-run"]).expect_code(0);
    assert!(listener.accept().is_err(), "somebody connected");
    cli(&["--demo", "call", "t", "--dry-run"]).expect_code(0);
}

#[test]
fn in_every_form_it_prints_the_same_document() {
    let run = |form: &[&str]| -> Outcome {
        let mut words = vec!["call", "t", "1", "--task-id", "i", "--dry-run"];
        words.extend(form);
        cli(&words).expect_code(0)
    };
    for form in [&[][..], &["--json"], &["--plain"]] {
        let outcome = run(form);
        assert_eq!(outcome.json()["schema"], "umbel.message/1");
        assert_eq!(outcome.stdout.lines().count(), 1);
    }
}

#[test]
fn a_value_that_a_worker_could_not_decode_is_refused_or_sent_in_a_form_that_it_can() {
    // A made-up tag makes the worker's decoder raise, and the message is lost without a word.
    let outcome = cli(&[
        "call",
        "t",
        r#"{"__type__":"nonsense","__value__":1}"#,
        "--dry-run",
        "--json",
    ]);
    assert!(
        outcome.code() == Some(8) || outcome.stderr.contains("warning"),
        "{}",
        outcome.account()
    );
}
