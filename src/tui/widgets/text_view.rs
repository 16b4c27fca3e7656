//! Text to read: wrapped to the width at hand, scrolled by rows. Only the lines that are seen are wrapped.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;

use super::scroll::Step;
use crate::text::width::wrap;
use crate::tui::theme::{Role, Theme};

/// A longer line is taken as several, so that one endless line costs no more than what is seen of it.
const LONGEST: usize = 4_000;

/// One line of text and what it means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextLine {
    /// The text, sanitised, without line breaks.
    pub text: String,
    /// What it means.
    pub role: Role,
}

/// A text and where it stands: the first line drawn, and how many of its rows are above the top.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextView {
    lines: Vec<TextLine>,
    line: usize,
    row: usize,
}

impl TextView {
    /// A view of `lines`, at its start.
    pub fn new(lines: impl IntoIterator<Item = TextLine>) -> Self {
        Self {
            lines: lines.into_iter().flat_map(pieces).collect(),
            line: 0,
            row: 0,
        }
    }

    /// A view of `text`, all of one role.
    pub fn plain(text: &str, role: Role) -> Self {
        Self::new(text.split('\n').map(|line| TextLine {
            text: line.to_owned(),
            role,
        }))
    }

    /// How many lines there are before wrapping.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The first line drawn, from 0.
    pub fn top(&self) -> usize {
        self.line
    }

    /// Scrolls in an area of this size. Never beyond the last row.
    pub fn step(&mut self, step: Step, width: u16, height: u16) {
        let rows = usize::from(height);
        let page = rows.saturating_sub(1).max(1);
        match step {
            Step::Down => self.down(1, width),
            Step::Up => self.up(1, width),
            Step::HalfDown => self.down((rows / 2).max(1), width),
            Step::HalfUp => self.up((rows / 2).max(1), width),
            Step::PageDown => self.down(page, width),
            Step::PageUp => self.up(page, width),
            Step::First => (self.line, self.row) = (0, 0),
            Step::Last => self.line = self.lines.len(),
        }
        self.settle(width, height);
    }

    /// Makes the place fit an area of this size: call it when the size changed.
    pub fn settle(&mut self, width: u16, height: u16) {
        let last = self.last_top(width, usize::from(height));
        let rows = self.rows(self.line, width).len();
        self.row = self.row.min(rows.saturating_sub(1));
        if (self.line, self.row) > last {
            (self.line, self.row) = last;
        }
    }

    fn down(&mut self, count: usize, width: u16) {
        self.row += count;
        while self.line < self.lines.len() {
            let rows = self.rows(self.line, width).len();
            if self.row < rows {
                return;
            }
            self.row -= rows;
            self.line += 1;
        }
        self.row = 0;
    }

    fn up(&mut self, count: usize, width: u16) {
        let mut left = count;
        while left > self.row && self.line > 0 {
            left -= self.row + 1;
            self.line -= 1;
            self.row = self.rows(self.line, width).len().saturating_sub(1);
        }
        self.row = self.row.saturating_sub(left);
    }

    /// Where the top is when the last row is at the bottom.
    fn last_top(&self, width: u16, height: usize) -> (usize, usize) {
        let mut left = height.max(1);
        for line in (0..self.lines.len()).rev() {
            let rows = self.rows(line, width).len();
            if rows >= left {
                return (line, rows - left);
            }
            left -= rows;
        }
        (0, 0)
    }

    /// Rows of all of it at this width, counted up to `most`.
    pub fn rows_within(&self, width: u16, most: u16) -> u16 {
        let mut rows = 0_u16;
        for line in 0..self.lines.len() {
            let more = self.rows(line, width).len();
            rows = rows.saturating_add(u16::try_from(more).unwrap_or(u16::MAX));
            if rows >= most {
                return most;
            }
        }
        rows
    }

    fn rows(&self, line: usize, width: u16) -> Vec<String> {
        let text = self.lines.get(line).map(|line| line.text.as_str());
        text.map_or_else(Vec::new, |text| wrap(text, usize::from(width)))
    }

    /// Draws the rows that are seen.
    pub fn render(&self, area: Rect, buf: &mut Buffer, theme: Theme) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let (first, skip) =
            (self.line, self.row).min(self.last_top(area.width, usize::from(area.height)));
        let rows = (first..self.lines.len()).flat_map(|line| {
            let role = self.lines[line].role;
            let skip = if line == first { skip } else { 0 };
            let rows = self.rows(line, area.width).into_iter().skip(skip);
            rows.map(move |row| (role, row))
        });
        for (y, (role, row)) in (area.y..area.bottom()).zip(rows) {
            let line = Line::from(Span::styled(row, theme.style(role)));
            buf.set_line(area.x, y, &line, area.width);
        }
    }
}

/// A line too long to be wrapped at once, in pieces.
fn pieces(line: TextLine) -> Vec<TextLine> {
    if line.text.len() <= LONGEST {
        return vec![line];
    }
    let mut pieces = vec![String::new()];
    for cluster in line.text.graphemes(true) {
        if pieces
            .last()
            .is_none_or(|piece| piece.len() + cluster.len() > LONGEST)
        {
            pieces.push(String::new());
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push_str(cluster);
        }
    }
    let role = line.role;
    let lines = pieces.into_iter().map(|text| TextLine { text, role });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{TEXTS, blank, rows};
    use super::*;

    fn seen(view: &TextView, width: u16, height: u16) -> Vec<String> {
        let mut buffer = blank(width, height);
        view.render(buffer.area, &mut buffer, Theme::default());
        rows(&buffer)
            .iter()
            .map(|row| row.trim_end().to_owned())
            .collect()
    }

    #[test]
    fn text_is_wrapped_to_the_width() {
        let view = TextView::plain("one two three\n退款給客戶", Role::Fg);
        assert_eq!(
            seen(&view, 8, 5),
            ["one two", "three", "退款給客", "戶", ""]
        );
    }

    #[test]
    fn scrolling_goes_by_rows_and_stops_at_the_ends() {
        let mut view = TextView::plain("one two three\nfour\nfive\nsix", Role::Fg);
        view.step(Step::Down, 8, 3);
        assert_eq!(seen(&view, 8, 3), ["three", "four", "five"]);
        view.step(Step::PageDown, 8, 3);
        assert_eq!(seen(&view, 8, 3), ["four", "five", "six"]);
        view.step(Step::Down, 8, 3);
        assert_eq!(seen(&view, 8, 3), ["four", "five", "six"]);
        view.step(Step::Up, 8, 3);
        view.step(Step::Up, 8, 3);
        assert_eq!(seen(&view, 8, 3), ["one two", "three", "four"]);
        view.step(Step::Last, 8, 3);
        assert_eq!(seen(&view, 8, 3), ["four", "five", "six"]);
        view.step(Step::First, 8, 3);
        assert_eq!(view.top(), 0);
    }

    #[test]
    fn a_text_shorter_than_its_area_does_not_scroll() {
        let mut view = TextView::plain("a\nb", Role::Fg);
        view.step(Step::Last, 10, 5);
        assert_eq!(seen(&view, 10, 3), ["a", "b", ""]);
    }

    #[test]
    fn an_endless_line_is_scrolled_without_wrapping_all_of_it() {
        let mut view = TextView::plain(&"x".repeat(1_000_000), Role::Fg);
        let start = std::time::Instant::now();
        for _ in 0..200 {
            view.step(Step::PageDown, 80, 20);
            seen(&view, 80, 20);
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(10));
    }

    proptest! {
        #[test]
        fn every_text_is_drawn_exactly_in_every_size(
            texts in prop::collection::vec(0usize..8, 0..40),
            steps in prop::collection::vec(0usize..8, 0..20),
            width in 0u16..300, height in 0u16..120,
        ) {
            let mut view = TextView::new(texts.into_iter().map(|index| TextLine {
                text: TEXTS[index].to_owned(),
                role: Role::Fg,
            }));
            let all = [
                Step::Down, Step::Up, Step::HalfDown, Step::HalfUp,
                Step::PageDown, Step::PageUp, Step::First, Step::Last,
            ];
            for step in steps {
                view.step(all[step], width, height);
            }
            seen(&view, width, height);
            view.settle(height, width);
            seen(&view, height, width);
        }
    }
}
