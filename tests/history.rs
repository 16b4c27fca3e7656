//! History on disk as a user meets it: several umbels at once, killed writers, broken files, 100,000 calls.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "history/fleeting.rs"]
mod fleeting;
#[path = "history/memory.rs"]
mod memory;
#[path = "history/secrecy.rs"]
mod secrecy;
#[path = "history/speed.rs"]
mod speed;
#[path = "history/store.rs"]
mod store;
#[path = "history/trouble.rs"]
mod trouble;
#[path = "history/writers.rs"]
mod writers;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rstest::rstest;
use tempfile::TempDir;
use umbel::call::{Call, CallState, Fact, Look};
use umbel::clock::{Now, Timestamp};
use umbel::error::Error;
use umbel::history::actor::{Settings, open};
use umbel::history::export::{CSV_HEAD, csv, jsonl};
use umbel::history::store::{Cause, Records, Store};
use umbel::history::{
    Closed, Filter, Found, Handle, Keep, Known, Notice, Origin, Place, Record, Repaired, Scribe,
    TaskFilter, repair,
};
use umbel::protocol::{Json, Options, QueueName, Signature, State, TaskResult};

const BROKER: &str = "amqp://localhost:5672/";

fn at(ms: u64) -> Now {
    Now::fixed(Duration::from_secs(1_700_000_000) + Duration::from_millis(ms))
}

fn wall(ms: u64) -> Timestamp {
    at(ms).wall
}

/// A call of `task` made at `ms`, confirmed a millisecond later.
fn sent(id: &str, task: &str, kwargs: &str, ms: u64) -> Call {
    let Json::Object(kwargs) = Json::parse_strict(kwargs).unwrap() else {
        panic!("no object")
    };
    let signature = Signature {
        task: task.into(),
        id: id.into(),
        args: Vec::new(),
        kwargs,
        options: Options::default(),
    };
    let mut call = Call::new(signature, Duration::from_secs(10), at(ms));
    call.queue = Some("default".into());
    call.apply(Fact::Publishing, at(ms));
    call.apply(Fact::Confirmed, at(ms + 1));
    call
}

fn ended(state: State, value: Json) -> Fact {
    Fact::Result(Box::new(TaskResult {
        worker: Some("w1@h".into()),
        pid: Some(7),
        size: 1,
        ..TaskResult::new("x".into(), state, value)
    }))
}

fn scribe() -> Scribe {
    Scribe {
        origin: Origin {
            broker: BROKER.to_owned(),
            ..Origin::default()
        },
        ..Scribe::default()
    }
}

fn record(call: &Call, ms: u64) -> Record {
    Record::of(call, &scribe(), Known::default(), at(ms))
}

/// A call that returned `value` after `took` milliseconds.
fn returned(id: &str, task: &str, kwargs: &str, ms: u64, took: u64, value: &str) -> Record {
    let mut call = sent(id, task, kwargs, ms);
    let value = Json::parse_strict(value).unwrap();
    call.apply(ended(State::Success, value), at(ms + took));
    record(&call, ms + took)
}

/// The same, of which the start was seen at once.
fn ran(id: &str, task: &str, kwargs: &str, ms: u64, took: u64, value: &str) -> Record {
    let mut call = sent(id, task, kwargs, ms);
    let value = Json::parse_strict(value).unwrap();
    call.apply(ended(State::Started, Json::Null), at(ms));
    call.apply(ended(State::Success, value), at(ms + took));
    record(&call, ms + took)
}

fn ids(store: &Store, filter: &Filter) -> Vec<String> {
    let rows = store.page(filter, None, 100).unwrap();
    rows.into_iter().map(|row| row.id.0).collect()
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/umbel/history.db");
    (folder, path)
}

fn some_calls(store: &mut Store, from: u64, count: u64) {
    let records: Vec<Record> = (from..from + count)
        .map(|n| {
            let kwargs = format!(r#"{{"order_id": {n}, "note": "{}"}}"#, "a note ".repeat(20));
            returned(
                &format!("id-{n:06}"),
                "shop.orders.refund",
                &kwargs,
                n,
                5,
                "true",
            )
        })
        .collect();
    store.upsert(&records).unwrap();
}

fn told() -> (impl Fn(Notice) + Send + 'static, mpsc::Receiver<Notice>) {
    let (tell, notices) = mpsc::channel();
    // Whoever listened may have gone.
    (move |notice| drop(tell.send(notice)), notices)
}

/// The calls of these tests are of 2023.
fn settings(place: Place) -> Settings {
    Settings {
        retry: Duration::from_millis(50),
        keep: Keep {
            age: Duration::from_hours(24 * 365 * 50),
            ..Keep::default()
        },
        ..Settings::new(place)
    }
}

/// How long the disk of a busy machine may take.
const PATIENCE: Duration = Duration::from_mins(2);

fn start(path: &Path) -> (Handle, mpsc::Receiver<Notice>) {
    let (tell, notices) = told();
    (open(settings(Place::File(path.to_owned())), tell), notices)
}

fn wait<T>(reply: umbel::history::Reply<T>) -> Result<T, Error> {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(reply)
}

fn notice(notices: &mpsc::Receiver<Notice>) -> Notice {
    notices.recv_timeout(PATIENCE).unwrap()
}
