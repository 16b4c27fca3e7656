//! Where to connect, and who said so. Reads the environment through a function that is handed in; knows no profile yet.

use secrecy::ExposeSecret;

use crate::broker::url::{self as broker_url, BrokerUrl};
use crate::cli::Global;
use crate::error::{Error, Kind, Result};

/// Reads an environment variable; empty counts as not set.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The cluster to talk to.
#[derive(Debug)]
pub enum Target {
    /// The pretend cluster.
    Demo,
    /// A real broker.
    Broker {
        /// Its URLs, the first that answers is used.
        urls: BrokerUrl,
        /// The result backend's URL as given; `None`: the workers are asked.
        backend: Option<String>,
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
    let backend = first(
        global.backend.as_deref(),
        "--backend",
        &["UMBEL_BACKEND", "CELERY_RESULT_BACKEND"],
        env,
    );
    if let Some((source, text)) = &backend {
        crate::backend::url::parse(text, None).map_err(|error| located(error, source))?;
    }
    let mut warnings = Vec::new();
    if global.broker.is_some()
        && urls
            .endpoints()
            .iter()
            .any(|endpoint| endpoint.password.expose_secret() != "guest")
    {
        warnings.push("the password in --broker is visible to others in ps; CELERY_BROKER_URL keeps it out of there".to_owned());
    }
    Ok(Some(Target::Broker {
        urls,
        backend: backend.map(|(_, text)| text),
        warnings,
    }))
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
