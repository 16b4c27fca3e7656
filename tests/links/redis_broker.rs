//! A Redis as broker, at its link: what is written there, what comes back, and what mishaps do to it.

#[path = "redis_broker/connect.rs"]
mod connect;
#[path = "redis_broker/loss.rs"]
mod loss;
#[path = "redis_broker/publish.rs"]
mod publish;
#[path = "redis_broker/questions.rs"]
mod questions;
#[path = "redis_broker/results.rs"]
mod results;

use std::sync::Arc;

use ::redis::{Commands, Connection};
use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;
use umbel::broker::redis::RedisBroker;
use umbel::broker::url::BrokerUrl;
use umbel::broker::{self, Delivery, Incoming, Link, Route};
use umbel::protocol::{Message, TaskId, envelope};
use umbel::server::TransportOptions;
use umbel::server::redis::{RedisServer, Role};

use crate::support::RedisDb;
use crate::{next_result, queue, result_message, task};

fn broker_with(url: &str, options: TransportOptions) -> RedisBroker {
    let BrokerUrl::Redis(servers) = broker::url::parse(url).expect("a broker URL") else {
        panic!("no Redis: {url}");
    };
    let options = Arc::new(options);
    let server = |url| RedisServer::new(url, Role::Broker, options.clone());
    RedisBroker::new(servers.into_iter().map(server).collect())
}

fn at(url: &str) -> RedisBroker {
    broker_with(url, TransportOptions::default())
}

fn add(reply_to: &str) -> (TaskId, Message) {
    task("shop.tasks.add", &["1", "2"], Some(reply_to.to_owned()))
}

async fn send(link: &dyn Link, name: &str) -> Delivery {
    let (_, message) = add(&link.result_queue());
    link.publish(&Route::to_queue(&queue(name)), message).await
}

/// Pushes a result to a list as a worker does.
fn push_result(connection: &mut Connection, list: &str, id: &str) {
    let element = envelope::encode(&result_message(id), "", list);
    let _: u64 = connection.lpush(list, element).expect("redis takes it");
}

async fn next_id(incoming: &mut Receiver<Incoming>) -> (String, broker::AckTag) {
    let (message, tag) = next_result(incoming).await;
    (message.properties.correlation_id.expect("an id"), tag)
}

/// Our keys, and that none of them lives for ever.
fn ours(connection: &mut Connection) -> Vec<String> {
    let keys: Vec<String> = connection.keys("*umbel*").expect("keys");
    for key in &keys {
        let ttl: i64 = connection.ttl(key).expect("a time to live");
        assert!(ttl > 0, "{key} lives for ever");
    }
    keys
}

/// Where the server says by which of our lists replies come.
const BINDINGS: &str = "_kombu.binding.reply.umbel.pidbox";

/// The same without the set by which workers find our lists.
fn our_lists(connection: &mut Connection) -> Vec<String> {
    let mut keys = ours(connection);
    keys.retain(|key| !key.ends_with(BINDINGS));
    keys
}

fn life(connection: &mut Connection, key: &str) -> i64 {
    connection.ttl(key).expect("a time to live")
}

fn read(connection: &mut Connection, list: &str) -> Value {
    let element: Vec<u8> = connection.lindex(list, 0).expect("an element");
    serde_json::from_slice(&element).expect("JSON")
}

fn rules(connection: &mut Connection, user: &str, rules: &[&str]) {
    ::redis::cmd("ACL")
        .arg(&["SETUSER", user, "reset", "on", ">pw"])
        .arg(rules)
        .exec(connection)
        .expect("redis takes the rules");
}

fn as_user(url: &str, user: &str) -> String {
    url.replace("redis://", &format!("redis://{user}:pw@"))
}

fn held_by_worker(db: &RedisDb, tag: &str, queue: &str) {
    let element = json!([{"body": ""}, "", queue]).to_string();
    let _: u64 = db
        .connection()
        .hset("unacked", tag, element)
        .expect("redis takes it");
}
