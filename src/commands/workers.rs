//! `umbel workers`: who answers, and how busy.

use serde::Serialize;

use super::Session;
use super::output::{self, Form, Output};
use super::survey::{doubts, nobody, workers_known};
use crate::call::document::rfc3339;
use crate::cli::Workers;
use crate::cluster::{Cluster, Worker};
use crate::error::{Kind, Result};
use crate::protocol::{NodeName, QueueName};
use crate::text::human;

/// The document `umbel.workers/1`.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    at: String,
    workers_replied: usize,
    workers_known: Option<u64>,
    workers: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a NodeName,
    state: String,
    inferred: bool,
    evidence: String,
    ping_ms: Option<f64>,
    slots: Option<u64>,
    active: Option<u64>,
    reserved: Option<u64>,
    queues: Option<Vec<QueueName>>,
    pool: Option<&'a str>,
    celery: Option<&'a str>,
    uptime_s: Option<u64>,
}

/// Runs it; returns the exit code.
pub async fn run(session: &mut Session, wanted: &Workers) -> Result<u8> {
    let cluster = session.survey(None).await?;
    let named = |worker: &&Worker| {
        wanted
            .name
            .as_ref()
            .is_none_or(|name| worker.name.as_str().contains(name))
    };
    let workers: Vec<Entry<'_>> = cluster
        .workers_by_trouble()
        .into_iter()
        .filter(named)
        .map(entry)
        .collect();
    let empty = workers.is_empty();
    print(session.output, session.clock.now().wall, &cluster, workers);
    if cluster.workers.is_empty() {
        if session.output.form != Form::Json {
            session.output.explain(&nobody(&cluster));
        }
        return Ok(Kind::NoWorker.exit_code());
    }
    session.output.warnings(&doubts(&cluster));
    let unmatched = wanted.name.as_ref().filter(|_| empty);
    if let Some(name) = unmatched.filter(|_| session.output.form == Form::Human) {
        let answered = cluster.workers.len();
        session.output.note(&format!(
            "no worker that answered has {name:?} in its name ({answered} answered)"
        ));
    }
    Ok(0)
}

fn entry(worker: &Worker) -> Entry<'_> {
    let stats = worker.stats.as_ref();
    Entry {
        name: &worker.name,
        state: worker.state().to_string().to_lowercase(),
        inferred: false,
        evidence: worker.evidence(),
        ping_ms: worker
            .ping
            .map(|ping| (ping.as_secs_f64() * 10_000.0).round() / 10.0),
        slots: worker.slots(),
        active: worker.running(),
        reserved: worker.reserved.as_ref().map(|tasks| tasks.len() as u64),
        queues: worker
            .queues
            .as_ref()
            .map(|queues| queues.iter().map(|queue| queue.name.clone()).collect()),
        pool: stats.and_then(|stats| stats.pool.as_deref()),
        celery: worker
            .report
            .as_ref()
            .and_then(|report| report.celery.as_deref()),
        uptime_s: stats.and_then(|stats| stats.uptime),
    }
}

fn print(output: Output, at: jiff::Timestamp, cluster: &Cluster, workers: Vec<Entry<'_>>) {
    if output.form == Form::Json {
        let (workers_replied, workers_known) = (cluster.workers.len(), workers_known(cluster));
        return output.document(&Document {
            schema: "umbel.workers/1",
            at: rfc3339(at),
            workers_replied,
            workers_known,
            workers,
        });
    }
    let rows: Vec<Vec<String>> = workers
        .iter()
        .map(|entry| cells(output.form, entry))
        .collect();
    match output.form {
        Form::Plain => output.data(&output::tabbed(
            &[
                "name", "state", "active", "slots", "reserved", "queues", "pool", "celery",
                "uptime_s", "evidence",
            ],
            &rows,
        )),
        _ if rows.is_empty() => {}
        _ => output.data(&output::table(
            &[
                "WORKER", "STATE", "ACTIVE", "SLOTS", "HELD", "QUEUES", "POOL", "CELERY", "UP",
                "EVIDENCE",
            ],
            &[2, 3, 4],
            &rows,
        )),
    }
}

fn cells(form: Form, entry: &Entry<'_>) -> Vec<String> {
    let number =
        |value: Option<u64>| value.map_or_else(|| "?".to_owned(), |value| value.to_string());
    let queues = entry.queues.as_ref().map(|queues| {
        queues
            .iter()
            .map(QueueName::as_str)
            .collect::<Vec<_>>()
            .join(",")
    });
    let uptime = match form {
        Form::Human => entry.uptime_s.map_or_else(
            || "?".to_owned(),
            |seconds| human::duration(std::time::Duration::from_secs(seconds)),
        ),
        _ => number(entry.uptime_s),
    };
    vec![
        entry.name.0.clone(),
        if form == Form::Human {
            entry.state.to_uppercase()
        } else {
            entry.state.clone()
        },
        number(entry.active),
        number(entry.slots),
        number(entry.reserved),
        queues.unwrap_or_else(|| "?".to_owned()),
        entry.pool.unwrap_or("?").to_owned(),
        entry.celery.unwrap_or("?").to_owned(),
        uptime,
        entry.evidence.clone(),
    ]
}
