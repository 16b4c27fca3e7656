//! The keys that edit text. They hold wherever keys are text, after the table of commands was asked.

use crossterm::event::{KeyCode, KeyEvent};

use super::key::{Key, alt, ctrl, ctrl_code, names, plain};
use super::{Section, key};
use crate::tui::widgets::Edit;

/// One way to edit.
struct Row {
    keys: &'static [Key],
    edit: Edit,
    help: &'static str,
}

const fn row(keys: &'static [Key], edit: Edit, help: &'static str) -> Row {
    Row { keys, edit, help }
}

/// Where two keys are given, the first is the one that help shows first. Ctrl-J is what a pasted line break looks like without brackets.
static TABLE: &[Row] = &[
    row(
        &[plain(KeyCode::Left), ctrl('b')],
        Edit::Left,
        "left, right",
    ),
    row(
        &[plain(KeyCode::Right), ctrl('f')],
        Edit::Right,
        "left, right",
    ),
    row(&[plain(KeyCode::Up)], Edit::Up, "up, down (JSON)"),
    row(&[plain(KeyCode::Down)], Edit::Down, "up, down (JSON)"),
    row(
        &[plain(KeyCode::PageUp)],
        Edit::PageUp,
        "lines up, down (JSON)",
    ),
    row(
        &[plain(KeyCode::PageDown)],
        Edit::PageDown,
        "lines up, down (JSON)",
    ),
    row(
        &[
            alt(KeyCode::Char('b')),
            ctrl_code(KeyCode::Left),
            alt(KeyCode::Left),
        ],
        Edit::WordLeft,
        "word left",
    ),
    row(
        &[
            alt(KeyCode::Char('f')),
            ctrl_code(KeyCode::Right),
            alt(KeyCode::Right),
        ],
        Edit::WordRight,
        "word right",
    ),
    row(
        &[ctrl('a'), plain(KeyCode::Home)],
        Edit::Home,
        "start of the line",
    ),
    row(
        &[ctrl('e'), plain(KeyCode::End)],
        Edit::End,
        "end of the line",
    ),
    row(
        &[plain(KeyCode::Backspace), ctrl('h')],
        Edit::Backspace,
        "remove before",
    ),
    row(
        &[plain(KeyCode::Delete), ctrl('d')],
        Edit::Delete,
        "remove after",
    ),
    row(
        &[ctrl('w'), alt(KeyCode::Backspace)],
        Edit::KillWord,
        "remove the word before",
    ),
    row(
        &[alt(KeyCode::Char('d'))],
        Edit::KillNextWord,
        "remove the word after",
    ),
    row(&[ctrl('u')], Edit::KillToStart, "remove up to the start"),
    row(&[ctrl('k')], Edit::KillToEnd, "remove up to the end"),
    row(&[ctrl('y')], Edit::Yank, "put back what was removed"),
    row(&[ctrl('7'), ctrl('_'), ctrl('/')], Edit::Undo, "undo"),
    row(&[ctrl('6'), ctrl('^')], Edit::Redo, "redo"),
    row(
        &[plain(KeyCode::Enter), ctrl('j')],
        Edit::Newline,
        "new line (JSON)",
    ),
];

/// What `key` does to text that is being edited; `None` if it is no editing key.
pub fn edit(key: KeyEvent) -> Option<Edit> {
    let row = TABLE
        .iter()
        .find(|row| row.keys.iter().any(|bound| bound.is(key)));
    row.map(|row| row.edit).or_else(|| insertion(key))
}

fn insertion(key: KeyEvent) -> Option<Edit> {
    match key.code {
        KeyCode::Char(char) if key::is_typable(key) => Some(Edit::Insert(char)),
        _ => None,
    }
}

/// The editing keys for the help.
pub fn section() -> Section {
    let mut entries: Vec<(Vec<Key>, &'static str)> = Vec::new();
    for row in TABLE {
        // The last of three spellings is what other terminals send for the same key.
        let shown = &row.keys[..row.keys.len().min(2)];
        let shown = if row.edit == Edit::Undo || row.edit == Edit::Redo {
            &shown[..1]
        } else {
            shown
        };
        match entries.iter_mut().find(|(_, help)| *help == row.help) {
            Some((keys, _)) => keys.extend_from_slice(shown),
            None => entries.push((shown.to_vec(), row.help)),
        }
    }
    let entries = entries.into_iter().map(|(keys, help)| (names(&keys), help));
    ("Edit text".to_owned(), entries.collect())
}
