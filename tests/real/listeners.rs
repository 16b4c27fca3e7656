//! Several umbels that listen to the events of one worker, and one whose broker was away: no end is lost without a word.

use rstest::rstest;
use serde_json::json;

use crate::support::{
    PATIENCE, Proxy, RedisDb, Running, Sandbox, Vhost, Worker, WorkerOptions, celery, eventually,
    rig,
};
use crate::world::new_id;

/// The broker of a worker that keeps no results.
#[derive(Clone, Copy, Debug)]
enum On {
    Rabbit,
    Redis,
}
use On::{Rabbit, Redis};

struct Place {
    url: String,
    vhost: Option<Vhost>,
    db: Option<RedisDb>,
    worker: Worker,
}

impl On {
    fn start(self) -> Option<Place> {
        let rig = rig()?;
        let vhost = matches!(self, Rabbit).then(|| rig.vhost());
        let db = matches!(self, Redis).then(|| rig.redis_db());
        let url = match (&vhost, &db) {
            (Some(vhost), _) => vhost.url.clone(),
            (_, Some(db)) => db.url.clone(),
            _ => return None,
        };
        let options = WorkerOptions {
            broker: url.clone(),
            concurrency: 4,
            ..WorkerOptions::default()
        };
        let worker = Worker::start("shop.tasks", &options);
        let shell = Sandbox::new().env("CELERY_BROKER_URL", &url);
        eventually(PATIENCE, "the worker listens", || {
            shell.cli(&["workers", "--json"]).json()["workers_replied"] == 1
        });
        Some(Place {
            url,
            vhost,
            db,
            worker,
        })
    }
}

impl Place {
    /// A call of `sleep` under way, through this URL of the broker.
    #[track_caller]
    fn asleep(&self, url: &str, seconds: &str, timeout: &str) -> Running {
        let id = new_id();
        let shell = Sandbox::new().env("CELERY_BROKER_URL", url);
        let words = [
            "call",
            "--json",
            "shop.tasks.sleep",
            seconds,
            "--task-id",
            &id,
        ];
        let more = ["--timeout", timeout, "--progress", "plain"];
        let call = shell.start(&[&words[..], &more].concat());
        self.worker.wait_for_log(&format!("[{id}] received"));
        call
    }

    /// What the worker says to `celery control WORD`; one that is named is waited for until it answers.
    #[track_caller]
    fn control(&self, word: &str) -> String {
        let words = ["control", "-d", "w1@test", "--timeout", "30", word];
        celery(&self.url, "", &words).expect_code(0).stdout
    }

    /// The worker sends no events, and nothing of ours is on the broker.
    #[track_caller]
    fn is_left_as_it_was(&self) {
        let said = self.control("enable_events");
        assert!(said.contains("task events enabled"), "left on: {said}");
        let queues = self.vhost.iter().flat_map(Vhost::queues);
        let keys = self.db.iter().flat_map(RedisDb::keys_left);
        let keys = keys.filter(|key| key.ttl.is_none()).map(|key| key.name);
        let ours: Vec<String> = queues
            .chain(keys)
            .filter(|it| it.contains("umbel"))
            .collect();
        assert!(ours.is_empty(), "{ours:?}");
    }
}

/// The second one ends soon after the first, long before anybody would ask the worker again.
#[rstest]
fn whoever_leaves_first_takes_nothing_from_the_others(#[values(Rabbit, Redis)] on: On) {
    let Some(place) = on.start() else { return };
    let first = place.asleep(&place.url, "3", "30");
    let others: Vec<Running> = ["4", "5"]
        .iter()
        .map(|seconds| place.asleep(&place.url, seconds, "30"))
        .collect();
    for call in [first].into_iter().chain(others) {
        let document = call.wait().expect_code(0).json();
        assert_eq!(
            (&document["state"], &document["result_source"]),
            (&json!("ok"), &json!("event")),
            "{document}"
        );
    }
    place.is_left_as_it_was();
}

/// Each may leave its worker to one that is leaving at that moment.
#[rstest]
fn calls_that_end_together_leave_no_worker_sending(#[values(Rabbit, Redis)] on: On) {
    let Some(place) = on.start() else { return };
    let shell = Sandbox::new().env("CELERY_BROKER_URL", &place.url);
    let words = ["call", "--json", "shop.tasks.sleep", "1", "--timeout", "30"];
    for _ in 0..3 {
        let calls: Vec<Running> = (0..4).map(|_| shell.start(&words)).collect();
        for call in calls {
            call.wait().expect_code(0);
        }
        place.is_left_as_it_was();
        place.control("disable_events");
    }
}

#[rstest]
fn after_an_outage_the_events_that_were_missed_are_told(#[values(Rabbit, Redis)] on: On) {
    let Some(place) = on.start() else { return };
    let proxy = Proxy::to(&place.url);
    let call = place.asleep(proxy.url(), "2", "12");
    // Known to be under way before the line is cut.
    call.wait_for_stderr(&[" RUN"]);
    proxy.down();
    place.worker.wait_for_log("succeeded in");
    proxy.up();
    let document = call.wait().expect_code(3).json();
    let warnings = document["warnings"].to_string();
    assert!(
        warnings.contains("were missed while the broker was away"),
        "{document:#}"
    );
    place.is_left_as_it_was();
}
