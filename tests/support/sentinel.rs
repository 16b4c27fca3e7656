//! Redis as Sentinel runs it: a master, a replica, and three sentinels that elect another master when it dies.

use std::fs;
use std::process::Command;
use std::time::Duration;

use redis::{Client, Commands, Connection};
use tempfile::TempDir;

use super::{
    Leashed, PATIENCE, PrivateRedis, eventually, eventually_some, free_port, temporary_directory,
};

const NAME: &str = SentinelGroup::NAME;

/// How long the master must be silent before it counts as down. A busy machine is silent for a while, too.
const DOWN_AFTER: Duration = Duration::from_secs(2);

/// A master, a replica and three sentinels with a quorum of two; a test's own.
#[derive(Debug)]
pub struct SentinelGroup {
    nodes: Vec<PrivateRedis>,
    sentinels: Vec<Sentinel>,
    node_password: Option<String>,
    sentinel_password: Option<String>,
}

#[derive(Debug)]
struct Sentinel {
    port: u16,
    directory: TempDir,
    process: Option<Leashed>,
}

impl SentinelGroup {
    /// What the sentinels call the group, for `master_name`.
    pub const NAME: &str = "umbel-group";

    /// Starts a group that lets everybody in.
    pub fn start() -> Self {
        Self::with_passwords(None, None)
    }

    /// Starts a group whose data nodes want one password and whose sentinels want another.
    pub fn with_passwords(node: Option<&str>, sentinel: Option<&str>) -> Self {
        let new = || node.map_or_else(PrivateRedis::start, PrivateRedis::with_password);
        let nodes = vec![new(), new()];
        redis::cmd("REPLICAOF")
            .arg("127.0.0.1")
            .arg(nodes[0].port)
            .exec(&mut nodes[1].connection())
            .expect("redis becomes a replica");
        eventually(PATIENCE, "the replica has caught up", || {
            info(&mut nodes[1].connection()).contains("master_link_status:up")
        });
        let mut group = Self {
            sentinels: Vec::new(),
            node_password: node.map(str::to_owned),
            sentinel_password: sentinel.map(str::to_owned),
            nodes,
        };
        group.sentinels = (0..3).map(|_| group.new_sentinel()).collect();
        (0..3).for_each(|index| group.start_sentinel(index));
        eventually(PATIENCE, "the sentinels have found each other", || {
            (0..3).all(|index| group.knows_all(index))
        });
        group
    }

    fn new_sentinel(&self) -> Sentinel {
        let (port, directory) = (free_port(), temporary_directory("sentinel-"));
        let mut conf = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\n\
             sentinel monitor {NAME} 127.0.0.1 {} 2\n\
             sentinel down-after-milliseconds {NAME} {}\n\
             sentinel failover-timeout {NAME} 6000\n",
            directory.path().display(),
            self.nodes[0].port,
            DOWN_AFTER.as_millis()
        );
        if let Some(password) = &self.node_password {
            let line = format!("sentinel auth-pass {NAME} {password}\n");
            conf += &line;
        }
        if let Some(password) = &self.sentinel_password {
            let lines = format!("requirepass {password}\nsentinel sentinel-pass {password}\n");
            conf += &lines;
        }
        // Sentinels write into it what they learn.
        fs::write(directory.path().join("sentinel.conf"), conf).expect("a file");
        Sentinel {
            port,
            directory,
            process: None,
        }
    }

    /// `sentinel://[:NODE PASSWORD@]127.0.0.1:PORT/0;…`, for the broker and for the backend of Celery.
    pub fn url(&self) -> String {
        let login = self.node_password.as_ref();
        let login = login.map_or_else(String::new, |password| format!(":{password}@"));
        let urls = self.sentinels.iter();
        let urls = urls.map(|sentinel| format!("sentinel://{login}127.0.0.1:{}/0", sentinel.port));
        urls.collect::<Vec<_>>().join(";")
    }

    /// A worker's settings for a broker and a backend in this group, for [`conf`](super::WorkerOptions::conf).
    pub fn conf(&self) -> String {
        let options = self.transport_options();
        format!(
            "'broker_transport_options': {options}, 'result_backend_transport_options': {options}"
        )
    }

    /// The transport options alone, as a Python dictionary: `master_name`, and the sentinels' password if they want one.
    pub fn transport_options(&self) -> String {
        let password = self
            .sentinel_password
            .as_ref()
            .map_or_else(String::new, |password| {
                format!(", 'sentinel_kwargs': {{'password': '{password}'}}")
            });
        format!("{{'master_name': '{NAME}'{password}}}")
    }

    /// The ports of the sentinels.
    pub fn sentinel_ports(&self) -> [u16; 3] {
        [0, 1, 2].map(|index: usize| self.sentinels[index].port)
    }

    /// The port of the master, as most sentinels see it; `None` while they do not agree or do not answer.
    pub fn current_master(&self) -> Option<u16> {
        let ports: Vec<u16> = (0..3).filter_map(|index| self.master_of(index)).collect();
        let votes = |port: u16| ports.iter().filter(|&&other| other == port).count();
        ports.iter().copied().find(|&port| votes(port) >= 2)
    }

    /// A blocking connection to the master.
    #[track_caller]
    pub fn connection(&self) -> Connection {
        let port = self.current_master().expect("the sentinels agree");
        self.node(port).connection()
    }

    /// Kills the master at once, and returns its port. The sentinels take some seconds to elect the other node.
    #[track_caller]
    pub fn kill_master(&mut self) -> u16 {
        let port = self.current_master().expect("the sentinels agree");
        let mut nodes = self.nodes.iter_mut();
        let master = nodes.find(|node| node.port == port);
        master.expect("a node of ours").kill();
        port
    }

    /// Stops the master from running; returns its port, for [`Self::thaw`]. The sentinels elect the other node.
    #[track_caller]
    pub fn freeze_master(&self) -> u16 {
        let port = self.current_master().expect("the sentinels agree");
        self.node(port).freeze();
        port
    }

    /// Lets a frozen node run on; the sentinels make it a replica.
    pub fn thaw(&self, port: u16) {
        self.node(port).thaw();
    }

    /// Waits until the sentinels name another master than `old` and it takes writes; returns its port.
    #[track_caller]
    pub fn wait_for_failover(&self, old: u16) -> u16 {
        eventually_some(
            PATIENCE,
            "another master is elected and takes writes",
            || {
                let port = self.current_master().filter(|&port| port != old)?;
                let written = self
                    .node(port)
                    .connection()
                    .set_ex("umbel-test:failover", 1, 1);
                written.map(|()| port).ok()
            },
        )
    }

    /// Kills the master and waits for the next one; returns its port.
    #[track_caller]
    pub fn failover(&mut self) -> u16 {
        let old = self.kill_master();
        self.wait_for_failover(old)
    }

    /// Starts killed nodes anew, and waits until they are replicas that caught up: then there can be another failover.
    pub fn revive(&mut self) {
        for node in self.nodes.iter_mut().filter(|node| !node.is_running()) {
            node.restart();
        }
        eventually(PATIENCE, "the revived node is a replica", || {
            self.current_master().is_some_and(|master| {
                let mut replicas = self.nodes.iter().filter(|node| node.port != master);
                replicas.all(|node| info(&mut node.connection()).contains("master_link_status:up"))
            }) && (0..3).all(|index| self.knows_all(index))
        });
    }

    /// Kills a sentinel (0, 1, 2).
    pub fn kill_sentinel(&mut self, index: usize) {
        self.sentinels[index].process = None;
    }

    /// Starts a killed sentinel anew.
    pub fn start_sentinel(&mut self, index: usize) {
        let sentinel = &mut self.sentinels[index];
        let mut command = Command::new("redis-server");
        command
            .arg(sentinel.directory.path().join("sentinel.conf"))
            .arg("--sentinel");
        let log = sentinel.directory.path().join("log");
        sentinel.process = Some(Leashed::start(&command, 0, &log));
        eventually(PATIENCE, "a sentinel answers", || {
            self.master_of(index).is_some()
        });
    }

    fn node(&self, port: u16) -> &PrivateRedis {
        let mut nodes = self.nodes.iter();
        let node = nodes.find(|node| node.port == port);
        node.expect("a node of ours")
    }

    /// Whether the sentinel knows the two others and the replica, and calls nobody down.
    fn knows_all(&self, index: usize) -> bool {
        let Some(mut connection) = self.ask(index) else {
            return false;
        };
        let state: redis::RedisResult<Vec<String>> = redis::cmd("SENTINEL")
            .arg("MASTER")
            .arg(NAME)
            .query(&mut connection);
        let state = state.unwrap_or_default();
        let is = |key: &str, value: &str| state.chunks(2).any(|pair| pair == [key, value]);
        is("num-other-sentinels", "2") && is("num-slaves", "1") && is("flags", "master")
    }

    fn master_of(&self, index: usize) -> Option<u16> {
        let address: Vec<String> = redis::cmd("SENTINEL")
            .arg("GET-MASTER-ADDR-BY-NAME")
            .arg(NAME)
            .query(&mut self.ask(index)?)
            .ok()?;
        address.get(1)?.parse().ok()
    }

    fn ask(&self, index: usize) -> Option<Connection> {
        let login = self.sentinel_password.as_ref();
        let login = login.map_or_else(String::new, |password| format!(":{password}@"));
        let url = format!("redis://{login}127.0.0.1:{}", self.sentinels[index].port);
        Client::open(url).ok()?.get_connection().ok()
    }
}

/// What a node says of its replication.
fn info(connection: &mut Connection) -> String {
    redis::cmd("INFO")
        .arg("replication")
        .query(connection)
        .expect("redis tells about itself")
}
