//! Our own queues on RabbitMQ: results outlive connections, and nothing outlives the goodbye.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{self, PATIENCE, Proxy, eventually};
use crate::{
    User, described, dial, lost, next_result, queue, rabbitmq, result_message, soon, task, worker,
};
use umbel::broker::{AckTag, Delivery, Route};
use umbel::protocol::json::Json;
use umbel::protocol::{State, TaskResult};

#[tokio::test(flavor = "multi_thread")]
async fn the_result_queue_outlives_connections_but_not_the_goodbye() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let broker = rabbitmq(&vhost.url);
    let (mut link, mut incoming) = dial(&broker).await;
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
    // A busy machine may hold up one goodbye; one that waits for its second to run out takes that every time.
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        link.close().await;
        quickest = quickest.min(start.elapsed());
        // That of the replies goes with its connection, in RabbitMQ's own time; that of the results would stay for five minutes.
        eventually(PATIENCE, "our queues are gone", || {
            vhost.queues().is_empty()
        });
        (link, incoming) = dial(&broker).await;
    }
    link.close().await;
    assert!(quickest < Duration::from_secs(1), "{quickest:?}");
    eventually(PATIENCE, "our queues are gone", || {
        vhost.queues().is_empty()
    });
    // A link whose news nobody hears is at its end: it says no goodbye.
    drop(incoming);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_sent_while_the_connection_was_down_are_there_afterwards() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let proxy = Proxy::to(&vhost.url);
    let ours = rabbitmq(proxy.url());
    let (link, mut incoming) = dial(&ours).await;
    let results = queue(&link.result_queue());
    let (other, _other_incoming) = dial(&rabbitmq(&vhost.url)).await;
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
    let (link, mut incoming) = dial(&rabbitmq(&vhost.url)).await;
    let (other, _incoming) = dial(&rabbitmq(&vhost.url)).await;
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
    let (link, mut incoming) = dial(&rabbitmq(&user.url(&vhost))).await;
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
