//! Calls for tests, and what a record must keep of them.

mod any;
mod looks;

use std::time::Duration;

use proptest::prelude::*;

pub(in crate::history) use self::any::{json, record};
use super::*;
use crate::call::timeline::Clock;
use crate::call::{Call, Fact};
use crate::clock::Now;
use crate::error::Kind;
use crate::protocol::control::{HeldTask, Place as At};
use crate::protocol::{Options, TaskResult};

fn now(ms: u64) -> Now {
    Now::fixed(Duration::from_secs(1_700_000_000) + Duration::from_millis(ms))
}

/// Nothing is secret: what is kept must be what was.
pub(in crate::history) fn scribe() -> Scribe {
    Scribe {
        origin: Origin {
            face: Face::CommandLine,
            broker: "amqp://h:5672/".to_owned(),
            backend: Some("redis://:***@h:6379/0".to_owned()),
            profile: None,
        },
        secrets: crate::history::Secrets::new::<&str>(&[]).unwrap(),
    }
}

fn plain(kwargs: Vec<(String, Json)>) -> Call {
    let signature = Signature {
        task: "shop.orders.refund".into(),
        id: "c7a31f09-0000-4000-8000-000000000000".into(),
        args: Vec::new(),
        kwargs,
        options: Options::default(),
    };
    let mut call = Call::new(signature, Duration::from_secs(10), now(0));
    call.apply(Fact::Publishing, now(0));
    call.apply(Fact::Confirmed, now(2));
    call
}

fn returned(value: Json) -> Fact {
    Fact::Result(Box::new(TaskResult::new("x".into(), State::Success, value)))
}

fn failed(message: &str, traceback: &str) -> Fact {
    let Fact::Result(mut result) = returned(Json::from(message)) else {
        panic!("a result")
    };
    result.state = State::Failure;
    result.traceback = Some(traceback.to_owned());
    result.exception = Some(Exception {
        kind: "E".to_owned(),
        module: None,
        args: vec![Json::from(message)],
    });
    Fact::Result(result)
}

#[test]
fn a_secret_is_in_nothing_that_is_written_and_has_to_be_typed_again() {
    let secret = || Json::from("hunter2xyz");
    let mut call = plain(vec![
        ("password".to_owned(), secret()),
        ("order".to_owned(), Json::from(7)),
    ]);
    call.warnings.push("hunter2xyz is weak".to_owned());
    call.apply(
        failed("no hunter2xyz", "Traceback\n  login('hunter2xyz')\n"),
        now(5),
    );
    let diagnosis = Json::List(vec![secret()]);
    let known = Known {
        diagnosis: Some(&diagnosis),
        ..Known::default()
    };
    let mut record = Record::of(&call, &Scribe::default(), known, now(5));
    assert!(!format!("{record:?}").contains("hunter2xyz"));
    let again = TaskId::from("again");
    let Err(NotRepeatable::Masked(missing)) = record.to_signature(again.clone()) else {
        panic!("it was repeated without its secret")
    };
    assert_eq!(missing[0].to_string(), "password");
    assert!(record.unmask(&missing[0], &secret()));
    let repeated = record.to_signature(again.clone()).unwrap();
    assert_eq!(repeated.kwargs, call.signature.kwargs);
    assert_eq!(repeated.id, again);
}

#[test]
fn of_a_secret_that_lies_on_a_cut_nothing_stays() {
    let secret = "hunter2xyz".repeat(8);
    let with = vec![("password".to_owned(), Json::from(secret.as_str()))];
    for before in [0, 1_900, 3_930, 3_990, 65_500, 4 << 20] {
        for behind in [1, 100, 300_000, 4 << 20] {
            let text = format!("{}{secret}{}", "x".repeat(before), "y".repeat(behind));
            let mut call = plain(with.clone());
            call.signature.options.shadow = Some(secret.clone());
            call.trouble = Some(Error::new(Kind::Internal, text.clone()).hint(secret.clone()));
            call.backend_lost = Some(secret.clone());
            call.apply(failed(&text, &text), now(5));
            let diagnosis = Json::from(text.as_str());
            let known = Known {
                diagnosis: Some(&diagnosis),
                ..Known::default()
            };
            let record = Record::of(&call, &Scribe::default(), known, now(5));
            let told = format!("{record:?}");
            assert!(!told.contains("hunt"), "{before} before, {behind} behind");
        }
    }
}

#[test]
fn that_a_call_was_started_twice_and_by_whom_first_is_kept() {
    let mut call = plain(vec![]);
    for (node, pid, ms) in [("a@h", 41, 10), ("b@h", 77, 900)] {
        let task = HeldTask {
            id: call.id().clone(),
            name: "a".into(),
            started: None,
            acknowledged: false,
            pid: Some(pid),
            redelivered: ms > 10,
        };
        let (place, node) = (At::Active, node.into());
        call.apply(Fact::Seen { place, node, task }, now(ms));
    }
    let record = Record::of(&call, &scribe(), Known::default(), now(2_000));
    let mut back = record.to_call(now(9_000));
    assert_eq!(back.first.worker, Some("a@h".into()));
    assert_eq!(back.first.pid, Some(41));
    assert_eq!(back.started_again().map(|it| it.0.as_str()), Some("b@h"));
    back.apply(returned(Json::Null), now(9_100));
    assert!(back.started_again().is_some(), "at its end too");
    let (document, result) = codec::write(&record);
    let Json::Object(mut old) = Json::parse_strict(&document).unwrap() else {
        panic!("no object");
    };
    old.retain(|(key, _)| key != "first" && key != "twice");
    let old = Json::Object(old).to_wire();
    let old = codec::read(&old, result.as_deref()).unwrap();
    let old = old.to_call(now(9_000));
    assert_eq!(
        (old.started_again(), old.worker.clone()),
        (None, Some("b@h".into()))
    );
}

#[test]
fn a_result_that_is_too_large_is_kept_as_its_size_and_its_beginning() {
    let mut call = plain(Vec::new());
    call.apply(returned(Json::Text("x".repeat(LARGEST_VALUE + 1))), now(5));
    let record = Record::of(&call, &scribe(), Known::default(), now(5));
    let Some(Answer {
        value: Kept::Cut { bytes, beginning },
        ..
    }) = &record.answer
    else {
        panic!("it was kept whole")
    };
    assert!(*bytes > LARGEST_VALUE && beginning.starts_with("'xxx") && beginning.len() < 3_000);
    let again = record.to_call(now(9));
    assert_eq!((again.state(), again.value()), (CallState::Ok, None));
    let why = again.unreadable().unwrap();
    assert!(why.message.contains("4.2 MB"), "{why}");
    let line = record.to_line(now(9));
    for said in [
        "\"result\":null",
        "\"result_known\":false",
        "larger than history keeps",
    ] {
        assert!(line.contains(said), "{line}");
    }
    let whole = record.completed(Json::from(5), now(9));
    assert_eq!(whole.value(), Some(&Json::from(5)));
    assert_eq!(whole.warnings, [""; 0]);
    assert!(!record.unanswered().pick_up(now(9)).state().is_final());
}

#[test]
fn arguments_that_are_too_large_are_not_kept_and_not_repeated() {
    let long = Json::Text("x".repeat(LARGEST_VALUE + 1));
    let call = plain(vec![("a".to_owned(), long)]);
    let record = Record::of(&call, &scribe(), Known::default(), now(5));
    let refused = record.to_signature("again".into());
    assert!(matches!(refused, Err(NotRepeatable::TooLarge(bytes)) if bytes > LARGEST_VALUE));
    assert_eq!(record.title(100), "refund(4.2 MB not kept)");
}

#[test]
fn a_long_traceback_keeps_its_beginning_and_its_end() {
    let mut call = plain(Vec::new());
    let traceback = format!("first\n{}\nlast", "ž".repeat(1 << 20));
    call.apply(failed("no", &traceback), now(5));
    let record = Record::of(&call, &scribe(), Known::default(), now(5));
    let kept = record.answer.unwrap().traceback.unwrap();
    assert!(kept.len() < 300_000 && kept.starts_with("first") && kept.ends_with("last"));
    assert!(kept.contains("bytes are not kept"));
}

#[test]
fn a_call_that_was_left_alone_is_picked_up_and_ends_in_its_own_record() {
    let call = plain(Vec::new());
    let record = Record::of(&call, &scribe(), Known::default(), now(100));
    assert!(record.is_open());
    // Another run: its monotonic clock says something else.
    let hour = Duration::from_hours(1);
    let mut later = now(100).plus(hour);
    later.mono = crate::clock::Moment(Duration::from_hours(90_000));
    let mut picked = record.pick_up(later);
    assert_eq!(picked.state(), CallState::Detached);
    picked.apply(returned(Json::from(5)), later);
    assert_eq!(picked.state(), CallState::Ok);
    let record = Record::of(&picked, &scribe(), Known::default(), later);
    assert_eq!(record.times.total(), None, "nobody says when it ended");
    assert!(!record.is_open());
    let mut again = record.to_call(later);
    again.apply(Fact::BackendBack, later);
    assert_eq!((again.timeline.done, again.elapsed(later)), (None, None));
}

/// A call of an earlier run, an hour later.
fn picked() -> (Call, Now) {
    let record = Record::of(&plain(Vec::new()), &scribe(), Known::default(), now(100));
    let later = now(100).plus(Duration::from_hours(1));
    (record.pick_up(later), later)
}

fn ended(done_at: Timestamp) -> Fact {
    let mut fact = returned(Json::from(5));
    if let Fact::Result(result) = &mut fact {
        result.done_at = Some(done_at);
    }
    fact
}

#[test]
fn an_end_that_was_fetched_was_when_the_worker_says_so_if_that_is_possible() {
    let (call, later) = picked();
    let second = Duration::from_secs(1);
    let told = now(100).plus(second).wall;
    // The backend may have to be reached first.
    let reached = later.plus(Duration::from_secs(20));
    let possible = [
        (told, Some(second + Duration::from_millis(100))),
        (reached.wall + second, None),
        (now(0).wall - second, None),
    ];
    for (done_at, total) in possible {
        let mut call = call.clone();
        call.apply(Fact::BackendBack, reached);
        call.apply(ended(done_at), reached);
        let record = Record::of(&call, &scribe(), Known::default(), reached);
        assert_eq!(record.times.total(), total, "{done_at}");
        let (document, result) = codec::write(&record);
        let record = codec::read(&document, result.as_deref()).unwrap();
        let again = record.to_call(reached).timeline;
        assert_eq!(again.total(), total);
        assert_eq!(again.done_told, total.is_some(), "by the worker's clock");
        let clock = total.map(|_| Clock::Both);
        assert_eq!(again.total_on(), clock, "from ours to the worker's");
    }
}

#[test]
fn an_end_that_comes_while_it_is_listened_for_is_now() {
    let (mut call, later) = picked();
    call.apply(Fact::NotStored, later);
    let heard = later.plus(Duration::from_secs(5));
    call.apply(returned(Json::from(5)), heard);
    assert_eq!(call.timeline.done, Some(heard));
}

#[test]
fn a_start_that_was_fetched_was_nobody_knows_when() {
    let (mut call, later) = picked();
    let mut started = returned(Json::Null);
    if let Fact::Result(result) = &mut started {
        result.state = State::Started;
    }
    call.apply(started.clone(), later);
    assert_eq!(call.whereabouts(), Some(CallState::Run));
    assert_eq!(
        (call.timeline.started, call.timeline.queued()),
        (None, None)
    );
    let (mut live, later) = picked();
    live.apply(Fact::NotStored, later);
    let heard = later.plus(Duration::from_secs(5));
    live.apply(started, heard);
    assert_eq!(live.timeline.started, Some(heard));
}

#[test]
fn a_result_that_can_be_read_after_all_has_no_trouble_beside_it() {
    let mut call = plain(Vec::new());
    let unreadable = Fact::Unreadable {
        reason: "garbage".to_owned(),
        state: None,
    };
    call.apply(unreadable, now(5));
    let record = Record::of(&call, &scribe(), Known::default(), now(5));
    let mut picked = record.pick_up(now(50));
    picked.apply(Fact::BackendBack, now(50));
    assert_eq!(picked.trouble, call.trouble);
    picked.apply(returned(Json::from(5)), now(51));
    assert_eq!((picked.state(), picked.trouble), (CallState::Ok, None));
}

#[test]
fn what_went_wrong_with_the_delivery_stays_known() {
    let mut call = plain(Vec::new());
    call = Call::new(call.signature, Duration::from_secs(1), now(0));
    call.apply(Fact::Publishing, now(0));
    let lost = crate::error::Error::new(Kind::UnknownDelivery, "the connection was lost");
    call.apply(Fact::Unknown(lost), now(1));
    let record = Record::of(&call, &scribe(), Known::default(), now(5));
    let mut picked = record.pick_up(now(50));
    picked.apply(Fact::NotStored, now(50));
    assert!(picked.trouble.is_some());
    assert_eq!(picked.trouble, call.trouble);
}

#[test]
fn a_publish_that_nobody_saw_the_end_of_is_unknown_when_it_is_picked_up() {
    let mut call = plain(Vec::new());
    call = Call::new(call.signature, Duration::from_secs(1), now(0));
    call.apply(Fact::Publishing, now(0));
    let record = Record::of(&call, &scribe(), Known::default(), now(1));
    assert_eq!(record.state, CallState::Send);
    let picked = record.pick_up(now(50));
    assert_eq!(
        (picked.sent(), picked.whereabouts()),
        (None, Some(CallState::UnknownDelivery))
    );
}

#[test]
fn the_record_that_knows_more_has_the_greater_revision_whatever_the_clock_says() {
    let mut call = plain(Vec::new());
    let of = |call: &Call, now| Record::of(call, &scribe(), Known::default(), now).revision();
    let sent = of(&call, now(9_000));
    call.tick(now(20_000));
    let timeout = of(&call, now(20_000));
    call.apply(returned(Json::Null), now(20_001));
    // The wall clock was set back by an hour.
    let mut back = now(20_001);
    back.wall = now(0).wall - Duration::from_hours(1);
    let late = of(&call, back);
    assert!(sent < timeout && timeout < late);
}

#[test]
fn a_record_without_its_large_values_has_no_more_to_lose() {
    let mut call = plain(vec![("a".to_owned(), Json::from("x".repeat(10_000)))]);
    call.apply(Fact::Publishing, now(0));
    let mut record = Record::of(&call, &scribe(), Known::default(), now(1));
    record.answer = Some(super::Answer {
        state: State::Failure,
        value: Kept::Whole(Json::from("y".repeat(10_000))),
        exception: None,
        traceback: Some("line\n".repeat(10_000)),
        done_at: None,
        worker: None,
        pid: None,
        retries: None,
        size: 10_000,
        form: Form::Json,
        opaque: None,
    });
    let light = record.lightened();
    assert_eq!(light.clone().lightened(), light);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_the_same(record in record()) {
        let (document, result) = codec::write(&record);
        prop_assert_eq!(codec::read(&document, result.as_deref()), Ok(record));
    }

    #[test]
    fn a_call_comes_back_as_it_was((call, at) in any::call()) {
        let record = Record::of(&call, &scribe(), Known::default(), at);
        let back = record.to_call(at);
        prop_assert_eq!(
            (back.state(), back.whereabouts(), back.sent(), back.late()),
            (call.state(), call.whereabouts(), call.sent(), call.late())
        );
        prop_assert_eq!(&back.signature, &call.signature);
        prop_assert_eq!(back.timeline, call.timeline);
        prop_assert_eq!(back.deadline(), call.deadline());
        prop_assert_eq!(back.elapsed(at), call.elapsed(at));
        prop_assert_eq!((back.value(), back.headline()), (call.value(), call.headline()));
        let again = Record::of(&back, &scribe(), Known::default(), at);
        prop_assert_eq!(again, record);
    }

    #[test]
    fn no_text_is_taken_for_a_record_by_mistake(text in any::<String>(), cut in 0_usize..400) {
        let _ = codec::read(&text, None);
        let record = Record::of(&plain(Vec::new()), &scribe(), Known::default(), now(1));
        let (document, _) = codec::write(&record);
        let part = &document[..document.floor_char_boundary(cut.min(document.len() - 1))];
        prop_assert!(codec::read(part, None).is_err());
    }
}
