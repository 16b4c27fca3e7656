//! The two links against real servers: RabbitMQ and Redis as `tests/run` starts them, real Celery workers, and mishaps.
//!
//! It looks at the links alone, not at the actor above them: what is promised in `broker.rs` and `backend.rs` is proved here.

#[path = "links/amqp_connect.rs"]
mod amqp_connect;
#[path = "links/amqp_control.rs"]
mod amqp_control;
#[path = "links/amqp_loss.rs"]
mod amqp_loss;
#[path = "links/amqp_publish.rs"]
mod amqp_publish;
#[path = "links/amqp_queues.rs"]
mod amqp_queues;
#[path = "links/rabbit.rs"]
mod rabbit;
#[path = "links/redis_backend.rs"]
mod redis_backend;
#[path = "links/redis_broker.rs"]
mod redis_broker;
#[path = "support/support.rs"]
mod support;
#[path = "links/tls.rs"]
mod tls;
#[path = "links/ways.rs"]
mod ways;

use std::future::Future;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::timeout;

use support::{Management, PATIENCE, Vhost, Worker, WorkerOptions, closed_port};
use umbel::broker::amqp::AmqpBroker;
use umbel::broker::{self, AckTag, Broker, Incoming, Link};
use umbel::clock::Timestamp;
use umbel::error::Error;
use umbel::protocol::control::{Method, ReplyTo, Request};
use umbel::protocol::json::Json;
use umbel::protocol::message::Sender;
use umbel::protocol::{Message, Options, QueueName, Signature, TaskId, TaskName};

fn rabbitmq(url: &str) -> AmqpBroker {
    AmqpBroker::new(broker::url::parse(url).expect("a broker URL"))
}

async fn dial(broker: &impl Broker) -> (Arc<dyn Link>, Receiver<Incoming>) {
    let (sender, receiver) = mpsc::channel(64);
    let link = broker.connect(sender).await.expect("the broker answers");
    (link, receiver)
}

async fn dial_error(broker: &impl Broker) -> Error {
    let (sender, _receiver) = mpsc::channel(64);
    match broker.connect(sender).await {
        Ok(_) => panic!("this broker should not work"),
        Err(error) => error,
    }
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// The next thing that arrives.
async fn next<T>(incoming: &mut Receiver<T>) -> T {
    soon("something arrives", incoming.recv())
        .await
        .expect("the link still talks")
}

async fn next_result(incoming: &mut Receiver<Incoming>) -> (Message, AckTag) {
    loop {
        match next(incoming).await {
            Incoming::Result { message, tag } => return (message, tag),
            Incoming::Notice(_) => {}
            other => panic!("no result: {other:?}"),
        }
    }
}

/// The loss of the link: it is told once, and nothing comes after it.
async fn lost(incoming: &mut Receiver<Incoming>) -> Error {
    let Incoming::Lost(error) = next(incoming).await else {
        panic!("not lost");
    };
    assert!(soon("the end", incoming.recv()).await.is_none());
    error
}

fn task(name: &str, args: &[&str], reply_to: Option<String>) -> (TaskId, Message) {
    let id = TaskId::random();
    let signature = Signature {
        task: TaskName::from(name),
        id: id.clone(),
        args: args
            .iter()
            .map(|arg| Json::Number((*arg).to_owned()))
            .collect(),
        kwargs: Vec::new(),
        options: Options::default(),
    };
    let sender = Sender {
        origin: "gen1@test".to_owned(),
        reply_to,
        now: Timestamp::now(),
    };
    (id, signature.encode(&sender).expect("a message"))
}

/// A message as a worker would send it to a reply queue.
fn result_message(id: &str) -> Message {
    let mut message = Message {
        body: json!({"status": "SUCCESS", "result": 3, "task_id": id})
            .to_string()
            .into_bytes(),
        ..Message::default()
    };
    message.properties.content_type = Some("application/json".to_owned());
    message.properties.correlation_id = Some(id.to_owned());
    message
}

fn queue(name: &str) -> QueueName {
    QueueName::from(name)
}

fn described(vhost: &Vhost, queue: &str) -> Value {
    let path = format!("queues/{}/{queue}", vhost.name);
    vhost.rabbit.management.get(&path)
}

fn worker(vhost: &Vhost, backend: &str) -> Worker {
    Worker::start(
        "shop.tasks",
        &WorkerOptions {
            broker: vhost.url.clone(),
            backend: backend.to_owned(),
            ..WorkerOptions::default()
        },
    )
}

fn ping(reply_to: ReplyTo) -> Request {
    Request {
        method: Method::Ping,
        destination: Vec::new(),
        ticket: "ticket-1".to_owned(),
        reply_to: Some(reply_to),
    }
}

/// A user of the shared node with these permissions in one vhost; gone with the value.
struct User {
    name: String,
    management: Management,
}

impl User {
    fn new(vhost: &Vhost, configure: &str, write: &str, read: &str) -> Self {
        let name = format!("user-{}", uuid::Uuid::new_v4().simple());
        let management = vhost.rabbit.management;
        let path = format!("users/{name}");
        management.request("PUT", &path, &json!({"password": "pw", "tags": ""}));
        let allowed = json!({"configure": configure, "write": write, "read": read});
        let path = format!("permissions/{}/{name}", vhost.name);
        management.request("PUT", &path, &allowed);
        Self { name, management }
    }

    fn url(&self, vhost: &Vhost) -> String {
        vhost
            .url
            .replace("guest:guest", &format!("{}:pw", self.name))
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let path = format!("users/{}", self.name);
        drop(self.management.try_request("DELETE", &path, &Value::Null));
    }
}
