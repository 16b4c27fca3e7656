//! What can become known about a call, from any source. Plain data.

use super::diagnosis::Looked;
use crate::clock::{Moment, Timestamp};
use crate::error::Error;
use crate::protocol::control::{HeldTask, Place};
use crate::protocol::event::TaskEvent;
use crate::protocol::{NodeName, State, TaskResult};

/// Something that became known about a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// It was handed over to be published: from here on it may be, whoever asks when.
    Ordered,
    /// It is being published: what waits for it waits from here.
    Publishing,
    /// The broker has it.
    Confirmed,
    /// The broker returned it: no such queue.
    Returned(String),
    /// It was not sent.
    Unsent(Error),
    /// The connection broke before the confirm.
    Unknown(Error),
    /// Nothing can come back, or nothing is wanted: nobody waits for it.
    NoResult,
    /// A state from a result backend.
    Result(Box<TaskResult>),
    /// A large result has arrived, of so many bytes, and is being read.
    Arriving(usize),
    /// A result came and cannot be read.
    Unreadable {
        /// Why, for people.
        reason: String,
        /// Its state, where that much can be read.
        state: Option<State>,
    },
    /// A worker told it in an event.
    Event(Box<TaskEvent>),
    /// Something that has to be known about it, for people.
    Warning(String),
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
        /// When it was asked: an answer may be late, and tells of no moment before its question.
        asked: Moment,
    },
    /// The worker that keeps it says when it may start: its ETA, or its next try.
    Eta(Timestamp),
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
            Self::Ordered => "ordered",
            Self::Publishing => "publishing",
            Self::Confirmed => "confirmed",
            Self::Returned(_) => "returned",
            Self::Unsent(_) => "unsent",
            Self::Unknown(_) => "unknown delivery",
            Self::NoResult => "no result",
            Self::Result(result) if result.state.is_final() => "end",
            Self::Result(_) => "state",
            Self::Arriving(_) => "arriving",
            Self::Unreadable { .. } => "unreadable",
            Self::Event(_) => "event",
            Self::Warning(_) => "warning",
            Self::Seen { .. } => "seen",
            Self::Asked => "asked",
            Self::Answered { .. } => "answered",
            Self::Eta(_) => "eta",
            Self::NotStored => "nothing stored",
            Self::BackendLost(_) => "backend lost",
            Self::BackendBack => "backend back",
        }
    }
}
