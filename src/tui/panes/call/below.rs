//! The lower part of the call form: the Python call, what stands against it, the button.

use std::borrow::Cow;

use ratatui::text::{Line, Span};

use super::check::{on_screen, outcome_unknown, refusal_text};
use super::draft::Spot;
use super::guard::AGAIN_WITHIN;
use super::view::Page;
use crate::text::width::{cells, cut, wrap};
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::{key, remote};
use crate::tui::theme::Role;

/// Lines of the Python call.
const PREVIEW: usize = 2;
/// Lines that say what stands against sending.
const MESSAGES: usize = 5;
impl Page<'_> {
    /// Rule, preview, messages, button: at most `most` lines. The button always, then what stands against sending.
    pub(super) fn below(&self, most: usize) -> Vec<Line<'static>> {
        let mut room = most.saturating_sub(1);
        let mut messages = self.messages();
        messages.truncate(room);
        room -= messages.len();
        let mut preview = self.preview();
        preview.truncate(room);
        room -= preview.len();
        let mut lines = Vec::new();
        if room > 0 {
            lines.push(self.line(Role::Dim, self.theme.glyphs().rule.repeat(self.width)));
        }
        lines.extend(preview);
        lines.extend(messages);
        lines.push(self.button());
        lines
    }

    fn preview(&self) -> Vec<Line<'static>> {
        let text = remote(self.draft.python(&self.options, &self.secrets));
        let mut lines = hanging(&text, self.width);
        if lines.len() > PREVIEW {
            lines.truncate(PREVIEW);
            let last = lines.pop().unwrap_or_default();
            let marked = format!(
                "{}{}",
                cut(&last, self.width.saturating_sub(1), ""),
                self.ellipsis()
            );
            lines.push(marked);
        }
        lines
            .into_iter()
            .map(|line| self.line(Role::Fg, line))
            .collect()
    }

    /// What stands against sending, worst first.
    fn messages(&self) -> Vec<Line<'static>> {
        let mut messages: Vec<(Role, Cow<'_, str>)> = Vec::new();
        if let Some(problem) = self.draft.json_problem() {
            messages.push((Role::Fail, format!("! {}", problem.text()).into()));
        }
        // Where the options are listed, it is said below each.
        for (spot, problem) in self.problems.iter().filter(|_| !self.draft.open) {
            if matches!(spot, Spot::Option(_)) {
                messages.push((Role::Fail, format!("! {problem}").into()));
            }
        }
        if let Some(problem) = &self.unwritable {
            messages.push((Role::Fail, format!("! {problem}").into()));
        }
        if let Some(reason) = self.scene.shared.cannot_send() {
            messages.push((Role::Warn, format!("! {reason}").into()));
        }
        messages.extend(self.refusal());
        if let Some(armed) = self.draft.guard.armed() {
            let again = key(Context::CallNav, Action::Call);
            let seconds = AGAIN_WITHIN.as_secs();
            let what = if armed.why.len() == 1 {
                "it"
            } else {
                "all of it"
            };
            let text = format!("{again} again within {seconds}s sends it in spite of {what}");
            messages.push((
                Role::Warn,
                text.replace("spite of it", "spite of that").into(),
            ));
        }
        let twice = outcome_unknown(self.draft, self.scene.shared);
        messages.extend(twice.map(|text| (Role::Warn, format!("! {text}").into())));
        let doubts = self.draft.doubts_of_all(self.scene.now.wall);
        for warning in doubts.iter().chain(&self.preflight.warnings) {
            messages.push((Role::Warn, format!("! {}", on_screen(warning)).into()));
        }
        self.wrapped(messages)
    }

    fn refusal(&self) -> Option<(Role, Cow<'_, str>)> {
        let refusal = self.preflight.refusal.as_ref()?;
        Some((Role::Fail, format!("! {}", refusal_text(refusal)).into()))
    }

    pub(super) fn wrapped(&self, messages: Vec<(Role, Cow<'_, str>)>) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        for (role, text) in messages {
            let rows = wrap(&remote(&text), self.width.saturating_sub(2).max(1));
            for (place, row) in rows.into_iter().enumerate() {
                let indent = if place == 0 { "" } else { "  " };
                lines.push(self.line(role, format!("{indent}{row}")));
            }
        }
        lines.truncate(MESSAGES);
        lines
    }

    fn button(&self) -> Line<'static> {
        let call = key(Context::CallNav, Action::Call);
        let json = key(Context::CallNav, Action::Json);
        let text = format!("[ Call  {call} ]");
        let other = if self.draft.json.is_some() {
            "form"
        } else {
            "json"
        };
        let role = match (self.draft.spot, self.scene.shared.cannot_send()) {
            (_, Some(_)) => Role::Dim,
            (Spot::Button, None) => Role::Accent,
            _ => Role::Fg,
        };
        let chosen = self.draft.spot == Spot::Button && self.scene.focused;
        let mut style = self.theme.style(role);
        if chosen {
            style = style.patch(self.theme.style(Role::Select));
        }
        let indent = self.width.saturating_sub(cells(&text)) / 2;
        let marker = if self.draft.spot == Spot::Button {
            self.theme.glyphs().marker
        } else {
            " "
        };
        let indent = " ".repeat(indent.saturating_sub(2));
        Line::from(vec![
            Span::raw(indent),
            self.theme.span(Role::Accent, format!("{marker} ")),
            Span::styled(text, style),
            self.theme.span(Role::Dim, format!("   {json} {other}")),
        ])
    }
}

/// `text` wrapped so that all lines but the first stand under what the first bracket opens.
fn hanging(text: &str, width: usize) -> Vec<String> {
    let indent = text.find('(').map_or(0, |at| cells(&text[..=at]));
    let indent = if indent * 2 > width {
        4.min(width / 2)
    } else {
        indent
    };
    let mut lines = wrap(text, width);
    if lines.len() < 2 {
        return lines;
    }
    let first = lines.remove(0);
    let rest = wrap(&lines.join(" "), width.saturating_sub(indent).max(1));
    let blank = " ".repeat(indent);
    let rest = rest.into_iter().map(|line| format!("{blank}{line}"));
    std::iter::once(first).chain(rest).collect()
}
