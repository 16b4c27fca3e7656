//! The servers that `tests/run` started and shares among all tests; every test takes a corner of its own.

use std::sync::OnceLock;

use redis::Commands;
use serde_json::{Value, json};

use super::keys::{Key, keys_left};
use super::{Management, encoded};

/// What `tests/run` told us about its servers.
#[derive(Debug)]
pub struct Rig {
    /// The shared RabbitMQ.
    pub rabbit: Rabbit,
    /// The shared Redis, as a URL without a database.
    pub redis: String,
}

/// The shared servers; `None`, with a line saying so, when the tests run without `tests/run`.
///
/// Under `tests/run` missing servers are a failure, so that no real test can pass by not running.
#[track_caller]
pub fn rig() -> Option<&'static Rig> {
    static RIG: OnceLock<Option<Rig>> = OnceLock::new();
    let rig = RIG.get_or_init(Rig::from_environment).as_ref();
    if rig.is_none() {
        assert!(
            std::env::var_os("UMBEL_TEST_SERVICES").is_none(),
            "tests/run gave no servers"
        );
        say("needs tests/run");
    }
    rig
}

#[expect(
    clippy::print_stderr,
    reason = "the only word of the harness, for a person who reads the output of a test"
)]
fn say(text: &str) {
    eprintln!("{text}");
}

impl Rig {
    fn from_environment() -> Option<Self> {
        let read = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let port = |name| {
            Some(
                read(name)?
                    .parse()
                    .expect("a port number in the environment"),
            )
        };
        let rabbit = Rabbit::on(
            port("UMBEL_TEST_AMQP_PORT")?,
            port("UMBEL_TEST_MANAGEMENT_PORT")?,
        );
        Some(Self {
            rabbit,
            redis: read("UMBEL_TEST_REDIS")?,
        })
    }

    /// A new, empty virtual host of the shared RabbitMQ; removed with its value.
    pub fn vhost(&self) -> Vhost {
        self.rabbit.vhost()
    }

    /// An empty database of the shared Redis that no other test uses.
    pub fn redis_db(&self) -> RedisDb {
        // Counted in the server, because test targets are processes of their own. Redis is started with 1024 databases.
        let mut counter = connect(&format!("{}/0", self.redis));
        let count: u32 = counter
            .incr("umbel-test:databases", 1)
            .expect("redis counts");
        let db = RedisDb {
            url: format!("{}/{}", self.redis, 1 + count % 1023),
        };
        redis::cmd("FLUSHDB")
            .exec(&mut db.connection())
            .expect("redis empties a database");
        db
    }
}

fn connect(url: &str) -> redis::Connection {
    redis::Client::open(url)
        .and_then(|client| client.get_connection())
        .expect("redis answers")
}

/// One database of Redis.
#[derive(Debug)]
pub struct RedisDb {
    /// Its URL, `redis://127.0.0.1:PORT/DB`.
    pub url: String,
}

impl RedisDb {
    /// A blocking connection for looking behind umbel's back.
    pub fn connection(&self) -> redis::Connection {
        connect(&self.url)
    }

    /// The number of messages that wait in a queue, as kombu keeps it.
    pub fn depth(&self, queue: &str) -> u64 {
        self.connection().llen(queue).expect("redis counts a list")
    }

    /// Everything in it, by name.
    pub fn keys_left(&self) -> Vec<Key> {
        keys_left(&mut self.connection())
    }
}

/// One RabbitMQ node on the loopback interface.
#[derive(Clone, Copy, Debug)]
pub struct Rabbit {
    /// Where it speaks AMQP.
    pub port: u16,
    /// Its management API.
    pub management: Management,
}

impl Rabbit {
    /// The node with these two ports.
    pub fn on(port: u16, management: u16) -> Self {
        Self {
            port,
            management: Management::on(management),
        }
    }

    /// A new, empty virtual host; removed with its value.
    pub fn vhost(self) -> Vhost {
        self.vhost_called(format!("test-{}", new_name()))
    }

    /// A new, empty virtual host whose name begins and ends with `odd` (`"/a b"`, `"%2F"`); removed with its value.
    pub fn odd_vhost(self, odd: &str) -> Vhost {
        self.vhost_called(format!("{odd}{}{odd}", new_name()))
    }

    fn vhost_called(self, name: String) -> Vhost {
        self.management.create_vhost(&name);
        Vhost {
            url: self.url_of("guest", "guest", &name),
            name,
            rabbit: self,
        }
    }

    fn url_of(self, user: &str, password: &str, vhost: &str) -> String {
        format!(
            "amqp://{user}:{password}@127.0.0.1:{}/{}",
            self.port,
            encoded(vhost)
        )
    }
}

/// A name that nothing else has.
fn new_name() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// A virtual host of RabbitMQ that belongs to one test.
#[derive(Debug)]
pub struct Vhost {
    /// Its URL, `amqp://guest:guest@127.0.0.1:PORT/NAME`.
    pub url: String,
    /// Its name as RabbitMQ knows it; [`encoded`] in a URL, which an odd one needs.
    pub name: String,
    /// The node it is on.
    pub rabbit: Rabbit,
}

impl Vhost {
    /// Declares a durable classic queue that nobody reads.
    pub fn declare_queue(&self, queue: &str) {
        let properties = json!({"durable": true, "auto_delete": false, "arguments": {}});
        self.rabbit.management.request(
            "PUT",
            &self.path("queues", &format!("/{}", encoded(queue))),
            &properties,
        );
    }

    /// Up to 1000 waiting messages of a queue (`payload`, `properties`, …); they stay in the queue.
    ///
    /// Reads the queue itself, so it is right at once; the counts in `GET /api/queues` lag by seconds.
    pub fn messages(&self, queue: &str) -> Vec<Value> {
        let request = json!({"count": 1000, "ackmode": "ack_requeue_true", "encoding": "auto"});
        let path = self.path("queues", &format!("/{}/get", encoded(queue)));
        let Value::Array(messages) = self.rabbit.management.request("POST", &path, &request) else {
            panic!("no list of messages")
        };
        messages
    }

    /// The names of all queues.
    pub fn queues(&self) -> Vec<String> {
        let queues = self.list("queues", "?columns=name");
        queues.iter().map(|queue| text(&queue["name"])).collect()
    }

    /// Everything that was declared here, sorted, a line each: `queue NAME`, `exchange NAME (TYPE)`,
    /// `binding EXCHANGE -> queue NAME (KEY)`. What every virtual host has from the beginning is left out.
    pub fn contents(&self) -> Vec<String> {
        let of_its_own = |exchange: &str| !exchange.is_empty() && !exchange.starts_with("amq.");
        let mut all: Vec<String> = self
            .queues()
            .iter()
            .map(|name| format!("queue {name}"))
            .collect();
        for exchange in self.list("exchanges", "?columns=name,type") {
            let (name, kind) = (text(&exchange["name"]), text(&exchange["type"]));
            if of_its_own(&name) {
                all.push(format!("exchange {name} ({kind})"));
            }
        }
        for binding in self.list("bindings", "") {
            let source = text(&binding["source"]);
            // Every queue is bound to the exchange without a name.
            if !source.is_empty() {
                all.push(format!(
                    "binding {source} -> {} {} ({})",
                    text(&binding["destination_type"]),
                    text(&binding["destination"]),
                    text(&binding["routing_key"])
                ));
            }
        }
        all.sort();
        all
    }

    /// Everything that the management API knows of a queue: `durable`, `arguments`, …; `None` when there is none.
    pub fn queue(&self, name: &str) -> Option<Value> {
        let path = self.path("queues", &format!("/{}", encoded(name)));
        let management = self.rabbit.management;
        management.try_request("GET", &path, &Value::Null).ok()
    }

    /// Declares a durable exchange of this type (`"topic"`).
    pub fn declare_exchange(&self, name: &str, kind: &str) {
        let properties = json!({"type": kind, "durable": true});
        let path = self.path("exchanges", &format!("/{}", encoded(name)));
        self.rabbit.management.request("PUT", &path, &properties);
    }

    /// Declares a durable queue with these arguments: `json!({"x-queue-type": "quorum"})`.
    pub fn declare_queue_with(&self, name: &str, arguments: &Value) {
        let properties = json!({"durable": true, "auto_delete": false, "arguments": arguments});
        let path = self.path("queues", &format!("/{}", encoded(name)));
        self.rabbit.management.request("PUT", &path, &properties);
    }

    /// Binds a queue to an exchange.
    pub fn bind(&self, exchange: &str, queue: &str, key: &str) {
        let end = format!("/e/{}/q/{}", encoded(exchange), encoded(queue));
        let binding = json!({"routing_key": key, "arguments": {}});
        let management = self.rabbit.management;
        management.request("POST", &self.path("bindings", &end), &binding);
    }

    /// A new user who may use this virtual host alone, and in it only what fits these regular expressions (`""`: nothing).
    pub fn user(&self, configure: &str, write: &str, read: &str) -> User {
        let (name, password) = (format!("user-{}", new_name()), "hunter2xyz");
        let management = self.rabbit.management;
        let login = json!({"password": password, "tags": ""});
        management.request("PUT", &format!("users/{name}"), &login);
        let allowed = json!({"configure": configure, "write": write, "read": read});
        let path = self.path("permissions", &format!("/{name}"));
        management.request("PUT", &path, &allowed);
        User {
            url: self.rabbit.url_of(&name, password, &self.name),
            name,
            password,
            management,
        }
    }

    fn path(&self, list: &str, end: &str) -> String {
        format!("{list}/{}{end}", encoded(&self.name))
    }

    fn list(&self, list: &str, end: &str) -> Vec<Value> {
        match self.rabbit.management.get(&self.path(list, end)) {
            Value::Array(all) => all,
            other => panic!("no list: {other}"),
        }
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        // The node may have been killed by its test; then its data go with it.
        drop(
            self.rabbit
                .management
                .try_request("DELETE", &self.path("vhosts", ""), &Value::Null),
        );
    }
}

/// A user of RabbitMQ that belongs to one test; removed with its value.
#[derive(Debug)]
pub struct User {
    /// The URL of the virtual host with this login.
    pub url: String,
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: &'static str,
    management: Management,
}

impl Drop for User {
    fn drop(&mut self) {
        let path = format!("users/{}", self.name);
        drop(self.management.try_request("DELETE", &path, &Value::Null));
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
