//! Remote control (pidbox): requests to workers and their replies (protocol.md 3).

use super::json::JsonError;
use super::{Json, Message, NodeName, QueueName, TaskId, TaskName};

/// The fanout exchange of control requests (`control_exchange` default, `celery`).
pub const EXCHANGE: &str = "celery.pidbox";

/// What a worker can be asked or told. Only what umbel uses; nothing dangerous can be formed by accident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// Answers `{"ok": "pong"}`.
    Ping,
    /// Task names; with `item`, that attribute of each (one item per request, protocol.md 3.5). `None` asks for an item
    /// that cannot exist, which gives bare names.
    Registered {
        /// The attribute, such as `ignore_result`.
        item: Option<String>,
        /// Whether Celery's own tasks are wanted too.
        builtins: bool,
    },
    /// Queues the worker consumes.
    ActiveQueues,
    /// Pool, counters, uptime.
    Stats,
    /// Running tasks, arguments as the repr strings of their headers.
    Active,
    /// Prefetched tasks.
    Reserved,
    /// Changed settings.
    Conf,
    /// Free text with versions, transport and result backend.
    Report,
    /// Where tasks are.
    QueryTask(Vec<TaskId>),
    /// Revoke; with `terminate`, kill the process that runs it.
    Revoke {
        /// Which task.
        id: TaskId,
        /// Kill it if it runs (SIGTERM).
        terminate: bool,
    },
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What.
    pub method: Method,
    /// To whom; empty = everyone.
    pub destination: Vec<NodeName>,
    /// Correlates the replies.
    pub ticket: String,
    /// Queue or list that replies go to, through the default exchange.
    pub reply_to: Option<String>,
}

/// One worker's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Whose request it answers.
    pub ticket: String,
    /// Who answers.
    pub node: NodeName,
    /// What, or the worker's error text.
    pub value: Result<Json, String>,
}

/// Why a reply cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// Not JSON.
    #[error("control reply is not readable: {0}")]
    Json(#[from] JsonError),
    /// JSON of another shape, or no ticket.
    #[error("control reply has no {0}")]
    Shape(&'static str),
    /// The worker answers in another serializer (its `task_serializer`).
    #[error("the worker answers in {0}, which is not read yet")]
    Serializer(String),
}

impl Request {
    /// The message to publish to [`EXCHANGE`]: JSON, delivery mode 1, reply through the default exchange.
    pub fn encode(&self) -> Message {
        unimplemented!()
    }
}

impl Reply {
    /// Reads one reply message (header `ticket`, body `{node: value}`; `{"error": …}` becomes `Err`).
    pub fn parse(message: &Message) -> Result<Self, ReplyError> {
        let _ = message;
        unimplemented!()
    }
}

/// A queue a worker consumes, from `active_queues`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumedQueue {
    /// Its name.
    pub name: QueueName,
    /// Its exchange.
    pub exchange: String,
    /// Its routing key.
    pub routing_key: String,
}

/// A task a worker holds or runs, from `active`, `reserved`, `query_task`.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldTask {
    /// Its id.
    pub id: TaskId,
    /// Its name.
    pub name: TaskName,
    /// Start, unix seconds of the worker's clock; `None` if not started.
    pub started: Option<f64>,
    /// Whether the broker's message is acknowledged.
    pub acknowledged: bool,
    /// Process that runs it.
    pub pid: Option<u64>,
}

/// Where `query_task` found a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Running.
    Active,
    /// Prefetched, waiting for a slot.
    Reserved,
    /// Waiting for its ETA or retry.
    Scheduled,
}

/// A worker's pool and counters, from `stats`. A missing answer is `None`, never 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Pool's short name: `prefork`, `threads`, `gevent`, `eventlet`, `solo`.
    pub pool: Option<String>,
    /// Tasks it can run at once (protocol.md 11.6: prefork counts its processes).
    pub slots: Option<u64>,
    /// Tasks started since its start, all names.
    pub total: Option<u64>,
    /// Main process.
    pub pid: Option<u64>,
    /// Seconds since its start.
    pub uptime: Option<u64>,
    /// Messages it takes ahead.
    pub prefetch: Option<u64>,
}

/// Bare task names of a `registered` answer to [`Method::Registered`] without item. Non-strings are skipped.
pub fn registered_names(reply: &Json) -> Vec<TaskName> {
    let _ = reply;
    unimplemented!()
}

/// The value of `item` for each name of `names`, from an answer that asked for that item: `None` where the task has none.
/// `Err(())`-like `None` overall if the answer does not fit the names (the task list changed: ask again).
pub fn registered_item(
    names: &[TaskName],
    item: &str,
    reply: &Json,
) -> Option<Vec<Option<String>>> {
    let _ = (names, item, reply);
    unimplemented!()
}

/// Queues of an `active_queues` answer.
pub fn active_queues(reply: &Json) -> Vec<ConsumedQueue> {
    let _ = reply;
    unimplemented!()
}

/// Tasks of an `active` or `reserved` answer.
pub fn held_tasks(reply: &Json) -> Vec<HeldTask> {
    let _ = reply;
    unimplemented!()
}

/// Places of a `query_task` answer.
pub fn places(reply: &Json) -> Vec<(TaskId, Place, HeldTask)> {
    let _ = reply;
    unimplemented!()
}

/// Counters of a `stats` answer.
pub fn stats(reply: &Json) -> Stats {
    let _ = reply;
    unimplemented!()
}

/// What `conf` tells that we use. Key names differ between new-style, old-style and namespaced settings (protocol.md 2.4): compared case-insensitively by suffix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conf {
    /// `result_backend`; password masked by the worker.
    pub result_backend: Option<String>,
    /// `task_default_queue`.
    pub default_queue: Option<String>,
    /// `task_routes` when it is a dict (or a list of dicts and pairs): pattern (exact or glob) to queue, in order.
    pub routes: Vec<(String, QueueName)>,
    /// `task_ignore_result`.
    pub ignore_result: Option<bool>,
    /// `task_track_started`.
    pub track_started: Option<bool>,
    /// `result_backend_transport_options.global_keyprefix` when it is not censored.
    pub result_keyprefix: Option<String>,
}

/// Reads a `conf` answer.
pub fn conf(reply: &Json) -> Conf {
    let _ = reply;
    unimplemented!()
}

/// What `report` tells that we use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Celery's version, from `celery:5.7.0 (…)`.
    pub celery: Option<String>,
    /// kombu's version.
    pub kombu: Option<String>,
    /// The text after `results:` of the settings line: a URL (password masked), `disabled`, …
    pub results: Option<String>,
}

/// Reads the text of a `report` answer (`{"ok": text}`).
pub fn report(reply: &Json) -> Report {
    let _ = reply;
    unimplemented!()
}
