//! The one answer of history that the user waits for, where he pressed the key for it. Asks nobody and does nothing itself.

use crate::tui::keymap::Context;
use crate::tui::past::Want;

/// What is pending: at most one, the last that was pressed.
#[derive(Debug, Default)]
pub struct Awaited {
    press: u64,
    pending: Option<(Want, Context)>,
}

/// Why an answer is not acted upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The user went elsewhere.
    Elsewhere,
    /// He pressed a key for something else.
    Another,
}

impl Awaited {
    /// A key was pressed for this, and keys mean that. Returns the number of the press; `None`: it is asked for already. Of two presses
    /// to call again while the disk is slow the first counts, of all others the last.
    pub fn pressed(&mut self, want: Want, context: Context) -> Option<u64> {
        let pending = self.pending.as_ref();
        let same = |(other, at): &(Want, Context)| *other == want && *at == context;
        let again = |(other, _): &(Want, Context)| other.calls() && want.calls();
        if pending.is_some_and(|pending| same(pending) || again(pending)) {
            return None;
        }
        self.pending = Some((want, context));
        self.press += 1;
        Some(self.press)
    }

    /// Keys mean this by now: something else than at the press cancels it.
    pub fn moved(&mut self, context: Context) {
        self.pending.take_if(|(_, at)| *at != context);
    }

    /// The user went elsewhere.
    pub fn cancel(&mut self) {
        self.pending = None;
    }

    /// History answered a press; what was pending is no longer.
    ///
    /// # Errors
    /// It is not to be acted upon: why.
    pub fn take(&mut self, press: u64) -> Result<(), Dropped> {
        if self.press != press {
            return Err(Dropped::Another);
        }
        let pending = self.pending.take();
        pending.map(drop).ok_or(Dropped::Elsewhere)
    }
}
