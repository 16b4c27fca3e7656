//! `umbel queues`: depth and consumers of the queues that workers consume, or of those that are known otherwise.

mod hearsay;

use serde::Serialize;

use super::Session;
use super::output::{self, Form, Output};
use super::survey::{doubts, nobody};
use crate::call::document::rfc3339;
use crate::cli::Queues;
use crate::cluster::{Cluster, Queue, QueueTrouble};
use crate::error::{Kind, Result};
use crate::history::Handle;
use crate::protocol::QueueName;
use crate::text::human;
use hearsay::Hearsay;

/// The document `umbel.queues/1`.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    at: String,
    queues: Vec<Entry>,
}

/// One queue. What the broker does not tell is `null`: consumers on Redis, held messages and rates on AMQP without its
/// management API.
#[derive(Serialize)]
struct Entry {
    name: QueueName,
    ready: Option<u64>,
    held: Option<u64>,
    consumers: Option<u64>,
    in_per_s: Option<f64>,
    out_per_s: Option<f64>,
    wait_ms: Option<u64>,
    trouble: Option<String>,
    note: Option<String>,
}

/// Runs it; returns the exit code. Where no worker answers, queues are looked at that are known otherwise, also from history.
pub async fn run(
    session: &mut Session,
    wanted: &Queues,
    history: impl FnOnce() -> Option<Handle>,
) -> Result<u8> {
    let name = wanted.name.clone().map(QueueName);
    let mut cluster = session.survey(name.as_ref()).await?;
    let mut hearsay = Hearsay::default();
    if name.is_none() && cluster.workers.is_empty() {
        hearsay = Hearsay::gather(session, history()).await;
        hearsay.look(session, &mut cluster).await?;
    }
    let queues = cluster
        .queues_by_trouble()
        .into_iter()
        .filter(|queue| name.as_ref().is_none_or(|name| *name == queue.name));
    let queues = queues.filter(|queue| hearsay.is_worth_telling(queue));
    let entries = queues.map(|queue| entry(&cluster, queue, hearsay.source(&queue.name)));
    let entries: Vec<Entry> = entries.collect();
    let empty = entries.is_empty();
    print(session.output, session.clock.now().wall, entries);
    if empty {
        if session.output.form != Form::Json {
            session.output.explain(&nobody(&cluster));
        }
        return Ok(Kind::NoWorker.exit_code());
    }
    if !hearsay.is_empty() {
        let why = nobody(&cluster).message;
        let what = format!("{why}: these are queues that are known otherwise, there may be more");
        session.output.warnings(&[what]);
    }
    session.output.warnings(&doubts(&cluster));
    Ok(0)
}

fn entry(cluster: &Cluster, queue: &Queue, source: Option<&str>) -> Entry {
    let trouble = queue.trouble();
    Entry {
        name: queue.name.clone(),
        ready: queue.ready,
        held: queue.held.of_queue(),
        consumers: queue.consumers,
        in_per_s: queue.rates.map(|rates| per_s(rates.in_milli)),
        out_per_s: queue.rates.map(|rates| per_s(rates.out_milli)),
        wait_ms: None,
        trouble: (trouble != QueueTrouble::Fine).then(|| trouble.to_string()),
        note: note(cluster, queue, source),
    }
}

/// Thousandths a second, a second.
fn per_s(milli: u64) -> f64 {
    milli as f64 / 1000.0
}

fn note(cluster: &Cluster, queue: &Queue, source: Option<&str>) -> Option<String> {
    let held = queue.held.of_all();
    let held = held.map(|held| format!("{} held over all queues", human::count(held)));
    let notes: Vec<String> = readers_note(cluster, queue)
        .into_iter()
        .chain(held)
        .chain(source.map(|source| format!("known from {source}")))
        .collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

fn readers_note(cluster: &Cluster, queue: &Queue) -> Option<String> {
    if let Some(reason) = &queue.unknown_because {
        return Some(reason.clone());
    }
    let readers = cluster.readers(&queue.name);
    match (queue.consumers, readers.as_slice()) {
        (Some(0), _) => Some("nobody reads it".to_owned()),
        (None, []) if queue.unread => Some("no worker that listens reads it".to_owned()),
        (_, [only]) => Some(format!("consumed only by {only}")),
        _ => None,
    }
}

fn print(output: Output, at: jiff::Timestamp, entries: Vec<Entry>) {
    if output.form == Form::Json {
        return output.document(&Document {
            schema: "umbel.queues/1",
            at: rfc3339(at),
            queues: entries,
        });
    }
    let number = |value: Option<u64>| {
        value.map_or_else(
            || "?".to_owned(),
            |value| {
                if output.form == Form::Plain {
                    value.to_string()
                } else {
                    human::count(value)
                }
            },
        )
    };
    let cells = |entry: Entry| {
        let note = entry.note.unwrap_or_default();
        vec![
            entry.name.0,
            number(entry.ready),
            number(entry.held),
            number(entry.consumers),
            entry.trouble.unwrap_or_default(),
            note,
        ]
    };
    let rows: Vec<Vec<String>> = entries.into_iter().map(cells).collect();
    match output.form {
        Form::Plain => output.data(&output::tabbed(
            &["name", "ready", "held", "consumers", "trouble", "note"],
            &rows,
        )),
        _ if rows.is_empty() => {}
        _ => output.data(&output::table(
            &["QUEUE", "READY", "HELD", "CONSUMERS", "TROUBLE", "NOTE"],
            &[1, 2, 3],
            &rows,
        )),
    }
}
