//! Real Celery workers, and Celery's own client, on the applications in `tests/apps`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Instant;

use tempfile::TempDir;

use super::{
    Leashed, Outcome, PATIENCE, POLL, Running, Version, eventually, temporary_directory, tests_dir,
};

/// How a worker is started.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// URL of the broker.
    pub broker: String,
    /// URL of the result backend; empty for none.
    pub backend: String,
    /// `prefork`, `solo`, `threads`.
    pub pool: String,
    /// Slots of the pool.
    pub concurrency: u32,
    /// The queues it reads; empty for the application's default.
    pub queues: Vec<String>,
    /// Its node name; must be new for every worker of one broker.
    pub name: String,
    /// Whether it sends events (`-E`).
    pub events: bool,
    /// Settings of the application as the inside of a Python dictionary: `"'task_acks_late': True"`; literals only.
    pub conf: String,
    /// Its version of Celery; `None` for [`Version::usual`].
    pub version: Option<Version>,
    /// More environment.
    pub env: Vec<(String, String)>,
    /// More arguments of `celery worker`.
    pub args: Vec<String>,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            broker: String::new(),
            backend: String::new(),
            pool: "prefork".to_owned(),
            concurrency: 2,
            queues: Vec::new(),
            name: "w1@test".to_owned(),
            events: false,
            conf: String::new(),
            version: None,
            env: Vec::new(),
            args: Vec::new(),
        }
    }
}

impl WorkerOptions {
    /// A worker that runs one task at a time.
    pub fn one_slot() -> Self {
        Self {
            concurrency: 1,
            ..Self::default()
        }
    }
}

/// A running `celery worker`; killed with all its children when dropped.
#[derive(Debug)]
pub struct Worker {
    process: Leashed,
    log: PathBuf,
    _directory: TempDir,
}

impl Worker {
    /// Starts a worker for a module in `tests/apps` (`"shop.tasks"`) and waits until it is ready.
    #[track_caller]
    pub fn start(app: &str, options: &WorkerOptions) -> Self {
        let worker = Self::launch(app, options);
        worker.wait_for_log(" ready.");
        worker
    }

    /// Starts a worker without waiting for it.
    pub fn launch(app: &str, options: &WorkerOptions) -> Self {
        let directory = temporary_directory("worker-");
        let log = directory.path().join("log");
        let mut command = celery_command(options);
        command.args([
            "-A",
            app,
            "worker",
            "-l",
            "INFO",
            "-n",
            &options.name,
            "-P",
            &options.pool,
        ]);
        command.arg("-c").arg(options.concurrency.to_string());
        if !options.queues.is_empty() {
            command.args(["-Q", &options.queues.join(",")]);
        }
        if options.events {
            command.arg("-E");
        }
        command.args(&options.args).current_dir(directory.path());
        Self {
            process: Leashed::start(&command, 0, &log),
            log,
            _directory: directory,
        }
    }

    /// The id of its main process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Whether its main process still runs.
    pub fn is_alive(&self) -> bool {
        self.process.is_alive()
    }

    /// Everything it wrote so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until its log holds `text`; panics with the log when it does not, or when the worker ends before.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        let start = Instant::now();
        loop {
            // In this order, so that the last words of a worker that just ended are still read.
            let (alive, log) = (self.is_alive(), self.log());
            if log.contains(text) {
                return;
            }
            let hopeless = !alive || start.elapsed() > PATIENCE;
            assert!(
                !hopeless,
                "no {text:?} in the log of the worker (alive: {alive}):\n{log}"
            );
            thread::sleep(POLL);
        }
    }

    /// Kills it and its children, as a power cut would.
    pub fn kill9(&self) {
        self.process.kill9();
    }

    /// Asks it to stop (SIGTERM, "warm": running tasks are finished) and waits for its end.
    #[track_caller]
    pub fn stop(&self) {
        self.terminate();
        eventually(PATIENCE, "a worker stops after SIGTERM", || {
            !self.is_alive()
        });
    }

    /// Asks it to stop, and waits for nothing.
    pub fn terminate(&self) {
        self.process.signal("TERM");
    }

    /// Stops it from running, without telling it; its connections stay open.
    pub fn freeze(&self) {
        self.process.signal_all("STOP");
    }

    /// Lets it run on.
    pub fn thaw(&self) {
        self.process.signal_all("CONT");
    }
}

/// Runs `celery -A shop.tasks ARGS` (`["inspect", "ping"]`) to its end.
#[track_caller]
pub fn celery(broker: &str, backend: &str, args: &[&str]) -> Outcome {
    celery_as(&client(broker, backend), "shop.tasks", args)
}

/// Runs `celery -A APP ARGS` to its end, with the version, the settings and the environment of these workers.
#[track_caller]
pub fn celery_as(options: &WorkerOptions, app: &str, args: &[&str]) -> Outcome {
    let mut command = celery_command(options);
    Running::start(command.args(["-A", app]).args(args), b"", PATIENCE).wait()
}

/// Runs Python code that may import `shop.tasks`, and returns what it printed; panics when it fails.
#[track_caller]
pub fn python(broker: &str, backend: &str, code: &str) -> String {
    python_as(&client(broker, backend), code)
}

/// Runs Python code with the version, the settings and the environment of these workers; returns what it printed.
#[track_caller]
pub fn python_as(options: &WorkerOptions, code: &str) -> String {
    let mut command = python_command(options);
    Running::start(command.args(["-c", code]), b"", PATIENCE)
        .wait()
        .expect_code(0)
        .stdout
}

fn client(broker: &str, backend: &str) -> WorkerOptions {
    WorkerOptions {
        broker: broker.to_owned(),
        backend: backend.to_owned(),
        ..WorkerOptions::default()
    }
}

fn celery_command(options: &WorkerOptions) -> Command {
    let mut command = python_command(options);
    command.args(["-m", "celery"]);
    command
}

fn python_command(options: &WorkerOptions) -> Command {
    let version = options.version.unwrap_or_else(Version::usual);
    let mut command = Command::new(version.python());
    command
        .env("PYTHONPATH", tests_dir().join("apps"))
        .env("BROKER", &options.broker)
        .env("BACKEND", &options.backend)
        .env("CONF", format!("{{{}}}", options.conf))
        .env("PYTHONUNBUFFERED", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONWARNINGS", "ignore")
        // Root may run workers that read pickle: these are our own messages.
        .env("C_FORCE_ROOT", "1")
        .env("TZ", "UTC")
        .env("LC_ALL", "C.UTF-8")
        .envs(options.env.iter().cloned());
    command
}
