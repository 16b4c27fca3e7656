//! A Redis as broker is killed, restarted, frozen, or cut off while a call is under way.

use std::thread;
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};

use crate::publish::assert_unknown;
use crate::stage::{Call, assert_ends_at_once, worker};
use crate::support::{PrivateRedis, Proxy, RedisDb, Rig, Sandbox, Worker, WorkerOptions, rig};

/// A word that only the message of the call holds, in a header that no serializer hides.
const MARKER: &str = "marker-of-this-call";

/// To a queue that nobody reads, so that the message can be counted.
const UNREAD: [&str; 6] = [
    MARKER,
    "--queue",
    "unread",
    "--no-preflight",
    "--timeout",
    "4",
];

/// How long something is watched that must not happen: longer than umbel takes to connect again.
const NEVER: Duration = Duration::from_secs(3);

fn results(rig: &Rig, kind: &str) -> String {
    if kind == "redis" {
        rig.redis_db().url
    } else {
        "rpc://".to_owned()
    }
}

/// As many messages as this in the queue, now and after a while.
#[track_caller]
fn assert_depth(db: &RedisDb, depth: u64) {
    let start = Instant::now();
    while start.elapsed() < NEVER {
        assert_eq!(db.depth("unread"), depth);
        thread::sleep(Duration::from_millis(100));
    }
}

/// Once, whatever happened to the connection.
#[track_caller]
fn assert_ok(document: &Value, result: &Value, worker: &Worker, id: &str) {
    assert_eq!(
        (&document["state"], &document["sent"], &document["result"]),
        (&json!("ok"), &json!(true), result),
        "{document}"
    );
    assert_eq!(Call::times_taken(worker, id), 1, "{}", worker.log());
}

// ---- in the middle of a publish ----------------------------------------------------------------------------------------

#[rstest]
fn a_lost_answer_to_lpush_leaves_one_message_and_an_unknown_delivery(
    #[values("rpc", "redis")] kind: &str,
) {
    let Some(rig) = rig() else { return };
    let (db, backend) = (rig.redis_db(), results(rig, kind));
    let proxy = Proxy::to(&db.url);
    proxy.cut_swallowing(MARKER.as_bytes(), b":1");
    let document = Call::start(proxy.url(), &backend, "echo", &UNREAD).document(12);
    assert!(proxy.fired());
    assert_unknown(&document);
    assert_depth(&db, 1);
}

#[test]
fn a_push_that_never_arrived_is_unknown_too_and_is_not_sent_again() {
    let Some(rig) = rig() else { return };
    let db = rig.redis_db();
    let proxy = Proxy::to(&db.url);
    proxy.cut_before(MARKER.as_bytes());
    assert_unknown(&Call::start(proxy.url(), "rpc://", "echo", &UNREAD).document(12));
    assert!(proxy.fired());
    assert_depth(&db, 0);
}

#[test]
fn a_redis_that_freezes_at_the_push_is_an_unknown_delivery() {
    let Some(rig) = rig() else { return };
    let db = rig.redis_db();
    let proxy = Proxy::to(&db.url);
    proxy.cut_swallowing(MARKER.as_bytes(), b"an answer that never comes");
    let call = Call::start(proxy.url(), "rpc://", "echo", &UNREAD);
    let outcome = call.running.wait().expect_code(12);
    assert_unknown(&outcome.json());
    assert!(outcome.took < Duration::from_secs(15), "{:?}", outcome.took);
    assert_depth(&db, 1);
}

#[rstest]
fn an_answer_to_a_push_of_unknown_delivery_makes_it_known(#[values("rpc", "redis")] kind: &str) {
    let Some(rig) = rig() else { return };
    let (db, backend) = (rig.redis_db(), results(rig, kind));
    let worker = worker(&db.url, &backend);
    let proxy = Proxy::to(&db.url);
    proxy.cut_swallowing(MARKER.as_bytes(), b":1");
    let call = Call::start(proxy.url(), &backend, "echo", &[MARKER, "--timeout", "60"]);
    let id = call.id.clone();
    let document = call.document(0);
    assert!(proxy.fired());
    let echo = json!({"args": [MARKER], "kwargs": {}});
    assert_ok(&document, &echo, &worker, &id);
}

// ---- while the task runs -----------------------------------------------------------------------------------------------

#[rstest]
fn a_call_survives_a_redis_that_is_killed_and_started_again(
    #[values("rpc", "beside", "same")] kind: &str,
) {
    let Some(rig) = rig() else { return };
    let mut server = PrivateRedis::start();
    let broker = format!("{}/0", server.url);
    let backend = match kind {
        "same" => format!("{}/1", server.url),
        "beside" => rig.redis_db().url,
        _ => "rpc://".to_owned(),
    };
    let worker = worker(&broker, &backend);
    let call = Call::asleep(&worker, (&broker, &backend), 4, 100);
    let id = call.id.clone();
    // Nothing that it held survives: neither the list for our results, nor what waits in it.
    server.kill();
    server.restart();
    assert_ok(&call.document(0), &json!(4), &worker, &id);
}

#[test]
fn a_result_over_a_cut_connection_arrives_and_nothing_is_left() {
    let Some(rig) = rig() else { return };
    let db = rig.redis_db();
    let proxy = Proxy::to(&db.url);
    let worker = worker(&db.url, "rpc://");
    let words = ["3", "--timeout", "60"];
    let call = Call::taken(&worker, proxy.url(), "rpc://", "sleep", &words);
    let before = proxy.accepted();
    proxy.cut();
    let id = call.id.clone();
    assert_ok(&call.document(0), &json!(3), &worker, &id);
    assert!(proxy.accepted() > before, "it has connected again");
    let keys = db.keys_left();
    let mut ours = keys.iter().filter(|key| key.name.contains("umbel"));
    assert!(ours.all(|key| key.ttl.is_some()), "{keys:?}");
}

#[test]
fn a_result_that_came_while_redis_was_out_of_reach_is_read_later() {
    let Some(rig) = rig() else { return };
    let db = rig.redis_db();
    let proxy = Proxy::to(&db.url);
    let worker = worker(&db.url, "rpc://");
    let words = ["3", "--timeout", "60"];
    let call = Call::taken(&worker, proxy.url(), "rpc://", "sleep", &words);
    proxy.down();
    worker.wait_for_log(&format!("[{}] succeeded", call.id));
    proxy.up();
    assert_eq!(call.document(0)["result"], json!(3));
}

#[test]
fn a_redis_out_of_reach_until_the_end_is_exit_5() {
    let Some(rig) = rig() else { return };
    let db = rig.redis_db();
    let proxy = Proxy::to(&db.url);
    let worker = worker(&db.url, "rpc://");
    let words = ["3", "--timeout", "6"];
    let call = Call::taken(&worker, proxy.url(), "rpc://", "sleep", &words);
    proxy.down();
    let document = call.document(5);
    assert_eq!(
        (
            &document["state"],
            &document["sent"],
            &document["result_known"]
        ),
        (&json!("timeout"), &json!(true), &json!(false)),
        "{document}"
    );
    assert_eq!(document["error"]["kind"], "backend_unreachable");
    assert_eq!(document["error"]["retry_safe"], false);
}

#[test]
fn a_redis_that_freezes_for_a_while_loses_nothing() {
    let Some(_rig) = rig() else { return };
    let server = PrivateRedis::start();
    let url = format!("{}/0", server.url);
    let worker = worker(&url, "rpc://");
    let words = ["3", "--timeout", "60"];
    let call = Call::taken(&worker, &url, "rpc://", "sleep", &words);
    // The process itself, with all its connections: longer than umbel is ready to wait for an answer.
    server.freeze();
    thread::sleep(Duration::from_secs(8));
    server.thaw();
    let id = call.id.clone();
    assert_ok(&call.document(0), &json!(3), &worker, &id);
}

#[test]
fn a_frozen_redis_holds_up_neither_the_deadline_nor_the_end() {
    let Some(rig) = rig() else { return };
    let db = rig.redis_db();
    let proxy = Proxy::to(&db.url);
    let worker = worker(&db.url, "rpc://");
    let words = ["30", "--timeout", "3"];
    let call = Call::taken(&worker, proxy.url(), "rpc://", "sleep", &words);
    proxy.freeze();
    let outcome = call.running.wait().expect_code(3);
    assert!(outcome.took < Duration::from_secs(9), "{:?}", outcome.took);
    assert_eq!(outcome.json()["state"], "timeout");
    proxy.thaw();
    assert_ends_at_once(|| {
        let words = ["30", "--timeout", "60"];
        let call = Call::taken(&worker, proxy.url(), "rpc://", "sleep", &words);
        proxy.freeze();
        let start = Instant::now();
        call.running.signal("INT");
        call.running.wait().expect_code(130);
        let took = start.elapsed();
        proxy.thaw();
        took
    });
}

#[test]
fn the_end_of_a_killed_worker_s_task_is_unknown_and_the_next_worker_takes_what_waits() {
    let Some(rig) = rig() else { return };
    let db = rig.redis_db();
    let start = |name: &str| {
        let options = WorkerOptions {
            broker: db.url.clone(),
            backend: "rpc://".to_owned(),
            pool: "solo".to_owned(),
            name: name.to_owned(),
            // One at a time: the other waits in the queue.
            conf: "'worker_prefetch_multiplier': 1".to_owned(),
            ..WorkerOptions::default()
        };
        Worker::start("shop.tasks", &options)
    };
    let first = start("first@test");
    // The one that runs, and one that waits behind it.
    let hasty = Call::asleep(&first, (&db.url, "rpc://"), 5, 2);
    let patient = Call::start(
        &db.url,
        "rpc://",
        "sleep",
        &["2", "--no-preflight", "--timeout", "100"],
    );
    first.kill9();
    let document = hasty.document(3);
    assert_eq!(document["result_known"], false, "{document}");
    assert!(
        document["error"]["message"].to_string().contains("unknown"),
        "{document}"
    );
    let second = start("second@test");
    let id = patient.id.clone();
    assert_ok(&patient.document(0), &json!(2), &second, &id);
}

// ---- on the screen -----------------------------------------------------------------------------------------------------

#[test]
fn the_screen_tells_every_phase_and_recovers_without_a_key() {
    let Some(_rig) = rig() else { return };
    let mut server = PrivateRedis::start();
    let url = format!("{}/0", server.url);
    let worker = worker(&url, "rpc://");
    let mut screen = Sandbox::new()
        .env("CELERY_BROKER_URL", &url)
        .env("CELERY_RESULT_BACKEND", "rpc://")
        .env("UMBEL_TIMEOUT", "100")
        .pty(40, 120, &[]);
    screen.wait_for("results rpc up  workers 1");
    screen.wait_for("retry_twice");
    screen.keys("/tasks.sleep\r");
    screen.wait_gone("retry_twice");
    screen.keys("\r");
    screen.wait_for("EDIT");
    screen.keys("8\r");
    screen.wait_for("sleep(8)");
    // Before it is known who reads the queue nothing is sent.
    screen.wait_for("queue celery · 1 reader");
    // Nothing is sent in the first moment after a change of focus.
    thread::sleep(Duration::from_millis(500));
    screen.keys("\u{1b}[15~");
    screen.wait_for("RUN  shop.tasks.sleep");
    server.kill();
    screen.wait_for("BROKER LOST");
    server.restart();
    screen.wait_gone("BROKER LOST");
    screen.wait_for("OK  shop.tasks.sleep");
    // Its process stores the result before the worker tells of it.
    worker.wait_for_log("succeeded in");
    let ran = worker.log().matches("shop.tasks.sleep[").count();
    assert_eq!(ran, 2, "received and succeeded once: {}", worker.log());
    screen.wait_for("workers 1");
    screen.signal("TERM");
    screen.wait_exit();
}
