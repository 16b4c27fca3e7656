//! What the events of workers say of a call.

use super::*;

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
