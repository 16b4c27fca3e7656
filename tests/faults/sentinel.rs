//! The master of a Sentinel group dies while a call is under way.

use serde_json::json;

use crate::stage::Call;
use crate::support::{Sandbox, SentinelGroup, Worker, WorkerOptions, rig};

#[test]
fn a_result_arrives_after_the_master_that_was_to_keep_it_died() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let mut group = SentinelGroup::start();
    let worker = Worker::start(
        "shop.tasks",
        &WorkerOptions {
            broker: vhost.url.clone(),
            backend: group.url(),
            conf: group.conf(),
            ..WorkerOptions::default()
        },
    );
    let id = uuid::Uuid::new_v4().to_string();
    let sandbox = Sandbox::new()
        .env("CELERY_BROKER_URL", &vhost.url)
        .env("CELERY_RESULT_BACKEND", &group.url())
        .env(
            "UMBEL_BACKEND_OPTIONS",
            &json!({"master_name": SentinelGroup::NAME}).to_string(),
        );
    let words = [
        "call",
        "shop.tasks.sleep",
        "12",
        "--json",
        "--task-id",
        &id,
        "--timeout",
        "100",
    ];
    let call = Call {
        running: sandbox.start(&words),
        id: id.clone(),
    };
    worker.wait_for_log(&format!("[{id}] received"));
    group.failover();
    let document = call.document(0);
    assert_eq!(
        (&document["state"], &document["result"]),
        (&json!("ok"), &json!(12)),
        "{document}"
    );
    assert_eq!(Call::times_taken(&worker, &id), 1);
}
