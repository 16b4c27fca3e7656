//! What went wrong with a Redis as broker, in words beyond those that any Redis has: what was being done, and what is needed for
//! it. Pure.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::error::Error;
use crate::server::redis::{RedisServer, is_denied};

/// What a user of umbel has to be allowed.
const NEEDS: &str = "umbel needs LPUSH and LLEN on the queues; HLEN and HSCAN on unacked; SSCAN on _kombu.binding.*; PUBLISH on the channel of celery.pidbox, PSUBSCRIBE on that of celeryev; ROLE; and on umbel.* LINDEX, LRANGE, LSET, LTRIM, RPUSH, EXPIRE, DEL, WATCH, MULTI, EXEC and CLIENT TRACKING; all behind the global_keyprefix";

/// An error of the crate while `doing` something (`LPUSH celery`).
pub(super) fn told(server: &RedisServer, doing: &str, error: &RedisError) -> Error {
    if is_denied(error) {
        let what = format!("{} ({doing})", words(error));
        return server.failed(&what).hint(NEEDS);
    }
    match error.code() {
        Some("READONLY") => read_only(server),
        Some("OOM") => server
            .failed("its memory is full (maxmemory): it takes nothing now")
            .hint("INFO memory on the server tells how full; nothing was sent"),
        Some("MISCONF") => server
            .failed("it takes no writes: it cannot save its data to disk")
            .hint("its log says why; nothing was sent"),
        Some("WRONGTYPE") => server
            .failed(&format!("the key is no list or set of kombu's ({doing})"))
            .hint("is it the right database and global_keyprefix?"),
        Some("MASTERDOWN") => server
            .failed("it is a replica that has lost its master")
            .hint("give the address of the new master, or a sentinel:// URL"),
        _ => server.told(error),
    }
}

/// A server that nothing can be published on; a PUBLISH there reaches nobody and is no error (protocol.md 11.4).
pub(super) fn read_only(server: &RedisServer) -> Error {
    server
        .failed("it is a read-only replica: tasks can only be sent to the master")
        .hint("give the address of the master, or a sentinel:// URL that finds it")
}

/// A Sentinel where a Redis was wanted.
pub(super) fn sentinel(server: &RedisServer) -> Error {
    server
        .failed("it is a Sentinel, which keeps no messages")
        .hint("write sentinel:// instead of redis://, and name the master (master_name)")
}

/// The server's own words.
fn words(error: &RedisError) -> String {
    let text = error.detail().unwrap_or("not permitted");
    text.chars().take(300).collect()
}

/// Whether the server itself said so: then the command was not executed. Anything else leaves that open.
pub(super) fn is_answer(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::AuthenticationFailed
    )
}

/// Whether a whole transaction was refused before any of it was executed.
pub(super) fn is_aborted(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ExecAbort)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::server::redis::{RedisUrl, Role};
    use rstest::rstest;

    fn server() -> RedisServer {
        RedisServer::new(RedisUrl::local(), Role::Broker, std::sync::Arc::default())
    }

    fn answer(code: &str) -> RedisError {
        redis::make_extension_error(code.to_owned(), Some("words of the server".to_owned()))
    }

    #[rstest]
    #[case("READONLY", "it is a read-only replica")]
    #[case("OOM", "its memory is full")]
    #[case("MISCONF", "it takes no writes")]
    #[case("WRONGTYPE", "no list or set of kombu's (LPUSH celery)")]
    #[case("MASTERDOWN", "has lost its master")]
    #[case("SOMETHING", "words of the server")]
    fn a_refusal_says_what_it_means(#[case] code: &str, #[case] expected: &str) {
        let error = answer(code);
        assert!(is_answer(&error));
        let told = told(&server(), "LPUSH celery", &error);
        assert_eq!(told.kind, Kind::Unsent);
        assert!(
            told.message.starts_with("broker redis://localhost:6379/0:"),
            "{told}"
        );
        assert!(told.message.contains(expected), "{told}");
    }

    #[test]
    fn a_missing_permission_names_the_command_and_the_key() {
        let kind = ErrorKind::Server(ServerErrorKind::NoPerm);
        let error = RedisError::from((kind, "x", "no permissions to access a key".to_owned()));
        let told = told(&server(), "LPUSH celery", &error);
        assert!(
            told.message
                .ends_with("no permissions to access a key (LPUSH celery)"),
            "{told}"
        );
        assert!(told.hint.unwrap().contains("umbel needs LPUSH"));
    }

    #[test]
    fn a_broken_line_is_no_answer() {
        let error = RedisError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert!(!is_answer(&error));
    }
}
