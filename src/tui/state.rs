//! The state of the screen: a model of plain data.

use super::Setup;
use crate::clock::Now;

/// Everything the screen knows.
#[derive(Debug)]
pub struct State {}

impl State {
    /// The state at start.
    pub fn new(setup: &Setup, now: Now) -> Self {
        let _ = (setup, now);
        Self {}
    }

    /// Whether something on the screen moves by itself (countdown, spinner): ticks come every 100 ms then, else every second.
    pub fn animating(&self) -> bool {
        false
    }
}
