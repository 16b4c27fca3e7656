//! What a call leaves behind: one message sent, and nothing of ours on the broker or in Redis.

use std::time::Duration;

use redis::Commands;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{PATIENCE, Sandbox, Vhost, WorkerOptions, eventually, eventually_some, rig};
use crate::world::Kind::{self, RedisPrefork, RpcPrefork};
use crate::world::new_id;

fn ours(vhost: &Vhost) -> Vec<String> {
    vhost
        .queues()
        .into_iter()
        .filter(|queue| queue.starts_with("umbel."))
        .collect()
}

#[track_caller]
fn assert_nothing_is_left(vhost: &Vhost) {
    // The exclusive queue goes when the broker has seen the connection close.
    eventually(Duration::from_secs(10), "no queue of ours is left", || {
        ours(vhost).is_empty()
    });
}

#[rstest]
fn nothing_is_left_on_the_broker_whatever_the_end(#[values(RedisPrefork, RpcPrefork)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let world = kind.start(rig, WorkerOptions::default());
    world.document(0, "add", &["1", "2"]);
    world.document(1, "fail", &[]);
    world.document(3, "sleep", &["3", "--timeout", "500ms"]);
    world.document(6, "no_such", &[]);
    world.document(
        4,
        "add",
        &["1", "2", "--queue", "nowhere", "--no-preflight"],
    );
    for command in ["tasks", "queues", "workers"] {
        world.cli(&[command]).expect_code(0);
    }
    assert_nothing_is_left(&world.vhost);
    let exchanges = world
        .vhost
        .rabbit
        .management
        .get(&format!("exchanges/{}?columns=name", world.vhost.name));
    assert!(!exchanges.to_string().contains("umbel"), "{exchanges}");
}

#[rstest]
#[case("INT", 130)]
#[case("TERM", 143)]
fn a_call_that_is_stopped_tidies_up_and_the_task_goes_on(
    #[case] signal: &str,
    #[case] code: i32,
    #[values(RedisPrefork, RpcPrefork)] kind: Kind,
) {
    let Some(rig) = rig() else { return };
    let world = kind.start(rig, WorkerOptions::one_slot());
    let id = new_id();
    let words = ["6", "--task-id", &id, "--progress", "plain"];
    let running = world.start_call("sleep", &words);
    // A worker may take a message before its sender has the confirm.
    running.wait_for_stderr(&[" RUN"]);
    running.signal(signal);
    let outcome = running.wait().expect_code(code);
    let ended = format!("[{id}] succeeded");
    assert!(
        !world.worker.log().contains(&ended),
        "the task was waited for"
    );
    let document = outcome.json();
    assert_eq!(
        (&document["error"]["kind"], &document["sent"]),
        (&json!("interrupted"), &json!(true)),
        "{document}"
    );
    assert_eq!(document["exit"], code);
    assert_eq!(document["error"]["retry_safe"], false);
    assert_nothing_is_left(&world.vhost);
    world.worker.wait_for_log(&ended);
}

#[rstest]
#[case("tasks")]
#[case("workers")]
fn a_listing_that_is_stopped_tidies_up(#[case] command: &str) {
    let Some(rig) = rig() else { return };
    let world = RpcPrefork.start(rig, WorkerOptions::one_slot());
    // A frozen worker makes it wait its second; one that was over before the signal came tells nothing.
    world.worker.freeze();
    let document = eventually_some(PATIENCE, "a listing is stopped on its way", || {
        let mut running = world.sandbox().start(&[command, "--json"]);
        eventually(PATIENCE, "our queues are declared", || {
            !ours(&world.vhost).is_empty() || running.has_ended()
        });
        running.signal("INT");
        let outcome = running.wait();
        (outcome.code() != Some(0)).then(|| outcome.expect_code(130).json())
    });
    assert_eq!(document["error"]["kind"], "interrupted");
    assert_nothing_is_left(&world.vhost);
    world.worker.thaw();
}

#[test]
fn after_a_kill_the_result_queue_is_durable_and_expires() {
    let Some(rig) = rig() else { return };
    let world = RpcPrefork.start(rig, WorkerOptions::one_slot());
    let id = new_id();
    let running = world.start_call("sleep", &["600", "--task-id", &id]);
    world.wait_received(&id);
    running.signal("KILL");
    running.wait();
    let queues = || -> Vec<Value> {
        let path = format!(
            "queues/{}?columns=name,durable,exclusive,auto_delete,arguments",
            world.vhost.name
        );
        let all = world.vhost.rabbit.management.get(&path);
        let all = all.as_array().expect("a list").iter();
        all.filter(|queue| {
            queue["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("umbel."))
        })
        .cloned()
        .collect()
    };
    eventually(
        Duration::from_secs(10),
        "only the result queue is left",
        || queues().len() == 1,
    );
    let queue = &queues()[0];
    assert_eq!(
        (&queue["durable"], &queue["auto_delete"]),
        (&json!(true), &json!(false)),
        "{queue}"
    );
    assert_eq!(queue["arguments"], json!({"x-expires": 300_000}));
}

#[test]
fn a_call_is_exactly_one_message_and_it_is_the_one_that_was_shown() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("unread");
    let sandbox = Sandbox::new()
        .env("CELERY_BROKER_URL", &vhost.url)
        .env("CELERY_RESULT_BACKEND", "rpc://");
    let id = new_id();
    let words = [
        "call",
        "shop.tasks.add",
        "1",
        "y=客",
        "--queue",
        "unread",
        "--task-id",
        &id,
    ];
    let words = |more: &[&str]| -> Vec<String> {
        words
            .iter()
            .chain(more)
            .map(|&word| word.to_owned())
            .collect()
    };
    let run =
        |more: &[&str]| sandbox.cli(&words(more).iter().map(String::as_str).collect::<Vec<_>>());
    let shown = run(&["--dry-run"]).expect_code(0).json();
    let document = run(&["--no-preflight", "--timeout", "700ms", "--json"])
        .expect_code(3)
        .json();
    assert_eq!(
        (&document["state"], &document["sent"]),
        (&json!("timeout"), &json!(true))
    );
    assert_eq!(
        document["diagnosis"]["why"][0]["kind"], "no_consumer",
        "{document}"
    );
    let messages = vhost.messages("unread");
    assert_eq!(messages.len(), 1);
    let sent = &messages[0];
    for key in [
        "content_type",
        "content_encoding",
        "delivery_mode",
        "correlation_id",
    ] {
        assert_eq!(sent["properties"][key], shown["properties"][key], "{key}");
    }
    assert!(
        sent["properties"].get("expiration").is_none()
            && sent["properties"].get("priority").is_none(),
        "{sent}"
    );
    let headers = sent["properties"]["headers"].as_object().expect("headers");
    for (name, value) in shown["headers"].as_object().expect("headers") {
        // The management API writes null as "undefined", and says nothing of an empty table.
        let null = value.is_null() || *value == json!([null, null]) || *value == json!({});
        if name != "origin" && !null {
            assert_eq!(headers.get(name), Some(value), "{name}");
        }
    }
    let body: Value = serde_json::from_str(sent["payload"].as_str().expect("text")).expect("JSON");
    assert_eq!(body, shown["body"]);
    assert_nothing_is_left(&vhost);
}

#[test]
fn in_redis_only_the_results_are_left_and_they_expire() {
    let Some(rig) = rig() else { return };
    let world = RedisPrefork.start(rig, WorkerOptions::one_slot());
    let ids = [new_id(), new_id(), new_id()];
    world.document(0, "add", &["1", "2", "--task-id", &ids[0]]);
    world.document(1, "fail", &["--task-id", &ids[1]]);
    world.document(
        3,
        "sleep",
        &["4", "--timeout", "500ms", "--task-id", &ids[2]],
    );
    world
        .worker
        .wait_for_log(&format!("[{}] succeeded", ids[2]));
    let mut redis = world.db.as_ref().expect("a database").connection();
    let mut keys: Vec<String> = redis.keys("*").expect("keys");
    let mut expected: Vec<String> = ids
        .iter()
        .map(|id| format!("celery-task-meta-{id}"))
        .collect();
    keys.sort();
    expected.sort();
    assert_eq!(keys, expected);
    for key in &keys {
        let ttl: i64 = redis.ttl(key).expect("a time to live");
        assert!(ttl > 0, "{key}: {ttl}");
        let (_, subscribers): (String, u64) = redis::cmd("PUBSUB")
            .arg("NUMSUB")
            .arg(key)
            .query(&mut redis)
            .expect("an answer");
        assert_eq!(subscribers, 0, "{key}");
    }
}
