//! Every version of Celery, and the applications of the tests.

use crate::options;
use crate::support::{Version, Worker, celery_as, python_as, rig, temporary_directory, versions};
use serde_json::json;

#[test]
fn workers_of_every_version_of_celery_answer_a_ping_and_run_tasks() {
    let Some(rig) = rig() else { return };
    assert!(!Version::oldest().at_least("5.5") && Version::newest().at_least("5.7"));
    for &version in versions() {
        let (vhost, db) = (rig.vhost(), rig.redis_db());
        let mut options = options(&vhost.url, &db.url);
        (options.version, options.pool) = (Some(version), "solo".to_owned());
        let worker = Worker::start("shop.tasks", &options);
        let ping = celery_as(&options, "shop.tasks", &["inspect", "ping", "--json"]);
        assert_eq!(ping.expect_code(0).json()["w1@test"]["ok"], "pong");
        let code = "import celery; print(celery.__version__)";
        let said = python_as(&options, code);
        assert!(said.starts_with(&format!("{version}.")), "{said}");
        // Every serializer and every compression that kombu has, both ways.
        let code = "
from shop.tasks import *
from kombu.compression import encoders
from kombu.serialization import registry
print(*sorted(set(registry._encoders) & {'json', 'yaml', 'msgpack', 'pickle'}), *sorted(encoders()))
";
        let said = python_as(&options, code);
        let x = "application/";
        assert_eq!(
            said,
            format!("json msgpack pickle yaml {x}x-brotli {x}x-bz2 {x}x-gzip {x}x-lzma {x}zstd\n"),
            "{version}"
        );
        worker.stop();
    }
}

#[test]
fn tasks_of_every_serializer_and_compression_arrive_and_their_results_come_back() {
    let Some(rig) = rig() else { return };
    for &version in versions() {
        for serializer in ["json", "yaml", "msgpack", "pickle"] {
            let db = rig.redis_db();
            let mut options = options(&db.url, &db.url);
            (options.version, options.pool) = (Some(version), "solo".to_owned());
            options.conf = format!(
                "'accept_content': ['{serializer}', 'json'], 'result_serializer': '{serializer}', \
                 'task_serializer': '{serializer}', 'result_compression': 'gzip'"
            );
            let _worker = Worker::start("shop.tasks", &options);
            let code = "
from shop.tasks import *
for compression in [None, 'gzip', 'bzip2', 'lzma', 'brotli', 'zstd']:
    print(types_of.apply_async((1.5, 'ž', [None]), {'k': True}, compression=compression).get(timeout=30))
print(give.delay('plain').get(timeout=30) == GIFTS['plain']())
";
            let said = python_as(&options, code);
            let arrived = "{'args': ['1.5', \"'ž'\", '[None]'], 'kwargs': {'k': 'True'}}\n";
            assert_eq!(
                said,
                arrived.repeat(6) + "True\n",
                "{serializer}, {version}"
            );
        }
    }
}

#[test]
fn a_task_tells_all_that_its_message_said() {
    let Some(rig) = rig() else { return };
    for &version in versions() {
        let (vhost, db) = (rig.vhost(), rig.redis_db());
        let mut options = options(&vhost.url, &db.url);
        (options.version, options.pool) = (Some(version), "solo".to_owned());
        let _worker = Worker::start("shop.tasks", &options);
        let code = "
from shop.tasks import *
call = headers_seen.s(1, k=2).set(headers={'x-mine': 'yes', 'n': 5}, priority=7, shadow='shade', expires=600, countdown=0.1)
told = call.set(soft_time_limit=8, time_limit=9).apply_async().get(timeout=30)
print(json.dumps(told))
";
        let told: serde_json::Value =
            serde_json::from_str(&python_as(&options, code)).expect("JSON");
        assert_eq!(told["shadow"], "shade", "{told}");
        assert_eq!(told["timelimit"], json!([9, 8]), "{told}");
        assert_eq!(told["delivery_info"]["priority"], 7, "{told}");
        assert_eq!(told["headers"]["x-mine"], "yes", "{told}");
        assert_eq!(told["headers"]["n"], 5, "{told}");
        assert!(
            told["eta"].is_string() && told["expires"].is_string(),
            "{told}"
        );
    }
}

#[test]
fn the_routed_shop_has_the_queues_that_it_was_told_to_have() {
    let Some(rig) = rig() else { return };
    for &version in versions() {
        let vhost = rig.vhost();
        let mut options = options(&vhost.url, "rpc://");
        (options.version, options.pool) = (Some(version), "solo".to_owned());
        let quorum = if version.at_least("5.5") {
            ",qtopic,qdirect"
        } else {
            ""
        };
        let queues = format!("celery,orders,urgent,news,odd key{quorum}");
        options.env = vec![("QUEUES".to_owned(), queues)];
        let worker = Worker::start("shop.routed", &options);
        let contents = vhost.contents();
        let has = |line: &str| {
            assert!(
                contents.iter().any(|other| other == line),
                "{line}: {contents:?}"
            );
        };
        has("binding tasks -> queue orders (order.#)");
        has("exchange tasks (topic)");
        has("binding odd -> queue odd key (not the name)");
        assert_eq!(
            vhost.queue("urgent").unwrap()["arguments"]["x-max-priority"],
            10
        );
        if version.at_least("5.5") {
            assert_eq!(vhost.queue("qtopic").unwrap()["type"], "quorum");
            has("queue celery_delayed_27");
        }
        let code = "
from shop.routed import *
print(add.apply_async((2, 3), exchange='tasks', routing_key='order.new').get(timeout=30))
print(add.apply_async((2, 3), queue='urgent', priority=9).get(timeout=30))
";
        assert_eq!(python_as(&options, code), "5\n5\n", "{version}");
        worker.stop();
    }
}

#[test]
fn the_newest_celery_has_a_pool_of_greenlets_and_results_in_a_database() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let file = temporary_directory("sqlite-");
    let backend = format!("db+sqlite:///{}/results", file.path().display());
    let mut options = options(&vhost.url, &backend);
    (options.version, options.pool) = (Some(Version::newest()), "gevent".to_owned());
    let _worker = Worker::start("shop.tasks", &options);
    let code = "from shop.tasks import *; print(add.delay(2, 3).get(timeout=30))";
    assert_eq!(python_as(&options, code), "5\n");
}

#[test]
fn settings_hold_every_kind_of_python_literal() {
    let Some(_rig) = rig() else { return };
    let mut options = options("memory://", "");
    options.conf =
        "'a': {1, 2}, 'b': (1, None), 'c': b'x', 'd': {'cert_reqs': 2}, 'e': True, 'f': -1.5"
            .to_owned();
    let code = "from shop.tasks import app; print([app.conf[key] for key in 'abcdef'])";
    assert_eq!(
        python_as(&options, code),
        "[{1, 2}, (1, None), b'x', {'cert_reqs': 2}, True, -1.5]\n"
    );
}
