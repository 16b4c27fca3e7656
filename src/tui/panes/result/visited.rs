//! What Result says of a call that is only looked at, whatever its state: what was written of it, in the past. What queues, workers and links are
//! now is no reason of what was then, and may be of another broker.

use ratatui::text::Line;

use super::countdown::waits;
use super::lines::Pen;
use super::reasons;
use super::unresolved::{WHOLE, does_key};
use crate::call::diagnosis::Place;
use crate::call::{CallState, Look, Waiting};
use crate::clock::Now;
use crate::text::human::duration;
use crate::tui::keymap::Action;
use crate::tui::panes::{remote, role};
use crate::tui::state::calls::is_left_alone;
use crate::tui::theme::Role;

/// What is said of a call of an earlier run or of another program.
const NOT_HEARD: &str =
    "this umbel does not listen for it; what another one writes of it is shown here";

impl Pen<'_> {
    /// Whether the call is of an earlier run or another program, and nobody here listens for it.
    pub(super) fn visits(&self) -> bool {
        self.shared.calls.visits(self.call)
    }

    /// A call without an outcome: who waits for it, and where it was.
    pub(super) fn looked_at(&self) -> Vec<Line<'static>> {
        let mut lines = self.wrapped(role(self.call.concluded()), 0, &self.who_waits(), 2);
        lines.push(Line::default());
        if self.turned {
            lines.extend(self.timeline());
            lines.extend(self.progress());
            lines.push(Line::default());
            lines.extend(self.python());
        } else {
            lines.extend(self.where_it_was());
            lines.extend(self.progress());
        }
        lines.extend(self.troubles(2));
        lines
    }

    fn who_waits(&self) -> String {
        let record = self.shared.calls.visited(self.call);
        let alone = record.is_none_or(|record| is_left_alone(record, self.now));
        match self.call.waiting {
            Waiting::TimedOut(_) => {
                let timeout = duration(self.call.timeout);
                format!("No result within {timeout}. The outcome is unknown.")
            }
            Waiting::Yes if !alone => {
                format!("Another umbel {}.", waits(self.call.timeout, " for it"))
            }
            Waiting::Yes => "Nobody wrote what became of it: its outcome is unknown.".to_owned(),
            Waiting::Detached(_) => "Nobody waits for it: its outcome is unknown.".to_owned(),
        }
    }

    /// When it was heard of last, and where it was then; and what came of asking for it after that.
    fn where_it_was(&self) -> Vec<Line<'static>> {
        let timeline = &self.call.timeline;
        let told = self.call.told_at.or(timeline.confirmed);
        let told = told.or(timeline.published);
        let mut lines = Vec::new();
        if let Some((diagnosis, heard)) = self.diagnosis.as_ref().zip(told) {
            let when = self.when(heard);
            let title = format!("Where it was at {when}, when last heard of");
            let place = Place {
                inferred: false,
                ..diagnosis.now.clone()
            };
            let place = reasons::place(&place, &self.queue(), heard);
            lines.extend(self.wrapped(Role::Fg, 0, &title, WHOLE));
            lines.extend(self.wrapped(Role::Fg, 2, &place, WHOLE));
        }
        let later = |look: &Look| told.is_none_or(|told| told.mono < look.at.mono);
        if let Some(look) = self.call.looked.filter(later) {
            let text = format!(
                "When last asked, at {}, {}",
                self.when(look.at),
                came_to(look)
            );
            lines.extend(self.wrapped(Role::Fg, 0, &text, WHOLE));
        }
        lines
    }

    fn when(&self, at: Now) -> String {
        self.shared.when(at.wall, self.now.wall)
    }

    /// Who hears of it, and what can be done from here.
    pub(super) fn left_to_do(&self) -> Vec<Line<'static>> {
        let mut lines = vec![self.line(Role::Fg, "What you can do")];
        lines.extend(self.not_heard());
        let here = self.shared.made_elsewhere(self.call).is_none();
        let revoke = here.then(|| (Action::Revoke, reasons::revoke_unheard(self.call)));
        let again = if here {
            "call again: it may then run twice"
        } else {
            "call it here, at another broker: asks first"
        };
        let again = reasons::again(None, self.call).then_some((Action::Again, again));
        let keys = revoke.into_iter().chain(again);
        let keys = keys.map(|(action, does)| format!("  {}", does_key(action, does)));
        lines.extend(keys.map(|text| self.cut(Role::Dim, &text)));
        lines
    }

    fn not_heard(&self) -> Vec<Line<'static>> {
        let id = remote(self.call.id().as_str());
        let Some(there) = self.shared.made_elsewhere(self.call) else {
            let mut lines = self.wrapped(Role::Dim, 2, NOT_HEARD, 3);
            lines.extend(self.wrapped(Role::Dim, 2, &format!("umbel wait {id}"), 2));
            return lines;
        };
        let (there, here) = (remote(there), remote(&self.shared.target.broker));
        let text = format!(
            "it was made at {there}, and this umbel is at {here}: it hears nothing of it. There, with the URL of that broker:"
        );
        let mut lines = self.wrapped(Role::Dim, 2, &text, WHOLE);
        for command in ["wait", "revoke"] {
            let text = format!("umbel {command} --broker URL {id}");
            lines.extend(self.wrapped(Role::Dim, 2, &text, 2));
        }
        lines
    }
}

/// `nothing had it`, `it was RUN`.
fn came_to(look: Look) -> String {
    let state = match look.state {
        Some(CallState::Lost) => return "nothing had it: no trace of it anywhere.".to_owned(),
        None => return "nobody knew where it was.".to_owned(),
        Some(state) => state.word(),
    };
    let concluded = if look.inferred {
        ", as far as could be concluded"
    } else {
        ""
    };
    format!("it was {state}{concluded}.")
}
