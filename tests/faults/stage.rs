//! What the tests of this target share: workers, and calls that are under way.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Running, Sandbox, Worker, WorkerOptions};

/// A worker of `shop.tasks` with two slots.
pub fn worker(broker: &str, backend: &str) -> Worker {
    let options = WorkerOptions {
        broker: broker.to_owned(),
        backend: backend.to_owned(),
        ..WorkerOptions::default()
    };
    Worker::start("shop.tasks", &options)
}

/// Whether an end that may take a goodbye of a second comes before anything longer runs out. A busy machine may hold up one of
/// three; what is waited for holds up all.
#[track_caller]
pub fn assert_ends_at_once(mut end: impl FnMut() -> Duration) {
    let mut took = Vec::new();
    while took.len() < 3 {
        took.push(end());
        if took.last() < Some(&Duration::from_secs(3)) {
            return;
        }
    }
    panic!("{took:?}");
}

/// A call under way, and its id.
pub struct Call {
    /// The id of the task.
    pub id: String,
    /// The program that waits.
    pub running: Running,
}

impl Call {
    /// Starts `umbel call shop.tasks.TASK WORDS --json` on these servers.
    pub fn start(broker: &str, backend: &str, task: &str, words: &[&str]) -> Self {
        let id = uuid::Uuid::new_v4().to_string();
        let sandbox = Sandbox::new()
            .env("CELERY_BROKER_URL", broker)
            .env("CELERY_RESULT_BACKEND", backend);
        let task = format!("shop.tasks.{task}");
        let words: Vec<&str> = ["call", &task, "--json", "--task-id", &id]
            .iter()
            .chain(words)
            .copied()
            .collect();
        let running = sandbox.start(&words);
        Self { id, running }
    }

    /// Starts one and waits until its sender has heard that the task runs.
    ///
    /// A worker may take a message before its sender has the confirm, without which a broken link leaves an unknown delivery; and may
    /// still store that it has begun, without which the task fails. Both are other tests' business.
    #[track_caller]
    pub fn taken(worker: &Worker, broker: &str, backend: &str, task: &str, words: &[&str]) -> Self {
        let words = [words, &["--progress", "plain"]].concat();
        let call = Self::start(broker, backend, task, &words);
        worker.wait_for_log(&format!("[{}] received", call.id));
        call.running.wait_for_stderr(&[" RUN"]);
        call
    }

    /// `taken`, of a task that sleeps, on a broker and a result backend, all in seconds.
    #[track_caller]
    pub fn asleep(
        worker: &Worker,
        (broker, backend): (&str, &str),
        seconds: u32,
        timeout: u32,
    ) -> Self {
        let (seconds, timeout) = (seconds.to_string(), timeout.to_string());
        let words = [seconds.as_str(), "--timeout", &timeout];
        Self::taken(worker, broker, backend, "sleep", &words)
    }

    /// Its document, if it ends with this exit code.
    #[track_caller]
    pub fn document(self, code: i32) -> Value {
        self.running.wait().expect_code(code).json()
    }

    /// How often the worker has taken it.
    pub fn times_taken(worker: &Worker, id: &str) -> usize {
        worker.log().matches(&format!("[{id}] received")).count()
    }
}
