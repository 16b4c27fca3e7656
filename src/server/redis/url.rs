//! Where a Redis is, by Celery's and kombu's rules: `redis://`, `rediss://`, `redis+socket://`, `sentinel://`. It opens nothing.
//!
//! Facts: kombu's `transport/redis.py`, Celery's `backends/redis.py` (protocol.md 5.4, 11.9). A password is kept as a
//! [`SecretString`] and never shown; malformed text is never quoted back.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

use crate::server::TransportOptions;
use crate::server::url::{Parts, authority, readable, split_scheme};

/// Where a Redis is.
#[derive(Clone)]
pub struct RedisUrl {
    /// How it is reached.
    pub way: Way,
    /// ACL user of the data node, if named.
    pub user: Option<String>,
    /// Password of the data node, if given.
    pub password: Option<SecretString>,
    /// Database number; 0 when the URL names none.
    pub db: u32,
}

/// How a Redis is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Over the network.
    Tcp {
        /// Whether the connection is encrypted (`rediss`).
        tls: bool,
        /// Host name or address; IPv6 without brackets.
        host: String,
        /// Port; 6379 when the URL names none.
        port: u16,
    },
    /// Over a socket in the file system.
    Socket(PathBuf),
    /// Sentinels tell who the master is, which then is reached over the network.
    Sentinel {
        /// Their hosts and ports (26379 when the URL names none), in the order they are asked. Never empty.
        sentinels: Vec<(String, u16)>,
    },
}

/// The schemes that [`parse`] reads. (kombu and Celery up to 5.7 know no `valkey://`; a Valkey is `redis://` to them.)
pub fn is_redis(scheme: &str) -> bool {
    matches!(
        scheme,
        "redis" | "rediss" | "redis+socket" | "socket" | "sentinel"
    )
}

/// Reads a URL, or several joined by `;`. Several `sentinel://` in a row are one Redis, with the credentials and the database of
/// the first, as in kombu and Celery; of others each is one of its own. The result is never empty; the reason of a failure never
/// quotes the text.
pub fn parse(text: &str) -> Result<Vec<RedisUrl>, &'static str> {
    let mut all: Vec<RedisUrl> = Vec::new();
    for part in text
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (scheme, rest) =
            split_scheme(part).ok_or("it does not begin with a scheme such as redis://")?;
        let one = match scheme.as_str() {
            "redis" => RedisUrl::read(false, rest)?,
            "rediss" => RedisUrl::read(true, rest)?,
            "redis+socket" | "socket" => socket(rest)?,
            "sentinel" => sentinel(rest)?,
            _ => return Err("not all of its addresses are of a Redis"),
        };
        match (all.last_mut().map(|last| &mut last.way), one.way) {
            (Some(Way::Sentinel { sentinels }), Way::Sentinel { sentinels: more }) => {
                sentinels.extend(more);
            }
            (_, way) => all.push(RedisUrl { way, ..one }),
        }
    }
    if all.is_empty() {
        return Err("it holds no address");
    }
    Ok(all)
}

impl RedisUrl {
    /// `redis://localhost:6379/0`, Celery's default.
    pub fn local() -> Self {
        Self {
            way: Way::Tcp {
                tls: false,
                host: "localhost".to_owned(),
                port: 6379,
            },
            user: None,
            password: None,
            db: 0,
        }
    }

    /// Reads what follows `://` of `redis` or `rediss`. The reason of a failure never quotes the text.
    pub fn read(tls: bool, rest: &str) -> Result<Self, &'static str> {
        let parts = Parts::split(rest)?;
        let way = Way::Tcp {
            tls,
            host: parts.host,
            port: parts.port.unwrap_or(6379),
        };
        Ok(Self {
            way,
            user: parts.user,
            password: given(parts.password),
            db: database(&parts.path)?,
        })
    }

    /// For people: `redis://:***@host:6379/0`, `redis+socket:///path?virtual_host=4`, `sentinel://:***@h1:26379/0;sentinel://h2:26379/0`.
    pub fn masked(&self) -> String {
        let user = self
            .user
            .as_deref()
            .map(|user| readable(user, false))
            .unwrap_or_default();
        let credentials = match (&self.password, user.is_empty()) {
            (Some(_), _) => format!("{user}:***@"),
            (None, false) => format!("{user}@"),
            (None, true) => String::new(),
        };
        self.spelled(&credentials)
    }

    /// Without credentials, and of several Sentinels only the first: `redis://host:6379/0`.
    pub fn short(&self) -> String {
        let whole = self.spelled("");
        match whole.split_once(';') {
            Some((first, _)) => first.to_owned(),
            None => whole,
        }
    }

    /// With `credentials` before the host, `user:password@` or nothing.
    pub fn spelled(&self, credentials: &str) -> String {
        match &self.way {
            Way::Tcp { tls, host, port } => format!(
                "{}://{credentials}{}/{}",
                if *tls { "rediss" } else { "redis" },
                authority(host, *port),
                self.db
            ),
            Way::Socket(path) => {
                let path = readable(&path.display().to_string(), true);
                let db = match self.db {
                    0 => String::new(),
                    db => format!("?virtual_host={db}"),
                };
                format!("redis+socket://{credentials}{path}{db}")
            }
            Way::Sentinel { sentinels } => {
                let mut credentials = credentials;
                let mut all = Vec::new();
                for (host, port) in sentinels {
                    let address = authority(host, *port);
                    all.push(format!("sentinel://{credentials}{address}/{}", self.db));
                    credentials = "";
                }
                all.join(";")
            }
        }
    }

    /// Whether the password is only asterisks, which is how workers write one.
    pub fn password_is_masked(&self) -> bool {
        self.password.as_ref().is_some_and(|password| {
            let text = password.expose_secret();
            !text.is_empty() && text.chars().all(|c| c == '*')
        })
    }

    /// Whether it is behind Sentinels and the options do not say the name of their group.
    pub fn lacks(&self, options: &TransportOptions) -> bool {
        matches!(self.way, Way::Sentinel { .. }) && options.master_name.is_none()
    }

    /// Whether both name the same server, whatever the database, the user and the encryption.
    pub fn is_beside(&self, other: &Self) -> bool {
        match (&self.way, &other.way) {
            (
                Way::Tcp { host, port, .. },
                Way::Tcp {
                    host: theirs,
                    port: their_port,
                    ..
                },
            ) => port == their_port && same_host(host, theirs),
            (Way::Socket(path), Way::Socket(theirs)) => path == theirs,
            (Way::Sentinel { sentinels }, Way::Sentinel { sentinels: theirs }) => {
                sentinels.iter().any(|(host, port)| {
                    theirs
                        .iter()
                        .any(|(other, their_port)| port == their_port && same_host(host, other))
                })
            }
            _ => false,
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({})", self.masked())
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// One of the Sentinels.
fn sentinel(rest: &str) -> Result<RedisUrl, &'static str> {
    if rest.contains(',') {
        return Err(
            "several Sentinels are joined by ; and each begins with sentinel://, as in sentinel://h1:26379/0;sentinel://h2:26379/0",
        );
    }
    let parts = Parts::split(rest)?;
    Ok(RedisUrl {
        way: Way::Sentinel {
            sentinels: vec![(parts.host, parts.port.unwrap_or(26379))],
        },
        user: parts.user,
        password: given(parts.password),
        db: database(&parts.path)?,
    })
}

/// `redis+socket:///path?virtual_host=4`; a login may stand before the path.
fn socket(rest: &str) -> Result<RedisUrl, &'static str> {
    let (login, path) = rest
        .split_once('/')
        .ok_or("the path of a socket begins with /, as in redis+socket:///run/redis.sock")?;
    if !login.is_empty() && !login.ends_with('@') {
        return Err("a socket has a path and no host, as in redis+socket:///run/redis.sock");
    }
    let parts = Parts::split(&format!("{login}/{path}"))?;
    if parts.path.is_empty() {
        return Err("it names no socket, as in redis+socket:///run/redis.sock");
    }
    let file = percent_decode_str(&parts.path).decode_utf8_lossy();
    let db = parts
        .query
        .split('&')
        .find_map(|option| option.strip_prefix("virtual_host="));
    Ok(RedisUrl {
        way: Way::Socket(PathBuf::from(format!("/{file}"))),
        user: parts.user,
        password: given(parts.password),
        db: database(db.unwrap_or_default())?,
    })
}

/// An empty password is none.
fn given(password: Option<SecretString>) -> Option<SecretString> {
    password.filter(|password| !password.expose_secret().is_empty())
}

/// The loopback addresses are one.
fn same_host(one: &str, other: &str) -> bool {
    let is_here = |host: &str| matches!(host, "localhost" | "127.0.0.1" | "::1");
    one == other || (is_here(one) && is_here(other))
}

/// Celery's rule: the path without slashes, 0 when empty.
fn database(path: &str) -> Result<u32, &'static str> {
    match percent_decode_str(path)
        .decode_utf8_lossy()
        .trim_matches('/')
    {
        "" => Ok(0),
        number => number
            .parse()
            .map_err(|_| "what follows the host must be a database number, as in /0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn one(text: &str) -> RedisUrl {
        let mut all = parse(text).unwrap_or_else(|reason| panic!("{text}: {reason}"));
        assert_eq!(all.len(), 1, "{text}");
        all.remove(0)
    }

    #[rstest]
    #[case("redis://h", "redis://h:6379/0", "redis://h:6379/0")]
    #[case("rediss://joe:pw@h:7/2", "rediss://joe:***@h:7/2", "rediss://h:7/2")]
    #[case(
        "redis+socket:///run/r.sock",
        "redis+socket:///run/r.sock",
        "redis+socket:///run/r.sock"
    )]
    #[case(
        "redis+socket:///run/r.sock?virtual_host=4",
        "redis+socket:///run/r.sock?virtual_host=4",
        "redis+socket:///run/r.sock?virtual_host=4"
    )]
    #[case(
        "socket://joe:pw@/run/a%20b",
        "redis+socket://joe:***@/run/a%20b",
        "redis+socket:///run/a%20b"
    )]
    #[case("sentinel://h", "sentinel://h:26379/0", "sentinel://h:26379/0")]
    #[case(
        "sentinel://:pw@h1:1/3;sentinel://h2:2/9",
        "sentinel://:***@h1:1/3;sentinel://h2:2/3",
        "sentinel://h1:1/3"
    )]
    fn people_see_it_masked_or_short(
        #[case] text: &str,
        #[case] masked: &str,
        #[case] short: &str,
    ) {
        let url = one(text);
        assert_eq!(url.masked(), masked);
        assert_eq!(url.short(), short);
        assert_eq!(one(masked).way, url.way, "what is shown can be read again");
    }

    #[test]
    fn sentinels_are_one_redis_with_the_login_of_the_first_and_others_are_several() {
        let group = one("sentinel://:pw@h1/2; sentinel://:other@h2:7/5 ;");
        let named = |host: &str, port| (host.to_owned(), port);
        assert_eq!(
            group.way,
            Way::Sentinel {
                sentinels: vec![named("h1", 26379), named("h2", 7)]
            }
        );
        assert_eq!(group.db, 2);
        assert_eq!(group.password.as_ref().unwrap().expose_secret(), "pw");
        assert_eq!(parse("redis://a;rediss://b").unwrap().len(), 2);
    }

    #[rstest]
    #[case("redis://h/x", "database number")]
    #[case("redis+socket://h", "begins with /")]
    #[case("redis+socket://h/path", "no host")]
    #[case("redis+socket:///", "no socket")]
    #[case("redis+socket:///p?virtual_host=x", "database number")]
    #[case("sentinel://h1:1,h2:2/0", "joined by ;")]
    #[case("sentinel://h1;amqp://h2", "not all")]
    #[case(";", "no address")]
    #[case("h:6379", "does not begin")]
    fn a_malformed_url_is_told_what_is_wrong_with_it(#[case] text: &str, #[case] reason: &str) {
        let told = parse(text).unwrap_err();
        assert!(told.contains(reason), "{told}");
    }

    #[rstest]
    #[case("redis://localhost/1", "rediss://joe:pw@127.0.0.1/2", true)]
    #[case("redis://h/1", "redis://h:6380/1", false)]
    #[case("redis+socket:///a", "redis+socket:///a?virtual_host=2", true)]
    #[case("sentinel://a;sentinel://b", "sentinel://b;sentinel://c", true)]
    #[case("sentinel://a:6379", "redis://a", false)]
    fn the_same_server_is_known_again(#[case] one: &str, #[case] other: &str, #[case] same: bool) {
        assert_eq!(self::one(one).is_beside(&self::one(other)), same);
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_shows_no_password(
            scheme in "redis|rediss|redis\\+socket|sentinel",
            secret in "[A-Za-z0-9!$&*+,=._~:/?#@ %-]{0,12}",
            rest in "\\PC{0,20}",
        ) {
            let text = format!("{scheme}://joe:S3CRET{secret}S3CRET@{rest}");
            if let Ok(all) = parse(&text) {
                let told: Vec<_> = all.iter().map(|url| format!("{url:?} {}", url.short())).collect();
                prop_assert!(!told.join(" ").contains("S3CRET"), "{told:?}");
            }
        }
    }
}
