//! Where workers say that they write results, against where umbel looks for them. Pure; going by names alone.

use crate::cluster::Worker;

/// How two names of a result backend compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Same {
    Yes,
    /// Other hosts, which may be two names of one; or other databases of one server.
    Perhaps,
    /// It is sent to the caller alone (`rpc://`), who does not look there later.
    ToCaller,
    No,
}

/// Where a worker says that it writes results, its password masked. `rpc://` names no place, whatever follows (Celery 5.3 says `rpc:///`).
pub(super) fn told(worker: &Worker) -> Option<String> {
    let report = worker.report.as_ref().and_then(|it| it.results.clone());
    let told = report.or_else(|| worker.conf.as_ref()?.result_backend.clone())?;
    Some(match split(&told).0 {
        "rpc" if told.contains("://") => "rpc://".to_owned(),
        _ => told,
    })
}

/// Whether umbel could read results there.
pub(super) fn can_be_read(theirs: &str) -> bool {
    theirs.contains("://") && split(theirs).0 == "redis"
}

/// Whether both name the same backend. The workers' host is as they see it, and their password is masked (protocol.md 2.4).
pub(super) fn same(theirs: &str, ours: &str) -> Same {
    let (their_scheme, their_rest) = split(theirs);
    let (our_scheme, our_rest) = split(ours);
    if their_scheme == "rpc" && our_scheme != "rpc" {
        return Same::ToCaller;
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
    #[case("rpc://", "redis://h/1", Same::ToCaller)]
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
