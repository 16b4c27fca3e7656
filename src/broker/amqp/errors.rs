//! What went wrong with a RabbitMQ, told to people: which broker, what happened, what to check. Pure; it opens nothing.
//!
//! The table behind it is protocol.md 11.3: what lapin 4.12 reports for each mishap. No password can get in here: addresses are
//! written by [`Endpoint::short`].

use std::io;

use lapin::ErrorKind;
use lapin::protocol::AMQPErrorKind;

use crate::broker::url::Endpoint;
use crate::error::{Error, Kind};
use crate::text::human::{bounded, clause};

/// Why a server may close an encrypted connection.
const UNWANTED: &str = "does it want a certificate of ours, or another one (the options ssl_certfile and ssl_keyfile)?";

/// Remote text is cut here.
const MAX_REMOTE: usize = 300;

/// How a connection or a step on it failed.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The name of the host cannot be resolved.
    UnknownHost,
    /// Nothing was heard in time.
    Silence {
        /// Whether the TCP connection had been made.
        reached: bool,
    },
    /// lapin says so.
    Amqp {
        /// What it says.
        error: lapin::Error,
        /// Whether the TCP connection had been made.
        reached: bool,
    },
}

impl Failure {
    /// The AMQP reply code, if the broker said so.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::Amqp { error, .. } => code(error),
            Self::UnknownHost | Self::Silence { .. } => None,
        }
    }
}

impl From<lapin::Error> for Failure {
    fn from(error: lapin::Error) -> Self {
        Self::Amqp {
            error,
            reached: true,
        }
    }
}

/// The AMQP reply code of an error that the broker sent, if it did.
pub(super) fn code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}

/// Whether the broker closed only the channel over it. (The class of the code says so for everything but the login.)
pub(super) fn closes_channel_only(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if matches!(error.kind(), AMQPErrorKind::Soft(_)))
}

/// A connection that could not be made.
pub(super) fn connecting(endpoint: &Endpoint, failure: &Failure) -> Error {
    let (what, hint) = match failure {
        Failure::UnknownHost => (
            format!("the host name {} is not known", endpoint.host),
            Some("check its spelling, the DNS or the VPN".to_owned()),
        ),
        Failure::Silence { reached: false } => (
            "no connection in time".to_owned(),
            Some(format!(
                "is {} up, and does a firewall let port {} through?",
                endpoint.host, endpoint.port
            )),
        ),
        Failure::Silence { reached: true } => (
            "it was reached, but did not answer in AMQP in time".to_owned(),
            Some(not_amqp(endpoint)),
        ),
        Failure::Amqp { error, reached } => refusal(endpoint, error, *reached),
    };
    told(endpoint, &what, hint)
}

/// A connection that was up and is gone.
pub(super) fn lost(endpoint: &Endpoint, failure: &Failure) -> Error {
    let what = format!("connection lost: {}", cause(failure));
    told(endpoint, &what, None)
}

/// A message that was written, or begun to be written, and whose confirm did not come.
pub(super) fn unconfirmed(endpoint: &Endpoint, failure: &Failure) -> Error {
    let what = format!("the message was not confirmed: {}", cause(failure));
    let mut error = told(endpoint, &what, None);
    error.kind = Kind::UnknownDelivery;
    error.hint("it may be queued and run; it is not sent again")
}

/// A step on a living connection that failed.
pub(super) fn step(endpoint: &Endpoint, step: &str, failure: &Failure) -> Error {
    let refused = remote(failure).is_some();
    let verb = if refused { "was refused" } else { "failed" };
    let hint = match failure.code() {
        Some(403) => Some(format!(
            "user {0} lacks a permission on this vhost: rabbitmqctl list_user_permissions {0}",
            endpoint.user
        )),
        Some(404) if cause(failure).contains("no exchange") => Some(
            "is the exchange's name right? umbel does not declare any; a worker that uses it does"
                .to_owned(),
        ),
        _ => None,
    };
    let what = format!("{step} {verb}: {}", cause(failure));
    told(endpoint, &what, hint)
}

/// Why, in a few words.
fn cause(failure: &Failure) -> String {
    if let Some(text) = remote(failure) {
        return bounded(text, MAX_REMOTE);
    }
    let Failure::Amqp { error, .. } = failure else {
        return "nothing heard in time".to_owned();
    };
    match error.kind() {
        ErrorKind::MissingHeartbeatError => "nothing heard for 10 s".to_owned(),
        ErrorKind::IOError(cause) if cause.kind() == io::ErrorKind::ConnectionAborted => {
            "the broker hung up".to_owned()
        }
        ErrorKind::IOError(cause) => bounded(&clause(&cause.to_string()), MAX_REMOTE),
        ErrorKind::InvalidChannelState(..) | ErrorKind::InvalidConnectionState(_) => {
            "the connection or its channel is gone".to_owned()
        }
        _ => bounded(&error.to_string(), MAX_REMOTE),
    }
}

/// What the broker itself said.
fn remote(failure: &Failure) -> Option<&str> {
    match failure {
        Failure::Amqp { error, .. } => match error.kind() {
            ErrorKind::ProtocolError(remote) => Some(remote.get_message().as_str()),
            _ => None,
        },
        Failure::UnknownHost | Failure::Silence { .. } => None,
    }
}

/// `broker amqp://localhost:5672/: …`
fn told(endpoint: &Endpoint, what: &str, hint: Option<String>) -> Error {
    let error = Error::new(Kind::Unsent, format!("broker {}: {what}", endpoint.short()));
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// What lapin reports while connecting.
fn refusal(endpoint: &Endpoint, error: &lapin::Error, reached: bool) -> (String, Option<String>) {
    match error.kind() {
        ErrorKind::ProtocolError(remote) => {
            let text = remote.get_message().as_str();
            match remote.get_id() {
                403 => wrong_login(endpoint),
                530 => wrong_vhost(endpoint, text),
                320 => (
                    bounded(text, MAX_REMOTE),
                    Some(
                        "the broker is going down, or an operator closed the connection".to_owned(),
                    ),
                ),
                _ => (bounded(text, MAX_REMOTE), None),
            }
        }
        ErrorKind::ParsingError(_) | ErrorKind::InvalidProtocolVersion(_) => (
            "what answered is not a RabbitMQ (AMQP 0-9-1)".to_owned(),
            Some(not_amqp(endpoint)),
        ),
        ErrorKind::IOError(cause) if reached => hung_up(endpoint, cause),
        ErrorKind::IOError(cause) => unreached(endpoint, cause),
        _ => (bounded(&error.to_string(), MAX_REMOTE), None),
    }
}

fn wrong_login(endpoint: &Endpoint) -> (String, Option<String>) {
    let hint = if endpoint.user == "guest" {
        "guest may log in only from the broker's own machine, unless configured; is the URL complete (amqp://user:password@…)?"
    } else {
        "check user and password; one with / ? # @ : must be percent-encoded in the URL"
    };
    (
        format!(
            "login refused: wrong password, or there is no user {}",
            endpoint.user
        ),
        Some(hint.to_owned()),
    )
}

fn wrong_vhost(endpoint: &Endpoint, text: &str) -> (String, Option<String>) {
    if text.contains("not found") {
        return (
            format!("there is no vhost {}", endpoint.vhost),
            Some("amqp://host/ means the vhost /, amqp://host/name the vhost name; rabbitmqctl list_vhosts shows them".to_owned()),
        );
    }
    if text.contains("refused for user") && !text.contains("limit") {
        return (
            format!(
                "user {} has no permission on the vhost {}",
                endpoint.user, endpoint.vhost
            ),
            Some("rabbitmqctl set_permissions grants it".to_owned()),
        );
    }
    (bounded(text, MAX_REMOTE), None)
}

/// Input or output failed after the TCP connection was made.
fn hung_up(endpoint: &Endpoint, cause: &io::Error) -> (String, Option<String>) {
    let text = cause.to_string();
    if text.contains("InvalidContentType") {
        return (
            "it does not speak TLS".to_owned(),
            Some(format!(
                "amqp:// is for plain ports (5672), amqps:// for TLS ports (5671); this is port {}",
                endpoint.port
            )),
        );
    }
    if let Some(hint) = crate::server::tls::hint(&text) {
        return (format!("TLS: {}", bounded(&text, MAX_REMOTE)), Some(hint));
    }
    let what = "it closed the connection instead of answering in AMQP".to_owned();
    if endpoint.tls {
        // In TLS 1.3 a client's certificate is judged when the client is through; the alert may be lost then.
        return (what, Some(UNWANTED.to_owned()));
    }
    (what, Some(not_amqp(endpoint)))
}

/// The TCP connection could not be made.
fn unreached(endpoint: &Endpoint, cause: &io::Error) -> (String, Option<String>) {
    match cause.kind() {
        io::ErrorKind::ConnectionRefused => (
            "connection refused".to_owned(),
            Some(format!(
                "does RabbitMQ run on {}, and is {} its port?",
                endpoint.host, endpoint.port
            )),
        ),
        _ => (
            clause(&cause.to_string()),
            Some(format!("is {} reachable from here?", endpoint.host)),
        ),
    }
}

/// What a port that does not speak AMQP may be.
fn not_amqp(endpoint: &Endpoint) -> String {
    match endpoint.port {
        15672 | 15671 => "that port is usually RabbitMQ's web page; AMQP is 5672".to_owned(),
        6379 | 6380 => "that port is usually a Redis; AMQP is 5672".to_owned(),
        80 | 443 | 8080 => "that port is usually a web server; AMQP is 5672".to_owned(),
        5671 if !endpoint.tls => "that port usually speaks TLS: try amqps://".to_owned(),
        5672 => "something other than a RabbitMQ listens on that port".to_owned(),
        port => format!(
            "is {port} the AMQP port (usually 5672), and not a web page, a Redis or a TLS port (amqps://)?"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::url;
    use lapin::protocol::{AMQPError, AMQPHardError, AMQPSoftError};
    use rstest::rstest;

    fn endpoint(text: &str) -> Endpoint {
        url::parse(text)
            .unwrap()
            .endpoints()
            .first()
            .unwrap()
            .clone()
    }

    fn io_error(kind: io::ErrorKind, text: &str) -> lapin::Error {
        io::Error::new(kind, text.to_owned()).into()
    }

    fn told_by_broker(kind: AMQPErrorKind, text: &str) -> lapin::Error {
        ErrorKind::ProtocolError(AMQPError::new(kind, text.into())).into()
    }

    fn reached(error: lapin::Error) -> Failure {
        error.into()
    }

    #[rstest]
    #[case::refused(
        Failure::Amqp { error: io_error(io::ErrorKind::ConnectionRefused, "x"), reached: false },
        "broker amqp://h:5673/: connection refused", "does RabbitMQ run on h, and is 5673 its port?")]
    #[case::unknown_host(
        Failure::UnknownHost,
        "broker amqp://h:5673/: the host name h is not known",
        "check its spelling"
    )]
    #[case::firewall(
        Failure::Silence { reached: false },
        "broker amqp://h:5673/: no connection in time", "firewall")]
    #[case::redis_port(
        Failure::Silence { reached: true },
        "broker amqp://h:5673/: it was reached, but did not answer in AMQP in time", "a Redis")]
    #[case::wrong_password(
        reached(told_by_broker(AMQPSoftError::ACCESSREFUSED.into(), "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.")),
        "broker amqp://h:5673/: login refused: wrong password, or there is no user joe", "percent-encoded")]
    #[case::vhost_missing(
        reached(told_by_broker(AMQPHardError::NOTALLOWED.into(), "NOT_ALLOWED - vhost nosuch not found")),
        "broker amqp://h:5673/: there is no vhost /", "list_vhosts")]
    #[case::no_permission(
        reached(told_by_broker(AMQPHardError::NOTALLOWED.into(), "NOT_ALLOWED - access to vhost '/' refused for user 'joe'")),
        "broker amqp://h:5673/: user joe has no permission on the vhost /", "set_permissions")]
    #[case::http_port(
        reached(io_error(io::ErrorKind::ConnectionAborted, "connection aborted")),
        "broker amqp://h:5673/: it closed the connection instead of answering in AMQP",
        "web page"
    )]
    #[case::tls_to_a_plain_port(
        reached(io_error(
            io::ErrorKind::InvalidData,
            "received corrupt message of type InvalidContentType"
        )),
        "broker amqp://h:5673/: it does not speak TLS",
        "amqps://"
    )]
    #[case::unknown_authority(
        reached(io_error(io::ErrorKind::InvalidData, "invalid peer certificate: UnknownIssuer")),
        "broker amqp://h:5673/: TLS: invalid peer certificate: UnknownIssuer",
        "ssl_ca_certs"
    )]
    fn a_failed_connect_says_what_happened_and_what_to_check(
        #[case] failure: Failure,
        #[case] message: &str,
        #[case] hint: &str,
    ) {
        let error = connecting(&endpoint("amqp://joe:s3cret@h:5673/"), &failure);
        assert_eq!(error.kind, Kind::Unsent);
        assert_eq!(error.message, message);
        let told = error.hint.unwrap();
        assert!(told.contains(hint), "{told}");
        assert!(!told.contains("s3cret"));
    }

    #[test]
    fn guest_is_told_that_it_may_log_in_only_locally() {
        let refused = reached(told_by_broker(
            AMQPSoftError::ACCESSREFUSED.into(),
            "ACCESS_REFUSED",
        ));
        let error = connecting(&endpoint("amqp://far/"), &refused);
        assert!(error.hint.unwrap().contains("own machine"));
    }

    #[test]
    fn a_familiar_wrong_port_is_named() {
        let error = connecting(
            &endpoint("amqp://h:15672/"),
            &Failure::Silence { reached: true },
        );
        assert!(error.hint.unwrap().contains("web page"));
    }

    #[rstest]
    #[case::heartbeat(ErrorKind::MissingHeartbeatError.into(), "nothing heard for 10 s")]
    #[case::cut(io_error(io::ErrorKind::ConnectionAborted, "x"), "the broker hung up")]
    #[case::reset(
        io_error(
            io::ErrorKind::ConnectionReset,
            "Connection reset by peer (os error 104)"
        ),
        "connection reset by peer"
    )]
    #[case::shutdown(
        told_by_broker(AMQPHardError::CONNECTIONFORCED.into(), "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"),
        "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'")]
    fn a_lost_connection_says_why(#[case] error: lapin::Error, #[case] why: &str) {
        let told = lost(&endpoint("amqp://h/shop"), &error.into());
        assert_eq!(
            told.message,
            format!("broker amqp://h:5672/shop: connection lost: {why}")
        );
    }

    #[test]
    fn a_missing_confirm_is_a_kind_of_its_own() {
        let gone = ErrorKind::InvalidChannelState(lapin::ChannelState::Error, "confirm");
        let told = unconfirmed(&endpoint("amqp://h"), &lapin::Error::from(gone).into());
        assert_eq!(told.kind, Kind::UnknownDelivery);
        assert!(
            told.message
                .ends_with("not confirmed: the connection or its channel is gone")
        );
        let told = unconfirmed(&endpoint("amqp://h"), &Failure::Silence { reached: true });
        assert!(
            told.message
                .ends_with("not confirmed: nothing heard in time")
        );
        assert!(told.hint.unwrap().contains("not sent again"));
    }

    #[test]
    fn remote_text_is_bounded() {
        let long = told_by_broker(AMQPHardError::INTERNALERROR.into(), &"x".repeat(255));
        assert!(
            connecting(&endpoint("amqp://h"), &long.into())
                .message
                .len()
                < 400
        );
        assert_eq!(
            bounded(&"x".repeat(1000), MAX_REMOTE).chars().count(),
            MAX_REMOTE + 1
        );
    }

    #[test]
    fn a_denied_step_names_the_permission() {
        let denied = reached(told_by_broker(
            AMQPSoftError::ACCESSREFUSED.into(),
            "ACCESS_REFUSED - access to exchange 'celery.pidbox' in vhost '/' refused for user 'joe'",
        ));
        let error = step(&endpoint("amqp://joe:pw@h/"), "a control request", &denied);
        assert!(error.message.contains("a control request was refused"));
        assert!(error.hint.unwrap().contains("list_user_permissions joe"));
    }
}
