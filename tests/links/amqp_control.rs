//! Questions to RabbitMQ and to the workers behind it.

use std::time::Duration;

use crate::support::{self};
use crate::{dial, next, next_result, ping, queue, rabbitmq, soon, task, worker};
use umbel::broker::{Delivery, Depth, Held, Incoming, Reach, Route};
use umbel::protocol::control::Reply;
use umbel::protocol::json::Json;
use umbel::protocol::{State, TaskResult};

#[tokio::test(flavor = "multi_thread")]
async fn the_depth_of_a_queue_is_known_without_creating_it() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("shop");
    let (link, _incoming) = dial(&rabbitmq(&vhost.url)).await;
    let (other, _incoming) = dial(&rabbitmq(&vhost.url)).await;
    let known = |ready, consumers| {
        Ok(Depth::Known {
            ready,
            held: Held::Unknown,
            held_ago: Duration::ZERO,
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
    let (link, mut incoming) = dial(&rabbitmq(&vhost.url)).await;
    let request = ping(link.reply_to());
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
    // The exchange is still there, but nothing is bound to it as soon as RabbitMQ has removed the queue of the worker.
    soon("nobody listens", async {
        while link.broadcast(request.encode()).await != Ok(Reach::Nobody) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_runs_on_a_worker_and_its_result_comes_back() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let _worker = worker(&vhost, "rpc://");
    let (link, mut incoming) = dial(&rabbitmq(&vhost.url)).await;
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
