//! Every way in which a broker and a result backend are reached, with a worker that is configured as Celery's documentation says.

use rstest::rstest;
use serde_json::json;

use crate::support::{
    Certificates, PrivateRabbit, PrivateRedis, Sandbox, SentinelGroup, Version, Worker,
    WorkerOptions, rig,
};

/// Lets a worker add two numbers, and umbel list it.
fn assert_works(sandbox: &Sandbox) {
    let call = [
        "call",
        "shop.tasks.add",
        "2",
        "3",
        "--json",
        "--timeout",
        "60",
    ];
    let document = sandbox.cli(&call).expect_code(0).json();
    assert_eq!(document["result"], json!(5), "{document}");
    let listed = sandbox.cli(&["queues", "--json"]).expect_code(0).json();
    assert_eq!(listed["queues"][0]["name"], "celery", "{listed}");
}

fn worker(broker: &str, backend: &str, conf: &str, version: Option<Version>) -> Worker {
    let options = WorkerOptions {
        broker: broker.to_owned(),
        backend: backend.to_owned(),
        conf: conf.to_owned(),
        version,
        ..WorkerOptions::default()
    };
    Worker::start("shop.tasks", &options)
}

/// The options that umbel needs for a server that wants certificates.
fn certificate_options(certificates: &Certificates) -> String {
    json!({
        "ssl_ca_certs": certificates.ca,
        "ssl_certfile": certificates.client.certificate,
        "ssl_keyfile": certificates.client.key,
    })
    .to_string()
}

#[test]
fn redis_with_certificates_is_broker_and_backend() {
    let Some(_rig) = rig() else { return };
    let certificates = Certificates::shared();
    let server = PrivateRedis::with_tls(certificates);
    let url = format!("{}/0?{}", server.url, certificates.redis_query());
    let _worker = worker(&url, &url, "", None);
    // The user copies Celery's URL; where the results are the worker says itself, and they are beside the broker.
    assert_works(&Sandbox::new().env("CELERY_BROKER_URL", &url));
    let named = Sandbox::new()
        .env("CELERY_BROKER_URL", &format!("{}/0", server.url))
        .env("CELERY_RESULT_BACKEND", &format!("{}/0", server.url))
        .env("UMBEL_BROKER_OPTIONS", &certificate_options(certificates))
        .env("UMBEL_BACKEND_OPTIONS", &certificate_options(certificates));
    assert_works(&named);
}

#[test]
fn rabbitmq_with_certificates_is_broker_and_backend() {
    let Some(_rig) = rig() else { return };
    let certificates = Certificates::shared();
    let node = PrivateRabbit::shared_tls();
    let vhost = node.rabbit().vhost();
    let url = node.amqps(&vhost);
    let _worker = worker(&url, "rpc://", &certificates.amqp_conf(), None);
    let sandbox = Sandbox::new()
        .env("CELERY_BROKER_URL", &url)
        .env("UMBEL_BROKER_OPTIONS", &certificate_options(certificates));
    assert_works(&sandbox);
    // As redis-py has it; kombu itself knows no such query for AMQP.
    let query = format!("{url}?{}", certificates.redis_query());
    assert_works(&Sandbox::new().env("CELERY_BROKER_URL", &query));
}

#[test]
fn a_redis_on_a_socket_is_broker_and_backend() {
    let Some(_rig) = rig() else { return };
    let server = PrivateRedis::on_socket();
    let url = format!("{}?virtual_host=3", server.url);
    let _worker = worker(&url, &url, "", None);
    assert_works(&Sandbox::new().env("CELERY_BROKER_URL", &url));
}

#[test]
fn a_sentinel_group_with_two_passwords_is_broker_and_backend() {
    let Some(_rig) = rig() else { return };
    let group = SentinelGroup::with_passwords(Some("node-pw"), Some("sentinel-pw"));
    let _worker = worker(&group.url(), &group.url(), &group.conf(), None);
    let options = json!({
        "master_name": SentinelGroup::NAME,
        "sentinel_kwargs": {"password": "sentinel-pw"},
    });
    let sandbox = Sandbox::new()
        .env("CELERY_BROKER_URL", &group.url())
        .env("UMBEL_BROKER_OPTIONS", &options.to_string());
    assert_works(&sandbox);
}

#[test]
fn a_password_that_workers_mask_is_that_of_the_broker_beside() {
    let Some(_rig) = rig() else { return };
    let server = PrivateRedis::with_password("secret-pw");
    let (broker, backend) = (format!("{}/0", server.url), format!("{}/1", server.url));
    let _worker = worker(&broker, &backend, "", None);
    assert_works(&Sandbox::new().env("CELERY_BROKER_URL", &broker));
}

#[rstest]
#[case::always_an_underscore(Version::oldest)]
#[case::only_where_needed(Version::newest)]
fn results_under_a_prefix_are_found_whoever_knows_it(#[case] version: fn() -> Version) {
    let Some(rig) = rig() else { return };
    let (vhost, db) = (rig.vhost(), rig.redis_db());
    let conf = "'result_backend_transport_options': {'global_keyprefix': 'kp:'}";
    let _worker = worker(&vhost.url, &db.url, conf, Some(version()));
    let told = Sandbox::new().env("CELERY_BROKER_URL", &vhost.url);
    assert_works(&told);
    let named = told.env("CELERY_RESULT_BACKEND", &db.url);
    assert_works(&named);
    let known = named.env("UMBEL_BACKEND_OPTIONS", r#"{"global_keyprefix": "kp:"}"#);
    assert_works(&known);
}
