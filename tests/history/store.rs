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
fn usual_is_what_calls_took_that_returned() {
    let mut store = Store::memory().unwrap();
    for n in 1..=100 {
        let kept = returned(&format!("id-{n}"), "t", "{}", n * 1_000, n, "1");
        store.upsert(&[kept]).unwrap();
    }
    let mut failed = sent("failed", "t", "{}", 1);
    failed.apply(ended(State::Failure, Json::Null), at(9_000));
    store.upsert(&[record(&failed, 9_000)]).unwrap();
    let usual = store.usual(&"t".into(), None).unwrap();
    assert_eq!(usual.total.count(), 100);
    assert_eq!(usual.total.p50(), Some(Duration::from_millis(50)));
    assert_eq!(usual.total.p95(), Some(Duration::from_millis(95)));
    assert_eq!(usual.total.slower_than(Duration::from_secs(1)), Some(100));
    assert_eq!(usual.ran.count(), 0, "nobody saw a start");
    let other = store.usual(&"t".into(), Some(&"other".into())).unwrap();
    assert_eq!((other.total.count(), other.total.p50()), (0, None));
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
    assert_eq!(CSV_HEAD.matches(',').count(), 12);
    assert_eq!(
        csv(&kept),
        "2023-11-14T22:13:20.000Z,id,'=cmd|'/c calc'!A1,ok,default,w1@h,,,5,[],\"{\"\"a\"\":\"\"x,\\\"\"y\\\"\"\\nz\"\"}\",-1.50,\r\n"
    );
}
