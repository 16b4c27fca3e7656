//! The states of a call, and their words.

use super::Call;
use crate::cluster::Cluster;

/// The state of a call in one word; names for documents are the variants in `snake_case` (ux.md 0.1, ruling 22), words for the screen are [`CallState::word`].
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::EnumIter,
)]
#[strum(serialize_all = "snake_case")]
pub enum CallState {
    /// Not sent.
    Draft,
    /// Being published.
    Send,
    /// The broker refused or returned it, or was not reached: certainly not queued.
    Unsent,
    /// The broker has it; nothing heard since.
    Sent,
    /// A worker holds it, not started.
    Recv,
    /// Running.
    Run,
    /// Failed, and will run again.
    Retry,
    /// Returned in time.
    Ok,
    /// Raised, in time.
    Fail,
    /// We stopped waiting; the outcome is unknown; still listening.
    Timeout,
    /// Returned after our timeout.
    LateOk,
    /// Raised after our timeout.
    LateFail,
    /// The user stopped waiting; still listening.
    Detached,
    /// A worker dropped it unstarted.
    Expired,
    /// Revoked before it ran.
    Revoked,
    /// Terminated while it ran.
    Killed,
    /// The worker does not know the task.
    NoTask,
    /// The task ignores its result: nothing is waited for.
    NoResult,
    /// No trace anywhere.
    Lost,
    /// Publishing it was cut short: the connection broke, or umbel was stopped.
    UnknownDelivery,
}

impl CallState {
    /// The word on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Send => "SEND",
            Self::Unsent => "UNSENT",
            Self::Sent => "SENT",
            Self::Recv => "RECV",
            Self::Run => "RUN",
            Self::Retry => "RETRY",
            Self::Ok => "OK",
            Self::Fail => "FAIL",
            Self::Timeout => "TIMEOUT",
            Self::LateOk => "LATE OK",
            Self::LateFail => "LATE FAIL",
            Self::Detached => "DETACHED",
            Self::Expired => "EXPIRED",
            Self::Revoked => "REVOKED",
            Self::Killed => "KILLED",
            Self::NoTask => "NO TASK",
            Self::NoResult => "NO RESULT",
            Self::Lost => "LOST?",
            Self::UnknownDelivery => "SENT?",
        }
    }

    /// Whether nothing more is expected.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Unsent
                | Self::Ok
                | Self::Fail
                | Self::LateOk
                | Self::LateFail
                | Self::Expired
                | Self::Revoked
                | Self::Killed
                | Self::NoTask
                | Self::NoResult
        )
    }

    /// Whether the caller is still waiting, with a countdown.
    pub fn is_waiting(self) -> bool {
        matches!(
            self,
            Self::Send | Self::Sent | Self::Recv | Self::Run | Self::Retry | Self::UnknownDelivery
        )
    }
}

impl Call {
    /// The word of `state`, one of its own; of RETRY with the number of the retry and of all, as far as they are known: `RETRY 2/5`.
    pub fn word_of(&self, state: CallState, cluster: &Cluster) -> String {
        let word = state.word();
        let number = self.retries.filter(|_| state == CallState::Retry);
        let most = cluster.item(&self.signature.task, "max_retries");
        let most = most.and_then(|text| text.parse::<u64>().ok());
        match (number, most) {
            (Some(number), Some(most)) => format!("{word} {number}/{most}"),
            (Some(number), None) => format!("{word} {number}"),
            (None, _) => word.to_owned(),
        }
    }
}
