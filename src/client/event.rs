//! What the client tells.

use std::time::Duration;

use crate::backend::Results;
use crate::broker::Listed;
use crate::call::Fact;
use crate::call::diagnosis::Way;
use crate::clock::Now;
use crate::cluster::Heard;
use crate::error::Error;
use crate::protocol::{NodeName, TaskId};

/// Which of the two links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum LinkName {
    /// The broker.
    Broker,
    /// The result backend.
    Backend,
}

/// How a link is.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkState {
    /// Being dialled; `attempt` counts from 1.
    Connecting {
        /// Which try since it was up last.
        attempt: u32,
    },
    /// Up.
    Up {
        /// Round trip measured last.
        latency: Option<Duration>,
    },
    /// Down; the next try comes by itself.
    Waiting {
        /// Tries so far.
        attempt: u32,
        /// When the next one is due.
        retry_at: Now,
        /// Why it is down.
        reason: Error,
        /// When it was lost or first failed.
        since: Now,
    },
    /// The broker blocks publishers (alarm), with its reason.
    Blocked(String),
    /// Closed by us.
    Closed,
}

impl LinkState {
    /// As a diagnosis wants it; while it is dialled again it stays down, as it was `before`.
    pub fn way(&self, before: &Way) -> Way {
        match self {
            Self::Connecting { .. } => before.clone(),
            Self::Up { .. } => Way::Up,
            Self::Blocked(reason) => Way::Blocked(reason.clone()),
            Self::Waiting {
                retry_at,
                reason,
                since,
                ..
            } => Way::Down {
                since: *since,
                reason: reason.message.clone(),
                retry_at: Some(*retry_at),
            },
            Self::Closed => Way::Unknown,
        }
    }
}

/// What the client tells. Results, replies and link changes are never dropped.
#[derive(Clone, Debug)]
pub enum Event {
    /// A link changed.
    Link(LinkName, LinkState),
    /// Where results of this application are became known.
    Results(Results),
    /// The result backend that the workers named cannot be used as it is; for people, with the question to answer.
    ResultsTrouble(Error),
    /// Something that the user should know about the links; each is told once.
    Notice(String),
    /// Something was heard of the cluster; fold it into a [`crate::cluster::Cluster`].
    Heard(Heard, Now),
    /// What the broker itself lists of queues: the answer to [`super::Command::ListQueues`]; `None`: it cannot be asked.
    Listed(Result<Option<Listed>, Error>),
    /// Something became known about a call; merge it with [`crate::call::Call::apply`].
    Call(TaskId, Fact, Now),
    /// A worker answered a revoke: its words, or its error.
    Revoked {
        /// Which task.
        id: TaskId,
        /// Who answers.
        node: NodeName,
        /// What it says.
        answer: Result<String, String>,
    },
    /// A revoke could not be sent, or nobody could hear it.
    RevokeFailed {
        /// Which task.
        id: TaskId,
        /// Why.
        reason: Error,
    },
    /// The actor has ended.
    Closed,
}
