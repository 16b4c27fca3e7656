//! Reads transport options by their names, as texts (flags, URL queries) or as JSON (environment). It never quotes a value back,
//! because it may be a password.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
pub use serde_json::Value;

use super::{FanoutPrefix, Secret, TransportOptions};

/// The names that umbel makes something of.
pub const NAMES: [&str; 20] = [
    "ssl",
    "ssl_ca_certs",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_cert_reqs",
    "ssl_check_hostname",
    "global_keyprefix",
    "virtual_host",
    "unacked_key",
    "fanout_prefix",
    "fanout_patterns",
    "sep",
    "priority_steps",
    "master_name",
    "sentinel_kwargs",
    "sentinel_username",
    "sentinel_password",
    "control_exchange",
    "event_exchange",
    "login_method",
];

/// Names that kombu, Celery, redis-py and py-amqp know and that change nothing for umbel: sizes, times and retries of their own.
const IGNORED: [&str; 57] = [
    "ack_emulation",
    "additional_connection_errors",
    "body_encoding",
    "channel_max",
    "client_name",
    "client_properties",
    "confirm_publish",
    "confirm_timeout",
    "connect_retries_timeout",
    "connect_timeout",
    "connection_timeout",
    "deadletter_queue",
    "decode_responses",
    "encoding",
    "errback",
    "failover_strategy",
    "frame_max",
    "health_check_interval",
    "heartbeat",
    "insist",
    "interval_max",
    "interval_start",
    "interval_step",
    "lib_name",
    "lib_version",
    "max_connections",
    "max_retries",
    "min_other_sentinels",
    "native_delayed_delivery_queue_type",
    "on_blocked",
    "on_unblocked",
    "polling_interval",
    "protocol",
    "queue_order_strategy",
    "read_timeout",
    "retry_on_error",
    "retry_on_timeout",
    "retry_policy",
    "sentinel_fanout_compat",
    "server_hostname",
    "socket_connect_timeout",
    "socket_keepalive",
    "socket_keepalive_options",
    "socket_read_size",
    "socket_settings",
    "socket_timeout",
    "socket_type",
    "ssl_ciphers",
    "ssl_min_version",
    "timeout",
    "unacked_index_key",
    "unacked_mutex_expire",
    "unacked_mutex_key",
    "unacked_restore_interval",
    "unacked_restore_limit",
    "visibility_timeout",
    "write_timeout",
];

/// Why an option cannot be used; without its value.
type Refusal = String;

impl TransportOptions {
    /// The options in the query of a URL, or of several joined by `;` (of which the first counts). The URL itself is not judged.
    pub fn of_url(text: &str) -> Result<Self, Refusal> {
        let mut options = Self::default();
        for part in text.split(';').rev() {
            let query = part.split_once('?').map_or("", |(_, query)| query);
            options.set_query(query.split('#').next().unwrap_or_default())?;
        }
        Ok(options)
    }

    /// Sets one option under its name. A text is read as kombu's own type (`true`, `[0,3,6,9]`, `{"password": "x"}`).
    ///
    /// Fails with a sentence for people on a name that nobody knows, a value that does not fit, and on what umbel will not do.
    pub fn set(&mut self, name: &str, value: &Value) -> Result<(), Refusal> {
        let told = |reason: Refusal| format!("{name}: {reason}");
        match name {
            "ssl" => self.tls = Some(truth(value).map_err(told)?),
            "ssl_ca_certs" | "ca_certs" => self.ca_certs = Some(path(value).map_err(told)?),
            "ssl_certfile" | "certfile" => self.certfile = Some(path(value).map_err(told)?),
            "ssl_keyfile" | "keyfile" => self.keyfile = Some(path(value).map_err(told)?),
            "ssl_cert_reqs" | "cert_reqs" => verified(value).map_err(told)?,
            "ssl_check_hostname" => host_checked(value).map_err(told)?,
            "global_keyprefix" => self.global_keyprefix = Some(text(value).map_err(told)?),
            "virtual_host" | "db" => self.virtual_host = Some(database(value).map_err(told)?),
            "unacked_key" => self.unacked_key = text(value).map_err(told)?,
            "fanout_prefix" => self.fanout_prefix = fanout_prefix(value).map_err(told)?,
            "fanout_patterns" => self.fanout_patterns = truth(value).map_err(told)?,
            "sep" => self.sep = text(value).map_err(told)?,
            "priority_steps" => self.priority_steps = steps(value).map_err(told)?,
            "master_name" => self.master_name = Some(text(value).map_err(told)?),
            "sentinel_kwargs" => self.sentinel_login(value).map_err(told)?,
            "sentinel_username" => self.sentinel_username = Some(text(value).map_err(told)?),
            "sentinel_password" => self.sentinel_password = Some(secret(value).map_err(told)?),
            "control_exchange" => self.control_exchange = text(value).map_err(told)?,
            "event_exchange" => self.event_exchange = text(value).map_err(told)?,
            "login_method" => login_method(value).map_err(told)?,
            "ssl_password" => return Err(told(ENCRYPTED.to_owned())),
            "ssl_ca_path" | "ssl_ca_data" => {
                return Err(told(
                    "give the authorities as one PEM file: ssl_ca_certs".to_owned(),
                ));
            }
            "credential_provider" => {
                return Err(told(
                    "it is Python and cannot be run here; give user and password in the URL"
                        .to_owned(),
                ));
            }
            _ if IGNORED.contains(&name) => {}
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    /// Sets the options in a URL's query (`ssl_ca_certs=/ca.pem&virtual_host=4`); the first mention of a name counts, as in
    /// redis-py.
    pub fn set_query(&mut self, query: &str) -> Result<(), Refusal> {
        let options = query.split('&').filter(|option| !option.is_empty());
        for option in options.rev() {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            self.set(name, &Value::String(decoded(value)))?;
        }
        Ok(())
    }

    /// Sets the options of a JSON object, `{"ssl_ca_certs": "/ca.pem"}`.
    pub fn set_json(&mut self, json: &str) -> Result<(), Refusal> {
        let Ok(Value::Object(options)) = serde_json::from_str(json) else {
            return Err("it is no JSON object such as {\"ssl_ca_certs\": \"/ca.pem\"}".to_owned());
        };
        for (name, value) in &options {
            self.set(name, value)?;
        }
        Ok(())
    }

    /// Sets one option of the command line, `NAME=VALUE`.
    pub fn set_word(&mut self, word: &str) -> Result<(), Refusal> {
        let (name, value) = word
            .split_once('=')
            .ok_or("it is no NAME=VALUE such as ssl_ca_certs=/ca.pem")?;
        self.set(name, &Value::String(value.to_owned()))
    }

    /// kombu's `sentinel_kwargs`: what the Sentinels themselves are connected to with.
    fn sentinel_login(&mut self, value: &Value) -> Result<(), Refusal> {
        let Value::Object(login) = parsed(value) else {
            return Err("it is no JSON object such as {\"password\": \"…\"}".to_owned());
        };
        for (name, value) in &login {
            match name.as_str() {
                "username" => self.sentinel_username = Some(text(value)?),
                "password" => self.sentinel_password = Some(secret(value)?),
                name if IGNORED.contains(&name) || name.starts_with("ssl") => {}
                _ => return Err("it may hold username and password".to_owned()),
            }
        }
        Ok(())
    }
}

/// What is said of a key that needs a password.
pub(in crate::server) const ENCRYPTED: &str =
    "keys with a password are not supported; openssl pkey writes one without";

/// A name that nobody knows, with the nearest that somebody does.
fn unknown(name: &str) -> Refusal {
    let known = NAMES.iter().chain(&IGNORED);
    let nearest = known
        .map(|known| (strsim::damerau_levenshtein(name, known), *known))
        .min()
        .filter(|(distance, _)| *distance <= (name.len() / 3).min(4));
    // A name may be a piece of a password when the quotes around a URL were forgotten; only what looks like a name is shown.
    let is_name = name.len() <= 40 && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let what = if is_name { name } else { "this" };
    match nearest {
        Some((_, nearest)) => format!("{what} is no transport option; did you mean {nearest}?"),
        None => format!("{what} is no transport option of kombu or Celery"),
    }
}

fn decoded(text: &str) -> String {
    // As Python's parse_qsl: a plus is a space.
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// A text that holds JSON is that; everything else stays.
fn parsed(value: &Value) -> Value {
    match value {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| value.clone()),
        other => other.clone(),
    }
}

fn text(value: &Value) -> Result<String, Refusal> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err("it is no text".to_owned()),
    }
}

fn secret(value: &Value) -> Result<Secret, Refusal> {
    text(value).map(|text| Secret(text.into()))
}

fn path(value: &Value) -> Result<PathBuf, Refusal> {
    match text(value)? {
        empty if empty.is_empty() => Err("it names no file".to_owned()),
        name => Ok(PathBuf::from(name)),
    }
}

/// As redis-py reads truth in a URL.
fn truth(value: &Value) -> Result<bool, Refusal> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        other => match text(other)?.to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err("it is neither true nor false".to_owned()),
        },
    }
}

fn database(value: &Value) -> Result<u32, Refusal> {
    let text = text(value)?;
    let number = text.trim_matches('/').parse();
    number.map_err(|_| "it is no database number".to_owned())
}

fn fanout_prefix(value: &Value) -> Result<FanoutPrefix, Refusal> {
    Ok(match truth(value) {
        Ok(true) => FanoutPrefix::Database,
        Ok(false) => FanoutPrefix::None,
        Err(_) => FanoutPrefix::Text(text(value)?),
    })
}

/// `[0, 3, 6, 9]` or `0,3,6,9`.
fn steps(value: &Value) -> Result<Vec<u8>, Refusal> {
    let refused = || "it is no list of numbers from 0 to 255 such as [0,3,6,9]".to_owned();
    let value = match parsed(value) {
        Value::String(bare) => parsed(&Value::String(format!("[{bare}]"))),
        other => other,
    };
    let numbers: Option<Vec<u8>> = value
        .as_array()
        .ok_or_else(refused)?
        .iter()
        .map(|step| u8::try_from(step.as_u64()?).ok())
        .collect();
    let mut steps = numbers
        .filter(|steps| !steps.is_empty())
        .ok_or_else(refused)?;
    steps.sort_unstable();
    steps.dedup();
    Ok(steps)
}

/// The server's certificate is always checked: lapin has no switch for anything else.
fn verified(value: &Value) -> Result<(), Refusal> {
    match text(value)?.to_lowercase().as_str() {
        "required" | "cert_required" | "2" | "ssl.cert_required" => Ok(()),
        "none" | "optional" | "cert_none" | "cert_optional" | "0" | "1" | "ssl.cert_none"
        | "ssl.cert_optional" => Err(
            "umbel always checks the server's certificate; for an own authority give its PEM file as ssl_ca_certs"
                .to_owned(),
        ),
        _ => Err("it is required (or none and optional, which umbel refuses)".to_owned()),
    }
}

fn host_checked(value: &Value) -> Result<(), Refusal> {
    if truth(value)? {
        return Ok(());
    }
    Err("umbel always checks that the certificate is for the host; connect by a name that stands in it".to_owned())
}

fn login_method(value: &Value) -> Result<(), Refusal> {
    match text(value)?.to_uppercase().as_str() {
        "PLAIN" | "AMQPLAIN" => Ok(()),
        _ => Err("umbel logs in by PLAIN, with user and password".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    fn set(name: &str, value: &Value) -> Result<TransportOptions, Refusal> {
        let mut options = TransportOptions::default();
        options.set(name, value)?;
        Ok(options)
    }

    fn good(name: &str, value: &Value) -> TransportOptions {
        set(name, value).unwrap_or_else(|reason| panic!("{name}: {reason}"))
    }

    #[test]
    fn the_spellings_of_flag_query_and_environment_mean_the_same() {
        let mut query = TransportOptions::default();
        query
            .set_query("ssl_cert_reqs=required&ssl_ca_certs=/my%20ca.pem&virtual_host=4&priority_steps=0,3&fanout_patterns=false")
            .unwrap();
        let mut json = TransportOptions::default();
        json.set_json(
            r#"{"ssl_cert_reqs": "CERT_REQUIRED", "ca_certs": "/my ca.pem", "virtual_host": 4, "priority_steps": [3, 0], "fanout_patterns": false}"#,
        )
        .unwrap();
        let mut words = TransportOptions::default();
        for word in [
            "ssl_ca_certs=/my ca.pem",
            "virtual_host=4",
            "priority_steps=[0,3]",
            "fanout_patterns=False",
        ] {
            words.set_word(word).unwrap();
        }
        assert_eq!(query, json);
        assert_eq!(query, words);
        assert_eq!(query.ca_certs, Some(PathBuf::from("/my ca.pem")));
        assert!(query.wants_tls());
        query.set_word("ssl=false").unwrap();
        assert!(!query.wants_tls(), "the files are for another connection");
        assert!(!TransportOptions::default().wants_tls());
    }

    #[rstest]
    #[case(json!(true), FanoutPrefix::Database)]
    #[case(json!("false"), FanoutPrefix::None)]
    #[case(json!("/custom."), FanoutPrefix::Text("/custom.".to_owned()))]
    fn a_fanout_prefix_is_a_truth_or_a_text(#[case] value: Value, #[case] prefix: FanoutPrefix) {
        assert_eq!(good("fanout_prefix", &value).fanout_prefix, prefix);
    }

    #[rstest]
    #[case(json!({"username": "joe", "password": "s3cret", "socket_timeout": 1}))]
    #[case(json!(r#"{"username": "joe", "password": "s3cret"}"#))]
    fn the_login_of_the_sentinels_is_taken_from_their_kwargs_and_not_shown(#[case] value: Value) {
        let options = good("sentinel_kwargs", &value);
        assert_eq!(options.sentinel_username.as_deref(), Some("joe"));
        assert_eq!(
            options.sentinel_password,
            Some(Secret("s3cret".to_owned().into()))
        );
        assert!(!format!("{options:?}").contains("s3cret"));
    }

    #[test]
    fn names_that_cannot_matter_are_taken_and_change_nothing() {
        for name in IGNORED {
            assert_eq!(good(name, &json!("x")), TransportOptions::default());
            assert!(!NAMES.contains(&name));
        }
    }

    #[rstest]
    #[case("ssl_ca_cert", "did you mean ssl_ca_certs?")]
    #[case("mastername", "did you mean master_name?")]
    #[case("visibilty_timeout", "did you mean visibility_timeout?")]
    #[case("something_else_entirely", "of kombu or Celery")]
    #[case("S3cret!", "this is no transport option")]
    fn a_name_that_nobody_knows_is_answered_with_the_nearest(
        #[case] name: &str,
        #[case] told: &str,
    ) {
        let reason = set(name, &json!("S3cret")).unwrap_err();
        assert!(reason.contains(told), "{reason}");
        assert!(!reason.contains("S3cret"));
    }

    #[rstest]
    #[case("ssl_cert_reqs", json!("none"), "always checks")]
    #[case("cert_reqs", json!(0), "always checks")]
    #[case("ssl_cert_reqs", json!("CERT_OPTIONAL"), "always checks")]
    #[case("ssl_cert_reqs", json!("maybe"), "required")]
    #[case("ssl_check_hostname", json!(false), "always checks")]
    #[case("ssl_password", json!("x"), "openssl pkey")]
    #[case("ssl_certfile", json!(""), "no file")]
    #[case("virtual_host", json!("four"), "database number")]
    #[case("priority_steps", json!("0,300"), "0 to 255")]
    #[case("priority_steps", json!([]), "0 to 255")]
    #[case("fanout_patterns", json!("maybe"), "neither")]
    #[case("sentinel_kwargs", json!("pw"), "JSON object")]
    #[case("sep", json!(null), "no text")]
    #[case("login_method", json!("EXTERNAL"), "PLAIN")]
    #[case("credential_provider", json!("a.B"), "Python")]
    fn what_cannot_be_done_is_refused_by_name(
        #[case] name: &str,
        #[case] value: Value,
        #[case] told: &str,
    ) {
        let reason = set(name, &value).unwrap_err();
        assert!(reason.starts_with(name), "{reason}");
        assert!(reason.contains(told), "{reason}");
    }

    #[test]
    fn of_a_name_that_is_given_twice_in_a_url_the_first_counts() {
        let mut options = TransportOptions::default();
        options
            .set_query("master_name=one&master_name=two&&")
            .unwrap();
        assert_eq!(options.master_name.as_deref(), Some("one"));
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "\\PC{0,80}", name in proptest::sample::select(&NAMES[..])) {
            let mut options = TransportOptions::default();
            drop(options.set_query(&text));
            drop(options.set_json(&text));
            drop(options.set_word(&text));
            drop(options.set(name, &Value::String(text)));
        }
    }
}
