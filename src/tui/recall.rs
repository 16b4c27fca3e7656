//! Recall: the calls of the past under one line of typing, and what the selected one would change in the form. Holds what history told;
//! asks by wishes, loads nothing itself.

pub mod differs;
pub mod found;
pub mod view;

use strum::IntoEnumIterator;

use crate::call::CallState;
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::history::filter::LONGEST_PAGE;
use crate::history::{Filter, Found, Key, Record, Row};
use crate::protocol::TaskName;
use crate::tui::keymap::Action;
use crate::tui::panes::{Typed, step};
use crate::tui::past::{Answer, Question, Wish};
use crate::tui::state::Shared;
use crate::tui::widgets::{Field, Followed, Picked};
use found::{Calls, words};

/// Which calls are looked through. Each holds those of the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Those of the task at hand, at this broker.
    Task,
    /// Those of all tasks, at this broker.
    Broker,
    /// All.
    #[default]
    All,
}

/// How the calls that are looked through ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ends {
    /// In any way, or not at all.
    #[default]
    Any,
    /// They returned.
    Ok,
    /// They ended otherwise. Of a call that was given up nobody knows how it ended.
    Failed,
}

impl Ends {
    fn next(self) -> Self {
        match self {
            Self::Any => Self::Ok,
            Self::Ok => Self::Failed,
            Self::Failed => Self::Any,
        }
    }

    /// The states that they are in; none: any.
    fn states(self) -> Vec<CallState> {
        let returned = |state: CallState| matches!(state, CallState::Ok | CallState::LateOk);
        let ended = CallState::iter().filter(|state| state.is_final());
        match self {
            Self::Any => Vec::new(),
            Self::Ok => ended.filter(|state| returned(*state)).collect(),
            Self::Failed => ended
                .filter(|state| !returned(*state) && *state != CallState::NoResult)
                .collect(),
        }
    }
}

/// What becomes of the popup.
#[derive(Debug)]
pub enum Next {
    /// It stays.
    Stay,
    /// It closes; nothing changed.
    Close,
    /// It closes, and this call goes into the form.
    Load(Box<Record>),
}

/// What is known of the call under the cursor.
#[derive(Debug, Default)]
enum Chosen {
    /// Nothing is selected.
    #[default]
    None,
    /// It is being fetched.
    Fetching(Key),
    /// As it was made.
    Record(Box<Record>),
    /// It is no longer there, or cannot be read.
    Lost(Key, String),
}

/// The popup.
#[derive(Debug, Default)]
pub struct State {
    open: bool,
    scope: Scope,
    ends: Ends,
    /// The task at hand.
    task: Option<TaskName>,
    /// Where calls go now.
    broker: String,
    field: Field,
    calls: Calls,
    picked: Picked<Key>,
    /// Whether the user moved the cursor; else it is on the best match.
    moved: bool,
    chosen: Chosen,
    /// Enter was pressed before its call had come.
    entered: bool,
    trouble: Option<Error>,
    /// Number of the questions that are under way: answers to older ones are thrown away.
    number: u64,
    /// The words that older calls are asked for, while they are.
    seeking: Option<String>,
    wishes: Vec<Wish>,
}

/// What the popup looks at while it changes.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// What is known.
    pub shared: &'a Shared,
    /// Rows of the list.
    pub height: usize,
    /// When.
    pub now: Now,
}

impl State {
    /// Whether it lies over the panes.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Opens it for a task, or for all where there is none.
    pub fn open(&mut self, task: Option<TaskName>, shared: &Shared) {
        let scribe = shared.scribe.as_ref();
        *self = Self {
            open: true,
            scope: if task.is_some() {
                Scope::Task
            } else {
                Scope::Broker
            },
            task,
            broker: scribe.map_or(String::new(), |scribe| scribe.origin.broker.clone()),
            number: self.number,
            ..Self::default()
        };
        if scribe.is_some() {
            self.look();
        }
    }

    /// Closes it. Returns whether it was open.
    pub fn close(&mut self) -> bool {
        let was_open = self.open;
        *self = Self {
            number: self.number + 1,
            ..Self::default()
        };
        was_open
    }

    /// What history is to be asked.
    pub fn take_wishes(&mut self) -> Vec<Wish> {
        std::mem::take(&mut self.wishes)
    }

    /// Looks through the calls of the scope from the beginning.
    fn look(&mut self) {
        self.number += 1;
        self.calls = Calls::default();
        self.picked = Picked::default();
        self.moved = false;
        self.chosen = Chosen::None;
        self.entered = false;
        self.trouble = None;
        self.seeking = None;
        self.ask(Question::Newest(self.filter(), None));
    }

    fn ask(&mut self, question: Question) {
        self.wishes.push(Wish::Recall(self.number, question));
    }

    fn filter(&self) -> Filter {
        let task = self.task.as_ref().filter(|_| self.scope == Scope::Task);
        let here = self.scope != Scope::All;
        Filter {
            broker: here.then(|| self.broker.clone()),
            states: self.ends.states(),
            ..task.map_or_else(Filter::default, Filter::task)
        }
    }

    /// The scope that Ctrl-R leads to.
    fn next_scope(&self) -> Scope {
        match self.scope {
            Scope::Broker => Scope::All,
            Scope::All if self.task.is_some() => Scope::Task,
            Scope::Task | Scope::All => Scope::Broker,
        }
    }

    /// A key that is text, or a paste. Returns whether it was taken.
    pub fn text(&mut self, typed: Typed<'_>, around: Around<'_>) -> bool {
        let before = self.field.text().to_owned();
        let taken = typed.into_field(&mut self.field);
        if self.field.text() != before {
            self.moved = false;
            self.entered = false;
            self.calls
                .set_older(Vec::new(), &around.shared.zone, around.now);
            self.narrow(around);
            self.seek();
        }
        taken
    }

    /// One action.
    pub fn update(&mut self, action: Action, around: Around<'_>) -> Next {
        if let Some(step) = step(action) {
            let calls = &self.calls;
            let key_at = key_at(calls);
            self.picked
                .step(step, calls.listed(), around.height, key_at);
            self.moved = true;
            self.entered = false;
            self.fetch();
            return Next::Stay;
        }
        match action {
            Action::Recall if around.shared.scribe.is_some() => {
                self.scope = self.next_scope();
                self.look();
            }
            Action::Outcome if around.shared.scribe.is_some() => {
                self.ends = self.ends.next();
                self.look();
            }
            Action::Enter => return self.enter(),
            Action::Back => return Next::Close,
            _ => {}
        }
        Next::Stay
    }

    fn enter(&mut self) -> Next {
        self.entered = matches!(self.chosen, Chosen::Fetching(_));
        match std::mem::take(&mut self.chosen) {
            Chosen::Record(record) if record.arguments_cut.is_none() => Next::Load(record),
            other => {
                self.chosen = other;
                Next::Stay
            }
        }
    }

    /// What history answered, or why it did not.
    pub fn answered(&mut self, number: u64, answer: Result<Answer>, around: Around<'_>) -> Next {
        if !self.open || number != self.number {
            return Next::Stay;
        }
        match answer {
            Ok(Answer::Newest(rows)) => self.page(rows, around),
            Ok(Answer::Older(rows)) => self.older(rows, around),
            Ok(Answer::Call(key, found)) => return self.fetched(&key, found),
            Err(error) => self.failed(error),
        }
        Next::Stay
    }

    fn page(&mut self, rows: Vec<Row>, around: Around<'_>) {
        let zone = &around.shared.zone;
        let next = self.calls.page(rows, LONGEST_PAGE, zone, around.now);
        if let Some(before) = next {
            self.ask(Question::Newest(self.filter(), Some(before)));
        }
        self.narrow(around);
        self.seek();
    }

    /// Asks for calls older than all that are looked through: those that hold the words. One question at a time.
    fn seek(&mut self) {
        let end = self.calls.end().filter(|_| self.calls.beyond);
        let (Some(end), Some(words), None) = (end, words(self.field.text()), &self.seeking) else {
            return;
        };
        let filter = Filter {
            text: words.clone(),
            ..self.filter()
        };
        self.seeking = Some(words);
        self.ask(Question::Older(filter, end));
    }

    fn older(&mut self, rows: Vec<Row>, around: Around<'_>) {
        let sought = self.seeking.take();
        if sought == words(self.field.text()) {
            self.calls.set_older(rows, &around.shared.zone, around.now);
            self.settle(around.height);
        } else {
            self.seek();
        }
    }

    fn fetched(&mut self, key: &Key, found: Found) -> Next {
        if !matches!(&self.chosen, Chosen::Fetching(wanted) if wanted == key) {
            return Next::Stay;
        }
        self.chosen = match found {
            Found::One(record) => Chosen::Record(record),
            found => {
                let gone = || "it is no longer in history".to_owned();
                Chosen::Lost(key.clone(), found.unreadable().unwrap_or_else(gone))
            }
        };
        // The cursor may have gone on meanwhile.
        self.fetch();
        if self.entered {
            return self.enter();
        }
        Next::Stay
    }

    fn failed(&mut self, error: Error) {
        self.entered = false;
        self.seeking = None;
        self.calls.complete = true;
        if let Chosen::Fetching(id) = &self.chosen {
            self.chosen = Chosen::Lost(id.clone(), "it could not be read".to_owned());
        }
        self.trouble = Some(error);
    }

    fn narrow(&mut self, around: Around<'_>) {
        self.calls.narrow(self.field.text());
        self.settle(around.height);
    }

    /// The cursor stays on its call if the user put it there, else it is on the best one.
    fn settle(&mut self, height: usize) {
        let (calls, len) = (&self.calls, self.calls.listed());
        let stays = self.moved && self.picked.follow(len, height, key_at(calls)) != Followed::Lost;
        if !stays {
            self.picked.select(0, len, height, key_at(calls));
        }
        self.fetch();
    }

    /// Fetches the call under the cursor, one at a time.
    fn fetch(&mut self) {
        let Some(wanted) = self.picked.key() else {
            self.chosen = Chosen::None;
            return;
        };
        let known = match &self.chosen {
            Chosen::None => false,
            Chosen::Fetching(_) => true,
            Chosen::Record(record) => record.key() == *wanted,
            Chosen::Lost(lost, _) => lost == wanted,
        };
        if !known {
            let key = wanted.clone();
            self.chosen = Chosen::Fetching(key.clone());
            self.ask(Question::Call(key));
        }
    }
}

fn key_at(calls: &Calls) -> impl Fn(usize) -> Key + '_ {
    |row| calls.at(row).map(|item| item.row.key()).unwrap_or_default()
}
