//! How Result looks.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::State;
use super::document::{Body, Document};
use super::lines::Parts;
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::{Scene, key};
use crate::tui::theme::Role;

/// Draws the pane inside its frame.
pub fn view(state: &State, area: Rect, buf: &mut Buffer, scene: &Scene<'_>) {
    let Some(call) = state.shown(scene.shared) else {
        return empty(area, buf, scene);
    };
    let size = (area.width, area.height);
    let parts = Parts::at(
        call,
        state.document(),
        scene.shared,
        size,
        state.look(),
        scene.now,
    );
    let head = height(&parts.head);
    let foot = height(&parts.foot);
    lines(&parts.head, area, buf);
    let body = Rect::new(area.x, area.y + head, area.width, parts.body);
    if let Some(document) = state.document() {
        draw(document, body, buf, scene);
    }
    let bottom = Rect::new(area.x, area.bottom() - foot, area.width, foot);
    lines(&parts.foot, bottom, buf);
}

fn height(lines: &[Line<'_>]) -> u16 {
    u16::try_from(lines.len()).unwrap_or(u16::MAX)
}

fn lines(lines: &[Line<'_>], area: Rect, buf: &mut Buffer) {
    for (y, line) in (area.y..area.bottom()).zip(lines) {
        buf.set_line(area.x, y, line, area.width);
    }
}

fn draw(document: &Document, area: Rect, buf: &mut Buffer, scene: &Scene<'_>) {
    match (&document.reading, &document.body) {
        (Some(text), _) | (None, Body::Text(text)) => text.render(area, buf, scene.theme()),
        (None, Body::Tree(tree)) => tree.render(area, buf, scene.theme(), scene.focused),
    }
}

fn empty(area: Rect, buf: &mut Buffer, scene: &Scene<'_>) {
    let theme = scene.theme();
    let open = key(Context::Tasks, Action::Enter);
    let call = key(Context::CallNav, Action::Call);
    let text = format!(" No call yet. {open} opens a task, {call} calls it.");
    let line = theme.span(Role::Dim, text);
    if area.height > 1 {
        buf.set_line(area.x, area.y + 1, &Line::from(line), area.width);
    }
}
