//! A task message, protocol 2, built from one typed struct and nothing else: a malformed one kills every worker that meets it (protocol.md 1.3).

use std::collections::HashSet;
use std::time::Duration;

use super::{Json, QueueName, TaskId, TaskName};
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

/// The options of `apply_async` that are offered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The queue named by the user; else it is chosen (ux.md 0.1, ruling 19).
    pub queue: Option<QueueName>,
    /// How long after sending a worker may still start it; travels as a header only (protocol.md 9.4).
    pub expires: Option<Duration>,
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
