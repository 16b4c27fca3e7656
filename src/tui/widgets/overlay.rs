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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{rows, wide};
    use super::*;

    #[test]
    fn half_of_a_wide_character_is_blanked_on_both_sides() {
        let area = Rect::new(0, 0, 10, 1);
        let mut buffer = wide(area);
        overlay(Rect::new(3, 0, 4, 1), &mut buffer);
        assert_eq!(rows(&buffer)[0], "退      退");
        let mut buffer = wide(area);
        overlay(Rect::new(2, 0, 4, 1), &mut buffer);
        assert_eq!(rows(&buffer)[0], "退    退退");
    }

    #[test]
    fn an_area_is_centred_and_never_larger_than_what_it_lies_on() {
        assert_eq!(
            center(Rect::new(0, 0, 80, 24), 60, 18),
            Rect::new(10, 3, 60, 18)
        );
        assert_eq!(
            center(Rect::new(5, 5, 10, 4), 60, 18),
            Rect::new(5, 5, 10, 4)
        );
    }

    proptest! {
        #[test]
        fn every_place_leaves_exact_rows(
            width in 0u16..120, height in 0u16..20, x in 0u16..150, y in 0u16..30, w in 0u16..150, h in 0u16..30,
        ) {
            let mut buffer = wide(Rect::new(0, 0, width, height));
            overlay(Rect::new(x, y, w, h), &mut buffer);
            rows(&buffer);
        }
    }
}
