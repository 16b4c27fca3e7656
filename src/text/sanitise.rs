//! The one boundary where remote text is made safe to show: escape sequences, control and bidi characters become visible, never obeyed.

use std::borrow::Cow;

/// `text` on one line: all of [`show_lines`], and newlines and tabs visible too (`␊`, `␉`).
pub fn show(text: &str) -> Cow<'_, str> {
    let _ = text;
    unimplemented!()
}

/// `text` with its line breaks kept (`\r\n` and `\n`; tabs become spaces to the next multiple of 8 cells): C0, DEL, ESC as control pictures (`␛[31m`),
/// C1, bidi controls (U+202A-E, U+2066-9, U+200E, U+200F, U+061C), other invisible format characters that move the cursor or hide text, as `<U+202E>`. NFD is composed (NFC) for display.
pub fn show_lines(text: &str) -> Cow<'_, str> {
    let _ = text;
    unimplemented!()
}

/// How many characters of `text` [`show_lines`] makes visible.
pub fn hidden_count(text: &str) -> usize {
    let _ = text;
    unimplemented!()
}
