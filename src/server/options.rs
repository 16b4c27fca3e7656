//! What kombu calls transport options, and the TLS settings beside them: what a URL cannot say. It opens no file and no connection.
//!
//! Names and defaults are kombu's (`transport/redis.py`, `transport/virtual/base.py` of kombu 5.3 to 5.7) and those of redis-py's
//! URL queries (protocol.md 5, 11.7).

mod read;

use std::path::PathBuf;

use secrecy::SecretString;

pub(super) use read::ENCRYPTED;
pub use read::{NAMES, Value};

/// The options of one server.
#[derive(Clone, Debug, PartialEq)]
pub struct TransportOptions {
    /// `ssl`: whether the connection is encrypted though the URL does not say so, as with Celery's `broker_use_ssl` and
    /// `redis_backend_use_ssl`; `None`: it is if one of the three files is given.
    pub tls: Option<bool>,
    /// `ssl_ca_certs`: PEM file of the authorities to trust, instead of the system's.
    pub ca_certs: Option<PathBuf>,
    /// `ssl_certfile`: PEM file of our certificate, for a server that asks for one.
    pub certfile: Option<PathBuf>,
    /// `ssl_keyfile`: PEM file of its key; `None`: in the same file.
    pub keyfile: Option<PathBuf>,
    /// `global_keyprefix`: literally before every key and channel of a Redis broker; before `celery-task-meta-` in a result backend.
    /// `None`: the user said nothing.
    pub global_keyprefix: Option<String>,
    /// `virtual_host`: the database of a Redis, instead of the one in the URL.
    pub virtual_host: Option<u32>,
    /// `unacked_key` of a Redis broker: the hash of messages that are delivered and not acknowledged.
    pub unacked_key: String,
    /// `fanout_prefix` of a Redis broker.
    pub fanout_prefix: FanoutPrefix,
    /// `fanout_patterns` of a Redis broker: the routing key stands in the channel's name.
    pub fanout_patterns: bool,
    /// `sep` of a Redis broker, between a queue's name and its priority step.
    pub sep: String,
    /// `priority_steps` of a Redis broker, ascending, beginning with 0.
    pub priority_steps: Vec<u8>,
    /// `master_name` for Sentinel.
    pub master_name: Option<String>,
    /// User of the Sentinels themselves (kombu's `sentinel_kwargs`).
    pub sentinel_username: Option<String>,
    /// Password of the Sentinels themselves (kombu's `sentinel_kwargs`).
    pub sentinel_password: Option<Secret>,
    /// The application's `control_exchange`; control requests go to `<it>.pidbox`.
    pub control_exchange: String,
    /// The application's `event_exchange`.
    pub event_exchange: String,
}

/// What stands before a fanout channel's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FanoutPrefix {
    /// `true`: `/{db}.`.
    #[default]
    Database,
    /// `false`: nothing.
    None,
    /// A text, taken literally.
    Text(String),
}

/// A password among the options.
#[derive(Clone)]
pub struct Secret(pub SecretString);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        use secrecy::ExposeSecret;

        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl TransportOptions {
    /// Whether the connection is to be encrypted whatever the URL says.
    pub fn wants_tls(&self) -> bool {
        let files = [&self.ca_certs, &self.certfile, &self.keyfile];
        self.tls
            .unwrap_or_else(|| files.iter().any(|file| file.is_some()))
    }

    /// The prefix of keys, empty when the user said nothing.
    pub fn keyprefix(&self) -> &str {
        self.global_keyprefix.as_deref().unwrap_or_default()
    }
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            tls: None,
            ca_certs: None,
            certfile: None,
            keyfile: None,
            global_keyprefix: None,
            virtual_host: None,
            unacked_key: "unacked".to_owned(),
            fanout_prefix: FanoutPrefix::default(),
            fanout_patterns: true,
            sep: "\u{6}\u{16}".to_owned(),
            priority_steps: vec![0, 3, 6, 9],
            master_name: None,
            sentinel_username: None,
            sentinel_password: None,
            control_exchange: "celery".to_owned(),
            event_exchange: "celeryev".to_owned(),
        }
    }
}
