//! The state machine of a call. No IO, no async.

use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;

use super::document::CallDocument;
use super::*;
use crate::error::Kind;
use crate::protocol::Options;
use crate::protocol::event::{Announced, TaskEvent, TaskEventKind};

fn at(ms: u64) -> Now {
    Now::fixed(Duration::from_millis(1_000_000 + ms))
}

fn draft() -> Call {
    let signature = Signature {
        task: "shop.tasks.add".into(),
        id: "c7a31f09-0000-4000-8000-000000000000".into(),
        args: vec![],
        kwargs: vec![],
        options: Options::default(),
    };
    Call::new(signature, Duration::from_secs(10), at(0))
}

fn sent() -> Call {
    let mut call = draft();
    call.apply(Fact::Publishing, at(0));
    call.apply(Fact::Confirmed, at(2));
    call
}

fn result(document: &str) -> Fact {
    let id = "c7a31f09-0000-4000-8000-000000000000".into();
    Fact::Result(Box::new(
        TaskResult::parse(document.as_bytes(), None, &id).unwrap(),
    ))
}

fn success() -> Fact {
    result(
        r#"{"status": "SUCCESS", "result": 5, "traceback": null, "children": [], "task_id": "x"}"#,
    )
}

fn failure(kind: &str, args: &str, traceback: &str) -> Fact {
    result(&format!(
        r#"{{"status": "FAILURE", "result": {{"exc_type": "{kind}", "exc_message": {args}, "exc_module": "shop.errors"}}, "traceback": {traceback}, "task_id": "x"}}"#
    ))
}

fn revoked(why: &str) -> Fact {
    result(&format!(
        r#"{{"status": "REVOKED", "result": {{"exc_type": "TaskRevokedError", "exc_message": ["{why}"], "exc_module": "celery.exceptions"}}, "traceback": null, "task_id": "x"}}"#
    ))
}

fn started() -> Fact {
    result(
        r#"{"status": "STARTED", "result": {"pid": 4120, "hostname": "w3@stg"}, "traceback": null, "task_id": "x"}"#,
    )
}

fn seen(place: Place) -> Fact {
    let task = HeldTask {
        id: "x".into(),
        name: "t".into(),
        started: None,
        acknowledged: true,
        pid: Some(7),
        redelivered: false,
    };
    Fact::Seen {
        place,
        node: "w1@h".into(),
        task,
    }
}

#[test]
fn a_call_goes_from_draft_to_ok_and_knows_its_times() {
    let mut call = draft();
    assert_eq!(call.state(), CallState::Draft);
    call.apply(Fact::Publishing, at(0));
    assert_eq!(call.state(), CallState::Send);
    call.apply(Fact::Confirmed, at(2));
    assert_eq!(call.state(), CallState::Sent);
    call.apply(started(), at(13));
    assert_eq!((call.state(), call.pid), (CallState::Run, Some(4120)));
    call.apply(success(), at(213));
    assert_eq!(call.state(), CallState::Ok);
    let ms = |duration: Option<Duration>| duration.map(|duration| duration.as_millis());
    assert_eq!(
        (
            ms(call.timeline.queued()),
            ms(call.timeline.ran()),
            ms(call.timeline.total())
        ),
        (Some(13), Some(200), Some(213))
    );
}

#[rstest]
#[case(success(), CallState::Ok, 0)]
#[case(
    failure("OutOfStock", r#"["x"]"#, r#""Traceback""#),
    CallState::Fail,
    1
)]
#[case(failure("NotRegistered", r#"["t"]"#, "null"), CallState::NoTask, 1)]
#[case(revoked("expired"), CallState::Expired, 7)]
#[case(revoked("revoked"), CallState::Revoked, 7)]
#[case(revoked("terminated"), CallState::Killed, 7)]
fn every_final_result_has_its_state_and_exit_code(
    #[case] fact: Fact,
    #[case] state: CallState,
    #[case] exit: u8,
) {
    let mut call = sent();
    call.apply(fact, at(100));
    assert_eq!(
        (call.state(), CallDocument::new(&call, false, at(50)).exit),
        (state, exit)
    );
}

#[test]
fn a_timeout_ends_the_waiting_and_not_the_call() {
    let mut call = sent();
    assert!(!call.tick(at(10_001)));
    assert!(call.tick(at(10_002)));
    assert_eq!(call.state(), CallState::Timeout);
    assert!(!call.tick(at(10_003)), "it ends only once");
    call.apply(success(), at(30_000));
    assert_eq!((call.state(), call.late()), (CallState::LateOk, true));
    assert_eq!(call.value(), Some(&Json::Number("5".to_owned())));
}

#[test]
fn the_timeout_counts_from_the_confirm() {
    let mut call = draft();
    call.apply(Fact::Publishing, at(0));
    assert_eq!(call.deadline(), None);
    call.apply(Fact::Confirmed, at(4_000));
    assert!(!call.tick(at(13_999)));
    assert!(call.tick(at(14_000)));
}

#[test]
fn more_time_given_after_the_timeout_makes_it_wait_again() {
    let mut call = sent();
    call.tick(at(10_002));
    call.set_timeout(Duration::from_secs(20), at(11_000));
    assert_eq!(call.state(), CallState::Sent);
    call.apply(success(), at(15_000));
    assert_eq!(
        call.state(),
        CallState::Ok,
        "it came within the new timeout"
    );
}

#[test]
fn less_time_than_has_passed_ends_the_waiting_at_the_next_tick() {
    let mut call = sent();
    call.set_timeout(Duration::from_secs(1), at(5_000));
    assert!(call.tick(at(5_000)));
    assert_eq!(call.state(), CallState::Timeout);
}

#[test]
fn a_detached_call_is_still_listened_to_and_is_not_late() {
    let mut call = sent();
    call.detach(at(3_000));
    assert_eq!(call.state(), CallState::Detached);
    assert!(!call.tick(at(99_000)));
    call.apply(success(), at(99_000));
    assert_eq!(call.state(), CallState::Ok);
}

#[test]
fn a_result_before_the_confirm_counts() {
    let mut call = draft();
    call.apply(Fact::Publishing, at(0));
    call.apply(success(), at(3));
    call.apply(Fact::Confirmed, at(4));
    assert_eq!((call.state(), call.sent()), (CallState::Ok, Some(true)));
    assert_eq!(call.elapsed(at(9)), Some(Duration::from_millis(3)));
}

#[test]
fn a_lost_confirm_is_neither_sent_nor_unsent_until_something_is_heard() {
    let mut call = draft();
    call.apply(Fact::Publishing, at(0));
    call.apply(
        Fact::Unknown(Error::new(Kind::UnknownDelivery, "reset")),
        at(5),
    );
    assert_eq!(
        (call.state(), call.sent()),
        (CallState::UnknownDelivery, None)
    );
    call.tick(at(20_000));
    let document = CallDocument::new(&call, false, at(20_000));
    assert_eq!(
        (document.state.as_str(), document.exit),
        ("unknown_delivery", 12)
    );
    call.apply(success(), at(21_000));
    assert_eq!((call.state(), call.sent()), (CallState::LateOk, Some(true)));
}

#[rstest]
#[case(Kind::Unsent, CallState::Unsent, 4)]
#[case(Kind::BackendUnreachable, CallState::Draft, 4)]
#[case(Kind::NoWorker, CallState::Draft, 6)]
#[case(Kind::Config, CallState::Draft, 11)]
fn what_was_not_sent_says_who_refused_it(
    #[case] kind: Kind,
    #[case] state: CallState,
    #[case] exit: u8,
) {
    let mut call = draft();
    call.apply(Fact::Unsent(Error::new(kind, "no")), at(1));
    let document = CallDocument::new(&call, false, at(50));
    assert_eq!(
        (call.state(), call.sent(), document.exit),
        (state, Some(false), exit)
    );
}

#[test]
fn a_lost_result_backend_at_the_deadline_is_exit_5_and_a_recovered_one_is_3() {
    let mut call = sent();
    call.apply(Fact::BackendLost("refused".into()), at(100));
    call.tick(at(20_000));
    assert_eq!(CallDocument::new(&call, false, at(20_000)).exit, 5);
    call.apply(Fact::BackendBack, at(20_001));
    assert_eq!(CallDocument::new(&call, false, at(20_001)).exit, 3);
}

#[test]
fn an_interrupted_call_is_130_and_says_interrupted() {
    let call = sent();
    let document = CallDocument::new(&call, true, at(5));
    assert_eq!(
        (document.exit, document.error.unwrap().kind.as_str()),
        (130, "interrupted")
    );
}

#[test]
fn a_retry_is_not_an_end_and_is_counted() {
    let mut call = sent();
    let retry = || {
        result(
            r#"{"status": "RETRY", "result": {"exc_type": "KeyError", "exc_message": ["x"], "exc_module": "builtins"}, "traceback": "T", "task_id": "x"}"#,
        )
    };
    call.apply(started(), at(10));
    call.apply(retry(), at(20));
    assert_eq!((call.state(), call.retries), (CallState::Retry, Some(1)));
    call.apply(started(), at(30));
    call.apply(retry(), at(40));
    assert_eq!(call.retries, Some(2));
    call.apply(success(), at(50));
    assert_eq!(call.state(), CallState::Ok);
}

#[test]
fn a_custom_state_runs_and_keeps_its_meta() {
    let mut call = sent();
    call.apply(result(r#"{"status": "PROGRESS", "result": {"current": 3, "total": 10}, "traceback": null, "task_id": "x"}"#), at(9));
    assert_eq!(call.state(), CallState::Run);
    assert_eq!(call.custom.as_ref().unwrap().0, "PROGRESS");
}

#[test]
fn a_worker_that_holds_it_is_seen_without_the_backend() {
    let mut call = sent();
    call.apply(seen(Place::Reserved), at(300));
    assert_eq!(
        (call.state(), call.worker.as_ref().unwrap().as_str()),
        (CallState::Recv, "w1@h")
    );
    call.apply(seen(Place::Active), at(1_300));
    assert_eq!(call.state(), CallState::Run);
    call.apply(seen(Place::Reserved), at(1_400));
    assert_eq!(
        call.state(),
        CallState::Run,
        "an old answer does not turn time back"
    );
}

#[test]
fn a_workers_wrong_clock_does_not_move_our_timeline() {
    let mut call = sent();
    let mut fact = seen(Place::Active);
    if let Fact::Seen { task, .. } = &mut fact {
        task.started = Some(5.0);
    }
    call.apply(fact, at(700));
    assert_eq!(call.timeline.started, Some(at(700)));
}

#[test]
fn the_document_has_all_its_keys_in_every_state() {
    let keys =
        |call: &Call| match serde_json::to_value(CallDocument::new(call, false, at(50))).unwrap() {
            serde_json::Value::Object(map) => map.keys().cloned().collect::<Vec<_>>(),
            _ => Vec::new(),
        };
    let mut done = sent();
    done.apply(success(), at(40));
    assert_eq!(keys(&draft()), keys(&done));
    assert_eq!(keys(&done).len(), 36);
}

#[test]
fn a_wrong_argument_is_told_from_a_type_error_inside_the_task() {
    let refused = r#""Traceback (most recent call last):\n  File \"/v/celery/app/trace.py\", line 760, in __protected_call__\n    return self.run(*args, **kwargs)\nTypeError: add() missing""#;
    let inside = r#""Traceback (most recent call last):\n  File \"/v/celery/app/trace.py\", line 760, in __protected_call__\n    return self.run()\n  File \"/srv/shop.py\", line 3, in add\nTypeError: x""#;
    for (traceback, expected) in [(refused, true), (inside, false)] {
        let mut call = sent();
        call.apply(failure("TypeError", r#"["x"]"#, traceback), at(9));
        let document = serde_json::to_value(CallDocument::new(&call, false, at(50))).unwrap();
        assert_eq!(document["error"]["argument_error"], expected);
    }
}

fn any_fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        Just(started()),
        Just(seen(Place::Reserved)),
        Just(seen(Place::Active)),
        Just(result(
            r#"{"status": "PROGRESS", "result": 1, "traceback": null, "task_id": "x"}"#
        )),
        Just(Fact::BackendLost("x".into())),
        Just(Fact::BackendBack),
        Just(Fact::Confirmed),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_before_and_after_the_end_stays_the_end(before in proptest::collection::vec(any_fact(), 0..12), after in proptest::collection::vec(any_fact(), 0..12)) {
        let mut call = sent();
        for (step, fact) in before.into_iter().enumerate() {
            call.apply(fact, at(10 + step as u64));
        }
        call.apply(success(), at(100));
        let done = call.timeline.done;
        for (step, fact) in after.into_iter().chain([success(), failure("E", "[]", "null")]).enumerate() {
            call.apply(fact, at(200 + step as u64));
        }
        prop_assert_eq!(call.state(), CallState::Ok);
        prop_assert_eq!(call.timeline.done, done);
    }
}

#[test]
fn a_task_is_never_received_later_than_it_started() {
    let mut call = sent();
    call.apply(started(), at(5));
    call.apply(seen(Place::Active), at(300));
    assert_eq!(call.timeline.received, Some(at(5)));
}

fn event(clock: u64, kind: TaskEventKind) -> Fact {
    Fact::Event(Box::new(TaskEvent {
        uuid: "c7a31f09-0000-4000-8000-000000000000".into(),
        node: "w1@h".into(),
        at: None,
        clock,
        kind,
    }))
}

fn received(retries: u64) -> TaskEventKind {
    TaskEventKind::Received(Box::new(Announced {
        retries,
        ..Announced::default()
    }))
}

fn succeeded(result: &str) -> TaskEventKind {
    TaskEventKind::Succeeded {
        result: result.to_owned(),
        runtime: None,
    }
}

fn failed(exception: &str) -> TaskEventKind {
    TaskEventKind::Failed {
        exception: exception.to_owned(),
        traceback: None,
    }
}

fn retried() -> TaskEventKind {
    TaskEventKind::Retried {
        exception: "KeyError('not yet')".to_owned(),
        traceback: None,
    }
}

fn document(call: &Call) -> serde_json::Value {
    serde_json::to_value(CallDocument::new(call, false, at(999))).unwrap()
}

#[test]
fn an_event_tells_the_end_and_a_repr_which_is_no_value() {
    let mut call = sent();
    call.apply(event(1, received(0)), at(5));
    assert_eq!(call.state(), CallState::Recv);
    call.apply(event(2, TaskEventKind::Started), at(6));
    assert_eq!(call.state(), CallState::Run);
    call.apply(event(3, succeeded("None")), at(9));
    assert_eq!((call.state(), call.value()), (CallState::Ok, None));
    let document = document(&call);
    assert_eq!(document["result"], serde_json::Value::Null);
    assert_eq!(
        document["result_known"], false,
        "null is not what it returned"
    );
    assert_eq!(document["result_repr"], "None");
    assert_eq!(document["result_truncated"], false);
    assert_eq!(document["result_source"], "event");
    assert_eq!(
        (&document["exit"], &document["worker"]),
        (&0.into(), &"w1@h".into())
    );
}

#[test]
fn a_value_that_comes_after_its_event_completes_the_record() {
    let mut call = sent();
    call.apply(event(3, succeeded("5")), at(9));
    assert!(call.apply(success(), at(12)));
    let document = document(&call);
    assert_eq!(
        (&document["result"], &document["result_known"]),
        (&5.into(), &true.into())
    );
    assert_eq!(
        (&document["result_source"], &document["result_repr"]),
        (&"backend".into(), &serde_json::Value::Null)
    );
    assert_eq!(call.timeline.done, Some(at(9)));
}

#[rstest]
#[case(
    failed("ValueError('no', 3)"),
    CallState::Fail,
    1,
    "ValueError: 'no', 3"
)]
#[case(
    failed("NotRegistered('shop.nope')"),
    CallState::NoTask,
    1,
    "NotRegistered: shop.nope"
)]
#[case(TaskEventKind::Revoked { terminated: false, signum: None, expired: true }, CallState::Expired, 7, "TaskRevokedError: expired")]
#[case(TaskEventKind::Revoked { terminated: true, signum: None, expired: false }, CallState::Killed, 7, "TaskRevokedError: terminated")]
#[case(TaskEventKind::Revoked { terminated: false, signum: None, expired: false }, CallState::Revoked, 7, "TaskRevokedError: revoked")]
#[case(TaskEventKind::Rejected { requeue: false }, CallState::Fail, 1, "Reject: the worker threw its message away (requeue=False)")]
fn every_end_that_an_event_tells_has_its_state_and_exit_code(
    #[case] end: TaskEventKind,
    #[case] state: CallState,
    #[case] exit: u8,
    #[case] headline: &str,
) {
    let mut call = sent();
    call.apply(event(4, end), at(9));
    assert_eq!(call.state(), state);
    assert_eq!(call.headline().as_deref(), Some(headline));
    assert_eq!(document(&call)["exit"], exit);
    assert!(
        document(&call)["error"]["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
}

#[test]
fn a_retry_is_seen_although_its_next_turn_is_announced_before_it() {
    let mut call = sent();
    for (clock, kind) in [
        (1, received(0)),
        (2, TaskEventKind::Started),
        (3, received(1)),
        (4, retried()),
    ] {
        call.apply(event(clock, kind), at(10 * clock));
    }
    assert_eq!((call.state(), call.retries), (CallState::Retry, Some(1)));
    call.apply(event(5, TaskEventKind::Started), at(60));
    assert_eq!(call.state(), CallState::Run);
    call.apply(event(4, retried()), at(61));
    assert_eq!(
        call.state(),
        CallState::Run,
        "what is old says nothing of now"
    );
}

#[test]
fn a_task_that_goes_back_to_its_queue_is_at_no_worker() {
    let mut call = sent();
    call.apply(event(1, received(0)), at(5));
    call.apply(event(2, TaskEventKind::Rejected { requeue: true }), at(6));
    assert_eq!((call.state(), &call.worker), (CallState::Sent, &None));
}

proptest! {
    #[test]
    fn events_in_any_order_and_twice_end_in_the_same_state(
        order in Just((0..7_usize).collect::<Vec<_>>()).prop_shuffle(),
        twice in 0..7_usize,
    ) {
        let kinds = [
            received(0), TaskEventKind::Started, received(1), retried(), TaskEventKind::Started, succeeded("5"), succeeded("5"),
        ];
        let mut call = sent();
        for (step, place) in order.into_iter().chain([twice]).enumerate() {
            call.apply(event(place as u64 + 1, kinds[place].clone()), at(10 + step as u64));
        }
        prop_assert_eq!(call.state(), CallState::Ok);
        prop_assert_eq!(call.repr.map(|repr| repr.text), Some("5".to_owned()));
    }

    #[test]
    fn before_its_end_the_newest_event_says_where_a_task_is(
        order in Just((0..5_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let kinds = [received(0), TaskEventKind::Started, received(1), retried(), TaskEventKind::Started];
        let mut call = sent();
        for (step, place) in order.into_iter().enumerate() {
            call.apply(event(place as u64 + 1, kinds[place].clone()), at(10 + step as u64));
        }
        prop_assert_eq!(call.state(), CallState::Run);
    }
}

#[test]
fn a_result_that_has_arrived_is_read_to_its_end_and_is_not_late() {
    let mut call = sent();
    call.apply(Fact::Arriving(300 << 20), at(9_900));
    assert!(
        !call.tick(at(11_000)),
        "it is here; only the reading takes time"
    );
    call.apply(success(), at(9_900));
    assert_eq!(call.state(), CallState::Ok);
}

#[test]
fn a_large_result_that_arrived_before_the_deadline_was_noticed_is_not_late() {
    let mut call = sent();
    call.tick(at(10_500));
    assert_eq!(call.state(), CallState::Timeout);
    call.apply(Fact::Arriving(300 << 20), at(9_000));
    call.apply(success(), at(9_000));
    assert_eq!(call.state(), CallState::Ok);
}

#[rstest]
#[case(Some(State::Success), CallState::Ok, 0)]
#[case(Some(State::Failure), CallState::Fail, 1)]
#[case(Some(State::Revoked), CallState::Revoked, 7)]
fn what_cannot_be_read_ends_the_call_where_its_state_is_sure(
    #[case] told: Option<State>,
    #[case] state: CallState,
    #[case] exit: u8,
) {
    let mut call = sent();
    let reason = "the result is not readable: too deep".to_owned();
    call.apply(
        Fact::Unreadable {
            reason,
            state: told,
        },
        at(9),
    );
    assert_eq!((call.state(), call.value()), (state, None));
    let document = document(&call);
    assert_eq!(document["exit"], exit);
    assert!(document.to_string().contains("too deep"), "{document}");
    assert!(exit != 0 || document["result_known"] == false, "{document}");
}

#[test]
fn what_cannot_be_read_at_all_may_not_be_the_end() {
    let mut call = sent();
    let reason = "the result is not readable: damaged".to_owned();
    call.apply(
        Fact::Unreadable {
            reason,
            state: None,
        },
        at(9),
    );
    assert_eq!(call.state(), CallState::Sent);
    assert!(call.tick(at(20_000)));
    assert_eq!(document(&call)["exit"], 3);
}

#[test]
fn a_pickled_result_is_shown_and_is_no_value() {
    let pickled = b"\x80\x04}\x94(\x8c\x06status\x94\x8c\x07SUCCESS\x94\x8c\x06result\x94K\x05u.";
    let parsed = TaskResult::parse(pickled, None, &"x".into()).unwrap();
    let mut call = sent();
    call.apply(Fact::Result(Box::new(parsed)), at(9));
    let document = document(&call);
    assert_eq!(
        (&document["state"], &document["exit"]),
        (&"ok".into(), &0.into())
    );
    assert_eq!(
        (&document["result"], &document["result_known"]),
        (&serde_json::Value::Null, &false.into())
    );
    assert_eq!(document["result_form"], "pickle");
    assert!(
        document["result_opaque"].to_string().contains("SUCCESS"),
        "{document}"
    );
}

#[test]
fn a_returned_message_names_exchange_and_key() {
    let mut call = sent();
    call.route = Some(Route {
        exchange: "shop".to_owned(),
        routing_key: "a.b".to_owned(),
    });
    call.apply(Fact::Returned("312 NO_ROUTE".to_owned()), at(9));
    let message = call.trouble.unwrap().message;
    assert!(
        message.contains("\"a.b\"") && message.contains("\"shop\""),
        "{message}"
    );
}
