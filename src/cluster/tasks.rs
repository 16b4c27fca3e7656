//! Tasks as the workers together know them: which of them have each, its queue, whether its result is kept.

use super::{Cluster, Worker, WorkerState};
use crate::protocol::{NodeName, TaskName};

/// Whether a task's result is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::Display, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Kept {
    /// Stored or sent by the worker.
    Kept,
    /// The task declares `ignore_result`.
    Ignored,
    /// Nobody said.
    Unknown,
}

/// One task, over all workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// Its name.
    pub name: TaskName,
    /// Answering workers that have it registered.
    pub workers: Vec<NodeName>,
    /// SILENT workers that had it registered when they were heard last.
    pub silent: Vec<NodeName>,
    /// Its own `queue` option, where one is declared.
    pub queue: Option<String>,
    /// Whether its result is kept.
    pub kept: Kept,
}

impl TaskRow {
    /// Whether it is one of Celery's own.
    pub fn builtin(&self) -> bool {
        self.name.as_str().starts_with("celery.")
    }
}

impl Cluster {
    /// Workers that told their tasks and are not SILENT: the `6` of `5/6`.
    pub fn told_tasks(&self) -> usize {
        self.answering()
            .filter(|worker| worker.tasks.is_some())
            .count()
    }

    /// All tasks of all workers, by name.
    pub fn tasks(&self) -> Vec<TaskRow> {
        self.index.iter().map(|(name, _)| self.row(name)).collect()
    }

    /// One task, if any worker has it.
    pub fn task(&self, name: &TaskName) -> Option<TaskRow> {
        self.index.get(name)?;
        Some(self.row(name))
    }

    /// What workers tell of a task beside its name (`"max_retries"`): the first that does.
    pub fn item(&self, task: &TaskName, item: &str) -> Option<&str> {
        let mut told = self
            .workers
            .values()
            .filter_map(|worker| worker.items.get(item)?.get(task));
        told.next().map(String::as_str)
    }

    fn row(&self, name: &TaskName) -> TaskRow {
        let having: Vec<_> = self
            .workers
            .values()
            .filter(|worker| worker.knows(name) == Some(true))
            .collect();
        let item = |item: &str| {
            having
                .iter()
                .find_map(|worker| worker.items.get(item)?.get(name).cloned())
        };
        let kept = match item("ignore_result").as_deref() {
            Some("True") => Kept::Ignored,
            Some(_) => Kept::Kept,
            None => Kept::Unknown,
        };
        let queue = item("queue");
        let (silent, workers): (Vec<_>, Vec<_>) = having
            .into_iter()
            .partition(|worker| worker.state() == WorkerState::Silent);
        let names = |workers: Vec<&Worker>| {
            workers
                .into_iter()
                .map(|worker| worker.name.clone())
                .collect()
        };
        TaskRow {
            name: name.clone(),
            workers: names(workers),
            silent: names(silent),
            queue,
            kept,
        }
    }
}
