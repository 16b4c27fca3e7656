//! What stands in the way of a call, and what was said about it: a result that cannot be read, warnings, answers to a revoke.

use ratatui::text::Line;

use super::lines::Pen;
use super::reasons;
use super::unresolved::WHOLE;
use crate::backend::Results;
use crate::call::diagnosis::Diagnosis;
use crate::client::LinkName;
use crate::tui::theme::Role;

/// From this height on nothing is left out because it stands in the banner: a pane so tall may cover that.
const ROOMY: u16 = 30;

impl Pen<'_> {
    /// The diagnosis whose reasons are shown.
    pub(super) fn reasons(&self) -> Option<&Diagnosis> {
        let waiting = self.call.state().is_waiting();
        let shown = |it: &&Diagnosis| if waiting { it.tells() } else { !self.turned };
        self.diagnosis.as_ref().filter(shown)
    }

    /// The link whose outage the banner tells.
    pub(super) fn banner(&self) -> Option<LinkName> {
        let banner = self.shared.links.banner(self.now);
        banner.filter(|_| self.height < ROOMY).map(|(name, _)| name)
    }

    /// Why a result may not come, or cannot be read.
    pub(super) fn troubles(&self, indent: usize) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        // One outage is told once: where a reason or the banner tells why, it is not told again.
        let told = self.reasons().is_some_and(reasons::tells_outage);
        if let Some(reason) = self.call.backend_lost.as_ref().filter(|_| !told) {
            let link = match self.shared.results {
                Results::Stored(_) => LinkName::Backend,
                _ => LinkName::Broker,
            };
            let why = if self.banner() == Some(link) {
                String::new()
            } else {
                format!(": {reason}")
            };
            let text = if self.visits() {
                format!("its result could not be read then: {reason}")
            } else {
                format!(
                    "sent; its result cannot be read just now{why}. The task may run. Keeps trying."
                )
            };
            lines.extend(self.wrapped(Role::Warn, indent, &text, WHOLE));
        }
        if let Some(trouble) = &self.call.trouble {
            lines.extend(self.wrapped(Role::Warn, indent, &trouble.message, WHOLE));
            if let Some(hint) = &trouble.hint {
                lines.extend(self.wrapped(Role::Dim, indent, hint, WHOLE));
            }
        }
        lines.extend(self.revoked(indent));
        for warning in &self.call.warnings {
            lines.extend(self.wrapped(Role::Warn, indent, &format!("! {warning}"), WHOLE));
        }
        lines
    }

    /// What workers said to its revoke.
    pub(super) fn revoked(&self, indent: usize) -> Vec<Line<'static>> {
        let Some(revoke) = self.shared.revokes.get(self.call.id()) else {
            return Vec::new();
        };
        let mut lines = self.wrapped(Role::Warn, indent, &revoke.words(), WHOLE);
        if revoke.unknown_everywhere() {
            let text = "no worker that answered runs it: nothing was killed";
            lines.extend(self.wrapped(Role::Warn, indent, text, 2));
        }
        lines
    }
}
