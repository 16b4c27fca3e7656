//! A broker, a result backend and a worker that belong together, and umbel pointed at them.

use std::sync::OnceLock;

use serde_json::Value;

use crate::support::{
    Outcome, PATIENCE, RedisDb, Rig, Running, Sandbox, Vhost, Worker, WorkerOptions, eventually,
};

/// The four ways in which the main job has to work.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Results in Redis, a pool of processes.
    RedisPrefork,
    /// Results on our reply queue, a pool of processes.
    RpcPrefork,
    /// Results in Redis, one task at a time in the worker's own process.
    RedisSolo,
    /// Results on our reply queue, one task at a time in the worker's own process.
    RpcSolo,
}

/// What a world is made of.
#[derive(Debug)]
pub struct World {
    /// A virtual host of its own.
    pub vhost: Vhost,
    /// The database with the results, where they are kept in Redis.
    pub db: Option<RedisDb>,
    /// URL of the result backend.
    pub backend: String,
    /// Its worker.
    pub worker: Worker,
}

impl Kind {
    /// Whether results are kept in Redis.
    pub fn is_redis(self) -> bool {
        matches!(self, Self::RedisPrefork | Self::RedisSolo)
    }

    /// The pool of the worker.
    pub fn pool(self) -> &'static str {
        match self {
            Self::RedisPrefork | Self::RpcPrefork => "prefork",
            Self::RedisSolo | Self::RpcSolo => "solo",
        }
    }

    /// The world of this kind that all tests of this file share; nobody breaks it. It has slots for those that are left to sleep.
    pub fn shared(self, rig: &Rig) -> &'static World {
        static WORLDS: [OnceLock<World>; 4] = [const { OnceLock::new() }; 4];
        let options = WorkerOptions {
            concurrency: 10,
            queues: vec!["celery".to_owned(), "mail".to_owned()],
            ..WorkerOptions::default()
        };
        WORLDS[self as usize].get_or_init(|| self.start(rig, options))
    }

    /// A new world of this kind.
    pub fn start(self, rig: &Rig, options: WorkerOptions) -> World {
        let (vhost, db) = (rig.vhost(), self.is_redis().then(|| rig.redis_db()));
        let backend = db.as_ref().map_or("rpc://".to_owned(), |db| db.url.clone());
        let options = WorkerOptions {
            broker: vhost.url.clone(),
            backend: backend.clone(),
            pool: self.pool().to_owned(),
            ..options
        };
        let worker = Worker::start("shop.tasks", &options);
        World {
            vhost,
            db,
            backend,
            worker,
        }
    }
}

impl World {
    /// A home in which both URLs are in the environment, as in an application's shell.
    pub fn sandbox(&self) -> Sandbox {
        Sandbox::new()
            .env("CELERY_BROKER_URL", &self.vhost.url)
            .env("CELERY_RESULT_BACKEND", &self.backend)
    }

    /// Runs umbel to its end.
    #[track_caller]
    pub fn cli(&self, words: &[&str]) -> Outcome {
        self.sandbox().cli(words)
    }

    /// `umbel call shop.tasks.TASK WORDS --json`, with a minute of patience unless the words say otherwise.
    #[track_caller]
    pub fn call(&self, task: &str, words: &[&str]) -> Outcome {
        self.cli(
            &Self::words(task, words)
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>(),
        )
    }

    /// Starts such a call and leaves it running.
    pub fn start_call(&self, task: &str, words: &[&str]) -> Running {
        self.sandbox().start(
            &Self::words(task, words)
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>(),
        )
    }

    fn words(task: &str, words: &[&str]) -> Vec<String> {
        let name = format!("shop.tasks.{task}");
        let mut all = vec!["call", "--json", &name];
        all.extend(words);
        if !words.contains(&"--timeout") {
            all.extend(["--timeout", "60"]);
        }
        all.into_iter().map(str::to_owned).collect()
    }

    /// The document of a call that must end with this exit code.
    #[track_caller]
    pub fn document(&self, code: i32, task: &str, words: &[&str]) -> Value {
        self.call(task, words).expect_code(code).json()
    }

    /// Waits until the worker has taken the task with this id.
    #[track_caller]
    pub fn wait_received(&self, id: &str) {
        self.worker.wait_for_log(&format!("[{id}] received"));
    }

    /// Waits until a process of the worker has begun the task with this id; only where results are kept in Redis.
    #[track_caller]
    pub fn wait_started(&self, id: &str) {
        let db = self.db.as_ref().expect("results in Redis");
        let mut connection = db.connection();
        eventually(PATIENCE, "the task has begun", || {
            let key = format!("celery-task-meta-{id}");
            redis::Commands::exists(&mut connection, key).unwrap_or(false)
        });
    }
}

/// An id that no other test uses.
pub fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
