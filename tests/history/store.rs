//! What is kept, found, counted, forgotten and pruned; what an export looks like.

use super::*;

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
fn what_an_earlier_umbel_wrote_gives_way_to_a_later_state() {
    let (_folder, path) = place();
    let call = sent("id", "t", "{}", 0);
    let mut run = call.clone();
    run.apply(ended(State::Started, Json::Null), at(3));
    let run = record(&run, 3);
    let mut store = Store::open(&path).unwrap();
    store.upsert(std::slice::from_ref(&run)).unwrap();
    // The stage, and the moment.
    let rank = (4_i64 << 56) | wall(3).as_microsecond();
    let file = rusqlite::Connection::open(&path).unwrap();
    let set = "UPDATE calls SET revision = ?1";
    file.execute(set, [rank]).unwrap();
    let end = returned("id", "t", "{}", 0, 5, "1");
    assert_eq!(store.upsert(std::slice::from_ref(&end)).unwrap(), 1);
    assert_eq!(store.upsert(std::slice::from_ref(&run)).unwrap(), 0);
    // And the other way round: an earlier umbel hears the end of what this one wrote.
    let (file_rank, end_rank): (i64, i64) = (run.revision(), (6 << 56) | wall(5).as_microsecond());
    assert!(file_rank < end_rank);
}

#[test]
fn usual_is_what_calls_took_that_returned() {
    let mut store = Store::memory().unwrap();
    for n in 1..=100 {
        let kept = ran(&format!("id-{n}"), "t", "{}", n * 1_000, n, "1");
        store.upsert(&[kept]).unwrap();
    }
    let mut failed = sent("failed", "t", "{}", 1);
    failed.apply(ended(State::Failure, Json::Null), at(9_000));
    store.upsert(&[record(&failed, 9_000)]).unwrap();
    let unseen = returned("unseen", "t", "{}", 1, 9_000, "1");
    store.upsert(&[unseen]).unwrap();
    let usual = store.usual(&"t".into(), BROKER, None).unwrap().unwrap();
    assert_eq!(usual.count, 100, "whose start nobody saw is not counted");
    assert_eq!(usual.line(), "usual 50ms  p95 95ms");
    assert!(usual.slower(Duration::from_secs(1)).is_some());
    let usual = |broker: &str, queue: Option<&QueueName>| store.usual(&"t".into(), broker, queue);
    assert_eq!(usual(BROKER, Some(&"other".into())).unwrap(), None);
    let elsewhere = usual("redis://elsewhere/0", None).unwrap();
    assert_eq!(elsewhere, None, "another broker has other workers");
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
fn an_id_that_is_used_again_has_two_calls_and_the_last_is_meant_by_it() {
    let mut store = Store::memory().unwrap();
    let first = returned("id", "t", "{}", 0, 5, "1");
    let second = returned("id", "t", "{}", 1_000, 2, "2");
    assert_eq!(store.upsert(&[second.clone(), first.clone()]).unwrap(), 2);
    assert_eq!(ids(&store, &Filter::default()), ["id", "id"]);
    assert_eq!(
        store.get("id").unwrap(),
        Found::One(Box::new(second.clone()))
    );
    assert_eq!(
        store.get("i").unwrap(),
        Found::One(Box::new(second.clone()))
    );
    assert_eq!(store.previous(&second.key()).unwrap(), Some(first));
    assert_eq!(store.namesakes(&"id".into()).unwrap(), 2);
    // Both are forgotten; a third one is another call, and is kept.
    assert_eq!(
        store.forget(&"id".into(), wall(2_000)).unwrap(),
        Some(second.clone())
    );
    assert_eq!(store.upsert(std::slice::from_ref(&second)).unwrap(), 0);
    assert_eq!(store.count(&Filter::default()).unwrap().calls, 0);
    let third = returned("id", "t", "{}", 2_001, 2, "3");
    assert_eq!(store.upsert(std::slice::from_ref(&third)).unwrap(), 1);
    store.recollect(&second).unwrap();
    assert_eq!(store.namesakes(&"id".into()).unwrap(), 2);
}

#[test]
fn one_of_two_calls_of_an_id_is_forgotten_and_taken_back_alone() {
    let mut store = Store::memory().unwrap();
    let first = returned("id", "t", "{}", 0, 5, "1");
    let second = returned("id", "t", "{}", 1_000, 2, "2");
    let both = [first.clone(), second.clone()];
    store.upsert(&both).unwrap();
    for (gone, stays) in [(&first, &second), (&second, &first)] {
        let forgotten = store.forget_call(&gone.key(), wall(2_000)).unwrap();
        assert_eq!(forgotten.as_ref(), Some(gone));
        // What is heard of the other one is kept.
        assert_eq!(store.upsert(&both).unwrap(), 1);
        assert_eq!(
            store.get("id").unwrap(),
            Found::One(Box::new(stays.clone()))
        );
        store.recollect(gone).unwrap();
        assert_eq!(store.upsert(&both).unwrap(), 2);
    }
}

#[test]
fn what_stands_far_behind_in_arguments_or_in_a_traceback_is_found() {
    let mut store = Store::memory().unwrap();
    let kwargs = format!(
        r#"{{"a": "{}", "z": "needle in a stack"}}"#,
        "hay ".repeat(3_000)
    );
    let mut call = sent("deep", "t", &kwargs, 0);
    let mut failed = ended(State::Failure, Json::Null);
    if let Fact::Result(result) = &mut failed {
        result.traceback = Some(format!("{}KeyError: 'obscure'", "frame\n".repeat(9_000)));
    }
    call.apply(failed, at(5));
    store.upsert(&[record(&call, 5)]).unwrap();
    for text in ["needle", "obscure", "stack obscure"] {
        let filter = Filter {
            text: text.to_owned(),
            ..Filter::default()
        };
        assert_eq!(ids(&store, &filter), ["deep"], "{text}");
    }
}

#[test]
fn of_a_forgotten_call_no_letter_stays_in_the_files() {
    let (_folder, path) = place();
    let mut store = Store::open(&path).unwrap();
    some_calls(&mut store, 0, 300);
    let secret = |n: u64| format!("sesame-{n}-{}", "opens-the-door ".repeat(900));
    for n in 0..3 {
        let note = format!(r#"{{"note": "{}"}}"#, secret(n));
        let mut call = sent(&format!("secret-{n}"), "t", &note, 5_000 + n);
        store.upsert(&[record(&call, 5_001 + n)]).unwrap();
        let text = Json::from(secret(n).as_str());
        call.apply(ended(State::Success, text), at(5_010 + n));
        store.upsert(&[record(&call, 5_010 + n)]).unwrap();
    }
    some_calls(&mut store, 6_000, 300);
    let (history, _notices) = start(&path);
    let stands = || {
        let files = fs::read_dir(path.parent().unwrap()).unwrap();
        let texts = files.map(|file| fs::read(file.unwrap().path()).unwrap());
        let word = b"opens-the-door";
        texts
            .map(|text| text.windows(word.len()).filter(|it| it == word).count())
            .sum::<usize>()
    };
    assert!(stands() > 0);
    for n in 0..3 {
        wait(history.forget(format!("secret-{n}").as_str().into(), wall(9_000))).unwrap();
    }
    assert_eq!(stands(), 0);
    assert_eq!(history.close_within(PATIENCE), Closed::Written);
    assert_eq!(stands(), 0);
}

#[test]
fn a_history_of_the_first_form_is_brought_to_the_present_one() {
    let (_folder, path) = place();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let kept = returned("old", "t", "{}", 0, 5, "1");
    // As the first umbels wrote it.
    let mut present = Store::open(&path.with_file_name("present.db")).unwrap();
    present.upsert(std::slice::from_ref(&kept)).unwrap();
    drop(present);
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch(include_str!("../../assets/migrations/001.sql"))
        .unwrap();
    let columns = "number, id, revision, state, task, queue, broker, profile, open, masked, took, queued, ran, total";
    file.execute_batch(&format!(
        "PRAGMA application_id = 1970102892; PRAGMA user_version = 1;
        ATTACH '{}' AS present;
        INSERT INTO calls ({columns}) SELECT {columns} FROM present.calls;
        INSERT INTO bodies SELECT * FROM present.bodies;
        INSERT INTO words SELECT * FROM present.words;
        INSERT INTO forgotten VALUES ('gone', 1);",
        path.with_file_name("present.db").display()
    ))
    .unwrap();
    drop(file);
    let mut store = Store::open(&path).unwrap();
    assert_eq!(store.get("old").unwrap(), Found::One(Box::new(kept)));
    let word = Filter {
        text: "old".to_owned(),
        ..Filter::default()
    };
    assert_eq!(ids(&store, &word), ["old"]);
    assert_eq!(
        store
            .upsert(&[returned("gone", "t", "{}", 9, 5, "1")])
            .unwrap(),
        0
    );
    assert_eq!(
        store
            .upsert(&[returned("old", "t", "{}", 9, 5, "1")])
            .unwrap(),
        1
    );
    drop(store);
    assert_eq!(repair(&path, wall(0)).unwrap(), Repaired::Sound);
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

#[test]
fn there_are_not_more_calls_than_are_kept_once_a_program_has_ended() {
    let (_folder, path) = place();
    for n in 0..3 {
        let mut settings = settings(Place::File(path.clone()));
        settings.keep = Keep {
            calls: 3,
            age: Duration::from_hours(1),
        };
        let history = open(settings, |_| {});
        let now = umbel::clock::Clock::default().now().wall.as_millisecond();
        let ms = u64::try_from(now - wall(0).as_millisecond()).unwrap();
        for more in 0..2 {
            history.save(returned(
                &format!("{n}-{more}"),
                "t",
                "{}",
                ms + more,
                5,
                "1",
            ));
        }
        assert_eq!(history.close_within(PATIENCE), Closed::Written);
        let kept = Store::open(&path).unwrap().count(&Filter::default());
        assert!(kept.unwrap().calls <= 3, "the {n}th program");
    }
}

#[test]
fn a_call_whose_answer_may_still_come_is_kept_until_it_is_too_old() {
    let mut store = Store::memory().unwrap();
    let open: Vec<Record> = (0..3_u64)
        .map(|n| record(&sent(&format!("open-{n}"), "t", "{}", n), n + 1))
        .collect();
    store.upsert(&open).unwrap();
    some_calls(&mut store, 1_000, 600);
    let mut prune = |calls, now| {
        let keep = Keep {
            calls,
            age: Duration::from_secs(10),
        };
        while store.prune(keep, now).unwrap() > 0 {}
        let all = ids(&store, &Filter::default());
        let open = all.iter().filter(|id| id.starts_with("open"));
        (all.len(), open.count())
    };
    assert_eq!(prune(20, wall(2_000)), (23, 3));
    // Of those too there are not more than that.
    assert_eq!(prune(2, wall(2_000)), (4, 2));
    assert_eq!(prune(2, wall(10_003)), (2, 0));
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
    assert_eq!(CSV_HEAD.matches(',').count(), 15);
    assert_eq!(
        csv(&kept),
        "2023-11-14T22:13:20.000Z,id,'=cmd|'/c calc'!A1,ok,default,w1@h,,,5,[],\"{\"\"a\"\":\"\"x,\\\"\"y\\\"\"\\nz\"\"}\",-1.50,,{},amqp://localhost:5672/,\r\n"
    );
}

#[test]
fn a_file_that_lets_nothing_go_is_not_asked_for_ever() {
    let (_folder, path) = place();
    let mut store = Store::open(&path).unwrap();
    let records: Vec<Record> = (0..3)
        .map(|n| returned(&format!("id-{n}"), "t", "{}", n * 10, n * 10 + 1, "1"))
        .collect();
    store.upsert(&records).unwrap();
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch(
        "CREATE TRIGGER keep BEFORE DELETE ON calls BEGIN SELECT RAISE(IGNORE); END",
    )
    .unwrap();
    let keep = Keep {
        calls: 1,
        age: Duration::from_hours(1),
    };
    assert_eq!(store.prune(keep, at(100).wall).unwrap(), 0);
}
