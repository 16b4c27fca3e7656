//! The connection breaks in the middle of a publish: it may be queued or not, and is never sent a second time.

use rstest::rstest;
use serde_json::{Value, json};

use crate::stage::{Call, worker};
use crate::support::{AMQP_ACK, Proxy, Rig, rig};

/// A word that only the message of the call holds.
const MARKER: &str = "marker-of-this-call";

fn results(rig: &Rig, kind: &str) -> String {
    if kind == "redis" {
        rig.redis_db().url
    } else {
        "rpc://".to_owned()
    }
}

/// Nobody knows whether it was sent, and the document says so.
#[track_caller]
pub fn assert_unknown(document: &Value) {
    assert_eq!(
        (&document["state"], &document["sent"]),
        (&json!("unknown_delivery"), &Value::Null),
        "{document}"
    );
    assert_eq!(document["error"]["kind"], "unknown_delivery");
    assert_eq!(document["error"]["retry_safe"], false);
    assert_eq!(document["result_known"], false);
}

#[rstest]
fn a_lost_confirm_leaves_one_message_and_an_unknown_delivery(#[values("rpc", "redis")] kind: &str) {
    let Some(rig) = rig() else { return };
    let (vhost, backend) = (rig.vhost(), results(rig, kind));
    vhost.declare_queue("unread");
    let proxy = Proxy::to(&vhost.url);
    proxy.cut_swallowing(MARKER.as_bytes(), AMQP_ACK);
    let words = [
        MARKER,
        "--queue",
        "unread",
        "--no-preflight",
        "--timeout",
        "4",
    ];
    let document = Call::start(proxy.url(), &backend, "echo", &words).document(12);
    assert!(proxy.fired());
    assert_unknown(&document);
    assert_eq!(vhost.messages("unread").len(), 1);
}

#[test]
fn a_message_that_never_arrived_is_unknown_too_and_is_not_sent_again() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("unread");
    let proxy = Proxy::to(&vhost.url);
    proxy.cut_before(MARKER.as_bytes());
    let words = [
        MARKER,
        "--queue",
        "unread",
        "--no-preflight",
        "--timeout",
        "4",
    ];
    assert_unknown(&Call::start(proxy.url(), "rpc://", "echo", &words).document(12));
    assert!(proxy.fired());
    assert!(vhost.messages("unread").is_empty());
}

#[rstest]
fn an_answer_to_a_message_of_unknown_delivery_makes_it_known(#[values("rpc", "redis")] kind: &str) {
    let Some(rig) = rig() else { return };
    let (vhost, backend) = (rig.vhost(), results(rig, kind));
    let worker = worker(&vhost.url, &backend);
    let proxy = Proxy::to(&vhost.url);
    proxy.cut_swallowing(MARKER.as_bytes(), AMQP_ACK);
    let call = Call::start(proxy.url(), &backend, "echo", &[MARKER, "--timeout", "60"]);
    let id = call.id.clone();
    let document = call.document(0);
    assert!(proxy.fired());
    assert_eq!(
        (&document["state"], &document["sent"]),
        (&json!("ok"), &json!(true)),
        "{document}"
    );
    assert_eq!(document["result"]["args"], json!([MARKER]));
    assert_eq!(Call::times_taken(&worker, &id), 1);
}

#[test]
fn a_frozen_broker_at_the_publish_is_an_unknown_delivery() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("unread");
    let proxy = Proxy::to(&vhost.url);
    // Frozen as soon as the message is on its way: the confirm does not come.
    proxy.cut_swallowing(MARKER.as_bytes(), b"an answer that never comes");
    let words = [
        MARKER,
        "--queue",
        "unread",
        "--no-preflight",
        "--timeout",
        "3",
    ];
    let outcome = Call::start(proxy.url(), "rpc://", "echo", &words)
        .running
        .wait()
        .expect_code(12);
    assert_unknown(&outcome.json());
    assert!(
        outcome.took < std::time::Duration::from_secs(15),
        "{:?}",
        outcome.took
    );
    assert_eq!(vhost.messages("unread").len(), 1);
}
