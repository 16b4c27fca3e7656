//! Result backend URLs: what a user gives (`--backend`, `CELERY_RESULT_BACKEND`) and what workers tell of theirs, masked.
//!
//! Facts: Celery's backend aliases and `RedisBackend` (protocol.md 2.2, 2.4, 5.4). It opens nothing. A password is never
//! shown; malformed text is never quoted back.

use std::sync::Arc;

use super::redis::RedisBackend;
use super::{Backend as _, Results, Told};
use crate::error::{Error, Kind, Result};
use crate::server::redis::url as redis_url;
use crate::server::redis::{RedisServer, RedisUrl, Role, Way};
use crate::server::url::{readable, split_scheme};
use crate::server::{Neighbour, TransportOptions};

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

/// Reads the result backend that the user gave. The options are all that was said of it, those in its query too
/// ([`TransportOptions::of_url`]).
pub fn parse(text: &str, options: &Arc<TransportOptions>) -> Result<Results> {
    match read(text)? {
        Read::Plain(results) => Ok(results),
        Read::Redis(urls) => {
            let url = first(urls);
            match missing(&url, options) {
                Some(error) => Err(error),
                None => Ok(Results::Stored(Arc::new(stored(url, options)))),
            }
        }
        Read::Other(scheme) if known(&scheme) => Ok(Results::Unreadable(scheme)),
        Read::Other(scheme) => Err(unsupported(&scheme)),
    }
}

/// Reads the result backend as workers tell it: `conf` and `report` mask its password (`**` up to Celery 5.6, `********` in 5.7).
/// A masked one is that of the broker beside it, or else an error that asks for it. `options` are the user's for a backend.
pub fn parse_told(
    told: &Told,
    options: &Arc<TransportOptions>,
    neighbour: &Neighbour,
) -> Result<Results> {
    let mut url = match read(&told.url)? {
        Read::Plain(results) => return Ok(results),
        // Celery has more backends than we know.
        Read::Other(scheme) => return Ok(Results::Unreadable(scheme)),
        Read::Redis(urls) => first(urls),
    };
    let mut options = TransportOptions::clone(options);
    if options.master_name.is_none() {
        options.master_name.clone_from(&told.master_name);
    }
    if let Some(beside) = neighbour.urls.iter().find(|other| other.is_beside(&url)) {
        reached_as(&mut options, &neighbour.options);
        // A worker's `redis://` may be encrypted all the same (redis_backend_use_ssl, protocol.md 11.7).
        if matches!(beside.way, Way::Tcp { tls: true, .. }) {
            options.tls = Some(true);
        }
        let same_user = url.user.is_none() || url.user == beside.user;
        if url.password_is_masked() && beside.password.is_some() && same_user {
            url.password.clone_from(&beside.password);
        }
    }
    if url.password_is_masked() {
        return Err(masked(&url));
    }
    let options = Arc::new(options);
    if let Some(error) = missing(&url, &options) {
        return Err(error);
    }
    let backend = stored(url, &options);
    backend.hear(told);
    Ok(Results::Stored(Arc::new(backend)))
}

/// The backend is reached the way the broker on the same server is, where the user said nothing of it.
fn reached_as(options: &mut TransportOptions, broker: &TransportOptions) {
    if !options.wants_tls() {
        options.tls = broker.tls;
        options.ca_certs.clone_from(&broker.ca_certs);
        options.certfile.clone_from(&broker.certfile);
        options.keyfile.clone_from(&broker.keyfile);
    }
    if options.sentinel_password.is_none() {
        options
            .sentinel_username
            .clone_from(&broker.sentinel_username);
        options
            .sentinel_password
            .clone_from(&broker.sentinel_password);
    }
    if options.master_name.is_none() {
        options.master_name.clone_from(&broker.master_name);
    }
}

/// What stands in a URL.
enum Read {
    /// No connection of its own.
    Plain(Results),
    /// Never empty.
    Redis(Vec<RedisUrl>),
    /// A scheme that we cannot read.
    Other(String),
}

fn read(text: &str) -> Result<Read> {
    let text = text.trim();
    match text.to_lowercase().as_str() {
        "" | "none" | "disabled" => return Ok(Read::Plain(Results::Disabled)),
        "rpc" | "amqp" => return Ok(Read::Plain(Results::Rpc)),
        "redis" => return Ok(Read::Redis(vec![RedisUrl::local()])),
        _ => {}
    }
    let Some((scheme, _)) = split_scheme(text) else {
        return Err(malformed(
            "it does not begin with a scheme such as redis://",
        ));
    };
    match scheme.as_str() {
        "disabled" => Ok(Read::Plain(Results::Disabled)),
        "rpc" | "amqp" | "amqps" | "pyamqp" => Ok(Read::Plain(Results::Rpc)),
        scheme if redis_url::is_redis(scheme) => {
            let urls = redis_url::parse(text).map_err(malformed)?;
            // Celery's backend knows no list of servers.
            match urls.len() {
                1 => Ok(Read::Redis(urls)),
                _ => Err(malformed("a result backend is one Redis, not several")),
            }
        }
        _ => Ok(Read::Other(scheme)),
    }
}

/// The only one.
fn first(mut urls: Vec<RedisUrl>) -> RedisUrl {
    if urls.is_empty() {
        return RedisUrl::local();
    }
    urls.swap_remove(0)
}

/// What has to be said beside a URL.
fn missing(url: &RedisUrl, options: &TransportOptions) -> Option<Error> {
    url.lacks(options).then(|| {
        config(format!(
            "the result backend {} needs the name of the Sentinels' group",
            url.short()
        ))
        .hint("give the option master_name, as Celery has it in result_backend_transport_options: --backend-option master_name=NAME")
    })
}

/// Whether Celery has such a backend, `db+postgresql` and `cache+memcached` included.
fn known(scheme: &str) -> bool {
    let base = scheme.split('+').next().unwrap_or(scheme);
    UNREADABLE.contains(&scheme) || UNREADABLE.contains(&base)
}

fn stored(url: RedisUrl, options: &Arc<TransportOptions>) -> RedisBackend {
    RedisBackend::new(RedisServer::new(url, Role::Backend, options.clone()))
}

fn config(message: impl Into<String>) -> Error {
    Error::new(Kind::Config, message)
}

/// A scheme that is none of Celery's. (Celery and kombu up to 5.7 have no `valkey://`.)
fn unsupported(scheme: &str) -> Error {
    let own = match scheme {
        "valkey" => "redis://",
        "valkeys" => "rediss://",
        _ => {
            return config(format!(
                "{scheme}:// is not a result backend that umbel knows"
            ))
            .hint(format!("it can read {EXAMPLE}"));
        }
    };
    config(format!(
        "{scheme}:// is no result backend that Celery knows (Celery 5.3 to 5.7)"
    ))
    .hint(format!(
        "a Valkey is reached as {own}, by workers and by umbel"
    ))
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

    fn parse(text: &str) -> Result<Results> {
        super::parse(text, &Arc::new(TransportOptions::of_url(text).unwrap()))
    }

    fn parse_told(text: &str) -> Result<Results> {
        beside(text, &Neighbour::default())
    }

    fn beside(text: &str, neighbour: &Neighbour) -> Result<Results> {
        super::parse_told(&Told::from(text), &Arc::default(), neighbour)
    }

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
        assert_eq!(address(parse(text)), expected);
        assert_eq!(address(parse_told(text)), expected);
    }

    #[rstest]
    #[case::password_0("redis://:**@h:6379/1", "redis://:PASSWORD@h:6379/1")]
    #[case::password_5_7("redis://:********@h:6379/1", "redis://:PASSWORD@h:6379/1")]
    #[case::encoded("redis://:%2A%2A@h:6379/1", "redis://:PASSWORD@h:6379/1")]
    #[case::user("rediss://joe:********@h/0", "rediss://joe:PASSWORD@h:6379/0")]
    fn a_masked_password_is_asked_for(#[case] text: &str, #[case] example: &str) {
        let error = parse_told(text).unwrap_err();
        assert_eq!(error.kind, Kind::Config);
        assert!(error.message.contains("masked"), "{error}");
        assert!(error.message.ends_with('?'));
        let hint = error.hint.unwrap();
        assert!(hint.contains(example), "{hint}");
        assert!(hint.contains("CELERY_RESULT_BACKEND"));
        assert!(parse(text).is_ok(), "a user's own password may be **");
    }

    #[rstest]
    #[case("socket:///run/r.sock", "redis+socket:///run/r.sock")]
    #[case(
        "redis+socket:///run/r.sock?virtual_host=4",
        "redis+socket:///run/r.sock?virtual_host=4"
    )]
    fn a_socket_is_read_as_users_and_as_workers_write_it(
        #[case] text: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(address(parse(text)), expected);
        assert_eq!(address(parse_told(text)), expected);
    }

    #[rstest]
    #[case("valkey://:secret@h", "redis://")]
    #[case("valkeys://:secret@h", "rediss://")]
    fn a_valkey_is_reached_as_a_redis(#[case] text: &str, #[case] own: &str) {
        let error = parse(text).unwrap_err();
        let said = format!("{error} {}", error.hint.clone().unwrap());
        assert!(said.contains(&format!("is reached as {own}, by")), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }

    #[test]
    fn sentinels_need_the_name_of_their_group() {
        let url = "sentinel://h1:1/0;sentinel://h2:2/0";
        for error in [parse(url), parse_told(url)] {
            let error = error.unwrap_err();
            assert_eq!(error.kind, Kind::Config);
            assert!(error.hint.unwrap().contains("master_name="));
        }
        let told = Told {
            master_name: Some("group".to_owned()),
            ..Told::from(url)
        };
        let results = super::parse_told(&told, &Arc::default(), &Neighbour::default());
        assert_eq!(address(results), url);
    }

    #[rstest]
    #[case::same("redis://:pw@localhost:6379/0", "redis://:**@127.0.0.1:6379/1", true)]
    #[case::same_user("redis://joe:pw@h/0", "redis://joe:**@h/1", true)]
    #[case::other_user("redis://joe:pw@h/0", "redis://ann:**@h/1", false)]
    #[case::other_port("redis://:pw@h:1/0", "redis://:**@h:2/0", false)]
    #[case::no_password("redis://h/0", "redis://:**@h/0", false)]
    fn a_masked_password_is_that_of_the_broker_on_the_same_server(
        #[case] broker: &str,
        #[case] told: &str,
        #[case] known: bool,
    ) {
        let neighbour = Neighbour {
            urls: redis_url::parse(broker).unwrap(),
            options: Arc::default(),
        };
        assert_eq!(beside(told, &neighbour).is_ok(), known);
    }

    #[test]
    fn the_options_of_the_broker_on_the_same_server_count_where_none_are_given() {
        let neighbour = Neighbour {
            urls: redis_url::parse("rediss://h:7/0").unwrap(),
            options: Arc::default(),
        };
        assert_eq!(
            address(beside("redis://h:7/1", &neighbour)),
            "rediss://h:7/1"
        );
        assert_eq!(
            address(beside("redis://h:8/1", &neighbour)),
            "redis://h:8/1"
        );
    }

    #[test]
    fn a_scheme_that_celery_has_not_is_an_error_for_the_user_and_a_fact_from_workers() {
        let error = parse("redsi://h").unwrap_err();
        assert_eq!(
            error.message,
            "redsi:// is not a result backend that umbel knows"
        );
        assert!(matches!(
            parse_told("shop.backends.Own://h"),
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
        for error in [parse(text), parse_told(text)] {
            let error = error.unwrap_err();
            assert_eq!(error.kind, Kind::Config);
            assert!(error.message.contains(reason), "{error}");
        }
    }

    #[test]
    fn the_workers_files_are_theirs() {
        let told = "rediss://h/0?ssl_cert_reqs=CERT_NONE&ssl_ca_certs=/theirs.pem";
        assert_eq!(address(parse_told(told)), "rediss://h:6379/0");
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "\\PC{0,80}") {
            drop(super::parse(&text, &Arc::default()));
            drop(parse_told(&format!("redis://{text}")));
        }

        #[test]
        fn a_password_is_shown_nowhere(secret in "[A-Za-z0-9!$&*+,=._~:;/?#@\\[\\] %-]{0,12}") {
            let text = format!("redis://joe:S3CRET{secret}S3CRET@h/0");
            for results in [super::parse(&text, &Arc::default()), parse_told(&text)] {
                let told = match results {
                    Ok(results) => format!("{results:?} {}", results.address()),
                    Err(error) => format!("{error} {error:?}"),
                };
                prop_assert!(!told.contains("S3CRET"), "{told}");
            }
        }
    }
}
