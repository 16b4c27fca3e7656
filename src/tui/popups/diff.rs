//! What differs between two calls, as text over the panes: it scrolls and can be copied. Compares nothing itself.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::keymap::{self, Context};
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::{Pane, Step, TextLine, TextView, center, overlay};

/// Cells inside the frame at most.
const WIDTH: u16 = 110;

/// The differences that are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    view: TextView,
    /// All of it, to be copied; not sanitised.
    text: String,
}

impl State {
    /// Shows these lines, sanitised; `text` is what is copied.
    pub fn new(lines: Vec<TextLine>, text: String) -> Self {
        Self {
            view: TextView::new(lines),
            text,
        }
    }

    /// All of it as text, not sanitised.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Scrolls, over a screen of this size. Returns whether it moved.
    pub fn act(&mut self, step: Step, (width, height): (u16, u16)) -> bool {
        let area = self.frame(Rect::new(0, 0, width, height));
        let before = self.view.clone();
        let (width, height) = (text_width(area), area.height.saturating_sub(2));
        self.view.step(step, width, height);
        before != self.view
    }

    /// Draws it in the middle of `area`.
    pub fn render(&self, area: Rect, buf: &mut Buffer, theme: Theme) {
        let area = self.frame(area.intersection(buf.area));
        overlay(area, buf);
        let lines = self.view.len();
        let rows = usize::from(area.height.saturating_sub(2));
        let mut pane = Pane::titled("Difference").hint(hint()).focused(true);
        if lines > rows {
            let first = self.view.top() + 1;
            pane = pane.right(Role::Dim, format!("from {first} of {lines} lines"));
        }
        let inner = pane.render(area, buf, theme);
        let text = Rect {
            x: inner.x + u16::from(inner.width > 1),
            width: text_width(area).min(inner.width),
            ..inner
        };
        self.view.render(text, buf, theme);
    }

    /// The frame over `area`: as high as it must be, a margin where there is room for one.
    fn frame(&self, area: Rect) -> Rect {
        let most = if area.height > 10 {
            area.height - 4
        } else {
            area.height
        };
        let width = (WIDTH + 2).min(area.width.saturating_sub(4).max(area.width.min(60)));
        let rows = self.view.rows_within(width.saturating_sub(4), most);
        center(area, width, rows.saturating_add(2).min(most))
    }
}

fn text_width(frame: Rect) -> u16 {
    frame.width.saturating_sub(4)
}

fn hint() -> String {
    let hints = keymap::hints(Context::Diff).into_iter().take(2);
    let hints: Vec<String> = hints.map(|(key, word)| format!("{key} {word}")).collect();
    hints.join("  ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tui::widgets::testing::{rows, wide};

    fn state(lines: usize) -> State {
        let line = |number| TextLine {
            text: format!(
                "order_id[{number}]: 客戶要求退款 -> {}",
                "x".repeat(number * 7)
            ),
            role: Role::Fg,
        };
        State::new((0..lines).map(line).collect(), String::new())
    }

    fn seen(state: &State, width: u16, height: u16) -> String {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = wide(area);
        state.render(area, &mut buffer, Theme::default());
        rows(&buffer).join("\n")
    }

    #[test]
    fn it_scrolls_to_its_last_line_and_says_where_it_is() {
        let mut state = state(40);
        assert!(seen(&state, 80, 24).contains("from 1 of 40 lines"));
        assert!(state.act(Step::Last, (80, 24)));
        assert!(seen(&state, 80, 24).contains("order_id[39]"));
        assert!(!state.act(Step::Down, (80, 24)));
    }

    proptest! {
        #[test]
        fn every_size_is_drawn_exactly(width in 0u16..300, height in 0u16..120, lines in 0usize..60) {
            let mut state = state(lines);
            state.act(Step::PageDown, (height, width));
            seen(&state, width, height);
        }
    }
}
