//! Room for a popup: cleared, and no half of a wide character left beside it (ux.md 0.1, ruling 4).

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::text::width::cells;

/// An area of at most `width` x `height` in the middle of `area`.
pub fn center(area: Rect, width: u16, height: u16) -> Rect {
    let width = width.min(area.width);
    let height = height.min(area.height);
    Rect::new(
        area.x + (area.width - width) / 2,
        area.y + (area.height - height) / 2,
        width,
        height,
    )
}

/// Clears `area` for a popup. A wide character of which the popup covers one half is blanked as a whole.
pub fn overlay(area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    for y in area.y..area.bottom() {
        if area.x > buf.area.x && is_wide(buf, area.x - 1, y) {
            buf[(area.x - 1, y)].set_symbol(" ");
        }
        if area.right() < buf.area.right() && is_wide(buf, area.right() - 1, y) {
            buf[(area.right(), y)].set_symbol(" ");
        }
        for x in area.x..area.right() {
            buf[(x, y)].reset();
        }
    }
}

fn is_wide(buf: &Buffer, x: u16, y: u16) -> bool {
    buf.cell(Position::new(x, y))
        .is_some_and(|cell| cells(cell.symbol()) > 1)
}
