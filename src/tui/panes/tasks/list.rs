//! The rows of Tasks: names, where they are registered, filtered and in order. Made from the cluster; remembers nothing.

use std::collections::{BTreeSet, HashMap};

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use crate::call::preflight;
use crate::cluster::{Cluster, Kept};
use crate::protocol::{Options, QueueName, Signature, TaskId, TaskName};
use crate::tui::widgets::Step;

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

/// One row that is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// The dotted parent of the tasks below.
    Group(String),
    /// A task.
    Task(Entry),
}

/// What is to be listed, and how.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Names typed by hand.
    pub typed: &'a BTreeSet<TaskName>,
    /// The filter, empty for none.
    pub filter: &'a str,
    /// Celery's own tasks too.
    pub builtins: bool,
    /// Under their dotted parents.
    pub tree: bool,
}

/// The list as it is shown.
#[derive(Debug, Default)]
pub struct List {
    rows: Vec<Row>,
    places: HashMap<TaskName, usize>,
    /// How many tasks match the filter.
    pub matching: usize,
    /// How many there are without the filter.
    pub total: usize,
    /// How many of Celery's own are hidden.
    pub hidden_builtins: usize,
}

impl List {
    /// The tasks of `cluster` and those typed by hand that match the filter.
    pub fn new(cluster: &Cluster, wanted: &Wanted<'_>) -> Self {
        let Wanted {
            typed,
            filter,
            builtins,
            tree,
        } = *wanted;
        let told = cluster.index.iter().map(|(name, _)| name);
        let names: BTreeSet<&TaskName> = told.chain(typed).collect();
        let builtin = |name: &TaskName| name.as_str().starts_with("celery.");
        let hidden = |name: &TaskName| !builtins && builtin(name) && !typed.contains(name);
        let entry = |name: &TaskName| Entry {
            name: name.clone(),
            on: cluster.index.get(name).map_or(0, |it| it.answering),
            typed: typed.contains(name) && cluster.index.get(name).is_none(),
            score: 0,
        };
        let shown = names.iter().filter(|name| !hidden(name));
        let entries: Vec<Entry> = shown.map(|name| entry(name)).collect();
        let hidden_builtins = names.len() - entries.len();
        let total = entries.len();
        let entries = narrow(entries, filter, tree);
        let matching = entries.len();
        let rows = if tree {
            grouped(entries)
        } else {
            flat(entries)
        };
        Self {
            places: places(&rows),
            rows,
            hidden_builtins,
            matching,
            total,
        }
    }

    /// How many rows are drawn, headings included.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none is drawn.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row of a task, if it is shown.
    pub fn row(&self, name: &TaskName) -> Option<usize> {
        self.places.get(name).copied()
    }

    /// What is drawn in a row.
    pub fn drawn(&self, row: usize) -> Option<&Row> {
        self.rows.get(row)
    }

    /// The task in a row; `None` for a heading.
    pub fn at(&self, row: usize) -> Option<&Entry> {
        match self.rows.get(row) {
            Some(Row::Task(entry)) => Some(entry),
            _ => None,
        }
    }

    /// The first task.
    pub fn first(&self) -> Option<&Entry> {
        self.tasks().next()
    }

    fn tasks(&self) -> impl Iterator<Item = &Entry> {
        self.rows.iter().filter_map(|row| match row {
            Row::Task(entry) => Some(entry),
            Row::Group(_) => None,
        })
    }

    /// The row of the task that `step` leads to from `row`.
    pub fn step(&self, step: Step, row: usize, height: usize) -> Option<usize> {
        let to = step.from(row, self.len(), height);
        let is_task = |row: &usize| self.at(*row).is_some();
        let down = (to..self.len()).find(is_task);
        let up = (0..=to.min(self.len().checked_sub(1)?)).rev().find(is_task);
        match step {
            Step::Up | Step::HalfUp | Step::PageUp => up.or(down),
            _ => down.or(up),
        }
    }

    /// The best match of the filter.
    pub fn best(&self) -> Option<&TaskName> {
        let best = self.tasks().map(|entry| entry.score).max()?;
        let mut tasks = self.tasks();
        tasks
            .find(|entry| entry.score == best)
            .map(|entry| &entry.name)
    }
}

/// Keeps what matches; in a tree the order stays, in a flat list the best comes first.
fn narrow(mut entries: Vec<Entry>, filter: &str, tree: bool) -> Vec<Entry> {
    if filter.is_empty() {
        return entries;
    }
    let pattern = Pattern::parse(filter, CaseMatching::Smart, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    entries.retain_mut(|entry| {
        let text = Utf32Str::new(entry.name.as_str(), &mut buffer);
        let score = pattern.score(text, &mut matcher);
        entry.score = score.unwrap_or(0);
        score.is_some()
    });
    if !tree {
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.score));
    }
    entries
}

/// The graphemes of `name` that `filter` hit, by their place, in order.
pub fn hits(filter: &str, name: &str) -> Vec<u32> {
    if filter.is_empty() {
        return Vec::new();
    }
    let pattern = Pattern::parse(filter, CaseMatching::Smart, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let (mut buffer, mut hits) = (Vec::new(), Vec::new());
    pattern.indices(Utf32Str::new(name, &mut buffer), &mut matcher, &mut hits);
    hits.sort_unstable();
    hits.dedup();
    hits
}

fn flat(entries: Vec<Entry>) -> Vec<Row> {
    entries.into_iter().map(Row::Task).collect()
}

/// Tasks under their dotted parents; a name without a dot stands by itself, before the groups.
fn grouped(mut entries: Vec<Entry>) -> Vec<Row> {
    entries.sort_by(|a, b| (group(&a.name), &a.name).cmp(&(group(&b.name), &b.name)));
    let mut rows = Vec::with_capacity(entries.len());
    let mut current = "";
    for entry in &entries {
        let parent = group(&entry.name);
        if parent != current {
            rows.push(Row::Group(parent.to_owned()));
            current = parent;
        }
        rows.push(Row::Task(entry.clone()));
    }
    rows
}

/// The dotted parent of a task; empty if it has none.
pub fn group(name: &TaskName) -> &str {
    name.as_str()
        .rsplit_once('.')
        .map_or("", |(parent, _)| parent)
}

fn places(rows: &[Row]) -> HashMap<TaskName, usize> {
    let tasks = rows
        .iter()
        .enumerate()
        .filter_map(|(place, row)| match row {
            Row::Task(entry) => Some((entry.name.clone(), place)),
            Row::Group(_) => None,
        });
    tasks.collect()
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
    let row = cluster.task(name);
    row.is_some_and(|row| row.kept == Kept::Ignored)
}
