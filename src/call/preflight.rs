//! Before sending: which queue, who reads it, who knows the task, is the result kept. Pure: facts in, verdict out.
//!
//! It refuses only on proof (ux.md 0.1, ruling 20); whatever is merely doubtful is sent with a warning.

mod answer;
mod form;
pub mod readers;
mod routing;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use globset::GlobBuilder;

use super::Answer;
use crate::backend::Results;
use crate::broker::{Reach, Route};
use crate::cluster::{Cluster, Kept, Queue};
use crate::error::{Error, Kind};
use crate::protocol::{Json, NodeName, QueueName, Serializer, Signature, TaskName};

pub use answer::KeptBy;
pub use readers::{Readers, Registered, Taker};
pub use routing::delayed_route;

/// Names that are said at most.
const NAMED: usize = 3;

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
    /// The queue the message would go to. Where the user named an exchange: the first of [`Preflight::takers`], if any is known.
    pub queue: QueueName,
    /// Why that one.
    pub source: QueueSource,
    /// Where it is published to.
    pub route: Route,
    /// With a start in the future: the routing key for [`delayed_route`], where the broker holds it back instead of a worker.
    pub delayed: Option<String>,
    /// Queues that take it; where the user named an exchange, those that are known to.
    pub takers: Vec<QueueName>,
    /// The same queues with who reads each and how long its line is.
    pub lines: Vec<Taker>,
    /// Answering workers that read it.
    pub readers: Vec<NodeName>,
    /// Which of them know the task.
    pub registered: Registered,
    /// Whether the result is kept.
    pub kept: Kept,
    /// What says so, where something other than Celery's default does.
    pub kept_by: Option<KeptBy>,
    /// From where its outcome is to be awaited.
    pub answer: Answer,
    /// In which form it is written.
    pub serializer: Serializer,
    /// Do not send: proof that it cannot run (kind `no_worker`; a person may send nevertheless), or no way to send it (any other kind).
    pub refusal: Option<Error>,
    /// Doubts, for people.
    pub warnings: Vec<String>,
}

impl Preflight {
    /// The one queue it goes to, where that is known.
    pub fn only_queue(&self) -> Option<&QueueName> {
        match self.takers.as_slice() {
            [queue] => Some(queue),
            _ => None,
        }
    }
}

/// Looks at everything known about the way of `signature`.
pub fn preflight(cluster: &Cluster, signature: &Signature, results: &Results) -> Preflight {
    let (chosen, source) = choose_queue(cluster, signature);
    let routing = routing::look(cluster, signature, &chosen);
    let queue = routing.takers.first().cloned().unwrap_or(chosen);
    let task = &signature.task;
    let mut warnings = routing.warnings;
    let writing = form::choose(
        cluster,
        signature,
        &routing.takers,
        proved(cluster, &routing.takers),
    );
    let refusal = routing
        .refusal
        .or_else(|| refusal(cluster, &routing.takers, task))
        .or(writing.refusal);
    if refusal.is_none() {
        for queue in &routing.takers {
            doubts(cluster, queue, task, &mut warnings);
        }
    }
    let lines: Vec<Taker> = routing
        .takers
        .iter()
        .map(|queue| Taker::of(cluster, queue))
        .collect();
    let registered = Registered::on(cluster, &lines, task);
    // Where nobody has it, that is said already.
    let doubted = registered.on > 0 || (refusal.is_none() && cluster.task(task).is_some());
    warnings.extend(registered.doubt(&lines, task).filter(|_| doubted));
    warnings.extend(readers::unread(&lines));
    warnings.extend(no_keyword(&signature.kwargs));
    let expected = answer::expected(cluster, signature, results, &routing.takers);
    warnings.extend(writing.warning.into_iter().chain(expected.warnings));
    let reads =
        |worker: &&crate::cluster::Worker| routing.takers.iter().any(|queue| worker.reads(queue));
    Preflight {
        readers: cluster
            .answering()
            .filter(reads)
            .map(|worker| worker.name.clone())
            .collect(),
        lines,
        registered,
        route: routing.route,
        delayed: routing.delayed,
        takers: routing.takers,
        queue,
        source,
        kept: expected.kept,
        kept_by: expected.kept_by,
        answer: expected.answer,
        serializer: writing.serializer,
        refusal,
        warnings,
    }
}

/// What is wrong with the names of keywords. A worker calls every task as `task(*args, **kwargs)`, which is a function whose own first
/// parameter is `self` (seen on Celery 5.7, bound or not: `__protected_call__() got multiple values for argument 'self'`).
pub fn no_keyword(kwargs: &[(String, Json)]) -> Option<String> {
    let named = kwargs.iter().any(|(name, _)| name == "self");
    named.then(|| {
        "self= always ends as a TypeError: Celery gives every task its own self".to_owned()
    })
}

/// Whether the answering workers are all who read these queues.
fn proved(cluster: &Cluster, takers: &[QueueName]) -> bool {
    let all_known = |queue: &QueueName| {
        let readers = cluster.answering().filter(|worker| worker.reads(queue));
        let readers = readers.count() as u64;
        match cluster.queues.get(queue).and_then(|it| it.consumers) {
            Some(consumers) => consumers == readers,
            // Where the broker counts no consumers, all who heard the question are known.
            None => readers > 0 && cluster.all_told(),
        }
    };
    !takers.is_empty() && takers.iter().all(all_known)
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

/// Proof that no worker will run it.
fn refusal(cluster: &Cluster, takers: &[QueueName], task: &TaskName) -> Option<Error> {
    let nobody = |(_, reach)| matches!(reach, Reach::Nobody | Reach::Listeners(0));
    // Who has remote control switched off hears no question, and the broker counts it among the consumers.
    let counted = |queue: &QueueName| {
        let known = cluster.queues.get(queue);
        known.is_some_and(|queue| queue.consumers > Some(0))
    };
    if cluster.asked.is_some_and(nobody) && !takers.iter().any(counted) {
        let error = Error::new(
            Kind::NoWorker,
            "no worker listens on this broker: nobody would run the task",
        );
        return Some(error.hint(
            "start a worker, or check the vhost (RabbitMQ) or the database and key prefix (Redis); --no-preflight sends anyway",
        ));
    }
    // Of several queues one is enough; and where none is known there is no proof.
    let [queue] = takers else {
        return None;
    };
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
    match where_it_is(cluster, &queue.name, task) {
        Some(there) => error.hint(there),
        None => error.hint(format!("start a worker with -Q {}, or name another queue with --queue; --no-preflight sends anyway", queue.name)),
    }
}

/// Which other queues are read by workers that have the task.
fn where_it_is(cluster: &Cluster, queue: &QueueName, task: &TaskName) -> Option<String> {
    let having = cluster
        .answering()
        .filter(|worker| worker.knows(task) == Some(true));
    let having: Vec<_> = having.collect();
    // Who says to read this one lost it just now: it is to be started again.
    if having.iter().any(|worker| worker.reads(queue)) {
        return None;
    }
    let read = having
        .iter()
        .flat_map(|worker| worker.queues.iter().flatten());
    let unread = |other: &QueueName| {
        let known = cluster.queues.get(other);
        known.is_some_and(|it| it.missing || it.unread || it.consumers == Some(0))
    };
    let others: BTreeSet<&QueueName> = read
        .map(|read| &read.name)
        .filter(|other| *other != queue && !unread(other))
        .collect();
    let first = others.first()?;
    let all_told = having.iter().all(|worker| worker.queues.is_some());
    Some(match (others.len(), all_told) {
        (1, true) => {
            format!("every answering worker that has {task} reads {first}: --queue {first}")
        }
        (1, false) => format!("a worker that has {task} reads {first}: --queue {first}"),
        _ => {
            let names = listed(others.iter().map(|name| name.as_str()));
            format!("workers that have {task} read {names}: --queue {first}, or another of them")
        }
    })
}

/// `a, b, c and 3 more`.
fn listed<'a>(mut names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let first = names.by_ref().take(NAMED).collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => first,
        more => format!("{first} and {more} more"),
    }
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
        let name = &queue.name;
        let error = Error::new(
            Kind::NoWorker,
            match told.len() {
                1 => format!("the one worker that reads queue {name} has no {task} registered"),
                many => format!(
                    "none of the {many} workers that read queue {name} has {task} registered"
                ),
            },
        );
        error.hint(elsewhere(cluster, queue, task))
    })
}

fn elsewhere(cluster: &Cluster, queue: &Queue, task: &TaskName) -> String {
    if let Some(there) = where_it_is(cluster, &queue.name, task) {
        return there;
    }
    let others = cluster.tasks().into_iter().map(|row| row.name);
    // Who had the task of that very name may be SILENT now: it is not meant instead.
    match others
        .filter(|name| name != task)
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

/// Why the readers of a queue may all be silent.
fn deaf(queue: &Queue) -> &'static str {
    match queue.consumers {
        Some(1..) => {
            "; it has readers, which may have remote control switched off, or accept no JSON, as which questions are written"
        }
        _ => "",
    }
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
            0 => format!(
                "no worker told its tasks: whether this one is registered is not known{}",
                known.map_or("", deaf)
            ),
            told => format!("none of the {told} workers that answered has {task}; others may"),
        });
    }
}
