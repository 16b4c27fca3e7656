//! A Redis as result backend, at its link: what is stored arrives, and what mishaps do to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::redis::Commands;
use tokio::sync::mpsc::{self, Receiver};

use crate::support::{self, PATIENCE, PrivateRedis};
use crate::{closed_port, dial, next, queue, rabbitmq, soon, task, worker};
use umbel::backend::{self, Backend, Results};
use umbel::broker::{Delivery, Route};
use umbel::error::{Error, Kind};
use umbel::protocol::json::Json;
use umbel::protocol::{State, TaskId, TaskResult};
use umbel::server::TransportOptions;

pub(crate) type Stored = (Arc<dyn backend::Link>, Receiver<backend::Incoming>);

pub(crate) fn backend_at(url: &str, keyprefix: Option<&str>) -> Arc<dyn Backend> {
    let mut options = TransportOptions::of_url(url).expect("options");
    options.global_keyprefix = keyprefix.map(str::to_owned);
    match backend::url::parse(url, &Arc::new(options)) {
        Ok(Results::Stored(backend)) => backend,
        other => panic!("no Redis: {other:?}"),
    }
}

pub(crate) async fn dial_redis(url: &str) -> Stored {
    let (sender, receiver) = mpsc::channel(64);
    let link = backend_at(url, None).connect(sender).await;
    (link.expect("the Redis answers"), receiver)
}

pub(crate) async fn dial_redis_error(url: &str) -> Error {
    let (sender, _receiver) = mpsc::channel(64);
    match backend_at(url, None).connect(sender).await {
        Ok(_) => panic!("{url} should not work"),
        Err(error) => error,
    }
}

/// Stores as Celery does: the value under the key, and the same to the channel of that name.
pub(crate) fn store(url: &str, key: &str, value: &[u8]) {
    let mut connection = ::redis::Client::open(url)
        .and_then(|client| client.get_connection())
        .expect("redis answers");
    ::redis::pipe()
        .atomic()
        .cmd("SETEX")
        .arg(key)
        .arg(60)
        .arg(value)
        .cmd("PUBLISH")
        .arg(key)
        .arg(value)
        .exec(&mut connection)
        .expect("redis stores");
}

pub(crate) async fn stored_result(incoming: &mut Receiver<backend::Incoming>) -> (TaskId, Vec<u8>) {
    match next(incoming).await {
        backend::Incoming::Result { id, payload } => (id, payload),
        other => panic!("no result: {other:?}"),
    }
}

pub(crate) async fn lost_redis(incoming: &mut Receiver<backend::Incoming>) -> Error {
    loop {
        // What had arrived before the loss comes first.
        if let backend::Incoming::Lost(error) = next(incoming).await {
            assert!(soon("the end", incoming.recv()).await.is_none());
            return error;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_after_a_watch_arrives_and_can_be_fetched() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let (link, mut incoming) = dial_redis(&db.url).await;
    let id = TaskId::random();
    assert_eq!(link.fetch(&id).await, Ok(None));
    link.watch(&id).await.expect("a watch");
    let key = format!("celery-task-meta-{id}");
    store(&db.url, &key, b"{\"status\": \"STARTED\"}");
    store(&db.url, &key, b"{\"status\": \"SUCCESS\"}");
    for expected in ["STARTED", "SUCCESS"] {
        let (whose, payload) = stored_result(&mut incoming).await;
        assert_eq!(whose, id);
        assert_eq!(
            payload,
            format!("{{\"status\": \"{expected}\"}}").into_bytes()
        );
    }
    assert_eq!(
        link.fetch(&id).await,
        Ok(Some(b"{\"status\": \"SUCCESS\"}".to_vec()))
    );
    link.unwatch(&id).await.expect("the end of a watch");
    let listeners: u64 = db
        .connection()
        .publish(&key, "{}")
        .expect("redis publishes");
    assert_eq!(listeners, 0);
    assert!(link.ping().await.expect("a ping") < Duration::from_secs(1));
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_watches_at_once_do_not_wait_for_each_other() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let (link, mut incoming) = dial_redis(&db.url).await;
    let ids: Vec<_> = (0..300).map(|_| TaskId::random()).collect();
    let watches = ids.iter().map(|id| link.watch(id));
    for watched in futures_util::future::join_all(watches).await {
        watched.expect("a watch");
    }
    let mut connection = db.connection();
    for id in &ids {
        let key = format!("celery-task-meta-{id}");
        let listeners: u64 = connection.publish(key, "{}").expect("redis publishes");
        assert_eq!(listeners, 1);
        stored_result(&mut incoming).await;
    }
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_of_twenty_megabytes_arrives_and_can_be_fetched() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let (link, mut incoming) = dial_redis(&server.url).await;
    let id = TaskId::random();
    link.watch(&id).await.expect("a watch");
    let large = vec![b'x'; 20 << 20];
    store(&server.url, &format!("celery-task-meta-{id}"), &large);
    let (_, payload) = stored_result(&mut incoming).await;
    assert!(payload == large);
    assert!(link.fetch(&id).await == Ok(Some(large)));
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_redis_cuts_for_size_is_lost_and_the_result_can_be_fetched_anew() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let (link, mut incoming) = dial_redis(&server.url).await;
    let id = TaskId::random();
    link.watch(&id).await.expect("a watch");
    // More than `client-output-buffer-limit pubsub 32mb …` allows.
    let large = vec![b'x'; 50 << 20];
    store(&server.url, &format!("celery-task-meta-{id}"), &large);
    lost_redis(&mut incoming).await;
    link.close().await;
    let (link, _incoming) = dial_redis(&server.url).await;
    assert!(link.fetch(&id).await == Ok(Some(large)));
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_beyond_the_limit_is_refused_before_it_is_read() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let (link, _incoming) = dial_redis(&server.url).await;
    let id = TaskId::random();
    // One byte far out: the server fills up what is before it.
    let _: u64 = server
        .connection()
        .setrange(format!("celery-task-meta-{id}"), 300 << 20, "x")
        .expect("redis stores");
    let error = link.fetch(&id).await.expect_err("too large");
    assert!(
        error.message.contains("300 MiB; at most 256 MiB"),
        "{error}"
    );
    assert!(link.ping().await.is_ok());
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_prefix_of_the_application_is_part_of_key_and_channel() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let (sender, mut incoming) = mpsc::channel(64);
    let backend = backend_at(&db.url, Some("acme"));
    let link = backend.connect(sender).await.expect("the Redis answers");
    let id = TaskId::random();
    link.watch(&id).await.expect("a watch");
    store(&db.url, &format!("acme_celery-task-meta-{id}"), b"{}");
    assert_eq!(stored_result(&mut incoming).await.0, id);
    assert_eq!(link.fetch(&id).await, Ok(Some(b"{}".to_vec())));
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_redis_is_lost_once() {
    let Some(_rig) = support::rig() else { return };
    let mut server = PrivateRedis::start();
    let start = Instant::now();
    let (link, mut incoming) = dial_redis(&server.url).await;
    link.watch(&TaskId::random()).await.expect("a watch");
    server.kill();
    let error = lost_redis(&mut incoming).await;
    assert_eq!(error.kind, Kind::BackendUnreachable);
    // The connection itself tells it: nobody asked yet, which is done every 5 s.
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(link.fetch(&TaskId::random()).await.is_err());
    assert!(link.watch(&TaskId::random()).await.is_err());
    server.restart();
    let (link, _incoming) = dial_redis(&server.url).await;
    link.ping().await.expect("a new link");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_redis_is_noticed() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let (_link, mut incoming) = dial_redis(&server.url).await;
    let start = Instant::now();
    server.freeze();
    let error = lost_redis(&mut incoming).await;
    assert!(error.message.contains("nothing heard for 2 s"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10));
    let start = Instant::now();
    let error = dial_redis_error(&server.url).await;
    assert!(error.message.contains("no answer in time"), "{error}");
    // Its patience of 5 s once.
    assert!(start.elapsed() < Duration::from_secs(9));
    server.thaw();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_cannot_be_used_says_why() {
    let Some(rig) = support::rig() else { return };
    let server = PrivateRedis::with_password("pw");
    let bare = server.url.replace(":pw@", "");
    let error = dial_redis_error(&bare).await;
    assert_eq!(error.kind, Kind::BackendUnreachable);
    assert!(error.message.ends_with("it wants a password"), "{error}");
    let error = dial_redis_error(&server.url.replace(":pw@", ":wr0ng@")).await;
    assert!(error.message.contains("login refused"), "{error}");
    assert!(!format!("{error:?}").contains("wr0ng"));
    let error = dial_redis_error(&format!("{}/4711", server.url)).await;
    assert!(
        error.message.contains("there is no database 4711"),
        "{error}"
    );
    let error = dial_redis_error(&format!("redis://127.0.0.1:{}", closed_port())).await;
    assert!(error.message.ends_with("connection refused"), "{error}");
    let error = dial_redis_error("redis://nosuch.invalid").await;
    assert!(
        error.message.contains("nosuch.invalid is not known"),
        "{error}"
    );
    let amqp = format!("redis://127.0.0.1:{}", rig.rabbit.port);
    let error = dial_redis_error(&amqp).await;
    assert!(
        error.message.contains("what answered is not a Redis"),
        "{error}"
    );
    let (link, _incoming) = dial_redis(&server.url).await;
    link.ping().await.expect("the right password");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_do_only_what_celery_does_can_read_results() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let id = TaskId::random();
    let key = format!("celery-task-meta-{id}");
    ::redis::cmd("ACL")
        .arg(&["SETUSER", "joe", "on", ">pw", "resetchannels"])
        .arg(&["~celery-task-meta-*", "&celery-task-meta-*"])
        .arg(&["+get", "+ping", "+subscribe", "+unsubscribe"])
        .exec(&mut server.connection())
        .expect("redis takes the rules");
    let url = server.url.replace("redis://", "redis://joe:pw@");
    let (link, mut incoming) = dial_redis(&url).await;
    link.watch(&id).await.expect("a watch");
    store(&server.url, &key, b"{}");
    stored_result(&mut incoming).await;
    for _ in 0..2 {
        assert_eq!(link.fetch(&id).await, Ok(Some(b"{}".to_vec())));
        assert_eq!(link.fetch(&TaskId::random()).await, Ok(None));
    }
    link.close().await;
    let (sender, _incoming) = mpsc::channel(64);
    let other = backend_at(&url, Some("acme")).connect(sender).await;
    let error = other.expect("it logs in").watch(&id).await;
    let error = error.expect_err("a channel that is not allowed");
    assert!(error.message.contains("channels"), "{error}");
    assert!(error.hint.expect("a hint").contains("SUBSCRIBE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_or_forgotten_link_leaves_no_client_in_redis() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let clients = || {
        let list: String = ::redis::cmd("CLIENT")
            .arg("LIST")
            .query(&mut server.connection())
            .expect("redis lists its clients");
        list.lines().count() - 1
    };
    let (link, mut incoming) = dial_redis(&server.url).await;
    assert_eq!(clients(), 2);
    link.close().await;
    drop(link);
    support::eventually(PATIENCE, "closed", || clients() == 0);
    assert!(incoming.recv().await.is_none(), "closed, not lost");
    let (link, incoming) = dial_redis(&server.url).await;
    drop((link, incoming));
    support::eventually(PATIENCE, "forgotten", || clients() == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_s_result_comes_from_redis() {
    let Some(rig) = support::rig() else { return };
    let (vhost, db) = (rig.vhost(), rig.redis_db());
    let _worker = worker(&vhost, &db.url);
    let (link, _results) = dial(&rabbitmq(&vhost.url)).await;
    let (stored, mut incoming) = dial_redis(&db.url).await;
    let (id, message) = task("shop.tasks.add", &["1", "2"], Some(link.result_queue()));
    stored.watch(&id).await.expect("a watch");
    assert_eq!(
        link.publish(&Route::to_queue(&queue("celery")), message)
            .await,
        Delivery::Confirmed
    );
    loop {
        let (_, payload) = stored_result(&mut incoming).await;
        let result = TaskResult::parse(&payload, None, &id).expect("a result");
        if result.state == State::Success {
            assert_eq!(result.value, Json::Number("3".to_owned()));
            break;
        }
    }
    link.close().await;
    stored.close().await;
}
