//! What is done as soon as history has answered: show, load, compare or call again a call of the past. Once for a press, and only while the
//! user stays where he pressed it, for typing never runs commands. Touches no disk.

use super::{again, calls};
use crate::clock::Now;
use crate::error::Error;
use crate::tui::effect::{Effect, Outcome};
use crate::tui::past::{Purpose, Want};
use crate::tui::state::State;
use crate::tui::state::awaited::Dropped;

/// A key was pressed for this: history is asked, unless it is already.
pub fn wanted(state: &mut State, want: Want, now: Now) -> Outcome {
    if state.shared.scribe.is_none() {
        state.notices.done("there is no history", now);
        return Outcome::redraw();
    }
    let calls = want.calls();
    // Asked now and answered later, a key that is held down would send once more.
    if calls && again::is_held(state, now) {
        state.deaf_until = calls::deaf(now);
        return Outcome::redraw();
    }
    let context = state.context();
    let Some(press) = state.awaited.pressed(want.clone(), context) else {
        if calls {
            let text = "history is being asked for that call: once is enough";
            state.notices.done(text, now);
        }
        return Outcome::redraw();
    };
    Outcome::redraw().and(Effect::History(want.wish(press)))
}

/// The user does something: what that leads away from is not done any more.
pub fn watched(state: &mut State, does: impl FnOnce(&mut State) -> Outcome) -> Outcome {
    let outcome = does(state);
    let context = state.context();
    state.awaited.moved(context);
    outcome
}

/// History answered a press. Returns whether that is to be acted upon; else it is said that it was not.
pub fn comes(state: &mut State, purpose: Purpose, now: Now) -> bool {
    let Some(press) = purpose.press() else {
        return true;
    };
    let why = match state.awaited.take(press) {
        Ok(()) => return true,
        Err(Dropped::Elsewhere) => "you went elsewhere before history answered",
        Err(Dropped::Another) => "you asked for something else before history answered",
    };
    let text = format!("{}: {why}", purpose.not_done());
    state.notices.done(text, now);
    false
}

/// History could not answer.
pub fn failed(state: &mut State, purpose: Purpose, error: &Error, now: Now) {
    let text = match purpose.press() {
        Some(press) => {
            // What is pending for another press stays.
            let _ = state.awaited.take(press);
            format!("{}: {}", purpose.not_done(), error.message)
        }
        None => error.message.clone(),
    };
    state.notices.done(text, now);
}
