//! Before sending, on real brokers and workers: a queue that nobody reads is told when it is named, one that loses its worker while the form is
//! open is told then, and a call there is refused before it is waited for.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::support::{PATIENCE, Pty, Sandbox, Worker, WorkerOptions, eventually, rig};

const F5: &str = "\u{1b}[15~";

fn worker(broker: &str, name: &str, queue: &str) -> Worker {
    start("shop.tasks", broker, name, queue)
}

fn start(app: &str, broker: &str, name: &str, queue: &str) -> Worker {
    let options = WorkerOptions {
        broker: broker.to_owned(),
        backend: "rpc://".to_owned(),
        pool: "solo".to_owned(),
        queues: vec![queue.to_owned()],
        name: name.to_owned(),
        ..WorkerOptions::default()
    };
    Worker::start(app, &options)
}

/// The form of `shop.tasks.add`, of two arguments, on a screen that knows all workers.
fn form(broker: &str, workers: usize) -> Pty {
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", broker);
    let mut screen = sandbox.pty(40, 120, &[]);
    screen.wait_for(&format!("results rpc up  workers {workers}"));
    screen.wait_for("retry_twice");
    screen.keys("/tasks.add\r");
    screen.wait_gone("retry_twice");
    screen.keys("\r");
    screen.wait_for("EDIT");
    screen.keys("2\r3\r");
    screen.wait_for("add(2, 3)");
    screen
}

/// Presses F5 once the news has been read, which is what the first moment is for; a second press is asked for.
fn insist(screen: &mut Pty) {
    thread::sleep(Duration::from_millis(500));
    screen.keys(F5);
    screen.wait_for("F5 again within 5s");
}

fn leave(mut screen: Pty) {
    screen.signal("TERM");
    screen.wait_exit();
}

#[test]
fn the_form_tells_of_a_queue_that_loses_its_worker() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let reader = worker(&vhost.url, "w1@test", "celery");
    let _other = worker(&vhost.url, "w2@test", "elsewhere");
    let mut screen = form(&vhost.url, 2);
    screen.wait_for("queue celery · 1 reader · 0 waiting");
    screen.wait_for("task on 1/1 reader");
    reader.kill9();
    screen.wait_for("queue celery · no reader · 0 waiting");
    screen.wait_for("queue celery: no worker reads it");
    insist(&mut screen);
    assert!(vhost.messages("celery").is_empty(), "nothing was sent");
    leave(screen);
}

#[test]
fn the_form_tells_of_a_queue_on_redis_that_loses_its_worker() {
    let Some(rig) = rig() else { return };
    let db = rig.redis_db();
    let reader = worker(&db.url, "w1@test", "celery");
    let _other = worker(&db.url, "w2@test", "elsewhere");
    let mut screen = form(&db.url, 2);
    screen.wait_for("queue celery · 1 reader · 0 waiting");
    reader.stop();
    // It falls SILENT, and what is known of the others is proof no sooner than they were asked again.
    screen.wait_for("1 silent");
    screen.keys("\u{1b}");
    screen.wait_for("NAV");
    screen.keys("r");
    screen.wait_for("queue celery: no worker reads it");
    insist(&mut screen);
    leave(screen);
}

#[test]
fn a_call_to_a_queue_that_nobody_reads_is_refused_and_not_waited_for() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let _worker = worker(&vhost.url, "w1@test", "elsewhere");
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &vhost.url);
    let words = ["call", "shop.tasks.add", "1", "2", "--timeout", "1h"];
    let outcome = sandbox.cli(&words).expect_code(6);
    assert!(
        outcome
            .stderr
            .contains("queue celery: there is no such queue"),
        "{}",
        outcome.stderr
    );
    let outcome = sandbox
        .cli(&[&words[..], &["--json"]].concat())
        .expect_code(6);
    let document = outcome.json();
    assert_eq!(
        (&document["sent"], &document["state"]),
        (&json!(false), &json!("draft"))
    );
}

#[test]
fn a_worker_that_cannot_get_the_call_is_no_reason_to_fear_that_it_ends_as_no_task() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let task = "shop.hostile.documented";
    let reader = start("shop.hostile", &vhost.url, "w1@test", "celery");
    let _has_it = start("shop.hostile", &vhost.url, "w2@test", "other");
    let _lacks_it = start("shop.tasks", &vhost.url, "w3@test", "third");
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &vhost.url);
    reader.freeze();
    let words = ["call", task, "--timeout", "1", "--json"];
    let warning = format!(
        "no worker that told its tasks reads queue celery: whether those that read it have {task} is not known"
    );
    // A worker that answers late is not waited for.
    eventually(PATIENCE, &warning, || {
        let outcome = sandbox.cli(&words);
        outcome.code() == Some(3) && outcome.json()["warnings"] == json!([warning])
    });
}

#[test]
fn a_keyword_named_self_fails_at_every_task_and_is_told_before() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let _worker = worker(&vhost.url, "w1@test", "celery");
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &vhost.url);
    let words = [
        "call",
        "shop.tasks.add",
        "1",
        "self=2",
        "--timeout",
        "60",
        "--json",
    ];
    let document = sandbox.cli(&words).expect_code(1).json();
    let warnings = document["warnings"].to_string();
    assert!(
        warnings.contains("self= always ends as a TypeError"),
        "{warnings}"
    );
    let error = document["error"]["message"].to_string();
    assert!(
        error.contains("multiple values for argument 'self'"),
        "{document}"
    );
}
