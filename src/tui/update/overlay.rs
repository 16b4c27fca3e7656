//! What lies over the panes: help, and the questions. Enter is never yes, and a question is deaf at first.

use std::collections::BTreeSet;

use super::calls;
use super::keys::leave;
use crate::client::{Command, Confirmed};
use crate::clock::{Moment, Now};
use crate::history::Key;
use crate::protocol::NodeName;
use crate::tui::effect::{Effect, Outcome};
use crate::tui::input::Input;
use crate::tui::keymap::{self, Action, Context};
use crate::tui::panes::{self, Ask};
use crate::tui::popups::{confirm, help};
use crate::tui::state::{Overlay, Shared, State};

/// Opens the help of the place at hand.
pub fn help(state: &mut State) {
    let context = state.context();
    state.beneath = state.overlay.take();
    state.overlay = Some(Overlay::Help(help::State::new(context)));
}

/// An action while something lies over the panes.
pub fn act(state: &mut State, action: Action, now: Now) -> Outcome {
    match &mut state.overlay {
        Some(Overlay::Help(_)) => help_act(state, action),
        Some(Overlay::Diff(_)) => diff_act(state, action, now),
        Some(Overlay::Revoke { key, since, .. }) => {
            let (key, since) = (key.clone(), *since);
            revoke_act(state, action, &key, since, now)
        }
        Some(Overlay::Quit { .. }) | None => Outcome::redraw(),
    }
}

fn help_act(state: &mut State, action: Action) -> Outcome {
    let closes = matches!(
        action,
        Action::Back | Action::Quit | Action::Help | Action::Enter
    );
    if closes {
        state.overlay = state.beneath.take();
        return Outcome::redraw();
    }
    let size = state.size;
    let moved = match &mut state.overlay {
        Some(Overlay::Help(help)) => help.act(action, size),
        _ => false,
    };
    Outcome {
        redraw: moved,
        effects: Vec::new(),
    }
}

fn diff_act(state: &mut State, action: Action, now: Now) -> Outcome {
    let size = state.size;
    let Some(Overlay::Diff(diff)) = &mut state.overlay else {
        return Outcome::default();
    };
    if let Some(step) = panes::step(action) {
        return Outcome {
            redraw: diff.act(step, size),
            effects: Vec::new(),
        };
    }
    match action {
        Action::Copy => {
            let copied = Ask::Copy(diff.text().to_owned(), "the difference");
            return calls::grant_all(state, vec![copied], now);
        }
        Action::Help => help(state),
        _ => state.overlay = None,
    }
    Outcome::redraw()
}

/// What the question says changed: a yes on its way was meant for what it said before.
pub fn asks_anew(state: &mut State, key: &Key, now: Now) {
    if let Some(Overlay::Revoke {
        key: asked,
        since,
        hasty,
    }) = &mut state.overlay
        && asked == key
    {
        *since = now.mono;
        *hasty = false;
    }
}

/// Only the capital letters go on, and not at once; every other key that means something here cancels.
fn revoke_act(state: &mut State, action: Action, key: &Key, since: Moment, now: Now) -> Outcome {
    let goes_on = matches!(action, Action::Confirm | Action::Terminate);
    if goes_on && confirm::is_deaf(since, now.mono) {
        return too_soon(state);
    }
    state.overlay = None;
    if !goes_on {
        state.notices.done("not revoked", now);
        return Outcome::redraw();
    }
    let (id, terminate) = (&key.0, action == Action::Terminate);
    let what = if terminate {
        "revoke and kill"
    } else {
        "revoke"
    };
    let text = format!("{what} of {} sent to all workers", id.short());
    state.notices.done(text, now);
    let expected = expected(&state.shared, key, now);
    state.shared.revokes.sent(id.clone(), terminate, expected);
    Outcome::redraw().and(Effect::Client(Command::Revoke {
        id: id.clone(),
        terminate,
        confirmed: Confirmed::by_person(),
    }))
}

/// A yes that is not taken is not swallowed silently.
fn too_soon(state: &mut State) -> Outcome {
    if let Some(Overlay::Revoke { hasty, .. } | Overlay::Quit { hasty, .. }) = &mut state.overlay {
        *hasty = true;
    }
    Outcome::redraw()
}

/// Of whom it matters whether they heard a revoke: all workers that are not known to be gone, and the one that has the task.
fn expected(shared: &Shared, key: &Key, now: Now) -> BTreeSet<NodeName> {
    let cluster = &shared.cluster;
    let workers = cluster.workers.values();
    let there = workers.filter(|worker| !cluster.proved_gone(worker, now));
    let there = there.map(|worker| worker.name.clone());
    let call = shared
        .calls
        .find(key)
        .filter(|call| call.whereabouts().is_some());
    there
        .chain(call.and_then(|call| call.worker.clone()))
        .collect()
}

/// A key while the user is asked whether to leave calls in the air: the key that quits elsewhere quits, every other one stays.
pub fn quit_key(state: &mut State, input: &Input, since: Moment, now: Now) -> Outcome {
    let Input::Key { key, burst } = *input else {
        return Outcome::default();
    };
    if keymap::lookup(Context::Confirm, key) == Some(Action::Interrupt) {
        return leave(state, now);
    }
    let quits = keymap::lookup(Context::Welcome, key) == Some(Action::Quit);
    if !quits {
        state.overlay = None;
        return Outcome::redraw();
    }
    if burst || confirm::is_deaf(since, now.mono) {
        return too_soon(state);
    }
    leave(state, now)
}
