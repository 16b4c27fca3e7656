//! What becomes of a message that is published to RabbitMQ: confirmed, returned, unsent, or unknown.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use crate::support::{self, AMQP_ACK, Proxy};
use crate::{User, dial, lost, queue, rabbitmq, task};
use umbel::broker::{Delivery, Depth, Route};
use umbel::error::Kind;

#[tokio::test(flavor = "multi_thread")]
async fn a_published_task_is_confirmed_and_lies_in_its_queue_as_celery_sends_it() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("shop");
    let (link, _incoming) = dial(&rabbitmq(&vhost.url)).await;
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
    let (link, _incoming) = dial(&rabbitmq(&vhost.url)).await;
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
    let (link, _incoming) = dial(&rabbitmq(&vhost.url)).await;
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
    let (link, _incoming) = dial(&rabbitmq(&vhost.url)).await;
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
    let (link, mut incoming) = dial(&rabbitmq(proxy.url())).await;
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
    let (link, _incoming) = dial(&rabbitmq(proxy.url())).await;
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
    let (link, _incoming) = dial(&rabbitmq(&user.url(&vhost))).await;
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
