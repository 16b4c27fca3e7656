//! Where frames go. On the real terminal a frame is rendered into memory and handed to a thread that owns stdout; nothing is drawn
//! while a frame is still unwritten, and a frame that changes nothing is no bytes at all.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use ratatui::{Frame, Terminal};
use tokio::sync::Semaphore;

use crate::tui::terminal::{self, FrameBackend};

/// Where frames go.
pub trait Screen {
    /// Its size: columns and rows.
    fn size(&self) -> (u16, u16);
    /// Whether the last frame is written, so that another one may be drawn.
    fn is_free(&self) -> bool;
    /// Waits until it is; false if the terminal is gone.
    fn freed(&self) -> impl Future<Output = bool>;
    /// Draws a frame; only called when free.
    fn draw(&mut self, view: &mut dyn FnMut(&mut Frame)) -> io::Result<()>;
    /// The next frame is drawn on a cleared terminal.
    fn repaint(&mut self);
    /// Bytes for the terminal that are not part of a frame; written before the next one.
    fn send(&mut self, bytes: &[u8]);
    /// Whether a frame is needed to write what waits.
    fn wants_frame(&self) -> bool;
}

/// The real terminal.
#[derive(Debug)]
pub struct Tty {
    terminal: Terminal<FrameBackend>,
    writer: Writer,
    waiting: Vec<u8>,
    repaint: bool,
}

impl Tty {
    /// The screen on stdout, and the thread that writes it.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminal: Terminal::new(FrameBackend::default())?,
            writer: Writer::spawn(terminal::write_frame),
            waiting: Vec::new(),
            repaint: false,
        })
    }
}

impl Screen for Tty {
    fn size(&self) -> (u16, u16) {
        let size = self.terminal.size().unwrap_or_default();
        (size.width, size.height)
    }

    fn is_free(&self) -> bool {
        self.writer.is_free()
    }

    async fn freed(&self) -> bool {
        self.writer.freed().await
    }

    fn draw(&mut self, view: &mut dyn FnMut(&mut Frame)) -> io::Result<()> {
        if std::mem::take(&mut self.repaint) {
            self.terminal.clear()?;
        }
        self.terminal.draw(|frame| view(frame))?;
        terminal::test_panic("draw");
        let mut bytes = std::mem::take(&mut self.waiting);
        bytes.extend(self.terminal.backend_mut().take_frame());
        if bytes.is_empty() {
            return Ok(());
        }
        self.writer.write(bytes)
    }

    fn repaint(&mut self) {
        self.repaint = true;
    }

    fn send(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    fn wants_frame(&self) -> bool {
        self.repaint || !self.waiting.is_empty()
    }
}

/// The thread that owns stdout. One frame at a time.
#[derive(Debug)]
struct Writer {
    frames: SyncSender<Vec<u8>>,
    /// One permit: the right to have a frame under way.
    free: Arc<Semaphore>,
}

impl Writer {
    fn spawn(write: impl Fn(&[u8]) -> io::Result<()> + Send + 'static) -> Self {
        let (frames, queue) = sync_channel::<Vec<u8>>(1);
        let free = Arc::new(Semaphore::new(1));
        let done = Arc::clone(&free);
        std::thread::spawn(move || {
            for frame in queue {
                if write(&frame).is_err() {
                    break;
                }
                done.add_permits(1);
            }
            done.close();
        });
        Self { frames, free }
    }

    fn is_free(&self) -> bool {
        self.free.available_permits() > 0
    }

    async fn freed(&self) -> bool {
        self.free.acquire().await.is_ok()
    }

    fn write(&self, frame: Vec<u8>) -> io::Result<()> {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.free.try_acquire().map_err(|_| gone())?.forget();
        self.frames.try_send(frame).map_err(|_| gone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_terminal_that_takes_nothing_blocks_the_writer_and_not_us() {
        let (go, wait) = channel::<()>();
        let wait = std::sync::Mutex::new(wait);
        let writer = Writer::spawn(move |_| {
            let _ = wait.lock().unwrap().recv();
            Ok(())
        });
        assert!(writer.is_free());
        writer.write(vec![1]).unwrap();
        assert!(!writer.is_free());
        let waited = tokio::time::timeout(Duration::from_millis(20), writer.freed()).await;
        assert!(waited.is_err());
        go.send(()).unwrap();
        assert!(writer.freed().await);
        assert!(writer.is_free());
    }

    #[tokio::test]
    async fn a_terminal_that_is_gone_is_noticed() {
        let writer = Writer::spawn(|_| Err(io::Error::other("gone")));
        writer.write(vec![1]).unwrap();
        assert!(!writer.freed().await);
        assert!(writer.write(vec![1]).is_err());
    }
}
