//! The harness of the tests that need more than memory: real servers, real Celery workers, the binary as a user runs it.
//!
//! A test file takes it in with
//!
//! ```ignore
//! #[path = "support/support.rs"]
//! mod support;
//! ```
//!
//! and a test that needs the servers of `tests/run` begins with
//!
//! ```ignore
//! let Some(rig) = support::rig() else { return };
//! ```
//!
//! Nothing here sleeps for a guessed time: everything waits for a condition and has a deadline, and says what it saw when
//! the deadline passes. Nothing is left running: every server and worker is on a leash (`leash`) held by this process.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test target uses its own part of the harness"
)]

mod certificates;
mod cli;
mod keys;
mod management;
mod private;
mod private_redis;
mod process;
mod proxy;
mod pty;
mod sentinel;
mod services;
mod tmux;
mod version;
mod worker;

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

pub use certificates::{Certificates, Identity};
pub use cli::{Outcome, Running, Sandbox, cli};
pub use keys::Key;
pub use management::{Management, encoded};
pub use private::PrivateRabbit;
pub use private_redis::PrivateRedis;
pub use process::{Leashed, signal};
pub use proxy::{AMQP_ACK, Proxy};
pub use pty::{Pty, key};
pub use sentinel::SentinelGroup;
pub use services::{Rabbit, RedisDb, Rig, User, Vhost, rig};
pub use tmux::Tmux;
pub use version::{Version, versions};
pub use worker::{Worker, WorkerOptions, celery, celery_as, python, python_as};

/// Long enough for anything that works on a busy machine; a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Waits until `condition` holds; panics with `what` when it does not within `deadline`.
#[track_caller]
pub fn eventually(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    eventually_some(deadline, what, || condition().then_some(()));
}

/// Types as fast as a person: keys that come sooner one after the other than anybody can press them look like a paste, and an Escape
/// that is read together with the key after it is Alt with that key. So the time between two keys counts from when the first was read.
#[derive(Debug, Default)]
pub struct Typist {
    terminal: Option<PathBuf>,
    last: Option<Instant>,
}

impl Typist {
    /// Between two keys.
    const BETWEEN: Duration = Duration::from_millis(40);

    /// What the terminal may take to hand on a key.
    const MOMENT: Duration = Duration::from_millis(5);

    /// How long a program may leave a key unread; one that is stopped reads none.
    const UNREAD: Duration = Duration::from_secs(10);

    /// Types into this terminal.
    pub fn at(terminal: Option<PathBuf>) -> Self {
        Self {
            terminal,
            last: None,
        }
    }

    /// Waits until the next key may be pressed.
    pub fn next(&mut self) {
        if let Some(typed) = self.last {
            // What was typed is there to be read a moment later.
            thread::sleep(Self::MOMENT.saturating_sub(typed.elapsed()));
            while self.unread() > 0 && typed.elapsed() < Self::UNREAD {
                thread::sleep(Self::MOMENT);
            }
            // It may have been read just now.
            thread::sleep(Self::BETWEEN);
        }
        self.last = Some(Instant::now());
    }

    /// Bytes that were typed and that no program has read yet.
    fn unread(&self) -> u64 {
        use rustix::fs::{Mode, OFlags, open};
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = self.terminal.as_ref();
        let terminal = terminal.and_then(|path| open(path, flags, Mode::empty()).ok());
        // Where the terminal is gone nothing is left to be read.
        let unread = terminal.and_then(|terminal| rustix::io::ioctl_fionread(terminal).ok());
        unread.unwrap_or_default()
    }
}

/// Waits until `attempt` gives a value, and returns it; panics with `what` when it does not within `deadline`.
#[track_caller]
pub fn eventually_some<T>(
    deadline: Duration,
    what: &str,
    mut attempt: impl FnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(
            start.elapsed() < deadline,
            "not within {deadline:?}: {what}"
        );
        thread::sleep(POLL);
    }
}

/// Whether the slow tests are wanted too (`tests/run --soak`).
pub fn soak() -> bool {
    std::env::var_os("UMBEL_TEST_SOAK").is_some()
}

/// The repository's `tests` directory.
pub fn tests_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// A new directory that disappears with its value; below the directory of `tests/run`, which sweeps up after a killed test.
pub fn temporary_directory(prefix: &str) -> tempfile::TempDir {
    let root =
        std::env::var_os("UMBEL_TEST_RUN_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    tempfile::Builder::new()
        .prefix(prefix)
        .tempdir_in(root)
        .expect("a temporary directory")
}

/// A port that nobody listens on, outside the range from which the system gives ports to outgoing connections; never the same twice.
pub fn free_port() -> u16 {
    // Those given out: a server may take many seconds to bind its own.
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    // A new random number each time: two processes that count would meet.
    let candidate =
        || 12_000 + u16::try_from(uuid::Uuid::new_v4().as_u128() % 18_000).expect("below 18,000");
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(candidate)
        .find(|port| is_free(port) && given.insert(*port))
        .expect("an endless iterator")
}

/// A port on which nobody listens, and nobody will as long as this process lives: connecting is refused.
pub fn closed_port() -> u16 {
    let (port, address) = reserved_port();
    // Held until our end: a port that was given back would soon be somebody's.
    std::mem::forget(port);
    address.port()
}

/// A port that is taken, and on which nobody listens until we do it ourselves: [`socket_on`].
fn reserved_port() -> (Socket, SocketAddr) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&any.into()).expect("a port");
    // Only now: of those that share their ports the system might give us one.
    socket.set_reuse_port(true).expect("a port to share");
    let address = socket.local_addr().expect("an address");
    let address = address.as_socket().expect("an address of the internet");
    (socket, address)
}

/// Another socket on a reserved port.
fn socket_on(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
