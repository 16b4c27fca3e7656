//! What Result says of a call that is not back: how far it says it is, where it is, why, and what can be done.

use std::time::Duration;

use ratatui::text::{Line, Span};

use super::lines::Pen;
use super::reasons;
use crate::backend::Results;
use crate::call::diagnosis::{Diagnosis, Verdict};
use crate::call::{LONGEST_WAIT, Waiting, share};
use crate::cluster::Kept;
use crate::protocol::python;
use crate::text::human::duration;
use crate::text::width::{cells, pad};
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::{key, role};
use crate::tui::theme::Role;
use crate::tui::widgets::filled;

/// Lines that one text may take up: all of it, unless somebody else's words have no end.
pub(super) const WHOLE: usize = 12;

/// Where the second of two things that can be done begins.
const SECOND: usize = 27;

/// Reasons that are shown while a call is waited for.
const FEW: usize = 2;

impl Pen<'_> {
    /// Whether nothing knows the call any longer.
    pub(super) fn lost(&self) -> bool {
        self.diagnosis.as_ref().is_some_and(Diagnosis::lost)
    }

    /// The application's own state and what it says: a bar where it tells a share, else its words.
    pub(super) fn progress(&self) -> Vec<Line<'static>> {
        let Some((word, meta)) = &self.call.custom else {
            return Vec::new();
        };
        let Some(progress) = share::of(meta) else {
            let meta = python::repr_within(meta, 400);
            return self.wrapped(Role::Run, 3, &format!("{word}  {meta}"), 2);
        };
        let said = share::beside(meta, 400).map(|said| format!("  {said}"));
        let text = format!("{word}  {}{}", progress.text, said.unwrap_or_default());
        let text = self.wrapped(Role::Run, 3, &text, 2);
        let mut bar = filled(
            progress.share,
            Role::Run,
            self.width.saturating_sub(6),
            self.theme,
        );
        bar.spans.insert(0, Span::raw("   "));
        text.into_iter().chain([bar]).collect()
    }

    /// The first reasons, while the call is waited for.
    pub(super) fn likely_why(&self) -> Vec<Line<'static>> {
        let Some(diagnosis) = self.reasons() else {
            return Vec::new();
        };
        let mut reasons = reasons::why(diagnosis, self.banner());
        reasons.truncate(FEW);
        self.told_why(&reasons)
    }

    fn told_why(&self, reasons: &[String]) -> Vec<Line<'static>> {
        if reasons.is_empty() {
            return Vec::new();
        }
        let mut lines = vec![self.line(Role::Fg, "Likely why")];
        for reason in reasons {
            lines.extend(self.wrapped(Role::Warn, 2, reason, WHOLE));
        }
        lines
    }

    /// TIMEOUT and DETACHED: the outcome is unknown, and we go on listening.
    pub(super) fn not_waiting(&self) -> Vec<Line<'static>> {
        let timeout = duration(self.call.timeout);
        let said = match self.call.waiting {
            Waiting::TimedOut(_) => {
                format!("No result within {timeout}. The outcome is unknown.")
            }
            _ if self.shared.calls.adopted(self.call).is_some() => {
                "The program that made it has gone: outcome unknown, still listening.".to_owned()
            }
            _ => "You stopped waiting: outcome unknown, still listening.".to_owned(),
        };
        let mut lines = self.wrapped(role(self.call.state()), 0, &said, 2);
        lines.push(Line::default());
        if self.turned {
            lines.extend(self.timeline());
            lines.extend(self.progress());
            lines.push(Line::default());
            lines.extend(self.python());
        } else {
            lines.extend(self.where_it_is());
            lines.extend(self.why());
            lines.extend(self.progress());
        }
        lines.extend(self.troubles(2));
        lines
    }

    fn where_it_is(&self) -> Vec<Line<'static>> {
        let Some(diagnosis) = &self.diagnosis else {
            return Vec::new();
        };
        let title = "Where it is now";
        let asked = reasons::asked(diagnosis.asked);
        let room = self.width.saturating_sub(cells(&asked));
        let mut lines = vec![Line::from(vec![
            self.theme.span(Role::Fg, pad(title, room, "")),
            self.theme.span(Role::Dim, asked),
        ])];
        let place = reasons::place(&diagnosis.now, &self.queue(), self.now);
        lines.extend(self.wrapped(Role::Fg, 2, &place, WHOLE));
        if let Some(outlook) = reasons::outlook(diagnosis, self.call) {
            lines.extend(self.wrapped(Role::Dim, 2, outlook, WHOLE));
        }
        lines
    }

    fn why(&self) -> Vec<Line<'static>> {
        let Some(diagnosis) = &self.diagnosis else {
            return Vec::new();
        };
        let runs = reasons::runs(diagnosis).into_iter();
        let why = reasons::why(diagnosis, self.banner());
        self.told_why(&runs.chain(why).collect::<Vec<_>>())
    }

    /// What can be done while nobody waits and the outcome is unknown.
    pub(super) fn choices(&self) -> Vec<Line<'static>> {
        let advice = self.diagnosis.as_ref().map(reasons::advice);
        let mut lines = vec![self.line(Role::Fg, "What you can do")];
        for text in advice.into_iter().flatten() {
            lines.extend(self.wrapped(Role::Dim, 2, &text, 2));
        }
        let nothing = "nothing: a late result is shown here and kept";
        lines.extend(self.wrapped(Role::Dim, 2, nothing, 2));
        lines.extend(self.longer());
        let diagnosis = self.diagnosis.as_ref();
        let revoke = reasons::revoke(diagnosis, self.call);
        let revoke = revoke.map(|does| (Action::Revoke, does));
        let again = reasons::again(diagnosis, self.call);
        let again = again.then_some((Action::Again, "call again: it may then run twice"));
        let keys = revoke.into_iter().chain(again);
        let keys = keys.map(|(action, does)| format!("  {}", does_key(action, does)));
        lines.extend(keys.map(|text| self.cut(Role::Dim, &text)));
        lines.extend(self.kept_for());
        lines
    }

    /// How long its result will be there, as the worker that has it tells.
    fn kept_for(&self) -> Option<Line<'static>> {
        let diagnosis = self.diagnosis.as_ref()?;
        let elsewhere = |it: &Verdict| matches!(it, Verdict::BackendMismatch { .. });
        let stored = matches!(self.shared.results, Results::Stored(_));
        if !stored || diagnosis.out_of_reach() || diagnosis.why.iter().any(elsewhere) {
            return None;
        }
        let cluster = &self.shared.cluster;
        let task = cluster.task(&self.call.signature.task)?;
        let ignored = self.call.signature.options.ignore_result;
        let kept = ignored.map_or(task.kept == Kept::Kept, |ignored| !ignored);
        let worker = cluster.workers.get(self.call.worker.as_ref()?)?;
        let expires = worker.conf.as_ref()?.result_expires.filter(|_| kept)?;
        let text = format!("its result is kept for {} from its end on", whole(expires));
        Some(self.cut(Role::Dim, &text))
    }

    /// The keys that wait for it again, beside one another where there is room.
    fn longer(&self) -> Vec<Line<'static>> {
        let longer = does_key(Action::Longer, "wait 10s more");
        let free = does_key(Action::NoLimit, "wait with no limit");
        let free = Some(free).filter(|_| self.call.timeout < LONGEST_WAIT);
        let texts = match free {
            Some(free) if self.width >= 2 + SECOND + cells(&free) => {
                vec![format!("{}{free}", pad(&longer, SECOND, ""))]
            }
            free => [longer].into_iter().chain(free).collect(),
        };
        let texts = texts.iter().map(|text| format!("  {text}"));
        texts.map(|text| self.cut(Role::Dim, &text)).collect()
    }
}

/// `X  revoke it, if it has not started`.
pub(super) fn does_key(action: Action, does: &str) -> String {
    format!("{}  {does}", key(Context::Running, action))
}

/// `1h`, `2d`: a time that is configured is round as a rule.
fn whole(span: Duration) -> String {
    match span.as_secs() {
        seconds if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        seconds if seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
        _ => duration(span),
    }
}
