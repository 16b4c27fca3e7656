//! What is written to a Redis for a task: lists, priorities, exchanges, and what becomes of it.

use ::redis::{Commands, Connection};
use serde_json::json;
use umbel::broker::{Delivery, Depth, Route};
use umbel::error::Kind;
use umbel::server::TransportOptions;

use super::{add, at, broker_with, our_lists, read, send};
use crate::support::{self, PrivateRedis, Proxy};
use crate::{closed_port, dial, lost, queue};

#[tokio::test(flavor = "multi_thread")]
async fn a_task_lies_in_its_list_as_kombu_writes_it() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let (link, _incoming) = dial(&at(&db.url)).await;
    let (id, message) = add(&link.result_queue());
    let route = Route::to_queue(&queue("shop"));
    assert_eq!(link.publish(&route, message).await, Delivery::Confirmed);
    let sent = read(&mut db.connection(), "shop");
    assert_eq!(sent["content-type"], "application/json");
    assert_eq!(sent["headers"]["id"], id.as_str());
    let properties = &sent["properties"];
    assert_eq!(properties["reply_to"], link.result_queue());
    assert_eq!(properties["correlation_id"], id.as_str());
    assert_eq!(
        properties["delivery_info"],
        json!({"exchange": "", "routing_key": "shop"})
    );
    assert_eq!(db.depth("shop"), 1);
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_priority_and_a_prefix_choose_the_list() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let options = TransportOptions {
        global_keyprefix: Some("acme:".to_owned()),
        sep: "/".to_owned(),
        priority_steps: vec![0, 5],
        ..TransportOptions::default()
    };
    let (link, _incoming) = dial(&broker_with(&db.url, options)).await;
    for priority in [None, Some(4), Some(5), Some(200)] {
        let (_, mut message) = add(&link.result_queue());
        message.properties.priority = priority;
        let route = Route::to_queue(&queue("q"));
        assert_eq!(link.publish(&route, message).await, Delivery::Confirmed);
    }
    assert_eq!((db.depth("acme:q"), db.depth("acme:q/5")), (2, 2));
    let Ok(Depth::Known { ready, .. }) = link.depth(&queue("q")).await else {
        panic!("not known");
    };
    assert_eq!(ready, 4);
    let mut connection = db.connection();
    let list = format!("acme:{}", link.reply_queue());
    assert_eq!(our_lists(&mut connection), [list]);
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_leads_to_all_its_queues_or_the_message_comes_back() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let mut connection = db.connection();
    let mut bind = |exchange: &str, member: &str| {
        let member = member.replace('|', "\u{6}\u{16}");
        let key = format!("_kombu.binding.{exchange}");
        let _: u64 = connection.sadd(key, member).expect("redis binds");
    };
    bind("direct", "k||one");
    bind("direct", "k||two");
    bind("topic", r"a.#|^a\..*?$|three");
    bind("all", "||bcast.1");
    let (link, _incoming) = dial(&at(&db.url)).await;
    let to = async |exchange: &str, key: &str| {
        let (_, message) = add(&link.result_queue());
        let route = Route {
            exchange: exchange.to_owned(),
            routing_key: key.to_owned(),
        };
        link.publish(&route, message).await
    };
    assert_eq!(to("direct", "k").await, Delivery::Confirmed);
    assert_eq!((db.depth("one"), db.depth("two")), (1, 1));
    assert_eq!(to("topic", "a.b.c").await, Delivery::Confirmed);
    let sent = read(&mut db.connection(), "three");
    assert_eq!(
        sent["properties"]["delivery_info"],
        json!({"exchange": "topic", "routing_key": "a.b.c"})
    );
    for (exchange, key) in [("direct", "other"), ("topic", "b"), ("nosuch", "k")] {
        let Delivery::Returned(why) = to(exchange, key).await else {
            panic!("{exchange} is bound");
        };
        assert!(why.contains("no queue is bound"), "{why}");
    }
    let Delivery::Returned(why) = to("all", "").await else {
        panic!("somebody listens");
    };
    assert!(why.contains("nobody listens"), "{why}");
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_whose_answer_is_lost_is_unknown_and_told_once() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let proxy = Proxy::to(&db.url);
    let (link, mut incoming) = dial(&at(proxy.url())).await;
    let (id, message) = add(&link.result_queue());
    proxy.cut_swallowing(id.as_str().as_bytes(), b":1");
    let route = Route::to_queue(&queue("shop"));
    let Delivery::Unknown(error) = link.publish(&route, message).await else {
        panic!("known");
    };
    assert_eq!(error.kind, Kind::UnknownDelivery);
    assert!(proxy.fired());
    assert_eq!(db.depth("shop"), 1);
    lost(&mut incoming).await;
    assert_eq!(db.depth("shop"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_is_certainly_unsent() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let mut connection = server.connection();
    let (link, _incoming) = dial(&at(&server.url)).await;
    let refused = async |what: &str| {
        let Delivery::Unsent(error) = send(&*link, "shop").await else {
            panic!("sent: {what}");
        };
        assert!(error.message.contains(what), "{error}");
    };
    let _: () = connection.set("shop", "x").expect("redis stores");
    refused("no list or set of kombu's (LPUSH shop)").await;
    let _: u64 = connection.del("shop").expect("redis deletes");
    let config = |connection: &mut Connection, name: &str, value: &str| {
        let mut set = ::redis::cmd("CONFIG");
        set.arg(&["SET", name, value]);
        set.exec(connection).expect("redis takes it");
    };
    config(&mut connection, "maxmemory", "1");
    refused("its memory is full").await;
    config(&mut connection, "maxmemory", "0");
    let mut replica = ::redis::cmd("REPLICAOF");
    replica.arg("127.0.0.1").arg(closed_port());
    replica.exec(&mut connection).expect("redis obeys");
    refused("read-only replica").await;
    let mut master = ::redis::cmd("REPLICAOF");
    master.arg(&["NO", "ONE"]);
    master.exec(&mut connection).expect("redis obeys");
    assert_eq!(send(&*link, "shop").await, Delivery::Confirmed);
    link.close().await;
}
