//! What the panes with tables share: the row under the cursor, headings, rows that are built only when seen, and lines below.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Ask, Pane, Scene, paragraph, step};
use crate::text::width::wrap;
use crate::tui::keymap::Action;
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Columns, Followed, List, Picked};

/// What a pane with a table remembers.
#[derive(Debug)]
pub struct State<K> {
    /// The row under the cursor, by its name.
    pub picked: Picked<K>,
    /// Whether what is said below the table about that row is hidden.
    pub folded: bool,
    /// Whether a person chose that row; until then it is the first one, whichever that is.
    chosen: bool,
}

impl<K> Default for State<K> {
    fn default() -> Self {
        Self {
            picked: Picked::default(),
            folded: false,
            chosen: false,
        }
    }
}

impl<K: Clone + PartialEq> State<K> {
    /// The rows changed: the cursor stays on its own. What was chosen and is gone is returned; nothing is selected then.
    pub fn refresh(&mut self, names: &[&K], height: usize) -> Option<K> {
        let name = |row: usize| names[row].clone();
        if !self.chosen {
            self.picked.select(0, names.len(), height, name);
            return None;
        }
        let before = self.picked.key().cloned();
        let lost = self.picked.follow(names.len(), height, name) == Followed::Lost;
        before.filter(|_| lost)
    }

    /// One action; `what` the name of a row is, for people who copy it.
    pub fn update(
        &mut self,
        action: Action,
        names: &[&K],
        height: usize,
        what: &'static str,
    ) -> Option<Ask>
    where
        K: ToString,
    {
        if let Some(step) = step(action) {
            let name = |row: usize| names[row].clone();
            self.picked.step(step, names.len(), height, name);
            self.chosen = true;
            return None;
        }
        match (action, self.picked.key()) {
            (Action::Back, _) => Some(Ask::Focus(Pane::Tasks)),
            (Action::Enter, _) => {
                self.folded = !self.folded;
                None
            }
            (Action::Copy, Some(name)) => Some(Ask::Copy(name.to_string(), what)),
            _ => Some(Ask::NotHere),
        }
    }
}

/// The word at the right of the title.
pub fn right(scene: &Scene<'_>) -> (Role, String) {
    let as_of = scene.as_of();
    (
        Role::Dim,
        as_of.unwrap_or_else(|| "trouble first".to_owned()),
    )
}

/// Says why there is no row.
pub fn empty(text: &str, area: Rect, buf: &mut Buffer, scene: &Scene<'_>) {
    let room = Rect::new(
        area.x + 1,
        area.y + 1,
        area.width.saturating_sub(2),
        area.height,
    );
    paragraph(text, Role::Dim, room.intersection(area), buf, scene.theme());
}

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
