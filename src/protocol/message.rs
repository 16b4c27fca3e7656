//! A task message, protocol 2, built from one typed struct and nothing else: a malformed one kills every worker that meets it (protocol.md 1.3).

use std::collections::HashSet;
use std::time::Duration;

use super::{Compression, Json, QueueName, Serializer, TaskId, TaskName};
use super::{python, typed};
use crate::clock::Timestamp;

/// A message as it lies on a broker: AMQP basic properties, the headers table, the body's bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The properties that Celery uses.
    pub properties: Properties,
    /// The headers table, in order. Strings go out as AMQP long strings.
    pub headers: Vec<(String, Json)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The AMQP basic properties that Celery uses.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Properties {
    /// MIME type of the body; a task without it kills the worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `utf-8` or `binary`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// 2 = persistent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_mode: Option<u8>,
    /// The task id; an rpc result carries it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The queue that rpc results go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Only when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
}

/// A call as the user wants it: Celery's signature. The only source of task messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Registered name.
    pub task: TaskName,
    /// Id of this call.
    pub id: TaskId,
    /// Positional arguments.
    pub args: Vec<Json>,
    /// Keyword arguments, in the order given; names are unique.
    pub kwargs: Vec<(String, Json)>,
    /// How to send it.
    pub options: Options,
}

/// When a worker may start it at the earliest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// `countdown`: so long after it is sent.
    After(Duration),
    /// `eta`.
    At(Timestamp),
}

/// The options of `apply_async`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The queue named by the user; else it is chosen (ux.md 0.1, ruling 19).
    pub queue: Option<QueueName>,
    /// Exchange to publish to instead of the default exchange.
    pub exchange: Option<String>,
    /// Routing key for that exchange, or for the exchange of the chosen queue.
    pub routing_key: Option<String>,
    /// `countdown` or `eta`; travels as the header `eta`.
    pub start: Option<Start>,
    /// How long after sending a worker may still start it; travels as a header only (protocol.md 9.4).
    pub expires: Option<Duration>,
    /// AMQP: 0 to 255, the highest first, only in queues with `x-max-priority`. Redis: 0 to 9, 0 first.
    pub priority: Option<u8>,
    /// Hard time limit: the process is killed; overrides the task's own.
    pub time_limit: Option<Duration>,
    /// Soft time limit: `SoftTimeLimitExceeded` is raised in the task.
    pub soft_time_limit: Option<Duration>,
    /// Further headers, which the task sees as `self.request.NAME`; none of Celery's own names.
    pub headers: Vec<(String, Json)>,
    /// How the body is written; `None`: JSON, or what the workers accept.
    pub serializer: Option<Serializer>,
    /// How the body is compressed.
    pub compression: Option<Compression>,
    /// Name that logs and events show instead of the task's.
    pub shadow: Option<String>,
    /// `None`: the task decides. `Some(false)` asks for a result of a task that ignores it (Celery 5.6+).
    pub ignore_result: Option<bool>,
}

/// What the sender adds to a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// `origin` header, `gen<pid>@<host>`.
    pub origin: String,
    /// Queue that rpc results are to go to.
    pub reply_to: Option<String>,
    /// When it is sent; `expires` counts from here.
    pub now: Timestamp,
}

/// Why a signature cannot become a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The task has no name.
    #[error("the task has no name")]
    NoTask,
    /// An object in the arguments looks like one of kombu's typed values but names a type no worker knows.
    #[error(
        "an object with exactly the keys __type__ and __value__ names the unknown type {0:?}: workers cannot decode it and would lose the message"
    )]
    UnknownType(String),
    /// A keyword is given twice.
    #[error("the keyword {0:?} is given twice")]
    DuplicateKeyword(String),
    /// The encoded body is larger than we send.
    #[error("the arguments are {0} bytes; at most 64 MiB are sent")]
    TooLarge(usize),
    /// Something in the arguments has a known type but a content that no worker can decode.
    #[error("the arguments hold {0}: workers cannot decode it and would lose the message")]
    Undecodable(String),
    /// The id does not fit into an AMQP property.
    #[error("the task id is {0} bytes; at most 255 are possible")]
    LongId(usize),
}

/// The largest body we send.
const LARGEST: usize = 64 << 20;

/// An AMQP short string, as which an id travels in the properties.
const LONGEST_ID: usize = 255;

/// Where Celery cuts `argsrepr` and `kwargsrepr`.
const REPR: usize = 1024;

const CONTENT_TYPE: &str = "application/json";

impl Signature {
    /// The message exactly as protocol.md 1.1 wants it: body `[args, kwargs, embed]`, all headers of Celery's own client
    /// in its order, JSON in UTF-8, persistent; `expires` as a header and never as a property.
    pub fn encode(&self, sender: &Sender) -> Result<Message, EncodeError> {
        self.check_names()?;
        let args = Json::List(self.args.clone());
        let kwargs = Json::Object(self.kwargs.clone());
        check_decodable(&args, &kwargs)?;
        let body = Json::List(vec![args, kwargs, embed()]).to_wire();
        if body.len() > LARGEST {
            return Err(EncodeError::TooLarge(body.len()));
        }
        Ok(Message {
            properties: self.properties(sender),
            headers: self.headers(sender),
            body: body.into_bytes(),
        })
    }

    fn check_names(&self) -> Result<(), EncodeError> {
        if self.task.as_str().is_empty() {
            return Err(EncodeError::NoTask);
        }
        let id = self.id.as_str().len();
        if id > LONGEST_ID {
            return Err(EncodeError::LongId(id));
        }
        let mut seen = HashSet::new();
        match self.kwargs.iter().find(|(key, _)| !seen.insert(key)) {
            Some((twice, _)) => Err(EncodeError::DuplicateKeyword(twice.clone())),
            None => Ok(()),
        }
    }

    fn properties(&self, sender: &Sender) -> Properties {
        Properties {
            content_type: Some(CONTENT_TYPE.to_owned()),
            content_encoding: Some("utf-8".to_owned()),
            delivery_mode: Some(2),
            correlation_id: Some(self.id.0.clone()),
            reply_to: sender.reply_to.clone(),
            priority: None,
        }
    }

    fn headers(&self, sender: &Sender) -> Vec<(String, Json)> {
        let zero = || Json::from(0);
        let headers = [
            ("lang", "py".into()),
            ("task", self.task.as_str().into()),
            ("id", self.id.as_str().into()),
            ("shadow", Json::Null),
            ("eta", Json::Null),
            ("expires", self.expires(sender.now)),
            ("group", Json::Null),
            ("group_index", Json::Null),
            ("retries", zero()),
            ("timelimit", Json::List(vec![Json::Null, Json::Null])),
            ("root_id", self.id.as_str().into()),
            ("parent_id", Json::Null),
            ("argsrepr", Json::Text(python::tuple(&self.args, REPR))),
            ("kwargsrepr", Json::Text(python::dict(&self.kwargs, REPR))),
            ("origin", sender.origin.as_str().into()),
            (
                "ignore_result",
                self.options.ignore_result.map_or(Json::Null, Json::Bool),
            ),
            ("replaced_task_nesting", zero()),
            ("stamped_headers", Json::Null),
            ("stamps", Json::Object(Vec::new())),
        ];
        headers.map(|(name, value)| (name.to_owned(), value)).into()
    }

    fn expires(&self, now: Timestamp) -> Json {
        let Some(after) = self.options.expires else {
            return Json::Null;
        };
        let at = now.checked_add(after).unwrap_or(Timestamp::MAX);
        Json::Text(at.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string())
    }
}

fn check_decodable(args: &Json, kwargs: &Json) -> Result<(), EncodeError> {
    for value in [args, kwargs] {
        if let Some(name) = typed::unknown_marker(value) {
            return Err(EncodeError::UnknownType(name));
        }
        if let Some(what) = typed::undecodable(value) {
            return Err(EncodeError::Undecodable(what));
        }
    }
    // The keywords as a whole would become a value that is no dict.
    match typed::recognise(kwargs) {
        Some(_) => Err(EncodeError::Undecodable(
            "just the keywords __type__ and __value__".to_owned(),
        )),
        None => Ok(()),
    }
}

/// What a task of no canvas is embedded in: nothing.
fn embed() -> Json {
    let names = ["callbacks", "errbacks", "chain", "chord"];
    Json::Object(names.map(|name| (name.to_owned(), Json::Null)).into())
}

#[cfg(test)]
mod tests {
    use super::super::json::{Limits, arbitrary};
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn sender() -> Sender {
        Sender {
            origin: "gen1@host".to_owned(),
            reply_to: Some("umbel.q".to_owned()),
            now: Timestamp::UNIX_EPOCH,
        }
    }

    fn signature(args: Vec<Json>, kwargs: Vec<(String, Json)>) -> Signature {
        Signature {
            task: "shop.tasks.add".into(),
            id: "id-1".into(),
            args,
            kwargs,
            options: Options::default(),
        }
    }

    fn header<'a>(message: &'a Message, name: &str) -> &'a Json {
        let found = message.headers.iter().find(|(key, _)| key == name);
        &found.unwrap().1
    }

    fn read(text: &str) -> Json {
        Json::parse_strict(text).unwrap()
    }

    fn keywords(names: &[&str]) -> Vec<(String, Json)> {
        names
            .iter()
            .map(|name| ((*name).to_owned(), Json::from(1)))
            .collect()
    }

    #[rstest]
    #[case(None, Json::Null)]
    #[case(Some(true), Json::Bool(true))]
    #[case(Some(false), Json::Bool(false))]
    fn the_task_decides_about_its_result_unless_told(
        #[case] option: Option<bool>,
        #[case] expected: Json,
    ) {
        let mut call = signature(vec![], vec![]);
        call.options.ignore_result = option;
        let message = call.encode(&sender()).unwrap();
        assert_eq!(*header(&message, "ignore_result"), expected);
    }

    #[test]
    fn expires_is_an_absolute_time_in_utc_with_microseconds() {
        let mut call = signature(vec![], vec![]);
        call.options.expires = Some(Duration::from_millis(1500));
        let message = call.encode(&sender()).unwrap();
        assert_eq!(
            header(&message, "expires").as_str(),
            Some("1970-01-01T00:00:01.500000+00:00")
        );
        call.options.expires = Some(Duration::MAX);
        let message = call.encode(&sender()).unwrap();
        assert!(
            header(&message, "expires")
                .as_str()
                .unwrap()
                .starts_with("9999-")
        );
    }

    #[test]
    fn what_no_worker_can_read_is_not_sent() {
        let refused = |call: Signature| call.encode(&sender()).unwrap_err();
        let nameless = Signature {
            task: "".into(),
            ..signature(vec![], vec![])
        };
        assert_eq!(refused(nameless), EncodeError::NoTask);
        let long = Signature {
            id: "x".repeat(256).into(),
            ..signature(vec![], vec![])
        };
        assert_eq!(refused(long), EncodeError::LongId(256));
        let twice = signature(vec![], keywords(&["a", "b", "a"]));
        assert_eq!(
            refused(twice),
            EncodeError::DuplicateKeyword("a".to_owned())
        );
        let money = read(r#"[{"__type__": "money", "__value__": 1}]"#);
        let unknown = EncodeError::UnknownType("money".to_owned());
        assert_eq!(refused(signature(vec![money.clone()], vec![])), unknown);
        assert_eq!(
            refused(signature(vec![], vec![("a".to_owned(), money)])),
            unknown
        );
        let broken = read(r#"{"__type__": "decimal", "__value__": "x"}"#);
        assert!(matches!(
            refused(signature(vec![broken], vec![])),
            EncodeError::Undecodable(_)
        ));
    }

    #[test]
    fn keywords_that_would_turn_into_a_value_are_not_sent() {
        let kwargs = |kind: &str| {
            let text = |text: &str| Json::from(text);
            vec![
                ("__type__".to_owned(), text(kind)),
                ("__value__".to_owned(), text("1")),
            ]
        };
        let known = signature(vec![], kwargs("decimal")).encode(&sender());
        assert!(matches!(known, Err(EncodeError::Undecodable(_))));
        let unknown = signature(vec![], kwargs("money")).encode(&sender());
        assert_eq!(unknown, Err(EncodeError::UnknownType("money".to_owned())));
    }

    #[test]
    fn more_than_64_mib_are_not_sent() {
        let text = Json::Text("x".repeat(LARGEST));
        let result = signature(vec![text], vec![]).encode(&sender());
        assert!(matches!(result, Err(EncodeError::TooLarge(size)) if size > LARGEST));
    }

    const HEADERS: [&str; 19] = [
        "lang",
        "task",
        "id",
        "shadow",
        "eta",
        "expires",
        "group",
        "group_index",
        "retries",
        "timelimit",
        "root_id",
        "parent_id",
        "argsrepr",
        "kwargsrepr",
        "origin",
        "ignore_result",
        "replaced_task_nesting",
        "stamped_headers",
        "stamps",
    ];

    /// Any arguments, numbers with any text among them.
    fn arguments() -> impl Strategy<Value = Vec<Json>> {
        let number = any::<String>().prop_map(Json::Number);
        let value = prop_oneof![4 => arbitrary::lenient(), 1 => number];
        prop::collection::vec(value, 0..5)
    }

    proptest! {
        #[test]
        fn a_message_has_the_one_shape_that_kills_no_worker(
            args in arguments(),
            names in prop::collection::hash_set(arbitrary::text(), 0..5),
            id in "\\PC{0,40}",
        ) {
            let kwargs: Vec<_> = names.into_iter().zip(args.iter().rev().cloned()).collect();
            let call = Signature { id: id.clone().into(), ..signature(args.clone(), kwargs.clone()) };
            let message = match call.encode(&sender()) {
                Ok(message) => message,
                Err(error) => {
                    let honest = matches!(error, EncodeError::UnknownType(_) | EncodeError::Undecodable(_));
                    prop_assert!(honest, "{error}");
                    return Ok(());
                }
            };
            let names: Vec<&str> = message.headers.iter().map(|(name, _)| name.as_str()).collect();
            prop_assert_eq!(names, HEADERS);
            prop_assert_eq!(header(&message, "id").as_str(), Some(id.as_str()));
            prop_assert_eq!(header(&message, "timelimit").to_wire(), "[null,null]");
            prop_assert_eq!(message.properties.content_type.as_deref(), Some("application/json"));
            let body = Json::parse(&message.body, Limits::default()).unwrap();
            let parts = body.as_list().unwrap();
            prop_assert_eq!(parts.len(), 3);
            prop_assert_eq!(parts[0].as_list().unwrap().len(), args.len());
            prop_assert_eq!(parts[1].as_object().unwrap().len(), kwargs.len());
            prop_assert_eq!(parts[2].as_object().unwrap().len(), 4);
        }
    }
}
