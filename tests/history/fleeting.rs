//! Calls that never touch the disk, because that was wanted.

use umbel::history::{Handle, Persist};

use super::*;

fn payments_are_not_kept() -> Persist {
    let mut persist = Persist::default();
    persist.set("shop.payments.*", false).unwrap();
    persist
}

fn start_with(path: &Path, persist: Persist) -> (Handle, mpsc::Receiver<Notice>) {
    let (tell, notices) = told();
    let settings = Settings {
        persist,
        ..settings(Place::File(path.to_owned()))
    };
    (open(settings, tell), notices)
}

fn payment(id: &str, ms: u64) -> Record {
    let kwargs = r#"{"card": "4111-for-nobody"}"#;
    ran(id, "shop.payments.refund", kwargs, ms, 5, "true")
}

fn order(id: &str, ms: u64) -> Record {
    returned(
        id,
        "shop.orders.refund",
        r#"{"order": "for-all"}"#,
        ms,
        5,
        "1",
    )
}

/// Whether a file beside `path` holds `text`, itself and its logs among them.
fn holds(path: &Path, text: &str) -> bool {
    fs::read_dir(path.parent().unwrap()).unwrap().any(|entry| {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let mut parts = bytes.windows(text.len());
        parts.any(|part| part == text.as_bytes())
    })
}

fn nothing_of_payments(path: &Path) {
    for text in ["4111", "for-nobody", "payments", "pay-"] {
        assert!(!holds(path, text), "{text}");
    }
}

#[test]
fn a_call_that_is_not_kept_is_in_every_list_of_the_run_and_in_no_file() {
    let (_folder, path) = place();
    let (history, notices) = start_with(&path, payments_are_not_kept());
    for n in 0..5 {
        history.save(order(&format!("order-{n}"), 2 * n));
        history.save(payment(&format!("pay-{n}"), 2 * n + 1));
    }
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let page = wait(history.page(Filter::default(), cursor, 3)).unwrap();
        let Some(last) = page.last() else { break };
        cursor = Some(last.cursor);
        all.extend(page);
    }
    let ids: Vec<&str> = all.iter().map(|row| row.id.as_str()).collect();
    let both = (0..5)
        .rev()
        .flat_map(|n| [format!("pay-{n}"), format!("order-{n}")]);
    assert_eq!(ids, both.collect::<Vec<_>>());
    assert!(
        all.iter()
            .all(|row| row.fleeting == row.id.as_str().starts_with("pay"))
    );
    let found = |text: &str| {
        let filter = Filter {
            text: text.to_owned(),
            ..Filter::default()
        };
        wait(history.count(filter)).unwrap()
    };
    let count = found("");
    assert_eq!((count.calls, count.fleeting), (10, 5));
    assert_eq!(found("for-nobody").calls, 5);
    let Records { records, next, .. } = wait(history.records(Filter::default(), None, 3)).unwrap();
    assert_eq!(records[0], payment("pay-4", 9));
    let Records { records, .. } = wait(history.records(Filter::default(), next, 100)).unwrap();
    assert_eq!(records.len(), 7);
    let get = |id: &str| wait(history.get(id.to_owned())).unwrap();
    assert_eq!(get("pay-1"), Found::One(Box::new(payment("pay-1", 3))));
    assert_eq!(get("order-1"), Found::One(Box::new(order("order-1", 2))));
    assert!(matches!(get("pay"), Found::Several(..)));
    let before = |record: Record| wait(history.previous(record.key())).unwrap();
    assert_eq!(before(payment("pay-1", 3)), Some(payment("pay-0", 1)));
    assert_eq!(before(payment("pay-0", 1)), None);
    assert_eq!(before(order("order-1", 2)), Some(order("order-0", 0)));
    let usual =
        wait(history.usual("shop.payments.refund".into(), BROKER.to_owned(), None)).unwrap();
    assert_eq!(usual.unwrap().count, 5);

    nothing_of_payments(&path);
    assert!(holds(&path, "for-all"), "with its log");
    assert_eq!(history.close_within(PATIENCE), Closed::Written);
    nothing_of_payments(&path);
    assert_eq!(
        Store::open(&path)
            .unwrap()
            .count(&Filter::default())
            .unwrap()
            .calls,
        5
    );
    assert!(notices.try_recv().is_err());
}

#[test]
fn the_call_before_is_the_one_made_before_wherever_both_are_kept() {
    let (_folder, path) = place();
    // Another umbel, which keeps everything, writes to the same file.
    let mut disk = Store::open(&path).unwrap();
    disk.upsert(&[payment("disk-1", 1), payment("disk-3", 3)])
        .unwrap();
    let (history, _notices) = start_with(&path, payments_are_not_kept());
    for (id, ms) in [("pay-0", 0), ("pay-2", 2)] {
        history.save(payment(id, ms));
    }
    disk.upsert(&[payment("disk-4", 4)]).unwrap();
    let before = |call: (&str, u64)| wait(history.previous(payment(call.0, call.1).key())).unwrap();
    let id = |record: Option<Record>| record.map(|record| record.id().to_string());
    let chain = [
        ("disk-4", 4),
        ("disk-3", 3),
        ("pay-2", 2),
        ("disk-1", 1),
        ("pay-0", 0),
    ];
    for pair in chain.windows(2) {
        assert_eq!(id(before(pair[0])).as_deref(), Some(pair[1].0));
    }
    assert_eq!(before(("pay-0", 0)), None);
    assert_eq!(before(("nobody", 0)), None);
    assert_eq!(history.close_within(PATIENCE), Closed::Written);
}

#[test]
fn forgetting_such_a_call_and_taking_it_back_touches_no_file_either() {
    let (_folder, path) = place();
    let (history, _notices) = start_with(&path, payments_are_not_kept());
    let kept = payment("pay-1", 1);
    history.save(kept.clone());
    // What was forgotten long ago may come back.
    let forget = || wait(history.forget("pay-1".into(), Timestamp::now())).unwrap();
    let calls = || wait(history.count(Filter::default())).unwrap().calls;
    assert_eq!(forget(), Some(kept.clone()));
    assert_eq!((forget(), calls()), (None, 0));
    history.save(kept.clone());
    assert_eq!(calls(), 0, "it came back by itself");
    wait(history.recollect(kept)).unwrap();
    assert_eq!(calls(), 1);
    nothing_of_payments(&path);
    assert_eq!(history.close_within(PATIENCE), Closed::Written);
    nothing_of_payments(&path);
}

#[test]
fn a_disk_that_fails_and_comes_back_is_not_paid_what_it_must_not_have() {
    let (_folder, path) = place();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "this is no database").unwrap();
    let (history, notices) = start_with(&path, payments_are_not_kept());
    history.save(payment("pay-1", 1));
    history.save(order("order-1", 2));
    assert!(matches!(notice(&notices), Notice::InMemory(_)));
    let rows = wait(history.page(Filter::default(), None, 9)).unwrap();
    assert_eq!(
        rows.iter().map(|row| row.fleeting).collect::<Vec<_>>(),
        [false, true]
    );
    assert!(matches!(repair(&path, wall(0)), Ok(Repaired::Saved { .. })));
    assert_eq!(notice(&notices), Notice::OnDisk(path.clone()));
    assert_eq!(history.close_within(PATIENCE), Closed::Written);
    nothing_of_payments(&path);
    assert_eq!(
        ids(&Store::open(&path).unwrap(), &Filter::default()),
        ["order-1"]
    );
}

#[test]
fn a_call_that_lies_on_disk_from_earlier_stays_there_as_it_is() {
    let (_folder, path) = place();
    let open_call = record(&sent("pay-1", "shop.payments.refund", "{}", 1), 2);
    Store::open(&path)
        .unwrap()
        .upsert(std::slice::from_ref(&open_call))
        .unwrap();
    let (history, _notices) = start_with(&path, payments_are_not_kept());
    history.save(payment("pay-1", 1));
    let rows = wait(history.page(Filter::default(), None, 9)).unwrap();
    assert_eq!(rows.len(), 1, "it is told twice");
    assert_eq!(history.close_within(PATIENCE), Closed::Written);
    let store = Store::open(&path).unwrap();
    assert_eq!(store.get("pay-1").unwrap(), Found::One(Box::new(open_call)));
    assert!(!holds(&path, "4111"));
}

#[test]
fn a_look_at_such_a_call_takes_nothing_back_either() {
    let (_folder, path) = place();
    let (history, _notices) = start_with(&path, payments_are_not_kept());
    let mut call = sent("pay-1", "shop.payments.refund", "{}", 0);
    let had = record(&call, 1);
    call.tick(at(10_001));
    history.save(record(&call, 10_001));
    wait(history.count(Filter::default())).unwrap();
    let mut seen = had.to_call(at(12_000));
    seen.looked = Some(Look {
        at: at(12_000),
        state: Some(CallState::Lost),
        inferred: true,
    });
    history.save(had.looked_for(&seen, &Json::Null));
    let Found::One(kept) = wait(history.get("pay-1".to_owned())).unwrap() else {
        panic!("it is gone")
    };
    assert_eq!(
        (kept.state, kept.listed()),
        (CallState::Timeout, CallState::Lost)
    );
    assert_eq!(history.close(), Closed::Written);
    nothing_of_payments(&path);
}
