//! How the state changes. Pure: no clock, no IO, no channel.

use super::effect::Outcome;
use super::message::Message;
use super::state::State;
use crate::clock::Now;

/// Changes `state` by what happened at `now`.
pub fn update(state: &mut State, message: Message, now: Now) -> Outcome {
    let _ = (state, message, now);
    Outcome::default()
}
