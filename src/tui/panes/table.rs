//! What the panes with tables share: headings, rows that are built only when seen, and lines below.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Scene;
use crate::text::width::wrap;
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Columns, List, Picked};

/// Rows that a table has in a pane of this height with so many lines below it.
pub fn rows(height: u16, below: usize) -> u16 {
    let below = u16::try_from(below).unwrap_or(u16::MAX);
    height.saturating_sub(1).saturating_sub(below)
}

/// Draws headings, rows and the lines below. Lines below give way before the last row does.
pub fn draw<K: Clone + PartialEq, R: IntoIterator<Item = Cell>>(
    columns: &Columns,
    (picked, len): (&Picked<K>, usize),
    mut row: impl FnMut(usize) -> R,
    below: &[Line<'_>],
    (area, buf): (Rect, &mut Buffer),
    scene: &Scene<'_>,
) {
    let theme = scene.theme();
    if area.is_empty() {
        return;
    }
    buf.set_line(area.x, area.y, &columns.header(theme), area.width);
    let most = usize::from(area.height).saturating_sub(2);
    let below = &below[..below.len().min(most)];
    let height = rows(area.height, below.len());
    let middle = Rect::new(area.x, area.y + 1, area.width, height);
    let list = List {
        len,
        scroll: picked.scroll(),
        marked: picked.key().is_some(),
        focused: scene.focused,
    };
    list.render(middle, buf, theme, |index| columns.row(row(index), theme));
    for (y, line) in (middle.bottom()..area.bottom()).zip(below) {
        buf.set_line(area.x, y, line, area.width);
    }
}

/// A sentence with a blank before it, wrapped to at most `most` lines.
pub fn sentence(
    role: Role,
    text: &str,
    width: u16,
    most: usize,
    scene: &Scene<'_>,
) -> Vec<Line<'static>> {
    let room = usize::from(width).saturating_sub(2).max(1);
    let lines = wrap(text, room).into_iter().take(most).enumerate();
    let theme = scene.theme();
    lines
        .map(|(place, line)| {
            let indent = if place == 0 { " " } else { "   " };
            Line::from(theme.span(role, format!("{indent}{line}")))
        })
        .collect()
}

/// A rule across the pane.
pub fn rule(width: u16, scene: &Scene<'_>) -> Line<'static> {
    let theme = scene.theme();
    Line::from(theme.span(Role::Dim, theme.glyphs().rule.repeat(usize::from(width))))
}
