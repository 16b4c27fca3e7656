//! Pieces of a screen: frames, lists, tables, trees, text, editors, bars. They know nothing of Celery, read no clock and never fail:
//! every size of area is drawn, also none at all.
//!
//! Text given to them was sanitised by the caller; only [`field`] and [`editor`] hold text exactly as typed and make it visible themselves.
//! Widgets draw on a [`ratatui::buffer::Buffer`] (`frame.buffer_mut()`); those that have a caret return where it is.

pub mod bar;
pub mod columns;
pub mod edit;
pub mod editor;
pub mod field;
pub mod json_view;
pub mod list;
pub mod overlay;
pub mod pane;
pub mod scroll;
pub mod spark;
pub mod text_view;
pub mod veil;

pub use bar::{bar, filled};
pub use columns::{Align, Cell, Column, Columns, Width};
pub use edit::{Edit, Edited};
pub use editor::Editor;
pub use field::Field;
pub use json_view::{Node, Tree};
pub use list::List;
pub use overlay::{center, overlay};
pub use pane::Pane;
pub use scroll::{Followed, Picked, Scroll, Step};
pub use spark::{spark, spinner};
pub use text_view::{TextLine, TextView};
pub use veil::Veil;

#[cfg(test)]
pub(crate) mod testing {
    //! What the tests of all widgets need.

    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;

    use crate::text::width::cells;

    /// The rows of `buffer` as text; each is exactly as wide as the buffer, and no wide character is cut in two.
    pub fn rows(buffer: &Buffer) -> Vec<String> {
        let width = usize::from(buffer.area.width);
        let rows = buffer.content.chunks(width.max(1)).map(|row| {
            let mut text = String::new();
            let mut skip = 0;
            for cell in row {
                if skip > 0 {
                    assert_eq!(
                        cell.symbol(),
                        " ",
                        "something in the second half of a wide character"
                    );
                    skip -= 1;
                    continue;
                }
                text.push_str(cell.symbol());
                skip = cells(cell.symbol()).saturating_sub(1);
            }
            assert_eq!(cells(&text), width, "{text:?}");
            text
        });
        if width == 0 {
            Vec::new()
        } else {
            rows.collect()
        }
    }

    /// A buffer full of wide characters, to see what a widget leaves of them.
    pub fn wide(area: Rect) -> Buffer {
        let mut buffer = Buffer::empty(area);
        for y in area.y..area.bottom() {
            let text = "退".repeat(usize::from(area.width) / 2);
            buffer.set_string(area.x, y, text, ratatui::style::Style::new());
        }
        buffer
    }

    /// A fresh buffer.
    pub fn blank(width: u16, height: u16) -> Buffer {
        Buffer::empty(Rect::new(0, 0, width, height))
    }

    /// Text as it comes: Chinese, half-width marks, combining marks, flags, emoji, plain.
    pub const TEXTS: [&str; 8] = [
        "不鏽鋼保溫瓶",
        "ｶﾞｷﾞｸﾞ",
        "e\u{301}a\u{308}o",
        "👩‍👩‍👧‍👦 family",
        "🇹🇼🇯🇵",
        "",
        "plain text, long enough to be cut somewhere",
        "한국어",
    ];
}
