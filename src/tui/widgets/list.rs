//! A list that builds only the rows that can be seen, and marks the selected one.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::scroll::Scroll;
use crate::tui::theme::{Role, Theme};

/// A list to be drawn.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// How many rows there are.
    pub len: usize,
    /// Where it stands.
    pub scroll: Scroll,
    /// Whether a row is selected at all ([`super::Picked::row`] is `Some`).
    pub marked: bool,
    /// Whether its pane has the focus: the selected row is reversed then, else it only has its marker.
    pub focused: bool,
}

impl List {
    /// Draws the visible rows; `row` builds one by its index. A row is as wide as the area; its first cell should be blank: the selected row
    /// gets the marker there.
    pub fn render<'a>(
        &self,
        area: Rect,
        buf: &mut Buffer,
        theme: Theme,
        mut row: impl FnMut(usize) -> Line<'a>,
    ) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let window = self.scroll.window(self.len, usize::from(area.height));
        for (y, index) in (area.y..area.bottom()).zip(window) {
            buf.set_line(area.x, y, &row(index), area.width);
            if self.marked && index == self.scroll.selected.min(self.len - 1) {
                self.mark(Rect::new(area.x, y, area.width, 1), buf, theme);
            }
        }
    }

    fn mark(&self, row: Rect, buf: &mut Buffer, theme: Theme) {
        let first = &mut buf[(row.x, row.y)];
        if first.symbol() == " " {
            first.set_symbol(theme.glyphs().marker);
            first.set_style(theme.style(Role::Accent));
        }
        if self.focused {
            buf.set_style(row, theme.style(Role::Select));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{TEXTS, blank, rows};
    use super::*;

    #[test]
    fn only_rows_that_are_seen_are_built() {
        let mut buffer = blank(20, 5);
        let mut built = Vec::new();
        let list = List {
            len: 10_000,
            scroll: Scroll {
                selected: 7_000,
                offset: 6_998,
            },
            marked: true,
            focused: true,
        };
        list.render(buffer.area, &mut buffer, Theme::default(), |index| {
            built.push(index);
            Line::from(format!(" row {index}"))
        });
        assert_eq!(built, [6_998, 6_999, 7_000, 7_001, 7_002]);
        let rows = rows(&buffer);
        assert_eq!(rows[2], "▸row 7000           ");
        assert_eq!(rows[3], " row 7001           ");
    }

    #[test]
    fn without_a_selection_nothing_is_marked() {
        let mut buffer = blank(10, 2);
        let list = List {
            len: 2,
            scroll: Scroll::default(),
            marked: false,
            focused: true,
        };
        list.render(buffer.area, &mut buffer, Theme::default(), |_| {
            Line::from(" x")
        });
        assert_eq!(rows(&buffer)[0], " x        ");
    }

    proptest! {
        #[test]
        fn every_size_is_drawn_exactly(
            width in 0u16..300, height in 0u16..120, len in 0usize..200, selected in 0usize..300, offset in 0usize..300,
        ) {
            let mut buffer = blank(width, height);
            let list = List { len, scroll: Scroll { selected, offset }, marked: true, focused: true };
            list.render(buffer.area, &mut buffer, Theme::default(), |index| Line::from(TEXTS[index % TEXTS.len()]));
            rows(&buffer);
        }
    }
}
