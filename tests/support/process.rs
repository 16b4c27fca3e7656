//! Processes that cannot be left behind: started under `tests/support/leash`, which ends them when we are gone.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{PATIENCE, POLL, eventually, eventually_some, tests_dir};

/// Sends a signal (`"KILL"`, `"STOP"`, …) to a process, or to a group when `pid` is negative; whether there was one.
pub fn signal(pid: i64, name: &str) -> bool {
    // The shell's builtin: a minimal system has no `kill` program.
    Command::new("/bin/sh")
        .args(["-c", &format!("kill -s {name} -- {pid}")])
        .stderr(Stdio::null())
        .status()
        .expect("/bin/sh runs")
        .success()
}

/// Whether the process exists and is more than a zombie.
fn is_alive(pid: u32) -> bool {
    Status::of(&pid.to_string()).is_some_and(|status| status.is_alive())
}

/// Whether a process of this group exists and is more than a zombie.
fn group_is_alive(group: u32) -> bool {
    let processes = fs::read_dir("/proc").expect("Linux").filter_map(Result::ok);
    let names = processes.filter_map(|entry| entry.file_name().into_string().ok());
    let mut statuses = names.filter_map(|pid| Status::of(&pid));
    statuses.any(|status| status.group == group && status.is_alive())
}

/// What the system says of a process.
struct Status {
    state: char,
    group: u32,
    threads: u32,
}

impl Status {
    fn of(pid: &str) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The fields follow the name, which is in brackets and may hold anything; see proc(5).
        let fields: Vec<_> = stat.rsplit(") ").next()?.split(' ').collect();
        let number = |field: usize| fields.get(field - 3)?.parse().ok();
        Some(Self {
            state: fields[0].chars().next()?,
            group: number(5)?,
            threads: number(20)?,
        })
    }

    /// The first thread may be a zombie while the others still end, and hold the ports.
    fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X') || self.threads > 1
    }
}

/// A process group that lives no longer than its value, nor than this process.
#[derive(Debug)]
pub struct Leashed {
    leash: Child,
    pid: u32,
}

impl Leashed {
    /// Starts `command` (its program, arguments, environment and directory) with its output in `log`.
    ///
    /// At the end it has `grace` seconds to follow SIGTERM before SIGKILL; with 0 it is killed at once.
    pub fn start(command: &Command, grace: u32, log: &Path) -> Self {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("a log file");
        let pidfile = log.with_extension("pid");
        drop(fs::remove_file(&pidfile));
        let mut leash = Command::new(tests_dir().join("support/leash"));
        leash
            .arg(&pidfile)
            .arg(grace.to_string())
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => leash.env(name, value),
                None => leash.env_remove(name),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            leash.current_dir(directory);
        }
        // Out of our group, so that Ctrl-C reaches us alone and the leash is the one to end its group.
        std::os::unix::process::CommandExt::process_group(&mut leash, 0);
        let leash = leash
            .stdin(Stdio::piped())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output)
            .spawn()
            .expect("bash runs tests/support/leash");
        let pid = eventually_some(
            Duration::from_secs(10),
            "the leash writes the id of its process",
            || fs::read_to_string(&pidfile).ok()?.trim().parse().ok(),
        );
        Self { leash, pid }
    }

    /// The id of the process, which is also the id of its group.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether the process itself (not only a child of it) still runs.
    pub fn is_alive(&self) -> bool {
        is_alive(self.pid)
    }

    /// Sends a signal to the process alone.
    pub fn signal(&self, name: &str) {
        signal(i64::from(self.pid), name);
    }

    /// Sends a signal to the process and all its children.
    pub fn signal_all(&self, name: &str) {
        signal(-i64::from(self.pid), name);
    }

    /// Kills the whole group, as a power cut would, and waits for its end.
    pub fn kill9(&self) {
        self.signal_all("KILL");
        eventually(Duration::from_secs(10), "a killed group is gone", || {
            !self.is_alive()
        });
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        drop(self.leash.stdin.take());
        drop(self.leash.wait());
        // SIGKILL takes effect a moment later, and until then a server holds its port.
        let start = Instant::now();
        while group_is_alive(self.pid) && start.elapsed() < PATIENCE {
            thread::sleep(POLL);
        }
    }
}
