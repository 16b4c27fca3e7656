//! The broker is killed, restarted, frozen, or cut off while a call is under way.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::stage::{Call, assert_ends_at_once, worker};
use crate::support::{PATIENCE, PrivateRabbit, Proxy, eventually, rig};

#[test]
fn calls_under_way_survive_a_broker_that_is_killed_and_started_again() {
    let Some(rig) = rig() else { return };
    let (mut node, db) = (PrivateRabbit::shared(), rig.redis_db());
    let vhosts = [node.rabbit().vhost(), node.rabbit().vhost()];
    let workers = [
        worker(&vhosts[0].url, &db.url),
        worker(&vhosts[1].url, "rpc://"),
    ];
    let stored = Call::asleep(&workers[0], (&vhosts[0].url, &db.url), 4, 100);
    let patient = Call::asleep(&workers[1], (&vhosts[1].url, "rpc://"), 25, 170);
    let hasty = Call::asleep(&workers[1], (&vhosts[1].url, "rpc://"), 25, 5);
    node.kill();
    // Its result is in Redis, which is as well as ever.
    assert_eq!(stored.document(0)["result"], json!(4));
    // Its results come through the broker, which did not come back in time.
    let document = hasty.document(5);
    assert_eq!(
        (&document["state"], &document["sent"]),
        (&json!("timeout"), &json!(true)),
        "{document}"
    );
    assert_eq!(document["error"]["kind"], "backend_unreachable");
    assert_eq!(document["error"]["retry_safe"], false);
    node.restart();
    // The task ran on, and its result waits in our durable queue, or comes once the worker is back.
    let id = patient.id.clone();
    let document = patient.document(0);
    assert_eq!(
        (&document["state"], &document["result"]),
        (&json!("ok"), &json!(25)),
        "{document}"
    );
    assert_eq!(Call::times_taken(&workers[1], &id), 1);
    // The hasty one could not remove its own, which expires.
    eventually(PATIENCE, "the patient one has removed its queues", || {
        vhosts[1]
            .queues()
            .iter()
            .filter(|queue| queue.starts_with("umbel."))
            .count()
            <= 1
    });
}

#[test]
fn a_cut_connection_to_the_broker_is_repaired_and_the_result_arrives() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let proxy = Proxy::to(&vhost.url);
    let worker = worker(&vhost.url, "rpc://");
    let call = Call::asleep(&worker, (proxy.url(), "rpc://"), 3, 60);
    let before = proxy.accepted();
    proxy.cut();
    let id = call.id.clone();
    assert_eq!(call.document(0)["result"], json!(3));
    assert!(proxy.accepted() > before, "it has connected again");
    assert_eq!(Call::times_taken(&worker, &id), 1);
    eventually(PATIENCE, "nothing of ours is left", || {
        !vhost
            .queues()
            .iter()
            .any(|queue| queue.starts_with("umbel."))
    });
}

#[test]
fn a_result_that_came_while_the_broker_was_out_of_reach_is_delivered_later() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let proxy = Proxy::to(&vhost.url);
    let worker = worker(&vhost.url, "rpc://");
    let call = Call::asleep(&worker, (proxy.url(), "rpc://"), 3, 60);
    proxy.down();
    worker.wait_for_log(&format!("[{}] succeeded", call.id));
    proxy.up();
    assert_eq!(call.document(0)["result"], json!(3));
}

#[test]
fn a_broker_out_of_reach_until_the_end_is_exit_5() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let proxy = Proxy::to(&vhost.url);
    let worker = worker(&vhost.url, "rpc://");
    let call = Call::asleep(&worker, (proxy.url(), "rpc://"), 3, 6);
    proxy.down();
    let document = call.document(5);
    assert_eq!(
        (&document["state"], &document["result_known"]),
        (&json!("timeout"), &json!(false)),
        "{document}"
    );
}

#[test]
fn a_broker_that_freezes_for_a_while_loses_nothing() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let proxy = Proxy::to(&vhost.url);
    let worker = worker(&vhost.url, "rpc://");
    let short = Call::asleep(&worker, (proxy.url(), "rpc://"), 3, 60);
    proxy.freeze();
    worker.wait_for_log(&format!("[{}] succeeded", short.id));
    proxy.thaw();
    assert_eq!(short.document(0)["result"], json!(3));
    // Longer than two heartbeats: the connection is given up, and the result comes over a new one.
    let long = Call::asleep(&worker, (proxy.url(), "rpc://"), 3, 60);
    let before = proxy.accepted();
    proxy.freeze();
    eventually(PATIENCE, "the silence is noticed", || {
        proxy.accepted() > before
    });
    proxy.thaw();
    assert_eq!(long.document(0)["result"], json!(3));
}

#[test]
fn a_frozen_broker_holds_up_neither_the_deadline_nor_the_end() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let proxy = Proxy::to(&vhost.url);
    let worker = worker(&vhost.url, "rpc://");
    let call = Call::asleep(&worker, (proxy.url(), "rpc://"), 30, 3);
    proxy.freeze();
    let outcome = call.running.wait().expect_code(3);
    assert!(outcome.took < Duration::from_secs(9), "{:?}", outcome.took);
    assert_eq!(outcome.json()["state"], "timeout");
    proxy.thaw();

    assert_ends_at_once(|| {
        let call = Call::asleep(&worker, (proxy.url(), "rpc://"), 30, 60);
        proxy.freeze();
        let start = Instant::now();
        call.running.signal("INT");
        call.running.wait().expect_code(130);
        let took = start.elapsed();
        proxy.thaw();
        took
    });
}
