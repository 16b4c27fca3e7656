//! Messages of real Celery 5.3 to 5.7, captured from RabbitMQ and Redis, read and compared with ours.
//! The files in `fixtures/` say in their `description` how each was captured; some hold a bare `Infinity`, so our own reader loads them.

#![expect(
    clippy::unwrap_used,
    reason = "a capture of another shape is a broken test"
)]

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rstest::rstest;
use umbel::protocol::control::{self, Method, Place, Reply, Request, Stats};
use umbel::protocol::json::Limits;
use umbel::protocol::message::{Sender, Start};
use umbel::protocol::payload::{self, Form, Payload};
use umbel::protocol::result::headline_from_traceback;
use umbel::protocol::typed::{self, Kind};
use umbel::protocol::{
    Compression, Event, Json, Message, NodeName, Options, Properties, QueueName, Serializer,
    Signature, State, TaskId, TaskName, TaskResult, delayed, envelope, event, python,
};

fn fixture(name: &str) -> Json {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let bytes = std::fs::read(folder.join(name)).unwrap();
    parse(&bytes)
}

fn capture(name: &str, version: &str) -> Json {
    fixture(&format!("{name}_{version}.json"))
}

fn parse(bytes: &[u8]) -> Json {
    Json::parse(bytes, Limits::default()).unwrap()
}

fn body(message: &Message) -> Json {
    message.payload().unwrap().into_value()
}

fn text(value: &Json, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

/// A message as the captures write it.
fn message(captured: &Json) -> Message {
    let properties = captured.get("properties").unwrap();
    let number = |key| {
        properties
            .get(key)
            .and_then(Json::as_u64)
            .map(|value| value.try_into().unwrap())
    };
    Message {
        properties: Properties {
            content_type: text(properties, "content_type"),
            content_encoding: text(properties, "content_encoding"),
            delivery_mode: number("delivery_mode"),
            correlation_id: text(properties, "correlation_id"),
            reply_to: text(properties, "reply_to"),
            priority: number("priority"),
        },
        headers: captured
            .get("headers")
            .unwrap()
            .as_object()
            .unwrap()
            .to_vec(),
        body: text(captured, "body_utf8")
            .map_or_else(|| bytes(captured, "body_base64"), String::into_bytes),
    }
}

fn header<'a>(message: &'a Message, name: &str) -> &'a Json {
    &message
        .headers
        .iter()
        .find(|(key, _)| key == name)
        .unwrap()
        .1
}

fn number(text: &str) -> Json {
    Json::Number(text.to_owned())
}

/// A call of what the captured message calls, with its id, and its sender.
fn like(captured: &Message) -> (Signature, Sender) {
    let body = body(captured);
    let [args, kwargs, _] = body.as_list().unwrap() else {
        panic!("a body has three parts");
    };
    let signature = Signature {
        task: header(captured, "task").as_str().unwrap().into(),
        id: header(captured, "id").as_str().unwrap().into(),
        args: args.as_list().unwrap().to_vec(),
        kwargs: kwargs.as_object().unwrap().to_vec(),
        options: Options::default(),
    };
    let sender = Sender {
        origin: header(captured, "origin").as_str().unwrap().to_owned(),
        reply_to: captured.properties.reply_to.clone(),
        now: "2026-11-22T10:29:05.676287Z".parse().unwrap(),
    };
    (signature, sender)
}

#[test]
fn our_message_is_the_one_that_celerys_own_client_sends() {
    let celery = message(fixture("task_amqp_default.json").get("message").unwrap());
    let (mut signature, sender) = like(&celery);
    signature.options.ignore_result = Some(false);
    let ours = signature.encode(&sender).unwrap();
    assert_eq!(ours.properties, celery.properties);
    assert_eq!(ours.headers, celery.headers);
    assert_eq!(body(&ours), body(&celery));
}

#[test]
fn expires_and_reprs_are_written_as_celery_writes_them() {
    let celery = message(fixture("task_amqp_options.json").get("message").unwrap());
    let (mut signature, sender) = like(&celery);
    signature.options.expires = Some(Duration::from_mins(2));
    let ours = signature.encode(&sender).unwrap();
    for name in ["expires", "argsrepr", "kwargsrepr"] {
        assert_eq!(header(&ours, name), header(&celery, name), "{name}");
    }
    assert_eq!(*header(&ours, "ignore_result"), Json::Null);
}

#[test]
fn typed_values_pass_through_us_unchanged() {
    let celery = message(
        fixture("task_amqp_kombu_json_types.json")
            .get("message")
            .unwrap(),
    );
    let (signature, sender) = like(&celery);
    assert_eq!(body(&signature.encode(&sender).unwrap()), body(&celery));
    let kinds: Vec<_> = signature
        .args
        .iter()
        .filter_map(typed::recognise)
        .map(|typed| typed.kind)
        .collect();
    let expected = [
        Kind::Datetime,
        Kind::Datetime,
        Kind::Date,
        Kind::Time,
        Kind::Decimal,
        Kind::Uuid,
        Kind::Bytes,
        Kind::Base64,
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn typed_values_are_shown_as_python_source() {
    let celery = message(
        fixture("task_amqp_kombu_json_types.json")
            .get("message")
            .unwrap(),
    );
    let (signature, _) = like(&celery);
    let expected = "echo(datetime.fromisoformat('2024-05-01T12:30:15.123456+00:00'), \
        datetime.fromisoformat('2024-05-01T12:30:00'), date.fromisoformat('2024-05-01'), \
        time.fromisoformat('01:02:03'), Decimal('1.10'), UUID('12345678-1234-5678-1234-567812345678'), \
        b'abc', b'\\xff\\x00', [1, 2], float('nan'), float('inf'), 1180591620717411303424, 'ž😀')";
    assert_eq!(python::call("echo", &signature.args, &[]), expected);
}

fn request(method: Method) -> Request {
    Request {
        method,
        destination: Vec::new(),
        ticket: "t-1".to_owned(),
        reply_to: Some("umbel.q".to_owned()),
    }
}

fn keys(value: &Json) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, _)| key.as_str())
        .collect()
}

#[rstest]
#[case(0, Method::Registered { item: Some("max_retries".to_owned()), builtins: false })]
#[case(1, Method::Active)]
#[case(3, Method::Ping)]
fn our_requests_have_the_fields_of_celerys_own(#[case] index: usize, #[case] method: Method) {
    let captured = fixture("pidbox_amqp_requests.json");
    let celery = body(&message(
        &captured.get("messages").unwrap().as_list().unwrap()[index],
    ));
    let ours = body(&request(method).encode());
    assert_eq!(keys(&ours), keys(&celery));
    assert_eq!(ours.get("method"), celery.get("method"));
    let reply_to = ours.get("reply_to").unwrap();
    assert_eq!(
        reply_to.to_wire(),
        r#"{"exchange":"","routing_key":"umbel.q"}"#
    );
    for key in keys(celery.get("arguments").unwrap()) {
        assert!(ours.get("arguments").unwrap().get(key).is_some(), "{key}");
    }
}

#[test]
fn a_revoke_without_reply_is_celerys_own_to_the_letter() {
    let captured = fixture("pidbox_amqp_requests.json");
    let celery = message(&captured.get("messages").unwrap().as_list().unwrap()[2]);
    let revoke = Method::Revoke {
        id: "abc".into(),
        terminate: Some(umbel::protocol::control::Signal::Sigterm),
    };
    let ours = Request {
        reply_to: None,
        ..request(revoke)
    }
    .encode();
    assert_eq!(body(&ours), body(&celery));
    let properties = Properties {
        delivery_mode: Some(2),
        ..ours.properties
    };
    assert_eq!(properties, celery.properties);
}

#[test]
fn a_ping_is_answered_with_pong() {
    let captured = fixture("pidbox_amqp_reply_ping.json");
    let reply = Reply::parse(&message(captured.get("message").unwrap())).unwrap();
    assert_eq!(reply.ticket, "4d1f79e5-f269-48b7-87f3-5beff0f0c8e6");
    assert_eq!(reply.node, NodeName::from("p5@host1"));
    assert_eq!(reply.value.unwrap().to_wire(), r#"{"ok":"pong"}"#);
}

fn reply(body: &Json) -> Reply {
    let message = Message {
        headers: vec![("ticket".to_owned(), "t-1".into())],
        body: body.to_wire().into_bytes(),
        ..Message::default()
    };
    Reply::parse(&message).unwrap()
}

/// The first answer to a command, as the captures name it.
fn answer(version: &str, command: &str) -> Json {
    let captured = capture("control_replies", version);
    let command = captured.get("commands").unwrap().get(command).unwrap();
    let replies = command.get("replies").unwrap().as_list().unwrap();
    reply(&replies[0]).value.unwrap()
}

#[rstest]
fn every_control_reply_is_a_value_or_an_error(#[values("5.3.6", "5.6.3", "5.7.0")] version: &str) {
    let captured = capture("control_replies", version);
    let mut errors = 0;
    for (command, captured) in captured.get("commands").unwrap().as_object().unwrap() {
        for body in captured.get("replies").unwrap().as_list().unwrap() {
            let reply = reply(body);
            assert_eq!(reply.node, NodeName::from("p7@host1"), "{command}");
            errors += usize::from(reply.value.is_err());
        }
    }
    assert!(errors > 5, "the captures hold refusals too: {errors}");
}

#[rstest]
fn workers_of_all_versions_tell_what_they_hold(#[values("5.3.6", "5.6.3", "5.7.0")] version: &str) {
    let queues = control::active_queues(&answer(version, "active_queues after add_consumer"));
    let names: Vec<_> = queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(names, ["celery", "extra", "extra2"]);
    assert_eq!(
        (queues[2].exchange.as_str(), queues[2].routing_key.as_str()),
        ("ex2", "a.#")
    );
    assert_eq!(queues[2].exchange_type.as_deref(), Some("topic"));
    let scheduled = control::scheduled(&answer(version, "scheduled"));
    assert_eq!(scheduled.len(), 1);
    assert!(scheduled[0].eta.is_some() && scheduled[0].task.started.is_none());
    let switched = control::switched(&answer(version, "disable_events")).unwrap();
    assert!(!switched.on && switched.already);

    let active = control::held_tasks(&answer(version, "active"));
    assert_eq!(active.len(), 2);
    for task in &active {
        assert_eq!(task.name, TaskName::from("shop.tasks.sleep"));
        assert!(task.acknowledged && task.pid.is_some() && task.started.unwrap() > 1.7e9);
    }
    let reserved = control::held_tasks(&answer(version, "reserved"));
    assert_eq!((reserved[0].started, reserved[0].pid), (None, None));
    assert!(!reserved[0].acknowledged);
}

/// Asked for a running, a prefetched, a scheduled and an unknown task, older workers name only the first two.
#[rstest]
#[case("5.3.6", &[Place::Active, Place::Reserved])]
#[case("5.6.3", &[Place::Active, Place::Reserved])]
#[case("5.7.0", &[Place::Active, Place::Reserved, Place::Scheduled])]
fn a_task_is_found_where_it_is(#[case] version: &str, #[case] expected: &[Place]) {
    let captured = capture("control_replies", version);
    let commands = captured.get("commands").unwrap().as_object().unwrap();
    let (_, asked) = commands
        .iter()
        .find(|(key, _)| key.starts_with(r#"query_task {"ids": ["#))
        .unwrap();
    let replies = asked.get("replies").unwrap().as_list().unwrap();
    let places = control::places(&reply(&replies[0]).value.unwrap());
    let found: Vec<_> = places.iter().map(|(_, place, _)| *place).collect();
    assert_eq!(found, expected);
    assert!(places.iter().all(|(id, _, task)| *id == task.id));
}

#[rstest]
fn stats_conf_and_report_tell_of_the_worker(#[values("5.3.6", "5.6.3", "5.7.0")] version: &str) {
    let stats = control::stats(&answer(version, "stats"));
    assert_eq!(stats.pool.as_deref(), Some("prefork"));
    assert_eq!(
        (stats.slots, stats.total, stats.prefetch),
        (Some(2), Some(0), Some(8))
    );
    assert!(stats.pid.is_some() && stats.uptime.is_some());

    let changed = control::conf(&answer(version, "conf"));
    assert!(changed.result_backend.unwrap().starts_with("redis://"));
    assert_eq!(
        changed.routes,
        [("shop.tasks.fail".to_owned(), QueueName::from("fails"))]
    );
    assert_eq!((changed.default_queue, changed.ignore_result), (None, None));
    assert_eq!(changed.result_keyprefix, control::Keyprefix::Censored);

    assert!(changed.transport.visibility_timeout.is_some());

    let all = control::conf(&answer(version, r#"conf {"with_defaults": true}"#));
    assert_eq!(
        all.accept_content.as_deref(),
        Some(["json".to_owned()].as_slice())
    );
    assert_eq!(all.task_serializer.as_deref(), Some("json"));
    assert_eq!(all.default_queue.as_deref(), Some("celery"));
    assert_eq!(
        (all.ignore_result, all.track_started),
        (Some(false), Some(false))
    );

    let report = control::report(&answer(version, "report"));
    assert_eq!(report.celery.as_deref(), Some(version));
    assert!(report.kombu.unwrap().starts_with("5."));
    assert!(report.results.unwrap().starts_with("redis://"));
}

#[test]
fn a_conf_with_an_infinity_is_read() {
    let captured = fixture("conf_with_defaults_raw_5.7.0.json");
    let body = parse(text(&captured, "body_utf8").unwrap().as_bytes());
    assert!(body.has_non_finite());
    let conf = control::conf(&reply(&body).value.unwrap());
    assert!(conf.result_backend.unwrap().starts_with("rpc"));
}

#[rstest]
#[case("5.7.0 -P prefork -c 3", "prefork", 3)]
#[case("5.7.0 -P prefork --autoscale=4,2", "prefork", 4)]
#[case("5.7.0 -P threads -c 3", "threads", 3)]
#[case("5.7.0 -P gevent -c 1000", "gevent", 1000)]
#[case("5.7.0 -P solo", "solo", 1)]
#[case("5.3.6 -P prefork --autoscale=4,2", "prefork", 4)]
fn slots_are_counted_as_each_pool_counts_them(
    #[case] worker: &str,
    #[case] pool: &str,
    #[case] slots: u64,
) {
    let captured = fixture("stats_pools.json");
    let captures = captured.get("captures").unwrap().as_list().unwrap();
    let name = |capture: &&Json| {
        let part = |key| text(capture, key).unwrap();
        format!("{} {}", part("celery"), part("options")) == worker
    };
    let stats = control::stats(captures.iter().find(name).unwrap());
    assert_eq!(
        (stats.pool.as_deref(), stats.slots),
        (Some(pool), Some(slots))
    );
}

#[test]
fn a_missing_answer_is_no_zero() {
    assert_eq!(control::stats(&parse(b"{}")), Stats::default());
    assert_eq!(control::stats(&parse(b"null")), Stats::default());
}

fn names(registered: &Json) -> Vec<TaskName> {
    // Asked for nothing a worker adds the rate limit; asked for an unknown item it does not.
    let bare = |name: TaskName| TaskName::from(name.as_str().split(" [").next().unwrap());
    control::registered_names(registered.get("(none)").unwrap())
        .into_iter()
        .map(bare)
        .collect()
}

fn item(replies: &Json, task: &str, item: &str) -> Option<String> {
    let names = names(replies);
    let values = control::registered_item(&names, item, replies.get(item).unwrap()).unwrap();
    let at = names.iter().position(|name| name.as_str() == task).unwrap();
    values[at].clone()
}

#[rstest]
fn every_item_of_registered_is_read(#[values("5.3.6", "5.7.0")] version: &str) {
    let captured = capture("registered", version);
    let replies = captured.get("replies").unwrap();
    let names = names(replies);
    for (item, reply) in replies.as_object().unwrap() {
        if !item.starts_with('(') && item != "two items" {
            assert!(
                control::registered_item(&names, item, reply).is_some(),
                "{item}"
            );
        }
    }
    assert_eq!(
        item(replies, "shop.tasks.send_mail", "rate_limit").as_deref(),
        Some("10/m")
    );
    assert_eq!(
        item(replies, "shop.tasks.add", "ignore_result").as_deref(),
        Some("False")
    );
    assert_eq!(item(replies, "shop.tasks.add", "queue"), None);
}

#[test]
fn an_item_may_hold_brackets_and_line_breaks() {
    let captured = capture("registered", "5.3.6");
    let replies = captured.get("replies").unwrap();
    let doc = "Add two numbers.\n\n    Longer text [with brackets] key=value.\n    ";
    assert_eq!(
        item(replies, "shop.tasks.add", "__doc__").as_deref(),
        Some(doc)
    );
    let annotations = "{'x': <class 'int'>, 'y': <class 'int'>, 'return': <class 'int'>}";
    assert_eq!(
        item(replies, "shop.tasks.add", "__annotations__").as_deref(),
        Some(annotations)
    );
    // Since 5.7 nothing that starts with an underscore is told.
    let newer = capture("registered", "5.7.0");
    assert_eq!(
        item(
            newer.get("replies").unwrap(),
            "shop.tasks.add",
            "__annotations__"
        ),
        None
    );
}

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
    insta::assert_snapshot!(format!("{backend}_{version}"), summary);
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

fn bytes(captured: &Json, key: &str) -> Vec<u8> {
    BASE64_STANDARD
        .decode(text(captured, key).unwrap())
        .unwrap()
}

#[rstest]
fn a_body_is_read_in_every_compression_of_kombus(
    #[values(
        "application/x-gzip",
        "application/x-bz2",
        "application/x-lzma",
        "application/x-brotli",
        "application/zstd"
    )]
    method: &str,
) {
    let captured = fixture("compression_bodies_5.7.0.json");
    let body = text(&captured, "body_utf8").unwrap();
    let compressed = captured.get("methods").unwrap().get(method).unwrap();
    let json = Some("application/json");
    let payload = payload::decode(
        &bytes(compressed, "base64"),
        json,
        Some(method),
        Limits::default(),
    );
    assert_eq!(payload.unwrap().into_value(), parse(body.as_bytes()));
}

#[rstest]
#[case("task_amqp_yaml.json", Serializer::Yaml, None)]
#[case("task_amqp_msgpack.json", Serializer::Msgpack, None)]
#[case("task_amqp_gzip.json", Serializer::Json, Some(Compression::Gzip))]
#[case("task_amqp_bzip2.json", Serializer::Json, Some(Compression::Bzip2))]
#[case("task_amqp_lzma.json", Serializer::Json, Some(Compression::Lzma))]
fn a_task_in_every_form_is_the_one_that_celerys_own_client_sends(
    #[case] name: &str,
    #[case] serializer: Serializer,
    #[case] compression: Option<Compression>,
) {
    let celery = message(fixture(name).get("message").unwrap());
    let (mut signature, sender) = like(&celery);
    signature.options.ignore_result = Some(false);
    signature.options.serializer = Some(serializer);
    signature.options.compression = compression;
    let ours = signature.encode(&sender).unwrap();
    assert_eq!(ours.properties, celery.properties);
    assert_eq!(ours.headers, celery.headers);
    let sorted = |message: &Message| {
        let mut parts = body(message).as_list().unwrap().to_vec();
        if let Json::Object(embed) = &mut parts[2] {
            // PyYAML sorts keys.
            embed.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        parts
    };
    assert_eq!(sorted(&ours), sorted(&celery));
}

#[test]
fn a_pickled_task_is_taken_apart() {
    let celery = message(fixture("task_amqp_pickle.json").get("message").unwrap());
    let Payload::Opaque(opaque) = celery.payload().unwrap() else {
        panic!("a pickle is opaque");
    };
    let outline = r#"[[1,2],{},{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]"#;
    assert_eq!(opaque.outline.to_wire(), outline);
    assert!(!opaque.truncated && opaque.size == celery.body.len());
    assert_eq!(opaque.lines[0], "     11  int 1");
    assert!(
        opaque
            .lines
            .iter()
            .any(|line| line.ends_with("text 'callbacks'"))
    );
}

#[test]
fn every_option_becomes_what_celerys_own_client_makes_of_it() {
    let celery = message(fixture("task_amqp_options.json").get("message").unwrap());
    let (mut signature, sender) = like(&celery);
    signature.options = Options {
        start: Some(Start::After(Duration::from_secs(30))),
        expires: Some(Duration::from_mins(2)),
        priority: Some(5),
        time_limit: Some(Duration::from_secs(10)),
        soft_time_limit: Some(Duration::from_secs(5)),
        shadow: Some("alias".to_owned()),
        ignore_result: Some(true),
        headers: vec![("x-mine".to_owned(), number("1"))],
        ..Options::default()
    };
    let ours = signature.encode(&sender).unwrap();
    assert_eq!(ours.properties, celery.properties);
    assert_eq!(ours.headers, celery.headers);
}

#[test]
fn a_delayed_task_goes_the_way_that_celerys_own_client_sends_it() {
    let captured = fixture("task_amqp_delayed_delivery.json");
    let message = captured.get("message").unwrap();
    let target = message.get("delivery_info").unwrap();
    let (exchange, routing_key) = delayed::route(5, "qtopic").unwrap();
    assert_eq!(text(target, "exchange"), Some(exchange));
    assert_eq!(text(target, "routing_key"), Some(routing_key));
}

/// An envelope without the tag that is new each time.
fn without_tag(envelope: &Json) -> Json {
    let Json::Object(entries) = envelope else {
        return envelope.clone();
    };
    let kept = entries.iter().filter(|(key, _)| {
        // Only Celery's own client also sends the AMQP property (protocol.md 9.4).
        key != "delivery_tag" && key != "expiration"
    });
    Json::Object(
        kept.map(|(key, value)| (key.clone(), without_tag(value)))
            .collect(),
    )
}

#[rstest]
#[case("task_redis_default.json")]
#[case("task_redis_priority5.json")]
#[case("task_redis_gzip.json")]
#[case("task_redis_msgpack.json")]
fn an_envelope_is_read_and_written_as_kombu_writes_it(#[case] name: &str) {
    let raw = text(&fixture(name), "raw").unwrap();
    let message = envelope::decode(raw.as_bytes()).unwrap();
    assert_eq!(header(&message, "task").as_str(), Some("shop.tasks.add"));
    let body = message.payload().unwrap().into_value();
    assert_eq!(body.as_list().unwrap().len(), 3);
    let ours = envelope::encode(&message, "", "cap");
    assert_eq!(
        without_tag(&parse(&ours)),
        without_tag(&parse(raw.as_bytes()))
    );
}

#[test]
fn a_control_reply_over_redis_is_read_from_its_envelope() {
    let raw = text(&fixture("pidbox_redis_5.7.0.json"), "reply_raw").unwrap();
    let reply = Reply::parse(&envelope::decode(raw.as_bytes()).unwrap()).unwrap();
    assert_eq!(reply.ticket, "350644f6-fa7b-4c80-8638-c7678c0e0978");
    assert_eq!(reply.node, NodeName::from("p11@host1"));
    assert_eq!(reply.value.unwrap().to_wire(), r#"{"ok":"pong"}"#);
}

#[test]
fn a_held_message_tells_its_queue() {
    let value = text(&fixture("redis_unacked.json"), "value").unwrap();
    assert_eq!(
        envelope::held_queue(value.as_bytes()),
        Some(QueueName::from("celery"))
    );
}

#[test]
fn an_rpc_result_over_redis_is_read_from_its_envelope() {
    let raw = text(&fixture("result_rpc_over_redis_reply.json"), "raw").unwrap();
    let message = envelope::decode(raw.as_bytes()).unwrap();
    let result = TaskResult::of_message(&message, &TaskId::from("?")).unwrap();
    assert_eq!(
        Some(result.id.as_str()),
        message.properties.correlation_id.as_deref()
    );
    assert_eq!((result.state, result.value), (State::Success, number("3")));
}

/// One line for an event.
fn event_line(event: &Event) -> String {
    match event {
        Event::Task(event) => format!(
            "{} {} {}: {:?}",
            event.clock,
            event.node,
            event.at.unwrap(),
            event.kind
        ),
        Event::Worker(event) => format!(
            "{} {} {}: {:?} every {:?}s, {:?} active, {:?} done, load {:?}, Celery {:?}",
            event.clock,
            event.node,
            event.at.unwrap(),
            event.kind,
            event.freq,
            event.active,
            event.processed,
            event.loadavg,
            event.sw_ver
        ),
        Event::Other(kind) => format!("? {kind}"),
    }
}

fn told(summary: &mut String, message: &Message) {
    for event in event::parse(message).unwrap() {
        let line = event_line(&event);
        writeln!(summary, "    {}", python::shorten(&line, 300)).unwrap();
    }
}

#[test]
fn every_event_on_amqp_is_read() {
    let captured = fixture("events_amqp_5.7.0.json");
    let mut summary = String::new();
    for step in captured.get("steps").unwrap().as_list().unwrap() {
        writeln!(summary, "{}", text(step, "step").unwrap()).unwrap();
        for captured in step.get("messages").unwrap().as_list().unwrap() {
            told(&mut summary, &message(captured));
        }
    }
    for name in [
        "events_amqp_single_gevent_5.7.0",
        "events_amqp_task_sent_5.7.0",
    ] {
        writeln!(summary, "{name}").unwrap();
        for captured in fixture(&format!("{name}.json"))
            .get("messages")
            .unwrap()
            .as_list()
            .unwrap()
        {
            told(&mut summary, &message(captured));
        }
    }
    insta::assert_snapshot!("events_amqp_5.7.0", summary);
}

#[test]
fn every_event_on_redis_is_read_from_its_envelope() {
    let captured = fixture("events_redis_5.7.0.json");
    let mut summary = String::new();
    for captured in captured.get("messages").unwrap().as_list().unwrap() {
        let raw = text(captured, "payload_raw").unwrap();
        told(&mut summary, &envelope::decode(raw.as_bytes()).unwrap());
    }
    insta::assert_snapshot!("events_redis_5.7.0", summary);
}
