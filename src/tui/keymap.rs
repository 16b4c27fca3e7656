//! The one table of keys ([`table`]): bindings, footer hints and help are all made from it. No key is spelled anywhere else.
//!
//! In contexts where keys are text ([`Context::is_text`]) first ask [`lookup`], then [`edit`]: what is neither does nothing.

pub mod editing;
pub mod key;
pub mod table;

use crossterm::event::KeyEvent;

pub use editing::edit;
pub use key::Key;
pub use table::Row;

/// Where the focus is, as far as keys are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::Display, strum::EnumIter)]
pub enum Context {
    /// The list of tasks.
    Tasks,
    /// Typing a filter (FILTER).
    Filter,
    /// Typing a task's name by hand (EDIT).
    TypeName,
    /// The call form, moving (NAV).
    CallNav,
    /// The call form, typing an ITEM or an option (EDIT).
    CallEdit,
    /// The call form as raw JSON (EDIT).
    CallJson,
    /// The Result pane with a call that ended, or none.
    Result,
    /// The Result pane with a call that is waited for, timed out or detached.
    Running,
    /// The list of calls.
    History,
    /// The queues.
    Queues,
    /// The workers.
    Workers,
    /// The help overlay.
    Help,
    /// A dialog that asks for capital Y.
    Confirm,
    /// The Welcome screen without a broker.
    Welcome,
}

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::Display, strum::EnumIter)]
pub enum Action {
    /// Move down / up one.
    Down,
    /// See [`Action::Down`].
    Up,
    /// First entry.
    First,
    /// Last entry.
    Last,
    /// A page down / up.
    PageDown,
    /// See [`Action::PageDown`].
    PageUp,
    /// Half a page down / up.
    HalfDown,
    /// See [`Action::HalfDown`].
    HalfUp,
    /// Commits what is typed and goes on / back, inside the form; never sends.
    NextField,
    /// See [`Action::NextField`].
    PreviousField,
    /// Next / previous pane.
    NextPane,
    /// See [`Action::NextPane`].
    PreviousPane,
    /// Pane by its number, 1 to 6.
    Pane(u8),
    /// Full screen for this pane, and back.
    Full,
    /// Filter.
    Filter,
    /// Back one level.
    Back,
    /// Close the overlay; at the top: quit.
    Quit,
    /// Help for this context.
    Help,
    /// Open, choose, fold, commit.
    Enter,
    /// Start typing.
    Edit,
    /// Remove the row.
    Remove,
    /// Add a row, or type a name that is not in the list.
    Add,
    /// Raw JSON and back.
    Json,
    /// Call.
    Call,
    /// Wait longer / shorter.
    Longer,
    /// See [`Action::Longer`].
    Shorter,
    /// Stop waiting, keep listening.
    Detach,
    /// Revoke, with confirmation.
    Revoke,
    /// Open the newest notice.
    OpenNotice,
    /// Copy.
    Copy,
    /// Ask again now, reconnect.
    Refresh,
    /// Stop the innermost thing; twice in 2 s quits.
    Interrupt,
    /// Draw everything anew.
    Repaint,
    /// Tree or flat list.
    ToggleTree,
    /// Show or hide Celery's own tasks.
    Builtins,
    /// Yes, in a dialog.
    Confirm,
    /// The key is kept for this feature, which is not built yet; the notice line says so.
    Planned(&'static str),
}

/// The mode word at the bottom left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "UPPERCASE")]
pub enum Mode {
    /// Keys are commands.
    Nav,
    /// Keys are text.
    Edit,
    /// Keys are text that narrows a list.
    Filter,
    /// A question waits for its answer.
    Dialog,
}

impl Context {
    /// The mode word of this context.
    pub fn mode(self) -> Mode {
        match self {
            Self::Filter => Mode::Filter,
            Self::TypeName | Self::CallEdit | Self::CallJson => Mode::Edit,
            Self::Confirm => Mode::Dialog,
            _ => Mode::Nav,
        }
    }

    /// Whether printable keys are text here.
    pub fn is_text(self) -> bool {
        matches!(self.mode(), Mode::Edit | Mode::Filter)
    }

    /// What this context is called in the title of its help.
    pub fn title(self) -> &'static str {
        match self {
            Self::Tasks => "Tasks",
            Self::Filter => "Filter",
            Self::TypeName => "Type a name",
            Self::CallNav => "Call form",
            Self::CallEdit => "Call form, typing",
            Self::CallJson => "Call as JSON",
            Self::Result => "Result",
            Self::Running => "Running call",
            Self::History => "History",
            Self::Queues => "Queues",
            Self::Workers => "Workers",
            Self::Help => "Help",
            Self::Confirm => "Question",
            Self::Welcome => "Welcome",
        }
    }
}

/// The action of `key` in `context`.
pub fn lookup(context: Context, key: KeyEvent) -> Option<Action> {
    let row = table::rows(context).find(|row| row.keys.iter().any(|bound| bound.is(key)))?;
    Some(row.action)
}

/// Whether `key` in `context` must do nothing when it may be part of a paste that came without brackets (`burst`): plain characters and Enter,
/// where they are commands. Movement, function and control keys are exempt, and so is everything where keys are text.
pub fn guarded(context: Context, key: KeyEvent) -> bool {
    let movement = matches!(
        lookup(context, key),
        Some(Action::Down | Action::Up | Action::First | Action::Last)
    );
    !context.is_text() && key::is_typable(key) && !movement
}

/// The footer's hints for `context` in order of use: keys as shown and a word or two each. Help is the last one.
pub fn hints(context: Context) -> Vec<(String, &'static str)> {
    let mut rows: Vec<&Row> = table::rows(context)
        .filter(|row| row.hint.is_some())
        .collect();
    rows.sort_by_key(|row| row.hint.map(|hint| hint.rank));
    let mut hints: Vec<(String, &'static str)> = Vec::new();
    for row in rows {
        let (Some(hint), Some(key)) = (row.hint, row.keys.first()) else {
            continue;
        };
        match hints.last_mut() {
            Some((keys, word)) if *word == hint.word => {
                keys.push('/');
                keys.push_str(&key.to_string());
            }
            _ => hints.push((key.to_string(), hint.word)),
        }
    }
    hints
}

/// As many of [`hints`] as fit in `width` cells, two blanks between them. Help is never left out.
pub fn footer(context: Context, width: usize) -> Vec<(String, &'static str)> {
    let mut hints = hints(context);
    while hints.len() > 1 && cells_of(&hints) > width {
        hints.remove(hints.len() - 2);
    }
    hints
}

fn cells_of(hints: &[(String, &'static str)]) -> usize {
    let wide = |(keys, word): &(String, &str)| keys.len() + 1 + word.len() + 2;
    hints.iter().map(wide).sum::<usize>().saturating_sub(2)
}

/// A heading and its entries: keys as shown, and what they do.
pub type Section = (String, Vec<(String, &'static str)>);

/// Help: the bindings of `context` first, then those of the others; grouped by heading.
pub fn help(context: Context) -> Vec<Section> {
    let here = table::rows(context).filter(|row| !matches!(row.action, Action::Planned(_)));
    let mut rows: Vec<&Row> = here.collect();
    rows.sort_by_key(|row| row.contexts.len() > table::SHARED);
    let mut sections = sections(rows);
    if context.is_text() {
        sections.push(editing::section());
    }
    sections.extend(others(context));
    sections
}

/// What can be done elsewhere: every row that is not bound here, under its own heading.
fn others(context: Context) -> Vec<Section> {
    let elsewhere = table::TABLE.iter().filter(|row| {
        !row.contexts.contains(&context) && !matches!(row.action, Action::Planned(_))
    });
    let mut sections = sections(elsewhere);
    if !context.is_text() {
        sections.push(editing::section());
    }
    sections
}

/// Rows with the same sentence under the same heading are one entry.
fn sections<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<Section> {
    let mut sections: Vec<(&str, Vec<(Vec<Key>, &'static str)>)> = Vec::new();
    for row in rows {
        let section = match sections
            .iter()
            .position(|(heading, _)| *heading == row.heading)
        {
            Some(index) => index,
            None => {
                sections.push((row.heading, Vec::new()));
                sections.len() - 1
            }
        };
        let entries = &mut sections[section].1;
        match entries.iter_mut().find(|(_, help)| *help == row.help) {
            Some((keys, _)) => keys.extend_from_slice(row.keys),
            None => entries.push((row.keys.to_vec(), row.help)),
        }
    }
    let named = |(keys, help): (Vec<Key>, &'static str)| (key::names(&keys), help);
    sections
        .into_iter()
        .map(|(heading, entries)| (heading.to_owned(), entries.into_iter().map(named).collect()))
        .collect()
}
