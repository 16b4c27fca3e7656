//! Redis servers that belong to one test: to be killed, frozen, started again, and to ask for what real ones ask for: passwords,
//! users, certificates, a socket.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use redis::{Client, ClientTlsConfig, Connection, TlsCertificates};
use tempfile::TempDir;

use super::keys::{Key, keys_left};
use super::{Certificates, Leashed, PATIENCE, eventually, free_port, temporary_directory};

/// The user of a server with users who may do everything; for the tests alone.
const ADMIN: (&str, &str) = ("harness", "harness");

/// A Redis server of a test's own.
#[derive(Debug)]
pub struct PrivateRedis {
    /// Its URL without a database, with the password if it wants one; as Celery and umbel write it.
    ///
    /// `rediss://localhost:PORT` with TLS (the certificates are not in it), `redis+socket:///PATH` on a socket. With users it
    /// names none of them: [`Self::url_of`].
    pub url: String,
    /// Its port on the loopback interface; 0 on a socket.
    pub port: u16,
    /// Where the harness itself connects, as the redis crate writes it.
    own_url: String,
    tls: bool,
    directory: TempDir,
    process: Option<Leashed>,
}

impl PrivateRedis {
    /// Starts a server that lets everybody in.
    pub fn start() -> Self {
        Self::with_settings("")
    }

    /// Starts a server that wants a password.
    pub fn with_password(password: &str) -> Self {
        let mut server =
            Self::configured(&format!("requirepass {password}\nmasterauth {password}"));
        server.url = format!("redis://:{password}@127.0.0.1:{}", server.port);
        server.own_url.clone_from(&server.url);
        server.started()
    }

    /// Starts a server with users: name, password, and rules as `ACL SETUSER` takes them (`"~* &* +@all -@dangerous"`).
    ///
    /// The user `default` is off: without a login nothing is allowed.
    pub fn with_users(users: &[(&str, &str, &str)]) -> Self {
        let (admin, password) = ADMIN;
        let ours = [(admin, password, "~* &* +@all")];
        let all = users.iter().chain(&ours);
        let lines =
            all.map(|(name, password, rules)| format!("user {name} on >{password} {rules}"));
        let settings = lines.collect::<Vec<_>>().join("\n");
        let mut server = Self::configured(&format!("user default off\n{settings}"));
        server.own_url = server.url_of(admin, password);
        server.started()
    }

    /// Starts a server that speaks TLS only, as `localhost` and 127.0.0.1, and wants a client's certificate of our authority.
    pub fn with_tls(certificates: &Certificates) -> Self {
        Self::with_tls_as(certificates, &certificates.server)
    }

    /// Such a server that shows this certificate.
    pub fn with_tls_as(certificates: &Certificates, shown: &super::Identity) -> Self {
        let settings = format!(
            "tls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ntls-auth-clients yes",
            shown.certificate.display(),
            shown.key.display(),
            certificates.ca.display()
        );
        let mut server = Self::configured_on(free_port(), true, &settings);
        server.url = format!("rediss://localhost:{}", server.port);
        server.own_url.clone_from(&server.url);
        server.started()
    }

    /// Starts a server that listens on a socket in the file system and on no port.
    pub fn on_socket() -> Self {
        let mut server = Self::configured_on(0, false, "");
        let socket = server.directory.path().join("socket");
        let settings = format!("unixsocket {}\n", socket.display());
        server.append(&settings);
        server.url = format!("redis+socket://{}", socket.display());
        server.own_url = format!("unix://{}", socket.display());
        server.started()
    }

    /// Starts a server with further lines of `redis.conf`.
    pub fn with_settings(settings: &str) -> Self {
        Self::configured(settings).started()
    }

    fn configured(settings: &str) -> Self {
        Self::configured_on(free_port(), false, settings)
    }

    /// A server that is not started yet.
    fn configured_on(port: u16, tls: bool, settings: &str) -> Self {
        let directory = temporary_directory("redis-");
        let ports = if tls {
            format!("port 0\ntls-port {port}")
        } else {
            format!("port {port}")
        };
        let server = Self {
            url: format!("redis://127.0.0.1:{port}"),
            own_url: format!("redis://127.0.0.1:{port}"),
            port,
            tls,
            directory,
            process: None,
        };
        server.append(&format!(
            "{ports}\nbind 127.0.0.1\nsave \"\"\nappendonly no\ndir {}\n{settings}\n",
            server.directory.path().display()
        ));
        server
    }

    fn append(&self, settings: &str) {
        let path = self.conf();
        let before = fs::read_to_string(&path).unwrap_or_default();
        fs::write(path, before + settings).expect("a file");
    }

    fn started(mut self) -> Self {
        self.restart();
        self
    }

    fn conf(&self) -> PathBuf {
        self.directory.path().join("redis.conf")
    }

    /// The URL of a user of [`Self::with_users`], without a database.
    pub fn url_of(&self, user: &str, password: &str) -> String {
        format!("redis://{user}:{password}@127.0.0.1:{}", self.port)
    }

    /// The file in whose place the server listens, for [`Self::on_socket`].
    pub fn socket(&self) -> &Path {
        let path = self.own_url.strip_prefix("unix://");
        Path::new(path.expect("a server on a socket"))
    }

    /// Kills the server at once; nothing it held survives.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Whether it was not killed.
    pub fn is_running(&self) -> bool {
        self.process.as_ref().is_some_and(Leashed::is_alive)
    }

    /// Starts the server anew on the same port, empty; kills it before if it still runs.
    pub fn restart(&mut self) {
        self.kill();
        let mut command = Command::new("redis-server");
        command.arg(self.conf());
        let log = self.directory.path().join("log");
        self.process = Some(Leashed::start(&command, 0, &log));
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
    pub fn connection(&self) -> Connection {
        self.connect().expect("redis answers")
    }

    /// Everything in database 0.
    pub fn keys_left(&self) -> Vec<Key> {
        keys_left(&mut self.connection())
    }

    fn connect(&self) -> redis::RedisResult<Connection> {
        if !self.tls {
            return Client::open(self.own_url.as_str())?.get_connection();
        }
        let certificates = Certificates::shared();
        let read = |path: &Path| fs::read(path).expect("a file");
        let tls = TlsCertificates {
            client_tls: Some(ClientTlsConfig {
                client_cert: read(&certificates.client.certificate),
                client_key: read(&certificates.client.key),
            }),
            root_cert: Some(read(&certificates.ca)),
        };
        Client::build_with_tls(self.own_url.as_str(), tls)?.get_connection()
    }

    fn answers(&self) -> bool {
        match self.connect() {
            Ok(mut connection) => redis::cmd("PING").exec(&mut connection).is_ok(),
            // One that shows another's certificate is refused by us, but it is there.
            Err(error) => error.to_string().contains("certificate"),
        }
    }

    fn signal(&self, name: &str) {
        self.process
            .as_ref()
            .expect("the server runs")
            .signal_all(name);
    }
}
