//! Calling a call of the past again: once for a press, and only while the user stays where he pressed it. Touches no disk and sends
//! nothing itself.

use super::calls;
use crate::clock::{Moment, Now};
use crate::error::Error;
use crate::history::Found;
use crate::tui::effect::{Effect, Outcome};
use crate::tui::panes::call;
use crate::tui::past::Wish;
use crate::tui::state::{Shared, State};

/// The key was pressed: history is asked, unless it is already.
pub fn wished(state: &mut State, wish: impl FnOnce(u64) -> Wish, now: Now) -> Outcome {
    if state.shared.scribe.is_none() {
        state.notices.done("there is no history", now);
        return Outcome::redraw();
    }
    // Asked now and answered later, a key that is held down would send once more.
    let around = around(&state.shared, state.deaf_until, now);
    if around.is_held() {
        state.deaf_until = calls::deaf(now);
        return Outcome::redraw();
    }
    let context = state.context();
    let Some(press) = state.again.pressed(context) else {
        let text = "history is being asked for that call: once is enough";
        state.notices.done(text, now);
        return Outcome::redraw();
    };
    Outcome::redraw().and(Effect::History(wish(press)))
}

/// The user does something: what that leads away from is not called again.
pub fn watched(state: &mut State, does: impl FnOnce(&mut State) -> Outcome) -> Outcome {
    let outcome = does(state);
    let context = state.context();
    state.again.moved(context);
    outcome
}

/// History has told of the call.
pub fn found(state: &mut State, found: Found, press: u64, now: Now) -> Outcome {
    if !state.again.take(press) {
        let text = "not called again: you went elsewhere before history answered";
        state.notices.done(text, now);
        return Outcome::redraw();
    }
    let Found::One(record) = found else {
        state.notices.done(super::history::why_not(&found), now);
        return Outcome::redraw();
    };
    let around = around(&state.shared, state.deaf_until, now);
    if around.is_held() {
        let text = "not called again: something was told meanwhile; press it again";
        state.notices.done(text, now);
        return Outcome::redraw();
    }
    match state.call.again(&record, around) {
        Ok(asks) => calls::grant_all(state, asks, now),
        Err(reason) => {
            state.notices.done(reason, now);
            Outcome::redraw()
        }
    }
}

/// History could not tell of it.
pub fn failed(state: &mut State, press: u64, error: &Error, now: Now) {
    state.again.take(press);
    let text = format!("not called again: {}", error.message);
    state.notices.done(text, now);
}

fn around(shared: &Shared, deaf_until: Moment, now: Now) -> call::Around<'_> {
    call::Around {
        shared,
        now,
        deaf_until,
        burst: false,
    }
}
