//! Result: one call, from its countdown to its outcome. Shows the last call sent or the one opened from History; waits for nothing itself.

pub mod countdown;
pub mod document;
mod fit;
pub mod lines;
mod reasons;
pub mod timeline;
pub mod traceback;
mod troubles;
mod unresolved;
pub mod view;
mod visited;
mod whole;

use super::{Ask, Pane, Patience, step};
use crate::call::{Call, CallState, Source};
use crate::clock::Now;
use crate::history::Key;
use crate::protocol::{Json, TaskId};
use crate::text::human;
use crate::tui::keymap::{Action, Context};
use crate::tui::past::Want;
use crate::tui::state::Shared;
use crate::tui::state::calls::key_of;

pub use document::{Body, Document};

/// A result larger than this is not even written out to be copied.
const LARGE: usize = 1_000_000;

/// What the pane remembers.
#[derive(Debug, Default)]
pub struct State {
    shown: Option<Key>,
    document: Option<Document>,
    made_of: Option<(Key, CallState, Option<Source>)>,
    look: lines::Look,
}

/// What the pane looks at while it changes.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// What is known.
    pub shared: &'a Shared,
    /// Columns and rows inside the frame.
    pub size: (u16, u16),
    /// When.
    pub now: Now,
}

impl State {
    /// The call that is shown.
    pub fn shown<'a>(&self, shared: &'a Shared) -> Option<&'a Call> {
        shared.calls.find(self.shown.as_ref()?)
    }

    /// Its id.
    pub fn shown_id(&self) -> Option<&TaskId> {
        self.shown.as_ref().map(|(id, _)| id)
    }

    /// What tells it from every other call.
    pub fn shown_key(&self) -> Option<&Key> {
        self.shown.as_ref()
    }

    /// How it is looked at.
    pub fn look(&self) -> lines::Look {
        self.look
    }

    /// What it brought.
    pub fn document(&self) -> Option<&Document> {
        self.document.as_ref()
    }

    /// What keys mean here.
    pub fn context(&self, shared: &Shared) -> Context {
        match self.shown(shared) {
            Some(call) if !call.state().is_final() && !call.refused() => Context::Running,
            _ => Context::Result,
        }
    }

    /// Shows a call.
    pub fn show(&mut self, key: Key, shared: &Shared) {
        self.shown = Some(key);
        self.look = lines::Look::default();
        self.refresh(shared);
    }

    /// The call may have changed: what it brought is made anew if so.
    pub fn refresh(&mut self, shared: &Shared) {
        let Some(call) = self.shown(shared) else {
            return;
        };
        let key = (key_of(call), call.state(), call.source);
        if self.made_of.as_ref() == Some(&key) {
            return;
        }
        self.document = Document::of(call);
        self.made_of = Some(key);
    }

    /// One action.
    pub fn update(&mut self, action: Action, around: Around<'_>) -> Option<Ask> {
        if action == Action::Back {
            let read = self.document.as_mut().is_some_and(Document::stop_reading);
            return (!read).then_some(Ask::Focus(Pane::Call));
        }
        let Some(call) = self.shown(around.shared) else {
            return Some(Ask::say("no call yet"));
        };
        match action {
            Action::Longer => Some(Ask::Wait(key_of(call), Patience::Longer)),
            Action::Shorter => Some(Ask::Wait(key_of(call), Patience::Shorter)),
            Action::NoLimit => Some(Ask::Wait(key_of(call), Patience::NoLimit)),
            Action::Detach => Some(Ask::Detach(key_of(call))),
            Action::Revoke => Some(Ask::Revoke(key_of(call))),
            Action::Turn => {
                self.look = lines::Look {
                    turned: !self.look.turned,
                    skip: 0,
                };
                None
            }
            Action::Copy => Some(copy(call)),
            Action::Again => Some(Ask::Want(Want::Again(key_of(call)))),
            Action::Load => Some(Ask::Want(Want::Load(key_of(call)))),
            Action::Enter => {
                let height = self.height(call, around);
                if let Some(document) = &mut self.document {
                    document.enter(around.size.0, height);
                }
                None
            }
            action => self.scroll(action, around),
        }
    }

    /// Rows that what it brought has.
    fn height(&self, call: &Call, around: Around<'_>) -> u16 {
        let (width, height) = around.size;
        lines::Parts::of(call, self.document(), around.shared, width, height).body
    }

    /// Lines about it that do not fit.
    fn beyond(&self, call: &Call, around: Around<'_>) -> usize {
        let Around { shared, size, now } = around;
        lines::Parts::at(call, None, shared, size, self.look, now).beyond
    }

    fn scroll(&mut self, action: Action, around: Around<'_>) -> Option<Ask> {
        let Some(step) = step(action) else {
            return Some(Ask::NotHere);
        };
        let call = self.shown(around.shared)?;
        if self.document.is_none() {
            let beyond = self.beyond(call, around);
            let page = usize::from(around.size.1) / 2;
            self.look.skip = step.from(self.look.skip.min(beyond), beyond + 1, page);
            return None;
        }
        let height = self.height(call, around);
        self.document.as_mut()?.step(step, around.size.0, height);
        None
    }
}

/// The obvious thing: the result, the traceback, else the id.
fn copy(call: &Call) -> Ask {
    if let Some(repr) = &call.repr {
        return Ask::Copy(repr.text.clone(), "the repr of the result");
    }
    if let Some(opaque) = call.opaque() {
        return Ask::Copy(opaque.lines.join("\n"), "what the pickled result would do");
    }
    let result = call.result.as_ref().filter(|_| call.result_known());
    match result {
        Some(result) if result.size > LARGE => Ask::say(format!(
            "the result is too large for the clipboard ({}); umbel result prints it where it is kept",
            human::bytes(result.size)
        )),
        Some(result) => match (&result.traceback, &result.value) {
            (Some(traceback), _) => Ask::Copy(traceback.clone(), "the traceback"),
            (None, Json::Text(text)) => Ask::Copy(text.clone(), "the result"),
            (None, value) => Ask::Copy(value.to_pretty(), "the result as JSON"),
        },
        None => Ask::Copy(call.id().to_string(), "the task's id"),
    }
}
