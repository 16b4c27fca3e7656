//! Errors for people: what failed (message), what to do next (hint), which kind it is. A kind decides the exit code.

use std::fmt;

/// What sort of failure it is; the names are the contract `error.kind` of the JSON documents (ux.md 3.4).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// Wrong command line.
    Usage,
    /// URL, configuration or environment cannot be used.
    Config,
    /// Arguments are not JSON, or cannot be encoded.
    InvalidArguments,
    /// Refused by the guard: confirmation or permission missing.
    Refused,
    /// The broker was not reached or refused the message; certainly not queued.
    Unsent,
    /// The result backend was not reached before sending, or lost while waiting.
    BackendUnreachable,
    /// Proved before sending: no worker reads the queue or knows the task; or nobody answered.
    NoWorker,
    /// Arguments do not fit the signature.
    ArgumentMismatch,
    /// Publishing it was cut short: the connection broke, or umbel was stopped.
    UnknownDelivery,
    /// The user stopped it.
    Interrupted,
    /// The task raised.
    TaskFailed,
    /// The worker does not know the task's name.
    NotRegistered,
    /// No result within the timeout; the outcome is unknown.
    Timeout,
    /// The task was revoked or killed.
    Revoked,
    /// The worker dropped the task unstarted, after its `expires`.
    Expired,
    /// A result is there, and larger than we read.
    TooLarge,
    /// A bug of ours.
    Internal,
}

impl Kind {
    /// The exit code of ux.md 3.3 for a failure of this kind before anything was sent.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Config => 11,
            Self::InvalidArguments | Self::ArgumentMismatch => 8,
            Self::Refused => 9,
            Self::Unsent | Self::BackendUnreachable => 4,
            Self::NoWorker => 6,
            Self::UnknownDelivery => 12,
            Self::Interrupted => 130,
            Self::TaskFailed | Self::NotRegistered => 1,
            Self::Timeout | Self::TooLarge => 3,
            Self::Revoked | Self::Expired => 7,
            Self::Internal => 70,
        }
    }
}

/// A failure as it is told to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What sort of failure.
    pub kind: Kind,
    /// What failed, and what is known about why; no secrets, remote text already sanitised or escaped when printed.
    pub message: String,
    /// What to do next, if we know.
    pub hint: Option<String>,
}

/// A result whose error is told to a person.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of `kind` described by `message`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
        }
    }

    /// The same failure with the next step spelled out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
