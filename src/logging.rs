//! A log file for people who look for the cause of trouble; never the terminal, never arguments, results or passwords.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Mutex;

use crate::error::{Error, Kind, Result};

/// Writes the log to `path` from now on (0600; appended). Level by `RUST_LOG`-like directives is not offered: `info` of umbel, `warn` of libraries; nothing of lapin, which logs returned messages whole.
pub fn start(path: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options
        .open(path)
        .map_err(|error| Error::new(Kind::Config, format!("--log {}: {error}", path.display())))?;
    let filter = tracing_subscriber::EnvFilter::new("warn,lapin=off,umbel=info");
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Mutex::new(file));
    subscriber.try_init().map_err(|error| {
        Error::new(
            Kind::Internal,
            format!("the log cannot be started: {error}"),
        )
    })
}
