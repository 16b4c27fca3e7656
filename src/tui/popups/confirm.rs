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

/// What is said to a yes that came too soon.
pub const TOO_SOON: &str = "too soon: read it, then press again";

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
    /// A second thing that can be answered instead of yes, and what it does.
    pub other: Option<(Action, &'static str)>,
    /// Whether a yes came too soon and was not taken.
    pub hasty: bool,
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
        let hasty = if self.hasty { TOO_SOON } else { "" };
        let hasty = Line::from(theme.span(Role::Warn, format!(" {hasty}")));
        lines.extend([hasty, self.buttons(theme), Line::default()]);
        lines
    }

    fn buttons(&self, theme: Theme) -> Line<'static> {
        let yes = key_of(Action::Confirm);
        let cancel = Span::styled("[ Cancel ]", theme.style(Role::Select));
        let mark = format!("       {} ", theme.glyphs().marker);
        let mut spans = vec![
            theme.span(Role::Accent, mark),
            cancel,
            Span::raw("          "),
            theme.span(Role::Accent, yes.clone()),
            Span::raw(format!(" {} (capital {yes})", self.yes)),
        ];
        if let Some((action, does)) = self.other {
            let key = key_of(action);
            spans.truncate(2);
            spans.push(Span::raw("     "));
            for (key, does) in [(yes, self.yes), (key, does)] {
                spans.push(theme.span(Role::Accent, key));
                spans.push(Span::raw(format!(" {does}   ")));
            }
            spans.push(theme.span(Role::Dim, "(capitals)"));
        }
        Line::from(spans)
    }
}

/// Lines at the end that are never cut: a blank or that a yes came too soon, the buttons, a blank.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tui::widgets::testing::{rows, wide};

    fn question() -> Confirm {
        Confirm {
            title: "Revoke shop.orders.refund ?".to_owned(),
            facts: vec![
                ("call", "c7 a31f09, RUN on w3@stg-7".to_owned()),
                ("broker", "redis://stg-redis:6379/0".to_owned()),
                ("note", "客戶要求退款".to_owned()),
            ],
            warning: "It runs already: its process is killed. This can not be undone.".to_owned(),
            yes: "revoke it",
            other: None,
            hasty: false,
        }
    }

    #[test]
    fn a_question_says_what_where_and_how_to_get_out() {
        let area = Rect::new(0, 0, 80, 24);
        let mut buffer = wide(area);
        question().render(area, &mut buffer, Theme::default());
        let text = rows(&buffer).join("\n");
        for part in [
            "━ Revoke shop.orders.refund ? ━",
            "call      c7 a31f09, RUN on w3@stg-7",
            "This can not be undone.",
            "▸ [ Cancel ]          Y revoke it (capital Y)",
            "Esc Enter n q cancel",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn a_small_screen_keeps_the_buttons_and_that_a_yes_came_too_soon() {
        let area = Rect::new(0, 0, 60, 8);
        let mut buffer = wide(area);
        let hasty = Confirm {
            hasty: true,
            ..question()
        };
        hasty.render(area, &mut buffer, Theme::default());
        let text = rows(&buffer).join("\n");
        assert!(text.contains("[ Cancel ]"), "{text}");
        assert!(text.contains(TOO_SOON), "{text}");
    }

    #[test]
    fn a_question_is_deaf_for_400_ms() {
        let at = |ms| Moment(Duration::from_millis(ms));
        assert!(is_deaf(at(1_000), at(1_399)));
        assert!(!is_deaf(at(1_000), at(1_400)));
    }

    proptest! {
        #[test]
        fn every_size_is_drawn_exactly(width in 0u16..300, height in 0u16..120) {
            let area = Rect::new(0, 0, width, height);
            let mut buffer = wide(area);
            question().render(area, &mut buffer, Theme::default());
            rows(&buffer);
        }
    }
}
