//! What is said of a call whose worker is lost: what became of it there, and whether it runs again.

use crate::call::diagnosis::verdict::Loss;
use crate::protocol::NodeName;

/// When a Redis gives out again what a dead worker held (protocol.md 5.2).
pub(super) const TIMEOUT: &str = "the visibility_timeout (1h unless set)";

/// Whether and when what a lost worker had runs again.
#[derive(Clone, Copy)]
pub(super) enum Again {
    Soon,
    AfterTimeout,
    /// Both are possible, and neither was seen.
    SoonOrAfterTimeout,
    /// Perhaps back in its queue; or neither there nor held back.
    Returned(bool),
    Never,
    Unknown,
}

impl Again {
    pub(super) fn of(
        runs_again: Option<bool>,
        after_visibility_timeout: Option<bool>,
        back_in_queue: Option<bool>,
    ) -> Self {
        match (runs_again, after_visibility_timeout, back_in_queue) {
            (None, ..) => Self::Unknown,
            (Some(false), ..) => Self::Never,
            (_, Some(true), _) => Self::AfterTimeout,
            (_, _, Some(true)) => Self::Returned(true),
            (_, Some(false), Some(false)) => Self::Returned(false),
            (_, Some(false), None) => Self::Soon,
            (_, None, _) => Self::SoonOrAfterTimeout,
        }
    }
}

/// What is known of a worker that neither answers nor is counted by the broker: one that stops stops listening first.
const GONE: &str = "no longer connected (stopping, cut off or dead)";

/// What became of a call whose worker is lost, or has it no longer. `only_stored`: the result backend alone said that it was there.
pub(super) fn lost_with(
    worker: &NodeName,
    (how, only_stored): (Loss, bool),
    started: bool,
    again: Again,
) -> String {
    let what = match (how, started) {
        (Loss::Gone, true) => {
            format!("{worker} is {GONE} and was running it, which may still finish")
        }
        (Loss::Gone, false) => format!("{worker} is {GONE} and held it"),
        (Loss::Restarted, true) => format!(
            "{worker} was restarted while it ran it, and what its earlier process does is not known: stopped in order, it may still finish; if it was killed"
        ),
        (Loss::Restarted, false) => format!("{worker} was restarted while it held it"),
        (Loss::Unseen, _) => {
            return format!(
                "{worker} had it and has it no longer: perhaps it ended, and its result is not seen here"
            );
        }
        (Loss::Denied, _) => {
            let had = if only_stored {
                format!(
                    "the result backend has kept that {worker} started it, and {worker} does not have it"
                )
            } else {
                format!("{worker} had it and has it no longer")
            };
            return format!("{had}: perhaps it ended without a result, or its process died");
        }
    };
    let then = match again {
        Again::Soon => "not acknowledged, so the broker gives it to another worker".to_owned(),
        Again::AfterTimeout => {
            format!("unacknowledged, so Redis gives it out again after {TIMEOUT}")
        }
        Again::SoonOrAfterTimeout => format!(
            "not acknowledged, so it is given out again: at once if the worker stopped in order, else (on a Redis) after {TIMEOUT}"
        ),
        Again::Returned(true) => "not acknowledged, and perhaps back in its queue".to_owned(),
        Again::Returned(false) => {
            "not acknowledged, and neither in its queue nor held back by Redis: perhaps another worker has it"
                .to_owned()
        }
        Again::Never => "acknowledged before, so it will not run again".to_owned(),
        Again::Unknown => {
            "whether it runs again depends on acks_late, which is not known".to_owned()
        }
    };
    format!("{what}: {then}")
}
