//! The result backend: where workers leave the state of a task. A link of its own, apart from the broker.

pub mod redis;
pub mod url;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::error::Error;
use crate::protocol::TaskId;
use crate::protocol::control::Keyprefix;

/// A way to a result backend with a connection of its own. (`rpc` has none: its results come through the broker's result queue.)
#[async_trait]
pub trait Backend: Send + Sync {
    /// Dials and logs in; what arrives for watched ids goes to `incoming` until [`Incoming::Lost`], which comes exactly once and last.
    /// No retry. Bounded in time (5 s).
    async fn connect(&self, incoming: mpsc::Sender<Incoming>) -> Result<Arc<dyn Link>, Error>;

    /// The address for people, password masked.
    fn address(&self) -> String;

    /// What workers tell of their backend, which is to be this one; it may say where in it results are. Asked twice, it is done once.
    fn hear(&self, told: &Told) {
        let _ = told;
    }
}

/// One living connection to a result backend.
#[async_trait]
pub trait Link: Send + Sync {
    /// Subscribes to the state changes of `id`. When this returns, nothing stored from now on is missed.
    async fn watch(&self, id: &TaskId) -> Result<(), Error>;

    /// Ends [`Link::watch`].
    async fn unwatch(&self, id: &TaskId) -> Result<(), Error>;

    /// The state stored for `id` right now, as its raw document; `None`: nothing is stored. An error of kind `TooLarge` is about the
    /// document; any other is about the way to it, and says nothing of the task.
    async fn fetch(&self, id: &TaskId) -> Result<Option<Vec<u8>>, Error>;

    /// A round trip, for its latency.
    async fn ping(&self) -> Result<Duration, Error>;

    /// Closes; leaves nothing behind.
    async fn close(&self);
}

/// What comes from a result backend.
#[derive(Debug)]
pub enum Incoming {
    /// A state of a watched task, as its raw document.
    Result {
        /// Which task.
        id: TaskId,
        /// The document.
        payload: Vec<u8>,
    },
    /// Something that the user should know about this link; a sentence for people.
    Notice(String),
    /// The connection is gone.
    Lost(Error),
}

/// What workers tell of their result backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Its URL, password masked (`report`, `conf`).
    pub url: String,
    /// `global_keyprefix` of its transport options (`conf`); `None`: nobody told.
    pub keyprefix: Option<Keyprefix>,
    /// `master_name` of its transport options (`conf`).
    pub master_name: Option<String>,
}

impl From<&str> for Told {
    fn from(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..Self::default()
        }
    }
}

/// Where results of this application are.
#[derive(Clone)]
pub enum Results {
    /// They come straight back through the broker (`rpc://`).
    Rpc,
    /// On a backend with a connection of its own.
    Stored(Arc<dyn Backend>),
    /// On a backend that umbel cannot read: its scheme (`db+postgresql`, `cache+memcached`, …).
    Unreadable(String),
    /// The application keeps no results (`disabled`).
    Disabled,
    /// Nobody said. umbel listens on the reply queue and warns.
    Unknown,
}

impl std::fmt::Debug for Results {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rpc => f.write_str("Rpc"),
            Self::Stored(backend) => f.debug_tuple("Stored").field(&backend.address()).finish(),
            Self::Unreadable(scheme) => f.debug_tuple("Unreadable").field(scheme).finish(),
            Self::Disabled => f.write_str("Disabled"),
            Self::Unknown => f.write_str("Unknown"),
        }
    }
}

impl Results {
    /// For people and the header: the masked address, `rpc://`, `disabled`, …
    pub fn address(&self) -> String {
        match self {
            Self::Rpc => "rpc://".to_owned(),
            Self::Stored(backend) => backend.address(),
            Self::Unreadable(scheme) => format!("{scheme}:// (not readable)"),
            Self::Disabled => "disabled".to_owned(),
            Self::Unknown => "unknown".to_owned(),
        }
    }
}
