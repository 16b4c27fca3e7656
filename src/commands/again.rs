//! A call of history once more: as it was, or with other arguments. It sends nothing itself.

use super::named;
use crate::cli;
use crate::cli::options::{Expires, ResultWish};
use crate::clock::Timestamp;
use crate::error::{Error, Kind, Result};
use crate::history::record::{Masked, NotRepeatable, Place};
use crate::history::store::trouble::UNREADABLE;
use crate::history::{Filter, Found, Handle, Record};
use crate::protocol::{Json, Options, Signature, TaskId, python};

/// Characters from which on the beginning of an id is taken for one, even if it has digits alone.
const CLEAR: usize = 8;

/// For somebody who wants a call of a history that is not there.
fn empty() -> Error {
    Error::new(Kind::Usage, "history is empty: there is no call to take")
        .hint("calls on a terminal are kept, others with --history; UMBEL_HISTORY names the file")
}

/// The call of this id or its beginning; without one the newest.
///
/// # Errors
/// There is none, there are several, or history cannot be read.
pub async fn find(history: Option<&Handle>, id: Option<&str>) -> Result<Box<Record>> {
    let history = history.ok_or_else(empty)?;
    let id = if let Some(id) = id {
        id.to_owned()
    } else {
        let newest = history.page(Filter::default(), None, 1).await?.pop();
        newest.ok_or_else(empty)?.id.to_string()
    };
    let found = history.get(id.clone()).await?;
    if let Some(why) = found.unreadable() {
        return Err(Error::new(Kind::Config, why).hint(UNREADABLE));
    }
    match found {
        Found::One(record) => Ok(record),
        Found::None | Found::Unreadable(..) => Err(Error::new(
            Kind::Usage,
            format!("history has no call whose id is or begins with {id:?}"),
        )),
        Found::Several(one, other) => Err(Error::new(
            Kind::Usage,
            format!("several calls begin with {id:?}: {one}, {other}, …"),
        )
        .hint("write more of the id")),
    }
}

/// That the two groups by which the screen shows an id are not taken for an id and an argument.
///
/// # Errors
/// They are.
pub async fn one_word(history: Option<&Handle>, wanted: &cli::Call) -> Result<()> {
    let (Some(history), Some(first), Some(second)) = (history, &wanted.from, wanted.items.first())
    else {
        return Ok(());
    };
    let both = format!("{first}{second}");
    if !named::are_groups(first, second) || history.get(both.clone()).await?.id().is_none() {
        return Ok(());
    }
    let what = format!("{first} {second} is the beginning of one id");
    let hint = format!("one word: {both}; if {second} is an argument, write more of the id");
    Err(Error::new(Kind::Usage, what).hint(hint))
}

/// That a first word is not taken for the beginning of an id where an argument may be meant: a call is sent.
///
/// # Errors
/// It may be one.
pub fn no_argument(record: &Record, wanted: &cli::Call) -> Result<()> {
    let Some(word) = wanted.from.as_deref().filter(|_| wanted.bare) else {
        return Ok(());
    };
    let clear = word.len() >= CLEAR || Json::parse_strict(word).is_err();
    if clear || word == record.id().as_str() {
        return Ok(());
    }
    let id = record.id();
    let what = format!("{word} may be an argument, or the beginning of {id}");
    let hint = format!("umbel again {id}; an argument comes after an ID: umbel again ID {word}");
    Err(Error::new(Kind::Usage, what).hint(hint))
}

/// That no task is named beside `--from`, which has one: it would become the first argument.
///
/// # Errors
/// The first word reads as a task's name.
pub fn no_task(record: &Record, wanted: &cli::Call) -> Result<()> {
    let first = wanted
        .items
        .first()
        .filter(|_| !wanted.bare && wanted.from.is_some());
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_alphabetic() || c == '_') && part.chars().all(letter)
    };
    let dotted = |word: &&String| word.contains('.') && word.split('.').all(part);
    let task = record.signature.task.as_str();
    let Some(word) = first.filter(|word| *word == task || dotted(word)) else {
        return Ok(());
    };
    let what = format!("{word} would be an argument: --from calls {task}, the task of that call");
    let hint = format!("leave it out; where the text {word} is meant, write it behind --");
    Err(Error::new(Kind::Usage, what).hint(hint))
}

/// What was masked in `record` and is not given anew.
pub fn lacking(record: &Record, given: &Signature) -> Vec<Masked> {
    let has = |entries: &[(String, Json)], name: &str| entries.iter().any(|(key, _)| key == name);
    let lacks = |masked: &&Masked| match &masked.place {
        Place::Positional(_) => given.args.is_empty(),
        Place::Keyword(name) => !has(&given.kwargs, name),
        Place::Header(name) => !has(&given.options.headers, name),
    };
    record.masked.iter().filter(lacks).cloned().collect()
}

/// Secrets that are neither kept nor given: which, and what to type. `sends` tells whether it is repeated without being waited for.
pub fn secrets(record: &Record, lacking: &[Masked], sends: bool) -> Error {
    let hint = format!(
        "{}   (name=@- reads one from stdin; on a terminal they are asked for)",
        spelled(record, lacking, sends)
    );
    Error::from(NotRepeatable::Masked(lacking.to_vec())).hint(hint)
}

/// The command that gives what is lacking anew, `...` in the place of each.
fn spelled(record: &Record, lacking: &[Masked], sends: bool) -> String {
    let mut anew = record.clone();
    for masked in lacking {
        anew.unmask(masked, &Json::from("..."));
    }
    let places = |of: fn(&Place) -> bool| lacking.iter().any(move |it| of(&it.place));
    let command: &[&str] = if sends {
        &["umbel", "send", "--from"]
    } else {
        &["umbel", "again"]
    };
    let mut words: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
    words.push(record.id().to_string());
    if places(|place| matches!(place, Place::Positional(_))) {
        words.extend(anew.signature.args.iter().map(|value| item("", value)));
    }
    let named = |place: &Place, entries: &[(String, Json)]| -> Option<(String, Json)> {
        let (Place::Keyword(name) | Place::Header(name)) = place else {
            return None;
        };
        entries.iter().find(|(key, _)| key == name).cloned()
    };
    let mut odd = Vec::new();
    let mut told: Vec<&Place> = Vec::new();
    for masked in lacking {
        if told.contains(&&masked.place) {
            continue;
        }
        told.push(&masked.place);
        match &masked.place {
            Place::Positional(_) => {}
            Place::Keyword(name) => match named(&masked.place, &anew.signature.kwargs) {
                Some((_, value)) if python::is_identifier(name) => words.push(item(name, &value)),
                entry => odd.extend(entry),
            },
            Place::Header(_) => {
                if let Some((name, value)) = named(&masked.place, &anew.signature.options.headers) {
                    words.extend(["--header".to_owned(), item(&name, &value)]);
                }
            }
        }
    }
    if !odd.is_empty() {
        words.extend(["--kwargs".to_owned(), Json::Object(odd).to_wire()]);
    }
    words
        .iter()
        .map(|word| quoted(word))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A word as a shell takes it. What is typed most needs no quotes.
fn quoted(word: &str) -> String {
    let name = word.strip_suffix("=...");
    if name.is_some_and(python::is_identifier) {
        return word.to_owned();
    }
    match shlex::try_quote(word) {
        Ok(word) => word.into_owned(),
        Err(_) => "...".to_owned(),
    }
}

fn item(name: &str, value: &Json) -> String {
    match value {
        Json::Text(text) if text == "..." && !name.is_empty() => format!("{name}=..."),
        Json::Text(text) if text == "..." => "...".to_owned(),
        value => format!("{name}:={}", value.to_wire()),
    }
}

/// Options that are given as none: what the call had is not taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// It does not expire.
    pub expires: bool,
    /// The task decides whether it keeps a result.
    pub result: bool,
}

impl Dropped {
    /// What is given as none on the command line.
    pub fn by(wanted: &cli::Call) -> Self {
        Self {
            expires: wanted.sending.expires == Some(Expires::Never),
            result: wanted.result == Some(ResultWish::Auto),
        }
    }
}

/// The call of `record` with what `given` says otherwise: keywords and headers by name, positional arguments all together, options one
/// by one, and without those that are `dropped`.
///
/// # Errors
/// The arguments were too large to keep, or secrets are still lacking.
pub fn changed(record: &Record, given: Signature, dropped: Dropped) -> Result<Signature> {
    let mut record = record.clone();
    let lacking = lacking(&record, &given);
    record.masked.retain(|masked| lacking.contains(masked));
    let all_anew = !given.args.is_empty() && !given.kwargs.is_empty();
    if all_anew {
        record.arguments_cut = None;
    }
    let mut signature = record.to_signature(given.id).map_err(Error::from)?;
    if !given.args.is_empty() {
        signature.args = given.args;
    }
    merge(&mut signature.kwargs, given.kwargs);
    let mut was = signature.options;
    if dropped.expires {
        (was.expires, was.expires_at) = (None, None);
    }
    if dropped.result {
        was.ignore_result = None;
    }
    signature.options = over(given.options, was);
    Ok(signature)
}

/// Entries by name; what is new comes last.
fn merge(entries: &mut Vec<(String, Json)>, given: Vec<(String, Json)>) {
    for (name, value) in given {
        match entries.iter_mut().find(|(key, _)| *key == name) {
            Some((_, place)) => *place = value,
            None => entries.push((name, value)),
        }
    }
}

/// What cannot be repeated as it was because its time has passed.
///
/// # Errors
/// It expired at a time that was named, and that time is over.
pub fn in_time(signature: &Signature, id: &TaskId, now: Timestamp) -> Result<()> {
    match signature.options.expires_at {
        Some(at) if at <= now => Err(Error::new(
            Kind::Usage,
            format!("it was to expire at {at}, which is over: no worker would run it"),
        )
        .hint(format!("umbel call --from {id} --expires 5m"))),
        _ => Ok(()),
    }
}

/// What is given, and where nothing is, what was.
fn over(given: Options, was: Options) -> Options {
    let mut headers = was.headers;
    merge(&mut headers, given.headers);
    let (expires, expires_at) = match (given.expires, given.expires_at) {
        (None, None) => (was.expires, was.expires_at),
        given => given,
    };
    Options {
        queue: given.queue.or(was.queue),
        exchange: given.exchange.or(was.exchange),
        routing_key: given.routing_key.or(was.routing_key),
        priority: given.priority.or(was.priority),
        start: given.start.or(was.start),
        expires,
        expires_at,
        time_limit: given.time_limit.or(was.time_limit),
        soft_time_limit: given.soft_time_limit.or(was.soft_time_limit),
        serializer: given.serializer.or(was.serializer),
        compression: given.compression.or(was.compression),
        shadow: given.shadow.or(was.shadow),
        ignore_result: given.ignore_result.or(was.ignore_result),
        headers,
    }
}

/// With `--from`, the first word is an ITEM: the task is known. `again` is a call of that kind.
pub fn words(command: &mut Option<cli::Command>) {
    *command = match command.take() {
        Some(cli::Command::Again(wanted)) => Some(cli::Command::Call(Box::new(wanted.into_call()))),
        command => command,
    };
    let call = match command {
        Some(cli::Command::Call(waited)) => &mut waited.call,
        Some(cli::Command::Send(call)) => call,
        _ => return,
    };
    if call.from.is_none() {
        return;
    }
    call.repeats = true;
    if let Some(first) = call.task.take() {
        call.items.insert(0, first);
    }
}
