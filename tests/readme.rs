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
