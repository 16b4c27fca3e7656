//! A line of text being edited, grapheme by grapheme. It holds text exactly as typed; what cannot be drawn as it is, is shown visibly.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;

use super::edit::{Edit, Edited};
use super::veil::Veil;
use crate::text::sanitise::show;
use crate::text::width::{cells, cut};

/// Cells of text kept visible behind the caret when the line is scrolled sideways.
const BEHIND: usize = 4;

/// One line of text and a caret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    text: String,
    /// A byte offset at the start of a grapheme, or the end.
    caret: usize,
    killed: String,
    undo: Vec<(String, usize)>,
    redo: Vec<(String, usize)>,
}

impl Field {
    /// A field holding `text`, the caret at its end.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            caret: text.len(),
            text,
            ..Self::default()
        }
    }

    /// What it holds.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Replaces everything; the caret goes to the end.
    pub fn set(&mut self, text: impl Into<String>) {
        self.remember();
        self.text = text.into();
        self.caret = self.text.len();
    }

    /// Takes the text out, leaving an empty field without a past.
    pub fn take(&mut self) -> String {
        std::mem::take(self).text
    }

    /// Inserts a paste at the caret, as it is: a line break becomes a visible `␊`. Callers decide before whether they want that.
    pub fn paste(&mut self, text: &str) {
        self.remember();
        self.insert(text);
    }

    /// Changes the text or moves the caret.
    pub fn apply(&mut self, edit: Edit) -> Edited {
        match edit {
            Edit::Insert(char) => self.change(|field| field.insert(char.encode_utf8(&mut [0; 4]))),
            Edit::Backspace => self.cut_out(self.left(), self.caret),
            Edit::Delete => self.cut_out(self.caret, self.right()),
            Edit::KillToEnd => self.kill(self.caret, self.text.len()),
            Edit::KillToStart => self.kill(0, self.caret),
            Edit::KillWord => self.kill(self.word_left(), self.caret),
            Edit::KillNextWord => {
                let end = self.caret + end_of_word(&self.text[self.caret..]);
                self.kill(self.caret, end)
            }
            Edit::Yank => self.change(|field| field.insert(&field.killed.clone())),
            Edit::Undo => self.travel(true),
            Edit::Redo => self.travel(false),
            Edit::Left => self.go(self.left()),
            Edit::Right => self.go(self.right()),
            Edit::WordLeft => self.go(self.word_left()),
            Edit::WordRight => self.go(self.word_right()),
            Edit::Home => self.go(0),
            Edit::End => self.go(self.text.len()),
            Edit::Newline | Edit::Up | Edit::Down | Edit::PageUp | Edit::PageDown => {
                Edited::Nothing
            }
        }
    }

    /// Draws the text into the first row of `area`, scrolled so that the caret is seen, and returns where the caret is; `None` if there is no room.
    pub fn render(&self, area: Rect, buf: &mut Buffer, style: Style) -> Option<Position> {
        self.render_veiled(area, buf, style, Veil::default())
    }

    /// As [`Field::render`], with parts of the text covered.
    pub fn render_veiled(
        &self,
        area: Rect,
        buf: &mut Buffer,
        style: Style,
        veil: Veil<'_>,
    ) -> Option<Position> {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return None;
        }
        let view = self.view_veiled(usize::from(area.width), veil);
        buf.set_stringn(area.x, area.y, &view.text, usize::from(area.width), style);
        let caret = u16::try_from(view.caret).unwrap_or(u16::MAX);
        Some(Position::new(area.x + caret.min(area.width - 1), area.y))
    }

    /// The part of the text that is seen in `width` cells, and the caret's cell in it. The caret always has a cell of its own.
    pub fn view(&self, width: usize) -> FieldView {
        self.view_veiled(width, Veil::default())
    }

    fn view_veiled(&self, width: usize, veil: Veil<'_>) -> FieldView {
        if width == 0 {
            return FieldView {
                text: String::new(),
                caret: 0,
            };
        }
        let seen = veil.over(&self.text, 0);
        let before = cells(&show(&veil.over(&self.text[..self.caret], 0)));
        let skip = skipped(before, width);
        let shown = show(&seen);
        let (rest, dropped) = drop_cells(&shown, skip);
        let mut text = " ".repeat(dropped - skip);
        text.push_str(&cut(rest, width.saturating_sub(dropped - skip), ""));
        FieldView {
            text,
            caret: before - skip,
        }
    }

    fn change(&mut self, how: impl FnOnce(&mut Self)) -> Edited {
        let before = self.text.len();
        self.remember();
        how(self);
        if self.text.len() == before {
            self.undo.pop();
            return Edited::Nothing;
        }
        Edited::Changed
    }

    fn insert(&mut self, text: &str) {
        self.text.insert_str(self.caret, text);
        self.caret += text.len();
        self.align();
    }

    /// What was inserted may have become one grapheme with what follows: the caret stands behind it then.
    fn align(&mut self) {
        let next = self
            .text
            .grapheme_indices(true)
            .map(|(at, _)| at)
            .find(|at| *at >= self.caret);
        self.caret = next.unwrap_or(self.text.len());
    }

    fn cut_out(&mut self, from: usize, to: usize) -> Edited {
        self.change(|field| {
            field.text.replace_range(from..to, "");
            field.caret = from;
            field.align();
        })
    }

    fn kill(&mut self, from: usize, to: usize) -> Edited {
        if from < to {
            self.killed = self.text[from..to].to_owned();
        }
        self.cut_out(from, to)
    }

    fn go(&mut self, to: usize) -> Edited {
        let moved = self.caret != to;
        self.caret = to;
        if moved {
            Edited::Moved
        } else {
            Edited::Nothing
        }
    }

    fn left(&self) -> usize {
        let before = self.text[..self.caret].grapheme_indices(true).next_back();
        before.map_or(0, |(at, _)| at)
    }

    fn right(&self) -> usize {
        let after = self.text[self.caret..].graphemes(true).next();
        self.caret + after.map_or(0, str::len)
    }

    fn word_left(&self) -> usize {
        start_of_word(&self.text[..self.caret])
    }

    fn word_right(&self) -> usize {
        let words = self.text[self.caret..].split_word_bound_indices();
        let word = words.skip(1).find(|(_, word)| !word.trim().is_empty());
        word.map_or(self.text.len(), |(at, _)| self.caret + at)
    }

    fn remember(&mut self) {
        self.undo.push((self.text.clone(), self.caret));
        self.redo.clear();
        if self.undo.len() > 200 {
            self.undo.remove(0);
        }
    }

    fn travel(&mut self, back: bool) -> Edited {
        let (from, to) = if back {
            (&mut self.undo, &mut self.redo)
        } else {
            (&mut self.redo, &mut self.undo)
        };
        let Some((text, caret)) = from.pop() else {
            return Edited::Nothing;
        };
        to.push((std::mem::replace(&mut self.text, text), self.caret));
        self.caret = caret;
        Edited::Changed
    }
}

/// Where the last word of `text` starts.
pub(super) fn start_of_word(text: &str) -> usize {
    let words = text.split_word_bound_indices();
    let word = words.rev().find(|(_, word)| !word.trim().is_empty());
    word.map_or(0, |(at, _)| at)
}

/// Where the first word of `text` ends.
pub(super) fn end_of_word(text: &str) -> usize {
    let mut words = text.split_word_bound_indices();
    let word = words.find(|(_, word)| !word.trim().is_empty());
    word.map_or(text.len(), |(at, word)| at + word.len())
}

/// What is seen of a [`Field`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldView {
    /// The text, at most as wide as asked for.
    pub text: String,
    /// The caret's cell.
    pub caret: usize,
}

/// How many cells are scrolled away at the left so that the caret at cell `before` is seen in `width` cells. A pure function: the text
/// jumps by half a width, and does not move for every key.
pub(super) fn skipped(before: usize, width: usize) -> usize {
    if before < width {
        return 0;
    }
    let jump = (width / 2).max(1);
    let behind = BEHIND.min(width.saturating_sub(1) / 2);
    let over = before + behind + 1 - width.min(before + behind + 1);
    over.div_ceil(jump) * jump
}

/// `text` without its first `skip` cells, and how many cells were dropped: one more if a wide character was in the way.
pub(super) fn drop_cells(text: &str, skip: usize) -> (&str, usize) {
    let mut dropped = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        if dropped >= skip {
            return (&text[at..], dropped);
        }
        dropped += cells(cluster);
    }
    ("", dropped.max(skip))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use strum::IntoEnumIterator;

    use super::super::testing::{TEXTS, blank, rows};
    use super::*;

    fn typed(text: &str) -> Field {
        let mut field = Field::default();
        for char in text.chars() {
            field.apply(Edit::Insert(char));
        }
        field
    }

    #[test]
    fn typing_text_gives_that_text() {
        for text in TEXTS {
            assert_eq!(typed(text).text(), text);
        }
    }

    #[test]
    fn backspace_removes_one_grapheme() {
        for (text, left) in [
            ("客戶", "客"),
            ("e\u{301}", ""),
            ("a👩‍👩‍👧", "a"),
            ("한글", "한"),
            ("x🇹🇼", "x"),
        ] {
            let mut field = typed(text);
            assert_eq!(field.apply(Edit::Backspace), Edited::Changed);
            assert_eq!(field.text(), left);
        }
        assert_eq!(Field::default().apply(Edit::Backspace), Edited::Nothing);
    }

    #[test]
    fn the_caret_moves_by_graphemes_and_words() {
        let mut field = typed("客戶 order_id=42");
        field.apply(Edit::Home);
        field.apply(Edit::Right);
        field.apply(Edit::Insert('x'));
        assert_eq!(field.text(), "客x戶 order_id=42");
        field.apply(Edit::End);
        field.apply(Edit::WordLeft);
        field.apply(Edit::KillToEnd);
        assert_eq!(field.text(), "客x戶 order_id=");
        field.apply(Edit::Yank);
        assert_eq!(field.text(), "客x戶 order_id=42");
    }

    #[test]
    fn killing_to_the_start_keeps_what_is_behind_the_caret() {
        let mut field = typed("abc def");
        field.apply(Edit::WordLeft);
        assert_eq!(field.apply(Edit::KillToStart), Edited::Changed);
        assert_eq!(field.text(), "def");
        assert_eq!(field.apply(Edit::KillToStart), Edited::Nothing);
        assert_eq!(field.apply(Edit::Undo), Edited::Changed);
        assert_eq!(field.text(), "abc def");
        assert_eq!(field.apply(Edit::Redo), Edited::Changed);
        assert_eq!(field.text(), "def");
    }

    #[test]
    fn the_caret_counts_cells_and_not_characters() {
        let view = typed("客戶a").view(20);
        assert_eq!((view.text.as_str(), view.caret), ("客戶a", 5));
    }

    #[test]
    fn what_is_covered_is_not_drawn_and_the_caret_stands_where_it_is_seen() {
        let mut field = typed("pw=客戶a");
        let part = 3..10;
        let veil = Veil {
            parts: std::slice::from_ref(&part),
            glyph: "*",
        };
        let view = field.view_veiled(20, veil);
        assert_eq!((view.text.as_str(), view.caret), ("pw=***", 6));
        field.apply(Edit::Left);
        assert_eq!(field.view_veiled(20, veil).caret, 5);
        let view = field.view_veiled(4, veil);
        assert!(view.caret < 4 && !view.text.contains('a'), "{view:?}");
    }

    #[test]
    fn control_characters_are_kept_and_shown() {
        let mut field = Field::default();
        field.paste("a\u{1b}[31m\nb");
        assert_eq!(field.text(), "a\u{1b}[31m\nb");
        assert_eq!(field.view(20).text, "a␛[31m␊b");
    }

    #[test]
    fn a_long_text_scrolls_so_that_the_caret_is_seen() {
        let mut field = typed(&"0123456789".repeat(5));
        let view = field.view(20);
        assert!(view.caret < 20 && view.text.ends_with("789"), "{view:?}");
        field.apply(Edit::Home);
        assert_eq!(
            field.view(20),
            FieldView {
                text: "01234567890123456789".to_owned(),
                caret: 0
            }
        );
    }

    #[test]
    fn a_field_draws_its_text_and_says_where_the_caret_is() {
        let mut buffer = blank(12, 1);
        let caret = typed("客戶").render(Rect::new(2, 0, 10, 1), &mut buffer, Style::new());
        assert_eq!(caret, Some(Position::new(6, 0)));
        assert_eq!(rows(&buffer)[0], "  客戶      ");
    }

    fn edits() -> impl Strategy<Value = Vec<Edit>> {
        let all: Vec<Edit> = Edit::iter().collect();
        let edit = prop_oneof![
            3 => any::<char>().prop_map(Edit::Insert),
            1 => prop::sample::select(vec!['\u{301}', '\u{200d}', '退', '👩', '\u{1f1f9}', 'a', ' ', '\r', '\n']).prop_map(Edit::Insert),
            4 => prop::sample::select(all),
        ];
        prop::collection::vec(edit, 0..60)
    }

    proptest! {
        #[test]
        fn whatever_is_edited_the_caret_is_between_graphemes_and_seen(edits in edits(), width in 0usize..80) {
            let mut field = Field::default();
            for edit in edits {
                field.apply(edit);
                let starts = field.text.grapheme_indices(true).map(|(at, _)| at);
                let fine = field.caret == field.text.len() || starts.into_iter().any(|at| at == field.caret);
                prop_assert!(fine, "{:?} at {}", field.text, field.caret);
                let view = field.view(width);
                prop_assert!(cells(&view.text) <= width);
                prop_assert!(view.caret < width.max(1), "{view:?}");
            }
        }

        #[test]
        fn undoing_everything_gives_an_empty_field(edits in edits()) {
            let mut field = Field::default();
            for edit in edits {
                field.apply(edit);
            }
            while field.apply(Edit::Undo) == Edited::Changed {}
            prop_assert_eq!(field.text(), "");
        }
    }
}
