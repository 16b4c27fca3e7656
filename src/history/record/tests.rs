//! Calls for tests, and what a record must keep of them.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::call::timeline::Clock;
use crate::call::{Call, Fact};
use crate::clock::Now;
use crate::error::Kind;
use crate::protocol::control::{HeldTask, Place as At};
use crate::protocol::event::{TaskEvent, TaskEventKind};
use crate::protocol::message::Start;
use crate::protocol::{Compression, Options, Serializer, TaskResult};

/// Any document that Python writes: numbers in every spelling, NaN, duplicate keys, typed values, any text.
pub(in crate::history) fn json() -> impl Strategy<Value = Json> + Clone {
    let number = prop_oneof![
        4 => "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,20})?(e[+-][0-9]{1,4})?",
        1 => prop_oneof![Just("NaN"), Just("Infinity"), Just("-Infinity")].prop_map(str::to_owned),
    ];
    let scalar = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        number.prop_map(Json::Number),
        text().prop_map(Json::Text),
        Just(Json::Object(vec![
            ("__type__".to_owned(), Json::from("decimal")),
            ("__value__".to_owned(), Json::from("12.50")),
        ])),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::List),
            prop::collection::vec((text(), inner), 0..4).prop_map(Json::Object),
        ]
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z_]{1,8}",
        Just("a".to_owned()),
        Just("客戶\u{0}\u{1b}[2J".to_owned()),
    ]
}

fn duration() -> impl Strategy<Value = Duration> {
    (0_u64..1 << 40, 0_u32..1_000_000_000).prop_map(|(secs, nanos)| Duration::new(secs, nanos))
}

fn moment() -> impl Strategy<Value = Timestamp> {
    (0_i64..4_000_000_000, 0_i32..1_000_000_000)
        .prop_map(|(secs, nanos)| Timestamp::new(secs, nanos).unwrap())
}

fn options() -> impl Strategy<Value = Options> {
    let start = prop_oneof![
        duration().prop_map(Start::After),
        moment().prop_map(Start::At)
    ];
    let names = (
        prop::option::of(text()),
        prop::option::of(text()),
        prop::option::of(text()),
        prop::option::of(text()),
    );
    let limits = (
        prop::option::of(duration()),
        prop::option::of(duration()),
        prop::option::of(duration()),
        prop::option::of(any::<u8>()),
    );
    let rest = (
        prop::option::of(start),
        prop::collection::vec((text(), json()), 0..3),
        prop::option::of(prop_oneof![
            Just(Serializer::Json),
            Just(Serializer::Msgpack)
        ]),
        prop::option::of(prop_oneof![
            Just(Compression::Gzip),
            Just(Compression::Lzma)
        ]),
        prop::option::of(any::<bool>()),
    );
    (names, limits, rest).prop_map(|(names, limits, rest)| Options {
        queue: names.0.map(Into::into),
        exchange: names.1,
        routing_key: names.2,
        shadow: names.3,
        expires: limits.0,
        expires_at: match rest.0 {
            Some(Start::At(at)) => Some(at),
            _ => None,
        },
        time_limit: limits.1,
        soft_time_limit: limits.2,
        priority: limits.3,
        start: rest.0,
        headers: rest.1,
        serializer: rest.2,
        compression: rest.3,
        ignore_result: rest.4,
    })
}

fn signature() -> impl Strategy<Value = Signature> {
    let args = prop::collection::vec(json(), 0..3);
    let kwargs = prop::collection::vec((text(), json()), 0..3);
    ("[a-z.]{1,12}", "[a-f0-9-]{1,36}", args, kwargs, options()).prop_map(
        |(task, id, args, kwargs, options)| Signature {
            task: task.into(),
            id: id.into(),
            args,
            kwargs,
            options,
        },
    )
}

fn error() -> impl Strategy<Value = Error> {
    let kind = prop_oneof![
        Just(Kind::Unsent),
        Just(Kind::Refused),
        Just(Kind::Internal)
    ];
    (kind, text(), prop::option::of(text())).prop_map(|(kind, message, hint)| Error {
        kind,
        message,
        hint,
    })
}

fn result() -> impl Strategy<Value = TaskResult> {
    let state = prop_oneof![
        Just("STARTED"),
        Just("RETRY"),
        Just("SUCCESS"),
        Just("FAILURE"),
        Just("REVOKED"),
        Just("PROGRESS")
    ];
    let exception = (
        text(),
        prop::option::of(text()),
        prop::collection::vec(json(), 0..3),
    )
        .prop_map(|(kind, module, args)| Exception { kind, module, args });
    let told = (
        prop::option::of(moment()),
        prop::option::of(text()),
        prop::option::of(any::<u64>()),
        prop::option::of(0_u64..9),
    );
    let parts = (
        state,
        json(),
        prop::option::of(exception),
        prop::option::of(text()),
    );
    let pickled = prop::option::of(prop::collection::vec(text(), 0..3));
    (parts, told, 0_usize..1 << 30, pickled).prop_map(|(parts, told, size, pickled)| TaskResult {
        id: "x".into(),
        state: State::from_word(parts.0),
        value: parts.1,
        exception: parts.2,
        traceback: parts.3,
        done_at: told.0,
        worker: told.1.map(Into::into),
        pid: told.2,
        retries: told.3,
        size,
        form: if pickled.is_some() {
            Form::Pickle
        } else {
            Form::Json
        },
        opaque: pickled.map(|lines| Opaque {
            kind: Form::Pickle,
            size,
            truncated: lines.is_empty(),
            lines,
            outline: Json::Null,
            raised: None,
        }),
    })
}

/// A task's end as its worker tells it.
fn event(text: String, ok: bool) -> Fact {
    let traceback = Some(text.clone());
    let kind = if ok {
        TaskEventKind::Succeeded {
            result: text,
            runtime: None,
        }
    } else {
        TaskEventKind::Failed {
            exception: text,
            traceback,
        }
    };
    Fact::Event(Box::new(TaskEvent {
        uuid: "x".into(),
        node: "w1@h".into(),
        at: None,
        clock: 1,
        kind,
    }))
}

fn fact() -> impl Strategy<Value = Fact> {
    let held = (
        any::<bool>(),
        prop::option::of(any::<u64>()),
        prop::option::of(0.0..9.0),
    )
        .prop_map(|(acknowledged, pid, started)| HeldTask {
            id: "x".into(),
            name: "t".into(),
            started,
            acknowledged,
            pid,
            redelivered: false,
        });
    let place = prop_oneof![Just(At::Reserved), Just(At::Active), Just(At::Scheduled)];
    prop_oneof![
        2 => Just(Fact::Publishing),
        2 => Just(Fact::Confirmed),
        1 => Just(Fact::NoResult),
        1 => Just(Fact::BackendBack),
        1 => text().prop_map(Fact::BackendLost),
        1 => text().prop_map(Fact::Returned),
        1 => (text(), prop::option::of(any::<bool>())).prop_map(|(reason, ok)| Fact::Unreadable {
            reason,
            state: ok.map(|ok| if ok { State::Success } else { State::Failure }),
        }),
        1 => (text(), any::<bool>()).prop_map(|(text, ok)| event(text, ok)),
        1 => error().prop_map(Fact::Unsent),
        1 => error().prop_map(Fact::Unknown),
        4 => result().prop_map(|result| Fact::Result(Box::new(result))),
        2 => (place, text(), held).prop_map(|(place, node, task)| Fact::Seen {
            place,
            node: node.into(),
            task
        }),
    ]
}

fn now(ms: u64) -> Now {
    Now::fixed(Duration::from_secs(1_700_000_000) + Duration::from_millis(ms))
}

/// A call somewhere in its life, and the moment at which that is.
fn call() -> impl Strategy<Value = (Call, Now)> {
    let steps = prop::collection::vec((fact(), 0_u64..5_000, 0_u8..9), 0..8);
    (signature(), 1_u64..20_000, steps, prop::option::of(text())).prop_map(
        |(signature, timeout, steps, warning)| {
            let mut at = 0;
            let mut call = Call::new(signature, Duration::from_millis(timeout), now(at));
            call.queue = Some("default".into());
            call.warnings.extend(warning);
            for (fact, ms, way) in steps {
                at += ms;
                call.tick(now(at));
                if way == 0 {
                    call.detach(now(at));
                }
                call.apply(fact, now(at));
            }
            (call, now(at))
        },
    )
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

/// Records of calls in any state.
pub(in crate::history) fn record() -> impl Strategy<Value = Record> {
    let look = (prop::option::of(0..3_usize), any::<bool>());
    let look = prop::option::of(look);
    (call(), prop::option::of(json()), look).prop_map(|((mut call, now), diagnosis, look)| {
        let states = [CallState::Lost, CallState::Sent, CallState::Run];
        call.looked = look.map(|(state, inferred)| Look {
            at: now,
            state: state.map(|state| states[state]),
            inferred,
        });
        let known = Known {
            diagnosis: diagnosis.as_ref(),
            ..Known::default()
        };
        Record::of(&call, &scribe(), known, now)
    })
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

/// A look at `ms` that found the call nowhere.
fn lost(ms: u64) -> Look {
    Look {
        at: now(ms),
        state: Some(CallState::Lost),
        inferred: true,
    }
}

#[test]
fn what_the_last_look_concluded_is_listed_until_something_is_told() {
    let mut call = plain(Vec::new());
    let sent = Record::of(&call, &scribe(), Known::default(), now(5));
    call.looked = Some(lost(900));
    let looked = sent.looked_for(&call, &Json::Null);
    assert_eq!(
        (sent.listed(), looked.listed()),
        (CallState::Sent, CallState::Lost)
    );
    assert_eq!(looked.state, CallState::Sent, "what was told stays");
    assert!(looked.is_open() && looked.revision() > sent.revision());
    // Another umbel listens for it, and hears of it.
    let mut picked = looked.pick_up(now(9_000));
    assert_eq!(picked.concluded(), CallState::Lost);
    let heard = |call: &Call, ms| Record::after(&looked, call, &scribe(), now(ms));
    assert_eq!(heard(&picked, 9_000).listed(), CallState::Lost);
    let held = HeldTask {
        id: picked.id().clone(),
        name: picked.signature.task.clone(),
        started: None,
        acknowledged: false,
        pid: None,
        redelivered: false,
    };
    let seen = Fact::Seen {
        place: At::Reserved,
        node: "w1@h".into(),
        task: held,
    };
    picked.apply(seen, now(9_100));
    assert_eq!(heard(&picked, 9_100).listed(), CallState::Detached);
    picked.looked = Some(lost(9_200));
    assert_eq!(heard(&picked, 9_200).listed(), CallState::Lost);
    picked.apply(returned(Json::from(5)), now(9_300));
    let ended = heard(&picked, 9_300);
    assert_eq!(ended.listed(), CallState::Ok);
    assert!(ended.revision() > looked.revision());
}

#[test]
fn who_waits_again_has_not_looked_yet() {
    let mut call = plain(Vec::new());
    call.tick(now(11_000));
    call.looked = Some(lost(11_100));
    assert_eq!(call.concluded(), CallState::Lost);
    call.set_timeout(Duration::from_mins(1), now(12_000));
    assert_eq!(call.concluded(), CallState::Sent);
}

#[test]
fn when_a_call_was_heard_of_last_is_not_when_that_was_written_down() {
    let call = plain(Vec::new());
    let record = Record::of(&call, &scribe(), Known::default(), now(5_000));
    let heard = record.times.heard().map(|point| point.wall);
    assert_eq!(heard, Some(now(2).wall), "the broker confirmed it");
}

#[test]
fn why_a_look_found_a_call_nowhere_is_not_kept_where_it_may_quote_a_secret() {
    let secret = vec![("password".to_owned(), Json::from("x"))];
    let mut call = plain(secret);
    let record = Record::of(&call, &Scribe::default(), Known::default(), now(5));
    call.looked = Some(lost(900));
    let looked = record.looked_for(&call, &Json::from("it says hunter2xyz"));
    assert_eq!((looked.listed(), looked.diagnosis), (CallState::Lost, None));
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
    fn a_call_comes_back_as_it_was((call, at) in call()) {
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
