//! The panes. Each holds only its cursor, filter, sort and folds; what it shows is the shared model. None talks to another: a pane asks its parent.

pub mod call;
pub mod history;
pub mod queues;
pub mod result;
pub mod table;
pub mod tasks;
pub mod workers;

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::keymap::{self, Action, Context};
use super::past::{Want, Wish};
use super::state::{NoticeKind, Shared};
use super::theme::{Role, Theme};
use super::widgets::{Edit, Edited, Editor, Field, Step};
use crate::call::CallState;
use crate::client::Command;
use crate::clock::Now;
use crate::cluster::{Cluster, WorkerState};
use crate::history::Key;
use crate::protocol::TaskName;
use crate::text::width::{cells, wrap};
use crate::text::{human, sanitise};

/// A pane, in the order of its number.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, strum::EnumIter, strum::Display,
)]
pub enum Pane {
    /// 1: the tasks.
    Tasks,
    /// 2: the form.
    Call,
    /// 3: one call.
    Result,
    /// 4: the calls of this run and of earlier ones.
    History,
    /// 5: the queues.
    Queues,
    /// 6: the workers.
    Workers,
}

impl Pane {
    /// All, in order.
    pub const ALL: [Self; 6] = [
        Self::Tasks,
        Self::Call,
        Self::Result,
        Self::History,
        Self::Queues,
        Self::Workers,
    ];

    /// Its number, from 1.
    pub fn number(self) -> u8 {
        Self::ALL
            .iter()
            .position(|pane| *pane == self)
            .and_then(|place| u8::try_from(place + 1).ok())
            .unwrap_or(1)
    }

    /// The pane with this number.
    pub fn by_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// The next one, from the last to the first.
    #[must_use]
    pub fn next(self) -> Self {
        Self::by_number(self.number() % 6 + 1).unwrap_or(self)
    }

    /// The one before, from the first to the last.
    #[must_use]
    pub fn previous(self) -> Self {
        Self::by_number((self.number() + 4) % 6 + 1).unwrap_or(self)
    }

    /// Number and name, as in its title.
    pub fn title(self) -> String {
        format!("{} {self}", self.number())
    }

    /// Whether it shares its place with others where only one has room.
    pub fn is_tab(self) -> bool {
        matches!(self, Self::Call | Self::Result | Self::History)
    }
}

/// What a pane asks its parent for.
#[derive(Debug)]
pub enum Ask {
    /// Open the form of a task.
    Open(TaskName),
    /// Show a call in Result and go there.
    Show(Key),
    /// Give the focus to a pane.
    Focus(Pane),
    /// Send what the form holds.
    Send(Box<call::Ready>),
    /// Ask whether a call shall be revoked.
    Revoke(Key),
    /// Change how long a call is waited for.
    Wait(Key, Patience),
    /// Stop waiting for a call, keep listening.
    Detach(Key),
    /// Say something.
    Say(NoticeKind, String),
    /// Copy text; the second is what it is, for people.
    Copy(String, &'static str),
    /// Wish something of history.
    History(Wish),
    /// Do this with calls of the past, once they are fetched.
    Want(Want),
    /// Tell the client.
    Command(Command),
    /// The keys that send are deaf for a moment: something was said that must be read first.
    Deaf,
    /// This key means nothing here.
    NotHere,
}

/// How a wait is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Wait longer, or wait again.
    Longer,
    /// Wait shorter.
    Shorter,
    /// Wait as long as can be, or wait again.
    NoLimit,
}

impl Ask {
    /// Says something that goes by itself.
    pub fn say(text: impl Into<String>) -> Self {
        Self::Say(NoticeKind::Done, text.into())
    }
}

/// What a pane is drawn with.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What is shown.
    pub shared: &'a Shared,
    /// When.
    pub now: Now,
    /// Whether the pane has the focus.
    pub focused: bool,
    /// Whether the roomy layout is used.
    pub large: bool,
}

impl Scene<'_> {
    /// How to draw.
    pub fn theme(&self) -> Theme {
        self.shared.theme
    }

    /// Whether what is known of the cluster is old because the broker is gone.
    pub fn stale(&self) -> bool {
        self.shared.cluster.lost_at.is_some()
    }

    /// `as of 12:04:17` while the broker is gone.
    pub fn as_of(&self) -> Option<String> {
        let cluster = &self.shared.cluster;
        let at = cluster
            .lost_at
            .map(|lost| cluster.heard_at.unwrap_or(lost))?;
        let exact = self.shared.clock(at);
        // Beside a narrow title there is room for hours and minutes only.
        let shown = if self.large {
            exact.as_str()
        } else {
            exact.get(..5).unwrap_or(&exact)
        };
        Some(format!("as of {shown}"))
    }
}

/// Text from elsewhere on one line, safe to show: the one boundary of the screen.
pub fn remote(text: &str) -> String {
    sanitise::show(text).into_owned()
}

/// Text from elsewhere with its lines, safe to show.
pub fn remote_lines(text: &str) -> String {
    sanitise::show_lines(text).into_owned()
}

/// The role of a state's word.
pub fn role(state: CallState) -> Role {
    match state {
        CallState::Draft | CallState::Detached | CallState::NoResult => Role::Dim,
        CallState::Send | CallState::Sent | CallState::Recv | CallState::Run => Role::Run,
        CallState::Ok => Role::Ok,
        CallState::LateOk | CallState::LateFail => Role::Late,
        CallState::Timeout
        | CallState::Retry
        | CallState::Expired
        | CallState::Revoked
        | CallState::Killed
        | CallState::UnknownDelivery => Role::Warn,
        CallState::Fail | CallState::Unsent | CallState::NoTask | CallState::Lost => Role::Fail,
    }
}

/// The word of a state in its role.
pub fn state_span(theme: Theme, state: CallState) -> Span<'static> {
    theme.span(role(state), state.word())
}

/// How long something took: [`human::duration`], and `<1ms` for what was too fast to measure.
pub fn took(span: Duration) -> String {
    match span.as_millis() {
        0 => "<1ms".to_owned(),
        _ => human::duration(span),
    }
}

/// Workers that are missing among those that answer, in a word: `1 silent`, or `1 unheard` if it never answered in this run.
pub fn missing(cluster: &Cluster) -> Option<String> {
    let silent = cluster.workers.values();
    let silent = silent
        .filter(|worker| worker.state() == WorkerState::Silent)
        .count();
    if silent > 0 {
        return Some(format!("{silent} silent"));
    }
    let unheard = cluster.unaccounted().filter(|_| cluster.surveyed)?;
    (unheard > 0).then(|| format!("{unheard} unheard"))
}

/// The last part of a task's name, which tells it from its neighbours: `shop.orders.refund` is `refund`. A name that ends in a dot is itself.
pub fn last_part(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((_, last)) if !last.is_empty() => last,
        _ => name,
    }
}

/// The key of an action, as it is shown.
pub fn key(context: Context, action: Action) -> String {
    let mut rows = keymap::table::rows(context);
    let key = rows
        .find(|row| row.action == action)
        .and_then(|row| row.keys.first());
    key.map_or_else(|| "?".to_owned(), ToString::to_string)
}

/// The first two hints of a context, as far as they fit: `Enter open form  / filter`.
pub fn hint(context: Context, width: usize) -> String {
    let mut text = String::new();
    for (key, word) in keymap::hints(context).into_iter().take(2) {
        let gap = if text.is_empty() { "" } else { "  " };
        let next = format!("{text}{gap}{key} {word}");
        if cells(&next) > width {
            break;
        }
        text = next;
    }
    text
}

/// Text of ours, wrapped into an area.
pub fn paragraph(text: &str, role: Role, area: Rect, buf: &mut Buffer, theme: Theme) {
    for (y, line) in (area.y..area.bottom()).zip(wrap(text, usize::from(area.width))) {
        buf.set_stringn(area.x, y, &line, usize::from(area.width), theme.style(role));
    }
}

/// The movement that an action asks for.
pub fn step(action: Action) -> Option<Step> {
    Some(match action {
        Action::Down => Step::Down,
        Action::Up => Step::Up,
        Action::First => Step::First,
        Action::Last => Step::Last,
        Action::PageDown => Step::PageDown,
        Action::PageUp => Step::PageUp,
        Action::HalfDown => Step::HalfDown,
        Action::HalfUp => Step::HalfUp,
        _ => return None,
    })
}

/// What is typed into a field or an editor.
#[derive(Clone, Copy, Debug)]
pub enum Typed<'a> {
    /// A key.
    Edit(Edit),
    /// A paste.
    Paste(&'a str),
}

impl Typed<'_> {
    /// Changes a line of text. A paste becomes one line: its line breaks become blanks.
    pub fn into_field(self, field: &mut Field) -> bool {
        match self {
            Self::Edit(edit) => field.apply(edit) != Edited::Nothing,
            Self::Paste(text) => {
                field.paste(&one_line(text));
                true
            }
        }
    }

    /// Changes several lines of text.
    pub fn into_editor(self, editor: &mut Editor) -> bool {
        match self {
            Self::Edit(edit) => editor.apply(edit) != Edited::Nothing,
            Self::Paste(text) => {
                editor.paste(text);
                true
            }
        }
    }
}

/// The lines of a paste: terminals send `\r`, `\n` or both.
pub fn pasted_lines(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines = text.trim_end_matches('\n').split('\n');
    lines.map(str::to_owned).collect()
}

fn one_line(text: &str) -> String {
    pasted_lines(text).join(" ")
}
