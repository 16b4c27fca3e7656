//! The way of a task, from states and lists.

use super::*;

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
    assert_eq!(call.state(), CallState::Run);
    assert_eq!(
        call.timeline.started, None,
        "it ran before we heard of it, nobody knows since when"
    );
}

#[test]
fn a_task_is_never_received_later_than_it_started() {
    let mut call = sent();
    call.apply(started(), at(5));
    call.apply(seen(Place::Active), at(300));
    assert_eq!(call.timeline.held, Some(at(5)));
}
