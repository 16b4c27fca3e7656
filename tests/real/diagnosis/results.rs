//! What keeps a result from coming back, and a link that is down.

use std::thread;
use std::time::Duration;

use rstest::rstest;
use serde_json::Value;

use super::stage::Way::{self, Rabbit, RabbitRpc, Redis, RedisRpc};
use super::stage::{assert_span, kinds, now, one_slot, shell, why};
use crate::support::{Proxy, Running, Sandbox, WorkerOptions, rig};
use crate::world::new_id;

#[rstest]
fn the_workers_write_results_elsewhere(#[values(Rabbit, Redis)] way: Way) {
    let Some(stage) = way.start(one_slot("")) else {
        return;
    };
    let words = [
        "call",
        "--json",
        "shop.tasks.add",
        "1",
        "2",
        "--timeout",
        "3",
    ];
    let document = shell(&stage.broker, "rpc://")
        .cli(&words)
        .expect_code(3)
        .json();
    let reason = why(&document, "backend_mismatch");
    assert_eq!(reason["inferred"], false, "{document:#}");
    let told = reason["workers_write_to"].as_str().unwrap_or_default();
    assert_eq!(told.trim_end_matches('/'), stage.backend);
    assert_eq!(reason["looked_for_in"], "rpc://");
    assert_eq!(kinds(&document)[0], "backend_mismatch");
    assert!(!kinds(&document).contains(&"lost"), "{document:#}");
}

/// Workers send their results to the reply queue of the caller, and umbel is told to look in a Redis.
#[rstest]
fn a_result_that_goes_to_its_caller_alone_is_told_before_and_is_not_promised_after(
    #[values(RabbitRpc, RedisRpc)] way: Way,
) {
    let (Some(rig), Some(stage)) = (rig(), way.start(one_slot(""))) else {
        return;
    };
    let db = rig.redis_db();
    let sandbox = shell(&stage.broker, &db.url);
    let call = |id: &str, timeout: &str| {
        let words = ["--timeout", timeout, "--task-id", id, "--history", "--json"];
        let words = [&["call", "shop.tasks.sleep", "2"][..], &words].concat();
        sandbox.cli(&words)
    };
    let heard = call(&new_id(), "20").expect_code(0).json();
    let warnings = heard["warnings"].to_string();
    assert!(
        warnings.contains("sends results on rpc:// to the caller alone"),
        "{warnings}"
    );
    let id = new_id();
    let given_up = call(&id, "1").expect_code(3).json();
    let next = |document: &Value| {
        let next = document["diagnosis"]["next"].as_array().cloned();
        let kinds = next.into_iter().flatten();
        let kinds = kinds.map(|it| it["kind"].as_str().unwrap_or_default().to_owned());
        kinds.collect::<Vec<_>>()
    };
    assert!(
        !next(&given_up).contains(&"wait".to_owned()),
        "{given_up:#}"
    );
    stage.wait_for_log(&format!("[{id}] succeeded"));
    let words = ["wait", &id, "--timeout", "2", "--json"];
    let document = sandbox.cli(&words).expect_code(3).json();
    let reason = why(&document, "backend_mismatch");
    assert_eq!(reason["workers_write_to"], "rpc://", "{document:#}");
    assert_eq!(reason["looked_for_in"], db.url);
    assert_eq!(why(&document, "worker_lost")["how"], "unseen");
    assert!(
        !next(&document).contains(&"wait".to_owned()),
        "{document:#}"
    );
}

/// A call that is under way for a second, seen through `sandbox`.
#[track_caller]
fn under_way(sandbox: &Sandbox) -> Running {
    let words = [
        "call",
        "--json",
        "shop.tasks.sleep",
        "30",
        "--timeout",
        "8",
        "--progress",
        "plain",
    ];
    let call = sandbox.start(&words);
    call.wait_for_stderr(&[" RUN"]);
    thread::sleep(Duration::from_secs(1));
    call
}

#[rstest]
fn the_result_backend_went_down_on_the_way(#[values(Rabbit, Redis)] way: Way) {
    let Some(stage) = way.shared() else { return };
    let proxy = Proxy::to(&stage.backend);
    let call = under_way(&shell(&stage.broker, proxy.url()));
    proxy.down();
    let document = call.wait().expect_code(5).json();
    assert_span(
        why(&document, "backend_unreachable"),
        "since_ms",
        1_000,
        60_000,
    );
    assert_eq!(now(&document)["state"], "run");
}

#[rstest]
fn the_broker_went_down_on_the_way(#[values(Rabbit, Redis, RedisRpc)] way: Way) {
    let Some(stage) = way.shared() else { return };
    let proxy = Proxy::to(&stage.broker);
    let call = under_way(&shell(proxy.url(), &stage.backend));
    proxy.down();
    // What the broker carries is cut off with it.
    let code = if way == RedisRpc { 5 } else { 3 };
    let document = call.wait().expect_code(code).json();
    assert_eq!(kinds(&document)[0], "broker_down", "{document:#}");
    assert_span(why(&document, "broker_down"), "since_ms", 1_000, 60_000);
    assert!(!kinds(&document).contains(&"worker_silent"), "{document:#}");
}

#[rstest]
fn a_task_that_ignores_its_result_and_whose_workers_tell_no_events_says_so(
    #[values(Rabbit, Redis, RedisRpc)] way: Way,
) {
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
    let Some(stage) = way.start(options) else {
        return;
    };
    let document = stage.over("silent", &[]);
    assert_eq!(kinds(&document)[0], "result_ignored", "{document:#}");
    assert_eq!(
        why(&document, "result_ignored")["task"],
        "shop.tasks.silent"
    );
}
