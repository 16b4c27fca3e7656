//! Where to connect, and who said so. Reads the environment through a function that is handed in; knows no profile yet.

pub mod file;
mod options;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::Results;
use crate::broker::url::{self as broker_url, BrokerUrl};
use crate::cli::{self, Global};
use crate::error::{Error, Kind, Result};
use crate::server::TransportOptions;
use crate::server::http::HttpUrl;
use options::Side;

/// Reads an environment variable; empty counts as not set.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// How long a call is waited for when nobody says.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The cluster to talk to.
#[derive(Debug)]
pub enum Target {
    /// The pretend cluster.
    Demo,
    /// A real broker.
    Broker {
        /// Its URLs, the first that answers is used.
        urls: BrokerUrl,
        /// All that the user said of the broker beside the address.
        broker_options: Arc<TransportOptions>,
        /// The result backend's URL as given; `None`: the workers are asked.
        backend: Option<String>,
        /// All that the user said of the result backend beside the address.
        backend_options: Arc<TransportOptions>,
        /// Where RabbitMQ's management API is.
        management: Option<HttpUrl>,
        /// Things the user should know.
        warnings: Vec<String>,
    },
}

/// The target, by precedence: flag, `UMBEL_*`, `CELERY_*` (ux.md 0.1, ruling 12). `None`: nobody named a broker.
pub fn target(global: &Global, env: Env<'_>) -> Result<Option<Target>> {
    if global.demo {
        return Ok(Some(Target::Demo));
    }
    let Some((source, text)) = first(
        global.broker.as_deref(),
        "--broker",
        &["UMBEL_BROKER", "CELERY_BROKER_URL"],
        env,
    ) else {
        return Ok(None);
    };
    let urls = broker_url::parse(&text).map_err(|error| located(error, source))?;
    let broker_options = options::read(&Side::broker(global), Some((source, &text)), env)?;
    let nameless = urls.servers().iter().find(|url| url.lacks(&broker_options));
    if let Some(url) = nameless {
        let what = format!(
            "{source}: {} needs the name of the Sentinels' group",
            url.short()
        );
        return Err(Error::new(Kind::Config, what).hint("give the option master_name, as Celery has it in broker_transport_options: --broker-option master_name=NAME"));
    }
    let backend = first(
        global.backend.as_deref(),
        "--backend",
        &["UMBEL_BACKEND", "CELERY_RESULT_BACKEND"],
        env,
    );
    let address = backend.as_ref().map(|(source, text)| (*source, &**text));
    let backend_options = options::read(&Side::backend(global), address, env)?;
    let results = address
        .map(|(source, text)| {
            crate::backend::url::parse(text, &backend_options)
                .map_err(|error| located(error, source))
        })
        .transpose()?;
    let management = management(global, env)?;
    let warnings = exposed(global, &urls, results.as_ref(), management.as_ref());
    Ok(Some(Target::Broker {
        urls,
        broker_options,
        backend: backend.map(|(_, text)| text),
        backend_options,
        management,
        warnings,
    }))
}

/// RabbitMQ's management API: flag, then `UMBEL_MANAGEMENT`.
fn management(global: &Global, env: Env<'_>) -> Result<Option<HttpUrl>> {
    let given = first(
        global.management.as_deref(),
        "--management",
        &["UMBEL_MANAGEMENT"],
        env,
    );
    let url = given.map(|(source, text)| {
        HttpUrl::parse(&text).map_err(|reason| {
            Error::new(Kind::Config, format!("{source}: {reason}"))
                .hint("it looks like http://user:password@host:15672")
        })
    });
    url.transpose()
}

/// Warnings about passwords among the flags.
fn exposed(
    global: &Global,
    urls: &BrokerUrl,
    results: Option<&Results>,
    management: Option<&HttpUrl>,
) -> Vec<String> {
    let broker = global.broker.is_some() && urls.has_secret();
    let backend = global.backend.is_some()
        && results.is_some_and(|results| results.address().contains(":***@"));
    let api = global.management.is_some() && management.is_some_and(HttpUrl::has_password);
    let secret_word = |words: &[String]| words.iter().any(|word| options::is_secret(word));
    [
        (broker, "--broker", "CELERY_BROKER_URL"),
        (backend, "--backend", "CELERY_RESULT_BACKEND"),
        (api, "--management", "UMBEL_MANAGEMENT"),
        (
            secret_word(&global.broker_options),
            "--broker-option",
            "UMBEL_BROKER_OPTIONS",
        ),
        (
            secret_word(&global.backend_options),
            "--backend-option",
            "UMBEL_BACKEND_OPTIONS",
        ),
    ]
    .into_iter()
    .filter(|(exposed, ..)| *exposed)
    .map(|(_, flag, variable)| {
        format!(
            "the password in {flag} is visible to others in ps; {variable} keeps it out of there"
        )
    })
    .collect()
}

/// How long a call is waited for: flag, then `UMBEL_TIMEOUT`, then 10 s.
pub fn timeout(global: &Global, env: Env<'_>) -> Result<Duration> {
    if let Some(timeout) = global.timeout {
        return Ok(timeout);
    }
    match env("UMBEL_TIMEOUT").filter(|text| !text.is_empty()) {
        None => Ok(TIMEOUT),
        Some(text) => cli::timeout(&text)
            .map_err(|reason| Error::new(Kind::Config, format!("UMBEL_TIMEOUT: {reason}"))),
    }
}

/// Where the log is wanted: flag, then `UMBEL_LOG`.
pub fn log(global: &Global, env: Env<'_>) -> Option<PathBuf> {
    let from_env = || env("UMBEL_LOG").filter(|text| !text.is_empty());
    global.log.clone().or_else(|| from_env().map(PathBuf::from))
}

/// The error for a command that needs a broker when nobody named one.
pub fn no_broker() -> Error {
    Error::new(Kind::Config, "no broker: nobody said where it is").hint("--broker amqp://user:password@host:5672/vhost, CELERY_BROKER_URL, or --demo for a pretend cluster")
}

fn first(
    flag: Option<&str>,
    flag_name: &'static str,
    names: &[&'static str],
    env: Env<'_>,
) -> Option<(&'static str, String)> {
    let from_env = || {
        names.iter().find_map(|name| {
            env(name)
                .filter(|text| !text.is_empty())
                .map(|text| (*name, text))
        })
    };
    flag.map(|text| (flag_name, text.to_owned()))
        .or_else(from_env)
}

fn located(error: Error, source: &str) -> Error {
    Error {
        message: format!("{source}: {}", error.message),
        ..error
    }
}
