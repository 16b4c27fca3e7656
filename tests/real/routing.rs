//! Which queue a call goes to: named, the task's own, `task_routes`, `task_default_queue`, `celery`.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Sandbox, Vhost, Worker, WorkerOptions, rig};
use crate::world::Kind::RpcPrefork;

fn worker(vhost: &Vhost, queues: &[&str], conf: &str) -> Worker {
    let options = WorkerOptions {
        broker: vhost.url.clone(),
        backend: "rpc://".to_owned(),
        pool: "solo".to_owned(),
        queues: queues.iter().map(|&queue| queue.to_owned()).collect(),
        conf: conf.to_owned(),
        ..WorkerOptions::default()
    };
    Worker::start("shop.tasks", &options)
}

fn call(vhost: &Vhost, words: &[&str]) -> (Option<i32>, Value) {
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &vhost.url);
    let words: Vec<&str> = ["call"]
        .iter()
        .chain(words)
        .copied()
        .chain(["--json", "--timeout", "60"])
        .collect();
    let outcome = sandbox.cli(&words);
    (outcome.code(), outcome.json())
}

#[test]
fn a_task_with_a_queue_of_its_own_goes_there() {
    let Some(rig) = rig() else { return };
    let document = RpcPrefork.shared(rig).document(0, "mail", &["me"]);
    assert_eq!(
        (&document["queue"], &document["result"]["queue"]),
        (&json!("mail"), &json!("mail"))
    );
    let document = RpcPrefork
        .shared(rig)
        .document(0, "mail", &["me", "--queue", "celery"]);
    assert_eq!(
        (&document["queue"], &document["result"]["queue"]),
        (&json!("celery"), &json!("celery"))
    );
}

#[rstest]
#[case::exact(
    "'shop.tasks.add': {'queue': 'routed'}, 'shop.*': {'queue': 'other'}",
    "shop.tasks.add",
    "routed"
)]
#[case::glob("'shop.tasks.a*': {'queue': 'routed'}", "shop.tasks.add", "routed")]
#[case::glob_written_short("'shop.*': 'routed'", "shop.tasks.add", "routed")]
#[case::no_match("'other.*': {'queue': 'routed'}", "shop.tasks.add", "celery")]
fn the_routes_of_the_application_are_followed(
    #[case] routes: &str,
    #[case] task: &str,
    #[case] queue: &str,
) {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let _worker = worker(
        &vhost,
        &["celery", "routed"],
        &format!("'task_routes': {{{routes}}}"),
    );
    let (code, document) = call(&vhost, &[task, "1", "2"]);
    assert_eq!(
        (code, &document["queue"]),
        (Some(0), &json!(queue)),
        "{document}"
    );
}

#[test]
fn the_default_queue_of_the_application_is_used() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let _worker = worker(&vhost, &[], "'task_default_queue': 'other'");
    let (code, document) = call(&vhost, &["shop.tasks.add", "1", "2"]);
    assert_eq!(
        (code, &document["queue"], &document["result"]),
        (Some(0), &json!("other"), &json!(3)),
        "{document}"
    );
}

#[test]
fn where_every_worker_with_the_task_reads_another_queue_that_one_is_named() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let _worker = worker(&vhost, &["special"], "");
    let (code, document) = call(&vhost, &["shop.tasks.add", "1", "2"]);
    assert_eq!(
        (code, &document["state"]),
        (Some(6), &json!("draft")),
        "{document}"
    );
    assert!(
        document["error"]["hint"]
            .to_string()
            .contains("--queue special"),
        "{document}"
    );
    let (code, document) = call(&vhost, &["shop.tasks.add", "1", "2", "--queue", "special"]);
    assert_eq!((code, &document["result"]), (Some(0), &json!(3)));
}
