//! Calls whose result cannot be read, or is not kept: their end is heard from the workers, which are left as they were found.

use rstest::rstest;
use serde_json::{Value, json};
use umbel::clock::Timestamp;

use crate::support::{
    Sandbox, Version, Vhost, Worker, WorkerOptions, celery, rig, temporary_directory,
};

/// A worker, and umbel beside it.
struct Place {
    vhost: Vhost,
    worker: Worker,
    _results: tempfile::TempDir,
}

/// Where an application without readable results keeps them.
#[derive(Clone, Copy, Debug)]
enum Backend {
    Database,
    Disabled,
    Rpc,
}

impl Place {
    fn with(backend: Backend, options: WorkerOptions) -> Option<Self> {
        let vhost = rig()?.vhost();
        let results = temporary_directory("results-");
        let backend = match backend {
            Backend::Database => {
                format!("db+sqlite:///{}/results.sqlite", results.path().display())
            }
            Backend::Disabled => String::new(),
            Backend::Rpc => "rpc://".to_owned(),
        };
        let options = WorkerOptions {
            broker: vhost.url.clone(),
            backend,
            ..options
        };
        let worker = Worker::start("shop.tasks", &options);
        Some(Self {
            vhost,
            worker,
            _results: results,
        })
    }

    fn new(backend: Backend, version: fn() -> Version) -> Option<Self> {
        rig()?;
        let options = WorkerOptions {
            version: Some(version()),
            ..WorkerOptions::default()
        };
        Self::with(backend, options)
    }

    #[track_caller]
    fn call(&self, code: i32, words: &[&str]) -> Value {
        let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &self.vhost.url);
        let words: Vec<&str> = ["call", "--json"].iter().chain(words).copied().collect();
        sandbox.cli(&words).expect_code(code).json()
    }

    /// What the worker says to `enable_events` now.
    #[track_caller]
    fn asked_for_events(&self) -> String {
        // One that is named is waited for until it answers.
        let words = [
            "control",
            "-d",
            "w1@test",
            "--timeout",
            "30",
            "enable_events",
        ];
        celery(&self.vhost.url, "", &words).expect_code(0).stdout
    }

    /// The worker is as silent as it was before.
    #[track_caller]
    fn is_silent(&self) {
        let said = self.asked_for_events();
        assert!(
            said.contains("task events enabled"),
            "they were left on: {said}"
        );
    }
}

fn warnings(document: &Value) -> String {
    document["warnings"].to_string()
}

#[rstest]
#[case::database(Backend::Database, "db+sqlite", Version::newest)]
#[case::disabled(Backend::Disabled, "keeps no results", Version::newest)]
#[case::disabled_oldest(Backend::Disabled, "keeps no results", Version::oldest)]
fn where_results_cannot_be_read_the_end_is_heard_and_the_worker_left_as_it_was(
    #[case] backend: Backend,
    #[case] why: &str,
    #[case] version: fn() -> Version,
) {
    let Some(place) = Place::new(backend, version) else {
        return;
    };
    let document = place.call(0, &["shop.tasks.add", "2", "3"]);
    assert_eq!(document["state"], "ok", "{document}");
    assert_eq!(
        (
            &document["result"],
            &document["result_known"],
            &document["result_repr"],
            &document["result_source"]
        ),
        (&json!(null), &json!(false), &json!("5"), &json!("event")),
        "{document}"
    );
    assert!(warnings(&document).contains(why), "{document}");
    place.is_silent();
}

#[rstest]
fn whatever_ends_a_task_is_heard() {
    let Some(place) = Place::new(Backend::Disabled, Version::newest) else {
        return;
    };
    let failed = place.call(1, &["shop.tasks.fail", "no stock"]);
    assert_eq!(
        (
            &failed["state"],
            &failed["error"]["type"],
            &failed["error"]["message"]
        ),
        (&json!("fail"), &json!("ValueError"), &json!("no stock")),
        "{failed}"
    );
    assert!(
        failed["error"]["traceback"].to_string().contains("in fail"),
        "{failed}"
    );
    let retried = place.call(0, &["shop.tasks.retry_twice", "--timeout", "30"]);
    assert_eq!(
        (&retried["result_repr"], &retried["retries"]),
        (&json!("{'attempts': 3}"), &json!(2)),
        "{retried}"
    );
    let long = place.call(0, &["shop.tasks.big", "5000"]);
    assert_eq!(long["result_truncated"], true, "{long}");
    let expired = place.call(
        7,
        &[
            "shop.tasks.add",
            "2",
            "3",
            "--expires",
            "0.000001",
            "--timeout",
            "30",
        ],
    );
    assert_eq!(expired["state"], "expired", "{expired}");
    let killed = place.call(1, &["shop.tasks.too_long", "--timeout", "30"]);
    assert!(
        killed["error"].to_string().contains("TimeLimitExceeded"),
        "{killed}"
    );
    let unknown = place.call(1, &["shop.tasks.nope", "--no-preflight", "--timeout", "30"]);
    assert_eq!(unknown["state"], "no_task", "{unknown}");
    let rejected = place.call(1, &["shop.tasks.reject", "--timeout", "30"]);
    assert_eq!(rejected["state"], "fail", "{rejected}");
    place.is_silent();
}

#[test]
fn a_call_that_is_given_up_leaves_the_worker_as_it_was() {
    let Some(place) = Place::new(Backend::Disabled, Version::newest) else {
        return;
    };
    let document = place.call(3, &["shop.tasks.sleep", "20", "--timeout", "1"]);
    assert_eq!(document["state"], "timeout", "{document}");
    place.is_silent();
}

#[test]
fn the_time_that_a_worker_was_waited_for_before_sending_is_no_time_in_the_queue() {
    let Some(place) = Place::new(Backend::Disabled, Version::newest) else {
        return;
    };
    place.worker.freeze();
    let words = [
        "shop.tasks.add",
        "2",
        "3",
        "--no-preflight",
        "--timeout=1s",
        "--expires=1h",
    ];
    let document = place.call(3, &words);
    place.worker.thaw();
    let at = |key: &str| -> Timestamp {
        let text = document[key].as_str().unwrap_or_default();
        text.parse().expect("a time")
    };
    let held_back = at("sent_at").duration_since(at("created_at"));
    assert!(held_back.as_secs_f64() > 0.9, "{document}");
    let lives = at("expires_at").duration_since(at("sent_at"));
    let of_it = (lives.as_secs_f64() - 3600.0).abs();
    assert!(of_it < held_back.as_secs_f64() / 2.0, "{document}");
}

#[test]
fn a_worker_that_sends_events_by_itself_goes_on() {
    let options = WorkerOptions {
        events: true,
        ..WorkerOptions::default()
    };
    let Some(place) = Place::with(Backend::Disabled, options) else {
        return;
    };
    let document = place.call(0, &["shop.tasks.add", "2", "3"]);
    assert_eq!(document["result_repr"], "5", "{document}");
    let said = place.asked_for_events();
    assert!(said.contains("task events already enabled"), "{said}");
}

#[test]
fn a_worker_whose_events_somebody_else_wants_goes_on() {
    let Some(place) = Place::new(Backend::Disabled, Version::newest) else {
        return;
    };
    place.is_silent();
    place.call(0, &["shop.tasks.add", "2", "3"]);
    let said = place.asked_for_events();
    assert!(said.contains("task events already enabled"), "{said}");
}

#[rstest]
#[case::newest(Version::newest)]
#[case::oldest(Version::oldest)]
fn the_result_of_a_task_that_ignores_it_is_heard_forced_or_not_wanted(
    #[case] version: fn() -> Version,
) {
    let Some(place) = Place::new(Backend::Rpc, version) else {
        return;
    };
    let heard = place.call(0, &["shop.tasks.silent", "7"]);
    assert_eq!(
        (&heard["result_repr"], &heard["result_known"]),
        (&json!("7"), &json!(false)),
        "{heard}"
    );
    let forcing = version().at_least("5.6");
    assert_eq!(
        warnings(&heard).contains("--result force"),
        forcing,
        "{heard}"
    );
    let forced = place.call(0, &["shop.tasks.silent", "7", "--result", "force"]);
    if forcing {
        assert_eq!(
            (&forced["result"], &forced["result_source"]),
            (&json!(7), &json!("backend")),
            "{forced}"
        );
    } else {
        assert_eq!(
            (&forced["result_repr"], &forced["result_source"]),
            (&json!("7"), &json!("event")),
            "{forced}"
        );
        assert!(warnings(&forced).contains("only Celery 5.6"), "{forced}");
    }
    let unwanted = place.call(0, &["shop.tasks.silent", "7", "--result", "none"]);
    assert_eq!(unwanted["state"], "no_result", "{unwanted}");
    place.is_silent();
}
