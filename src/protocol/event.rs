//! What workers and clients say of tasks and of themselves on the exchange `celeryev` (protocol.md 4). Reads only; unknown
//! types and fields are passed over, never trusted.

use std::time::Duration;

use super::payload::PayloadError;
use super::result::moment;
use super::{Json, Message, NodeName, QueueName, TaskId, TaskName};
use crate::clock::Timestamp;

/// The exchange of events (`event_exchange` default).
pub const EXCHANGE: &str = "celeryev";

/// Events read of one message at most; workers send up to a few dozen.
pub const MOST: usize = 10_000;

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Something happened to a task.
    Task(TaskEvent),
    /// A worker came, lives or went.
    Worker(WorkerEvent),
    /// A type of the application's own or of a later Celery: its name, cut at 255 characters.
    Other(String),
}

/// Something happened to a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskEvent {
    /// Which task.
    pub uuid: TaskId,
    /// Who says so: the worker, or the client for [`TaskEventKind::Sent`].
    pub node: NodeName,
    /// When, by the sender's clock.
    pub at: Option<Timestamp>,
    /// Lamport clock of the sender; orders events better than time does.
    pub clock: u64,
    /// What.
    pub kind: TaskEventKind,
}

/// What happened to a task. Reprs are Python source as the sender wrote it, cut at 1,024 characters by the worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEventKind {
    /// A client sent it (`task_send_sent_event`).
    Sent(Box<Announced>),
    /// A worker took it; again with each retry.
    Received(Box<Announced>),
    /// It runs.
    Started,
    /// It returned.
    Succeeded {
        /// Python's repr of the value.
        result: String,
        /// How long it ran.
        runtime: Option<Duration>,
    },
    /// It raised, or is not registered.
    Failed {
        /// Python's repr of the exception.
        exception: String,
        /// Its traceback.
        traceback: Option<String>,
    },
    /// It failed and will run again.
    Retried {
        /// Python's repr of the reason.
        exception: String,
        /// Its traceback.
        traceback: Option<String>,
    },
    /// It is revoked, expired or terminated.
    Revoked {
        /// Its process was told to end.
        terminated: bool,
        /// With which signal: a number or a name.
        signum: Option<String>,
        /// It was too old to start.
        expired: bool,
    },
    /// The worker gave it back, or threw it away.
    Rejected {
        /// Whether it goes back to its queue.
        requeue: bool,
    },
    /// The worker lost its connection and cancelled it.
    Cancelled,
}

/// What a task is, told when it is sent or received. Missing fields are empty or `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// Its name, or its `shadow`.
    pub name: TaskName,
    /// Positional arguments as Python source, from the header `argsrepr`; empty if the client sent none.
    pub args: String,
    /// Keyword arguments as Python source.
    pub kwargs: String,
    /// Retries so far.
    pub retries: u64,
    /// Not before.
    pub eta: Option<Timestamp>,
    /// Not after.
    pub expires: Option<Timestamp>,
    /// The first task of its tree.
    pub root: Option<TaskId>,
    /// The task that called it; a retried one names itself.
    pub parent: Option<TaskId>,
    /// Where it was sent; only of [`TaskEventKind::Sent`].
    pub queue: Option<QueueName>,
}

/// A worker came, lives or went.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerEvent {
    /// Which worker.
    pub node: NodeName,
    /// When, by its clock.
    pub at: Option<Timestamp>,
    /// Its Lamport clock.
    pub clock: u64,
    /// What.
    pub kind: WorkerEventKind,
    /// Seconds between heartbeats; a worker silent for twice as long counts as gone.
    pub freq: Option<f64>,
    /// Tasks it runs; the answer to a remote `heartbeat` does not say.
    pub active: Option<u64>,
    /// Tasks it has run since its start.
    pub processed: Option<u64>,
    /// Load of its machine over 1, 5 and 15 minutes.
    pub loadavg: Option<[f64; 3]>,
    /// Celery's version.
    pub sw_ver: Option<String>,
}

/// What a worker says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerEventKind {
    /// It starts.
    Online,
    /// It lives.
    Heartbeat,
    /// It stops.
    Offline,
}

/// Why a message holds no events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Its body cannot be read.
    #[error("an event is not readable: {0}")]
    Payload(#[from] PayloadError),
    /// It is neither an object nor a list.
    #[error("an event is neither an object nor a list")]
    Shape,
}

/// The events of a message: a single object, or the list that workers with an event loop send (`task.multi`). What is no
/// event in a list is passed over. At most [`MOST`] are read.
pub fn parse(message: &Message) -> Result<Vec<Event>, EventError> {
    let body = message.payload()?.into_value();
    match &body {
        Json::List(items) => Ok(items.iter().take(MOST).filter_map(event).collect()),
        Json::Object(_) => Ok(event(&body).into_iter().collect()),
        _ => Err(EventError::Shape),
    }
}

fn event(fields: &Json) -> Option<Event> {
    let kind = fields.get("type")?.as_str()?;
    let known = match kind.split_once('-') {
        Some(("task", what)) => task(what, fields).map(Event::Task),
        Some(("worker", what)) => worker(what, fields).map(Event::Worker),
        _ => None,
    };
    Some(known.unwrap_or_else(|| Event::Other(kind.chars().take(255).collect())))
}

fn task(what: &str, fields: &Json) -> Option<TaskEvent> {
    Some(TaskEvent {
        uuid: TaskId(text(fields, "uuid")?),
        node: node(fields),
        at: at(fields),
        clock: clock(fields),
        kind: task_kind(what, fields)?,
    })
}

fn task_kind(what: &str, fields: &Json) -> Option<TaskEventKind> {
    let repr = |key| text(fields, key).unwrap_or_default();
    let traceback = || text(fields, "traceback");
    let flag = |key| fields.get(key).and_then(Json::as_bool).unwrap_or(false);
    Some(match what {
        "sent" => TaskEventKind::Sent(Box::new(announced(fields))),
        "received" => TaskEventKind::Received(Box::new(announced(fields))),
        "started" => TaskEventKind::Started,
        "succeeded" => TaskEventKind::Succeeded {
            result: repr("result"),
            runtime: seconds(fields, "runtime")
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        },
        "failed" => TaskEventKind::Failed {
            exception: repr("exception"),
            traceback: traceback(),
        },
        "retried" => TaskEventKind::Retried {
            exception: repr("exception"),
            traceback: traceback(),
        },
        "revoked" => TaskEventKind::Revoked {
            terminated: flag("terminated"),
            signum: signum(fields.get("signum")),
            expired: flag("expired"),
        },
        "rejected" => TaskEventKind::Rejected {
            requeue: flag("requeue"),
        },
        "cancelled" => TaskEventKind::Cancelled,
        _ => return None,
    })
}

fn announced(fields: &Json) -> Announced {
    let time = |key| fields.get(key).and_then(moment);
    Announced {
        name: TaskName(text(fields, "name").unwrap_or_default()),
        args: text(fields, "args").unwrap_or_default(),
        kwargs: text(fields, "kwargs").unwrap_or_default(),
        retries: fields.get("retries").and_then(Json::as_u64).unwrap_or(0),
        eta: time("eta"),
        expires: time("expires"),
        root: text(fields, "root_id").map(TaskId),
        parent: text(fields, "parent_id").map(TaskId),
        queue: text(fields, "queue").map(QueueName),
    }
}

fn worker(what: &str, fields: &Json) -> Option<WorkerEvent> {
    let kind = match what {
        "online" => WorkerEventKind::Online,
        "heartbeat" => WorkerEventKind::Heartbeat,
        "offline" => WorkerEventKind::Offline,
        _ => return None,
    };
    let number = |key| fields.get(key).and_then(Json::as_u64);
    Some(WorkerEvent {
        // A worker without a name is nobody.
        node: NodeName(text(fields, "hostname")?),
        at: at(fields),
        clock: clock(fields),
        kind,
        freq: seconds(fields, "freq"),
        active: number("active"),
        processed: number("processed"),
        loadavg: fields.get("loadavg").and_then(loadavg),
        sw_ver: text(fields, "sw_ver"),
    })
}

fn node(fields: &Json) -> NodeName {
    NodeName(text(fields, "hostname").unwrap_or_default())
}

fn clock(fields: &Json) -> u64 {
    fields.get("clock").and_then(Json::as_u64).unwrap_or(0)
}

/// Unix seconds of the sender's clock, to the microsecond that Python counts in; `utcoffset` has no part in it.
fn at(fields: &Json) -> Option<Timestamp> {
    let seconds = Duration::try_from_secs_f64(seconds(fields, "timestamp")?).ok()?;
    let rounded = seconds.checked_add(Duration::from_nanos(500))?.as_micros();
    Timestamp::from_microsecond(rounded.try_into().ok()?).ok()
}

/// A finite number that is not negative.
fn seconds(fields: &Json, key: &str) -> Option<f64> {
    let number = fields.get(key)?.as_f64()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

fn loadavg(value: &Json) -> Option<[f64; 3]> {
    let numbers = value.as_list()?.iter().map(Json::as_f64);
    numbers.collect::<Option<Vec<_>>>()?.try_into().ok()
}

fn signum(value: Option<&Json>) -> Option<String> {
    match value? {
        Json::Text(name) if !name.is_empty() => Some(name.clone()),
        Json::Number(number) => Some(number.clone()),
        _ => None,
    }
}

/// The text of a field; an empty one says nothing.
fn text(fields: &Json, key: &str) -> Option<String> {
    let text = fields.get(key)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::json::arbitrary;
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn read(body: &str) -> Result<Vec<Event>, EventError> {
        parse(&Message {
            body: body.into(),
            ..Message::default()
        })
    }

    fn kind(fields: &str) -> TaskEventKind {
        let body = format!(r#"{{"uuid": "a", "hostname": "w@h", {fields}}}"#);
        match read(&body).unwrap().remove(0) {
            Event::Task(event) => event.kind,
            other => panic!("{other:?}"),
        }
    }

    #[rstest]
    #[case(r#""type": "task-started""#, TaskEventKind::Started)]
    #[case(r#""type": "task-cancelled""#, TaskEventKind::Cancelled)]
    #[case(r#""type": "task-rejected", "requeue": true"#, TaskEventKind::Rejected { requeue: true })]
    #[case(r#""type": "task-succeeded", "result": "3", "runtime": 0.5"#, TaskEventKind::Succeeded { result: "3".to_owned(), runtime: Some(Duration::from_millis(500)) })]
    #[case(r#""type": "task-succeeded", "result": "3", "runtime": null"#, TaskEventKind::Succeeded { result: "3".to_owned(), runtime: None })]
    #[case(r#""type": "task-succeeded", "result": "3", "runtime": -1"#, TaskEventKind::Succeeded { result: "3".to_owned(), runtime: None })]
    #[case(r#""type": "task-failed", "exception": "E()""#, TaskEventKind::Failed { exception: "E()".to_owned(), traceback: None })]
    #[case(r#""type": "task-revoked", "terminated": true, "signum": 9"#, TaskEventKind::Revoked { terminated: true, signum: Some("9".to_owned()), expired: false })]
    #[case(r#""type": "task-revoked", "signum": "SIGTERM", "expired": true"#, TaskEventKind::Revoked { terminated: false, signum: Some("SIGTERM".to_owned()), expired: true })]
    fn every_kind_has_its_fields(#[case] fields: &str, #[case] expected: TaskEventKind) {
        assert_eq!(kind(fields), expected);
    }

    #[test]
    fn a_type_nobody_knows_is_named() {
        let other = |body: &str, name: &str| {
            assert_eq!(read(body).unwrap(), [Event::Other(name.to_owned())]);
        };
        other(r#"{"type": "shop-order"}"#, "shop-order");
        other(r#"{"type": "task-frozen", "uuid": "a"}"#, "task-frozen");
        other(r#"{"type": "task-started"}"#, "task-started");
        other(r#"{"type": "worker-online"}"#, "worker-online");
    }

    #[test]
    fn what_is_no_event_in_a_list_is_passed_over() {
        let events = read(r#"[1, {}, {"type": 5}, {"type": "task-started", "uuid": "a"}]"#);
        assert_eq!(events.unwrap().len(), 1);
        assert_eq!(read("5"), Err(EventError::Shape));
        assert!(matches!(read("["), Err(EventError::Payload(_))));
    }

    #[test]
    fn a_message_of_too_many_events_is_cut() {
        let one = r#"{"type": "task-started", "uuid": "a"},"#;
        let many = format!("[{}1]", one.repeat(MOST + 5));
        assert_eq!(read(&many).unwrap().len(), MOST);
    }

    #[rstest]
    #[case("1795345100.5", Some("2026-11-22T10:58:20.5Z"))]
    #[case("1e300", None)]
    #[case("NaN", None)]
    #[case("\"now\"", None)]
    fn time_is_the_senders(#[case] timestamp: &str, #[case] expected: Option<&str>) {
        let body = format!(r#"{{"type": "task-started", "uuid": "a", "timestamp": {timestamp}}}"#);
        let Event::Task(event) = read(&body).unwrap().remove(0) else {
            panic!("a task event");
        };
        assert_eq!(event.at, expected.map(|text| text.parse().unwrap()));
    }

    proptest! {
        #[test]
        fn events_of_any_shape_are_read_or_skipped(value in arbitrary::lenient(), what in "(task|worker)-[a-z]{1,9}") {
            let fields = ["uuid", "hostname", "timestamp", "runtime", "loadavg", "signum", "eta", "args", "clock"];
            for kind in [what.as_str(), "task-received", "task-revoked", "task-succeeded", "worker-heartbeat"] {
                let mut event = fields.map(|name| (name.to_owned(), value.clone())).to_vec();
                event.push(("type".to_owned(), kind.into()));
                prop_assert_eq!(read(&Json::Object(event).to_wire()).unwrap().len(), 1);
            }
        }

        #[test]
        fn any_body_is_events_or_an_error(body in any::<Vec<u8>>()) {
            let _ = parse(&Message { body, ..Message::default() });
        }
    }
}
