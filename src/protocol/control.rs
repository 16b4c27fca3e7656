//! Remote control (pidbox): requests to workers and their replies (protocol.md 3).
//!
//! `control/answers.rs` reads what workers are and do, `control/settings.rs` what they tell of their configuration. All of it
//! is remote: what has another shape is skipped, never trusted.

mod answers;
mod settings;

pub use answers::{
    ConsumedQueue, HeldTask, Place, ScheduledTask, Stats, Switched, active_queues, held_tasks,
    places, registered_item, registered_names, scheduled, stats, switched,
};
pub use settings::{Conf, Keyprefix, Report, TransportOptions, conf, report};

use super::payload::PayloadError;
use super::{Json, Message, NodeName, Properties, TaskId};

/// The fanout exchange of control requests (`control_exchange` default, `celery`).
pub const EXCHANGE: &str = "celery.pidbox";

/// What a worker can be asked or told. Only what umbel uses; nothing dangerous can be formed by accident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// Answers `{"ok": "pong"}`.
    Ping,
    /// Task names; with `item`, that attribute of each (one item per request, protocol.md 3.5). `None` asks for an item
    /// that cannot exist, which gives bare names.
    Registered {
        /// The attribute, such as `ignore_result`.
        item: Option<String>,
        /// Whether Celery's own tasks are wanted too.
        builtins: bool,
    },
    /// Queues the worker consumes.
    ActiveQueues,
    /// Pool, counters, uptime.
    Stats,
    /// Running tasks, arguments as the repr strings of their headers.
    Active,
    /// Prefetched tasks.
    Reserved,
    /// Changed settings.
    Conf,
    /// Free text with versions, transport and result backend.
    Report,
    /// Tasks that wait for their ETA or retry.
    Scheduled,
    /// Send events of tasks; answered as [`switched`] reads.
    EnableEvents,
    /// Send them no more.
    DisableEvents,
    /// Where tasks are.
    QueryTask(Vec<TaskId>),
    /// Revoke; with `terminate`, kill the process that runs it.
    Revoke {
        /// Which task.
        id: TaskId,
        /// Kill the process that runs it, with this signal.
        terminate: Option<Signal>,
    },
}

/// A signal that ends a process (`signal` of `revoke`; billiard knows them by these names on every system that runs workers).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, strum::Display, strum::EnumString, strum::EnumIter,
)]
#[strum(serialize_all = "UPPERCASE")]
pub enum Signal {
    /// Asks the process to end.
    #[default]
    Sigterm,
    /// Ends it at once.
    Sigkill,
    /// As Ctrl-C does.
    Sigint,
    /// As Ctrl-\ does.
    Sigquit,
    /// Raises `SoftTimeLimitExceeded` in the task (prefork).
    Sigusr1,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What.
    pub method: Method,
    /// To whom; empty = everyone.
    pub destination: Vec<NodeName>,
    /// Correlates the replies.
    pub ticket: String,
    /// Where replies go.
    pub reply_to: Option<ReplyTo>,
}

/// Where replies go: an exchange and a routing key of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    /// Empty: the default exchange.
    pub exchange: String,
    /// With the default exchange, the name of the queue or list.
    pub routing_key: String,
}

impl ReplyTo {
    /// To this queue or list, through the default exchange.
    pub fn queue(name: impl Into<String>) -> Self {
        Self {
            exchange: String::new(),
            routing_key: name.into(),
        }
    }
}

/// One worker's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Whose request it answers.
    pub ticket: String,
    /// Who answers.
    pub node: NodeName,
    /// What, or the worker's error text.
    pub value: Result<Json, String>,
}

/// Why a reply cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// Its body cannot be read.
    #[error("control reply is not readable: {0}")]
    Payload(#[from] PayloadError),
    /// It is readable but has another shape, or no ticket.
    #[error("control reply has no {0}")]
    Shape(&'static str),
}

impl Method {
    fn name(&self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Registered { .. } => "registered",
            Self::ActiveQueues => "active_queues",
            Self::Stats => "stats",
            Self::Active => "active",
            Self::Reserved => "reserved",
            Self::Conf => "conf",
            Self::Report => "report",
            Self::Scheduled => "scheduled",
            Self::EnableEvents => "enable_events",
            Self::DisableEvents => "disable_events",
            Self::QueryTask(_) => "query_task",
            Self::Revoke { .. } => "revoke",
        }
    }

    fn arguments(&self) -> Json {
        match self {
            Self::Registered { item, builtins } => {
                let item = Json::from(item.as_deref().unwrap_or(NO_ITEM));
                object([
                    ("taskinfoitems", Json::List(vec![item])),
                    ("builtins", Json::Bool(*builtins)),
                ])
            }
            // Arguments as repr strings: the real ones may be huge, secret, or of types that JSON has not.
            Self::Active => object([("safe", Json::Bool(true))]),
            Self::Conf => object([("with_defaults", Json::Bool(false))]),
            Self::QueryTask(ids) => object([("ids", texts(ids.iter().map(TaskId::as_str)))]),
            Self::Revoke { id, terminate } => object([
                ("task_id", id.as_str().into()),
                ("terminate", Json::Bool(terminate.is_some())),
                (
                    "signal",
                    Json::from(terminate.unwrap_or_default().to_string().as_str()),
                ),
            ]),
            Self::Ping
            | Self::ActiveQueues
            | Self::Stats
            | Self::Reserved
            | Self::Report
            | Self::Scheduled
            | Self::EnableEvents
            | Self::DisableEvents => object([]),
        }
    }
}

/// An attribute that no task has: asked for it, a worker lists bare names (protocol.md 3.5).
const NO_ITEM: &str = "zz";

fn object<const N: usize>(entries: [(&str, Json); N]) -> Json {
    Json::Object(entries.map(|(key, value)| (key.to_owned(), value)).into())
}

fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> Json {
    Json::List(texts.map(Json::from).collect())
}

impl Request {
    /// The message to publish to [`EXCHANGE`]: JSON, delivery mode 1.
    pub fn encode(&self) -> Message {
        let destination = match self.destination.as_slice() {
            [] => Json::Null,
            nodes => texts(nodes.iter().map(NodeName::as_str)),
        };
        let mut body = vec![
            ("method".to_owned(), self.method.name().into()),
            ("arguments".to_owned(), self.method.arguments()),
            ("destination".to_owned(), destination),
            ("pattern".to_owned(), Json::Null),
            ("matcher".to_owned(), Json::Null),
        ];
        if let Some(reply_to) = &self.reply_to {
            let reply_to = object([
                ("exchange", reply_to.exchange.as_str().into()),
                ("routing_key", reply_to.routing_key.as_str().into()),
            ]);
            body.push(("ticket".to_owned(), self.ticket.as_str().into()));
            body.push(("reply_to".to_owned(), reply_to));
        }
        Message {
            properties: properties(),
            // Celery's own, `clock` and `expires`, are optional and read by nobody who answers us.
            headers: Vec::new(),
            body: Json::Object(body).to_wire().into_bytes(),
        }
    }
}

fn properties() -> Properties {
    Properties {
        content_type: Some("application/json".to_owned()),
        content_encoding: Some("utf-8".to_owned()),
        delivery_mode: Some(1),
        priority: Some(0),
        ..Properties::default()
    }
}

impl Reply {
    /// Reads one reply message (header `ticket`, body `{node: value}`; `{"error": …}` becomes `Err`). Workers answer in their
    /// `task_serializer`: of a pickled answer the outline is taken.
    pub fn parse(message: &Message) -> Result<Self, ReplyError> {
        let ticket = message.header("ticket").and_then(Json::as_str);
        let ticket = ticket.ok_or(ReplyError::Shape("ticket"))?;
        let body = message.payload()?.into_value();
        let Json::Object(entries) = body else {
            return Err(ReplyError::Shape("node"));
        };
        let (node, value) = entries
            .into_iter()
            .next()
            .ok_or(ReplyError::Shape("node"))?;
        Ok(Self {
            ticket: ticket.to_owned(),
            node: NodeName(node),
            value: outcome(value),
        })
    }
}

/// A refusal is an object with nothing but the key `error`.
fn outcome(value: Json) -> Result<Json, String> {
    match value.as_object() {
        Some([(key, error)]) if key == "error" => Err(match error {
            Json::Text(text) => text.clone(),
            other => other.to_wire(),
        }),
        _ => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::super::TaskName;
    use super::super::json::arbitrary;
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn reply(headers: Vec<(String, Json)>, body: &str) -> Message {
        Message {
            headers,
            body: body.into(),
            ..Message::default()
        }
    }

    fn ticket() -> Vec<(String, Json)> {
        vec![("ticket".to_owned(), "t-1".into())]
    }

    #[rstest]
    #[case(Method::Ping, "ping", "{}")]
    #[case(Method::Registered { item: None, builtins: true }, "registered", r#"{"taskinfoitems":["zz"],"builtins":true}"#)]
    #[case(Method::ActiveQueues, "active_queues", "{}")]
    #[case(Method::Stats, "stats", "{}")]
    #[case(Method::Active, "active", r#"{"safe":true}"#)]
    #[case(Method::Reserved, "reserved", "{}")]
    #[case(Method::Conf, "conf", r#"{"with_defaults":false}"#)]
    #[case(Method::Report, "report", "{}")]
    #[case(Method::Scheduled, "scheduled", "{}")]
    #[case(Method::EnableEvents, "enable_events", "{}")]
    #[case(Method::DisableEvents, "disable_events", "{}")]
    #[case(Method::QueryTask(vec!["a".into(), "b".into()]), "query_task", r#"{"ids":["a","b"]}"#)]
    #[case(Method::Revoke { id: "a".into(), terminate: None }, "revoke", r#"{"task_id":"a","terminate":false,"signal":"SIGTERM"}"#)]
    #[case(Method::Revoke { id: "a".into(), terminate: Some(Signal::Sigkill) }, "revoke", r#"{"task_id":"a","terminate":true,"signal":"SIGKILL"}"#)]
    fn a_request_has_its_method_and_arguments(
        #[case] method: Method,
        #[case] name: &str,
        #[case] arguments: &str,
    ) {
        let destination = vec![NodeName::from("w1@host1")];
        let request = Request {
            method,
            destination,
            ticket: "t-1".to_owned(),
            reply_to: Some(ReplyTo::queue("q")),
        };
        let body = format!(
            r#"{{"method":"{name}","arguments":{arguments},"destination":["w1@host1"],"pattern":null,"matcher":null,"ticket":"t-1","reply_to":{{"exchange":"","routing_key":"q"}}}}"#
        );
        assert_eq!(String::from_utf8(request.encode().body).unwrap(), body);
    }

    #[test]
    fn a_refusal_is_an_object_with_nothing_but_an_error() {
        let value = |body: &str| Reply::parse(&reply(ticket(), body)).unwrap().value;
        assert_eq!(
            value(r#"{"w@h": {"error": "unknown task"}}"#),
            Err("unknown task".to_owned())
        );
        assert_eq!(value(r#"{"w@h": {"error": [1]}}"#), Err("[1]".to_owned()));
        assert!(value(r#"{"w@h": {"error": "x", "ok": 1}}"#).is_ok());
        assert_eq!(value(r#"{"w@h": null}"#), Ok(Json::Null));
    }

    #[rstest]
    #[case(vec![], r#"{"w@h": 1}"#, "control reply has no ticket")]
    #[case(vec![("ticket".to_owned(), Json::from(1))], r#"{"w@h": 1}"#, "control reply has no ticket")]
    #[case(ticket(), "[]", "control reply has no node")]
    #[case(ticket(), "{}", "control reply has no node")]
    #[case(
        ticket(),
        "{",
        "control reply is not readable: not JSON: expected a key in double quotes, found the end at line 1, column 2"
    )]
    fn what_is_no_reply_says_why(
        #[case] headers: Vec<(String, Json)>,
        #[case] body: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(
            Reply::parse(&reply(headers, body)).unwrap_err().to_string(),
            expected
        );
    }

    #[rstest]
    #[case("application/x-msgpack", b"\x81\xa3w@h\x81\xa2ok\xa4pong")]
    #[case("application/x-yaml", b"w@h: {ok: pong}\n")]
    #[case(
        "application/x-python-serialize",
        b"\x80\x04}\x8c\x03w@h}\x8c\x02ok\x8c\x04pongss."
    )]
    fn workers_answer_in_the_serializer_of_their_tasks(#[case] told: &str, #[case] body: &[u8]) {
        let mut message = reply(ticket(), "");
        message.properties.content_type = Some(told.to_owned());
        message.body = body.to_vec();
        let reply = Reply::parse(&message).unwrap();
        assert_eq!(reply.node, NodeName::from("w@h"));
        assert_eq!(reply.value.unwrap().to_wire(), r#"{"ok":"pong"}"#);
    }

    /// Documents with the field names that the answers are read from.
    fn hostile() -> impl Strategy<Value = Json> {
        let names = [
            "id",
            "name",
            "exchange",
            "pool",
            "processes",
            "implementation",
            "total",
            "ok",
            "queue",
            "max-concurrency",
            "task_routes",
            "result_backend",
            "result_backend_transport_options",
            "global_keyprefix",
            "accept_content",
            "broker_transport_options",
            "priority_steps",
            "visibility_timeout",
            "queue_arguments",
            "x-max-priority",
            "request",
            "eta",
        ];
        let field = (prop::sample::select(names.to_vec()), arbitrary::lenient());
        let object = prop::collection::vec(field, 0..6).prop_map(|fields| {
            Json::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
            )
        });
        let list = prop::collection::vec(object.clone(), 0..4).prop_map(Json::List);
        prop_oneof![arbitrary::lenient(), object, list]
    }

    proptest! {
        #[test]
        fn answers_of_any_shape_are_read_or_skipped(answer in hostile(), name in any::<String>()) {
            let names = registered_names(&answer);
            let _ = registered_item(&names, &name, &answer);
            let _ = (active_queues(&answer), held_tasks(&answer), places(&answer));
            let _ = (stats(&answer), conf(&answer), report(&answer));
            let _ = (scheduled(&answer), switched(&answer));
        }

        #[test]
        fn any_body_is_a_reply_or_an_error(body in any::<Vec<u8>>()) {
            let _ = Reply::parse(&Message { headers: ticket(), body, ..Message::default() });
        }

        #[test]
        fn an_item_is_read_back_whatever_it_holds(value in any::<String>(), name in "[a-z.]{1,12}") {
            let names = [TaskName::from("other"), TaskName::from(name.as_str())];
            let answer = Json::List(vec!["other".into(), Json::Text(format!("{name} [doc={value}]"))]);
            prop_assert_eq!(registered_item(&names, "doc", &answer), Some(vec![None, Some(value)]));
        }
    }
}
