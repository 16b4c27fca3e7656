//! A question before something that cannot be undone: what, where, with what, and whether it can be undone. Cancel has the focus;
//! only a capital Y goes on, and not in the first moments, when it may have been typed ahead (ux.md 2.8).
//! The words are the caller's; keys are the keymap's ([`crate::tui::keymap::Context::Confirm`]).

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::clock::Moment;
use crate::text::width::{pad, wrap};
use crate::tui::keymap::{self, Action, Context};
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::{Pane, center, overlay};

/// How long a question is deaf to its yes after it opened.
pub const DEAF: Duration = Duration::from_millis(400);

/// Cells inside the frame at most.
const WIDTH: u16 = 72;

/// Cells of the labels.
const LABEL: usize = 10;

/// Whether a question opened at `since` is still deaf to its yes.
pub fn is_deaf(since: Moment, now: Moment) -> bool {
    now.since(since) < DEAF
}

/// A question. All text is sanitised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confirm {
    /// What is asked, for the title: `Revoke shop.orders.refund ?`.
    pub title: String,
    /// What, where, with what: a label and a text each.
    pub facts: Vec<(&'static str, String)>,
    /// Whether it can be undone, and what else to know.
    pub warning: String,
    /// What yes does, in a word or two: `revoke it`.
    pub yes: &'static str,
}

impl Confirm {
    /// Draws the question in the middle of `area`.
    pub fn render(&self, area: Rect, buf: &mut Buffer, theme: Theme) {
        let area = area.intersection(buf.area);
        let width = (WIDTH + 2).min(area.width.saturating_sub(2));
        let lines = self.lines(usize::from(width.saturating_sub(4)), theme);
        let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
        let frame = center(area, width, height);
        overlay(frame, buf);
        let inner = Pane::titled(self.title.as_str())
            .hint(cancel_keys())
            .focused(true)
            .role(Role::Warn)
            .render(frame, buf, theme);
        // What does not fit is cut from the middle: the buttons are always seen.
        let skip = lines.len().saturating_sub(usize::from(inner.height));
        let first = lines.len() - skip - BUTTONS.min(lines.len() - skip);
        let seen = lines[..first].iter().chain(&lines[first + skip..]);
        for (y, line) in (inner.y..inner.bottom()).zip(seen) {
            buf.set_line(inner.x + 1, y, line, inner.width.saturating_sub(1));
        }
    }

    fn lines(&self, width: usize, theme: Theme) -> Vec<Line<'static>> {
        let mut lines = vec![Line::default()];
        for (label, text) in &self.facts {
            let room = width.saturating_sub(LABEL + 1);
            for (index, row) in wrap(text, room).into_iter().enumerate() {
                let label = if index == 0 { *label } else { "" };
                lines.push(Line::from(vec![
                    theme.span(Role::Dim, format!(" {}", pad(label, LABEL, "~"))),
                    Span::raw(row),
                ]));
            }
        }
        lines.push(Line::default());
        for row in wrap(&self.warning, width.saturating_sub(1)) {
            lines.push(Line::from(theme.span(Role::Warn, format!(" {row}"))));
        }
        lines.extend([Line::default(), self.buttons(theme), Line::default()]);
        lines
    }

    fn buttons(&self, theme: Theme) -> Line<'static> {
        let yes = key_of(Action::Confirm);
        let cancel = Span::styled("[ Cancel ]", theme.style(Role::Select));
        let mark = format!("       {} ", theme.glyphs().marker);
        Line::from(vec![
            theme.span(Role::Accent, mark),
            cancel,
            Span::raw("          "),
            theme.span(Role::Accent, yes.clone()),
            Span::raw(format!(" {} (capital {yes})", self.yes)),
        ])
    }
}

/// Lines at the end that are never cut: a blank, the buttons, a blank.
const BUTTONS: usize = 3;

fn key_of(action: Action) -> String {
    keymap::table::rows(Context::Confirm)
        .find(|row| row.action == action)
        .map(|row| keymap::key::names(row.keys))
        .unwrap_or_default()
}

fn cancel_keys() -> String {
    format!("{} cancel", key_of(Action::Back))
}
