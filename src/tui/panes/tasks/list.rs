//! The rows of Tasks: names, where they are registered, filtered and in order. Made from the cluster; remembers nothing.

use std::collections::{BTreeSet, HashMap};

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use crate::call::preflight;
use crate::cluster::{Cluster, Kept};
use crate::protocol::{Options, QueueName, Signature, TaskId, TaskName};

/// One task of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: TaskName,
    /// On how many answering workers it is registered.
    pub on: usize,
    /// Whether a person typed it and no worker has told it.
    pub typed: bool,
    score: u32,
}

/// The list as it is shown.
#[derive(Debug, Default)]
pub struct List {
    rows: Vec<Entry>,
    places: HashMap<TaskName, usize>,
    all: BTreeSet<TaskName>,
    /// How many there are without the filter.
    pub total: usize,
    /// How many of Celery's own are hidden.
    pub hidden_builtins: usize,
}

impl List {
    /// The tasks of `cluster` and those typed by hand that match `filter`.
    pub fn new(
        cluster: &Cluster,
        typed: &BTreeSet<TaskName>,
        filter: &str,
        builtins: bool,
        tree: bool,
    ) -> Self {
        let counts = cluster.registered_counts();
        let told = cluster.workers.values().filter_map(|worker| worker.tasks.as_ref());
        let all: BTreeSet<TaskName> = told.flatten().chain(typed).cloned().collect();
        let builtin = |name: &&TaskName| name.as_str().starts_with("celery.");
        let hidden = |name: &&TaskName| !builtins && builtin(name) && !typed.contains(*name);
        let entry = |name: &TaskName| Entry {
            name: name.clone(),
            on: counts.get(name).copied().unwrap_or(0),
            typed: typed.contains(name) && cluster.task(name).is_none(),
            score: 0,
        };
        let mut rows: Vec<Entry> = all
            .iter()
            .filter(|name| !hidden(name))
            .map(entry)
            .collect();
        let total = rows.len();
        narrow(&mut rows, filter, tree);
        let places = rows
            .iter()
            .enumerate()
            .map(|(place, entry)| (entry.name.clone(), place))
            .collect();
        Self {
            rows,
            places,
            hidden_builtins: all.iter().filter(hidden).count(),
            all,
            total,
        }
    }

    /// How many are shown.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none is shown.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row of a task, if it is shown.
    pub fn row(&self, name: &TaskName) -> Option<usize> {
        self.places.get(name).copied()
    }

    /// The task in a row.
    pub fn at(&self, row: usize) -> Option<&Entry> {
        self.rows.get(row)
    }

    /// All rows.
    pub fn rows(&self) -> &[Entry] {
        &self.rows
    }

    /// Whether the task exists at all, shown or not.
    pub fn knows(&self, name: &TaskName) -> bool {
        self.all.contains(name)
    }

    /// The best match of the filter.
    pub fn best(&self) -> Option<&TaskName> {
        let best = self.rows.iter().map(|entry| entry.score).max()?;
        self.rows
            .iter()
            .find(|entry| entry.score == best)
            .map(|entry| &entry.name)
    }
}

/// Keeps what matches; in a tree the order stays, in a flat list the best comes first.
fn narrow(rows: &mut Vec<Entry>, filter: &str, tree: bool) {
    if filter.is_empty() {
        return;
    }
    let pattern = Pattern::parse(filter, CaseMatching::Smart, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT.match_paths());
    let mut buffer = Vec::new();
    rows.retain_mut(|entry| {
        let text = Utf32Str::new(entry.name.as_str(), &mut buffer);
        let score = pattern.score(text, &mut matcher);
        entry.score = score.unwrap_or(0);
        score.is_some()
    });
    if !tree {
        rows.sort_by_key(|entry| std::cmp::Reverse(entry.score));
    }
}

/// The characters of `name` that `filter` hit, by their place among its characters.
pub fn hits(filter: &str, name: &str) -> Vec<u32> {
    if filter.is_empty() {
        return Vec::new();
    }
    let pattern = Pattern::parse(filter, CaseMatching::Smart, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT.match_paths());
    let (mut buffer, mut hits) = (Vec::new(), Vec::new());
    pattern.indices(Utf32Str::new(name, &mut buffer), &mut matcher, &mut hits);
    hits.sort_unstable();
    hits.dedup();
    hits
}

/// Whether a call may reach a worker that does not know the task: some reader of its queue has not registered it, or nobody reads it.
pub fn may_fail(cluster: &Cluster, entry: &Entry) -> bool {
    let queue = queue_of(cluster, &entry.name);
    let mut readers = cluster
        .answering()
        .filter(|worker| worker.reads(&queue))
        .filter_map(|worker| worker.knows(&entry.name))
        .peekable();
    if readers.peek().is_none() {
        return entry.on < cluster.told_tasks();
    }
    readers.any(|knows| !knows)
}

/// The queue a call without options would go to.
fn queue_of(cluster: &Cluster, name: &TaskName) -> QueueName {
    let signature = Signature {
        task: name.clone(),
        id: TaskId::default(),
        args: Vec::new(),
        kwargs: Vec::new(),
        options: Options::default(),
    };
    preflight::choose_queue(cluster, &signature).0
}

/// Whether the task declares that its result is not kept.
pub fn ignores_result(cluster: &Cluster, name: &TaskName) -> bool {
    cluster
        .task(name)
        .is_some_and(|row| row.kept == Kept::Ignored)
}
