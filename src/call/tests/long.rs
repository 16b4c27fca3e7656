//! Calls of which more is heard than is kept: what was told once stays told.

use super::hostile::hostile;
use super::order::{merged, shown};
use super::*;
use crate::call::story::Bounds;

fn progress(step: u64) -> Fact {
    result(&format!(
        r#"{{"status": "PROGRESS", "result": {step}, "task_id": "x"}}"#
    ))
}

fn listed(ms: i64) -> Fact {
    let Fact::Seen {
        place, node, task, ..
    } = seen(Place::Active)
    else {
        unreachable!("a place is seen")
    };
    let started = Some((1_000_000 + ms) as f64 / 1000.0);
    let task = HeldTask { started, ..task };
    Fact::Seen { place, node, task }
}

fn sent_at(ms: u64, clock: u64, kind: TaskEventKind) -> Fact {
    Fact::Event(Box::new(TaskEvent {
        uuid: "c7a31f09-0000-4000-8000-000000000000".into(),
        node: "w1@h".into(),
        at: Timestamp::from_millisecond(1_000_000 + i64::try_from(ms).unwrap()).ok(),
        clock,
        kind,
    }))
}

#[test]
fn a_task_that_tells_its_progress_and_is_asked_for_all_day_keeps_its_start() {
    let mut call = sent();
    call.apply(seen(Place::Reserved), at(5));
    let here = r#"{"status": "STARTED", "result": {"pid": 7, "hostname": "w1@h"}, "task_id": "x"}"#;
    call.apply(result(here), at(13));
    let mut first = None;
    for second in 1..=3_600 {
        call.apply(progress(second), at(second * 1_000));
        call.apply(seen(Place::Active), at(second * 1_000 + 500));
        let timeline = call.timeline;
        let known = (timeline.held, timeline.started, timeline.last_started);
        assert_eq!(known, *first.get_or_insert(known), "after {second} s");
    }
    assert_eq!(first, Some((Some(at(5)), Some(at(13)), Some(at(13)))));
    call.apply(success(), at(3_601_000));
    assert_eq!(
        call.timeline.ran(),
        Some(Duration::from_millis(3_601_000 - 13))
    );
    assert_eq!(call.timeline.queued(), Some(Duration::from_millis(13)));
    assert_eq!(call.started_again(), None);
}

#[test]
fn a_hundred_retries_that_events_tell_are_counted() {
    let mut call = sent();
    for attempt in 0..100 {
        let (ms, clock) = (10 + attempt * 1_000, attempt * 3);
        call.apply(sent_at(ms, clock + 1, received(attempt)), at(ms));
        call.apply(
            sent_at(ms + 5, clock + 2, TaskEventKind::Started),
            at(ms + 5),
        );
        assert_eq!(
            (call.state(), call.retries),
            (CallState::Run, Some(attempt))
        );
        call.apply(sent_at(ms + 9, clock + 3, retried()), at(ms + 9));
        assert_eq!(
            (call.state(), call.retries),
            (CallState::Retry, Some(attempt + 1))
        );
    }
    assert_eq!(call.timeline.started, Some(at(15)));
    assert_eq!(call.timeline.last_started, Some(at(99_015)));
    assert_eq!(call.started_again(), None);
}

#[test]
fn a_hundred_retries_that_states_without_a_number_tell_are_counted() {
    let mut call = sent();
    let retry = || {
        let raised = r#"{"exc_type": "KeyError", "exc_message": ["x"], "exc_module": "builtins"}"#;
        result(&format!(
            r#"{{"status": "RETRY", "result": {raised}, "task_id": "x"}}"#
        ))
    };
    for attempt in 0..100 {
        call.apply(started(), at(attempt * 1_000 + 13));
        call.apply(retry(), at(attempt * 1_000 + 20));
        // The same state fetched again.
        call.apply(retry(), at(attempt * 1_000 + 900));
        assert_eq!(call.retries, Some(attempt + 1));
    }
    assert_eq!(call.timeline.started, Some(at(13)));
    assert_eq!(call.timeline.last_started, Some(at(99_013)));
}

#[test]
fn an_event_that_was_forgotten_and_is_heard_again_moves_nothing() {
    let mut call = sent();
    call.apply(sent_at(5, 1, received(0)), at(5));
    call.apply(sent_at(6, 2, TaskEventKind::Started), at(6));
    for second in 1..=200 {
        call.apply(progress(second), at(second * 1_000));
    }
    let before = shown(&call);
    call.apply(sent_at(5, 1, received(0)), at(200_000));
    call.apply(sent_at(6, 2, TaskEventKind::Started), at(200_000));
    call.apply(started(), at(4));
    assert_eq!(shown(&call), before);
}

#[test]
fn a_clock_that_was_found_out_is_not_believed_when_that_is_forgotten() {
    // Ten minutes behind: what it tells after ten minutes looks possible.
    let behind = 600_000;
    let mut call = sent();
    call.apply(listed(13 - behind), at(13));
    for second in 1..=300 {
        call.apply(progress(second), at(second * 1_000));
    }
    let start = (call.timeline.started, call.timeline.told);
    assert_eq!(start, (Some(at(1_000)), false));
    call.apply(listed(900_000 - behind), at(900_000));
    assert_eq!((call.timeline.started, call.timeline.told), start);
}

#[test]
fn a_warning_is_said_once_and_no_endless_list_of_them_is_kept() {
    let mut call = sent();
    call.apply(Fact::Warning("x".into()), at(3));
    call.apply(Fact::Warning("x".into()), at(3));
    assert_eq!(call.warnings, ["x"]);
    for number in 0..1_000 {
        call.apply(Fact::Warning(number.to_string()), at(4));
    }
    assert_eq!(call.warnings.len(), 32);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Wherever it is cut: told in two parts, the first of them for good, a story is the same.
    #[test]
    fn what_is_told_for_good_and_forgotten_leaves_the_same_story(
        all in proptest::collection::vec(hostile(), 0..40), cut in 0..40_usize
    ) {
        let call = merged(&all);
        let bounds = Bounds { sent: call.timeline.published.unwrap_or(call.timeline.created), done: call.timeline.done };
        let late = |_: Moment| false;
        let whole = call.before.told(call.before.memory(), (&call.evidence, usize::MAX), bounds, &late).0;
        let (before, memory) = call.before.told(call.before.memory(), (&call.evidence, cut), bounds, &late);
        let mut rest = call.evidence.clone();
        rest.forget(cut, bounds.sent);
        let parts = before.told(memory, (&rest, usize::MAX), bounds, &late).0;
        prop_assert_eq!(whole, parts);
    }

    /// However much is heard, in the order in which it happened: the start and the retries are those that were told.
    #[test]
    fn retries_among_many_other_facts_are_counted_and_the_start_stays(
        all in proptest::collection::vec((0..40_u64, any::<bool>()), 1..12)
    ) {
        let mut call = sent();
        let (mut ms, mut starts) = (10, vec![]);
        for (attempt, (more, list)) in (0..).zip(&all) {
            let numbered = |status: &str, value: &str| result(&format!(
                r#"{{"status": "{status}", "result": {value}, "task_id": "x", "retries": {attempt}}}"#
            ));
            starts.push(at(ms));
            call.apply(numbered("STARTED", r#"{"pid": 7, "hostname": "w1@h"}"#), at(ms));
            for step in 0..*more {
                ms += 1_000;
                call.apply(progress(step), at(ms));
                if *list {
                    call.apply(seen(Place::Active), at(ms + 500));
                }
            }
            ms += 1_000;
            prop_assert_eq!(call.timeline.last_started, starts.last().copied());
            call.apply(numbered("RETRY", r#"{"exc_type": "E", "exc_message": ["x"], "exc_module": "m"}"#), at(ms));
            prop_assert_eq!(call.retries, Some(attempt + 1));
            ms += 1_000;
        }
        prop_assert_eq!(call.timeline.started, starts.first().copied());
        prop_assert_eq!(call.started_again(), None);
    }
}
