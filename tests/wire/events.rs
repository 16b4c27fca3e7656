//! Events of workers and tasks, on both brokers.

use crate::{assert_looks_like, fixture, message, text};
use std::fmt::Write;
use umbel::protocol::{Event, Message, envelope, event, python};

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
    assert_looks_like("events_amqp_5.7.0", &summary);
}

#[test]
fn every_event_on_redis_is_read_from_its_envelope() {
    let captured = fixture("events_redis_5.7.0.json");
    let mut summary = String::new();
    for captured in captured.get("messages").unwrap().as_list().unwrap() {
        let raw = text(captured, "payload_raw").unwrap();
        told(&mut summary, &envelope::decode(raw.as_bytes()).unwrap());
    }
    assert_looks_like("events_redis_5.7.0", &summary);
}
