//! The binary as a user runs it, with nothing of this machine around it: own home, fixed environment, hard deadline.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::{PATIENCE, POLL, Pty, eventually, signal, temporary_directory};

/// The binary under test.
const UMBEL: &str = env!("CARGO_BIN_EXE_umbel");

/// Runs umbel with these arguments in a new, empty home, to its end.
#[track_caller]
pub fn cli(args: &[&str]) -> Outcome {
    Sandbox::new().cli(args)
}

/// A home directory and an environment for the binary; several runs in one sandbox share what they leave there.
#[derive(Debug)]
pub struct Sandbox {
    home: TempDir,
    environment: BTreeMap<String, String>,
    stdin: Vec<u8>,
    deadline: Duration,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// An empty home and the least environment a program may expect.
    pub fn new() -> Self {
        let home = temporary_directory("home-");
        fs::create_dir(home.path().join("tmp")).expect("a directory");
        let path = |name: &str| home.path().join(name).display().to_string();
        let environment = [
            ("HOME", path("")),
            ("TMPDIR", path("tmp")),
            ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("TZ", "UTC".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
        ];
        let environment = environment
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        Self {
            home,
            environment,
            stdin: Vec::new(),
            deadline: PATIENCE,
        }
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Gives the runs this standard input; without it, it is empty.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// How long a run may take before it is killed and the test fails.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The home directory.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file below the home directory, and returns its path.
    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.home().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(&path, text).expect("a file");
        path
    }

    /// Runs umbel to its end.
    #[track_caller]
    pub fn cli(&self, args: &[&str]) -> Outcome {
        self.start(args).wait()
    }

    /// Starts umbel and leaves it running.
    pub fn start(&self, args: &[&str]) -> Running {
        let mut command = Command::new(UMBEL);
        command
            .args(args)
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.home());
        Running::start(&mut command, &self.stdin, self.deadline)
    }

    /// Starts umbel in a terminal of `rows` by `columns`.
    pub fn pty(&self, rows: u16, columns: u16, args: &[&str]) -> Pty {
        self.program_in_pty(rows, columns, UMBEL, args)
    }

    /// Starts `bash -c SCRIPT` in a terminal; the script finds the binary as `$UMBEL`.
    ///
    /// `stty -a; "$UMBEL" --demo; stty -a` shows whether the terminal is left as it was found.
    pub fn shell_in_pty(&self, rows: u16, columns: u16, script: &str) -> Pty {
        self.program_in_pty(
            rows,
            columns,
            "/bin/bash",
            &["--noprofile", "--norc", "-c", script],
        )
    }

    /// Starts an interactive shell in a terminal, with job control, so that Ctrl-Z and `fg` work.
    pub fn interactive_shell(&self, rows: u16, columns: u16) -> Pty {
        self.program_in_pty(rows, columns, "/bin/bash", &["--noprofile", "--norc", "-i"])
    }

    /// The environment of a program in a terminal.
    pub(super) fn terminal_environment(&self) -> BTreeMap<String, String> {
        let mut environment = self.environment.clone();
        environment
            .entry("TERM".to_owned())
            .or_insert_with(|| "xterm-256color".to_owned());
        environment.insert("UMBEL".to_owned(), UMBEL.to_owned());
        environment.insert("PS1".to_owned(), "prompt> ".to_owned());
        environment
    }

    fn program_in_pty(&self, rows: u16, columns: u16, program: &str, args: &[&str]) -> Pty {
        let environment = self.terminal_environment();
        Pty::start(rows, columns, program, args, &environment, self.home())
    }
}

/// A program that runs, with all that it wrote so far.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Collector,
    stderr: Collector,
    started: Instant,
    deadline: Duration,
    what: String,
}

impl Running {
    /// Starts a command with this standard input; it may run for `deadline`.
    pub(super) fn start(command: &mut Command, stdin: &[u8], deadline: Duration) -> Self {
        let what = format!("{command:?}").chars().take(400).collect();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let (mut pipe, stdin) = (child.stdin.take().expect("a pipe"), stdin.to_vec());
        // A program that reads nothing makes this fail, which is its right.
        thread::spawn(move || drop(pipe.write_all(&stdin)));
        Self {
            stdout: Collector::of(child.stdout.take().expect("a pipe")),
            stderr: Collector::of(child.stderr.take().expect("a pipe")),
            child,
            started: Instant::now(),
            deadline,
            what,
        }
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal (`"INT"`).
    pub fn signal(&self, name: &str) {
        assert!(
            signal(self.child.id().into(), name),
            "{} is gone already",
            self.what
        );
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a status").is_some()
    }

    /// What it wrote to standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until standard error holds one of these; panics with what it wrote when it does not.
    #[track_caller]
    pub fn wait_for_stderr(&self, any: &[&str]) {
        let start = Instant::now();
        loop {
            let said = self.stderr();
            if any.iter().any(|text| said.contains(text)) {
                return;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "none of {any:?} on stderr of {}:\n{said}",
                self.what
            );
            thread::sleep(POLL);
        }
    }

    /// Waits for its end; kills it and panics when that takes longer than the deadline.
    #[track_caller]
    pub fn wait(mut self) -> Outcome {
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                break status;
            }
            if self.started.elapsed() > self.deadline {
                let outcome = self.stdout() + &self.stderr();
                drop(self.child.kill());
                panic!(
                    "{} did not end within {:?}; it wrote:\n{outcome}",
                    self.what, self.deadline
                );
            }
            thread::sleep(POLL / 4);
        };
        let took = self.started.elapsed();
        eventually(PATIENCE, "the pipes of an ended program are closed", || {
            self.stdout.is_finished() && self.stderr.is_finished()
        });
        Outcome {
            stdout: self.stdout(),
            stderr: self.stderr(),
            stdout_bytes: self.stdout.bytes(),
            status,
            took,
            what: std::mem::take(&mut self.what),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads a pipe in a thread, so that the writer never waits for us.
#[derive(Debug)]
struct Collector {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Collector {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let thread = thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                sink.lock()
                    .expect("no panic in here")
                    .extend_from_slice(&buffer[..count]);
            }
        });
        Self { bytes, thread }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().expect("no panic in here").clone()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// Standard output; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// Standard error; bytes that are not UTF-8 are replaced.
    pub stderr: String,
    /// Standard output as it was.
    pub stdout_bytes: Vec<u8>,
    /// Exit code or signal.
    pub status: ExitStatus,
    /// From start to end.
    pub took: Duration,
    what: String,
}

impl Outcome {
    /// The exit code; `None` when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The same outcome, if it has this exit code; else panics with everything that was written.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert!(
            self.code() == Some(code),
            "expected exit code {code}, got {}\n{}",
            self.status,
            self.account()
        );
        self
    }

    /// Standard output as the one JSON document it must be.
    #[track_caller]
    pub fn json(&self) -> Value {
        let parsed = serde_json::from_str(&self.stdout);
        parsed.unwrap_or_else(|error| {
            panic!(
                "standard output is not one JSON document: {error}\n{}",
                self.account()
            )
        })
    }

    /// Standard output as one JSON document a line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let parse = |line| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{error} in {line}\n{}", self.account()))
        };
        self.stdout.lines().map(parse).collect()
    }

    /// Everything about the run, for a failing assertion.
    pub fn account(&self) -> String {
        format!(
            "{}\n{}\nstdout:\n{}\nstderr:\n{}",
            self.what, self.status, self.stdout, self.stderr
        )
    }
}
