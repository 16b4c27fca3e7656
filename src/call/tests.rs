//! The state machine of a call. Facts and calls for the tests by subject. No IO, no async.

mod delivery;
mod ends;
mod events;
mod found;
mod hostile;
mod long;
mod order;
mod restored;
mod waiting;
mod way;

use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;

use super::document::CallDocument;
use super::timeline::Clock;
use super::*;
use crate::clock::Timestamp;
use crate::error::Kind;
use crate::protocol::Options;
use crate::protocol::control::{HeldTask, Place};
use crate::protocol::event::{Announced, TaskEvent, TaskEventKind};

fn at(ms: u64) -> Now {
    Now::fixed(Duration::from_millis(1_000_000 + ms))
}

fn draft() -> Call {
    let signature = Signature {
        task: "shop.tasks.add".into(),
        id: "c7a31f09-0000-4000-8000-000000000000".into(),
        args: vec![],
        kwargs: vec![],
        options: Options::default(),
    };
    Call::new(signature, Duration::from_secs(10), at(0))
}

fn sent() -> Call {
    let mut call = draft();
    call.apply(Fact::Publishing, at(0));
    call.apply(Fact::Confirmed, at(2));
    call
}

fn result(document: &str) -> Fact {
    let id = "c7a31f09-0000-4000-8000-000000000000".into();
    Fact::Result(Box::new(
        TaskResult::parse(document.as_bytes(), None, &id).unwrap(),
    ))
}

fn success() -> Fact {
    result(
        r#"{"status": "SUCCESS", "result": 5, "traceback": null, "children": [], "task_id": "x"}"#,
    )
}

fn failure(kind: &str, args: &str, traceback: &str) -> Fact {
    result(&format!(
        r#"{{"status": "FAILURE", "result": {{"exc_type": "{kind}", "exc_message": {args}, "exc_module": "shop.errors"}}, "traceback": {traceback}, "task_id": "x"}}"#
    ))
}

fn revoked(why: &str) -> Fact {
    result(&format!(
        r#"{{"status": "REVOKED", "result": {{"exc_type": "TaskRevokedError", "exc_message": ["{why}"], "exc_module": "celery.exceptions"}}, "traceback": null, "task_id": "x"}}"#
    ))
}

fn started() -> Fact {
    result(
        r#"{"status": "STARTED", "result": {"pid": 4120, "hostname": "w3@stg"}, "traceback": null, "task_id": "x"}"#,
    )
}

fn seen(place: Place) -> Fact {
    let task = HeldTask {
        id: "x".into(),
        name: "t".into(),
        started: None,
        acknowledged: true,
        pid: Some(7),
        redelivered: false,
    };
    Fact::Seen {
        place,
        node: "w1@h".into(),
        task,
    }
}

fn event(clock: u64, kind: TaskEventKind) -> Fact {
    Fact::Event(Box::new(TaskEvent {
        uuid: "c7a31f09-0000-4000-8000-000000000000".into(),
        node: "w1@h".into(),
        at: None,
        clock,
        kind,
    }))
}

fn received(retries: u64) -> TaskEventKind {
    TaskEventKind::Received(Box::new(Announced {
        retries,
        ..Announced::default()
    }))
}

fn succeeded(result: &str) -> TaskEventKind {
    TaskEventKind::Succeeded {
        result: result.to_owned(),
        runtime: None,
    }
}

fn failed(exception: &str) -> TaskEventKind {
    TaskEventKind::Failed {
        exception: exception.to_owned(),
        traceback: None,
    }
}

fn retried() -> TaskEventKind {
    TaskEventKind::Retried {
        exception: "KeyError('not yet')".to_owned(),
        traceback: None,
    }
}

fn document(call: &Call) -> serde_json::Value {
    serde_json::to_value(CallDocument::new(call, false, at(999))).unwrap()
}
