//! Taking the terminal and giving it back. All modes are undone exactly once, in reverse, whoever asks first: the guard's drop, a panic,
//! or the end after a signal. Nothing is ever asked of the terminal, so no answer can be taken for keys.

pub mod frames;
pub mod panic;
pub mod signals;

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use crossterm::cursor::{SetCursorStyle, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::style::force_color_output;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};

pub use frames::FrameBackend;
pub use panic::{test_panic, test_panic_later};

/// Whether the terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Held while bytes are written, so that leaving does not cut a frame in two.
static OUTPUT: Mutex<()> = Mutex::new(());

/// How long leaving waits for a frame under way, and for a terminal that takes nothing.
const PATIENCE: Duration = Duration::from_millis(300);

/// Gives the terminal back when dropped.
#[derive(Debug)]
#[must_use = "dropping it gives the terminal back"]
pub struct Guard(());

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

/// Takes the terminal: raw mode, alternate screen, bracketed paste, a bar as cursor (it is seen only where text is typed).
/// From now on a panic gives it back too.
pub fn enter() -> io::Result<Guard> {
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return Err(io::Error::other("input and output are not both a terminal"));
    }
    panic::install_hook();
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let guard = Guard(());
    // What colours there are was decided before (theme.rs); crossterm must not decide again.
    force_color_output(true);
    let mut out = io::stdout().lock();
    execute!(
        out,
        EnterAlternateScreen,
        EnableBracketedPaste,
        SetCursorStyle::SteadyBar
    )?;
    Ok(guard)
}

/// Gives the terminal back, once, whoever calls first. A terminal that takes nothing is not waited for.
pub fn restore() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let lock = lock_output();
    write_with_patience(leaving());
    // Best effort: there is nobody left to tell.
    let _ = disable_raw_mode();
    drop(lock);
}

/// The sequences that undo [`enter`], in reverse.
fn leaving() -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    let _ = queue!(
        bytes,
        SetCursorStyle::DefaultUserShape,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show
    );
    bytes
}

/// Writes in a thread, and goes on without it if the terminal takes nothing.
fn write_with_patience(bytes: Vec<u8>) {
    let (step, steps) = sync_channel::<()>(2);
    std::thread::spawn(move || {
        let _ = step.send(());
        let _ = write_all(&bytes);
        let _ = step.send(());
    });
    // When it has its turn is up to the machine, not to the terminal: on a busy one that may take longer than any patience.
    let _ = steps.recv();
    let _ = steps.recv_timeout(PATIENCE);
}

fn write_all(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// The right to write; without it after [`PATIENCE`], since a writer may be stuck in a terminal that takes nothing.
fn lock_output() -> Option<MutexGuard<'static, ()>> {
    let start = Instant::now();
    loop {
        match OUTPUT.try_lock() {
            Ok(lock) => return Some(lock),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(TryLockError::WouldBlock) => return None,
        }
    }
}

/// Writes a frame, unless the terminal was given back meanwhile. Blocks as long as the terminal takes nothing; only the writer's thread calls it.
pub fn write_frame(bytes: &[u8]) -> io::Result<()> {
    let _lock = OUTPUT.lock();
    if TAKEN.load(Ordering::SeqCst) {
        write_all(bytes)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaving_undoes_everything_in_reverse() {
        let bytes = String::from_utf8(leaving()).unwrap();
        assert_eq!(bytes, "\x1b[0 q\x1b[?2004l\x1b[?1049l\x1b[?25h");
    }

    #[test]
    fn giving_back_what_was_never_taken_does_nothing() {
        restore();
        assert!(!TAKEN.load(Ordering::SeqCst));
    }
}
