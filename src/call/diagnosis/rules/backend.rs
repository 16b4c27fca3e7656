//! Whether the result can come back: where workers write it, and whether that can be read.

use std::time::Duration;

use crate::backend::Results;
use crate::call::diagnosis::cause::Cause;
use crate::call::diagnosis::{Case, Span, Verdict, Way};
use crate::call::kept_at::{Same, same, told};
use crate::clock::Now;
use crate::cluster::Worker;

/// Two links that went down within this time went down together.
const TOGETHER: Duration = Duration::from_secs(5);

/// The workers write results where umbel does not look.
pub(super) fn mismatch(case: &Case<'_>) -> Vec<Verdict> {
    elsewhere(case, Same::No).into_iter().collect()
}

/// They may, going by the names alone. While a worker has it, two names of one host are no reason to doubt.
pub(super) fn doubt(case: &Case<'_>) -> Option<Verdict> {
    let only_that = case.only_sent() && elsewhere(case, Same::No).is_none();
    elsewhere(case, Same::Perhaps).filter(|_| only_that)
}

fn elsewhere(case: &Case<'_>, how: Same) -> Option<Verdict> {
    let ours = match case.scene.results {
        Results::Rpc | Results::Stored(_) => case.scene.results.address(),
        _ => return None,
    };
    // Something was read where umbel looks.
    if case.call.is_read() {
        return None;
    }
    let writers = writers(case);
    let mut found: Option<(String, Vec<_>)> = None;
    for worker in &writers {
        let Some(theirs) = told(worker) else { continue };
        let compared = match same(&theirs, &ours) {
            // The reply queue of its caller is listened to as long as that one lives, wherever results are looked for.
            Same::ToCaller if case.call.is_anothers() => Same::No,
            Same::ToCaller => Same::Yes,
            compared => compared,
        };
        if compared == how {
            let (_, workers) = found.get_or_insert((theirs, Vec::new()));
            workers.push(worker.name.clone());
        }
    }
    found.map(|(theirs, workers)| Verdict::BackendMismatch {
        workers_write_to: theirs,
        looked_for_in: ours,
        workers,
        of: writers.len(),
        by_name_only: how == Same::Perhaps,
    })
}

/// Who writes its result, as far as is known: the worker that has it, else all that may get it.
fn writers<'a>(case: &Case<'a>) -> Vec<&'a Worker> {
    match case.worker().filter(|_| !case.only_sent()) {
        Some(holder) => vec![holder],
        None => case.answering_readers().collect(),
    }
}

/// Whether its result comes to this umbel alone, and no longer than it runs: whoever writes it sends it to the caller.
pub(in crate::call::diagnosis) fn to_caller(case: &Case<'_>) -> bool {
    let surely = |verdict: Verdict| !verdict.inferred();
    if case.call.is_anothers() || elsewhere(case, Same::No).is_some_and(surely) {
        return false;
    }
    if matches!(case.scene.results, Results::Rpc) {
        return true;
    }
    let ours = case.scene.results.address();
    let sends = |theirs: Option<String>| theirs.map(|theirs| same(&theirs, &ours));
    let writers = writers(case);
    let mut said = writers.iter().map(|it| sends(told(it))).peekable();
    let stored = matches!(case.scene.results, Results::Stored(_));
    stored && said.peek().is_some() && said.all(|it| it == Some(Same::ToCaller))
}

/// The link to the result backend is down, or this call's results are cut off.
pub(super) fn unreachable(case: &Case<'_>) -> Vec<Verdict> {
    // What the broker carries is cut off with it: that is one reason, not two.
    let carried = matches!(case.scene.results, Results::Rpc);
    if carried && matches!(case.scene.broker, Way::Down { .. }) || down_with_broker(case).is_some()
    {
        return Vec::new();
    }
    let address = case.scene.results.address();
    let down = match (case.scene.backend, case.scene.results) {
        (Way::Down { since, reason, .. }, Results::Stored(_)) => {
            let since = Span(case.now.mono.since(since.mono));
            Some((reason.clone(), Some(since)))
        }
        _ => case.call.backend_lost.clone().map(|reason| (reason, None)),
    };
    down.map(|(reason, since_ms)| Verdict::BackendUnreachable {
        address,
        reason,
        since_ms,
    })
    .into_iter()
    .collect()
}

/// Since when both links are down and when the next try of either is due, if they went down together: they lead to one server, or
/// ended alike.
pub(super) fn down_with_broker(case: &Case<'_>) -> Option<(Now, Option<Now>)> {
    let (broker, backend) = (case.scene.broker, case.scene.backend);
    let (Results::Stored(_), Some(broker), Some(backend)) =
        (case.scene.results, down(broker), down(backend))
    else {
        return None;
    };
    let (one, other) = (broker.since.mono, backend.since.mono);
    let together = one.since(other).max(other.since(one)) <= TOGETHER;
    let alike = broker.cause.is_like(&backend.cause);
    let later = if one < other {
        backend.since
    } else {
        broker.since
    };
    let retries = [broker.retry_at, backend.retry_at].into_iter().flatten();
    (together && alike).then(|| (later, retries.min_by_key(|at| at.mono)))
}

/// A link that is down.
struct Down<'a> {
    since: Now,
    cause: Cause<'a>,
    retry_at: Option<Now>,
}

fn down(way: &Way) -> Option<Down<'_>> {
    match way {
        Way::Down {
            since,
            reason,
            retry_at,
        } => Some(Down {
            since: *since,
            cause: Cause::of(reason),
            retry_at: *retry_at,
        }),
        _ => None,
    }
}
