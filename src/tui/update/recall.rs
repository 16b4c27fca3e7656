//! The recall popup: opened for the task at hand, and what is chosen in it goes into the form. Nothing is sent from here.

use super::{calls, history};
use crate::clock::Now;
use crate::error::Result;
use crate::history::Record;
use crate::protocol::TaskName;
use crate::tui::effect::{Effect, Outcome};
use crate::tui::keymap::Action;
use crate::tui::panes::{Pane, Typed};
use crate::tui::past::Answer;
use crate::tui::recall::{Around, Next, view};
use crate::tui::state::State;

/// Opens the popup.
pub fn open(state: &mut State) -> Outcome {
    let task = task_at_hand(state);
    state.recall.open(task, &state.shared);
    asking(state)
}

/// The task whose form is open; in Tasks the one under the cursor.
fn task_at_hand(state: &State) -> Option<TaskName> {
    let form = state.call.draft().map(|draft| &draft.task);
    let selected = state.tasks.cursor.as_ref();
    let task = match state.focus {
        Pane::Tasks => selected.or(form),
        _ => form.or(selected),
    };
    task.cloned()
}

/// A key that is text, or a paste.
pub fn text(state: &mut State, typed: Typed<'_>, now: Now) -> Outcome {
    let around = Around {
        shared: &state.shared,
        height: view::list_height(state.size),
        now,
    };
    let taken = state.recall.text(typed, around);
    Outcome {
        redraw: taken,
        ..asking(state)
    }
}

/// One action. An Enter that may be part of a paste chooses nothing.
pub fn act(state: &mut State, action: Action, burst: bool, now: Now) -> Outcome {
    if burst && action == Action::Enter {
        return Outcome::default();
    }
    let around = Around {
        shared: &state.shared,
        height: view::list_height(state.size),
        now,
    };
    let next = state.recall.update(action, around);
    go_on(state, next, now)
}

/// What history answered.
pub fn answered(state: &mut State, number: u64, answer: Result<Answer>, now: Now) -> Outcome {
    let around = Around {
        shared: &state.shared,
        height: view::list_height(state.size),
        now,
    };
    let next = state.recall.answered(number, answer, around);
    go_on(state, next, now)
}

fn go_on(state: &mut State, next: Next, now: Now) -> Outcome {
    match next {
        Next::Stay => asking(state),
        Next::Close => {
            state.recall.close();
            Outcome::redraw()
        }
        Next::Load(record) => load(state, &record, now),
    }
}

fn load(state: &mut State, record: &Record, now: Now) -> Outcome {
    state.recall.close();
    match history::load(state, record, now) {
        Ok(asks) => calls::grant_all(state, asks, now),
        Err(reason) => {
            state.notices.done(reason, now);
            Outcome::redraw()
        }
    }
}

fn asking(state: &mut State) -> Outcome {
    let wishes = state.recall.take_wishes().into_iter();
    Outcome {
        redraw: true,
        effects: wishes.map(Effect::History).collect(),
    }
}
