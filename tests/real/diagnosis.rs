//! Every reason that umbel gives for a silent call, on workers brought into that very state.

use std::thread;
use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{
    PATIENCE, Proxy, RedisDb, Rig, Running, Sandbox, Vhost, Worker, WorkerOptions, celery, encoded,
    eventually, rig,
};
use crate::world::{Kind, World, new_id};

/// One slot, one message ahead, acknowledged late: the next message stays in the queue.
const ONE_AT_A_TIME: &str = "'task_acks_late': True, 'worker_prefetch_multiplier': 1";

fn one_slot(conf: &str) -> WorkerOptions {
    WorkerOptions {
        concurrency: 1,
        conf: conf.to_owned(),
        ..WorkerOptions::default()
    }
}

/// The reasons of a document, by their word.
fn kinds(document: &Value) -> Vec<&str> {
    let why = document["diagnosis"]["why"].as_array();
    let why = why.map(Vec::as_slice).unwrap_or_default();
    why.iter().filter_map(|it| it["kind"].as_str()).collect()
}

/// The reason with this word.
#[track_caller]
fn why<'a>(document: &'a Value, kind: &str) -> &'a Value {
    let why = document["diagnosis"]["why"].as_array().expect("reasons");
    let found = why.iter().find(|it| it["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind}: {document:#}"))
}

fn now(document: &Value) -> &Value {
    &document["diagnosis"]["now"]
}

/// Keeps the worker busy until it is dropped, and returns once it runs.
#[track_caller]
fn occupy(world: &World, seconds: &str) -> (Running, String) {
    let id = new_id();
    let call = world.start_call("sleep", &[seconds, "--task-id", &id]);
    world.wait_received(&id);
    (call, id)
}

/// What a call in this world says when its time is over.
#[track_caller]
fn over(world: &World, task: &str, words: &[&str]) -> Value {
    let words: Vec<&str> = words.iter().chain(&["--timeout", "3"]).copied().collect();
    world.document(3, task, &words)
}

fn shell(vhost: &Vhost, backend: &str) -> Sandbox {
    Sandbox::new()
        .env("CELERY_BROKER_URL", &vhost.url)
        .env("CELERY_RESULT_BACKEND", backend)
}

#[test]
fn nobody_reads_the_queue() {
    let Some(rig) = rig() else { return };
    let world = Kind::RedisPrefork.shared(rig);
    world.vhost.declare_queue("undiagnosed");
    let document = over(
        world,
        "add",
        &["1", "2", "--queue", "undiagnosed", "--no-preflight"],
    );
    let reason = why(&document, "no_consumer");
    assert_eq!(
        (&reason["queue"], &reason["waiting"], &reason["inferred"]),
        (&json!("undiagnosed"), &json!(1), &json!(false))
    );
    assert_eq!(kinds(&document)[0], "no_consumer");
    assert_eq!(now(&document)["state"], "sent");
    assert_eq!(document["diagnosis"]["next"][0]["kind"], "start_worker");
}

#[test]
fn no_reader_of_the_queue_has_the_task() {
    let Some(rig) = rig() else { return };
    let world = Kind::RedisPrefork.shared(rig);
    // Its reader answers with NotRegistered: the reason stands beside that.
    let document = world.document(1, "nowhere", &["--queue", "mail", "--no-preflight"]);
    assert_eq!(document["state"], "no_task");
    let reason = why(&document, "not_registered");
    assert_eq!(
        (&reason["task"], &reason["queue"]),
        (&json!("shop.tasks.nowhere"), &json!("mail"))
    );
    assert_eq!(reason["elsewhere"], json!([]));
}

#[test]
fn it_waits_in_its_queue_behind_others_whose_worker_is_busy() {
    let Some(rig) = rig() else { return };
    let world = Kind::RedisPrefork.start(rig, one_slot(ONE_AT_A_TIME));
    let (_busy, _) = occupy(&world, "60");
    let _second = world.start_call("add", &["1", "1"]);
    let document = over(&world, "add", &["1", "2"]);
    let queued = why(&document, "queued");
    assert_eq!(queued["queue"], "celery");
    assert_eq!(queued["waiting"], 2, "{document:#}");
    assert_eq!(queued["inferred"], true);
    let busy = why(&document, "worker_busy");
    assert_eq!(
        (&busy["worker"], &busy["running"], &busy["slots"]),
        (&json!("w1@test"), &json!(1), &json!(1))
    );
    assert_eq!(busy["oldest"], "shop.tasks.sleep");
    assert!(
        busy["oldest_ms"].as_u64().is_some_and(|ms| ms > 2_500),
        "{busy}"
    );
    assert_eq!(document["diagnosis"]["asked"]["replied"], 1);
    assert_eq!(document["diagnosis"]["asked"]["of"], 1);
}

#[test]
fn a_worker_holds_it_behind_what_it_runs() {
    let Some(rig) = rig() else { return };
    let world = Kind::RpcPrefork.start(rig, one_slot(""));
    let (_busy, _) = occupy(&world, "60");
    let document = over(&world, "add", &["1", "2"]);
    let held = why(&document, "held");
    assert_eq!(
        (&held["worker"], &held["behind"]),
        (&json!("w1@test"), &json!(1))
    );
    assert_eq!(why(&document, "worker_busy")["running"], 1);
    assert_eq!(
        (&now(&document)["state"], &now(&document)["acknowledged"]),
        (&json!("recv"), &json!(false))
    );
    let words = world
        .cli(&["call", "shop.tasks.add", "1", "2", "--timeout", "2"])
        .expect_code(3);
    assert!(
        words.stderr.contains("now: RECV on w1@test"),
        "{}",
        words.stderr
    );
    assert!(
        words
            .stderr
            .contains("why: held by w1@test behind 1 running"),
        "{}",
        words.stderr
    );
    assert!(
        words
            .stderr
            .contains("w1@test is BUSY 1/1, oldest shop.tasks.sleep"),
        "{}",
        words.stderr
    );
}

#[test]
fn a_rate_limit_hides_it_from_all_lists() {
    let Some(rig) = rig() else { return };
    let world = Kind::RedisPrefork.start(rig, WorkerOptions::default());
    celery(
        &world.vhost.url,
        &world.backend,
        &["control", "rate_limit", "shop.tasks.echo", "1/h"],
    )
    .expect_code(0);
    world.document(0, "echo", &["first"]);
    let document = over(&world, "echo", &["second"]);
    let reason = why(&document, "rate_limited");
    assert_eq!(
        (&reason["task"], &reason["inferred"]),
        (&json!("shop.tasks.echo"), &json!(true))
    );
    assert!(reason["limit"].is_string(), "{reason}");
    assert!(!kinds(&document).contains(&"lost"), "{document:#}");
}

#[test]
fn it_failed_and_waits_for_its_next_try() {
    let Some(rig) = rig() else { return };
    let world = Kind::RedisPrefork.shared(rig);
    let document = over(world, "retry_twice", &["countdown=40"]);
    let reason = why(&document, "retry_waiting");
    assert_eq!(
        (&reason["retries"], &reason["max"], &reason["worker"]),
        (&json!(1), &json!(3), &json!("w1@test")),
        "{document:#}"
    );
    assert!(
        reason["left_ms"]
            .as_u64()
            .is_some_and(|ms| (30_000..40_000).contains(&ms)),
        "{reason}"
    );
    assert!(
        reason["exception"].to_string().contains("not yet"),
        "{reason}"
    );
    assert_eq!(now(&document)["state"], "retry");
}

#[rstest]
fn it_runs(#[values(Kind::RedisPrefork, Kind::RpcPrefork)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let world = kind.shared(rig);
    let document = over(world, "sleep", &["20"]);
    let reason = why(&document, "running");
    assert_eq!(
        (&reason["worker"], &reason["told_ms"], &reason["inferred"]),
        (&json!("w1@test"), &Value::Null, &json!(false)),
        "{document:#}"
    );
    assert!(
        reason["since_ms"].as_u64().is_some_and(|ms| ms > 2_500),
        "{reason}"
    );
    assert_eq!(kinds(&document)[0], "running", "{document:#}");
    assert_eq!(document["diagnosis"]["next"][1]["kind"], "terminate");
}

#[test]
fn its_worker_was_killed_and_had_acknowledged_it() {
    let Some(rig) = rig() else { return };
    let world = Kind::RedisPrefork.start(rig, one_slot(""));
    let (call, _) = killed_in_the_middle(&world);
    let document = call.wait().expect_code(3).json();
    let reason = why(&document, "worker_lost");
    assert_eq!(
        (&reason["how"], &reason["runs_again"], &reason["started"]),
        (&json!("gone"), &json!(false), &json!(true)),
        "{document:#}"
    );
    assert_eq!(now(&document)["state"], "unknown");
    assert_eq!(now(&document)["worker"], "w1@test");
}

#[test]
fn its_worker_was_killed_and_the_broker_has_it_again() {
    let Some(rig) = rig() else { return };
    let world = Kind::RedisPrefork.start(rig, one_slot(ONE_AT_A_TIME));
    let (call, _) = killed_in_the_middle(&world);
    let document = call.wait().expect_code(3).json();
    assert_eq!(
        why(&document, "worker_lost")["runs_again"],
        true,
        "{document:#}"
    );
}

/// A call whose worker died while it ran, and its id.
#[track_caller]
fn killed_in_the_middle(world: &World) -> (Running, String) {
    let id = new_id();
    let words = ["60", "--task-id", &id, "--timeout", "7"];
    let call = world.start_call("sleep", &words);
    world.wait_received(&id);
    // Long enough for it to be seen to run.
    thread::sleep(Duration::from_millis(1_500));
    world.worker.kill9();
    (call, id)
}

#[test]
fn its_worker_was_started_anew_and_knows_nothing_of_it() {
    let Some(rig) = rig() else { return };
    let world = Kind::RedisPrefork.start(rig, one_slot(""));
    let id = new_id();
    let call = world.start_call("sleep", &["60", "--task-id", &id, "--timeout", "14"]);
    world.wait_received(&id);
    thread::sleep(Duration::from_millis(1_500));
    world.worker.kill9();
    let _again = again(&world, "");
    let document = call.wait().expect_code(3).json();
    let reason = why(&document, "worker_lost");
    assert_eq!(
        (&reason["how"], &reason["runs_again"]),
        (&json!("restarted"), &json!(false)),
        "{document:#}"
    );
}

#[test]
fn a_task_that_another_worker_starts_again_may_have_run_twice() {
    let Some(rig) = rig() else { return };
    let world = Kind::RedisPrefork.start(rig, one_slot(ONE_AT_A_TIME));
    let id = new_id();
    let call = world.start_call("sleep", &["60", "--task-id", &id, "--timeout", "14"]);
    world.wait_received(&id);
    thread::sleep(Duration::from_millis(1_500));
    world.worker.kill9();
    let second = again(&world, ONE_AT_A_TIME);
    second.wait_for_log(&format!("[{id}] received"));
    let document = call.wait().expect_code(3).json();
    assert_eq!(
        why(&document, "redelivered")["worker"],
        "w1@test",
        "{document:#}"
    );
    assert_eq!(now(&document)["state"], "run");
}

/// A worker of the same name in the same place.
#[track_caller]
fn again(world: &World, conf: &str) -> Worker {
    Worker::start(
        "shop.tasks",
        &WorkerOptions {
            broker: world.vhost.url.clone(),
            backend: world.backend.clone(),
            ..one_slot(conf)
        },
    )
}

#[test]
fn its_worker_is_frozen() {
    let Some(rig) = rig() else { return };
    let world = Kind::RedisPrefork.start(rig, one_slot(""));
    let id = new_id();
    let call = world.start_call("sleep", &["60", "--task-id", &id, "--timeout", "7"]);
    world.wait_received(&id);
    thread::sleep(Duration::from_millis(1_500));
    world.worker.freeze();
    let document = call.wait().expect_code(3).json();
    world.worker.thaw();
    let reason = why(&document, "worker_silent");
    assert_eq!(
        (&reason["worker"], &reason["has_it"], &reason["solo"]),
        (&json!("w1@test"), &json!(true), &json!(false)),
        "{document:#}"
    );
    assert_eq!(
        (&now(&document)["state"], &now(&document)["inferred"]),
        (&json!("run"), &json!(true))
    );
    assert!(
        why(&document, "running")["told_ms"].is_u64(),
        "{document:#}"
    );
}

#[test]
fn a_solo_worker_cannot_answer_while_it_works() {
    let Some(rig) = rig() else { return };
    let world = Kind::RedisSolo.start(rig, WorkerOptions::default());
    let document = over(&world, "sleep", &["8"]);
    // The result backend told that it runs; the worker itself says nothing.
    assert_eq!(now(&document)["state"], "run", "{document:#}");
    let other = world.document(
        3,
        "add",
        &[
            "1",
            "2",
            "--no-preflight",
            "--queue",
            "celery",
            "--timeout",
            "1",
        ],
    );
    assert_eq!(why(&other, "reader_unheard")["readers"], 1, "{other:#}");
    assert_eq!(other["diagnosis"]["asked"]["replied"], 0);
    assert_eq!(other["diagnosis"]["asked"]["of"], 1);
}

#[test]
fn the_workers_write_results_elsewhere() {
    let Some(rig) = rig() else { return };
    let world = Kind::RedisPrefork.start(rig, one_slot(""));
    let document = shell(&world.vhost, "rpc://")
        .cli(&[
            "call",
            "--json",
            "shop.tasks.add",
            "1",
            "2",
            "--timeout",
            "3",
        ])
        .expect_code(3)
        .json();
    let reason = why(&document, "backend_mismatch");
    assert_eq!(reason["inferred"], false, "{document:#}");
    let told = reason["workers_write_to"].as_str().unwrap_or_default();
    assert_eq!(told.trim_end_matches('/'), world.backend);
    assert_eq!(reason["looked_for_in"], "rpc://");
    assert_eq!(kinds(&document)[0], "backend_mismatch");
    assert!(!kinds(&document).contains(&"lost"), "{document:#}");
}

#[test]
fn the_result_backend_went_down_on_the_way() {
    let Some(rig) = rig() else { return };
    let (vhost, db) = (rig.vhost(), rig.redis_db());
    let proxy = Proxy::to(&db.url);
    let worker = worker_of(&vhost, &db);
    let id = new_id();
    let words = [
        "call",
        "--json",
        "shop.tasks.sleep",
        "30",
        "--task-id",
        &id,
        "--timeout",
        "4",
    ];
    let call = shell(&vhost, proxy.url()).start(&words);
    worker.wait_for_log(&format!("[{id}] received"));
    thread::sleep(Duration::from_millis(500));
    proxy.down();
    let document = call.wait().expect_code(5).json();
    let reason = why(&document, "backend_unreachable");
    assert!(
        reason["since_ms"].as_u64().is_some_and(|ms| ms > 1_000),
        "{document:#}"
    );
    assert_eq!(now(&document)["state"], "run");
}

fn worker_of(vhost: &Vhost, db: &RedisDb) -> Worker {
    let options = WorkerOptions {
        broker: vhost.url.clone(),
        backend: db.url.clone(),
        ..WorkerOptions::default()
    };
    Worker::start("shop.tasks", &options)
}

#[test]
fn the_broker_went_down_on_the_way() {
    let Some(rig) = rig() else { return };
    let (vhost, db) = (rig.vhost(), rig.redis_db());
    let proxy = Proxy::to(&vhost.url);
    let worker = worker_of(&vhost, &db);
    let id = new_id();
    let words = [
        "call",
        "--json",
        "shop.tasks.sleep",
        "30",
        "--task-id",
        &id,
        "--timeout",
        "4",
    ];
    let sandbox = Sandbox::new()
        .env("CELERY_BROKER_URL", proxy.url())
        .env("CELERY_RESULT_BACKEND", &db.url);
    let call = sandbox.start(&words);
    worker.wait_for_log(&format!("[{id}] received"));
    thread::sleep(Duration::from_secs(1));
    proxy.down();
    let document = call.wait().expect_code(3).json();
    assert_eq!(kinds(&document)[0], "broker_down", "{document:#}");
    assert!(
        why(&document, "broker_down")["since_ms"]
            .as_u64()
            .is_some_and(|ms| ms > 1_000)
    );
    assert!(!kinds(&document).contains(&"worker_silent"), "{document:#}");
}

#[test]
fn a_task_that_ignores_its_result_and_whose_workers_tell_no_events_says_so() {
    let Some(rig) = rig() else { return };
    // Such a worker sends no event, whatever it is asked.
    let quiet = [
        "--without-heartbeat",
        "--without-gossip",
        "--without-mingle",
    ];
    let options = WorkerOptions {
        args: quiet.map(str::to_owned).to_vec(),
        ..WorkerOptions::default()
    };
    let world = Kind::RedisPrefork.start(rig, options);
    let document = over(&world, "silent", &[]);
    assert_eq!(kinds(&document)[0], "result_ignored", "{document:#}");
    assert_eq!(
        why(&document, "result_ignored")["task"],
        "shop.tasks.silent"
    );
}

#[test]
fn it_expires_before_anybody_takes_it() {
    let Some(rig) = rig() else { return };
    let world = Kind::RedisPrefork.start(rig, one_slot(ONE_AT_A_TIME));
    let (_busy, _) = occupy(&world, "60");
    let document = over(&world, "add", &["1", "2", "--expires", "1s"]);
    let reason = why(&document, "expired");
    assert_eq!(
        (&reason["dropped"], &reason["inferred"]),
        (&json!(false), &json!(true))
    );
    assert!(
        reason["ago_ms"]
            .as_u64()
            .is_some_and(|ms| (1_500..4_500).contains(&ms)),
        "{reason}"
    );
}

#[test]
fn a_worker_that_drops_an_expired_task_is_the_reason() {
    let Some(rig) = rig() else { return };
    let world = Kind::RedisPrefork.start(rig, one_slot(ONE_AT_A_TIME));
    let (_busy, _) = occupy(&world, "3");
    let document = world.document(7, "add", &["1", "2", "--expires", "300ms"]);
    assert_eq!(why(&document, "expired")["dropped"], true, "{document:#}");
}

#[test]
fn a_worker_keeps_it_for_its_eta() {
    let Some(rig) = rig() else { return };
    let world = Kind::RedisPrefork.shared(rig);
    let document = over(world, "add", &["1", "2", "--countdown", "50"]);
    let reason = why(&document, "scheduled");
    assert_eq!(reason["worker"], "w1@test", "{document:#}");
    assert!(
        reason["left_ms"]
            .as_u64()
            .is_some_and(|ms| (40_000..50_000).contains(&ms)),
        "{reason}"
    );
}

#[test]
fn a_message_that_somebody_purged_is_lost() {
    let Some(rig) = rig() else { return };
    let world = Kind::RedisPrefork.start(rig, one_slot(ONE_AT_A_TIME));
    let (_busy, _) = occupy(&world, "60");
    let call = world.start_call("add", &["1", "2", "--timeout", "6"]);
    let waiting = || !world.vhost.messages("celery").is_empty();
    eventually(PATIENCE, "the message waits", waiting);
    thread::sleep(Duration::from_millis(500));
    purge(rig, &world.vhost, "celery");
    let document = call.wait().expect_code(3).json();
    assert_eq!(document["state"], "lost", "{document:#}");
    assert_eq!(
        (&now(&document)["state"], &now(&document)["inferred"]),
        (&json!("lost"), &json!(true))
    );
    assert_eq!(why(&document, "lost")["replied"], 1);
    assert_eq!(document["error"]["kind"], "timeout");
}

fn purge(rig: &Rig, vhost: &Vhost, queue: &str) {
    let path = format!(
        "queues/{}/{}/contents",
        encoded(&vhost.name),
        encoded(queue)
    );
    rig.rabbit.management.request("DELETE", &path, &Value::Null);
}
