//! How Tasks looks.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;

use super::State;
use super::list::{self, Entry, Row};
use crate::text::human::count;
use crate::text::width::{cells, cut, middle, pad, pad_left};
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::{Scene, key, last_part, missing, paragraph, remote};
use crate::tui::theme::Role;
use crate::tui::widgets::{Field, List};

/// Rows above the list: the filter.
const ABOVE: u16 = 1;
/// Rows below the list in the roomy layout: what `!` means.
const BELOW: u16 = 2;

/// Rows that the list has in a pane of this height.
pub fn list_height(height: u16, large: bool) -> u16 {
    height.saturating_sub(ABOVE + if large { BELOW } else { 0 })
}

/// The word at the right of the title.
pub fn right(state: &State, scene: &Scene<'_>) -> (Role, String) {
    let cluster = &scene.shared.cluster;
    if let Some(as_of) = scene.as_of() {
        return (Role::Dim, as_of);
    }
    let total = count(state.list.total as u64);
    if state.filtering() {
        return (Role::Fg, format!("{}/{total}", state.list.matching));
    }
    if !cluster.surveyed {
        let answered = cluster.told_tasks();
        let text = if answered == 0 {
            String::new()
        } else {
            format!("{answered} answered")
        };
        return (Role::Dim, text);
    }
    match (missing(cluster), scene.large) {
        (None, false) => (Role::Dim, total),
        (None, true) => (Role::Dim, format!("{total} tasks")),
        (Some(missing), false) => (Role::Warn, format!("{total}, {missing}")),
        (Some(missing), true) => (Role::Warn, format!("{total} tasks, {missing}")),
    }
}

/// Draws the pane inside its frame; returns where the caret belongs while something is typed.
pub fn view(state: &State, area: Rect, buf: &mut Buffer, scene: &Scene<'_>) -> Option<Position> {
    let caret = typed(
        state,
        Rect {
            height: area.height.min(1),
            ..area
        },
        buf,
        scene,
    );
    let height = list_height(area.height, scene.large);
    let list = Rect::new(area.x, area.y + area.height.min(ABOVE), area.width, height);
    if state.list.is_empty() {
        let room = Rect::new(
            list.x + 1,
            list.y,
            list.width.saturating_sub(2),
            list.height,
        );
        paragraph(&nothing(state, scene), Role::Dim, room, buf, scene.theme());
    } else {
        rows(state, list, buf, scene);
    }
    if scene.large && area.height > ABOVE + BELOW {
        explain(
            Rect::new(area.x, list.bottom(), area.width, BELOW),
            buf,
            scene,
        );
    }
    caret
}

/// The line of the filter, or of a name typed by hand.
fn typed(state: &State, area: Rect, buf: &mut Buffer, scene: &Scene<'_>) -> Option<Position> {
    let theme = scene.theme();
    let (lead, field): (&str, &Field) = if state.naming() {
        ("name: ", &state.name)
    } else {
        ("/", &state.filter)
    };
    let active = state.context() != Context::Tasks;
    let role = if active || state.filtering() {
        Role::Accent
    } else {
        Role::Dim
    };
    buf.set_stringn(
        area.x,
        area.y,
        lead,
        usize::from(area.width),
        theme.style(role),
    );
    let used = u16::try_from(cells(lead)).unwrap_or(0).min(area.width);
    let room = Rect::new(area.x + used, area.y, area.width - used, area.height);
    let caret = field.render(room, buf, theme.style(Role::Fg));
    caret.filter(|_| active && scene.focused)
}

fn rows(state: &State, area: Rect, buf: &mut Buffer, scene: &Scene<'_>) {
    let list = List {
        len: state.list.len(),
        scroll: state.scroll,
        marked: state.row().is_some(),
        focused: scene.focused && !state.naming(),
    };
    let width = usize::from(area.width);
    list.render(area, buf, scene.theme(), |row| {
        match state.list.drawn(row) {
            Some(Row::Group(name)) => group(name, width, scene),
            Some(Row::Task(entry)) => task(state, entry, width, scene),
            None => Line::default(),
        }
    });
}

fn group(name: &str, width: usize, scene: &Scene<'_>) -> Line<'static> {
    let theme = scene.theme();
    let text = pad(&remote(name), width, theme.glyphs().ellipsis);
    Line::from(theme.span(Role::Dim, text))
}

/// `  refund_webhook  ! 2/6`.
fn task(state: &State, entry: &Entry, width: usize, scene: &Scene<'_>) -> Line<'static> {
    let theme = scene.theme();
    let right = told(entry, scene);
    let mut spans = vec![Span::raw("  ")];
    spans.extend(name(state, entry, room(&right, width), scene));
    let role = if may_fail(entry, scene) {
        Role::Warn
    } else {
        Role::Dim
    };
    spans.push(Span::raw(" "));
    spans.push(theme.span(role, right));
    Line::from(spans)
}

/// Cells of a name beside what is told at the right of it.
fn room(right: &str, width: usize) -> usize {
    width.saturating_sub(2 + cells(right) + 1)
}

fn may_fail(entry: &Entry, scene: &Scene<'_>) -> bool {
    let cluster = &scene.shared.cluster;
    !entry.typed && cluster.told_tasks() > 0 && list::may_fail(cluster, entry)
}

/// At the right of a name: on how many workers the task is.
fn told(entry: &Entry, scene: &Scene<'_>) -> String {
    let cluster = &scene.shared.cluster;
    let told = cluster.told_tasks();
    let on = match (entry.typed, told) {
        (true, _) => "typed".to_owned(),
        (_, 0) => "?".to_owned(),
        _ => format!("{}/{told}", entry.on),
    };
    let unkept = scene.large && list::ignores_result(cluster, &entry.name);
    let lead = if unkept { "no result " } else { "" };
    let wide = cells(&format!("{told}/{told}")).max(3);
    let mark = if may_fail(entry, scene) { "! " } else { "  " };
    format!("{lead}{mark}{} ", pad_left(&on, wide.max(cells(&on)), ""))
}

/// The name, with what the filter hit underlined; in a tree only its last part. What does not fit loses its
/// middle, of a full name its start. Exactly `room` cells.
fn name(state: &State, entry: &Entry, room: usize, scene: &Scene<'_>) -> Vec<Span<'static>> {
    let theme = scene.theme();
    let ellipsis = theme.glyphs().ellipsis;
    let full = remote(entry.name.as_str());
    let skip = full.len() - listed(state, &full).len();
    let (head, tail) = match middle(&full[skip..], room, ellipsis) {
        (head, _) if !state.tree && head < full.len() => (0, from_the_end(&full, room, ellipsis)),
        (head, tail) => (skip + head, skip + tail),
    };
    let hits = list::hits(state.filter.text(), &full);
    let mut spans: Vec<Span<'static>> = Vec::new();
    for (place, (at, cluster)) in full.grapheme_indices(true).enumerate() {
        if at == head && at < full.len() {
            spans.push(theme.span(Role::Dim, cut(ellipsis, room, "")));
        }
        if at < skip || (head..tail).contains(&at) {
            continue;
        }
        let role = match hits.binary_search(&u32::try_from(place).unwrap_or(u32::MAX)) {
            Ok(_) => Role::Match,
            Err(_) if scene.stale() => Role::Dim,
            Err(_) => Role::Fg,
        };
        let style = theme.style(role);
        match spans.last_mut().filter(|span| span.style == style) {
            Some(span) => span.content.to_mut().push_str(cluster),
            None => spans.push(Span::styled(cluster.to_owned(), style)),
        }
    }
    let used: usize = spans.iter().map(|span| cells(&span.content)).sum();
    spans.push(Span::raw(" ".repeat(room.saturating_sub(used))));
    spans
}

/// Where the end of `name` starts that fits into `room` cells together with an ellipsis.
fn from_the_end(name: &str, room: usize, ellipsis: &str) -> usize {
    let mut starts = name.grapheme_indices(true).map(|(at, _)| at);
    let fits = starts.find(|at| cells(&name[*at..]) + cells(ellipsis) <= room);
    fits.unwrap_or(name.len())
}

/// What of a name stands in the list: in a tree its last part.
fn listed<'a>(state: &State, full: &'a str) -> &'a str {
    if state.tree { last_part(full) } else { full }
}

/// The full name of the task under the cursor, if the list in a pane `width` cells wide has no room for it.
pub fn cut_name(state: &State, width: usize, scene: &Scene<'_>) -> Option<String> {
    let Some(Row::Task(entry)) = state.row().and_then(|row| state.list.drawn(row)) else {
        return None;
    };
    let full = remote(entry.name.as_str());
    let right = told(entry, scene);
    (cells(listed(state, &full)) > room(&right, width)).then_some(full)
}

/// What an empty list says.
fn nothing(state: &State, scene: &Scene<'_>) -> String {
    let cluster = &scene.shared.cluster;
    let add = key(Context::Tasks, Action::Add);
    let filter = state.filter.text();
    if !filter.is_empty() && state.list.total > 0 {
        let clear = key(Context::Filter, Action::Back);
        return format!(
            "Nothing matches \"{}\". {clear} clears the filter.",
            remote(filter)
        );
    }
    if cluster.workers.is_empty() && !scene.shared.links.broker.is_up() {
        return format!("The list comes with the broker. Names can be typed: press {add}.");
    }
    if !cluster.surveyed && cluster.told_tasks() == 0 {
        return "asking the workers...".to_owned();
    }
    if cluster.workers.is_empty() {
        return format!("No worker answered. Names can still be typed: press {add}.");
    }
    let builtins = key(Context::Tasks, Action::Builtins);
    format!("Workers run, but register no task of their own ({builtins} shows built-ins).")
}

fn explain(area: Rect, buf: &mut Buffer, scene: &Scene<'_>) {
    let theme = scene.theme();
    let lines = [
        "! beside a task: not on every",
        "  worker that may get it (NO TASK)",
    ];
    for (y, line) in (area.y..area.bottom()).zip(lines) {
        buf.set_stringn(
            area.x,
            y,
            line,
            usize::from(area.width),
            theme.style(Role::Dim),
        );
    }
}
