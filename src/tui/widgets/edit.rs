//! What can be done to text that is being edited. Which keys mean it is the keymap's matter ([`crate::tui::keymap::edit`]).

/// One change of, or movement in, edited text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::EnumIter)]
pub enum Edit {
    /// A character is typed.
    Insert(char),
    /// A line break (in [`super::Field`] nothing).
    Newline,
    /// Remove the grapheme before the caret.
    Backspace,
    /// Remove the grapheme after the caret.
    Delete,
    /// One grapheme to the left.
    Left,
    /// One grapheme to the right.
    Right,
    /// One line up (in [`super::Field`] nothing).
    Up,
    /// One line down (in [`super::Field`] nothing).
    Down,
    /// Some lines up (in [`super::Field`] nothing).
    PageUp,
    /// Some lines down (in [`super::Field`] nothing).
    PageDown,
    /// To the start of the word.
    WordLeft,
    /// To the start of the next word.
    WordRight,
    /// To the start of the line.
    Home,
    /// To the end of the line.
    End,
    /// Remove up to the end of the line.
    KillToEnd,
    /// Remove up to the start of the line.
    KillToStart,
    /// Remove the word before the caret.
    KillWord,
    /// Remove the word after the caret.
    KillNextWord,
    /// Insert what was removed last by one of the kills.
    Yank,
    /// Undo.
    Undo,
    /// Redo.
    Redo,
}

/// What an [`Edit`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edited {
    /// The text is another.
    Changed,
    /// The caret moved.
    Moved,
    /// Nothing: at an end, or not for this widget.
    Nothing,
}
