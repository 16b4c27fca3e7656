//! What the links, and the place of the results, do to a call.

use super::*;

fn writes_to(url: &str) -> Answer {
    let report = Report {
        results: Some(url.to_owned()),
        ..Report::default()
    };
    Answer::Report(report)
}

#[test]
fn the_broker_comes_first_and_hides_what_silence_seems_to_say() {
    let mut world = World::new();
    world.hear(depth(3, 0), 20);
    world.broker = Way::Down {
        since: at(100),
        reason: "connection refused".to_owned(),
        retry_at: Some(at(7_000)),
    };
    assert_eq!(world.kinds(5_000), ["broker_down"]);
    assert_eq!(
        world.line("broker_down", 5_000),
        "the broker is down for 4.9s, next try in 2.0s: connection refused"
    );
    // It has just gone.
    assert_eq!(
        world.line("broker_down", 100),
        "the broker is down, next try in 6.9s: connection refused"
    );
    world.broker = Way::Blocked("low on memory".to_owned());
    assert_eq!(world.kinds(5_000), ["publishers_blocked"]);
}

#[test]
fn an_ignored_result_is_a_reason_only_out_of_sight() {
    let mut world = World::new();
    world.call.signature.options.ignore_result = Some(true);
    assert!(world.kinds(1_000).contains(&"result_ignored"));
    world.seen(At::Active, 1_100);
    assert!(!world.kinds(1_200).contains(&"result_ignored"));
}

#[test]
fn workers_that_write_elsewhere_are_told() {
    let mut world = World::new();
    let report = Report {
        results: Some("redis://:********@cache:6379/1".to_owned()),
        ..Report::default()
    };
    world.hear(answer(NODE, Answer::Report(report)), 2);
    assert_eq!(
        world.line("backend_mismatch", 1_000),
        "the result goes elsewhere: w1@h writes to redis://:********@cache:6379/1, umbel reads rpc://"
    );
    world.fact(result(State::Started), 1_100);
    assert!(
        !world.kinds(1_200).contains(&"backend_mismatch"),
        "a state was read"
    );
}

#[test]
fn that_one_of_the_readers_writes_elsewhere_is_a_perhaps_until_it_has_the_call() {
    let mut world = World::new();
    world.joins("w2@h", "celery", &["shop.refund"]);
    world.hear(answer(NODE, writes_to("redis://:********@cache:6379/1")), 2);
    world.hear(answer("w2@h", writes_to("rpc://")), 2);
    let diagnosis = world.diagnosis(1_000);
    assert!(diagnosis.why[0].inferred());
    assert!(
        world
            .line("backend_mismatch", 1_000)
            .starts_with("perhaps ")
    );
    assert!(
        diagnosis
            .next
            .iter()
            .all(|it| it.kind() != "read_results_at")
    );
    world.seen(At::Active, 1_100);
    assert!(
        world
            .line("backend_mismatch", 1_200)
            .starts_with("the result")
    );
    let node: NodeName = "w2@h".into();
    let task = task("x", "shop.refund", None);
    world.fact(
        Fact::Seen {
            place: At::Active,
            node,
            task,
        },
        1_300,
    );
    assert!(!world.kinds(1_400).contains(&"backend_mismatch"));
}

/// What it raised came in an event: nothing was read where umbel looks.
#[test]
fn a_retry_that_an_event_tells_is_no_state_that_was_read() {
    let retried = || {
        Fact::Event(Box::new(TaskEvent {
            uuid: "x".into(),
            node: NODE.into(),
            at: None,
            clock: 1,
            kind: TaskEventKind::Retried {
                exception: "KeyError('not yet')".to_owned(),
                traceback: None,
            },
        }))
    };
    let mut world = World::new();
    world.hear(answer(NODE, writes_to("redis://:********@cache:6379/1")), 2);
    world.fact(retried(), 500);
    assert_eq!(world.kinds(1_000), ["backend_mismatch", "retry_waiting"]);
    assert!(!world.call.is_read());
    let unreadable = Fact::Unreadable {
        reason: "a pickle".to_owned(),
        state: None,
    };
    world.fact(unreadable, 1_100);
    assert_eq!(world.kinds(1_200), ["retry_waiting"], "it came here");
    let mut world = World::new();
    world.call.signature.options.ignore_result = Some(true);
    world.fact(retried(), 500);
    world.silent(600, 3_000);
    world.hear(depth(0, 0), 3_100);
    let lost = ["result_ignored", "retry_waiting", "worker_lost"];
    assert_eq!(world.kinds(4_000), lost);
}

/// A result on `rpc://` goes to the reply queue of its caller, which lives as long as that one.
#[test]
fn a_result_that_goes_to_its_caller_alone_comes_while_that_one_lives_and_is_not_awaited_after() {
    let mut world = World::new();
    world.results = stored_at("redis://localhost:6379/1");
    world.hear(answer(NODE, writes_to("rpc:///")), 2);
    world.seen(At::Active, 1_000);
    let diagnosis = world.diagnosis(1_200);
    assert!(diagnosis.to_caller);
    assert!(
        !world.kinds(1_200).contains(&"backend_mismatch"),
        "it is heard"
    );
    assert!(diagnosis.next.contains(&Advice::Wait), "while it lives");
    world.hear(answer(NODE, writes_to("redis://127.0.0.1:6379/1")), 1_250);
    assert!(!world.diagnosis(1_300).to_caller);
}

/// Whoever called has gone, or was another program.
#[test]
fn of_a_call_of_another_caller_it_is_said_that_the_result_went_there_and_not_that_a_process_died() {
    let mut world = World::new();
    world.results = stored_at("redis://localhost:6379/1");
    world.hear(answer(NODE, writes_to("rpc:///")), 2);
    world.seen(At::Active, 1_000);
    world.fact(result(State::Started), 1_100);
    world.call.abandoned(at(1_500), at(2_000));
    assert_eq!(world.kinds(2_100), ["backend_mismatch", "running"]);
    assert_eq!(
        world.line("backend_mismatch", 2_100),
        "the result goes to its caller alone: w1@h writes to rpc://, umbel reads redis://localhost:6379/1"
    );
    world.denies(3_000);
    let diagnosis = world.diagnosis(4_000);
    assert_eq!(world.kinds(4_000), ["backend_mismatch", "worker_lost"]);
    assert_eq!(
        world.line("worker_lost", 4_000),
        "w1@h had it and has it no longer: perhaps it ended, and its result is not seen here"
    );
    assert_eq!(diagnosis.now.state, None);
    assert_eq!(diagnosis.next, [Advice::CallAgain { twice: true }]);
}

/// `cache` may be another name of our own host.
#[test]
fn two_names_of_a_host_hide_neither_the_queue_nor_that_it_is_lost() {
    let mut world = World::new();
    world.results = stored_at("redis://localhost:6379/1");
    world.hear(answer(NODE, writes_to("redis://cache:6379/1")), 2);
    world.hear(depth(2, 1), 1_500);
    assert_eq!(world.kinds(2_000), ["queued", "backend_mismatch"]);
    world.hear(depth(0, 1), 2_500);
    world.denies(2_500);
    world.fact(Fact::NotStored, 2_600);
    assert_eq!(world.kinds(3_000), ["lost", "backend_mismatch"]);
}

#[test]
fn a_backend_that_is_down_is_told() {
    let mut world = World::new();
    world.fact(Fact::BackendLost("connection refused".to_owned()), 500);
    assert_eq!(
        world.line("backend_unreachable", 1_000),
        "the result cannot be read: rpc:// is down (connection refused)"
    );
}

#[test]
fn after_an_outage_states_come_at_once_and_nobody_says_how_long_it_ran() {
    let mut world = World::new();
    world.fact(Fact::BackendLost("gone".to_owned()), 500);
    world.fact(Fact::BackendBack, 5_000);
    world.fact(result(State::Started), 5_010);
    assert_eq!(world.line("running", 5_500), "it runs on w1@h");
    world.fact(result(State::Success), 5_020);
    let timeline = &world.call.timeline;
    assert_eq!((timeline.started, timeline.ran()), (None, None));
    assert!(timeline.total().is_some());
}

fn down(since: u64, reason: &str, retry: u64) -> Way {
    Way::Down {
        since: at(since),
        reason: reason.to_owned(),
        retry_at: Some(at(retry)),
    }
}

fn on_redis() -> World {
    let mut world = World::new();
    world.results = stored_at("redis://h:6379/1");
    world
}

#[test]
fn a_broker_and_a_result_backend_that_go_down_together_are_told_once() {
    let mut world = on_redis();
    world.broker = down(1_500, "broker redis://h:6379/0: connection refused", 9_500);
    let refused = "result backend redis://h:6379/1: connection refused";
    world.backend = down(1_400, refused, 9_000);
    world.fact(Fact::BackendLost(refused.to_owned()), 1_400);
    assert_eq!(world.kinds(5_000), ["broker_down"]);
    assert_eq!(
        world.line("broker_down", 5_000),
        "the broker and the result backend are down for 3.5s, next try in 4.0s: connection refused"
    );
}

#[rstest]
#[case::elsewhere(1_400, "result backend redis://cache:6379/1: no answer in time")]
#[case::before(0, "result backend redis://h:6379/1: connection refused")]
fn two_outages_are_two_reasons(#[case] since: u64, #[case] reason: &str) {
    let mut world = on_redis();
    world.broker = down(7_000, "broker redis://h:6379/0: connection refused", 9_500);
    world.backend = down(since, reason, 9_000);
    assert_eq!(world.kinds(8_000), ["broker_down", "backend_unreachable"]);
    assert!(
        world
            .line("broker_down", 8_000)
            .contains("broker redis://h:6379/0: ")
    );
}

/// What was heard of queues and workers before may be over.
#[test]
fn while_the_broker_is_down_nothing_is_said_of_queues_and_workers() {
    let mut world = World::new();
    world.hear(depth(0, 1), 200);
    world.seen(At::Reserved, 250);
    world.busy(300);
    let kinds = ["held", "worker_busy", "queue_fine"];
    assert_eq!(world.kinds(1_000), kinds);
    world.broker = down(900, "connection refused", 7_000);
    assert_eq!(world.kinds(1_000), ["broker_down"]);
    assert!(world.diagnosis(1_000).now.inferred, "told before that");
    world.seen(At::Active, 800);
    assert_eq!(world.kinds(1_000), ["broker_down", "running"]);
    assert_eq!(
        world.line("running", 1_000),
        "it runs on w1@h for 200ms, last told 200ms ago"
    );
    world.fact(result(State::Retry), 950);
    assert!(!world.line("retry_waiting", 1_000).contains("w1@h"));
}

#[test]
fn while_the_broker_is_down_nobody_is_said_to_have_the_task_that_was_not_registered() {
    let mut world = World::new();
    world.joins("w2@h", "mail", &["shop.refund"]);
    let mut fact = result(State::Failure);
    if let Fact::Result(result) = &mut fact {
        result.exception = Some(crate::protocol::result::Exception {
            kind: "NotRegistered".to_owned(),
            module: None,
            args: vec!["shop.refund".into()],
        });
    }
    world.fact(fact, 500);
    world.broker = down(600, "connection refused", 7_000);
    assert_eq!(
        world.line("not_registered", 1_000),
        "a worker that read celery did not have shop.refund"
    );
}
