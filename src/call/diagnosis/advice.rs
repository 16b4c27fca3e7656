//! What a person can do about it. Names no key and no command of umbel: each face has its own.

use serde::Serialize;

use crate::protocol::{NodeName, QueueName};

/// One thing to do. In documents `kind` is the name in `snake_case`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Advice {
    /// Start a worker that reads the queue.
    StartWorker {
        /// Which queue.
        queue: QueueName,
    },
    /// Send it to a queue whose readers have the task.
    OtherQueue {
        /// Which queue.
        queue: QueueName,
    },
    /// Read results where the workers write them.
    ReadResultsAt {
        /// Where they say they write.
        backend: String,
    },
    /// Look at this worker's process: it does not answer.
    LookAtWorker {
        /// Its node name.
        worker: NodeName,
    },
    /// Go on waiting.
    Wait,
    /// Revoke it: it has not started, as far as is known.
    Revoke,
    /// Kill it: it runs already.
    Terminate,
    /// Call again; `twice`: it may then run twice.
    CallAgain {
        /// Whether the first one may still run, or has.
        twice: bool,
    },
}

impl Advice {
    /// Its word in documents.
    pub fn kind(&self) -> &'static str {
        self.into()
    }

    /// For people. Names in it come from others.
    pub fn line(&self) -> String {
        match self {
            Self::StartWorker { queue } => {
                format!("start a worker that reads it: celery ... worker -Q {queue}")
            }
            Self::OtherQueue { queue } => {
                format!("send it to {queue}, whose readers have the task")
            }
            Self::ReadResultsAt { backend } => {
                format!("read results where the workers write them: --backend {backend}")
            }
            Self::LookAtWorker { worker } => {
                format!(
                    "look at {worker}: its process hangs, is cut off, or cannot answer just now"
                )
            }
            Self::Wait => "wait: a late result lands in the same record".to_owned(),
            Self::Revoke => "revoke it, if it has not started".to_owned(),
            Self::Terminate => "revoke it (it runs already: needs terminate)".to_owned(),
            Self::CallAgain { twice: true } => "call again: it may then run twice".to_owned(),
            Self::CallAgain { twice: false } => "call again".to_owned(),
        }
    }
}
