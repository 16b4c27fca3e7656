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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("\u{1b}[31mred", "␛[31mred")]
    #[case("\u{1b}]52;c;aGk=\u{7}", "␛]52;c;aGk=␇")]
    #[case("\u{9b}2J", "<U+009B>2J")]
    #[case("a\u{7f}\u{0}", "a␡␀")]
    #[case("user\u{202e}txt.exe", "user<U+202E>txt.exe")]
    #[case("\u{2066}\u{200f}\u{61c}", "<U+2066><U+200F><U+061C>")]
    #[case("pass\u{200b}word\u{ad}\u{feff}", "pass<U+200B>word<U+00AD><U+FEFF>")]
    #[case("\u{e0041}", "<U+E0041>")]
    #[case("a\tb\nc\r\nd\re", "a␉b␊c␊d␍e")]
    #[case("ha\u{308}", "hä")]
    #[case("\u{1112}\u{1161}\u{11ab}", "한")]
    #[case("👩‍🔬 ❤️ می‌خواهم", "👩‍🔬 ❤️ می‌خواهم")]
    fn what_a_terminal_would_obey_is_shown(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(show(text), expected);
    }

    #[rstest]
    #[case("a\r\nb\nc\rd", "a\nb\nc␍d")]
    #[case("a\tb", "a       b")]
    #[case("12345678\tb", "12345678        b")]
    #[case("不\tb\tc", "不      b       c")]
    #[case("x\n\ty", "x\n        y")]
    #[case("\u{1b}\ty", "␛       y")]
    fn lines_and_tab_stops_are_kept(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(show_lines(text), expected);
    }

    #[rstest]
    #[case("plain text, with ž and 不 and 👩‍🔬")]
    #[case("")]
    fn what_is_harmless_is_not_copied(#[case] text: &str) {
        assert!(matches!(show(text), Cow::Borrowed(_)));
        assert!(matches!(show_lines(text), Cow::Borrowed(_)));
        assert!(matches!(show_lines("two\nlines, ž"), Cow::Borrowed(_)));
    }

    #[test]
    fn only_what_hides_is_counted() {
        assert_eq!(hidden_count("a\tb\r\nc\n"), 0);
        assert_eq!(hidden_count("\u{1b}[0m\r\u{202e}\u{85}"), 4);
    }

    #[test]
    fn a_huge_text_takes_linear_time() {
        let tabs = "a\t".repeat(500_000);
        assert_eq!(show_lines(&tabs).len(), 4_000_000);
        let marks = format!("a{}", "\u{301}\u{323}".repeat(200_000));
        assert!(!show(&marks).is_empty());
    }

    fn hostile() -> impl Strategy<Value = String> {
        let char = prop_oneof![
            any::<char>(),
            prop::char::range('\u{0}', '\u{20}'),
            prop::char::range('\u{7f}', '\u{ad}'),
            prop::char::range('\u{200b}', '\u{206f}'),
            prop::char::range('\u{300}', '\u{310}'),
            prop::char::range('\u{1100}', '\u{11ff}'),
        ];
        prop::collection::vec(char, 0..32).prop_map(|chars| chars.into_iter().collect())
    }

    fn is_dangerous(char: char) -> bool {
        let bidi = matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}');
        char.is_control() || bidi
    }

    proptest! {
        #[test]
        fn nothing_a_terminal_obeys_is_left_on_one_line(text in hostile()) {
            prop_assert!(!show(&text).contains(is_dangerous));
        }

        #[test]
        fn only_line_breaks_are_left_of_the_controls(text in hostile()) {
            let left = show_lines(&text).replace('\n', "");
            prop_assert!(!left.contains(is_dangerous));
            prop_assert_eq!(show_lines(&text).matches('\n').count(), text.matches('\n').count());
        }

        #[test]
        fn a_text_is_changed_only_where_something_hides(text in hostile()) {
            let kept = show_lines(&text) == text;
            let changes = hidden_count(&text) > 0 || text.contains(['\t', '\r']) || !is_nfc(&text);
            prop_assert_eq!(kept, !changes);
        }
    }
}
