//! What went wrong once, each by the fewest facts that show it.

use super::*;

fn by(node: &str, ms: i64, clock: u64, kind: TaskEventKind) -> Fact {
    Fact::Event(Box::new(TaskEvent {
        uuid: "c7a31f09-0000-4000-8000-000000000000".into(),
        node: node.into(),
        at: Timestamp::from_millisecond(1_000_000 + ms).ok(),
        clock,
        kind,
    }))
}

fn retry(retries: &str) -> Fact {
    let raised = r#"{"exc_type": "KeyError", "exc_message": ["x"], "exc_module": "builtins"}"#;
    result(&format!(
        r#"{{"status": "RETRY", "result": {raised}, "task_id": "x", "retries": {retries}}}"#
    ))
}

#[test]
fn a_start_that_is_heard_with_the_end_after_an_outage_tells_no_time_it_ran() {
    let mut call = sent();
    call.apply(Fact::BackendLost("refused".into()), at(10));
    call.apply(Fact::BackendBack, at(5_000));
    call.apply(started(), at(5_001));
    call.apply(success(), at(5_002));
    assert_eq!((call.timeline.started, call.timeline.ran()), (None, None));
}

#[test]
fn an_end_that_is_fetched_after_an_outage_was_when_its_worker_says() {
    let mut call = sent();
    call.apply(started(), at(10));
    call.apply(Fact::BackendLost("refused".into()), at(2_000));
    call.apply(Fact::BackendBack, at(28_000));
    let done = Timestamp::from_millisecond(1_000_000 + 20_010).unwrap();
    call.apply(
        result(&format!(
            r#"{{"status": "SUCCESS", "result": 5, "date_done": "{done}", "task_id": "x"}}"#
        )),
        at(28_003),
    );
    assert_eq!(call.timeline.done.map(|done| done.wall), Some(done));
    assert_eq!(call.timeline.ran(), Some(Duration::from_secs(20)));
    let clock = call.timeline.ran_on();
    assert_eq!(clock, Some(Clock::Both), "its start was heard on our clock");
    assert_eq!(call.state(), CallState::LateOk, "it came after the timeout");
}

#[test]
fn an_end_in_time_that_is_merged_after_the_deadline_was_looked_at_is_not_late() {
    let mut call = sent();
    assert!(call.tick(at(10_500)));
    call.apply(success(), at(9_999));
    assert_eq!(call.state(), CallState::Ok);
}

#[test]
fn an_end_after_the_deadline_is_late_although_nobody_looked() {
    let mut call = sent();
    call.apply(success(), at(10_003));
    assert_eq!(call.state(), CallState::LateOk);
}

#[test]
fn an_end_at_the_very_deadline_is_late_whichever_is_looked_at_first() {
    for tick_first in [true, false] {
        let mut call = sent();
        if tick_first {
            call.tick(at(10_002));
        }
        call.apply(success(), at(10_002));
        call.tick(at(10_002));
        assert_eq!(call.state(), CallState::LateOk);
    }
}

#[test]
fn the_first_retry_is_number_one_although_its_result_says_zero() {
    let mut call = sent();
    call.apply(retry("0"), at(20));
    assert_eq!(call.retries, Some(1));
}

#[test]
fn a_retry_heard_after_the_start_that_follows_it_is_old() {
    let mut call = sent();
    call.apply(by("a@h", 5, 1, received(0)), at(5));
    call.apply(by("a@h", 6, 2, TaskEventKind::Started), at(6));
    call.apply(by("a@h", 9, 3, received(1)), at(9));
    call.apply(by("a@h", 10, 4, retried()), at(10));
    call.apply(by("a@h", 30, 5, TaskEventKind::Started), at(30));
    call.apply(retry("null"), at(31));
    assert_eq!((call.state(), call.retries), (CallState::Run, Some(1)));
}

/// The process that runs the task publishes the retry; its worker may read that from the queue before it reads from the process.
#[test]
fn a_retry_that_its_worker_receives_before_it_tells_the_start_before_is_counted_once() {
    let mut call = sent();
    let events = [
        received(0),
        received(1),
        TaskEventKind::Started,
        retried(),
        received(2),
        TaskEventKind::Started,
        retried(),
        TaskEventKind::Started,
    ];
    for (ms, kind) in (1..).zip(events) {
        call.apply(
            by("a@h", ms, ms.unsigned_abs(), kind),
            at(ms.unsigned_abs()),
        );
    }
    assert_eq!((call.state(), call.retries), (CallState::Run, Some(2)));
    assert!(call.started_again().is_none());
}

#[test]
fn a_start_that_was_missed_does_not_count_for_the_next_one() {
    let mut call = sent();
    let events = [received(0), retried(), received(1), TaskEventKind::Started];
    for (ms, kind) in (1..).zip(events) {
        call.apply(
            by("a@h", ms, ms.unsigned_abs(), kind),
            at(ms.unsigned_abs()),
        );
    }
    assert_eq!((call.state(), call.retries), (CallState::Run, Some(1)));
}

#[test]
fn the_same_retry_fetched_again_is_no_other_retry_and_no_step_back() {
    let mut call = sent();
    call.apply(retry("null"), at(20));
    call.apply(by("a@h", 29, 1, received(1)), at(29));
    call.apply(by("a@h", 30, 2, TaskEventKind::Started), at(30));
    call.apply(retry("null"), at(3_000));
    assert_eq!((call.state(), call.retries), (CallState::Run, Some(1)));
}

/// Neither starts nor events are told: the lists alone show that it ran between two retries.
#[test]
fn what_is_kept_for_its_time_runs_no_longer_and_which_retry_that_is_nobody_knows() {
    let mut call = sent();
    call.apply(retry("null"), at(1_000));
    call.apply(seen(Place::Active), at(12_000));
    assert_eq!(call.state(), CallState::Run);
    call.apply(retry("null"), at(20_000));
    call.apply(seen(Place::Scheduled), at(21_000));
    let eta = at(60_000).wall;
    call.apply(Fact::Eta(eta), at(21_000));
    assert_eq!(call.whereabouts(), Some(CallState::Retry));
    assert_eq!((call.retries, call.kept_until()), (None, Some(eta)));
    call.apply(retry("null"), at(22_000));
    call.apply(seen(Place::Scheduled), at(23_000));
    assert_eq!(
        (call.whereabouts(), call.retries),
        (Some(CallState::Retry), None)
    );
    call.apply(seen(Place::Active), at(61_000));
    assert_eq!(
        (call.whereabouts(), call.retries),
        (Some(CallState::Run), None)
    );
    assert_eq!(call.started_again(), None);
}

#[test]
fn a_list_from_before_a_retry_was_ordered_is_found_out_by_the_next_one() {
    let mut call = sent();
    call.apply(retry("null"), at(1_000));
    call.apply(seen(Place::Active), at(1_050));
    call.apply(seen(Place::Scheduled), at(1_100));
    assert_eq!(
        call.whereabouts(),
        Some(CallState::Run),
        "which is the older?"
    );
    call.apply(seen(Place::Scheduled), at(3_000));
    assert_eq!(
        (call.whereabouts(), call.retries),
        (Some(CallState::Retry), None)
    );
}

/// There a list from before is the only thing that could say so.
#[test]
fn where_states_or_events_tell_starts_a_list_of_what_waits_ends_no_run() {
    let mut call = sent();
    call.apply(retry("null"), at(1_000));
    call.apply(started(), at(12_000));
    call.apply(seen(Place::Scheduled), at(14_000));
    assert_eq!((call.state(), call.retries), (CallState::Run, Some(1)));
}

#[test]
fn a_worker_that_was_restarted_counts_its_clock_from_one_again_and_is_heard() {
    let mut call = sent();
    call.apply(by("a@h", 5, 900, received(0)), at(5));
    call.apply(by("a@h", 6, 901, TaskEventKind::Started), at(6));
    call.apply(by("a@h", 3_000, 1, received(0)), at(3_000));
    call.apply(by("a@h", 3_005, 2, TaskEventKind::Started), at(3_005));
    let (worker, when) = call.started_again().unwrap();
    assert_eq!((worker.as_str(), when), ("a@h", at(3_005)));
    assert_eq!(call.timeline.last_started, Some(at(3_005)));
    assert_eq!(call.timeline.started, Some(at(6)));
}

#[test]
fn a_task_that_starts_at_another_worker_too_may_have_run_twice_and_says_so() {
    let mut call = sent();
    call.apply(by("a@h", 5, 1, received(0)), at(5));
    call.apply(by("a@h", 6, 2, TaskEventKind::Started), at(6));
    call.apply(by("b@h", 900, 9, received(0)), at(900));
    assert_eq!(
        (call.state(), call.worker.as_ref().unwrap().as_str()),
        (CallState::Run, "a@h"),
        "whoever only holds it does not run it"
    );
    call.apply(by("b@h", 950, 10, TaskEventKind::Started), at(950));
    assert_eq!(call.worker.as_ref().unwrap().as_str(), "b@h");
    call.apply(success(), at(1_000));
    let said = document(&call)["warnings"].to_string();
    assert!(
        said.contains("b@h") && said.contains("may have run twice"),
        "{said}"
    );
}

/// The worker that ran it first was killed, and the broker gave it to another one.
#[test]
fn who_started_it_first_stays_known_when_another_worker_starts_it_again() {
    let mut call = sent();
    let id = call.id().clone();
    let listed = |node: &str, pid, redelivered, ms: i64| Fact::Seen {
        place: Place::Active,
        node: node.into(),
        task: HeldTask {
            id: id.clone(),
            name: "a".into(),
            started: Some((1_000_000 + ms) as f64 / 1000.0),
            acknowledged: false,
            pid: Some(pid),
            redelivered,
        },
    };
    let (first, second) = (listed("a@h", 41, false, 6), listed("b@h", 77, true, 900));
    call.apply(by("a@h", 5, 1, received(0)), at(5));
    call.apply(by("a@h", 6, 2, TaskEventKind::Started), at(6));
    call.apply(first, at(300));
    assert!(!call.timeline.restarted());
    call.apply(second, at(950));
    call.apply(success(), at(1_000));
    let opened = &call.first;
    let (a, b) = (Some("a@h".into()), Some("b@h".into()));
    assert_eq!(
        (&opened.holder, &opened.worker, opened.pid),
        (&a, &a, Some(41))
    );
    assert_eq!((&call.worker, call.pid), (&b, Some(77)));
    assert!(call.timeline.restarted());
    let document = document(&call);
    assert_eq!(document["first_worker"], "a@h");
    assert!(document["started_again_at"].is_string());
    assert!(document["last_started_at"].as_str() > document["started_at"].as_str());
}

#[test]
fn a_retry_at_another_worker_has_not_run_twice() {
    let mut call = sent();
    call.apply(by("a@h", 5, 1, received(0)), at(5));
    call.apply(by("a@h", 6, 2, TaskEventKind::Started), at(6));
    call.apply(by("b@h", 9, 3, received(1)), at(9));
    call.apply(by("b@h", 30, 5, TaskEventKind::Started), at(30));
    call.apply(by("a@h", 10, 4, retried()), at(31));
    assert_eq!((call.state(), call.retries), (CallState::Run, Some(1)));
    assert_eq!(call.started_again(), None);
}

#[test]
fn a_task_that_was_given_back_while_it_ran_may_have_run_twice() {
    let mut call = sent();
    call.apply(by("a@h", 5, 1, received(0)), at(5));
    call.apply(by("a@h", 6, 2, TaskEventKind::Started), at(6));
    call.apply(
        by("a@h", 7, 3, TaskEventKind::Rejected { requeue: true }),
        at(7),
    );
    assert_eq!((call.state(), &call.worker), (CallState::Sent, &None));
    call.apply(by("a@h", 8, 4, received(0)), at(8));
    assert_eq!(call.state(), CallState::Recv);
    call.apply(by("a@h", 9, 5, TaskEventKind::Started), at(9));
    assert!(call.started_again().is_some());
}

#[test]
fn a_state_of_its_own_and_a_list_that_come_after_the_end_change_nothing() {
    let progress = r#"{"status": "PROGRESS", "result": 1, "task_id": "x"}"#;
    let mut call = sent();
    call.apply(success(), at(100));
    let before = (call.result.clone(), call.timeline, call.worker.clone());
    call.apply(result(progress), at(101));
    call.apply(seen(Place::Active), at(102));
    assert_eq!((call.state(), &call.custom), (CallState::Ok, &None));
    assert_eq!((call.result, call.timeline, call.worker), before);
}

#[test]
fn events_that_are_heard_after_the_result_still_tell_its_times() {
    let mut call = sent();
    call.apply(success(), at(100));
    call.apply(by("a@h", 5, 1, received(0)), at(900));
    call.apply(by("a@h", 6, 2, TaskEventKind::Started), at(900));
    call.apply(by("a@h", 99, 3, succeeded("5")), at(900));
    let timeline = call.timeline;
    assert_eq!(
        (timeline.received, timeline.started),
        (Some(at(5)), Some(at(6)))
    );
    assert_eq!(timeline.ran(), Some(Duration::from_millis(93)));
    assert_eq!(
        timeline.ran_on(),
        Some(Clock::Worker),
        "both ends by one clock"
    );
    assert_eq!(timeline.queued_on(), Some(Clock::Both));
    assert_eq!(timeline.done, Some(at(100)));
}

/// Its next attempt is heard of too late to say when it was received: what is known of the first stays.
#[test]
fn what_is_received_after_the_end_does_not_take_away_when_it_was_received_first() {
    let mut call = sent();
    call.apply(by("a@h", 10, 1, received(0)), at(10));
    call.apply(success(), at(2_000));
    call.apply(by("b@h", 2_050, 2, received(1)), at(2_100));
    assert_eq!(call.timeline.received, Some(at(10)));
    assert_eq!(call.first.holder, Some("a@h".into()));
}

#[test]
fn who_received_it_is_known_although_that_is_heard_after_the_end_without_a_time() {
    let mut call = sent();
    call.apply(success(), at(2_000));
    call.apply(event(1, received(0)), at(2_100));
    assert_eq!(call.timeline.received, None);
    assert_eq!(call.first.holder, Some("w1@h".into()));
}

#[test]
fn a_clock_that_is_two_minutes_off_gives_run_times_and_no_moments() {
    for skew in [-120_000, 120_000] {
        let mut call = sent();
        call.apply(by("a@h", skew + 500, 1, received(0)), at(600));
        call.apply(by("a@h", skew + 510, 2, TaskEventKind::Started), at(600));
        call.apply(by("a@h", skew + 800, 3, succeeded("5")), at(900));
        let timeline = call.timeline;
        assert_eq!(timeline.queued(), Some(Duration::from_millis(600)));
        assert_eq!(timeline.queued_on(), Some(Clock::Ours));
        assert_eq!(timeline.ran(), Some(Duration::from_millis(290)));
        assert_eq!(timeline.ran_on(), Some(Clock::Worker));
        assert_eq!(timeline.total_on(), Some(Clock::Ours));
        assert_eq!(timeline.received, Some(at(600)), "heard when it happened");
    }
}

#[test]
fn the_run_of_a_retried_task_is_its_last_one_and_its_wait_that_before_the_first() {
    let mut call = sent();
    call.apply(started(), at(10));
    call.apply(retry("null"), at(20));
    call.apply(started(), at(2_000));
    call.apply(success(), at(2_050));
    let ms = |took: Option<Duration>| took.map(|took| took.as_millis());
    let timeline = call.timeline;
    assert_eq!(
        (ms(timeline.queued()), ms(timeline.ran())),
        (Some(10), Some(50))
    );
}

#[test]
fn a_revoked_task_that_is_run_all_the_same_ends_as_it_ended() {
    let mut call = sent();
    call.apply(revoked("revoked"), at(10));
    assert_eq!(call.state(), CallState::Revoked);
    call.apply(success(), at(500));
    assert_eq!(call.state(), CallState::Ok);
}

#[test]
fn a_killed_task_is_killed_although_celery_5_6_says_revoked_first() {
    let mut call = sent();
    call.apply(revoked("revoked"), at(10));
    call.apply(revoked("terminated"), at(12));
    assert_eq!(call.state(), CallState::Killed);
}

#[test]
fn a_task_that_is_found_at_a_worker_was_received_by_then_and_when_is_not_known() {
    let mut call = sent();
    call.apply(seen(Place::Reserved), at(9_000));
    let timeline = call.timeline;
    assert_eq!((timeline.received, timeline.held), (None, Some(at(9_000))));
    call.apply(by("a@h", 40, 1, received(0)), at(9_100));
    let timeline = call.timeline;
    assert_eq!(
        (timeline.received, timeline.held),
        (Some(at(40)), Some(at(40)))
    );
}

#[test]
fn a_task_that_is_received_again_after_a_retry_had_been_received_before() {
    let mut call = sent();
    call.apply(by("a@h", 9_000, 1, received(2)), at(9_000));
    let timeline = call.timeline;
    assert_eq!((timeline.received, timeline.held), (None, Some(at(9_000))));
    assert_eq!(call.retries, Some(2));
}

#[test]
fn retries_are_counted_from_the_first_state_and_of_whoever_comes_later_only_told() {
    let heard = |call: &mut Call, from: u64| {
        call.apply(started(), at(from));
        call.apply(retry("null"), at(from + 10));
        call.apply(started(), at(from + 3_000));
        call.apply(retry("null"), at(from + 3_010));
    };
    let mut ours = sent();
    heard(&mut ours, 10);
    assert_eq!((ours.state(), ours.retries), (CallState::Retry, Some(2)));
    // Without `task_track_started` one RETRY follows the other: it may be the same one, fetched again.
    let mut untracked = sent();
    untracked.apply(retry("null"), at(10));
    assert_eq!(untracked.retries, Some(1));
    untracked.apply(retry("null"), at(3_010));
    assert_eq!(untracked.retries, None);
    assert_eq!(untracked.state(), CallState::Retry);
    untracked.apply(success(), at(6_000));
    assert_eq!(
        (untracked.state(), untracked.retries),
        (CallState::Ok, None)
    );
    let mut late = sent();
    late.abandoned(at(20), at(60_000));
    heard(&mut late, 60_000);
    assert_eq!(late.retries, None, "nobody knows how many were before");
    assert_eq!(late.whereabouts(), Some(CallState::Retry));
    late.apply(by("a@h", 64_000, 1, received(7)), at(64_000));
    assert_eq!(late.retries, Some(7));
    let mut early = sent();
    early.abandoned(at(20), at(60_000));
    early.apply(Fact::NotStored, at(60_000));
    heard(&mut early, 70_000);
    assert_eq!(early.retries, Some(2), "none had been stored before");
}
