//! Results, in every state that a backend tells.

use crate::{assert_looks_like, bytes, capture, fixture, message, number};
use rstest::rstest;
use std::fmt::Write;
use umbel::protocol::payload::Form;
use umbel::protocol::result::headline_from_traceback;
use umbel::protocol::{Json, Message, State, TaskId, TaskResult, python};

/// Everything a backend said, case by case in order.
fn results(captured: &Json) -> Vec<(String, Vec<TaskResult>)> {
    let cases = captured.get("cases").unwrap().as_object().unwrap();
    let read = |(name, case): &(String, Json)| {
        let list = |key| {
            case.get(key)
                .and_then(Json::as_list)
                .unwrap_or_default()
                .iter()
        };
        let redis = list("published_on_channel").map(stored);
        let rpc = list("messages_on_reply_queue").map(|captured| sent(&message(captured)));
        (name.clone(), redis.chain(rpc).collect())
    };
    cases.iter().map(read).collect()
}

fn stored(text: &Json) -> TaskResult {
    TaskResult::parse(text.as_str().unwrap().as_bytes(), None, &TaskId::from("?")).unwrap()
}

fn sent(message: &Message) -> TaskResult {
    let id = message.properties.correlation_id.clone().unwrap();
    let content_type = message.properties.content_type.as_deref();
    let result = TaskResult::parse(&message.body, content_type, &TaskId::from("?")).unwrap();
    assert_eq!(result.id, TaskId(id));
    result
}

/// One line for a result, enough to see what each field became.
fn line(result: &TaskResult) -> String {
    let mut line = result.state.as_str().to_owned();
    match &result.exception {
        Some(exception) => {
            let module = exception.module.as_deref().unwrap_or("-");
            write!(line, " {module} {}", exception.headline()).unwrap();
        }
        None => write!(line, " {}", python::shorten(&result.value.to_wire(), 80)).unwrap(),
    }
    if let Some(headline) = result
        .traceback
        .as_deref()
        .and_then(headline_from_traceback)
    {
        write!(line, " | {headline}").unwrap();
    }
    if let Some(done) = result.done_at {
        write!(line, " | done {done}").unwrap();
    }
    if let Some(worker) = &result.worker {
        write!(line, " | by {worker}").unwrap();
    }
    if let Some(pid) = result.pid {
        write!(line, " pid {pid}").unwrap();
    }
    if let Some(retries) = result.retries {
        write!(line, " retries {retries}").unwrap();
    }
    line
}

#[rstest]
#[case("results_redis_default", "5.3.6")]
#[case("results_redis_default", "5.5.3")]
#[case("results_redis_default", "5.6.3")]
#[case("results_redis_default", "5.7.0")]
#[case("results_redis_extended_started", "5.7.0")]
#[case("results_rpc_amqp", "5.3.6")]
#[case("results_rpc_amqp", "5.4.0")]
#[case("results_rpc_amqp", "5.5.3")]
#[case("results_rpc_amqp", "5.6.3")]
#[case("results_rpc_amqp", "5.7.0")]
fn every_state_of_every_task_is_read(#[case] backend: &str, #[case] version: &str) {
    let mut summary = String::new();
    for (name, results) in results(&capture(backend, version)) {
        writeln!(summary, "{name}").unwrap();
        for result in &results {
            writeln!(summary, "    {}", line(result)).unwrap();
        }
        let kinds = [State::Failure, State::Retry, State::Revoked];
        assert!(
            results
                .iter()
                .all(|result| kinds.contains(&result.state) == result.exception.is_some())
        );
    }
    assert_looks_like(&format!("{backend}_{version}"), &summary);
}

#[test]
fn numbers_of_results_keep_their_digits() {
    let captured = capture("results_redis_default", "5.3.6");
    let results = results(&captured);
    let (_, types) = results.iter().find(|(name, _)| name == "types").unwrap();
    assert_eq!(
        types[0].value.get("big"),
        Some(&number("1180591620717411303424"))
    );
    assert_eq!(types[0].value.get("nan"), Some(&number("NaN")));
    assert_eq!(types[0].value.get("uni"), Some(&"žluť😀".into()));
}

#[rstest]
#[case("result_redis_compressed_gzip.json")]
#[case("result_redis_compressed_bzip2.json")]
fn a_compressed_result_is_read(#[case] name: &str) {
    let value = bytes(&fixture(name), "value_base64");
    let result = TaskResult::parse(&value, None, &TaskId::from("?")).unwrap();
    assert_eq!((result.state, result.form), (State::Success, Form::Json));
    assert_eq!(result.size, value.len());
    let cut = TaskResult::parse(&value[..value.len() - 9], None, &TaskId::from("?"));
    let error = cut.unwrap_err().to_string();
    assert!(error.contains("it is cut off"), "{error}");
}
