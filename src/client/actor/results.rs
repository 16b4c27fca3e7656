//! Results as they arrive: read here if small, beside the actor if large, with the time of their arrival. Never publishes.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::tidying::Chore;
use super::{Actor, Done};
use crate::backend::Results;
use crate::broker::AckTag;
use crate::call::Fact;
use crate::clock::Now;
use crate::error::{Error, Kind};
use crate::protocol::{Message, State, TaskId, TaskResult, peek};

/// What is larger is read on a thread of its own, so that no other call waits for it.
const LARGE: usize = 256 << 10;
/// A result as it came.
enum Raw {
    /// On our result queue.
    Message(Message),
    /// From the result backend.
    Document(Vec<u8>),
}

/// A result that was read, or why it cannot be.
pub(super) enum Read {
    Result(Box<TaskResult>),
    Unreadable {
        reason: String,
        /// As far as it can be told from the first bytes.
        state: Option<State>,
    },
}

/// A result that was read beside the actor.
pub(super) struct Arrival {
    id: TaskId,
    read: Read,
    at: Now,
    tag: Option<AckTag>,
}

impl Raw {
    fn size(&self) -> usize {
        match self {
            Self::Message(message) => message.body.len(),
            Self::Document(payload) => payload.len(),
        }
    }

    /// Reads it; the raw bytes are gone when this returns.
    fn read(self, id: &TaskId) -> Read {
        let (parsed, state) = match &self {
            Self::Message(message) => (
                TaskResult::of_message(message, id),
                peek::state(&message.body),
            ),
            Self::Document(payload) => (TaskResult::parse(payload, None, id), peek::state(payload)),
        };
        match parsed {
            Ok(result) => Read::Result(Box::new(result)),
            Err(error) => Read::Unreadable {
                reason: error.to_string(),
                state,
            },
        }
    }
}

impl Actor {
    /// A result on our result queue.
    pub(super) async fn result_message(&mut self, message: Message, tag: AckTag) {
        let id = message.properties.correlation_id.clone();
        let id = TaskId(id.unwrap_or_default());
        if self.calls.contains_key(&id) {
            self.recognise_rpc().await;
            self.arrived(id, Raw::Message(message), Some(tag)).await;
        } else {
            self.ack_later(tag);
        }
    }

    /// A document of the result backend.
    pub(super) async fn document(&mut self, id: TaskId, payload: Vec<u8>) {
        if self.calls.contains_key(&id) {
            self.arrived(id, Raw::Document(payload), None).await;
        }
    }

    /// Nobody told where results are, and here is one.
    async fn recognise_rpc(&mut self) {
        if matches!(self.results, None | Some(Results::Unknown)) {
            self.set_results(Results::Rpc).await;
        }
    }

    async fn arrived(&mut self, id: TaskId, raw: Raw, tag: Option<AckTag>) {
        let at = self.now();
        let size = raw.size();
        if size <= LARGE {
            let read = raw.read(&id);
            return self.read(Arrival { id, read, at, tag }).await;
        }
        self.fact(id.clone(), Fact::Arriving(size)).await;
        let done = self.done.clone();
        tokio::spawn(async move {
            let task = id.clone();
            let read = tokio::task::spawn_blocking(move || raw.read(&task)).await;
            let read = read.unwrap_or_else(|error| Read::Unreadable {
                reason: format!("reading the result failed: {error}"),
                state: None,
            });
            let _ = done.send(Done::Read(Arrival { id, read, at, tag })).await;
        });
    }

    /// A result was read.
    pub(super) async fn read(&mut self, arrival: Arrival) {
        let Arrival { id, read, at, tag } = arrival;
        let (fact, ended) = match read {
            Read::Result(result) => {
                let ended = result.state.is_final();
                (Fact::Result(result), ended)
            }
            Read::Unreadable { reason, state } => {
                let ended = state.as_ref().is_some_and(State::is_final);
                (Fact::Unreadable { reason, state }, ended)
            }
        };
        self.fact_at(id.clone(), fact, at).await;
        if ended {
            self.forget(&id);
        }
        if let Some(tag) = tag {
            self.ack_later(tag);
        }
    }

    /// Only after it was recorded: what was delivered to a dying connection comes again (protocol.md 11.1).
    fn ack_later(&mut self, tag: AckTag) {
        if let Some(link) = self.broker.link() {
            self.tidy_later(Chore::Ack(link, tag));
        }
    }

    pub(super) async fn fetched(&mut self, id: TaskId, document: Result<Option<Vec<u8>>, Error>) {
        match document {
            Ok(document) => {
                self.fact(id.clone(), Fact::BackendBack).await;
                match document {
                    Some(payload) if self.is_news(&id, &payload) => {
                        self.document(id, payload).await;
                    }
                    None if self.investigation.is_about(&id) || self.follows(&id) => {
                        self.fact(id, Fact::NotStored).await;
                    }
                    _ => {}
                }
            }
            Err(error) if error.kind == Kind::TooLarge => {
                let reason = error.message;
                self.fact(
                    id,
                    Fact::Unreadable {
                        reason,
                        state: None,
                    },
                )
                .await;
            }
            // About the way, not about the task: a lost link is told by the link.
            Err(_) => {}
        }
    }

    fn follows(&self, id: &TaskId) -> bool {
        self.calls.get(id).is_some_and(|call| call.followed)
    }

    /// Whether the document differs from the one fetched last. Large ones are told apart by size and ends alone: equal ones do no harm.
    fn is_news(&mut self, id: &TaskId, payload: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        payload.len().hash(&mut hasher);
        if payload.len() <= LARGE {
            payload.hash(&mut hasher);
        } else {
            payload[..LARGE / 2].hash(&mut hasher);
            payload[payload.len() - LARGE / 2..].hash(&mut hasher);
        }
        let seen = Some(hasher.finish());
        let tracked = self.calls.get_mut(id);
        tracked.is_some_and(|tracked| std::mem::replace(&mut tracked.fetched, seen) != seen)
    }
}
