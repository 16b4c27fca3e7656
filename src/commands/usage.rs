//! What is said to somebody who wrote a wrong command line, or none. It runs no command.

use std::ffi::OsString;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue};

use super::output::{self, Form, Output};
use crate::cli::items::Head;
use crate::cli::{Cli, Global};
use crate::error::{Error, Kind};
use crate::history::Secrets;
use crate::history::secrets::MASK;

/// The form of the answer that was asked for.
pub fn form(global: &Global) -> Form {
    match (global.json || global.jsonl, global.plain) {
        (true, _) => Form::Json,
        (_, true) => Form::Plain,
        _ => Form::Human,
    }
}

/// Help and version go to stdout with 0; a wrong command line is 2, as a document too where `--json` was among the words.
pub fn usage(mut error: clap::Error, words: &[OsString]) -> u8 {
    if !error.use_stderr() {
        output::written(error.print());
        return 0;
    }
    hide(&mut error);
    let json = words
        .iter()
        .take_while(|word| *word != "--")
        .any(|word| word == "--json");
    if json {
        let text = error.render().to_string();
        let said: Vec<&str> = text
            .lines()
            .map(str::trim)
            .take_while(|line| !line.is_empty())
            .collect();
        let message = said.join(" ").trim_start_matches("error: ").to_owned();
        return Output::detect(Form::Json)
            .failure(&Error::new(Kind::Usage, message).hint("umbel --help"));
    }
    let _ = error.print();
    Kind::Usage.exit_code()
}

/// A word that is repeated because it is wrong may hold a secret. The configuration file was not read yet: of a header no value is
/// repeated, of other words none whose name is secret by itself.
fn hide(error: &mut clap::Error) {
    let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string);
    let header = argument.is_some_and(|argument| argument.starts_with("--header"));
    let secrets = Secrets::default();
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidValue] {
        let Some(ContextValue::String(word)) = error.get(kind) else {
            continue;
        };
        let is_value = kind == ContextKind::InvalidValue;
        let hidden = match Head::of(word, |name| !name.is_empty()) {
            Some(head) if (header && is_value) || secrets.are_named_in(head.before(word)) => {
                format!("{}{MASK}", head.before(word))
            }
            None if header && is_value => MASK.to_owned(),
            _ => continue,
        };
        error.insert(kind, ContextValue::String(hidden));
    }
}

/// The screen is never drawn into a pipe: short help instead, or the document that was asked for.
pub fn no_terminal(output: Output) -> u8 {
    if output.form == Form::Json {
        let error = Error::new(
            Kind::Usage,
            "the screen needs a terminal, and no command was given",
        );
        return output.failure(&error.hint("umbel --help"));
    }
    output.note(&Cli::command().render_help().to_string());
    Kind::Usage.exit_code()
}
