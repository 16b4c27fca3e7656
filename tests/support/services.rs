//! The servers that `tests/run` started and shares among all tests; every test takes a corner of its own.

use std::sync::OnceLock;

use redis::Commands;
use serde_json::{Value, json};

use super::Management;

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
        let name = format!("test-{}", uuid::Uuid::new_v4().simple());
        self.management.create_vhost(&name);
        Vhost {
            url: format!("amqp://guest:guest@127.0.0.1:{}/{name}", self.port),
            name,
            rabbit: self,
        }
    }
}

/// A virtual host of RabbitMQ that belongs to one test.
#[derive(Debug)]
pub struct Vhost {
    /// Its URL, `amqp://guest:guest@127.0.0.1:PORT/NAME`.
    pub url: String,
    /// Its name; needs no escaping in a URL.
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
            &format!("queues/{}/{queue}", self.name),
            &properties,
        );
    }

    /// Up to 1000 waiting messages of a queue (`payload`, `properties`, …); they stay in the queue.
    ///
    /// Reads the queue itself, so it is right at once; the counts in `GET /api/queues` lag by seconds.
    pub fn messages(&self, queue: &str) -> Vec<Value> {
        let request = json!({"count": 1000, "ackmode": "ack_requeue_true", "encoding": "auto"});
        let path = format!("queues/{}/{queue}/get", self.name);
        let Value::Array(messages) = self.rabbit.management.request("POST", &path, &request) else {
            panic!("no list of messages")
        };
        messages
    }

    /// The names of all queues.
    pub fn queues(&self) -> Vec<String> {
        let queues = self
            .rabbit
            .management
            .get(&format!("queues/{}?columns=name", self.name));
        let names = queues.as_array().expect("a list of queues").iter();
        names
            .map(|queue| queue["name"].as_str().expect("a name").to_owned())
            .collect()
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        // The node may have been killed by its test; then its data go with it.
        drop(self.rabbit.management.try_request(
            "DELETE",
            &format!("vhosts/{}", self.name),
            &Value::Null,
        ));
    }
}
