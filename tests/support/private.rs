//! RabbitMQ nodes that belong to one test file: to be killed, frozen, started again, or to ask for certificates.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tempfile::TempDir;

use super::{
    Certificates, Leashed, PATIENCE, Rabbit, Vhost, eventually, free_port, temporary_directory,
    tests_dir,
};

/// A RabbitMQ node of a test file's own. It takes some 15 s to start, so share it: [`PrivateRabbit::shared`].
#[derive(Debug)]
pub struct PrivateRabbit {
    rabbit: Rabbit,
    ports: [u16; 4],
    /// Where it speaks AMQP over TLS, and wants a client's certificate of [`Certificates::shared`].
    tls: Option<u16>,
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

    /// The node that all tests of one process share for TLS; nobody breaks it.
    ///
    /// It listens with and without TLS: see [`Self::amqps`].
    pub fn shared_tls() -> &'static Self {
        static SHARED: OnceLock<PrivateRabbit> = OnceLock::new();
        SHARED.get_or_init(|| Self::start_as(Some(free_port())))
    }

    /// Starts a node.
    pub fn start() -> Self {
        Self::start_as(None)
    }

    fn start_as(tls: Option<u16>) -> Self {
        let ports = [(); 4].map(|()| free_port());
        let rabbit = Rabbit::on(ports[0], ports[1]);
        let mut node = Self {
            rabbit,
            ports,
            tls,
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

    /// The `amqps://localhost:PORT/VHOST` URL of a virtual host of [`Self::shared_tls`].
    pub fn amqps(&self, vhost: &Vhost) -> String {
        let port = self.tls.expect("a node with TLS");
        let plain = format!("amqp://guest:guest@127.0.0.1:{}/", self.rabbit.port);
        let tls = format!("amqps://guest:guest@localhost:{port}/");
        vhost.url.replace(&plain, &tls)
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
        if let Some(port) = self.tls {
            let certificates = Certificates::shared();
            command.arg(port.to_string()).args([
                &certificates.ca,
                &certificates.server.certificate,
                &certificates.server.key,
            ]);
        }
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
