//! Broken, foreign, locked, full and forbidden files: what is said, and that nothing is lost.

use super::*;

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

    let repaired = repair(&path, wall(0)).unwrap();
    let Repaired::Saved {
        moved,
        calls,
        hidden,
        ..
    } = repaired
    else {
        panic!("nothing was done")
    };
    assert_eq!(
        hidden,
        calls < 1_000,
        "{calls}: whether some may be missing"
    );
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
    assert_eq!(history.close_within(PATIENCE), Closed::Written);
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

/// Writes into a record what we never write.
fn garble(path: &Path, id: &str) {
    let file = rusqlite::Connection::open(path).unwrap();
    let sql = "UPDATE bodies SET record = '{\"form\":\"umbel.record/1\"}'
        WHERE number = (SELECT number FROM calls WHERE id = ?1)";
    assert_eq!(file.execute(sql, [id]).unwrap(), 1);
}

#[test]
fn a_record_that_cannot_be_read_is_told_and_costs_no_other() {
    let (_folder, path) = place();
    let mut store = Store::open(&path).unwrap();
    some_calls(&mut store, 0, 5);
    drop(store);
    garble(&path, "id-000003");
    let (history, notices) = start(&path);
    let Ok(found @ Found::Unreadable(..)) = wait(history.get("id-000003".to_owned())) else {
        panic!("it is there");
    };
    assert!(found.unreadable().unwrap().contains("id-000003"));
    let page = wait(history.records(Filter::default(), None, 9)).unwrap();
    assert_eq!((page.records.len(), page.unreadable.len()), (4, 1));
    assert_eq!(page.unreadable[0].0.as_str(), "id-000003");
    let after = returned("id-000004", "t", "{}", 4, 5, "1");
    assert!(wait(history.previous(after.key())).is_err());
    assert!(wait(history.forget("id-000003".into(), wall(9))).is_err());
    history.save(returned("new", "t", "{}", 9_000, 5, "1"));
    assert_eq!(wait(history.count(Filter::default())).unwrap().calls, 6);
    assert!(notices.try_recv().is_err(), "the disk was left");
    assert_eq!(history.close_within(PATIENCE), Closed::Written);
    assert_eq!(
        ids(&Store::open(&path).unwrap(), &Filter::default()).len(),
        6
    );

    let Repaired::Saved {
        moved,
        calls,
        unreadable,
        hidden,
    } = repair(&path, wall(0)).unwrap()
    else {
        panic!("nothing was done")
    };
    assert_eq!((calls, unreadable, hidden), (5, 1, false));
    let kept = rusqlite::Connection::open(&moved).unwrap();
    let count = kept.query_row("SELECT count(*) FROM bodies", [], |row| row.get(0));
    assert_eq!(count, Ok(6));
    assert_eq!(repair(&path, wall(0)).unwrap(), Repaired::Sound);
}

#[test]
fn a_record_that_cannot_be_read_can_be_deleted() {
    let (_folder, path) = place();
    let mut store = Store::open(&path).unwrap();
    some_calls(&mut store, 0, 2);
    drop(store);
    garble(&path, "id-000001");
    let (history, _notices) = start(&path);
    wait(history.erase("id-000001".into(), wall(9))).unwrap();
    assert_eq!(wait(history.count(Filter::default())).unwrap().calls, 1);
    assert_eq!(history.close_within(PATIENCE), Closed::Written);
    assert_eq!(repair(&path, wall(0)).unwrap(), Repaired::Sound);
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
    assert_eq!(history.close_within(PATIENCE), Closed::Written);
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

/// A history whose file was locked when it was opened, and the lock.
fn locked(path: &Path) -> (Handle, mpsc::Receiver<Notice>, rusqlite::Connection) {
    let lock = rusqlite::Connection::open(path).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (history, notices) = start(path);
    history.save(returned("new", "t", "{}", 9_000, 5, "1"));
    assert!(matches!(notice(&notices), Notice::InMemory(_)));
    (history, notices, lock)
}

#[test]
fn the_end_does_not_call_written_what_waits_for_a_locked_disk() {
    let (_folder, path) = place();
    drop(Store::open(&path).unwrap());
    let (history, _notices, lock) = locked(&path);
    wait(history.count(Filter::default())).unwrap();
    let closed = history.close_within(Duration::from_millis(100));
    assert_eq!(closed, Closed::Unwritten(1));
    drop(lock);
}

#[test]
fn a_record_that_cannot_be_read_and_is_to_be_deleted_keeps_no_other_from_the_disk() {
    let (_folder, path) = place();
    let mut store = Store::open(&path).unwrap();
    some_calls(&mut store, 0, 2);
    drop(store);
    garble(&path, "id-000001");
    let (history, notices, lock) = locked(&path);
    wait(history.erase("id-000001".into(), wall(9_000))).unwrap();
    drop(lock);
    assert_eq!(notice(&notices), Notice::OnDisk(path.clone()));
    assert_eq!(
        ids(&Store::open(&path).unwrap(), &Filter::default()),
        ["new", "id-000000"]
    );
}

#[test]
fn a_history_that_was_deleted_begins_anew() {
    let (_folder, path) = place();
    let (history, notices) = start(&path);
    history.save(returned("one", "t", "{}", 0, 5, "1"));
    assert_eq!(wait(history.count(Filter::default())).unwrap().calls, 1);
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    history.save(returned("other", "t", "{}", 0, 5, "1"));
    assert_eq!(history.close_within(PATIENCE), Closed::Written);
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
    assert_eq!(history.close_within(PATIENCE), Closed::Written);
    assert!(notices.try_recv().is_err());
}
