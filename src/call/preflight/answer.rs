//! Whether a result can come, and from where its outcome is awaited. Pure.

use crate::backend::Results;
use crate::call::Answer;
use crate::cluster::{Cluster, Kept, Worker};
use crate::protocol::{QueueName, Signature, TaskName};

/// The first Celery on which a call can ask for the result of a task that ignores it (protocol.md 1.6).
const FORCING: (u64, u64) = (5, 6);

/// What is to be expected.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub kept: Kept,
    pub answer: Answer,
    pub warning: Option<String>,
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
    let kept = match (wish, declared) {
        (Some(false), _) if answer == Answer::Result => Kept::Kept,
        (Some(true), _) | (_, Some(Kept::Ignored)) => Kept::Ignored,
        (_, Some(kept)) if matches!(results, Results::Rpc | Results::Stored(_)) => kept,
        _ => Kept::Unknown,
    };
    Expected {
        kept,
        answer,
        warning,
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
