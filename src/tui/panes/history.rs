//! History: the calls of this run, newest first. Kept in memory only, and says so.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Ask, Pane, Scene, last_part, paragraph, remote, role, step, table};
use crate::call::{Call, CallState};
use crate::clock::Now;
use crate::protocol::{TaskId, python};
use crate::text::human::count;
use crate::text::width::cut;
use crate::tui::keymap::Action;
use crate::tui::state::Calls;
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, Columns, Followed, Picked, Width};

/// The columns.
const COLUMNS: [Column; 6] = [
    Column::new("when", Width::Fixed(8)),
    Column::new("task", Width::Fill(12)),
    Column::new("state", Width::Fixed(9)),
    Column::new("took", Width::Fixed(7)).right(),
    Column::new("queued", Width::Fixed(7)).right(),
    Column::new("arguments", Width::Fill(14)).rank(1),
];
/// Lines below the table: the arguments of the selected call, and how many there are.
const BELOW: usize = 2;

/// What the pane remembers.
#[derive(Debug, Default)]
pub struct State {
    picked: Picked<TaskId>,
    chosen: bool,
}

/// Rows of the table in a pane of this height.
pub fn list_height(height: u16) -> usize {
    usize::from(table::rows(height, BELOW))
}

fn id_at(calls: &Calls) -> impl Fn(usize) -> TaskId + '_ {
    |row| {
        calls
            .at_row(row)
            .map(|call| call.id().clone())
            .unwrap_or_default()
    }
}

impl State {
    /// The call under the cursor.
    pub fn selected(&self) -> Option<&TaskId> {
        self.picked.key()
    }

    /// A call was made: the cursor stays on its call, or on the newest while nobody has moved it.
    pub fn refresh(&mut self, calls: &Calls, height: usize) {
        let len = calls.len();
        if self.chosen {
            if self.picked.follow(len, height, id_at(calls)) == Followed::Lost {
                self.chosen = false;
            }
        } else if len > 0 {
            self.picked.select(0, len, height, id_at(calls));
        }
    }

    /// One action.
    pub fn update(&mut self, action: Action, calls: &Calls, height: usize) -> Option<Ask> {
        if let Some(step) = step(action) {
            self.picked.step(step, calls.len(), height, id_at(calls));
            self.chosen = true;
            return None;
        }
        match (action, self.picked.key()) {
            (Action::Back, _) => Some(Ask::Focus(Pane::Tasks)),
            (Action::Enter, Some(id)) => Some(Ask::Show(id.clone())),
            (Action::Copy, Some(id)) => Some(Ask::Copy(id.to_string(), "the task's id")),
            (Action::Enter | Action::Copy, None) => Some(Ask::say("no call yet")),
            _ => Some(Ask::NotHere),
        }
    }
}

/// The word at the right of the title.
pub fn right(scene: &Scene<'_>) -> (Role, String) {
    match scene.shared.calls.waiting().count() {
        0 if scene.shared.calls.is_empty() => (Role::Dim, String::new()),
        0 => (
            Role::Dim,
            format!("{} this run", count(scene.shared.calls.len() as u64)),
        ),
        running => (Role::Run, format!("{running} running")),
    }
}

/// Draws the pane inside its frame.
pub fn view(state: &State, area: Rect, buf: &mut Buffer, scene: &Scene<'_>) {
    let calls = &scene.shared.calls;
    let theme = scene.theme();
    if calls.is_empty() {
        let text = "Calls made here are kept until you quit. None yet.";
        let room = Rect::new(
            area.x + 1,
            area.y + 1,
            area.width.saturating_sub(2),
            area.height,
        );
        return paragraph(text, Role::Dim, room.intersection(area), buf, theme);
    }
    let columns = Columns::fit(&COLUMNS, area.width);
    let below = below(state, area.width, &columns, scene);
    let row = |index: usize| {
        calls
            .at_row(index)
            .map(|call| cells(call, scene))
            .into_iter()
            .flatten()
    };
    let rows = (&state.picked, calls.len());
    table::draw(&columns, rows, row, &below, (area, buf), scene);
}

fn cells(call: &Call, scene: &Scene<'_>) -> [Cell; 6] {
    let theme = scene.theme();
    let at = call.timeline.published.unwrap_or(call.timeline.created);
    let state = call.state();
    [
        Cell::new(scene.shared.clock(at), Role::Dim, theme),
        remote(last_part(call.signature.task.as_str())).into(),
        Cell::new(state.word(), role(state), theme),
        took(call, scene.now).into(),
        queued(call).into(),
        Cell::new(arguments(call), Role::Dim, theme),
    ]
}

fn took(call: &Call, now: Now) -> String {
    let took = call.timeline.total().or_else(|| call.elapsed(now));
    match call.state() {
        CallState::Unsent | CallState::NoResult | CallState::Detached => "-".to_owned(),
        _ => took.map_or_else(|| "-".to_owned(), super::took),
    }
}

fn queued(call: &Call) -> String {
    match (call.timeline.queued(), call.state()) {
        (Some(queued), _) => super::took(queued),
        (None, CallState::Unsent | CallState::NoResult) => "-".to_owned(),
        (None, _) => "?".to_owned(),
    }
}

/// What is between the brackets of the Python call.
fn arguments(call: &Call) -> String {
    let signature = &call.signature;
    let text = python::call("", &signature.args, &signature.kwargs);
    let inside = text
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'));
    remote(&python::shorten(inside.unwrap_or(&text), 300))
}

fn below(state: &State, width: u16, columns: &Columns, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let theme = scene.theme();
    let room = usize::from(width).saturating_sub(1);
    let ellipsis = theme.glyphs().ellipsis;
    let calls = &scene.shared.calls;
    let selected = state.selected().and_then(|id| calls.get(id));
    let text = match selected.filter(|_| !columns.shows("arguments")) {
        Some(call) => format!(
            "{}({})",
            remote(call.signature.task.as_str()),
            arguments(call)
        ),
        None => String::new(),
    };
    let counted = format!("{} this run, lost at exit", count(calls.len() as u64));
    vec![
        Line::from(theme.span(Role::Fg, format!(" {}", cut(&text, room, ellipsis)))),
        Line::from(theme.span(Role::Dim, format!(" {}", cut(&counted, room, ellipsis)))),
    ]
}
