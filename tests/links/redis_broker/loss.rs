//! Losing a Redis broker: cut, frozen, failed over; and what a real worker does with priorities.

use std::time::{Duration, Instant};

use ::redis::Commands;
use tokio::sync::mpsc::{self};
use umbel::broker::{Broker, Delivery, Reach, Route};
use umbel::server::TransportOptions;

use super::{add, at, broker_with, next_id, push_result, send};
use crate::support::{self, PATIENCE, PrivateRedis};
use crate::{dial, lost, ping, queue, soon};

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
    let broker = at(&server.url);
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
    let (link, mut incoming) = dial(&at(&server.url)).await;
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
    let (link, mut incoming) = dial(&at(&db.url)).await;
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
    let request = ping(link.reply_to()).encode();
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
