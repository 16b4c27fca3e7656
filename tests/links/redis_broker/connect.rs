//! A Redis that cannot be used as broker says why.

use umbel::broker::{Broker, Delivery, Depth, Held};
use umbel::error::Kind;

use super::{as_user, at, rules, send};
use crate::support::{self, PrivateRedis};
use crate::{closed_port, dial, dial_error, ping, queue};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_used_says_why() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let mut connection = server.connection();
    let port = closed_port();
    let error = dial_error(&at(&format!("redis://:s3cret@127.0.0.1:{port}/2"))).await;
    assert_eq!(error.kind, Kind::Unsent);
    assert_eq!(
        error.message,
        format!("broker redis://127.0.0.1:{port}/2: connection refused")
    );
    let list = format!("redis://127.0.0.1:{port};redis://127.0.0.1:{port}/1");
    let error = dial_error(&at(&list)).await;
    assert!(error.message.starts_with("none of 2 addresses"), "{error}");
    rules(&mut connection, "joe", &["+@all", "~celery*", "&*"]);
    let error = dial_error(&at(&as_user(&server.url, "joe"))).await;
    assert!(
        error.message.contains("a list of our own: umbel."),
        "{error}"
    );
    assert!(error.hint.expect("a hint").contains("umbel needs"));
    let mut replica = ::redis::cmd("REPLICAOF");
    replica.arg("127.0.0.1").arg(port);
    replica.exec(&mut connection).expect("redis obeys");
    let error = dial_error(&at(&server.url)).await;
    assert!(error.message.contains("is a read-only replica"), "{error}");
    let list = format!("{};{}", server.url, support::rig().expect("a rig").redis);
    let broker = at(&list);
    let (link, _incoming) = dial(&broker).await;
    assert!(list.contains(&broker.short_address().replace("/0", "")));
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_few_permissions_learns_which_is_missing() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let mut connection = server.connection();
    let few = ["+@all", "~umbel*", "~celery*", "resetchannels", "-hlen"];
    rules(&mut connection, "joe", &few);
    let (link, _incoming) = dial(&at(&as_user(&server.url, "joe"))).await;
    let Delivery::Unsent(error) = send(&*link, "other").await else {
        panic!("allowed");
    };
    assert!(error.message.contains("LPUSH other"), "{error}");
    assert!(error.hint.expect("a hint").contains("LPUSH"));
    assert_eq!(send(&*link, "celery").await, Delivery::Confirmed);
    let request = ping(link.reply_to()).encode();
    let error = link.broadcast(request).await.expect_err("a channel");
    assert!(
        error.message.contains("PUBLISH /0.celery.pidbox"),
        "{error}"
    );
    let Ok(Depth::Known { ready, held, .. }) = link.depth(&queue("celery")).await else {
        panic!("not known");
    };
    assert_eq!((ready, held), (1, Held::Unknown));
    let error = link.events(true).await.expect_err("a channel");
    assert!(
        error.message.contains("PSUBSCRIBE /0.celeryev/*"),
        "{error}"
    );
    link.close().await;
}
