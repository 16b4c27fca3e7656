//! What became of the worker that has or had it, as far as it can be seen.

use super::{SETTLE, backend, holding, item, unseen};
use crate::call::CallState;
use crate::call::diagnosis::verdict::at;
use crate::call::diagnosis::{Case, Loss, Span, Verdict};
use crate::cluster::{Worker, WorkerState};

/// How the worker that had it was lost, if it was.
pub(in crate::call::diagnosis) fn loss(case: &Case<'_>) -> Option<Loss> {
    if !case.broker_up() {
        return None;
    }
    let Some(worker) = case.worker() else {
        return case.holder_is_gone().then_some(Loss::Gone);
    };
    case.call.inquiry.last_word()?;
    if worker.state() == WorkerState::Silent {
        return case.gone(worker).then_some(Loss::Gone);
    }
    if !case.denied(&worker.name) {
        return None;
    }
    // Of a state that was kept nobody knows when it was written.
    let told = case.call.inquiry.told.or(case.call.inquiry.stored)?.mono;
    Some(if worker.begun().is_some_and(|begun| begun > told) {
        Loss::Restarted
    } else {
        Loss::Denied
    })
}

/// Where the broker has what a worker had and did not acknowledge, as looks tell that are newer than the worker's last word. `None`
/// is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Back {
    /// Whether messages wait in its queue, it perhaps among them.
    in_queue: Option<bool>,
    /// Whether it is held back until the visibility timeout is over.
    held_back: Option<bool>,
}

/// A worker of a Redis that stops puts back what it has at once; what one had that died is held back there. A broker that counts its
/// consumers gives it out again at once; one that was not seen to may be a Redis.
fn back(case: &Case<'_>, runs_again: Option<bool>) -> Back {
    let at_once = case.queue().is_some_and(|queue| queue.consumers.is_some());
    match runs_again {
        Some(true) if !at_once => seen_back(case),
        // Whatever is held there may be another's.
        None if !at_once => Back::default(),
        _ => Back {
            in_queue: None,
            held_back: Some(false),
        },
    }
}

fn seen_back(case: &Case<'_>) -> Back {
    let (Some(told), Some(queue)) = (case.call.inquiry.last_word(), case.queue()) else {
        return Back::default();
    };
    let looked = queue.looked_at().is_some_and(|at| at > told.mono);
    let counted = queue.held_at.is_some_and(|at| at > told.mono);
    let in_queue = queue.ready.filter(|_| looked).map(|ready| ready > 0);
    let held = queue.held.of_queue().or(queue.held.of_all());
    let held_back = match (held.filter(|_| counted), in_queue) {
        (Some(0), _) => Some(false),
        (Some(_), Some(false)) => Some(true),
        // It may be here or there.
        _ => None,
    };
    Back {
        in_queue,
        held_back,
    }
}

pub(super) fn worker_lost(case: &Case<'_>) -> Vec<Verdict> {
    let call = case.call;
    let (Some(state), Some(worker)) = (call.whereabouts(), call.worker.clone()) else {
        return Vec::new();
    };
    let (true, Some(how)) = (
        matches!(state, CallState::Run | CallState::Recv | CallState::Retry),
        loss(case),
    ) else {
        return Vec::new();
    };
    let started = state == CallState::Run;
    // A worker lists neither what it keeps for a rate limit, nor (to `query_task`) what waits for a retry.
    let usual =
        || holding::denial_is_usual(case) || !(started || holding::vanished_unstarted(case));
    if how == Loss::Denied && usual() {
        return Vec::new();
    }
    let how = match how {
        Loss::Denied if !backend::mismatch(case).is_empty() => Loss::Unseen,
        how => how,
    };
    let late = item(case, "acks_late").map(|value| value == "True");
    let runs_again = if started {
        call.inquiry.acknowledged.map(|done| !done).or(late)
    } else {
        Some(true)
    };
    let back = back(case, runs_again);
    vec![Verdict::WorkerLost {
        worker,
        how,
        started,
        runs_again,
        after_visibility_timeout: back.held_back,
        back_in_queue: back.in_queue,
        only_stored: call.inquiry.told.is_none(),
    }]
}

/// Workers that could have it and do not answer.
pub(super) fn silent(case: &Case<'_>) -> Vec<Verdict> {
    if !case.broker_up() {
        return Vec::new();
    }
    let has_it = case.worker().map(|worker| &worker.name);
    let suspects: Vec<&Worker> = match case.worker() {
        Some(worker) if !case.only_sent() => vec![worker],
        _ => case.readers().take(3).collect(),
    };
    let mut found: Vec<Verdict> = suspects
        .into_iter()
        .filter(|worker| worker.state() == WorkerState::Silent)
        .filter(|worker| !case.gone(worker))
        .map(|worker| Verdict::WorkerSilent {
            worker: worker.name.clone(),
            heard_ms: Some(Span(case.now.mono.since(worker.heard_at.mono))),
            solo: worker.pool().map(|pool| pool == "solo"),
            has_it: has_it == Some(&worker.name),
        })
        .collect();
    found.extend(never_heard(case));
    found.extend(unseen::unheard(case));
    found
}

/// The worker that has it as was told last, and that never answered: it was busy already when it was asked first.
fn never_heard(case: &Case<'_>) -> Option<Verdict> {
    let call = case.call;
    let asked = call.inquiry.asked?;
    let settled = case.now.mono.since(asked.mono) >= SETTLE;
    // One that was started since was not asked.
    let got = call.timeline.last_started.or(call.timeline.held);
    let had = call
        .inquiry
        .told
        .is_none_or(|told| got.unwrap_or(told).mono < asked.mono);
    let gone = loss(case).is_some();
    let worker = case
        .unheard_holder()
        .filter(|_| settled && had && !gone)?
        .clone();
    Some(Verdict::WorkerSilent {
        worker,
        heard_ms: None,
        solo: None,
        has_it: true,
    })
}

pub(super) fn redelivered(case: &Case<'_>) -> Vec<Verdict> {
    let again = case.call.started_again().map(|told| (told, true));
    let told = again.or(case.call.delivered_again().map(|told| (told, false)));
    told.map(|((worker, when), started)| Verdict::Redelivered {
        worker: worker.clone(),
        at: at(when.wall),
        started,
    })
    .into_iter()
    .collect()
}
