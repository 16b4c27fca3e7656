//! How History looks.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;

use super::State;
use super::list::Entry;
use crate::call::{Call, CallState};
use crate::clock::{Now, Timestamp};
use crate::error::Error;
use crate::history::{Count, Row};
use crate::text::human::count;
use crate::text::width::{cells as cells_of, cut, wrap};
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::{Scene, key, last_part, paragraph, remote, role, table};
use crate::tui::state::Keeping;
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, Columns, Width};

/// The columns.
const COLUMNS: [Column; 6] = [
    Column::new("when", Width::Fixed(8)),
    Column::new("task", Width::Fill(12)).names(),
    Column::new("state", Width::Fixed(9)),
    Column::new("took", Width::Fixed(7)).right(),
    Column::new("queued", Width::Fixed(7)).right(),
    Column::new("arguments", Width::Fill(14)).rank(1),
];
/// Before a call that is in memory only.
const FLEETING: &str = "*";
/// Lines below the table: the arguments of the selected call, and how many there are.
const BELOW: usize = 2;

/// Lines of the banner while the disk cannot be used.
const BANNER: u16 = 3;

/// Rows of the table in a pane of this height, with or without the line of the filter and the banner.
pub fn list_height(height: u16, filtering: bool, failed: bool) -> usize {
    let banner = if failed { BANNER } else { 0 };
    let above = u16::from(filtering) + banner.min(height / 4);
    usize::from(table::rows(height.saturating_sub(above), BELOW))
}

/// The word at the right of the title.
pub fn right(state: &State, scene: &Scene<'_>) -> (Role, String) {
    let calls = &scene.shared.calls;
    match (calls.waiting().count(), state.counts) {
        (0, _) if matches!(scene.shared.keeping, Keeping::Failed(_)) => {
            (Role::Warn, "in memory".to_owned())
        }
        (0, Some([all, ..]))
            if all.calls > all.fleeting && scene.shared.keeping == Keeping::Disk =>
        {
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
    let area = banner(area, buf, scene);
    let (caret, area) = filter(state, area, buf, scene);
    if state.list.is_empty() {
        let (role, text) = empty(state, scene);
        let room = Rect::new(
            area.x + 1,
            area.y + 1,
            area.width.saturating_sub(2),
            area.height,
        );
        let room = room.intersection(area);
        paragraph(&remote(&text), role, room, buf, scene.theme());
        return caret;
    }
    let columns = Columns::fit(&COLUMNS, area.width);
    let below = below(state, area.width, &columns, scene);
    let row = |index: usize| {
        let entry = state.list.at(index);
        entry
            .map(|entry| cells(state, entry, scene))
            .into_iter()
            .flatten()
    };
    let rows = (&state.picked, state.list.len());
    table::draw(&columns, rows, row, &below, (area, buf), scene);
    caret
}

/// Why nothing is listed.
fn empty(state: &State, scene: &Scene<'_>) -> (Role, String) {
    if let Some(problem) = &state.problem {
        return (Role::Warn, problem.clone());
    }
    let text = match (&scene.shared.scribe, &scene.shared.keeping) {
        (Some(_), _) if !state.list.is_fetched() => "Reading the history ...",
        _ if state.filtering() => "No call passes the filter.",
        (Some(_), Keeping::Disk) => "Calls made here are kept on this machine. None yet.",
        _ => "Calls made here are kept until you quit. None yet.",
    };
    (Role::Dim, text.to_owned())
}

/// While the disk cannot be used: why, and what to do. Returns the rest of the room.
fn banner(area: Rect, buf: &mut Buffer, scene: &Scene<'_>) -> Rect {
    let Keeping::Failed(error) = &scene.shared.keeping else {
        return area;
    };
    let rows = BANNER.min(area.height / 4);
    let room = Rect::new(area.x + 1, area.y, area.width.saturating_sub(1), rows);
    let width = usize::from(room.width);
    let ellipsis = scene.theme().glyphs().ellipsis;
    let lines = banner_lines(error, width, rows, ellipsis);
    for (y, line) in (room.y..room.bottom()).zip(&lines) {
        let style = scene.theme().style(Role::Warn);
        buf.set_stringn(room.x, y, line, width, style);
    }
    Rect::new(area.x, area.y + rows, area.width, area.height - rows)
}

/// What is wrong, cut where it must be; what to do is never cut for it.
fn banner_lines(error: &Error, width: usize, rows: u16, ellipsis: &str) -> Vec<String> {
    let message = remote(&error.message);
    let what = message.split("; calls are kept").next().unwrap_or_default();
    let what = format!("! in memory only: {what}");
    let hint = error.hint.as_deref().map(remote).unwrap_or_default();
    if rows < BANNER {
        let hint = format!("; {hint}");
        let room = width.saturating_sub(cells_of(&hint));
        return vec![format!("{}{hint}", cut(&what, room, ellipsis))];
    }
    let mut lines = wrap(&what, width.max(1));
    if lines.len() > 2 {
        let rest = lines.split_off(1).join(" ");
        lines.push(cut(&rest, width, ellipsis));
    }
    lines.push(cut(&format!("  {hint}"), width, ellipsis));
    lines
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
fn cells(state: &State, entry: Entry<'_>, scene: &Scene<'_>) -> [Cell; 6] {
    let marked = state.marked() == Some(&entry.key());
    let mut cells = match (own(entry, scene), entry.row) {
        (Some(call), _) => of_call(call, scene),
        (None, Some(row)) => of_row(row, scene),
        (None, None) => std::array::from_fn(|_| Cell::from(String::new())),
    };
    if let Some(row) = entry.row.filter(|row| row.fleeting) {
        cells[1] = format!("{FLEETING}{}", remote(last_part(row.task.as_str()))).into();
    }
    if marked {
        let task = task_of(entry, scene);
        cells[1] = Cell::new(format!("* {task}"), Role::Accent, scene.theme());
    }
    cells
}

/// The call of this run, if it is that one and not another of its id.
fn own<'a>(entry: Entry<'_>, scene: &Scene<'a>) -> Option<&'a Call> {
    scene.shared.calls.find(&entry.key())
}

/// The last part of the task's name.
fn task_of(entry: Entry<'_>, scene: &Scene<'_>) -> String {
    let call = own(entry, scene);
    let task = call.map(|call| &call.signature.task);
    let task = task.or_else(|| entry.row.map(|row| &row.task));
    task.map_or_else(String::new, |task| remote(last_part(task.as_str())))
}

fn of_call(call: &Call, scene: &Scene<'_>) -> [Cell; 6] {
    let theme = scene.theme();
    let at = call.timeline.published.unwrap_or(call.timeline.created);
    let state = call.concluded();
    [
        Cell::new(short_when(at.wall, scene), Role::Dim, theme),
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
        Cell::new(short_when(row.created, scene), Role::Dim, theme),
        remote(last_part(row.task.as_str())).into(),
        Cell::new(row.state.word(), role(row.state), theme),
        span(row.took, "-").into(),
        span(row.queued, if none(row.state) { "-" } else { "?" }).into(),
        Cell::new(inside(&row.title), Role::Dim, theme),
    ]
}

/// The time of day today, the day before.
fn short_when(at: Timestamp, scene: &Scene<'_>) -> String {
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
    inside(&scene.shared.python("", call, 300))
}

fn inside(title: &str) -> String {
    let inside = title.split_once('(').map_or(title, |(_, rest)| rest);
    remote(inside.strip_suffix(')').unwrap_or(inside))
}

fn below(state: &State, width: u16, columns: &Columns, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let theme = scene.theme();
    let room = usize::from(width).saturating_sub(1);
    let ellipsis = theme.glyphs().ellipsis;
    let entry = state.selected().and_then(|key| state.list.get(key));
    let text = entry.map_or_else(String::new, |entry| about(entry, columns, scene));
    let counted = counted(state, scene);
    vec![
        Line::from(theme.span(Role::Fg, format!(" {}", cut(&text, room, ellipsis)))),
        Line::from(theme.span(Role::Dim, format!(" {}", cut(&counted, room, ellipsis)))),
    ]
}

/// What the columns leave out of the selected call: its arguments, what is cut of its task, and the time of one of another day.
fn about(entry: Entry<'_>, columns: &Columns, scene: &Scene<'_>) -> String {
    let now = scene.now.wall;
    let created = entry.row.map(|row| row.created);
    let exact = created.map(|at| scene.shared.when(at, now));
    let short = created.map(|at| short_when(at, scene));
    let day = exact.filter(|exact| Some(exact) != short.as_ref());
    let whole = columns.shows("arguments") && columns.fits("task", &task_of(entry, scene));
    let python = (!whole).then(|| python_of(entry, scene));
    let parts: Vec<String> = day.into_iter().chain(python).collect();
    parts.join("  ")
}

fn python_of(entry: Entry<'_>, scene: &Scene<'_>) -> String {
    match (own(entry, scene), entry.row) {
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
    let mut parts = match scene.shared.keeping {
        Keeping::Disk => vec![format!("{} kept", said(kept(all)))],
        Keeping::Memory => vec![format!("{}, lost at exit", said(all))],
        Keeping::Failed(_) => vec![format!("{} in memory", said(all))],
    };
    if all.fleeting > 0 && scene.shared.keeping == Keeping::Disk {
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
    if state.marked().is_some() {
        let compare = key(Context::History, Action::Compare);
        parts.push(format!("1 marked, {compare} compares"));
    }
    parts.join(" · ")
}
