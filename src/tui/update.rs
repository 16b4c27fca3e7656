//! How the state changes. Pure: no clock, no IO, no channel.

pub mod again;
pub mod awaited;
pub mod calls;
pub mod client;
pub mod focus;
pub mod history;
pub mod keys;
pub mod looks;
pub mod overlay;
pub mod recall;

use super::effect::Outcome;
use super::input::Input;
use super::message::Message;
use super::state::State;
use crate::clock::Now;

/// Changes `state` by what happened at `now`.
pub fn update(state: &mut State, message: Message, now: Now) -> Outcome {
    // What a key did is no news to who pressed it.
    let news = !matches!(message, Message::Input(_));
    let before = news.then(|| calls::standing(state, now)).flatten();
    let waited = state.animating();
    let mut outcome = match message {
        Message::Input(input) => heard(state, &input, now),
        Message::Client(events) => client::heard_all(state, events, now),
        Message::History(told) => history::told(state, told, now),
        Message::CommandRefused(command) => client::refused(state, *command, now),
        Message::Gone => keys::leave(state, now),
        Message::Tick => tick(state, now),
    };
    if let Some(before) = before {
        calls::deafen(state, &before, now);
    }
    if waited && !state.animating() {
        // Whatever showed that the time is over: the next tick is a second away.
        outcome.effects.extend(calls::investigate(state, now));
    }
    outcome.effects.extend(history::keep(state, now));
    outcome
}

fn heard(state: &mut State, input: &Input, now: Now) -> Outcome {
    match input {
        Input::Key { .. } => awaited::watched(state, |state| keys::key(state, input, now)),
        Input::Paste(text) => awaited::watched(state, |state| keys::paste(state, text, now)),
        Input::Resize { width, height } => {
            state.size = (*width, *height);
            focus::refresh(state, now);
            Outcome::redraw()
        }
    }
}

/// Time passes.
fn tick(state: &mut State, now: Now) -> Outcome {
    let mut redraw = state.animating() || state.shared.links.any_down();
    redraw |= calls::tick(state, now);
    redraw |= looks::tick(state, now);
    if client::tick(state, now) {
        redraw = true;
    }
    redraw |= state.notices.tick(now);
    redraw |= state.call.tick(now);
    redraw |= history::tick(state, now);
    redraw |= calls::ages(state);
    let mut effects = calls::investigate(state, now);
    effects.extend(calls::ask_for_queue(state, now));
    Outcome { redraw, effects }
}
