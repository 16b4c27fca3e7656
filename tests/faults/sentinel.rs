//! The master of a Sentinel group dies while a call is under way.

use rstest::rstest;
use serde_json::json;

use crate::stage::Call;
use crate::support::{PATIENCE, Sandbox, SentinelGroup, Worker, WorkerOptions, eventually, rig};

#[rstest]
#[case::of_the_backend(false)]
#[case::of_broker_and_backend(true)]
fn a_result_arrives_after_the_master_that_was_to_keep_it_died(#[case] broker_too: bool) {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let mut group = SentinelGroup::start();
    let broker = if broker_too {
        group.url()
    } else {
        vhost.url.clone()
    };
    let worker = Worker::start(
        "shop.tasks",
        &WorkerOptions {
            broker: broker.clone(),
            backend: group.url(),
            conf: format!("{}, 'task_track_started': True", group.conf()),
            ..WorkerOptions::default()
        },
    );
    let id = uuid::Uuid::new_v4().to_string();
    let options = json!({"master_name": SentinelGroup::NAME}).to_string();
    let sandbox = Sandbox::new()
        .env("CELERY_BROKER_URL", &broker)
        .env("CELERY_RESULT_BACKEND", &group.url())
        .env("UMBEL_BROKER_OPTIONS", &options)
        .env("UMBEL_BACKEND_OPTIONS", &options);
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
    // Not in the moment in which the worker stores that it has begun: that failing would fail the task.
    eventually(PATIENCE, "the task has begun", || {
        let key = format!("celery-task-meta-{id}");
        let mut master = group.connection();
        redis::cmd("EXISTS")
            .arg(key)
            .query(&mut master)
            .unwrap_or(false)
    });
    group.failover();
    let document = call.document(0);
    assert_eq!(
        (&document["state"], &document["result"]),
        (&json!("ok"), &json!(12)),
        "{document}"
    );
    assert_eq!(Call::times_taken(&worker, &id), 1);
}
