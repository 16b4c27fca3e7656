//! Who may read the history, and what is never in it.

use super::*;

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

/// A failure that quotes the password.
fn quoting() -> Fact {
    let Fact::Result(mut result) = ended(State::Failure, Json::from("hunter2xyz")) else {
        panic!("a result")
    };
    result.traceback = Some("ValueError: hunter2xyz".to_owned());
    Fact::Result(result)
}

#[rstest]
#[case::who_knows_it_writes_first(true)]
#[case::who_knows_it_writes_last(false)]
fn what_a_process_writes_that_was_not_told_the_password_takes_the_place_of_nothing_better(
    #[case] first: bool,
) {
    let mut store = Store::memory().unwrap();
    let call = sent("id", "t", r#"{"password": "hunter2xyz"}"#, 0);
    let earlier = record(&call, 1);
    store.upsert(std::slice::from_ref(&earlier)).unwrap();
    let (mut own, mut other) = (call, earlier.pick_up(at(100)));
    own.apply(quoting(), at(200));
    other.apply(quoting(), at(300));
    let own = record(&own, if first { 200 } else { 400 });
    let other = Record::after(&earlier, &other, &Scribe::default(), at(300));
    assert!(!format!("{other:?}").contains("hunter2xyz"), "{other:?}");
    assert_eq!(other.state, CallState::Fail);
    let line = other.to_line(at(500));
    assert!(line.contains("not kept: it may quote"), "{line}");
    let both = if first { [own, other] } else { [other, own] };
    store.upsert(&both[..1]).unwrap();
    store.upsert(&both[1..]).unwrap();
    let Found::One(kept) = store.get("id").unwrap() else {
        panic!("one record")
    };
    let traceback = kept.answer.unwrap().traceback;
    assert_eq!(traceback.as_deref(), Some("ValueError: ***"));
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
