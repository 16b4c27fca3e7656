//! A program in a terminal: keys in, every byte out recorded, and the screen those bytes make.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use vt100::{Parser, Screen};

use super::{PATIENCE, Typist, eventually_some, signal};

/// What a terminal sends for keys that are not characters.
pub mod key {
    /// Enter.
    pub const ENTER: &str = "\r";
    /// Escape.
    pub const ESCAPE: &str = "\x1b";
    /// Tab.
    pub const TAB: &str = "\t";
    /// Shift and Tab.
    pub const BACKTAB: &str = "\x1b[Z";
    /// Backspace.
    pub const BACKSPACE: &str = "\x7f";
    /// Cursor up.
    pub const UP: &str = "\x1b[A";
    /// Cursor down.
    pub const DOWN: &str = "\x1b[B";
    /// Cursor right.
    pub const RIGHT: &str = "\x1b[C";
    /// Cursor left.
    pub const LEFT: &str = "\x1b[D";
    /// Ctrl and C.
    pub const CTRL_C: &str = "\x03";
    /// Ctrl and Z.
    pub const CTRL_Z: &str = "\x1a";
}

/// A terminal with a program in it; killed when dropped. It answers no queries, like a dumb one.
pub struct Pty {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shared: Arc<Shared>,
    typist: Typist,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    parser: Parser,
    raw: Vec<u8>,
    last: Instant,
    paused: bool,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Reads the terminal until its last program is gone.
    fn read(&self, mut reader: impl Read) {
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            let mut state = self.lock();
            while state.paused {
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
            }
            state.raw.extend_from_slice(&buffer[..count]);
            state.parser.process(&buffer[..count]);
            state.last = Instant::now();
            self.changed.notify_all();
        }
        self.lock().ended = true;
        self.changed.notify_all();
    }
}

impl Pty {
    /// Starts a program in a terminal of this size, with this environment only.
    pub(super) fn start(
        rows: u16,
        columns: u16,
        program: &str,
        args: &[&str],
        environment: &BTreeMap<String, String>,
        directory: &Path,
    ) -> Self {
        let pair = native_pty_system()
            .openpty(size(rows, columns))
            .expect("a pseudo terminal");
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env_clear();
        for (name, value) in environment {
            command.env(name, value);
        }
        command.cwd(directory);
        let child = pair
            .slave
            .spawn_command(command)
            .expect("the program starts");
        let reader = pair.master.try_clone_reader().expect("a reader");
        let writer = pair.master.take_writer().expect("a writer");
        let state = State {
            parser: Parser::new(rows, columns, 0),
            raw: Vec::new(),
            last: Instant::now(),
            paused: false,
            ended: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let reading = Arc::clone(&shared);
        thread::spawn(move || reading.read(reader));
        let typist = Typist::at(pair.master.tty_name());
        Self {
            master: pair.master,
            writer,
            child,
            shared,
            typist,
        }
    }

    /// Types a key, or text at once.
    pub fn keys(&mut self, keys: &str) {
        self.typist.next();
        self.send(keys.as_bytes());
    }

    /// Pastes text as a terminal with bracketed paste does.
    pub fn paste(&mut self, text: &str) {
        self.keys(&format!("\x1b[200~{text}\x1b[201~"));
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.writer
            .write_all(bytes)
            .and_then(|()| self.writer.flush())
            .expect("the terminal takes input");
    }

    /// Changes the size of the terminal.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        // What was written for the size before may still come, and vt100 has no place for a wide character in one column.
        let seen = columns.max(2);
        self.shared.lock().parser.screen_mut().set_size(rows, seen);
        self.master
            .resize(size(rows, columns))
            .expect("the terminal changes its size");
    }

    /// Waits until the screen shows `text`; panics with the screen when it does not.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        self.wait_until(PATIENCE, &format!("the screen shows {text:?}"), |screen| {
            screen.contents().contains(text)
        });
    }

    /// Waits until the screen no longer shows `text`; panics with the screen when it still does.
    #[track_caller]
    pub fn wait_gone(&self, text: &str) {
        self.wait_until(PATIENCE, &format!("{text:?} leaves the screen"), |screen| {
            !screen.contents().contains(text)
        });
    }

    /// Waits until the screen is as wanted; panics with `what` and the screen when it is not within `deadline`.
    #[track_caller]
    pub fn wait_until(
        &self,
        deadline: Duration,
        what: &str,
        mut wanted: impl FnMut(&Screen) -> bool,
    ) {
        let start = Instant::now();
        let mut state = self.shared.lock();
        while !wanted(state.parser.screen()) {
            let rest = deadline.saturating_sub(start.elapsed());
            if rest.is_zero() || state.ended {
                let (screen, ended) = (state.parser.screen().contents(), state.ended);
                drop(state);
                panic!(
                    "not within {deadline:?}: {what} (program ended: {ended}); the screen:\n{screen}"
                );
            }
            // Also wakes without news, so that the deadline is kept.
            state = self
                .shared
                .changed
                .wait_timeout(state, rest)
                .map_or_else(|error| error.into_inner().0, |ok| ok.0);
        }
    }

    /// Waits until the program has written nothing for `quiet`.
    #[track_caller]
    pub fn settle(&self, quiet: Duration) {
        eventually_some(PATIENCE, "the program stops writing", || {
            let state = self.shared.lock();
            (state.last.elapsed() >= quiet).then_some(())
        });
    }

    /// Looks at the screen.
    pub fn screen<T>(&self, look: impl FnOnce(&Screen) -> T) -> T {
        look(self.shared.lock().parser.screen())
    }

    /// The text on the screen.
    pub fn text(&self) -> String {
        self.screen(Screen::contents)
    }

    /// Every byte the program has written so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.shared.lock().raw.clone()
    }

    /// How many bytes the program has written so far.
    pub fn bytes_written(&self) -> usize {
        self.shared.lock().raw.len()
    }

    /// Stops or goes on reading what the program writes, as a terminal does behind a dead ssh.
    ///
    /// One more read may be taken in after a stop; then the program's writes fill the kernel's buffer and block.
    pub fn pause_reading(&self, pause: bool) {
        self.shared.lock().paused = pause;
        self.shared.changed.notify_all();
    }

    /// The id of the program, which is the leader of the terminal's session.
    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("the program runs")
    }

    /// Sends the program a signal (`"TERM"`).
    pub fn signal(&self, name: &str) {
        assert!(
            signal(self.pid().into(), name),
            "the program is gone already"
        );
    }

    /// Waits for the program's end and for its last bytes; panics with the screen when it does not end.
    #[track_caller]
    pub fn wait_exit(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                // Somebody else may hold the terminal (a child left behind): then there is no end to wait for.
                let drained = |state: &mut State| !state.ended;
                let state = self.shared.lock();
                drop(self.shared.changed.wait_timeout_while(
                    state,
                    Duration::from_secs(5),
                    drained,
                ));
                return status;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "the program does not end; the screen:\n{}",
                self.text()
            );
            thread::sleep(super::POLL);
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        self.pause_reading(false);
        if let Ok(None) = self.child.try_wait()
            && let Some(pid) = self.child.process_id()
        {
            signal(-i64::from(pid), "KILL");
            // Bounded, because a test that has failed must end.
            let start = Instant::now();
            while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < PATIENCE {
                thread::sleep(super::POLL);
            }
        }
    }
}

fn size(rows: u16, columns: u16) -> PtySize {
    PtySize {
        rows,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}
