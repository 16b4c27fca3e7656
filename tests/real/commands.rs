//! Calls that were sent before, on real workers: `send`, `wait`, `result`, `revoke`, and what is done at the timeout.

use rstest::rstest;
use serde_json::json;

use crate::support::{WorkerOptions, rig};
use crate::world::Kind::{self, RedisPrefork, RpcPrefork};
use crate::world::new_id;

#[test]
fn what_was_sent_is_waited_for_by_another_run() {
    let Some(rig) = rig() else { return };
    let world = RedisPrefork.shared(rig);
    let (quick, failing) = (new_id(), new_id());
    let send = |words: &[&str]| world.cli(&[&["send"], words].concat()).expect_code(0);
    let sent = send(&["shop.tasks.add", "2", "3", "--task-id", &quick]);
    assert_eq!(sent.stdout, format!("{quick}\n"));
    send(&["shop.tasks.fail", "不行", "--task-id", &failing]);
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
    world.wait_received(&id);
    let document = world.cli(&["result", &id, "--json"]).expect_code(3).json();
    assert_eq!(document["state"], "run", "{document}");
    let revoke = world.cli(&["revoke", &id, "--terminate", "--yes", "--json"]);
    let document = revoke.expect_code(0).json();
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
