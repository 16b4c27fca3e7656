//! The parts of a URL by kombu's rules, shared by brokers and result backends (kombu's `utils/url.py`, protocol.md 5.4).
//!
//! It opens nothing. Malformed text is never quoted back, because it may be a password.

use std::fmt::Write as _;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

/// A URL without its scheme, in its parts.
pub struct Parts {
    /// User, decoded; `None` when absent or empty.
    pub user: Option<String>,
    /// Password, decoded; `None` when absent.
    pub password: Option<SecretString>,
    /// Host in lower case, without brackets; `localhost` when absent.
    pub host: String,
    /// Port; `None` when absent (or 0, as in Python).
    pub port: Option<u16>,
    /// What follows the first slash, not decoded.
    pub path: String,
    /// What follows the question mark, not decoded.
    pub query: String,
}

impl Parts {
    /// Splits what follows `://`. The reason of a failure never quotes the text.
    pub fn split(rest: &str) -> Result<Self, &'static str> {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (netloc, tail) = rest.split_at(end);
        // `amqp://u:12/34@h` reads as host `u`, port 12, vhost `34@h`: almost certainly a password, and it would be shown.
        if tail.contains('@') {
            return Err(
                "an @ stands after the first /, ? or #; in a user or password write / as %2F, ? as %3F and # as %23, in a vhost write @ as %40",
            );
        }
        let (userinfo, location) = match netloc.rsplit_once('@') {
            Some((userinfo, location)) => (Some(userinfo), location),
            None => (None, netloc),
        };
        let (user, password) = userinfo.map_or((None, None), credentials);
        let (host, port) = location_of(location)?;
        let (path, query) = path_and_query(tail);
        Ok(Self {
            user,
            password,
            host,
            port,
            path,
            query,
        })
    }
}

/// `user:password`, each decoded; an empty user is none.
fn credentials(userinfo: &str) -> (Option<String>, Option<SecretString>) {
    let (user, password) = match userinfo.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (userinfo, None),
    };
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    (
        Some(decode(user)).filter(|user| !user.is_empty()),
        password.map(|password| SecretString::from(decode(password))),
    )
}

/// `host:port`, `[::1]:port`, either part missing.
fn location_of(location: &str) -> Result<(String, Option<u16>), &'static str> {
    let (host, port) = if let Some(inner) = location.strip_prefix('[') {
        let (host, after) = inner
            .split_once(']')
            .ok_or("the [ of an IPv6 address is not closed")?;
        match after.strip_prefix(':') {
            Some(port) => (host, port),
            None if after.is_empty() => (host, ""),
            None => return Err("something stands between the ] of the address and the port"),
        }
    } else if location.matches(':').count() > 1 {
        return Err("an IPv6 address must stand in brackets, as in amqp://[::1]:5672/");
    } else {
        location.split_once(':').unwrap_or((location, ""))
    };
    if host.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("the host holds a space or a control character");
    }
    let host = if host.is_empty() { "localhost" } else { host };
    Ok((host.to_lowercase(), port_of(port)?))
}

/// A port, 0 and nothing being none.
fn port_of(text: &str) -> Result<Option<u16>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let port: u16 = text.parse().map_err(|_| {
        "the port is not a number from 1 to 65535; a password with one of / ? # @ must be percent-encoded (%2F %3F %23 %40)"
    })?;
    Ok(Some(port).filter(|port| *port != 0))
}

/// The path without its first slash, and the query; a fragment is dropped.
fn path_and_query(tail: &str) -> (String, String) {
    let tail = tail.split_once('#').map_or(tail, |(before, _)| before);
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    (
        path.strip_prefix('/').unwrap_or(path).to_owned(),
        query.to_owned(),
    )
}

/// The scheme in lower case and what follows `://`; `None` when there is no plausible scheme.
pub fn split_scheme(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let plausible = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c));
    plausible.then(|| (scheme.to_lowercase(), rest))
}

/// `host:port`, an IPv6 address in brackets.
pub fn authority(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Text as it stands in a URL for people: what would break the URL is percent-encoded, other scripts stay readable.
pub fn readable(text: &str, path: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let breaks = c.is_ascii_control() || " %@?#;".contains(c) || (!path && "/:".contains(c));
        if breaks {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{:02X}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}
