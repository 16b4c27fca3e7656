//! Whether the result can come back: where workers write it, and whether that can be read.

use std::time::Duration;

use crate::backend::Results;
use crate::call::diagnosis::cause::Cause;
use crate::call::diagnosis::{Case, Span, Verdict, Way};
use crate::clock::Now;
use crate::cluster::Worker;

/// Two links that went down within this time went down together.
const TOGETHER: Duration = Duration::from_secs(5);

/// How two names of a result backend compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Same {
    Yes,
    /// Other hosts, which may be two names of one; or other databases of one server.
    Perhaps,
    No,
}

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
    if case.call.result.is_some() {
        return None;
    }
    let told = |worker: &Worker| {
        let report = worker.report.as_ref().and_then(|it| it.results.clone());
        report.or_else(|| worker.conf.as_ref()?.result_backend.clone())
    };
    let holder = case.worker().filter(|_| !case.only_sent());
    let writers: Vec<&Worker> = match holder {
        Some(holder) => vec![holder],
        None => case.answering_readers().collect(),
    };
    let mut found: Option<(String, Vec<_>)> = None;
    for worker in &writers {
        let Some(theirs) = told(worker) else { continue };
        if same(&theirs, &ours) == how {
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

/// Whether both name the same backend. The workers' host is as they see it, and their password is masked (protocol.md 2.4).
fn same(theirs: &str, ours: &str) -> Same {
    let (their_scheme, their_rest) = split(theirs);
    let (our_scheme, our_rest) = split(ours);
    // The reply queue is listened to wherever results are looked for.
    if their_scheme == "rpc" {
        return Same::Yes;
    }
    if their_scheme != our_scheme {
        return Same::No;
    }
    if our_scheme != "redis" {
        return Same::Yes;
    }
    let (theirs, ours) = (Address::of(their_rest), Address::of(our_rest));
    if theirs == ours {
        return Same::Yes;
    }
    // Of another database of the same server the messages are heard, only what is stored is not found.
    if theirs.host != ours.host || theirs.port == ours.port {
        return Same::Perhaps;
    }
    Same::No
}

/// Scheme without its TLS, and what follows. A word without a scheme (`disabled`) is one.
fn split(url: &str) -> (&str, &str) {
    let (scheme, rest) = url.split_once("://").unwrap_or((url, ""));
    match scheme {
        "rediss" | "redis+socket" | "unix" | "sentinel" | "rediss+socket" => ("redis", rest),
        scheme => (scheme, rest),
    }
}

#[derive(Debug, PartialEq)]
struct Address<'a> {
    host: &'a str,
    port: &'a str,
    db: &'a str,
}

impl<'a> Address<'a> {
    fn of(rest: &'a str) -> Self {
        let rest = rest.split(['?', '#', ';']).next().unwrap_or_default();
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        let (place, db) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
            _ => (place, ""),
        };
        let or = |text: &'a str, usual: &'static str| if text.is_empty() { usual } else { text };
        let host = match or(host, "localhost") {
            "127.0.0.1" | "[::1]" => "localhost",
            host => host,
        };
        Self {
            host,
            port: or(port, "6379"),
            db: or(db.trim_end_matches('/'), "0"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("redis://localhost/", "redis://127.0.0.1:6379/0", Same::Yes)]
    #[case("redis://:********@localhost:6379/1", "redis://localhost/1", Same::Yes)]
    #[case("redis://localhost:6379/1", "redis://localhost:6379/2", Same::Perhaps)]
    #[case("redis://localhost:6380/1", "redis://localhost:6379/1", Same::No)]
    #[case("redis://cache:6379/1", "redis://localhost:6379/1", Same::Perhaps)]
    #[case("rediss://h/1", "redis://h/1", Same::Yes)]
    #[case("rpc://", "rpc://", Same::Yes)]
    #[case("rpc://", "redis://h/1", Same::Yes)]
    #[case("redis://h/1", "rpc://", Same::No)]
    #[case("disabled", "rpc://", Same::No)]
    #[case("db+postgresql://h/x", "redis://h/1", Same::No)]
    fn two_names_of_a_backend_are_told_apart_from_two_backends(
        #[case] theirs: &str,
        #[case] ours: &str,
        #[case] expected: Same,
    ) {
        assert_eq!(same(theirs, ours), expected);
    }
}
