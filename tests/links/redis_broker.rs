//! A Redis as broker, at its link: what is written there, what comes back, and what mishaps do to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::redis::{Commands, Connection};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Receiver};
use umbel::broker::redis::RedisBroker;
use umbel::broker::url::BrokerUrl;
use umbel::broker::{self, Broker, Delivery, Depth, Held, Incoming, Link, Reach, Route};
use umbel::error::{Error, Kind};
use umbel::protocol::control::Reply;
use umbel::protocol::{Message, TaskId, envelope};
use umbel::server::TransportOptions;
use umbel::server::redis::{RedisServer, Role};

use crate::support::{self, PATIENCE, PrivateRedis, Proxy, RedisDb};
use crate::{closed_port, lost, next, next_result, ping, queue, result_message, soon, task};

fn broker_with(url: &str, options: TransportOptions) -> RedisBroker {
    let BrokerUrl::Redis(servers) = broker::url::parse(url).expect("a broker URL") else {
        panic!("no Redis: {url}");
    };
    let options = Arc::new(options);
    let server = |url| RedisServer::new(url, Role::Broker, options.clone());
    RedisBroker::new(servers.into_iter().map(server).collect())
}

fn broker(url: &str) -> RedisBroker {
    broker_with(url, TransportOptions::default())
}

async fn dial(broker: &RedisBroker) -> (Arc<dyn Link>, Receiver<Incoming>) {
    let (sender, receiver) = mpsc::channel(64);
    let link = broker.connect(sender).await.expect("the Redis answers");
    (link, receiver)
}

async fn dial_error(url: &str) -> Error {
    let (sender, _receiver) = mpsc::channel(64);
    match broker(url).connect(sender).await {
        Ok(_) => panic!("{url} should not work"),
        Err(error) => error,
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn a_task_lies_in_its_list_as_kombu_writes_it() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let (link, _incoming) = dial(&broker(&db.url)).await;
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
    assert_eq!(ours(&mut connection), [list]);
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
    let (link, _incoming) = dial(&broker(&db.url)).await;
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
    let (link, mut incoming) = dial(&broker(proxy.url())).await;
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
    let (link, _incoming) = dial(&broker(&server.url)).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_used_says_why() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let mut connection = server.connection();
    let port = closed_port();
    let error = dial_error(&format!("redis://:s3cret@127.0.0.1:{port}/2")).await;
    assert_eq!(error.kind, Kind::Unsent);
    assert_eq!(
        error.message,
        format!("broker redis://127.0.0.1:{port}/2: connection refused")
    );
    let list = format!("redis://127.0.0.1:{port};redis://127.0.0.1:{port}/1");
    let error = dial_error(&list).await;
    assert!(error.message.starts_with("none of 2 addresses"), "{error}");
    rules(&mut connection, "joe", &["+@all", "~celery*", "&*"]);
    let error = dial_error(&as_user(&server.url, "joe")).await;
    assert!(
        error.message.contains("a list of our own: umbel."),
        "{error}"
    );
    assert!(error.hint.expect("a hint").contains("umbel needs"));
    let mut replica = ::redis::cmd("REPLICAOF");
    replica.arg("127.0.0.1").arg(port);
    replica.exec(&mut connection).expect("redis obeys");
    let error = dial_error(&server.url).await;
    assert!(error.message.contains("is a read-only replica"), "{error}");
    let list = format!("{};{}", server.url, support::rig().expect("a rig").redis);
    let broker = broker(&list);
    let (link, _incoming) = dial(&broker).await;
    assert!(list.contains(&broker.short_address().replace("/0", "")));
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_few_permissions_learns_which_is_missing() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let mut connection = server.connection();
    let few = ["+@all", "~umbel*", "~celery*", "resetchannels", "-hlen"];
    rules(&mut connection, "joe", &few);
    let (link, _incoming) = dial(&broker(&as_user(&server.url, "joe"))).await;
    let Delivery::Unsent(error) = send(&*link, "other").await else {
        panic!("allowed");
    };
    assert!(error.message.contains("LPUSH other"), "{error}");
    assert!(error.hint.expect("a hint").contains("LPUSH"));
    assert_eq!(send(&*link, "celery").await, Delivery::Confirmed);
    let request = ping(&link.reply_queue()).encode();
    let error = link.broadcast(request).await.expect_err("a channel");
    assert!(
        error.message.contains("PUBLISH /0.celery.pidbox"),
        "{error}"
    );
    let Ok(Depth::Known { ready, held, .. }) = link.depth(&queue("celery")).await else {
        panic!("not known");
    };
    assert_eq!((ready, held), (1, Held::Unknown));
    let error = link.events(true).await.expect_err("a channel");
    assert!(
        error.message.contains("PSUBSCRIBE /0.celeryev/*"),
        "{error}"
    );
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_stay_until_they_are_recorded_and_outlive_the_connection() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let mut connection = db.connection();
    let proxy = Proxy::to(&db.url);
    let broker = broker(proxy.url());
    let (link, mut incoming) = dial(&broker).await;
    let list = link.result_queue();
    for id in ["one", "two", "three"] {
        push_result(&mut connection, &list, id);
    }
    let mut tags = Vec::new();
    for id in ["one", "two", "three"] {
        let (found, tag) = next_id(&mut incoming).await;
        assert_eq!(found, id);
        tags.push(tag);
    }
    assert_eq!(db.depth(&list), 4, "three, and the mark");
    // The second is recorded first: it waits for the first.
    link.ack(tags[1]).await;
    link.ping().await.expect("a ping");
    link.ack(tags[0]).await;
    support::eventually(PATIENCE, "two are removed", || db.depth(&list) == 2);
    proxy.cut();
    lost(&mut incoming).await;
    push_result(&mut connection, &list, "meanwhile");
    let (link, mut incoming) = dial(&broker).await;
    assert_eq!(link.result_queue(), list);
    // A tag of the dead connection means nothing here.
    link.ack(tags[2]).await;
    for id in ["three", "meanwhile"] {
        let (found, tag) = next_id(&mut incoming).await;
        assert_eq!(found, id);
        assert_eq!(ours(&mut connection), [list.as_str()]);
        link.ack(tag).await;
    }
    support::eventually(PATIENCE, "all are removed", || db.depth(&list) == 1);
    link.close().await;
    assert!(ours(&mut connection).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_results_comes_whole_and_in_order() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let (link, mut incoming) = dial(&broker(&db.url)).await;
    let list = link.result_queue();
    let (mut connection, target) = (db.connection(), list.clone());
    let pusher = std::thread::spawn(move || {
        for number in 0..2000 {
            push_result(&mut connection, &target, &number.to_string());
        }
    });
    for number in 0..2000 {
        let (id, tag) = next_id(&mut incoming).await;
        assert_eq!(id, number.to_string());
        link.ack(tag).await;
    }
    pusher.join().expect("it pushed");
    support::eventually(PATIENCE, "all are removed", || db.depth(&list) == 1);
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_flushed_away_is_made_again() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let mut connection = db.connection();
    let (link, mut incoming) = dial(&broker(&db.url)).await;
    let list = link.result_queue();
    push_result(&mut connection, &list, "lost");
    let (_, tag) = next_id(&mut incoming).await;
    let mut flush = ::redis::pipe();
    flush.atomic();
    let element = envelope::encode(&result_message("found"), "", &list);
    flush.cmd("FLUSHDB");
    flush.cmd("LPUSH").arg(&list).arg(element);
    flush.exec(&mut connection).expect("redis obeys");
    link.ack(tag).await;
    let (id, tag) = next_id(&mut incoming).await;
    assert_eq!(id, "found");
    link.ack(tag).await;
    support::eventually(PATIENCE, "only the mark is left", || db.depth(&list) == 1);
    assert_eq!(ours(&mut connection), [list]);
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tracking_what_comes_is_carried_and_read_all_the_same() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let mut connection = server.connection();
    rules(
        &mut connection,
        "joe",
        &["+@all", "~*", "&*", "-client|tracking"],
    );
    let broker = broker(&as_user(&server.url, "joe"));
    let (link, mut incoming) = dial(&broker).await;
    let list = link.result_queue();
    let register: Vec<String> = soon("the register", async {
        loop {
            let names: Vec<String> = connection.zrange("umbel.lists", 0, -1).expect("names");
            if !names.is_empty() {
                return names;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(register, [list.as_str()]);
    for id in ["one", "two"] {
        push_result(&mut connection, &list, id);
        let (found, tag) = next_id(&mut incoming).await;
        assert_eq!(found, id);
        link.ack(tag).await;
    }
    assert_eq!(ours(&mut connection).len(), 2, "the register and the shelf");
    link.close().await;
    let left: Vec<String> = connection.keys("*").expect("keys");
    assert!(left.is_empty(), "{left:?}");
    // One that was killed: its list is removed a day later, by whoever connects then; nobody else's is.
    let _: u64 = connection.lpush("umbel.dead", "x").expect("a list");
    let _: u64 = connection.lpush("precious", "x").expect("a list");
    for (name, at) in [
        ("umbel.dead", 1),
        ("precious", 1),
        ("umbel.alive", i64::MAX),
    ] {
        let _: u64 = connection.zadd("umbel.lists", name, at).expect("a name");
    }
    let (link, _incoming) = dial(&broker).await;
    support::eventually(PATIENCE, "swept", || {
        let exists: u64 = server.connection().exists("umbel.dead").expect("an answer");
        exists == 0
    });
    let names: Vec<String> = connection.zrange("umbel.lists", 0, -1).expect("names");
    assert!(names.contains(&"umbel.alive".to_owned()) && !names.contains(&"umbel.dead".to_owned()));
    let precious: u64 = connection.exists("precious").expect("an answer");
    assert_eq!(precious, 1);
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_still_owed_something_stays_with_a_time_to_live() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let mut connection = db.connection();
    let (link, _incoming) = dial(&broker(&db.url)).await;
    let (list, (id, message)) = (link.result_queue(), add(&link.result_queue()));
    let route = Route::to_queue(&queue("shop"));
    assert_eq!(link.publish(&route, message).await, Delivery::Confirmed);
    link.close().await;
    // The worker is late.
    push_result(&mut connection, &list, id.as_str());
    assert_eq!(ours(&mut connection), [list.as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_result_delays_nothing_else() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let (link, mut incoming) = dial(&broker(&db.url)).await;
    let mut message = result_message("large");
    message.body = vec![b'x'; 60 << 20];
    let element = envelope::encode(&message, "", "");
    let list = link.result_queue();
    let _: u64 = db.connection().lpush(&list, element).expect("it takes it");
    let pinging = async {
        loop {
            let took = link.ping().await.expect("a ping");
            assert!(took < Duration::from_secs(1), "{took:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (found, tag) = tokio::select! {
        found = next_result(&mut incoming) => found,
        () = pinging => unreachable!(),
    };
    assert!(found.body == message.body);
    link.ack(tag).await;
    support::eventually(PATIENCE, "it is removed", || db.depth(&list) == 1);
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn depth_knows_what_waits_and_what_is_held() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let (link, _incoming) = dial(&broker(&db.url)).await;
    let depth = async |name: &str| match link.depth(&queue(name)).await {
        Ok(Depth::Known {
            ready,
            held,
            consumers: None,
            rates: None,
        }) => (ready, held),
        other => panic!("{other:?}"),
    };
    assert_eq!(depth("shop").await, (0, Held::Queue(0)));
    assert_eq!(send(&*link, "shop").await, Delivery::Confirmed);
    for (tag, queue) in [("a", "shop"), ("b", "shop"), ("c", "mail")] {
        held_by_worker(&db, tag, queue);
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(depth("shop").await, (1, Held::Queue(2)));
    assert_eq!(depth("mail").await, (0, Held::Queue(1)));
    let mut many = ::redis::pipe();
    for number in 0..10_000 {
        many.hset("unacked", number, "[{}, \"\", \"shop\"]")
            .ignore();
    }
    many.exec(&mut db.connection()).expect("redis takes them");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(depth("shop").await, (1, Held::AllQueues(10_003)));
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_queues_cost_one_look_at_what_is_held() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let (link, _incoming) = dial(&broker(&server.url)).await;
    let _: u64 = server
        .connection()
        .hset("unacked", "a", "[{}, \"\", \"q1\"]")
        .expect("held");
    let queues: Vec<_> = (0..10).map(|number| queue(&format!("q{number}"))).collect();
    for depth in futures_util::future::join_all(queues.iter().map(|name| link.depth(name))).await {
        depth.expect("known");
    }
    let said: String = ::redis::cmd("INFO")
        .arg("commandstats")
        .query(&mut server.connection())
        .expect("an answer");
    let calls = |command: &str| {
        let found = said
            .lines()
            .find(|line| line.starts_with(&format!("cmdstat_{command}:")));
        found.map_or(0, |text| {
            let count = text
                .split("calls=")
                .nth(1)
                .and_then(|rest| rest.split(',').next());
            count.and_then(|count| count.parse().ok()).unwrap_or(0)
        })
    };
    assert_eq!((calls("hlen"), calls("hscan"), calls("keys")), (1, 1, 0));
    assert_eq!(calls("llen"), 40);
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_request_reaches_workers_or_proves_that_there_are_none() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let (link, mut incoming) = dial(&broker(&db.url)).await;
    let request = || ping(&link.reply_queue()).encode();
    assert_eq!(link.broadcast(request()).await, Ok(Reach::Nobody));
    let options = support::WorkerOptions {
        broker: db.url.clone(),
        backend: "rpc://".to_owned(),
        pool: "solo".to_owned(),
        ..support::WorkerOptions::default()
    };
    let worker = support::Worker::start("shop.tasks", &options);
    soon("a worker listens", async {
        while link.broadcast(request()).await == Ok(Reach::Nobody) {}
    })
    .await;
    let Incoming::Reply(message) = next(&mut incoming).await else {
        panic!("no reply");
    };
    let reply = Reply::parse(&message).expect("a reply");
    assert_eq!(reply.ticket, "ticket-1");
    let (id, message) = add(&link.result_queue());
    let route = Route::to_queue(&queue("celery"));
    assert_eq!(link.publish(&route, message).await, Delivery::Confirmed);
    let (found, tag) = next_id(&mut incoming).await;
    assert_eq!(found, id.as_str());
    link.ack(tag).await;
    worker.stop();
    link.close().await;
    assert!(ours(&mut db.connection()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_while_they_are_wanted() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let number = db.url.rsplit('/').next().expect("a number").to_owned();
    let (link, mut incoming) = dial(&broker(&db.url)).await;
    let element = envelope::encode(&result_message("event"), "celeryev", "task.multi");
    let mut connection = db.connection();
    let mut publish = |key: &str| -> u64 {
        let channel = format!("/{number}.celeryev/{key}");
        connection
            .publish(channel, &element)
            .expect("redis publishes")
    };
    assert_eq!(publish("task.multi"), 0);
    for _ in 0..2 {
        link.events(true).await.expect("events");
    }
    assert_eq!(publish("task.multi"), 1);
    let Incoming::Event(event) = next(&mut incoming).await else {
        panic!("no event");
    };
    assert_eq!(event.properties.correlation_id.as_deref(), Some("event"));
    // A flood is dropped where there is no room; the rest goes on.
    for _ in 0..1000 {
        publish("worker.heartbeat");
    }
    link.ping().await.expect("a ping");
    link.events(false).await.expect("no events");
    support::eventually(PATIENCE, "nobody listens", || publish("task.multi") == 0);
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loss_of_any_connection_is_told_once() {
    let Some(_rig) = support::rig() else { return };
    let mut server = PrivateRedis::start();
    let clients = |server: &PrivateRedis| -> Vec<String> {
        let list: String = ::redis::cmd("CLIENT")
            .arg("LIST")
            .query(&mut server.connection())
            .expect("a list");
        let ours = list.lines().filter(|line| !line.contains("cmd=client"));
        let id = |line: &str| line.split(['=', ' ']).nth(1).expect("an id").to_owned();
        ours.map(id).collect()
    };
    let broker = broker(&server.url);
    for victim in 0..4 {
        let (link, mut incoming) = dial(&broker).await;
        link.events(true).await.expect("events");
        let ids = clients(&server);
        assert_eq!(ids.len(), 4);
        ::redis::cmd("CLIENT")
            .arg(&["KILL", "ID", &ids[victim]])
            .exec(&mut server.connection())
            .expect("redis obeys");
        let error = lost(&mut incoming).await;
        assert!(error.message.contains("connection lost"), "{error}");
        drop(link);
        support::eventually(PATIENCE, "all are closed", || clients(&server).is_empty());
    }
    let (_link, mut incoming) = dial(&broker).await;
    let start = Instant::now();
    server.freeze();
    let error = lost(&mut incoming).await;
    assert!(error.message.contains("nothing heard"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10));
    server.thaw();
    let (link, mut incoming) = dial(&broker).await;
    server.kill();
    lost(&mut incoming).await;
    assert!(matches!(
        send(&*link, "shop").await,
        Delivery::Unknown(_) | Delivery::Unsent(_)
    ));
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_redis_leaves_the_delivery_unknown() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let (link, mut incoming) = dial(&broker(&server.url)).await;
    server.freeze();
    let sent = send(&*link, "shop").await;
    assert!(matches!(sent, Delivery::Unknown(_)), "{sent:?}");
    lost(&mut incoming).await;
    server.thaw();
    support::eventually(PATIENCE, "it was written after all", || {
        let depth: u64 = server.connection().llen("shop").expect("a depth");
        depth == 1
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_takes_the_lowest_number_first() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let (link, mut incoming) = dial(&broker(&db.url)).await;
    let mut ids = Vec::new();
    for priority in [9, 6, 0, 3] {
        let (id, mut message) = add(&link.result_queue());
        message.properties.priority = Some(priority);
        let route = Route::to_queue(&queue("celery"));
        assert_eq!(link.publish(&route, message).await, Delivery::Confirmed);
        ids.push(id.as_str().to_owned());
    }
    let options = support::WorkerOptions {
        broker: db.url.clone(),
        backend: "rpc://".to_owned(),
        pool: "solo".to_owned(),
        conf: "'worker_prefetch_multiplier': 1, 'task_track_started': False".to_owned(),
        ..support::WorkerOptions::default()
    };
    let _worker = support::Worker::start("shop.tasks", &options);
    for place in [2, 3, 1, 0] {
        let (found, tag) = next_id(&mut incoming).await;
        assert_eq!(found, ids[place]);
        link.ack(tag).await;
    }
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_behind_sentinels_loses_the_link_once_and_the_next_finds_the_new_master() {
    let Some(_rig) = support::rig() else { return };
    let mut group = support::SentinelGroup::start();
    let options = TransportOptions {
        master_name: Some("umbel-group".to_owned()),
        ..TransportOptions::default()
    };
    let broker = broker_with(&group.url(), options);
    let (link, mut incoming) = dial(&broker).await;
    assert_eq!(send(&*link, "shop").await, Delivery::Confirmed);
    // A worker before kombu 5.4 listens to the literal prefix: both are asked.
    let mut connection = group.connection();
    let mut listener = connection.as_pubsub();
    listener
        .subscribe("/{db}.celery.pidbox")
        .expect("it listens");
    let request = ping(&link.reply_queue()).encode();
    assert_eq!(link.broadcast(request).await, Ok(Reach::Listeners(1)));
    group.failover();
    lost(&mut incoming).await;
    let (sender, mut incoming) = mpsc::channel(64);
    let link = soon("the new master", async {
        loop {
            if let Ok(link) = broker.connect(sender.clone()).await {
                return link;
            }
        }
    })
    .await;
    let list = link.result_queue();
    push_result(&mut group.connection(), &list, "after");
    let (id, _) = next_id(&mut incoming).await;
    assert_eq!(id, "after");
    link.close().await;
}
