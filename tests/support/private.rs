//! Servers that belong to one test or one test file: to be killed, frozen, started again, or locked with a password.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tempfile::TempDir;

use super::{Leashed, PATIENCE, Rabbit, eventually, temporary_directory, tests_dir};

/// A Redis server of a test's own.
#[derive(Debug)]
pub struct PrivateRedis {
    /// Its URL without a database, with the password if it wants one.
    pub url: String,
    /// Its port on the loopback interface.
    pub port: u16,
    password: Option<String>,
    directory: TempDir,
    process: Option<Leashed>,
}

impl PrivateRedis {
    /// Starts a server that lets everybody in.
    pub fn start() -> Self {
        Self::start_as(None)
    }

    /// Starts a server that wants a password.
    pub fn with_password(password: &str) -> Self {
        Self::start_as(Some(password.to_owned()))
    }

    fn start_as(password: Option<String>) -> Self {
        let port = free_port();
        let login = password
            .as_deref()
            .map(|password| format!(":{password}@"))
            .unwrap_or_default();
        let url = format!("redis://{login}127.0.0.1:{port}");
        let mut server = Self {
            url,
            port,
            password,
            directory: temporary_directory("redis-"),
            process: None,
        };
        server.restart();
        server
    }

    /// Kills the server at once; nothing it held survives.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts the server anew on the same port, empty; kills it before if it still runs.
    pub fn restart(&mut self) {
        self.kill();
        let mut command = Command::new("redis-server");
        command.args([
            "--port",
            &self.port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.arg("--dir").arg(self.directory.path());
        if let Some(password) = &self.password {
            command.args(["--requirepass", password]);
        }
        self.process = Some(Leashed::start(
            &command,
            0,
            &self.directory.path().join("log"),
        ));
        eventually(PATIENCE, "a private Redis answers", || self.answers());
    }

    /// Stops the server from running; its connections stay open.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets the server run on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// A blocking connection for looking behind umbel's back.
    pub fn connection(&self) -> redis::Connection {
        redis::Client::open(self.url.as_str())
            .and_then(|client| client.get_connection())
            .expect("redis answers")
    }

    fn answers(&self) -> bool {
        let connection =
            redis::Client::open(self.url.as_str()).and_then(|client| client.get_connection());
        connection.is_ok_and(|mut connection| redis::cmd("PING").exec(&mut connection).is_ok())
    }

    fn signal(&self, name: &str) {
        self.process
            .as_ref()
            .expect("the server runs")
            .signal_all(name);
    }
}

/// A RabbitMQ node of a test file's own. It takes some 15 s to start, so share it: [`PrivateRabbit::shared`].
#[derive(Debug)]
pub struct PrivateRabbit {
    rabbit: Rabbit,
    ports: [u16; 4],
    directory: TempDir,
    process: Option<Leashed>,
}

impl PrivateRabbit {
    /// The node that all tests of one process share, one at a time; running and thawed, whatever the last test did to it.
    pub fn shared() -> MutexGuard<'static, Self> {
        static SHARED: OnceLock<Mutex<PrivateRabbit>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Mutex::new(Self::start()));
        let mut node = shared.lock().unwrap_or_else(PoisonError::into_inner);
        node.thaw();
        if !node.process.as_ref().is_some_and(Leashed::is_alive) {
            node.restart();
        }
        node
    }

    /// Starts a node.
    pub fn start() -> Self {
        let ports = [(); 4].map(|()| free_port());
        let rabbit = Rabbit::on(ports[0], ports[1]);
        let mut node = Self {
            rabbit,
            ports,
            directory: temporary_directory("rabbit-"),
            process: None,
        };
        node.restart();
        node
    }

    /// Where it listens, and its virtual hosts; they and their durable contents survive [`Self::kill`].
    pub fn rabbit(&self) -> Rabbit {
        self.rabbit
    }

    /// The directory with its data; `rabbitmqctl` in it talks to this node.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Writes what was declared so far to the disk.
    ///
    /// A node does that by itself, but a second or two later: a durable queue does not survive a [`Self::kill`] that
    /// comes before. Persistent messages whose publish was confirmed need no help.
    pub fn flush(&self) {
        let control = self.directory.path().join("rabbitmqctl");
        let output = Command::new(control)
            .args(["eval", "mnesia:sync_log()."])
            .output()
            .expect("rabbitmqctl runs");
        assert!(
            output.status.success(),
            "rabbitmqctl eval: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Kills the node at once (SIGKILL). What was declared in the last two seconds may be lost: [`Self::flush`].
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts the node anew with the same ports and data; kills it before if it still runs.
    pub fn restart(&mut self) {
        self.kill();
        let mut command = Command::new(tests_dir().join("support/rabbitmq"));
        command
            .arg(self.directory.path())
            .args(self.ports.map(|port| port.to_string()));
        let log = self.directory.path().join("stdout");
        self.process = Some(Leashed::start(&command, 0, &log));
        // The last thing a node starts are its listeners; the test message goes through a queue.
        eventually(3 * PATIENCE, "a private RabbitMQ passes a message", || {
            self.rabbit
                .management
                .try_request("GET", "aliveness-test/%2F", &serde_json::Value::Null)
                .is_ok()
                && std::net::TcpStream::connect(("127.0.0.1", self.rabbit.port)).is_ok()
        });
    }

    /// Stops the node from running; its connections stay open.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets the node run on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        if let Some(process) = &self.process {
            process.signal_all(name);
        }
    }
}

/// A port that nobody listens on, outside the range from which the system gives ports to outgoing connections.
fn free_port() -> u16 {
    // A new random number each time: two processes that count would meet.
    let candidate =
        || 12_000 + u16::try_from(uuid::Uuid::new_v4().as_u128() % 18_000).expect("below 18,000");
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(candidate)
        .find(is_free)
        .expect("an endless iterator")
}
