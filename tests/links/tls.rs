//! Certificates: RabbitMQ and Redis that demand one of ours, under an authority of their own.

use std::path::Path;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self};

use crate::redis_backend::{dial_redis, stored_result};
use crate::support::{self, PATIENCE, PrivateRabbit, PrivateRedis};
use crate::support::{Certificates, Identity, Leashed as Leash};
use crate::{dial, next, queue, rabbitmq, soon, task};
use umbel::backend::{self, Results};
use umbel::broker::{Broker, Delivery, Depth, Held, Incoming, Route};
use umbel::error::Error;
use umbel::protocol::TaskId;
use umbel::server::TransportOptions;
use umbel::server::http::HttpUrl;

/// The options that trust this authority and show this certificate.
fn options(ca: Option<&Path>, identity: Option<&Identity>) -> Arc<TransportOptions> {
    Arc::new(TransportOptions {
        tls: Some(true),
        ca_certs: ca.map(Path::to_owned),
        certfile: identity.map(|identity| identity.certificate.clone()),
        keyfile: identity.map(|identity| identity.key.clone()),
        ..TransportOptions::default()
    })
}

/// Every combination that is refused: whom we trust, who we are, what is told, what to do.
fn refusals(
    certificates: &Certificates,
) -> [(Arc<TransportOptions>, &'static str, &'static str); 4] {
    let (ca, foreign) = (Some(&*certificates.ca), Some(&*certificates.foreign_ca));
    let client = Some(&certificates.client);
    [
        (options(None, client), "UnknownIssuer", "ssl_ca_certs"),
        (options(foreign, client), "UnknownIssuer", "ssl_ca_certs"),
        (options(ca, None), "CertificateRequired", "ssl_certfile"),
        (
            options(ca, Some(&certificates.foreign_client)),
            "nknown",
            "ssl_certfile",
        ),
    ]
}

async fn stored_error(url: &str, options: &Arc<TransportOptions>) -> Error {
    let Ok(Results::Stored(backend)) = backend::url::parse(url, options) else {
        panic!("no Redis: {url}");
    };
    let (sender, _receiver) = mpsc::channel(64);
    match backend.connect(sender).await {
        Ok(_) => panic!("{url} should not work"),
        Err(error) => error,
    }
}

fn assert_told(error: &Error, told: &str, hint: &str) {
    // A client's certificate is judged when the client is through: the alert may be lost with the connection.
    if hint != "ssl_certfile" {
        assert!(error.message.contains("TLS: "), "{error:?}");
        assert!(error.message.contains(told), "{error:?}");
    }
    assert!(
        error.hint.as_ref().is_some_and(|next| next.contains(hint)),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_with_certificates_is_reached_and_every_refusal_says_what_is_missing() {
    let Some(_rig) = support::rig() else { return };
    let certificates = Certificates::shared();
    let server = PrivateRedis::with_tls(certificates);
    let url = format!("{}/0?{}", server.url, certificates.redis_query());
    let (link, mut incoming) = dial_redis(&url).await;
    let id = TaskId::random();
    link.watch(&id).await.expect("a watch");
    let key = format!("celery-task-meta-{id}");
    redis::cmd("PUBLISH")
        .arg(&key)
        .arg("{}")
        .exec(&mut server.connection())
        .expect("redis publishes");
    assert_eq!(stored_result(&mut incoming).await.0, id);
    link.close().await;
    for (options, told, hint) in refusals(certificates) {
        assert_told(&stored_error(&server.url, &options).await, told, hint);
    }
    // Celery encrypts `redis://` too when its settings say so; without them it is told what may be missing.
    let plain = server.url.replace("rediss", "redis");
    let error = stored_error(&plain, &Arc::default()).await;
    assert!(
        error.hint.as_ref().unwrap().contains("ssl=true"),
        "{error:?}"
    );
    let misnamed = PrivateRedis::with_tls_as(certificates, &certificates.misnamed_server);
    let known = options(Some(&certificates.ca), Some(&certificates.client));
    assert_told(
        &stored_error(&misnamed.url, &known).await,
        "not valid for name",
        "by a name",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rabbitmq_with_certificates_is_reached_and_every_refusal_says_what_is_missing() {
    let Some(_rig) = support::rig() else { return };
    let certificates = Certificates::shared();
    let node = tokio::task::spawn_blocking(PrivateRabbit::shared_tls)
        .await
        .expect("a node");
    let vhost = node.rabbit().vhost();
    vhost.declare_queue("q");
    let amqps = node.amqps(&vhost);
    let known = options(Some(&certificates.ca), Some(&certificates.client));
    // Celery's `amqp://` with broker_use_ssl is encrypted too.
    for url in [amqps.clone(), amqps.replace("amqps", "amqp")] {
        let (link, _incoming) = dial(&rabbitmq(&url).with(known.clone(), None)).await;
        let (_, message) = task("shop.tasks.add", &["1", "2"], None);
        let route = Route::to_queue(&queue("q"));
        assert_eq!(link.publish(&route, message).await, Delivery::Confirmed);
        link.close().await;
    }
    for (options, told, hint) in refusals(certificates) {
        let (sender, _receiver) = mpsc::channel(64);
        let connected = rabbitmq(&amqps).with(options, None).connect(sender).await;
        assert_told(&connected.err().expect("a refusal"), told, hint);
    }
}

/// Answers every question over TLS like a management API that knows three unacknowledged messages; wants a client's certificate.
fn encrypted_api(certificates: &Certificates) -> (Leash, u16) {
    let port = support::free_port();
    let program = format!(
        "import http.server, ssl\n\
         class Handler(http.server.BaseHTTPRequestHandler):\n    \
         def do_GET(self):\n        \
         self.send_response(200); self.end_headers(); self.wfile.write(b'{{\"messages_unacknowledged\": 3}}')\n\
         server = http.server.ThreadingHTTPServer(('127.0.0.1', {port}), Handler)\n\
         context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile='{}')\n\
         context.verify_mode = ssl.CERT_REQUIRED\n\
         context.load_cert_chain('{}', '{}')\n\
         server.socket = context.wrap_socket(server.socket, server_side=True)\n\
         server.serve_forever()\n",
        certificates.ca.display(),
        certificates.server.certificate.display(),
        certificates.server.key.display(),
    );
    let mut python = Command::new("python3");
    python.args(["-c", &program]);
    let log = certificates.directory().join("api.log");
    let leash = Leash::start(&python, 0, &log);
    support::eventually(PATIENCE, "the encrypted API listens", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    (leash, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_management_api_with_certificates_is_asked_beside_a_plain_broker() {
    let Some(rig) = support::rig() else { return };
    let certificates = Certificates::shared();
    let (_api, port) = encrypted_api(certificates);
    let url = HttpUrl::parse(&format!("https://localhost:{port}")).expect("a URL");
    let vhost = rig.vhost();
    vhost.declare_queue("q");
    let plain = |identity| {
        let mut all = TransportOptions::clone(&options(Some(&certificates.ca), identity));
        all.tls = Some(false);
        Arc::new(all)
    };
    let known = plain(Some(&certificates.client));
    let (link, _incoming) = dial(&rabbitmq(&vhost.url).with(known, Some(url.clone()))).await;
    let told = async {
        loop {
            match link.depth(&queue("q")).await {
                Ok(Depth::Known {
                    held: Held::Queue(held),
                    ..
                }) => return held,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    assert_eq!(soon("the API's number", told).await, 3);
    link.close().await;
    let (link, mut incoming) = dial(&rabbitmq(&vhost.url).with(plain(None), Some(url))).await;
    link.depth(&queue("q")).await.expect("a depth");
    match next(&mut incoming).await {
        Incoming::Notice(notice) => assert!(notice.contains("https://localhost"), "{notice}"),
        other => panic!("no notice: {other:?}"),
    }
    link.close().await;
}
