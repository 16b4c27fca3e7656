//! What keeps a task from starting.

use std::thread;
use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use super::stage::Way::{self, Rabbit, RabbitRpc, Redis, RedisRpc};
use super::stage::{
    ONE_AT_A_TIME, assert_fields, assert_since, assert_span, kinds, now, one_slot, w1, why,
};
use crate::support::{PATIENCE, Version, WorkerOptions, eventually, rig};
use crate::world::new_id;

#[rstest]
fn nobody_reads_the_queue(#[values(Rabbit, Redis)] way: Way) {
    let Some(stage) = way.shared() else { return };
    stage.declare("undiagnosed");
    let words = ["1", "2", "--queue", "undiagnosed", "--no-preflight"];
    let document = stage.over("add", &words);
    let expected = json!({"queue": "undiagnosed", "waiting": 1, "inferred": false});
    assert_fields(why(&document, "no_consumer"), &expected);
    assert_eq!(kinds(&document)[0], "no_consumer");
    assert_eq!(now(&document)["state"], "sent");
    assert_eq!(document["diagnosis"]["next"][0]["kind"], "start_worker");
}

/// A worker that is started later knows nothing of what was revoked before.
#[rstest]
fn to_revoke_is_not_advised_where_no_worker_listens(#[values(Rabbit, Redis)] way: Way) {
    let Some(stage) = way.start(WorkerOptions::default()) else {
        return;
    };
    let advised = |document: &serde_json::Value| {
        let next = document["diagnosis"]["next"].as_array().expect("advice");
        let kinds: Vec<_> = next.iter().map(|it| it["kind"].clone()).collect();
        kinds.contains(&json!("revoke"))
    };
    stage.declare("undiagnosed");
    let words = ["1", "2", "--queue", "undiagnosed", "--no-preflight"];
    assert!(advised(&stage.over("add", &words)));
    stage.stop();
    let document = stage.over("add", &words);
    assert_eq!(kinds(&document)[0], "no_consumer", "{document:#}");
    assert!(!advised(&document), "{document:#}");
}

#[rstest]
fn no_reader_of_the_queue_has_the_task(#[values(Rabbit, Redis, RedisRpc)] way: Way) {
    let Some(stage) = way.shared() else { return };
    // Its reader answers with NotRegistered: the reason stands beside that.
    let document = stage.document(1, "nowhere", &["--queue", "mail", "--no-preflight"]);
    assert_eq!(document["state"], "no_task");
    let expected = json!({"task": "shop.tasks.nowhere", "queue": "mail", "elsewhere": []});
    assert_fields(why(&document, "not_registered"), &expected);
}

/// Nobody has taken it yet, so that nobody answered with `NotRegistered`.
#[rstest]
fn that_no_reader_has_the_task_is_known_while_it_waits(
    #[values(Rabbit, Redis, RedisRpc)] way: Way,
) {
    let Some(stage) = way.start(one_slot(ONE_AT_A_TIME)) else {
        return;
    };
    let _busy = stage.occupy("60");
    let _second = stage.call("add", &["1", "1"]);
    let document = stage.over("nowhere", &["--queue", "celery", "--no-preflight"]);
    let expected = json!({
        "task": "shop.tasks.nowhere",
        "queue": "celery",
        "readers": 1,
        "lacking": 1,
        "elsewhere": [],
        "inferred": false,
    });
    assert_fields(why(&document, "not_registered"), &expected);
    assert_eq!(kinds(&document)[0], "not_registered", "{document:#}");
    assert_eq!(document["state"], "timeout");
}

#[rstest]
fn it_waits_in_its_queue_behind_others_whose_worker_is_busy(
    #[values(Rabbit, Redis, RedisRpc)] way: Way,
) {
    let Some(stage) = way.start(one_slot(ONE_AT_A_TIME)) else {
        return;
    };
    let _busy = stage.occupy("60");
    let _second = stage.call("add", &["1", "1"]);
    let document = stage.over("add", &["1", "2"]);
    let queued = why(&document, "queued");
    let expected = json!({"queue": "celery", "waiting": 2, "readers": 1, "inferred": true});
    assert_fields(queued, &expected);
    let busy = why(&document, "worker_busy");
    let expected = json!({"worker": w1(), "running": 1, "slots": 1, "oldest": "shop.tasks.sleep"});
    assert_fields(busy, &expected);
    assert_span(busy, "oldest_ms", 2_500, 60_000);
    assert_fields(
        &document["diagnosis"]["asked"],
        &json!({"replied": 1, "of": 1}),
    );
}

#[rstest]
fn a_worker_holds_it_behind_what_it_runs(#[values(RabbitRpc, Redis, RedisRpc)] way: Way) {
    let Some(stage) = way.start(one_slot("")) else {
        return;
    };
    let _busy = stage.occupy("60");
    let document = stage.over("add", &["1", "2"]);
    let expected = json!({"worker": w1(), "behind": 1, "held": 0});
    assert_fields(why(&document, "held"), &expected);
    assert_eq!(why(&document, "worker_busy")["running"], 1);
    let expected = json!({"state": "recv", "acknowledged": false});
    assert_fields(now(&document), &expected);
    // The one before waits there still.
    let words = stage.words("add", &["1", "2"]);
    for told in [
        "now: RECV on w1@test",
        "why: held by w1@test behind 1 running and at most 1 held",
        "w1@test is BUSY 1/1, oldest shop.tasks.sleep",
    ] {
        assert!(words.contains(told), "{words}");
    }
}

#[rstest]
fn a_rate_limit_hides_it_from_all_lists(#[values(Rabbit, Redis, RedisRpc)] way: Way) {
    let Some(stage) = way.start(WorkerOptions::default()) else {
        return;
    };
    stage.control(&["rate_limit", "shop.tasks.echo", "1/h"]);
    stage.document(0, "echo", &["first"]);
    let document = stage.over("echo", &["second"]);
    let reason = why(&document, "rate_limited");
    let expected = json!({"task": "shop.tasks.echo", "inferred": true});
    assert_fields(reason, &expected);
    assert!(reason["limit"].is_string(), "{reason}");
    assert!(!kinds(&document).contains(&"lost"), "{document:#}");
}

/// Such a pool takes more than it runs, and what waits in it is in none of its lists: of four tasks two run, one is reserved.
#[rstest]
fn in_a_full_pool_of_greenlets_nothing_is_lost(#[values(Rabbit, Redis)] way: Way) {
    if rig().is_none() {
        return;
    }
    let options = WorkerOptions {
        pool: "gevent".to_owned(),
        concurrency: 2,
        // Only its environment has gevent.
        version: Some(Version::newest()),
        ..WorkerOptions::default()
    };
    let Some(stage) = way.start(options) else {
        return;
    };
    let _busy = [stage.occupy("60"), stage.occupy("60")];
    let calls = [(); 3].map(|()| stage.call("add", &["1", "2", "--timeout", "12"]));
    let documents = calls.map(|call| call.wait().expect_code(3).json());
    for document in &documents {
        let kinds = kinds(document);
        assert!(!kinds.contains(&"lost"), "{document:#}");
        assert!(!kinds.contains(&"taken_unseen"), "{document:#}");
    }
    // On a Redis the third is reserved, and no more is taken.
    if way == Redis {
        return;
    }
    let mut hidden = documents
        .iter()
        .filter(|it| kinds(it).contains(&"pool_unseen"));
    let hidden = hidden.next().unwrap_or_else(|| panic!("{documents:#?}"));
    let expected = json!({"worker": w1(), "running": 2, "slots": 2, "inferred": true});
    assert_fields(why(hidden, "pool_unseen"), &expected);
}

#[rstest]
fn it_failed_and_waits_for_its_next_try(#[values(Rabbit, Redis, RedisRpc)] way: Way) {
    let Some(stage) = way.shared() else { return };
    let document = stage.over("retry_twice", &["countdown=40"]);
    let reason = why(&document, "retry_waiting");
    let expected = json!({"retries": 1, "max": 3, "worker": w1()});
    assert_fields(reason, &expected);
    assert_span(reason, "left_ms", 30_000, 40_000);
    let exception = reason["exception"].to_string();
    assert!(exception.contains("not yet"), "{reason}");
    assert_eq!(now(&document)["state"], "retry");
}

/// What was told of one try is over with it: of the next one nobody has told the time yet.
#[rstest]
fn each_retry_waits_for_its_own_time(#[values(Rabbit, Redis, RedisRpc)] way: Way) {
    let Some(stage) = way.shared() else { return };
    let id = new_id();
    let words = ["countdown=6", "--task-id", &id, "--progress", "plain"];
    let call = stage.call("retry_twice", &words);
    eventually(PATIENCE, "it is known to have failed a second time", || {
        call.stderr().matches(" RETRY").count() == 2
    });
    call.signal("INT");
    let document = call.wait().json();
    let reason = why(&document, "retry_waiting");
    let late = reason["at"].is_string() && reason["left_ms"].is_null();
    assert!(!late, "the time of the try before: {reason}");
    assert!(!kinds(&document).contains(&"held"), "{document:#}");
}

#[rstest]
fn a_worker_keeps_it_for_its_eta(#[values(Rabbit, Redis, RedisRpc)] way: Way) {
    let Some(stage) = way.shared() else { return };
    let document = stage.over("add", &["1", "2", "--countdown", "50"]);
    let reason = why(&document, "scheduled");
    assert_fields(reason, &json!({"worker": w1(), "expires_first": false}));
    assert_span(reason, "left_ms", 40_000, 50_000);
}

#[rstest]
fn it_is_kept_for_an_eta_at_which_it_will_have_expired(#[values(Rabbit, Redis)] way: Way) {
    let Some(stage) = way.shared() else { return };
    let words = ["1", "2", "--countdown", "50", "--expires", "40"];
    let document = stage.over("add", &words);
    let expected = json!({"worker": w1(), "expires_first": true, "inferred": true});
    assert_fields(why(&document, "scheduled"), &expected);
}

#[rstest]
fn it_expires_before_anybody_takes_it(#[values(Rabbit, Redis)] way: Way) {
    let Some(stage) = way.start(one_slot(ONE_AT_A_TIME)) else {
        return;
    };
    let _busy = stage.occupy("60");
    let document = stage.over("add", &["1", "2", "--expires", "1s"]);
    let reason = why(&document, "expired");
    assert_fields(reason, &json!({"dropped": false, "inferred": true}));
    assert_since(&document, reason, "ago_ms", "expires_at");
}

#[rstest]
fn a_worker_that_drops_an_expired_task_is_the_reason(#[values(Rabbit, Redis, RedisRpc)] way: Way) {
    let Some(stage) = way.start(one_slot(ONE_AT_A_TIME)) else {
        return;
    };
    let _busy = stage.occupy("6");
    let document = stage.document(7, "add", &["1", "2", "--expires", "300ms"]);
    assert_eq!(why(&document, "expired")["dropped"], true, "{document:#}");
}

#[rstest]
fn a_task_that_somebody_terminates_is_told_to_be(#[values(Rabbit, Redis, RedisRpc)] way: Way) {
    // A worker of its own: a pool that loses a child may stumble over its neighbours' tasks.
    let Some(stage) = way.start(one_slot("")) else {
        return;
    };
    let id = new_id();
    let call = stage.call("sleep", &["60", "--task-id", &id]);
    stage.wait_received(&id);
    stage.control(&["terminate", "KILL", &id]);
    let document = call.wait().expect_code(7).json();
    assert_eq!(document["state"], "killed", "{document:#}");
    assert_eq!(document["error"]["kind"], "revoked");
}

#[rstest]
fn a_message_that_somebody_purged_is_lost(#[values(Rabbit, Redis, RedisRpc)] way: Way) {
    let Some(stage) = way.start(one_slot(ONE_AT_A_TIME)) else {
        return;
    };
    // RabbitMQ pushes messages even to a frozen worker. On a Redis what it runs may be the lost one, as long as it is not acknowledged.
    let busy = (way == Rabbit).then(|| stage.occupy("60"));
    if busy.is_none() {
        stage.freeze();
    }
    let call = stage.call("add", &["1", "2", "--timeout", "9", "--no-preflight"]);
    eventually(PATIENCE, "the message waits", || {
        stage.waiting("celery") > 0
    });
    thread::sleep(Duration::from_millis(500));
    stage.purge("celery");
    stage.thaw();
    let document = call.wait().expect_code(3).json();
    assert_eq!(document["state"], "lost", "{document:#}");
    assert_fields(now(&document), &json!({"state": "lost", "inferred": true}));
    assert_eq!(why(&document, "lost")["replied"], 1);
    assert_eq!(document["error"]["kind"], "timeout");
}
