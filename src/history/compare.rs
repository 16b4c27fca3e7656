//! What differs between two calls as they are kept: part by part, what is not known told apart from what is the same. Pure and bounded.

use std::time::Duration;

use super::record::{Answer, Kept, Masked, Place, codec};
use super::secrets::MASK;
use super::{Path, Record, Step, diff};
use crate::call::CallState;
use crate::clock::Timestamp;
use crate::protocol::{Json, NodeName, QueueName, State, TaskId, TaskName, python};
use crate::text::human;

/// Characters of a value in a list of differences.
pub const SHOWN: usize = 120;

/// Characters of an exception or another sentence.
const SENTENCE: usize = 400;

/// What is said of a result that is too large to be kept.
pub const TOO_LARGE: &str = "its result is larger than history keeps";

/// What is said of a result that never came, or not yet.
pub const NOT_KNOWN: &str = "its result is not known";

/// What is said of two results that do not differ.
pub const BOTH_SAME: &str = "both results are the same";

/// How much two parts of calls have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sameness {
    /// They are equal, all of them.
    Same,
    /// They differ.
    Different,
    /// What is known of them does not differ, but something is not known: cut, masked, or not there.
    Unknown,
}

/// One part of two calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name: `arguments`, `options`, `outcome`, `result`.
    pub name: &'static str,
    /// What is to be said of it as a whole.
    pub sameness: Sameness,
    /// What differs, and what is not known and why; not sanitised.
    pub lines: Vec<String>,
}

/// One of two calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Which.
    pub id: TaskId,
    /// Its task.
    pub task: TaskName,
    /// How it stands.
    pub state: CallState,
    /// When it was made.
    pub created: Timestamp,
}

/// What differs between two calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The call that was made first.
    pub before: Side,
    /// The other one.
    pub after: Side,
    /// What makes them the same or not.
    pub parts: Vec<Part>,
    /// Where and how long: told, never counted as a difference. `None` is not known.
    pub around: Vec<(&'static str, Option<String>, Option<String>)>,
}

/// The result, if all of it is kept.
///
/// # Errors
/// [`TOO_LARGE`] or [`NOT_KNOWN`].
pub fn whole_result(record: &Record) -> Result<&Json, &'static str> {
    match end(record).map(|answer| &answer.value) {
        Some(Kept::Whole(value)) => Ok(value),
        Some(Kept::Cut { .. }) => Err(TOO_LARGE),
        None => Err(NOT_KNOWN),
    }
}

/// What it ended with: STARTED and an application's own states tell no result.
fn end(record: &Record) -> Option<&Answer> {
    let ended = |answer: &&Answer| {
        matches!(
            answer.state,
            State::Success | State::Failure | State::Revoked
        )
    };
    record.answer.as_ref().filter(ended)
}

/// Compares two calls; the one that was made first comes first, whatever their order here.
pub fn compare(one: &Record, other: &Record) -> Comparison {
    let (before, after) = if one.times.created <= other.times.created {
        (one, other)
    } else {
        (other, one)
    };
    let mut parts = vec![arguments(before, after), options(before, after)];
    if before.task() != after.task() {
        let mut task = Part::new("task");
        task.differ(format!("{} -> {}", before.task(), after.task()));
        parts.insert(0, task);
    }
    parts.extend([outcome(before, after), result(before, after)]);
    Comparison {
        before: Side::of(before),
        after: Side::of(after),
        parts,
        around: around(before, after),
    }
}

impl Comparison {
    /// All parts together.
    pub fn sameness(&self) -> Sameness {
        let has = |sameness| self.parts.iter().any(|part| part.sameness == sameness);
        match (has(Sameness::Different), has(Sameness::Unknown)) {
            (true, _) => Sameness::Different,
            (false, true) => Sameness::Unknown,
            (false, false) => Sameness::Same,
        }
    }
}

impl Side {
    fn of(record: &Record) -> Self {
        Self {
            id: record.id().clone(),
            task: record.task().clone(),
            state: record.listed(),
            created: record.times.created,
        }
    }
}

impl Part {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            sameness: Sameness::Same,
            lines: Vec::new(),
        }
    }

    fn differ(&mut self, line: impl Into<String>) {
        self.sameness = Sameness::Different;
        self.lines.push(line.into());
    }

    fn unknown(&mut self, line: impl Into<String>) {
        if self.sameness == Sameness::Same {
            self.sameness = Sameness::Unknown;
        }
        self.lines.push(line.into());
    }

    /// What differs between two values, but for what lies at a masked place.
    fn values(&mut self, whole: &str, (before, after): (&Json, &Json), masked: &[Path]) {
        let difference = diff(before, after);
        for change in &difference.changes {
            let hidden = masked
                .iter()
                .any(|masked| change.path.0.starts_with(&masked.0));
            if !hidden {
                let line = change.told(whole, SHOWN);
                self.differ(line.strip_prefix('.').unwrap_or(&line));
            }
        }
        if difference.more > 0 {
            self.differ(diff::more(difference.more));
        }
    }
}

fn arguments(before: &Record, after: &Record) -> Part {
    let mut part = Part::new("arguments");
    let mut whole = true;
    for (word, record) in [("before", before), ("after", after)] {
        if let Some(bytes) = record.arguments_cut {
            whole = false;
            let size = human::bytes(bytes);
            part.unknown(format!("{word}: {size}, larger than history keeps"));
        }
    }
    if !whole {
        return part;
    }
    let masked = masked(before, after);
    let paths = |positional: bool| -> Vec<Path> {
        let places = masked.iter().filter_map(|masked| {
            let first = match &masked.place {
                Place::Positional(index) if positional => Step::Index(*index),
                Place::Keyword(name) if !positional => Step::Key(name.clone()),
                _ => return None,
            };
            let steps = std::iter::once(first).chain(masked.path.0.iter().cloned());
            Some(Path(steps.collect()))
        });
        places.collect()
    };
    let (old, new) = (&before.signature, &after.signature);
    let lists = [&old.args, &new.args].map(|args| Json::List(args.clone()));
    let mut positional = Part::new("");
    positional.values("", (&lists[0], &lists[1]), &paths(true));
    for line in positional.lines {
        part.differ(format!("args{line}"));
    }
    let named = [&old.kwargs, &new.kwargs].map(|kwargs| Json::Object(kwargs.clone()));
    part.values("kwargs", (&named[0], &named[1]), &paths(false));
    for masked in &masked {
        if !matches!(masked.place, Place::Header(_)) {
            part.unknown(not_compared(masked));
        }
    }
    part
}

/// What is masked in one of the two or in both, each once.
fn masked(before: &Record, after: &Record) -> Vec<Masked> {
    let mut masked = [before.masked.as_slice(), after.masked.as_slice()].concat();
    masked.sort();
    masked.dedup();
    masked
}

fn not_compared(masked: &Masked) -> String {
    format!("{masked}: masked, not compared")
}

fn options(before: &Record, after: &Record) -> Part {
    let mut part = Part::new("options");
    let written = [before, after].map(|record| codec::options(&record.signature.options));
    let masked = masked(before, after);
    let headers: Vec<(&Masked, Path)> = masked
        .iter()
        .filter_map(|masked| match &masked.place {
            Place::Header(name) => {
                let first = [Step::Key("headers".to_owned()), Step::Key(name.clone())];
                let steps = first.into_iter().chain(masked.path.0.iter().cloned());
                Some((masked, Path(steps.collect())))
            }
            _ => None,
        })
        .collect();
    let paths: Vec<Path> = headers.iter().map(|(_, path)| path.clone()).collect();
    part.values("options", (&written[0], &written[1]), &paths);
    let queue = |record: &Record| record.queue.as_ref().map(QueueName::to_string);
    if queue(before) != queue(after) {
        let [old, new] = [before, after].map(|record| or_unknown(queue(record)));
        part.differ(format!("published to: {old} -> {new}"));
    }
    if before.origin.broker != after.origin.broker {
        let (old, new) = (&before.origin.broker, &after.origin.broker);
        part.differ(format!("broker: {old} -> {new}"));
    }
    if before.timeout != after.timeout {
        let [old, new] = [before, after].map(|record| human::duration(record.timeout));
        part.differ(format!("timeout: {old} -> {new}"));
    }
    for (masked, _) in headers {
        part.unknown(not_compared(masked));
    }
    part
}

fn outcome(before: &Record, after: &Record) -> Part {
    let mut part = Part::new("outcome");
    let mut known = true;
    for (word, record) in [("before", before), ("after", after)] {
        if !record.state.is_final() {
            known = false;
            let state = record.listed().word();
            part.unknown(format!("{word}: {state}, its outcome is not known"));
        }
    }
    if !known {
        return part;
    }
    if before.state != after.state {
        part.differ(format!("{} -> {}", before.state.word(), after.state.word()));
    }
    let sentence = |record: &Record| {
        let trouble = record.trouble.as_ref().map(|trouble| &trouble.message);
        let line = record.headline.as_ref().or(trouble);
        line.map(|line| python::shorten(line, SENTENCE))
    };
    let [old, new] = [before, after].map(sentence);
    if old != new {
        let [old, new] = [old, new].map(|line| line.unwrap_or_else(|| diff::NOTHING.to_owned()));
        part.differ(format!("{old} -> {new}"));
    }
    part
}

/// What of two results cannot be compared, whatever else is equal.
pub fn doubts(results: [(&Record, &Json); 2]) -> Vec<&'static str> {
    let pickled = |(record, _): &(&Record, &Json)| {
        let answer = end(record);
        answer.is_some_and(|answer| answer.opaque.is_some())
    };
    let masked = |(record, value): &(&Record, &Json)| hides(record, value);
    let told = [
        (
            results.iter().any(pickled),
            "pickled: only what it would do is compared",
        ),
        (
            results.iter().any(masked),
            "secrets are masked in it: what they hide is not compared",
        ),
    ];
    let told = told.into_iter().filter(|(holds, _)| *holds);
    told.map(|(_, doubt)| doubt).collect()
}

fn result(before: &Record, after: &Record) -> Part {
    let mut part = Part::new("result");
    match [before, after].map(|record| end(record).map(|answer| &answer.value)) {
        [Some(Kept::Whole(old)), Some(Kept::Whole(new))] => {
            part.values("result", (old, new), &[]);
            for doubt in doubts([(before, old), (after, new)]) {
                part.unknown(doubt);
            }
        }
        [
            Some(Kept::Cut { beginning: old, .. }),
            Some(Kept::Cut { beginning: new, .. }),
        ] if old != new => part.differ("both are larger than history keeps, and begin differently"),
        [Some(Kept::Cut { .. }), Some(Kept::Cut { .. })] => {
            part.unknown("both are larger than history keeps, and begin alike");
        }
        [Some(Kept::Cut { bytes, .. }), Some(_)] => part.differ(format!(
            "before: {}, larger than history keeps; after it is smaller",
            human::bytes(*bytes)
        )),
        [Some(_), Some(Kept::Cut { bytes, .. })] => part.differ(format!(
            "after: {}, larger than history keeps; before it was smaller",
            human::bytes(*bytes)
        )),
        _ => without_value(&mut part, before, after),
    }
    tracebacks(&mut part, before, after);
    part
}

/// Of one of the two at least no value is known.
fn without_value(part: &mut Part, before: &Record, after: &Record) {
    let reprs = [before, after].map(|record| {
        let repr = record.repr.as_ref();
        repr.filter(|_| end(record).is_none())
    });
    if let [Some(old), Some(new)] = reprs {
        let [shown, other] = [old, new].map(|repr| Json::from(repr.text.as_str()));
        if shown == other {
            part.unknown("as far as the workers' logs show them they are alike");
        } else {
            part.values("as the workers' logs show it", (&shown, &other), &[]);
        }
        return;
    }
    for (word, record) in [("before", before), ("after", after)] {
        match &record.repr {
            Some(repr) if end(record).is_none() => part.unknown(format!(
                "{word}: only known as the worker's log shows it: {}",
                python::shorten(&repr.text, SHOWN)
            )),
            _ if end(record).is_none() => part.unknown(format!("{word}: {NOT_KNOWN}")),
            _ => {}
        }
    }
}

fn tracebacks(part: &mut Part, before: &Record, after: &Record) {
    let of = |record: &Record| {
        let answer = end(record);
        answer.and_then(|answer| answer.traceback.clone())
    };
    let [old, new] = [before, after].map(of);
    if old.is_some() && new.is_some() && old != new {
        part.differ("the tracebacks differ");
    }
}

/// Whether a secret of the call's arguments was hidden in what came of it.
fn hides(record: &Record, value: &Json) -> bool {
    (!record.masked.is_empty() || record.arguments_cut.is_some()) && has_mask(value)
}

fn has_mask(value: &Json) -> bool {
    match value {
        Json::Text(text) => text.contains(MASK),
        Json::List(items) => items.iter().any(has_mask),
        Json::Object(entries) => entries
            .iter()
            .any(|(key, value)| key.contains(MASK) || has_mask(value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

fn around(before: &Record, after: &Record) -> Vec<(&'static str, Option<String>, Option<String>)> {
    type Fact = (&'static str, fn(&Record) -> Option<String>);
    let facts: [Fact; 5] = [
        ("queued", |record| said(record.times.queued())),
        ("ran", |record| said(record.times.ran())),
        ("took", |record| said(record.took())),
        ("retries", |record| Some(record.retries?.to_string())),
        ("worker", |record| {
            record.worker.as_ref().map(NodeName::to_string)
        }),
    ];
    let told = facts.map(|(name, of)| (name, of(before), of(after)));
    told.into_iter()
        .filter(|(_, old, new)| old.is_some() || new.is_some())
        .collect()
}

fn said(span: Option<Duration>) -> Option<String> {
    span.map(human::duration)
}

fn or_unknown(text: Option<String>) -> String {
    text.unwrap_or_else(|| "?".to_owned())
}

#[cfg(test)]
mod tests;
