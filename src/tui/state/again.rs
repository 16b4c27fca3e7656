//! The one call of the past that is to be called again as soon as history has told of it. Asks nobody and sends nothing.

use crate::tui::keymap::Context;

/// What is pending: at most one, so that two presses while the disk is slow send once.
#[derive(Debug, Default)]
pub struct Again {
    press: u64,
    pending: Option<Context>,
}

impl Again {
    /// The key was pressed, and keys mean this. Returns the number of the press; `None`: an earlier one is pending.
    pub fn pressed(&mut self, context: Context) -> Option<u64> {
        if self.pending.is_some() {
            return None;
        }
        self.pending = Some(context);
        self.press += 1;
        Some(self.press)
    }

    /// Keys mean this by now: something else than at the press cancels it.
    pub fn moved(&mut self, context: Context) {
        self.pending.take_if(|at| *at != context);
    }

    /// The user went elsewhere.
    pub fn cancel(&mut self) {
        self.pending = None;
    }

    /// History answered a press. Returns whether that one is still pending; it no longer is.
    pub fn take(&mut self, press: u64) -> bool {
        self.press == press && self.pending.take().is_some()
    }
}
