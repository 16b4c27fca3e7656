//! Requests to workers and their replies.

use crate::{body, capture, fixture, message, parse, text};
use rstest::rstest;
use umbel::protocol::control::{self, Method, Place, Reply, ReplyTo, Request, Stats};
use umbel::protocol::{Json, Message, NodeName, Properties, QueueName, TaskName};

fn request(method: Method) -> Request {
    Request {
        method,
        destination: Vec::new(),
        ticket: "t-1".to_owned(),
        reply_to: Some(ReplyTo::queue("umbel.q")),
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
