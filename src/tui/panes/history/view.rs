//! How History looks.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;

use super::State;
use super::list::Entry;
use crate::call::{Call, CallState};
use crate::clock::{Now, Timestamp};
use crate::history::{Count, Row};
use crate::protocol::python;
use crate::text::human::count;
use crate::text::width::cut;
use crate::tui::panes::{Scene, last_part, paragraph, remote, role, table};
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, Columns, Width};

/// The columns.
const COLUMNS: [Column; 6] = [
    Column::new("when", Width::Fixed(8)),
    Column::new("task", Width::Fill(12)),
    Column::new("state", Width::Fixed(9)),
    Column::new("took", Width::Fixed(7)).right(),
    Column::new("queued", Width::Fixed(7)).right(),
    Column::new("arguments", Width::Fill(14)).rank(1),
];
/// Before a call that is in memory only.
const FLEETING: &str = "*";
/// Lines below the table: the arguments of the selected call, and how many there are.
const BELOW: usize = 2;

/// Rows of the table in a pane of this height, with or without the line of the filter.
pub fn list_height(height: u16, filtering: bool) -> usize {
    usize::from(table::rows(
        height.saturating_sub(u16::from(filtering)),
        BELOW,
    ))
}

/// The word at the right of the title.
pub fn right(state: &State, scene: &Scene<'_>) -> (Role, String) {
    let calls = &scene.shared.calls;
    match (calls.waiting().count(), state.counts) {
        (0, Some([all, ..])) if all.calls > all.fleeting => {
            (Role::Dim, format!("{} kept", said(kept(all))))
        }
        (0, _) if calls.is_empty() => (Role::Dim, String::new()),
        (0, _) => (Role::Dim, format!("{} this run", count(calls.len() as u64))),
        (running, _) => (Role::Run, format!("{running} running")),
    }
}

/// Those on disk.
fn kept(all: Count) -> Count {
    Count {
        calls: all.calls.saturating_sub(all.fleeting),
        fleeting: 0,
        ..all
    }
}

fn said(all: Count) -> String {
    let more = if all.or_more { "+" } else { "" };
    format!("{}{more}", count(all.calls as u64))
}

/// Draws the pane inside its frame; returns where the caret belongs while a filter is typed.
pub fn view(state: &State, area: Rect, buf: &mut Buffer, scene: &Scene<'_>) -> Option<Position> {
    let theme = scene.theme();
    let (caret, area) = filter(state, area, buf, scene);
    if state.list.is_empty() {
        let text = match &state.problem {
            Some(problem) => problem.clone(),
            None if state.filtering() => "No call passes the filter.".to_owned(),
            None if scene.shared.scribe.is_some() => {
                "Calls made here are kept on this machine. None yet.".to_owned()
            }
            None => "Calls made here are kept until you quit. None yet.".to_owned(),
        };
        let room = Rect::new(
            area.x + 1,
            area.y + 1,
            area.width.saturating_sub(2),
            area.height,
        );
        paragraph(
            &remote(&text),
            Role::Dim,
            room.intersection(area),
            buf,
            theme,
        );
        return caret;
    }
    let columns = Columns::fit(&COLUMNS, area.width);
    let below = below(state, area.width, &columns, scene);
    let row = |index: usize| {
        let entry = state.list.at(index);
        entry.map(|entry| cells(entry, scene)).into_iter().flatten()
    };
    let rows = (&state.picked, state.list.len());
    table::draw(&columns, rows, row, &below, (area, buf), scene);
    caret
}

/// The line of the filter, where there is one.
fn filter(
    state: &State,
    area: Rect,
    buf: &mut Buffer,
    scene: &Scene<'_>,
) -> (Option<Position>, Rect) {
    if !state.filtering() || area.height == 0 {
        return (None, area);
    }
    let theme = scene.theme();
    buf.set_stringn(area.x, area.y, "/", 1, theme.style(Role::Accent));
    let line = Rect::new(area.x + 1, area.y, area.width.saturating_sub(1), 1);
    let caret = state.field.render(line, buf, theme.style(Role::Fg));
    let rest = Rect::new(area.x, area.y + 1, area.width, area.height - 1);
    (caret.filter(|_| state.typing && scene.focused), rest)
}

/// A call of this run is shown as it is now, any other as it was written down.
fn cells(entry: &Entry, scene: &Scene<'_>) -> [Cell; 6] {
    let mut cells = match (scene.shared.calls.get(&entry.id), &entry.row) {
        (Some(call), _) => of_call(call, scene),
        (None, Some(row)) => of_row(row, scene),
        (None, None) => std::array::from_fn(|_| Cell::from(String::new())),
    };
    if let Some(row) = entry.row.as_ref().filter(|row| row.fleeting) {
        cells[1] = format!("{FLEETING}{}", remote(last_part(row.task.as_str()))).into();
    }
    cells
}

fn of_call(call: &Call, scene: &Scene<'_>) -> [Cell; 6] {
    let theme = scene.theme();
    let at = call.timeline.published.unwrap_or(call.timeline.created);
    let state = call.state();
    [
        Cell::new(when(at.wall, scene), Role::Dim, theme),
        remote(last_part(call.signature.task.as_str())).into(),
        Cell::new(state.word(), role(state), theme),
        took(call, scene.now).into(),
        queued(call).into(),
        Cell::new(arguments(call, scene), Role::Dim, theme),
    ]
}

fn of_row(row: &Row, scene: &Scene<'_>) -> [Cell; 6] {
    let theme = scene.theme();
    let none = |state| matches!(state, CallState::Unsent | CallState::NoResult);
    let span = |span: Option<std::time::Duration>, unknown: &str| {
        span.map_or_else(|| unknown.to_owned(), crate::tui::panes::took)
    };
    [
        Cell::new(when(row.created, scene), Role::Dim, theme),
        remote(last_part(row.task.as_str())).into(),
        Cell::new(row.state.word(), role(row.state), theme),
        span(row.took, "-").into(),
        span(row.queued, if none(row.state) { "-" } else { "?" }).into(),
        Cell::new(inside(&row.title), Role::Dim, theme),
    ]
}

/// The time of day today, the day before.
fn when(at: Timestamp, scene: &Scene<'_>) -> String {
    let zone = &scene.shared.zone;
    let (at, now) = (
        at.to_zoned(zone.clone()),
        scene.now.wall.to_zoned(zone.clone()),
    );
    let format = match (at.date() == now.date(), at.year() == now.year()) {
        (true, _) => "%H:%M:%S",
        (false, true) => "%d %b",
        (false, false) => "%b %Y",
    };
    at.strftime(format).to_string()
}

fn took(call: &Call, now: Now) -> String {
    let took = call.timeline.total().or_else(|| call.elapsed(now));
    match call.state() {
        CallState::Unsent | CallState::NoResult | CallState::Detached => "-".to_owned(),
        _ => took.map_or_else(|| "-".to_owned(), crate::tui::panes::took),
    }
}

fn queued(call: &Call) -> String {
    match (call.timeline.queued(), call.state()) {
        (Some(queued), _) => crate::tui::panes::took(queued),
        (None, CallState::Unsent | CallState::NoResult) => "-".to_owned(),
        (None, _) => "?".to_owned(),
    }
}

/// What is between the brackets of the Python call.
fn arguments(call: &Call, scene: &Scene<'_>) -> String {
    let signature = scene.shared.shown(call);
    inside(&python::shorten(
        &python::call("", &signature.args, &signature.kwargs),
        300,
    ))
}

fn inside(title: &str) -> String {
    let inside = title.split_once('(').map_or(title, |(_, rest)| rest);
    remote(inside.strip_suffix(')').unwrap_or(inside))
}

fn below(state: &State, width: u16, columns: &Columns, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let theme = scene.theme();
    let room = usize::from(width).saturating_sub(1);
    let ellipsis = theme.glyphs().ellipsis;
    let shown = columns.shows("arguments");
    let entry = state.selected().and_then(|id| state.list.get(id));
    let text = match entry.filter(|_| !shown) {
        Some(entry) => python_of(entry, scene),
        None => String::new(),
    };
    let counted = counted(state, scene);
    vec![
        Line::from(theme.span(Role::Fg, format!(" {}", cut(&text, room, ellipsis)))),
        Line::from(theme.span(Role::Dim, format!(" {}", cut(&counted, room, ellipsis)))),
    ]
}

fn python_of(entry: &Entry, scene: &Scene<'_>) -> String {
    match (scene.shared.calls.get(&entry.id), &entry.row) {
        (Some(call), _) => {
            let task = remote(call.signature.task.as_str());
            format!("{task}({})", arguments(call, scene))
        }
        (None, Some(row)) => format!("{}({})", remote(row.task.as_str()), inside(&row.title)),
        (None, None) => String::new(),
    }
}

/// `212 kept · 1 unresolved · 3 hidden by filter`.
fn counted(state: &State, scene: &Scene<'_>) -> String {
    let Some([all, open, shown]) = state.counts else {
        let made = count(scene.shared.calls.len() as u64);
        return match scene.shared.scribe {
            Some(_) => format!("{made} this run"),
            None => format!("{made} this run, lost at exit"),
        };
    };
    let mut parts = vec![format!("{} kept", said(kept(all)))];
    if all.fleeting > 0 {
        let calls = count(all.fleeting as u64);
        parts.push(format!("{FLEETING}{calls} in memory only"));
    }
    if open.calls > 0 {
        parts.push(format!("{} unresolved", said(open)));
    }
    // Beyond what is counted nobody knows how many a filter hides.
    match all.calls.saturating_sub(shown.calls) {
        _ if !state.filtering() => {}
        _ if all.or_more => parts.push(format!("{} shown", said(shown))),
        0 => {}
        hidden => parts.push(format!("{} hidden by filter", count(hidden as u64))),
    }
    parts.join(" · ")
}
