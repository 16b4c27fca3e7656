//! What the screen asks of history, and what history tells. Plain data; asks nothing itself.

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::history::{Comparison, Count, Cursor, Filter, Found, Key, Notice, Record, Row, Usual};
use crate::protocol::{TaskId, TaskName};

/// Rows that are fetched at once.
pub const PAGE: usize = 200;

/// Something for history to do.
#[derive(Debug)]
pub enum Wish {
    /// Keep this.
    Save(Box<Record>),
    /// A page of a list.
    Page {
        /// Who asks, and for which of its questions.
        asked: Asked,
        /// Of which calls.
        filter: Filter,
        /// Where the page begins; `None`: with the newest.
        before: Option<Cursor>,
    },
    /// How many calls there are: all, those without an outcome, and those that pass a filter; with the number of the question.
    Counts(u64, Filter),
    /// A call, for this purpose.
    Get(Key, Purpose),
    /// The last call of an id, for this purpose.
    Named(TaskId, Purpose),
    /// The newest call of a task, to be called again, with the number of the press.
    Last(TaskName, u64),
    /// How long a task usually takes on this broker.
    Usual(TaskName, String),
    /// Calls of this broker without an answer, made since then.
    Unresolved(String, Timestamp),
    /// Delete a call.
    Forget(Key, Timestamp),
    /// Take that back.
    Recollect(Box<Record>),
    /// Compare a call with another one; `None`: with the call of the same task before it. With the number of the press.
    Compare(Key, Option<Key>, u64),
    /// What the recall popup asks, with the number of its question.
    Recall(u64, Question),
}

/// What the recall popup asks.
#[derive(Debug)]
pub enum Question {
    /// The newest calls that pass the filter, before a place: at most [`crate::history::filter::LONGEST_PAGE`].
    Newest(Filter, Option<Cursor>),
    /// Calls before a place that pass the filter with its words: at most [`PAGE`].
    Older(Filter, Cursor),
    /// A call as it was made.
    Call(Key),
}

/// What history answers to a [`Question`].
#[derive(Debug)]
pub enum Answer {
    /// Rows, the newest first.
    Newest(Vec<Row>),
    /// Rows, the newest first.
    Older(Vec<Row>),
    /// What there is of this call.
    Call(Key, Found),
}

/// Whose page it is. An answer to an older question is thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The History pane, for its question number so and so.
    List(u64),
}

/// What the user wants of calls of the past, with one key where he is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// See a call in Result.
    Show(Key),
    /// See the last call of an id.
    ShowLast(TaskId),
    /// Have a call in the form.
    Load(Key),
    /// Call a call again.
    Again(Key),
    /// Call the newest call of a task again.
    Last(TaskName),
    /// See how a call differs from another one; `None`: from the call of the same task before it.
    Compare(Key, Option<Key>),
}

impl Want {
    /// Whether something is sent.
    pub fn calls(&self) -> bool {
        matches!(self, Self::Again(_) | Self::Last(_))
    }

    /// What history is asked for it, with the number of the press.
    pub fn wish(self, press: u64) -> Wish {
        match self {
            Self::Show(key) => Wish::Get(key, Purpose::Show(press)),
            Self::ShowLast(id) => Wish::Named(id, Purpose::Show(press)),
            Self::Load(key) => Wish::Get(key, Purpose::Load(press)),
            Self::Again(key) => Wish::Get(key, Purpose::Again(press)),
            Self::Last(task) => Wish::Last(task, press),
            Self::Compare(key, other) => Wish::Compare(key, other, press),
        }
    }
}

/// What calls are fetched for, mostly with the number of the press that wanted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be shown in Result.
    Show(u64),
    /// To be shown as it is now, if it is still looked at: another program wrote.
    Renew,
    /// To be loaded into the form.
    Load(u64),
    /// To be called again.
    Again(u64),
    /// To be compared.
    Compare(u64),
}

impl Purpose {
    /// The press that wanted it; `None`: nobody pressed anything.
    pub fn press(self) -> Option<u64> {
        match self {
            Self::Show(press) | Self::Load(press) | Self::Again(press) | Self::Compare(press) => {
                Some(press)
            }
            Self::Renew => None,
        }
    }

    /// That it was not done.
    pub fn not_done(self) -> &'static str {
        match self {
            Self::Show(_) => "not shown",
            Self::Renew => "not renewed",
            Self::Load(_) => "not loaded",
            Self::Again(_) => "not called again",
            Self::Compare(_) => "not compared",
        }
    }
}

/// What history tells.
#[derive(Debug)]
pub enum Told {
    /// The disk failed, or is back.
    Notice(Notice),
    /// A page.
    Page {
        /// Whose.
        asked: Asked,
        /// Where it begins; `None`: with the newest.
        before: Option<Cursor>,
        /// The rows.
        rows: Vec<Row>,
    },
    /// All, those without an outcome, and those that pass the filter of this question.
    Counts(u64, [Count; 3]),
    /// What was found of a call.
    Got(Found, Purpose),
    /// How long a task usually takes.
    Usual(TaskName, Option<Usual>),
    /// Calls without an answer.
    Unresolved(Vec<Record>),
    /// A call was deleted: what was there.
    Forgotten(Key, Option<Box<Record>>),
    /// A call could not be deleted.
    NotForgotten(Key, Error),
    /// A call is there again.
    Recollected(Key),
    /// What was deleted could not be brought back.
    NotRecollected(Box<Record>, Error),
    /// What differs between two calls; a text: why there is nothing to compare. With the number of the press.
    Compared(std::result::Result<Box<Comparison>, String>, u64),
    /// Nothing to be told: a record was taken.
    Kept,
    /// The answer to a question of the recall popup, or why there is none.
    Recall(u64, Result<Answer>),
    /// What was to be fetched for this could not be read.
    NotGot(Purpose, Error),
    /// The page that begins there could not be read.
    NotPaged(Option<Cursor>, Error),
    /// It could not be read which calls have no answer.
    NotUnresolved(Error),
    /// Something could not be asked or done.
    Trouble(Error),
}
