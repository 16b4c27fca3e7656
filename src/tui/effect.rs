//! Everything the screen's state asks the outside to do. Performed in [`super::perform`], nowhere else.

use super::past::Wish;
use crate::client::Command;

/// One thing to do.
#[derive(Debug)]
pub enum Effect {
    /// Hand a command to the client.
    Client(Command),
    /// Hand a wish to history.
    History(Wish),
    /// Put text (already sanitised) on the terminal's clipboard by OSC 52.
    Copy(String),
    /// Clear the terminal and draw everything anew (Ctrl-L).
    Repaint,
    /// Leave.
    Quit,
}

/// What an update asks for.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Whether anything that can be seen may have changed.
    pub redraw: bool,
    /// What to do, in order.
    pub effects: Vec<Effect>,
}

impl Outcome {
    /// Something that can be seen may have changed; nothing is to be done.
    pub fn redraw() -> Self {
        Self {
            redraw: true,
            effects: Vec::new(),
        }
    }

    /// The same, and this is to be done.
    #[must_use]
    pub fn and(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }
}
