//! Calls that were sent before, on real workers: `send`, `wait`, `result`, `revoke`, and what is done at the timeout or when the user
//! stops.

use std::thread;
use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use crate::support::{PATIENCE, Rig, WorkerOptions, eventually, rig};
use crate::world::Kind::{self, RedisPrefork, RpcPrefork};
use crate::world::{World, new_id};

#[test]
fn what_was_sent_is_waited_for_by_another_run() {
    let Some(rig) = rig() else { return };
    let world = RedisPrefork.shared(rig);
    let (quick, failing) = (new_id(), new_id());
    let send = |words: &[&str]| world.cli(&[&["send"], words].concat()).expect_code(0);
    let outcome = send(&["shop.tasks.add", "2", "3", "--task-id", &quick]);
    assert_eq!(outcome.stdout, format!("{quick}\n"));
    send(&["shop.tasks.fail", "不行", "--task-id", &failing]);
    // As long as a worker has them it tells their names.
    for id in [&quick, &failing] {
        eventually(PATIENCE, "it has ended", || {
            world.cli(&["result", id, "--json"]).json()["result_known"] == true
        });
    }
    let words = ["wait", &quick, &failing, "--timeout", "60", "--jsonl"];
    let outcome = world.cli(&words).expect_code(1);
    let mut documents = outcome.json_lines();
    documents.sort_by_key(|document| document["id"] != quick);
    assert_eq!(documents[0]["state"], "ok");
    assert_eq!(documents[0]["result"], json!(5));
    assert!(documents[0]["task"].is_null(), "{documents:?}");
    assert!(documents[0]["total_ms"].is_null(), "{documents:?}");
    assert_eq!(documents[1]["error"]["message"], "不行");
    let alone = world
        .cli(&["wait", &quick, "--timeout", "60"])
        .expect_code(0);
    assert_eq!(alone.stdout, "5\n");
    let now = world.cli(&["result", &failing, "--json"]).expect_code(1);
    assert_eq!(now.json()["state"], "fail");
}

#[test]
fn an_end_is_in_history_once_it_was_heard_although_others_are_waited_for() {
    let Some(rig) = rig() else { return };
    let world = RedisPrefork.start(rig, WorkerOptions::default());
    let home = world.sandbox();
    let (quick, slow) = (new_id(), new_id());
    for (id, seconds) in [(&quick, "2"), (&slow, "60")] {
        let send = ["send", "shop.tasks.sleep", seconds, "--task-id", id];
        home.cli(&[&send[..], &["--history"]].concat())
            .expect_code(0);
    }
    let wait = ["wait", &quick, &slow, "--timeout", "60", "--jsonl"];
    let running = home.start(&wait);
    eventually(PATIENCE, "the first has ended", || {
        running.stdout().contains(&quick)
    });
    running.signal("INT");
    running.wait().expect_code(130);
    let kept = home.cli(&["history", "--jsonl", "state:ok"]).expect_code(0);
    assert!(kept.stdout.contains(&quick), "{}", kept.stdout);
}

#[test]
fn what_the_caller_wrote_stays_when_somebody_who_waited_too_gives_up() {
    let Some(rig) = rig() else { return };
    let world = RedisPrefork.start(rig, WorkerOptions::default());
    let home = world.sandbox();
    let id = new_id();
    let call = ["call", "shop.tasks.sleep", "60", "--task-id", &id];
    let running = home.start(&[&call[..], &["--timeout", "4", "--history"]].concat());
    eventually(PATIENCE, "it is in history", || {
        home.cli(&["history", "--plain"]).stdout.contains(&id)
    });
    let waited = home.cli(&["wait", &id, "--timeout", "9"]).expect_code(3);
    assert!(waited.stderr.contains("RUN on"), "{}", waited.stderr);
    running.wait().expect_code(3);
    let kept = home.cli(&["history", "--jsonl", "state:timeout"]);
    let document = kept.expect_code(0).json_lines().remove(0);
    assert_eq!(document["state"], "timeout", "{document}");
    assert!(document["pid"].is_u64(), "{document}");
}

#[test]
fn of_an_id_that_nobody_knows_nothing_is_claimed() {
    let Some(rig) = rig() else { return };
    let world = RedisPrefork.shared(rig);
    let id = new_id();
    let document = world.cli(&["result", &id, "--json"]).expect_code(3).json();
    assert!(document["state"].is_null(), "{document}");
    assert!(document["sent"].is_null(), "{document}");
    let waited = world.cli(&["wait", &id, "--timeout", "1"]).expect_code(3);
    assert!(
        waited.stderr.contains("nothing is known of this id"),
        "{}",
        waited.stderr
    );
}

#[test]
fn a_task_that_runs_is_seen_and_killed() {
    let Some(rig) = rig() else { return };
    let world = RedisPrefork.start(rig, WorkerOptions::default());
    let id = new_id();
    let send = ["send", "shop.tasks.sleep", "30", "--task-id", &id];
    world.cli(&send).expect_code(0);
    world.wait_started(&id);
    let document = world.cli(&["result", &id, "--json"]).expect_code(3).json();
    assert_eq!(document["state"], "run", "{document}");
    let revoke = world.cli(&["revoke", &id, "--terminate", "--yes", "--json"]);
    let document = revoke.expect_code(0).json();
    assert_eq!(document["tasks"][0]["effect"], "kills", "{document}");
    assert_eq!(
        document["tasks"][0]["answers"][0]["says"],
        format!("terminate: {id}")
    );
    let ended = world.cli(&["wait", &id, "--timeout", "60", "--json"]);
    let ended = ended.expect_code(7).json();
    assert_eq!(ended["state"], "killed");
}

#[rstest]
fn at_the_timeout_the_process_is_killed_if_that_was_wished(
    #[values(RedisPrefork, RpcPrefork)] kind: Kind,
) {
    let Some(rig) = rig() else { return };
    let world = kind.start(rig, WorkerOptions::default());
    let words = ["30", "--timeout", "2", "--on-timeout", "terminate"];
    let outcome = world.call("sleep", &words);
    let document = outcome.json();
    assert!(
        document["revoke"]["answers"][0]["says"]
            .as_str()
            .is_some_and(|says| says.starts_with("terminate: ")),
        "{document}"
    );
}

#[test]
fn results_on_rpc_are_refused_and_a_lonely_send_says_so() {
    let Some(rig) = rig() else { return };
    let world = RpcPrefork.shared(rig);
    let sent = world.cli(&["send", "shop.tasks.add", "2", "3"]);
    let sent = sent.expect_code(0);
    assert!(sent.stderr.contains("never seen"), "{}", sent.stderr);
    let refused = world.cli(&["wait", sent.stdout.trim()]).expect_code(4);
    assert!(refused.stderr.contains("rpc://"), "{}", refused.stderr);
}

/// Its caller has gone, and with it the way of its result: what else is known is told.
#[rstest]
fn of_a_call_whose_result_went_to_its_caller_alone_it_is_told_where_it_is(
    #[values(true, false)] kept: bool,
) {
    let Some(rig) = rig() else { return };
    let world = RpcPrefork.start(rig, WorkerOptions::default());
    let home = world.sandbox();
    let id = new_id();
    let keep = if kept { "--history" } else { "--no-history" };
    let call = [
        "call",
        "shop.tasks.sleep",
        "600",
        "--timeout",
        "1",
        "--task-id",
        &id,
        keep,
    ];
    let over = home.cli(&call).expect_code(3);
    assert!(!over.stderr.contains("umbel wait"), "{}", over.stderr);
    for words in [&["result", &id, "--json"][..], &["wait", &id, "--json"]] {
        let document = home.cli(words).expect_code(3).json();
        assert_eq!(document["schema"], "umbel.call/1");
        assert_eq!(document["state"], "run", "{document:#}");
        assert_eq!(
            document["diagnosis"]["now"]["inferred"], false,
            "{document:#}"
        );
        assert_eq!(
            document["diagnosis"]["why"][0]["kind"], "running",
            "{document:#}"
        );
        let message = document["error"]["message"].to_string();
        assert!(
            message.contains("rpc:// go to the caller alone"),
            "{message}"
        );
        let next = document["diagnosis"]["next"].to_string();
        assert!(!next.contains("\"wait\""), "{next}");
    }
    let words = home.cli(&["result", &id]).expect_code(3).stderr;
    assert!(words.starts_with("RUN  shop.tasks.sleep"), "{words}");
    assert!(words.contains("rpc:// go to the caller alone"), "{words}");
}

/// A worker with one slot, in which a task sleeps until it is woken; its id.
fn busy(rig: &Rig) -> (World, String) {
    let options = WorkerOptions {
        concurrency: 1,
        ..WorkerOptions::default()
    };
    let world = RedisPrefork.start(rig, options);
    let id = new_id();
    let words = ["send", "shop.tasks.sleep", "600", "--task-id", &id];
    world.cli(&words).expect_code(0);
    world.wait_started(&id);
    (world, id)
}

/// Ends the task that sleeps: the worker goes on with what waits behind it.
#[track_caller]
fn wake(world: &World, asleep: &str) {
    let words = ["revoke", asleep, "--terminate", "--yes"];
    world.cli(&words).expect_code(0);
}

#[rstest]
#[case("revoke", "will_not_start")]
#[case("terminate", "will_not_start")]
fn a_waiting_task_that_is_revoked_at_the_timeout_does_not_run_later(
    #[case] what: &str,
    #[case] effect: &str,
) {
    let Some(rig) = rig() else { return };
    let (world, asleep) = busy(rig);
    let id = new_id();
    let words = [
        "1",
        "2",
        "--timeout",
        "1",
        "--on-timeout",
        what,
        "--task-id",
        &id,
    ];
    let document = world.call("add", &words).json();
    assert_eq!(document["revoke"]["effect"], effect, "{document}");
    wake(&world, &asleep);
    world
        .worker
        .wait_for_log(&format!("revoked task: shop.tasks.add[{id}]"));
    assert!(!world.worker.log().contains(&format!("[{id}] succeeded")));
}

#[test]
fn of_a_task_that_only_waits_no_process_is_said_to_be_killed() {
    let Some(rig) = rig() else { return };
    let (world, asleep) = busy(rig);
    let id = new_id();
    let send = ["send", "shop.tasks.add", "1", "2", "--task-id", &id];
    world.cli(&send).expect_code(0);
    world.wait_received(&id);
    let revoke = world.cli(&["revoke", &id, "--terminate", "--yes", "--json"]);
    let task = revoke.expect_code(0).json()["tasks"][0].clone();
    // Celery answers as if it ran.
    assert_eq!(task["answers"][0]["says"], format!("terminate: {id}"));
    assert_eq!(task["was"], "recv", "{task}");
    assert_eq!(task["effect"], "will_not_start", "{task}");
    wake(&world, &asleep);
    let dropped = format!("revoked task: shop.tasks.add[{id}]");
    world.worker.wait_for_log(&dropped);
    assert!(!world.worker.log().contains(&format!("[{id}] succeeded")));
}

/// Before Celery 5.7 a worker tells what waits for its ETA to `scheduled` alone.
#[test]
fn what_waits_for_its_eta_is_known_to_whoever_asks_later() {
    let Some(rig) = rig() else { return };
    let world = RedisPrefork.start(rig, WorkerOptions::default());
    let id = new_id();
    let words = [
        "send",
        "shop.tasks.add",
        "1",
        "2",
        "--countdown",
        "600",
        "--task-id",
        &id,
    ];
    world.cli(&words).expect_code(0);
    world.wait_received(&id);
    let document = world.cli(&["result", &id, "--json"]).expect_code(3).json();
    let why = document["diagnosis"]["why"][0].clone();
    assert_eq!(why["kind"], "scheduled", "{document:#}");
    assert!(why["left_ms"].as_u64() > Some(500_000), "{why}");
    let revoke = world.cli(&["revoke", &id, "--yes", "--json"]);
    let document = revoke.expect_code(0).json();
    let task = &document["tasks"][0];
    assert_eq!(
        (&task["known"], &task["was"]),
        (&json!(true), &json!("recv")),
        "{document:#}"
    );
    // Celery 5.6 and later write REVOKED at once; the worker has it in its list until its time.
    let told = world.cli(&["result", &id, "--json"]).json();
    let warnings = told["warnings"].to_string();
    assert!(!warnings.contains("never existed"), "{told:#}");
}

#[test]
fn a_waiting_task_that_is_kept_runs_later() {
    let Some(rig) = rig() else { return };
    let (world, asleep) = busy(rig);
    let id = new_id();
    let words = [
        "1",
        "2",
        "--timeout",
        "500ms",
        "--on-timeout",
        "keep",
        "--task-id",
        &id,
    ];
    let document = world.document(3, "add", &words);
    assert!(document["revoke"].is_null(), "{document}");
    wake(&world, &asleep);
    let waited = world.cli(&["wait", &id, "--timeout", "60"]).expect_code(0);
    assert_eq!(waited.stdout, "3\n");
}

#[test]
fn a_revoke_of_what_runs_changes_nothing_and_says_so() {
    let Some(rig) = rig() else { return };
    let world = RedisPrefork.start(rig, WorkerOptions::default());
    let id = new_id();
    let words = [
        "10",
        "--timeout",
        "2",
        "--on-timeout",
        "revoke",
        "--task-id",
        &id,
    ];
    let document = world.document(3, "sleep", &words);
    assert_eq!(document["state"], "timeout", "{document}");
    assert_eq!(document["revoke"]["effect"], "goes_on", "{document}");
    assert_eq!(document["revoke"]["at"], "w1@test", "{document}");
    let said = document["error"]["message"].as_str().unwrap();
    assert!(said.contains("changes nothing"), "{said}");
    let revoke = world.cli(&["revoke", &id, "--yes"]).expect_code(0);
    assert!(
        revoke.stdout.contains("it runs on w1@test"),
        "{}",
        revoke.stdout
    );
    assert!(revoke.stdout.contains("--terminate"), "{}", revoke.stdout);
    world.worker.wait_for_log(&format!("[{id}] succeeded"));
}

#[rstest]
#[case("keep")]
#[case("revoke")]
fn a_call_that_is_interrupted_leaves_its_id_and_is_revoked_only_if_that_was_wished(
    #[case] what: &str,
) {
    let Some(rig) = rig() else { return };
    let (world, asleep) = busy(rig);
    let id = new_id();
    let words = [
        "call",
        "shop.tasks.add",
        "1",
        "2",
        "--timeout",
        "60",
        "--on-interrupt",
        what,
        "--task-id",
        &id,
    ];
    let running = world.sandbox().start(&words);
    world.wait_received(&id);
    running.signal("INT");
    let outcome = running.wait().expect_code(130);
    assert_eq!(outcome.stdout, "");
    assert!(outcome.stderr.contains(&id), "{}", outcome.stderr);
    wake(&world, &asleep);
    if what == "revoke" {
        let said = format!("revoke {id}\n  w1@test: tasks ");
        assert!(outcome.stderr.contains(&said), "{}", outcome.stderr);
        let dropped = format!("revoked task: shop.tasks.add[{id}]");
        world.worker.wait_for_log(&dropped);
        assert!(!world.worker.log().contains(&format!("[{id}] succeeded")));
    } else {
        world.worker.wait_for_log(&format!("[{id}] succeeded"));
    }
}

#[test]
fn a_task_that_expires_while_it_waits_does_not_run() {
    let Some(rig) = rig() else { return };
    let (world, asleep) = busy(rig);
    let id = new_id();
    let words = [
        "1",
        "2",
        "--timeout",
        "500ms",
        "--expires",
        "1s",
        "--task-id",
        &id,
    ];
    world.document(3, "add", &words);
    // As long as it lives at most.
    thread::sleep(Duration::from_secs(1));
    wake(&world, &asleep);
    let waited = world.cli(&["wait", &id, "--timeout", "60", "--json"]);
    assert_eq!(waited.expect_code(7).json()["state"], "expired");
}

#[test]
fn a_time_to_expire_reaches_the_worker_as_it_was_named() {
    let Some(rig) = rig() else { return };
    let world = RedisPrefork.shared(rig);
    let words = ["--expires", "2099-11-22T20:00:00.123456+08:00"];
    let document = world.document(0, "whoami", &words);
    let told = document["result"]["expires"].as_str().unwrap();
    assert!(
        told.contains("2099-11-22") && told.contains("12:00:00.123456"),
        "{told}"
    );
}

#[test]
fn what_is_waited_for_is_diagnosed_from_our_record_and_more_poorly_without_it() {
    let Some(rig) = rig() else { return };
    let (world, asleep) = busy(rig);
    world.vhost.declare_queue("lonely");
    let (home, id) = (world.sandbox(), new_id());
    let send = [
        "send",
        "shop.tasks.add",
        "1",
        "2",
        "--queue",
        "lonely",
        "--no-preflight",
        "--history",
        "--task-id",
        &id,
    ];
    home.cli(&send).expect_code(0);
    let kinds = |document: &serde_json::Value| -> Vec<String> {
        let why = document["diagnosis"]["why"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        why.iter()
            .map(|it| it["kind"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    for words in [
        &["result", &id, "--json"][..],
        &["wait", &id, "--timeout", "1", "--json"],
    ] {
        let ours = home.cli(words).expect_code(3).json();
        assert_eq!(ours["diagnosis"]["now"]["state"], "sent", "{ours}");
        assert_eq!(ours["queue"], "lonely", "{ours}");
        assert_eq!(kinds(&ours)[0], "no_consumer", "{ours}");
        let strange = world.cli(words).expect_code(3).json();
        assert_eq!(strange["diagnosis"]["now"]["state"], "unknown", "{strange}");
        assert_eq!(kinds(&strange), ["no_record"], "{strange}");
        assert!(strange["state"].is_null(), "{strange}");
        assert!(strange["sent"].is_null(), "{strange}");
    }
    let words = home.cli(&["wait", &id, "--timeout", "1"]).expect_code(3);
    assert!(
        words.stderr.contains("why: nobody reads queue lonely"),
        "{}",
        words.stderr
    );
    assert!(words.stderr.contains("next: "), "{}", words.stderr);
    // A worker has it: that is known of everybody's calls.
    let runs = world
        .cli(&["result", &asleep, "--json"])
        .expect_code(3)
        .json();
    assert_eq!(runs["state"], "run", "{runs}");
    assert_eq!(runs["task"], "shop.tasks.sleep", "{runs}");
    assert_eq!(kinds(&runs)[0], "running", "{runs}");
    let since = runs["diagnosis"]["now"]["since_ms"].as_u64().unwrap();
    assert!(since > 0, "{runs}");
}

#[test]
fn twenty_late_results_out_of_order_each_land_on_their_own_call_of_an_earlier_run() {
    let Some(rig) = rig() else { return };
    // A worker of its own: it is full for seconds.
    let options = WorkerOptions {
        concurrency: 20,
        ..WorkerOptions::default()
    };
    let world = RedisPrefork.start(rig, options);
    let home = world.sandbox();
    // What is sent first ends last.
    let calls: Vec<(String, String)> = (0..20)
        .map(|number| (new_id(), format!("{:.2}", 8.0 - 0.1 * f64::from(number))))
        .collect();
    let words = |(id, seconds): &(String, String)| {
        let task = ["call", "shop.tasks.sleep", seconds, "--timeout", "300ms"];
        let kept = ["--history", "--task-id", id];
        home.start(&[&task[..], &kept[..]].concat())
    };
    let running: Vec<_> = calls.iter().map(words).collect();
    for call in running {
        call.wait().expect_code(3);
    }
    let wait = ["wait", "--timeout", "60", "--json"];
    let ids: Vec<&str> = calls.iter().map(|(id, _)| id.as_str()).collect();
    let waited = home.cli(&[&wait[..], &ids].concat()).expect_code(0).json();
    let kept = home
        .cli(&["history", "--jsonl"])
        .expect_code(0)
        .json_lines();
    let heard = waited["calls"].as_array().expect("documents");
    for documents in [heard, &kept] {
        assert_eq!(documents.len(), calls.len());
        for (id, seconds) in &calls {
            let own = documents.iter().find(|it| it["id"] == *id);
            let own = own.unwrap_or_else(|| panic!("{id} is lost"));
            let seconds: f64 = seconds.parse().expect("a number");
            assert_eq!(
                (&own["state"], &own["late"], own["result"].as_f64()),
                (&json!("late_ok"), &json!(true), Some(seconds)),
                "{own}"
            );
        }
    }
}

#[test]
fn the_end_that_wait_hears_lands_in_the_record_of_the_call() {
    let Some(rig) = rig() else { return };
    let world = RedisPrefork.shared(rig);
    let (home, id) = (world.sandbox(), new_id());
    let words = [
        "call",
        "shop.tasks.sleep",
        "6",
        "--timeout",
        "1",
        "--history",
        "--task-id",
        &id,
    ];
    home.cli(&words).expect_code(3);
    let kept = || {
        home.cli(&["history", "--jsonl"])
            .expect_code(0)
            .json_lines()
            .remove(0)
    };
    let before = kept();
    assert_eq!(before["state"], "timeout", "{before}");
    assert_eq!(before["diagnosis"]["now"]["state"], "run", "{before}");
    let waited = home
        .cli(&["wait", &id, "--timeout", "60", "--json"])
        .expect_code(0);
    assert_eq!(waited.json()["state"], "late_ok");
    let after = kept();
    assert_eq!(
        (&after["state"], &after["result"]),
        (&json!("late_ok"), &json!(6))
    );
    assert!(
        after["total_ms"].as_u64().is_some_and(|ms| ms < 10_000),
        "{after}"
    );
    // What history knows needs no server.
    home.cli(&["result", &id]).expect_code(0);
}
