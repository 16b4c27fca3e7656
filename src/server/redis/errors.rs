//! What went wrong with a Redis, told to people: which one, what happened, what to check. Pure; it opens nothing.
//!
//! The table behind it is protocol.md 11.4: what the redis crate 1.8 reports for each mishap. No password can get in here:
//! addresses are written by [`RedisUrl::short`].

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::{RedisUrl, Role};
use crate::error::{Error, Kind};

/// Remote text is cut here.
const MAX_REMOTE: usize = 300;

/// An error of the crate.
pub(super) fn told(role: Role, url: &RedisUrl, error: &RedisError) -> Error {
    let (what, hint) = explained(url, error);
    framed(role, url, &what, hint)
}

/// Whether the server's access rules forbid it.
pub fn is_denied(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
}

/// Nothing was heard in time.
pub(super) fn silent(role: Role, url: &RedisUrl) -> Error {
    framed(role, url, "no answer in time", Some(silence(url)))
}

fn silence(url: &RedisUrl) -> String {
    let doubt = if url.tls {
        "does that port speak TLS (rediss://)?"
    } else {
        "does a firewall let it through?"
    };
    format!("is it up, is {} the right port, and {doubt}", url.port)
}

/// A connection that was up and is gone.
pub(super) fn lost(role: Role, url: &RedisUrl, why: &str) -> Error {
    framed(role, url, &format!("connection lost: {why}"), None)
}

/// Anything else.
pub(super) fn failed(role: Role, url: &RedisUrl, what: &str) -> Error {
    framed(role, url, what, None)
}

/// `result backend redis://localhost:6379/0: …`
fn framed(role: Role, url: &RedisUrl, what: &str, hint: Option<String>) -> Error {
    let (kind, who) = match role {
        Role::Broker => (Kind::Unsent, "broker"),
        Role::Backend => (Kind::BackendUnreachable, "result backend"),
    };
    let error = Error::new(kind, format!("{who} {}: {what}", url.short()));
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn explained(url: &RedisUrl, error: &RedisError) -> (String, Option<String>) {
    let hint = |text: &str| Some(text.to_owned());
    match error.kind() {
        ErrorKind::AuthenticationFailed => (
            "login refused: wrong password or unknown user".to_owned(),
            hint("check the password; one with / ? # @ : must be percent-encoded in the URL"),
        ),
        ErrorKind::Parse => (
            "what answered is not a Redis".to_owned(),
            Some(match url.port {
                6379 => "something else listens on that port".to_owned(),
                port => format!("is {port} its port (usually 6379)?"),
            }),
        ),
        ErrorKind::Io => unreached(url, error),
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
                hint("give it in the URL: redis://:password@host:6379/0"),
            ),
            _ if error.to_string().contains("DB index") => (
                format!("there is no database {}", url.db),
                hint(
                    "the number after the last slash of the URL; a Redis has 16 unless configured otherwise",
                ),
            ),
            _ => (remote(error), None),
        },
    }
}

/// Input or output failed.
fn unreached(url: &RedisUrl, error: &RedisError) -> (String, Option<String>) {
    let text = error.to_string();
    if error.is_connection_refusal() {
        return (
            "connection refused".to_owned(),
            Some(format!(
                "does Redis run on {}, and is {} its port?",
                url.host, url.port
            )),
        );
    }
    if text.contains("lookup address") {
        return (
            format!("the host name {} is not known", url.host),
            Some("check its spelling, the DNS or the VPN".to_owned()),
        );
    }
    if text.contains("certificate") || text.contains("Certificate") || text.contains("UnknownCA") {
        return (
            format!("TLS: {}", cut(&text)),
            Some("the certificate is checked against the authorities that this system trusts; for an own one set SSL_CERT_FILE to its PEM file".to_owned()),
        );
    }
    if error.is_timeout() {
        return ("no answer in time".to_owned(), Some(silence(url)));
    }
    let hint = match error.is_connection_dropped() {
        true if url.tls => "does that port speak TLS?",
        true => "does that port want TLS (rediss://), or is its limit of clients reached?",
        false => "is it reachable from here?",
    };
    (lower(&text), Some(hint.to_owned()))
}

/// What the server said, without the crate's frame around it.
fn remote(error: &RedisError) -> String {
    let text = error
        .detail()
        .map_or_else(|| error.to_string(), str::to_owned);
    cut(&lower(&text))
}

/// The first letter small, so that it goes on after a colon; the operating system's number dropped.
fn lower(text: &str) -> String {
    let text = text.split(" (os error").next().unwrap_or(text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MAX_REMOTE {
        return text.to_owned();
    }
    text.chars().take(MAX_REMOTE).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::io;

    fn redis_url() -> RedisUrl {
        RedisUrl {
            tls: false,
            user: None,
            password: Some("s3cret".into()),
            host: "h".to_owned(),
            port: 6379,
            db: 17,
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
        "trusts"
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
        let told = told(Role::Backend, &redis_url(), &error);
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
            Role::Backend,
            &redis_url(),
            &server("OOM", "command not allowed when used memory > 'maxmemory'."),
        );
        assert!(
            full.message.ends_with("used memory > 'maxmemory'."),
            "{full}"
        );
        let long = told(Role::Backend, &redis_url(), &server("X", &"y".repeat(5000)));
        assert!(long.message.len() < 400);
    }

    #[test]
    fn a_silent_tls_port_is_asked_about() {
        let url = RedisUrl {
            tls: true,
            ..redis_url()
        };
        assert!(
            silent(Role::Backend, &url)
                .hint
                .unwrap()
                .contains("speak TLS")
        );
    }
}
