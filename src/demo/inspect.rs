//! The answers to `registered`, `active_queues`, `active`, `reserved`, `scheduled` and `query_task`. Only looks.

use super::build::{number, object};
use super::control::{ids, missing};
use super::request::Request;
use super::tasks::{TASKS, Task};
use super::time;
use super::worker::{Active, Held, Worker};
use crate::protocol::Json;

/// `name`, or `name [item=value …]` with the items that the task has (protocol.md 3.5).
pub(super) fn registered(arguments: &Json) -> Json {
    let wanted = arguments.get("taskinfoitems").and_then(Json::as_list);
    let items: Vec<&str> = match wanted {
        Some(items) if !items.is_empty() => items.iter().filter_map(Json::as_str).collect(),
        _ => vec!["exchange", "routing_key", "rate_limit"],
    };
    let builtins = arguments.get("builtins").and_then(Json::as_bool) == Some(true);
    let tasks = TASKS.iter().filter(|task| builtins || !task.builtin());
    Json::List(
        tasks
            .map(|task| Json::Text(described(task, &items)))
            .collect(),
    )
}

impl Worker {
    pub(super) fn active_queues(&self) -> Json {
        Json::List(vec![consumed_queue(self.profile.queue)])
    }

    pub(super) fn active(&self, arguments: &Json) -> Json {
        let safe = arguments.get("safe").and_then(Json::as_bool) == Some(true);
        let active = self.desk.active.values();
        Json::List(active.map(|active| self.running(active, safe)).collect())
    }

    pub(super) fn reserved(&self) -> Json {
        let reserved = self.desk.reserved.iter();
        Json::List(reserved.map(|held| self.waiting(held)).collect())
    }

    pub(super) fn scheduled(&self) -> Json {
        let scheduled = self.desk.scheduled.iter().map(|held| {
            let eta = held
                .request
                .eta
                .map_or(Json::Null, |eta| Json::Text(time::iso(eta)));
            object([
                ("eta", eta),
                ("priority", Json::from(6)),
                ("request", self.waiting(held)),
            ])
        });
        Json::List(scheduled.collect())
    }

    /// Where the worker has each of the tasks; those it does not know are left out.
    pub(super) fn query_task(&self, arguments: &Json) -> Json {
        let Some(ids) = ids(arguments.get("ids")) else {
            return missing("query_task", "ids");
        };
        let active = self.desk.active.values();
        let active = active.map(|active| (&active.request, "active", self.running(active, false)));
        let reserved = self.desk.reserved.iter();
        let reserved = reserved.map(|held| (&held.request, "reserved", self.waiting(held)));
        // A task that waits for its retry is in `scheduled`, but not found here (protocol.md 11.5).
        let scheduled = self
            .desk
            .scheduled
            .iter()
            .filter(|held| held.request.retries == 0);
        let scheduled = scheduled.map(|held| (&held.request, "scheduled", self.waiting(held)));
        let known = active.chain(reserved).chain(scheduled);
        let asked = known.filter(|(request, ..)| ids.contains(&request.id));
        Json::Object(
            asked
                .map(|(request, place, info)| {
                    (request.id.0.clone(), Json::List(vec![place.into(), info]))
                })
                .collect(),
        )
    }

    fn running(&self, active: &Active, safe: bool) -> Json {
        let started = number(time::unix(active.started));
        let process = (started, true, Json::from(active.pid));
        self.info(&active.request, safe, process)
    }

    fn waiting(&self, held: &Held) -> Json {
        self.info(&held.request, false, (Json::Null, false, Json::Null))
    }

    fn info(&self, request: &Request, safe: bool, process: (Json, bool, Json)) -> Json {
        let repr = |name| Json::from(request.text(name).unwrap_or_default());
        let (args, kwargs) = if safe {
            (repr("argsrepr"), repr("kwargsrepr"))
        } else {
            let kwargs = Json::Object(request.kwargs.clone());
            (Json::List(request.args.clone()), kwargs)
        };
        let (started, acknowledged, pid) = process;
        object([
            ("id", request.id.as_str().into()),
            ("name", request.task.as_str().into()),
            ("args", args),
            ("kwargs", kwargs),
            ("type", request.task.as_str().into()),
            ("hostname", self.profile.node.into()),
            ("time_start", started),
            ("acknowledged", Json::Bool(acknowledged)),
            ("delivery_info", delivery(request)),
            ("worker_pid", pid),
        ])
    }
}

fn delivery(request: &Request) -> Json {
    let priority = request.message.properties.priority;
    object([
        ("exchange", "".into()),
        ("routing_key", request.queue.as_str().into()),
        ("priority", priority.map_or(Json::Null, number)),
        ("redelivered", Json::Bool(request.redelivered)),
    ])
}

/// Items are Python's `str()` of the attribute; those that are `None`, unknown, or begin with `_` (Celery 5.7) are left out.
fn described(task: &Task, items: &[&str]) -> String {
    let values: Vec<String> = items
        .iter()
        .filter_map(|item| Some(format!("{item}={}", attribute(task, item)?)))
        .collect();
    match values.as_slice() {
        [] => task.name.to_owned(),
        values => format!("{} [{}]", task.name, values.join(" ")),
    }
}

fn attribute(task: &Task, item: &str) -> Option<String> {
    let value = match item {
        "name" => task.name,
        "queue" => task.queue?,
        "ignore_result" => python_bool(task.ignore_result),
        "track_started" | "typing" => python_bool(true),
        "acks_late" | "abstract" => python_bool(false),
        "max_retries" => "3",
        "default_retry_delay" => "180",
        "serializer" => "json",
        "backend" => "<celery.backends.rpc.RPCBackend object at 0x7f5e8c0d2e90>",
        _ => return None,
    };
    Some(value.to_owned())
}

fn python_bool(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

fn consumed_queue(name: &str) -> Json {
    let null = Json::Null;
    let no = Json::Bool(false);
    let exchange = object([
        ("name", name.into()),
        ("type", "direct".into()),
        ("arguments", null.clone()),
        ("durable", Json::Bool(true)),
        ("passive", no.clone()),
        ("auto_delete", no.clone()),
        ("delivery_mode", null.clone()),
        ("no_declare", no.clone()),
    ]);
    object([
        ("name", name.into()),
        ("exchange", exchange),
        ("routing_key", name.into()),
        ("queue_arguments", null.clone()),
        ("binding_arguments", null.clone()),
        ("consumer_arguments", null.clone()),
        ("durable", Json::Bool(true)),
        ("exclusive", no.clone()),
        ("auto_delete", no.clone()),
        ("no_ack", no),
        ("alias", null.clone()),
        ("bindings", Json::List(Vec::new())),
        ("no_declare", null.clone()),
        ("expires", null.clone()),
        ("message_ttl", null.clone()),
        ("max_length", null.clone()),
        ("max_length_bytes", null.clone()),
        ("max_priority", null),
    ])
}
