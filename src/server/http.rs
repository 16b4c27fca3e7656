//! URLs of web services such as RabbitMQ's management API: `https://user:password@host:15671/path`. It opens nothing, and shows no
//! password.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::url::{Parts, authority, split_scheme};

/// Where a web service is.
#[derive(Clone)]
pub struct HttpUrl {
    /// `scheme://host:port/path` without a slash at the end and without credentials.
    pub base: String,
    /// The login, if the URL has one.
    pub login: Option<(String, SecretString)>,
}

impl HttpUrl {
    /// Reads `http://` or `https://`. The reason of a failure never quotes the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) =
            split_scheme(text.trim()).ok_or("it does not begin with http:// or https://")?;
        let usual = match scheme.as_str() {
            "http" => 15672,
            "https" => 15671,
            _ => return Err("it does not begin with http:// or https://"),
        };
        let parts = Parts::split(rest)?;
        // RabbitMQ's ports, because that is who is asked; behind a proxy the port has to be named.
        let address = authority(&parts.host, parts.port.unwrap_or(usual));
        let path = parts.path.trim_end_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        let password = parts.password;
        let login = parts
            .user
            .map(|user| (user, password.unwrap_or_else(|| SecretString::from(""))));
        Ok(Self {
            base: format!("{scheme}://{address}{slash}{path}"),
            login,
        })
    }

    /// Whether a password stands in it.
    pub fn has_password(&self) -> bool {
        let known = |password: &SecretString| matches!(password.expose_secret(), "guest" | "");
        self.login
            .as_ref()
            .is_some_and(|(_, password)| !known(password))
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpUrl({})", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("http://h", "http://h:15672", None)]
    #[case("https://h/", "https://h:15671", None)]
    #[case("https://joe:p%2Fw@h:443/rabbit/", "https://h:443/rabbit", Some(("joe", "p/w")))]
    #[case("http://joe@[::1]:1", "http://[::1]:1", Some(("joe", "")))]
    fn a_url_is_read_in_its_parts(
        #[case] text: &str,
        #[case] base: &str,
        #[case] login: Option<(&str, &str)>,
    ) {
        let url = HttpUrl::parse(text).unwrap();
        assert_eq!(url.base, base);
        let (user, password) = match &url.login {
            Some((user, password)) => (Some(&**user), password.expose_secret()),
            None => (None, ""),
        };
        assert_eq!(
            (user, password),
            (login.map(|l| l.0), login.map_or("", |l| l.1))
        );
    }

    #[rstest]
    #[case("h:15672")]
    #[case("amqp://h")]
    #[case("http://h:x")]
    #[case("http://joe:1/2@h")]
    fn what_is_no_web_address_is_refused(#[case] text: &str) {
        assert!(HttpUrl::parse(text).is_err());
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_shows_no_password(secret in "\\PC{0,12}", rest in "\\PC{0,20}") {
            let text = format!("http://joe:S3CRET{secret}S3CRET@{rest}");
            if let Ok(url) = HttpUrl::parse(&text) {
                let told = format!("{url:?}");
                prop_assert!(!told.contains("S3CRET"));
            }
        }
    }
}
