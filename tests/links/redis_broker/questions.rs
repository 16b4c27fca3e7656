//! What a Redis as broker is asked: depth, what is held, control requests, events.

use std::time::Duration;

use ::redis::Commands;
use umbel::broker::{Delivery, Depth, Held, Incoming, Reach, Route};
use umbel::protocol::control::Reply;
use umbel::protocol::envelope;

use super::{add, at, held_by_worker, life, next_id, ours, send};
use crate::support::{self, PATIENCE, PrivateRedis};
use crate::{dial, next, ping, queue, result_message, soon};

#[tokio::test(flavor = "multi_thread")]
async fn depth_knows_what_waits_and_what_is_held() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let (link, _incoming) = dial(&at(&db.url)).await;
    let depth = async |name: &str| match link.depth(&queue(name)).await {
        Ok(Depth::Known {
            ready,
            held,
            held_ago: _,
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
    let (link, _incoming) = dial(&at(&server.url)).await;
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
    let (link, mut incoming) = dial(&at(&db.url)).await;
    let request = || ping(link.reply_to()).encode();
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
async fn a_reply_that_comes_after_we_have_gone_goes_nowhere() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let mut connection = db.connection();
    let options = support::WorkerOptions {
        broker: db.url.clone(),
        backend: "rpc://".to_owned(),
        pool: "solo".to_owned(),
        ..support::WorkerOptions::default()
    };
    let worker = support::Worker::start("shop.tasks", &options);
    let (other, mut answered) = dial(&at(&db.url)).await;
    let (link, mut incoming) = dial(&at(&db.url)).await;
    let list = link.reply_queue();
    soon("a worker listens", async {
        while link.broadcast(ping(link.reply_to()).encode()).await == Ok(Reach::Nobody) {}
    })
    .await;
    // Its answer is here: frozen in the middle of it, it would know already where to push it.
    let Incoming::Reply(_) = next(&mut incoming).await else {
        panic!("no reply to the first question");
    };
    worker.freeze();
    let asked = link.broadcast(ping(link.reply_to()).encode()).await;
    assert_eq!(asked, Ok(Reach::Listeners(1)));
    link.close().await;
    let alive = life(&mut connection, &list);
    assert!(
        (1..=300).contains(&alive),
        "one may be on its way: {alive} s"
    );
    // Its time is over.
    let _: u64 = connection.del(&list).expect("it goes");
    let asked = other.broadcast(ping(other.reply_to()).encode()).await;
    assert_eq!(asked, Ok(Reach::Listeners(1)));
    worker.thaw();
    let Incoming::Reply(_) = next(&mut answered).await else {
        panic!("no reply to the later question");
    };
    let made_anew: u64 = connection.exists(&list).expect("an answer");
    assert_eq!(made_anew, 0);
    other.close().await;
    assert!(ours(&mut connection).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_while_they_are_wanted() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let number = db.url.rsplit('/').next().expect("a number").to_owned();
    let (link, mut incoming) = dial(&at(&db.url)).await;
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
async fn what_is_left_to_one_who_leaves_too_still_comes_however_full_the_inbox_is() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let (link, _incoming) = dial(&at(&db.url)).await;
    let (heir, mut incoming) = dial(&at(&db.url)).await;
    heir.events(true).await.expect("events");
    for note in 0..100_u8 {
        assert!(link.hand_over(vec![note]).await);
    }
    let notes = async {
        let mut notes = Vec::new();
        while notes.len() < 100 {
            if let Incoming::HandedOver(note) = next(&mut incoming).await {
                notes.extend(note);
            }
        }
        notes
    };
    let (ended, notes) = tokio::join!(heir.events(false), notes);
    ended.expect("no events");
    assert_eq!(notes, (0..100).collect::<Vec<u8>>());
    link.close().await;
    heir.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_watches_everything_inherits_nothing() {
    let Some(_rig) = support::rig() else { return };
    // Who listens to everything is counted in all databases: on a shared server the neighbours would count it too.
    let server = PrivateRedis::start();
    let mut connection = server.connection();
    let mut monitor = connection.as_pubsub();
    monitor.psubscribe("*").expect("a pattern");
    let (link, _incoming) = dial(&at(&server.url)).await;
    assert!(!link.hand_over(b"[]".to_vec()).await);
    link.close().await;
}
