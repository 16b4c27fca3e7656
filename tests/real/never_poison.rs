//! A thousand random calls on each broker: every one is refused before it is sent, or arrives exactly as it was meant, and no
//! worker dies of any. What was meant is said by kombu itself, which reads the same arguments as JSON in the same version.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use umbel::backend::Results;
use umbel::broker::Broker;
use umbel::broker::amqp::AmqpBroker;
use umbel::broker::redis::RedisBroker;
use umbel::broker::url::BrokerUrl;
use umbel::call::Fact;
use umbel::client::actor::{ResultsSource, Setup, start};
use umbel::client::survey::Purpose;
use umbel::client::{Command, Event, LinkName, LinkState, Order};
use umbel::clock::{Clock, Timestamp};
use umbel::protocol::json::Limits;
use umbel::protocol::message::{Sender, Start};
use umbel::protocol::{Compression, Json, Options, Serializer, Signature, TaskId};
use umbel::server::redis::{RedisServer, Role};

use crate::support::{
    PATIENCE, RedisDb, Rig, Vhost, Worker, WorkerOptions, celery, python_as, temporary_directory,
};

/// Calls to each worker; each broker has two workers.
const CALLS: usize = 500;
/// Calls under way at a time.
const AT_ONCE: usize = 50;

// ---- what is sent ------------------------------------------------------------------------------------------------------

/// Names and texts with what hurts more often than chance would have it.
fn text() -> impl Strategy<Value = String> {
    const HOSTILE: &[&str] = &[
        "",
        "self",
        "args",
        "kwargs",
        "task_id",
        "class",
        "__class__",
        "__type__",
        "__value__",
        "__reduce__",
        "bytes",
        "datetime",
        "null",
        "~",
        "no",
        "on",
        "1e3",
        "0o17",
        "1_000",
        "12:30:00",
        "2024-05-01",
        "<<",
        "=",
        "*a",
        "&a",
        "!!python/object/apply:os.system [id]",
        "--- \n...\n",
        "%TAG ! x",
        "# no comment",
        " leading and trailing ",
        "\t",
        "\r\n",
        "\u{85}\u{2028}\u{2029}",
        "\u{0}",
        "\u{feff}bom",
        "'; DROP TABLE tasks; --",
        "{{7*7}}",
        "%s %(x)s {0}",
        "\u{1b}[2J\u{1b}]0;owned\u{7}",
        "e\u{301}\u{302}\u{303}",
        "\u{1f469}\u{200d}\u{1f4bb}",
        "\u{202e}gnp.exe",
        "\u{10ffff}\u{fffe}\u{ffff}",
        "不鏽鋼 žluť",
        "\\ud800 \\x00 \\",
        "NaN",
        "-Infinity",
    ];
    prop_oneof![
        4 => proptest::sample::select(HOSTILE).prop_map(str::to_owned),
        3 => any::<String>(),
        2 => "[a-z_][a-z0-9_]{0,8}",
        1 => "[\u{0}-\u{20}\"'\\\\/:#&*!|>%@`,\\[\\]{}\u{7f}-\u{a0}\u{2028}\u{feff}\u{1f600}]{0,12}",
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any::<i64>().prop_map(|number| number.to_string()),
        2 => any::<f64>().prop_filter("finite", |number| number.is_finite())
            .prop_map(|number| format!("{number:e}")),
        2 => "-?(0|[1-9][0-9]{0,60})",
        2 => "-?(0|[1-9][0-9]{0,20})\\.[0-9]{1,20}(e[+-]?[0-9]{1,3})?",
        2 => proptest::sample::select(&[
            "NaN", "Infinity", "-Infinity", "-0", "-0.0", "1.10", "1180591620717411303424",
            "-9223372036854775809", "18446744073709551616", "1e400", "5e-324", "1E5",
        ][..]).prop_map(str::to_owned),
    ]
}

/// kombu's typed values, most of them well-formed.
fn typed() -> impl Strategy<Value = Json> {
    let pairs = [
        ("datetime", "\"2024-05-01T12:30:15.123456+00:00\""),
        ("datetime", "\"2024-05-01T12:30:15\""),
        ("date", "\"2024-05-01\""),
        ("time", "\"01:02:03\""),
        ("decimal", "\"1.10\""),
        ("decimal", "\"-1E+30\""),
        ("uuid", "{\"hex\": \"12345678123456781234567812345678\"}"),
        ("bytes", "\"abc \u{e9}\""),
        ("base64", "\"/wA=\""),
        ("date", "\"yesterday\""),
        ("parcel", "{}"),
    ];
    proptest::sample::select(pairs.to_vec()).prop_map(|(kind, value)| {
        json(&format!(
            "{{\"__type__\": \"{kind}\", \"__value__\": {value}}}"
        ))
    })
}

/// Lists and objects inside each other, up to where umbel refuses.
fn deep() -> impl Strategy<Value = Json> {
    (1..=196_usize, any::<bool>()).prop_map(|(depth, list)| {
        (0..depth).fold(Json::Null, |inner, _| {
            if list {
                Json::List(vec![inner])
            } else {
                Json::Object(vec![("x".to_owned(), inner)])
            }
        })
    })
}

fn value() -> impl Strategy<Value = Json> {
    let scalar = prop_oneof![
        1 => Just(Json::Null),
        1 => any::<bool>().prop_map(Json::Bool),
        3 => number().prop_map(Json::Number),
        4 => text().prop_map(Json::Text),
        1 => typed(),
    ];
    let nested = scalar.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::List),
            prop::collection::vec((text(), inner), 0..5).prop_map(Json::Object),
        ]
    });
    prop_oneof![
        40 => nested,
        1 => deep(),
        1 => (1..5_000_usize, text()).prop_map(|(size, text)| Json::Text(text.repeat(size).chars().take(size).collect())),
        1 => prop::collection::vec(number().prop_map(Json::Number), 500..1_000).prop_map(Json::List),
    ]
}

fn options() -> impl Strategy<Value = Options> {
    use proptest::option::{of, weighted};
    let serializer = [Serializer::Json, Serializer::Yaml, Serializer::Msgpack];
    let compression = [
        Compression::Gzip,
        Compression::Bzip2,
        Compression::Lzma,
        Compression::Zstd,
        Compression::Brotli,
    ];
    let minutes = |most: u64| (1..most).prop_map(Duration::from_mins);
    let start = prop_oneof![
        Just(Start::After(Duration::ZERO)),
        Just(Start::After(Duration::from_millis(20))),
        (0..1_700_000_000_i64)
            .prop_map(|at| Start::At(Timestamp::from_second(at).expect("a time"))),
    ];
    let header = ("[a-z]{1,8}-[a-z]{0,3}", value_of_header());
    (
        of(proptest::sample::select(serializer.to_vec())),
        weighted(0.15, proptest::sample::select(compression.to_vec())),
        of(0..10_u8),
        of(start),
        of(minutes(600)),
        (of(minutes(20)), any::<bool>()),
        prop::collection::vec(header, 0..3),
        of(text()),
    )
        .prop_map(
            |(serializer, compression, priority, start, expires, limit, headers, shadow)| Options {
                serializer,
                compression,
                priority,
                start,
                expires,
                time_limit: limit.0,
                soft_time_limit: limit.0.filter(|_| limit.1),
                headers,
                shadow,
                ..Options::default()
            },
        )
}

fn value_of_header() -> impl Strategy<Value = Json> {
    let scalar = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(|number| Json::Number(number.to_string())),
        any::<f64>().prop_map(|number| Json::Number(format!("{number:?}"))),
        text().prop_map(Json::Text),
    ];
    scalar.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Json::List),
            prop::collection::vec((text(), inner), 0..3).prop_map(Json::Object),
        ]
    })
}

/// An id that is new, and may be odd around that.
fn id() -> impl Strategy<Value = TaskId> {
    let odd = prop_oneof![
        3 => Just(String::new()),
        1 => "[ -~]{1,20}",
        1 => "[\u{a1}-\u{2fff}\u{1f600}-\u{1f64f}]{1,10}",
    ];
    odd.prop_map(|odd| TaskId(format!("{odd}{}", TaskId::random())))
}

fn signature() -> impl Strategy<Value = Signature> {
    (
        proptest::sample::select(&["shop.tasks.types_of", "shop.tasks.echo"][..]),
        id(),
        prop::collection::vec(value(), 0..4),
        prop::collection::vec((text(), value()), 0..4),
        options(),
    )
        .prop_map(|(task, id, args, kwargs, options)| Signature {
            task: task.into(),
            id,
            args,
            kwargs,
            options,
        })
}

fn json(text: &str) -> Json {
    Json::parse(text.as_bytes(), Limits::default()).expect("JSON")
}

/// Some of this seed: those to be sent, and how many cannot be encoded.
fn draw(seed: [u8; 32], count: usize) -> (Vec<Signature>, usize) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (strategy, sender) = (signature(), sender());
    let mut refused = 0;
    let mut draw = || {
        let tree = strategy.new_tree(&mut runner).expect("a value");
        tree.current()
    };
    let mut drawn = Vec::new();
    while drawn.len() < count {
        let signature = draw();
        match signature.encode(&sender) {
            Ok(_) => drawn.push(signature),
            Err(_) => refused += 1,
        }
    }
    (drawn, refused)
}

fn sender() -> Sender {
    Sender {
        origin: "gen1@test".to_owned(),
        reply_to: Some("umbel.test".to_owned()),
        now: Timestamp::now(),
    }
}

/// Reads `[task, args, kwargs]` a line as a worker reads JSON, and prints what the task returns.
const MEANT: &str = r#"
import sys
from kombu.utils.json import dumps, loads
for line in open(sys.argv[1] if len(sys.argv) > 1 else PATH, encoding="utf-8", newline="\n"):
    task, args, kwargs = loads(line)
    if task == "shop.tasks.types_of":
        args, kwargs = [repr(value) for value in args], {key: repr(value) for key, value in kwargs.items()}
    print(dumps({"args": args, "kwargs": kwargs}))
"#;

/// What each of these is to return, as this version's kombu has it.
fn meant(options: &WorkerOptions, calls: &[Signature]) -> Vec<Json> {
    let directory = temporary_directory("meant-");
    let path = directory.path().join("calls");
    let line = |call: &Signature| {
        let args = Json::List(call.args.clone());
        let kwargs = Json::Object(call.kwargs.clone());
        Json::List(vec![call.task.as_str().into(), args, kwargs]).to_wire() + "\n"
    };
    fs::write(&path, calls.iter().map(line).collect::<String>()).expect("a file");
    let code = format!("PATH = {:?}\n{MEANT}", path.display().to_string());
    let said = python_as(options, &code);
    let meant: Vec<Json> = said.lines().map(json).collect();
    assert_eq!(meant.len(), calls.len());
    meant
}

// ---- sending -----------------------------------------------------------------------------------------------------------

/// Sends all through umbel's own client, some at once, and returns what came back: the value, or what else became of it.
async fn send(
    broker: &str,
    backend: &str,
    calls: &[Signature],
) -> HashMap<TaskId, Result<Json, String>> {
    let results = umbel::backend::url::parse(backend, &Arc::default()).expect("a backend");
    let stored = matches!(results, Results::Stored(_));
    let (client, mut events) = start(Setup {
        broker: connection(broker),
        results: ResultsSource::Given(results),
        purpose: Purpose::Call,
        clock: Clock::default(),
        origin: "gen1@test".to_owned(),
    });
    let (mut waiting, mut flying) = (calls.iter(), 0);
    let mut ended = HashMap::new();
    let (mut surveyed, mut backend_up) = (false, !stored);
    while ended.len() < calls.len() {
        if surveyed && backend_up {
            for call in waiting.by_ref().take(AT_ONCE - flying) {
                flying += 1;
                let order = Order::to_queue(call.clone(), &"celery".into());
                assert!(client.send(Command::Call(Box::new(order))).await);
            }
        }
        let event = tokio::time::timeout(PATIENCE, events.recv()).await;
        let Ok(event) = event else {
            break;
        };
        let end = match event.expect("the client lives") {
            Event::Link(LinkName::Backend, LinkState::Up { .. }) => {
                backend_up = true;
                None
            }
            Event::Heard(umbel::cluster::Heard::Surveyed, _) => {
                surveyed = true;
                None
            }
            Event::Link(name, LinkState::Waiting { reason, .. }) => panic!("{name}: {reason}"),
            Event::Call(id, fact, _) => end_of(fact).map(|end| (id, end)),
            _ => None,
        };
        if let Some((id, end)) = end {
            flying -= usize::from(ended.insert(id, end).is_none());
        }
    }
    client.send(Command::Close).await;
    while !matches!(events.recv().await, None | Some(Event::Closed)) {}
    ended
}

fn is_as_meant(call: &Signature, meant: &Json, came: Option<&Result<Json, String>>) -> bool {
    match came {
        Some(Ok(value)) => value == meant,
        // A worker's own wrapper around every task has a `self`, so that Celery's client cannot pass one either.
        Some(Err(reason)) => {
            call.kwargs.iter().any(|(name, _)| name == "self")
                && reason.contains("TypeError")
                && reason.contains("multiple values for argument 'self'")
        }
        None => false,
    }
}

fn end_of(fact: Fact) -> Option<Result<Json, String>> {
    match fact {
        Fact::Result(result) if result.state == umbel::protocol::State::Success => {
            Some(Ok(result.value))
        }
        Fact::Result(result) if result.state.is_final() => Some(Err(format!("{result:?}"))),
        Fact::Unsent(error) | Fact::Unknown(error) => Some(Err(error.to_string())),
        Fact::Returned(reason) | Fact::Unreadable { reason, .. } => Some(Err(reason)),
        _ => None,
    }
}

fn connection(url: &str) -> Arc<dyn Broker> {
    match umbel::broker::url::parse(url).expect("a broker") {
        BrokerUrl::Redis(servers) => {
            let server = |url| RedisServer::new(url, Role::Broker, Arc::default());
            Arc::new(RedisBroker::new(servers.into_iter().map(server).collect()))
        }
        urls @ BrokerUrl::Amqp(_) => Arc::new(AmqpBroker::new(urls)),
    }
}

/// A worker that takes every serializer.
fn worker(broker: &str, backend: &str) -> (WorkerOptions, Worker) {
    let options = WorkerOptions {
        broker: broker.to_owned(),
        backend: backend.to_owned(),
        concurrency: 2,
        conf: "'accept_content': ['json', 'yaml', 'msgpack'], 'worker_prefetch_multiplier': 16"
            .to_owned(),
        ..WorkerOptions::default()
    };
    let worker = Worker::launch("shop.tasks", &options);
    (options, worker)
}

/// `UMBEL_TEST_SEED`, else a new one: 64 hexadecimal digits, and what they say.
fn seed() -> (String, [u8; 32]) {
    let half = || uuid::Uuid::new_v4().simple().to_string();
    let text = std::env::var("UMBEL_TEST_SEED").unwrap_or_else(|_| half() + &half());
    let byte = |index: usize| u8::from_str_radix(&text[2 * index..2 * index + 2], 16);
    let seed = std::array::from_fn(|index| byte(index).expect("64 hexadecimal digits"));
    (text, seed)
}

/// `CALLS` random calls to a worker on these, and the worker's health after them.
fn storm(broker: &str, backend: &str) -> Worker {
    let (hex, seed) = seed();
    let (options, worker) = worker(broker, backend);
    let (calls, refused) = draw(seed, CALLS);
    assert!(
        refused < CALLS / 2,
        "{refused} cannot be encoded: UMBEL_TEST_SEED={hex}"
    );
    let meant = meant(&options, &calls);
    worker.wait_for_log(" ready.");
    let pid = worker.pid();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let ended = runtime.block_on(send(broker, backend, &calls));
    let mut wrong = Vec::new();
    for (call, meant) in calls.iter().zip(&meant) {
        if !is_as_meant(call, meant, ended.get(&call.id)) {
            wrong.push(format!(
                "{call:?}\nmeant {meant:?}\ncame  {:?}",
                ended.get(&call.id)
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {CALLS} did not arrive as they were meant: UMBEL_TEST_SEED={hex}\n{}\n{}",
        wrong.len(),
        wrong
            .iter()
            .take(3)
            .map(|one| one.chars().take(3_000).collect::<String>() + "\n")
            .collect::<String>(),
        worker
            .log()
            .lines()
            .rev()
            .take(5)
            .collect::<Vec<_>>()
            .join("\n"),
    );
    assert!(worker.is_alive() && worker.pid() == pid);
    let answers = celery(broker, backend, &["inspect", "ping", "-t", "10"]).expect_code(0);
    assert!(answers.stdout.contains("pong"), "{}", answers.account());
    let log = worker.log();
    let died = ["CRITICAL/", "Unrecoverable error", "exited with"];
    let told = log
        .lines()
        .find(|line| died.iter().any(|word| line.contains(word)));
    assert_eq!(told, None, "UMBEL_TEST_SEED={hex}");
    worker
}

/// Nothing waits and nothing is held: what a worker holds goes back into the queue when it ends.
fn assert_empty_rabbit(vhost: &Vhost, worker: &Worker) {
    worker.stop();
    assert!(vhost.messages("celery").is_empty());
    let queues = vhost.queues();
    assert!(
        !queues.iter().any(|queue| queue.starts_with("umbel.")),
        "{queues:?}"
    );
}

fn assert_empty_redis(db: &RedisDb, worker: &Worker) {
    worker.stop();
    let left = db.keys_left();
    let is_message = |name: &str| {
        name == "unacked"
            || name == "unacked_index"
            || name == "celery"
            || name.starts_with("celery\u{6}")
    };
    let messages: Vec<_> = left.iter().filter(|key| is_message(&key.name)).collect();
    assert!(messages.is_empty(), "{messages:?}");
    // A list of replies that may still get one expires by itself.
    let mut ours = left.iter().filter(|key| key.name.contains("umbel"));
    assert!(ours.all(|key| key.ttl.is_some()), "{left:?}");
}

fn rabbit(rig: &Rig, backend: &str) {
    let vhost = rig.vhost();
    let worker = storm(&vhost.url, backend);
    assert_empty_rabbit(&vhost, &worker);
}

fn redis(rig: &Rig, stored: bool) {
    let db = rig.redis_db();
    let backend = if stored { &db.url } else { "rpc://" };
    let worker = storm(&db.url, backend);
    assert_empty_redis(&db, &worker);
}

#[test]
fn a_thousand_random_calls_on_rabbitmq_arrive_as_meant_or_are_refused() {
    let Some(rig) = crate::support::rig() else {
        return;
    };
    rabbit(rig, &rig.redis_db().url);
    rabbit(rig, "rpc://");
}

#[test]
fn a_thousand_random_calls_on_redis_arrive_as_meant_or_are_refused() {
    let Some(rig) = crate::support::rig() else {
        return;
    };
    redis(rig, true);
    redis(rig, false);
}
