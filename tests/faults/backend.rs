//! The Redis with the results is killed, restarted, frozen, or cut off while a call is under way.

use std::time::Duration;

use serde_json::json;

use crate::stage::{Call, worker};
use crate::support::{PATIENCE, PrivateRedis, Proxy, eventually, rig};

#[test]
fn a_redis_that_is_killed_and_started_again_still_brings_the_result() {
    let Some(rig) = rig() else { return };
    let (vhost, mut redis) = (rig.vhost(), PrivateRedis::start());
    let url = format!("{}/0", redis.url);
    let worker = worker(&vhost.url, &url);
    let call = Call::asleep(&worker, (&vhost.url, &url), 3, 100);
    redis.kill();
    redis.restart();
    let id = call.id.clone();
    let document = call.document(0);
    assert_eq!(
        (&document["state"], &document["result"]),
        (&json!("ok"), &json!(3)),
        "{document}"
    );
    assert_eq!(Call::times_taken(&worker, &id), 1);
}

#[test]
fn a_redis_that_does_not_come_back_in_time_is_exit_5() {
    let Some(rig) = rig() else { return };
    let (vhost, mut redis) = (rig.vhost(), PrivateRedis::start());
    let url = format!("{}/0", redis.url);
    let worker = worker(&vhost.url, &url);
    let call = Call::asleep(&worker, (&vhost.url, &url), 3, 6);
    redis.kill();
    let outcome = call.running.wait().expect_code(5);
    assert!(outcome.took < Duration::from_secs(12), "{:?}", outcome.took);
    let document = outcome.json();
    assert_eq!(
        (&document["state"], &document["sent"]),
        (&json!("timeout"), &json!(true)),
        "{document}"
    );
    assert_eq!(document["error"]["kind"], "backend_unreachable");
    assert_eq!(document["error"]["retry_safe"], false);
}

#[test]
fn a_result_that_came_while_redis_was_out_of_reach_is_fetched_later() {
    let Some(rig) = rig() else { return };
    let (vhost, db) = (rig.vhost(), rig.redis_db());
    let proxy = Proxy::to(&db.url);
    let worker = worker(&vhost.url, &db.url);
    let call = Call::asleep(&worker, (&vhost.url, proxy.url()), 3, 60);
    proxy.down();
    worker.wait_for_log(&format!("[{}] succeeded", call.id));
    proxy.up();
    assert_eq!(call.document(0)["result"], json!(3));
}

#[test]
fn a_cut_connection_to_redis_is_repaired_and_the_result_arrives() {
    let Some(rig) = rig() else { return };
    let (vhost, db) = (rig.vhost(), rig.redis_db());
    let proxy = Proxy::to(&db.url);
    let worker = worker(&vhost.url, &db.url);
    let call = Call::asleep(&worker, (&vhost.url, proxy.url()), 3, 60);
    proxy.cut();
    assert_eq!(call.document(0)["result"], json!(3));
}

#[test]
fn a_frozen_redis_is_noticed_and_forgiven() {
    let Some(rig) = rig() else { return };
    let (vhost, redis) = (rig.vhost(), PrivateRedis::start());
    let (url, proxy) = (
        format!("{}/0", redis.url),
        Proxy::to(&format!("{}/0", redis.url)),
    );
    let worker = worker(&vhost.url, &url);
    // Frozen to the end: noticed within some 7 s.
    let call = Call::asleep(&worker, (&vhost.url, proxy.url()), 3, 14);
    proxy.freeze();
    let document = call.document(5);
    assert_eq!(
        document["error"]["kind"], "backend_unreachable",
        "{document}"
    );
    proxy.thaw();
    // For a while: the result arrives.
    let call = Call::asleep(&worker, (&vhost.url, proxy.url()), 3, 60);
    proxy.freeze();
    worker.wait_for_log(&format!("[{}] succeeded", call.id));
    proxy.thaw();
    assert_eq!(call.document(0)["result"], json!(3));
}

#[test]
fn a_redis_that_is_frozen_before_the_call_stops_it_from_being_sent() {
    let Some(rig) = rig() else { return };
    let (vhost, redis) = (rig.vhost(), PrivateRedis::start());
    vhost.declare_queue("unread");
    redis.freeze();
    let url = format!("{}/0", redis.url);
    let words = ["1", "2", "--queue", "unread", "--no-preflight"];
    let outcome = Call::start(&vhost.url, &url, "add", &words)
        .running
        .wait()
        .expect_code(4);
    let document = outcome.json();
    assert_eq!(
        (&document["sent"], &document["error"]["kind"]),
        (&json!(false), &json!("backend_unreachable")),
        "{document}"
    );
    assert!(outcome.took < Duration::from_secs(9), "{:?}", outcome.took);
    assert!(vhost.messages("unread").is_empty());
    redis.thaw();
    eventually(PATIENCE, "nothing of ours is left", || {
        vhost.queues() == ["unread"]
    });
}
