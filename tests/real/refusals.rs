//! What is refused before anything is sent, and what cannot be reached: the code, the words, and nothing in any queue.

use rstest::rstest;
use serde_json::json;

use crate::support::{PATIENCE, PrivateRedis, Sandbox, Worker, WorkerOptions, eventually, rig};
use crate::world::Kind::{RedisPrefork, RpcPrefork};
use crate::world::new_id;

#[test]
fn a_queue_without_a_consumer_is_refused() {
    let Some(rig) = rig() else { return };
    let world = RedisPrefork.shared(rig);
    world.vhost.declare_queue("unread");
    let document = world.document(6, "add", &["1", "2", "--queue", "unread"]);
    assert_eq!(
        (&document["state"], &document["sent"]),
        (&json!("draft"), &json!(false))
    );
    assert_eq!(document["error"]["kind"], "no_worker");
    assert!(
        document["error"]["message"]
            .to_string()
            .contains("no worker reads it"),
        "{document}"
    );
    assert!(world.vhost.messages("unread").is_empty());
    let document = world.document(6, "add", &["1", "2", "--queue", "missing"]);
    assert!(
        document["error"]["message"]
            .to_string()
            .contains("no such queue"),
        "{document}"
    );
    assert!(!world.vhost.queues().contains(&"missing".to_owned()));
}

/// Such a worker hears no question at all, and takes tasks as any other.
#[test]
fn a_queue_whose_readers_have_remote_control_switched_off_is_sent_to_with_a_warning() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let options = WorkerOptions {
        broker: vhost.url.clone(),
        backend: "rpc://".to_owned(),
        conf: "'worker_enable_remote_control': False".to_owned(),
        ..WorkerOptions::one_slot()
    };
    let _worker = Worker::start("shop.tasks", &options);
    let sandbox = Sandbox::new()
        .env("CELERY_BROKER_URL", &vhost.url)
        .env("CELERY_RESULT_BACKEND", "rpc://");
    let words = [
        "call",
        "--json",
        "shop.tasks.add",
        "1",
        "2",
        "--timeout",
        "20",
    ];
    let document = sandbox.cli(&words).expect_code(0).json();
    assert_eq!(document["result"], 3);
    let warnings = document["warnings"].to_string();
    assert!(
        warnings.contains("remote control switched off"),
        "{document:#}"
    );
}

#[test]
fn a_task_that_nobody_has_is_refused_with_the_name_that_was_perhaps_meant() {
    let Some(rig) = rig() else { return };
    let world = RpcPrefork.shared(rig);
    let document = world.document(6, "ad", &["1", "2"]);
    assert_eq!(document["error"]["kind"], "no_worker");
    assert!(
        document["error"]["hint"]
            .to_string()
            .contains("did you mean shop.tasks.add"),
        "{document}"
    );
}

#[test]
fn a_task_that_the_readers_of_this_queue_lack_is_refused_with_the_queues_of_those_that_have_it() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let start = |app: &str, name: &str, queues: &[&str]| {
        let options = WorkerOptions {
            broker: vhost.url.clone(),
            backend: "rpc://".to_owned(),
            name: name.to_owned(),
            queues: queues.iter().map(|&queue| queue.to_owned()).collect(),
            ..WorkerOptions::one_slot()
        };
        Worker::start(app, &options)
    };
    let _has_it = start("shop.hostile", "w1@test", &["celery", "mail"]);
    let _lacks_it = start("shop.tasks", "w2@test", &["third"]);
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &vhost.url);
    let words = [
        "call",
        "shop.hostile.documented",
        "--queue",
        "third",
        "--json",
        "--timeout",
        "1",
    ];
    let hint = "workers that have shop.hostile.documented read celery, mail: --queue celery, or another of them";
    // A worker that answers late is not waited for.
    eventually(PATIENCE, hint, || {
        let outcome = sandbox.cli(&words);
        outcome.code() == Some(6) && outcome.json()["error"]["hint"] == hint
    });
}

#[rstest]
fn without_a_look_first_the_worker_says_that_it_has_no_such_task(
    #[values(RedisPrefork, RpcPrefork)] kind: crate::world::Kind,
) {
    let Some(rig) = rig() else { return };
    let document = kind.shared(rig).document(1, "no_such", &["--no-preflight"]);
    assert_eq!(
        (&document["state"], &document["error"]["kind"]),
        (&json!("no_task"), &json!("not_registered")),
        "{document}"
    );
    assert_eq!(document["sent"], true);
}

#[test]
fn without_a_look_first_the_broker_returns_what_fits_no_queue() {
    let Some(rig) = rig() else { return };
    let world = RedisPrefork.shared(rig);
    let document = world.document(
        4,
        "add",
        &["1", "2", "--queue", "nowhere", "--no-preflight"],
    );
    assert_eq!(
        (&document["state"], &document["sent"]),
        (&json!("unsent"), &json!(false))
    );
    assert_eq!(document["error"]["kind"], "unsent");
    assert_eq!(document["error"]["retry_safe"], true);
}

#[test]
fn on_a_broker_without_workers_a_call_is_refused_and_nothing_is_left() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &vhost.url);
    let document = sandbox.cli(&["call", "t", "--json"]).expect_code(6).json();
    assert_eq!(
        (&document["state"], &document["error"]["kind"]),
        (&json!("draft"), &json!("no_worker")),
        "{document}"
    );
    // The exclusive ones go with their connection, in RabbitMQ's own time.
    eventually(PATIENCE, "no queue is left", || vhost.queues().is_empty());
}

#[test]
fn a_worker_that_stopped_leaves_a_queue_that_is_refused() {
    let Some(rig) = rig() else { return };
    let world = RpcPrefork.start(rig, WorkerOptions::one_slot());
    world.worker.stop();
    let document = world.document(6, "add", &["1", "2"]);
    assert_eq!(document["error"]["kind"], "no_worker", "{document}");
    assert!(world.vhost.messages("celery").is_empty());
    // Sent all the same when told to; nobody answers.
    let document = world.document(3, "add", &["1", "2", "--no-preflight", "--timeout", "1"]);
    assert_eq!(document["sent"], true);
    assert_eq!(world.vhost.messages("celery").len(), 1);
}

#[rstest]
#[case::closed_port("redis://127.0.0.1:1/0")]
#[case::unknown_host("redis://no-such-host.invalid/0")]
fn an_unreachable_backend_stops_the_call_before_it_is_sent(#[case] backend: &str) {
    let Some(rig) = rig() else { return };
    let world = RedisPrefork.shared(rig);
    let id = new_id();
    let sandbox = world.sandbox().env("CELERY_RESULT_BACKEND", backend);
    let outcome = sandbox
        .cli(&[
            "call",
            "shop.tasks.add",
            "1",
            "2",
            "--json",
            "--task-id",
            &id,
        ])
        .expect_code(4);
    let document = outcome.json();
    assert_eq!(document["error"]["kind"], "backend_unreachable");
    assert_eq!(
        (&document["state"], &document["sent"]),
        (&json!("draft"), &json!(false))
    );
    assert_eq!(document["error"]["retry_safe"], true);
    // The next call comes after it on the same queue: had it been sent, the worker would have met it first.
    world.document(0, "add", &["1", "2"]);
    assert!(!world.worker.log().contains(&id));
    let outcome = sandbox
        .cli(&["call", "shop.tasks.add", "1", "2"])
        .expect_code(4);
    assert!(
        outcome.stderr.contains("nothing was sent"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_backend_that_refuses_us_stops_the_call_before_it_is_sent() {
    let Some(rig) = rig() else { return };
    let world = RedisPrefork.shared(rig);
    let redis = PrivateRedis::with_password("hunter2xyz");
    for url in [
        format!("redis://127.0.0.1:{}/0", redis.port),
        format!("redis://:wrong@127.0.0.1:{}/0", redis.port),
    ] {
        let outcome = world.sandbox().env("CELERY_RESULT_BACKEND", &url).cli(&[
            "call",
            "shop.tasks.add",
            "1",
            "2",
            "--json",
        ]);
        let document = outcome.expect_code(4).json();
        assert_eq!(
            (&document["sent"], &document["error"]["kind"]),
            (&json!(false), &json!("backend_unreachable")),
            "{document}"
        );
        assert!(
            document["error"]["message"]
                .to_string()
                .contains("password"),
            "{document}"
        );
    }
}

#[test]
fn a_masked_password_of_the_backend_is_asked_for() {
    let Some(rig) = rig() else { return };
    let (vhost, redis) = (rig.vhost(), PrivateRedis::with_password("hunter2xyz"));
    let backend = format!("{}/0", redis.url);
    let options = WorkerOptions {
        broker: vhost.url.clone(),
        backend: backend.clone(),
        pool: "solo".to_owned(),
        ..WorkerOptions::default()
    };
    let worker = Worker::start("shop.tasks", &options);
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &vhost.url);
    let id = new_id();
    let outcome = sandbox
        .cli(&[
            "call",
            "shop.tasks.add",
            "1",
            "2",
            "--json",
            "--task-id",
            &id,
        ])
        .expect_code(11);
    let document = outcome.json();
    assert_eq!(document["error"]["kind"], "config", "{document}");
    assert!(
        document["error"]["message"]
            .to_string()
            .contains("what is it?"),
        "{document}"
    );
    assert!(
        document["error"]["hint"]
            .to_string()
            .contains("CELERY_RESULT_BACKEND"),
        "{document}"
    );
    assert_eq!(document["sent"], false);
    assert!(!outcome.stdout.contains("hunter2xyz"));
    let sandbox = sandbox.env("CELERY_RESULT_BACKEND", &backend);
    let outcome = sandbox
        .cli(&[
            "call",
            "shop.tasks.add",
            "1",
            "2",
            "--json",
            "--timeout",
            "60",
        ])
        .expect_code(0);
    assert!(!outcome.stdout.contains("hunter2xyz"));
    assert!(!worker.log().contains(&id));
}

#[rstest]
#[case::password("amqp://guest:hunter2xyz@", "", "password")]
#[case::user("amqp://nobody:hunter2xyz@", "", "user")]
#[case::vhost("amqp://guest:guest@", "no-such-vhost", "no-such-vhost")]
fn a_login_that_is_refused_is_exit_4_and_says_why(
    #[case] login: &str,
    #[case] vhost: &str,
    #[case] said: &str,
) {
    let Some(rig) = rig() else { return };
    let url = format!("{login}127.0.0.1:{}/{vhost}", rig.rabbit.port);
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &url);
    for command in [&["call", "t"][..], &["tasks"]] {
        let outcome = sandbox.cli(command).expect_code(4);
        assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("hunter2xyz"), "{}", outcome.stderr);
        let words: Vec<&str> = command.iter().copied().chain(["--json"]).collect();
        let document = sandbox.cli(&words).expect_code(4).json();
        assert_eq!(document["error"]["kind"], "unsent", "{document}");
    }
}

#[test]
fn a_broker_that_is_no_broker_is_exit_4_within_its_time() {
    let Some(rig) = rig() else { return };
    let redis = rig.redis.replace("redis://", "amqp://guest:guest@");
    let outcome = Sandbox::new()
        .cli(&["tasks", "--json", "--broker", &redis])
        .expect_code(4);
    assert!(
        outcome.took < std::time::Duration::from_secs(8),
        "{:?}",
        outcome.took
    );
}
