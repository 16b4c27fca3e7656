//! Transport options as the user gives them: a flag wins over the environment, the environment over the query of the URL. The
//! files they name are read once, so that a wrong path is told before anybody is dialled.

use std::sync::Arc;

use super::{Env, located};
use crate::cli::Global;
use crate::error::{Error, Kind, Result};
use crate::server::TransportOptions;
use crate::server::tls::TlsFiles;

/// Where the options of one server may stand.
pub(super) struct Side<'a> {
    words: &'a [String],
    flag: &'static str,
    variable: &'static str,
}

impl<'a> Side<'a> {
    /// The broker's.
    pub(super) fn broker(global: &'a Global) -> Self {
        Self {
            words: &global.broker_options,
            flag: "--broker-option",
            variable: "UMBEL_BROKER_OPTIONS",
        }
    }

    /// The result backend's.
    pub(super) fn backend(global: &'a Global) -> Self {
        Self {
            words: &global.backend_options,
            flag: "--backend-option",
            variable: "UMBEL_BACKEND_OPTIONS",
        }
    }
}

/// All options of one server; `address` is its URL and where that stood. An error says where the wrong one stands.
pub(super) fn read(
    side: &Side<'_>,
    address: Option<(&str, &str)>,
    env: Env<'_>,
) -> Result<Arc<TransportOptions>> {
    let wrong = |source: &str, reason: String| located(Error::new(Kind::Config, reason), source);
    let (source, url) = address.unwrap_or(("", ""));
    let mut options = TransportOptions::of_url(url).map_err(|reason| wrong(source, reason))?;
    if let Some(json) = env(side.variable).filter(|text| !text.is_empty()) {
        options
            .set_json(&json)
            .map_err(|reason| wrong(side.variable, reason))?;
    }
    for word in side.words {
        options
            .set_word(word)
            .map_err(|reason| wrong(side.flag, reason))?;
    }
    let named = match (side.words.is_empty(), env(side.variable)) {
        (false, _) => side.flag,
        (true, Some(json)) if !json.is_empty() => side.variable,
        _ => source,
    };
    TlsFiles::read(&options).map_err(|reason| wrong(named, reason))?;
    Ok(Arc::new(options))
}

/// Whether `NAME=VALUE` holds a password.
pub(super) fn is_secret(word: &str) -> bool {
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    name == "sentinel_password" || (name == "sentinel_kwargs" && value.contains("password"))
}
