//! What is printed of calls that were followed, and what history alone can tell of them.

use serde::Serialize;
use serde_json::Value;

use super::{Followed, NAMELESS, Patience};
use crate::call::document::CallDocument;
use crate::cli::{self, Shape};
use crate::clock::Now;
use crate::commands::around::{self, Around};
use crate::commands::output::{Form, Output};
use crate::commands::progress;
use crate::error::{Error, Kind, Result};
use crate::history::Record;
use crate::text::human;

/// The document `umbel.calls/1`: several calls.
#[derive(Serialize)]
struct CallsDocument {
    schema: &'static str,
    /// Whether all tasks returned.
    ok: bool,
    calls: Vec<Value>,
    exit: u8,
}

pub(super) fn highest(all: &[Followed]) -> u8 {
    all.iter().map(Followed::exit).max().unwrap_or(0)
}

/// Prints what was not printed yet: one document, or one a line, or words for each.
pub(super) fn print(
    output: Output,
    all: &mut [Followed],
    patience: Patience,
    around: &Around,
    now: Now,
) {
    for followed in &mut *all {
        followed.settle(now);
    }
    if output.form == Form::Json && !output.lines && all.len() > 1 {
        output.progress("");
        let exit = highest(all);
        let calls = all.iter().map(|it| it.document(patience, around, now));
        let calls: Vec<Value> = calls.collect();
        return output.document(&CallsDocument {
            schema: "umbel.calls/1",
            ok: exit == 0 && calls.iter().all(|call| call["ok"] == true),
            calls,
            exit,
        });
    }
    for followed in all.iter_mut().filter(|it| !it.printed) {
        followed.print(output, patience, around, now);
    }
}

/// What history alone can tell of these calls; `None` where a network is needed.
pub fn from_history(
    output: Output,
    records: &[Option<Box<Record>>],
    shape: &Shape,
    now: Now,
) -> Option<u8> {
    let whole = |record: &Record| record.state.is_final() && record.cut_result().is_none();
    let told = |record: &Option<Box<Record>>| record.as_deref().is_some_and(whole);
    records
        .iter()
        .all(told)
        .then(|| print_all(output, records, (shape, None), now))
}

/// As [`from_history`] where the network that was needed is out of reach: how they ended is known, if not all they returned. That is
/// said.
pub fn in_spite_of(
    trouble: Error,
    output: Output,
    records: &[Option<Box<Record>>],
    shape: &Shape,
    now: Now,
) -> Result<u8> {
    let ended = |record: &Record| record.state.is_final();
    let told = |record: &Option<Box<Record>>| record.as_deref().is_some_and(ended);
    if !records.iter().all(told) {
        return Err(trouble);
    }
    output.warnings(std::slice::from_ref(&trouble.message));
    Ok(print_all(output, records, (shape, Some(&trouble)), now))
}

/// `trouble`: why nobody else was asked.
fn print_all(
    output: Output,
    records: &[Option<Box<Record>>],
    (shape, trouble): (&Shape, Option<&Error>),
    now: Now,
) -> u8 {
    let known = records.iter().flatten();
    let mut all: Vec<Followed> = known
        .map(|it| Followed {
            misread: trouble.map(|trouble| trouble.message.clone()),
            ..Followed::new(it.id().clone(), Some(it.clone()), now).printed_as(shape)
        })
        .collect();
    print(output, &mut all, Patience::Now, &Around::default(), now);
    highest(&all)
}

impl Followed {
    /// For people.
    pub(super) fn words(
        &self,
        patience: Patience,
        around: &Around,
        verbose: bool,
        now: Now,
    ) -> String {
        let around = self.around(around);
        let diagnosis = around.diagnose(&self.call, now);
        let id = self.call.id();
        if self.ended() || (self.is_known() && self.spent.is_some() && self.call.sent().is_some()) {
            let how = progress::Closing {
                verbose,
                ..progress::Closing::default()
            };
            return progress::closing(&self.call, around, how, now);
        }
        let waited = match patience {
            Patience::Until(timeout) => format!("TIMEOUT {}  ", human::duration(timeout)),
            Patience::Now => String::new(),
        };
        let said = if self.is_known() {
            let task = &self.call.signature.task;
            let word = diagnosis.now.word();
            let result = match &self.unread {
                Some(why) => format!("no result: {why}"),
                None => "no result yet".to_owned(),
            };
            format!("{waited}{word}  {task}  id {id}  {result}")
        } else {
            format!("{waited}id {id}  nothing is known of this id")
        };
        let reasons = around::words(&self.call, &diagnosis, &cli::commands(), now);
        format!("{said}{reasons}")
    }

    /// `umbel.call/1`, with null for what a stranger to the call cannot know.
    pub(super) fn document(&self, patience: Patience, around: &Around, now: Now) -> Value {
        let diagnosis = self.around(around).diagnose(&self.call, now);
        let document = CallDocument::new(&self.call, false, now);
        let document = match &self.record {
            Some(record) => document.between(&record.origin.broker, record.origin.backend.clone()),
            None => document,
        };
        let document = if self.exit() == 0 {
            document
        } else {
            document.diagnosed(&diagnosis)
        };
        let mut value = serde_json::to_value(&document).unwrap_or_default();
        let mut put = |key: &str, new: Value| value[key] = new;
        put("exit", self.exit().into());
        let more = self.elsewhere.iter().chain(&self.misread).cloned();
        let more = more.chain(self.doubts());
        if let Some(warnings) = value["warnings"].as_array_mut() {
            warnings.extend(more.map(Value::from));
        }
        let mut put = |key: &str, new: Value| value[key] = new;
        if self.record.is_none() {
            for key in ["args", "kwargs", "timeout_ms", "options"] {
                put(key, Value::Null);
            }
            if self.call.signature.task.as_str() == NAMELESS {
                put("task", Value::Null);
            }
        }
        if self.ended() {
            return value;
        }
        let known = self.is_known();
        let place = diagnosis.now.state.filter(|_| known);
        let lost = diagnosis.lost();
        if !known || (patience == Patience::Now && !lost) {
            let state = place.map(|place| Value::from(place.to_string()));
            put("state", state.unwrap_or_default());
        }
        if self.call.backend_lost.is_none() {
            value["error"]["kind"] = Kind::Timeout.to_string().into();
            let (yet, never) = match &self.unread {
                Some(why) => ("", format!("; {why}")),
                None => (" yet", String::new()),
            };
            let said = match place {
                None if !known => "nothing is known of this id".to_owned(),
                None => format!("no result{yet}, and whether it runs is not known"),
                Some(_) if lost => format!("no result{yet}, and no trace of it"),
                Some(place) => format!("no result{yet}: it is {}", place.word()),
            };
            value["error"]["message"] = format!("{said}{never}").into();
        }
        value
    }
}
