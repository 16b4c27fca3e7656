//! Where a Redis is: `redis://`, `rediss://`. A password is kept as a [`SecretString`] and never shown.

use std::fmt;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

use crate::server::url::{Parts, authority, readable};

/// Where a Redis is.
#[derive(Clone)]
pub struct RedisUrl {
    /// Whether the connection is encrypted (`rediss`).
    pub tls: bool,
    /// ACL user, if named.
    pub user: Option<String>,
    /// Password, if given.
    pub password: Option<SecretString>,
    /// Host name or address; IPv6 without brackets.
    pub host: String,
    /// Port; 6379 when the URL names none.
    pub port: u16,
    /// Database number; 0 when the URL names none.
    pub db: u32,
}

impl RedisUrl {
    /// `redis://localhost:6379/0`, Celery's default.
    pub fn local() -> Self {
        Self {
            tls: false,
            user: None,
            password: None,
            host: "localhost".to_owned(),
            port: 6379,
            db: 0,
        }
    }

    /// Reads what follows `://`. The reason of a failure never quotes the text.
    pub fn read(tls: bool, rest: &str) -> Result<Self, &'static str> {
        let parts = Parts::split(rest)?;
        Ok(Self {
            tls,
            user: parts.user,
            password: parts
                .password
                .filter(|password| !password.expose_secret().is_empty()),
            host: parts.host,
            port: parts.port.unwrap_or(6379),
            db: database(&parts.path)?,
        })
    }

    /// For people: `redis://:***@host:6379/0`.
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

    /// Without credentials: `redis://host:6379/0`.
    pub fn short(&self) -> String {
        self.spelled("")
    }

    /// With `credentials` before the host, `user:password@` or nothing.
    pub fn spelled(&self, credentials: &str) -> String {
        format!(
            "{}://{credentials}{}/{}",
            if self.tls { "rediss" } else { "redis" },
            authority(&self.host, self.port),
            self.db
        )
    }

    /// Whether the password is only asterisks, which is how workers write one.
    pub fn password_is_masked(&self) -> bool {
        self.password.as_ref().is_some_and(|password| {
            let text = password.expose_secret();
            !text.is_empty() && text.chars().all(|c| c == '*')
        })
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
