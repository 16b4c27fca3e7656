//! What workers are, hold and run: `registered`, `active_queues`, `active`, `reserved`, `scheduled`, `query_task`, `stats`.

use super::super::result::moment;
use super::super::{Json, QueueName, TaskId, TaskName, ids};
use crate::clock::Timestamp;

/// A queue a worker consumes, from `active_queues`. This is the worker's declaration: the broker's queue may be older and other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumedQueue {
    /// Its name.
    pub name: QueueName,
    /// Its exchange; `""` is the default exchange.
    pub exchange: String,
    /// `direct`, `topic`, `fanout`, `headers`; `None` if not told.
    pub exchange_type: Option<String>,
    /// Its routing key; of a topic exchange a pattern such as `orders.#`.
    pub routing_key: String,
    /// `x-queue-type`: `quorum`, `classic`, `stream`; `None` is the broker's default.
    pub queue_type: Option<String>,
    /// `max_priority` or `x-max-priority`: the highest priority that AMQP tells apart here; `None` without priorities.
    pub max_priority: Option<u64>,
}

impl ConsumedQueue {
    /// Whether it is declared as a quorum queue (Celery 5.5+; native delayed delivery, protocol.md 6.4).
    pub fn is_quorum(&self) -> bool {
        self.queue_type.as_deref() == Some("quorum")
    }
}

/// A task that waits for its time, from `scheduled`.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduledTask {
    /// When it may start.
    pub eta: Option<Timestamp>,
    /// The task.
    pub task: HeldTask,
}

/// The answer to `enable_events` and `disable_events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switched {
    /// Whether the worker says that it sends task events now. One started with `-E` answers `disable_events` with "already
    /// disabled" and goes on sending.
    pub on: bool,
    /// Whether it did so before: who leaves tidily restores only what this request changed.
    pub already: bool,
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
    /// Process that runs it; `None` where the pool has no processes.
    pub pid: Option<u64>,
    /// Whether the broker delivered its message before, to this worker or another.
    pub redelivered: bool,
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

/// Bare task names of a `registered` answer to [`Method::Registered`](super::Method::Registered) without item. Non-strings are skipped.
pub fn registered_names(reply: &Json) -> Vec<TaskName> {
    let names = list(reply).iter().filter_map(Json::as_str);
    names
        .filter(|name| !name.is_empty())
        .map(TaskName::from)
        .collect()
}

/// The value of `item` for each name of `names`, from an answer that asked for that item: `None` where the task has none.
/// `Err(())`-like `None` overall if the answer does not fit the names (the task list changed: ask again).
pub fn registered_item(
    names: &[TaskName],
    item: &str,
    reply: &Json,
) -> Option<Vec<Option<String>>> {
    let entries = reply.as_list()?;
    if entries.len() != names.len() {
        return None;
    }
    let pairs = names.iter().zip(entries);
    pairs
        .map(|(name, entry)| item_value(name, item, entry.as_str()?))
        .collect()
}

/// Takes `name [item=value]` apart by its exact ends: the value may hold anything, brackets and newlines too. The outer
/// `None` is an entry of another task.
#[expect(
    clippy::option_option,
    reason = "an entry of another task and a task without the item are two things"
)]
fn item_value(name: &TaskName, item: &str, entry: &str) -> Option<Option<String>> {
    let rest = entry.strip_prefix(name.as_str())?;
    if rest.is_empty() {
        return Some(None);
    }
    let value = rest.strip_prefix(" [")?.strip_prefix(item)?;
    let value = value.strip_prefix('=')?.strip_suffix(']')?;
    Some(Some(value.to_owned()))
}

/// Queues of an `active_queues` answer.
pub fn active_queues(reply: &Json) -> Vec<ConsumedQueue> {
    list(reply).iter().filter_map(consumed_queue).collect()
}

fn consumed_queue(entry: &Json) -> Option<ConsumedQueue> {
    let name = text(entry, "name")?;
    let exchange = entry.get("exchange");
    let of_exchange = |key| exchange.and_then(|exchange| text(exchange, key));
    let arguments = entry.get("queue_arguments");
    let argument = |key| arguments.and_then(|arguments| arguments.get(key));
    let priority = entry
        .get("max_priority")
        .and_then(Json::as_u64)
        .or_else(|| argument("x-max-priority")?.as_u64());
    Some(ConsumedQueue {
        name: QueueName::from(name),
        exchange: of_exchange("name").unwrap_or_default().to_owned(),
        exchange_type: of_exchange("type").map(str::to_owned),
        routing_key: text(entry, "routing_key").unwrap_or_default().to_owned(),
        queue_type: argument("x-queue-type")
            .and_then(Json::as_str)
            .map(str::to_owned),
        max_priority: priority,
    })
}

/// Tasks of a `scheduled` answer.
pub fn scheduled(reply: &Json) -> Vec<ScheduledTask> {
    let waiting = |entry: &Json| {
        let request = entry.get("request")?;
        let id = TaskId::from(text(request, "id")?);
        Some(ScheduledTask {
            eta: entry.get("eta").and_then(moment),
            task: held_task(id, request),
        })
    };
    list(reply).iter().filter_map(waiting).collect()
}

/// Reads the answer to `enable_events` or `disable_events`: `{"ok": "task events already enabled"}`; `None` for anything else.
pub fn switched(reply: &Json) -> Option<Switched> {
    let words = text(reply, "ok")?.strip_prefix("task events ")?;
    let (already, word) = match words.strip_prefix("already ") {
        Some(word) => (true, word),
        None => (false, words),
    };
    let on = match word {
        "enabled" => true,
        "disabled" => false,
        _ => return None,
    };
    Some(Switched { on, already })
}

/// Tasks of an `active` or `reserved` answer.
pub fn held_tasks(reply: &Json) -> Vec<HeldTask> {
    let with_id = |entry| Some(held_task(TaskId::from(text(entry, "id")?), entry));
    list(reply).iter().filter_map(with_id).collect()
}

fn held_task(id: TaskId, entry: &Json) -> HeldTask {
    let name = text(entry, "name").or_else(|| text(entry, "type"));
    let started = entry.get("time_start").and_then(Json::as_f64);
    let acknowledged = entry.get("acknowledged").and_then(Json::as_bool);
    HeldTask {
        id,
        name: TaskName::from(name.unwrap_or_default()),
        started: started.filter(|seconds| seconds.is_finite()),
        acknowledged: acknowledged.unwrap_or(false),
        pid: entry.get("worker_pid").and_then(ids::pid),
        redelivered: redelivered(entry).unwrap_or(false),
    }
}

fn redelivered(entry: &Json) -> Option<bool> {
    entry.get("delivery_info")?.get("redelivered")?.as_bool()
}

/// Places of a `query_task` answer.
pub fn places(reply: &Json) -> Vec<(TaskId, Place, HeldTask)> {
    let entries = reply.as_object().unwrap_or_default();
    entries
        .iter()
        .filter_map(|(id, entry)| place(id, entry))
        .collect()
}

fn place(id: &str, entry: &Json) -> Option<(TaskId, Place, HeldTask)> {
    let [word, info] = entry.as_list()? else {
        return None;
    };
    let place = match word.as_str()? {
        "active" => Place::Active,
        "reserved" => Place::Reserved,
        "scheduled" => Place::Scheduled,
        _ => return None,
    };
    let id = TaskId::from(id);
    Some((id.clone(), place, held_task(id, info)))
}

/// Counters of a `stats` answer.
pub fn stats(reply: &Json) -> Stats {
    let pool = reply.get("pool");
    let name = pool
        .and_then(|pool| text(pool, "implementation"))
        .map(pool_name);
    let number = |key| reply.get(key).and_then(Json::as_u64);
    Stats {
        slots: pool.and_then(|pool| slots(pool, name == Some("prefork"))),
        pool: name.map(str::to_owned),
        total: reply.get("total").and_then(sum),
        pid: reply.get("pid").and_then(ids::pid),
        uptime: number("uptime"),
        prefetch: number("prefetch_count"),
    }
}

/// `celery.concurrency.prefork:TaskPool` is `prefork`; the module of `threads` is called `thread`.
fn pool_name(implementation: &str) -> &str {
    let module = implementation.split(':').next().unwrap_or_default();
    match module.rsplit('.').next().unwrap_or_default() {
        "thread" => "threads",
        name => name,
    }
}

/// Under autoscaling `max-concurrency` keeps its first value, so the processes of prefork are counted.
fn slots(pool: &Json, prefork: bool) -> Option<u64> {
    let processes = pool.get("processes").and_then(Json::as_list);
    let running = processes.and_then(|list| u64::try_from(list.len()).ok());
    let running = running.filter(|&count| prefork && count > 0);
    running.or_else(|| pool.get("max-concurrency")?.as_u64())
}

fn sum(total: &Json) -> Option<u64> {
    let counts = total
        .as_object()?
        .iter()
        .filter_map(|(_, count)| count.as_u64());
    Some(counts.fold(0, u64::saturating_add))
}

fn list(reply: &Json) -> &[Json] {
    reply.as_list().unwrap_or_default()
}

/// The text of a field; an empty one says nothing.
fn text<'a>(object: &'a Json, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Json {
        Json::parse_strict(text).unwrap()
    }

    #[test]
    fn names_are_texts_and_nothing_else() {
        let names = registered_names(&read(r#"["a.b", 1, null, "", "c"]"#));
        assert_eq!(names, ["a.b", "c"].map(TaskName::from));
    }

    #[test]
    fn an_answer_of_another_task_list_is_asked_for_again() {
        let names = ["a", "b"].map(TaskName::from);
        let read_item = |text: &str| registered_item(&names, "x", &read(text));
        assert_eq!(
            read_item(r#"["a", "b [x=1]"]"#),
            Some(vec![None, Some("1".to_owned())])
        );
        assert_eq!(read_item(r#"["a"]"#), None);
        assert_eq!(read_item(r#"["a", "c [x=1]"]"#), None);
        assert_eq!(read_item(r#"["a", "b [y=1]"]"#), None);
        assert_eq!(read_item(r#"["a", "bb"]"#), None);
        assert_eq!(read_item(r#"["a", 1]"#), None);
        assert_eq!(read_item("null"), None);
    }

    #[test]
    fn entries_of_another_shape_are_skipped() {
        let queues = active_queues(&read(
            r#"[1, {}, {"name": ""}, {"name": "q", "exchange": null}]"#,
        ));
        assert_eq!(queues.len(), 1);
        assert_eq!(
            (queues[0].exchange.as_str(), queues[0].routing_key.as_str()),
            ("", "")
        );
        let tasks = held_tasks(&read(
            r#"[{"name": "x"}, {"id": "a", "type": "t", "time_start": "soon"}]"#,
        ));
        assert_eq!(tasks.len(), 1);
        assert_eq!((tasks[0].name.as_str(), tasks[0].started), ("t", None));
        let places = places(&read(
            r#"{"a": ["active"], "b": ["ready", {}], "c": ["active", null]}"#,
        ));
        assert_eq!(places.len(), 1);
    }

    #[test]
    fn a_queue_tells_its_kind_and_priorities() {
        let queues = active_queues(&read(
            r#"[{"name": "a", "exchange": {"name": "e", "type": "topic"}, "queue_arguments": {"x-queue-type": "quorum", "x-max-priority": 9}},
                {"name": "b", "exchange": {"name": "", "type": null}, "queue_arguments": null, "max_priority": 5}]"#,
        ));
        assert!(queues[0].is_quorum() && !queues[1].is_quorum());
        assert_eq!(queues[0].exchange_type.as_deref(), Some("topic"));
        assert_eq!(queues[1].exchange_type, None);
        let priorities: Vec<_> = queues.iter().map(|queue| queue.max_priority).collect();
        assert_eq!(priorities, [Some(9), Some(5)]);
    }

    #[test]
    fn a_switch_of_events_says_what_was_before() {
        let answer = |text: &str| switched(&Json::Object(vec![("ok".to_owned(), text.into())]));
        let told = |on, already| Some(Switched { on, already });
        assert_eq!(answer("task events enabled"), told(true, false));
        assert_eq!(answer("task events already enabled"), told(true, true));
        assert_eq!(answer("task events disabled"), told(false, false));
        assert_eq!(answer("task events already disabled"), told(false, true));
        assert_eq!(answer("reload started"), None);
        assert_eq!(switched(&Json::Null), None);
    }

    #[test]
    fn totals_are_summed_over_all_names() {
        let stats = stats(&read(
            r#"{"total": {"a": 2, "b": 3, "c": "x"}, "uptime": 9, "pool": {"max-concurrency": 4}}"#,
        ));
        assert_eq!(
            (stats.total, stats.uptime, stats.slots),
            (Some(5), Some(9), Some(4))
        );
        assert_eq!(stats.pool, None);
    }
}
