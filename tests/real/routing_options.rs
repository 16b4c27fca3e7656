//! Exchanges, routing keys, priorities, delays and forms, on queues that are more than a name.

use rstest::rstest;
use serde_json::{Value, json};
use umbel::clock::Timestamp;

use crate::support::{Sandbox, Version, Vhost, Worker, WorkerOptions, rig};

/// A worker that reads `queues` of the shop with routes.
fn worker(vhost: &Vhost, queues: &str, conf: &str) -> Worker {
    let options = WorkerOptions {
        broker: vhost.url.clone(),
        backend: "rpc://".to_owned(),
        pool: "solo".to_owned(),
        conf: conf.to_owned(),
        env: vec![("QUEUES".to_owned(), queues.to_owned())],
        version: Some(Version::newest()),
        ..WorkerOptions::default()
    };
    Worker::start("shop.routed", &options)
}

#[track_caller]
fn call(vhost: &Vhost, code: i32, words: &[&str]) -> Value {
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &vhost.url);
    let words: Vec<&str> = [
        "call",
        "--json",
        "--timeout",
        "30",
        "shop.tasks.add",
        "2",
        "3",
    ]
    .iter()
    .chain(words)
    .copied()
    .collect();
    sandbox.cli(&words).expect_code(code).json()
}

fn warnings(document: &Value) -> String {
    document["warnings"].to_string()
}

#[rstest]
#[case::topic("orders", &["--exchange", "tasks", "--routing-key", "order.new"], "orders")]
#[case::topic_of_the_queue("orders", &["--queue", "orders", "--routing-key", "order.old"], "orders")]
#[case::fanout("news", &["--exchange", "news"], "news")]
#[case::direct("odd key", &["--exchange", "odd", "--routing-key", "not the name"], "odd key")]
#[case::straight("odd key", &["--queue", "odd key"], "odd key")]
fn a_call_goes_through_the_exchange_to_its_queue(
    #[case] queues: &str,
    #[case] words: &[&str],
    #[case] queue: &str,
) {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let _worker = worker(&vhost, queues, "");
    let document = call(&vhost, 0, words);
    assert_eq!(
        (&document["result"], &document["queue"]),
        (&json!(5), &json!(queue)),
        "{document}"
    );
    assert_eq!(document["warnings"], json!([]));
}

#[test]
fn an_exchange_that_leads_to_two_queues_is_told_to_run_it_twice() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let worker = worker(&vhost, "orders,qtopic", "");
    let id = uuid::Uuid::new_v4().to_string();
    let words = [
        "--exchange",
        "tasks",
        "--routing-key",
        "order.new",
        "--task-id",
        &id,
    ];
    let document = call(&vhost, 0, &words);
    assert!(
        warnings(&document).contains("2 queues (orders, qtopic)"),
        "{document}"
    );
    assert_eq!(document["queue"], json!(null), "not one queue");
    let ran = || worker.log().matches(&format!("[{id}] succeeded")).count();
    crate::support::eventually(crate::support::PATIENCE, "it runs twice", || ran() == 2);
}

#[rstest]
#[case::queue(&["--queue", "nope", "--no-preflight"], "\"nope\"")]
#[case::exchange(&["--exchange", "nope", "--routing-key", "x"], "nope")]
#[case::key(&["--exchange", "tasks", "--routing-key", "nothing"], "\"nothing\" from the exchange \"tasks\"")]
fn what_nobody_takes_is_unsent_and_says_where_it_was_to_go(
    #[case] words: &[&str],
    #[case] names: &str,
) {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let _worker = worker(&vhost, "orders", "");
    let document = call(&vhost, 4, words);
    assert_eq!(
        (&document["state"], &document["sent"]),
        (&json!("unsent"), &json!(false)),
        "{document}"
    );
    let message = document["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains(names), "{document}");
}

#[test]
fn a_routing_key_without_a_known_exchange_is_asked_for_one() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let _worker = worker(&vhost, "orders", "");
    let document = call(
        &vhost,
        2,
        &["--queue", "nope", "--routing-key", "x", "--no-preflight"],
    );
    assert!(
        document["error"]["hint"].to_string().contains("--exchange"),
        "{document}"
    );
}

/// Whether a worker was seen to hold it soon after it was sent.
fn held_by_worker(document: &Value) -> bool {
    let at = |key: &str| {
        document[key]
            .as_str()
            .map(|text| text.parse::<Timestamp>().expect("a time"))
    };
    let sent = at("sent_at").expect("it was sent");
    at("received_by_at").is_some_and(|received| received.duration_since(sent).as_millis() < 2500)
}

#[rstest]
#[case::held_by_the_broker("qtopic", true)]
#[case::held_by_the_worker("qdirect", false)]
fn a_countdown_for_a_quorum_queue_is_kept(#[case] queue: &str, #[case] by_broker: bool) {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let _worker = worker(&vhost, queue, "");
    let document = call(&vhost, 0, &["--queue", queue, "--countdown", "3"]);
    assert_eq!(document["result"], json!(5), "{document}");
    let total = document["total_ms"].as_u64().unwrap_or_default();
    assert!((2900..20_000).contains(&total), "{document}");
    assert_eq!(held_by_worker(&document), !by_broker, "{document}");
}

#[test]
fn the_highest_priority_is_served_first() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue_with("urgent", &json!({"x-max-priority": 10}));
    let ids = ["low", "high"].map(|name| format!("{name}-{}", uuid::Uuid::new_v4()));
    for (id, priority) in ids.iter().zip(["1", "9"]) {
        let words = [
            "--queue",
            "urgent",
            "--no-preflight",
            "--result",
            "none",
            "--priority",
            priority,
            "--task-id",
            id,
        ];
        let backend = ["--backend", "rpc://"];
        let words: Vec<&str> = words.iter().chain(&backend).copied().collect();
        assert_eq!(call(&vhost, 0, &words)["state"], "no_result");
    }
    let worker = worker(&vhost, "urgent", "'worker_prefetch_multiplier': 1");
    let place = |id: &str| worker.log().find(&format!("[{id}] received"));
    for id in &ids {
        worker.wait_for_log(&format!("[{id}] succeeded"));
    }
    assert!(place(&ids[1]) < place(&ids[0]), "{}", worker.log());
}

#[test]
fn a_priority_that_does_nothing_is_told() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let _worker = worker(&vhost, "celery,urgent", "");
    let ignored = call(&vhost, 0, &["--priority", "5"]);
    assert!(
        warnings(&ignored).contains("queue celery has no priorities"),
        "{ignored}"
    );
    let kept = call(&vhost, 0, &["--priority", "5", "--queue", "urgent"]);
    assert_eq!(kept["warnings"], json!([]));
}

#[rstest]
#[case::json(&[])]
#[case::msgpack(&["--serializer", "msgpack"])]
#[case::yaml(&["--serializer", "yaml"])]
fn a_call_is_written_in_a_form_that_the_worker_accepts(#[case] words: &[&str]) {
    let conf = "'accept_content': ['application/x-msgpack', 'json', 'yaml']";
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let _worker = worker(&vhost, "celery", conf);
    let document = call(&vhost, 0, words);
    assert_eq!(
        (&document["result"], &document["warnings"]),
        (&json!(5), &json!([])),
        "{document}"
    );
}

#[test]
fn a_form_that_no_worker_accepts_is_not_sent() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let _worker = worker(&vhost, "celery", "'accept_content': ['json', 'msgpack']");
    let document = call(&vhost, 6, &["--serializer", "yaml"]);
    let message = document["error"]["message"].to_string();
    assert!(
        message.contains("yaml") && message.contains("accepts json, msgpack"),
        "{document}"
    );
    assert_eq!(document["sent"], false);
}

#[test]
fn a_worker_that_takes_msgpack_alone_answers_no_question_and_runs_what_it_is_sent() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let _worker = worker(
        &vhost,
        "celery",
        "'accept_content': ['msgpack'], 'task_serializer': 'msgpack'",
    );
    let words = ["--serializer", "msgpack", "--backend", "rpc://"];
    let document = call(&vhost, 0, &words);
    assert_eq!(document["result"], json!(5), "{document}");
    assert!(
        warnings(&document).contains("no worker told its tasks"),
        "{document}"
    );
}
