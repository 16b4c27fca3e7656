//! What may be asked of history, and what lists are made of. Pure.

use std::time::Duration;

use unicode_normalization::UnicodeNormalization;

use super::record::{self, Key, Record, Unreadable};
use crate::call::CallState;
use crate::clock::Timestamp;
use crate::protocol::{QueueName, TaskId, TaskName};

/// The longest list that is given at once.
pub const LONGEST_PAGE: usize = 1_000;

/// Calls are counted so far, then the count is "at least".
pub const COUNTED: usize = 5_000;

/// Characters of a text or glob that are looked for; nobody types more, and a pasted book costs nothing.
pub(super) const LONGEST_TEXT: usize = 500;

/// Words that are looked for.
const MOST_WORDS: usize = 16;

/// Characters of a call's arguments, from their beginning, in which words are looked for.
pub const ARGUMENTS: usize = 16_000;

/// Characters of how it ended, from the beginning of the result and from the end of a traceback, in which words are looked for.
pub const END: usize = 8_000;

/// Characters of a call and of its end in a list.
pub const TITLE: usize = 300;

/// Which calls; the default: all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Every word of it stands somewhere in task, id, arguments ([`ARGUMENTS`]), result, error or traceback ([`END`]), without regard
    /// to case.
    pub text: String,
    /// One of these states; empty: any.
    pub states: Vec<CallState>,
    /// Which task.
    pub task: TaskFilter,
    /// Made at this time or later.
    pub since: Option<Timestamp>,
    /// Sent to this broker ([`super::Origin::broker`]).
    pub broker: Option<String>,
}

/// Which tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TaskFilter {
    /// Any.
    #[default]
    Any,
    /// This one.
    Is(TaskName),
    /// A glob over the whole name where the text has one of `*?[`, else a part of the name.
    Like(String),
}

/// Where the next page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(pub(super) i64);

/// How many calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// So many, or at least so many.
    pub calls: usize,
    /// Whether there are more: nobody counts beyond [`COUNTED`].
    pub or_more: bool,
    /// So many of them are in memory only ([`Row::fleeting`]).
    pub fleeting: usize,
}

/// What is found by an id or its beginning.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// This call.
    One(Box<Record>),
    /// None.
    None,
    /// This one is there, but its record cannot be read: why.
    Unreadable(TaskId, Unreadable),
    /// Several begin so; these are two of them.
    Several(TaskId, TaskId),
}

impl Found {
    /// In words, that it is there and cannot be read.
    pub fn unreadable(&self) -> Option<String> {
        match self {
            Self::Unreadable(id, why) => Some(format!("call {id} is in the history, but {why}")),
            _ => None,
        }
    }

    /// The one that was found, whether it can be read or not.
    pub fn id(&self) -> Option<&TaskId> {
        match self {
            Self::One(record) => Some(record.id()),
            Self::Unreadable(id, _) => Some(id),
            Self::None | Self::Several(..) => None,
        }
    }
}

impl Row {
    /// What tells its call from every other.
    pub fn key(&self) -> Key {
        record::key(&self.id, self.created)
    }
}

/// A call in a list; what is unknown is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its id.
    pub id: TaskId,
    /// The task.
    pub task: TaskName,
    /// Its state.
    pub state: CallState,
    /// When it was made.
    pub created: Timestamp,
    /// From publishing to its end, or how long it was waited for.
    pub took: Option<Duration>,
    /// How long it waited for a worker.
    pub queued: Option<Duration>,
    /// The queue.
    pub queue: Option<QueueName>,
    /// The broker for people.
    pub broker: String,
    /// The profile, once there are profiles.
    pub profile: Option<String>,
    /// Whether secrets were masked.
    pub masked: bool,
    /// Whether an answer may still come.
    pub open: bool,
    /// Whether it is in memory only because that was wanted, and gone with the program.
    pub fleeting: bool,
    /// The call as Python writes it, `refund(order_id=42)`; at most [`TITLE`] characters.
    pub title: String,
    /// How it ended: the result, the exception or the trouble; at most [`TITLE`] characters; empty: not known.
    pub brief: String,
    /// Where the page after this row begins.
    pub cursor: Cursor,
}

impl Filter {
    /// Only calls of one task.
    pub fn task(task: &TaskName) -> Self {
        Self {
            task: TaskFilter::Is(task.clone()),
            ..Self::default()
        }
    }

    /// The words that are looked for, as they are looked for.
    pub(super) fn words(&self) -> Vec<String> {
        let text: String = self.text.chars().take(LONGEST_TEXT).collect();
        let text = searchable(&text);
        let words = text.split_whitespace().take(MOST_WORDS);
        words.map(str::to_owned).collect()
    }
}

/// Text as it is searched: composed, in small letters, without control characters.
pub(super) fn searchable(text: &str) -> String {
    let plain = text.nfc().map(|c| if c.is_control() { ' ' } else { c });
    plain.flat_map(char::to_lowercase).collect()
}

/// The text over which a call is found.
pub(super) fn text_of(record: &Record) -> String {
    let (title, brief) = (record.title(ARGUMENTS), record.brief(END));
    let (task, id) = (record.task(), record.id());
    let traceback = record
        .answer
        .as_ref()
        .and_then(|it| it.traceback.as_deref());
    let traceback = traceback.map_or("", |text| {
        &text[text.ceil_char_boundary(text.len().saturating_sub(END))..]
    });
    let repr = record.repr.as_ref().map_or("", |repr| &repr.text);
    let headline = record.headline.as_deref().unwrap_or_default();
    let trouble = record.trouble.as_ref().map_or("", |error| &error.message);
    let mut text = format!("{task} {id} {title} {brief}");
    for part in [headline, trouble, repr, traceback] {
        if !brief.contains(part) {
            text.push(' ');
            text.push_str(part);
        }
    }
    searchable(&text)
}
