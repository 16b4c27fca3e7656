//! Input as the state sees it: crossterm's events without what we do not use.

/// A key press, a paste, a new size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed (not released). `burst` tells that another key came within 30 ms before or after: it may be an unbracketed paste.
    Key {
        /// The key.
        key: crossterm::event::KeyEvent,
        /// Whether it looks like part of a paste.
        burst: bool,
    },
    /// A bracketed paste.
    Paste(String),
    /// The terminal has another size, in cells.
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
}
