//! Before sending: which queue, who reads it, who knows the task, is the result kept. Pure: facts in, verdict out.
//!
//! It refuses only on proof (ux.md 0.1, ruling 20); whatever is merely doubtful is sent with a warning.

#[cfg(test)]
mod tests;

use globset::GlobBuilder;

use crate::backend::Results;
use crate::broker::Reach;
use crate::cluster::{Cluster, Kept, Queue};
use crate::error::{Error, Kind};
use crate::protocol::{NodeName, QueueName, Signature, TaskName};

/// Where the choice of the queue comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
pub enum QueueSource {
    /// The user named it.
    #[strum(serialize = "named by you")]
    User,
    /// The task declares it.
    #[strum(serialize = "the task's own")]
    Task,
    /// `task_routes` of the application.
    #[strum(serialize = "task_routes")]
    Routes,
    /// `task_default_queue` of the application.
    #[strum(serialize = "task_default_queue")]
    Default,
    /// Celery's default, `celery`.
    #[strum(serialize = "Celery's default")]
    Celery,
}

/// What is known before sending.
#[derive(Clone, Debug, PartialEq)]
pub struct Preflight {
    /// The queue the message would go to.
    pub queue: QueueName,
    /// Why that one.
    pub source: QueueSource,
    /// Answering workers that read it.
    pub readers: Vec<NodeName>,
    /// Messages ready in it; `None` if not known.
    pub ready: Option<u64>,
    /// Whether the result is kept.
    pub kept: Kept,
    /// Nothing needs to be waited for: no result can ever come.
    pub no_result: bool,
    /// Proof that it cannot run: do not send.
    pub refusal: Option<Error>,
    /// Doubts, for people.
    pub warnings: Vec<String>,
}

/// Looks at everything known about the way of `signature`.
pub fn preflight(cluster: &Cluster, signature: &Signature, results: &Results) -> Preflight {
    let (queue, source) = choose_queue(cluster, signature);
    let row = cluster.task(&signature.task);
    let kept = kept(cluster, signature, results);
    let mut warnings = Vec::new();
    let refusal = refusal(cluster, &queue, &signature.task).or_else(|| {
        doubts(cluster, &queue, &signature.task, &mut warnings);
        None
    });
    if let Some(row) =
        row.filter(|row| !row.workers.is_empty() && row.workers.len() < cluster.told_tasks())
    {
        let all = cluster.told_tasks();
        warnings.push(format!(
            "registered on {} of {all} workers: the call may end as NO TASK",
            row.workers.len()
        ));
    }
    if let Some(warning) = result_warning(kept, results, signature) {
        warnings.push(warning);
    }
    Preflight {
        readers: cluster
            .answering()
            .filter(|worker| worker.reads(&queue))
            .map(|worker| worker.name.clone())
            .collect(),
        ready: cluster.queues.get(&queue).and_then(|queue| queue.ready),
        no_result: kept == Kept::Ignored
            || matches!(results, Results::Disabled | Results::Unreadable(_)),
        queue,
        source,
        kept,
        refusal,
        warnings,
    }
}

/// The queue for a task: named, the task's own, `task_routes`, `task_default_queue`, `celery` (ux.md 0.1, ruling 19).
pub fn choose_queue(cluster: &Cluster, signature: &Signature) -> (QueueName, QueueSource) {
    if let Some(queue) = &signature.options.queue {
        return (queue.clone(), QueueSource::User);
    }
    let own = cluster
        .task(&signature.task)
        .and_then(|row| row.queue)
        .filter(|queue| !queue.starts_with('<'));
    if let Some(queue) = own {
        return (queue.into(), QueueSource::Task);
    }
    let conf = cluster.conf();
    if let Some(queue) = conf.and_then(|conf| route(&conf.routes, &signature.task)) {
        return (queue, QueueSource::Routes);
    }
    match conf.and_then(|conf| conf.default_queue.clone()) {
        Some(queue) => (queue.into(), QueueSource::Default),
        None => ("celery".into(), QueueSource::Celery),
    }
}

fn route(routes: &[(String, QueueName)], task: &TaskName) -> Option<QueueName> {
    let exact = routes.iter().find(|(pattern, _)| pattern == task.as_str());
    let glob = || {
        routes
            .iter()
            .find(|(pattern, _)| is_match(pattern, task.as_str()))
    };
    exact.or_else(glob).map(|(_, queue)| queue.clone())
}

fn is_match(pattern: &str, name: &str) -> bool {
    pattern.contains(['*', '?', '['])
        && GlobBuilder::new(pattern)
            .literal_separator(false)
            .build()
            .is_ok_and(|glob| glob.compile_matcher().is_match(name))
}

fn kept(cluster: &Cluster, signature: &Signature, results: &Results) -> Kept {
    match signature.options.ignore_result {
        Some(true) => return Kept::Ignored,
        Some(false) => return Kept::Kept,
        None => {}
    }
    match cluster.task(&signature.task).map(|row| row.kept) {
        Some(Kept::Ignored) => Kept::Ignored,
        Some(kept) if matches!(results, Results::Rpc | Results::Stored(_)) => kept,
        _ => Kept::Unknown,
    }
}

fn result_warning(kept: Kept, results: &Results, signature: &Signature) -> Option<String> {
    match (kept, results) {
        (Kept::Ignored, _) => Some(format!("{} ignores its result: it is sent, and nothing is waited for", signature.task)),
        (_, Results::Disabled) => Some("the application keeps no results (result backend disabled): it is sent, and nothing is waited for".to_owned()),
        (_, Results::Unreadable(scheme)) => {
            Some(format!("results go to a {scheme} backend, which umbel cannot read: it is sent, and nothing is waited for"))
        }
        (_, Results::Unknown) => {
            Some("no worker told its result backend: listening on the reply queue only (rpc); --backend URL names another".to_owned())
        }
        _ => None,
    }
}

/// Proof that no worker will run it.
fn refusal(cluster: &Cluster, queue: &QueueName, task: &TaskName) -> Option<Error> {
    if cluster
        .asked
        .is_some_and(|(_, reach)| matches!(reach, Reach::Nobody | Reach::Listeners(0)))
    {
        let error = Error::new(
            Kind::NoWorker,
            "no worker listens on this broker: nobody would run the task",
        );
        return Some(error.hint(
            "start a worker, or check the vhost (RabbitMQ) or the database and key prefix (Redis); --no-preflight sends anyway",
        ));
    }
    let known = cluster.queues.get(queue)?;
    if known.missing || known.consumers == Some(0) || known.unread {
        return Some(nobody_reads(cluster, known, task));
    }
    nobody_knows(cluster, known, task)
}

fn nobody_reads(cluster: &Cluster, queue: &Queue, task: &TaskName) -> Error {
    let what = if queue.missing {
        "there is no such queue"
    } else {
        "no worker reads it"
    };
    let error = Error::new(Kind::NoWorker, format!("queue {}: {what}", queue.name));
    match other_queue(cluster, task) {
        Some(other) => error.hint(format!("every worker that has {task} reads {other}: --queue {other}")),
        None => error.hint(format!("start a worker with -Q {}, or name another queue with --queue; --no-preflight sends anyway", queue.name)),
    }
}

/// The one queue that all workers having the task read, if there is exactly one.
fn other_queue(cluster: &Cluster, task: &TaskName) -> Option<QueueName> {
    let mut having = cluster
        .answering()
        .filter(|worker| worker.knows(task) == Some(true));
    let only = |worker: &crate::cluster::Worker| match worker.queues.as_deref() {
        Some([queue]) => Some(queue.name.clone()),
        _ => None,
    };
    let first = only(having.next()?)?;
    having
        .all(|worker| only(worker).as_ref() == Some(&first))
        .then_some(first)
}

/// As many workers told their tasks as consumers read the queue (or as heard the question, where the broker counts no
/// consumers), and none has the task.
fn nobody_knows(cluster: &Cluster, queue: &Queue, task: &TaskName) -> Option<Error> {
    let told: Vec<_> = cluster
        .answering()
        .filter(|worker| worker.reads(&queue.name) && worker.tasks.is_some())
        .collect();
    let all_told = if let Some(consumers) = queue.consumers {
        consumers == told.len() as u64
    } else {
        let readers = cluster.answering();
        let readers = readers.filter(|worker| worker.reads(&queue.name)).count();
        cluster.all_told() && readers == told.len() && readers > 0
    };
    let none_has = told.iter().all(|worker| worker.knows(task) == Some(false));
    (all_told && none_has).then(|| {
        let error = Error::new(
            Kind::NoWorker,
            format!(
                "none of the {} workers that read queue {} has {task} registered",
                told.len(),
                queue.name
            ),
        );
        error.hint(elsewhere(cluster, queue, task))
    })
}

fn elsewhere(cluster: &Cluster, queue: &Queue, task: &TaskName) -> String {
    if let Some(other) = other_queue(cluster, task).filter(|other| *other != queue.name) {
        return format!("every worker that has it reads {other}: --queue {other}");
    }
    match cluster
        .tasks()
        .into_iter()
        .map(|row| row.name)
        .filter_map(|name| near(&name, task))
        .min()
    {
        Some((_, name)) => format!(
            "did you mean {name}? `umbel tasks` lists what is registered; --no-preflight sends anyway"
        ),
        None => "`umbel tasks` lists what is registered; --no-preflight sends anyway".to_owned(),
    }
}

/// A registered name close to what was typed: the same last part, or few letters apart.
fn near(name: &TaskName, typed: &TaskName) -> Option<(usize, TaskName)> {
    let distance = distance(name.as_str(), typed.as_str());
    let last = |text: &str| text.rsplit('.').next().map(str::to_owned);
    let same_end = last(name.as_str()) == last(typed.as_str());
    (distance <= 3 || same_end).then(|| (distance, name.clone()))
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(200).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().take(200).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let cost = (diagonal + usize::from(left != *right))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[b.len()]
}

fn doubts(cluster: &Cluster, queue: &QueueName, task: &TaskName, warnings: &mut Vec<String>) {
    let known = cluster.queues.get(queue);
    if known.is_none_or(|queue| queue.ready.is_none()) {
        let reason = known.and_then(|queue| queue.unknown_because.clone());
        warnings.push(format!(
            "whether a worker reads queue {queue} is not known: {}",
            reason.unwrap_or_else(|| "no answer yet".to_owned())
        ));
    }
    if let Some(row) = cluster.task(task).filter(|row| row.workers.is_empty()) {
        warnings.push(format!(
            "no worker that has it answers now: {} SILENT",
            row.silent.len()
        ));
    }
    if cluster.task(task).is_none() {
        warnings.push(match cluster.told_tasks() {
            0 => "no worker told its tasks: whether this one is registered is not known".to_owned(),
            told => format!("none of the {told} workers that answered has {task}; others may"),
        });
    }
}
