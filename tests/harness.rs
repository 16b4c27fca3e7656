//! The harness itself: if this file fails, no other test that uses it says anything about umbel.

#[path = "support/support.rs"]
mod support;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use redis::Commands;
use serde_json::json;
use support::{
    AMQP_ACK, Certificates, Identity, PATIENCE, PrivateRabbit, PrivateRedis, Proxy, Sandbox,
    SentinelGroup, Tmux, Version, Worker, WorkerOptions, celery, celery_as, cli, eventually, key,
    python, python_as, rig, temporary_directory, versions,
};

// ---- without servers -------------------------------------------------------------------------

#[test]
fn a_program_in_a_terminal_shows_its_words_and_is_heard_to_the_end() {
    let script = "read -r line; echo \"heard $line\"; exit 3";
    let mut pty = Sandbox::new().shell_in_pty(24, 80, script);
    pty.keys("you");
    pty.keys(key::ENTER);
    pty.wait_for("heard you");
    assert_eq!(pty.wait_exit().exit_code(), 3);
    assert!(String::from_utf8_lossy(&pty.bytes()).contains("heard you\r\n"));
}

#[test]
fn a_terminal_has_its_size_and_tells_of_a_new_one() {
    let script = "trap 'stty size' WINCH; stty size; while :; do sleep 0.05; done";
    let mut pty = Sandbox::new().shell_in_pty(24, 80, script);
    pty.wait_for("24 80");
    pty.resize(48, 160);
    pty.wait_for("48 160");
    pty.signal("TERM");
    assert!(!pty.wait_exit().success());
}

#[test]
fn an_unread_terminal_holds_up_its_program() {
    let mut pty = Sandbox::new().shell_in_pty(
        24,
        80,
        "echo ready; read -r; yes | head -c 500000; echo; echo over",
    );
    pty.wait_for("ready");
    pty.pause_reading(true);
    pty.keys(key::ENTER);
    let before = pty.bytes_written();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(pty.bytes_written(), before);
    pty.pause_reading(false);
    pty.wait_for("over");
    pty.settle(Duration::from_millis(50));
    assert!(pty.bytes_written() > 500_000);
    assert!(pty.wait_exit().success());
}

#[test]
fn a_run_of_the_binary_has_its_output_and_exit_code() {
    let outcome = cli(&["--version"]).expect_code(0);
    assert!(
        outcome.stdout.starts_with("umbel "),
        "{}",
        outcome.account()
    );
    let outcome = Sandbox::new()
        .stdin("{}")
        .cli(&["--no-such-flag"])
        .expect_code(2);
    assert_eq!(outcome.stdout, "");
    assert!(
        outcome.stderr.contains("--no-such-flag"),
        "{}",
        outcome.account()
    );
}

#[test]
fn a_program_in_tmux_is_typed_to_pasted_to_and_resized() {
    let sandbox = Sandbox::new();
    let script = r#"test -x "$UMBEL" && echo ready; read -r line; echo "heard <$line>"; read -r line; echo "then <$line>"; stty size; exit 4"#;
    let tmux = Tmux::start(&sandbox, 24, 80, &["/bin/bash", "-c", script]);
    tmux.wait_for("ready");
    tmux.text("Enter");
    tmux.keys(&["Enter"]);
    tmux.wait_for("heard <Enter>");
    assert_eq!(tmux.ask("cursor_x"), "0");
    tmux.resize(30, 100);
    tmux.paste("不 one", &[]);
    tmux.keys(&["Enter"]);
    tmux.wait_for("then <不 one>");
    tmux.wait_for("30 100");
    assert_eq!(tmux.wait_exit(), 4);
}

#[test]
fn a_terminal_in_which_a_program_is_stopped_returns_to_its_shell() {
    let mut pty = Sandbox::new().interactive_shell(24, 80);
    pty.wait_for("prompt> ");
    pty.keys("sleep 100\r");
    pty.wait_until(PATIENCE, "the command runs", |screen| {
        !screen.contents().ends_with("prompt> ")
    });
    eventually(PATIENCE, "the shell gets its terminal back", || {
        pty.keys(key::CTRL_Z);
        pty.text().contains("Stopped")
    });
}

#[test]
fn a_sandbox_has_its_own_home_and_nothing_of_this_environment() {
    let sandbox = Sandbox::new().env("EXTRA", "1");
    let home = sandbox.home().display().to_string();
    let mut pty = sandbox.shell_in_pty(50, 200, "env | sort; echo over");
    pty.wait_for("over");
    let text = pty.text();
    assert!(text.contains(&format!("HOME={home}")), "{text}");
    assert!(text.contains("EXTRA=1"), "{text}");
    assert!(!text.contains("CARGO"), "{text}");
    pty.wait_exit();
}

#[test]
fn a_proxy_passes_everything_both_ways() {
    let proxy = Proxy::to(&format!("echo://{}/x", echo_server()));
    let mut socket = connect(&proxy);
    let long = "abc".repeat(100_000);
    let mut writer = socket.try_clone().unwrap();
    let sent = long.clone();
    thread::spawn(move || {
        writer.write_all(sent.as_bytes()).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut heard = String::new();
    socket.read_to_string(&mut heard).unwrap();
    assert!(heard == long);
    assert_eq!(proxy.accepted(), 1);
    eventually(PATIENCE, "a closed link is gone", || proxy.open() == 0);
}

#[test]
fn a_frozen_proxy_holds_what_is_said_until_it_thaws() {
    let proxy = Proxy::to(&format!("echo://{}", echo_server()));
    let mut socket = connect(&proxy);
    assert_eq!(ask(&mut socket, "before"), "before");
    proxy.freeze();
    socket.write_all(b"held").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    assert!(socket.read(&mut [0; 9]).is_err());
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    proxy.thaw();
    assert_eq!(ask(&mut socket, ""), "held");
}

#[test]
fn a_cut_resets_connections_and_leaves_the_proxy_open_to_new_ones() {
    let proxy = Proxy::to(&format!("echo://{}", echo_server()));
    let mut socket = connect(&proxy);
    assert_eq!(ask(&mut socket, "one"), "one");
    proxy.cut();
    assert_is_reset(&mut socket);
    assert_eq!(ask(&mut connect(&proxy), "two"), "two");
    proxy.refuse(true);
    assert_is_reset(&mut connect(&proxy));
    proxy.refuse(false);
    assert_eq!(ask(&mut connect(&proxy), "three"), "three");
}

#[test]
fn a_proxy_that_is_down_refuses_connections_until_it_is_up() {
    let proxy = Proxy::to(&format!("echo://{}", echo_server()));
    let address = proxy.url().strip_prefix("echo://").unwrap().to_owned();
    let mut socket = connect(&proxy);
    assert_eq!(ask(&mut socket, "one"), "one");
    proxy.down();
    assert_is_reset(&mut socket);
    assert_eq!(
        TcpStream::connect(&address).unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    proxy.up();
    assert_eq!(ask(&mut connect(&proxy), "two"), "two");
}

#[test]
fn a_proxy_cuts_after_the_bytes_it_was_told() {
    let (server, heard) = recording_server();
    let proxy = Proxy::to(&format!("any://{server}"));
    proxy.cut_after(5);
    let mut socket = connect(&proxy);
    socket.write_all(b"123").unwrap();
    assert!(!proxy.fired());
    socket.write_all(b"456789").unwrap();
    assert_is_reset(&mut socket);
    eventually(PATIENCE, "the plan has worked", || proxy.fired());
    assert_eq!(heard.join().unwrap(), b"12345");
}

#[test]
fn a_proxy_cuts_before_a_pattern_even_when_it_comes_in_pieces() {
    let (server, heard) = recording_server();
    let proxy = Proxy::to(&format!("any://{server}"));
    proxy.cut_before(b"publish");
    let mut socket = connect(&proxy);
    for piece in ["hello pub", "lish"] {
        socket.write_all(piece.as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(50));
    }
    assert_is_reset(&mut socket);
    assert!(proxy.fired());
    assert_eq!(heard.join().unwrap(), b"hello pub");
}

#[test]
fn a_proxy_swallows_the_answer_to_a_question_and_then_cuts() {
    let (server, heard) = recording_server();
    let proxy = Proxy::to(&format!("any://{server}"));
    proxy.cut_swallowing(b"question", b"!");
    let mut socket = connect(&proxy);
    assert_eq!(ask(&mut socket, "hello;"), "hello;");
    // The server answers each piece with itself: only the second answer is the awaited one.
    socket.write_all(b"question").unwrap();
    thread::sleep(Duration::from_millis(100));
    assert!(!proxy.fired());
    socket.write_all(b"!").unwrap();
    assert_is_reset(&mut socket);
    eventually(PATIENCE, "the plan has worked", || proxy.fired());
    assert_eq!(heard.join().unwrap(), b"hello;question!");
    eventually(PATIENCE, "a cut link is gone", || proxy.open() == 0);
}

/// A server that answers with what it hears.
fn echo_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket works");
    let address = listener.local_addr().expect("a socket works").to_string();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.expect("a socket works");
            thread::spawn(move || {
                std::io::copy(
                    &mut socket.try_clone().expect("a socket works"),
                    &mut socket,
                )
            });
        }
    });
    address
}

/// A server for one connection that answers with what it hears, and tells all of it in the end.
fn recording_server() -> (String, thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket works");
    let address = listener.local_addr().expect("a socket works").to_string();
    let thread = thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a socket works");
        let (mut heard, mut buffer) = (Vec::new(), [0; 1024]);
        while let Ok(count @ 1..) = socket.read(&mut buffer) {
            heard.extend_from_slice(&buffer[..count]);
            drop(socket.write_all(&buffer[..count]));
        }
        heard
    });
    (address, thread)
}

fn connect(proxy: &Proxy) -> TcpStream {
    let address = proxy.url().split('/').nth(2).expect("a socket works");
    let socket = TcpStream::connect(address).expect("a socket works");
    socket
        .set_read_timeout(Some(PATIENCE))
        .expect("a socket works");
    socket
}

fn ask(socket: &mut TcpStream, question: &str) -> String {
    socket
        .write_all(question.as_bytes())
        .expect("a socket works");
    let mut answer = [0; 100];
    let count = socket.read(&mut answer).expect("a socket works");
    String::from_utf8_lossy(&answer[..count]).into_owned()
}

#[track_caller]
fn assert_is_reset(socket: &mut TcpStream) {
    let mut rest = Vec::new();
    let error = socket
        .read_to_end(&mut rest)
        .expect_err("a reset, not an orderly end");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

// ---- with the servers of tests/run -----------------------------------------------------------

#[test]
fn every_test_has_a_rabbitmq_and_a_redis_to_itself() {
    let Some(rig) = rig() else { return };
    let (one, two) = (rig.vhost(), rig.vhost());
    one.declare_queue("q");
    assert_eq!(one.queues(), ["q"]);
    assert!(two.queues().is_empty());
    let (one, two) = (rig.redis_db(), rig.redis_db());
    let _: usize = one.connection().lpush("q", "message").unwrap();
    assert_eq!((one.depth("q"), two.depth("q")), (1, 0));
}

#[test]
fn messages_are_seen_at_once_and_stay_in_their_queue() {
    let Some(rig) = rig() else { return };
    let (vhost, db) = (rig.vhost(), rig.redis_db());
    vhost.declare_queue("celery");
    let code = "from shop.tasks import add; print(add.delay(2, 3).id)";
    let id = python(&vhost.url, &db.url, code);
    for _ in 0..2 {
        let messages = vhost.messages("celery");
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0]["properties"]["correlation_id"], id.trim());
    }
}

#[test]
fn a_worker_on_rabbitmq_answers_a_ping_and_runs_tasks() {
    let Some(rig) = rig() else { return };
    let (vhost, db) = (rig.vhost(), rig.redis_db());
    let worker = Worker::start("shop.tasks", &options(&vhost.url, &db.url));
    let ping = celery(&vhost.url, &db.url, &["inspect", "ping", "--json"]).expect_code(0);
    assert_eq!(ping.json()["w1@test"]["ok"], "pong");
    let code = "from shop.tasks import *; print(add.delay(2, 3).get(timeout=30))";
    assert_eq!(python(&vhost.url, &db.url, code), "5\n");
    let code = "from shop.tasks import *; print(retry_twice.delay().get(timeout=30))";
    assert_eq!(python(&vhost.url, &db.url, code), "{'attempts': 3}\n");
    worker.stop();
}

#[test]
fn a_worker_on_redis_runs_tasks_of_other_queues_and_can_be_frozen_and_killed() {
    let Some(rig) = rig() else { return };
    let db = rig.redis_db();
    let mut options = options(&db.url, &db.url);
    options.queues = vec!["celery".to_owned(), "mail".to_owned()];
    options.pool = "threads".to_owned();
    let worker = Worker::start("shop.tasks", &options);
    let code = "from shop.tasks import *; print(mail.delay('me').get(timeout=30)['queue'])";
    assert_eq!(python(&db.url, &db.url, code), "mail\n");
    let ping = ["inspect", "--timeout", "2", "ping"];
    worker.freeze();
    celery(&db.url, &db.url, &ping).expect_code(69);
    worker.thaw();
    celery(&db.url, &db.url, &ping).expect_code(0);
    worker.kill9();
    assert!(!worker.is_alive());
}

#[test]
fn a_worker_reads_its_settings_and_serves_the_rpc_backend() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let mut options = options(&vhost.url, "rpc://");
    options.conf = "'task_default_queue': 'other'".to_owned();
    options.events = true;
    let _worker = Worker::start("shop.tasks", &options);
    assert!(vhost.queues().contains(&"other".to_owned()));
    let code =
        "from shop.tasks import *; print(add.apply_async((2, 3), queue='other').get(timeout=30))";
    assert_eq!(python(&vhost.url, "rpc://", code), "5\n");
}

#[test]
fn a_proxy_breaks_the_link_between_a_publish_and_its_confirm() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("celery");
    let proxy = Proxy::to(&vhost.url);
    proxy.cut_swallowing(b"marker", AMQP_ACK);
    let code = "
from shop.tasks import *
app.conf.broker_transport_options = {'confirm_publish': True}
try:
    print(add.apply_async(('marker', 3), retry=False, ignore_result=True))
except Exception as error:
    print(type(error).__name__)
";
    let said = python(proxy.url(), "", code);
    assert!(said.contains("Error"), "the client noticed nothing: {said}");
    assert!(proxy.fired());
    assert_eq!(vhost.messages("celery").len(), 1);
}

// ---- with servers of their own ---------------------------------------------------------------

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

#[test]
fn a_virtual_host_may_have_an_odd_name() {
    let Some(rig) = rig() else { return };
    for odd in ["/a b", "žluť", "%2F", "a/b", "/"] {
        let vhost = rig.rabbit.odd_vhost(odd);
        assert!(vhost.name.starts_with(odd) && vhost.name.ends_with(odd));
        vhost.declare_queue("a queue/%");
        assert_eq!(vhost.queues(), ["a queue/%"]);
        assert!(vhost.messages("a queue/%").is_empty());
        let code = "
from shop.tasks import *
print(app.connection().channel().queue_declare('a queue/%', passive=True).message_count)
";
        assert_eq!(python(&vhost.url, "", code), "0\n", "{odd}");
    }
}

#[test]
fn a_user_may_do_what_its_permissions_say() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("celery");
    let user = vhost.user("", ".*", ".*");
    let code = "
from shop.tasks import *
channel = app.connection().channel()
print(channel.queue_declare('celery', passive=True).message_count)
try:
    channel.queue_declare('another')
    print('declared')
except Exception as error:
    print(error)
";
    let said = python(&user.url, "", code);
    assert!(said.starts_with("0\n"), "{said}");
    assert!(said.contains("ACCESS_REFUSED"), "{said}");
    assert_eq!(vhost.queues(), ["celery"]);
}

#[test]
fn everything_that_was_declared_is_seen() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    assert!(vhost.contents().is_empty());
    vhost.declare_exchange("tasks", "topic");
    vhost.declare_queue_with("orders", &json!({"x-max-priority": 10}));
    vhost.bind("tasks", "orders", "order.#");
    assert_eq!(
        vhost.contents(),
        [
            "binding tasks -> queue orders (order.#)",
            "exchange tasks (topic)",
            "queue orders"
        ]
    );
    let queue = vhost.queue("orders").unwrap();
    assert_eq!(queue["arguments"]["x-max-priority"], 10);
    assert_eq!(vhost.queue("another"), None);
}

// ---- versions and applications ---------------------------------------------------------------

#[test]
fn workers_of_every_version_of_celery_answer_a_ping_and_run_tasks() {
    let Some(rig) = rig() else { return };
    assert!(!Version::oldest().at_least("5.5") && Version::newest().at_least("5.7"));
    for &version in versions() {
        let (vhost, db) = (rig.vhost(), rig.redis_db());
        let mut options = options(&vhost.url, &db.url);
        (options.version, options.pool) = (Some(version), "solo".to_owned());
        let worker = Worker::start("shop.tasks", &options);
        let ping = celery_as(&options, "shop.tasks", &["inspect", "ping", "--json"]);
        assert_eq!(ping.expect_code(0).json()["w1@test"]["ok"], "pong");
        let code = "import celery; print(celery.__version__)";
        let said = python_as(&options, code);
        assert!(said.starts_with(&format!("{version}.")), "{said}");
        // Every serializer and every compression that kombu has, both ways.
        let code = "
from shop.tasks import *
from kombu.compression import encoders
from kombu.serialization import registry
print(*sorted(set(registry._encoders) & {'json', 'yaml', 'msgpack', 'pickle'}), *sorted(encoders()))
";
        let said = python_as(&options, code);
        let x = "application/";
        assert_eq!(
            said,
            format!("json msgpack pickle yaml {x}x-brotli {x}x-bz2 {x}x-gzip {x}x-lzma {x}zstd\n"),
            "{version}"
        );
        worker.stop();
    }
}

#[test]
fn tasks_of_every_serializer_and_compression_arrive_and_their_results_come_back() {
    let Some(rig) = rig() else { return };
    for &version in versions() {
        for serializer in ["json", "yaml", "msgpack", "pickle"] {
            let db = rig.redis_db();
            let mut options = options(&db.url, &db.url);
            (options.version, options.pool) = (Some(version), "solo".to_owned());
            options.conf = format!(
                "'accept_content': ['{serializer}', 'json'], 'result_serializer': '{serializer}', \
                 'task_serializer': '{serializer}', 'result_compression': 'gzip'"
            );
            let _worker = Worker::start("shop.tasks", &options);
            let code = "
from shop.tasks import *
for compression in [None, 'gzip', 'bzip2', 'lzma', 'brotli', 'zstd']:
    print(types_of.apply_async((1.5, 'ž', [None]), {'k': True}, compression=compression).get(timeout=30))
print(give.delay('plain').get(timeout=30) == GIFTS['plain']())
";
            let said = python_as(&options, code);
            let arrived = "{'args': ['1.5', \"'ž'\", '[None]'], 'kwargs': {'k': 'True'}}\n";
            assert_eq!(
                said,
                arrived.repeat(6) + "True\n",
                "{serializer}, {version}"
            );
        }
    }
}

#[test]
fn a_task_tells_all_that_its_message_said() {
    let Some(rig) = rig() else { return };
    for &version in versions() {
        let (vhost, db) = (rig.vhost(), rig.redis_db());
        let mut options = options(&vhost.url, &db.url);
        (options.version, options.pool) = (Some(version), "solo".to_owned());
        let _worker = Worker::start("shop.tasks", &options);
        let code = "
from shop.tasks import *
call = headers_seen.s(1, k=2).set(headers={'x-mine': 'yes', 'n': 5}, priority=7, shadow='shade', expires=600, countdown=0.1)
told = call.set(soft_time_limit=8, time_limit=9).apply_async().get(timeout=30)
print(json.dumps(told))
";
        let told: serde_json::Value =
            serde_json::from_str(&python_as(&options, code)).expect("JSON");
        assert_eq!(told["shadow"], "shade", "{told}");
        assert_eq!(told["timelimit"], json!([9, 8]), "{told}");
        assert_eq!(told["delivery_info"]["priority"], 7, "{told}");
        assert_eq!(told["headers"]["x-mine"], "yes", "{told}");
        assert_eq!(told["headers"]["n"], 5, "{told}");
        assert!(
            told["eta"].is_string() && told["expires"].is_string(),
            "{told}"
        );
    }
}

#[test]
fn the_routed_shop_has_the_queues_that_it_was_told_to_have() {
    let Some(rig) = rig() else { return };
    for &version in versions() {
        let vhost = rig.vhost();
        let mut options = options(&vhost.url, "rpc://");
        (options.version, options.pool) = (Some(version), "solo".to_owned());
        let quorum = if version.at_least("5.5") {
            ",qtopic,qdirect"
        } else {
            ""
        };
        let queues = format!("celery,orders,urgent,news,odd key{quorum}");
        options.env = vec![("QUEUES".to_owned(), queues)];
        let worker = Worker::start("shop.routed", &options);
        let contents = vhost.contents();
        let has = |line: &str| {
            assert!(
                contents.iter().any(|other| other == line),
                "{line}: {contents:?}"
            );
        };
        has("binding tasks -> queue orders (order.#)");
        has("exchange tasks (topic)");
        has("binding odd -> queue odd key (not the name)");
        assert_eq!(
            vhost.queue("urgent").unwrap()["arguments"]["x-max-priority"],
            10
        );
        if version.at_least("5.5") {
            assert_eq!(vhost.queue("qtopic").unwrap()["type"], "quorum");
            has("queue celery_delayed_27");
        }
        let code = "
from shop.routed import *
print(add.apply_async((2, 3), exchange='tasks', routing_key='order.new').get(timeout=30))
print(add.apply_async((2, 3), queue='urgent', priority=9).get(timeout=30))
";
        assert_eq!(python_as(&options, code), "5\n5\n", "{version}");
        worker.stop();
    }
}

#[test]
fn the_newest_celery_has_a_pool_of_greenlets_and_results_in_a_database() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let file = temporary_directory("sqlite-");
    let backend = format!("db+sqlite:///{}/results", file.path().display());
    let mut options = options(&vhost.url, &backend);
    (options.version, options.pool) = (Some(Version::newest()), "gevent".to_owned());
    let _worker = Worker::start("shop.tasks", &options);
    let code = "from shop.tasks import *; print(add.delay(2, 3).get(timeout=30))";
    assert_eq!(python_as(&options, code), "5\n");
}

#[test]
fn settings_hold_every_kind_of_python_literal() {
    let Some(_rig) = rig() else { return };
    let mut options = options("memory://", "");
    options.conf =
        "'a': {1, 2}, 'b': (1, None), 'c': b'x', 'd': {'cert_reqs': 2}, 'e': True, 'f': -1.5"
            .to_owned();
    let code = "from shop.tasks import app; print([app.conf[key] for key in 'abcdef'])";
    assert_eq!(
        python_as(&options, code),
        "[{1, 2}, (1, None), b'x', {'cert_reqs': 2}, True, -1.5]\n"
    );
}

fn options(broker: &str, backend: &str) -> WorkerOptions {
    WorkerOptions {
        broker: broker.to_owned(),
        backend: backend.to_owned(),
        ..WorkerOptions::default()
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
