//! What Result says of a call that is not back: how far it says it is, where it is, why, and what can be done.

use std::time::Duration;

use ratatui::text::{Line, Span};

use super::lines::Pen;
use super::reasons;
use crate::backend::Results;
use crate::call::diagnosis::{Diagnosis, Place, Verdict};
use crate::call::{LONGEST_WAIT, Waiting, share};
use crate::clock::Now;
use crate::cluster::Kept;
use crate::protocol::python;
use crate::text::human::duration;
use crate::text::width::{cells, pad};
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::{key, remote, role};
use crate::tui::theme::Role;
use crate::tui::widgets::filled;

/// Lines that one text may take up: all of it, unless somebody else's words have no end.
pub(super) const WHOLE: usize = 12;

/// Where the second of two things that can be done begins.
const SECOND: usize = 27;

/// Reasons that are shown while a call is waited for.
const FEW: usize = 2;

/// What is said of a call of an earlier run or of another program that is only looked at.
const NOT_HEARD: &str =
    "this umbel does not listen for it; what another one writes of it is shown here";

impl Pen<'_> {
    /// Whether the call is of an earlier run or another program, and nobody here listens for it.
    pub(super) fn visits(&self) -> bool {
        self.shared.calls.visits(self.call)
    }

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
            _ if self.visits() => "Nobody waits for it: its outcome is unknown.".to_owned(),
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

    /// Who hears of a call that is only looked at.
    pub(super) fn not_heard(&self) -> Vec<Line<'static>> {
        let mut lines = self.wrapped(Role::Dim, 2, NOT_HEARD, 3);
        let wait = format!("umbel wait {}", remote(self.call.id().as_str()));
        lines.extend(self.wrapped(Role::Dim, 2, &wait, 2));
        lines
    }

    /// When a call that nobody here listens for was heard of last: where it was then is all that is known.
    fn heard_last(&self) -> Option<Now> {
        let timeline = &self.call.timeline;
        let told = self.call.told_at.or(timeline.confirmed);
        told.or(timeline.published).filter(|_| self.visits())
    }

    fn where_it_was(&self, diagnosis: &Diagnosis, heard: Now) -> Vec<Line<'static>> {
        let title = format!(
            "Where it was at {}, when last heard of",
            self.shared.clock(heard)
        );
        let place = Place {
            inferred: false,
            ..diagnosis.now.clone()
        };
        let mut lines = self.wrapped(Role::Fg, 0, &title, WHOLE);
        let place = reasons::place(&place, &self.queue(), heard);
        lines.extend(self.wrapped(Role::Fg, 2, &place, WHOLE));
        lines
    }

    fn where_it_is(&self) -> Vec<Line<'static>> {
        let Some(diagnosis) = &self.diagnosis else {
            return Vec::new();
        };
        if let Some(heard) = self.heard_last() {
            return self.where_it_was(diagnosis, heard);
        }
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
        // What queues and workers do now is no reason of what was then.
        let Some(diagnosis) = self.diagnosis.as_ref().filter(|_| !self.visits()) else {
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
        if self.visits() {
            lines.extend(self.not_heard());
        } else {
            let nothing = "nothing: a late result is shown here and kept";
            lines.extend(self.wrapped(Role::Dim, 2, nothing, 2));
            lines.extend(self.longer());
        }
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
fn does_key(action: Action, does: &str) -> String {
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
