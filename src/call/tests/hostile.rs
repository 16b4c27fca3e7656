//! Anything that may be told of a call, also what no worker says.

use super::order::{Do, Heard, done};
use super::*;

fn node() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("a@h"), Just("b@h"), Just("")]
}

fn time() -> impl Strategy<Value = Option<i64>> {
    prop::option::of(-600_000..1_200_000_i64)
}

/// Any number of retries.
fn retries() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..4_u64, 1 => Just(u64::MAX), 1 => Just(u64::MAX - 1)]
}

/// Any event of any worker.
fn any_event() -> impl Strategy<Value = Fact> {
    let kind = prop_oneof![
        retries().prop_map(received),
        Just(TaskEventKind::Started),
        Just(retried()),
        any::<bool>().prop_map(|requeue| TaskEventKind::Rejected { requeue }),
        Just(TaskEventKind::Cancelled),
        (0..3_u8).prop_map(|value| succeeded(&value.to_string())),
        Just(failed("KeyError('x')")),
        any::<(bool, bool)>().prop_map(|(terminated, expired)| TaskEventKind::Revoked {
            terminated,
            signum: None,
            expired
        }),
    ];
    (kind, node(), time(), 0..4_u64).prop_map(|(kind, node, ms, clock)| {
        Fact::Event(Box::new(TaskEvent {
            uuid: "c7a31f09-0000-4000-8000-000000000000".into(),
            node: node.into(),
            at: ms.and_then(|ms| Timestamp::from_millisecond(1_000_000 + ms).ok()),
            clock,
            kind,
        }))
    })
}

/// Any state of a result backend.
fn any_state() -> impl Strategy<Value = Fact> {
    let status = prop_oneof![
        Just("PENDING"),
        Just("STARTED"),
        Just("RETRY"),
        Just("PROGRESS"),
        Just("SUCCESS"),
        Just("FAILURE"),
        Just("REVOKED")
    ];
    (status, 0..3_u8, prop::option::of(retries()), prop::option::of(node())).prop_map(
        |(status, value, retries, worker)| {
            let retries = retries.map_or("null".to_owned(), |it| it.to_string());
            let worker = worker.map_or("null".to_owned(), |it| format!("{it:?}"));
            let value = match status {
                "STARTED" => format!(r#"{{"pid": {value}, "hostname": {worker}}}"#),
                "REVOKED" => format!(r#"{{"exc_type": "TaskRevokedError", "exc_message": ["{}"]}}"#, ["expired", "revoked", "terminated"][usize::from(value)]),
                _ => value.to_string(),
            };
            result(&format!(r#"{{"status": "{status}", "result": {value}, "task_id": "x", "retries": {retries}, "worker": {worker}}}"#))
        },
    )
}

/// Any place in any list of a worker.
fn any_place() -> impl Strategy<Value = Fact> {
    (
        0..3_u8,
        node(),
        time(),
        any::<(bool, bool)>(),
        prop::option::of(0..3_u64),
    )
        .prop_map(
            |(place, node, ms, (acknowledged, redelivered), pid)| Fact::Seen {
                place: [
                    super::Place::Active,
                    super::Place::Reserved,
                    super::Place::Scheduled,
                ][usize::from(place)],
                node: node.into(),
                task: HeldTask {
                    id: "x".into(),
                    name: "t".into(),
                    started: ms.map(|ms| (1_000_000 + ms) as f64 / 1000.0),
                    acknowledged,
                    pid,
                    redelivered,
                },
            },
        )
}

/// Anything, also what no worker says, at few moments, so that much happens at one moment.
pub(super) fn hostile() -> impl Strategy<Value = Heard> {
    let unreadable = prop_oneof![
        Just(None),
        Just(Some(State::Success)),
        Just(Some(State::Revoked)),
        Just(Some(State::Started))
    ];
    let word = || prop_oneof![Just("x".to_owned()), Just("y".to_owned())];
    let kinds = prop_oneof![
        Just(Kind::Unsent),
        Just(Kind::NoWorker),
        Just(Kind::UnknownDelivery)
    ];
    let error = (kinds, word()).prop_map(|(kind, word)| Error::new(kind, word));
    let fact = prop_oneof![
        8 => any_event(),
        8 => any_state(),
        4 => any_place(),
        1 => Just(Fact::Ordered),
        1 => Just(Fact::Publishing),
        1 => Just(Fact::Confirmed),
        1 => Just(Fact::NoResult),
        1 => word().prop_map(Fact::Returned),
        1 => error.clone().prop_map(Fact::Unsent),
        1 => error.prop_map(Fact::Unknown),
        1 => (0..3_usize).prop_map(Fact::Arriving),
        1 => (word(), unreadable).prop_map(|(reason, state)| Fact::Unreadable { reason, state }),
        1 => word().prop_map(Fact::BackendLost),
        1 => Just(Fact::BackendBack),
        1 => Just(Fact::Asked),
        1 => word().prop_map(Fact::Warning),
    ];
    let heard = (fact, 0..8_u64).prop_map(|(fact, step)| (Do::Hear(fact), step * 2_000));
    let act = (done(), 0..8_u64).prop_map(|((what, _), step)| (what, step * 2_000));
    prop_oneof![5 => heard, 1 => act]
}
