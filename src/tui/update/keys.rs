//! Keys and pastes: what they mean where the focus is. Typing never runs commands, and a paste never acts.

use std::time::Duration;

use super::{focus, overlay, recall};
use crate::clock::{Moment, Now};
use crate::history::Key;
use crate::tui::effect::{Effect, Outcome};
use crate::tui::input::Input;
use crate::tui::keymap::{self, Action, Context};
use crate::tui::panes::{Pane, Typed, call, history, pasted_lines, result, tasks};
use crate::tui::state::calls::key_of;
use crate::tui::state::{Overlay, State};
use crate::tui::view::layout;

/// A second Ctrl-C within this time quits.
const TWICE: Duration = Duration::from_secs(2);

/// A key was pressed.
pub fn key(state: &mut State, input: &Input, now: Now) -> Outcome {
    if let Some(Overlay::Quit { since, .. }) = state.overlay {
        return overlay::quit_key(state, input, since, now);
    }
    let Input::Key { key, burst } = *input else {
        return Outcome::default();
    };
    let context = state.context();
    match keymap::lookup(context, key) {
        Some(action) if burst && action.acts() && keymap::guarded(context, key) => {
            state.notices.done("ignored: looked like a paste", now);
            Outcome::redraw()
        }
        Some(action) => act(state, action, burst, now),
        None if context.is_text() => match keymap::edit(key) {
            Some(edit) => typed(state, Typed::Edit(edit), now),
            None => Outcome::default(),
        },
        None => Outcome::default(),
    }
}

/// A bracketed paste: text where text is typed, or on a row of the form; elsewhere nothing.
pub fn paste(state: &mut State, text: &str, now: Now) -> Outcome {
    let lines = pasted_lines(text.trim_end()).len();
    let one_line = state.context() != Context::CallJson;
    let outcome = typed(state, Typed::Paste(text), now);
    if !outcome.redraw {
        state.notices.done("paste ignored here", now);
    } else if one_line && lines > 1 {
        let text = format!("{lines} lines were pasted as one: line breaks became blanks");
        state.notices.done(text, now);
    }
    Outcome::redraw()
}

fn typed(state: &mut State, typed: Typed<'_>, now: Now) -> Outcome {
    if state.overlay.is_some() || !state.shared.connected {
        return Outcome::default();
    }
    if state.recall.is_open() {
        return recall::text(state, typed, now);
    }
    let taken = match state.focus {
        Pane::Tasks => {
            let around = tasks::Around {
                height: layout::rows(state, Pane::Tasks),
                cluster: &state.shared.cluster,
            };
            state.tasks.text(typed, around)
        }
        Pane::Call => state.call.text(typed),
        Pane::History => {
            let around = history::Around {
                height: layout::rows(state, Pane::History),
                calls: &state.shared.calls,
            };
            state.history.text(typed, around)
        }
        _ => false,
    };
    Outcome {
        redraw: taken,
        effects: Vec::new(),
    }
}

/// An action, wherever it came from.
fn act(state: &mut State, action: Action, burst: bool, now: Now) -> Outcome {
    if action == Action::Interrupt {
        return interrupt(state, now);
    }
    if action == Action::Repaint {
        return Outcome::redraw().and(Effect::Repaint);
    }
    if state.overlay.is_some() {
        return overlay::act(state, action, now);
    }
    match action {
        Action::Help => overlay::help(state),
        _ if state.recall.is_open() => return recall::act(state, action, burst, now),
        Action::Quit => return quit(state, now),
        Action::Planned(feature) => state.notices.done(format!("{feature}: not built yet"), now),
        _ if !state.shared.connected => {}
        Action::Pane(number) => {
            if let Some(pane) = Pane::by_number(number) {
                return focus::go(state, pane);
            }
        }
        Action::NextPane => return focus::go(state, state.focus.next()),
        Action::PreviousPane => return focus::go(state, state.focus.previous()),
        Action::Recall => return recall::open(state),
        Action::Full => {
            state.full = !state.full;
            focus::refresh(state, now);
        }
        Action::OpenNotice => return open_notice(state, now),
        Action::Refresh => return refresh(state, now),
        _ => return in_pane(state, action, burst, now),
    }
    Outcome::redraw()
}

fn in_pane(state: &mut State, action: Action, burst: bool, now: Now) -> Outcome {
    let height = layout::rows(state, state.focus);
    let shared = &state.shared;
    let asks = match state.focus {
        Pane::Tasks => {
            let around = tasks::Around {
                cluster: &shared.cluster,
                height,
            };
            state.tasks.update(action, around).into_iter().collect()
        }
        Pane::Call => state.call.update(
            action,
            call::Around {
                shared,
                now,
                deaf_until: state.deaf_until,
                burst,
            },
        ),
        Pane::Result => {
            let size = layout::inner(state, Pane::Result);
            let around = result::Around { shared, size, now };
            state.result.update(action, around).into_iter().collect()
        }
        Pane::History => {
            let around = history::Around {
                calls: &shared.calls,
                height,
            };
            let ask = state.history.update(action, around, now);
            ask.into_iter().collect()
        }
        Pane::Queues => {
            let ask = state.queues.update(action, &shared.cluster, height);
            ask.into_iter().collect()
        }
        Pane::Workers => {
            let ask = state.workers.update(action, &shared.cluster, height);
            ask.into_iter().collect()
        }
    };
    super::calls::grant_all(state, asks, now)
}

/// Ctrl-C: stops the innermost thing; a second press within 2 s quits.
fn interrupt(state: &mut State, now: Now) -> Outcome {
    let before = state.interrupted_at.replace(now.mono);
    if before.is_some_and(|before| recently(before, now.mono)) {
        return leave(state, now);
    }
    let done = if state.overlay.take().is_some() || state.recall.close() {
        "closed"
    } else if state.tasks.stop_typing() || state.call.stop_typing() || state.history.stop_typing() {
        "stopped typing"
    } else if let Some(key) = waited_for(state) {
        super::calls::detach(state, &key, now);
        "stopped waiting, still listening"
    } else {
        "nothing to stop"
    };
    let key = crate::tui::panes::key(Context::Tasks, Action::Interrupt);
    let text = format!("{done}; {key} again within {}s quits", TWICE.as_secs());
    state.notices.done(text, now);
    Outcome::redraw()
}

fn recently(before: Moment, now: Moment) -> bool {
    now.since(before) <= TWICE
}

/// The call that Result shows, if it is looked at and waited for.
fn waited_for(state: &State) -> Option<Key> {
    let call = state.result.shown(&state.shared)?;
    let looked_at = state.focus == Pane::Result && call.state().is_waiting();
    looked_at.then(|| key_of(call))
}

/// `q` at the top: leaves, or asks if calls are in the air or a form holds what was not sent.
fn quit(state: &mut State, now: Now) -> Outcome {
    if state.shared.calls.in_the_air() == 0 && state.call.unsent().is_empty() {
        return leave(state, now);
    }
    state.overlay = Some(Overlay::Quit {
        since: now.mono,
        hasty: false,
    });
    Outcome::redraw()
}

/// Leaves. Nobody waits here from now on: that is kept, so that the next umbel listens for these calls at once.
pub fn leave(state: &mut State, now: Now) -> Outcome {
    let waiting: Vec<Key> = state.shared.calls.waiting().map(key_of).collect();
    for key in &waiting {
        if let Some(call) = state.shared.calls.find_mut(key) {
            call.detach(now);
        }
        state.shared.calls.changed(key);
    }
    state.leaving = true;
    state.awaited.cancel();
    Outcome::redraw().and(Effect::Quit)
}

fn open_notice(state: &mut State, now: Now) -> Outcome {
    let Some(notice) = state.notices.open(now) else {
        state.notices.done("no notice to open", now);
        return Outcome::redraw();
    };
    match notice.call {
        Some(id) => super::history::show_last(state, id, now),
        None => Outcome::redraw(),
    }
}

fn refresh(state: &mut State, now: Now) -> Outcome {
    let text = if state.shared.links.any_down() {
        "connecting again now"
    } else {
        "asking everything again"
    };
    state.notices.done(text, now);
    Outcome::redraw().and(Effect::Client(crate::client::Command::Refresh))
}
