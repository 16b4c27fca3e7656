//! Where a state is brought up: a broker, a worker, and umbel that asks why its call is silent. The same tests play on both brokers.

use std::ops::Deref;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::Commands;
use serde_json::{Value, json};
use umbel::clock::Timestamp;

use crate::support::{
    PATIENCE, RedisDb, Rig, Running, Sandbox, Vhost, Worker, WorkerOptions, celery, encoded,
    eventually, rig,
};
use crate::world::{Kind, new_id};

/// One slot, one message ahead, acknowledged late: on RabbitMQ the next message stays in the queue.
pub const ONE_AT_A_TIME: &str = "'task_acks_late': True, 'worker_prefetch_multiplier': 1";

/// The broker, and where results go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// RabbitMQ, results in Redis.
    Rabbit,
    /// RabbitMQ, results on our reply queue.
    RabbitRpc,
    /// Redis, results in the same Redis.
    Redis,
    /// Redis, results on our list.
    RedisRpc,
}

/// A worker of its own, or one that several tests use.
enum Hand {
    Own(Worker),
    Shared(&'static Worker),
}

impl Deref for Hand {
    type Target = Worker;

    fn deref(&self) -> &Worker {
        match self {
            Self::Own(worker) => worker,
            Self::Shared(worker) => worker,
        }
    }
}

/// A corner of a broker.
enum Home {
    Vhost(Vhost),
    Lent(&'static Vhost),
    Db(RedisDb),
}

/// A broker, a worker, and umbel pointed at them.
pub struct Stage {
    /// URL of the broker.
    pub broker: String,
    /// URL of the result backend.
    pub backend: String,
    worker: Hand,
    home: Home,
}

/// One process, and these settings.
pub fn one_slot(conf: &str) -> WorkerOptions {
    WorkerOptions {
        concurrency: 1,
        conf: conf.to_owned(),
        ..WorkerOptions::default()
    }
}

impl Way {
    fn on_redis(self) -> bool {
        matches!(self, Self::Redis | Self::RedisRpc)
    }

    /// A worker that nobody breaks, with slots for those that are left to sleep, shared by all tests of this file; `None` without servers.
    pub fn shared(self) -> Option<Stage> {
        let rig = rig()?;
        if self.on_redis() {
            let stage = self.shared_on_redis(rig);
            let url = stage.broker.clone();
            return Some(Stage {
                broker: url.clone(),
                backend: stage.backend.clone(),
                worker: Hand::Shared(stage),
                home: Home::Db(RedisDb { url }),
            });
        }
        let kind = if self == Self::Rabbit {
            Kind::RedisPrefork
        } else {
            Kind::RpcPrefork
        };
        let world = kind.shared(rig);
        Some(Stage {
            broker: world.vhost.url.clone(),
            backend: world.backend.clone(),
            worker: Hand::Shared(&world.worker),
            home: Home::Lent(&world.vhost),
        })
    }

    fn shared_on_redis(self, rig: &Rig) -> &'static Stage {
        static STAGES: [OnceLock<Stage>; 2] = [const { OnceLock::new() }; 2];
        STAGES[usize::from(self == Self::RedisRpc)].get_or_init(|| {
            let options = WorkerOptions {
                concurrency: 10,
                queues: vec!["celery".to_owned(), "mail".to_owned()],
                ..WorkerOptions::default()
            };
            self.on(rig, options)
        })
    }

    /// A worker of its own; `None` without servers.
    pub fn start(self, options: WorkerOptions) -> Option<Stage> {
        Some(self.on(rig()?, options))
    }

    fn on(self, rig: &Rig, options: WorkerOptions) -> Stage {
        let (home, broker) = if self.on_redis() {
            let db = rig.redis_db();
            let url = db.url.clone();
            (Home::Db(db), url)
        } else {
            let vhost = rig.vhost();
            let url = vhost.url.clone();
            (Home::Vhost(vhost), url)
        };
        let backend = match self {
            Self::Rabbit => rig.redis_db().url,
            Self::Redis => broker.clone(),
            Self::RabbitRpc | Self::RedisRpc => "rpc://".to_owned(),
        };
        let options = WorkerOptions {
            broker: broker.clone(),
            backend: backend.clone(),
            ..options
        };
        let worker = Worker::start("shop.tasks", &options);
        let stage = Stage {
            broker,
            backend,
            worker: Hand::Own(worker),
            home,
        };
        if self.on_redis() {
            stage.wait_for_workers(1);
        }
        stage
    }
}

impl Deref for Stage {
    type Target = Worker;

    fn deref(&self) -> &Worker {
        &self.worker
    }
}

impl Stage {
    /// A home with both URLs in its environment.
    pub fn sandbox(&self) -> Sandbox {
        shell(&self.broker, &self.backend)
    }

    /// A worker on a Redis listens to requests a moment after it says that it is ready.
    #[track_caller]
    pub fn wait_for_workers(&self, count: usize) {
        eventually(PATIENCE, "the workers listen", || {
            let workers = self.sandbox().cli(&["workers", "--json"]);
            workers.json()["workers_replied"] == count
        });
    }

    /// Starts `umbel call shop.tasks.TASK WORDS --json`, with a minute of patience unless the words say otherwise.
    pub fn call(&self, task: &str, words: &[&str]) -> Running {
        let name = format!("shop.tasks.{task}");
        let mut all = vec!["call", "--json", &name];
        all.extend(words);
        if !words.contains(&"--timeout") {
            all.extend(["--timeout", "60"]);
        }
        self.sandbox().start(&all)
    }

    /// The document of such a call, which must end with this exit code.
    #[track_caller]
    pub fn document(&self, code: i32, task: &str, words: &[&str]) -> Value {
        self.call(task, words).wait().expect_code(code).json()
    }

    /// What a call says when its three seconds are over.
    #[track_caller]
    pub fn over(&self, task: &str, words: &[&str]) -> Value {
        let words: Vec<&str> = words.iter().chain(&["--timeout", "3"]).copied().collect();
        self.document(3, task, &words)
    }

    /// What a person reads of a call whose three seconds are over.
    #[track_caller]
    pub fn words(&self, task: &str, words: &[&str]) -> String {
        let name = format!("shop.tasks.{task}");
        let mut all = vec!["call", &name, "--timeout", "3", "--progress", "plain"];
        all.extend(words);
        self.sandbox().cli(&all).expect_code(3).stderr
    }

    /// Waits until the worker has taken the task with this id.
    #[track_caller]
    pub fn wait_received(&self, id: &str) {
        self.worker.wait_for_log(&format!("[{id}] received"));
    }

    /// Keeps a slot busy until it is dropped, and returns once that runs.
    #[track_caller]
    pub fn occupy(&self, seconds: &str) -> Running {
        let id = new_id();
        let call = self.call("sleep", &[seconds, "--task-id", &id]);
        self.wait_received(&id);
        call
    }

    /// A call of this patience that is known to run, and its id.
    #[track_caller]
    pub fn in_the_middle(&self, timeout: &str) -> (Running, String) {
        self.asleep("60", timeout, Duration::from_millis(1_500))
    }

    /// A call of a task that sleeps so long, after it was seen to run for this time, and its id.
    #[track_caller]
    pub fn asleep(&self, seconds: &str, timeout: &str, seen: Duration) -> (Running, String) {
        let id = new_id();
        let words = [seconds, "--task-id", &id, "--timeout", timeout];
        let words = [&words[..], &["--progress", "plain"]].concat();
        let call = self.call("sleep", &words);
        call.wait_for_stderr(&[" RUN"]);
        thread::sleep(seen);
        (call, id)
    }

    /// Another worker in the same place, by default of the same name.
    #[track_caller]
    pub fn another(&self, options: WorkerOptions) -> Worker {
        let options = WorkerOptions {
            broker: self.broker.clone(),
            backend: self.backend.clone(),
            ..options
        };
        Worker::start("shop.tasks", &options)
    }

    /// `celery control WORDS` to the worker that every stage begins with: it is waited for until it answers.
    #[track_caller]
    pub fn control(&self, words: &[&str]) {
        let words = [&["control", "-d", "w1@test", "--timeout", "30"], words].concat();
        celery(&self.broker, &self.backend, &words).expect_code(0);
    }

    /// Makes a queue that nobody reads; on a Redis a queue is there once something is in it.
    pub fn declare(&self, queue: &str) {
        if let Some(vhost) = self.vhost() {
            vhost.declare_queue(queue);
        }
    }

    /// Messages that wait in a queue.
    pub fn waiting(&self, queue: &str) -> usize {
        match (&self.home, self.vhost()) {
            (Home::Db(db), _) => usize::try_from(db.depth(queue)).expect("few messages"),
            (_, vhost) => vhost.map_or(0, |vhost| vhost.messages(queue).len()),
        }
    }

    /// Takes the message that waits in a queue of a Redis, as a worker does that is killed at once: kombu keeps what nobody acknowledged.
    pub fn take_as_one_that_dies(&self, queue: &str) {
        let Home::Db(db) = &self.home else {
            panic!("no Redis")
        };
        let mut connection = db.connection();
        let message: String = connection.lindex(queue, -1).expect("a message");
        let message: Value = serde_json::from_str(&message).expect("JSON");
        let tag = message["properties"]["delivery_tag"]
            .as_str()
            .expect("a tag");
        let taken = json!([message, "", queue]).to_string();
        let at = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a time");
        let mut take = redis::pipe();
        take.atomic().rpop(queue, None).ignore();
        take.zadd("unacked_index", tag, at.as_secs_f64()).ignore();
        take.hset("unacked", tag, taken).ignore();
        take.exec(&mut connection).expect("redis moves it");
    }

    /// Throws away what waits in a queue.
    pub fn purge(&self, queue: &str) {
        if let Home::Db(db) = &self.home {
            let _: u64 = db.connection().del(queue).expect("redis deletes");
        }
        if let Some(vhost) = self.vhost() {
            let path = format!(
                "queues/{}/{}/contents",
                encoded(&vhost.name),
                encoded(queue)
            );
            let management = vhost.rabbit.management;
            management.request("DELETE", &path, &Value::Null);
        }
    }

    fn vhost(&self) -> Option<&Vhost> {
        match &self.home {
            Home::Vhost(vhost) => Some(vhost),
            Home::Lent(vhost) => Some(vhost),
            Home::Db(_) => None,
        }
    }
}

/// A home in which umbel finds these two.
pub fn shell(broker: &str, backend: &str) -> Sandbox {
    Sandbox::new()
        .env("CELERY_BROKER_URL", broker)
        .env("CELERY_RESULT_BACKEND", backend)
}

/// The reasons of a document, by their word.
pub fn kinds(document: &Value) -> Vec<&str> {
    let why = document["diagnosis"]["why"].as_array();
    let why = why.map(Vec::as_slice).unwrap_or_default();
    why.iter().filter_map(|it| it["kind"].as_str()).collect()
}

/// The reason with this word.
#[track_caller]
pub fn why<'a>(document: &'a Value, kind: &str) -> &'a Value {
    let why = document["diagnosis"]["why"].as_array().expect("reasons");
    let found = why.iter().find(|it| it["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind}: {document:#}"))
}

/// Where the call is.
pub fn now(document: &Value) -> &Value {
    &document["diagnosis"]["now"]
}

/// These fields of a reason are so.
#[track_caller]
pub fn assert_fields(reason: &Value, expected: &Value) {
    for (field, value) in expected.as_object().expect("fields") {
        assert_eq!(&reason[field], value, "{field}: {reason:#}");
    }
}

/// This field is a number of milliseconds from `least` up to `most`.
#[track_caller]
pub fn assert_span(reason: &Value, field: &str, least: u64, most: u64) {
    let span = reason[field].as_u64();
    assert!(
        span.is_some_and(|ms| (least..most).contains(&ms)),
        "{field}: {reason:#}"
    );
}

/// This field is the time from then on to the diagnosis, as the document has both.
#[track_caller]
pub fn assert_since(document: &Value, reason: &Value, field: &str, from: &str) {
    let at = |key: &str| -> Timestamp {
        let text = document[key].as_str().unwrap_or_default();
        text.parse()
            .unwrap_or_else(|error| panic!("{key}: {error}: {document:#}"))
    };
    let real = at("diagnosed_at").duration_since(at(from)).as_millis();
    let told = reason[field].as_u64().map(i128::from);
    assert!(
        told.is_some_and(|told| (told - real).abs() < 100),
        "{field} is not {real} ms: {document:#}"
    );
}

/// The worker that every stage begins with.
pub fn w1() -> Value {
    json!("w1@test")
}
