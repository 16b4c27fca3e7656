//! Where a call that is not waited for any more is, in words. Says how old that knowledge is; guesses nothing.

use crate::call::{Call, CallState};
use crate::tui::state::Shared;

/// Where a call is, as far as is known, in one sentence; `queue` is the name of its queue, safe to show.
pub(super) fn whereabouts(call: &Call, shared: &Shared, queue: &str) -> String {
    let worker = call.worker.as_ref().map(|worker| format!(" on {worker}"));
    let worker = worker.unwrap_or_default();
    let pid = call
        .pid
        .map(|pid| format!(" pid {pid}"))
        .unwrap_or_default();
    let acknowledged = match call.acknowledged {
        Some(true) => ", acknowledged",
        Some(false) => ", not acknowledged yet",
        None => "",
    };
    match call.whereabouts() {
        Some(CallState::Run) => {
            format!(
                "RUN{worker}{pid}{acknowledged}{}. It may still finish.",
                told(call, shared)
            )
        }
        Some(CallState::Recv) => {
            format!(
                "RECV{worker}{acknowledged}{}: held, not started then.",
                told(call, shared)
            )
        }
        Some(CallState::Retry) => format!("RETRY{worker}: it failed and will run again."),
        Some(CallState::UnknownDelivery) => {
            "It may or may not be queued: the connection broke while sending.".to_owned()
        }
        _ => format!("SENT: queued in {queue}; no worker has told it."),
    }
}

/// Since when nothing newer is known: the worker may have died since.
fn told(call: &Call, shared: &Shared) -> String {
    let at = call.told_at;
    at.map_or_else(String::new, |at| {
        format!(", last told at {}", shared.clock(at))
    })
}
