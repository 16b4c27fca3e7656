//! How long a call is waited for, and what is late.

use super::*;

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
fn a_lost_result_backend_at_the_deadline_is_exit_5_and_a_recovered_one_is_3() {
    let mut call = sent();
    call.apply(Fact::BackendLost("refused".into()), at(100));
    call.tick(at(20_000));
    assert_eq!(CallDocument::new(&call, false, at(20_000)).exit, 5);
    call.apply(Fact::BackendBack, at(20_001));
    assert_eq!(CallDocument::new(&call, false, at(20_001)).exit, 3);
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

#[test]
fn who_waits_anew_waits_from_then_on_whatever_is_heard() {
    let mut call = sent();
    assert!(call.tick(at(20_000)));
    call.wait_anew(Duration::from_mins(1), at(100_000));
    call.apply(Fact::BackendBack, at(100_001));
    call.apply(started(), at(100_002));
    assert!(!call.tick(at(159_999)));
    assert_eq!(
        (call.waiting, call.timeout, call.deadline()),
        (Waiting::Yes, Duration::from_mins(1), Some(at(160_000).mono))
    );
    assert!(call.tick(at(160_000)));
    call.apply(Fact::NotStored, at(160_001));
    assert_eq!(call.waiting, Waiting::TimedOut(at(160_000)));
    assert_eq!(call.timeout, Duration::from_mins(1));
}

#[test]
fn an_end_is_as_late_as_it_was_for_the_caller_whoever_waits_anew() {
    let mut call = sent();
    call.tick(at(20_000));
    call.wait_anew(Duration::from_mins(1), at(100_000));
    call.apply(success(), at(100_500));
    assert_eq!(call.state(), CallState::LateOk);
    assert_eq!(call.timeout, Duration::from_secs(10));
}
