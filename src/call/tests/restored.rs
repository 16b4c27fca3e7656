//! Calls brought back from what a record kept of them.

use super::*;
use crate::call::restore::Standing;

/// A call that was `whereabouts` when it was recorded, with what was known of its run.
fn restored(whereabouts: CallState) -> Call {
    resumed(whereabouts, sent())
}

fn resumed(whereabouts: CallState, mut call: Call) -> Call {
    call.worker = Some("w1@h".into());
    call.pid = Some(7);
    call.timeline.held = Some(at(10));
    call.timeline.started = Some(at(10));
    call.timeline.last_started = Some(at(10));
    call.told_at = Some(at(20));
    call.resume(Standing {
        state: whereabouts,
        whereabouts: Some(whereabouts),
        sent: Some(true),
    })
}

fn retry() -> Fact {
    let raised = r#"{"exc_type": "KeyError", "exc_message": ["x"], "exc_module": "builtins"}"#;
    result(&format!(
        r#"{{"status": "RETRY", "result": {raised}, "task_id": "x"}}"#
    ))
}

/// The process may have been told by a list, and then nobody tells the starts between two retries.
#[test]
fn of_a_restored_call_it_is_not_known_whether_its_worker_stores_starts() {
    let mut call = restored(CallState::Run);
    call.apply(retry(), at(1_000));
    assert_eq!(call.retries, Some(1));
    call.apply(retry(), at(9_000));
    assert_eq!((call.state(), call.retries), (CallState::Retry, None));
}

#[test]
fn the_next_try_of_a_restored_call_is_no_second_start() {
    let mut call = restored(CallState::Retry);
    call.apply(started(), at(9_000));
    assert_eq!((call.state(), call.started_again()), (CallState::Run, None));
}

/// A call that was recorded after the result backend had told that it was started.
fn kept(acknowledged: Option<bool>) -> Call {
    let Fact::Result(result) = started() else {
        unreachable!("a state")
    };
    let mut call = sent();
    call.result = Some(Arc::from(result));
    call.acknowledged = acknowledged;
    resumed(CallState::Run, call)
}

/// What the backend keeps it keeps whatever became of the worker.
#[test]
fn of_a_restored_call_that_the_backend_alone_told_no_worker_is_said_to_have_told() {
    let asked = |call: &Call| (call.inquiry.told, call.inquiry.stored);
    assert_eq!(asked(&kept(None)), (None, Some(at(20))));
    assert_eq!(asked(&kept(Some(true))), (Some(at(20)), None));
    let listed = restored(CallState::Run);
    assert_eq!(asked(&listed), (Some(at(20)), None), "no backend told it");
}

#[test]
fn what_had_been_read_before_is_known_of_a_restored_call_and_an_event_is_none() {
    assert!(kept(None).is_read());
    assert!(!restored(CallState::Run).is_read());
    let mut call = sent();
    call.apply(event(1, retried()), at(15));
    assert!(!resumed(CallState::Retry, call).is_read());
}
