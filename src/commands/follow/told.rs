//! What is printed of calls that were followed, and what history alone can tell of them.

use serde::Serialize;
use serde_json::Value;

use super::{Followed, Patience};
use crate::cli::Shape;
use crate::clock::Now;
use crate::commands::around::Around;
use crate::commands::output::{Form, Output};
use crate::error::{Error, Result};
use crate::history::Record;

/// The document `umbel.calls/1`: several calls.
#[derive(Serialize)]
struct CallsDocument {
    schema: &'static str,
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
        return output.document(&CallsDocument {
            schema: "umbel.calls/1",
            ok: exit == 0,
            calls: calls.collect(),
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
