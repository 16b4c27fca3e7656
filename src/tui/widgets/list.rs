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
