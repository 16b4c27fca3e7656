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
    /// Compare a call with another one; `None`: with the call of the same task before it.
    Compare(Key, Option<Key>),
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

/// What a call is fetched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be shown in Result.
    Show,
    /// To be shown as it is now, if it is still looked at: another program wrote.
    Renew,
    /// To be loaded into the form.
    Load,
    /// To be called again: the number of the press that wanted it.
    Again(u64),
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
        /// Whether it is the first one.
        first: bool,
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
    /// What differs between two calls; a text: why there is nothing to compare.
    Compared(std::result::Result<Box<Comparison>, String>),
    /// Nothing to be told: a record was taken.
    Kept,
    /// The answer to a question of the recall popup, or why there is none.
    Recall(u64, Result<Answer>),
    /// A call that was to be called again could not be read: the number of the press.
    NotAgain(u64, Error),
    /// Something could not be asked or done.
    Trouble(Error),
}
