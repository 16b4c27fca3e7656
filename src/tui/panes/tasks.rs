//! Tasks: what the workers have registered, as a tree by dotted name or flat, filtered by fuzzy match. The cursor belongs to a name, not to a row.

pub mod list;
pub mod view;

use std::collections::BTreeSet;

use super::{Ask, Typed, step};
use crate::cluster::Cluster;
use crate::protocol::TaskName;
use crate::tui::keymap::{Action, Context};
use crate::tui::widgets::{Field, Scroll, Step};

pub use list::{Entry, List};

/// The task that the demo opens on.
const DEMO_FIRST: &str = "demo.math.add";

/// What the pane remembers.
#[derive(Debug)]
pub struct State {
    /// The task under the cursor; the filter may hide it.
    pub cursor: Option<TaskName>,
    /// Where the list stands.
    pub scroll: Scroll,
    /// Whether names are grouped by their dotted parents.
    pub tree: bool,
    /// Whether Celery's own tasks are shown.
    pub builtins: bool,
    /// The filter, empty for none.
    pub filter: Field,
    /// A name being typed by hand.
    pub name: Field,
    /// What is shown now.
    pub list: List,
    mode: Mode,
    chosen: bool,
    typed: BTreeSet<TaskName>,
    opens_on: Option<TaskName>,
    /// Of which state of the cluster's tasks the list was made.
    generation: Option<u64>,
    /// How often the list was made, for those who count.
    pub made: u64,
}

/// What the pane looks at while it changes.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// What has been heard.
    pub cluster: &'a Cluster,
    /// How many rows are seen.
    pub height: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    List,
    Filter,
    Name,
}

impl State {
    /// An empty list; `demo` opens on the demo's first task.
    pub fn new(demo: bool) -> Self {
        Self {
            cursor: None,
            scroll: Scroll::default(),
            tree: true,
            builtins: false,
            filter: Field::default(),
            name: Field::default(),
            list: List::default(),
            mode: Mode::List,
            chosen: false,
            typed: BTreeSet::new(),
            opens_on: demo.then(|| TaskName::from(DEMO_FIRST)),
            generation: None,
            made: 0,
        }
    }

    /// What keys mean here.
    pub fn context(&self) -> Context {
        match self.mode {
            Mode::List => Context::Tasks,
            Mode::Filter => Context::Filter,
            Mode::Name => Context::TypeName,
        }
    }

    /// Whether a filter is typed or set.
    pub fn filtering(&self) -> bool {
        self.mode == Mode::Filter || !self.filter.is_empty()
    }

    /// Whether a name is being typed by hand.
    pub fn naming(&self) -> bool {
        self.mode == Mode::Name
    }

    /// Whether the list is made of the tasks as `cluster` has them now.
    pub fn made_of(&self, cluster: &Cluster) -> bool {
        self.generation == Some(cluster.index.generation())
    }

    /// The cluster changed: the list is made anew, the cursor stays on its task. A task that went away takes the cursor with it, and that is said.
    pub fn refresh(&mut self, around: Around<'_>) -> Option<Ask> {
        let wanted = list::Wanted {
            typed: &self.typed,
            filter: self.filter.text(),
            builtins: self.builtins,
            tree: self.tree,
        };
        self.list = List::new(around.cluster, &wanted);
        self.generation = Some(around.cluster.index.generation());
        self.made += 1;
        let gone = if self.chosen {
            let told = |name: &TaskName| around.cluster.index.get(name).is_some();
            let cursor = &mut self.cursor;
            cursor.take_if(|name| !self.typed.contains(name) && !told(name))
        } else {
            self.cursor = self.first();
            None
        };
        self.settle(around.height);
        let gone = gone?;
        Some(Ask::say(format!(
            "{gone} is no longer registered: nothing is selected now"
        )))
    }

    fn first(&self) -> Option<TaskName> {
        let wanted = self.opens_on.clone();
        let wanted = wanted.filter(|name| self.list.row(name).is_some());
        wanted.or_else(|| self.list.first().map(|entry| entry.name.clone()))
    }

    /// The list stands so that the cursor is seen in `height` rows.
    pub fn settle(&mut self, height: usize) {
        let len = self.list.len();
        match self.row() {
            // The heading above the first task belongs to it.
            Some(row) if row <= 1 => {
                self.scroll = Scroll {
                    selected: row,
                    offset: 0,
                }
            }
            Some(row) => self.scroll.select(row, len, height),
            None => self.scroll.settle(len, height),
        }
    }

    /// The row of the cursor, if it is shown.
    pub fn row(&self) -> Option<usize> {
        self.cursor.as_ref().and_then(|name| self.list.row(name))
    }

    /// One action.
    pub fn update(&mut self, action: Action, around: Around<'_>) -> Option<Ask> {
        if self.mode == Mode::Name {
            return self.update_name(action, around);
        }
        if let Some(step) = step(action) {
            self.go(step, around.height);
            return None;
        }
        match action {
            Action::Filter => self.mode = Mode::Filter,
            Action::Add => self.mode = Mode::Name,
            Action::ToggleTree => {
                self.tree = !self.tree;
                return self.refresh(around);
            }
            Action::Builtins => {
                self.builtins = !self.builtins;
                return self.refresh(around);
            }
            Action::Enter if self.mode == Mode::Filter => self.mode = Mode::List,
            Action::Enter | Action::Edit => return self.open(),
            Action::Back => return self.back(around),
            Action::Copy => return Some(self.copy()),
            _ => return Some(Ask::NotHere),
        }
        None
    }

    fn open(&mut self) -> Option<Ask> {
        self.row()?;
        self.chosen = true;
        self.cursor.clone().map(Ask::Open)
    }

    fn back(&mut self, around: Around<'_>) -> Option<Ask> {
        self.mode = Mode::List;
        if self.filter.is_empty() {
            return None;
        }
        self.filter = Field::default();
        self.refresh(around)
    }

    fn copy(&self) -> Ask {
        match &self.cursor {
            Some(name) => Ask::Copy(name.to_string(), "the task's name"),
            None => Ask::say("no task is selected"),
        }
    }

    /// Moves the cursor among the tasks that are shown; headings are skipped.
    fn go(&mut self, step: Step, height: usize) {
        let to = match self.row() {
            Some(row) => self.list.step(step, row, height),
            None => self.list.step(step, 0, height),
        };
        if let Some(entry) = to.and_then(|row| self.list.at(row)) {
            self.cursor = Some(entry.name.clone());
            self.chosen = true;
        }
        self.settle(height);
    }

    fn update_name(&mut self, action: Action, around: Around<'_>) -> Option<Ask> {
        match action {
            Action::Enter => {
                let name = self.name.text().trim().to_owned();
                self.leave_name();
                if name.is_empty() {
                    return None;
                }
                let name = TaskName(name);
                self.typed.insert(name.clone());
                self.cursor = Some(name.clone());
                self.chosen = true;
                self.refresh(around);
                Some(Ask::Open(name))
            }
            Action::Back => {
                self.leave_name();
                None
            }
            _ => Some(Ask::NotHere),
        }
    }

    fn leave_name(&mut self) {
        self.mode = Mode::List;
        self.name = Field::default();
    }

    /// The user stops typing; what was typed stays. Returns whether he was typing.
    pub fn stop_typing(&mut self) -> bool {
        let typing = self.mode != Mode::List;
        self.mode = Mode::List;
        typing
    }

    /// A key that is text, or a paste. Returns whether it was taken.
    pub fn text(&mut self, typed: Typed<'_>, around: Around<'_>) -> bool {
        match self.mode {
            Mode::Name => typed.into_field(&mut self.name),
            Mode::Filter => {
                let before = self.filter.text().to_owned();
                let taken = typed.into_field(&mut self.filter);
                if self.filter.text() != before {
                    self.refresh(around);
                    self.find_best(around.height);
                }
                taken
            }
            Mode::List => false,
        }
    }

    /// While a filter is typed the cursor is on the best match.
    fn find_best(&mut self, height: usize) {
        if let Some(name) = self.list.best() {
            self.cursor = Some(name.clone());
            self.chosen = true;
        }
        self.settle(height);
    }
}
