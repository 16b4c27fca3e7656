//! How the state looks. Pure.

use ratatui::Frame;

use super::state::State;
use crate::clock::Now;

/// Draws the whole screen; total for every size. Returns where the hardware cursor belongs is set through the frame.
pub fn view(frame: &mut Frame, state: &State, now: Now) {
    let _ = (frame, state, now);
}
