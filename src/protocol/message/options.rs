//! The options of `apply_async` and what becomes of them: headers, properties, limits. Refuses whatever a worker would trip over
//! or read as something else.

use std::collections::HashSet;
use std::time::Duration;

use super::super::json::double;
use super::super::{Compression, Json, QueueName, Serializer, typed};
use super::EncodeError;
use crate::clock::Timestamp;

/// When a worker may start it at the earliest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// `countdown`: so long after it is sent.
    After(Duration),
    /// `eta`.
    At(Timestamp),
}

/// The options of `apply_async`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The queue named by the user; else it is chosen (ux.md 0.1, ruling 19).
    pub queue: Option<QueueName>,
    /// Exchange to publish to instead of the default exchange.
    pub exchange: Option<String>,
    /// Routing key for that exchange, or for the exchange of the chosen queue.
    pub routing_key: Option<String>,
    /// `countdown` or `eta`; travels as the header `eta`.
    pub start: Option<Start>,
    /// How long after sending a worker may still start it; travels as a header only (protocol.md 9.4).
    pub expires: Option<Duration>,
    /// Until when, where a time was named: exactly that travels, whenever it is sent, and `expires` counts for nothing.
    pub expires_at: Option<Timestamp>,
    /// AMQP: 0 to 255, the highest first, only in queues with `x-max-priority`. Redis: 0 to 9, 0 first.
    pub priority: Option<u8>,
    /// Hard time limit: the process is killed; overrides the task's own.
    pub time_limit: Option<Duration>,
    /// Soft time limit: `SoftTimeLimitExceeded` is raised in the task.
    pub soft_time_limit: Option<Duration>,
    /// Further headers, which the task sees as `self.request.NAME`; none of Celery's own names.
    pub headers: Vec<(String, Json)>,
    /// How the body is written; `None`: JSON, or what the workers accept.
    pub serializer: Option<Serializer>,
    /// How the body is compressed.
    pub compression: Option<Compression>,
    /// Name that logs and events show instead of the task's.
    pub shadow: Option<String>,
    /// `None`: the task decides. `Some(false)` asks for a result of a task that ignores it (Celery 5.6+).
    pub ignore_result: Option<bool>,
}

/// Bytes of user headers and shadow together: all headers must fit into one AMQP frame, of which Celery's own need a part.
const LARGEST_HEADERS: usize = 16 << 10;

/// An AMQP table's key.
const LONGEST_NAME: usize = 255;

/// Lists and objects inside each other in a header.
const DEEPEST_HEADER: usize = 16;

/// The longest time limit: workers add it to the time of day.
const LONGEST_LIMIT: Duration = Duration::from_hours(100 * 365 * 24);

/// What Celery itself puts into a request or reads from it (`celery.app.task.Context`, protocol.md 1.1), and what RabbitMQ
/// takes for further addressees (`CC`, `BCC`: the task would run twice).
const TAKEN: [&str; 52] = [
    "BCC",
    "CC",
    "args",
    "argsrepr",
    "as_execution_options",
    "callbacks",
    "called_directly",
    "chain",
    "children",
    "chord",
    "clear",
    "clock",
    "compression",
    "correlation_id",
    "delivery_info",
    "errbacks",
    "eta",
    "execution_options",
    "expires",
    "get",
    "group",
    "group_index",
    "headers",
    "hostname",
    "id",
    "ignore_result",
    "is_eager",
    "kwargs",
    "kwargsrepr",
    "lang",
    "logfile",
    "loglevel",
    "origin",
    "parent_id",
    "priority",
    "properties",
    "replaced_task_nesting",
    "reply_to",
    "retries",
    "root_id",
    "shadow",
    "soft_time_limit",
    "stamped_headers",
    "stamps",
    "task",
    "taskset",
    "ticket",
    "time_limit",
    "timelimit",
    "update",
    "utc",
    "x-death",
];

impl Options {
    /// Refuses what no worker should meet; the errors are those about options.
    pub fn check(&self) -> Result<(), EncodeError> {
        self.check_limits()?;
        if let Some(Start::At(at)) = self.start
            && at.as_second() < FIRST_YEAR
        {
            return Err(EncodeError::Eta);
        }
        let mut seen = HashSet::new();
        let mut size = self.shadow.as_deref().map_or(0, str::len);
        for (name, value) in &self.headers {
            check_name(name, seen.insert(name.as_str()))?;
            let wrong = |what: String| EncodeError::Header(name.clone(), what);
            check_header(value, DEEPEST_HEADER).map_err(wrong)?;
            size = size.saturating_add(name.len() + weight(value));
        }
        if size > LARGEST_HEADERS {
            return Err(EncodeError::LargeHeaders(size));
        }
        Ok(())
    }

    /// Celery raises when the soft limit is above the hard one (`Task.apply_async`).
    fn check_limits(&self) -> Result<(), EncodeError> {
        let limits = [self.time_limit, self.soft_time_limit];
        if let Some(odd) = limits.into_iter().flatten().find(|limit| !is_limit(*limit)) {
            return Err(EncodeError::Limit(odd));
        }
        match (self.time_limit, self.soft_time_limit) {
            (Some(hard), Some(soft)) if soft > hard => Err(EncodeError::SoftLimit { soft, hard }),
            _ => Ok(()),
        }
    }

    /// The header `eta`; no delay at all is none, as in Celery.
    pub(super) fn eta(&self, now: Timestamp) -> Json {
        match self.start {
            None | Some(Start::After(Duration::ZERO)) => Json::Null,
            Some(Start::After(after)) => later(now, after),
            Some(Start::At(at)) => moment(at),
        }
    }

    pub(super) fn expires(&self, now: Timestamp) -> Json {
        self.expiry(now).map_or(Json::Null, moment)
    }

    /// Until when a worker may start what is sent at `sent`; `None`: whenever it comes to it.
    pub fn expiry(&self, sent: Timestamp) -> Option<Timestamp> {
        let counted = || Some(add(sent, self.expires?));
        self.expires_at.or_else(counted)
    }

    /// The header `timelimit`: `[hard, soft]` in seconds.
    pub(super) fn timelimit(&self) -> Json {
        let limits = [self.time_limit, self.soft_time_limit];
        Json::List(limits.map(|limit| limit.map_or(Json::Null, seconds)).into())
    }
}

/// 0001-01-01, the first day of Python's calendar, and a day for its offsets.
const FIRST_YEAR: i64 = -62_135_596_800 + 86_400;

fn is_limit(limit: Duration) -> bool {
    (Duration::from_millis(1)..=LONGEST_LIMIT).contains(&limit)
}

fn check_name(name: &str, new: bool) -> Result<(), EncodeError> {
    let wrong = |what: &str| Err(EncodeError::Header(name.to_owned(), what.to_owned()));
    if name.is_empty() {
        return wrong("has no name");
    }
    if name.len() > LONGEST_NAME {
        return wrong("has a name of more than 255 bytes");
    }
    if TAKEN.contains(&name) || name.starts_with('_') {
        return wrong("has a name that Celery or the broker use themselves");
    }
    if !new {
        return wrong("is given twice");
    }
    Ok(())
}

/// What an AMQP table can hold, and JSON on Redis too, and a worker reads alike from both.
fn check_header(value: &Json, room: usize) -> Result<(), String> {
    let inside = || room.checked_sub(1).ok_or("is nested too deeply");
    match value {
        Json::Number(number) if !is_amqp_number(number) => Err(format!(
            "holds the number {number}, which no AMQP header can hold"
        )),
        Json::List(items) => {
            let room = inside()?;
            items.iter().try_for_each(|item| check_header(item, room))
        }
        // On Redis a worker would decode it, on AMQP not.
        Json::Object(_) if typed::is_marked(value) => {
            Err("holds a typed value, which only arguments can carry".to_owned())
        }
        Json::Object(entries) => {
            let room = inside()?;
            let mut seen = HashSet::new();
            entries.iter().try_for_each(|(key, value)| {
                if key.len() > LONGEST_NAME {
                    return Err("holds a key of more than 255 bytes".to_owned());
                }
                if !seen.insert(key) {
                    return Err(format!("holds the key {key:?} twice"));
                }
                check_header(value, room)
            })
        }
        _ => Ok(()),
    }
}

/// 64 bits, or a double whose text says no more than the double does.
fn is_amqp_number(number: &str) -> bool {
    let whole = number.strip_prefix('-').unwrap_or(number);
    if whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return number.parse::<i64>().is_ok();
    }
    double(number).is_some()
}

fn weight(value: &Json) -> usize {
    const HEAD: usize = 9;
    HEAD + match value {
        Json::Text(text) => text.len(),
        Json::List(items) => items.iter().map(weight).sum(),
        Json::Object(entries) => entries
            .iter()
            .map(|(key, value)| key.len() + weight(value))
            .sum(),
        Json::Null | Json::Bool(_) | Json::Number(_) => 0,
    }
}

fn later(now: Timestamp, after: Duration) -> Json {
    moment(add(now, after))
}

fn add(now: Timestamp, after: Duration) -> Timestamp {
    now.checked_add(after).unwrap_or(Timestamp::MAX)
}

/// ISO 8601 in UTC with microseconds, as Celery's own client writes it.
fn moment(at: Timestamp) -> Json {
    Json::Text(at.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string())
}

/// A whole number where it is one.
fn seconds(limit: Duration) -> Json {
    let whole = limit.as_secs();
    match limit.subsec_nanos() {
        0 => Json::from(whole),
        nanos => {
            let text = format!("{whole}.{nanos:09}");
            Json::Number(text.trim_end_matches('0').to_owned())
        }
    }
}
