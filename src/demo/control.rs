//! Control requests (protocol.md 3): who is meant, what is wanted, and the reply. Never does anything dangerous: the rest is a `KeyError`.

use super::build::{object, text_or_null, texts};
use super::worker::Worker;
use super::{inspect, settings};
use crate::protocol::json::Limits;
use crate::protocol::{Json, Message, Properties, QueueName, TaskId, python};

impl Worker {
    /// Deals with a request; whether it was answered.
    pub(super) fn control_request(&mut self, message: &Message) -> bool {
        let Ok(body) = Json::parse(&message.body, Limits::default()) else {
            return false;
        };
        if !self.is_meant(body.get("destination")) {
            return false;
        }
        self.desk.clock += 1;
        let method = body
            .get("method")
            .and_then(Json::as_str)
            .unwrap_or_default();
        let nothing = object([]);
        let arguments = body.get("arguments").unwrap_or(&nothing);
        let value = self.answer(method, arguments);
        self.reply(&body, value)
    }

    /// A list names workers; a text is searched for the name, as Celery does by accident; null and an empty list mean everyone.
    fn is_meant(&self, destination: Option<&Json>) -> bool {
        match destination {
            Some(Json::List(nodes)) if !nodes.is_empty() => nodes
                .iter()
                .any(|node| node.as_str() == Some(self.profile.node)),
            Some(Json::Text(text)) if !text.is_empty() => text.contains(self.profile.node),
            _ => true,
        }
    }

    fn reply(&self, request: &Json, value: Json) -> bool {
        let Some(reply_to) = request.get("reply_to") else {
            return false;
        };
        // Reply exchanges of Celery's own client do not exist here.
        let queue = match (reply_to.get("exchange"), reply_to.get("routing_key")) {
            (Some(Json::Text(exchange)), Some(Json::Text(queue))) if exchange.is_empty() => queue,
            _ => return false,
        };
        let ticket = text_or_null(request.get("ticket").and_then(Json::as_str));
        let message = Message {
            properties: Properties {
                content_type: Some("application/json".to_owned()),
                content_encoding: Some("utf-8".to_owned()),
                delivery_mode: Some(1),
                priority: Some(0),
                ..Properties::default()
            },
            headers: vec![
                ("ticket".to_owned(), ticket),
                ("clock".to_owned(), Json::from(self.desk.clock)),
            ],
            body: object([(self.profile.node, value)]).to_wire().into_bytes(),
        };
        self.outbox
            .server
            .publish(&QueueName::from(queue.as_str()), message)
    }

    fn answer(&mut self, method: &str, arguments: &Json) -> Json {
        match method {
            "ping" => ok("pong"),
            "clock" => object([("clock", Json::from(self.desk.clock))]),
            "report" => ok(&settings::report()),
            "conf" | "dump_conf" => settings::conf(arguments),
            "stats" => self.stats(),
            "active_queues" => self.active_queues(),
            "registered" | "dump_tasks" => inspect::registered(arguments),
            "active" | "dump_active" => self.active(arguments),
            "reserved" | "dump_reserved" => self.reserved(),
            "scheduled" | "dump_schedule" => self.scheduled(),
            "revoked" | "dump_revoked" => texts(self.desk.revoked.ids().map(TaskId::as_str)),
            "query_task" => self.query_task(arguments),
            "enable_events" => self.switch_events(true),
            "disable_events" => self.switch_events(false),
            "revoke" => self.revoke(arguments),
            "terminate" => self.terminate(arguments),
            unknown => error(&format!("KeyError({})", python::repr(&unknown.into()))),
        }
    }

    fn switch_events(&self, on: bool) -> Json {
        let word = if on { "enabled" } else { "disabled" };
        let already = if self.outbox.voice.switch(on) {
            ""
        } else {
            "already "
        };
        ok(&format!("task events {already}{word}"))
    }

    fn revoke(&mut self, arguments: &Json) -> Json {
        let Some(ids) = ids(arguments.get("task_id")) else {
            return missing("revoke", "task_id");
        };
        if arguments.get("terminate").and_then(Json::as_bool) == Some(true) {
            return self.kill(&ids, arguments);
        }
        let quoted: Vec<String> = ids
            .iter()
            .map(|id| python::repr(&id.as_str().into()))
            .collect();
        self.flag(ids);
        ok(&format!(
            "tasks {{{}}} flagged as revoked",
            quoted.join(", ")
        ))
    }

    fn terminate(&mut self, arguments: &Json) -> Json {
        match (arguments.get("signal"), ids(arguments.get("task_id"))) {
            (None, None) => error(
                "TypeError(\"terminate() missing 2 required positional arguments: 'signal' and 'task_id'\")",
            ),
            (None, _) => missing("terminate", "signal"),
            (_, None) => missing("terminate", "task_id"),
            (Some(_), Some(ids)) => self.kill(&ids, arguments),
        }
    }

    fn flag(&mut self, ids: Vec<TaskId>) {
        for id in ids {
            self.desk.revoked.add(id);
        }
    }

    /// Kills those that run; those that wait are flagged, and dropped when their turn comes.
    fn kill(&mut self, ids: &[TaskId], arguments: &Json) -> Json {
        let signal = arguments.get("signal").and_then(Json::as_str);
        let signal = signal.unwrap_or("SIGTERM").trim_start_matches("SIG");
        if !["TERM", "KILL", "INT", "QUIT", "USR1", "HUP"].contains(&signal) {
            return error(&format!(
                "AttributeError(\"module 'signal' has no attribute 'SIG{signal}'\")"
            ));
        }
        let known: Vec<&str> = ids
            .iter()
            .filter(|id| self.holds(id))
            .map(TaskId::as_str)
            .collect();
        for active in self.desk.active.values() {
            if ids.contains(&active.request.id) {
                active.terminate();
            }
        }
        let text = match known.as_slice() {
            [] => "terminate: tasks unknown".to_owned(),
            known => format!("terminate: {}", known.join(", ")),
        };
        self.flag(ids.to_vec());
        ok(&text)
    }

    fn holds(&self, id: &TaskId) -> bool {
        let active = self.desk.active.values().map(|active| &active.request);
        let waiting = self.desk.reserved.iter().chain(&self.desk.scheduled);
        let mut all = active.chain(waiting.map(|held| &held.request));
        all.any(|request| request.id == *id)
    }
}

/// One id or a list of them.
pub(super) fn ids(argument: Option<&Json>) -> Option<Vec<TaskId>> {
    match argument? {
        Json::Text(id) => Some(vec![TaskId::from(id.as_str())]),
        Json::List(ids) => Some(
            ids.iter()
                .filter_map(|id| Some(TaskId::from(id.as_str()?)))
                .collect(),
        ),
        _ => None,
    }
}

fn ok(text: &str) -> Json {
    object([("ok", text.into())])
}

fn error(text: &str) -> Json {
    object([("error", text.into())])
}

/// The error of a command that was called without its argument.
pub(super) fn missing(command: &str, argument: &str) -> Json {
    error(&format!(
        "TypeError(\"{command}() missing 1 required positional argument: '{argument}'\")"
    ))
}
