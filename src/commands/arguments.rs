//! From the command line's words to a signature: ITEMs, `--args`, `--kwargs`, `--input`, files, stdin.

use std::collections::HashSet;
use std::io::Read;

use crate::cli::Call;
use crate::cli::call::Given;
use crate::cli::items::{self, Parsed, Source, Type};
use crate::cli::options::Wishes;
use crate::clock::Timestamp;
use crate::error::{Error, Kind, Result};
use crate::history::Secrets;
use crate::protocol::{Json, Signature, TaskId, json};

/// The largest file that is read as an argument.
const LARGEST_FILE: u64 = 64 << 20;

/// Words that are understood as far as usage goes: what is wrong after this is wrong JSON, not a wrong command line.
#[derive(Debug)]
pub struct Words {
    parsed: Vec<Parsed>,
    rest: Vec<String>,
    wishes: Wishes,
}

/// Checks the words without reading anything: unknown types, names given twice, stdin asked for twice, options that contradict
/// each other or the time, which is `now`.
pub fn check(call: &Call, now: Timestamp) -> Result<Words> {
    let parsed = call
        .items
        .iter()
        .map(|item| items::parse(item))
        .collect::<Result<Vec<_>>>()?;
    let names: Vec<&str> = parsed
        .iter()
        .filter_map(|item| item.name.as_deref())
        .collect();
    if let Some(twice) = names
        .iter()
        .enumerate()
        .find(|(index, name)| names[..*index].contains(name))
    {
        return Err(Error::new(
            Kind::Usage,
            format!("the keyword {:?} is given twice", twice.1),
        ));
    }
    let stdin = |item: &&Parsed| matches!(&item.source, Source::TextFile(path) | Source::JsonFile(path) if path == "-");
    if parsed.iter().filter(stdin).count() > 1 {
        return Err(Error::new(Kind::Usage, "stdin (@-) can be read only once"));
    }
    if call.task.as_deref() == Some("") {
        return Err(Error::new(Kind::Usage, "the task's name is empty"));
    }
    let wishes = call.wishes();
    wishes.settle(now)?;
    Ok(Words {
        parsed,
        rest: call.rest.clone(),
        wishes,
    })
}

/// The signature, and warnings about it. `now` is asked once everything is read. No error repeats a text that `secrets` names.
pub fn signature(
    call: &Call,
    words: Words,
    secrets: &Secrets,
    now: impl FnOnce() -> Timestamp,
) -> Result<(Signature, Vec<String>)> {
    let (mut args, mut kwargs) = given(&call.given, secrets)?;
    let mut warnings = Vec::new();
    for Parsed { name, source } in words.parsed {
        let secret = name.as_deref().filter(|name| secrets.is_secret(name));
        let (value, warning) = read(source, secret)?.value(name.as_deref())?;
        warnings.extend(warning);
        match name {
            None => args.push(value),
            Some(name) if kwargs.iter().any(|(known, _)| *known == name) => {
                return Err(Error::new(
                    Kind::Usage,
                    format!("the keyword {name:?} is given twice: as an ITEM and in --kwargs"),
                ));
            }
            Some(name) => kwargs.push((name, value)),
        }
    }
    for text in words.rest {
        let (value, warning) = Source::Auto(text).value(None)?;
        warnings.extend(warning);
        args.push(value);
    }
    let values = || args.iter().chain(kwargs.iter().map(|(_, value)| value));
    warnings.extend(
        values().find_map(twice).map(|key| {
            format!("the key {key:?} is given twice in one object: Python keeps the last")
        }),
    );
    warnings.extend(values().find_map(items::doubt).map(str::to_owned));
    if values().any(Json::has_non_finite) {
        warnings.push(
            "NaN or Infinity is sent as Python writes it; strict JSON readers refuse it".to_owned(),
        );
    }
    let (options, doubts) = words.wishes.settle(now())?;
    warnings.extend(doubts);
    let id = words.wishes.task_id.unwrap_or_else(TaskId::random);
    Ok((
        Signature {
            task: call.task.as_deref().unwrap_or_default().into(),
            id,
            args,
            kwargs,
            options,
        },
        warnings,
    ))
}

/// A key that an object in `value` has twice.
fn twice(value: &Json) -> Option<&str> {
    match value {
        Json::List(items) => items.iter().find_map(twice),
        Json::Object(entries) => {
            let mut seen = HashSet::new();
            let again = entries.iter().find(|(key, _)| !seen.insert(key));
            again
                .map(|(key, _)| key.as_str())
                .or_else(|| entries.iter().find_map(|(_, value)| twice(value)))
        }
        _ => None,
    }
}

type Arguments = (Vec<Json>, Vec<(String, Json)>);

/// `--args` and `--kwargs`, or `--input`.
fn given(given: &Given, secrets: &Secrets) -> Result<Arguments> {
    if let Some(path) = &given.input {
        let text = read_file(path, file_name(path))?;
        return input(&parse(&text, &format!("--input {path}"), secrets)?);
    }
    let args = match &given.args {
        None => Vec::new(),
        Some(text) => match parse(text, "--args", secrets)? {
            Json::List(items) => items,
            _ => return Err(invalid("--args is not a JSON array").hint("--args '[1, 2]'")),
        },
    };
    let kwargs = match &given.kwargs {
        None => Vec::new(),
        Some(text) => match parse(text, "--kwargs", secrets)? {
            Json::Object(entries) => unique(entries, "--kwargs")?,
            _ => return Err(invalid("--kwargs is not a JSON object").hint("--kwargs '{\"x\": 1}'")),
        },
    };
    Ok((args, kwargs))
}

/// The document that `--input` and the form's raw mode take: `{"args": [], "kwargs": {}}`.
pub fn input(document: &Json) -> Result<Arguments> {
    const SHAPE: &str = "it looks like {\"args\": [1], \"kwargs\": {\"x\": 2}}";
    let Json::Object(entries) = document else {
        return Err(invalid("the arguments are not a JSON object").hint(SHAPE));
    };
    if let Some((key, _)) = entries
        .iter()
        .find(|(key, _)| key != "args" && key != "kwargs")
    {
        return Err(invalid(format!("the arguments have an unknown key {key:?}")).hint(SHAPE));
    }
    let args = match document.get("args") {
        None => Vec::new(),
        Some(Json::List(items)) => items.clone(),
        Some(_) => return Err(invalid("\"args\" is not an array").hint(SHAPE)),
    };
    let kwargs = match document.get("kwargs") {
        None => Vec::new(),
        Some(Json::Object(entries)) => unique(entries.clone(), "\"kwargs\"")?,
        Some(_) => return Err(invalid("\"kwargs\" is not an object").hint(SHAPE)),
    };
    Ok((args, kwargs))
}

fn unique(entries: Vec<(String, Json)>, place: &str) -> Result<Vec<(String, Json)>> {
    let twice = entries
        .iter()
        .enumerate()
        .find(|(index, (name, _))| entries[..*index].iter().any(|(known, _)| known == name));
    match twice {
        Some((_, (name, _))) => Err(invalid(format!(
            "{place}: the keyword {name:?} is given twice"
        ))),
        None => Ok(entries),
    }
}

/// The text around a mistake is shown where no secret can stand in it.
fn parse(text: &str, place: &str, secrets: &Secrets) -> Result<Json> {
    Json::parse_strict(text).map_err(|error| {
        let wrong =
            |error: &json::JsonError| invalid(format!("{place} is not valid JSON: {error}"));
        if secrets.are_named_in(text) {
            wrong(&error.discreet())
        } else {
            wrong(&error).hint(caret(text, &error))
        }
    })
}

/// The line with the mistake, and a caret under its place.
fn caret(text: &str, error: &json::JsonError) -> String {
    let line = text
        .lines()
        .nth(error.line.saturating_sub(1))
        .unwrap_or_default();
    let from = error.column.saturating_sub(30);
    let shown: String = line.chars().skip(from).take(60).collect();
    let before: String = line
        .chars()
        .skip(from)
        .take(error.column.saturating_sub(1) - from.min(error.column.saturating_sub(1)))
        .collect();
    format!(
        "{shown}\n        {}^",
        " ".repeat(crate::text::width::cells(&before))
    )
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Kind::InvalidArguments, message)
}

/// Replaces a file by its content. What was meant as a secret and taken for a file's name is not repeated: its parameter is named.
fn read(source: Source, secret: Option<&str>) -> Result<Source> {
    let text = |path: &str| match secret {
        Some(name) if path != "-" => read_file(path, &format!("the file for {name}")),
        _ => read_file(path, file_name(path)),
    };
    Ok(match source {
        Source::TextFile(path) => Source::Typed(Type::Str, text(&path)?),
        Source::JsonFile(path) => Source::Json(text(&path)?),
        other => other,
    })
}

fn file_name(path: &str) -> &str {
    if path == "-" { "stdin" } else { path }
}

fn read_file(path: &str, name: &str) -> Result<String> {
    let mut bytes = Vec::new();
    let outcome = if path == "-" {
        std::io::stdin()
            .lock()
            .take(LARGEST_FILE + 1)
            .read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes))
    };
    outcome.map_err(|error| invalid(format!("{name} cannot be read: {error}")))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(invalid(format!("{name} is larger than 64 MiB")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let error = invalid(format!(
            "{name} is not UTF-8 text (byte {})",
            error.utf8_error().valid_up_to()
        ));
        error.hint("binary data travels as name:bytes=base64:…")
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;

    use super::*;
    use crate::cli::{Cli, Command};

    fn call(words: &[&str]) -> Call {
        let all = ["umbel", "call", "t"]
            .into_iter()
            .chain(words.iter().copied());
        match Cli::try_parse_from(all).unwrap().command {
            Some(Command::Call(waited)) => waited.call,
            other => panic!("{other:?}"),
        }
    }

    fn made(words: &[&str]) -> Result<Signature> {
        let call = call(words);
        let now = Timestamp::UNIX_EPOCH;
        let secrets = Secrets::default();
        signature(&call, check(&call, now)?, &secrets, || now).map(|(signature, _)| signature)
    }

    fn shown(signature: &Signature) -> String {
        format!(
            "{} {}",
            Json::List(signature.args.clone()).to_wire(),
            Json::Object(signature.kwargs.clone()).to_wire()
        )
    }

    #[rstest]
    #[case(&["1", "x=2"], "[1] {\"x\":2}")]
    #[case(&["--args", "[1]", "2", "--kwargs", "{\"a\":1}", "b=2"], "[1,2] {\"a\":1,\"b\":2}")]
    #[case(&["1", "--", "x=2"], "[1,\"x=2\"] {}")]
    #[case(&[], "[] {}")]
    fn items_flags_and_the_rest_make_one_signature(#[case] words: &[&str], #[case] expected: &str) {
        assert_eq!(
            shown(&made(words).unwrap())
                .replace(", ", ",")
                .replace(": ", ":"),
            expected
        );
    }

    #[rstest]
    #[case(&["x=1", "x=2"], Kind::Usage)]
    #[case(&["x=1", "--kwargs", "{\"x\":2}"], Kind::Usage)]
    #[case(&["a=@-", "b=@-"], Kind::Usage)]
    #[case(&["x:money=1"], Kind::Usage)]
    #[case(&["--args", "{}"], Kind::InvalidArguments)]
    #[case(&["--args", "[1"], Kind::InvalidArguments)]
    #[case(&["--kwargs", "{\"x\":1,\"x\":2}"], Kind::InvalidArguments)]
    #[case(&["x:=nope"], Kind::InvalidArguments)]
    #[case(&["x=@/no/such/file"], Kind::InvalidArguments)]
    fn what_cannot_be_sent_is_refused_with_its_kind(#[case] words: &[&str], #[case] kind: Kind) {
        assert_eq!(made(words).unwrap_err().kind, kind);
    }

    #[test]
    fn a_number_that_no_float_holds_goes_as_it_was_written_and_is_warned_of() {
        for words in [&["x=1e400"][..], &["--args", "[1, [-1e400]]"]] {
            let call = call(words);
            let now = Timestamp::UNIX_EPOCH;
            let words = check(&call, now).unwrap();
            let (_, warnings) = signature(&call, words, &Secrets::default(), || now).unwrap();
            assert!(
                warnings[0].contains("Python reads Infinity"),
                "{warnings:?}"
            );
        }
    }

    #[test]
    fn a_mistake_in_json_is_shown_with_a_caret() {
        let error = made(&["--args", "[1, x]"]).unwrap_err();
        assert!(
            error.message.contains("line 1, column 5"),
            "{}",
            error.message
        );
        assert!(error.hint.unwrap().contains('^'));
    }

    #[rstest]
    #[case(&["--args", "[{\"token\": hunter2}]"])]
    #[case(&["--kwargs", "{'password': 'hunter2'}"])]
    #[case(&["--kwargs", "{password: \"hunter2\"}"])]
    #[case(&["password=@hunter2"])]
    #[case(&["password:=@hunter2"])]
    fn a_mistake_beside_a_secret_is_told_without_the_text_around_it(#[case] words: &[&str]) {
        let error = made(words).unwrap_err();
        let told = format!("{error:?}");
        assert!(!told.contains("hunter2"), "{told}");
    }

    #[test]
    fn an_unknown_key_of_the_input_document_is_refused() {
        let document = Json::parse_strict(r#"{"arg": []}"#).unwrap();
        assert_eq!(input(&document).unwrap_err().kind, Kind::InvalidArguments);
    }
}
