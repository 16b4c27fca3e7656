//! How the options of the call form look: three that are always seen on one line, what shows the others, the others one a line.

use std::borrow::Cow;

use ratatui::text::{Line, Span};

use super::draft::Spot;
use super::options::{ALWAYS, Entry, Row, TABLE};
use super::secret;
use super::view::{Mark, Page, Shown};
use crate::cli::options::Name;
use crate::text::width::{cells, cut, pad};
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::{key, remote};
use crate::tui::theme::Role;

/// Width of the first two options.
const OPTION: usize = 15;
/// Width of the names of the others: the longest and a blank.
const NAME: usize = 16;
/// Cells that a value has before what the option is about may stand behind it.
const VALUE: usize = 10;

impl Page<'_> {
    /// What always stays in its place: the first options and what shows the others. Nothing while all are listed.
    pub(super) fn pinned(&self) -> Vec<Shown> {
        if self.draft.open {
            return Vec::new();
        }
        vec![self.first(), self.more()]
    }

    /// All options with what is wrong with each; nothing while they are hidden.
    pub(super) fn listed(&self) -> Vec<Shown> {
        if !self.draft.open {
            return Vec::new();
        }
        let mut shown = vec![self.first()];
        for row in &TABLE[..ALWAYS] {
            shown.extend(self.wrong(row.name.into()));
        }
        shown.push(self.more());
        for row in &TABLE[ALWAYS..] {
            for entry in self.options.places(std::slice::from_ref(row)) {
                shown.push(self.option(row, entry));
                shown.extend(self.wrong(entry));
            }
        }
        shown
    }

    fn wrong(&self, entry: Entry) -> Vec<Shown> {
        self.said(Role::Fail, self.problem(Spot::Option(entry)))
    }

    /// ` timeout 10s    expires none   queue auto: default`.
    fn first(&self) -> Shown {
        let mut spans = Vec::new();
        let mut cursor = None;
        for (place, row) in TABLE[..ALWAYS].iter().enumerate() {
            let entry = Entry::from(row.name);
            let last = place + 1 == ALWAYS;
            let width = if last {
                self.width.saturating_sub(OPTION * place)
            } else {
                OPTION
            };
            let lead = format!(" {} ", row.name);
            let room = width.saturating_sub(cells(&lead));
            if self.draft.spot == Spot::Option(entry) {
                let typed = if last { room } else { room.saturating_sub(1) };
                cursor = Some(mark(OPTION * place, cells(&lead), typed, width));
            }
            spans.push(self.theme.span(Role::Dim, lead));
            spans.push(self.value(entry, room));
        }
        Shown {
            line: Line::from(spans),
            cursor,
        }
    }

    /// ` o more options`, or those that are set: ` o options   priority 5   countdown 10s`.
    fn more(&self) -> Shown {
        let key = key(Context::CallNav, Action::Options);
        let set = self.options.set_ones();
        let word = match (self.draft.open, set.is_empty()) {
            (true, _) => "fewer options",
            (false, true) => "more options",
            (false, false) => "options",
        };
        let lead = format!(" {key} {word}");
        let select = cells(&lead);
        let mut spans = vec![
            Span::raw(" "),
            self.theme.span(Role::Accent, key),
            self.theme.span(Role::Dim, format!(" {word}")),
        ];
        let mut room = self.width.saturating_sub(select);
        for (entry, text) in set.iter().filter(|_| !self.draft.open) {
            let role = self.role(*entry);
            let text = self.veiled(*entry, text);
            let text = format!("   {} {}", entry.name, remote(&text));
            let text = cut(&text, room, self.ellipsis());
            room -= cells(&text).min(room);
            spans.push(self.theme.span(role, text));
        }
        Shown {
            line: Line::from(spans),
            cursor: (self.draft.spot == Spot::More).then(|| mark(0, 0, 0, select)),
        }
    }

    /// `  priority        5            0 to 255`.
    fn option(&self, row: &Row, entry: Entry) -> Shown {
        let name = pad(&row.name.to_string(), NAME, "");
        let name = if entry.nth > 0 {
            " ".repeat(NAME)
        } else {
            name
        };
        let room = self.width.saturating_sub(2 + NAME);
        let shown = self.options.shown(entry);
        let value = cells(&remote(&self.veiled(entry, &shown)));
        let fits = |about: &String| value.max(VALUE) + cells(about) + 3 <= room;
        let about = [row.words().join(" "), row.about.to_owned()];
        let about = about
            .into_iter()
            .find(|about| !about.is_empty() && fits(about));
        let here = self.draft.spot == Spot::Option(entry);
        let typed = here && self.draft.field.is_some();
        let mut spans = vec![Span::raw("  "), self.theme.span(Role::Dim, name)];
        match about.filter(|_| !typed) {
            Some(about) => {
                spans.push(self.value(entry, room.saturating_sub(cells(&about) + 3)));
                spans.push(self.theme.span(Role::Dim, format!("  {about} ")));
            }
            None => spans.push(self.value(entry, room)),
        }
        Shown {
            line: Line::from(spans),
            cursor: here.then(|| mark(0, 2 + NAME, room, self.width)),
        }
    }

    fn value(&self, entry: Entry, room: usize) -> Span<'static> {
        let mut text = self.options.shown(entry);
        if entry.name == Name::Queue && !self.options.is_set(entry) {
            text = format!("{text}: {}", self.preflight.queue);
        }
        let text = self.veiled(entry, &text);
        let text = pad(&remote(&text), room, self.ellipsis());
        self.theme.span(self.role(entry), text)
    }

    /// The text of an option, the secret of a header covered.
    fn veiled<'t>(&self, entry: Entry, text: &'t str) -> Cow<'t, str> {
        let parts = secret::in_option(entry, text, &self.secrets);
        self.veil(&parts).over(text, 0)
    }

    fn role(&self, entry: Entry) -> Role {
        let wrong = self.problem(Spot::Option(entry)).is_some();
        let further = TABLE[ALWAYS..].iter().any(|row| row.name == entry.name);
        match (wrong, self.options.is_set(entry)) {
            (true, _) => Role::Fail,
            (false, false) if further => Role::Dim,
            _ => Role::Fg,
        }
    }
}

fn mark(at: usize, lead: usize, width: usize, select: usize) -> Mark {
    let cells = |cells: usize| u16::try_from(cells).unwrap_or(u16::MAX);
    Mark {
        at: cells(at),
        text: cells(at + lead),
        width: cells(width),
        select: cells(select),
    }
}
