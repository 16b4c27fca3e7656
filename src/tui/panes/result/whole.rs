//! Where all of a result is that is too large to be shown whole. It sends nobody to call again.

use super::lines::Pen;
use crate::backend::Results;
use crate::history::record::LARGEST_VALUE;
use crate::text::human::bytes;
use crate::tui::panes::remote;
use crate::tui::state::Keeping;

impl Pen<'_> {
    /// `umbel result ID` reads what the backend stores, or what history kept. What came straight back and is too large for it is gone with
    /// this screen.
    pub(super) fn whole(&self, size: usize) -> String {
        if let Some(there) = self.shared.made_elsewhere(self.call) {
            let id = remote(self.call.id().as_str());
            let there = remote(there);
            return format!("all of it, if it is kept: umbel result --broker URL {id}, at {there}");
        }
        let command = || format!("umbel result {}", remote(self.call.id().as_str()));
        let stored = matches!(self.shared.results, Results::Stored(_));
        let kept = self.shared.keeping == Keeping::Disk && size <= LARGEST_VALUE;
        match (stored, kept, &self.shared.keeping) {
            (true, ..) => format!("all of it: {}", command()),
            (false, true, _) => format!("all of it, if history keeps the call: {}", command()),
            (false, false, Keeping::Disk) => format!(
                "more of it was not kept: it came straight back, and history keeps at most {}",
                bytes(LARGEST_VALUE)
            ),
            (false, false, _) => {
                "more of it is kept nowhere: it came straight back to this screen".to_owned()
            }
        }
    }
}
