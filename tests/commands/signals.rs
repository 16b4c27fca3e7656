//! SIGINT and SIGTERM: the program ends at once with its code, says the id, and the document is whole.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use rstest::rstest;

use crate::contract;
use crate::support::{Outcome, PATIENCE, Sandbox, key};

/// Promised. On a machine under load a single measurement says little, so the best of several counts.
const AT_ONCE: Duration = Duration::from_millis(200);

#[rstest]
#[case("INT", 130)]
#[case("TERM", 143)]
fn a_signal_ends_the_waiting_at_once_and_the_id_is_on_stderr(
    #[case] signal: &str,
    #[case] code: u32,
) {
    let mut best = Duration::MAX;
    for _ in 0..10 {
        let words = [
            "--demo",
            "call",
            "demo.slow.sleep",
            "30",
            "--task-id",
            "the-id",
        ];
        let mut pty = Sandbox::new().pty(24, 100, &words);
        pty.wait_for("RUN on alpha@demo");
        let start = Instant::now();
        pty.signal(signal);
        assert_eq!(pty.wait_exit().exit_code(), code, "{}", pty.text());
        best = best.min(start.elapsed());
        let said = pty.text();
        assert!(
            said.contains("the-id") && said.contains("the task goes on"),
            "{said}"
        );
        if best < AT_ONCE {
            break;
        }
    }
    assert!(best < AT_ONCE, "{best:?}");
}

#[test]
fn ctrl_c_on_the_terminal_is_the_same() {
    let mut pty = Sandbox::new().pty(24, 100, &["--demo", "call", "demo.slow.sleep", "30"]);
    pty.wait_for("RUN on alpha@demo");
    pty.keys(key::CTRL_C);
    assert_eq!(pty.wait_exit().exit_code(), 130);
}

/// A broker that takes connections and says nothing, for as long as it lives.
struct Silent {
    listener: TcpListener,
    url: String,
}

impl Silent {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        Self {
            listener,
            url: format!("amqp://127.0.0.1:{port}//"),
        }
    }

    /// Waits until somebody has connected; the connection stays open with what is returned.
    fn connected(&self) -> std::net::TcpStream {
        self.listener.accept().expect("a connection").0
    }
}

/// How a call ends that is stopped while it connects.
fn stopped(signal: &str, more: &[&str]) -> Outcome {
    // A new one each time: a connection that nobody took would be taken for the next program's.
    let broker = Silent::new();
    let words = ["call", "t", "--broker", &broker.url, "--task-id", "the-id"];
    let words: Vec<&str> = words.iter().chain(more).copied().collect();
    let running = Sandbox::new().start(&words);
    let _connection = broker.connected();
    running.signal(signal);
    running.wait()
}

#[rstest]
#[case("INT", 130)]
#[case("TERM", 143)]
fn a_call_that_is_stopped_before_it_was_sent_says_so(#[case] signal: &str, #[case] code: i32) {
    let outcome = stopped(signal, &[]).expect_code(code);
    assert!(outcome.took < PATIENCE);
    assert!(
        outcome.stderr.contains("nothing was sent"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("the-id"), "{}", outcome.stderr);

    let outcome = stopped(signal, &["--json"]).expect_code(code);
    let document = contract::call(&outcome);
    assert_eq!(document["error"]["kind"], "interrupted");
    assert_eq!(document["state"], "draft");
    assert_eq!(document["sent"], false);
    assert_eq!(document["error"]["retry_safe"], true);
}

#[rstest]
#[case("tasks", "INT", 130)]
#[case("tasks", "TERM", 143)]
#[case("queues", "INT", 130)]
#[case("workers", "TERM", 143)]
fn a_listing_that_is_stopped_is_a_failure_with_a_document(
    #[case] command: &str,
    #[case] signal: &str,
    #[case] code: i32,
) {
    let broker = Silent::new();
    let running = Sandbox::new().start(&[command, "--broker", &broker.url, "--json"]);
    let _connection = broker.connected();
    running.signal(signal);
    contract::failure(&running.wait(), code, "interrupted");
}

#[rstest]
#[case("INT", 130)]
#[case("TERM", 143)]
fn a_call_that_is_left_by_a_signal_is_the_next_umbel_s_at_once(
    #[case] signal: &str,
    #[case] code: u32,
) {
    let home = Sandbox::new();
    let words = ["demo.slow.sleep", "30", "--timeout", "none", "--history"];
    let words = [&["--demo", "call", "--task-id", "left"], &words[..]].concat();
    let mut pty = home.pty(24, 100, &words);
    pty.wait_for("RUN on alpha@demo");
    pty.signal(signal);
    assert_eq!(pty.wait_exit().exit_code(), code, "{}", pty.text());
    assert!(
        pty.text().contains("RUN  demo.slow.sleep"),
        "{}",
        pty.text()
    );
    let kept = home
        .cli(&["history", "--jsonl"])
        .expect_code(0)
        .json_lines();
    assert_eq!(kept[0]["state"], "detached", "{kept:?}");
}

#[test]
fn a_call_is_in_history_where_it_is_while_it_is_waited_for_and_after_a_kill() {
    let home = Sandbox::new();
    let call = ["--demo", "call", "demo.slow.sleep", "60", "--history"];
    let running = home.start(&[&call[..], &["--task-id", "slow-1"]].concat());
    let begun = Instant::now();
    let listed = || home.cli(&["history", "--plain"]).stdout;
    while !listed().contains("\trun\t") {
        assert!(begun.elapsed() < PATIENCE, "{}", listed());
    }
    running.signal("KILL");
    drop(running);
    let shown = home.cli(&["history", "show", "slow-1"]).expect_code(0);
    let told = shown.stderr;
    assert!(told.contains("RUN on alpha@demo"), "{told}");
    let document = home.cli(&["history", "show", "slow-1", "--json"]).json();
    assert_eq!(document["sent"], true, "{document}");
}
