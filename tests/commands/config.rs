//! The configuration file: found, checked, written anew; a mistake in it is told and stops nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::contract;
use crate::support::Sandbox;

/// A home with this configuration file.
fn home(text: &str) -> Sandbox {
    let home = Sandbox::new();
    let folder = home.home().join(".config/umbel");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("config.toml"), text).expect("a file");
    home
}

fn keep(home: &Sandbox, task: &str, word: &str) -> String {
    let words = [
        "--demo",
        "call",
        "--history",
        "--no-preflight",
        "--no-check",
        task,
        word,
    ];
    home.cli(&words).expect_code(0).stderr
}

fn kept(home: &Sandbox) -> usize {
    let listed = home.cli(&["history", "--jsonl"]).expect_code(0);
    listed.json_lines().len()
}

/// Whether a file below the home holds `text`, but for the configuration.
fn holds(home: &Sandbox, text: &str) -> bool {
    let mut folders = vec![home.home().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|it| it != "toml") {
                let bytes = fs::read(&path).expect("a file");
                if bytes
                    .windows(text.len())
                    .any(|part| part == text.as_bytes())
                {
                    return true;
                }
            }
        }
    }
    false
}

#[test]
fn the_file_is_the_flag_s_then_the_environment_s_then_that_of_the_home() {
    let home = Sandbox::new();
    let at = |home: &Sandbox, words: &[&str]| {
        let words = [words, &["config", "path"]].concat();
        home.cli(&words).expect_code(0).stdout.trim().to_owned()
    };
    let own = home.home().join(".config/umbel/config.toml");
    assert_eq!(at(&home, &[]), own.display().to_string());
    let home = home.env("XDG_CONFIG_HOME", "/xdg");
    assert_eq!(at(&home, &[]), "/xdg/umbel/config.toml");
    let home = home.env("UMBEL_CONFIG", "/variable.toml");
    assert_eq!(at(&home, &[]), "/variable.toml");
    assert_eq!(at(&home, &["--config", "/flag.toml"]), "/flag.toml");
}

#[test]
fn a_new_file_is_ours_alone_says_nothing_and_is_never_written_over() {
    let home = Sandbox::new();
    home.cli(&["config", "check"]).expect_code(0);
    home.cli(&["config", "init"]).expect_code(0);
    let file = home.home().join(".config/umbel/config.toml");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    home.cli(&["config", "check"]).expect_code(0);
    fs::write(&file, "# mine").unwrap();
    let again = home.cli(&["config", "init", "--json"]);
    contract::failure(&again, 9, "refused");
    assert_eq!(fs::read_to_string(&file).unwrap(), "# mine");
}

#[test]
fn a_named_file_that_cannot_be_read_stops_everything_but_its_own_making() {
    let home = Sandbox::new();
    let words = ["--demo", "tasks", "--json", "--config", "none.toml"];
    let document = contract::failure(&home.cli(&words), 11, "config");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.contains("--config none.toml"), "{message}");
    home.cli(&["config", "init", "-c", "none.toml"])
        .expect_code(0);
    home.cli(&words).expect_code(0);
    let named = Sandbox::new().env("UMBEL_CONFIG", "/nowhere.toml");
    let said = named.cli(&["--demo", "tasks"]).expect_code(11).stderr;
    assert!(said.contains("UMBEL_CONFIG /nowhere.toml"), "{said}");
}

#[test]
fn a_mistake_is_told_with_its_place_and_stops_nothing() {
    let home = home("[history]\ncals = 5\ndays = 'x'\n[profiles.a]\nb = 1\n[ui]\n");
    let said = home.cli(&["--demo", "tasks"]).expect_code(0).stderr;
    let file = home.home().join(".config/umbel/config.toml");
    let file = file.display();
    let told = format!("warning: {file}:2:1: history.cals is not read; did you mean calls?");
    assert!(said.contains(&told), "{said}");
    assert!(
        said.contains(&format!("{file}:3:8: history.days: expected a number")),
        "{said}"
    );
    assert!(
        said.contains("umbel config check") && !said.contains("ui is not read"),
        "{said}"
    );
    let quiet = home.cli(&["--demo", "tasks", "-qq"]).expect_code(0).stderr;
    assert!(!quiet.contains("warning"), "{quiet}");
    let document = home
        .cli(&["config", "check", "--json"])
        .expect_code(11)
        .json();
    assert_eq!(document["schema"], "umbel.config/1");
    let complaints = document["complaints"].as_array().unwrap();
    assert_eq!(complaints.len(), 4, "{complaints:?}");
    let (line, column) = (&complaints[1]["line"], &complaints[1]["column"]);
    assert_eq!((line, column), (&json!(3), &json!(8)));
    let checked = home.cli(&["config", "check"]).expect_code(11).stdout;
    assert_eq!(checked.lines().count(), 4, "{checked}");
}

#[test]
fn a_call_of_a_task_that_must_not_be_kept_leaves_no_word_on_disk() {
    let home = home("[tasks.'demo.text.*']\npersist = false");
    keep(&home, "demo.math.add", ":=[]");
    let said = keep(&home, "demo.text.echo", "not-for-disk");
    assert!(said.contains("not kept in history"), "{said}");
    assert_eq!(kept(&home), 1);
    assert!(holds(&home, "demo.math.add"));
    assert!(!holds(&home, "not-for-disk") && !holds(&home, "text.echo"));
}

#[test]
fn the_flag_goes_before_the_variable_and_the_variable_before_the_file() {
    let echo = "demo.text.echo";
    let home = home("[history]\npersist = false");
    let by_terminal = ["--demo", "call", echo, "kept-by-nobody"];
    home.cli(&by_terminal).expect_code(0);
    assert!(!home.home().join(".local").exists());
    keep(&home, echo, "kept-by-flag");
    assert_eq!(kept(&home), 1);
    let home = home.env("UMBEL_HISTORY", "off");
    keep(&home, echo, "kept-by-flag");
    let file = home.home().join("named.db").display().to_string();
    let home = home.env("UMBEL_HISTORY", &file);
    keep(&home, echo, "kept-by-variable");
    assert_eq!(kept(&home), 1);
    let words = ["--demo", "call", "--no-history", echo, "kept-by-nobody"];
    home.cli(&words).expect_code(0);
    assert_eq!(kept(&home), 1);
    assert!(!holds(&home, "kept-by-nobody"));
}

#[test]
fn where_the_file_is_broken_nothing_is_kept_that_it_may_forbid() {
    let home = home("[history]\npersist = fals\n");
    let said = keep(&home, "demo.text.echo", "not-for-disk");
    assert!(said.contains("in memory only"), "{said}");
    assert!(!home.home().join(".local").exists());
    let folder = home.home().join(".config/umbel/config.toml");
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    let said = keep(&home, "demo.text.echo", "not-for-disk");
    assert!(said.contains("it is no file"), "{said}");
    assert!(!home.home().join(".local").exists());
}

#[test]
fn names_of_secrets_are_added_to_the_built_in_ones() {
    let home = home("[history]\nsecret = ['*iban*']");
    for name in ["iban", "api_token"] {
        let word = format!("{name}=DE-4711-0815");
        let words = [
            "--demo",
            "call",
            "--history",
            "--no-preflight",
            "demo.fail.always",
            &word,
        ];
        home.cli(&words).expect_code(1);
    }
    assert_eq!(kept(&home), 2);
    assert!(holds(&home, "api_token") && !holds(&home, "4711-0815"));
}

#[test]
fn only_as_many_calls_are_kept_as_the_file_says() {
    let home = home("[history]\ncalls = 2");
    for n in 0..4 {
        keep(&home, "demo.text.echo", &n.to_string());
    }
    // What is too much goes when history is opened the next time, and nobody waits for that.
    crate::support::eventually(crate::support::PATIENCE, "two calls", || kept(&home) == 2);
}
