//! What became of the worker that has or had it, as far as it can be seen.

use super::{holding, item, unseen};
use crate::call::CallState;
use crate::call::diagnosis::verdict::at;
use crate::call::diagnosis::{Case, Loss, Span, Verdict};
use crate::cluster::{Worker, WorkerState};

/// How the worker that had it was lost, if it was.
pub(in crate::call::diagnosis) fn loss(case: &Case<'_>) -> Option<Loss> {
    if !case.broker_up() {
        return None;
    }
    let (worker, told) = (case.worker()?, case.call.inquiry.told?);
    if worker.state() == WorkerState::Silent {
        return case.cluster().proved_gone(worker).then_some(Loss::Gone);
    }
    if !case.denied(&worker.name) {
        return None;
    }
    Some(if worker.begun().is_some_and(|begun| begun > told.mono) {
        Loss::Restarted
    } else {
        Loss::Denied
    })
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
    let late = item(case, "acks_late").map(|value| value == "True");
    let runs_again = if started {
        call.inquiry.acknowledged.map(|done| !done).or(late)
    } else {
        Some(true)
    };
    vec![Verdict::WorkerLost {
        worker,
        how,
        started,
        runs_again,
        after_visibility_timeout: runs_again == Some(true) && case.counts_no_consumers(),
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
        .filter(|worker| !case.cluster().proved_gone(worker))
        .map(|worker| Verdict::WorkerSilent {
            worker: worker.name.clone(),
            heard_ms: Span(case.now.mono.since(worker.heard_at.mono)),
            solo: worker.stats.as_ref().and_then(|it| it.pool.as_deref()) == Some("solo"),
            has_it: has_it == Some(&worker.name),
        })
        .collect();
    found.extend(unseen::unheard(case));
    found
}

pub(super) fn redelivered(case: &Case<'_>) -> Vec<Verdict> {
    let told = case.call.started_again();
    told.map(|(worker, when)| Verdict::Redelivered {
        worker: worker.clone(),
        at: at(when.wall),
    })
    .into_iter()
    .collect()
}
