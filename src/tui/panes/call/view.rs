//! How the call form looks: what it is, its rows, its options, the Python call, what stands against it, the button.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::State;
use super::check;
use super::draft::{Draft, Spot};
use super::options::Texts;
use super::row::Row;
use super::secret;
use crate::call::preflight::Preflight;
use crate::history::Secrets;
use crate::text::width::{cells, cut, pad, pad_left, wrap};
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::{Scene, key, paragraph, remote};
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::{Scroll, Veil};

/// Bytes at most of what takes one cell, marks and all.
const WIDEST: usize = 32;

/// Lines that are said about a row or an option at most.
const SAID: usize = 4;

/// The word at the right of the title.
pub fn right(state: &State, scene: &Scene<'_>) -> Option<(Role, String)> {
    let draft = state.draft()?;
    let problems = check::problems(draft, scene.shared, scene.now).len();
    let seen = check::preflight_of(draft, scene.shared, scene.now);
    let refused = seen.refusal.is_some();
    let doubts = draft.doubts(scene.now.wall).len() + seen.warnings.len();
    let unwritable = check::unwritable(draft, scene.now).is_some();
    let problems = problems + usize::from(refused) + usize::from(unwritable);
    Some(match (problems, doubts) {
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
    if let Some(raw) = draft.json.as_ref().filter(|_| draft.spot == Spot::Empty) {
        let (line, column) = raw.editor.position();
        return Some(format!("{line}:{column}"));
    }
    let rows = draft.rows.len() + 1;
    Some(match draft.spot {
        Spot::Row(row) => format!("row {}/{rows}", row + 1),
        Spot::Empty => format!("row {rows}/{rows}"),
        Spot::Option(entry) => entry.name.to_string(),
        Spot::More => "options".to_owned(),
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
        secrets: draft.secrets(scene.shared.secrets()),
        options: draft.options_now(),
        problems: check::problems(draft, scene.shared, scene.now),
        unwritable: check::unwritable(draft, scene.now),
        preflight: check::preflight_of(draft, scene.shared, scene.now),
        scene,
        theme,
        width: usize::from(area.width),
    };
    page.draw(area, buf)
}

/// What the form is drawn with.
pub(super) struct Page<'a> {
    pub(super) draft: &'a Draft,
    /// What is secret in it.
    pub(super) secrets: Cow<'a, Secrets>,
    /// The options with what is being typed.
    pub(super) options: Cow<'a, Texts>,
    pub(super) problems: Vec<(Spot, String)>,
    /// Why it cannot be written as a message.
    pub(super) unwritable: Option<String>,
    pub(super) preflight: Arc<Preflight>,
    pub(super) scene: &'a Scene<'a>,
    pub(super) theme: Theme,
    pub(super) width: usize,
}

/// One line of the rows and options, or what is said about it.
pub(super) struct Shown {
    pub(super) line: Line<'static>,
    /// Where the cursor's mark and the field belong, if the cursor is on this line.
    pub(super) cursor: Option<Mark>,
}

/// The cursor on a line, in cells from its left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// The marker.
    pub(super) at: u16,
    /// The text, while it is typed.
    pub(super) text: u16,
    /// Cells of that text.
    pub(super) width: u16,
    /// What is highlighted: as many cells from the marker on.
    pub(super) select: u16,
}

impl Page<'_> {
    fn draw(&self, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let mut above = vec![self.title()];
        above.extend(self.facts());
        above.extend(self.from());
        if area.height >= 14 && !self.draft.open {
            above.push(Line::default());
        }
        let [head, middle, pinned, foot] = self.places(&above, area);
        put(&above, head, buf);
        put(&self.below(usize::from(foot.height)), foot, buf);
        let mut list = self.listed();
        let caret = if let Some(raw) = &self.draft.json {
            let (editor, options) = split(middle, list.len());
            let parts = self.draft.secret_document(&self.secrets);
            let veil = self.veil(&parts);
            let typed = raw.editor.render_veiled(editor, buf, self.theme, veil);
            self.list(&list, options, buf).or(typed)
        } else {
            list.splice(0..0, self.rows());
            self.list(&list, middle, buf)
        };
        let option = self.list(&self.pinned(), pinned, buf);
        option
            .or(caret)
            .filter(|_| self.scene.focused && self.typing())
    }

    /// From the top: what it is, rows, the options that are always seen, what is below them.
    fn places(&self, above: &[Line<'_>], area: Rect) -> [Rect; 4] {
        let high = |lines: usize| u16::try_from(lines).unwrap_or(u16::MAX);
        let top = high(above.len()).min(area.height);
        let left = area.height - top;
        // Two lines stay for the rows, and the button is always seen.
        let pinned = high(self.pinned().len()).min(left.saturating_sub(3));
        let most = left.saturating_sub(2 + pinned).max(1).min(left);
        let foot = high(self.below(usize::from(most)).len()).min(left);
        let middle = left.saturating_sub(pinned + foot);
        let strip = |y: u16, height: u16| Rect::new(area.x, area.y + y, area.width, height);
        [
            strip(0, top),
            strip(top, middle),
            strip(top + middle, pinned),
            strip(area.height - foot, foot),
        ]
    }

    /// Covers these parts of a text.
    pub(super) fn veil<'p>(&self, parts: &'p [Range<usize>]) -> Veil<'p> {
        let glyph = self.theme.glyphs().veil;
        Veil { parts, glyph }
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

    /// Where the call was made that was loaded, if at another broker, and where it goes.
    fn from(&self) -> Vec<Line<'static>> {
        let Some(from) = &self.draft.from else {
            return Vec::new();
        };
        let here = &self.scene.shared.target.broker;
        let text = format!("! made at {from}; it goes to {here} now");
        self.wrapped(vec![(Role::Warn, text.into())])
    }

    /// Lines scrolled so that the cursor, and what is said about it, is seen. Returns the caret.
    fn list(&self, list: &[Shown], area: Rect, buf: &mut Buffer) -> Option<Position> {
        let cursor = list.iter().position(|shown| shown.cursor.is_some());
        let cursor = cursor.unwrap_or_default();
        let height = usize::from(area.height);
        let window = |selected| {
            let scroll = Scroll {
                selected,
                offset: 0,
            };
            scroll.window(list.len(), height)
        };
        let window = Some(window(cursor + SAID))
            .filter(|window| window.contains(&cursor))
            .unwrap_or_else(|| window(cursor));
        let mut caret = None;
        for (y, row) in (area.y..area.bottom()).zip(window) {
            let strip = Rect::new(area.x, y, area.width, 1);
            buf.set_line(area.x, y, &list[row].line, area.width);
            if let Some(mark) = list[row].cursor {
                caret = self.mark(mark, strip, buf);
            }
        }
        caret
    }

    /// The marker under the cursor, and the field while something is typed there.
    fn mark(&self, mark: Mark, strip: Rect, buf: &mut Buffer) -> Option<Position> {
        let cells = |from: u16, width: u16| {
            Rect::new(strip.x.saturating_add(from), strip.y, width, 1).intersection(strip)
        };
        let marker = cells(mark.at, 1);
        if marker.is_empty() {
            return None;
        }
        let style = self.theme.style(Role::Accent);
        buf.set_stringn(marker.x, marker.y, self.theme.glyphs().marker, 1, style);
        match &self.draft.field {
            Some(field) => {
                let place = cells(mark.text, mark.width);
                let width = usize::from(place.width);
                let style = self.theme.style(Role::Fg);
                // The empty row keeps its examples until something is typed.
                if !(field.is_empty() && self.draft.spot == Spot::Empty) {
                    buf.set_stringn(place.x, place.y, " ".repeat(width), width, style);
                }
                let parts = self.draft.secret_typed(&self.secrets);
                field.render_veiled(place, buf, style, self.veil(&parts))
            }
            None if self.scene.focused => {
                buf.set_style(cells(mark.at, mark.select), self.theme.style(Role::Select));
                None
            }
            None => None,
        }
    }

    /// The rows and the empty one.
    fn rows(&self) -> Vec<Shown> {
        let rows = self.draft.rows_now();
        let width = u16::try_from(self.width).unwrap_or(u16::MAX);
        let mark = Mark {
            at: 0,
            text: 2,
            width: width.saturating_sub(2 + self.echo_width()),
            select: width,
        };
        let secret = self.draft.secret_rows(&self.secrets);
        let mut shown = Vec::new();
        for (place, (row, secret)) in rows.iter().zip(secret).enumerate() {
            let new = place >= self.draft.rows.len();
            // A new row is one that is being typed.
            let cursor = self.draft.spot == Spot::Row(place) || new;
            let typed = cursor && self.draft.field.is_some();
            shown.push(Shown {
                line: self.row(row, secret, typed),
                cursor: cursor.then_some(mark),
            });
            shown.extend(self.said(Role::Fail, self.problem(Spot::Row(place))));
            shown.extend(self.said(Role::Warn, row.warning()));
        }
        if rows.len() == self.draft.rows.len() {
            shown.push(Shown {
                line: self.empty(rows.is_empty()),
                cursor: (self.draft.spot == Spot::Empty).then_some(mark),
            });
        }
        shown
    }

    /// What is wrong at a place.
    pub(super) fn problem(&self, spot: Spot) -> Option<&str> {
        let problem = self.problems.iter().find(|(at, _)| *at == spot);
        problem.map(|(_, text)| text.as_str())
    }

    pub(super) fn said(&self, role: Role, text: Option<&str>) -> Vec<Shown> {
        let Some(text) = text else {
            return Vec::new();
        };
        let lines = wrap(
            &remote(&format!("! {text}")),
            self.width.saturating_sub(4).max(1),
        );
        let lines = lines.into_iter().take(SAID).map(|line| Shown {
            line: self.line(role, format!("    {line}")),
            cursor: None,
        });
        lines.collect()
    }

    fn echo_width(&self) -> u16 {
        u16::try_from((self.width * 2 / 5).clamp(8, 40)).unwrap_or(8)
    }

    /// `  x=2 ............ int 2`; of a secret only its type is told.
    fn row(&self, row: &Row, secret: &[Range<usize>], typed: bool) -> Line<'static> {
        let echo_width = usize::from(self.echo_width());
        let room = echo_width.saturating_sub(2);
        let echo = if secret.is_empty() {
            row.echo()
        } else {
            secret::echo(row)
        };
        let echo = pad_left(&remote(&echo), room, self.ellipsis());
        let echo = format!("{echo} ");
        let room = self.width.saturating_sub(2 + echo_width);
        let text = if typed {
            String::new()
        } else {
            // Of a long text no more is looked at than has room, whatever its characters are.
            let end = row.text.floor_char_boundary(room * WIDEST);
            remote(&self.veil(secret).over(&row.text[..end], 0))
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

/// The document and the options share the middle.
fn split(area: Rect, options: usize) -> (Rect, Rect) {
    let wanted = u16::try_from(options).unwrap_or(u16::MAX);
    let options = wanted.min(area.height.div_ceil(2));
    let editor = area.height - options;
    (
        Rect::new(area.x, area.y, area.width, editor),
        Rect::new(area.x, area.y + editor, area.width, options),
    )
}
