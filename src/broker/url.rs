//! Broker URLs by kombu's rules, which are not those of any URL crate: `amqp://h`, `amqp://h/` and `amqp://h//` all name the vhost `/`.
//! Those of a Redis are read by `server/redis`.
//!
//! Facts: kombu's `utils/url.py` and `Connection` (protocol.md 5.4), its `TRANSPORT_ALIASES` (5.7). A password leaves this file only inside a [`SecretString`];
//! no message, `Debug` or `Display` of anything here shows it, and malformed text is never quoted back, because it may be a password.

use std::fmt;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Kind, Result};
use crate::server::redis::{RedisUrl, url as redis_url};
use crate::server::url::{Parts, authority, readable, split_scheme};

/// What a good broker URL looks like; shown with every complaint.
pub const EXAMPLE: &str = "amqp://user:password@host:5672/vhost";

/// What a good URL of a Redis looks like.
const REDIS_EXAMPLE: &str = "redis://user:password@host:6379/0";

/// Where to find the broker: one address, or several that are tried in order (kombu's `;` list). Never empty.
#[derive(Clone)]
pub enum BrokerUrl {
    /// RabbitMQ.
    Amqp(Vec<Endpoint>),
    /// Redis.
    Redis(Vec<RedisUrl>),
}

/// One AMQP address.
#[derive(Clone)]
pub struct Endpoint {
    /// Whether the connection is encrypted (`amqps`).
    pub tls: bool,
    /// User; `guest` when the URL names none.
    pub user: String,
    /// Password; `guest` when the URL names no user.
    pub password: SecretString,
    /// Host name or address; IPv6 without brackets.
    pub host: String,
    /// Port; 5672, or 5671 for `amqps`, when the URL names none.
    pub port: u16,
    /// Virtual host.
    pub vhost: String,
}

/// Reads `--broker`, `CELERY_BROKER_URL` and their like.
pub fn parse(text: &str) -> Result<BrokerUrl> {
    let text = text.trim();
    if text.is_empty() {
        return Err(config("the broker URL is empty").hint(format!("it looks like {EXAMPLE}")));
    }
    let parts: Vec<&str> = text
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    let is_redis = |part: &&&str| {
        split_scheme(part).is_some_and(|(scheme, _)| REDIS.contains(&scheme.as_str()))
    };
    match parts.iter().filter(is_redis).count() {
        _ if parts.is_empty() => Err(malformed("it holds no address")),
        0 => parts
            .into_iter()
            .map(endpoint)
            .collect::<Result<_>>()
            .map(BrokerUrl::Amqp),
        count if count == parts.len() => {
            redis_url::parse(text)
                .map(BrokerUrl::Redis)
                .map_err(|reason| {
                    config(format!("the broker URL cannot be read: {reason}"))
                        .hint(format!("it looks like {REDIS_EXAMPLE}"))
                })
        }
        _ => Err(config(
            "the broker URL names a Redis and other brokers in one list: all must be of one kind",
        )),
    }
}

/// The schemes of a Redis as kombu spells them.
const REDIS: [&str; 4] = ["redis", "rediss", "redis+socket", "sentinel"];

impl BrokerUrl {
    /// The AMQP addresses, in the order they are to be tried; none for a Redis.
    pub fn endpoints(&self) -> &[Endpoint] {
        match self {
            Self::Amqp(endpoints) => endpoints,
            Self::Redis(_) => &[],
        }
    }

    /// The servers of a Redis, in the order they are to be tried; none for AMQP.
    pub fn servers(&self) -> &[RedisUrl] {
        match self {
            Self::Amqp(_) => &[],
            Self::Redis(servers) => servers,
        }
    }

    /// For people: everything but the passwords, `amqp://guest:***@localhost:5672//`.
    pub fn masked(&self) -> String {
        let all: Vec<_> = match self {
            Self::Amqp(endpoints) => endpoints.iter().map(Endpoint::masked).collect(),
            Self::Redis(servers) => servers.iter().map(RedisUrl::masked).collect(),
        };
        all.join(";")
    }

    /// For the header: the first address without its user, `amqp://localhost:5672/`.
    pub fn short(&self) -> String {
        match self {
            Self::Amqp(endpoints) => endpoints.first().map(Endpoint::short),
            Self::Redis(servers) => servers.first().map(RedisUrl::short),
        }
        .unwrap_or_default()
    }

    /// Whether a password stands in it that is a secret; everybody knows `guest`, and the empty one is none.
    pub fn has_secret(&self) -> bool {
        let secret =
            |endpoint: &Endpoint| !matches!(endpoint.password.expose_secret(), "guest" | "");
        match self {
            Self::Amqp(endpoints) => endpoints.iter().any(secret),
            Self::Redis(servers) => servers.iter().any(|url| url.masked().contains(":***@")),
        }
    }
}

impl Endpoint {
    /// For people: `amqp://guest:***@localhost:5672//`; the part after the port's slash is the vhost.
    pub fn masked(&self) -> String {
        format!(
            "{}://{}:***@{}/{}",
            self.scheme(),
            readable(&self.user, false),
            authority(&self.host, self.port),
            readable(&self.vhost, true)
        )
    }

    /// For the header: `amqp://localhost:5672/` for the vhost `/`, `amqp://localhost:5672/shop` for `shop`.
    pub fn short(&self) -> String {
        let vhost = if self.vhost == "/" { "" } else { &self.vhost };
        format!(
            "{}://{}/{}",
            self.scheme(),
            authority(&self.host, self.port),
            readable(vhost, true)
        )
    }

    /// `amqp` or `amqps`.
    fn scheme(&self) -> &'static str {
        if self.tls { "amqps" } else { "amqp" }
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BrokerUrl({})", self.masked())
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.masked())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// One address of the list.
fn endpoint(text: &str) -> Result<Endpoint> {
    let Some((scheme, rest)) = split_scheme(text) else {
        return Err(malformed(
            "it does not begin with amqp://, amqps://, redis:// or their like",
        ));
    };
    let tls = match scheme.as_str() {
        "amqp" | "pyamqp" => false,
        "amqps" => true,
        other => return Err(unsupported(other)),
    };
    let parts = Parts::split(rest).map_err(malformed)?;
    let guest = parts.user.is_none();
    Ok(Endpoint {
        tls,
        user: parts.user.unwrap_or_else(|| "guest".to_owned()),
        password: match parts.password {
            Some(password) => password,
            None if guest => SecretString::from("guest"),
            None => SecretString::from(""),
        },
        host: parts.host,
        port: parts.port.unwrap_or(if tls { 5671 } else { 5672 }),
        vhost: vhost(&parts.path),
    })
}

/// kombu's rule: the path without its first slash, decoded; nothing and `/` both mean `/`.
fn vhost(path: &str) -> String {
    match percent_decode_str(path).decode_utf8_lossy().as_ref() {
        "" => "/".to_owned(),
        name => name.to_owned(),
    }
}

fn config(message: impl Into<String>) -> Error {
    Error::new(Kind::Config, message)
}

fn malformed(reason: &str) -> Error {
    config(format!("the broker URL cannot be read: {reason}"))
        .hint(format!("it looks like {EXAMPLE}"))
}

/// A scheme that umbel does not speak.
fn unsupported(scheme: &str) -> Error {
    let (redis, tls) = ("redis://", "rediss://");
    match scheme {
        "valkey" | "valkeys" => {
            let own = if scheme == "valkeys" { tls } else { redis };
            config(format!(
                "{scheme}:// is no broker that Celery knows (kombu 5.3 to 5.7)"
            ))
            .hint(format!("a Valkey is reached as {own}, by workers and by umbel"))
        }
        _ => config(format!("{scheme}:// as a broker is not supported")).hint(format!(
            "supported are amqp://, pyamqp://, amqps://, redis://, rediss://, redis+socket:// and sentinel://: {EXAMPLE}, {REDIS_EXAMPLE}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn one(text: &str) -> Endpoint {
        let url = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let [endpoint] = url.endpoints() else {
            panic!("not one address");
        };
        endpoint.clone()
    }

    fn refused(text: &str) -> Error {
        match parse(text) {
            Ok(url) => panic!("{text} became {url}"),
            Err(error) => error,
        }
    }

    #[rstest]
    #[case("amqp://h", "/")]
    #[case("amqp://h/", "/")]
    #[case("amqp://h//", "/")]
    #[case("amqp://h/%2F", "/")]
    #[case("amqp://h/%2f", "/")]
    #[case("amqp://h/foo", "foo")]
    #[case("amqp://h//foo", "/foo")]
    #[case("amqp://h/a%20b", "a b")]
    #[case("amqp://h/a%40b", "a@b")]
    #[case("amqp://h/žluť", "žluť")]
    #[case("amqp://h/foo?heartbeat=30", "foo")]
    fn a_vhost_is_what_kombu_makes_of_it(#[case] text: &str, #[case] vhost: &str) {
        assert_eq!(one(text).vhost, vhost);
    }

    #[rstest]
    #[case("amqp://", "localhost", 5672)]
    #[case("pyamqp://", "localhost", 5672)]
    #[case("AMQP://Host.Example", "host.example", 5672)]
    #[case("amqp://h:", "h", 5672)]
    #[case("amqp://h:0", "h", 5672)]
    #[case("amqp://h:5673", "h", 5673)]
    #[case("amqps://h", "h", 5671)]
    #[case("amqp://[::1]", "::1", 5672)]
    #[case("amqp://[2001:db8::1]:99/v", "2001:db8::1", 99)]
    #[case("amqp://u:p@/v", "localhost", 5672)]
    fn host_and_port_have_kombus_defaults(
        #[case] text: &str,
        #[case] host: &str,
        #[case] port: u16,
    ) {
        let endpoint = one(text);
        assert_eq!((&*endpoint.host, endpoint.port), (host, port));
    }

    #[rstest]
    #[case("amqp://h", "guest", "guest")]
    #[case("amqp://joe:pw@h", "joe", "pw")]
    #[case("amqp://joe@h", "joe", "")]
    #[case("amqp://joe:@h", "joe", "")]
    #[case("amqp://j%40e:p%2Fw%3A%25@h", "j@e", "p/w:%")]
    #[case("amqp://joe:p:w@h", "joe", "p:w")]
    #[case("amqp://joe:p@w@h", "joe", "p@w")]
    #[case("amqp://joe:100%@h", "joe", "100%")]
    fn user_and_password_are_decoded(
        #[case] text: &str,
        #[case] user: &str,
        #[case] password: &str,
    ) {
        let endpoint = one(text);
        assert_eq!(endpoint.user, user);
        assert_eq!(endpoint.password.expose_secret(), password);
    }

    #[rstest]
    #[case(
        "amqp://localhost",
        "amqp://guest:***@localhost:5672//",
        "amqp://localhost:5672/"
    )]
    #[case(
        "amqp://joe:pw@h/shop",
        "amqp://joe:***@h:5672/shop",
        "amqp://h:5672/shop"
    )]
    #[case(
        "amqps://joe:pw@h//shop",
        "amqps://joe:***@h:5671//shop",
        "amqps://h:5671//shop"
    )]
    #[case(
        "amqp://[::1]/a%3Fb",
        "amqp://guest:***@[::1]:5672/a%3Fb",
        "amqp://[::1]:5672/a%3Fb"
    )]
    fn people_see_it_masked_or_short(
        #[case] text: &str,
        #[case] masked: &str,
        #[case] short: &str,
    ) {
        let url = parse(text).unwrap();
        assert_eq!(url.masked(), masked);
        assert_eq!(url.short(), short);
        assert_eq!(format!("{url}"), masked);
        assert_eq!(
            one(masked).short(),
            short,
            "what is shown can be read again"
        );
    }

    #[rstest]
    #[case::empty("", "is empty")]
    #[case::blank("  ", "is empty")]
    #[case::no_scheme("localhost:5672", "does not begin with amqp://")]
    #[case::only_separators(";;", "no address")]
    #[case::port_too_large("amqp://h:65536", "the port is not a number")]
    #[case::unclosed("amqp://[::1", "not closed")]
    #[case::after_bracket("amqp://[::1]x", "between the ]")]
    #[case::bare_ipv6("amqp://::1/", "in brackets")]
    #[case::space("amqp://h h/", "a space")]
    #[case::second_has_no_scheme("amqp://h;other", "does not begin with amqp://")]
    fn a_malformed_url_is_told_what_is_wrong_with_it(#[case] text: &str, #[case] reason: &str) {
        let error = refused(text);
        assert_eq!(error.kind, Kind::Config);
        assert!(error.message.contains(reason), "{error}");
        assert!(error.hint.unwrap().contains("amqp://user:password@host"));
    }

    #[rstest]
    #[case("redis://", "redis://localhost:6379/0", "redis://localhost:6379/0")]
    #[case("redis://h/2", "redis://h:6379/2", "redis://h:6379/2")]
    #[case("REDISS://joe:pw@h:1", "rediss://joe:***@h:1/0", "rediss://h:1/0")]
    #[case(
        "redis+socket:///run/redis.sock?virtual_host=4",
        "redis+socket:///run/redis.sock?virtual_host=4",
        "redis+socket:///run/redis.sock?virtual_host=4"
    )]
    #[case(
        "sentinel://:pw@a;sentinel://b",
        "sentinel://:***@a:26379/0;sentinel://b:26379/0",
        "sentinel://a:26379/0"
    )]
    #[case(
        "redis://:pw@a;redis://b/1",
        "redis://:***@a:6379/0;redis://b:6379/1",
        "redis://a:6379/0"
    )]
    fn a_redis_is_a_broker(#[case] text: &str, #[case] masked: &str, #[case] short: &str) {
        let url = parse(text).unwrap();
        assert_eq!((url.masked(), url.short()), (masked.into(), short.into()));
        assert_eq!(format!("{url:?}"), format!("BrokerUrl({masked})"));
        assert_eq!(url.has_secret(), text.contains("pw"));
        assert!(url.endpoints().is_empty());
        assert!(matches!(url, BrokerUrl::Redis(_)));
    }

    #[test]
    fn brokers_of_two_kinds_are_no_list() {
        for text in ["amqp://a;redis://b", "redis://:secret@b;amqp://a"] {
            let error = refused(text);
            assert!(error.message.contains("of one kind"), "{error}");
            assert!(!error.message.contains("secret"));
        }
    }

    #[rstest]
    #[case("valkey://h", "redis://")]
    #[case("valkeys://h", "rediss://")]
    fn a_valkey_is_reached_as_a_redis(#[case] text: &str, #[case] own: &str) {
        let error = refused(text);
        assert!(error.message.contains("no broker that Celery knows"));
        assert!(error.hint.unwrap().contains(own));
    }

    #[test]
    fn a_malformed_redis_url_is_told_what_is_wrong_with_it() {
        let error = refused("redis://:S3CRET@h/notanumber");
        assert!(error.message.contains("database number"), "{error}");
        assert!(!format!("{error:?}").contains("S3CRET"));
    }

    #[test]
    fn other_schemes_are_answered_with_the_ones_that_work() {
        let error = refused("sqs://");
        assert_eq!(error.message, "sqs:// as a broker is not supported");
        assert!(error.hint.unwrap().contains("amqps://"));
    }

    #[test]
    fn several_addresses_are_kept_in_order() {
        let url = parse("amqp://a;amqps://u:pw@b/v ; ").unwrap();
        let shorts: Vec<_> = url.endpoints().iter().map(Endpoint::short).collect();
        assert_eq!(shorts, ["amqp://a:5672/", "amqps://b:5671/v"]);
        assert_eq!(
            url.masked(),
            "amqp://guest:***@a:5672//;amqps://u:***@b:5671/v"
        );
    }

    #[rstest]
    #[case("amqp://joe:12/34@h/")]
    #[case("amqp://joe:12?34@h/")]
    #[case("amqp://joe:12#34@h/")]
    #[case("amqp://joe:a@1/34@h/")]
    fn a_password_that_breaks_the_url_is_explained_and_not_shown(#[case] text: &str) {
        let error = refused(text);
        assert!(error.message.contains("%2F"), "{error}");
        assert!(!format!("{error:?}").contains("34"));
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "\\PC{0,80}") {
            drop(parse(&text));
            drop(parse(&format!("amqp://{text}")));
        }

        #[test]
        fn a_password_is_shown_nowhere(
            secret in "[A-Za-z0-9!$&*+,=._~:;/?#@\\[\\] %-]{0,12}",
            vhost in "[a-z/]{0,5}",
        ) {
            // A mark on both ends, so that no part of it can be shown by accident.
            let secret = format!("S3CRET{secret}S3CRET");
            for password in [secret.clone(), readable(&secret, false)] {
                for scheme in ["amqp", "redis"] {
                    let text = format!("{scheme}://joe:{password}@h/{vhost}");
                    let told = match parse(&text) {
                        Ok(url) => format!("{url} {url:?} {:?} {}", url.endpoints(), url.short()),
                        Err(error) => format!("{error} {error:?}"),
                    };
                    prop_assert!(!told.contains("S3CRET"), "{told}");
                }
            }
        }

        #[test]
        fn an_encoded_password_arrives_whole(secret in "\\PC{1,20}") {
            let endpoint = one(&format!("amqp://joe:{}@h/", encoded(&secret)));
            prop_assert_eq!(endpoint.password.expose_secret(), &secret);
        }
    }

    fn encoded(text: &str) -> String {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    }
}
