//! What lies over the panes: help, and the questions. Enter is never yes, and a question is deaf at first.

use crossterm::event::KeyEvent;
use std::time::Duration;

use super::keys::leave;
use crate::client::{Command, Confirmed};
use crate::clock::{Moment, Now};
use crate::protocol::TaskId;
use crate::tui::effect::{Effect, Outcome};
use crate::tui::keymap::{self, Action, Context};
use crate::tui::popups::help;
use crate::tui::state::{Overlay, State};

/// How long a question takes no yes: the key may have been typed ahead.
pub const DEAF: Duration = Duration::from_millis(400);

/// Opens the help of the place at hand.
pub fn help(state: &mut State) {
    let context = state.context();
    state.overlay = Some(Overlay::Help(help::State::new(context)));
}

/// An action while something lies over the panes.
pub fn act(state: &mut State, action: Action, now: Now) -> Outcome {
    match &mut state.overlay {
        Some(Overlay::Help(_)) => help_act(state, action),
        Some(Overlay::Revoke { id, since }) => {
            let (id, since) = (id.clone(), *since);
            revoke_act(state, action, &id, since, now)
        }
        Some(Overlay::Quit { .. }) | None => Outcome::redraw(),
    }
}

fn help_act(state: &mut State, action: Action) -> Outcome {
    let closes = matches!(action, Action::Back | Action::Quit | Action::Help | Action::Enter);
    if closes {
        state.overlay = None;
        return Outcome::redraw();
    }
    let size = state.size;
    if let (Some(Overlay::Help(help)), Some(step)) = (&mut state.overlay, crate::tui::panes::step(action)) {
        help.step(step, size);
    }
    Outcome::redraw()
}

/// Only the capital letter goes on, and not at once; every other key that means something here cancels.
fn revoke_act(state: &mut State, action: Action, id: &TaskId, since: Moment, now: Now) -> Outcome {
    if action == Action::Confirm && now.mono.since(since) < DEAF {
        return Outcome::default();
    }
    state.overlay = None;
    if action != Action::Confirm {
        state.notices.done("not revoked", now);
        return Outcome::redraw();
    }
    let text = format!("revoke of {} sent to all workers", id.short());
    state.notices.done(text, now);
    Outcome::redraw().and(Effect::Client(Command::Revoke {
        id: id.clone(),
        terminate: false,
        confirmed: Confirmed::by_person(),
    }))
}

/// A key while the user is asked whether to leave calls in the air: the key that quits elsewhere quits, every other one stays.
pub fn quit_key(
    state: &mut State,
    key: KeyEvent,
    since: Moment,
    burst: bool,
    now: Now,
) -> Outcome {
    if keymap::lookup(Context::Confirm, key) == Some(Action::Interrupt) {
        return leave(state);
    }
    let quits = keymap::lookup(Context::Welcome, key) == Some(Action::Quit);
    if quits && !burst && now.mono.since(since) >= DEAF {
        return leave(state);
    }
    if !quits {
        state.overlay = None;
    }
    Outcome::redraw()
}
