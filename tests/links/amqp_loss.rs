//! Losing a RabbitMQ: killed, frozen, blocked, or left.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{self, PATIENCE, PrivateRabbit, Proxy};
use crate::{dial, lost, next, ping, queue, rabbitmq, task};
use umbel::broker::{Delivery, Incoming, Route};

#[tokio::test(flavor = "multi_thread")]
async fn the_loss_of_either_connection_ends_both_and_is_told_once() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("shop");
    let proxy = Proxy::to(&vhost.url);
    let (link, mut incoming) = dial(&rabbitmq(proxy.url())).await;
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
    let (_link, mut incoming) = dial(&rabbitmq(proxy.url())).await;
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
    let (link, incoming) = dial(&rabbitmq(proxy.url())).await;
    drop(incoming);
    support::eventually(PATIENCE, "nobody listens", || proxy.open() == 0);
    drop(link);
    let (link, mut incoming) = dial(&rabbitmq(proxy.url())).await;
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
    let (link, mut incoming) = dial(&rabbitmq(&vhost.url)).await;
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
    let control = link
        .broadcast(ping(crate::ReplyTo::queue("nobody")).encode())
        .await;
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
