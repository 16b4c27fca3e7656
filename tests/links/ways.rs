//! A Redis with results that is reached by a socket or by Sentinels, and results under prefixes.

use umbel::backend::Told;
use umbel::protocol::control::Keyprefix;

use std::sync::Arc;
use tokio::sync::mpsc::{self};

use crate::redis_backend::{backend_at, dial_redis, stored_result};
use crate::support::SentinelGroup;
use crate::support::{self, PATIENCE, PrivateRedis, Proxy};
use crate::{next, soon};
use umbel::backend::{self, Backend, Results};
use umbel::error::Error;
use umbel::protocol::TaskId;
use umbel::server::TransportOptions;

/// A backend with these options.
fn backend_with(url: &str, options: &[&str]) -> Arc<dyn Backend> {
    let mut all = TransportOptions::of_url(url).expect("options");
    for option in options {
        all.set_word(option).expect("an option");
    }
    match backend::url::parse(url, &Arc::new(all)) {
        Ok(Results::Stored(backend)) => backend,
        other => panic!("no Redis: {other:?}"),
    }
}

async fn refusal(backend: &dyn Backend) -> Error {
    let (sender, _receiver) = mpsc::channel(64);
    match backend.connect(sender).await {
        Ok(_) => panic!("{} should not work", backend.address()),
        Err(error) => error,
    }
}

/// Stores and publishes as a worker does.
fn store_at(connection: &mut ::redis::Connection, key: &str) {
    ::redis::pipe()
        .cmd("SET")
        .arg(key)
        .arg("{}")
        .cmd("PUBLISH")
        .arg(key)
        .arg("{}")
        .exec(connection)
        .expect("redis stores");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_read_through_a_socket_from_the_database_in_its_query() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::on_socket();
    let (link, _incoming) = dial_redis(&format!("{}?virtual_host=4", server.url)).await;
    let id = TaskId::random();
    let mut connection = server.connection();
    ::redis::cmd("SELECT")
        .arg(4)
        .exec(&mut connection)
        .expect("a database");
    store_at(&mut connection, &format!("celery-task-meta-{id}"));
    assert_eq!(link.fetch(&id).await, Ok(Some(b"{}".to_vec())));
    link.close().await;
    let missing = backend_with("redis+socket:///nowhere/redis.sock", &[]);
    let error = refusal(&*missing).await;
    assert!(error.message.contains("there is no such socket"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_lead_to_the_master_and_say_which_side_refused() {
    let Some(_rig) = support::rig() else { return };
    let started = || SentinelGroup::with_passwords(Some("node-pw"), Some("sentinel-pw"));
    let mut group = tokio::task::spawn_blocking(started).await.expect("a group");
    let name = format!("master_name={}", SentinelGroup::NAME);
    let login = "sentinel_kwargs={\"password\": \"sentinel-pw\"}";
    let url = group.url();

    let backend = backend_with(&url, &[&name, login]);
    let (sender, mut incoming) = mpsc::channel(64);
    let link = backend.connect(sender).await.expect("the master answers");
    let id = TaskId::random();
    link.watch(&id).await.expect("a watch");
    store_at(&mut group.connection(), &format!("celery-task-meta-{id}"));
    assert_eq!(stored_result(&mut incoming).await.0, id);
    link.close().await;

    for (backend, told) in [
        (backend_with(&url, &[&name]), ": Sentinel 127.0.0.1:"),
        (
            backend_with(&url, &[&name, "sentinel_password=wrong"]),
            ": Sentinel 127.0.0.1:",
        ),
        (
            backend_with(&url.replace("node-pw", "wrong"), &[&name, login]),
            ": master 127.0.0.1:",
        ),
        (
            backend_with(&url, &["master_name=other", login]),
            "the Sentinels name no master 'other' now (failover?)",
        ),
    ] {
        let error = refusal(&*backend).await;
        assert!(error.message.contains(told), "{error}");
        assert!(!format!("{error:?}").contains("-pw"), "{error:?}");
    }

    // One Sentinel less, and the first at that: the next one is asked.
    group.kill_sentinel(0);
    let (sender, _receiver) = mpsc::channel(64);
    let link = backend.connect(sender).await.expect("the master answers");
    link.close().await;
    for index in [1, 2] {
        group.kill_sentinel(index);
    }
    let error = refusal(&*backend).await;
    assert!(error.message.contains("connection refused"), "{error}");
    let hint = error.hint.unwrap();
    assert!(hint.contains("does a Sentinel run"), "{hint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_spellings_of_a_prefix_are_heard_and_fetched() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let backend = backend_at(&db.url, Some("kp_"));
    let (sender, mut incoming) = mpsc::channel(64);
    let link = backend.connect(sender).await.expect("the Redis answers");
    // Celery 5.5 and later, then 5.3 and 5.4.
    for stem in ["kp_celery-task-meta-", "kp__celery-task-meta-"] {
        let id = TaskId::random();
        link.watch(&id).await.expect("a watch");
        store_at(&mut db.connection(), &format!("{stem}{id}"));
        assert_eq!(stored_result(&mut incoming).await.0, id);
        assert_eq!(link.fetch(&id).await, Ok(Some(b"{}".to_vec())));
        link.unwatch(&id).await.expect("no watch");
    }
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_that_workers_mask_is_learned_from_the_first_result() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let backend = backend_at(&db.url, None);
    backend.hear(&Told {
        keyprefix: Some(Keyprefix::Censored),
        ..Told::from(&*db.url)
    });
    let (sender, mut incoming) = mpsc::channel(64);
    let link = backend.connect(sender).await.expect("the Redis answers");
    let (first, second) = (TaskId::from("one*[x]"), TaskId::random());
    link.watch(&first).await.expect("a watch");
    let mut connection = db.connection();
    store_at(&mut connection, "secret:celery-task-meta-one-and-x");
    store_at(&mut connection, &format!("secret:celery-task-meta-{first}"));
    assert_eq!(stored_result(&mut incoming).await.0, first);
    store_at(
        &mut connection,
        &format!("secret:celery-task-meta-{second}"),
    );
    assert_eq!(link.fetch(&second).await, Ok(Some(b"{}".to_vec())));
    link.close().await;
    // A new run looks for the key, since its result was announced before anybody listened.
    let other = backend_at(&db.url, None);
    other.hear(&Told {
        keyprefix: Some(Keyprefix::Censored),
        ..Told::from(&*db.url)
    });
    let (sender, _incoming) = mpsc::channel(64);
    let link = other.connect(sender).await.expect("the Redis answers");
    assert_eq!(link.fetch(&second).await, Ok(Some(b"{}".to_vec())));
    assert_eq!(link.fetch(&TaskId::random()).await, Ok(None));
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_listen_by_pattern_is_told_what_a_masked_prefix_means() {
    let Some(_rig) = support::rig() else { return };
    let rules =
        "~celery-task-meta-* &celery-task-meta-* +get +subscribe +unsubscribe +ping +select";
    let server = PrivateRedis::with_users(&[("joe", "joes-pw", rules)]);
    let backend = backend_at(&server.url_of("joe", "joes-pw"), None);
    let (sender, mut incoming) = mpsc::channel(64);
    let link = backend.connect(sender).await.expect("the Redis answers");
    backend.hear(&Told {
        keyprefix: Some(Keyprefix::Censored),
        ..Told::default()
    });
    let id = TaskId::random();
    link.watch(&id)
        .await
        .expect("the plain channel may be heard");
    match next(&mut incoming).await {
        backend::Incoming::Notice(notice) => assert!(notice.contains("global_keyprefix")),
        other => panic!("no notice: {other:?}"),
    }
    link.watch(&TaskId::random()).await.expect("another");
    store_at(&mut server.connection(), &format!("celery-task-meta-{id}"));
    assert_eq!(stored_result(&mut incoming).await.0, id, "told once");
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_of_200_mb_keeps_no_other_result_waiting() {
    let Some(_rig) = support::rig() else { return };
    // Of its own: while it takes something large in, a Redis answers nobody.
    let server = PrivateRedis::start();
    let proxy = Proxy::to(&server.url);
    let (link, _incoming) = dial_redis(proxy.url()).await;
    let (large, small) = (TaskId::random(), TaskId::random());
    let mut connection = server.connection();
    let set = |connection: &mut ::redis::Connection, id: &TaskId, value: &[u8]| {
        ::redis::cmd("SET")
            .arg(format!("celery-task-meta-{id}"))
            .arg(value)
            .exec(connection)
            .expect("redis stores");
    };
    set(&mut connection, &large, &vec![b'x'; 200 << 20]);
    set(&mut connection, &small, b"{}");
    // It stands still in the middle, and everything else goes on.
    proxy.hold_after(1 << 20);
    let fetch = tokio::spawn({
        let (link, large) = (Arc::clone(&link), large.clone());
        async move { link.fetch(&large).await }
    });
    support::eventually(PATIENCE, "it is on its way", || proxy.holds());
    for _ in 0..20 {
        assert_eq!(link.fetch(&small).await, Ok(Some(b"{}".to_vec())));
    }
    assert!(!fetch.is_finished());
    proxy.release();
    let found = soon("the result", fetch).await.expect("a task");
    assert_eq!(found.unwrap().unwrap().len(), 200 << 20);
    link.close().await;
}
