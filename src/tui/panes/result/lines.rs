//! What Result says about a call, line by line, state by state. The middle is left for what the call brought.

use std::time::Duration;

use ratatui::text::{Line, Span};

use super::document::Document;
use super::timeline::{self, Step};
use crate::call::diagnosis::{Diagnosis, diagnose};
use crate::call::timeline::Clock;
use crate::call::{Call, CallState};
use crate::clock::Now;
use crate::text::human::{self, duration};
use crate::text::width::{cells, cut, pad, pad_middle, wrap};
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::{self, key, last_part, remote, role};
use crate::tui::state::{PYTHON, Shared};
use crate::tui::theme::{Role, Theme};

/// From this height on the whole timeline stands above what a call brought.
const TALL: u16 = 14;

/// The same for a failure: its traceback needs the room more.
const TALL_FAILED: u16 = 24;

/// Cells of the times of the timeline at least.
const TIMES: usize = 14;

/// Lines of the head that what can be done leaves to it at least.
const LEAST_HEAD: usize = 4;

/// The lines above and below what a call brought, and the room between.
#[derive(Debug)]
pub struct Parts {
    /// Above.
    pub head: Vec<Line<'static>>,
    /// Rows left for what it brought.
    pub body: u16,
    /// Below.
    pub foot: Vec<Line<'static>>,
    /// How many lines of what is above can be passed over: there are so many more than fit.
    pub beyond: usize,
}

/// How it is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Of a call that nobody waits for: its timeline, not its diagnosis.
    pub turned: bool,
    /// Lines that are passed over.
    pub skip: usize,
}

/// What lines are made with.
pub(super) struct Pen<'a> {
    pub(super) call: &'a Call,
    pub(super) shared: &'a Shared,
    pub(super) theme: Theme,
    pub(super) width: usize,
    pub(super) height: u16,
    pub(super) now: Now,
    /// Of a call that nobody waits for: its timeline, not its diagnosis.
    pub(super) turned: bool,
    /// Where it is and why, while it has no outcome.
    pub(super) diagnosis: Option<Diagnosis>,
}

impl Parts {
    /// The parts of a call in a pane of this size. How much room is left does not depend on the time.
    pub fn of(
        call: &Call,
        document: Option<&Document>,
        shared: &Shared,
        width: u16,
        height: u16,
    ) -> Self {
        Self::at(
            call,
            document,
            shared,
            (width, height),
            Look::default(),
            shared.started,
        )
    }

    /// The parts of a call at `now`.
    pub fn at(
        call: &Call,
        document: Option<&Document>,
        shared: &Shared,
        (width, height): (u16, u16),
        look: Look,
        now: Now,
    ) -> Self {
        let visits = shared.calls.visits(call);
        let under_way = call.whereabouts().is_some() && (visits || call.looks_stuck(now));
        let pen = Pen {
            call,
            shared,
            theme: shared.theme,
            width: usize::from(width),
            height,
            now,
            turned: look.turned,
            diagnosis: under_way.then(|| diagnose(call, &shared.scene(call), now)),
        };
        let mut head = vec![pen.title()];
        head.extend(pen.above());
        let room = usize::from(height);
        let foot = pen.squeezed(pen.below(document), room.saturating_sub(LEAST_HEAD));
        let left = room - foot.len();
        // Where it brought something, that is what scrolls.
        let (head, beyond) = match document {
            Some(_) => (pen.squeezed(head, left), 0),
            None => pen.scrolled(head, left, look.skip),
        };
        let body = room.saturating_sub(head.len() + foot.len());
        Self {
            head,
            body: u16::try_from(body).unwrap_or(0),
            foot,
            beyond,
        }
    }
}

impl Pen<'_> {
    pub(super) fn line(&self, role: Role, text: impl Into<String>) -> Line<'static> {
        Line::from(self.theme.span(role, text.into()))
    }

    /// A text of ours or of others, wrapped, at most `most` lines.
    pub(super) fn wrapped(
        &self,
        role: Role,
        indent: usize,
        text: &str,
        most: usize,
    ) -> Vec<Line<'static>> {
        let room = self.width.saturating_sub(indent).max(1);
        let mut lines = wrap(&remote(text), room);
        if lines.len() > most {
            lines.truncate(most);
            if let Some(last) = lines.last_mut() {
                let ellipsis = self.theme.glyphs().ellipsis;
                *last = cut(&format!("{last} {ellipsis}"), room, ellipsis);
            }
        }
        let blank = " ".repeat(indent);
        let lines = lines.into_iter();
        lines
            .map(|line| self.line(role, format!("{blank}{line}")))
            .collect()
    }

    fn rule(&self) -> Line<'static> {
        self.line(Role::Dim, self.theme.glyphs().rule.repeat(self.width))
    }

    /// `OK  shop.orders.refund ........ 212ms  c7 c0ffee`.
    fn title(&self) -> Line<'static> {
        let visits = self.visits();
        let state = if visits {
            self.call.concluded()
        } else {
            self.call.state()
        };
        let word = match (state, self.call.custom.as_ref()) {
            (CallState::Run, Some((custom, _))) => format!("RUN {}", remote(custom)),
            (CallState::Timeout | CallState::Detached, _) if self.lost() => {
                CallState::Lost.word().to_owned()
            }
            _ => self
                .call
                .word_of(state, self.shared.scene(self.call).cluster),
        };
        let took = match self.call.state() {
            CallState::Timeout => self.call.elapsed(self.now),
            _ => self.call.timeline.total(),
        };
        let about = Clock::about(self.call.timeline.total_on());
        let took = took.map_or_else(String::new, |took| format!("{about}{}", panes::took(took)));
        let right = format!("{took}  {}", self.call.id().short());
        let right = remote(right.trim_start());
        let room = self
            .width
            .saturating_sub(cells(&word) + 2 + cells(&right) + 1);
        let name = remote(self.call.signature.task.as_str());
        let ellipsis = self.theme.glyphs().ellipsis;
        Line::from(vec![
            self.theme.span(role(state), word),
            Span::raw("  "),
            Span::raw(pad_middle(&name, room, ellipsis)),
            Span::raw(" "),
            self.theme.span(Role::Dim, right),
        ])
    }

    fn above(&self) -> Vec<Line<'static>> {
        match self.call.state() {
            CallState::Draft if self.call.refused() => self.unsent(),
            _ if self.visits() && self.call.whereabouts().is_some() => self.looked_at(),
            CallState::Draft
            | CallState::Send
            | CallState::Sent
            | CallState::Recv
            | CallState::Run
            | CallState::Retry
            | CallState::UnknownDelivery => self.waiting(),
            CallState::Timeout | CallState::Detached | CallState::Lost => self.not_waiting(),
            CallState::Unsent => self.unsent(),
            CallState::NoResult => self.no_result(),
            _ => self.ended(),
        }
    }

    fn waiting(&self) -> Vec<Line<'static>> {
        let mut lines = vec![Line::default()];
        lines.extend(self.countdown());
        lines.push(Line::default());
        lines.extend(self.timeline());
        lines.extend(self.progress());
        lines.extend(self.troubles(3));
        lines.extend(self.likely_why());
        lines.push(Line::default());
        lines.extend(self.python());
        lines
    }

    pub(super) fn timeline(&self) -> Vec<Line<'static>> {
        let gone = self.diagnosis.as_ref().is_some_and(Diagnosis::out_of_reach) || self.visits();
        let steps = timeline::steps(self.call, self.shared, gone, self.now);
        let times = steps.iter().map(|step| cells(&step.time) + 1).max();
        let times = times.unwrap_or_default().max(TIMES);
        let slower = timeline::slower(self.call, self.shared, self.now);
        let slower = slower.map(|text| self.cut(Role::Warn, &format!("   {text}")));
        let steps = steps.into_iter().map(|step| self.step(&step, times));
        steps.chain(slower).collect()
    }

    fn step(&self, step: &Step, times: usize) -> Line<'static> {
        let ellipsis = self.theme.glyphs().ellipsis;
        let indent = if self.call.timeline.done.is_some() {
            0
        } else {
            3
        };
        let took = cells(&step.took);
        let fixed = indent + 6 + times;
        let room = self.width.saturating_sub(fixed + took + 1 + indent);
        let role = if step.known { Role::Fg } else { Role::Dim };
        let text = format!(
            "{}{}{}{} {}",
            " ".repeat(indent),
            pad(step.word, 6, ""),
            pad(&step.time, times, ""),
            pad(&step.what, room, ellipsis),
            step.took
        );
        self.line(role, text)
    }

    /// The call as Python would write it.
    pub(super) fn python(&self) -> Vec<Line<'static>> {
        self.wrapped(Role::Dim, 3, &self.python_text(), 2)
    }

    pub(super) fn queue(&self) -> String {
        let queue = self.call.queue.as_ref();
        queue.map_or_else(|| "?".to_owned(), ToString::to_string)
    }

    fn unsent(&self) -> Vec<Line<'static>> {
        let mut lines = vec![self.line(Role::Fg, "It was not sent: certainly not queued.")];
        lines.push(Line::default());
        if let Some(trouble) = &self.call.trouble {
            lines.extend(self.wrapped(Role::Fail, 0, &trouble.message, 6));
            if let Some(hint) = &trouble.hint {
                lines.push(Line::default());
                lines.extend(self.wrapped(Role::Fg, 0, hint, 4));
            }
        }
        lines.push(Line::default());
        lines.extend(self.python());
        lines
    }

    fn no_result(&self) -> Vec<Line<'static>> {
        let text = format!(
            "Sent to {}. Its result is not kept anywhere, so nothing is waited for.",
            self.queue()
        );
        let mut lines = self.wrapped(Role::Fg, 0, &text, 3);
        lines.push(Line::default());
        lines.extend(self.timeline());
        lines.extend(self.troubles(3));
        lines.push(Line::default());
        lines.extend(self.python());
        lines
    }

    /// OK, FAIL and the other ends.
    fn ended(&self) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        if let Some(headline) = self.call.headline() {
            let role = role(self.call.state());
            lines.extend(self.wrapped(role, 0, &self.headline(&headline), 3));
        }
        if let Some(mark) = mark(self.call) {
            lines.extend(self.wrapped(Role::Warn, 0, &mark, 2));
        }
        let failed = self
            .call
            .result
            .as_ref()
            .is_some_and(|it| it.exception.is_some());
        if self.height >= if failed { TALL_FAILED } else { TALL } {
            lines.extend(self.timeline());
        } else {
            let summary = timeline::summary(self.call, self.theme.glyphs().marker);
            lines.push(self.line(Role::Fg, cut(&summary, self.width, "")));
        }
        lines.extend(self.revoked(3));
        lines.push(self.rule());
        lines
    }

    /// What an end means, where the exception alone does not say it.
    fn headline(&self, exception: &str) -> String {
        match self.call.state() {
            CallState::NoTask => {
                format!("the worker does not know this task ({exception})")
            }
            CallState::Expired => "a worker got it too late and dropped it unstarted".to_owned(),
            CallState::Revoked => format!("revoked before it started ({exception})"),
            CallState::Killed => format!("killed while it ran ({exception})"),
            _ => exception.to_owned(),
        }
    }

    fn below(&self, document: Option<&Document>) -> Vec<Line<'static>> {
        match (self.call.state(), document) {
            (_, Some(document)) => self.about_document(document),
            _ if self.visits() && self.call.whereabouts().is_some() => self.left_to_do(),
            (CallState::Timeout | CallState::Detached | CallState::Lost, None) => self.choices(),
            (state, None) if state.is_waiting() => self.keys(),
            _ => Vec::new(),
        }
    }

    /// What can be done while the call is waited for.
    fn keys(&self) -> Vec<Line<'static>> {
        let key = |action| key(Context::Running, action);
        let change = format!("{} {}", key(Action::Longer), key(Action::Shorter));
        let detach = key(Action::Detach);
        let stop = key(Action::Interrupt);
        let free = key(Action::NoLimit);
        let first =
            format!("{change}  10s   {free} no limit   {detach} detach   {stop} stop waiting");
        let second = format!("{}    revoke at the workers", key(Action::Revoke));
        [first, second]
            .map(|text| self.line(Role::Dim, text))
            .into()
    }

    /// Facts under what a call brought.
    fn about_document(&self, document: &Document) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        let result = self.call.result.as_ref();
        let size = result
            .map(|result| human::bytes(result.size))
            .unwrap_or_default();
        if document.hidden > 0 {
            lines.push(self.cut(Role::Warn, &hidden(document.hidden)));
        }
        if document.cut {
            let whole = self.whole(result.map_or(0, |result| result.size));
            let text = format!("first 256 kB of {size}; {whole}");
            lines.extend(self.wrapped(Role::Warn, 0, &text, 3));
        }
        let worker = self.call.worker.as_ref();
        let facts = [
            self.late(),
            // Its envelope included: what is measured is what the worker sent.
            Some(format!("{size} as sent"))
                .filter(|_| result.is_some_and(|result| result.exception.is_none())),
            worker.map(|worker| format!("worker {}", remote(worker.as_str()))),
            self.call
                .retries
                .map(|retries| format!("retries {retries}")),
        ];
        let facts: Vec<String> = facts.into_iter().flatten().collect();
        let dot = format!(" {} ", self.theme.glyphs().dot);
        lines.push(self.cut(Role::Dim, &facts.join(&dot)));
        lines.push(self.cut(Role::Dim, &self.python_text()));
        lines
    }

    fn python_text(&self) -> String {
        let name = last_part(self.call.signature.task.as_str());
        remote(&self.shared.python(name, self.call, PYTHON))
    }

    pub(super) fn cut(&self, role: Role, text: &str) -> Line<'static> {
        self.line(role, cut(text, self.width, self.theme.glyphs().ellipsis))
    }

    fn late(&self) -> Option<String> {
        if !self.call.late() {
            return None;
        }
        let waited = self.call.elapsed(self.now)?;
        let over: Duration = waited.saturating_sub(self.call.timeout);
        Some(format!("came {} after its timeout", duration(over)))
    }
}

/// What the value below is, where it is not the value itself.
fn mark(call: &Call) -> Option<String> {
    if let Some(repr) = &call.repr {
        return Some(repr.label().to_owned());
    }
    if let Some(opaque) = call.opaque() {
        let size = human::bytes(opaque.size);
        return Some(format!(
            "pickled, {size}: never executed; this is what it would do"
        ));
    }
    call.unreadable().map(|trouble| trouble.message.clone())
}

fn hidden(count: usize) -> String {
    match count {
        1 => "1 control character is shown, not obeyed".to_owned(),
        count => format!(
            "{} control characters are shown, not obeyed",
            human::count(count as u64)
        ),
    }
}
