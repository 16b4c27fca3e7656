//! The broker in memory behaves as RabbitMQ does, on good days and on bad ones.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::broker::{Delivery, Depth, Held, Reach, Route};
use crate::protocol::{Message, NodeName, QueueName};

struct Client {
    link: Arc<dyn Link>,
    incoming: mpsc::Receiver<Incoming>,
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_mins(1), future)
        .await
        .expect("in time")
}

impl Client {
    async fn connect(broker: &MemoryBroker) -> Self {
        let (sender, incoming) = mpsc::channel(64);
        let link = broker.connect(sender).await.unwrap();
        Self { link, incoming }
    }

    async fn next(&mut self) -> Incoming {
        within(self.incoming.recv()).await.expect("an event")
    }

    async fn result(&mut self) -> (String, super::super::AckTag) {
        match self.next().await {
            Incoming::Result { message, tag } => (text(&message), tag),
            other => panic!("{other:?}"),
        }
    }

    async fn lost(&mut self) -> Error {
        match self.next().await {
            Incoming::Lost(error) => error,
            other => panic!("{other:?}"),
        }
    }

    async fn publish(&self, text: &str) -> Delivery {
        self.link
            .publish(&Route::to_queue(&queue("celery")), message(text))
            .await
    }
}

fn queue(name: &str) -> QueueName {
    QueueName::from(name)
}

fn message(text: &str) -> Message {
    Message {
        body: text.as_bytes().to_vec(),
        ..Message::default()
    }
}

fn text(message: &Message) -> String {
    String::from_utf8(message.body.clone()).unwrap()
}

fn texts(messages: &[Arc<Message>]) -> Vec<String> {
    messages.iter().map(|message| text(message)).collect()
}

fn server() -> MemoryServer {
    let server = MemoryServer::new("test");
    server.declare(&queue("celery"));
    server
}

#[tokio::test]
async fn a_published_task_is_confirmed_and_waits_in_its_queue() {
    let server = server();
    let client = Client::connect(&server.broker()).await;
    assert_eq!(client.publish("one").await, Delivery::Confirmed);
    assert_eq!(texts(&server.messages("celery")), ["one"]);
    let depth = client.link.depth(&queue("celery")).await;
    let known = Depth::Known {
        ready: 1,
        held: Held::Unknown,
        held_ago: Duration::ZERO,
        rates: None,
        consumers: Some(0),
    };
    assert_eq!(depth, Ok(known));
}

#[tokio::test]
async fn a_task_for_a_queue_that_is_not_there_is_returned() {
    let server = server();
    let client = Client::connect(&server.broker()).await;
    let nowhere = queue("nowhere");
    let delivery = client
        .link
        .publish(&Route::to_queue(&nowhere), message("one"))
        .await;
    assert_eq!(delivery, Delivery::Returned("312 NO_ROUTE".to_owned()));
    assert_eq!(client.link.depth(&nowhere).await, Ok(Depth::Missing));
    assert!(!server.queue_names().contains(&"nowhere".to_owned()));
}

#[tokio::test]
async fn a_consumer_gets_no_more_than_its_prefetch() {
    let server = server();
    let client = Client::connect(&server.broker()).await;
    let mut worker = server.consume(&queue("celery"), 2);
    for text in ["one", "two", "three"] {
        client.publish(text).await;
    }
    assert_eq!(server.unacked("celery"), 2);
    assert_eq!(server.queue_depth("celery"), Some(1));
    let first = within(worker.next()).await.unwrap();
    worker.ack(first.tag);
    assert_eq!(server.queue_depth("celery"), Some(0));
}

#[tokio::test]
async fn consumers_take_turns() {
    let server = server();
    let client = Client::connect(&server.broker()).await;
    let mut first = server.consume(&queue("celery"), 8);
    let mut second = server.consume(&queue("celery"), 8);
    client.publish("one").await;
    client.publish("two").await;
    assert_eq!(text(&within(first.next()).await.unwrap().message), "one");
    assert_eq!(text(&within(second.next()).await.unwrap().message), "two");
}

#[tokio::test]
async fn what_a_consumer_did_not_acknowledge_goes_back_in_order() {
    let server = server();
    let client = Client::connect(&server.broker()).await;
    let worker = server.consume(&queue("celery"), 2);
    for text in ["one", "two", "three"] {
        client.publish(text).await;
    }
    drop(worker);
    assert_eq!(texts(&server.messages("celery")), ["one", "two", "three"]);
    let mut next = server.consume(&queue("celery"), 3);
    assert!(within(next.next()).await.unwrap().redelivered);
    within(next.next()).await.unwrap();
    assert!(!within(next.next()).await.unwrap().redelivered);
}

#[tokio::test]
async fn a_broadcast_without_workers_reaches_nobody_and_with_them_all() {
    let server = server();
    let client = Client::connect(&server.broker()).await;
    assert_eq!(client.link.broadcast(message("?")).await, Ok(Reach::Nobody));
    let mut workers = ["a@h", "b@h"].map(|node| server.hear_control(&NodeName::from(node)));
    let reach = client.link.broadcast(message("?")).await;
    assert_eq!(reach, Ok(Reach::Somebody));
    for worker in &mut workers {
        assert_eq!(text(&within(worker.next()).await.unwrap().message), "?");
    }
    drop(workers);
    assert_eq!(client.link.broadcast(message("?")).await, Ok(Reach::Nobody));
}

#[tokio::test]
async fn results_and_replies_arrive_apart() {
    let server = server();
    let mut client = Client::connect(&server.broker()).await;
    server.publish(&client.link.result_queue().into(), message("result"));
    assert_eq!(client.result().await.0, "result");
    server.publish(&client.link.reply_queue().into(), message("reply"));
    assert!(matches!(client.next().await, Incoming::Reply(_)));
}

#[tokio::test]
async fn a_result_that_nobody_reads_is_gone() {
    let server = server();
    assert!(!server.publish(&queue("nobody"), message("result")));
}

#[tokio::test]
async fn results_survive_a_lost_connection_until_they_are_acknowledged() {
    let server = server();
    let broker = server.broker();
    let mut client = Client::connect(&broker).await;
    let results = queue(broker.result_queue());
    server.publish(&results, message("kept"));
    server.publish(&results, message("done"));
    let (first, _) = client.result().await;
    let (second, tag) = client.result().await;
    assert_eq!((first.as_str(), second.as_str()), ("kept", "done"));
    client.link.ack(tag).await;
    server.cut();
    client.lost().await;
    assert!(within(client.incoming.recv()).await.is_none());
    server.publish(&results, message("meanwhile"));

    let mut client = Client::connect(&broker).await;
    assert_eq!(client.link.result_queue(), broker.result_queue());
    assert_eq!(client.result().await.0, "kept");
    assert_eq!(client.result().await.0, "meanwhile");
}

#[tokio::test]
async fn control_replies_do_not_survive_a_lost_connection() {
    let server = server();
    let broker = server.broker();
    let mut client = Client::connect(&broker).await;
    let replies = queue(&client.link.reply_queue());
    server.cut();
    client.lost().await;
    assert!(!server.publish(&replies, message("late")));
}

#[tokio::test]
async fn a_dropped_link_gives_its_results_back() {
    let server = server();
    let broker = server.broker();
    let mut client = Client::connect(&broker).await;
    server.publish(&queue(broker.result_queue()), message("kept"));
    client.result().await;
    drop(client);
    assert_eq!(server.links(), 0);
    assert_eq!(server.queue_depth(broker.result_queue()), Some(1));
}

#[tokio::test]
async fn closing_leaves_nothing_behind() {
    let server = server();
    let client = Client::connect(&server.broker()).await;
    client.link.close().await;
    assert_eq!(server.queue_names(), ["celery"]);
    assert!(matches!(client.publish("one").await, Delivery::Unsent(_)));
    assert_eq!(server.queue_depth("celery"), Some(0));
}

#[tokio::test]
async fn the_reply_queue_of_another_connection_is_locked() {
    let server = server();
    let one = Client::connect(&server.broker()).await;
    let other = Client::connect(&server.broker()).await;
    let replies = queue(&one.link.reply_queue());
    assert_eq!(other.link.depth(&replies).await, Ok(Depth::Locked));
    assert_ne!(one.link.depth(&replies).await, Ok(Depth::Locked));
}

#[tokio::test]
async fn a_refused_connect_is_counted_and_the_next_may_work() {
    let server = server();
    let broker = server.broker();
    server.refuse_next(2);
    for _ in 0..2 {
        let (sender, _incoming) = mpsc::channel(1);
        let refused = broker.connect(sender).await.err().unwrap();
        assert_eq!(refused.kind, Kind::Unsent);
    }
    Client::connect(&broker).await;
    assert_eq!(server.attempts(), 3);
    server.refuse(true);
    let (sender, _incoming) = mpsc::channel(1);
    assert!(broker.connect(sender).await.is_err());
}

#[tokio::test]
async fn a_lost_confirm_leaves_the_task_queued_and_its_delivery_unknown() {
    let server = server();
    let mut client = Client::connect(&server.broker()).await;
    server.lose_next_confirm();
    assert!(matches!(client.publish("one").await, Delivery::Unknown(_)));
    assert_eq!(texts(&server.messages("celery")), ["one"]);
    client.lost().await;
    assert!(matches!(client.publish("two").await, Delivery::Unsent(_)));
    assert_eq!(texts(&server.published_tasks()), ["one"]);
}

#[tokio::test]
async fn a_lost_publish_looks_the_same_but_is_not_queued() {
    let server = server();
    let mut client = Client::connect(&server.broker()).await;
    server.lose_next_publish();
    assert!(matches!(client.publish("one").await, Delivery::Unknown(_)));
    assert_eq!(server.queue_depth("celery"), Some(0));
    client.lost().await;
}

#[tokio::test(start_paused = true)]
async fn a_blocked_publish_is_unknown_and_delivered_later() {
    let server = server();
    let mut client = Client::connect(&server.broker()).await;
    server.block("low on memory");
    let blocked = client.next().await;
    assert!(matches!(blocked, Incoming::Blocked(Some(why)) if why == "low on memory"));
    let start = Instant::now();
    assert!(matches!(client.publish("one").await, Delivery::Unknown(_)));
    assert_eq!(start.elapsed(), PATIENCE);
    assert_eq!(server.queue_depth("celery"), Some(0));
    server.unblock();
    assert!(matches!(client.next().await, Incoming::Blocked(None)));
    assert_eq!(texts(&server.messages("celery")), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_broker_answers_nothing_until_it_thaws() {
    let server = server();
    let broker = server.broker();
    let mut client = Client::connect(&broker).await;
    server.freeze();
    server.publish(&queue(broker.result_queue()), message("result"));
    assert!(client.link.ping().await.is_err());
    assert!(client.link.depth(&queue("celery")).await.is_err());
    assert!(client.incoming.try_recv().is_err());
    let (sender, _incoming) = mpsc::channel(1);
    assert!(broker.connect(sender).await.is_err());
    let (delivery, ()) = tokio::join!(client.publish("one"), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.thaw();
    });
    assert_eq!(delivery, Delivery::Confirmed);
    assert_eq!(client.result().await.0, "result");
    assert!(client.link.ping().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn closing_on_a_frozen_broker_takes_a_second_at_most() {
    let server = server();
    let client = Client::connect(&server.broker()).await;
    server.freeze();
    let start = Instant::now();
    client.link.close().await;
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    assert_eq!(server.links(), 0);
}

#[tokio::test]
async fn a_cut_ends_a_publish_that_waited() {
    let server = server();
    let client = Client::connect(&server.broker()).await;
    server.freeze();
    let (delivery, ()) = tokio::join!(client.publish("one"), async { server.cut() });
    assert!(matches!(delivery, Delivery::Unknown(_)));
    server.thaw();
    assert_eq!(server.queue_depth("celery"), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_slow_broker_answers_slowly() {
    let server = server();
    let client = Client::connect(&server.broker()).await;
    server.delay(Duration::from_millis(300));
    assert_eq!(client.link.ping().await, Ok(Duration::from_millis(300)));
    let start = Instant::now();
    assert_eq!(client.publish("one").await, Delivery::Confirmed);
    assert_eq!(start.elapsed(), Duration::from_millis(300));
}

#[tokio::test]
async fn a_full_channel_loses_no_result() {
    let server = server();
    let broker = server.broker();
    let (sender, incoming) = mpsc::channel(1);
    let link = broker.connect(sender).await.unwrap();
    let results = queue(broker.result_queue());
    for number in 0..600 {
        server.publish(&results, message(&number.to_string()));
    }
    let mut client = Client { link, incoming };
    for number in 0..600 {
        let (text, tag) = client.result().await;
        assert_eq!(text, number.to_string());
        client.link.ack(tag).await;
    }
    assert_eq!(server.unacked(broker.result_queue()), 0);
}

#[tokio::test]
async fn a_deleted_reply_queue_loses_the_connection() {
    let server = server();
    let broker = server.broker();
    let mut client = Client::connect(&broker).await;
    server.delete(&queue(broker.result_queue()));
    assert!(client.lost().await.message.contains("was deleted"));
}

#[tokio::test]
async fn a_deleted_task_queue_ends_its_consumers() {
    let server = server();
    let mut worker = server.consume(&queue("celery"), 1);
    server.delete(&queue("celery"));
    assert!(within(worker.next()).await.is_none());
}

#[tokio::test]
async fn control_requests_that_nobody_reads_do_not_pile_up() {
    let server = server();
    let client = Client::connect(&server.broker()).await;
    let _deaf = server.hear_control(&NodeName::from("a@h"));
    for _ in 0..1000 {
        client.link.broadcast(message("?")).await.unwrap();
    }
    assert!(server.queue_depth("a@h.celery.pidbox").unwrap() <= 256);
}

#[tokio::test(start_paused = true)]
async fn an_idle_broker_does_not_stir() {
    let server = server();
    let _client = Client::connect(&server.broker()).await;
    let _worker = server.consume(&queue("celery"), 1);
    let version = *server.inner.version.borrow();
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(*server.inner.version.borrow(), version);
}
