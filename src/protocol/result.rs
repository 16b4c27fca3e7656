//! The result object that every backend stores or sends, in every state (protocol.md 2.1).
//!
//! Read from every serializer and compression; of a pickled one the state is known, its value an outline.

use super::json::Limits;
use super::payload::{self, Form, Opaque, Payload, PayloadError};
use super::python;
use super::{Json, Message, NodeName, TaskId, ids, typed};
use crate::clock::Timestamp;

/// State of a task as Celery names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing is known; never stored, never shown as such.
    Pending,
    /// A worker started it (`task_track_started`).
    Started,
    /// It failed and will run again.
    Retry,
    /// It returned.
    Success,
    /// It raised, or could not be run.
    Failure,
    /// Revoked, expired or terminated.
    Revoked,
    /// A state of the application's own, such as `PROGRESS`; `RECEIVED` and `REJECTED` too.
    Custom(String),
}

/// A Python exception as Celery stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Class name, qualified within its module.
    pub kind: String,
    /// Module, when told.
    pub module: Option<String>,
    /// Its arguments; may be empty (pydantic's `ValidationError` is).
    pub args: Vec<Json>,
}

/// A state change of a task as read from a result backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskResult {
    /// Which task.
    pub id: TaskId,
    /// Its state.
    pub state: State,
    /// Return value, meta of a custom state, or `{"pid", "hostname"}` of STARTED; the raw exception object of a failure.
    pub value: Json,
    /// The exception of RETRY, FAILURE and REVOKED.
    pub exception: Option<Exception>,
    /// Python's traceback text.
    pub traceback: Option<String>,
    /// When it ended, as the worker says (5.3 naive UTC, later with an offset).
    pub done_at: Option<Timestamp>,
    /// Worker, from STARTED's hostname or an extended result.
    pub worker: Option<NodeName>,
    /// Process id, from STARTED.
    pub pid: Option<u64>,
    /// Retries so far, from an extended result.
    pub retries: Option<u64>,
    /// Size of the stored document in bytes, as it was stored or sent.
    pub size: usize,
    /// What it was written in.
    pub form: Form,
    /// What it does, if it is pickled: then `value` is an outline, in which everything that only Python can rebuild is a
    /// text such as `<shop.models.Order (1, 'x')>`.
    pub opaque: Option<Opaque>,
}

/// Why a result cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResultError {
    /// It cannot be read.
    #[error("the result is not readable: {0}")]
    Payload(#[from] PayloadError),
    /// It is readable, but no result object.
    #[error("the result has no {0}")]
    Shape(&'static str),
    /// It is pickled, and its outline is no result object. Pickle is never executed.
    #[error(
        "the result is pickled ({0} bytes), and what can be told of it without executing it is no result"
    )]
    Pickled(usize),
}

impl State {
    /// Celery's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "PENDING",
            Self::Started => "STARTED",
            Self::Retry => "RETRY",
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Revoked => "REVOKED",
            Self::Custom(word) => word,
        }
    }

    /// The state of Celery's word.
    pub fn from_word(word: &str) -> Self {
        match word {
            "PENDING" => Self::Pending,
            "STARTED" => Self::Started,
            "RETRY" => Self::Retry,
            "SUCCESS" => Self::Success,
            "FAILURE" => Self::Failure,
            "REVOKED" => Self::Revoked,
            custom => Self::Custom(custom.to_owned()),
        }
    }

    /// Whether nothing follows: SUCCESS, FAILURE, REVOKED.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::Revoked)
    }

    /// Whether Celery stores an exception as the result of this state.
    pub fn has_exception(&self) -> bool {
        matches!(self, Self::Retry | Self::Failure | Self::Revoked)
    }
}

impl TaskResult {
    /// A state with its value, of which nothing else is told.
    pub fn new(id: TaskId, state: State, value: Json) -> Self {
        Self {
            id,
            state,
            value,
            exception: None,
            traceback: None,
            done_at: None,
            worker: None,
            pid: None,
            retries: None,
            size: 0,
            form: Form::Json,
            opaque: None,
        }
    }

    /// Reads a stored result. `content_type` is the message's, or `None` where the backend has none (redis); `id` is used when
    /// the document does not name its task.
    pub fn parse(
        payload: &[u8],
        content_type: Option<&str>,
        id: &TaskId,
    ) -> Result<Self, ResultError> {
        Self::read(payload, content_type, None, id)
    }

    /// Reads a sent result (rpc), which may be compressed as its header `compression` says.
    pub fn of_message(message: &Message, id: &TaskId) -> Result<Self, ResultError> {
        let content_type = message.properties.content_type.as_deref();
        Self::read(&message.body, content_type, message.compression(), id)
    }

    fn read(
        payload: &[u8],
        content_type: Option<&str>,
        compression: Option<&str>,
        id: &TaskId,
    ) -> Result<Self, ResultError> {
        let size = payload.len();
        match payload::decode(payload, content_type, compression, Limits::default())? {
            Payload::Value(form, document) => Self::of_document(document, form, size, id),
            Payload::Opaque(mut opaque) => {
                // The outline moves into the record; it may be large.
                let document = std::mem::replace(&mut opaque.outline, Json::Null);
                let result = Self::of_document(document, Form::Pickle, size, id);
                let mut result = result.map_err(|_| ResultError::Pickled(size))?;
                if result.state.has_exception() {
                    result.exception = opaque.raised.take().or(result.exception);
                }
                result.opaque = Some(opaque);
                Ok(result)
            }
        }
    }

    fn of_document(
        mut document: Json,
        form: Form,
        size: usize,
        id: &TaskId,
    ) -> Result<Self, ResultError> {
        let value = take(&mut document, "result")?;
        let status = text(&document, "status").ok_or(ResultError::Shape("status"))?;
        let state = State::from_word(&status);
        let started = state == State::Started;
        let told = |key| value.get(key).filter(|_| started);
        let hostname = told("hostname").and_then(Json::as_str);
        Ok(Self {
            id: text(&document, "task_id").map_or_else(|| id.clone(), TaskId),
            exception: Exception::read(&value).filter(|_| state.has_exception()),
            traceback: text(&document, "traceback"),
            done_at: document.get("date_done").and_then(moment),
            worker: text(&document, "worker")
                .or_else(|| hostname.map(str::to_owned))
                .map(NodeName),
            pid: told("pid").and_then(ids::pid),
            retries: document.get("retries").and_then(Json::as_u64),
            size,
            form,
            opaque: None,
            state,
            value,
        })
    }
}

/// Moves a field out of the document, which may be too large to copy; a missing one is null.
fn take(document: &mut Json, key: &str) -> Result<Json, ResultError> {
    let Json::Object(entries) = document else {
        return Err(ResultError::Shape("fields"));
    };
    let at = entries.iter().rposition(|(name, _)| name == key);
    Ok(at.map_or(Json::Null, |at| entries.remove(at).1))
}

/// The text of a field; an empty one says nothing.
fn text(document: &Json, key: &str) -> Option<String> {
    let text = document.get(key)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// An ISO time; without an offset it is UTC (Celery 5.3).
pub(super) fn moment(value: &Json) -> Option<Timestamp> {
    let text = match typed::recognise(value) {
        Some(typed) => typed.text,
        None => value.as_str()?,
    };
    text.parse().ok().or_else(|| {
        let naive: jiff::civil::DateTime = text.parse().ok()?;
        let utc = naive.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(utc.timestamp())
    })
}

impl Exception {
    /// Reads the exception object of a result. Whatever else stands there is kept as the argument of a plain `Exception`.
    fn read(value: &Json) -> Option<Self> {
        if *value == Json::Null {
            return None;
        }
        let Some(kind) = text(value, "exc_type") else {
            return Some(Self {
                kind: "Exception".to_owned(),
                module: None,
                args: vec![value.clone()],
            });
        };
        let args = match value.get("exc_message") {
            None | Some(Json::Null) => Vec::new(),
            Some(Json::List(args)) => args.clone(),
            Some(single) => vec![single.clone()],
        };
        let module = text(value, "exc_module");
        Some(Self { kind, module, args })
    }

    /// `Type: message`, the headline Python would print: string args as they are, others as Python writes them, joined by `, `; only the type if there are none.
    pub fn headline(&self) -> String {
        if self.args.is_empty() {
            return self.kind.clone();
        }
        let words: Vec<String> = self.args.iter().map(argument).collect();
        format!("{}: {}", self.kind, words.join(", "))
    }

    /// Whether this is Celery's `NotRegistered`.
    pub fn is_not_registered(&self) -> bool {
        self.kind == "NotRegistered"
    }

    /// Whether this is `TaskRevokedError("expired")`.
    pub fn is_expired(&self) -> bool {
        self.is_revoked_as("expired")
    }

    /// Whether this is `TaskRevokedError("terminated")`.
    pub fn is_terminated(&self) -> bool {
        self.is_revoked_as("terminated")
    }

    fn is_revoked_as(&self, why: &str) -> bool {
        self.kind == "TaskRevokedError" && self.args.first().and_then(Json::as_str) == Some(why)
    }
}

fn argument(value: &Json) -> String {
    match value {
        Json::Text(text) => text.clone(),
        other => python::repr(other),
    }
}

/// The line of a traceback that names the exception, such as `shop.errors.Broken: no stock`; for exceptions that carry no
/// arguments but print a text of their own (pydantic's `ValidationError`).
pub fn headline_from_traceback(traceback: &str) -> Option<String> {
    let is_headline = |line: &&str| !line.is_empty() && !line.starts_with([' ', '\t', '"']);
    if let Some(group) = after_last(traceback, "  + Exception Group Traceback") {
        let mut lines = group.lines().filter_map(|line| line.strip_prefix("  | "));
        return lines.find(is_headline).map(str::to_owned);
    }
    // Of chained exceptions the last is the one that was raised.
    let last = after_last(traceback, "Traceback (most recent call last):").unwrap_or(traceback);
    last.lines()
        .map(str::trim_end)
        .find(is_headline)
        .map(str::to_owned)
}

fn after_last<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.rfind(mark).map(|at| &text[at + mark.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn parse(text: &str) -> Result<TaskResult, ResultError> {
        TaskResult::parse(text.as_bytes(), None, &TaskId::from("asked"))
    }

    fn exception(text: &str) -> Exception {
        let document = format!(r#"{{"status": "FAILURE", "result": {text}}}"#);
        parse(&document).unwrap().exception.unwrap()
    }

    #[rstest]
    #[case("PENDING", State::Pending)]
    #[case("STARTED", State::Started)]
    #[case("RETRY", State::Retry)]
    #[case("SUCCESS", State::Success)]
    #[case("FAILURE", State::Failure)]
    #[case("REVOKED", State::Revoked)]
    #[case("RECEIVED", State::Custom("RECEIVED".to_owned()))]
    fn states_have_celerys_words(#[case] word: &str, #[case] state: State) {
        assert_eq!(State::from_word(word), state);
        assert_eq!(state.as_str(), word);
    }

    #[test]
    fn an_expired_task_is_told_from_a_killed_one() {
        let revoked = |why: &str| {
            exception(&format!(
                r#"{{"exc_type": "TaskRevokedError", "exc_message": ["{why}"]}}"#
            ))
        };
        assert!(revoked("expired").is_expired() && !revoked("expired").is_terminated());
        assert!(revoked("terminated").is_terminated() && !revoked("revoked").is_terminated());
        assert!(exception(r#"{"exc_type": "NotRegistered"}"#).is_not_registered());
    }

    #[rstest]
    #[case(
        r#"{"exc_type": "ValueError", "exc_message": ["boom", 42, null]}"#,
        "ValueError: boom, 42, None"
    )]
    #[case(r#"{"exc_type": "Old", "exc_message": "just text"}"#, "Old: just text")]
    #[case(
        r#"{"exc_type": "ValidationError", "exc_message": []}"#,
        "ValidationError"
    )]
    #[case(r#"{"exc_type": "E", "exc_message": null}"#, "E")]
    #[case(r#"{"exc_type": "E"}"#, "E")]
    #[case(
        r#"{"exc_type": "E", "exc_message": {"__type__": "decimal", "__value__": "1"}}"#,
        "E: Decimal('1')"
    )]
    #[case(r#""only text""#, "Exception: only text")]
    fn the_headline_is_what_python_prints(#[case] stored: &str, #[case] expected: &str) {
        assert_eq!(exception(stored).headline(), expected);
    }

    #[test]
    fn an_exception_may_be_missing_and_a_return_value_may_look_like_one() {
        assert_eq!(
            parse(r#"{"status": "REVOKED", "result": null}"#)
                .unwrap()
                .exception,
            None
        );
        let value = r#"{"status": "SUCCESS", "result": {"exc_type": "E", "pid": 5}}"#;
        let result = parse(value).unwrap();
        assert_eq!((result.exception, result.pid), (None, None));
    }

    #[test]
    fn a_greenlet_that_started_a_task_is_no_process() {
        let started = |pid: &str| {
            let text =
                format!(r#"{{"status": "STARTED", "result": {{"pid": {pid}, "hostname": "w1"}}}}"#);
            parse(&text).unwrap().pid
        };
        assert_eq!(started("4120"), Some(4_120));
        assert_eq!(started("140280088452992"), None);
    }

    #[test]
    fn a_document_without_id_is_of_the_task_that_was_asked_for() {
        assert_eq!(
            parse(r#"{"status": "SUCCESS"}"#).unwrap().id,
            TaskId::from("asked")
        );
        let named = parse(r#"{"status": "SUCCESS", "task_id": "own"}"#).unwrap();
        assert_eq!(
            (named.id, named.value, named.size),
            (TaskId::from("own"), Json::Null, 39)
        );
    }

    #[rstest]
    #[case("\"2026-11-22T10:52:37.067195\"", Some("2026-11-22T10:52:37.067195Z"))]
    #[case("\"2026-11-22T10:52:37+00:00\"", Some("2026-11-22T10:52:37Z"))]
    #[case("\"2026-11-22T05:52:37-05:00\"", Some("2026-11-22T10:52:37Z"))]
    #[case(
        r#"{"__type__": "datetime", "__value__": "2026-11-22T10:52:37"}"#,
        Some("2026-11-22T10:52:37Z")
    )]
    #[case("\"soon\"", None)]
    #[case("17", None)]
    #[case("null", None)]
    fn a_time_without_offset_is_utc(#[case] done: &str, #[case] expected: Option<&str>) {
        let result = parse(&format!(r#"{{"status": "SUCCESS", "date_done": {done}}}"#)).unwrap();
        assert_eq!(result.done_at, expected.map(|text| text.parse().unwrap()));
    }

    #[rstest]
    #[case(
        "",
        "the result is not readable: not JSON: expected a value, found the end at line 1, column 1"
    )]
    #[case("[1]", "the result has no fields")]
    #[case("{}", "the result has no status")]
    #[case(r#"{"status": 1}"#, "the result has no status")]
    #[case(r#"{"status": ""}"#, "the result has no status")]
    fn what_is_no_result_says_why(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(parse(text).unwrap_err().to_string(), expected);
    }

    #[rstest]
    #[case(b"children: []\nstatus: SUCCESS\n", None, Form::Yaml)]
    #[case(b"{status: SUCCESS}", Some("application/x-yaml"), Form::Yaml)]
    #[case(b"\x81\xa6status\xa7SUCCESS", None, Form::Msgpack)]
    #[case(b"\x80\x04}\x8c\x06status\x8c\x07SUCCESSs.", None, Form::Pickle)]
    #[case(b"{\"status\": \"SUCCESS\"}", Some(""), Form::Json)]
    fn every_form_is_told_by_its_type_or_its_first_bytes(
        #[case] payload: &[u8],
        #[case] content_type: Option<&str>,
        #[case] form: Form,
    ) {
        let result = TaskResult::parse(payload, content_type, &TaskId::default()).unwrap();
        assert_eq!((result.state, result.form), (State::Success, form));
        assert_eq!(result.opaque.is_some(), form == Form::Pickle);
    }

    #[rstest]
    #[case(
        b"\x80\x04\x95abc",
        None,
        "the result is pickled (6 bytes), and what can be told of it without executing it is no result"
    )]
    #[case(
        b"{}",
        Some("text/odd"),
        "the result is not readable: it is of type \"text/odd\", which is not known"
    )]
    #[case(
        b"\x82\xa6status",
        None,
        "the result is not readable: not msgpack: the data is cut off at byte 8"
    )]
    #[case(
        b"\0celery-compressed\0application/x-gzip\0\x78\x9c",
        None,
        "the result is not readable: it is compressed as gzip, but it is cut off; 2 bytes hold 0 readable bytes of content"
    )]
    fn what_cannot_be_read_says_why(
        #[case] payload: &[u8],
        #[case] content_type: Option<&str>,
        #[case] expected: &str,
    ) {
        let error = TaskResult::parse(payload, content_type, &TaskId::default()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn pydantics_error_has_its_headline_in_the_traceback() {
        let traceback = "Traceback (most recent call last):\n  File \"x.py\", line 1, in f\n    Order()\n\
            pydantic_core.ValidationError: 1 validation error for Order\namount\n  Field required\n";
        let headline = headline_from_traceback(traceback);
        assert_eq!(
            headline.as_deref(),
            Some("pydantic_core.ValidationError: 1 validation error for Order")
        );
    }

    #[rstest]
    #[case("", None)]
    #[case("   \n\n", None)]
    #[case("ValueError: x", Some("ValueError: x"))]
    #[case(
        "Traceback (most recent call last):\n  File\nA: 1\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File\nB: 2\n",
        Some("B: 2")
    )]
    #[case(
        "  + Exception Group Traceback (most recent call last):\n  |   File\n  | ExceptionGroup: two (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n    | Traceback (most recent call last):\n    |   File\n    | ValueError: 1\n    +------------------------------------\n",
        Some("ExceptionGroup: two (2 sub-exceptions)")
    )]
    fn the_last_exception_of_a_traceback_is_the_headline(
        #[case] traceback: &str,
        #[case] expected: Option<&str>,
    ) {
        assert_eq!(headline_from_traceback(traceback).as_deref(), expected);
    }

    proptest! {
        #[test]
        fn any_payload_is_a_result_or_an_error(payload in any::<Vec<u8>>(), told in any::<Option<String>>()) {
            let _ = TaskResult::parse(&payload, told.as_deref(), &TaskId::default());
        }

        #[test]
        fn any_fields_are_a_result(value in super::super::json::arbitrary::lenient()) {
            let fields = ["result", "traceback", "date_done", "task_id", "worker", "retries"];
            let entries = fields.map(|field| (field.to_owned(), value.clone()));
            for word in ["FAILURE", "STARTED", "SUCCESS"] {
                let mut document = vec![("status".to_owned(), Json::from(word))];
                document.extend(entries.clone());
                let result = parse(&Json::Object(document).to_wire()).unwrap();
                prop_assert_eq!(result.value, value.clone());
            }
        }

        #[test]
        fn any_traceback_has_a_headline_or_none(text in any::<String>()) {
            let _ = headline_from_traceback(&text);
        }
    }
}
