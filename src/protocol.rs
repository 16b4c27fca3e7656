//! What Celery says on the wire. Pure: no IO, no clock, no async.
//!
//! Facts come from Celery and kombu 5.3 to 5.7 on live workers; each module names the ones it rests on.

pub mod compression;
pub mod control;
pub mod delayed;
pub mod envelope;
pub mod event;
pub mod ids;
pub mod json;
pub mod message;
pub mod payload;
pub mod peek;
pub mod python;
pub mod result;
pub mod serializer;
pub mod traceback;
pub mod typed;

pub use compression::Compression;
pub use event::Event;
pub use ids::{NodeName, QueueName, TaskId, TaskName};
pub use json::Json;
pub use message::{Message, Options, Properties, Signature};
pub use result::{State, TaskResult};
pub use serializer::Serializer;
