//! A task message, protocol 2, built from one typed struct and nothing else: a malformed one kills every worker that meets it (protocol.md 1.3).

use std::time::Duration;

use super::{Json, QueueName, TaskId, TaskName};
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
}

impl Signature {
    /// The message exactly as protocol.md 1.1 wants it: body `[args, kwargs, embed]`, all headers of Celery's own client
    /// in its order, JSON in UTF-8, persistent; `expires` as a header and never as a property.
    pub fn encode(&self, sender: &Sender) -> Result<Message, EncodeError> {
        let _ = sender;
        unimplemented!()
    }
}
