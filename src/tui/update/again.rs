//! Calling a call of the past again, once history has told of it. Touches no disk and sends nothing itself.

use super::calls;
use crate::clock::{Moment, Now};
use crate::history::Record;
use crate::tui::effect::Outcome;
use crate::tui::panes::call;
use crate::tui::state::{Shared, State};

/// Whether the key is held down since something was sent, or something was told meanwhile.
pub fn is_held(state: &State, now: Now) -> bool {
    around(&state.shared, state.deaf_until, now).is_held()
}

/// History has told of the call.
pub fn found(state: &mut State, record: &Record, now: Now) -> Outcome {
    let around = around(&state.shared, state.deaf_until, now);
    if around.is_held() {
        let text = "not called again: something was told meanwhile; press it again";
        state.notices.done(text, now);
        return Outcome::redraw();
    }
    match state.call.again(record, around) {
        Ok(asks) => calls::grant_all(state, asks, now),
        Err(reason) => {
            state.notices.done(reason, now);
            Outcome::redraw()
        }
    }
}

fn around(shared: &Shared, deaf_until: Moment, now: Now) -> call::Around<'_> {
    call::Around {
        shared,
        now,
        deaf_until,
        burst: false,
    }
}
