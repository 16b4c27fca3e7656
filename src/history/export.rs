//! History for other programs: JSONL, exact, and CSV for spreadsheets. Pure.
//!
//! JSONL has one document `umbel.call/1` a line. CSV is RFC 4180 (CRLF, quotes doubled). A spreadsheet takes a cell that begins
//! with `= + - @`, their full-width forms (in Japanese and Chinese spreadsheets), tab or line end for a formula, and what workers send
//! is not ours; so arguments, results and tracebacks stand as JSON, which never begins so but for a negative number, and any other text that does
//! gets an apostrophe before it. Cells with a `;` or a tab are quoted too: many spreadsheets part cells there. JSONL is the exact form.

use std::time::Duration;

use super::Record;
use super::record::Kept;
use crate::call::CallState;
use crate::call::document::{options, rfc3339};
use crate::clock::Now;
use crate::protocol::Json;

/// The first line of the CSV form.
pub const CSV_HEAD: &str = "created,id,task,state,queue,worker,queued_ms,ran_ms,total_ms,args,kwargs,result,error,options,broker,traceback\r\n";

/// One call as a line of JSONL.
pub fn jsonl(record: &Record, now: Now) -> String {
    record.to_line(now) + "\n"
}

/// One call as a line of CSV. What is unknown is empty.
pub fn csv(record: &Record) -> String {
    let json = |value: Json| quoted(&value.to_wire());
    let ms =
        |time: Option<Duration>| time.map_or_else(String::new, |time| time.as_millis().to_string());
    let returned = matches!(record.state, CallState::Ok | CallState::LateOk);
    let answer = record.answer.as_ref().filter(|_| returned);
    let result = answer.map(|answer| &answer.value);
    let traceback = record
        .answer
        .as_ref()
        .and_then(|it| it.traceback.as_deref());
    let cells = [
        rfc3339(record.times.created),
        text(record.id().as_str()),
        text(record.task().as_str()),
        record.listed().to_string(),
        text(record.queue.as_ref().map_or("", |queue| queue.as_str())),
        text(record.worker.as_ref().map_or("", |worker| worker.as_str())),
        ms(record.times.queued()),
        ms(record.times.ran()),
        ms(record.times.total()),
        json(Json::List(record.signature.args.clone())),
        json(Json::Object(record.signature.kwargs.clone())),
        match result {
            Some(Kept::Whole(value)) => quoted(&value.to_wire()),
            // Its beginning is no value.
            Some(Kept::Cut { .. }) | None => String::new(),
        },
        text(error(record)),
        json(options::of(&record.signature.options)),
        text(&record.origin.broker),
        traceback.map_or_else(String::new, |traceback| json(Json::from(traceback))),
    ];
    cells.join(",") + "\r\n"
}

fn error(record: &Record) -> &str {
    let trouble = record
        .trouble
        .as_ref()
        .map(|trouble| trouble.message.as_str());
    record.headline.as_deref().or(trouble).unwrap_or_default()
}

/// What makes a formula of a cell.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n'];

/// Free text: never a formula.
fn text(text: &str) -> String {
    if text.starts_with(FORMULA) {
        quoted(&format!("'{text}"))
    } else {
        quoted(text)
    }
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', ';', '\t', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
