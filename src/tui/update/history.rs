//! Calls are written down as they change, and what history tells is folded into the state. Nothing told moves the focus by itself.

use crate::backend::Results;
use crate::call::CallState;
use crate::clock::Now;
use crate::history::{Known, Notice, Record, Scribe};
use crate::tui::effect::{Effect, Outcome};
use crate::tui::past::{Told, Wish};
use crate::tui::state::{Shared, State};

/// Everything that was told at once.
pub fn told(state: &mut State, told: Vec<Told>, now: Now) -> Outcome {
    let mut outcome = Outcome::default();
    for told in told {
        let next = hear(state, told, now);
        outcome.redraw |= next.redraw;
        outcome.effects.extend(next.effects);
    }
    outcome
}

fn hear(state: &mut State, told: Told, now: Now) -> Outcome {
    match told {
        Told::Notice(notice) => said(state, notice, now),
        Told::Usual(task, usual) => {
            let usual = crate::call::diagnosis::Usual::of(usual.ran.durations().to_vec());
            state.shared.usual.extend(usual.map(|usual| (task, usual)));
        }
        Told::Trouble(error) => state.notices.done(error.message, now),
        _ => return Outcome::default(),
    }
    Outcome::redraw()
}

fn said(state: &mut State, notice: Notice, now: Now) {
    match notice {
        Notice::InMemory(error) => {
            let hint = error.hint.map(|hint| format!("; {hint}"));
            let text = format!("history: {}{}", error.message, hint.unwrap_or_default());
            state.notices.problem(text, now);
        }
        Notice::OnDisk(path) => {
            let text = format!("history is written to {} again", path.display());
            state.notices.done(text, now);
        }
    }
}

/// The calls that changed, as they are to be kept.
pub fn keep(state: &mut State, now: Now) -> Vec<Effect> {
    let changed = state.shared.calls.take_changed();
    let shared = &state.shared;
    let Some(scribe) = &shared.scribe else {
        return Vec::new();
    };
    let scribe = here(scribe, shared);
    let calls = changed.iter().filter_map(|id| shared.calls.get(id));
    let calls = calls.filter(|call| call.state() != CallState::Draft || call.refused());
    calls
        .map(|call| Record::of(call, &scribe, Known::default(), now))
        .map(|record| Effect::History(Wish::Save(Box::new(record))))
        .collect()
}

/// The scribe, with the result backend as it is known now.
fn here(scribe: &Scribe, shared: &Shared) -> Scribe {
    let mut scribe = scribe.clone();
    if let Results::Stored(backend) = &shared.results {
        scribe.origin.backend = Some(backend.address());
    }
    scribe
}
