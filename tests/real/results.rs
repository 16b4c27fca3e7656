//! What comes back is what the task returned, and what arrives is what was meant.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Sandbox, WorkerOptions, rig};
use crate::world::Kind::{self, RedisPrefork, RpcPrefork};
use crate::world::new_id;

#[rstest]
fn values_that_json_cannot_hold_come_tagged(#[values(RedisPrefork, RpcPrefork)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let world = kind.shared(rig);
    let document = world.document(0, "types", &[]);
    let result = &document["result"];
    assert_eq!(
        result["decimal"],
        json!({"__type__": "decimal", "__value__": "1.10"})
    );
    assert_eq!(result["datetime"]["__type__"], "datetime");
    assert_eq!(
        result["bytes"],
        json!({"__type__": "base64", "__value__": "/wA="})
    );
    assert_eq!(result["tuple"], json!([1, 2]));
    assert_eq!(result["big"].to_string(), "1180591620717411303424");
    assert_eq!(result["precise"].to_string(), "0.1");
    assert_eq!(
        result["unicode"],
        "žluť 不鏽鋼 \u{1f469}\u{200d}\u{1f4bb} ｶﾞ"
    );
    assert_eq!(
        (&result["nan"], &result["minus_infinity"]),
        (&json!("NaN"), &json!("-Infinity"))
    );
    assert!(
        document["warnings"].to_string().contains("NaN or Infinity"),
        "{document}"
    );
    let keys: Vec<&String> = result.as_object().expect("an object").keys().collect();
    assert_eq!(
        (keys[0].as_str(), keys[keys.len() - 1].as_str()),
        ("datetime", "unicode")
    );
    // Piped for people: as the backend has it.
    let outcome = world
        .cli(&["call", "shop.tasks.types", "--timeout", "60"])
        .expect_code(0);
    assert!(
        outcome.stdout.contains("\"nan\":NaN,\"infinity\":Infinity"),
        "{}",
        outcome.stdout
    );
    assert_eq!(outcome.stdout.lines().count(), 1);
}

#[rstest]
fn arguments_arrive_as_they_were_typed(#[values(RedisPrefork, RpcPrefork)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let words = [
        "1180591620717411303424",
        "1.10",
        "客戶 \u{1f469}\u{200d}\u{1f4bb}",
        "null",
        r#"{"z":1,"a":[true]}"#,
        "\"42\"",
        ":float=nan",
        "note=late",
        "order:={\"id\": 1}",
    ];
    let result = kind.shared(rig).document(0, "echo", &words)["result"].clone();
    let args = r#"[1180591620717411303424,1.1,"客戶 👩‍💻",null,{"z":1,"a":[true]},"42","NaN"]"#;
    assert_eq!(result["args"].to_string(), args);
    assert_eq!(
        result["kwargs"].to_string(),
        r#"{"note":"late","order":{"id":1}}"#
    );
}

#[rstest]
fn typed_arguments_are_python_s_own_types(#[values(RedisPrefork)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let words = [
        ":datetime=2024-05-01T12:30:00+00:00",
        "amount:decimal=12.50",
        "key:uuid=12345678-1234-5678-1234-567812345678",
    ];
    let said = kind.shared(rig).document(0, "rich", &words)["result"].clone();
    let said = said.as_str().expect("a repr");
    for part in [
        "datetime.datetime(2024, 5, 1, 12, 30",
        "Decimal('12.50')",
        "UUID('12345678-1234-5678-1234-567812345678')",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

#[rstest]
#[case("nothing", "null")]
#[case("elsewhere", "\"short\"")]
fn small_things(
    #[case] task: &str,
    #[case] expected: &str,
    #[values(RedisPrefork, RpcPrefork)] kind: Kind,
) {
    let Some(rig) = rig() else { return };
    let world = kind.shared(rig);
    let name = if task == "elsewhere" {
        "short.name".to_owned()
    } else {
        format!("shop.tasks.{task}")
    };
    let outcome = world
        .cli(&["call", &name, "--timeout", "60"])
        .expect_code(0);
    assert_eq!(outcome.stdout, format!("{expected}\n"));
    let document = world
        .cli(&["call", &name, "--timeout", "60", "--json"])
        .expect_code(0)
        .json();
    assert_eq!(document["result_known"], true);
}

#[rstest]
fn hostile_text_is_whole_in_the_document_and_harmless_on_a_terminal(
    #[values(RedisPrefork, RpcPrefork)] kind: Kind,
) {
    let Some(rig) = rig() else { return };
    let world = kind.shared(rig);
    let document = world.document(0, "hostile", &[]);
    assert!(
        document["result"]["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("\u{1b}[2J") && text.ends_with("end"))
    );
    for task in ["shop.tasks.hostile", "shop.tasks.fail_unicode"] {
        let sandbox = world.sandbox();
        let mut pty = sandbox.pty(40, 120, &["call", task, "--timeout", "60"]);
        pty.wait_exit();
        let said = String::from_utf8(pty.bytes())
            .expect("UTF-8")
            .replace("\r\u{1b}[K", "");
        for c in said.chars() {
            assert!(
                !c.is_control() || c == '\n' || c == '\r',
                "{c:?} in {said:?}"
            );
            assert!(
                !('\u{202a}'..='\u{202e}').contains(&c) && !('\u{2066}'..='\u{2069}').contains(&c),
                "{said:?}"
            );
        }
        assert!(said.contains("owned"), "{said:?}");
    }
}

#[rstest]
fn the_worker_sees_the_headers_that_celery_itself_sends(
    #[values(RedisPrefork, RpcPrefork)] kind: Kind,
) {
    let Some(rig) = rig() else { return };
    let id = new_id();
    let result = kind
        .shared(rig)
        .document(0, "whoami", &["--task-id", &id, "--expires", "1h"])["result"]
        .clone();
    let is = |key: &str, value: &str| assert_eq!(result[key], value, "{key}: {result}");
    is("id", &format!("'{id}'"));
    is("correlation_id", &format!("'{id}'"));
    is("root_id", &format!("'{id}'"));
    is("retries", "0");
    is("lang", "'py'");
    is("ignore_result", "None");
    is("timelimit", "[None, None]");
    is("parent_id", "None");
    assert!(
        result["reply_to"]
            .as_str()
            .is_some_and(|queue| queue.starts_with("'umbel.")),
        "{result}"
    );
    assert!(
        result["origin"]
            .as_str()
            .is_some_and(|origin| origin.starts_with("'gen")),
        "{result}"
    );
    assert!(
        result["expires"].as_str().is_some_and(|at| at != "None"),
        "{result}"
    );
}

#[rstest]
fn the_backend_is_learned_from_the_workers(#[values(RedisPrefork, RpcPrefork)] kind: Kind) {
    let Some(rig) = rig() else { return };
    let world = kind.shared(rig);
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &world.vhost.url);
    let document = sandbox
        .cli(&[
            "call",
            "shop.tasks.add",
            "2",
            "3",
            "--json",
            "--timeout",
            "60",
        ])
        .expect_code(0)
        .json();
    assert_eq!(
        (&document["result"], &document["warnings"]),
        (&json!(5), &json!([]))
    );
    sandbox
        .cli(&[
            "call",
            "shop.tasks.add",
            "2",
            "3",
            "--no-preflight",
            "--timeout",
            "60",
        ])
        .expect_code(0);
    sandbox
        .cli(&[
            "call",
            "shop.tasks.add",
            "2",
            "3",
            "--no-preflight",
            "--queue",
            "celery",
            "--timeout",
            "60",
        ])
        .expect_code(0);
}

#[test]
fn a_backend_from_a_worker_s_environment_wins_as_it_does_in_celery() {
    let Some(rig) = rig() else { return };
    let (vhost, db) = (rig.vhost(), rig.redis_db());
    let options = WorkerOptions {
        broker: vhost.url.clone(),
        backend: "rpc://".to_owned(),
        pool: "solo".to_owned(),
        env: vec![("CELERY_RESULT_BACKEND".to_owned(), db.url.clone())],
        ..WorkerOptions::default()
    };
    let _worker = crate::support::Worker::start("shop.tasks", &options);
    let sandbox = Sandbox::new().env("CELERY_BROKER_URL", &vhost.url);
    let document = sandbox
        .cli(&["call", "shop.tasks.add", "2", "3", "--json"])
        .expect_code(0)
        .json();
    assert_eq!(document["result"], json!(5));
}

#[rstest]
fn a_pickled_result_is_taken_apart_and_never_executed(
    #[values(RedisPrefork, RpcPrefork)] kind: Kind,
) {
    let Some(rig) = rig() else { return };
    let options = WorkerOptions {
        concurrency: 1,
        conf: "'result_serializer': 'pickle', 'accept_content': ['json', 'pickle'], 'result_accept_content': ['json', 'pickle']".to_owned(),
        ..WorkerOptions::default()
    };
    let world = kind.start(rig, options);
    let document: Value = world.document(0, "add", &["2", "3"]);
    assert_eq!(
        (
            &document["state"],
            &document["result"],
            &document["result_known"]
        ),
        (&json!("ok"), &json!(null), &json!(false)),
        "{document}"
    );
    assert_eq!(document["result_form"], "pickle", "{document}");
    assert!(
        document["result_opaque"].to_string().contains("SUCCESS"),
        "{document}"
    );
    let failed = world.document(1, "fail", &["no stock"]);
    assert_eq!(failed["error"]["message"], "no stock", "{failed}");
}
