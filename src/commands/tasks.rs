//! `umbel tasks`: what the workers have registered.

use globset::GlobBuilder;
use serde::Serialize;

use super::Session;
use super::output::{self, Form, Output};
use super::survey::{doubts, nobody, workers_known};
use crate::call::preflight::{QueueSource, choose_queue};
use crate::cli::Tasks;
use crate::cluster::{Cluster, TaskRow};
use crate::error::{Error, Kind, Result};
use crate::protocol::{NodeName, Options, QueueName, Signature, TaskId, TaskName};
use crate::schema;

/// The document `umbel.tasks/1`.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    workers_replied: usize,
    workers_known: Option<u64>,
    tasks: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a TaskName,
    workers: &'a [NodeName],
    queue: Option<QueueName>,
    result: String,
    signature: schema::Document,
}

/// Runs it; returns the exit code.
pub async fn run(session: &mut Session, wanted: &Tasks) -> Result<u8> {
    let matches = matcher(wanted.pattern.as_deref())?;
    let cluster = session.survey(None).await?;
    let rows: Vec<TaskRow> = cluster
        .tasks()
        .into_iter()
        .filter(|row| (wanted.builtins || !row.builtin()) && matches(row.name.as_str()))
        .collect();
    print(session.output, &cluster, &rows);
    if cluster.told_tasks() == 0 {
        if session.output.form != Form::Json {
            session.output.explain(&nobody(&cluster));
        }
        return Ok(Kind::NoWorker.exit_code());
    }
    session.output.warnings(&doubts(&cluster));
    if rows.is_empty() && session.output.form == Form::Human {
        session.output.note(&empty(&cluster, wanted));
    }
    Ok(0)
}

fn empty(cluster: &Cluster, wanted: &Tasks) -> String {
    match &wanted.pattern {
        Some(pattern) => format!(
            "no registered task matches {pattern:?} ({} workers answered)",
            cluster.told_tasks()
        ),
        None => "the workers run, but register no task of their own (--builtins shows Celery's)"
            .to_owned(),
    }
}

/// Whether a name is wanted.
type Matcher = Box<dyn Fn(&str) -> bool>;

/// A substring, or a glob where the pattern has one of `*?[`.
fn matcher(pattern: Option<&str>) -> Result<Matcher> {
    let Some(pattern) = pattern.map(str::to_owned) else {
        return Ok(Box::new(|_| true));
    };
    if !pattern.contains(['*', '?', '[']) {
        return Ok(Box::new(move |name| name.contains(&pattern)));
    }
    let glob = GlobBuilder::new(&pattern).literal_separator(false).build();
    let glob = glob
        .map_err(|error| {
            Error::new(
                Kind::Usage,
                format!("pattern {pattern:?}: {}", error.kind()),
            )
        })?
        .compile_matcher();
    Ok(Box::new(move |name| glob.is_match(name)))
}

/// The queue a call of `task` would go to; `None` while no worker told its settings.
fn queue(cluster: &Cluster, task: &TaskName) -> Option<QueueName> {
    let signature = Signature {
        task: task.clone(),
        id: TaskId::default(),
        args: vec![],
        kwargs: vec![],
        options: Options::default(),
    };
    let (queue, source) = choose_queue(cluster, &signature);
    (source != QueueSource::Celery || cluster.conf().is_some()).then_some(queue)
}

fn print(output: Output, cluster: &Cluster, rows: &[TaskRow]) {
    let replied = cluster.told_tasks();
    if output.form == Form::Json {
        let entry = |row| entry(cluster, row);
        let tasks = rows.iter().map(entry).collect();
        return output.document(&Document {
            schema: "umbel.tasks/1",
            workers_replied: replied,
            workers_known: workers_known(cluster),
            tasks,
        });
    }
    let cells = |row: &TaskRow| {
        let queue = queue(cluster, &row.name).map_or_else(|| "?".to_owned(), |queue| queue.0);
        vec![
            row.name.0.clone(),
            queue,
            row.workers.len().to_string(),
            replied.to_string(),
            row.kept.to_string(),
            "none".to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    match output.form {
        Form::Plain => output.data(&output::tabbed(
            &[
                "name",
                "queue",
                "registered",
                "workers",
                "result",
                "signature",
            ],
            &rows,
        )),
        _ if rows.is_empty() => {}
        _ => output.data(&output::table(
            &["TASK", "QUEUE", "ON", "RESULT"],
            &[2],
            &human(&rows),
        )),
    }
}

/// `5/6` in one column; the signature column says nothing yet.
fn human(rows: &[Vec<String>]) -> Vec<Vec<String>> {
    rows.iter()
        .map(|row| {
            vec![
                row[0].clone(),
                row[1].clone(),
                format!("{}/{}", row[2], row[3]),
                row[4].clone(),
            ]
        })
        .collect()
}

fn entry<'a>(cluster: &Cluster, row: &'a TaskRow) -> Entry<'a> {
    Entry {
        name: &row.name,
        workers: &row.workers,
        queue: queue(cluster, &row.name),
        result: row.kept.to_string(),
        signature: schema::Document::none(),
    }
}
