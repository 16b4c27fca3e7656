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
    row(&[plain(KeyCode::PageUp)], Edit::PageUp, "a page (JSON)"),
    row(&[plain(KeyCode::PageDown)], Edit::PageDown, "a page (JSON)"),
    row(
        &[
            alt(KeyCode::Char('b')),
            ctrl_code(KeyCode::Left),
            alt(KeyCode::Left),
        ],
        Edit::WordLeft,
        "a word left, right",
    ),
    row(
        &[
            alt(KeyCode::Char('f')),
            ctrl_code(KeyCode::Right),
            alt(KeyCode::Right),
        ],
        Edit::WordRight,
        "a word left, right",
    ),
    row(
        &[ctrl('a'), plain(KeyCode::Home)],
        Edit::Home,
        "start, end of the line",
    ),
    row(
        &[ctrl('e'), plain(KeyCode::End)],
        Edit::End,
        "start, end of the line",
    ),
    row(
        &[plain(KeyCode::Backspace), ctrl('h')],
        Edit::Backspace,
        "remove before, after",
    ),
    row(
        &[plain(KeyCode::Delete), ctrl('d')],
        Edit::Delete,
        "remove before, after",
    ),
    row(
        &[ctrl('w'), alt(KeyCode::Backspace)],
        Edit::KillWord,
        "remove a word",
    ),
    row(
        &[alt(KeyCode::Char('d'))],
        Edit::KillNextWord,
        "remove a word",
    ),
    row(&[ctrl('u')], Edit::KillToStart, "remove to start, end"),
    row(&[ctrl('k')], Edit::KillToEnd, "remove to start, end"),
    row(&[ctrl('y')], Edit::Yank, "put back the removed"),
    row(&[ctrl('7'), ctrl('_'), ctrl('/')], Edit::Undo, "undo, redo"),
    row(&[ctrl('6'), ctrl('^')], Edit::Redo, "undo, redo"),
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

/// The editing keys for the help: the first of each way to edit; the others are what other terminals or habits send.
pub fn section() -> Section {
    let mut entries: Vec<(Vec<Key>, &'static str)> = Vec::new();
    for row in TABLE {
        let shown = &row.keys[..1];
        match entries.iter_mut().find(|(_, help)| *help == row.help) {
            Some((keys, _)) => keys.extend_from_slice(shown),
            None => entries.push((shown.to_vec(), row.help)),
        }
    }
    let entries = entries.into_iter().map(|(keys, help)| (names(&keys), help));
    ("Edit text".to_owned(), entries.collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crossterm::event::KeyModifiers;
    use strum::IntoEnumIterator;

    use super::*;
    use crate::tui::keymap::{Context, lookup};

    #[test]
    fn no_key_edits_in_two_ways() {
        let mut seen = HashSet::new();
        for key in TABLE.iter().flat_map(|row| row.keys) {
            assert!(seen.insert(*key), "{key}");
        }
    }

    #[test]
    fn every_edit_has_a_key() {
        for wanted in Edit::iter().filter(|edit| !matches!(edit, Edit::Insert(_))) {
            assert!(TABLE.iter().any(|row| row.edit == wanted), "{wanted:?}");
        }
    }

    #[test]
    fn every_editing_key_edits_in_the_json_editor() {
        for row in TABLE {
            for key in row.keys {
                assert_eq!(lookup(Context::CallJson, key.event()), None, "{key}");
                assert_eq!(edit(key.event()), Some(row.edit), "{key}");
            }
        }
    }

    #[test]
    fn control_and_alt_type_nothing() {
        for modifiers in [KeyModifiers::CONTROL, KeyModifiers::ALT] {
            assert_eq!(edit(KeyEvent::new(KeyCode::Char('x'), modifiers)), None);
        }
    }

    #[test]
    fn shift_types_what_the_terminal_says() {
        let key = KeyEvent::new(KeyCode::Char('Ä'), KeyModifiers::SHIFT);
        assert_eq!(edit(key), Some(Edit::Insert('Ä')));
    }
}
