//! Several lines of text being edited (JSON): the model is ratatui-textarea's, keys, caret and drawing are ours (ux.md 0.1, ruling 10).
//! It holds text exactly as typed; what cannot be drawn as it is, is shown visibly.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use tui_textarea::{CursorMove, TextArea};
use unicode_segmentation::UnicodeSegmentation;

use super::edit::{Edit, Edited};
use super::field::{drop_cells, end_of_word, skipped, start_of_word};
use super::veil::Veil;
use crate::text::sanitise::show;
use crate::text::width::{cells, cut, pad_left};
use crate::tui::theme::{Role, Theme};

/// Lines that a page moves.
const PAGE: usize = 10;

/// Several lines of text and a caret.
#[derive(Clone, Debug)]
pub struct Editor {
    area: TextArea<'static>,
    killed: String,
}

impl Editor {
    /// An editor holding `text`, the caret at the start.
    pub fn new(text: &str) -> Self {
        let mut area = TextArea::new(lines_of(text));
        area.set_max_histories(200);
        Self {
            area,
            killed: String::new(),
        }
    }

    /// What it holds; lines are joined with `\n`.
    pub fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// How many lines it holds; at least one.
    pub fn line_count(&self) -> usize {
        self.area.lines().len()
    }

    /// Where the caret is for people: line and column from 1; a column is a character as a reader counts (grapheme).
    pub fn position(&self) -> (usize, usize) {
        let (row, chars) = self.caret();
        let before = head(self.line(row), chars);
        (row + 1, before.graphemes(true).count() + 1)
    }

    /// Puts the caret on the `line` and `column` (in characters, both from 1) that an error names; as near as there is.
    pub fn jump(&mut self, line: usize, column: usize) {
        let row = line.saturating_sub(1).min(self.line_count() - 1);
        self.put(row, column.saturating_sub(1));
    }

    /// Inserts a paste at the caret; many lines are fine.
    pub fn paste(&mut self, text: &str) {
        self.area.insert_str(lines_of(text).join("\n"));
    }

    /// Changes the text or moves the caret.
    pub fn apply(&mut self, edit: Edit) -> Edited {
        let before = self.caret();
        let changed = self.change(edit);
        if changed {
            Edited::Changed
        } else if self.caret() == before {
            Edited::Nothing
        } else {
            Edited::Moved
        }
    }

    fn change(&mut self, edit: Edit) -> bool {
        match edit {
            Edit::Insert(char) => self.insert(char),
            Edit::Newline => {
                self.area.insert_newline();
                true
            }
            Edit::Backspace => self.backspace(),
            Edit::Delete => self.delete(),
            Edit::KillToEnd | Edit::KillNextWord => self.kill_after(edit),
            Edit::KillToStart | Edit::KillWord => self.kill_before(edit),
            Edit::Yank => !self.killed.is_empty() && self.area.insert_str(&self.killed),
            Edit::Undo => self.area.undo(),
            Edit::Redo => self.area.redo(),
            movement => {
                self.travel(movement);
                false
            }
        }
    }

    fn insert(&mut self, char: char) -> bool {
        self.area.insert_char(char);
        true
    }

    fn backspace(&mut self) -> bool {
        let (row, chars) = self.caret();
        let last = head(self.line(row), chars).graphemes(true).next_back();
        let Some(count) = last.map(|cluster| cluster.chars().count()) else {
            return self.area.delete_newline();
        };
        self.put(row, chars - count);
        self.area.delete_str(count)
    }

    fn delete(&mut self) -> bool {
        let (row, chars) = self.caret();
        let next = tail(self.line(row), chars).graphemes(true).next();
        let count = next.map_or(1, |cluster| cluster.chars().count());
        self.area.delete_str(count)
    }

    /// Removes up to the end of the line or of the next word; at the end of a line, the line break.
    fn kill_after(&mut self, edit: Edit) -> bool {
        let (row, chars) = self.caret();
        let rest = tail(self.line(row), chars);
        let end = match edit {
            Edit::KillToEnd => rest.len(),
            _ => end_of_word(rest),
        };
        let killed = rest[..end].to_owned();
        if killed.is_empty() {
            return self.area.delete_str(1);
        }
        self.kill(killed)
    }

    /// Removes up to the start of the line or of the word; at the start of a line, the line break before.
    fn kill_before(&mut self, edit: Edit) -> bool {
        let (row, chars) = self.caret();
        let before = head(self.line(row), chars);
        let start = match edit {
            Edit::KillToStart => 0,
            _ => start_of_word(before),
        };
        let killed = before[start..].to_owned();
        if killed.is_empty() {
            return self.area.delete_newline();
        }
        self.put(row, chars - killed.chars().count());
        self.kill(killed)
    }

    /// Removes `killed`, which is behind the caret, and keeps it for a yank.
    fn kill(&mut self, killed: String) -> bool {
        let count = killed.chars().count();
        self.killed = killed;
        self.area.delete_str(count)
    }

    fn travel(&mut self, edit: Edit) {
        let (row, chars) = self.caret();
        let last = self.line_count() - 1;
        match edit {
            Edit::Left => self.left(row, chars),
            Edit::Right => self.right(row, chars),
            Edit::Up => self.vertically(row.checked_sub(1)),
            Edit::Down => self.vertically((row < last).then_some(row + 1)),
            Edit::PageUp => self.vertically(Some(row.saturating_sub(PAGE))),
            Edit::PageDown => self.vertically(Some((row + PAGE).min(last))),
            Edit::WordLeft => self.area.move_cursor(CursorMove::WordBack),
            Edit::WordRight => self.area.move_cursor(CursorMove::WordForward),
            Edit::Home => self.put(row, 0),
            Edit::End => self.area.move_cursor(CursorMove::End),
            _ => {}
        }
    }

    fn left(&mut self, row: usize, chars: usize) {
        let last = head(self.line(row), chars).graphemes(true).next_back();
        match last.map(|cluster| cluster.chars().count()) {
            Some(count) => self.put(row, chars - count),
            None if row > 0 => self.put(row - 1, usize::MAX),
            None => {}
        }
    }

    fn right(&mut self, row: usize, chars: usize) {
        let next = tail(self.line(row), chars).graphemes(true).next();
        match next.map(|cluster| cluster.chars().count()) {
            Some(count) => self.put(row, chars + count),
            None if row + 1 < self.line_count() => self.put(row + 1, 0),
            None => {}
        }
    }

    /// To another line, at the same cell or the nearest before it.
    fn vertically(&mut self, to: Option<usize>) {
        let Some(to) = to else { return };
        let (row, chars) = self.caret();
        let goal = cells(&show(head(self.line(row), chars)));
        let mut used = 0;
        let mut chars = 0;
        for cluster in self.line(to).graphemes(true) {
            used += cells(&show(cluster));
            if used > goal {
                break;
            }
            chars += cluster.chars().count();
        }
        self.put(to, chars);
    }

    fn caret(&self) -> (usize, usize) {
        let cursor = self.area.cursor();
        (cursor.0, cursor.1)
    }

    /// Moves the caret. What is beyond the counting of the library is walked to.
    fn put(&mut self, row: usize, chars: usize) {
        let chars = chars.min(self.line(row).chars().count());
        let small = |value: usize| u16::try_from(value).unwrap_or(u16::MAX);
        self.area
            .move_cursor(CursorMove::Jump(small(row), small(chars)));
        for _ in usize::from(u16::MAX)..row {
            self.area.move_cursor(CursorMove::Down);
        }
        if chars > usize::from(u16::MAX) {
            self.area.move_cursor(CursorMove::End);
            for _ in chars..self.line(row).chars().count() {
                self.area.move_cursor(CursorMove::Back);
            }
        }
    }

    fn line(&self, row: usize) -> &str {
        self.area.lines().get(row).map_or("", String::as_str)
    }

    /// Where the caret is in [`Editor::text`], in bytes.
    pub fn caret_byte(&self) -> usize {
        let (row, chars) = self.caret();
        self.start_of(row) + head(self.line(row), chars).len()
    }

    /// Where a line begins in [`Editor::text`].
    fn start_of(&self, row: usize) -> usize {
        let before = self.area.lines().iter().take(row);
        before.map(|line| line.len() + 1).sum()
    }

    /// Draws the lines with their numbers, scrolled so that the caret is seen, and returns where the caret is; `None` if there is no room.
    pub fn render(&self, area: Rect, buf: &mut Buffer, theme: Theme) -> Option<Position> {
        self.render_veiled(area, buf, theme, Veil::default())
    }

    /// As [`Editor::render`], with parts of the text covered.
    pub fn render_veiled(
        &self,
        area: Rect,
        buf: &mut Buffer,
        theme: Theme,
        veil: Veil<'_>,
    ) -> Option<Position> {
        let area = area.intersection(buf.area);
        let gutter = self.line_count().to_string().len().max(2);
        let room = usize::from(area.width).saturating_sub(gutter + 1);
        if area.is_empty() || room == 0 {
            return None;
        }
        let (row, chars) = self.caret();
        let top = first_row(row, self.line_count(), usize::from(area.height));
        let before = veil.over(head(self.line(row), chars), self.start_of(row));
        let before = cells(&show(&before));
        let skip = skipped(before, room);
        let mut start = self.start_of(top);
        for (y, index) in (area.y..area.bottom()).zip(top..self.line_count()) {
            let number = pad_left(&(index + 1).to_string(), gutter, "");
            buf.set_stringn(area.x, y, &number, gutter, theme.style(Role::Dim));
            let text = slice(&veil.over(self.line(index), start), skip, room);
            start += self.line(index).len() + 1;
            let x = area.right() - u16::try_from(room).unwrap_or(area.width);
            buf.set_stringn(x, y, &text, room, theme.style(Role::Fg));
        }
        let x = usize::from(area.right()) - room + before - skip;
        let y = usize::from(area.y) + row - top;
        Some(Position::new(
            u16::try_from(x).unwrap_or(u16::MAX),
            u16::try_from(y).unwrap_or(u16::MAX),
        ))
    }
}

/// The first row drawn so that `row` is seen: a pure function that moves by half a page.
fn first_row(row: usize, len: usize, height: usize) -> usize {
    let jump = (height / 2).max(1);
    let over = (row + 1).saturating_sub(height);
    let top = over.div_ceil(jump) * jump;
    top.min(len.saturating_sub(height))
}

/// What is seen of `line` after `skip` cells in `room` cells.
fn slice(line: &str, skip: usize, room: usize) -> String {
    let shown = show(line);
    let (rest, dropped) = drop_cells(&shown, skip);
    let lead = dropped - skip;
    let mut text = " ".repeat(lead.min(room));
    text.push_str(&cut(rest, room.saturating_sub(lead), ""));
    text
}

fn lines_of(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.split('\n').map(str::to_owned).collect()
}

fn split_chars(line: &str, chars: usize) -> (&str, &str) {
    let at = line
        .char_indices()
        .nth(chars)
        .map_or(line.len(), |(at, _)| at);
    line.split_at(at)
}

fn head(line: &str, chars: usize) -> &str {
    split_chars(line, chars).0
}

fn tail(line: &str, chars: usize) -> &str {
    split_chars(line, chars).1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use strum::IntoEnumIterator;

    use super::super::testing::{blank, rows};
    use super::*;

    fn at_end(text: &str) -> Editor {
        let mut editor = Editor::new(text);
        editor.jump(usize::MAX, usize::MAX);
        editor
    }

    #[test]
    fn text_comes_out_as_it_went_in() {
        let text = "{\n  \"note\": \"客戶要求退款\"\n}";
        assert_eq!(Editor::new(text).text(), text);
        assert_eq!(Editor::new("").text(), "");
    }

    #[test]
    fn backspace_removes_one_grapheme_and_joins_lines() {
        let mut editor = at_end("a\ne\u{301}");
        editor.apply(Edit::Backspace);
        assert_eq!(editor.text(), "a\n");
        editor.apply(Edit::Backspace);
        assert_eq!(editor.text(), "a");
        assert_eq!(editor.apply(Edit::Backspace), Edited::Changed);
        assert_eq!(editor.apply(Edit::Backspace), Edited::Nothing);
    }

    #[test]
    fn delete_removes_one_grapheme_and_joins_lines() {
        let mut editor = Editor::new("👩‍👩‍👧a\nb");
        editor.apply(Edit::Delete);
        assert_eq!(editor.text(), "a\nb");
        editor.apply(Edit::End);
        editor.apply(Edit::Delete);
        assert_eq!(editor.text(), "ab");
    }

    #[test]
    fn a_paste_of_many_lines_is_taken_and_undone_at_once() {
        let mut editor = Editor::new("[]");
        editor.apply(Edit::Right);
        editor.paste("1,\r\n2,\n3");
        assert_eq!(editor.text(), "[1,\n2,\n3]");
        assert_eq!(editor.position(), (3, 2));
        editor.apply(Edit::Undo);
        assert_eq!(editor.text(), "[]");
        editor.apply(Edit::Redo);
        assert_eq!(editor.text(), "[1,\n2,\n3]");
    }

    #[test]
    fn up_and_down_keep_the_cell() {
        let mut editor = Editor::new("客戶客戶\nabcd\n客戶");
        editor.jump(2, 4);
        assert_eq!(editor.position(), (2, 4));
        editor.apply(Edit::Up);
        assert_eq!(editor.position(), (1, 2));
        editor.apply(Edit::Down);
        assert_eq!(editor.position(), (2, 3));
        assert_eq!(editor.apply(Edit::Down), Edited::Moved);
        assert_eq!(editor.apply(Edit::Down), Edited::Nothing);
    }

    #[test]
    fn the_place_of_an_error_can_be_jumped_to() {
        let mut editor = Editor::new("{\n  \"reason\": lost\n}");
        editor.jump(2, 13);
        assert_eq!(editor.position(), (2, 13));
        editor.jump(99, 99);
        assert_eq!(editor.position(), (3, 2));
    }

    #[test]
    fn a_line_longer_than_a_terminal_can_count_is_edited_too() {
        let mut editor = at_end(&"x".repeat(70_000));
        assert_eq!(editor.position(), (1, 70_001));
        editor.apply(Edit::Backspace);
        assert_eq!(editor.text().len(), 69_999);
        assert_eq!(editor.position(), (1, 70_000));
    }

    #[test]
    fn lines_are_numbered_and_the_caret_is_told_by_cells() {
        let mut buffer = blank(20, 3);
        let mut editor = Editor::new("{\n  \"客\": 1\n}");
        editor.jump(2, 5);
        let caret = editor.render(buffer.area, &mut buffer, Theme::default());
        assert_eq!(
            rows(&buffer),
            [
                " 1 {                ",
                " 2   \"客\": 1        ",
                " 3 }                "
            ]
        );
        assert_eq!(caret, Some(Position::new(3 + 5, 1)));
    }

    fn edits() -> impl Strategy<Value = Vec<Edit>> {
        let all: Vec<Edit> = Edit::iter().collect();
        let edit = prop_oneof![
            2 => any::<char>().prop_map(Edit::Insert),
            1 => prop::sample::select(vec!['\u{301}', '退', '\t', 'a', ' ', '\u{1b}']).prop_map(Edit::Insert),
            4 => prop::sample::select(all),
        ];
        prop::collection::vec(edit, 0..60)
    }

    proptest! {
        #[test]
        fn whatever_is_edited_the_caret_is_seen(edits in edits(), width in 0u16..120, height in 0u16..40) {
            let mut editor = Editor::new("{\n\n}");
            for edit in edits {
                editor.apply(edit);
            }
            let mut buffer = blank(width, height);
            let caret = editor.render(buffer.area, &mut buffer, Theme::default());
            rows(&buffer);
            if let Some(caret) = caret {
                prop_assert!(caret.x < width && caret.y < height);
            }
        }
    }
}
