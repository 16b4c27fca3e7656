//! The one boundary where remote text is made safe to show: escape sequences, control and bidi characters become visible, never obeyed.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::width;

/// Cells from one tab stop to the next.
const TAB: usize = 8;

/// `text` on one line: all of [`show_lines`], and newlines and tabs visible too (`␊`, `␉`).
pub fn show(text: &str) -> Cow<'_, str> {
    if is_plain(text, Layout::OneLine) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.nfc().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\r' if chars.peek() == Some(&'\n') => {}
            _ => push_visible(&mut out, char),
        }
    }
    Cow::Owned(out)
}

/// `text` with its line breaks kept (`\r\n` and `\n`; tabs become spaces to the next multiple of 8 cells): C0, DEL, ESC as control pictures (`␛[31m`),
/// C1, bidi controls (U+202A-E, U+2066-9, U+200E, U+200F, U+061C), other invisible format characters that move the cursor or hide text, as `<U+202E>`. NFD is composed (NFC) for display.
pub fn show_lines(text: &str) -> Cow<'_, str> {
    if is_plain(text, Layout::Lines) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    // Where the text since the last line break or tab stop begins: only it counts for the next tab.
    let mut stop = 0;
    let mut chars = text.nfc().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' => {
                out.push('\n');
                stop = out.len();
            }
            '\t' => {
                let used = width::cells(&out[stop..]) % TAB;
                out.extend(std::iter::repeat_n(' ', TAB - used));
                stop = out.len();
            }
            _ => push_visible(&mut out, char),
        }
    }
    Cow::Owned(out)
}

/// How many characters of `text` [`show_lines`] makes visible.
pub fn hidden_count(text: &str) -> usize {
    let mut chars = text.chars().peekable();
    let mut hidden = 0;
    while let Some(char) = chars.next() {
        let breaks = char == '\r' && chars.peek() == Some(&'\n');
        let kept = matches!(char, '\n' | '\t') || breaks;
        hidden += usize::from(!kept && is_hidden(char));
    }
    hidden
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    OneLine,
    Lines,
}

fn is_plain(text: &str, layout: Layout) -> bool {
    let newline = layout == Layout::Lines;
    let safe = |byte: u8| (0x20..0x7f).contains(&byte) || newline && byte == b'\n';
    if text.bytes().all(safe) {
        return true;
    }
    let keeps = |char| newline && char == '\n' || !is_hidden(char);
    text.chars().all(keeps) && is_nfc(text)
}

/// Whether a character would be obeyed by the terminal, or hides or reorders text.
fn is_hidden(char: char) -> bool {
    char.is_control() || is_invisible(char)
}

/// Bidi controls and invisible format characters. Joiners (U+200C, U+200D) and variation selectors stay: scripts and emoji need them.
fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{00AD}'
        | '\u{034F}'
        | '\u{061C}'
        | '\u{115F}'
        | '\u{1160}'
        | '\u{17B4}'
        | '\u{17B5}'
        | '\u{180E}'
        | '\u{200B}'
        | '\u{200E}'
        | '\u{200F}'
        | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{3164}'
        | '\u{FEFF}'
        | '\u{FFA0}'
        | '\u{FFF9}'..='\u{FFFB}'
        | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E007F}')
}

fn push_visible(out: &mut String, char: char) {
    let code = u32::from(char);
    match code {
        0..0x20 => out.extend(char::from_u32(0x2400 + code)),
        0x7f => out.push('␡'),
        _ if is_hidden(char) => {
            // Writing to a String never fails.
            let _ = write!(out, "<U+{code:04X}>");
        }
        _ => out.push(char),
    }
}
