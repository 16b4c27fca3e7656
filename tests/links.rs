//! The two links against real servers: RabbitMQ and Redis as `tests/run` starts them, real Celery workers, and mishaps.
//!
//! It looks at the links alone, not at the actor above them: what is promised in `broker.rs` and `backend.rs` is proved here.

#[path = "links/rabbit.rs"]
mod rabbit;
#[path = "links/redis_broker.rs"]
mod redis_broker;
#[path = "support/support.rs"]
mod support;
#[path = "links/tls.rs"]
mod tls;
#[path = "links/ways.rs"]
mod ways;

use std::future::Future;
use std::io::Read;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::redis::Commands;
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::timeout;

use support::{
    AMQP_ACK, Management, PATIENCE, PrivateRabbit, PrivateRedis, Proxy, Vhost, Worker,
    WorkerOptions,
};
use umbel::backend::{self, Backend, Results};
use umbel::broker::amqp::AmqpBroker;
use umbel::broker::{self, AckTag, Broker, Delivery, Depth, Held, Incoming, Link, Reach, Route};
use umbel::clock::Timestamp;
use umbel::error::{Error, Kind};
use umbel::protocol::control::{Method, Reply, Request};
use umbel::protocol::json::Json;
use umbel::protocol::message::Sender;
use umbel::protocol::{
    Message, Options, QueueName, Signature, State, TaskId, TaskName, TaskResult,
};
use umbel::server::TransportOptions;

// ---- helpers -------------------------------------------------------------------------------------------------------------

fn broker(url: &str) -> AmqpBroker {
    AmqpBroker::new(broker::url::parse(url).expect("a broker URL"))
}

async fn dial(broker: &AmqpBroker) -> (Arc<dyn Link>, Receiver<Incoming>) {
    let (sender, receiver) = mpsc::channel(64);
    let link = broker.connect(sender).await.expect("the broker answers");
    (link, receiver)
}

async fn dial_error(url: &str) -> Error {
    let (sender, _receiver) = mpsc::channel(64);
    match broker(url).connect(sender).await {
        Ok(_) => panic!("{url} should not work"),
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

fn ping(reply_to: &str) -> Request {
    Request {
        method: Method::Ping,
        destination: Vec::new(),
        ticket: "ticket-1".to_owned(),
        reply_to: Some(reply_to.to_owned()),
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

// ---- publishing ----------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_published_task_is_confirmed_and_lies_in_its_queue_as_celery_sends_it() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("shop");
    let (link, _incoming) = dial(&broker(&vhost.url)).await;
    let (id, message) = task("shop.tasks.add", &["1", "2"], Some(link.result_queue()));
    assert_eq!(
        link.publish(&Route::to_queue(&queue("shop")), message)
            .await,
        Delivery::Confirmed
    );
    let found = vhost.messages("shop").remove(0);
    let properties = &found["properties"];
    assert_eq!(properties["delivery_mode"], 2);
    assert_eq!(properties["content_type"], "application/json");
    assert_eq!(properties["correlation_id"], id.as_str());
    assert_eq!(properties["reply_to"], link.result_queue());
    assert_eq!(properties["headers"]["task"], "shop.tasks.add");
    assert_eq!(properties["headers"]["retries"], 0);
    // The management API has this word for AMQP's void.
    assert_eq!(
        properties["headers"]["timelimit"],
        json!(["undefined", "undefined"])
    );
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_for_a_queue_that_does_not_exist_is_returned() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let (link, _incoming) = dial(&broker(&vhost.url)).await;
    let (_, message) = task("shop.tasks.add", &["1", "2"], None);
    assert_eq!(
        link.publish(&Route::to_queue(&queue("nosuch")), message)
            .await,
        Delivery::Returned("312 NO_ROUTE".to_owned())
    );
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_sent_at_the_same_time_each_learn_their_own_fate() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("shop");
    let (link, _incoming) = dial(&broker(&vhost.url)).await;
    let mut sent = tokio::task::JoinSet::new();
    for number in 0..200 {
        let link = link.clone();
        sent.spawn(async move {
            let exists = number % 2 == 0;
            let name = if exists { "shop" } else { "nosuch" };
            let (_, message) = task("shop.tasks.add", &["1", "2"], None);
            (
                exists,
                link.publish(&Route::to_queue(&queue(name)), message).await,
            )
        });
    }
    for (exists, delivery) in sent.join_all().await {
        let expected = if exists {
            Delivery::Confirmed
        } else {
            Delivery::Returned("312 NO_ROUTE".to_owned())
        };
        assert_eq!(delivery, expected);
    }
    assert_eq!(vhost.messages("shop").len(), 100);
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_amqp_cannot_carry_is_certainly_unsent() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let (link, _incoming) = dial(&broker(&vhost.url)).await;
    let (_, message) = task("shop.tasks.add", &[], None);
    let long = queue(&"q".repeat(256));
    let Delivery::Unsent(error) = link.publish(&Route::to_queue(&long), message).await else {
        panic!("sent");
    };
    assert!(error.message.contains("255"), "{error}");
    assert_eq!(link.depth(&long).await, Ok(Depth::Missing));
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_whose_confirm_is_lost_is_unknown_and_told_once() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("shop");
    let proxy = Proxy::to(&vhost.url);
    let (link, mut incoming) = dial(&broker(proxy.url())).await;
    let (id, message) = task("shop.tasks.add", &["1", "2"], None);
    proxy.cut_swallowing(id.as_str().as_bytes(), AMQP_ACK);
    let Delivery::Unknown(error) = link
        .publish(&Route::to_queue(&queue("shop")), message)
        .await
    else {
        panic!("not unknown");
    };
    assert_eq!(error.kind, Kind::UnknownDelivery);
    lost(&mut incoming).await;
    assert_eq!(vhost.messages("shop").len(), 1, "it is there all the same");
    let (_, another) = task("shop.tasks.add", &["1", "2"], None);
    let Delivery::Unsent(_) = link
        .publish(&Route::to_queue(&queue("shop")), another)
        .await
    else {
        panic!("written to a dead connection");
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_that_nobody_waits_for_any_more_confuses_no_other() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("shop");
    let proxy = Proxy::to(&vhost.url);
    let (link, _incoming) = dial(&broker(proxy.url())).await;
    proxy.freeze();
    for _ in 0..3 {
        let (_, message) = task("shop.tasks.add", &["1", "2"], None);
        let nosuch = Route::to_queue(&queue("nosuch"));
        let publish = link.publish(&nosuch, message);
        let waited = timeout(Duration::from_millis(50), publish).await;
        assert!(waited.is_err(), "the broker cannot have answered");
    }
    proxy.thaw();
    for _ in 0..20 {
        let (_, message) = task("shop.tasks.add", &["1", "2"], None);
        assert_eq!(
            link.publish(&Route::to_queue(&queue("shop")), message)
                .await,
            Delivery::Confirmed
        );
    }
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_publish_is_told_so_and_the_message_is_unsent() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("shop");
    let user = User::new(&vhost, ".*", "^umbel", ".*");
    let (link, _incoming) = dial(&broker(&user.url(&vhost))).await;
    for _ in 0..2 {
        let (_, message) = task("shop.tasks.add", &["1", "2"], None);
        let Delivery::Unsent(error) = link
            .publish(&Route::to_queue(&queue("shop")), message)
            .await
        else {
            panic!("not refused");
        };
        assert!(error.message.contains("the message was refused"), "{error}");
        assert!(error.hint.expect("a hint").contains("permission"));
    }
    link.close().await;
}

// ---- our queues ----------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn the_result_queue_outlives_connections_but_not_the_goodbye() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let broker = broker(&vhost.url);
    let (link, _incoming) = dial(&broker).await;
    let (results, replies) = (link.result_queue(), link.reply_queue());
    assert!(results.starts_with("umbel.") && replies.starts_with("umbel."));
    let found = described(&vhost, &results);
    assert_eq!(found["durable"], true);
    assert_eq!(found["exclusive"], false);
    assert_eq!(found["auto_delete"], false);
    assert_eq!(found["arguments"], json!({"x-expires": 300_000}));
    let found = described(&vhost, &replies);
    assert_eq!(found["exclusive"], true);
    assert_eq!(found["auto_delete"], true);
    let (again, _incoming) = dial(&broker).await;
    assert_eq!(again.result_queue(), results, "one name for the whole run");
    assert_ne!(again.reply_queue(), replies);
    again.close().await;
    let start = Instant::now();
    link.close().await;
    assert!(start.elapsed() < Duration::from_millis(1500));
    assert_eq!(vhost.queues(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn results_sent_while_the_connection_was_down_are_there_afterwards() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let proxy = Proxy::to(&vhost.url);
    let ours = broker(proxy.url());
    let (link, mut incoming) = dial(&ours).await;
    let results = queue(&link.result_queue());
    let (other, _other_incoming) = dial(&broker(&vhost.url)).await;
    assert_eq!(
        other
            .publish(&Route::to_queue(&results), result_message("seen"))
            .await,
        Delivery::Confirmed
    );
    assert_eq!(
        other
            .publish(&Route::to_queue(&results), result_message("acked"))
            .await,
        Delivery::Confirmed
    );
    let (first, _) = next_result(&mut incoming).await;
    assert_eq!(first.properties.correlation_id.as_deref(), Some("seen"));
    let (_, tag) = next_result(&mut incoming).await;
    link.ack(tag).await;
    // The ack has arrived when a question asked after it is answered.
    link.ping().await.expect("a living link");
    proxy.cut();
    let error = lost(&mut incoming).await;
    assert!(error.message.contains("connection lost"), "{error}");
    assert_eq!(
        other
            .publish(&Route::to_queue(&results), result_message("missed"))
            .await,
        Delivery::Confirmed
    );
    let (link, mut incoming) = dial(&ours).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let (message, tag) = next_result(&mut incoming).await;
        ids.extend(message.properties.correlation_id);
        link.ack(tag).await;
    }
    ids.sort();
    assert_eq!(ids, ["missed", "seen"]);
    link.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_queue_that_somebody_deletes_is_declared_again() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let (link, mut incoming) = dial(&broker(&vhost.url)).await;
    let (other, _incoming) = dial(&broker(&vhost.url)).await;
    let results = link.result_queue();
    for round in ["first", "second"] {
        let path = format!("queues/{}/{results}", vhost.name);
        vhost
            .rabbit
            .management
            .request("DELETE", &path, &Value::Null);
        soon("the queue is there again", async {
            while other
                .publish(&Route::to_queue(&queue(&results)), result_message(round))
                .await
                != Delivery::Confirmed
            {}
        })
        .await;
        let (message, tag) = next_result(&mut incoming).await;
        assert_eq!(message.properties.correlation_id.as_deref(), Some(round));
        link.ack(tag).await;
        link.ack(AckTag(12)).await;
    }
    link.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_declare_queues_gets_results_by_direct_reply_to() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let _worker = worker(&vhost, "rpc://");
    let user = User::new(&vhost, "^$", ".*", ".*");
    let (link, mut incoming) = dial(&broker(&user.url(&vhost))).await;
    assert_eq!(link.result_queue(), "amq.rabbitmq.reply-to");
    let (id, message) = task("shop.tasks.add", &["1", "2"], Some(link.result_queue()));
    assert_eq!(
        link.publish(&Route::to_queue(&queue("celery")), message)
            .await,
        Delivery::Confirmed
    );
    loop {
        let (message, tag) = next_result(&mut incoming).await;
        link.ack(tag).await;
        let result = TaskResult::parse(&message.body, None, &id).expect("a result");
        if result.state == State::Success {
            assert_eq!(result.value, Json::Number("3".to_owned()));
            break;
        }
    }
    link.close().await;
}

// ---- questions and control -----------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn the_depth_of_a_queue_is_known_without_creating_it() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("shop");
    let (link, _incoming) = dial(&broker(&vhost.url)).await;
    let (other, _incoming) = dial(&broker(&vhost.url)).await;
    let known = |ready, consumers| {
        Ok(Depth::Known {
            ready,
            held: Held::Unknown,
            rates: None,
            consumers: Some(consumers),
        })
    };
    assert_eq!(link.depth(&queue("shop")).await, known(0, 0));
    assert_eq!(link.depth(&queue("nosuch")).await, Ok(Depth::Missing));
    assert_eq!(link.depth(&queue("nosuch")).await, Ok(Depth::Missing));
    assert_eq!(
        link.depth(&queue(&other.reply_queue())).await,
        Ok(Depth::Locked)
    );
    let (_, message) = task("shop.tasks.add", &["1", "2"], None);
    assert_eq!(
        other
            .publish(&Route::to_queue(&queue("shop")), message)
            .await,
        Delivery::Confirmed
    );
    assert_eq!(link.depth(&queue("shop")).await, known(1, 0));
    assert_eq!(link.depth(&queue(&other.result_queue())).await, known(0, 1));
    assert!(link.ping().await.expect("a ping") < Duration::from_secs(1));
    assert!(!vhost.queues().contains(&"nosuch".to_owned()));
    link.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_request_reaches_workers_or_proves_that_there_are_none() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let (link, mut incoming) = dial(&broker(&vhost.url)).await;
    let request = ping(&link.reply_queue());
    assert_eq!(link.broadcast(request.encode()).await, Ok(Reach::Nobody));
    assert_eq!(link.broadcast(request.encode()).await, Ok(Reach::Nobody));
    let worker = worker(&vhost, "rpc://");
    assert_eq!(link.broadcast(request.encode()).await, Ok(Reach::Somebody));
    let Incoming::Reply(message) = next(&mut incoming).await else {
        panic!("no reply");
    };
    let reply = Reply::parse(&message).expect("a reply");
    assert_eq!(reply.node.as_str(), "w1@test");
    assert_eq!(reply.ticket, "ticket-1");
    worker.stop();
    // The exchange is still there, but nothing is bound to it.
    assert_eq!(link.broadcast(request.encode()).await, Ok(Reach::Nobody));
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_runs_on_a_worker_and_its_result_comes_back() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let _worker = worker(&vhost, "rpc://");
    let (link, mut incoming) = dial(&broker(&vhost.url)).await;
    let (id, message) = task("shop.tasks.add", &["1", "2"], Some(link.result_queue()));
    assert_eq!(
        link.publish(&Route::to_queue(&queue("celery")), message)
            .await,
        Delivery::Confirmed
    );
    loop {
        let (message, tag) = next_result(&mut incoming).await;
        assert_eq!(
            message.properties.correlation_id.as_deref(),
            Some(id.as_str())
        );
        link.ack(tag).await;
        let result = TaskResult::parse(&message.body, None, &id).expect("a result");
        if result.state == State::Success {
            assert_eq!(result.value, Json::Number("3".to_owned()));
            break;
        }
    }
    link.close().await;
}

// ---- losing the broker ---------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn the_loss_of_either_connection_ends_both_and_is_told_once() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("shop");
    let proxy = Proxy::to(&vhost.url);
    let (link, mut incoming) = dial(&broker(proxy.url())).await;
    assert_eq!(proxy.open(), 2);
    // Only the publishing connection says this.
    let (id, message) = task("shop.tasks.add", &["1", "2"], None);
    proxy.cut_before(id.as_str().as_bytes());
    let Delivery::Unknown(_) = link
        .publish(&Route::to_queue(&queue("shop")), message)
        .await
    else {
        panic!("half a message was written: that is not certain");
    };
    lost(&mut incoming).await;
    support::eventually(PATIENCE, "both connections are closed", || {
        proxy.open() == 0
    });
    assert!(link.ping().await.is_err());
    assert!(link.depth(&queue("shop")).await.is_err());
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_broker_is_noticed_by_its_missing_heartbeat() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let proxy = Proxy::to(&vhost.url);
    let (_link, mut incoming) = dial(&broker(proxy.url())).await;
    let start = Instant::now();
    proxy.freeze();
    let error = lost(&mut incoming).await;
    assert!(error.message.contains("nothing heard"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(14));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_nobody_listens_to_or_holds_closes_its_connections() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let proxy = Proxy::to(&vhost.url);
    let (link, incoming) = dial(&broker(proxy.url())).await;
    drop(incoming);
    support::eventually(PATIENCE, "nobody listens", || proxy.open() == 0);
    drop(link);
    let (link, mut incoming) = dial(&broker(proxy.url())).await;
    drop(link);
    support::eventually(PATIENCE, "nobody holds it", || proxy.open() == 0);
    assert!(incoming.recv().await.is_none(), "given up, not lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_blocks_and_a_killed_broker_is_lost() {
    let Some(_rig) = support::rig() else { return };
    let mut node = PrivateRabbit::start();
    let vhost = node.rabbit().vhost();
    vhost.declare_queue("shop");
    let (link, mut incoming) = dial(&broker(&vhost.url)).await;
    let watermark = |share: &str| {
        let set = Command::new(node.directory().join("rabbitmqctl"))
            .args(["set_vm_memory_high_watermark", share])
            .output();
        assert!(set.expect("rabbitmqctl runs").status.success());
    };
    watermark("0.000001");
    let publish = async || {
        let (_, message) = task("shop.tasks.add", &["1", "2"], None);
        link.publish(&Route::to_queue(&queue("shop")), message)
            .await
    };
    let Delivery::Unknown(_) = publish().await else {
        panic!("the first publish is what makes the broker block: nobody knows");
    };
    let Incoming::Blocked(Some(reason)) = next(&mut incoming).await else {
        panic!("not blocked");
    };
    assert!(reason.contains("memory"), "{reason}");
    let Delivery::Unsent(error) = publish().await else {
        panic!("written while blocked");
    };
    assert!(error.message.contains("alarm"), "{error}");
    assert!(link.depth(&queue("shop")).await.is_ok(), "questions go on");
    let control = link.broadcast(ping("nobody").encode()).await;
    assert!(control.is_err(), "a control request is a publish too");
    assert!(
        link.ping().await.is_ok(),
        "and did not block its connection"
    );
    watermark("0.4");
    let Incoming::Blocked(None) = next(&mut incoming).await else {
        panic!("not unblocked");
    };
    assert_eq!(publish().await, Delivery::Confirmed);
    assert_eq!(
        vhost.messages("shop").len(),
        2,
        "the unknown one arrived after all"
    );
    node.kill();
    lost(&mut incoming).await;
}

// ---- connecting ----------------------------------------------------------------------------------------------------------

/// A port that was free a moment ago.
fn closed_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_says_where_and_what_to_check() {
    let port = closed_port();
    let error = dial_error(&format!("amqp://joe:s3cret@127.0.0.1:{port}/")).await;
    assert_eq!(error.kind, Kind::Unsent);
    assert_eq!(
        error.message,
        format!("broker amqp://127.0.0.1:{port}/: connection refused")
    );
    assert!(error.hint.expect("a hint").contains("RabbitMQ"));
    let error = dial_error("amqp://nosuch.invalid/").await;
    assert!(
        error.message.contains("nosuch.invalid is not known"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_a_wrong_vhost_are_told_apart() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let wrong = vhost.url.replace("guest:guest", "guest:wr0ng");
    let error = dial_error(&wrong).await;
    assert!(error.message.contains("login refused"), "{error}");
    assert!(!format!("{error:?}").contains("wr0ng"));
    let error = dial_error(&format!("{}-nosuch", vhost.url)).await;
    assert!(
        error
            .message
            .contains(&format!("there is no vhost {}-nosuch", vhost.name)),
        "{error}"
    );
    let user = User::new(&rig.vhost(), ".*", ".*", ".*");
    let error = dial_error(&user.url(&vhost)).await;
    assert!(
        error.message.contains("has no permission on the vhost"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_that_do_not_speak_amqp_are_called_so_within_the_deadline() {
    let Some(rig) = support::rig() else { return };
    let redis = rig.redis.replace("redis://", "amqp://");
    let start = Instant::now();
    let error = dial_error(&redis).await;
    assert!(start.elapsed() < Duration::from_secs(6));
    assert!(error.message.contains("did not answer in AMQP"), "{error}");
    assert!(error.hint.expect("a hint").contains("Redis"));
    let web = std::env::var("UMBEL_TEST_MANAGEMENT_PORT").expect("a port");
    let start = Instant::now();
    let error = dial_error(&format!("amqp://127.0.0.1:{web}/")).await;
    assert!(start.elapsed() < Duration::from_secs(6));
    assert!(error.message.contains("in AMQP"), "{error}");
    assert!(error.hint.expect("a hint").contains("web page"));
    let plain = rig.vhost().url.replace("amqp://", "amqps://");
    let error = dial_error(&plain).await;
    assert!(error.message.contains("it does not speak TLS"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connect_that_is_given_up_leaves_no_connection_behind() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let error = dial_error(&format!("amqp://127.0.0.1:{port}/")).await;
    assert!(error.message.contains("did not answer"), "{error}");
    for _ in 0..2 {
        let (mut socket, _) = silent.accept().expect("it called");
        socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let mut said = Vec::new();
        socket.read_to_end(&mut said).expect("it hung up");
        assert!(said.starts_with(b"AMQP"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_broker_of_a_list_is_tried_when_one_does_not_answer() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let list = format!("amqp://127.0.0.1:{}/;{}", closed_port(), vhost.url);
    let broker = broker(&list);
    let (link, _incoming) = dial(&broker).await;
    assert!(broker.short_address().ends_with(&vhost.name));
    link.close().await;
    let (one, other) = (closed_port(), closed_port());
    let error = dial_error(&format!(
        "amqp://127.0.0.1:{one}/;amqp://127.0.0.1:{other}/"
    ))
    .await;
    assert!(
        error.message.starts_with("none of 2 addresses works"),
        "{error}"
    );
}

// ---- Redis ---------------------------------------------------------------------------------------------------------------

type Stored = (Arc<dyn backend::Link>, Receiver<backend::Incoming>);

fn redis_backend(url: &str, keyprefix: Option<&str>) -> Arc<dyn Backend> {
    let mut options = TransportOptions::of_url(url).expect("options");
    options.global_keyprefix = keyprefix.map(str::to_owned);
    match backend::url::parse(url, &Arc::new(options)) {
        Ok(Results::Stored(backend)) => backend,
        other => panic!("no Redis: {other:?}"),
    }
}

async fn dial_redis(url: &str) -> Stored {
    let (sender, receiver) = mpsc::channel(64);
    let link = redis_backend(url, None).connect(sender).await;
    (link.expect("the Redis answers"), receiver)
}

async fn dial_redis_error(url: &str) -> Error {
    let (sender, _receiver) = mpsc::channel(64);
    match redis_backend(url, None).connect(sender).await {
        Ok(_) => panic!("{url} should not work"),
        Err(error) => error,
    }
}

/// Stores as Celery does: the value under the key, and the same to the channel of that name.
fn store(url: &str, key: &str, value: &[u8]) {
    let mut connection = ::redis::Client::open(url)
        .and_then(|client| client.get_connection())
        .expect("redis answers");
    ::redis::pipe()
        .atomic()
        .cmd("SETEX")
        .arg(key)
        .arg(60)
        .arg(value)
        .cmd("PUBLISH")
        .arg(key)
        .arg(value)
        .exec(&mut connection)
        .expect("redis stores");
}

async fn stored_result(incoming: &mut Receiver<backend::Incoming>) -> (TaskId, Vec<u8>) {
    match next(incoming).await {
        backend::Incoming::Result { id, payload } => (id, payload),
        other => panic!("no result: {other:?}"),
    }
}

async fn lost_redis(incoming: &mut Receiver<backend::Incoming>) -> Error {
    loop {
        // What had arrived before the loss comes first.
        if let backend::Incoming::Lost(error) = next(incoming).await {
            assert!(soon("the end", incoming.recv()).await.is_none());
            return error;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_after_a_watch_arrives_and_can_be_fetched() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let (link, mut incoming) = dial_redis(&db.url).await;
    let id = TaskId::random();
    assert_eq!(link.fetch(&id).await, Ok(None));
    link.watch(&id).await.expect("a watch");
    let key = format!("celery-task-meta-{id}");
    store(&db.url, &key, b"{\"status\": \"STARTED\"}");
    store(&db.url, &key, b"{\"status\": \"SUCCESS\"}");
    for expected in ["STARTED", "SUCCESS"] {
        let (whose, payload) = stored_result(&mut incoming).await;
        assert_eq!(whose, id);
        assert_eq!(
            payload,
            format!("{{\"status\": \"{expected}\"}}").into_bytes()
        );
    }
    assert_eq!(
        link.fetch(&id).await,
        Ok(Some(b"{\"status\": \"SUCCESS\"}".to_vec()))
    );
    link.unwatch(&id).await.expect("the end of a watch");
    let listeners: u64 = db
        .connection()
        .publish(&key, "{}")
        .expect("redis publishes");
    assert_eq!(listeners, 0);
    assert!(link.ping().await.expect("a ping") < Duration::from_secs(1));
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_watches_at_once_do_not_wait_for_each_other() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let (link, mut incoming) = dial_redis(&db.url).await;
    let ids: Vec<_> = (0..300).map(|_| TaskId::random()).collect();
    let watches = ids.iter().map(|id| link.watch(id));
    for watched in futures_util::future::join_all(watches).await {
        watched.expect("a watch");
    }
    let mut connection = db.connection();
    for id in &ids {
        let key = format!("celery-task-meta-{id}");
        let listeners: u64 = connection.publish(key, "{}").expect("redis publishes");
        assert_eq!(listeners, 1);
        stored_result(&mut incoming).await;
    }
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_of_twenty_megabytes_arrives_and_can_be_fetched() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let (link, mut incoming) = dial_redis(&db.url).await;
    let id = TaskId::random();
    link.watch(&id).await.expect("a watch");
    let large = vec![b'x'; 20 << 20];
    store(&db.url, &format!("celery-task-meta-{id}"), &large);
    let (_, payload) = stored_result(&mut incoming).await;
    assert!(payload == large);
    assert!(link.fetch(&id).await == Ok(Some(large)));
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_redis_cuts_for_size_is_lost_and_the_result_can_be_fetched_anew() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let (link, mut incoming) = dial_redis(&db.url).await;
    let id = TaskId::random();
    link.watch(&id).await.expect("a watch");
    // More than `client-output-buffer-limit pubsub 32mb …` allows.
    let large = vec![b'x'; 50 << 20];
    store(&db.url, &format!("celery-task-meta-{id}"), &large);
    lost_redis(&mut incoming).await;
    link.close().await;
    let (link, _incoming) = dial_redis(&db.url).await;
    assert!(link.fetch(&id).await == Ok(Some(large)));
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_beyond_the_limit_is_refused_before_it_is_read() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let (link, _incoming) = dial_redis(&server.url).await;
    let id = TaskId::random();
    // One byte far out: the server fills up what is before it.
    let _: u64 = server
        .connection()
        .setrange(format!("celery-task-meta-{id}"), 300 << 20, "x")
        .expect("redis stores");
    let error = link.fetch(&id).await.expect_err("too large");
    assert!(
        error.message.contains("300 MiB; at most 256 MiB"),
        "{error}"
    );
    assert!(link.ping().await.is_ok());
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_prefix_of_the_application_is_part_of_key_and_channel() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let (sender, mut incoming) = mpsc::channel(64);
    let backend = redis_backend(&db.url, Some("acme"));
    let link = backend.connect(sender).await.expect("the Redis answers");
    let id = TaskId::random();
    link.watch(&id).await.expect("a watch");
    store(&db.url, &format!("acme_celery-task-meta-{id}"), b"{}");
    assert_eq!(stored_result(&mut incoming).await.0, id);
    assert_eq!(link.fetch(&id).await, Ok(Some(b"{}".to_vec())));
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_redis_is_lost_once() {
    let Some(_rig) = support::rig() else { return };
    let mut server = PrivateRedis::start();
    let (link, mut incoming) = dial_redis(&server.url).await;
    link.watch(&TaskId::random()).await.expect("a watch");
    let start = Instant::now();
    server.kill();
    let error = lost_redis(&mut incoming).await;
    assert_eq!(error.kind, Kind::BackendUnreachable);
    assert!(start.elapsed() < Duration::from_secs(3));
    assert!(link.fetch(&TaskId::random()).await.is_err());
    assert!(link.watch(&TaskId::random()).await.is_err());
    server.restart();
    let (link, _incoming) = dial_redis(&server.url).await;
    link.ping().await.expect("a new link");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_redis_is_noticed() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let (_link, mut incoming) = dial_redis(&server.url).await;
    let start = Instant::now();
    server.freeze();
    let error = lost_redis(&mut incoming).await;
    assert!(error.message.contains("nothing heard for 2 s"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10));
    let start = Instant::now();
    let error = dial_redis_error(&server.url).await;
    assert!(error.message.contains("no answer in time"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(6));
    server.thaw();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_cannot_be_used_says_why() {
    let Some(rig) = support::rig() else { return };
    let server = PrivateRedis::with_password("pw");
    let bare = server.url.replace(":pw@", "");
    let error = dial_redis_error(&bare).await;
    assert_eq!(error.kind, Kind::BackendUnreachable);
    assert!(error.message.ends_with("it wants a password"), "{error}");
    let error = dial_redis_error(&server.url.replace(":pw@", ":wr0ng@")).await;
    assert!(error.message.contains("login refused"), "{error}");
    assert!(!format!("{error:?}").contains("wr0ng"));
    let error = dial_redis_error(&format!("{}/4711", server.url)).await;
    assert!(
        error.message.contains("there is no database 4711"),
        "{error}"
    );
    let error = dial_redis_error(&format!("redis://127.0.0.1:{}", closed_port())).await;
    assert!(error.message.ends_with("connection refused"), "{error}");
    let error = dial_redis_error("redis://nosuch.invalid").await;
    assert!(
        error.message.contains("nosuch.invalid is not known"),
        "{error}"
    );
    let amqp = format!("redis://127.0.0.1:{}", rig.rabbit.port);
    let error = dial_redis_error(&amqp).await;
    assert!(
        error.message.contains("what answered is not a Redis"),
        "{error}"
    );
    let (link, _incoming) = dial_redis(&server.url).await;
    link.ping().await.expect("the right password");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_do_only_what_celery_does_can_read_results() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let id = TaskId::random();
    let key = format!("celery-task-meta-{id}");
    ::redis::cmd("ACL")
        .arg(&["SETUSER", "joe", "on", ">pw", "resetchannels"])
        .arg(&["~celery-task-meta-*", "&celery-task-meta-*"])
        .arg(&["+get", "+ping", "+subscribe", "+unsubscribe"])
        .exec(&mut server.connection())
        .expect("redis takes the rules");
    let url = server.url.replace("redis://", "redis://joe:pw@");
    let (link, mut incoming) = dial_redis(&url).await;
    link.watch(&id).await.expect("a watch");
    store(&server.url, &key, b"{}");
    stored_result(&mut incoming).await;
    for _ in 0..2 {
        assert_eq!(link.fetch(&id).await, Ok(Some(b"{}".to_vec())));
        assert_eq!(link.fetch(&TaskId::random()).await, Ok(None));
    }
    link.close().await;
    let (sender, _incoming) = mpsc::channel(64);
    let other = redis_backend(&url, Some("acme")).connect(sender).await;
    let error = other.expect("it logs in").watch(&id).await;
    let error = error.expect_err("a channel that is not allowed");
    assert!(error.message.contains("channels"), "{error}");
    assert!(error.hint.expect("a hint").contains("SUBSCRIBE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_or_forgotten_link_leaves_no_client_in_redis() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let clients = || {
        let list: String = ::redis::cmd("CLIENT")
            .arg("LIST")
            .query(&mut server.connection())
            .expect("redis lists its clients");
        list.lines().count() - 1
    };
    let (link, mut incoming) = dial_redis(&server.url).await;
    assert_eq!(clients(), 2);
    link.close().await;
    drop(link);
    support::eventually(PATIENCE, "closed", || clients() == 0);
    assert!(incoming.recv().await.is_none(), "closed, not lost");
    let (link, incoming) = dial_redis(&server.url).await;
    drop((link, incoming));
    support::eventually(PATIENCE, "forgotten", || clients() == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_s_result_comes_from_redis() {
    let Some(rig) = support::rig() else { return };
    let (vhost, db) = (rig.vhost(), rig.redis_db());
    let _worker = worker(&vhost, &db.url);
    let (link, _results) = dial(&broker(&vhost.url)).await;
    let (stored, mut incoming) = dial_redis(&db.url).await;
    let (id, message) = task("shop.tasks.add", &["1", "2"], Some(link.result_queue()));
    stored.watch(&id).await.expect("a watch");
    assert_eq!(
        link.publish(&Route::to_queue(&queue("celery")), message)
            .await,
        Delivery::Confirmed
    );
    loop {
        let (_, payload) = stored_result(&mut incoming).await;
        let result = TaskResult::parse(&payload, None, &id).expect("a result");
        if result.state == State::Success {
            assert_eq!(result.value, Json::Number("3".to_owned()));
            break;
        }
    }
    link.close().await;
    stored.close().await;
}
