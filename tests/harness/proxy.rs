//! The proxy that breaks links, without servers.

use crate::support::{PATIENCE, Proxy, eventually};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

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
fn a_connection_that_says_much_is_held_and_no_other() {
    let proxy = Proxy::to(&format!("echo://{}", echo_server()));
    let (mut large, mut small) = (connect(&proxy), connect(&proxy));
    proxy.hold_after(10);
    large.write_all(&vec![b'x'; 100_000]).unwrap();
    eventually(PATIENCE, "it is held", || proxy.holds());
    for _ in 0..2 {
        assert_eq!(ask(&mut small, "abc"), "abc");
    }
    proxy.release();
    assert!(!proxy.holds());
    large.read_exact(&mut vec![0; 100_000]).unwrap();
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
