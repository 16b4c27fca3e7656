//! How the call form looks: what it is, its rows, its options, the Python call, what stands against it, the button.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::State;
use super::check;
use super::draft::{Draft, Spot};
use super::row::Row;
use crate::call::preflight::{Preflight, QueueSource};
use crate::cluster::Kept;
use crate::text::width::{cells, cut, pad, pad_left, wrap};
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::{Scene, key, paragraph, remote};
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::Scroll;

/// The word at the right of the title.
pub fn right(state: &State, scene: &Scene<'_>) -> Option<(Role, String)> {
    let draft = state.draft()?;
    let problems = draft.problems().len();
    let refused = check::preflight_of(draft, scene.shared).refusal.is_some();
    let doubts = draft.doubts().len();
    Some(match (problems + usize::from(refused), doubts) {
        (0, 0) => (Role::Ok, "valid".to_owned()),
        (0, 1) => (Role::Warn, "1 warning".to_owned()),
        (0, doubts) => (Role::Warn, format!("{doubts} warnings")),
        (1, _) => (Role::Fail, "1 problem".to_owned()),
        (problems, _) => (Role::Fail, format!("{problems} problems")),
    })
}

/// Where the cursor is, for the bottom of the frame.
pub fn place(state: &State) -> Option<String> {
    let draft = state.draft()?;
    if let Some(raw) = &draft.json {
        let (line, column) = raw.editor.position();
        return Some(format!("{line}:{column}"));
    }
    let rows = draft.rows.len() + 1;
    Some(match draft.spot {
        Spot::Row(row) => format!("row {}/{rows}", row + 1),
        Spot::Empty => format!("row {rows}/{rows}"),
        Spot::Option(name) => name.to_string(),
        Spot::Button => "button".to_owned(),
    })
}

/// Draws the pane inside its frame; returns where the caret belongs while something is typed.
pub fn view(state: &State, area: Rect, buf: &mut Buffer, scene: &Scene<'_>) -> Option<Position> {
    let theme = scene.theme();
    let Some(draft) = state.draft() else {
        let text = "No task is open. Enter on a task opens its form here.";
        let room = Rect::new(
            area.x + 1,
            area.y + 1,
            area.width.saturating_sub(2),
            area.height,
        );
        paragraph(text, Role::Dim, room.intersection(area), buf, theme);
        return None;
    };
    let page = Page {
        draft,
        preflight: check::preflight_of(draft, scene.shared),
        scene,
        theme,
        width: usize::from(area.width),
    };
    page.draw(area, buf)
}

/// What the form is drawn with.
pub(super) struct Page<'a> {
    pub(super) draft: &'a Draft,
    pub(super) preflight: Preflight,
    pub(super) scene: &'a Scene<'a>,
    pub(super) theme: Theme,
    pub(super) width: usize,
}

/// One line of the rows: a row, or what is said about it.
struct Shown {
    line: Line<'static>,
    /// Whether the cursor is on it.
    cursor: bool,
}

impl Page<'_> {
    fn draw(&self, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let mut above = vec![self.title(), self.facts()];
        if area.height >= 14 {
            above.push(Line::default());
        }
        let below = self.below(usize::from(area.height).saturating_sub(above.len() + 2));
        let high = |lines: &[Line<'_>]| u16::try_from(lines.len()).unwrap_or(u16::MAX);
        let (top, bottom) = (high(&above), high(&below));
        put(&above, area, buf);
        let rows = area.height.saturating_sub(top + bottom);
        let middle = Rect::new(area.x, area.y + top.min(area.height), area.width, rows);
        let foot = Rect::new(
            area.x,
            middle.bottom(),
            area.width,
            area.height.saturating_sub(top + rows),
        );
        put(&below, foot, buf);
        let typed = match &self.draft.json {
            Some(raw) => raw.editor.render(middle, buf, self.theme),
            None => self.rows(middle, buf),
        };
        let option = self.option_field(foot, buf);
        option
            .or(typed)
            .filter(|_| self.scene.focused && self.typing())
    }

    fn typing(&self) -> bool {
        matches!(self.draft.context(), Context::CallEdit | Context::CallJson)
    }

    pub(super) fn line(&self, role: Role, text: impl Into<String>) -> Line<'static> {
        Line::from(self.theme.span(role, text.into()))
    }

    pub(super) fn ellipsis(&self) -> &'static str {
        self.theme.glyphs().ellipsis
    }

    fn title(&self) -> Line<'static> {
        let json = key(Context::CallNav, Action::Json);
        let right = match self.draft.json {
            Some(_) => format!("JSON   {json} form"),
            None => String::new(),
        };
        let room = self.width.saturating_sub(cells(&right) + 1);
        let name = remote(self.draft.task.as_str());
        Line::from(vec![
            self.theme
                .span(Role::Accent, pad(&name, room, self.ellipsis())),
            Span::raw(" "),
            self.theme.span(Role::Dim, right),
        ])
    }

    /// `queue default · result kept · on 5/6 workers`.
    fn facts(&self) -> Line<'static> {
        let cluster = &self.scene.shared.cluster;
        let told = cluster.told_tasks();
        let source = match self.preflight.source {
            QueueSource::Celery | QueueSource::Default => String::new(),
            source => format!(" ({source})"),
        };
        let queue = format!("queue {}{source}", self.preflight.queue);
        let kept = match self.preflight.kept {
            Kept::Kept => "result kept",
            Kept::Ignored => "result not kept",
            Kept::Unknown => "result ?",
        };
        let on = match cluster.task(&self.draft.task) {
            Some(row) => format!("on {}/{told} workers", row.workers.len()),
            None if told == 0 => "registered ?".to_owned(),
            None => "not registered".to_owned(),
        };
        let dot = format!(" {} ", self.theme.glyphs().dot);
        let text = [remote(&queue), kept.to_owned(), on].join(&dot);
        self.line(Role::Dim, cut(&text, self.width, self.ellipsis()))
    }

    /// The rows and the empty one, scrolled so that the cursor is seen. Returns the caret.
    fn rows(&self, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let shown = self.shown();
        let cursor = shown.iter().position(|shown| shown.cursor);
        let scroll = Scroll {
            selected: cursor.unwrap_or_default(),
            offset: 0,
        };
        let window = scroll.window(shown.len(), usize::from(area.height));
        let mut caret = None;
        for (y, row) in (area.y..area.bottom()).zip(window) {
            let strip = Rect::new(area.x, y, area.width, 1);
            buf.set_line(area.x, y, &shown[row].line, area.width);
            if shown[row].cursor {
                caret = self.mark(strip, buf);
            }
        }
        caret
    }

    /// The marker of the row under the cursor, and the field while it is edited.
    fn mark(&self, strip: Rect, buf: &mut Buffer) -> Option<Position> {
        let style = self.theme.style(Role::Accent);
        buf.set_stringn(strip.x, strip.y, self.theme.glyphs().marker, 1, style);
        match &self.draft.field {
            Some(field) => {
                let room = strip.width.saturating_sub(2 + self.echo_width());
                let place = Rect::new(strip.x + 2.min(strip.width), strip.y, room, 1);
                field.render(place, buf, self.theme.style(Role::Fg))
            }
            None if self.scene.focused => {
                buf.set_style(strip, self.theme.style(Role::Select));
                None
            }
            None => None,
        }
    }

    fn shown(&self) -> Vec<Shown> {
        let rows = self.draft.rows_now();
        let problems = self.draft.problems();
        let mut shown = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            let new = place >= self.draft.rows.len();
            let cursor = self.draft.spot == Spot::Row(place) || new;
            let typed = cursor && self.draft.field.is_some();
            shown.push(Shown {
                line: self.row(row, typed),
                cursor,
            });
            let problem = problems.iter().find(|(spot, _)| *spot == Spot::Row(place));
            shown.extend(self.said(Role::Fail, problem.map(|(_, text)| text.as_str())));
            shown.extend(self.said(Role::Warn, row.warning().as_deref()));
        }
        if rows.len() == self.draft.rows.len() {
            shown.push(Shown {
                line: self.empty(rows.is_empty()),
                cursor: self.draft.spot == Spot::Empty,
            });
        }
        shown
    }

    fn said(&self, role: Role, text: Option<&str>) -> Vec<Shown> {
        let Some(text) = text else {
            return Vec::new();
        };
        let lines = wrap(
            &remote(&format!("! {text}")),
            self.width.saturating_sub(4).max(1),
        );
        let lines = lines.into_iter().take(3).map(|line| Shown {
            line: self.line(role, format!("    {line}")),
            cursor: false,
        });
        lines.collect()
    }

    fn echo_width(&self) -> u16 {
        u16::try_from((self.width * 2 / 5).clamp(8, 40)).unwrap_or(8)
    }

    /// `  x=2 ............ int 2`.
    fn row(&self, row: &Row, typed: bool) -> Line<'static> {
        let echo_width = usize::from(self.echo_width());
        let room = echo_width.saturating_sub(2);
        let echo = pad_left(&remote(&row.echo()), room, self.ellipsis());
        let echo = format!("{echo} ");
        let room = self.width.saturating_sub(2 + echo_width);
        let text = if typed {
            String::new()
        } else {
            remote(&row.text)
        };
        let text = pad(&text, room, self.ellipsis());
        let role = if row.item.is_ok() {
            Role::Dim
        } else {
            Role::Fail
        };
        let mut spans = vec![Span::raw("  ")];
        let split = row.name().map_or(0, str::len);
        match text.split_at_checked(split) {
            Some((name, rest)) if split > 0 && !typed => {
                spans.push(self.theme.span(Role::JsonKey, name.to_owned()));
                spans.push(Span::raw(rest.to_owned()));
            }
            _ => spans.push(Span::raw(text)),
        }
        spans.push(Span::raw(" "));
        spans.push(self.theme.span(role, echo));
        Line::from(spans)
    }

    fn empty(&self, first: bool) -> Line<'static> {
        let text = if first {
            "  argument: 2  x=2  note=text  x:decimal=1.5"
        } else {
            "  another argument"
        };
        let typed = self.draft.field.is_some() && self.draft.spot == Spot::Empty;
        let text = if typed && !first { "" } else { text };
        let text = if typed {
            format!("  {}", text.trim_start())
        } else {
            text.to_owned()
        };
        self.line(Role::Dim, cut(&text, self.width, ""))
    }
}

fn put(lines: &[Line<'_>], area: Rect, buf: &mut Buffer) {
    for (y, line) in (area.y..area.bottom()).zip(lines) {
        buf.set_line(area.x, y, line, area.width);
    }
}
