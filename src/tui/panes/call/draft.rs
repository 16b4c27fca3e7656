//! What has been typed for one task: rows, options, or a JSON document. Nothing typed is lost by moving about; nothing is sent from here.

use std::borrow::Cow;
use std::time::Duration;

use super::guard::Guard;
use super::json::{self, Arguments, Problem};
use super::options::{ALWAYS, Entry, TABLE, Texts};
use super::row::{Row, RowKey};
use super::secret::Lacking;
use super::seen::Seen;
use crate::call::preflight::no_keyword;
use crate::clock::{Moment, Timestamp};
use crate::history::Key;
use crate::protocol::TaskName;
use crate::tui::keymap::Context;
use crate::tui::panes::Typed;
use crate::tui::widgets::{Editor, Field};

/// A place of the form that the cursor can be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// A row, by its place.
    Row(usize),
    /// The ever-present empty row.
    Empty,
    /// An option.
    Option(Entry),
    /// What shows and hides the further options.
    More,
    /// The button.
    Button,
}

/// The form of one task.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Which task.
    pub task: TaskName,
    /// Its arguments, an ITEM each.
    pub rows: Vec<Row>,
    /// Where the cursor is.
    pub spot: Spot,
    /// What is being typed there.
    pub field: Option<Field>,
    /// How it is sent.
    pub options: Texts,
    /// Whether the further options are shown.
    pub open: bool,
    /// Whether something was changed since it was last sent.
    changed: bool,
    /// The document, while the form is raw JSON.
    pub json: Option<Raw>,
    /// The broker at which the call was made that was loaded, if it is another one.
    pub from: Option<String>,
    /// The call that this one repeats as it was, if that one had no outcome.
    pub repeats: Option<Key>,
    /// What stands between a key and a call that was not meant.
    pub guard: Guard,
    /// What is secret because a call of the past says so.
    pub(super) lacking: Lacking,
    /// What it means, read once after each change.
    pub(super) seen: Seen,
    next_key: u64,
    /// The timeout that counts where none is typed.
    wait: Duration,
}

/// The form as raw JSON.
#[derive(Clone, Debug)]
pub struct Raw {
    /// The document.
    pub editor: Editor,
    /// Whether keys are text.
    pub typing: bool,
    made_of: String,
}

impl Raw {
    fn is_changed(&self) -> bool {
        self.editor.text() != self.made_of
    }
}

impl Draft {
    /// An empty form.
    pub fn new(task: TaskName, timeout: Duration) -> Self {
        Self {
            task,
            rows: Vec::new(),
            spot: Spot::Empty,
            field: None,
            options: Texts::new(timeout),
            open: false,
            changed: false,
            json: None,
            from: None,
            repeats: None,
            guard: Guard::default(),
            lacking: Lacking::default(),
            seen: Seen::default(),
            next_key: 0,
            wait: timeout,
        }
    }

    /// What keys mean here.
    pub fn context(&self) -> Context {
        match (&self.field, &self.json) {
            (Some(_), _) => Context::CallEdit,
            (None, Some(raw)) if raw.typing => Context::CallJson,
            _ => match self.spot {
                Spot::Option(entry) if entry.is_choice() => Context::CallChoice,
                Spot::Option(_) => Context::CallOption,
                Spot::More => Context::CallMore,
                Spot::Button => Context::CallButton,
                Spot::Row(_) | Spot::Empty => Context::CallNav,
            },
        }
    }

    /// All places of the form, in order. A document is one place, that of the empty row.
    pub fn spots(&self) -> Vec<Spot> {
        let rows = if self.json.is_some() {
            0
        } else {
            self.rows.len()
        };
        let further = if self.open { TABLE.len() } else { ALWAYS };
        let always = self.options.places(&TABLE[..ALWAYS]);
        let further = self.options.places(&TABLE[ALWAYS..further]);
        let rows = (0..rows).map(Spot::Row).chain([Spot::Empty]);
        let options = always.map(Spot::Option).chain([Spot::More]);
        let options = options.chain(further.map(Spot::Option));
        rows.chain(options).chain([Spot::Button]).collect()
    }

    /// The place `by` further; the ends hold.
    pub fn beside(&self, by: isize) -> Spot {
        self.among(&self.spots(), by)
    }

    /// The place `by` further where something can be typed, or the button.
    pub fn typed_beside(&self, by: isize) -> Spot {
        let mut spots = self.spots();
        spots.retain(|spot| *spot != Spot::More);
        self.among(&spots, by)
    }

    fn among(&self, spots: &[Spot], by: isize) -> Spot {
        let here = spots.iter().position(|spot| *spot == self.spot);
        let to = here.unwrap_or_default().saturating_add_signed(by);
        spots.get(to).copied().unwrap_or(Spot::Button)
    }

    /// Shows or hides the further options; the cursor goes to the first of them, or back to what hides them.
    pub fn toggle_options(&mut self, now: Moment) {
        self.open = !self.open;
        let first = TABLE.get(ALWAYS).filter(|_| self.open);
        self.go(
            first.map_or(Spot::More, |row| Spot::Option(row.name.into())),
            now,
        );
    }

    /// The next or previous choice of the option under the cursor. False where there is nothing to choose.
    pub fn choose(&mut self, forward: bool) -> bool {
        let Spot::Option(entry) = self.spot else {
            return false;
        };
        self.changes();
        self.options.choose(entry, forward)
    }

    /// The cursor goes to `spot`; what was being typed is kept.
    pub fn go(&mut self, spot: Spot, now: Moment) {
        self.commit();
        self.spot = match spot {
            Spot::Row(row) if row >= self.rows.len() => Spot::Empty,
            // An emptied place of several closes up.
            Spot::Option(entry) if !self.spots().contains(&spot) => Spot::Option(Entry {
                nth: entry.nth.saturating_sub(1),
                ..entry
            }),
            spot => spot,
        };
        if spot == Spot::Button {
            self.guard.reached_button(now);
        }
    }

    /// Typing starts where the cursor is. False where nothing can be typed.
    pub fn start_typing(&mut self) -> bool {
        if let (Some(raw), Spot::Empty | Spot::Row(_)) = (&mut self.json, self.spot) {
            raw.typing = true;
            return true;
        }
        let text = match self.spot {
            Spot::Row(row) => match self.rows.get(row) {
                Some(row) if row.json_only => return false,
                Some(row) => row.text.clone(),
                None => String::new(),
            },
            Spot::Empty => String::new(),
            Spot::Option(entry) => self.options.text(entry).to_owned(),
            Spot::More | Spot::Button => return false,
        };
        self.field = Some(Field::new(text));
        self.look_anew();
        true
    }

    /// Typing ends; what was typed stands. Returns whether the user was typing.
    pub fn stop_typing(&mut self) -> bool {
        let raw = self.json.as_mut();
        let in_json = raw.is_some_and(|raw| std::mem::take(&mut raw.typing));
        self.commit() || in_json
    }

    /// What is being typed becomes a row or an option. An emptied row goes. Returns whether something was being typed.
    pub fn commit(&mut self) -> bool {
        let Some(mut field) = self.field.take() else {
            return false;
        };
        self.look_anew();
        let text = field.take();
        let blank = text.trim().is_empty();
        match self.spot {
            Spot::Row(row) if blank => self.remove(row),
            Spot::Row(row) => {
                if let Some(row) = self.rows.get_mut(row).filter(|row| row.text != text) {
                    *row = Row::typed(row.key, text);
                }
            }
            Spot::Empty if blank => {}
            Spot::Empty => {
                let key = self.key();
                self.rows.push(Row::typed(key, text));
            }
            Spot::Option(entry) => self.options.set(entry, &text),
            Spot::More | Spot::Button => {}
        }
        true
    }

    fn remove(&mut self, row: usize) {
        self.look_anew();
        if row < self.rows.len() {
            self.rows.remove(row);
        }
        if row >= self.rows.len() {
            self.spot = Spot::Empty;
        }
    }

    /// Removes the row under the cursor, or gives the option its default back. False where there is nothing to remove.
    pub fn remove_here(&mut self) -> bool {
        self.guard.disarm();
        match self.spot {
            Spot::Row(row) => self.remove(row),
            Spot::Option(entry) => self.options.set(entry, ""),
            Spot::Empty | Spot::More | Spot::Button => return false,
        }
        self.changes();
        true
    }

    /// It is another call from now on.
    fn changes(&mut self) {
        self.guard.disarm();
        self.look_anew();
        self.changed = true;
        self.repeats = None;
    }

    /// A key that is text, or a paste. Returns whether it was taken.
    pub fn text(&mut self, typed: Typed<'_>) -> bool {
        self.changes();
        match (&mut self.field, &mut self.json) {
            (Some(field), _) => typed.into_field(field),
            (None, Some(raw)) if raw.typing => typed.into_editor(&mut raw.editor),
            _ => false,
        }
    }

    /// It was sent as it is.
    pub fn sent(&mut self) {
        self.changed = false;
        self.repeats = None;
    }

    /// Whether it holds something typed that was not sent.
    pub fn is_unsent(&self) -> bool {
        let typing = self.field.as_ref().is_some_and(|field| !field.is_empty());
        let document = self.json.as_ref().is_some_and(Raw::is_changed);
        let holds = typing || document || !self.rows.is_empty() || !self.options.is_untouched();
        self.changed && holds
    }

    fn key(&mut self) -> RowKey {
        self.next_key += 1;
        RowKey(self.next_key)
    }

    /// The options with what is being typed just now.
    pub fn options_now(&self) -> Cow<'_, Texts> {
        let (Some(field), Spot::Option(entry)) = (&self.field, self.spot) else {
            return Cow::Borrowed(&self.options);
        };
        let mut options = self.options.clone();
        options.set(entry, field.text());
        Cow::Owned(options)
    }

    /// What is wrong with a call sent at `now`, and where, in the order of the form.
    pub fn problems(&self, now: Timestamp) -> Vec<(Spot, String)> {
        let mut problems = Vec::new();
        if let Some(problem) = self.json_problem() {
            problems.push((Spot::Empty, problem.text()));
        } else if self.json.is_none() {
            problems.extend(row_problems(self.rows_now()));
        }
        let options = self.options_now().problems(now);
        problems.extend(
            options
                .into_iter()
                .map(|(entry, text)| (Spot::Option(entry), text)),
        );
        problems
    }

    /// Doubts that a second press sets aside.
    pub fn doubts(&self, now: Timestamp) -> Vec<String> {
        let rows = self.rows_now();
        let rows = rows.iter().filter(|_| self.json.is_none());
        let about_rows = rows.filter_map(|row| row.warning().map(str::to_owned));
        about_rows.chain(self.doubts_of_all(now)).collect()
    }

    /// Those of them that are about no single row.
    pub fn doubts_of_all(&self, now: Timestamp) -> Vec<String> {
        let document = self.document().and_then(|read| read.as_ref().ok());
        let odd = document.is_some_and(|document| document.non_finite);
        let odd = odd.then(|| "NaN and Infinity are not JSON; Python reads them".to_owned());
        let keyword = no_keyword(&self.arguments().1);
        let options = self.options_now().options(now).1;
        odd.into_iter().chain(keyword).chain(options).collect()
    }

    /// The form becomes a document, or rows again. The rows keep their text if the document was not changed. The error says why it stays as it is.
    pub fn toggle_json(&mut self) -> Result<(), String> {
        self.look_anew();
        self.guard.disarm();
        match self.json.take() {
            None => self.become_json(),
            Some(raw) => self.become_rows(raw),
        }
    }

    fn become_json(&mut self) -> Result<(), String> {
        self.commit();
        if let Some((spot, problem)) = row_problems(&self.rows).into_iter().next() {
            self.spot = spot;
            self.start_typing();
            return Err(format!("{problem}; JSON cannot hold it"));
        }
        let text = json::write(self.arguments());
        self.unbind();
        self.look_anew();
        self.spot = Spot::Empty;
        self.json = Some(Raw {
            editor: Editor::new(&text),
            typing: true,
            made_of: text,
        });
        Ok(())
    }

    fn become_rows(&mut self, raw: Raw) -> Result<(), String> {
        let text = raw.editor.text();
        if !raw.is_changed() {
            self.bind();
            return Ok(());
        }
        match json::read(&text) {
            Ok(document) => {
                self.fill(&document.arguments);
                self.bind();
                Ok(())
            }
            Err(problem) => {
                self.json = Some(raw);
                self.jump_to(&problem);
                Err(problem.text())
            }
        }
    }

    /// The caret goes to the mistake.
    pub fn jump_to(&mut self, problem: &Problem) {
        if let (Some(raw), Some((line, column))) = (&mut self.json, problem.place) {
            raw.editor.jump(line, column);
        }
    }

    /// An empty form of the same task.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self::new(self.task.clone(), self.wait)
    }

    /// Rows that mean exactly these arguments.
    pub(super) fn fill(&mut self, (args, kwargs): &Arguments) {
        let args = args.iter().map(|value| (None, value));
        let kwargs = kwargs
            .iter()
            .map(|(name, value)| (Some(name.as_str()), value));
        let mut rows = Vec::new();
        for (name, value) in args.chain(kwargs) {
            rows.push(Row::of(self.key(), name, value));
        }
        self.rows = rows;
        self.look_anew();
        self.spot = Spot::Empty;
    }
}

/// Rows that mean nothing, and keywords that come a second time.
fn row_problems(rows: &[Row]) -> Vec<(Spot, String)> {
    let mut problems = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        let mut earlier = rows[..place].iter().filter_map(Row::name);
        let twice = row.name().filter(|name| earlier.any(|it| it == *name));
        if let Err(error) = &row.item {
            problems.push((Spot::Row(place), error.message.clone()));
        } else if let Some(name) = twice {
            problems.push((Spot::Row(place), format!("{name} is given twice")));
        }
    }
    problems
}
