//! `umbel config`: where the configuration file is, what is wrong with it, and a new one. Never connects, never overwrites.

use std::path::Path;

use serde::Serialize;

use super::output::{Form, Output};
use crate::cli::config::Action;
use crate::cli::{self, Global};
use crate::config::Env;
use crate::config::file::{self, Complaint, Config};
use crate::error::{Error, Kind, Result};

/// The document `umbel.config/1`.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    path: Option<&'a Path>,
    exists: bool,
    complaints: Vec<Wrong<'a>>,
}

#[derive(Serialize)]
struct Wrong<'a> {
    line: Option<usize>,
    column: Option<usize>,
    message: &'a str,
}

/// Does what was asked for. Returns the exit code.
///
/// # Errors
/// Nobody says where the file is, a named one cannot be read, or a new one not be written.
pub fn run(wanted: &cli::Config, global: &Global, env: Env<'_>, output: Output) -> Result<u8> {
    match wanted.action {
        Action::Path => {
            let path = place(global, env)?;
            if output.form == Form::Json {
                document(Some(&path), path.exists(), &[], output);
            } else {
                output.data(&path.display().to_string());
            }
            Ok(0)
        }
        Action::Check => Ok(check(&Config::find(global, env)?, output)),
        Action::Init => {
            let path = place(global, env)?;
            file::init(&path)?;
            output.note(&format!("written: {}", path.display()));
            Ok(0)
        }
    }
}

fn place(global: &Global, env: Env<'_>) -> Result<std::path::PathBuf> {
    let homeless = || {
        let error = Error::new(Kind::Config, "neither XDG_CONFIG_HOME nor HOME is set");
        error.hint("name a file with --config or UMBEL_CONFIG")
    };
    file::path(global, env).ok_or_else(homeless)
}

fn check(config: &Config, output: Output) -> u8 {
    let Config {
        path,
        exists,
        complaints,
        ..
    } = config;
    let path = path.as_deref();
    match path {
        _ if output.form == Form::Json => document(path, *exists, complaints, output),
        None => output.note("there is no file, and nobody says where it would be"),
        Some(path) if !exists => output.note(&format!(
            "there is no {}: all is as it is built in",
            path.display()
        )),
        Some(path) if complaints.is_empty() => {
            output.note(&format!("{} can be used as it is", path.display()));
        }
        Some(path) => {
            for complaint in complaints {
                output.data(&complaint.in_file(path));
            }
        }
    }
    if complaints.is_empty() {
        0
    } else {
        Kind::Config.exit_code()
    }
}

fn document(path: Option<&Path>, exists: bool, complaints: &[Complaint], output: Output) {
    let complaints = complaints.iter().map(|complaint| Wrong {
        line: complaint.at.map(|(line, _)| line),
        column: complaint.at.map(|(_, column)| column),
        message: &complaint.what,
    });
    output.document(&Document {
        schema: "umbel.config/1",
        path,
        exists,
        complaints: complaints.collect(),
    });
}
