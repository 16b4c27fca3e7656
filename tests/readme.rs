//! The README says nothing that is not so: its picture is a real buffer, its exit codes are those of the program.

use std::fs;

fn readme() -> String {
    fs::read_to_string("README.md").expect("README.md stands at the top")
}

#[test]
fn the_picture_is_a_screen_that_was_really_drawn() {
    let snapshot = fs::read_to_string("tests/snapshots/result_running.snap").unwrap();
    let screen = snapshot.splitn(3, "---\n").nth(2).unwrap().trim_end();
    let readme = readme();
    let picture = readme.split("```text\n").nth(1).unwrap();
    let picture = picture.split("\n```").next().unwrap();
    assert!(
        picture == screen,
        "README.md shows another screen than tests/snapshots/result_running.snap:\n{screen}"
    );
}

#[test]
fn every_exit_code_of_an_error_kind_is_explained() {
    use umbel::error::Kind;
    let kinds = [
        Kind::Usage,
        Kind::Config,
        Kind::InvalidArguments,
        Kind::Refused,
        Kind::Unsent,
        Kind::BackendUnreachable,
        Kind::NoWorker,
        Kind::UnknownDelivery,
        Kind::Interrupted,
        Kind::TaskFailed,
        Kind::Timeout,
        Kind::Revoked,
        Kind::Internal,
    ];
    let readme = readme();
    for kind in kinds {
        let code = kind.exit_code().to_string();
        assert!(
            readme
                .lines()
                .any(|line| line.starts_with(&format!("| {code} |"))
                    || line.starts_with(&format!("| {code}, "))),
            "exit code {code} ({kind})"
        );
    }
}

/// What the table of "What works today" may say about a row.
const WORDS: [&str; 4] = ["works", "read only", "said before sending", "refused"];

/// The rows of that table: what, how, and the path of its test below `tests/real`.
fn support() -> Vec<[String; 3]> {
    let readme = readme();
    let (_, section) = readme
        .split_once("## What works today")
        .expect("the section");
    let (section, _) = section.split_once("\n## ").expect("another section");
    let cells = |line: &str| -> Vec<String> {
        let cells = line.trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    let lines = section.lines().filter(|line| line.starts_with('|'));
    let rows = lines.skip(2).map(|line| {
        <[String; 3]>::try_from(cells(line)).unwrap_or_else(|cells| panic!("{cells:?}"))
    });
    rows.collect()
}

/// The names of all tests in a module of `tests/real`: functions with an attribute that makes them one.
fn tests_in(module: &str) -> Vec<String> {
    let path = format!("tests/real/{module}.rs");
    let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let (mut is_test, mut names) = (false, Vec::new());
    for line in source.lines() {
        if line == "#[test]" || line == "#[rstest]" || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(rest) = line.strip_prefix("fn ").or(line.strip_prefix("async fn "))
            && std::mem::take(&mut is_test)
            && let Some((name, _)) = rest.split_once('(')
        {
            names.push(name.to_owned());
        }
    }
    names
}

#[test]
fn every_row_of_what_works_has_its_test_and_a_word() {
    let rows = support();
    assert!(rows.len() > 20, "{rows:?}");
    let taken_in = fs::read_to_string("tests/real.rs").unwrap();
    for [what, how, test] in rows {
        assert!(WORDS.contains(&how.as_str()), "{what}: {how:?}");
        let path = test.trim_matches('`');
        let (module, name) = path
            .split_once("::")
            .unwrap_or_else(|| panic!("{what}: {test}"));
        assert!(
            taken_in.contains(&format!("mod {module};")),
            "{what}: {path}"
        );
        assert!(
            tests_in(module).iter().any(|test| test == name),
            "{what}: tests/real/{module}.rs has no test {name}"
        );
    }
}

#[test]
fn every_test_of_the_support_table_has_its_row() {
    let rows = support();
    for name in tests_in("support_table") {
        let path = format!("`support_table::{name}`");
        assert!(rows.iter().any(|[_, _, test]| *test == path), "{name}");
    }
}

#[test]
fn no_two_rows_share_a_test() {
    let mut tests: Vec<String> = support().into_iter().map(|[_, _, test]| test).collect();
    tests.sort();
    let twice = tests.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(twice, None);
}
