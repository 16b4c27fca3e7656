//! Where a call is now. What only an earlier answer says, and nobody confirms now, is marked.

use std::time::Duration;

use super::{Case, Loss, Verdict};
use crate::call::{Call, CallState};
use crate::clock::Now;
use crate::cluster::WorkerState;
use crate::protocol::NodeName;

/// After this time without a word of it, what was told last may be over.
const CONFIRMED_FOR: Duration = Duration::from_secs(3);

/// Where a call is.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// SENT, RECV, RUN, RETRY, SENT? or LOST?; how it ended; `None`: nobody knows.
    pub state: Option<CallState>,
    /// The worker that has or had it.
    pub worker: Option<NodeName>,
    /// The process that runs it.
    pub pid: Option<u64>,
    /// Since when it is there, at the latest.
    pub since: Option<Now>,
    /// Whether it may be there for longer.
    pub or_longer: bool,
    /// Whether the broker's message is acknowledged, when told.
    pub acknowledged: Option<bool>,
    /// Whether that is concluded, or was told earlier and not confirmed since.
    pub inferred: bool,
    /// When a worker or the backend told of it last.
    pub told: Option<Now>,
}

impl Place {
    /// The state in documents.
    pub fn name(&self) -> String {
        self.state
            .map_or_else(|| "unknown".to_owned(), |state| state.to_string())
    }

    /// The word on the screen.
    pub fn word(&self) -> &'static str {
        self.state.map_or("unknown", CallState::word)
    }

    fn nowhere(state: Option<CallState>) -> Self {
        Self {
            state,
            worker: None,
            pid: None,
            since: None,
            or_longer: false,
            acknowledged: None,
            inferred: false,
            told: None,
        }
    }
}

/// Where the call of `case` is, given what the rules found.
pub(super) fn place(case: &Case<'_>, why: &[Verdict]) -> Place {
    let call = case.call;
    let Some(state) = call.whereabouts() else {
        return ended(call);
    };
    let lost = why.iter().any(|it| matches!(it, Verdict::Lost { .. }));
    if lost {
        return Place {
            inferred: true,
            ..Place::nowhere(Some(CallState::Lost))
        };
    }
    if case.only_sent() && call.is_strange() {
        return Place::nowhere(None);
    }
    if case.only_sent() {
        return Place {
            since: call.timeline.confirmed.or(call.timeline.published),
            ..Place::nowhere(Some(state))
        };
    }
    let told = call.inquiry.told;
    // What a worker runs that is no longer connected may still run there.
    let over = why.iter().any(|it| match it {
        Verdict::WorkerLost { how, started, .. } => *how != Loss::Gone || !started,
        _ => false,
    });
    if over {
        return Place {
            worker: call.worker.clone(),
            told,
            ..Place::nowhere(None)
        };
    }
    let running = state == CallState::Run;
    let held = state == CallState::Recv;
    Place {
        state: Some(state),
        worker: call.worker.clone(),
        pid: call.pid.filter(|_| running),
        since: match state {
            CallState::Run => call.timeline.last_started,
            CallState::Recv => call.timeline.held,
            // Since when it waits for a retry is told by nobody.
            _ => None,
        },
        or_longer: held && call.timeline.received.is_none(),
        acknowledged: call.acknowledged,
        inferred: !confirmed(case),
        told,
    }
}

/// Whether the worker that has it said so a moment ago, or the call was just heard of.
pub(super) fn confirmed(case: &Case<'_>) -> bool {
    let recent = |at: Now| case.now.mono.since(at.mono) <= CONFIRMED_FOR;
    let silent = |state: WorkerState| state == WorkerState::Silent;
    let worker = case.worker().map(crate::cluster::Worker::state);
    let told = case.call.inquiry.told;
    let since = |at: Now| case.deaf_since().is_none_or(|deaf| at.mono >= deaf);
    told.is_some_and(|at| recent(at) && since(at)) && !worker.is_some_and(silent)
}

fn ended(call: &Call) -> Place {
    Place {
        worker: call.worker.clone(),
        pid: call.pid,
        since: call.timeline.done,
        ..Place::nowhere(Some(call.state()))
    }
}
