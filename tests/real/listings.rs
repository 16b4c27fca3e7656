//! `tasks`, `queues` and `workers` against live workers, and against workers that do not answer.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{
    PATIENCE, Sandbox, Version, Vhost, Worker, WorkerOptions, celery, eventually, rig,
};
use crate::world::Kind::{self, RedisPrefork, RpcPrefork};

fn entry<'a>(document: &'a Value, list: &str, name: &str) -> &'a Value {
    let entries = document[list].as_array().expect("a list");
    entries
        .iter()
        .find(|entry| entry["name"] == name)
        .unwrap_or_else(|| panic!("no {name}: {document}"))
}

#[rstest]
fn tasks_of_a_live_worker(#[values(RedisPrefork, RpcPrefork)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let document = kind
        .shared(rig)
        .cli(&["tasks", "--json"])
        .expect_code(0)
        .json();
    assert_eq!(
        (&document["workers_replied"], &document["workers_known"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        entry(&document, "tasks", "shop.tasks.add")["queue"],
        "celery"
    );
    assert_eq!(
        entry(&document, "tasks", "shop.tasks.add")["result"],
        "kept"
    );
    assert_eq!(
        entry(&document, "tasks", "shop.tasks.mail")["queue"],
        "mail"
    );
    assert_eq!(
        entry(&document, "tasks", "shop.tasks.silent")["result"],
        "ignored"
    );
    assert_eq!(
        entry(&document, "tasks", "short.name")["workers"],
        json!(["w1@test"])
    );
    let document = kind
        .shared(rig)
        .cli(&["tasks", "shop.tasks.a*", "--json"])
        .expect_code(0)
        .json();
    assert_eq!(document["tasks"].as_array().map(Vec::len), Some(1));
}

#[rstest]
fn queues_of_a_live_worker(#[values(RedisPrefork)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let world = kind.shared(rig);
    let document = world.cli(&["queues", "--json"]).expect_code(0).json();
    for name in ["celery", "mail"] {
        let queue = entry(&document, "queues", name);
        assert_eq!(queue["consumers"], 1, "{queue}");
        assert_eq!(queue["note"], "consumed only by w1@test");
    }
    world.vhost.declare_queue("lonely");
    let document = world
        .cli(&["queues", "lonely", "--json"])
        .expect_code(0)
        .json();
    let queue = entry(&document, "queues", "lonely");
    assert_eq!(
        (&queue["ready"], &queue["consumers"]),
        (&json!(0), &json!(0))
    );
}

fn listed(document: &Value) -> Vec<&str> {
    let queues = document["queues"].as_array().expect("a list");
    let mut names: Vec<&str> = queues.iter().filter_map(|it| it["name"].as_str()).collect();
    names.sort_unstable();
    names
}

#[test]
fn queues_without_a_worker_are_those_that_history_and_the_management_api_know() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &vhost.url);
    let nothing = sandbox.cli(&["queues", "--json"]).expect_code(6).json();
    assert_eq!(nothing["queues"], json!([]));
    for name in ["celery", "lonely", "mail"] {
        vhost.declare_queue(name);
    }
    let send = [
        "send",
        "shop.tasks.add",
        "--no-preflight",
        "--history",
        "--queue",
    ];
    sandbox
        .cli(&[&send[..], &["lonely"]].concat())
        .expect_code(0);
    let outcome = sandbox.cli(&["queues", "--json"]).expect_code(0);
    let document = outcome.json();
    assert_eq!(listed(&document), ["celery", "lonely"], "{document}");
    let lonely = entry(&document, "queues", "lonely");
    assert_eq!(
        (&lonely["ready"], &lonely["consumers"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(lonely["trouble"], "no_consumer");
    assert_eq!(lonely["note"], "nobody reads it; known from history");
    assert!(
        outcome.stderr.contains("known otherwise"),
        "{}",
        outcome.stderr
    );

    let management = std::env::var("UMBEL_TEST_MANAGEMENT").expect("tests/run names it");
    let asked = sandbox.env("UMBEL_MANAGEMENT", &management);
    let document = asked.cli(&["queues", "--json"]).expect_code(0).json();
    assert_eq!(
        listed(&document),
        ["celery", "lonely", "mail"],
        "{document}"
    );
    let note = entry(&document, "queues", "mail")["note"].to_string();
    assert!(
        note.contains("known from RabbitMQ's management API"),
        "{note}"
    );
}

#[test]
fn queues_without_a_worker_are_those_that_kombu_bound_on_redis() {
    let Some(rig) = rig() else { return };
    let db = rig.redis_db();
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &db.url);
    sandbox.cli(&["queues", "--json"]).expect_code(6);
    for queue in ["celery", "mail", "mail"] {
        celery(&db.url, "", &["call", "shop.tasks.add", "--queue", queue]).expect_code(0);
    }
    let document = sandbox.cli(&["queues", "--json"]).expect_code(0).json();
    assert_eq!(listed(&document), ["celery", "mail"], "{document}");
    let mail = entry(&document, "queues", "mail");
    assert_eq!(
        (&mail["ready"], &mail["consumers"]),
        (&json!(2), &Value::Null)
    );
    // A worker without remote control may read it.
    assert_eq!(mail["trouble"], Value::Null);
    let note = mail["note"].as_str().unwrap_or_default();
    assert!(note.ends_with("known from kombu's bindings"), "{note}");
}

#[rstest]
fn workers_of_both_pools(#[values(Kind::RedisPrefork, Kind::RpcSolo)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let world = kind.start(
        rig,
        WorkerOptions {
            concurrency: 3,
            ..WorkerOptions::default()
        },
    );
    let document = world.cli(&["workers", "--json"]).expect_code(0).json();
    assert_eq!(
        (&document["workers_replied"], &document["workers_known"]),
        (&json!(1), &json!(1))
    );
    let worker = entry(&document, "workers", "w1@test");
    let slots = if kind.pool() == "solo" { 1 } else { 3 };
    assert_eq!(worker["state"], "ok");
    assert_eq!(
        (&worker["slots"], &worker["active"]),
        (&json!(slots), &json!(0)),
        "{worker}"
    );
    assert_eq!(worker["pool"], kind.pool());
    assert_eq!(worker["queues"], json!(["celery"]));
    assert!(
        worker["celery"]
            .as_str()
            .is_some_and(|version| version.starts_with(Version::usual().name())),
        "{worker}"
    );
    assert!(
        worker["uptime_s"].is_u64() && worker["ping_ms"].is_number(),
        "{worker}"
    );
}

#[test]
fn a_worker_with_all_its_slots_taken_is_busy() {
    let Some(rig) = rig() else { return };
    let world = RedisPrefork.start(rig, WorkerOptions::one_slot());
    let id = crate::world::new_id();
    let call = world.start_call("sleep", &["5", "--task-id", &id]);
    world.wait_received(&id);
    eventually(PATIENCE, "the worker is busy", || {
        let document = world.cli(&["workers", "--json"]).expect_code(0).json();
        entry(&document, "workers", "w1@test")["state"] == "busy"
    });
    call.wait().expect_code(0);
}

/// Two workers on one queue; the second is frozen.
fn half_frozen(vhost: &Vhost) -> [Worker; 2] {
    let start = |name: &str| {
        let options = WorkerOptions {
            broker: vhost.url.clone(),
            backend: "rpc://".to_owned(),
            pool: "solo".to_owned(),
            name: name.to_owned(),
            ..WorkerOptions::default()
        };
        Worker::start("shop.tasks", &options)
    };
    let workers = [start("alive@test"), start("frozen@test")];
    workers[1].freeze();
    workers
}

#[test]
fn a_frozen_worker_is_counted_though_it_says_nothing() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let workers = half_frozen(&vhost);
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &vhost.url);
    for command in ["tasks", "workers"] {
        let outcome = sandbox.cli(&[command, "--json"]).expect_code(0);
        let document = outcome.json();
        assert_eq!(
            (&document["workers_replied"], &document["workers_known"]),
            (&json!(1), &json!(2)),
            "{document}"
        );
        assert!(outcome.took < Duration::from_secs(4), "{:?}", outcome.took);
        assert!(
            outcome.stderr.contains("did not answer"),
            "{}",
            outcome.stderr
        );
    }
    let document = sandbox.cli(&["tasks", "--json"]).expect_code(0).json();
    assert_eq!(
        entry(&document, "tasks", "shop.tasks.add")["workers"],
        json!(["alive@test"])
    );
    // A task that only the silent one may know is sent, with a warning: silence proves nothing.
    let outcome = sandbox.cli(&["call", "no.such", "--json", "--timeout", "2"]);
    let document = outcome.json();
    assert_ne!(outcome.code(), Some(6), "{document}");
    assert!(
        !document["warnings"].as_array().expect("a list").is_empty(),
        "{document}"
    );

    workers[0].freeze();
    for (command, list) in [("tasks", "tasks"), ("workers", "workers")] {
        let outcome = sandbox.cli(&[command, "--json"]).expect_code(6);
        let document = outcome.json();
        assert_eq!(document[list], json!([]), "{document}");
        assert!(outcome.took < Duration::from_secs(4), "{:?}", outcome.took);
        let outcome = sandbox.cli(&[command]).expect_code(6);
        assert_eq!(outcome.stdout, "");
        assert!(
            outcome.stderr.contains("no worker answered"),
            "{}",
            outcome.stderr
        );
    }
    // The broker counts who reads a queue, whoever answers.
    let outcome = sandbox.cli(&["queues", "--json"]).expect_code(0);
    let celery = &outcome.json()["queues"][0];
    assert_eq!(
        (&celery["name"], &celery["consumers"]),
        (&json!("celery"), &json!(2))
    );
    assert!(
        outcome.stderr.contains("no worker answered") && outcome.took < Duration::from_secs(4),
        "{:?} {}",
        outcome.took,
        outcome.stderr
    );
    workers.iter().for_each(Worker::thaw);
}

#[rstest]
#[case("tasks")]
#[case("workers")]
#[case("queues")]
fn without_any_worker_the_list_is_empty_and_the_code_6(#[case] command: &str) {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &vhost.url);
    let outcome = sandbox.cli(&[command, "--json"]).expect_code(6);
    assert_eq!(outcome.json()[command], json!([]));
    let outcome = sandbox.cli(&[command]).expect_code(6);
    assert!(
        outcome.stderr.contains("no worker listens"),
        "{}",
        outcome.stderr
    );
    // The exclusive ones go with their connection, in RabbitMQ's own time.
    eventually(PATIENCE, "no queue is left", || vhost.queues().is_empty());
}

#[test]
fn hostile_names_are_shown_and_not_obeyed() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let options = WorkerOptions {
        broker: vhost.url.clone(),
        backend: "rpc://".to_owned(),
        pool: "solo".to_owned(),
        ..WorkerOptions::default()
    };
    let _worker = Worker::start("shop.hostile", &options);
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &vhost.url);
    let document = sandbox
        .cli(&["tasks", "hostile", "--json"])
        .expect_code(0)
        .json();
    let tasks = document["tasks"].as_array().expect("a list");
    assert!(
        tasks.iter().any(|task| task["name"]
            .as_str()
            .is_some_and(|name| name.contains('\u{1b}'))),
        "{document}"
    );
    let plain = sandbox.cli(&["tasks", "hostile", "--plain"]).expect_code(0);
    assert!(
        !plain.stdout.contains('\u{1b}') && !plain.stdout.contains('\u{9b}'),
        "{}",
        plain.stdout
    );
    assert_eq!(plain.stdout.lines().count(), tasks.len() + 1);
    let mut pty = sandbox.pty(40, 160, &["tasks", "hostile"]);
    pty.wait_exit();
    let said = String::from_utf8(pty.bytes()).expect("UTF-8");
    assert!(
        said.chars()
            .all(|c| !c.is_control() || c == '\n' || c == '\r'),
        "{said:?}"
    );
}
