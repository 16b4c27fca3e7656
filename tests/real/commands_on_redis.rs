//! `send`, `wait`, `result`, `revoke`, `again` and `history` with a Redis as broker, and results stored or on our own list.

use redis::Commands;
use serde_json::json;

use crate::support::{Outcome, PATIENCE, Rig, Sandbox, Worker, WorkerOptions, eventually, rig};
use crate::world::new_id;

/// A database as broker, its worker, and one home in which history is.
struct Shop {
    home: Sandbox,
    other: Sandbox,
    url: String,
    worker: Worker,
}

fn shop(rig: &Rig, stored: bool) -> Shop {
    let db = rig.redis_db();
    let backend = if stored {
        db.url.clone()
    } else {
        "rpc://".to_owned()
    };
    let options = WorkerOptions {
        broker: db.url.clone(),
        backend: backend.clone(),
        concurrency: 1,
        ..WorkerOptions::default()
    };
    let worker = Worker::start("shop.tasks", &options);
    let sandbox = || {
        Sandbox::new()
            .env("CELERY_BROKER_URL", &db.url)
            .env("CELERY_RESULT_BACKEND", &backend)
    };
    let (home, other) = (sandbox(), sandbox());
    // A worker listens to control requests a moment after it says that it is ready.
    eventually(PATIENCE, "the worker listens", || {
        home.cli(&["workers", "--json"]).json()["workers_replied"] == 1
    });
    Shop {
        home,
        other,
        url: db.url,
        worker,
    }
}

impl Shop {
    #[track_caller]
    fn cli(&self, words: &[&str]) -> Outcome {
        self.home.cli(words)
    }

    /// The same broker by another name.
    fn other_name(&self) -> String {
        self.url.replace("127.0.0.1", "localhost")
    }

    /// Sends a task that sleeps for half a minute in the only slot, and waits until it runs.
    #[track_caller]
    fn occupy(&self) -> String {
        let id = new_id();
        let words = ["send", "shop.tasks.sleep", "30", "--task-id", &id];
        self.cli(&words).expect_code(0);
        self.wait_started(&id);
        id
    }

    /// Waits until a process of the worker has begun the task with this id; only where results are stored.
    #[track_caller]
    fn wait_started(&self, id: &str) {
        let client = redis::Client::open(self.url.as_str()).expect("a URL");
        let mut connection = client.get_connection().expect("redis answers");
        eventually(PATIENCE, "the task has begun", || {
            connection
                .exists(format!("celery-task-meta-{id}"))
                .unwrap_or(false)
        });
    }
}

#[test]
fn a_call_is_sent_waited_for_repeated_and_found_in_history() {
    let Some(rig) = rig() else { return };
    let shop = shop(rig, true);
    let id = new_id();
    let words = [
        "send",
        "shop.tasks.add",
        "2",
        "3",
        "--history",
        "--task-id",
        &id,
    ];
    let sent = shop.cli(&words).expect_code(0);
    assert_eq!(sent.stdout, format!("{id}\n"));
    let waited = shop.cli(&["wait", &id, "--timeout", "60"]).expect_code(0);
    assert_eq!(waited.stdout, "5\n");
    let again = shop.cli(&["again", "--json", "--history", "--timeout", "60"]);
    assert_eq!(again.expect_code(0).json()["result"], json!(5));
    let changed = shop.cli(&["again", &id, "10", "20", "--timeout", "60"]);
    assert_eq!(changed.expect_code(0).stdout, "30\n");
    let kept = shop
        .cli(&["history", "--jsonl"])
        .expect_code(0)
        .json_lines();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert_eq!(
        (&kept[1]["id"], &kept[1]["state"]),
        (&json!(id), &json!("ok"))
    );
    // Who did not send it reads its result all the same.
    let result = shop
        .other
        .cli(&["result", &id, "--json"])
        .expect_code(0)
        .json();
    assert_eq!(result["result"], json!(5));
    assert!(result["sent_at"].is_null(), "{result}");
}

#[test]
fn what_waits_and_what_runs_is_diagnosed_revoked_and_killed() {
    let Some(rig) = rig() else { return };
    let shop = shop(rig, true);
    let (asleep, waiting) = (shop.occupy(), new_id());
    let words = [
        "send",
        "shop.tasks.add",
        "1",
        "2",
        "--queue",
        "lonely",
        "--no-preflight",
        "--history",
        "--task-id",
        &waiting,
    ];
    shop.cli(&words).expect_code(0);
    let ours = shop
        .cli(&["result", &waiting, "--json"])
        .expect_code(3)
        .json();
    assert_eq!(ours["diagnosis"]["why"][0]["kind"], "no_consumer", "{ours}");
    let strange = shop
        .other
        .cli(&["result", &waiting, "--json"])
        .expect_code(3);
    let strange = strange.json();
    assert_eq!(
        strange["diagnosis"]["why"][0]["kind"], "no_record",
        "{strange}"
    );
    let runs = shop
        .cli(&["result", &asleep, "--json"])
        .expect_code(3)
        .json();
    assert_eq!(
        (&runs["state"], &runs["worker"]),
        (&json!("run"), &json!("w1@test")),
        "{runs}"
    );
    let revoke = |words: &[&str]| {
        let words = [&["revoke", &asleep, "--yes", "--json"], words].concat();
        shop.cli(&words).expect_code(0).json()["tasks"][0].clone()
    };
    let plain = revoke(&[]);
    assert_eq!(
        (&plain["was"], &plain["effect"]),
        (&json!("run"), &json!("goes_on")),
        "{plain}"
    );
    let killed = revoke(&["--terminate"]);
    assert_eq!(killed["effect"], "kills", "{killed}");
    shop.worker.wait_for_log(&format!("[{asleep}]"));
    let ended = shop.cli(&["wait", &asleep, "--timeout", "60", "--json"]);
    assert_eq!(ended.expect_code(7).json()["state"], "killed");
}

#[test]
fn a_waiting_task_that_is_revoked_at_the_timeout_does_not_run_later() {
    let Some(rig) = rig() else { return };
    let shop = shop(rig, true);
    let (asleep, id) = (shop.occupy(), new_id());
    let words = [
        "call",
        "shop.tasks.add",
        "1",
        "2",
        "--timeout",
        "1",
        "--on-timeout",
        "revoke",
        "--json",
        "--task-id",
        &id,
    ];
    let document = shop.cli(&words).json();
    assert_eq!(document["revoke"]["effect"], "will_not_start", "{document}");
    shop.cli(&["revoke", &asleep, "--terminate", "--yes"])
        .expect_code(0);
    shop.worker
        .wait_for_log(&format!("revoked task: shop.tasks.add[{id}]"));
    assert!(!shop.worker.log().contains(&format!("[{id}] succeeded")));
}

#[test]
fn results_on_our_own_list_are_ours_alone_and_stay_in_history() {
    let Some(rig) = rig() else { return };
    let shop = shop(rig, false);
    let id = new_id();
    let words = [
        "call",
        "shop.tasks.add",
        "2",
        "3",
        "--history",
        "--timeout",
        "60",
        "--task-id",
        &id,
    ];
    assert_eq!(shop.cli(&words).expect_code(0).stdout, "5\n");
    assert_eq!(shop.cli(&["result", &id]).expect_code(0).stdout, "5\n");
    let refused = shop.other.cli(&["wait", &id]).expect_code(4);
    assert!(refused.stderr.contains("rpc://"), "{}", refused.stderr);
    let again = shop.cli(&["again", "--timeout", "60"]).expect_code(0);
    assert_eq!(again.stdout, "5\n");
}

#[test]
fn what_another_broker_says_is_no_answer_about_a_call() {
    let Some(rig) = rig() else { return };
    let shop = shop(rig, true);
    let (id, other) = (new_id(), rig.redis_db());
    let words = ["send", "shop.tasks.sleep", "30", "--history", "--task-id"];
    shop.cli(&[&words[..], &[&id]].concat()).expect_code(0);
    shop.wait_started(&id);
    let named = ["--broker", &other.url, "--backend", &other.url, "--json"];
    let result = shop.cli(&[&["result", &id], &named[..]].concat());
    let result = result.expect_code(3).json();
    assert_eq!(
        result["diagnosis"]["why"][0]["kind"], "not_known",
        "{result}"
    );
    assert!(result["diagnosis"]["asked"].is_null(), "{result}");
    assert!(
        result["warnings"]
            .to_string()
            .contains("tells nothing of it"),
        "{result}"
    );
    // Named by another of its names, its own broker is believed.
    let same = shop.other_name();
    let result = shop.cli(&["result", &id, "--broker", &same, "--json"]);
    let result = result.expect_code(3).json();
    assert_eq!(result["diagnosis"]["why"][0]["kind"], "running", "{result}");
    let revoke = shop.cli(&[&["revoke", &id, "--yes"], &named[..]].concat());
    let warnings = revoke.json()["warnings"].to_string();
    assert!(warnings.contains("tells nothing of it"), "{warnings}");
}

#[test]
fn a_result_is_read_where_history_has_it_when_no_worker_tells() {
    let Some(rig) = rig() else { return };
    let shop = shop(rig, true);
    let (one, two) = (new_id(), new_id());
    let send = ["send", "shop.tasks.add", "2", "3", "--history", "--task-id"];
    shop.cli(&[&send[..], &[&one]].concat()).expect_code(0);
    let other = rig.redis_db();
    let elsewhere = ["--backend", &other.url];
    shop.cli(&[&send[..], &[&two], &elsewhere].concat())
        .expect_code(0);
    shop.worker.wait_for_log(&format!("[{two}] succeeded"));
    let Shop {
        home, url, worker, ..
    } = shop;
    drop(worker);
    let home = home.env("CELERY_RESULT_BACKEND", "");
    let waited = home.cli(&["wait", &one]).expect_code(0);
    assert_eq!(waited.stdout, "5\n");
    let again = home.cli(&["result", &one]).expect_code(0);
    assert_eq!(again.stdout, "5\n");
    let lost = home.cli(&["result", &two, "--json"]).expect_code(3).json();
    assert!(lost["warnings"].as_array().is_some(), "{lost}");
    let misread = home
        .cli(&["result", &two, "--backend", &url])
        .expect_code(0);
    assert!(
        misread.stderr.contains("was to be kept in"),
        "{}",
        misread.stderr
    );
}

#[test]
fn results_in_several_places_are_read_one_after_another() {
    let Some(rig) = rig() else { return };
    let shop = shop(rig, true);
    let ids = [new_id(), new_id()];
    let other = rig.redis_db();
    for (id, backend) in ids.iter().zip([&shop.url, &other.url]) {
        let words = ["send", "shop.tasks.add", "2", "3", "--history", "--task-id"];
        shop.cli(&[&words[..], &[id, "--backend", backend]].concat())
            .expect_code(0);
    }
    let Shop { home, worker, .. } = shop;
    drop(worker);
    let home = home.env("CELERY_RESULT_BACKEND", "");
    let outcome = home
        .cli(&["wait", &ids[0], &ids[1], "--json"])
        .expect_code(11);
    let message = outcome.json()["error"]["message"].to_string();
    assert!(message.contains("several places"), "{message}");
}

#[test]
fn a_call_that_its_umbel_leaves_is_picked_up_by_a_screen_that_runs() {
    let Some(rig) = rig() else { return };
    let shop = shop(rig, true);
    let mut screen = shop.home.pty(24, 80, &[]);
    screen.wait_for("results redis up");
    let id = new_id();
    let words = ["call", "shop.tasks.sleep", "14", "--timeout", "none"];
    let words = [&words[..], &["--history", "--task-id", &id]].concat();
    let waiting = shop.home.start(&words);
    shop.worker.wait_for_log(&format!("[{id}] received"));
    waiting.signal("INT");
    waiting.wait().expect_code(130);
    // Its end is told as news, without anybody having opened it.
    screen.wait_for("that another umbel made has ended");
    screen.signal("TERM");
    screen.wait_exit();
    let kept = shop.cli(&["history", "--jsonl"]).expect_code(0);
    assert_eq!(kept.json_lines()[0]["state"], "ok", "{}", kept.stdout);
}
