//! A backend that renders frames into memory. A frame that changes neither a cell nor the cursor is no bytes; every other one is one
//! synchronised update. The terminal is never asked where its cursor is: it is where we put it.

use std::io;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, EndSynchronizedUpdate};
use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};

/// Frames in memory.
#[derive(Debug, Default)]
pub struct FrameBackend {
    body: Vec<u8>,
    cursor: Cursor,
    /// The cursor as the terminal has it after the last frame; `None`: hidden.
    shown: Option<Position>,
    /// Whether the terminal's cursor was ever hidden or shown by us.
    known: bool,
    fixed: Option<Size>,
}

/// The cursor as it is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cursor {
    visible: bool,
    at: Position,
}

impl FrameBackend {
    /// Frames of a fixed size instead of the terminal's; for tests.
    pub fn fixed(size: Size) -> Self {
        Self {
            fixed: Some(size),
            ..Self::default()
        }
    }

    /// The bytes of the frame drawn last; none if nothing changed.
    pub fn take_frame(&mut self) -> Vec<u8> {
        let body = std::mem::take(&mut self.body);
        let wanted = self.cursor.visible.then_some(self.cursor.at);
        if body.is_empty() && self.known && wanted == self.shown {
            return Vec::new();
        }
        // Writing to memory does not fail.
        self.frame(&body, wanted).unwrap_or_default()
    }

    fn frame(&mut self, body: &[u8], wanted: Option<Position>) -> io::Result<Vec<u8>> {
        let mut frame = Vec::with_capacity(body.len() + 48);
        queue!(frame, BeginSynchronizedUpdate)?;
        let visible = self.shown.is_some();
        if !self.known || (visible && (wanted.is_none() || !body.is_empty())) {
            queue!(frame, Hide)?;
        }
        frame.extend_from_slice(body);
        if let Some(Position { x, y }) = wanted {
            queue!(frame, MoveTo(x, y))?;
            if !visible || !body.is_empty() {
                queue!(frame, Show)?;
            }
        }
        queue!(frame, EndSynchronizedUpdate)?;
        self.shown = wanted;
        self.known = true;
        Ok(frame)
    }
}

impl Backend for FrameBackend {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut content = content.peekable();
        if content.peek().is_none() {
            return Ok(());
        }
        CrosstermBackend::new(&mut self.body).draw(content)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.cursor.visible = false;
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.cursor.visible = true;
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.cursor.at)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.cursor.at = position.into();
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        use crossterm::terminal::ClearType as Region;
        let region = match region {
            ClearType::All => Region::All,
            ClearType::AfterCursor => Region::FromCursorDown,
            ClearType::BeforeCursor => Region::FromCursorUp,
            ClearType::CurrentLine => Region::CurrentLine,
            ClearType::UntilNewLine => Region::UntilNewLine,
        };
        queue!(self.body, Clear(region))
    }

    fn size(&self) -> io::Result<Size> {
        match self.fixed {
            Some(size) => Ok(size),
            None => crossterm::terminal::size().map(|(width, height)| Size::new(width, height)),
        }
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize {
            columns_rows: self.size()?,
            pixels: Size::default(),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::widgets::Paragraph;

    use super::*;

    fn terminal() -> Terminal<FrameBackend> {
        Terminal::new(FrameBackend::fixed(Size::new(20, 3))).unwrap()
    }

    fn draw(
        terminal: &mut Terminal<FrameBackend>,
        text: &str,
        cursor: Option<(u16, u16)>,
    ) -> String {
        terminal
            .draw(|frame| {
                frame.render_widget(Paragraph::new(text), frame.area());
                if let Some(at) = cursor {
                    frame.set_cursor_position(at);
                }
            })
            .unwrap();
        String::from_utf8(terminal.backend_mut().take_frame()).unwrap()
    }

    #[test]
    fn a_frame_that_changes_nothing_is_no_bytes() {
        let mut terminal = terminal();
        assert_ne!(draw(&mut terminal, "hello", None), "");
        assert_eq!(draw(&mut terminal, "hello", None), "");
        assert_ne!(draw(&mut terminal, "hello", Some((1, 1))), "");
        assert_eq!(draw(&mut terminal, "hello", Some((1, 1))), "");
    }

    #[test]
    fn every_frame_is_one_synchronised_update() {
        let mut terminal = terminal();
        for text in ["one", "two", "退款"] {
            let bytes = draw(&mut terminal, text, Some((2, 0)));
            assert!(bytes.starts_with("\x1b[?2026h") && bytes.ends_with("\x1b[?2026l"));
        }
    }

    #[test]
    fn the_cursor_is_hidden_while_cells_are_written_and_put_back() {
        let mut terminal = terminal();
        let first = draw(&mut terminal, "a", Some((3, 1)));
        assert!(first.contains("\x1b[?25l") && first.ends_with("\x1b[2;4H\x1b[?25h\x1b[?2026l"));
        let moved = draw(&mut terminal, "a", Some((4, 1)));
        assert_eq!(moved, "\x1b[?2026h\x1b[2;5H\x1b[?2026l");
        let hidden = draw(&mut terminal, "a", None);
        assert_eq!(hidden, "\x1b[?2026h\x1b[?25l\x1b[?2026l");
    }

    #[test]
    fn clearing_asks_the_terminal_for_nothing() {
        let mut terminal = terminal();
        draw(&mut terminal, "hello", None);
        terminal.clear().unwrap();
        let bytes = draw(&mut terminal, "hello", None);
        assert!(bytes.contains("\x1b[2J") && bytes.contains("hello"));
        assert!(!bytes.contains("\x1b[6n"));
    }
}
