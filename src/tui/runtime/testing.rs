//! A screen that only records, for tests that run the real loop: what was drawn last, how often, and what was sent beside it.

use std::io;

use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Position;
use ratatui::{Frame, Terminal};
use tokio::sync::watch;

use super::Screen;

/// A recorded screen. Always free.
#[derive(Debug)]
pub struct Recorder {
    terminal: Terminal<TestBackend>,
    shown: watch::Sender<Shown>,
    /// How many frames were drawn.
    pub frames: usize,
    /// What was sent beside frames.
    pub sent: Vec<u8>,
    /// How often everything was to be drawn anew.
    pub repaints: usize,
}

/// What a frame showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The text, row by row.
    pub text: String,
    /// Where the hardware cursor is, if it is seen.
    pub cursor: Option<Position>,
}

impl Recorder {
    /// A screen of this size.
    pub fn new(width: u16, height: u16) -> Self {
        let backend = TestBackend::new(width, height);
        let terminal = match Terminal::new(backend) {
            Ok(terminal) => terminal,
            Err(never) => match never {},
        };
        Self {
            terminal,
            shown: watch::Sender::default(),
            frames: 0,
            sent: Vec::new(),
            repaints: 0,
        }
    }

    /// What is shown, now and whenever it changes: wait for a condition with `wait_for`.
    pub fn watch(&self) -> watch::Receiver<Shown> {
        self.shown.subscribe()
    }

    /// The terminal has another size; send an [`crate::tui::input::Input::Resize`] too.
    pub fn resize(&mut self, width: u16, height: u16) {
        self.terminal.backend_mut().resize(width, height);
    }

    /// The cells drawn last.
    pub fn buffer(&self) -> &Buffer {
        self.terminal.backend().buffer()
    }
}

/// The text of `buffer`: rows ended by line breaks, a wide character once.
pub fn text_of(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let mut text = String::new();
    for row in buffer.content.chunks(width) {
        let mut skip = 0;
        for cell in row {
            if skip == 0 {
                text.push_str(cell.symbol());
                skip = crate::text::width::cells(cell.symbol()).max(1);
            }
            skip -= 1;
        }
        text.push('\n');
    }
    text
}

impl Screen for Recorder {
    fn size(&self) -> (u16, u16) {
        let area = self.buffer().area;
        (area.width, area.height)
    }

    fn is_free(&self) -> bool {
        true
    }

    async fn freed(&self) -> bool {
        true
    }

    fn draw(&mut self, view: &mut dyn FnMut(&mut Frame)) -> io::Result<()> {
        match self.terminal.draw(|frame| view(frame)) {
            Ok(_) => {}
            Err(never) => match never {},
        }
        self.frames += 1;
        let backend = self.terminal.backend();
        let shown = Shown {
            text: text_of(backend.buffer()),
            cursor: backend.cursor_visible().then(|| backend.cursor_position()),
        };
        self.shown.send_replace(shown);
        Ok(())
    }

    fn repaint(&mut self) {
        self.repaints += 1;
    }

    fn send(&mut self, bytes: &[u8]) {
        self.sent.extend_from_slice(bytes);
    }

    fn wants_frame(&self) -> bool {
        false
    }
}
