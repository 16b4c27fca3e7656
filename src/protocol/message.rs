//! A task message, protocol 2, built from one typed struct and nothing else: a malformed one kills every worker that meets it (protocol.md 1.3).

mod options;
mod signature;

pub use options::{Options, Start};
pub use signature::{Sender, Signature};

use std::time::Duration;

use super::json::Limits;
use super::payload::{self, Payload, PayloadError};
use super::{Compression, Json, Serializer};

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

impl Message {
    /// The value of a header; the last one if several have the name.
    pub fn header(&self, name: &str) -> Option<&Json> {
        let found = self.headers.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value)
    }

    /// How the body is compressed, as kombu names it.
    pub fn compression(&self) -> Option<&str> {
        self.header("compression").and_then(Json::as_str)
    }

    /// Reads the body: uncompressed, of whatever its content type says, at most 256 MiB.
    pub fn payload(&self) -> Result<Payload, PayloadError> {
        let content_type = self.properties.content_type.as_deref();
        payload::decode(
            &self.body,
            content_type,
            self.compression(),
            Limits::default(),
        )
    }
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
    /// The serializer has no form for something in the arguments that Python would read as the same value.
    #[error("{serializer} cannot carry {what}: send it in another serializer")]
    Unwritable {
        /// What, for people.
        what: String,
        /// The serializer.
        serializer: Serializer,
    },
    /// The body cannot be compressed.
    #[error("the arguments cannot be compressed as {0}: {1}")]
    Compression(Compression, String),
    /// A time limit that is none.
    #[error("a time limit of {}s is not possible: it is between a millisecond and 100 years", .0.as_secs_f64())]
    Limit(Duration),
    /// Celery's own client refuses it too: the soft limit would never be met.
    #[error("the soft time limit ({}s) is above the hard one ({}s)", soft.as_secs_f64(), hard.as_secs_f64())]
    SoftLimit {
        /// The soft limit.
        soft: Duration,
        /// The hard limit.
        hard: Duration,
    },
    /// Python's calendar starts with the year 1.
    #[error("the ETA is before the year 1, which no worker can read")]
    Eta,
    /// A further header that cannot travel, and what is wrong with it.
    #[error("the header {0:?} {1}")]
    Header(String, String),
    /// They do not fit into one AMQP frame beside Celery's own.
    #[error("the headers and the shadow name are {0} bytes; at most 16 KiB are possible")]
    LargeHeaders(usize),
    /// The id does not fit into an AMQP property.
    #[error("the task id is {0} bytes; at most 255 are possible")]
    LongId(usize),
}

#[cfg(test)]
mod tests;
