//! `umbel history`: the calls that were kept, for people and for other programs. Never connects to a broker.

use serde::Serialize;
use serde_json::Value;

mod kept;
mod sought;

use super::again::find;
use super::around::Around;
use super::elsewhere::Here;
use super::output::{self, Form, Output};
use super::{progress, shape};
use crate::call::document::{options, rfc3339};
use crate::cli::history::Action;
use crate::cli::{History, Shape};
use crate::clock::Now;
use crate::error::{Error, Kind, Result};
use crate::history::compare::{self, SHOWN};
use crate::history::record::WITHHELD;
use crate::history::store::trouble::UNREADABLE;
use crate::history::{Found, Handle, Place, Record, Repaired, Row, diff, export, repair};
use crate::protocol::{Json, python};
use crate::text::human;
use sought::Sought;

/// Records that are read at once.
const PAGE: usize = 100;
/// Calls that cannot be read and are named.
const NAMED: usize = 20;
/// Rows that are read at once.
const ROWS: usize = 1_000;

/// The document `umbel.history/1`.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    calls: Vec<Value>,
    /// Calls that are there and cannot be read.
    unreadable: Vec<Missing>,
}

#[derive(Serialize)]
struct Missing {
    id: String,
    why: String,
}

/// The document `umbel.diff/1`.
#[derive(Serialize)]
struct Differences<'a> {
    schema: &'static str,
    before: &'a str,
    after: &'a str,
    /// `None`: no difference is seen, but not all of them could be compared.
    same: Option<bool>,
    changes: Vec<Changed<'a>>,
    /// Places that are not listed.
    more: usize,
    /// What cannot be compared.
    unknown: Vec<&'static str>,
}

#[derive(Serialize)]
struct Changed<'a> {
    path: String,
    before: Option<&'a Json>,
    after: Option<&'a Json>,
}

/// Does what was asked for; `here` is the broker that other commands would ask. Returns the exit code.
pub async fn run(
    wanted: &History,
    history: Option<&Handle>,
    (place, here): (&Place, &Here),
    output: Output,
    now: Now,
) -> Result<u8> {
    let csv = wanted.csv || matches!(wanted.action, Some(Action::Export { csv: true, .. }));
    if csv && output.form == Form::Json {
        let what = "--csv and --json or --jsonl are different forms of the answer: choose one";
        return Err(Error::new(Kind::Usage, what));
    }
    match &wanted.action {
        None => {
            let sought = Sought::new(&wanted.which, Some(wanted.limit), now)?;
            if wanted.csv {
                let written = write(history, &sought, true, output, now).await?;
                Ok(written.exit(output))
            } else {
                list(history, &sought, output, now).await
            }
        }
        Some(Action::Export { which, csv }) => {
            let sought = Sought::new(which, None, now)?;
            let written = write(history, &sought, *csv, output, now).await?;
            output.note(&sought.exported(written.calls, history).await?);
            Ok(written.exit(output))
        }
        Some(Action::Show { id }) => {
            let record = find(history, Some(&id.join(" "))).await?;
            let namesakes = match history {
                Some(history) => history.namesakes(record.id().clone()).await?,
                None => 1,
            };
            show(&record, here, output, now);
            if namesakes > 1 {
                let others = namesakes - 1;
                output.note(&format!("  this is the last call of its id; {others} before it: umbel history {} --jsonl", record.id()));
            }
            Ok(0)
        }
        Some(Action::Diff { before, after }) => {
            let (before, after) = (
                find(history, Some(before)).await?,
                find(history, Some(after)).await?,
            );
            differ(&before, &after, output)
        }
        Some(Action::Forget { id }) => forget(history, &id.join(" "), output, now).await,
        Some(Action::Repair) => mend(place, output, now),
    }
}

async fn list(history: Option<&Handle>, sought: &Sought, output: Output, now: Now) -> Result<u8> {
    if output.form == Form::Json && output.lines {
        let written = write(history, sought, false, output, now).await?;
        return Ok(written.exit(output));
    }
    if output.form == Form::Json {
        let mut calls = Vec::new();
        let take =
            |record: &Record| calls.extend(serde_json::from_str::<Value>(&record.to_line(now)));
        let unreadable = each(history, sought, take).await?;
        let exit = missing(&unreadable, output);
        output.document(&Document {
            schema: "umbel.history/1",
            calls,
            unreadable,
        });
        return Ok(exit);
    }
    let rows = rows(history, sought).await?;
    let cells: Vec<Vec<String>> = rows.iter().map(|row| line(row, output)).collect();
    if output.form == Form::Plain {
        output.data(&output::tabbed(
            &[
                "created", "state", "id", "task", "queue", "took_ms", "call", "end",
            ],
            &cells,
        ));
    } else if cells.is_empty() {
        output.note(&sought.nothing(history).await?);
    } else {
        output.data(&output::table(
            &["WHEN", "STATE", "ID", "CALL", "TOOK", "END"],
            &[4],
            &cells,
        ));
    }
    Ok(0)
}

async fn rows(history: Option<&Handle>, sought: &Sought) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let Some(history) = history else {
        return Ok(rows);
    };
    let limit = sought.limit.unwrap_or(usize::MAX);
    while rows.len() < limit {
        let wants = (limit - rows.len()).min(ROWS);
        let before = rows.last().map(|row| row.cursor);
        let page = history.page(sought.filter.clone(), before, wants).await?;
        let full = page.len() == wants;
        rows.extend(page);
        if !full {
            break;
        }
    }
    Ok(rows)
}

fn line(row: &Row, output: Output) -> Vec<String> {
    let created = rfc3339(row.created);
    if output.form == Form::Plain {
        let queue = row
            .queue
            .as_ref()
            .map_or_else(String::new, ToString::to_string);
        let took = row
            .took
            .map_or_else(String::new, |took| took.as_millis().to_string());
        return vec![
            created,
            row.state.to_string(),
            row.id.to_string(),
            row.task.to_string(),
            queue,
            took,
            row.title.clone(),
            row.brief.clone(),
        ];
    }
    let zoned = row.created.to_zoned(jiff::tz::TimeZone::system());
    let cut =
        |text: &str, width| crate::text::width::cut(&crate::text::sanitise::show(text), width, "…");
    vec![
        zoned.strftime("%m-%d %H:%M:%S").to_string(),
        row.state.word().to_owned(),
        row.id.to_string(),
        cut(&row.title, 40),
        row.took.map_or_else(|| "?".to_owned(), human::duration),
        cut(&row.brief, 40),
    ]
}

/// Hands over whole records, the newest first, page by page. Returns those that cannot be read.
async fn each(
    history: Option<&Handle>,
    sought: &Sought,
    mut take: impl FnMut(&Record),
) -> Result<Vec<Missing>> {
    let mut unreadable = Vec::new();
    let Some(history) = history else {
        return Ok(unreadable);
    };
    let mut left = sought.limit.unwrap_or(usize::MAX);
    let mut cursor = None;
    while left > 0 {
        let page = history.records(sought.filter.clone(), cursor, left.min(PAGE));
        let page = page.await?;
        page.records.iter().for_each(&mut take);
        left = left.saturating_sub(page.records.len() + page.unreadable.len());
        unreadable.extend(page.unreadable.into_iter().map(|(id, why)| Missing {
            id: id.0,
            why: why.to_string(),
        }));
        if page.next.is_none() {
            break;
        }
        cursor = page.next;
    }
    Ok(unreadable)
}

/// Says what was left out. Returns the exit code: that of a history that cannot be read if some of it could not be.
fn missing(unreadable: &[Missing], output: Output) -> u8 {
    if unreadable.is_empty() {
        return 0;
    }
    for Missing { id, why } in unreadable.iter().take(NAMED) {
        output.note(&format!(
            "umbel: left out: call {id} is in the history, but {why}"
        ));
    }
    output.note(&format!(
        "umbel: left out: {} in all\n  hint: {UNREADABLE}",
        unreadable.len()
    ));
    Kind::Config.exit_code()
}

async fn write(
    history: Option<&Handle>,
    sought: &Sought,
    csv: bool,
    output: Output,
    now: Now,
) -> Result<Written> {
    let mut calls = 0;
    if csv {
        output.data(export::CSV_HEAD.trim_end_matches('\n'));
    }
    let unreadable = each(history, sought, |record| {
        calls += 1;
        let line = if csv {
            export::csv(record)
        } else {
            export::jsonl(record, now)
        };
        output.data(line.trim_end_matches('\n'));
    })
    .await?;
    Ok(Written { calls, unreadable })
}

/// What was written of the calls that were sought.
struct Written {
    calls: usize,
    unreadable: Vec<Missing>,
}

impl Written {
    fn exit(self, output: Output) -> u8 {
        missing(&self.unreadable, output)
    }
}

fn show(record: &Record, here: &Here, output: Output, now: Now) {
    if output.form == Form::Json {
        let line = record.to_line(now);
        match serde_json::from_str::<Value>(&line) {
            Ok(document) => output.document(&document),
            Err(error) => output.note(&format!("umbel: the document cannot be written: {error}")),
        }
        return;
    }
    let call = record.to_call(now);
    output.note(&format!(
        "{}  {}  {}",
        rfc3339(record.times.created),
        record.task(),
        record.title(SHOWN)
    ));
    if let Some(value) = call.value() {
        let pretty = output.form == Form::Human && output.stdout_terminal;
        // Without a field it always has a text.
        output.data(&shape::text(value, &Shape::default(), pretty).unwrap_or_default());
    }
    if let Some(options) = options::line(&record.signature.options) {
        output.note(&format!("  options: {options}"));
    }
    let backend = record.origin.backend.as_ref();
    let backend = backend.map_or_else(String::new, |backend| format!("  results: {backend}"));
    output.note(&format!("  broker: {}{backend}", record.origin.broker));
    let how = progress::Closing {
        verbose: output.verbose > 0,
        ..progress::Closing::default()
    };
    output.note(&if progress::ended(&call) {
        progress::closing(&call, &Around::default(), how, now)
    } else {
        kept::words(record, &call, here, now)
    });
    if let Some((_, beginning)) = record.cut_result() {
        if beginning != WITHHELD {
            let beginning = python::shorten(beginning, SHOWN);
            output.note(&format!("  it begins: {beginning}"));
        }
        let hint = call
            .trouble
            .as_ref()
            .and_then(|trouble| trouble.hint.as_deref());
        output.note(&format!("  hint: {}", hint.unwrap_or_default()));
    }
    output.warnings(&call.warnings);
    output.note(&progress::timeline(&call));
}

fn differ(before: &Record, after: &Record, output: Output) -> Result<u8> {
    let (old, new) = (result(before)?, result(after)?);
    let difference = diff(old, new);
    let unknown = compare::doubts([(before, old), (after, new)]);
    let same = match (difference.changes.is_empty(), unknown.is_empty()) {
        (true, true) => Some(true),
        (true, false) => None,
        (false, _) => Some(false),
    };
    if output.form == Form::Json {
        let changes = difference.changes.iter().map(|change| Changed {
            path: change.path.to_string(),
            before: change.before,
            after: change.after,
        });
        output.document(&Differences {
            schema: "umbel.diff/1",
            before: before.id().as_str(),
            after: after.id().as_str(),
            same,
            changes: changes.collect(),
            more: difference.more,
            unknown,
        });
        return Ok(0);
    }
    if same == Some(true) {
        output.note(compare::BOTH_SAME);
    }
    for doubt in unknown {
        output.note(&format!("result: {doubt}"));
    }
    for change in &difference.changes {
        output.data(&change.told("result", SHOWN));
    }
    if difference.more > 0 {
        output.data(&diff::more(difference.more));
    }
    Ok(0)
}

fn result(record: &Record) -> Result<&Json> {
    let why = |what: &str| Error::new(Kind::Usage, format!("{}: {what}", record.id()));
    compare::whole_result(record).map_err(why)
}

async fn forget(history: Option<&Handle>, id: &str, output: Output, now: Now) -> Result<u8> {
    let unreadable = match history {
        Some(history) => match history.get(id.to_owned()).await? {
            Found::Unreadable(id, _) => Some(id),
            _ => None,
        },
        None => None,
    };
    let (id, title) = if let Some(id) = unreadable {
        (id, String::new())
    } else {
        let record = find(history, Some(id)).await?;
        (record.id().clone(), record.title(SHOWN))
    };
    if let Some(history) = history {
        history.erase(id.clone(), now.wall).await?;
    }
    output.note(format!("forgotten: {id}  {title}").trim_end());
    Ok(0)
}

fn mend(place: &Place, output: Output, now: Now) -> Result<u8> {
    let Place::File(path) = place else {
        return Err(
            Error::new(Kind::Config, "history is kept in no file").hint("UMBEL_HISTORY names one")
        );
    };
    match repair(path, now.wall).map_err(Error::from)? {
        Repaired::Sound => output.note("history is sound: nothing was done"),
        Repaired::Nothing => output.note("there is no history yet"),
        Repaired::Saved {
            moved,
            calls,
            unreadable,
            hidden,
        } => {
            let lost = match (hidden, unreadable) {
                (false, _) => format!(", {unreadable} could not be read"),
                (true, 0) => "; how many could not be read is not known".to_owned(),
                (true, _) => {
                    format!("; how many could not be read is not known, {unreadable} at least")
                }
            };
            let moved = moved.display();
            output.note(&format!(
                "{calls} calls were saved{lost}; the history as it was lies at {moved}"
            ));
        }
    }
    Ok(0)
}
