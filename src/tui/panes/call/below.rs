//! The lower part of the call form: options, the Python call, what stands against it, the button.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::check::{self, refusal_text};
use super::draft::Spot;
use super::options::Name;
use super::view::Page;
use crate::protocol::python;
use crate::text::width::{cells, cut, pad, wrap};
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::{key, last_part, remote};
use crate::tui::theme::Role;

/// Lines of the Python call.
const PREVIEW: usize = 2;
/// Lines that say what stands against sending.
const MESSAGES: usize = 5;
/// Width of the first two options.
const OPTION: u16 = 15;

impl Page<'_> {
    /// Options, rule, preview, messages, button: at most `most` lines, the button always.
    pub(super) fn below(&self, most: usize) -> Vec<Line<'static>> {
        let button = self.button();
        let mut lines = vec![self.options()];
        lines.push(self.line(Role::Dim, self.theme.glyphs().rule.repeat(self.width)));
        lines.extend(self.preview());
        lines.extend(self.messages());
        lines.truncate(most.saturating_sub(1).max(1));
        lines.push(button);
        lines
    }

    fn options(&self) -> Line<'static> {
        let mut spans = Vec::new();
        for name in Name::ALL {
            let width = self.option_width(name);
            let here = self.draft.spot == Spot::Option(name);
            let bad = self.draft.options.problem(name).is_some();
            let role = match (here, bad) {
                (_, true) => Role::Fail,
                (true, false) => Role::Accent,
                (false, false) => Role::Fg,
            };
            let marker = if here {
                self.theme.glyphs().marker
            } else {
                " "
            };
            spans.push(self.theme.span(Role::Accent, marker.to_owned()));
            let lead = format!("{name} ");
            let room = width.saturating_sub(1 + cells(&lead));
            spans.push(self.theme.span(Role::Dim, lead));
            let value = pad(&remote(&self.option_text(name)), room, self.ellipsis());
            let style = self.theme.style(role);
            let style = if here && self.scene.focused && self.draft.field.is_none() {
                style.patch(self.theme.style(Role::Select))
            } else {
                style
            };
            let ends = value.trim_end().len();
            spans.push(Span::styled(value[..ends].to_owned(), style));
            spans.push(Span::raw(value[ends..].to_owned()));
        }
        Line::from(spans)
    }

    fn option_width(&self, name: Name) -> usize {
        match name {
            Name::Timeout | Name::Expires => usize::from(OPTION),
            Name::Queue => self.width.saturating_sub(2 * usize::from(OPTION)),
        }
    }

    fn option_text(&self, name: Name) -> String {
        let text = self.draft.options.get(name);
        match name {
            Name::Queue if self.draft.options.queue().is_none() => {
                format!("{text}: {}", self.preflight.queue)
            }
            _ => text.to_owned(),
        }
    }

    /// The field of the option being edited; the options are the first line of `foot`.
    pub(super) fn option_field(&self, foot: Rect, buf: &mut Buffer) -> Option<Position> {
        let (Spot::Option(name), Some(field)) = (self.draft.spot, &self.draft.field) else {
            return None;
        };
        let before = Name::ALL.into_iter().take_while(|it| *it != name).count();
        let lead = 2 + cells(&name.to_string());
        let x = usize::from(OPTION) * before + lead;
        let room = self.option_width(name).saturating_sub(lead + 1);
        let x = foot.x.saturating_add(u16::try_from(x).unwrap_or(u16::MAX));
        let place = Rect::new(x, foot.y, u16::try_from(room).unwrap_or(0), 1).intersection(foot);
        buf.set_stringn(
            place.x,
            place.y,
            " ".repeat(room),
            usize::from(place.width),
            self.theme.style(Role::Fg),
        );
        field.render(place, buf, self.theme.style(Role::Fg))
    }

    fn preview(&self) -> Vec<Line<'static>> {
        let (args, kwargs) = self.draft.arguments();
        let text = python::call(last_part(self.draft.task.as_str()), &args, &kwargs);
        let text = remote(&python::shorten(&text, 600));
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
        for (spot, problem) in self.draft.problems() {
            if matches!(spot, Spot::Option(_)) {
                messages.push((Role::Fail, format!("! {problem}").into()));
            }
        }
        if let Some(reason) = self.scene.shared.cannot_send() {
            messages.push((Role::Warn, format!("! {reason}").into()));
        }
        messages.extend(self.refusal());
        if let Some(armed) = &self.draft.armed {
            let again = key(Context::CallNav, Action::Call);
            let seconds = check::AGAIN_WITHIN.as_secs();
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
        for warning in &self.preflight.warnings {
            messages.push((Role::Warn, format!("! {warning}").into()));
        }
        self.wrapped(messages)
    }

    fn refusal(&self) -> Option<(Role, Cow<'_, str>)> {
        let refusal = self.preflight.refusal.as_ref()?;
        Some((Role::Fail, format!("! {}", refusal_text(refusal)).into()))
    }

    fn wrapped(&self, messages: Vec<(Role, Cow<'_, str>)>) -> Vec<Line<'static>> {
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
