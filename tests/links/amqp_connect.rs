//! Connecting to RabbitMQ: what is refused says where and why, and the next of a list is tried.

use std::io::Read;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::{self, PATIENCE};
use crate::{User, closed_port, dial, dial_error, rabbitmq};
use umbel::broker::Broker;
use umbel::error::Kind;

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_says_where_and_what_to_check() {
    let port = closed_port();
    let error = dial_error(&rabbitmq(&format!("amqp://joe:s3cret@127.0.0.1:{port}/"))).await;
    assert_eq!(error.kind, Kind::Unsent);
    assert_eq!(
        error.message,
        format!("broker amqp://127.0.0.1:{port}/: connection refused")
    );
    assert!(error.hint.expect("a hint").contains("RabbitMQ"));
    let error = dial_error(&rabbitmq("amqp://nosuch.invalid/")).await;
    assert!(
        error.message.contains("nosuch.invalid is not known"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_a_wrong_vhost_are_told_apart() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let wrong = vhost.url.replace("guest:guest", "guest:wr0ng");
    let error = dial_error(&rabbitmq(&wrong)).await;
    assert!(error.message.contains("login refused"), "{error}");
    assert!(!format!("{error:?}").contains("wr0ng"));
    let error = dial_error(&rabbitmq(&format!("{}-nosuch", vhost.url))).await;
    assert!(
        error
            .message
            .contains(&format!("there is no vhost {}-nosuch", vhost.name)),
        "{error}"
    );
    let user = User::new(&rig.vhost(), ".*", ".*", ".*");
    let error = dial_error(&rabbitmq(&user.url(&vhost))).await;
    assert!(
        error.message.contains("has no permission on the vhost"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_that_do_not_speak_amqp_are_called_so_within_the_deadline() {
    let Some(rig) = support::rig() else { return };
    let redis = rig.redis.replace("redis://", "amqp://");
    let start = Instant::now();
    let error = dial_error(&rabbitmq(&redis)).await;
    // Its patience of 5 s once.
    assert!(start.elapsed() < Duration::from_secs(9));
    assert!(error.message.contains("did not answer in AMQP"), "{error}");
    assert!(error.hint.expect("a hint").contains("Redis"));
    let web = std::env::var("UMBEL_TEST_MANAGEMENT_PORT").expect("a port");
    let start = Instant::now();
    let error = dial_error(&rabbitmq(&format!("amqp://127.0.0.1:{web}/"))).await;
    assert!(start.elapsed() < Duration::from_secs(9));
    assert!(error.message.contains("in AMQP"), "{error}");
    assert!(error.hint.expect("a hint").contains("web page"));
    let plain = rig.vhost().url.replace("amqp://", "amqps://");
    let error = dial_error(&rabbitmq(&plain)).await;
    assert!(error.message.contains("it does not speak TLS"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connect_that_is_given_up_leaves_no_connection_behind() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let error = dial_error(&rabbitmq(&format!("amqp://127.0.0.1:{port}/"))).await;
    assert!(error.message.contains("did not answer"), "{error}");
    for _ in 0..2 {
        let (mut socket, _) = silent.accept().expect("it called");
        socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let mut said = Vec::new();
        socket.read_to_end(&mut said).expect("it hung up");
        assert!(said.starts_with(b"AMQP"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_broker_of_a_list_is_tried_when_one_does_not_answer() {
    let Some(rig) = support::rig() else { return };
    let vhost = rig.vhost();
    let list = format!("amqp://127.0.0.1:{}/;{}", closed_port(), vhost.url);
    let broker = rabbitmq(&list);
    let (link, _incoming) = dial(&broker).await;
    assert!(broker.short_address().ends_with(&vhost.name));
    link.close().await;
    let (one, other) = (closed_port(), closed_port());
    let error = dial_error(&rabbitmq(&format!(
        "amqp://127.0.0.1:{one}/;amqp://127.0.0.1:{other}/"
    )))
    .await;
    assert!(
        error.message.starts_with("none of 2 addresses works"),
        "{error}"
    );
}
