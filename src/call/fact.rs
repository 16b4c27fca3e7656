//! What can become known about a call, from any source. Plain data.

use super::diagnosis::Looked;
use crate::error::Error;
use crate::protocol::control::{HeldTask, Place};
use crate::protocol::{NodeName, TaskResult};

/// Something that became known about a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// It is being published.
    Publishing,
    /// The broker has it.
    Confirmed,
    /// The broker returned it: no such queue.
    Returned(String),
    /// It was not sent.
    Unsent(Error),
    /// The connection broke before the confirm.
    Unknown(Error),
    /// The task ignores its result, and nobody waits for it.
    NoResult,
    /// A state from a result backend.
    Result(Box<TaskResult>),
    /// A result came and cannot be read.
    Unreadable(String),
    /// A worker told where the task is (`query_task`).
    Seen {
        /// Where.
        place: Place,
        /// At which worker.
        node: NodeName,
        /// As the worker describes it.
        task: HeldTask,
    },
    /// Everybody was asked where it is; answers follow.
    Asked,
    /// A worker answered that.
    Answered {
        /// Who.
        node: NodeName,
        /// Which question.
        looked: Looked,
        /// Whether the task was among its tasks.
        held: bool,
    },
    /// The result backend was asked, and has nothing stored for it.
    NotStored,
    /// The result backend is gone: results cannot come until it is back.
    BackendLost(String),
    /// The result backend is back, and was asked again.
    BackendBack,
}

impl Fact {
    /// Its name for the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Publishing => "publishing",
            Self::Confirmed => "confirmed",
            Self::Returned(_) => "returned",
            Self::Unsent(_) => "unsent",
            Self::Unknown(_) => "unknown delivery",
            Self::NoResult => "no result",
            Self::Result(result) if result.state.is_final() => "end",
            Self::Result(_) => "state",
            Self::Unreadable(_) => "unreadable",
            Self::Seen { .. } => "seen",
            Self::Asked => "asked",
            Self::Answered { .. } => "answered",
            Self::NotStored => "nothing stored",
            Self::BackendLost(_) => "backend lost",
            Self::BackendBack => "backend back",
        }
    }
}
