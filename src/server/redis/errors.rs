//! What went wrong with a Redis, told to people: which one, what happened, what to check. Pure; it opens nothing.
//!
//! The table behind it is protocol.md 11.4: what the redis crate 1.8 reports for each mishap. No password can get in here:
//! addresses are written by [`RedisUrl::short`].
//!
//! With Sentinels it says which side it was: one of them, or the master that they name.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::{RedisUrl, Role, Way};
use crate::error::{Error, Kind};
use crate::server::url::authority;
use crate::text::human::{bounded, clause};

/// Where the password of the Sentinels goes.
const SENTINEL_LOGIN: &str = "the password in the URL is the data node's; the Sentinels' own is the option sentinel_kwargs, as {\"password\": \"…\"} in UMBEL_BROKER_OPTIONS or UMBEL_BACKEND_OPTIONS";

/// Remote text is cut here.
const MAX_REMOTE: usize = 300;

/// Where something went wrong.
pub(super) struct At<'a> {
    pub(super) role: Role,
    pub(super) url: &'a RedisUrl,
    /// Which of the servers behind a `sentinel://` URL.
    pub(super) node: Option<Node<'a>>,
}

/// One of the servers behind a `sentinel://` URL.
#[derive(Clone, Copy)]
pub(super) enum Node<'a> {
    /// A Sentinel.
    Sentinel(&'a str, u16),
    /// The master that the Sentinels named.
    Master(&'a str, u16),
}

impl At<'_> {
    /// Host and port, unless it is a socket.
    fn host(&self) -> Option<(&str, u16)> {
        match (self.node, &self.url.way) {
            (Some(Node::Sentinel(host, port) | Node::Master(host, port)), _) => Some((host, port)),
            (None, Way::Tcp { host, port, .. }) => Some((host, *port)),
            (None, Way::Sentinel { sentinels }) => {
                sentinels.first().map(|(host, port)| (&**host, *port))
            }
            (None, Way::Socket(_)) => None,
        }
    }

    fn is_tls(&self) -> bool {
        matches!(self.url.way, Way::Tcp { tls: true, .. })
    }
}

/// An error of the crate.
pub(super) fn told(at: &At<'_>, error: &RedisError) -> Error {
    let (what, hint) = explained(at, error);
    framed(at, &what, hint)
}

/// Whether the server's access rules forbid it.
pub fn is_denied(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
}

/// Nothing was heard in time.
pub(super) fn silent(at: &At<'_>) -> Error {
    framed(at, "no answer in time", Some(silence(at)))
}

fn silence(at: &At<'_>) -> String {
    let Some((_, port)) = at.host() else {
        return "is it up, or frozen?".to_owned();
    };
    let doubt = if at.is_tls() {
        "does that port speak TLS (rediss://)?"
    } else {
        "does a firewall let it through?"
    };
    format!("is it up, is {port} the right port, and {doubt}")
}

/// A connection that was up and is gone.
pub(super) fn lost(at: &At<'_>, why: &str) -> Error {
    framed(at, &format!("connection lost: {why}"), None)
}

/// Anything else.
pub(super) fn failed(at: &At<'_>, what: &str) -> Error {
    framed(at, what, None)
}

/// `result backend redis://localhost:6379/0: …`, `broker sentinel://h:26379/0: master 10.0.0.7:6379: …`
pub(super) fn framed(at: &At<'_>, what: &str, hint: Option<String>) -> Error {
    let (kind, who) = match at.role {
        Role::Broker => (Kind::Unsent, "broker"),
        Role::Backend => (Kind::BackendUnreachable, "result backend"),
    };
    let node = match at.node {
        None => String::new(),
        Some(Node::Sentinel(host, port)) => format!("Sentinel {}: ", authority(host, port)),
        Some(Node::Master(host, port)) => format!("master {}: ", authority(host, port)),
    };
    let error = Error::new(kind, format!("{who} {}: {node}{what}", at.url.short()));
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn explained(at: &At<'_>, error: &RedisError) -> (String, Option<String>) {
    let hint = |text: &str| Some(text.to_owned());
    match error.kind() {
        ErrorKind::AuthenticationFailed => (
            "login refused: wrong password or unknown user".to_owned(),
            match at.node {
                Some(Node::Sentinel(..)) => hint(SENTINEL_LOGIN),
                _ => hint(
                    "check the password; one with / ? # @ : must be percent-encoded in the URL",
                ),
            },
        ),
        ErrorKind::Parse => (
            "what answered is not a Redis".to_owned(),
            Some(match at.host() {
                None | Some((_, 6379)) => "something else listens there".to_owned(),
                Some((_, port)) => format!("is {port} its port (usually 6379)?"),
            }),
        ),
        ErrorKind::Io => unreached(at, error),
        ErrorKind::Server(ServerErrorKind::NoPerm) => (
            remote(error),
            hint(
                "umbel needs GET, PING, SUBSCRIBE and UNSUBSCRIBE for celery-task-meta-* (STRLEN and GETRANGE make it faster)",
            ),
        ),
        ErrorKind::Server(ServerErrorKind::BusyLoading) => (
            "it is loading its data".to_owned(),
            hint("it answers when that is done"),
        ),
        _ => match error.code() {
            Some("NOAUTH") => (
                "it wants a password".to_owned(),
                match at.node {
                    Some(Node::Sentinel(..)) => hint(SENTINEL_LOGIN),
                    Some(Node::Master(..)) => {
                        hint("give it in the URL: sentinel://:password@host:26379/0")
                    }
                    None => hint("give it in the URL: redis://:password@host:6379/0"),
                },
            ),
            _ if error.to_string().contains("DB index") => (
                format!("there is no database {}", at.url.db),
                hint(
                    "the number after the last slash of the URL; a Redis has 16 unless configured otherwise",
                ),
            ),
            _ => (remote(error), None),
        },
    }
}

/// Input or output failed.
fn unreached(at: &At<'_>, error: &RedisError) -> (String, Option<String>) {
    let text = error.to_string();
    let Some((host, port)) = at.host() else {
        return unopened(error, &text);
    };
    if error.is_connection_refusal() {
        return (
            "connection refused".to_owned(),
            Some(match at.node {
                Some(Node::Sentinel(..)) => {
                    format!("does a Sentinel run on {host}, and is {port} its port?")
                }
                Some(Node::Master(..)) => {
                    "the Sentinels still name it; they find another in a few seconds".to_owned()
                }
                None => format!("does Redis run on {host}, and is {port} its port?"),
            }),
        );
    }
    if text.contains("lookup address") {
        return (
            format!("the host name {host} is not known"),
            Some("check its spelling, the DNS or the VPN".to_owned()),
        );
    }
    if let Some(hint) = crate::server::tls::hint(&text) {
        return (format!("TLS: {}", bounded(&text, MAX_REMOTE)), Some(hint));
    }
    if error.is_timeout() {
        return ("no answer in time".to_owned(), Some(silence(at)));
    }
    let hint = match error.is_connection_dropped() {
        true if at.is_tls() => {
            "does that port speak TLS, and does it want a certificate of ours, or another one (the options ssl_certfile and ssl_keyfile)?"
        }
        true => {
            "does that port want TLS (rediss://, or the option ssl=true), or is its limit of clients reached?"
        }
        false => "is it reachable from here?",
    };
    (clause(&text), Some(hint.to_owned()))
}

/// A socket in the file system that cannot be opened.
fn unopened(error: &RedisError, text: &str) -> (String, Option<String>) {
    // The crate takes a missing socket for a refusal.
    let (what, hint) = if text.contains("No such file") {
        (
            "there is no such socket",
            "is the path that of unixsocket in redis.conf?",
        )
    } else if error.is_connection_refusal() {
        (
            "connection refused",
            "nobody listens there any more: does Redis run?",
        )
    } else if text.contains("ermission denied") {
        (
            "permission denied",
            "this user may not use it (unixsocketperm in redis.conf)",
        )
    } else {
        return (clause(text), None);
    };
    (what.to_owned(), Some(hint.to_owned()))
}

/// What the server said, without the crate's frame around it.
fn remote(error: &RedisError) -> String {
    let text = error
        .detail()
        .map_or_else(|| error.to_string(), str::to_owned);
    bounded(&clause(&text), MAX_REMOTE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::redis::url;
    use rstest::rstest;
    use std::io;

    fn redis_url() -> RedisUrl {
        url::parse("redis://:s3cret@h/17").unwrap().remove(0)
    }

    fn at(url: &RedisUrl) -> At<'_> {
        At {
            role: Role::Backend,
            url,
            node: None,
        }
    }

    fn io_error(kind: io::ErrorKind, text: &str) -> RedisError {
        io::Error::new(kind, text.to_owned()).into()
    }

    fn server(code: &str, detail: &str) -> RedisError {
        redis::make_extension_error(code.to_owned(), Some(detail.to_owned()))
    }

    #[rstest]
    #[case::refused(
        io_error(io::ErrorKind::ConnectionRefused, "Connection refused (os error 111)"),
        "connection refused",
        "is 6379 its port?"
    )]
    #[case::unknown_host(
        io_error(
            io::ErrorKind::Other,
            "failed to lookup address information: Name or service not known"
        ),
        "the host name h is not known",
        "spelling"
    )]
    #[case::dropped(
        io_error(io::ErrorKind::BrokenPipe, "broken pipe"),
        "broken pipe",
        "limit of clients"
    )]
    #[case::tls(
        io_error(io::ErrorKind::InvalidData, "invalid peer certificate: UnknownIssuer"),
        "TLS: invalid peer certificate: UnknownIssuer",
        "ssl_ca_certs"
    )]
    #[case::no_password(
        server("NOAUTH", "Authentication required."),
        "it wants a password",
        "redis://:password@host"
    )]
    #[case::wrong_password((ErrorKind::AuthenticationFailed, "Password authentication failed").into(),
        "login refused: wrong password or unknown user", "percent-encoded")]
    #[case::not_a_redis((ErrorKind::Parse, "Parse error").into(),
        "what answered is not a Redis", "something else")]
    #[case::no_permission((ErrorKind::Server(ServerErrorKind::NoPerm), "x", "this user has no permissions to run the 'get' command".to_owned()).into(),
        "this user has no permissions to run the 'get' command", "SUBSCRIBE")]
    #[case::database((ErrorKind::Server(ServerErrorKind::ResponseError), "Redis server refused to switch database", "DB index is out of range".to_owned()).into(),
        "there is no database 17", "last slash")]
    fn a_failure_says_what_happened_and_what_to_check(
        #[case] error: RedisError,
        #[case] what: &str,
        #[case] hint: &str,
    ) {
        let told = told(&at(&redis_url()), &error);
        assert_eq!(told.kind, Kind::BackendUnreachable);
        assert_eq!(
            told.message,
            format!("result backend redis://h:6379/17: {what}")
        );
        let next = told.hint.unwrap();
        assert!(next.contains(hint), "{next}");
        assert!(!next.contains("s3cret"));
    }

    #[test]
    fn other_words_of_the_server_are_passed_on_and_bounded() {
        let full = told(
            &at(&redis_url()),
            &server("OOM", "command not allowed when used memory > 'maxmemory'."),
        );
        assert!(
            full.message.ends_with("used memory > 'maxmemory'."),
            "{full}"
        );
        let long = told(&at(&redis_url()), &server("X", &"y".repeat(5000)));
        assert!(long.message.len() < 400);
    }

    #[test]
    fn a_silent_tls_port_is_asked_about() {
        let url = url::parse("rediss://h").unwrap().remove(0);
        assert!(silent(&at(&url)).hint.unwrap().contains("speak TLS"));
    }

    #[test]
    fn with_sentinels_it_is_said_which_side_refused() {
        let url = url::parse("sentinel://:s3cret@h1/0;sentinel://h2/0")
            .unwrap()
            .remove(0);
        let refused = || (ErrorKind::AuthenticationFailed, "x").into();
        let sentinel = At {
            node: Some(Node::Sentinel("h2", 26379)),
            ..at(&url)
        };
        let told_of = told(&sentinel, &refused());
        assert!(
            told_of
                .message
                .contains("sentinel://h1:26379/0: Sentinel h2:26379: login refused")
        );
        assert!(told_of.hint.unwrap().contains("sentinel_kwargs"));
        let master = At {
            node: Some(Node::Master("10.0.0.7", 6379)),
            ..at(&url)
        };
        let told_of = told(&master, &refused());
        assert!(
            told_of
                .message
                .contains("master 10.0.0.7:6379: login refused")
        );
        assert!(!told_of.hint.unwrap().contains("sentinel_kwargs"));
    }

    #[test]
    fn a_socket_that_is_not_there_is_called_so() {
        let url = url::parse("redis+socket:///run/redis.sock")
            .unwrap()
            .remove(0);
        let missing = io_error(
            io::ErrorKind::NotFound,
            "No such file or directory (os error 2)",
        );
        assert_eq!(
            told(&at(&url), &missing).message,
            "result backend redis+socket:///run/redis.sock: there is no such socket"
        );
    }
}
