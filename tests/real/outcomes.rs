//! Every way in which a task can end, in all four worlds.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use crate::diagnosis::assert_since;
use crate::support::{Version, WorkerOptions, rig};
use crate::world::Kind::{self, RedisPrefork, RedisSolo, RpcPrefork, RpcSolo};
use crate::world::new_id;

#[rstest]
fn a_task_returns(#[values(RedisPrefork, RpcPrefork, RedisSolo, RpcSolo)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let world = kind.shared(rig);
    let id = new_id();
    let document = world.document(0, "add", &["2", "y=3", "--task-id", &id]);
    assert_eq!(document["state"], "ok");
    assert_eq!(document["result"], json!(5));
    assert_eq!(document["id"], id);
    assert_eq!(document["queue"], "celery");
    assert_eq!(document["worker"], "w1@test");
    assert!(document["pid"].is_u64(), "{document}");
    for known in [
        "sent_at",
        "started_at",
        "last_started_at",
        "first_worker",
        "done_at",
        "queued_ms",
        "ran_ms",
        "total_ms",
    ] {
        assert!(!document[known].is_null(), "{known}: {document}");
    }
    assert_eq!(document["warnings"], json!([]));
    // In words, and with the result alone on stdout.
    let outcome = world
        .cli(&["call", "shop.tasks.add", "2", "3", "--timeout", "60"])
        .expect_code(0);
    assert_eq!(outcome.stdout, "5\n");
    assert!(outcome.stderr.starts_with("OK "), "{}", outcome.stderr);
}

#[rstest]
fn a_task_raises(#[values(RedisPrefork, RpcPrefork, RedisSolo, RpcSolo)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let world = kind.shared(rig);
    let document = world.document(1, "fail", &["不行"]);
    assert_eq!(document["state"], "fail");
    let error = &document["error"];
    assert_eq!(
        (&error["kind"], &error["type"]),
        (&json!("task_failed"), &json!("ValueError"))
    );
    assert_eq!(error["message"], "不行");
    assert_eq!(error["argument_error"], false);
    let traceback = error["traceback"].as_str().expect("a traceback");
    assert!(
        traceback.starts_with("Traceback") && traceback.contains("in fail"),
        "{traceback}"
    );

    let outcome = world
        .cli(&["call", "shop.tasks.fail", "--timeout", "60"])
        .expect_code(1);
    assert_eq!(outcome.stdout, "");
    assert!(
        outcome.stderr.contains("ValueError: boom"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("shop/tasks.py:"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("library frame"),
        "{}",
        outcome.stderr
    );
}

#[rstest]
fn an_exception_that_no_client_has_is_told(#[values(RedisPrefork, RpcPrefork)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let world = kind.shared(rig);
    let document = world.document(1, "fail_custom", &["7"]);
    assert_eq!(document["error"]["type"], "shop.tasks.Custom");
    let message = document["error"]["message"].as_str().unwrap_or_default();
    assert!(
        message.contains('7') && message.contains("two"),
        "{document}"
    );
    let document = world.document(1, "fail_odd", &[]);
    assert_eq!(document["error"]["type"], "shop.tasks.Custom");
    let document = world.document(1, "fail_deep", &[]);
    assert_eq!(document["error"]["message"], "effect");
    let document = world.document(1, "fail_unicode", &[]);
    assert!(
        document["error"]["message"].to_string().contains("不行"),
        "{document}"
    );
}

#[rstest]
fn wrong_arguments_are_told_apart_from_a_type_error_in_the_task(
    #[values(RedisPrefork, RpcPrefork, RedisSolo)] kind: Kind,
) {
    let Some(rig) = rig() else { return };
    let world = kind.shared(rig);
    for wrong in [&["1"][..], &["1", "2", "3"], &["1", "2", "z=3"]] {
        let document = world.document(1, "add", wrong);
        assert_eq!(document["error"]["type"], "TypeError");
        assert_eq!(
            document["error"]["argument_error"], true,
            "{wrong:?}: {document}"
        );
    }
    let document = world.document(1, "add", &["1", "a"]);
    assert_eq!(document["error"]["type"], "TypeError");
    assert_eq!(document["error"]["argument_error"], false, "{document}");
}

#[rstest]
fn a_result_that_cannot_be_written_is_a_failure(#[values(RedisPrefork, RpcPrefork)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let document = kind.shared(rig).document(1, "unserializable", &[]);
    assert!(
        document["error"]["type"]
            .as_str()
            .is_some_and(|kind| kind.ends_with("EncodeError")),
        "{document}"
    );
}

#[rstest]
fn a_task_that_is_retried_tells_how_often(
    #[values(RedisPrefork, RpcPrefork, RedisSolo, RpcSolo)] kind: Kind,
) {
    let Some(rig) = rig() else { return };
    let world = kind.shared(rig);
    let document = world.document(0, "retry_twice", &[]);
    assert_eq!(document["result"], json!({"attempts": 3}));
    assert_eq!(document["retries"], 2, "{document}");
    let document = world.document(1, "retry_always", &["countdown=0.1"]);
    assert_eq!(document["error"]["type"], "KeyError");
    let document = world.document(3, "retry_twice", &["countdown=30", "--timeout", "3"]);
    assert_eq!(document["diagnosis"]["now"]["state"], "retry", "{document}");
}

#[rstest]
fn progress_is_followed(#[values(RedisPrefork, RpcPrefork)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let world = kind.shared(rig);
    let document = world.document(0, "progress", &["3", "0.1"]);
    assert_eq!(document["result"], json!({"done": 3}));
    assert!(document["custom"].is_null(), "{document}");
    let document = world.document(3, "progress", &["n=100", "delay=0.1", "--timeout", "2"]);
    assert_eq!(
        (&document["state"], &document["custom"]),
        (&json!("timeout"), &json!("PROGRESS"))
    );
    assert_eq!(document["diagnosis"]["now"]["state"], "run");
}

#[rstest]
fn a_timeout_tells_where_the_task_is(#[values(RedisPrefork, RpcPrefork)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let world = kind.shared(rig);
    let document = world.document(3, "sleep", &["6", "--timeout", "2"]);
    assert_eq!(
        (&document["state"], &document["sent"]),
        (&json!("timeout"), &json!(true))
    );
    assert_eq!(document["result_known"], false);
    assert_eq!(document["error"]["kind"], "timeout");
    let now = &document["diagnosis"]["now"];
    assert_eq!(
        (&now["state"], &now["worker"], &now["acknowledged"]),
        (&json!("run"), &json!("w1@test"), &json!(true)),
        "{document}"
    );
    assert_since(&document, now, "since_ms", "started_at");
    assert!(
        document["received_at"].is_null(),
        "no event told it: {document}"
    );
    assert!(document["received_by_at"].is_string(), "{document}");
}

#[rstest]
fn a_timeout_counts_from_the_confirm_and_is_kept(#[values(RedisPrefork, RpcPrefork)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let outcome = kind
        .shared(rig)
        .call("sleep", &["12", "--timeout", "1"])
        .expect_code(3);
    assert!(outcome.took >= Duration::from_secs(1), "{:?}", outcome.took);
    // The task was not waited for.
    assert!(outcome.took < Duration::from_secs(11), "{:?}", outcome.took);
}

#[rstest]
fn a_task_that_keeps_no_result_is_heard_to_end(#[values(RedisPrefork, RpcPrefork)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let document = kind.shared(rig).document(0, "silent", &["7"]);
    assert_eq!(
        (&document["state"], &document["result_repr"]),
        (&json!("ok"), &json!("7")),
        "{document}"
    );
    assert!(
        document["warnings"]
            .to_string()
            .contains("ignores its result"),
        "{document}"
    );
}

#[rstest]
fn a_task_that_never_answers_is_a_timeout(#[values(RedisPrefork, RpcPrefork)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let document = kind.shared(rig).document(3, "ignore", &["--timeout", "2"]);
    assert_eq!(document["state"], "timeout");
}

#[rstest]
fn a_rejected_task_is_a_failure(#[values(RedisPrefork, RpcPrefork)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let world = kind.shared(rig);
    // Before Celery 5.7 a worker stores nothing for it: nobody can know more than that nothing came.
    if !Version::usual().at_least("5.7") {
        let id = new_id();
        let document = world.document(3, "reject", &["--timeout", "3", "--task-id", &id]);
        assert_eq!(
            (&document["state"], &document["result_known"]),
            (&json!("timeout"), &json!(false)),
            "{document}"
        );
        world
            .worker
            .wait_for_log(&format!("[{id}] reject requeue=False"));
        return;
    }
    let document = world.document(1, "reject", &[]);
    assert!(
        document["error"]["type"]
            .as_str()
            .is_some_and(|kind| kind.ends_with("Reject")),
        "{document}"
    );
}

#[rstest]
fn a_killed_child_and_a_broken_time_limit_are_failures(
    #[values(RedisPrefork, RpcPrefork)] kind: Kind,
) {
    let Some(rig) = rig() else { return };
    // A world of its own: a pool that loses a child may stumble over its neighbours' tasks.
    let world = kind.start(rig, WorkerOptions::default());
    let document = world.document(1, "self_kill", &[]);
    assert!(
        document["error"]["type"]
            .as_str()
            .is_some_and(|kind| kind.ends_with("WorkerLostError")),
        "{document}"
    );
    let document = world.document(1, "too_long", &[]);
    assert!(
        document["error"]["type"]
            .as_str()
            .is_some_and(|kind| kind.ends_with("TimeLimitExceeded")),
        "{document}"
    );
    assert_eq!(world.document(0, "add", &["1", "1"])["result"], json!(2));
}

#[rstest]
fn a_task_that_was_not_started_in_time_is_expired(#[values(RedisSolo, RpcSolo)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let world = kind.start(rig, WorkerOptions::default());
    let id = new_id();
    let busy = world.start_call("sleep", &["8", "--task-id", &id]);
    world.wait_received(&id);
    let document = world.document(7, "add", &["1", "2", "--expires", "500ms"]);
    assert_eq!(document["state"], "expired");
    assert_eq!(document["error"]["kind"], "expired");
    assert!(document["expires_at"].is_string());
    busy.wait().expect_code(0);
}

#[rstest]
fn a_task_that_somebody_revokes_is_revoked_or_killed(
    #[values(RedisPrefork, RpcPrefork)] kind: Kind,
) {
    let Some(rig) = rig() else { return };
    // A world of its own: a pool that loses a child may stumble over its neighbours' tasks.
    let world = kind.start(rig, WorkerOptions::one_slot());
    let id = new_id();
    let running = world.start_call("sleep", &["60", "--task-id", &id]);
    world.wait_received(&id);
    let code = format!("from shop.tasks import app; app.control.revoke('{id}', terminate=True)");
    crate::support::python(&world.vhost.url, &world.backend, &code);
    let document = running.wait().expect_code(7).json();
    assert!(
        ["revoked", "killed"].contains(&document["state"].as_str().unwrap_or_default()),
        "{document}"
    );
    assert_eq!(document["error"]["kind"], "revoked");
}

#[rstest]
fn many_calls_at_once_each_get_their_own_result(#[values(RedisPrefork, RpcPrefork)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let world = kind.shared(rig);
    let calls: Vec<_> = (0..8)
        .map(|n: i32| (n, world.start_call("add", &[&n.to_string(), "100"])))
        .collect();
    for (n, call) in calls {
        assert_eq!(call.wait().expect_code(0).json()["result"], json!(n + 100));
    }
}
