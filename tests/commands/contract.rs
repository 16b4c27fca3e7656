//! What scripts may rely on: the keys of the documents, spelled out once.

use serde_json::Value;

use crate::support::Outcome;

/// The keys of `umbel.call/1`, in every state.
pub const CALL: [&str; 51] = [
    "schema",
    "ok",
    "profile",
    "kind",
    "task",
    "id",
    "state",
    "custom",
    "custom_meta",
    "sent",
    "args",
    "kwargs",
    "result",
    "result_known",
    "result_source",
    "result_repr",
    "result_truncated",
    "result_form",
    "result_opaque",
    "error",
    "queue",
    "worker",
    "pid",
    "retries",
    "sent_at",
    "received_at",
    "received_by_at",
    "started_at",
    "last_started_at",
    "first_worker",
    "first_pid",
    "started_again_at",
    "done_at",
    "timeout_ms",
    "expires_at",
    "queued_ms",
    "queued_clock",
    "ran_ms",
    "ran_clock",
    "total_ms",
    "total_clock",
    "late",
    "warnings",
    "diagnosis",
    "revoke",
    "exit",
    "options",
    "broker",
    "backend",
    "created_at",
    "diagnosed_at",
];

/// The keys of `error` in `umbel.call/1`.
pub const CALL_ERROR: [&str; 7] = [
    "kind",
    "type",
    "message",
    "traceback",
    "argument_error",
    "retry_safe",
    "hint",
];

/// The keys of an object, in their order.
#[track_caller]
pub fn keys(value: &Value) -> Vec<&str> {
    let object = value
        .as_object()
        .unwrap_or_else(|| panic!("no object: {value}"));
    object.keys().map(String::as_str).collect()
}

/// The one document of a call, if it has all its keys, the shapes the contract promises, and the exit code it tells.
#[track_caller]
pub fn call(outcome: &Outcome) -> Value {
    let document = outcome.json();
    assert_eq!(keys(&document), CALL, "{}", outcome.account());
    assert_eq!(document["schema"], "umbel.call/1");
    assert_eq!(document["exit"].as_i64(), outcome.code().map(i64::from));
    if !document["error"].is_null() {
        assert_eq!(
            keys(&document["error"]),
            CALL_ERROR,
            "{}",
            outcome.account()
        );
        assert_eq!(document["ok"], false);
    }
    for time in [
        "sent_at",
        "received_at",
        "received_by_at",
        "started_at",
        "last_started_at",
        "started_again_at",
        "done_at",
        "expires_at",
    ] {
        assert_time(&document[time]);
    }
    for clock in ["queued_clock", "ran_clock", "total_clock"] {
        let known = ["ours", "worker", "both"];
        let clock = &document[clock];
        assert!(
            clock.is_null() || clock.as_str().is_some_and(|clock| known.contains(&clock)),
            "{document}"
        );
    }
    for count in [
        "timeout_ms",
        "queued_ms",
        "ran_ms",
        "total_ms",
        "pid",
        "retries",
    ] {
        assert!(
            document[count].is_null() || document[count].is_u64(),
            "{count}: {document}"
        );
    }
    assert_eq!(
        outcome.stdout.lines().count(),
        1,
        "piped, a document is one line"
    );
    document
}

/// The one document of a failure that has no document of its own.
#[track_caller]
pub fn failure(outcome: &Outcome, code: i32, kind: &str) -> Value {
    let document = outcome.json();
    assert_eq!(
        keys(&document),
        ["schema", "ok", "exit", "error"],
        "{}",
        outcome.account()
    );
    assert_eq!(keys(&document["error"]), ["kind", "message", "hint"]);
    assert_eq!(document["schema"], "umbel.error/1");
    assert_eq!(document["ok"], false);
    assert_eq!(document["error"]["kind"], kind, "{}", outcome.account());
    assert_eq!(outcome.code(), Some(code), "{}", outcome.account());
    assert_eq!(document["exit"].as_i64(), Some(code.into()));
    assert!(
        document["error"]["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
    document
}

/// `null`, or RFC 3339 in UTC with milliseconds.
#[track_caller]
pub fn assert_time(value: &Value) {
    let Some(text) = value.as_str() else {
        assert!(value.is_null(), "{value}");
        return;
    };
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{text}");
}
