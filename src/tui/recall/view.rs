//! How recall looks (ux.md, A18): the line that is typed with the scope, the calls, what would change in the form, how many were looked
//! through.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::differs::differs;
use super::found::Item;
use super::{Chosen, Ends, Scope, State};
use crate::clock::Now;
use crate::history::Record;
use crate::text::human::count;
use crate::text::width::{cells, cut, pad};
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::{self, call, hint, key, last_part, paragraph, remote};
use crate::tui::state::Shared;
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::{List, Pane, center, overlay};

/// Cells of the time.
pub const WHEN: usize = 6;

/// Cells of the state.
const STATE: usize = 9;

/// Cells of the broker that a call of another one is marked with.
const BROKER: usize = 20;

/// The frame: as in the mock-up, and larger where there is much room.
const FRAME: (u16, u16) = (76, 13);

/// See [`FRAME`].
const LARGE: (u16, u16) = (116, 24);

/// Lines around the list: what is typed, a rule, what would change, how many.
const AROUND: u16 = 5;

/// Lines for what would change.
const CHANGES: u16 = 2;

/// What the popup is drawn with.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What is known.
    pub shared: &'a Shared,
    /// The forms that a call may go into.
    pub forms: &'a call::State,
    /// When.
    pub now: Now,
}

impl Scene<'_> {
    fn theme(&self) -> Theme {
        self.shared.theme
    }
}

/// Where the popup is.
fn place(area: Rect) -> Rect {
    let (width, height) = if area.width > 120 && area.height > 36 {
        LARGE
    } else {
        FRAME
    };
    center(area, width.min(area.width.saturating_sub(2)), height)
}

/// Rows of the list on a screen of so many columns and rows.
pub fn list_height((width, height): (u16, u16)) -> usize {
    let frame = place(Rect::new(0, 0, width, height));
    usize::from(frame.height.saturating_sub(2 + AROUND))
}

/// Draws the popup in the middle of `area`; returns where the caret belongs.
pub fn view(state: &State, area: Rect, buf: &mut Buffer, scene: &Scene<'_>) -> Option<Position> {
    let theme = scene.theme();
    let frame = place(area.intersection(buf.area));
    overlay(frame, buf);
    let inner = Pane::titled(Context::Recall.title())
        .hint(hint(Context::Recall, usize::from(frame.width)))
        .focused(true)
        .render(frame, buf, theme);
    let line = |y: u16, height: u16| {
        Rect::new(
            inner.x + 1,
            inner.y + y,
            inner.width.saturating_sub(2),
            height,
        )
        .intersection(inner)
    };
    let caret = typed(state, line(0, 1), buf, scene);
    let rule = theme.glyphs().rule.repeat(usize::from(line(1, 1).width));
    put(&[Line::from(theme.span(Role::Dim, rule))], line(1, 1), buf);
    let rows = inner.height.saturating_sub(AROUND);
    let list = Rect::new(inner.x, inner.y + 2, inner.width, rows).intersection(inner);
    listed(state, list, buf, scene);
    let below = line(2 + rows, CHANGES);
    put(&changes(state, usize::from(below.width), scene), below, buf);
    let foot = line(2 + rows + CHANGES, 1);
    put(&[counted(state, usize::from(foot.width), scene)], foot, buf);
    caret
}

fn put(lines: &[Line<'_>], area: Rect, buf: &mut Buffer) {
    for (y, line) in (area.y..area.bottom()).zip(lines) {
        buf.set_line(area.x, y, line, area.width);
    }
}

/// What is typed, and at its right which calls are looked through.
fn typed(state: &State, area: Rect, buf: &mut Buffer, scene: &Scene<'_>) -> Option<Position> {
    let theme = scene.theme();
    let dot = format!(" {} ", theme.glyphs().dot);
    let scope = match state.scope {
        Scope::Task => ["this task", "this broker"],
        Scope::Broker => ["all tasks", "this broker"],
        Scope::All => ["all tasks", "all brokers"],
    };
    let ends = match state.ends {
        Ends::Any => "any outcome",
        Ends::Ok => "ok only",
        Ends::Failed => "failed only",
    };
    let scope = [scope[0], scope[1], ends].join(&dot);
    let wide = u16::try_from(cells(&scope)).unwrap_or(u16::MAX);
    let field = Rect {
        width: area.width.saturating_sub(wide + 2),
        ..area
    };
    if field.width > 0 && !area.is_empty() {
        let line = Line::from(theme.span(Role::Dim, scope));
        buf.set_line(area.right() - wide, area.y, &line, wide);
    }
    state.field.render(field, buf, theme.style(Role::Fg))
}

fn listed(state: &State, area: Rect, buf: &mut Buffer, scene: &Scene<'_>) {
    let theme = scene.theme();
    if let Some(text) = nothing(state, scene) {
        let room = Rect::new(
            area.x + 1,
            area.y,
            area.width.saturating_sub(2),
            area.height,
        );
        paragraph(&text, Role::Dim, room.intersection(area), buf, theme);
        return;
    }
    let list = List {
        len: state.calls.listed(),
        scroll: state.picked.scroll(),
        marked: state.picked.row().is_some(),
        focused: true,
    };
    let width = usize::from(area.width);
    list.render(area, buf, theme, |row| {
        let item = state.calls.at(row);
        item.map_or_else(Line::default, |item| of(item, state, width, scene))
    });
}

/// `12:04  LATE OK   refund(order_id=42)`, with its broker if that is another one.
fn of(item: &Item, state: &State, width: usize, scene: &Scene<'_>) -> Line<'static> {
    let theme = scene.theme();
    let ellipsis = theme.glyphs().ellipsis;
    let row = &item.row;
    // A call of this run may have gone on since.
    let call = scene.shared.calls.find(&row.key());
    let now = call.map_or(row.state, crate::call::Call::concluded);
    let mut spans = vec![
        Span::raw(" "),
        theme.span(Role::Dim, pad(&item.when, WHEN, ellipsis)),
        Span::raw(" "),
        theme.span(panes::role(now), pad(now.word(), STATE, ellipsis)),
        Span::raw(" "),
    ];
    if row.broker != state.broker {
        let mark = format!("{} ", cut(&remote(short(&row.broker)), BROKER, ellipsis));
        spans.push(theme.span(Role::Warn, mark));
    }
    let used: usize = spans.iter().map(|span| cells(&span.content)).sum();
    let room = width.saturating_sub(used + 1);
    spans.push(Span::raw(cut(&remote(&row.title), room, ellipsis)));
    Line::from(spans)
}

/// `stg-redis:6379/0` of `redis://stg-redis:6379/0`.
fn short(broker: &str) -> &str {
    let rest = broker.split_once("://").map_or(broker, |(_, rest)| rest);
    rest.trim_end_matches('/')
}

/// Why no call is listed, and what to do.
fn nothing(state: &State, scene: &Scene<'_>) -> Option<String> {
    if state.calls.listed() > 0 {
        return None;
    }
    if scene.shared.scribe.is_none() {
        return Some("There is no history here: no call can be recalled.".to_owned());
    }
    let widen = key(Context::Recall, Action::Recall);
    let others = match state.scope {
        Scope::Task => format!(" {widen} looks at all tasks."),
        Scope::Broker => format!(" {widen} looks at all brokers."),
        Scope::All => String::new(),
    };
    if let Some(trouble) = &state.trouble {
        let hint = trouble.hint.iter().map(|hint| format!(" {hint}."));
        let hint: String = hint.collect();
        let text = format!(
            "History cannot be read: {}.{hint} {widen} asks again.",
            trouble.message
        );
        return Some(remote(&text));
    }
    let outcome = key(Context::Recall, Action::Outcome);
    Some(match (state.calls.complete, state.calls.looked_through()) {
        (false, _) => "Looking through the calls made before.".to_owned(),
        (true, 0) if state.ends == Ends::Ok => {
            format!(
                "No call here is known to have returned.{others} {outcome} looks at any outcome."
            )
        }
        (true, 0) if state.ends == Ends::Failed => {
            format!("No call here is known to have failed.{others} {outcome} looks at any outcome.")
        }
        (true, 0) => match (&state.task, state.scope) {
            (Some(task), Scope::Task) => {
                let task = remote(last_part(task.as_str()));
                format!("No call of {task} was made at this broker yet.{others}")
            }
            (_, Scope::All) => "No call was made yet. F5 in a form makes one.".to_owned(),
            _ => format!("No call was made at this broker yet.{others}"),
        },
        (true, _) if state.seeking.is_some() => {
            "None of the newest calls matches. Looking at the older ones.".to_owned()
        }
        (true, _) if state.ends != Ends::Any => {
            format!("No call matches what is typed.{others} {outcome} looks at any outcome.")
        }
        (true, _) => format!("No call matches what is typed.{others}"),
    })
}

/// What Enter would change, in the lines there are.
fn changes(state: &State, width: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let theme = scene.theme();
    let (role, parts) = match &state.chosen {
        Chosen::Fetching(_) if state.entered => (Role::Dim, vec!["being fetched".to_owned()]),
        Chosen::None | Chosen::Fetching(_) => return Vec::new(),
        Chosen::Lost(_, why) => (Role::Warn, vec![format!("cannot be loaded: {why}")]),
        Chosen::Record(record) => of_record(record, state, scene),
    };
    let ellipsis = theme.glyphs().ellipsis;
    let lines = laid_out(&parts, width, usize::from(CHANGES), ellipsis);
    let lines = lines.into_iter();
    lines
        .map(|line| Line::from(theme.span(role, line)))
        .collect()
}

fn of_record(record: &Record, state: &State, scene: &Scene<'_>) -> (Role, Vec<String>) {
    let mut parts = Vec::new();
    if let Some(bytes) = record.arguments_cut {
        let size = crate::text::human::bytes(bytes);
        let text = format!("cannot be loaded: its arguments ({size}) were too large to keep");
        return (Role::Warn, vec![text]);
    }
    if record.origin.broker != state.broker {
        parts.push(format!("made at {}", remote(&record.origin.broker)));
    }
    let open = scene
        .forms
        .draft()
        .filter(|draft| draft.task == *record.task());
    let Some(form) = open else {
        parts.push(format!(
            "opens the form of {}",
            remote(record.task().as_str())
        ));
        let masked = record.masked.iter();
        parts.extend(
            masked.map(|masked| format!("{} *** to be typed again", remote(&masked.to_string()))),
        );
        return (Role::Fg, parts);
    };
    match differs(form, record, scene.shared.secrets()) {
        Ok(mut changes) => {
            match changes.first_mut() {
                Some(first) => *first = format!("differs from the form now:  {first}"),
                None => parts.push("the same as the form now".to_owned()),
            }
            parts.extend(changes);
        }
        Err(reason) => parts.push(remote(&reason)),
    }
    (Role::Fg, parts)
}

/// Blanks between two parts.
const GAP: &str = "    ";

/// Parts side by side, none of them in two lines; what does not fit is counted.
fn laid_out(parts: &[String], width: usize, height: usize, ellipsis: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let last = lines.len() == height;
        let left = parts.len() - at;
        // Where more parts follow, the last line keeps room to say so.
        let more = if last && left > 1 {
            format!("{GAP}+{} more", left - 1)
        } else {
            String::new()
        };
        let fits = lines
            .last()
            .is_some_and(|line| cells(line) + cells(GAP) + cells(part) + cells(&more) <= width);
        match lines.last_mut() {
            Some(line) if fits => {
                line.push_str(GAP);
                line.push_str(part);
            }
            Some(line) if last => {
                let said = format!("{GAP}+{left} more");
                *line = cut(line, width.saturating_sub(cells(&said)), ellipsis);
                line.push_str(&said);
                break;
            }
            _ => lines.push(cut(part, width, ellipsis)),
        }
    }
    lines
}

/// `4 of 212 · ^R widens: all tasks`.
fn counted(state: &State, width: usize, scene: &Scene<'_>) -> Line<'static> {
    let theme = scene.theme();
    let ellipsis = theme.glyphs().ellipsis;
    let dot = format!(" {} ", theme.glyphs().dot);
    if scene.shared.scribe.is_none() {
        return Line::default();
    }
    let calls = &state.calls;
    let matching = count(calls.matching() as u64);
    let looked = count(calls.looked_through() as u64);
    let mut parts = match (calls.complete, calls.beyond) {
        _ if calls.looked_through() == 0 => Vec::new(),
        (false, _) => vec![format!("{matching} of {looked} so far")],
        (true, false) => vec![format!("{matching} of {looked}")],
        (true, true) => vec![format!("{matching} of the newest {looked}")],
    };
    if calls.older() > 0 {
        parts.push(format!(
            "{} older with these words",
            count(calls.older() as u64)
        ));
    } else if calls.beyond && state.field.is_empty() {
        parts.push("words find older ones".to_owned());
    }
    if let Some(trouble) = state
        .trouble
        .as_ref()
        .filter(|_| calls.looked_through() > 0)
    {
        parts.push(remote(&trouble.message));
    }
    let widen = key(Context::Recall, Action::Recall);
    parts.push(match state.next_scope() {
        Scope::Task => format!("{widen}: this task again"),
        Scope::Broker if state.scope == Scope::Task => format!("{widen} widens: all tasks"),
        Scope::Broker => format!("{widen}: this broker again"),
        Scope::All => format!("{widen} widens: all brokers"),
    });
    let text = cut(&parts.join(&dot), width, ellipsis);
    Line::from(theme.span(Role::Dim, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(parts: &[&str], width: usize) -> Vec<String> {
        let parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        laid_out(&parts, width, 2, "~")
    }

    #[test]
    fn parts_stand_side_by_side_and_those_without_room_are_counted() {
        assert_eq!(out(&["here", "x 1 -> 2"], 40), ["here    x 1 -> 2"]);
        let long = ["here", "x 1 -> 2", "y 1 -> 2", "z 1 -> 2", "w 1 -> 2"];
        assert_eq!(out(&long, 24), ["here    x 1 -> 2", "y 1 -> 2    +2 more"]);
        assert_eq!(out(&long, 64).len(), 1);
    }

    #[test]
    fn a_part_longer_than_the_line_is_cut() {
        assert_eq!(out(&["0123456789"], 6), ["01234~"]);
    }

    #[test]
    fn a_broker_is_marked_by_its_place() {
        assert_eq!(short("redis://stg:6379/0"), "stg:6379/0");
        assert_eq!(short("amqp://stg:5672/"), "stg:5672");
        assert_eq!(short("demo"), "demo");
    }
}
