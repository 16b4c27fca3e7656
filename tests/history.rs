//! History on disk as a user meets it: several umbels at once, killed writers, broken files, 100,000 calls.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rstest::rstest;
use tempfile::TempDir;
use umbel::call::{Call, CallState, Fact};
use umbel::clock::{Now, Timestamp};
use umbel::error::Error;
use umbel::history::actor::{Settings, open};
use umbel::history::export::{CSV_HEAD, csv, jsonl};
use umbel::history::store::{Cause, Store};
use umbel::history::{
    Closed, Filter, Found, Handle, Keep, Known, Notice, Origin, Place, Record, Repaired, Scribe,
    TaskFilter, repair,
};
use umbel::protocol::payload::Form;
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
        id: "x".into(),
        state,
        value,
        exception: None,
        traceback: None,
        done_at: None,
        worker: Some("w1@h".into()),
        pid: Some(7),
        retries: None,
        size: 1,
        form: Form::Json,
        opaque: None,
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

#[test]
fn a_call_is_kept_exactly_and_found_by_what_it_was() {
    let (_folder, path) = place();
    let mut store = Store::open(&path).unwrap();
    let kwargs = r#"{"b": 1180591620717411303424, "a": 1.10, "note": "客戶要求退款 [x*]"}"#;
    let kept = returned(
        "c7a31f09-1",
        "shop.orders.refund",
        kwargs,
        10,
        180,
        r#"{"z": 1, "a": 2}"#,
    );
    let open = record(&sent("d0000000-2", "shop.mail.send", "{}", 20), 21);
    assert_eq!(store.upsert(&[kept.clone(), open.clone()]).unwrap(), 2);
    drop(store);
    let store = Store::open(&path).unwrap();
    assert_eq!(
        store.get("c7a31f09-1").unwrap(),
        Found::One(Box::new(kept.clone()))
    );
    assert_eq!(
        store.get("c7 a31f09").unwrap(),
        Found::One(Box::new(kept.clone()))
    );
    assert_eq!(store.get("e").unwrap(), Found::None);
    let text = |text: &str| Filter {
        text: text.to_owned(),
        ..Filter::default()
    };
    for found in [
        "refund",
        "REFUND 客戶",
        "客戶",
        "[x*]",
        "1180591620717411303424 'z'",
        "c7a31",
    ] {
        assert_eq!(ids(&store, &text(found)), ["c7a31f09-1"], "{found}");
    }
    for not_found in ["refund nothing", "[y*]", "ref*nd", "\"", "%"] {
        assert!(ids(&store, &text(not_found)).is_empty(), "{not_found}");
    }
    let row = &store.page(&Filter::default(), None, 9).unwrap()[1];
    assert_eq!(row.brief, "{'z': 1, 'a': 2}");
    assert!(
        row.title
            .starts_with("refund(b=1180591620717411303424, a=1.10, note='客戶")
    );
    assert_eq!(
        (row.took, row.state),
        (Some(Duration::from_millis(180)), CallState::Ok)
    );
    assert_eq!(store.unresolved(BROKER, wall(0)).unwrap(), [open]);
    assert!(store.unresolved(BROKER, wall(21)).unwrap().is_empty());
    assert!(
        store
            .unresolved("amqp://elsewhere/", wall(0))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn lists_are_filtered_counted_and_paged_from_the_newest_to_the_oldest() {
    let mut store = Store::memory().unwrap();
    let mut records = Vec::new();
    for n in 0..40 {
        // Several at one moment.
        let mut call = sent(
            &format!("id-{n:02}"),
            &format!("shop.t{}", n % 2),
            "{}",
            n / 4,
        );
        match n % 4 {
            0 => call.apply(ended(State::Success, Json::Null), at(20)),
            1 => call.apply(ended(State::Failure, Json::Null), at(20)),
            _ => false,
        };
        records.push(record(&call, 20));
    }
    store.upsert(&records).unwrap();
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.page(&Filter::default(), cursor, 7).unwrap();
        let Some(last) = page.last() else { break };
        cursor = Some(last.cursor);
        seen.extend(page.into_iter().map(|row| row.id.0));
    }
    let expected: Vec<String> = (0..40).rev().map(|n| format!("id-{n:02}")).collect();
    assert_eq!(seen, expected);
    let count = |filter: &Filter| store.count(filter).unwrap().calls;
    let states = |states: &[CallState]| Filter {
        states: states.to_vec(),
        ..Filter::default()
    };
    assert_eq!(count(&states(&[CallState::Ok])), 10);
    assert_eq!(
        count(&states(&[CallState::Ok, CallState::Fail, CallState::Ok])),
        20
    );
    assert_eq!(
        ids(&store, &states(&[CallState::Ok, CallState::Fail]))[..2],
        ["id-37", "id-36"]
    );
    let tasks = |task: TaskFilter| Filter {
        task,
        states: vec![CallState::Ok, CallState::Fail],
        ..Filter::default()
    };
    assert_eq!(count(&tasks(TaskFilter::Is("shop.t0".into()))), 10);
    assert_eq!(count(&tasks(TaskFilter::Is("shop.t".into()))), 0);
    assert_eq!(count(&tasks(TaskFilter::Like("t1".into()))), 10);
    assert_eq!(count(&tasks(TaskFilter::Like("shop.*".into()))), 20);
    assert_eq!(count(&tasks(TaskFilter::Like("t?".into()))), 0);
    let since = Filter {
        since: Some(wall(9)),
        ..Filter::default()
    };
    assert_eq!(count(&since), 4);
}

#[test]
fn an_earlier_state_never_takes_the_place_of_a_later_one() {
    let mut store = Store::memory().unwrap();
    let mut call = sent("id", "t", "{}", 0);
    let early = record(&call, 5_000);
    call.tick(at(20_000));
    let timeout = record(&call, 20_000);
    call.apply(ended(State::Success, Json::from(5)), at(30_000));
    let late = record(&call, 30_000);
    assert_eq!(late.state, CallState::LateOk);
    assert_eq!(store.upsert(std::slice::from_ref(&late)).unwrap(), 1);
    assert_eq!(store.upsert(&[early, timeout, late.clone()]).unwrap(), 1);
    assert_eq!(store.get("id").unwrap(), Found::One(Box::new(late)));
    assert_eq!(store.count(&Filter::default()).unwrap().calls, 1);
}

#[test]
fn usual_is_what_calls_took_that_returned() {
    let mut store = Store::memory().unwrap();
    for n in 1..=100 {
        let mut call = sent(&format!("id-{n}"), "t", "{}", n * 1_000);
        call.apply(ended(State::Started, Json::Null), at(n * 1_000));
        call.apply(ended(State::Success, Json::Null), at(n * 1_000 + n));
        store.upsert(&[record(&call, n * 1_000 + n)]).unwrap();
    }
    let mut failed = sent("failed", "t", "{}", 1);
    failed.apply(ended(State::Failure, Json::Null), at(9_000));
    store.upsert(&[record(&failed, 9_000)]).unwrap();
    let unseen = returned("unseen", "t", "{}", 1, 9_000, "1");
    store.upsert(&[unseen]).unwrap();
    let usual = store.usual(&"t".into(), None).unwrap().unwrap();
    assert_eq!(usual.count, 100, "whose start nobody saw is not counted");
    assert_eq!(usual.line(), "usual 50ms  p95 95ms");
    assert!(usual.slower(Duration::from_secs(1)).is_some());
    let other = store.usual(&"t".into(), Some(&"other".into())).unwrap();
    assert_eq!(other, None);
}

#[test]
fn a_forgotten_call_is_gone_whatever_is_heard_of_it_and_can_be_taken_back() {
    let (_folder, path) = place();
    let mut store = Store::open(&path).unwrap();
    let mut call = sent("id", "t", r#"{"note": "unforgettable"}"#, 0);
    let first = record(&call, 1);
    store.upsert(std::slice::from_ref(&first)).unwrap();
    assert_eq!(
        store.forget(&"id".into(), wall(2)).unwrap(),
        Some(first.clone())
    );
    call.apply(ended(State::Success, Json::Null), at(3));
    assert_eq!(store.upsert(&[record(&call, 3)]).unwrap(), 0);
    assert_eq!(store.get("id").unwrap(), Found::None);
    assert_eq!(
        ids(
            &store,
            &Filter {
                text: "unforgettable".into(),
                ..Filter::default()
            }
        ),
        [""; 0]
    );
    store.recollect(&first).unwrap();
    assert_eq!(store.upsert(&[record(&call, 3)]).unwrap(), 1);
    assert_eq!(ids(&store, &Filter::default()), ["id"]);
}

#[test]
fn only_so_many_calls_of_so_many_days_are_kept() {
    let mut store = Store::memory().unwrap();
    some_calls(&mut store, 0, 1_200);
    let mut prune = |calls, age, now| {
        let keep = Keep { calls, age };
        while store.prune(keep, now).unwrap() > 0 {}
        (
            store.count(&Filter::default()).unwrap().calls,
            ids(&store, &Filter::default())[0].clone(),
        )
    };
    let newest = "id-001199".to_owned();
    let year = Duration::from_hours(365 * 24);
    assert_eq!(prune(5_000, year, wall(2_000)), (1_200, newest.clone()));
    assert_eq!(prune(1_000, year, wall(2_000)), (1_000, newest.clone()));
    assert_eq!(
        prune(1_000, Duration::from_secs(1), wall(2_000)),
        (200, newest)
    );
}

/// Writes calls `id-FROM` and so on into the history at `path`, one after the other.
fn write_one_by_one(path: &Path, name: &str, count: u64) {
    let mut store = Store::open(path).unwrap();
    for n in 0..count {
        let kept = returned(&format!("{name}-{n}"), "t", r#"{"a": "text"}"#, n, 5, "1");
        store.upsert(&[kept]).unwrap();
    }
}

/// What [`writer`] runs in a process of its own, and a test of itself.
#[test]
fn a_process_writes_its_calls() {
    if let (Ok(path), Ok(name)) = (std::env::var("HISTORY_PATH"), std::env::var("HISTORY_NAME")) {
        return write_one_by_one(Path::new(&path), &name, 1_000);
    }
    let (_folder, path) = place();
    write_one_by_one(&path, "own", 10);
    assert_eq!(
        ids(&Store::open(&path).unwrap(), &Filter::default()).len(),
        10
    );
}

fn writer(path: &Path, name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "a_process_writes_its_calls"])
        .env("HISTORY_PATH", path)
        .env("HISTORY_NAME", name)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

#[test]
fn two_umbels_write_a_thousand_calls_each_and_none_is_lost() {
    let (_folder, path) = place();
    let mut all: Vec<_> = ["one", "other"]
        .map(|name| writer(&path, name).spawn().unwrap())
        .into();
    for process in &mut all {
        assert!(process.wait().unwrap().success());
    }
    let store = Store::open(&path).unwrap();
    assert_eq!(store.count(&Filter::default()).unwrap().calls, 2_000);
    let mut names = BTreeMap::new();
    let mut cursor = None;
    loop {
        let (records, next) = store.records(&Filter::default(), cursor, 500).unwrap();
        for record in records {
            let name = record.id().as_str().split('-').next().unwrap().to_owned();
            *names.entry(name).or_insert(0) += 1;
        }
        cursor = next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(
        names,
        BTreeMap::from([("one".to_owned(), 1_000), ("other".to_owned(), 1_000)])
    );
}

#[test]
fn a_writer_that_is_killed_leaves_a_history_that_can_be_read_and_written() {
    let (_folder, path) = place();
    let mut before = 0;
    for round in 0..4 {
        let mut process = writer(&path, &format!("round{round}")).spawn().unwrap();
        let started = Instant::now();
        // Killed somewhere among its thousand writes, surely after the first.
        let calls = |path: &Path| {
            Store::open(path).map_or(0, |store| store.count(&Filter::default()).unwrap().calls)
        };
        while calls(&path) <= before && started.elapsed() < Duration::from_mins(1) {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(17 * round));
        process.kill().unwrap();
        process.wait().unwrap();
        let after = calls(&path);
        assert!(after > before, "{after} calls");
        before = after;
    }
    assert_eq!(repair(&path, wall(0)).unwrap(), Repaired::Sound);
    some_calls(&mut Store::open(&path).unwrap(), 0, 1);
}

#[test]
fn nobody_else_may_read_the_history() {
    let (_folder, path) = place();
    let mut store = Store::open(&path).unwrap();
    some_calls(&mut store, 0, 10);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    let files: Vec<PathBuf> = fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(files.len() >= 2, "{files:?}");
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
    drop(store);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let _store = Store::open(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_password_is_in_no_file_of_the_history() {
    let (_folder, path) = place();
    let secret = "hunter2xyz";
    let mut store = Store::open(&path).unwrap();
    let kwargs = format!(
        r#"{{"password": "{secret}", "user": {{"api_token": "{secret}"}}, "order": "visible-order"}}"#
    );
    let mut call = sent("id", "t", &kwargs, 0);
    store.upsert(&[record(&call, 1)]).unwrap();
    let echo = format!(r#"{{"you said": "{secret}"}}"#);
    call.apply(
        ended(State::Success, Json::parse_strict(&echo).unwrap()),
        at(9),
    );
    store.upsert(&[record(&call, 9)]).unwrap();
    let holds = |text: &str| {
        fs::read_dir(path.parent().unwrap()).unwrap().any(|entry| {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        })
    };
    assert!(holds("visible-order") && !holds(secret), "with its log");
    let row = &store.page(&Filter::default(), None, 1).unwrap()[0];
    assert!(
        row.masked && row.title.contains("password='***'"),
        "{row:?}"
    );
    drop(store);
    assert!(holds("visible-order") && !holds(secret), "without its log");
}

/// Ways in which a file is no good history, and what opening it says.
fn spoil(path: &Path, way: &str) {
    let bytes = fs::read(path).unwrap();
    let page = 4096;
    match way {
        "truncated" => fs::write(path, &bytes[..bytes.len() / 2]).unwrap(),
        "header" => fs::write(path, [&[0x55; 100][..], &bytes[100..]].concat()).unwrap(),
        "text" => fs::write(path, "this is no database").unwrap(),
        "middle" => {
            let middle = bytes.len() / 2 / page * page;
            let garbage = vec![0xa7; 3 * page];
            fs::write(
                path,
                [&bytes[..middle], &garbage, &bytes[middle + 3 * page..]].concat(),
            )
            .unwrap();
        }
        "folder" => {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }
        other => panic!("{other}"),
    }
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
    notices.recv_timeout(Duration::from_secs(30)).unwrap()
}

#[rstest]
#[case("truncated", true)]
#[case("header", false)]
#[case("text", false)]
#[case("middle", true)]
#[case("folder", false)]
fn a_broken_history_is_said_once_goes_on_in_memory_and_is_repaired(
    #[case] way: &str,
    #[case] some_saved: bool,
) {
    let (_folder, path) = place();
    let mut store = Store::open(&path).unwrap();
    some_calls(&mut store, 0, 1_000);
    drop(store);
    spoil(&path, way);
    let (history, notices) = start(&path);
    let new = returned("new", "t", "{}", 9_000, 5, "1");
    history.save(new.clone());
    // Damage in the middle is met when it is read.
    for from in (0..1_000).step_by(50) {
        let _ = wait(history.get(format!("id-{from:06}")));
        let _ = wait(history.page(
            Filter {
                text: format!("{from}"),
                ..Filter::default()
            },
            None,
            10,
        ));
    }
    let _ = wait(history.records(Filter::default(), None, 1_000));
    let Notice::InMemory(error) = notice(&notices) else {
        panic!("the disk is back")
    };
    assert!(error.message.contains(path.to_str().unwrap()), "{error}");
    assert_eq!(
        error.hint.as_deref(),
        Some("umbel history repair"),
        "{error}"
    );
    assert_eq!(
        wait(history.get("new".to_owned())),
        Ok(Found::One(Box::new(new)))
    );
    assert!(notices.try_recv().is_err(), "it was said twice");

    let Repaired::Saved { moved, calls } = repair(&path, wall(0)).unwrap() else {
        panic!("nothing was done")
    };
    assert!(
        moved.exists()
            && moved
                .to_str()
                .unwrap()
                .contains("history.db.broken-20231114T")
    );
    assert_eq!(calls > 100, some_saved, "{calls} calls");
    // Whoever ran all the time comes back to the disk by itself.
    assert_eq!(notice(&notices), Notice::OnDisk(path.clone()));
    assert_eq!(history.close(), Closed::Written);
    let store = Store::open(&path).unwrap();
    assert!(matches!(store.get("new").unwrap(), Found::One(_)));
    assert!((calls..=calls + 1).contains(&store.count(&Filter::default()).unwrap().calls));
    assert_eq!(repair(&path, wall(0)).unwrap(), Repaired::Sound);
}

#[test]
fn damage_in_the_middle_costs_only_what_lay_there() {
    let (_folder, path) = place();
    let mut store = Store::open(&path).unwrap();
    some_calls(&mut store, 0, 2_000);
    drop(store);
    spoil(&path, "middle");
    let Repaired::Saved { calls, .. } = repair(&path, wall(0)).unwrap() else {
        panic!("nothing was done")
    };
    assert!((1_900..=2_000).contains(&calls), "{calls} calls");
}

#[test]
fn the_history_of_a_later_umbel_or_another_program_is_left_as_it_is() {
    let (_folder, path) = place();
    let mut store = Store::open(&path).unwrap();
    some_calls(&mut store, 0, 10);
    drop(store);
    let sql = |path: &Path, sql: &str| {
        rusqlite::Connection::open(path)
            .unwrap()
            .execute_batch(sql)
            .unwrap();
    };
    sql(&path, "PRAGMA user_version = 99");
    let before = fs::read(&path).unwrap();
    let trouble = Store::open(&path).unwrap_err();
    assert_eq!(trouble.cause, Cause::Newer);
    assert!(
        trouble.to_string().contains("a later umbel made it"),
        "{trouble}"
    );
    assert_eq!(repair(&path, wall(0)).unwrap_err().cause, Cause::Newer);
    assert_eq!(fs::read(&path).unwrap(), before);

    let other = path.with_file_name("other.db");
    sql(
        &other,
        "CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')",
    );
    let before = fs::read(&other).unwrap();
    assert_eq!(Store::open(&other).unwrap_err().cause, Cause::Foreign);
    assert_eq!(repair(&other, wall(0)).unwrap_err().cause, Cause::Foreign);
    assert_eq!(fs::read(&other).unwrap(), before);
}

#[test]
fn a_history_that_cannot_be_made_is_kept_in_memory_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    // A file where a folder should be, which stops root too.
    let wall_of_file = folder.path().join("data");
    fs::write(&wall_of_file, "").unwrap();
    let path = wall_of_file.join("umbel/history.db");
    let (history, notices) = start(&path);
    let (one, other) = (
        returned("one", "t", "{}", 0, 5, "1"),
        returned("other", "t", "{}", 1, 5, "1"),
    );
    history.save(one.clone());
    history.save(other.clone());
    assert!(matches!(notice(&notices), Notice::InMemory(_)));
    assert_eq!(wait(history.count(Filter::default())).unwrap().calls, 2);
    assert_eq!(
        wait(history.forget("other".into(), wall(9))),
        Ok(Some(other))
    );
    fs::remove_file(&wall_of_file).unwrap();
    assert_eq!(notice(&notices), Notice::OnDisk(path.clone()));
    assert_eq!(
        wait(history.get("one".to_owned())),
        Ok(Found::One(Box::new(one)))
    );
    assert_eq!(history.close(), Closed::Written);
    assert_eq!(
        ids(&Store::open(&path).unwrap(), &Filter::default()),
        ["one"]
    );
}

#[test]
fn a_place_that_nobody_may_write_is_said_so() {
    // Root may write in every folder but here.
    let trouble = Store::open(Path::new("/proc/self/umbel/history.db")).unwrap_err();
    assert_eq!(trouble.cause, Cause::Unwritable);
    let error = Error::from(trouble);
    assert!(
        error
            .message
            .starts_with("history /proc/self/umbel/history.db: ")
    );
    assert!(error.hint.unwrap().contains("UMBEL_HISTORY"));
}

#[test]
fn calls_of_a_locked_history_are_written_when_it_is_free() {
    let (_folder, path) = place();
    drop(Store::open(&path).unwrap());
    let lock = rusqlite::Connection::open(&path).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (history, notices) = start(&path);
    let kept = returned("one", "t", "{}", 0, 5, "1");
    history.save(kept.clone());
    let Notice::InMemory(error) = notice(&notices) else {
        panic!("it was not locked")
    };
    assert!(error.message.contains("locked"), "{error}");
    assert_eq!(
        wait(history.get("one".to_owned())),
        Ok(Found::One(Box::new(kept)))
    );
    drop(lock);
    assert_eq!(notice(&notices), Notice::OnDisk(path.clone()));
    assert_eq!(
        ids(&Store::open(&path).unwrap(), &Filter::default()),
        ["one"]
    );
}

#[test]
fn saving_never_waits_and_the_newest_state_of_every_call_is_written_at_the_end() {
    let (_folder, path) = place();
    let (history, notices) = start(&path);
    let mut longest = Duration::ZERO;
    for n in 0..500 {
        let mut call = sent(&format!("id-{n}"), "t", "{}", n);
        let early = record(&call, n + 1);
        call.apply(ended(State::Success, Json::Null), at(n + 2));
        let late = record(&call, n + 2);
        for state in [early.clone(), late, early] {
            let begun = Instant::now();
            history.save(state);
            longest = longest.max(begun.elapsed());
        }
    }
    assert_eq!(history.close(), Closed::Written);
    assert!(longest < Duration::from_millis(200), "{longest:?}");
    let store = Store::open(&path).unwrap();
    let ok = Filter {
        states: vec![CallState::Ok],
        ..Filter::default()
    };
    assert_eq!(store.count(&ok).unwrap().calls, 500);
    assert!(notices.try_recv().is_err());
    assert!(
        wait(history.get("id-1".to_owned())).is_err(),
        "it answered after its end"
    );
}

#[test]
fn the_last_handle_ends_history_and_nothing_is_lost() {
    let (_folder, path) = place();
    let (history, _notices) = start(&path);
    let copy = history.clone();
    drop(history);
    copy.save(returned("one", "t", "{}", 0, 5, "1"));
    drop(copy);
    let begun = Instant::now();
    let found = |path: &Path| {
        Store::open(path).is_ok_and(|store| ids(&store, &Filter::default()) == ["one"])
    };
    while !found(&path) {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "it is not written"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_history_that_was_deleted_begins_anew() {
    let (_folder, path) = place();
    let (history, notices) = start(&path);
    history.save(returned("one", "t", "{}", 0, 5, "1"));
    assert_eq!(wait(history.count(Filter::default())).unwrap().calls, 1);
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    history.save(returned("other", "t", "{}", 0, 5, "1"));
    assert_eq!(history.close(), Closed::Written);
    assert_eq!(
        ids(&Store::open(&path).unwrap(), &Filter::default()),
        ["other"]
    );
    assert!(notices.try_recv().is_err());
}

#[test]
fn history_that_is_off_writes_no_file() {
    let (tell, notices) = told();
    let history = open(settings(Place::Memory), tell);
    history.save(returned("one", "t", "{}", 0, 5, "1"));
    assert_eq!(wait(history.count(Filter::default())).unwrap().calls, 1);
    assert_eq!(history.close(), Closed::Written);
    assert!(notices.try_recv().is_err());
}

#[test]
fn an_export_is_one_document_a_line_or_a_table_without_formulas() {
    let kept = returned(
        "id",
        "=cmd|'/c calc'!A1",
        r#"{"a": "x,\"y\"\nz"}"#,
        0,
        5,
        "-1.50",
    );
    let line = jsonl(&kept, at(9_000));
    assert_eq!(line.matches('\n').count(), 1);
    let document = Json::parse_strict(line.trim()).unwrap();
    assert_eq!(document.get("schema"), Some(&Json::from("umbel.call/1")));
    assert_eq!(
        document.get("result").map(Json::to_wire).as_deref(),
        Some("-1.50")
    );
    assert_eq!(document.get("total_ms"), Some(&Json::from(5)));
    assert_eq!(CSV_HEAD.matches(',').count(), 12);
    assert_eq!(
        csv(&kept),
        "2023-11-14T22:13:20.000Z,id,'=cmd|'/c calc'!A1,ok,default,w1@h,,,5,[],\"{\"\"a\"\":\"\"x,\\\"\"y\\\"\"\\nz\"\"}\",-1.50,\r\n"
    );
}

/// 100,000 calls: a thousand real ones, each a hundred times.
fn a_hundred_thousand(path: &Path) {
    let mut store = Store::open(path).unwrap();
    let words = [
        "customer", "asked", "return", "stock", "paid", "twice", "客戶", "late",
    ];
    let records: Vec<Record> = (0..1_000_u64)
        .map(|n| {
            let note: Vec<&str> = (0..20)
                .map(|m| words[((n * 7 + m * m) % 8) as usize])
                .collect();
            let kwargs = format!(r#"{{"order_id": {n}, "note": "{}"}}"#, note.join(" "));
            let task = format!("shop.orders.task{}", n % 40);
            let (id, result) = (format!("{n:08x}"), format!(r#"{{"ok": {n}}}"#));
            match n % 50 {
                0 => record(&sent(&id, &task, &kwargs, n * 200), n * 200),
                _ => returned(&id, &task, &kwargs, n * 200, n % 90, &result),
            }
        })
        .collect();
    store.upsert(&records).unwrap();
    drop(store);
    let database = rusqlite::Connection::open(path).unwrap();
    database
        .execute_batch(
            "PRAGMA synchronous = OFF; BEGIN;
             CREATE TEMP TABLE times AS WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 99) SELECT n FROM n;
             INSERT INTO words SELECT number + n * 1024000, text || ' r' || n FROM words, times ORDER BY 1;
             INSERT INTO bodies SELECT number + n * 1024000, title, brief, record, result FROM bodies, times ORDER BY 1;
             INSERT INTO calls SELECT number + n * 1024000, id || '-' || n, revision, state, task, queue, broker, profile, open, masked,
                took, queued, ran, total FROM calls, times ORDER BY 1;
             COMMIT; PRAGMA wal_checkpoint(TRUNCATE)",
        )
        .unwrap();
}

/// What may be asked, and whether some calls answer it.
fn questions() -> Vec<(&'static str, Filter, bool)> {
    let text = |text: &str| Filter {
        text: text.to_owned(),
        ..Filter::default()
    };
    let states = |states: &[CallState]| Filter {
        states: states.to_vec(),
        ..Filter::default()
    };
    let task = |task: &str| Filter {
        task: TaskFilter::Like(task.to_owned()),
        ..Filter::default()
    };
    let one = Filter {
        states: vec![CallState::Unsent, CallState::Fail],
        ..Filter::task(&"shop.orders.task7".into())
    };
    let often = [CallState::Ok, CallState::Sent, CallState::Fail];
    vec![
        ("all", Filter::default(), true),
        ("common word", text("customer"), true),
        ("two words", text("客戶 r77"), true),
        ("short word", text("客"), true),
        ("absent word", text("nobody-wrote-this"), false),
        ("absent short word", text("qx"), false),
        ("state", states(&[CallState::Sent]), true),
        ("absent state", states(&[CallState::Killed]), false),
        ("states", states(&often), true),
        ("glob", task("*.task3?"), true),
        ("absent glob", task("*.nothing"), false),
        ("one task, absent states", one, false),
    ]
}

/// Well under 20 ms each on an idle machine; here other tests run beside.
const SLOW: Duration = Duration::from_millis(400);

/// The best of three, if that is slow: other programs run here too.
fn slow(name: &str, work: impl Fn() -> bool) -> Option<String> {
    let time = |_| {
        let begun = Instant::now();
        assert!(work(), "{name}");
        begun.elapsed()
    };
    let best = (0..3).map(time).min()?;
    (best > SLOW).then(|| format!("{name}: {best:?}"))
}

#[test]
fn a_hundred_thousand_calls_are_listed_searched_and_counted_in_no_time() {
    let (_folder, path) = place();
    a_hundred_thousand(&path);
    let store = Store::open(&path).unwrap();
    let mut all = Vec::new();
    for (name, filter, some) in &questions() {
        all.push(slow(name, || {
            store.page(filter, None, 50).unwrap().is_empty() != *some
        }));
        all.push(slow(name, || {
            (store.count(filter).unwrap().calls > 0) == *some
        }));
    }
    let last = store.page(&Filter::default(), None, 50).unwrap()[49].cursor;
    all.push(slow("second page", || {
        store
            .page(&Filter::default(), Some(last), 50)
            .unwrap()
            .len()
            == 50
    }));
    let usual = |queue: Option<&QueueName>| store.usual(&"shop.orders.task7".into(), queue);
    let none = QueueName::from("none");
    all.push(slow("usual", || usual(None).is_ok()));
    all.push(slow("usual in a queue", || {
        usual(Some(&none)).unwrap().is_none()
    }));
    all.push(slow("unresolved", || {
        store.unresolved(BROKER, wall(150_000)).unwrap().len() > 100
    }));
    all.push(slow("get", || {
        matches!(store.get("0000000f-").unwrap(), Found::Several(..))
    }));
    let all: Vec<String> = all.into_iter().flatten().collect();
    assert!(all.is_empty(), "{all:?}");
}
