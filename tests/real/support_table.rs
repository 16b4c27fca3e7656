//! The rows of the README's table that no other test has: each is a test here, and `tests/readme.rs` holds the two together.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{
    PrivateRedis, Sandbox, Version, Vhost, Worker, WorkerOptions, cli, closed_port, eventually,
    rig, temporary_directory, versions,
};
use crate::world::Kind;

/// A worker with one slot.
fn worker(options: WorkerOptions) -> Worker {
    let options = WorkerOptions {
        concurrency: 1,
        ..options
    };
    Worker::start("shop.tasks", &options)
}

/// Lets a worker add two numbers.
#[track_caller]
fn assert_adds(sandbox: &Sandbox, words: &[&str]) -> Value {
    let call = [
        "call",
        "shop.tasks.add",
        "2",
        "3",
        "--json",
        "--timeout",
        "60",
    ];
    let all: Vec<&str> = call.iter().chain(words).copied().collect();
    let document = sandbox.cli(&all).expect_code(0).json();
    assert_eq!(
        (&document["state"], &document["result"]),
        (&json!("ok"), &json!(5)),
        "{document}"
    );
    document
}

fn solo(broker: &str, backend: &str) -> Worker {
    worker(WorkerOptions {
        broker: broker.to_owned(),
        backend: backend.to_owned(),
        pool: "solo".to_owned(),
        ..WorkerOptions::default()
    })
}

// ---- brokers -----------------------------------------------------------------------------------------------------------

#[test]
fn several_urls_lead_to_the_first_that_answers() {
    let Some(rig) = rig() else { return };
    let (vhost, db) = (rig.vhost(), rig.redis_db());
    let closed = closed_port();
    let workers = [solo(&vhost.url, "rpc://"), solo(&db.url, "rpc://")];
    // What Celery calls RabbitMQ as well.
    let rabbit = vhost.url.replace("amqp://", "pyamqp://");
    for (scheme, url) in [("amqp", &rabbit), ("redis", &db.url)] {
        let urls = format!("{scheme}://127.0.0.1:{closed};{url}");
        assert_adds(&Sandbox::new().env("CELERY_BROKER_URL", &urls), &[]);
    }
    assert!(workers.iter().all(Worker::is_alive));
}

#[test]
fn a_virtual_host_may_have_any_name() {
    let Some(rig) = rig() else { return };
    for odd in ["/a b", "%2F", "ž#?@"] {
        let vhost = rig.rabbit.odd_vhost(odd);
        let _worker = solo(&vhost.url, "rpc://");
        assert_adds(&Sandbox::new().env("CELERY_BROKER_URL", &vhost.url), &[]);
    }
}

#[test]
fn a_user_who_may_not_declare_queues_gets_results_all_the_same() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let _worker = solo(&vhost.url, "rpc://");
    let user = vhost.user("", ".*", ".*");
    let sandbox = Sandbox::new()
        .env("CELERY_BROKER_URL", &user.url)
        .env("CELERY_RESULT_BACKEND", "rpc://");
    let words = ["--no-preflight", "--queue", "celery"];
    let document = assert_adds(&sandbox, &words);
    let said = document["warnings"].to_string();
    assert!(
        said.contains("connection"),
        "what that means is said: {document}"
    );
    assert!(!document.to_string().contains(user.password));
}

#[test]
fn the_management_api_adds_what_is_held() {
    let Some(rig) = rig() else { return };
    let world = Kind::RpcSolo.start(rig, WorkerOptions::default());
    let management = std::env::var("UMBEL_TEST_MANAGEMENT").expect("tests/run names it");
    let running = world.start_call("sleep", &["6", "--timeout", "60"]);
    let waiting = world.start_call("add", &["2", "3"]);
    let sandbox = world.sandbox().env("UMBEL_MANAGEMENT", &management);
    // RabbitMQ counts every 5 s.
    eventually(crate::support::PATIENCE, "what is held is told", || {
        let listed = sandbox.cli(&["queues", "celery", "--json"]).json();
        listed["queues"][0]["held"].as_u64() > Some(0)
    });
    let without = world.cli(&["queues", "celery", "--json"]).json();
    assert_eq!(without["queues"][0]["held"], Value::Null, "{without}");
    for call in [running, waiting] {
        call.wait().expect_code(0);
    }
}

#[test]
fn a_long_backlog_on_redis_costs_no_more_to_look_at() {
    let Some(_rig) = rig() else { return };
    // Of our own list some entries are read; of the backlog nobody may read any, and who tries is noted.
    let server = PrivateRedis::with_settings(
        "user default on nopass ~* &* +@all -lrange (~umbel.* +lrange)",
    );
    let url = format!("{}/0", server.url);
    let mut connection = server.connection();
    let backlog = vec!["{}"; 10_000];
    for _ in 0..30 {
        let _: u64 = redis::cmd("RPUSH")
            .arg("backlog")
            .arg(&backlog)
            .query(&mut connection)
            .expect("redis takes it");
    }
    let _worker = solo(&url, "rpc://");
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &url);
    assert_adds(&sandbox, &[]);
    let listed = sandbox.cli(&["queues", "backlog", "--json"]).expect_code(0);
    let queue = &listed.json()["queues"][0];
    assert_eq!(
        (&queue["ready"], &queue["trouble"]),
        (&json!(300_000), &json!("no_consumer")),
        "{queue}"
    );
    let info: String = redis::cmd("INFO")
        .arg("commandstats")
        .query(&mut connection)
        .expect("redis counts");
    for command in ["keys", "hgetall", "scan", "sort"] {
        assert!(!info.contains(&format!("cmdstat_{command}:")), "{info}");
    }
    let refused: Vec<redis::Value> = redis::cmd("ACL")
        .arg("LOG")
        .query(&mut connection)
        .expect("redis tells whom it refused");
    assert!(refused.is_empty(), "{refused:?}");
    for counted in ["llen", "publish"] {
        assert!(info.contains(&format!("cmdstat_{counted}:")), "{info}");
    }
}

#[rstest]
#[case("sqs://key:secret@", "sqs:// as a broker is not supported")]
#[case("kafka://h:1", "kafka:// as a broker is not supported")]
#[case("memory://", "memory:// as a broker is not supported")]
#[case("valkey://h", "a Valkey is reached as redis://")]
fn other_brokers_are_refused_with_a_sentence(#[case] url: &str, #[case] words: &str) {
    let document = cli(&["--broker", url, "--json", "tasks"])
        .expect_code(11)
        .json();
    assert!(document["error"].to_string().contains(words), "{document}");
}

// ---- result backends ---------------------------------------------------------------------------------------------------

#[test]
fn a_backend_that_cannot_be_read_is_told_and_the_end_is_heard() {
    let Some(rig) = rig() else { return };
    // What the worker really has does not matter: umbel believes its user, and listens.
    let world = Kind::RedisSolo.start(rig, WorkerOptions::default());
    for (url, name) in [
        ("cache+memcached://h/", "memcached"),
        ("s3://bucket", "s3"),
        ("mongodb://h", "mongodb"),
        ("elasticsearch://h", "elasticsearch"),
    ] {
        let sandbox = Sandbox::new()
            .env("CELERY_BROKER_URL", &world.vhost.url)
            .env("CELERY_RESULT_BACKEND", url);
        let words = ["call", "shop.tasks.fail", "no stock", "--json"];
        let document = sandbox.cli(&words).expect_code(1).json();
        assert_eq!(
            (&document["state"], &document["result_source"]),
            (&json!("fail"), &json!("event")),
            "{document}"
        );
        let said = document["warnings"].to_string();
        assert!(said.contains(name), "{document}");
    }
}

// ---- versions and pools ------------------------------------------------------------------------------------------------

/// The main job with workers of one version, on both brokers and with both kinds of results.
#[track_caller]
fn assert_version(version: Version) {
    let Some(rig) = rig() else { return };
    let (vhost, db, other) = (rig.vhost(), rig.redis_db(), rig.redis_db());
    for (broker, backend) in [(&vhost.url, &db.url), (&other.url, &"rpc://".to_owned())] {
        let _worker = worker(WorkerOptions {
            broker: broker.clone(),
            backend: backend.clone(),
            version: Some(version),
            ..WorkerOptions::default()
        });
        let sandbox = Sandbox::new().env("CELERY_BROKER_URL", broker);
        let document = assert_adds(&sandbox, &["--compression", "gzip"]);
        assert_eq!(document["warnings"], json!([]), "{document}");
        let words = [
            "call",
            "shop.tasks.fail",
            "不行",
            "--json",
            "--timeout",
            "60",
        ];
        let failed = sandbox.cli(&words).expect_code(1).json();
        assert_eq!(failed["error"]["type"], "ValueError", "{failed}");
        let listed = sandbox.cli(&["workers", "--json"]).expect_code(0).json();
        let celery = listed["workers"][0]["celery"].as_str().unwrap_or_default();
        assert!(celery.starts_with(version.name()), "{listed}");
    }
}

/// This version, or where this run does not have it, the ones around it: those are said, and tested instead.
#[track_caller]
fn assert_version_called(name: &str) {
    if rig().is_none() {
        return;
    }
    if let Some(version) = versions().iter().find(|version| version.name() == name) {
        return assert_version(*version);
    }
    say(&format!(
        "this run has no Celery {name}, only {:?}: tests/run --all has all",
        versions()
    ));
    assert!(!Version::oldest().at_least(name) && Version::newest().at_least(name));
    for version in [Version::oldest(), Version::newest()] {
        assert_version(version);
    }
}

#[expect(
    clippy::print_stderr,
    reason = "for a person who reads the output of the test"
)]
fn say(text: &str) {
    eprintln!("{text}");
}

#[test]
fn celery_5_3() {
    assert_version_called("5.3");
}

#[test]
fn celery_5_5() {
    assert_version_called("5.5");
}

#[test]
fn celery_5_6() {
    assert_version_called("5.6");
}

#[test]
fn celery_5_7() {
    assert_version_called("5.7");
}

#[rstest]
fn a_pool_of_any_kind_works_and_is_named(
    #[values("prefork", "solo", "threads", "gevent")] pool: &str,
) {
    let Some(rig) = rig() else { return };
    let vhost: Vhost = rig.vhost();
    let directory = temporary_directory("pool-");
    let _worker = Worker::start(
        "shop.tasks",
        &WorkerOptions {
            broker: vhost.url.clone(),
            backend: "rpc://".to_owned(),
            pool: pool.to_owned(),
            concurrency: 2,
            // Only its environment has gevent.
            version: Some(Version::newest()),
            env: vec![("TMPDIR".to_owned(), directory.path().display().to_string())],
            ..WorkerOptions::default()
        },
    );
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &vhost.url);
    assert_adds(&sandbox, &[]);
    let words = [
        "call",
        "shop.tasks.sleep",
        "0.2",
        "--json",
        "--timeout",
        "60",
    ];
    assert_eq!(
        sandbox.cli(&words).expect_code(0).json()["result"],
        json!(0.2)
    );
    let listed = sandbox.cli(&["workers", "--json"]).expect_code(0).json();
    assert_eq!(listed["workers"][0]["pool"], pool, "{listed}");
}
