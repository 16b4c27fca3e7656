//! Several writers at once, killed ones, and what is written at the end.

use super::*;

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
        .args(["--exact", "writers::a_process_writes_its_calls"])
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
        let Records { records, next, .. } = store.records(&Filter::default(), cursor, 500).unwrap();
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
fn saving_never_waits_and_the_newest_state_of_every_call_is_written_at_the_end() {
    let (_folder, path) = place();
    let (history, notices) = start(&path);
    wait(history.count(Filter::default())).unwrap();
    // Whoever waited for the disk would wait for this for ever: it is held until all is handed over.
    let lock = rusqlite::Connection::open(&path).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = Instant::now();
    for n in 0..500 {
        let mut call = sent(&format!("id-{n}"), "t", "{}", n);
        let early = record(&call, n + 1);
        call.apply(ended(State::Success, Json::Null), at(n + 2));
        let late = record(&call, n + 2);
        for state in [early.clone(), late, early] {
            history.save(state);
        }
    }
    let took = begun.elapsed();
    drop(lock);
    assert_eq!(history.close_within(PATIENCE), Closed::Written);
    // A thousand and a half of them: one alone may be stopped by the machine.
    assert!(took < Duration::from_secs(10), "{took:?}");
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

/// The call, as it was asked about at `ms` by somebody who has this record of it.
fn looked(had: &Record, state: CallState, ms: u64) -> Record {
    let mut call = had.to_call(at(ms));
    call.looked = Some(Look {
        at: at(ms),
        state: Some(state),
        inferred: true,
    });
    had.looked_for(&call, &Json::from(format!("asked at {ms}")))
}

fn kept(path: &Path, id: &str) -> Record {
    let Found::One(record) = Store::open(path).unwrap().get(id).unwrap() else {
        panic!("it is gone")
    };
    *record
}

/// What history has in the end, written in this order, each by a program of its own.
fn written(records: &[&Record]) -> Record {
    let (_folder, path) = place();
    for record in records {
        let mut store = Store::open(&path).unwrap();
        store.upsert(&[(*record).clone()]).unwrap();
    }
    kept(&path, records[0].id().as_str())
}

#[test]
fn a_look_takes_nothing_back_that_was_written_since_it_began() {
    let mut call = sent("one", "t", "{}", 0);
    let had = record(&call, 1);
    let look = looked(&had, CallState::Lost, 12_000);
    call.tick(at(10_001));
    let timeout = record(&call, 10_001);
    for order in [[&had, &timeout, &look], [&had, &look, &timeout]] {
        let kept = written(&order);
        assert_eq!(
            (kept.state, kept.waited),
            (CallState::Timeout, timeout.waited)
        );
        assert_eq!((kept.listed(), kept.looked), (CallState::Lost, look.looked));
        assert_eq!(kept.diagnosis, Some(Json::from("asked at 12000")));
    }
    let mut call = sent("two", "t", "{}", 0);
    call.apply(ended(State::Started, Json::Null), at(100));
    let had = record(&call, 100);
    call.apply(
        ended(State::Custom("STEP".to_owned()), Json::from(2)),
        at(200),
    );
    let further = record(&call, 200);
    let look = looked(&had, CallState::Run, 12_000);
    let kept = written(&[&had, &further, &look]);
    assert_eq!(kept.custom, further.custom);
    assert_eq!((kept.looked, kept.times), (look.looked, further.times));
}

#[test]
fn of_two_looks_the_later_one_stays_and_of_a_call_that_ended_none_is_added() {
    let mut call = sent("one", "t", "{}", 0);
    let had = record(&call, 1);
    let (early, late) = (
        looked(&had, CallState::Sent, 5_000),
        looked(&had, CallState::Lost, 6_000),
    );
    for order in [[&had, &early, &late], [&had, &late, &early]] {
        assert_eq!(written(&order), late);
    }
    call.apply(ended(State::Success, Json::Null), at(2_000));
    let end = record(&call, 2_000);
    for order in [[&had, &end, &late], [&had, &late, &end]] {
        assert_eq!(written(&order), end);
    }
}

#[test]
fn who_came_for_the_end_only_leaves_what_the_caller_had_heard_before() {
    let mut call = sent("one", "t", "{}", 0);
    let had = record(&call, 1);
    call.apply(ended(State::Started, Json::Null), at(100));
    let running = record(&call, 100);
    let mut follower = had.pick_up(at(50));
    let end = || Box::new(TaskResult::new("x".into(), State::Success, Json::from(5)));
    follower.apply(Fact::Result(end()), at(2_001));
    let theirs = Record::after(&had, &follower, &scribe(), at(2_001));
    assert_eq!((theirs.times.started, theirs.pid), (None, None));
    call.apply(Fact::Result(end()), at(2_000));
    let own = record(&call, 2_000);
    for order in [[&running, &theirs], [&theirs, &own], [&own, &theirs]] {
        let kept = written(&order);
        assert_eq!(kept.state, CallState::Ok);
        assert_eq!(kept.times.started, running.times.started);
        assert_eq!((kept.worker, kept.pid), (Some("w1@h".into()), Some(7)));
    }
}

#[test]
fn a_look_joins_what_waits_to_be_written_and_what_lies_in_memory_only() {
    let (_folder, path) = place();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "this is no database").unwrap();
    let (history, notices) = start(&path);
    assert!(matches!(notice(&notices), Notice::InMemory(_)));
    let mut call = sent("one", "t", "{}", 0);
    let had = record(&call, 1);
    history.save(had.clone());
    call.tick(at(10_001));
    // At once, or when the first was written.
    for waits in [false, true] {
        history.save(record(&call, 10_001));
        if waits {
            wait(history.count(Filter::default())).unwrap();
        }
        let ms = 12_000 + u64::from(waits);
        history.save(looked(&had, CallState::Lost, ms));
        let Found::One(kept) = wait(history.get("one".to_owned())).unwrap() else {
            panic!("it is gone")
        };
        assert_eq!(kept.state, CallState::Timeout);
        assert_eq!(kept.looked.unwrap().at.after, Duration::from_millis(ms));
    }
    assert!(matches!(repair(&path, wall(0)), Ok(Repaired::Saved { .. })));
    assert_eq!(notice(&notices), Notice::OnDisk(path.clone()));
    assert_eq!(history.close(), Closed::Written);
    let kept = kept(&path, "one");
    assert_eq!(
        (kept.state, kept.listed()),
        (CallState::Timeout, CallState::Lost)
    );
}
