//! Servers that belong to one test alone.

use crate::support::{
    Certificates, Identity, PATIENCE, PrivateRabbit, PrivateRedis, SentinelGroup, Worker, python,
    python_as, rig,
};
use crate::{options, path};
use redis::Commands;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn a_private_redis_can_be_killed_restarted_frozen_and_locked() {
    let Some(_rig) = rig() else { return };
    let mut server = PrivateRedis::with_password("s3cret");
    let open = format!("redis://127.0.0.1:{}", server.port);
    let client = redis::Client::open(open).unwrap();
    assert!(
        redis::cmd("PING")
            .exec(&mut client.get_connection().unwrap())
            .is_err()
    );
    let mut old = server.connection();
    let _: () = old.set("key", 1).unwrap();
    server.kill();
    assert!(old.get::<_, i32>("key").is_err());
    assert!(client.get_connection().is_err());
    server.restart();
    let mut connection = server.connection();
    assert_eq!(connection.get::<_, Option<i32>>("key").unwrap(), None);
    connection
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    server.freeze();
    assert!(redis::cmd("PING").exec(&mut connection).is_err());
    server.thaw();
    assert!(redis::cmd("PING").exec(&mut server.connection()).is_ok());
}

#[test]
fn a_private_rabbitmq_keeps_durable_things_over_a_kill_and_a_restart() {
    let Some(_rig) = rig() else { return };
    let mut node = PrivateRabbit::shared();
    let vhost = node.rabbit().vhost();
    vhost.declare_queue("durable");
    node.flush();
    node.kill();
    assert!(TcpStream::connect(("127.0.0.1", node.rabbit().port)).is_err());
    node.restart();
    assert_eq!(vhost.queues(), ["durable"]);
    node.freeze();
    let start = Instant::now();
    let mut socket = TcpStream::connect(("127.0.0.1", node.rabbit().port)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    socket.write_all(b"AMQP\0\0\x09\x01").unwrap();
    assert!(
        socket.read(&mut [0; 1]).is_err(),
        "it answered after {:?}",
        start.elapsed()
    );
    node.thaw();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(socket.read(&mut [0; 1]).unwrap(), 1);
}

#[test]
fn a_redis_with_users_lets_each_do_what_its_rules_say() {
    let Some(_rig) = rig() else { return };
    let server = PrivateRedis::with_users(&[("joe", "s3cret", "~mine:* &* +@all -@dangerous")]);
    let connect = |url: String| redis::Client::open(url)?.get_connection();
    let mut joe = connect(server.url_of("joe", "s3cret")).unwrap();
    let _: () = joe.set("mine:1", 1).unwrap();
    let denied = joe.set::<_, _, ()>("yours:1", 1).unwrap_err();
    assert_eq!(denied.code(), Some("NOPERM"), "{denied}");
    assert!(joe.keys::<_, Vec<String>>("*").is_err());
    assert!(connect(server.url_of("joe", "wrong")).is_err());
    let mut nobody = connect(server.url.clone()).unwrap();
    let denied = redis::cmd("PING").exec(&mut nobody).unwrap_err();
    assert_eq!(denied.code(), Some("NOAUTH"), "{denied}");
    let _: () = joe.set_ex("mine:2", 1, 100).unwrap();
    let keys = server.keys_left();
    assert_eq!(keys[0].to_string(), "string mine:1 (for ever)");
    assert_eq!((keys.len(), keys[1].kind.as_str()), (2, "string"));
    assert!(keys[1].ttl.is_some_and(|ttl| (90..=100).contains(&ttl)));
}

#[test]
fn a_redis_on_a_socket_has_no_port_and_serves_a_worker() {
    let Some(_rig) = rig() else { return };
    let server = PrivateRedis::on_socket();
    assert!(server.socket().exists());
    let mut options = options(&server.url, &server.url);
    options.pool = "solo".to_owned();
    let _worker = Worker::start("shop.tasks", &options);
    let code = "from shop.tasks import *; print(add.delay(2, 3).get(timeout=30))";
    assert_eq!(python(&server.url, &server.url, code), "5\n");
    let keys = server.keys_left();
    assert!(
        keys.iter()
            .any(|key| key.name.starts_with("celery-task-meta-") && key.ttl.is_some()),
        "{keys:?}"
    );
}

#[test]
fn a_redis_with_tls_serves_a_worker_and_refuses_everybody_without_our_certificate() {
    let Some(_rig) = rig() else { return };
    let certificates = Certificates::shared();
    let server = PrivateRedis::with_tls(certificates);
    let ping = |ca: &Path, identity: Option<&Identity>| {
        let client_tls = identity.map(|identity| redis::ClientTlsConfig {
            client_cert: fs::read(&identity.certificate).unwrap(),
            client_key: fs::read(&identity.key).unwrap(),
        });
        let root_cert = Some(fs::read(ca).unwrap());
        let tls = redis::TlsCertificates {
            client_tls,
            root_cert,
        };
        let mut connection =
            redis::Client::build_with_tls(server.url.as_str(), tls)?.get_connection()?;
        redis::cmd("PING").exec(&mut connection)
    };
    ping(&certificates.ca, Some(&certificates.client)).unwrap();
    let says = |result: redis::RedisResult<()>, words: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    says(ping(&certificates.ca, None), "CertificateRequired");
    says(
        ping(&certificates.ca, Some(&certificates.foreign_client)),
        "alert",
    );
    says(
        ping(&certificates.foreign_ca, Some(&certificates.client)),
        "UnknownIssuer",
    );
    for conf in [certificates.redis_conf(), String::new()] {
        // The settings alone, and the query of the URL alone.
        let url = if conf.is_empty() {
            format!("{}/0?{}", server.url, certificates.redis_query())
        } else {
            format!("{}/0", server.url)
        };
        let mut options = options(&url, &url);
        (options.conf, options.pool) = (conf, "solo".to_owned());
        let worker = Worker::start("shop.tasks", &options);
        let code = "from shop.tasks import *; print(add.delay(2, 3).get(timeout=30))";
        assert_eq!(python_as(&options, code), "5\n");
        worker.stop();
    }
}

#[test]
fn a_redis_with_the_certificate_of_another_name_is_refused() {
    let Some(_rig) = rig() else { return };
    let certificates = Certificates::shared();
    let server = PrivateRedis::with_tls_as(certificates, &certificates.misnamed_server);
    let tls = redis::TlsCertificates {
        client_tls: None,
        root_cert: Some(fs::read(&certificates.ca).unwrap()),
    };
    let client = redis::Client::build_with_tls(server.url.as_str(), tls).unwrap();
    let error = client.get_connection().err().unwrap().to_string();
    assert!(error.contains("broker.example"), "{error}");
}

#[test]
fn a_rabbitmq_with_tls_serves_a_worker_and_refuses_everybody_without_our_certificate() {
    let Some(_rig) = rig() else { return };
    let certificates = Certificates::shared();
    let node = PrivateRabbit::shared_tls();
    let vhost = node.rabbit().vhost();
    let mut options = options(&node.amqps(&vhost), "rpc://");
    (options.conf, options.pool) = (certificates.amqp_conf(), "solo".to_owned());
    let _worker = Worker::start("shop.tasks", &options);
    let code = "from shop.tasks import *; print(add.delay(2, 3).get(timeout=30))";
    assert_eq!(python_as(&options, code), "5\n");
    // Plain text is spoken on the other port.
    assert!(vhost.queues().contains(&"celery".to_owned()));
    let connect = "
from shop.tasks import *
try:
    app.connection().ensure_connection(max_retries=1)
    print('in')
except Exception as error:
    print(repr(error))
";
    assert_eq!(python_as(&options, connect), "in\n");
    let client = &certificates.client;
    let foreign = &certificates.foreign_client;
    options.conf = options
        .conf
        .replace(path(&client.certificate), path(&foreign.certificate))
        .replace(path(&client.key), path(&foreign.key));
    let said = python_as(&options, connect);
    assert!(said.contains("Error") && !said.contains("in\n"), "{said}");
    options.conf = certificates
        .amqp_conf()
        .replace(path(&certificates.ca), path(&certificates.foreign_ca));
    let said = python_as(&options, connect);
    assert!(said.contains("CERTIFICATE_VERIFY_FAILED"), "{said}");
}

#[test]
fn sentinels_elect_another_master_and_the_worker_follows() {
    let Some(_rig) = rig() else { return };
    let mut group = SentinelGroup::with_passwords(Some("nodepw"), Some("sentinelpw"));
    let mut options = options(&group.url(), &group.url());
    (options.conf, options.pool) = (group.conf(), "solo".to_owned());
    let worker = Worker::start("shop.tasks", &options);
    let code = "from shop.tasks import *; print(add.delay(2, 3).get(timeout=30))";
    assert_eq!(python_as(&options, code), "5\n");
    let old = group.current_master().unwrap();
    let new = group.failover();
    assert_ne!(new, old);
    assert_eq!(group.current_master(), Some(new));
    worker.wait_for_log("Connection to broker lost");
    assert_eq!(python_as(&options, code), "5\n");
    group.revive();
    assert_eq!(group.failover(), old);
}

#[test]
fn a_group_without_passwords_lives_with_a_dead_sentinel_and_a_frozen_master() {
    let Some(_rig) = rig() else { return };
    let mut group = SentinelGroup::start();
    let _: () = group.connection().set("key", 1).unwrap();
    group.kill_sentinel(0);
    let old = group.freeze_master();
    let new = group.wait_for_failover(old);
    assert_ne!(new, old);
    assert_eq!(group.connection().get::<_, u8>("key").unwrap(), 1);
    group.thaw(old);
    group.start_sentinel(0);
    group.revive();
    assert_eq!(group.current_master(), Some(new));
}
