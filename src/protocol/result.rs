//! The result object that every backend stores or sends, in every state (protocol.md 2.1).

use super::{Json, NodeName, TaskId};
use crate::clock::Timestamp;

/// State of a task as Celery names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing is known; never stored, never shown as such.
    Pending,
    /// A worker started it (`task_track_started`).
    Started,
    /// It failed and will run again.
    Retry,
    /// It returned.
    Success,
    /// It raised, or could not be run.
    Failure,
    /// Revoked, expired or terminated.
    Revoked,
    /// A state of the application's own, such as `PROGRESS`; `RECEIVED` and `REJECTED` too.
    Custom(String),
}

/// A Python exception as Celery stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Class name, qualified within its module.
    pub kind: String,
    /// Module, when told.
    pub module: Option<String>,
    /// Its arguments; may be empty (pydantic's `ValidationError` is).
    pub args: Vec<Json>,
}

/// A state change of a task as read from a result backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskResult {
    /// Which task.
    pub id: TaskId,
    /// Its state.
    pub state: State,
    /// Return value, meta of a custom state, or `{"pid", "hostname"}` of STARTED; the raw exception object of a failure.
    pub value: Json,
    /// The exception of RETRY, FAILURE and REVOKED.
    pub exception: Option<Exception>,
    /// Python's traceback text.
    pub traceback: Option<String>,
    /// When it ended, as the worker says (5.3 naive UTC, later with an offset).
    pub done_at: Option<Timestamp>,
    /// Worker, from STARTED's hostname or an extended result.
    pub worker: Option<NodeName>,
    /// Process id, from STARTED.
    pub pid: Option<u64>,
    /// Retries so far, from an extended result.
    pub retries: Option<u64>,
    /// Size of the stored document in bytes.
    pub size: usize,
}

/// Why a result cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResultError {
    /// It is not JSON.
    #[error("the result is not readable JSON: {0}")]
    Json(#[from] super::json::JsonError),
    /// It is JSON, but not a result object.
    #[error("the result has no {0}")]
    Shape(&'static str),
    /// Another serializer, told by its content type or first bytes; not read yet. Pickle is never executed.
    #[error("the result is {0}, which is not read yet")]
    Serializer(String),
    /// Compressed (Celery 5.7 `result_compression`); not read yet.
    #[error("the result is compressed ({0}), which is not read yet")]
    Compressed(String),
}

impl State {
    /// Celery's word.
    pub fn as_str(&self) -> &str {
        unimplemented!()
    }

    /// The state of Celery's word.
    pub fn from_word(word: &str) -> Self {
        let _ = word;
        unimplemented!()
    }

    /// Whether nothing follows: SUCCESS, FAILURE, REVOKED.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::Revoked)
    }
}

impl TaskResult {
    /// Reads a stored or sent result. `content_type` is the message's, or `None` where the backend has none (redis);
    /// `id` is used when the document does not name its task.
    pub fn parse(
        payload: &[u8],
        content_type: Option<&str>,
        id: &TaskId,
    ) -> Result<Self, ResultError> {
        let _ = (payload, content_type, id);
        unimplemented!()
    }
}

impl Exception {
    /// `Type: message`, the headline Python would print: string args as they are, others as Python writes them, joined by `, `; only the type if there are none.
    pub fn headline(&self) -> String {
        unimplemented!()
    }

    /// Whether this is Celery's `NotRegistered`.
    pub fn is_not_registered(&self) -> bool {
        self.kind == "NotRegistered"
    }

    /// Whether this is `TaskRevokedError("expired")`.
    pub fn is_expired(&self) -> bool {
        self.kind == "TaskRevokedError"
            && self.args.first().and_then(Json::as_str) == Some("expired")
    }

    /// Whether this is `TaskRevokedError("terminated")`.
    pub fn is_terminated(&self) -> bool {
        self.kind == "TaskRevokedError"
            && self.args.first().and_then(Json::as_str) == Some("terminated")
    }
}
