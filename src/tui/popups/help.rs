//! The help: every key of the place at hand, then all others, made from the keymap's table. It scrolls; it knows no key itself.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::text::width::{cells, pad, wrap};
use crate::tui::keymap::{self, Action, Context, Section};
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::{Pane, Step, center, overlay};

/// Cells inside the frame at most.
const WIDTH: u16 = 76;

/// Two columns only from this many cells on.
const TWO_COLUMNS: usize = 64;

/// Cells of the keys in a column.
const KEYS: usize = 12;

/// The help that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Where it was asked for.
    pub context: Context,
    /// Lines at its end: version, where the log is.
    pub about: Vec<String>,
    offset: usize,
}

impl State {
    /// The help for `context`.
    pub fn new(context: Context) -> Self {
        Self {
            context,
            about: vec![concat!("umbel ", env!("CARGO_PKG_VERSION")).to_owned()],
            offset: 0,
        }
    }

    /// The same help with one more line at its end; sanitised.
    #[must_use]
    pub fn about(mut self, line: impl Into<String>) -> Self {
        self.about.push(line.into());
        self
    }

    /// Scrolls, over a screen of this size. Returns whether it moved.
    pub fn act(&mut self, action: Action, (width, height): (u16, u16)) -> bool {
        let step = match action {
            Action::Down => Step::Down,
            Action::Up => Step::Up,
            Action::PageDown => Step::PageDown,
            Action::PageUp => Step::PageUp,
            Action::HalfDown => Step::HalfDown,
            Action::HalfUp => Step::HalfUp,
            Action::First => Step::First,
            Action::Last => Step::Last,
            _ => return false,
        };
        let area = frame(Rect::new(0, 0, width, height));
        let rows = usize::from(area.height.saturating_sub(2));
        let lines = self.lines(text_width(area), Theme::default()).len();
        let before = self.offset;
        let last = lines.saturating_sub(rows);
        self.offset = step.from(self.offset, last + 1, rows);
        before != self.offset
    }

    /// Draws the help in the middle of `area`.
    pub fn render(&self, area: Rect, buf: &mut Buffer, theme: Theme) {
        let area = frame(area.intersection(buf.area));
        overlay(area, buf);
        let lines = self.lines(text_width(area), theme);
        let rows = usize::from(area.height.saturating_sub(2));
        let offset = self.offset.min(lines.len().saturating_sub(rows));
        let mut pane = Pane::titled(format!("Help: {}", self.context.title()))
            .hint(hint())
            .focused(true);
        if lines.len() > rows {
            let last = (offset + rows).min(lines.len());
            pane = pane.right(Role::Dim, format!("{last} of {} lines", lines.len()));
        }
        let inner = pane.render(area, buf, theme);
        for (y, line) in (inner.y..inner.bottom()).zip(&lines[offset..]) {
            buf.set_line(inner.x + 1, y, line, inner.width.saturating_sub(1));
        }
    }

    /// What holds here, then the rest, then about the program.
    fn lines(&self, width: usize, theme: Theme) -> Vec<Line<'static>> {
        let mut lines = laid_out(&keymap::help_here(self.context), width, theme);
        lines.extend(laid_out(
            &keymap::help_elsewhere(self.context),
            width,
            theme,
        ));
        for about in &self.about {
            let rows = wrap(about, width).into_iter();
            lines.extend(rows.map(|row| Line::from(theme.span(Role::Dim, row))));
        }
        lines
    }
}

fn laid_out(sections: &[Section], width: usize, theme: Theme) -> Vec<Line<'static>> {
    if width >= TWO_COLUMNS {
        return beside(sections, width, theme);
    }
    let blocks = sections.iter().map(|section| block(section, width, theme));
    blocks.flatten().map(Line::from).collect()
}

/// The frame over `area`: centred, a margin where there is room for one.
fn frame(area: Rect) -> Rect {
    let height = if area.height > 10 {
        area.height - 4
    } else {
        area.height
    };
    center(area, WIDTH + 2, height)
}

fn text_width(frame: Rect) -> usize {
    usize::from(frame.width.saturating_sub(4))
}

fn hint() -> String {
    let close = keymap::hints(Context::Help);
    let close = close.first().map(|(keys, word)| format!("{keys} {word}"));
    close.unwrap_or_default()
}

/// The sections in two columns of about the same height, in reading order: down the left one first.
fn beside(sections: &[Section], width: usize, theme: Theme) -> Vec<Line<'static>> {
    let column = (width - 2) / 2;
    let blocks: Vec<_> = sections
        .iter()
        .map(|section| block(section, column, theme))
        .collect();
    let height = |blocks: &[Vec<_>]| blocks.iter().map(Vec::len).sum::<usize>();
    let split = (0..=blocks.len())
        .min_by_key(|split| height(&blocks[..*split]).max(height(&blocks[*split..])))
        .unwrap_or_default();
    let mut left = blocks;
    let right: Vec<_> = left.split_off(split).into_iter().flatten().collect();
    let left: Vec<_> = left.into_iter().flatten().collect();
    let rows = left.len().max(right.len());
    let (mut left, mut right) = (left.into_iter(), right.into_iter());
    let line = |_| {
        let mut spans = left.next().unwrap_or_default();
        let used: usize = spans.iter().map(|span| cells(&span.content)).sum();
        spans.push(Span::raw(" ".repeat(column.saturating_sub(used) + 2)));
        spans.extend(right.next().unwrap_or_default());
        Line::from(spans)
    };
    (0..rows).map(line).collect()
}

/// A heading, its entries and a blank line.
fn block((heading, entries): &Section, width: usize, theme: Theme) -> Vec<Vec<Span<'static>>> {
    let mut rows = vec![vec![theme.span(Role::Accent, heading.clone())]];
    for (keys, help) in entries {
        rows.extend(entry(keys, help, width, theme));
    }
    rows.push(Vec::new());
    rows
}

/// Keys and what they do; long keys have a line of their own.
fn entry(keys: &str, help: &str, width: usize, theme: Theme) -> Vec<Vec<Span<'static>>> {
    let mut rows = Vec::new();
    let mut lead = keys.to_owned();
    if cells(keys) > KEYS {
        rows.push(vec![theme.span(Role::Fg, format!("  {keys}"))]);
        lead.clear();
    }
    for text in wrap(help, width.saturating_sub(KEYS + 3).max(1)) {
        rows.push(vec![
            Span::raw(format!("  {} ", pad(&lead, KEYS, "~"))),
            theme.span(Role::Dim, text),
        ]);
        lead.clear();
    }
    rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use strum::IntoEnumIterator;

    use super::*;
    use crate::tui::widgets::testing::{rows, wide};

    fn seen(state: &State, width: u16, height: u16) -> String {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = wide(area);
        state.render(area, &mut buffer, Theme::default());
        rows(&buffer).join("\n")
    }

    #[test]
    fn the_help_begins_with_the_keys_of_the_place() {
        let text = seen(&State::new(Context::Running), 80, 24);
        assert!(text.contains("━ Help: Running call ━"), "{text}");
        assert!(text.contains("wait 10s longer"), "{text}");
        assert!(text.contains("Esc close"), "{text}");
    }

    #[test]
    fn everything_of_a_place_is_seen_at_80x24_without_scrolling() {
        for context in Context::iter() {
            let text = seen(&State::new(context), 80, 24);
            let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
            for (keys, help) in keymap::help_here(context)
                .iter()
                .flat_map(|section| &section.1)
            {
                assert!(text.contains(keys), "{context}: {keys} {help}\n{text}");
            }
        }
    }

    #[test]
    fn scrolling_reaches_the_last_line() {
        let mut state = State::new(Context::Tasks).about("log ~/.local/state/umbel/umbel.log");
        assert!(!state.act(Action::Up, (60, 16)));
        assert!(state.act(Action::Last, (60, 16)));
        assert!(seen(&state, 60, 16).contains("umbel.log"));
        assert!(!state.act(Action::Down, (60, 16)));
        assert!(state.act(Action::PageUp, (60, 16)));
        assert!(!state.act(Action::Call, (60, 16)));
    }

    proptest! {
        #[test]
        fn every_size_is_drawn_exactly(width in 0u16..300, height in 0u16..120, down in 0usize..9) {
            let mut state = State::new(Context::CallEdit);
            for _ in 0..down {
                state.act(Action::PageDown, (height, width));
            }
            seen(&state, width, height);
        }
    }
}
