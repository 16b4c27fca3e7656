//! The worker dies in the middle.

use rstest::rstest;
use serde_json::json;

use crate::stage::{Call, worker};
use crate::support::{Worker, WorkerOptions, rig};

#[rstest]
fn a_worker_that_is_killed_leaves_the_outcome_unknown(#[values("rpc", "redis")] kind: &str) {
    let Some(rig) = rig() else { return };
    let (vhost, db) = (rig.vhost(), rig.redis_db());
    let backend = if kind == "redis" {
        db.url.clone()
    } else {
        "rpc://".to_owned()
    };
    let worker = worker(&vhost.url, &backend);
    let call = Call::asleep(&worker, (&vhost.url, &backend), 30, 3);
    worker.kill9();
    let document = call.document(3);
    assert_eq!(
        (&document["state"], &document["result_known"]),
        (&json!("timeout"), &json!(false)),
        "{document}"
    );
    assert_eq!(document["error"]["kind"], "timeout");
    assert!(
        document["error"]["message"].to_string().contains("unknown"),
        "{document}"
    );
}

#[test]
fn a_task_that_another_worker_takes_over_still_returns() {
    let Some(rig) = rig() else { return };
    let (vhost, db) = (rig.vhost(), rig.redis_db());
    let start = |name: &str| {
        let options = WorkerOptions {
            broker: vhost.url.clone(),
            backend: db.url.clone(),
            pool: "solo".to_owned(),
            name: name.to_owned(),
            // Acknowledged late: the broker gives it to the next worker.
            conf: "'task_acks_late': True, 'worker_prefetch_multiplier': 1".to_owned(),
            ..WorkerOptions::default()
        };
        Worker::start("shop.tasks", &options)
    };
    let first = start("first@test");
    let call = Call::asleep(&first, (&vhost.url, &db.url), 4, 60);
    // Before the other starts, which takes seconds: the first must not have finished.
    first.kill9();
    let second = start("second@test");
    second.wait_for_log(&format!("[{}] received", call.id));
    assert_eq!(call.document(0)["result"], json!(4));
}
