//! Result backend URLs: what a user gives (`--backend`, `CELERY_RESULT_BACKEND`) and what workers tell of theirs, masked.
//!
//! Facts: Celery's backend aliases and `RedisBackend` (protocol.md 2.2, 2.4, 5.4). It opens nothing. A password is never
//! shown; malformed text is never quoted back.

use std::sync::Arc;

use super::Results;
use super::redis::RedisBackend;
use crate::error::{Error, Kind, Result};
use crate::server::TransportOptions;
use crate::server::redis::{RedisServer, RedisUrl, Role};
use crate::server::url::{readable, split_scheme};

/// What a good URL looks like; shown with complaints.
const EXAMPLE: &str = "redis://:password@host:6379/0 or rpc://";

/// Schemes of Celery's own backends that umbel cannot read (Celery 5.7 `app/backends.py`, `BACKEND_ALIASES`).
const UNREADABLE: [&str; 20] = [
    "cache",
    "memcached",
    "pymemcache",
    "db",
    "database",
    "mongodb",
    "mongodb+srv",
    "elasticsearch",
    "cassandra",
    "couchbase",
    "couchdb",
    "cosmosdbsql",
    "azureblockblob",
    "arangodb",
    "dynamodb",
    "consul",
    "file",
    "filesystem",
    "s3",
    "gs",
];

/// Who wrote a URL: decides whether a scheme we cannot read is a mistake or a fact.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Author {
    User,
    Worker,
}

/// Reads the result backend that the user gave. `keyprefix` is `global_keyprefix` of the application's
/// `result_backend_transport_options`, for a Redis.
pub fn parse(text: &str, keyprefix: Option<&str>) -> Result<Results> {
    results(text, keyprefix, Author::User)
}

/// Reads the result backend as workers tell it: `conf` and `report` mask its password (`**` up to Celery 5.6, `********` in 5.7).
/// A masked one is an error that asks for it.
pub fn parse_told(text: &str, keyprefix: Option<&str>) -> Result<Results> {
    results(text, keyprefix, Author::Worker)
}

fn results(text: &str, keyprefix: Option<&str>, author: Author) -> Result<Results> {
    let text = text.trim();
    match text.to_lowercase().as_str() {
        "" | "none" | "disabled" => return Ok(Results::Disabled),
        "rpc" | "amqp" => return Ok(Results::Rpc),
        "redis" => return Ok(stored(RedisUrl::local(), keyprefix)),
        _ => {}
    }
    let Some((scheme, rest)) = split_scheme(text) else {
        return Err(malformed(
            "it does not begin with a scheme such as redis://",
        ));
    };
    match scheme.as_str() {
        "disabled" => Ok(Results::Disabled),
        "rpc" | "amqp" | "amqps" | "pyamqp" => Ok(Results::Rpc),
        "redis" | "rediss" => redis(&scheme, rest, keyprefix, author),
        _ if author == Author::Worker || known(&scheme) => unreadable(scheme, author),
        _ => Err(config(format!(
            "{scheme}:// is not a result backend that umbel knows"
        ))
        .hint(format!("it can read {EXAMPLE}"))),
    }
}

/// Whether Celery has such a backend, `db+postgresql` and `cache+memcached` included.
fn known(scheme: &str) -> bool {
    let base = scheme.split('+').next().unwrap_or(scheme);
    later(scheme) || UNREADABLE.contains(&scheme) || UNREADABLE.contains(&base)
}

/// Redis in the forms that are still to come.
fn later(scheme: &str) -> bool {
    matches!(
        scheme,
        "sentinel" | "rediss+sentinel" | "redis+socket" | "socket"
    )
}

fn unreadable(scheme: String, author: Author) -> Result<Results> {
    if author == Author::User && later(&scheme) {
        return Err(config(format!(
            "{scheme}:// as a result backend is not supported yet"
        ))
        .hint("give the Redis itself, as in redis://:password@host:6379/0"));
    }
    Ok(Results::Unreadable(scheme))
}

fn redis(scheme: &str, rest: &str, keyprefix: Option<&str>, author: Author) -> Result<Results> {
    if author == Author::User {
        check_tls_options(rest.split_once('?').map_or("", |(_, query)| query))?;
    }
    let url = RedisUrl::read(scheme == "rediss", rest).map_err(malformed)?;
    if author == Author::Worker && url.password_is_masked() {
        return Err(masked(&url));
    }
    Ok(stored(url, keyprefix))
}

fn stored(url: RedisUrl, keyprefix: Option<&str>) -> Results {
    let options = TransportOptions {
        global_keyprefix: keyprefix.unwrap_or_default().to_owned(),
        ..TransportOptions::default()
    };
    let server = RedisServer::new(url, Role::Backend, Arc::new(options));
    Results::Stored(Arc::new(RedisBackend::new(server)))
}

/// TLS options that the user asks for and that would be ignored silently are refused instead.
fn check_tls_options(query: &str) -> Result<()> {
    for option in query.split('&') {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let lax = name == "ssl_cert_reqs"
            && !matches!(value.to_lowercase().as_str(), "required" | "cert_required");
        let own = matches!(name, "ssl_ca_certs" | "ssl_certfile" | "ssl_keyfile");
        if lax || own {
            return Err(config(format!(
                "the option {name} of the result backend URL is not supported yet"
            ))
            .hint("the server's certificate is checked against the authorities that this system trusts"));
        }
    }
    Ok(())
}

fn config(message: impl Into<String>) -> Error {
    Error::new(Kind::Config, message)
}

fn malformed(reason: &str) -> Error {
    config(format!("the result backend URL cannot be read: {reason}"))
        .hint(format!("it looks like {EXAMPLE}"))
}

/// The question of ux.md 0.1, ruling 13.
fn masked(url: &RedisUrl) -> Error {
    let user = url.user.as_deref().map(|user| readable(user, false));
    let example = url.spelled(&format!("{}:PASSWORD@", user.unwrap_or_default()));
    config(format!(
        "the workers keep results in {}, and its password is masked in what they tell: what is it?",
        url.short()
    ))
    .hint(format!(
        "give --backend {example} or set CELERY_RESULT_BACKEND"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn address(results: Result<Results>) -> String {
        results.unwrap().address()
    }

    #[rstest]
    #[case("redis://", "redis://localhost:6379/0")]
    #[case("redis", "redis://localhost:6379/0")]
    #[case("redis://h", "redis://h:6379/0")]
    #[case("redis://h/", "redis://h:6379/0")]
    #[case("redis://h/3", "redis://h:6379/3")]
    #[case("redis://h/3/", "redis://h:6379/3")]
    #[case("redis://:pw@h:6380/2", "redis://:***@h:6380/2")]
    #[case("redis://joe:pw@h/2", "redis://joe:***@h:6379/2")]
    #[case("redis://joe@h", "redis://joe@h:6379/0")]
    #[case("rediss://h?ssl_cert_reqs=required", "rediss://h:6379/0")]
    #[case("redis://[::1]:7/1", "redis://[::1]:7/1")]
    #[case("rpc://", "rpc://")]
    #[case("rpc", "rpc://")]
    #[case("amqp://", "rpc://")]
    #[case("", "disabled")]
    #[case("None", "disabled")]
    #[case("disabled", "disabled")]
    #[case("disabled://", "disabled")]
    #[case("db+postgresql://u:pw@h/db", "db+postgresql:// (not readable)")]
    #[case("cache+memcached://h", "cache+memcached:// (not readable)")]
    #[case("file:///var/results", "file:// (not readable)")]
    #[case("mongodb://h", "mongodb:// (not readable)")]
    fn a_backend_is_recognised_whoever_names_it(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(address(parse(text, None)), expected);
        assert_eq!(address(parse_told(text, None)), expected);
    }

    #[rstest]
    #[case::password_0("redis://:**@h:6379/1", "redis://:PASSWORD@h:6379/1")]
    #[case::password_5_7("redis://:********@h:6379/1", "redis://:PASSWORD@h:6379/1")]
    #[case::encoded("redis://:%2A%2A@h:6379/1", "redis://:PASSWORD@h:6379/1")]
    #[case::user("rediss://joe:********@h/0", "rediss://joe:PASSWORD@h:6379/0")]
    fn a_masked_password_is_asked_for(#[case] text: &str, #[case] example: &str) {
        let error = parse_told(text, None).unwrap_err();
        assert_eq!(error.kind, Kind::Config);
        assert!(error.message.contains("masked"), "{error}");
        assert!(error.message.ends_with('?'));
        let hint = error.hint.unwrap();
        assert!(hint.contains(example), "{hint}");
        assert!(hint.contains("CELERY_RESULT_BACKEND"));
        assert!(parse(text, None).is_ok(), "a user's own password may be **");
    }

    #[rstest]
    #[case("sentinel://h:26379/0")]
    #[case("redis+socket:///run/redis.sock")]
    fn what_is_still_to_come_is_an_error_for_the_user_and_a_fact_from_workers(#[case] text: &str) {
        let error = parse(text, None).unwrap_err();
        assert_eq!(error.kind, Kind::Config);
        assert!(error.message.contains("not supported yet"), "{error}");
        assert!(matches!(parse_told(text, None), Ok(Results::Unreadable(_))));
    }

    #[test]
    fn a_scheme_that_celery_has_not_is_an_error_for_the_user_and_a_fact_from_workers() {
        let error = parse("redsi://h", None).unwrap_err();
        assert_eq!(
            error.message,
            "redsi:// is not a result backend that umbel knows"
        );
        assert!(matches!(
            parse_told("shop.backends.Own://h", None),
            Ok(Results::Unreadable(scheme)) if scheme == "shop.backends.own"
        ));
    }

    #[rstest]
    #[case("localhost:6379", "does not begin with a scheme")]
    #[case("redis://h/x", "database number")]
    #[case("redis://h/-1", "database number")]
    #[case("redis://h:x", "the port is not a number")]
    #[case("redis://:12/34@h", "%2F")]
    fn a_malformed_url_is_told_what_is_wrong_with_it(#[case] text: &str, #[case] reason: &str) {
        for error in [parse(text, None), parse_told(text, None)] {
            let error = error.unwrap_err();
            assert_eq!(error.kind, Kind::Config);
            assert!(error.message.contains(reason), "{error}");
        }
    }

    #[rstest]
    #[case("rediss://h?ssl_cert_reqs=none", "ssl_cert_reqs")]
    #[case(
        "rediss://h/0?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs=/ca.pem",
        "ssl_ca_certs"
    )]
    fn tls_options_that_would_be_ignored_are_refused(#[case] text: &str, #[case] option: &str) {
        let error = parse(text, None).unwrap_err();
        assert!(error.message.contains(option), "{error}");
        // The workers' files are not on this machine: theirs is tried with the system's authorities.
        assert!(parse_told(text, None).is_ok());
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "\\PC{0,80}") {
            drop(parse(&text, Some(&text)));
            drop(parse_told(&format!("redis://{text}"), None));
        }

        #[test]
        fn a_password_is_shown_nowhere(secret in "[A-Za-z0-9!$&*+,=._~:;/?#@\\[\\] %-]{0,12}") {
            let text = format!("redis://joe:S3CRET{secret}S3CRET@h/0");
            for results in [parse(&text, None), parse_told(&text, None)] {
                let told = match results {
                    Ok(results) => format!("{results:?} {}", results.address()),
                    Err(error) => format!("{error} {error:?}"),
                };
                prop_assert!(!told.contains("S3CRET"), "{told}");
            }
        }
    }
}
