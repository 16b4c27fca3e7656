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
