//! What becomes of a task at its worker, and of the worker.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use super::stage::Way::{self, Rabbit, RabbitRpc, Redis, RedisRpc};
use super::stage::{ONE_AT_A_TIME, assert_fields, assert_since, kinds, now, one_slot, w1, why};
use crate::support::{PATIENCE, WorkerOptions, eventually};
use crate::world::new_id;

#[rstest]
fn it_runs(#[values(Rabbit, RabbitRpc, Redis, RedisRpc)] way: Way) {
    let Some(stage) = way.shared() else { return };
    let document = stage.over("sleep", &["20"]);
    let reason = why(&document, "running");
    let expected = json!({"worker": w1(), "told_ms": null, "inferred": false});
    assert_fields(reason, &expected);
    assert_since(&document, reason, "since_ms", "started_at");
    assert_eq!(kinds(&document)[0], "running", "{document:#}");
    let next = document["diagnosis"]["next"].as_array().expect("a list");
    let next: Vec<_> = next.iter().filter_map(|one| one["kind"].as_str()).collect();
    assert!(next.contains(&"terminate"), "{next:?}");
    // A result on rpc:// comes to its caller alone, who has gone.
    let stored = matches!(way, Rabbit | Redis);
    assert_eq!(next.contains(&"wait"), stored, "{next:?}");
}

/// Celery's own default: no state tells that it runs. It waits for seconds and is taken between two questions.
#[rstest]
fn what_waited_long_and_runs_without_a_state_that_tells_it_is_not_lost(
    #[values(Rabbit, Redis, RedisRpc)] way: Way,
) {
    let conf = format!("{ONE_AT_A_TIME}, 'task_track_started': False");
    let Some(stage) = way.start(one_slot(&conf)) else {
        return;
    };
    let _busy = stage.occupy("5");
    let words = ["30", "--timeout", "12", "--progress", "plain"];
    let outcome = stage.call("sleep", &words).wait().expect_code(3);
    assert!(!outcome.stderr.contains("no trace"), "{}", outcome.stderr);
    let document = outcome.json();
    let expected = json!({"worker": w1(), "told_ms": null, "inferred": false});
    assert_fields(why(&document, "running"), &expected);
    assert_eq!(kinds(&document)[0], "running", "{document:#}");
}

#[rstest]
fn its_worker_was_killed_and_had_acknowledged_it(#[values(Rabbit, Redis, RedisRpc)] way: Way) {
    let Some(stage) = way.start(one_slot("")) else {
        return;
    };
    let (call, _) = stage.in_the_middle("7");
    stage.kill9();
    let document = call.wait().expect_code(3).json();
    let expected = json!({"how": "gone", "runs_again": false, "started": true, "inferred": true});
    assert_fields(why(&document, "worker_lost"), &expected);
    // It looks the same as one that stops, and such a one finishes what it runs.
    let expected = json!({"state": "run", "inferred": true, "worker": w1()});
    assert_fields(now(&document), &expected);
}

/// On SIGTERM it stops listening first, and then finishes what it runs.
#[rstest]
fn its_worker_stops_and_still_finishes_it(#[values(Rabbit, Redis)] way: Way) {
    let Some(stage) = way.start(one_slot("")) else {
        return;
    };
    let (call, id) = stage.asleep("17", "9", Duration::from_millis(1_500));
    stage.terminate();
    let document = call.wait().expect_code(3).json();
    assert!(stage.is_alive(), "it ended before it was asked about");
    let lost = why(&document, "worker_lost");
    let expected = json!({"how": "gone", "started": true, "inferred": true});
    assert_fields(lost, &expected);
    let text = lost["text"].as_str().unwrap_or_default();
    assert!(
        text.contains("no longer connected (stopping, cut off or dead)"),
        "{text}"
    );
    let expected = json!({"state": "run", "inferred": true, "worker": w1()});
    assert_fields(now(&document), &expected);
    let words = ["wait", &id, "--json", "--timeout", "20"];
    let document = stage.sandbox().cli(&words).expect_code(0).json();
    assert_eq!(document["ok"], true, "{document:#}");
}

#[rstest]
fn its_worker_was_killed_and_the_broker_has_it_again(#[values(Rabbit, Redis)] way: Way) {
    let Some(stage) = way.start(one_slot(ONE_AT_A_TIME)) else {
        return;
    };
    let (call, _) = stage.in_the_middle("7");
    stage.kill9();
    let document = call.wait().expect_code(3).json();
    // A Redis does not notice.
    let late = way == Redis;
    let expected = json!({"runs_again": true, "after_visibility_timeout": late});
    assert_fields(why(&document, "worker_lost"), &expected);
}

/// Nobody saw that a worker had it: on a Redis nothing but the count of what was taken tells of it.
#[rstest]
fn its_worker_was_killed_before_it_could_be_asked(#[values(Redis, RedisRpc)] way: Way) {
    let Some(stage) = way.start(one_slot("")) else {
        return;
    };
    // A worker that is killed could have been asked first: nobody is there, and what one leaves is put in place of it.
    stage.stop();
    let words = ["1", "2", "--no-preflight", "--timeout", "20"];
    let call = stage.call("add", &words);
    eventually(PATIENCE, "the message waits", || {
        stage.waiting("celery") > 0
    });
    stage.take_as_one_that_dies("celery");
    let _again = stage.another(one_slot(""));
    let document = call.wait().expect_code(3).json();
    let expected = json!({"queue": "celery", "taken": 1, "inferred": true});
    assert_fields(why(&document, "taken_unseen"), &expected);
    assert!(!kinds(&document).contains(&"lost"), "{document:#}");
    assert_eq!(now(&document)["state"], "sent");
}

#[rstest]
fn its_worker_was_started_anew_and_knows_nothing_of_it(#[values(Rabbit, Redis)] way: Way) {
    let Some(stage) = way.start(one_slot("")) else {
        return;
    };
    let (call, _) = stage.in_the_middle("18");
    stage.kill9();
    let _again = stage.another(one_slot(""));
    let document = call.wait().expect_code(3).json();
    let expected = json!({"how": "restarted", "runs_again": false});
    assert_fields(why(&document, "worker_lost"), &expected);
}

/// A Redis gives it out again when its visibility timeout is over, at the next look of a worker: one is at its start.
#[rstest]
#[case::rabbit(Rabbit, ONE_AT_A_TIME)]
#[case::redis(
    Redis,
    "'task_acks_late': True, 'worker_prefetch_multiplier': 1, 'broker_transport_options': {'visibility_timeout': 1}"
)]
fn a_task_that_another_worker_starts_again_may_have_run_twice(
    #[case] way: Way,
    #[case] conf: &str,
) {
    let Some(stage) = way.start(one_slot(conf)) else {
        return;
    };
    let (call, id) = stage.in_the_middle("18");
    stage.kill9();
    let second = stage.another(one_slot(conf));
    second.wait_for_log(&format!("[{id}] received"));
    let document = call.wait().expect_code(3).json();
    let expected = json!({"worker": w1(), "started": true, "inferred": false});
    assert_fields(why(&document, "redelivered"), &expected);
    let at = |field: &str| document[field].as_str().map(str::to_owned);
    assert!(at("started_again_at").is_some(), "{document:#}");
    assert!(at("started_at") < at("last_started_at"), "{document:#}");
    assert_ne!(document["first_pid"], document["pid"], "{document:#}");
    assert_eq!(now(&document)["state"], "run", "{document:#}");
}

#[rstest]
fn its_worker_is_frozen(#[values(Rabbit, Redis)] way: Way) {
    let Some(stage) = way.start(one_slot("")) else {
        return;
    };
    let (call, _) = stage.in_the_middle("7");
    stage.freeze();
    let document = call.wait().expect_code(3).json();
    stage.thaw();
    let expected = json!({"worker": w1(), "has_it": true, "solo": false});
    assert_fields(why(&document, "worker_silent"), &expected);
    assert_fields(now(&document), &json!({"state": "run", "inferred": true}));
    let running = why(&document, "running");
    assert!(running["told_ms"].is_u64(), "{document:#}");
}

/// On SIGTERM it hears no question any more; the one of its name that is started beside it knows nothing of what it still runs.
#[rstest]
fn its_worker_was_started_anew_in_order_and_still_finishes_it(#[values(Rabbit, Redis)] way: Way) {
    let Some(stage) = way.start(one_slot("")) else {
        return;
    };
    let (call, id) = stage.asleep("25", "18", Duration::from_millis(2_500));
    stage.terminate();
    // No answer of its own is taken for one of the next.
    stage.wait_for_workers(0);
    let _again = stage.another(one_slot(""));
    let document = call.wait().expect_code(3).json();
    assert!(stage.is_alive(), "it ended before it was asked about");
    let lost = why(&document, "worker_lost");
    let expected = json!({"how": "restarted", "started": true, "inferred": true});
    assert_fields(lost, &expected);
    let text = lost["text"].as_str().unwrap_or_default();
    assert!(
        text.contains("stopped in order, it may still finish"),
        "{text}"
    );
    let words = ["wait", &id, "--json", "--timeout", "20"];
    let document = stage.sandbox().cli(&words).expect_code(0).json();
    assert_eq!(document["ok"], true, "{document:#}");
}

/// To who comes later the result backend alone tells of it, and tells for a day that it was started.
#[rstest]
fn what_a_worker_ran_that_was_killed_is_not_said_to_run_to_who_comes_later(
    #[values(Rabbit, Redis)] way: Way,
) {
    let Some(stage) = way.start(one_slot("")) else {
        return;
    };
    let id = new_id();
    let words = ["send", "shop.tasks.sleep", "600", "--task-id", &id];
    stage.sandbox().cli(&words).expect_code(0);
    eventually(PATIENCE, "it runs", || {
        let told = stage.sandbox().cli(&["result", &id, "--json"]);
        told.json()["state"] == "run"
    });
    stage.kill9();
    let _again = stage.another(one_slot(""));
    stage.wait_for_workers(1);
    for words in [
        &["result", &id, "--json"][..],
        &["wait", &id, "--json", "--timeout", "2"],
    ] {
        let document = stage.sandbox().cli(words).expect_code(3).json();
        let expected = json!({"how": "denied", "only_stored": true, "inferred": true});
        assert_fields(why(&document, "worker_lost"), &expected);
        assert!(!kinds(&document).contains(&"running"), "{document:#}");
        let expected = json!({"state": "unknown", "worker": w1()});
        assert_fields(now(&document), &expected);
    }
}

fn solo() -> WorkerOptions {
    WorkerOptions {
        pool: "solo".to_owned(),
        ..WorkerOptions::default()
    }
}

/// It is asked for its pool while it can answer; killed it cannot be, and it does not hang.
#[rstest]
fn a_solo_worker_that_runs_it_is_told_as_one(#[values(Rabbit, Redis)] way: Way) {
    let Some(stage) = way.start(solo()) else {
        return;
    };
    let document = stage.document(3, "sleep", &["60", "--timeout", "6"]);
    let expected = json!({"worker": w1(), "solo": true, "has_it": true});
    assert_fields(why(&document, "worker_silent"), &expected);
    let next = document["diagnosis"]["next"].as_array().expect("advice");
    let next: Vec<&str> = next.iter().filter_map(|it| it["kind"].as_str()).collect();
    assert_eq!(next, ["wait", "call_again"], "{document:#}");
    // Another umbel comes while it works.
    let id = document["id"].as_str().expect("its id");
    let words = ["wait", id, "--json", "--timeout", "4"];
    let document = stage.sandbox().cli(&words).expect_code(3).json();
    let expected = json!({"worker": w1(), "solo": null, "heard_ms": null});
    assert_fields(why(&document, "worker_silent"), &expected);
}

#[rstest]
fn a_solo_worker_cannot_answer_while_it_works(#[values(Rabbit, Redis)] way: Way) {
    let Some(stage) = way.start(solo()) else {
        return;
    };
    let document = stage.over("sleep", &["60"]);
    // The result backend told that it runs; the worker itself says nothing.
    assert_eq!(now(&document)["state"], "run", "{document:#}");
    let words = [
        "1",
        "2",
        "--no-preflight",
        "--queue",
        "celery",
        "--timeout",
        "1",
    ];
    let other = stage.document(3, "add", &words);
    let expected: Value = json!({"replied": 0, "of": 1});
    assert_fields(&other["diagnosis"]["asked"], &expected);
    // Only RabbitMQ knows that it reads this queue.
    let (kind, field) = if way == Rabbit {
        ("reader_unheard", "readers")
    } else {
        ("worker_unheard", "workers")
    };
    assert_eq!(why(&other, kind)[field], 1, "{other:#}");
}
