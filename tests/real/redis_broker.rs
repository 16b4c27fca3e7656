//! The main job with a Redis as broker: both result backends, both pools, every option that moves its keys.

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use redis::Commands;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{
    Certificates, Outcome, PATIENCE, PrivateRedis, RedisDb, Rig, Running, Sandbox, SentinelGroup,
    Worker, WorkerOptions, eventually, python, rig,
};
use crate::world::new_id;

/// The ways in which it has to work.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Results in the same Redis, a pool of processes.
    StoredPrefork,
    /// Results on our list, a pool of processes.
    RpcPrefork,
    /// Results in the same Redis, one task at a time.
    StoredSolo,
    /// Results on our list, one task at a time.
    RpcSolo,
}
use Way::{RpcPrefork, RpcSolo, StoredPrefork, StoredSolo};

/// One database as broker and, where results are stored, as backend too, and a worker on it.
#[derive(Debug)]
struct Shop {
    db: RedisDb,
    backend: String,
    worker: Worker,
    /// Environment of umbel.
    options: String,
}

impl Way {
    fn shared(self, rig: &Rig) -> &'static Shop {
        static SHOPS: [OnceLock<Shop>; 4] = [const { OnceLock::new() }; 4];
        SHOPS[self as usize].get_or_init(|| {
            let options = WorkerOptions {
                concurrency: 10,
                ..WorkerOptions::default()
            };
            self.start(rig, options)
        })
    }

    fn start(self, rig: &Rig, options: WorkerOptions) -> Shop {
        let db = rig.redis_db();
        let (backend, pool) = match self {
            StoredPrefork => (db.url.clone(), "prefork"),
            StoredSolo => (db.url.clone(), "solo"),
            RpcPrefork => ("rpc://".to_owned(), "prefork"),
            RpcSolo => ("rpc://".to_owned(), "solo"),
        };
        let options = WorkerOptions {
            broker: db.url.clone(),
            backend: backend.clone(),
            pool: pool.to_owned(),
            ..options
        };
        let worker = Worker::start("shop.tasks", &options);
        let shop = Shop {
            db,
            backend,
            worker,
            options: String::new(),
        };
        wait_for_workers(&shop.sandbox(), 1);
        shop
    }
}

/// A worker listens to control requests a moment after it says that it is ready.
#[track_caller]
fn wait_for_workers(sandbox: &Sandbox, count: usize) {
    eventually(PATIENCE, "the workers listen", || {
        sandbox.cli(&["workers", "--json"]).json()["workers_replied"] == count
    });
}

impl Shop {
    fn sandbox(&self) -> Sandbox {
        Sandbox::new()
            .env("CELERY_BROKER_URL", &self.db.url)
            .env("CELERY_RESULT_BACKEND", &self.backend)
            .env("UMBEL_BROKER_OPTIONS", &self.options)
    }

    #[track_caller]
    fn cli(&self, words: &[&str]) -> Outcome {
        self.sandbox().cli(words)
    }

    fn start_call(&self, task: &str, words: &[&str]) -> Running {
        let name = format!("shop.tasks.{task}");
        let mut all = vec!["call", "--json", &name];
        all.extend(words);
        if !words.contains(&"--timeout") {
            all.extend(["--timeout", "60"]);
        }
        self.sandbox().start(&all)
    }

    /// The document of a call that must end with this exit code.
    #[track_caller]
    fn document(&self, code: i32, task: &str, words: &[&str]) -> Value {
        self.start_call(task, words).wait().expect_code(code).json()
    }

    #[track_caller]
    fn wait_received(&self, id: &str) {
        self.worker.wait_for_log(&format!("[{id}] received"));
    }

    /// Nothing of ours lives for ever, and of `lists` there are no more than so many.
    #[track_caller]
    fn assert_tidy(&self, lists: usize) {
        let keys = self.db.keys_left();
        let ours: Vec<_> = keys
            .iter()
            .filter(|key| key.name.contains("umbel"))
            .collect();
        assert!(ours.iter().all(|key| key.ttl.is_some()), "{ours:?}");
        // Beside the set by which workers find them.
        let left = ours.iter().filter(|key| key.kind == "list").count();
        assert!(left <= lists, "{ours:?}");
    }
}

#[rstest]
fn tasks_end_in_every_way(#[values(StoredPrefork, RpcPrefork, StoredSolo, RpcSolo)] way: Way) {
    let Some(rig) = rig() else { return };
    let shop = way.shared(rig);
    let document = shop.document(0, "add", &["2", "y=3"]);
    assert_eq!(
        (&document["state"], &document["result"], &document["worker"]),
        (&json!("ok"), &json!(5), &json!("w1@test")),
        "{document}"
    );
    assert_eq!(document["warnings"], json!([]), "{document}");
    let document = shop.document(1, "fail", &["不行"]);
    assert_eq!(
        (&document["error"]["type"], &document["error"]["message"]),
        (&json!("ValueError"), &json!("不行"))
    );
    let document = shop.document(0, "retry_twice", &[]);
    assert_eq!(document["retries"], 2, "{document}");
    let document = shop.document(0, "progress", &["3", "0.1"]);
    assert_eq!(document["result"], json!({"done": 3}));
    let document = shop.document(0, "silent", &[]);
    assert_eq!(
        (&document["state"], &document["result_source"]),
        (&json!("ok"), &json!("event")),
        "{document}"
    );
}

#[rstest]
fn what_ends_late_without_a_result_or_with_progress_is_told(
    #[values(StoredPrefork, RpcPrefork)] way: Way,
) {
    let Some(rig) = rig() else { return };
    let shop = way.shared(rig);
    let words = ["n=60", "delay=0.1", "--timeout", "2"];
    let document = shop.document(3, "progress", &words);
    let told = (&document["state"], &document["custom"]);
    assert_eq!(told, (&json!("timeout"), &json!("PROGRESS")), "{document}");
    assert_eq!(document["diagnosis"]["now"]["state"], "run", "{document}");
    let document = shop.document(0, "silent", &["7"]);
    let told = (&document["state"], &document["result_repr"]);
    assert_eq!(told, (&json!("ok"), &json!("7")), "{document}");
    let words = ["7", "--result", "none"];
    let document = shop.document(0, "silent", &words);
    assert_eq!(document["state"], "no_result", "{document}");
}

#[test]
fn a_result_that_comes_after_the_timeout_is_late_and_ok() {
    let Some(rig) = rig() else { return };
    let shop = StoredPrefork.shared(rig);
    let home = shop.sandbox();
    let id = new_id();
    let words = [
        "call",
        "shop.tasks.sleep",
        "5",
        "--timeout",
        "500ms",
        "--history",
        "--task-id",
        &id,
    ];
    home.cli(&words).expect_code(3);
    let words = ["wait", &id, "--timeout", "60", "--json"];
    let document = home.cli(&words).expect_code(0).json();
    assert_eq!(document["state"], "late_ok", "{document}");
    assert_eq!(document["result"], 5);
}

#[rstest]
fn arguments_and_results_arrive_as_they_were_meant(#[values(StoredPrefork, RpcPrefork)] way: Way) {
    let Some(rig) = rig() else { return };
    let shop = way.shared(rig);
    let words = [
        "1180591620717411303424",
        "1.10",
        "客戶 \u{1f469}\u{200d}\u{1f4bb}",
        "null",
        r#"{"z":1,"a":[true]}"#,
        ":float=nan",
        "note=late",
    ];
    let result = shop.document(0, "echo", &words)["result"].clone();
    let args = r#"[1180591620717411303424,1.1,"客戶 👩‍💻",null,{"z":1,"a":[true]},"NaN"]"#;
    assert_eq!(result["args"].to_string(), args);
    let typed = [
        ":datetime=2024-05-01T12:30:00+00:00",
        "amount:decimal=12.50",
        "key:uuid=12345678-1234-5678-1234-567812345678",
    ];
    let said = shop.document(0, "rich", &typed)["result"].to_string();
    for part in ["datetime.datetime(2024", "Decimal('12.50')", "UUID('12"] {
        assert!(said.contains(part), "{said}");
    }
    let result = shop.document(0, "types", &[])["result"].clone();
    assert_eq!(result["big"].to_string(), "1180591620717411303424");
    assert_eq!(result["bytes"]["__value__"], "/wA=");
}

#[rstest]
fn a_large_result_arrives_whole(#[values(StoredPrefork, RpcPrefork)] way: Way) {
    let Some(rig) = rig() else { return };
    let size = 50_000_000;
    let words = ["call", "shop.tasks.big", "50000000", "--timeout", "60"];
    let outcome = way.shared(rig).cli(&words).expect_code(0);
    assert_eq!(outcome.stdout.len(), size + 3, "{}", outcome.stderr);
    assert_eq!(
        outcome.stdout.bytes().filter(|byte| *byte == b'x').count(),
        size
    );
}

#[rstest]
fn many_calls_at_once_each_get_their_own_result(#[values(StoredPrefork, RpcPrefork)] way: Way) {
    let Some(rig) = rig() else { return };
    let shop = way.shared(rig);
    let call = |n: i32| (n, shop.start_call("add", &[&n.to_string(), "100"]));
    let calls: Vec<_> = (0..8).map(call).collect();
    for (n, call) in calls {
        assert_eq!(call.wait().expect_code(0).json()["result"], json!(n + 100));
    }
}

#[rstest]
fn revoked_and_expired_tasks_are_told(#[values(StoredSolo, RpcPrefork)] way: Way) {
    let Some(rig) = rig() else { return };
    let options = WorkerOptions::one_slot();
    let shop = way.start(rig, options);
    let id = new_id();
    let running = shop.start_call("sleep", &["8", "--task-id", &id]);
    shop.wait_received(&id);
    let document = shop.document(7, "add", &["1", "2", "--expires", "500ms"]);
    assert_eq!(document["state"], "expired", "{document}");
    running.wait().expect_code(0);
    if matches!(way, RpcPrefork) {
        let id = new_id();
        let running = shop.start_call("sleep", &["60", "--task-id", &id]);
        shop.wait_received(&id);
        let code =
            format!("from shop.tasks import app; app.control.revoke('{id}', terminate=True)");
        python(&shop.db.url, &shop.backend, &code);
        let document = running.wait().expect_code(7).json();
        assert_eq!(document["error"]["kind"], "revoked", "{document}");
    }
}

#[rstest]
fn what_cannot_run_is_refused_before_it_is_sent(#[values(StoredPrefork, RpcSolo)] way: Way) {
    let Some(rig) = rig() else { return };
    let shop = way.shared(rig);
    let document = shop.document(6, "no_such", &[]);
    assert_eq!(
        (&document["state"], &document["sent"]),
        (&json!("draft"), &json!(false)),
        "{document}"
    );
    let message = document["error"]["message"].to_string();
    assert!(
        message.contains("shop.tasks.no_such registered"),
        "{message}"
    );
    let document = shop.document(6, "add", &["1", "2", "--queue", "nowhere"]);
    let error = &document["error"];
    assert!(
        error["message"].to_string().contains("no worker reads it"),
        "{error}"
    );
    assert!(
        error["hint"].to_string().contains("--queue celery"),
        "{error}"
    );
    assert_eq!(shop.db.depth("nowhere"), 0);
}

#[test]
fn without_any_worker_everything_says_so_at_once_and_leaves_nothing() {
    let Some(rig) = rig() else { return };
    let db = rig.redis_db();
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &db.url);
    for command in ["tasks", "queues", "workers"] {
        let outcome = sandbox.cli(&[command, "--json"]).expect_code(6);
        assert_eq!(outcome.json()[command], json!([]));
        assert!(outcome.took < Duration::from_secs(3), "{:?}", outcome.took);
        let outcome = sandbox.cli(&[command]).expect_code(6);
        let stderr = &outcome.stderr;
        assert!(stderr.contains("no worker listens"), "{stderr}");
    }
    let words = ["call", "shop.tasks.add", "1", "2", "--json"];
    let document = sandbox.cli(&words).expect_code(6).json();
    assert_eq!(document["sent"], false, "{document}");
    assert_eq!(db.keys_left(), []);
}

#[rstest]
fn listings_tell_what_the_workers_and_the_redis_tell(#[values(StoredPrefork)] way: Way) {
    let Some(rig) = rig() else { return };
    // Of its own: what others call would be held.
    let shop = way.start(rig, WorkerOptions::default());
    let document = shop.cli(&["tasks", "--json"]).expect_code(0).json();
    assert_eq!(
        (&document["workers_replied"], &document["workers_known"]),
        (&json!(1), &json!(1))
    );
    assert!(document.to_string().contains("shop.tasks.add"));
    let document = shop.cli(&["workers", "--json"]).expect_code(0).json();
    assert_eq!(document["workers"][0]["state"], "ok", "{document}");
    let document = shop.cli(&["queues", "--json"]).expect_code(0).json();
    let queue = &document["queues"][0];
    assert_eq!(
        (&queue["name"], &queue["consumers"], &queue["trouble"]),
        (&json!("celery"), &Value::Null, &Value::Null),
        "{queue}"
    );
    assert_eq!(queue["held"], 0, "{queue}");
    let mut connection = shop.db.connection();
    let _: u64 = connection.lpush("lonely", "x").expect("redis takes it");
    let document = shop
        .cli(&["queues", "lonely", "--json"])
        .expect_code(0)
        .json();
    let queue = &document["queues"][0];
    assert_eq!(
        (&queue["ready"], &queue["trouble"]),
        (&json!(1), &json!("no_consumer")),
        "{queue}"
    );
    let _: u64 = connection.del("lonely").expect("redis deletes");
}

#[test]
fn held_messages_are_counted_by_queue() {
    let Some(rig) = rig() else { return };
    let options = WorkerOptions {
        concurrency: 1,
        conf: "'worker_prefetch_multiplier': 3".to_owned(),
        queues: vec!["celery".to_owned(), "mail".to_owned()],
        ..WorkerOptions::default()
    };
    let shop = StoredPrefork.start(rig, options);
    let calls: Vec<_> = (0..6)
        .map(|_| shop.start_call("sleep", &["60", "--timeout", "500ms"]))
        .collect();
    for call in calls {
        call.wait().expect_code(3);
    }
    // One runs (and is acknowledged), three are held, two wait.
    eventually(PATIENCE, "they are where they belong", || {
        let document = shop
            .cli(&["queues", "celery", "--json"])
            .expect_code(0)
            .json();
        let queue = &document["queues"][0];
        (queue["ready"].as_u64(), queue["held"].as_u64()) == (Some(2), Some(3))
    });
    let human = shop.cli(&["queues"]).expect_code(0).stdout;
    assert!(human.contains("HELD"), "{human}");
    shop.worker.kill9();
}

#[rstest]
#[case::keys("'global_keyprefix': 'acme:'", r#"{"global_keyprefix": "acme:"}"#)]
#[case::fanout_off("'fanout_prefix': False", r#"{"fanout_prefix": false}"#)]
#[case::fanout_text("'fanout_prefix': '/own.'", r#"{"fanout_prefix": "/own."}"#)]
#[case::patterns_off("'fanout_patterns': False", r#"{"fanout_patterns": false}"#)]
#[case::lists(
    "'sep': ':', 'priority_steps': [0, 5]",
    r#"{"sep": ":", "priority_steps": [0, 5]}"#
)]
fn every_option_of_the_application_can_be_told(
    #[case] worker: &str,
    #[case] ours: &str,
    #[values(StoredPrefork, RpcSolo)] way: Way,
) {
    let Some(rig) = rig() else { return };
    let server = PrivateRedis::start();
    let db = RedisDb {
        url: format!("{}/3", server.url),
    };
    let options = WorkerOptions {
        concurrency: 1,
        conf: format!("'broker_transport_options': {{{worker}}}"),
        broker: db.url.clone(),
        backend: match way {
            StoredPrefork => rig.redis_db().url,
            _ => "rpc://".to_owned(),
        },
        ..WorkerOptions::default()
    };
    let shop = Shop {
        backend: options.backend.clone(),
        worker: Worker::start("shop.tasks", &options),
        options: ours.to_owned(),
        db,
    };
    wait_for_workers(&shop.sandbox(), 1);
    assert_eq!(shop.document(0, "add", &["2", "3"])["result"], json!(5));
    let document = shop.cli(&["workers", "--json"]).expect_code(0).json();
    assert_eq!(document["workers_known"], 1, "{document}");
    if ours.contains("acme") {
        // Without it the workers are not seen: said, and nothing is written there.
        let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &shop.db.url);
        let outcome = sandbox.cli(&["tasks"]).expect_code(6);
        assert!(outcome.stderr.contains("key prefix"), "{}", outcome.stderr);
        let keys = shop.db.keys_left();
        assert!(
            keys.iter().all(|key| key.name.starts_with("acme:")),
            "{keys:?}"
        );
    }
    shop.assert_tidy(1);
}

#[test]
fn a_user_of_the_server_who_may_do_what_is_needed_can_call() {
    let Some(_rig) = rig() else { return };
    let rules =
        "~celery ~celery\u{6}* ~unacked* ~_kombu* ~umbel* ~celery-task-meta-* &* +@all -@dangerous";
    let server =
        PrivateRedis::with_users(&[("umbel", "s3cret", rules), ("worker", "w", "~* &* +@all")]);
    let url = server.url_of("worker", "w");
    let options = WorkerOptions {
        broker: url.clone(),
        backend: "rpc://".to_owned(),
        pool: "solo".to_owned(),
        ..WorkerOptions::default()
    };
    let _worker = Worker::start("shop.tasks", &options);
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &server.url_of("umbel", "s3cret"));
    wait_for_workers(&sandbox, 1);
    let words = [
        "call",
        "shop.tasks.add",
        "2",
        "3",
        "--json",
        "--timeout",
        "60",
    ];
    let outcome = sandbox.cli(&words).expect_code(0);
    assert_eq!(outcome.json()["result"], json!(5));
    assert!(!outcome.stderr.contains("s3cret") && !outcome.stdout.contains("s3cret"));
    let mut words = words.to_vec();
    words.extend(["--queue", "forbidden", "--no-preflight"]);
    let document = sandbox.cli(&words).expect_code(4).json();
    let message = document["error"]["message"].to_string();
    assert!(message.contains("LPUSH forbidden"), "{message}");
}

#[rstest]
fn nothing_of_ours_stays_for_ever_whatever_the_end(#[values(StoredPrefork, RpcPrefork)] way: Way) {
    let Some(rig) = rig() else { return };
    let shop = way.start(rig, WorkerOptions::default());
    shop.document(0, "add", &["1", "2"]);
    shop.document(1, "fail", &[]);
    shop.document(6, "no_such", &[]);
    for command in ["tasks", "queues", "workers"] {
        shop.cli(&[command]).expect_code(0);
    }
    // Where results are stored, a task does not tell us that it pays nothing into our list: those two may stay for a day.
    let lists = if matches!(way, RpcPrefork) { 0 } else { 2 };
    shop.assert_tidy(lists);
    let late = new_id();
    let words = ["4", "--timeout", "200ms", "--task-id", &late];
    shop.document(3, "sleep", &words);
    let killed = new_id();
    let running = shop.start_call("sleep", &["1", "--task-id", &killed]);
    shop.wait_received(&killed);
    running.signal("KILL");
    running.wait();
    for id in [late, killed] {
        shop.worker.wait_for_log(&format!("[{id}] succeeded"));
    }
    // The results come after we have gone.
    thread::sleep(Duration::from_millis(300));
    shop.assert_tidy(lists + 2);
}

#[test]
fn a_listing_that_is_stopped_or_killed_leaves_nothing_for_ever() {
    let Some(rig) = rig() else { return };
    let shop = RpcSolo.start(rig, WorkerOptions::default());
    // A frozen worker makes it wait, and answers later.
    shop.worker.freeze();
    for signal in ["INT", "KILL"] {
        let running = shop.sandbox().start(&["workers", "--json"]);
        eventually(PATIENCE, "our list is there", || {
            let keys = shop.db.keys_left();
            keys.iter().any(|key| key.name.starts_with("umbel."))
        });
        thread::sleep(Duration::from_millis(200));
        running.signal(signal);
        running.wait();
    }
    shop.worker.thaw();
    thread::sleep(Duration::from_secs(1));
    shop.assert_tidy(2);
}

#[test]
fn a_frozen_worker_is_counted_though_it_says_nothing() {
    let Some(rig) = rig() else { return };
    let shop = RpcSolo.start(rig, WorkerOptions::default());
    let options = WorkerOptions {
        broker: shop.db.url.clone(),
        backend: "rpc://".to_owned(),
        pool: "solo".to_owned(),
        name: "frozen@test".to_owned(),
        ..WorkerOptions::default()
    };
    let frozen = Worker::start("shop.tasks", &options);
    wait_for_workers(&shop.sandbox(), 2);
    frozen.freeze();
    let outcome = shop.cli(&["tasks", "--json"]).expect_code(0);
    let document = outcome.json();
    assert_eq!(
        (&document["workers_replied"], &document["workers_known"]),
        (&json!(1), &json!(2)),
        "{document}"
    );
    let stderr = &outcome.stderr;
    assert!(
        stderr.contains("1 more worker(s) heard the question"),
        "{stderr}"
    );
    // What only the silent one may know is sent, with a warning.
    let document = shop.document(1, "no_such", &["--timeout", "5"]);
    assert_eq!(document["sent"], true, "{document}");
    assert_ne!(document["warnings"], json!([]), "{document}");
    frozen.thaw();
}

#[test]
fn the_screen_works_on_a_redis() {
    let Some(rig) = rig() else { return };
    let shop = RpcPrefork.shared(rig);
    let mut screen = shop.sandbox().pty(40, 120, &[]);
    screen.wait_for("redis://127.0.0.1");
    screen.wait_for("results rpc up  workers 1");
    screen.wait_for("retry_twice");
    screen.keys("/tasks.add\r");
    screen.wait_gone("retry_twice");
    screen.keys("\r");
    screen.wait_for("EDIT");
    screen.keys("2\r3\r");
    screen.wait_for("add(2, 3)");
    // Before it is known who reads the queue nothing is sent.
    screen.wait_for("queue celery · 1 reader");
    // F5; nothing is sent in the first moment after a change of focus.
    thread::sleep(Duration::from_millis(500));
    screen.keys("\u{1b}[15~");
    screen.wait_for("OK  shop.tasks.add");
    screen.signal("TERM");
    screen.wait_exit();
}

/// A worker on a server of its own and a call to it, with these settings and this environment.
#[track_caller]
fn assert_called(url: &str, conf: &str, ours: &str) {
    let options = WorkerOptions {
        broker: url.to_owned(),
        backend: "rpc://".to_owned(),
        pool: "solo".to_owned(),
        conf: conf.to_owned(),
        ..WorkerOptions::default()
    };
    let _worker = Worker::start("shop.tasks", &options);
    let sandbox = Sandbox::new()
        .env("CELERY_BROKER_URL", url)
        .env("UMBEL_BROKER_OPTIONS", ours);
    wait_for_workers(&sandbox, 1);
    let words = ["call", "shop.tasks.add", "2", "3", "--timeout", "60"];
    assert_eq!(sandbox.cli(&words).expect_code(0).stdout, "5\n");
    sandbox.cli(&["tasks"]).expect_code(0);
}

#[test]
fn a_broker_on_a_socket_is_called() {
    let Some(_rig) = rig() else { return };
    let server = PrivateRedis::on_socket();
    assert_called(&format!("{}?virtual_host=3", server.url), "", "");
}

#[test]
fn a_broker_behind_tls_is_called_with_a_certificate_of_ours() {
    let Some(_rig) = rig() else { return };
    let certificates = Certificates::shared();
    let server = PrivateRedis::with_tls(certificates);
    assert_called(
        &format!("{}/0?{}", server.url, certificates.redis_query()),
        "",
        "",
    );
}

#[test]
fn a_broker_behind_sentinels_is_called() {
    let Some(_rig) = rig() else { return };
    let group = SentinelGroup::with_passwords(Some("mpw"), Some("spw"));
    let conf = format!("'broker_transport_options': {}", group.transport_options());
    let ours = group.transport_options().replace('\'', "\"");
    assert_called(&group.url(), &conf, &ours);
}
