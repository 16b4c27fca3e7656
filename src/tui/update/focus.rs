//! Where the focus goes, and what follows when the cluster or the size changed. A focus moves only because the user asked for it.

use crate::client::Command;
use crate::clock::Now;
use crate::tui::effect::{Effect, Outcome};
use crate::tui::panes::{Ask, Pane, tasks};
use crate::tui::state::State;
use crate::tui::view::layout;

/// Gives the focus to a pane. What was being typed stands.
pub fn go(state: &mut State, pane: Pane) -> Outcome {
    state.tasks.stop_typing();
    state.call.stop_typing();
    state.history.stop_typing();
    if pane != state.focus {
        state.awaited.cancel();
    }
    let watched = state.focus == Pane::Workers;
    let watching = pane == Pane::Workers;
    state.focus = pane;
    if pane.is_tab() {
        state.tab = pane;
    }
    if pane == Pane::History {
        state.history.open();
    }
    seen(state);
    settle(state);
    let outcome = Outcome::redraw();
    if watched == watching {
        return outcome;
    }
    outcome.and(Effect::Client(Command::WatchWorkers(watching)))
}

/// The outcome that is looked at needs no notice any longer.
pub fn seen(state: &mut State) {
    if let Some(id) = state
        .result
        .shown_id()
        .filter(|_| state.focus == Pane::Result)
    {
        state.notices.seen(id);
    }
}

/// The cluster or the size changed: all lists are made anew, each cursor stays on its thing.
pub fn refresh(state: &mut State, now: Now) {
    let around = tasks::Around {
        cluster: &state.shared.cluster,
        height: layout::rows(state, Pane::Tasks),
    };
    let gone = state.tasks.refresh(around);
    say(state, gone, now);
    refresh_lists(state, now);
}

/// The same for queues and workers alone.
pub fn refresh_lists(state: &mut State, now: Now) {
    let queues = layout::rows(state, Pane::Queues);
    let workers = layout::rows(state, Pane::Workers);
    let queue = state.queues.refresh(&state.shared.cluster, queues);
    let worker = state.workers.refresh(&state.shared.cluster, workers);
    for gone in [queue, worker] {
        say(state, gone, now);
    }
    settle(state);
}

fn say(state: &mut State, ask: Option<Ask>, now: Now) {
    if let Some(Ask::Say(_, text)) = ask {
        state.notices.done(text, now);
    }
}

/// The lists stand so that their cursors are seen.
fn settle(state: &mut State) {
    let tasks = layout::rows(state, Pane::Tasks);
    state.tasks.settle(tasks);
    super::history::refresh(state);
}
