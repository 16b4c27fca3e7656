//! What else RabbitMQ tells and forbids: exchanges, its management API, permissions, what we declare.

use umbel::server::http::HttpUrl;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::mpsc::Receiver;

use crate::support::{self, Proxy, Vhost};
use crate::{closed_port, dial, lost, next, ping, queue, rabbitmq, soon, task};
use umbel::broker::{Broker, Delivery, Depth, Held, Incoming, Reach, Route};
use umbel::server::TransportOptions;

fn api(vhost: &Vhost, login: &str) -> HttpUrl {
    let port = vhost.rabbit.management.port;
    HttpUrl::parse(&format!("http://{login}127.0.0.1:{port}")).expect("a URL")
}

/// The next notice.
async fn notice(incoming: &mut Receiver<Incoming>) -> String {
    match next(incoming).await {
        Incoming::Notice(notice) => notice,
        other => panic!("no notice: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_for_an_exchange_is_routed_returned_or_refused_in_words() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_exchange("shop", "topic");
    vhost.declare_queue("mail");
    vhost.bind("shop", "mail", "mail.#");
    let (link, _incoming) = dial(&rabbitmq(&vhost.url)).await;
    let publish = async |exchange: &str, routing_key: &str| {
        let route = Route {
            exchange: exchange.to_owned(),
            routing_key: routing_key.to_owned(),
        };
        let (_, message) = task("shop.tasks.add", &["1", "2"], None);
        link.publish(&route, message).await
    };
    assert_eq!(publish("shop", "mail.out").await, Delivery::Confirmed);
    let Delivery::Returned(reason) = publish("shop", "other").await else {
        panic!("not returned");
    };
    assert_eq!(reason, "312 NO_ROUTE");
    for _ in 0..2 {
        let Delivery::Unsent(error) = publish("nowhere", "x").await else {
            panic!("not unsent");
        };
        assert!(error.message.contains("no exchange 'nowhere'"), "{error}");
        assert!(error.hint.unwrap().contains("does not declare any"));
    }
    assert_eq!(publish("shop", "mail").await, Delivery::Confirmed);
    assert_eq!(vhost.messages("mail").len(), 2);
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_declare_is_told_once_what_that_means_and_keeps_the_link() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("q");
    let user = vhost.user("", ".*", ".*");
    let (link, mut incoming) = dial(&rabbitmq(&user.url)).await;
    let replies = notice(&mut incoming).await;
    assert!(replies.contains("workers cannot answer"), "{replies}");
    let results = notice(&mut incoming).await;
    assert!(results.contains("lost if it breaks"), "{results}");
    let route = |exchange: &str| Route {
        exchange: exchange.to_owned(),
        routing_key: "q".to_owned(),
    };
    let (_, message) = task("shop.tasks.add", &["1", "2"], Some(link.result_queue()));
    // A missing exchange must not cost the channel that results come to.
    let refused = link.publish(&route("nowhere"), message.clone()).await;
    assert!(matches!(refused, Delivery::Unsent(_)), "{refused:?}");
    let sent = link.publish(&route(""), message).await;
    assert_eq!(sent, Delivery::Confirmed);
    assert!(incoming.try_recv().is_err(), "the link lives");
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_management_api_tells_what_is_unacknowledged_and_how_fast_it_goes() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("q");
    let (link, _incoming) =
        dial(&rabbitmq(&vhost.url).with(Arc::default(), Some(api(&vhost, "")))).await;
    let publish = async || {
        let (_, message) = task("shop.tasks.add", &["1", "2"], None);
        let sent = link.publish(&Route::to_queue(&queue("q")), message).await;
        assert_eq!(sent, Delivery::Confirmed);
    };
    // The numbers lag by some seconds, and are asked for every five.
    let told = async {
        loop {
            publish().await;
            let Ok(Depth::Known {
                ready, held, rates, ..
            }) = link.depth(&queue("q")).await
            else {
                panic!("no depth");
            };
            assert!(ready > 0);
            if let (Held::Queue(held), Some(rates)) = (held, rates)
                && rates.in_milli > 0
            {
                return (held, rates.out_milli);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    assert_eq!(soon("rates", told).await, (0, 0));
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_management_api_that_refuses_is_told_and_the_depth_is_known_all_the_same() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("q");
    let closed = HttpUrl::parse(&format!("http://127.0.0.1:{}", closed_port())).expect("a URL");
    for (url, told) in [
        (api(&vhost, "guest:wrong@"), "login refused"),
        (closed, "connection refused"),
    ] {
        let (link, mut incoming) =
            dial(&rabbitmq(&vhost.url).with(Arc::default(), Some(url))).await;
        let start = Instant::now();
        let depth = link.depth(&queue("q")).await;
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{:?}",
            start.elapsed()
        );
        let Ok(Depth::Known {
            ready: 0,
            held: Held::Unknown,
            rates: None,
            ..
        }) = depth
        else {
            panic!("{depth:?}");
        };
        let notice = notice(&mut incoming).await;
        assert!(notice.contains(told), "{notice}");
        assert!(!notice.contains("wrong"), "{notice}");
        link.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_queue_that_is_declared_is_durable_or_exclusive() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let (link, _incoming) = dial(&rabbitmq(&vhost.url)).await;
    link.events(true).await.expect("events");
    let names = vhost.queues();
    assert_eq!(names.len(), 4, "{names:?}");
    for name in names {
        let queue = vhost.queue(&name).expect("a queue");
        let (durable, exclusive) = (&queue["durable"], &queue["exclusive"]);
        assert_ne!(durable, exclusive, "{name}: {queue}");
    }
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exchanges_of_an_application_are_those_of_its_options() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_exchange("mine.pidbox", "fanout");
    vhost.declare_queue("heard");
    vhost.bind("mine.pidbox", "heard", "");
    let mut options = TransportOptions::default();
    options
        .set_word("control_exchange=mine")
        .expect("an option");
    options
        .set_word("event_exchange=mine-events")
        .expect("an option");
    let (link, mut incoming) = dial(&rabbitmq(&vhost.url).with(Arc::new(options), None)).await;
    let reach = link.broadcast(ping(link.reply_to()).encode()).await;
    assert_eq!(reach, Ok(Reach::Somebody));
    assert_eq!(vhost.messages("heard").len(), 1);
    link.events(true).await.expect("events");
    let event = json!({
        "properties": {}, "routing_key": "worker.heartbeat", "payload": "{}", "payload_encoding": "string"
    });
    let path = format!("exchanges/{}/mine-events/publish", vhost.name);
    vhost.rabbit.management.request("POST", &path, &event);
    assert!(matches!(next(&mut incoming).await, Incoming::Event(_)));
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vhost_may_have_any_name() {
    let Some(rig) = support::rig() else { return };
    for odd in ["/a b", "%2F", "žluť#?"] {
        let vhost = rig.rabbit.odd_vhost(odd);
        vhost.declare_queue("a/b c%");
        let (link, _incoming) =
            dial(&rabbitmq(&vhost.url).with(Arc::default(), Some(api(&vhost, "")))).await;
        let depth = link.depth(&queue("a/b c%")).await;
        assert!(matches!(depth, Ok(Depth::Known { .. })), "{depth:?}");
        link.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_loss_the_next_broker_of_a_list_is_used() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let proxy = Proxy::to(&vhost.url);
    let broker = rabbitmq(&format!("{};{}?heartbeat=30", proxy.url(), vhost.url));
    let (link, mut incoming) = dial(&broker).await;
    let queue = link.result_queue();
    proxy.down();
    lost(&mut incoming).await;
    let (link, _incoming) = dial(&broker).await;
    assert_eq!(
        link.result_queue(),
        queue,
        "results sent meanwhile are found"
    );
    let port = vhost.rabbit.port.to_string();
    assert!(broker.short_address().contains(&port));
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_to_one_who_leaves_too_still_comes_however_full_the_inbox_is() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let (link, _incoming) = dial(&rabbitmq(&vhost.url)).await;
    assert!(!link.hand_over(b"nobody".to_vec()).await);
    let (heir, mut incoming) = dial(&rabbitmq(&vhost.url)).await;
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
    assert!(!link.hand_over(b"nobody".to_vec()).await);
    assert!(!vhost.queues().iter().any(|name| name == "umbel.celeryev"));
    link.close().await;
    heir.close().await;
}

/// The name of a queue that stands and is another's alone: what comes there is confirmed, and no umbel reads it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_in_a_queue_that_is_not_seen_to_stand_is_left_to_nobody() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let (other, _other_incoming) = dial(&rabbitmq(&vhost.url)).await;
    let locked = other.reply_queue();
    let options = TransportOptions {
        event_exchange: locked.trim_start_matches("umbel.").to_owned(),
        ..TransportOptions::default()
    };
    let (link, _incoming) = dial(&rabbitmq(&vhost.url).with(Arc::new(options), None)).await;
    assert_eq!(link.depth(&queue(&locked)).await, Ok(Depth::Locked));
    assert!(!link.hand_over(b"[]".to_vec()).await);
    link.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_neither_declare_nor_read_leaves_the_workers_to_who_listens() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let (heir, _heir_incoming) = dial(&rabbitmq(&vhost.url)).await;
    heir.events(true).await.expect("events");
    let user = vhost.user("", ".*", "");
    let (link, _incoming) = dial(&rabbitmq(&user.url)).await;
    assert!(link.hand_over(b"[]".to_vec()).await);
    heir.events(false).await.expect("no events");
    assert!(!link.hand_over(b"[]".to_vec()).await, "nobody listens");
    link.close().await;
    heir.close().await;
}

/// It is done at the end of a run: nothing of it is worth a wait for numbers.
#[tokio::test(flavor = "multi_thread")]
async fn to_leave_workers_to_another_asks_the_management_api_nothing() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let api = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    api.set_nonblocking(true).expect("a listener");
    let url = format!("http://{}", api.local_addr().expect("its address"));
    let url = HttpUrl::parse(&url).expect("a URL");
    let broker = rabbitmq(&vhost.url).with(Arc::default(), Some(url));
    let (link, _incoming) = dial(&broker).await;
    let (heir, _heir_incoming) = dial(&rabbitmq(&vhost.url)).await;
    heir.events(true).await.expect("events");
    assert!(link.hand_over(b"[]".to_vec()).await);
    assert!(api.accept().is_err(), "nobody was asked");
    link.close().await;
    heir.close().await;
}
