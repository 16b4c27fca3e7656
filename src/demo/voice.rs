//! What a worker says aloud of its tasks while somebody listens: the events of protocol.md 4, in lists as a worker with an event loop sends
//! them. Silent until `enable_events`, as a worker without `-E` is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::build::{number, text_or_null};
use super::raised::Raised;
use super::request::Request;
use super::time::{self, Time};
use crate::broker::memory::MemoryServer;
use crate::protocol::json::Limits;
use crate::protocol::{Json, Message, Properties, python};

/// Where Celery cuts the repr of a result.
const REPR: usize = 1024;

/// Sends events, while they are switched on. Clones are the same voice.
#[derive(Clone)]
pub(super) struct Voice {
    server: MemoryServer,
    time: Time,
    node: &'static str,
    pid: u64,
    raised: Arc<State>,
}

#[derive(Default)]
struct State {
    on: AtomicBool,
    clock: AtomicU64,
}

impl Voice {
    /// A silent one.
    pub(super) fn new(server: &MemoryServer, time: Time, node: &'static str, pid: u64) -> Self {
        Self {
            server: server.clone(),
            time,
            node,
            pid,
            raised: Arc::default(),
        }
    }

    /// Switches events on or off; whether that changed anything.
    pub(super) fn switch(&self, on: bool) -> bool {
        self.raised.on.swap(on, Ordering::Relaxed) != on
    }

    /// The worker has taken it.
    pub(super) fn received(&self, request: &Request) {
        let text = |name| Json::from(request.text(name).unwrap_or_default());
        let stamp = |at| text_or_null(Option::map(at, time::iso).as_deref());
        self.say("task-received", request, || {
            vec![
                ("name", request.task.as_str().into()),
                ("args", text("argsrepr")),
                ("kwargs", text("kwargsrepr")),
                ("root_id", text_or_null(request.text("root_id"))),
                ("parent_id", text_or_null(request.text("parent_id"))),
                ("retries", Json::from(request.retries)),
                ("eta", stamp(request.eta)),
                ("expires", stamp(request.expires)),
            ]
        });
    }

    /// A process runs it.
    pub(super) fn started(&self, request: &Request) {
        self.say("task-started", request, Vec::new);
    }

    /// It returned this JSON.
    pub(super) fn succeeded(&self, request: &Request, result: &str) {
        self.say("task-succeeded", request, || {
            let value = Json::parse(result.as_bytes(), Limits::default()).unwrap_or(Json::Null);
            let repr = cut(&python::repr(&value));
            vec![("result", Json::Text(repr)), ("runtime", Json::Null)]
        });
    }

    /// It raised, or nobody knows it.
    pub(super) fn failed(&self, request: &Request, raised: &Raised) {
        self.say("task-failed", request, || words(raised));
    }

    /// It will run again.
    pub(super) fn retried(&self, request: &Request, raised: &Raised) {
        self.say("task-retried", request, || words(raised));
    }

    /// It will not run, or was killed.
    pub(super) fn revoked(&self, request: &Request, reason: &str) {
        self.say("task-revoked", request, || {
            let terminated = reason == "terminated";
            vec![
                ("terminated", Json::Bool(terminated)),
                (
                    "signum",
                    if terminated {
                        Json::from(15)
                    } else {
                        Json::Null
                    },
                ),
                ("expired", Json::Bool(reason == "expired")),
            ]
        });
    }

    fn say(&self, kind: &str, request: &Request, more: impl FnOnce() -> Vec<(&'static str, Json)>) {
        if !self.raised.on.load(Ordering::Relaxed) {
            return;
        }
        let clock = self.raised.clock.fetch_add(1, Ordering::Relaxed) + 1;
        let common = [
            ("type", kind.into()),
            ("uuid", request.id.as_str().into()),
            ("hostname", self.node.into()),
            ("pid", Json::from(self.pid)),
            ("utcoffset", Json::from(0)),
            ("clock", Json::from(clock)),
            ("timestamp", number(time::unix(self.time.now()))),
        ];
        let fields = common.into_iter().chain(more());
        let event = Json::Object(fields.map(|(key, value)| (key.to_owned(), value)).collect());
        self.server.publish_event(Message {
            properties: Properties {
                content_type: Some("application/json".to_owned()),
                content_encoding: Some("utf-8".to_owned()),
                delivery_mode: Some(1),
                ..Properties::default()
            },
            headers: vec![("hostname".to_owned(), self.node.into())],
            body: Json::List(vec![event]).to_wire().into_bytes(),
        });
    }
}

fn words(raised: &Raised) -> Vec<(&'static str, Json)> {
    vec![
        ("exception", Json::Text(raised.repr())),
        ("traceback", text_or_null(raised.traceback())),
    ]
}

/// As Celery's `saferepr` cuts: what is long ends in dots.
fn cut(repr: &str) -> String {
    if repr.chars().count() <= REPR {
        return repr.to_owned();
    }
    let mut short: String = repr.chars().take(REPR).collect();
    short.push_str("...");
    short
}
