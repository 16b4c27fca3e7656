//! Tasks: what the workers have registered, as a tree by dotted name or flat, filtered by fuzzy match. The cursor belongs to a name, not to a row.

pub mod list;
pub mod view;

use std::collections::BTreeSet;

use super::{Ask, Scene, step};
use crate::cluster::Cluster;
use crate::protocol::TaskName;
use crate::tui::input::Input;
use crate::tui::keymap::{Action, Context};
use crate::tui::widgets::field::Field;

pub use list::{Entry, List};

/// The task that the demo opens on.
const DEMO_FIRST: &str = "demo.math.add";

/// What the pane remembers.
#[derive(Debug)]
pub struct State {
    /// The task under the cursor; it may be hidden by the filter.
    pub cursor: Option<TaskName>,
    /// Whether the user has chosen the cursor's place.
    chosen: bool,
    /// Whether names are grouped by their dotted parents.
    pub tree: bool,
    /// Whether Celery's own tasks are shown.
    pub builtins: bool,
    /// What is being typed.
    mode: Mode,
    /// The filter, empty for none.
    pub filter: Field,
    /// A name being typed by hand.
    pub name: Field,
    /// Names typed by hand in this run.
    typed: BTreeSet<TaskName>,
    /// What is shown now.
    pub list: List,
    demo: bool,
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
            chosen: false,
            tree: true,
            builtins: false,
            mode: Mode::List,
            filter: Field::default(),
            name: Field::default(),
            typed: BTreeSet::new(),
            list: List::default(),
            demo,
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

    /// The cluster changed: the list is made anew, the cursor stays on its task. A task that went away takes the cursor with it, and that is said.
    pub fn refresh(&mut self, cluster: &Cluster) -> Option<Ask> {
        self.list = List::new(cluster, &self.typed, self.filter.text(), self.builtins, self.tree);
        if !self.chosen {
            self.cursor = self.first();
            return None;
        }
        let gone = self.cursor.take_if(|name| !self.list.knows(name))?;
        Some(Ask::say(format!(
            "{gone} is no longer registered: nothing is selected now"
        )))
    }

    fn first(&self) -> Option<TaskName> {
        let demo = TaskName::from(DEMO_FIRST);
        let demo = (self.demo && self.list.row(&demo).is_some()).then_some(demo);
        demo.or_else(|| self.list.at(0).map(|entry| entry.name.clone()))
    }

    /// One action. `page` is how many rows fit.
    pub fn update(&mut self, action: Action, cluster: &Cluster, page: usize) -> Option<Ask> {
        if self.mode == Mode::Name {
            return self.naming(action, cluster);
        }
        let page = isize::try_from(page.max(2) - 1).unwrap_or(1);
        match action {
            Action::Down => self.go(1),
            Action::Up => self.go(-1),
            Action::PageDown => self.go(page),
            Action::PageUp => self.go(-page),
            Action::First => self.go(isize::MIN),
            Action::Last => self.go(isize::MAX),
            Action::Filter => self.mode = Mode::Filter,
            Action::Add => {
                self.mode = Mode::Name;
            }
            Action::ToggleTree => {
                self.tree = !self.tree;
                return self.refresh(cluster);
            }
            Action::Builtins => {
                self.builtins = !self.builtins;
                return self.refresh(cluster);
            }
            Action::Enter => return self.enter(),
            Action::Edit => return self.open(),
            Action::Back => return self.back(cluster),
            Action::Copy => return Some(self.copy()),
            _ => return Some(Ask::NotHere),
        }
        None
    }

    fn enter(&mut self) -> Option<Ask> {
        if self.mode == Mode::Filter {
            self.mode = Mode::List;
            return None;
        }
        self.open()
    }

    fn open(&mut self) -> Option<Ask> {
        let shown = self.cursor.clone().filter(|name| self.list.row(name).is_some());
        self.chosen |= shown.is_some();
        shown.map(Ask::Open)
    }

    fn back(&mut self, cluster: &Cluster) -> Option<Ask> {
        self.mode = Mode::List;
        if self.filter.text().is_empty() {
            return None;
        }
        self.filter = Field::default();
        self.refresh(cluster)
    }

    fn copy(&self) -> Ask {
        match &self.cursor {
            Some(name) => Ask::Copy(name.to_string(), "the task's name"),
            None => Ask::say("no task is selected"),
        }
    }

    /// Moves the cursor among the rows that are shown.
    fn go(&mut self, by: isize) {
        let row = self.cursor.as_ref().and_then(|name| self.list.row(name));
        let row = match row {
            Some(row) => step(row, by, self.list.len()),
            None if by == isize::MAX => self.list.len().saturating_sub(1),
            None => 0,
        };
        if let Some(entry) = self.list.at(row) {
            self.cursor = Some(entry.name.clone());
            self.chosen = true;
        }
    }

    fn naming(&mut self, action: Action, cluster: &Cluster) -> Option<Ask> {
        match action {
            Action::Enter => {
                let name = self.name.text().trim().to_owned();
                if name.is_empty() {
                    self.mode = Mode::List;
                    return None;
                }
                self.leave_name();
                let name = TaskName(name);
                self.typed.insert(name.clone());
                self.cursor = Some(name.clone());
                self.chosen = true;
                // A filter that hides the new name would hide the cursor.
                self.refresh(cluster);
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

    /// The user stops typing; nothing that was typed is lost. Returns whether he was.
    pub fn stop_typing(&mut self) -> bool {
        let typing = self.mode != Mode::List;
        self.mode = Mode::List;
        typing
    }

    /// A key that is text, or a paste.
    pub fn text(&mut self, input: &Input, cluster: &Cluster) -> Option<Ask> {
        match self.mode {
            Mode::Name => {
                self.name.input(input);
                None
            }
            Mode::Filter => {
                let before = self.filter.text().to_owned();
                self.filter.input(input);
                if self.filter.text() != before {
                    self.refresh(cluster);
                    self.to_best();
                }
                None
            }
            Mode::List => Some(Ask::NotHere),
        }
    }

    /// While a filter is typed the cursor is on the best match.
    fn to_best(&mut self) {
        if let Some(name) = self.list.best() {
            self.cursor = Some(name.clone());
            self.chosen = true;
        }
    }

    /// Whether a filter is typed or set.
    pub fn filtering(&self) -> bool {
        self.mode == Mode::Filter || !self.filter.text().is_empty()
    }

    /// What stands under the list while a name is typed.
    pub fn naming_now(&self) -> bool {
        self.mode == Mode::Name
    }

    /// Whether the pane is empty because nobody has answered yet.
    pub fn loading(scene: &Scene<'_>) -> bool {
        !scene.shared.cluster.surveyed && scene.shared.cluster.workers.is_empty()
    }
}
