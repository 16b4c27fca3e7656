//! Calls in any state, for properties.

use super::*;
use crate::protocol::control::{HeldTask, Place as At};
use crate::protocol::event::{TaskEvent, TaskEventKind};
use crate::protocol::message::Start;
use crate::protocol::{Compression, Serializer};

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

/// A call somewhere in its life, and the moment at which that is.
pub(super) fn call() -> impl Strategy<Value = (Call, Now)> {
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
