//! What a worker sends about a task: the result document of each state (protocol.md 2.1), to the caller's reply queue (2.3).

use std::fmt::Write;

use super::build::{number, object, text_or_null};
use super::raised::Raised;
use super::request::Request;
use super::time::{self, Time};
use super::voice::Voice;
use crate::broker::memory::MemoryServer;
use crate::clock::Timestamp;
use crate::protocol::{Json, Message, Properties};

/// Sends results.
#[derive(Clone)]
pub(super) struct Outbox {
    pub server: MemoryServer,
    pub time: Time,
    pub node: &'static str,
    pub voice: Voice,
}

/// A state of a task and what belongs to it.
pub(super) struct Report<'a> {
    status: &'a str,
    /// The result as JSON text, so that a large one is written only once.
    result: String,
    traceback: Option<&'a str>,
    children: Json,
    done: bool,
}

impl<'a> Report<'a> {
    fn new(status: &'a str, result: String) -> Self {
        Self {
            status,
            result,
            traceback: None,
            children: Json::List(Vec::new()),
            done: false,
        }
    }

    fn raised(status: &'a str, raised: &'a Raised) -> Self {
        Self {
            traceback: raised.traceback(),
            ..Self::new(status, raised.document().to_wire())
        }
    }

    fn done(self) -> Self {
        Self { done: true, ..self }
    }
}

impl Outbox {
    /// A process of the pool has it.
    pub(super) fn started(&self, request: &Request, pid: u64) {
        let meta = object([("pid", number(pid)), ("hostname", self.node.into())]);
        self.send(request, Report::new("STARTED", meta.to_wire()));
    }

    /// A state of the task's own.
    pub(super) fn custom(&self, request: &Request, state: &str, meta: &Json) {
        self.send(request, Report::new(state, meta.to_wire()));
    }

    /// It returned; `result` is JSON.
    pub(super) fn succeeded(&self, request: &Request, result: String) {
        self.send(request, Report::new("SUCCESS", result).done());
    }

    /// It raised, or nobody knows it.
    pub(super) fn failed(&self, request: &Request, raised: &Raised) {
        self.send(request, Report::raised("FAILURE", raised).done());
    }

    /// It will run again.
    pub(super) fn retried(&self, request: &Request, raised: &Raised) {
        let own = Json::List(vec![Json::from(request.id.as_str()), Json::Null]);
        let children = Json::List(vec![Json::List(vec![own, Json::Null])]);
        let report = Report {
            children,
            ..Report::raised("RETRY", raised)
        };
        self.send(request, report);
    }

    /// It will not run (`revoked`, `expired`), or was killed (`terminated`).
    pub(super) fn revoked(&self, request: &Request, reason: &str) {
        let kind = ("celery.exceptions", "TaskRevokedError");
        let raised = Raised::bare(kind, vec![reason.into()]);
        self.send(request, Report::raised("REVOKED", &raised).done());
    }

    fn send(&self, request: &Request, report: Report<'_>) {
        let Some(reply_to) = request.reply_to() else {
            return;
        };
        let message = Message {
            properties: Properties {
                content_type: Some("application/json".to_owned()),
                content_encoding: Some("utf-8".to_owned()),
                delivery_mode: Some(1),
                correlation_id: Some(request.correlation_id()),
                reply_to: None,
                priority: Some(0),
            },
            headers: Vec::new(),
            body: document(request, report, self.time.now()).into_bytes(),
        };
        self.server.publish(&reply_to, message);
    }
}

fn document(request: &Request, report: Report<'_>, now: Timestamp) -> String {
    let done = report.done.then(|| time::iso(now));
    let mut fields = vec![
        ("traceback", text_or_null(report.traceback)),
        ("children", report.children),
        ("date_done", text_or_null(done.as_deref())),
    ];
    for (field, header) in [("group_id", "group"), ("parent_id", "parent_id")] {
        if let Some(id) = request.text(header) {
            fields.push((field, id.into()));
        }
    }
    fields.push(("task_id", request.id.as_str().into()));
    let status = Json::from(report.status).to_wire();
    let mut document = format!("{{\"status\": {status}, \"result\": ");
    document.push_str(&report.result);
    for (name, value) in fields {
        // Writing to a String never fails.
        let _ = write!(document, ", \"{name}\": {}", value.to_wire());
    }
    document.push('}');
    document
}
