//! Many large results while there is no disk: memory has a limit, and what it cost is said.

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::*;

/// A call that returned two megabytes, number so and so.
fn large(number: u64) -> Record {
    let value = format!("\"{}\"", "x".repeat(2 << 20));
    returned(
        &format!("large-{number:02}"),
        "t",
        "{}",
        10 * number,
        5,
        &value,
    )
}

fn open_call() -> Record {
    let kwargs = format!(r#"{{"a": "{}"}}"#, "y".repeat(1 << 20));
    record(&sent("open", "t", &kwargs, 0), 1)
}

fn is_whole(history: &Handle, id: &str) -> bool {
    let Ok(Found::One(record)) = wait(history.get(id.to_owned())) else {
        panic!("{id} is lost");
    };
    record.arguments_cut.is_none() && record.cut_result().is_none()
}

#[test]
fn a_history_in_memory_drops_the_oldest_values_says_so_and_no_open_call() {
    let (tell, notices) = told();
    let history = open(settings(Place::Memory), tell);
    history.save(open_call());
    for number in 0..40 {
        history.save(large(number));
        wait(history.count(Filter::default())).unwrap();
    }
    assert!(matches!(notice(&notices), Notice::Slimmed(1..)));
    assert_eq!(wait(history.count(Filter::default())).unwrap().calls, 41);
    assert!(is_whole(&history, "open") && is_whole(&history, "large-39"));
    assert!(!is_whole(&history, "large-00"));
    let whole = (0..40).filter(|number| is_whole(&history, &format!("large-{number:02}")));
    assert!((10..=20).contains(&whole.count()));
}

#[test]
fn what_the_disk_has_whole_stays_whole_when_memory_had_to_drop_it() {
    let (_folder, path) = place();
    let arguments = format!(r#"{{"a": "{}"}}"#, "y".repeat(3 << 20));
    let sent = record(&sent("slim", "t", &arguments, 0), 1);
    Store::open(&path).unwrap().upsert(&[sent]).unwrap();
    let data = path.parent().unwrap();
    let away = data.with_file_name("away");
    fs::rename(data, &away).unwrap();
    fs::write(data, "").unwrap();
    let (history, notices) = start(&path);
    let end = returned("slim", "t", &arguments, 0, 5, "1");
    history.save(end.clone());
    for number in 1..30 {
        history.save(large(number));
        wait(history.count(Filter::default())).unwrap();
    }
    assert!(matches!(notice(&notices), Notice::InMemory(_)));
    assert!(matches!(notice(&notices), Notice::Slimmed(1..)));
    assert!(!is_whole(&history, "slim"));
    // At one stroke: where nothing is in the way, a new place would be made meanwhile.
    renameat_with(CWD, &away, CWD, data, RenameFlags::EXCHANGE).unwrap();
    assert_eq!(history.close_within(PATIENCE), Closed::Written);
    let kept = Store::open(&path).unwrap().get("slim").unwrap();
    assert_eq!(kept, Found::One(Box::new(end)));
}

#[test]
fn what_a_disk_that_failed_has_to_get_is_no_more_than_memory_holds_and_no_call_less() {
    let folder = tempfile::tempdir().unwrap();
    let wall_of_file = folder.path().join("data");
    fs::write(&wall_of_file, "").unwrap();
    let path = wall_of_file.join("history.db");
    let (history, notices) = start(&path);
    for number in 0..40 {
        history.save(large(number));
        wait(history.count(Filter::default())).unwrap();
    }
    assert!(matches!(notice(&notices), Notice::InMemory(_)));
    assert!(matches!(notice(&notices), Notice::Slimmed(1..)));
    fs::remove_file(&wall_of_file).unwrap();
    assert_eq!(
        history.close_within(Duration::from_secs(20)),
        Closed::Written
    );
    let store = Store::open(&path).unwrap();
    assert_eq!(store.count(&Filter::default()).unwrap().calls, 40);
    let Found::One(last) = store.get("large-39").unwrap() else {
        panic!("it is lost");
    };
    assert_eq!(last.cut_result(), None);
}
