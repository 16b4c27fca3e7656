//! Whether a result can come, and from where its outcome is awaited. Pure.

use super::listed;
use crate::backend::Results;
use crate::call::Answer;
use crate::call::kept_at::{Same, same, told};
use crate::cluster::{Cluster, Kept, Worker};
use crate::protocol::{QueueName, Signature, TaskName};

/// The first Celery on which a call can ask for the result of a task that ignores it (protocol.md 1.6).
const FORCING: (u64, u64) = (5, 6);

/// What says whether a result is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptBy {
    /// The user, for this call.
    User,
    /// `ignore_result` of the task.
    Task,
    /// `task_ignore_result` of the application.
    Setting,
    /// The application has no result backend.
    NoBackend,
    /// It is kept in a backend of this scheme, which umbel cannot read.
    Unreadable(String),
}

/// What is to be expected.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub kept: Kept,
    pub kept_by: Option<KeptBy>,
    pub answer: Answer,
    pub warnings: Vec<String>,
}

/// Looks at who would answer, and how.
pub(super) fn expected(
    cluster: &Cluster,
    signature: &Signature,
    results: &Results,
    takers: &[QueueName],
) -> Expected {
    let wish = signature.options.ignore_result;
    let declared = cluster.task(&signature.task).map(|row| row.kept);
    let ignored = declared == Some(Kept::Ignored);
    let forced = forced(cluster, takers);
    let (answer, warning) = match (wish, results, ignored) {
        (Some(true), ..) => (Answer::Nothing, None),
        (_, Results::Disabled, _) => (Answer::Events, Some(by_events("the application keeps no results (result backend disabled)"))),
        (_, Results::Unreadable(scheme), _) => {
            (Answer::Events, Some(by_events(&format!("results go to a {scheme} backend, which umbel cannot read"))))
        }
        (None, _, true) => (Answer::Events, Some(ignores(&signature.task, forced))),
        (Some(false), _, true) if forced == Some(false) => {
            (Answer::Events, Some(by_events(&format!("{} ignores its result, and only Celery 5.6 and later can be told otherwise", signature.task))))
        }
        (Some(false), _, true) if forced.is_none() => {
            (Answer::Either, Some(format!("{} ignores its result, and not every worker is known to have Celery 5.6, which can be told otherwise: its end is taken from the result or from the workers' events", signature.task)))
        }
        (_, Results::Unknown, _) => (Answer::Either, Some("no worker told its result backend: listening on the reply queue (rpc) and to the workers' events; --backend URL names another".to_owned())),
        _ => (Answer::Result, None),
    };
    let awaited = answer.by_result();
    let to_caller = to_caller(cluster, results, takers).filter(|_| awaited);
    let (kept, kept_by) = kept(cluster, wish, declared, results, forced);
    Expected {
        kept,
        kept_by,
        answer,
        warnings: warning.into_iter().chain(to_caller).collect(),
    }
}

/// Where its readers send results to the caller alone and umbel looks elsewhere: it listens there too, but only as long as it runs.
fn to_caller(cluster: &Cluster, results: &Results, takers: &[QueueName]) -> Option<String> {
    let Results::Stored(backend) = results else {
        return None;
    };
    let ours = backend.address();
    let reads = |worker: &&Worker| takers.iter().any(|queue| worker.reads(queue));
    let sends = |worker: &&Worker| {
        told(worker).is_some_and(|theirs| same(&theirs, &ours) == Same::ToCaller)
    };
    let readers: Vec<&Worker> = cluster.answering().filter(reads).collect();
    let senders: Vec<&str> = readers
        .iter()
        .copied()
        .filter(sends)
        .map(|worker| worker.name.as_str())
        .collect();
    let queues = listed(takers.iter().map(QueueName::as_str));
    let who = match (senders.len(), readers.len()) {
        (0, _) => return None,
        (1, 1) => format!("{}, which reads {queues}, sends", senders[0]),
        (sending, of) => {
            let names = listed(senders.into_iter());
            let verb = if sending == 1 { "sends" } else { "send" };
            format!("{sending} of {of} workers that read {queues} ({names}) {verb}")
        }
    };
    Some(format!(
        "{who} results on rpc:// to the caller alone, and umbel looks at {ours}: only the umbel that calls sees the result, as long as it waits; none finds it later"
    ))
}

/// Whether it is kept, and what says so.
fn kept(
    cluster: &Cluster,
    wish: Option<bool>,
    declared: Option<Kept>,
    results: &Results,
    forced: Option<bool>,
) -> (Kept, Option<KeptBy>) {
    let ignored = declared == Some(Kept::Ignored);
    let ignoring = || {
        let setting = cluster.conf().and_then(|conf| conf.ignore_result) == Some(true);
        let by = if setting {
            KeptBy::Setting
        } else {
            KeptBy::Task
        };
        (Kept::Ignored, Some(by))
    };
    match (wish, results) {
        (Some(true), _) => (Kept::Ignored, Some(KeptBy::User)),
        (_, Results::Disabled) => (Kept::Ignored, Some(KeptBy::NoBackend)),
        (Some(false), _) if ignored => match forced {
            Some(true) => (Kept::Kept, Some(KeptBy::User)),
            Some(false) => ignoring(),
            None => (Kept::Unknown, None),
        },
        (None, _) if ignored => ignoring(),
        (_, Results::Unreadable(scheme)) => (
            declared.unwrap_or(Kept::Unknown),
            Some(KeptBy::Unreadable(scheme.clone())),
        ),
        (_, Results::Unknown) => (Kept::Unknown, None),
        (Some(false), _) => (Kept::Kept, Some(KeptBy::User)),
        (None, Results::Rpc | Results::Stored(_)) => (declared.unwrap_or(Kept::Unknown), None),
    }
}

fn by_events(why: &str) -> String {
    format!(
        "{why}: its end is taken from the workers' events, and what it returns is seen as Python's repr, cut at 1,024 characters"
    )
}

fn ignores(task: &TaskName, forced: Option<bool>) -> String {
    let offer = if forced == Some(true) {
        "; --result force asks for the result itself"
    } else {
        ""
    };
    format!(
        "{}{offer}",
        by_events(&format!("{task} ignores its result"))
    )
}

/// Whether the workers that would run it can be told to send a result that the task ignores: all, none, or not known for all.
fn forced(cluster: &Cluster, takers: &[QueueName]) -> Option<bool> {
    let reads = |worker: &&Worker| takers.iter().any(|queue| worker.reads(queue));
    let can = |worker: &Worker| worker.version().map(|version| version >= FORCING);
    let mut readers = cluster.answering().filter(reads).map(can);
    let first = readers.next()??;
    readers.all(|it| it == Some(first)).then_some(first)
}
