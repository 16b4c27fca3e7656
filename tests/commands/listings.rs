//! `tasks`, `queues` and `workers` on the demo, in their three forms.

use rstest::rstest;
use serde_json::{Value, json};

use crate::contract::{assert_time, keys};
use crate::support::cli;

fn demo(words: &[&str]) -> crate::support::Outcome {
    let mut all = vec!["--demo"];
    all.extend(words);
    cli(&all).expect_code(0)
}

fn names(document: &Value, list: &str) -> Vec<String> {
    let entries = document[list].as_array().expect("a list").iter();
    entries
        .map(|entry| entry["name"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn tasks_are_a_document() {
    let outcome = demo(&["tasks", "--json"]);
    let document = outcome.json();
    assert_eq!(
        keys(&document),
        ["schema", "workers_replied", "workers_known", "tasks"]
    );
    assert_eq!(document["schema"], "umbel.tasks/1");
    assert_eq!(
        (&document["workers_replied"], &document["workers_known"]),
        (&json!(3), &json!(3))
    );
    let tasks = document["tasks"].as_array().expect("a list");
    let add = tasks
        .iter()
        .find(|task| task["name"] == "demo.math.add")
        .expect("a task");
    let expected = json!({
        "name": "demo.math.add", "workers": ["alpha@demo", "beta@demo", "gamma@demo"], "queue": "celery", "result": "kept",
        "signature": {"schema": "umbel.signature/1", "source": "none", "params": null},
    });
    assert_eq!(add, &expected);
    let silent = tasks
        .iter()
        .find(|task| task["name"] == "demo.silent.ignored")
        .expect("a task");
    assert_eq!(silent["result"], "ignored");
    assert!(names(&document, "tasks").is_sorted());
    assert!(!outcome.stdout.contains("celery.chord"));
    assert_eq!(outcome.stderr, "");
}

#[rstest]
#[case::part(&["math"], &["demo.math.add"])]
#[case::glob(&["demo.*.a*"], &["demo.fail.always", "demo.math.add"])]
#[case::glob_over_dots(&["*add"], &["demo.math.add"])]
#[case::one_letter(&["demo.math.ad?"], &["demo.math.add"])]
#[case::a_glob_is_the_whole_name(&["math*"], &[])]
#[case::no_match(&["no.such"], &[])]
#[case::builtins(&["--builtins", "celery.chord"], &["celery.chord", "celery.chord_unlock"])]
fn tasks_are_chosen_by_a_part_or_a_glob_of_their_name(
    #[case] words: &[&str],
    #[case] expected: &[&str],
) {
    let mut all = vec!["tasks", "--json"];
    all.extend(words);
    assert_eq!(names(&demo(&all).json(), "tasks"), expected);
}

#[test]
fn tasks_in_plain_form_are_tab_separated_with_a_header() {
    let outcome = demo(&["tasks", "add", "--plain"]);
    let expected = "name\tqueue\tregistered\tworkers\tresult\tsignature\ndemo.math.add\tcelery\t3\t3\tkept\tnone\n";
    assert_eq!(outcome.stdout, expected);
    let outcome = demo(&["tasks", "no.such", "--plain"]);
    assert_eq!(
        outcome.stdout,
        "name\tqueue\tregistered\tworkers\tresult\tsignature\n"
    );
}

#[test]
fn tasks_for_people_are_a_table_and_no_match_is_said_in_words() {
    let outcome = demo(&["tasks"]);
    assert!(outcome.stdout.starts_with("TASK"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("3/3"), "{}", outcome.stdout);
    let outcome = demo(&["tasks", "no.such"]);
    assert_eq!(outcome.stdout, "");
    assert!(
        outcome.stderr.contains("no registered task matches"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn queues_are_a_document_in_which_the_unknown_is_null() {
    let document = demo(&["queues", "--json"]).json();
    assert_eq!(keys(&document), ["schema", "at", "queues"]);
    assert_eq!(document["schema"], "umbel.queues/1");
    assert_time(&document["at"]);
    let queues = document["queues"].as_array().expect("a list");
    assert_eq!(queues.len(), 3);
    for queue in queues {
        let expected = [
            "name",
            "ready",
            "held",
            "consumers",
            "in_per_s",
            "out_per_s",
            "wait_ms",
            "trouble",
            "note",
        ];
        assert_eq!(keys(queue), expected);
        assert!(
            queue["ready"].is_u64() && queue["consumers"] == 1,
            "{queue}"
        );
        for unknown in ["held", "in_per_s", "out_per_s", "wait_ms"] {
            assert!(queue[unknown].is_null(), "{queue}");
        }
        let trouble = queue["trouble"].as_str();
        assert!(
            trouble.is_none_or(|trouble| ["growing", "no_consumer", "stuck"].contains(&trouble)),
            "{queue}"
        );
    }
}

#[test]
fn one_queue_can_be_named_also_when_there_is_none() {
    let document = demo(&["queues", "mail", "--json"]).json();
    assert_eq!(names(&document, "queues"), ["mail"]);
    let document = demo(&["queues", "nowhere", "--json"]).json();
    assert_eq!(names(&document, "queues"), ["nowhere"]);
    let queue = &document["queues"][0];
    assert!(
        queue["ready"].is_null() && queue["consumers"].is_null(),
        "{queue}"
    );
    assert!(
        queue["note"]
            .as_str()
            .is_some_and(|note| note.contains("no such queue")),
        "{queue}"
    );
}

#[test]
fn queues_in_plain_form_are_tab_separated_with_a_header() {
    let outcome = demo(&["queues", "celery", "--plain"]);
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines[0], "name\tready\theld\tconsumers\ttrouble\tnote");
    assert_eq!(lines[1], "celery\t0\t?\t1\t\tconsumed only by alpha@demo");
    assert_eq!(lines.len(), 2);
}

#[test]
fn workers_are_a_document() {
    let document = demo(&["workers", "--json"]).json();
    assert_eq!(
        keys(&document),
        [
            "schema",
            "at",
            "workers_replied",
            "workers_known",
            "workers"
        ]
    );
    assert_eq!(document["schema"], "umbel.workers/1");
    assert_time(&document["at"]);
    let workers = document["workers"].as_array().expect("a list");
    assert_eq!(workers.len(), 3);
    let expected = [
        "name", "state", "inferred", "evidence", "ping_ms", "slots", "active", "reserved",
        "queues", "pool", "celery", "uptime_s",
    ];
    for worker in workers {
        assert_eq!(keys(worker), expected);
        assert!(
            ["ok", "busy"].contains(&worker["state"].as_str().expect("a state")),
            "{worker}"
        );
        assert_eq!(worker["inferred"], false);
        assert!(worker["ping_ms"].is_number(), "{worker}");
    }
    let beta = workers
        .iter()
        .find(|worker| worker["name"] == "beta@demo")
        .expect("a worker");
    assert_eq!(
        (&beta["state"], &beta["slots"], &beta["active"]),
        (&json!("busy"), &json!(2), &json!(2))
    );
    assert_eq!(beta["queues"], json!(["reports"]));
    assert_eq!(beta["pool"], "prefork");
    assert_eq!(beta["celery"], "5.7.0");
}

#[test]
fn workers_are_chosen_by_a_part_of_their_name() {
    assert_eq!(
        names(&demo(&["workers", "alp", "--json"]).json(), "workers"),
        ["alpha@demo"]
    );
    assert!(names(&demo(&["workers", "no.such", "--json"]).json(), "workers").is_empty());
    let said = demo(&["workers", "no.such"]).stderr;
    assert!(said.contains("no worker that answered"), "{said}");
}

#[test]
fn workers_in_plain_form_are_tab_separated_with_a_header() {
    let outcome = demo(&["workers", "alpha", "--plain"]);
    let lines: Vec<Vec<&str>> = outcome
        .stdout
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let expected = [
        "name", "state", "active", "slots", "reserved", "queues", "pool", "celery", "uptime_s",
        "evidence",
    ];
    assert_eq!(lines[0], expected);
    assert_eq!(
        lines[1][..8],
        [
            "alpha@demo",
            "ok",
            "0",
            "4",
            "0",
            "celery",
            "prefork",
            "5.7.0"
        ]
    );
    assert!(lines[1][8].parse::<u64>().is_ok(), "{lines:?}");
}
