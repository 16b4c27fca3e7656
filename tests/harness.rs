//! The harness itself: if this file fails, no other test that uses it says anything about umbel.

#[path = "support/support.rs"]
mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use redis::Commands;
use support::{
    AMQP_ACK, PATIENCE, PrivateRabbit, PrivateRedis, Proxy, Sandbox, Tmux, Worker, WorkerOptions,
    celery, cli, eventually, key, python, rig,
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

fn options(broker: &str, backend: &str) -> WorkerOptions {
    WorkerOptions {
        broker: broker.to_owned(),
        backend: backend.to_owned(),
        ..WorkerOptions::default()
    }
}
