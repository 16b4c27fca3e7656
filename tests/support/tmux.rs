//! umbel in tmux: a real terminal that answers queries, has a clipboard and a cursor, and does job control.

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use super::{Leashed, PATIENCE, Sandbox, Typist, eventually, eventually_some};

/// A tmux server of a test's own with one window; ended when dropped.
#[derive(Debug)]
pub struct Tmux {
    socket: PathBuf,
    /// Where the program's exit code is written when it ends.
    ended: PathBuf,
    typist: RefCell<Typist>,
    _server: Leashed,
}

impl Tmux {
    /// Starts a program in a window of `columns` by `rows`, in the home and environment of `sandbox`.
    ///
    /// The program finds the binary as `$UMBEL`; the window stays when the program has ended.
    #[track_caller]
    pub fn start(sandbox: &Sandbox, rows: u16, columns: u16, program: &[&str]) -> Self {
        let socket = sandbox.home().join("tmux");
        let mut server = Command::new("tmux");
        // -D keeps the server from becoming a daemon that could outlive its leash.
        server
            .args(["-f", "/dev/null", "-D", "-S"])
            .arg(&socket)
            .env("LC_ALL", "C.UTF-8")
            .env_remove("TMUX");
        let server = Leashed::start(&server, 0, &sandbox.home().join("tmux.log"));
        let tmux = Self {
            socket,
            ended: sandbox.home().join("tmux.ended"),
            typist: RefCell::default(),
            _server: server,
        };
        eventually(PATIENCE, "tmux listens", || {
            tmux.try_command(&["list-commands"]).status.success()
        });
        tmux.command(&["set-option", "-g", "remain-on-exit", "on"]);
        tmux.command(&["set-option", "-g", "default-terminal", "tmux-256color"]);
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let mut args = vec![
            "new-session",
            "-d",
            "-s",
            "test",
            "-x",
            &columns,
            "-y",
            &rows,
            "env",
            "-i",
        ];
        let environment: Vec<String> = sandbox
            .terminal_environment()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        args.extend(
            environment
                .iter()
                .filter(|pair| !pair.starts_with("TERM="))
                .map(String::as_str),
        );
        args.push("TERM=tmux-256color");
        // tmux knows the exit code of a dead pane only if it heard of the death in time; a shell around the program always does.
        let ended = tmux.ended.to_string_lossy().into_owned();
        args.extend(["/bin/sh", "-c", "\"$@\"; echo $? >\"$0\"", &ended]);
        args.extend(program);
        tmux.command(&args);
        let terminal = PathBuf::from(tmux.ask("pane_tty"));
        *tmux.typist.borrow_mut() = Typist::at(Some(terminal));
        tmux
    }

    /// Runs a tmux command and returns what it printed; panics when it fails.
    #[track_caller]
    pub fn command(&self, args: &[&str]) -> String {
        let output = self.try_command(args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {args:?}: {error}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Presses keys by tmux's names for them: `["C-c", "Enter", "q"]`.
    #[track_caller]
    pub fn keys(&self, keys: &[&str]) {
        self.typist.borrow_mut().next();
        self.command(&[&["send-keys", "-t", "test"], keys].concat());
    }

    /// Types text as it is.
    #[track_caller]
    pub fn text(&self, text: &str) {
        self.typist.borrow_mut().next();
        self.command(&["send-keys", "-t", "test", "-l", text]);
    }

    /// Pastes text; `flags` are those of `paste-buffer`: `["-p"]` brackets it if asked to, `["-r"]` keeps line feeds.
    #[track_caller]
    pub fn paste(&self, text: &str, flags: &[&str]) {
        self.command(&["set-buffer", text]);
        self.command(&[&["paste-buffer", "-t", "test"], flags].concat());
    }

    /// Changes the size of the window.
    #[track_caller]
    pub fn resize(&self, rows: u16, columns: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.command(&["resize-window", "-t", "test", "-x", &columns, "-y", &rows]);
    }

    /// The text on the screen.
    #[track_caller]
    pub fn screen(&self) -> String {
        self.command(&["capture-pane", "-t", "test", "-p"])
    }

    /// The screen with its colours, as escape sequences.
    #[track_caller]
    pub fn coloured_screen(&self) -> String {
        self.command(&["capture-pane", "-t", "test", "-p", "-e"])
    }

    /// Something tmux knows of the window: `cursor_x`, `cursor_y`, `cursor_flag`, `alternate_on`, `pane_title`, …
    #[track_caller]
    pub fn ask(&self, variable: &str) -> String {
        let format = format!("#{{{variable}}}");
        self.command(&["display-message", "-t", "test", "-p", &format])
            .trim_end()
            .to_owned()
    }

    /// Waits until the screen shows `text`; panics with the screen when it does not.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        self.wait_until(&format!("the screen shows {text:?}"), |screen| {
            screen.contains(text)
        });
    }

    /// Waits until the screen is as wanted; panics with `what` and the screen when it is not.
    #[track_caller]
    pub fn wait_until(&self, what: &str, mut wanted: impl FnMut(&str) -> bool) {
        let start = std::time::Instant::now();
        let last = eventually_some(2 * PATIENCE, what, || {
            let screen = self.screen();
            (wanted(&screen) || start.elapsed() > PATIENCE).then_some(screen)
        });
        assert!(
            start.elapsed() <= PATIENCE,
            "not within {PATIENCE:?}: {what}; the screen:\n{last}"
        );
    }

    /// Waits for the program's end, and returns its exit code.
    #[track_caller]
    pub fn wait_exit(&self) -> i32 {
        eventually_some(PATIENCE, "the program in tmux ends", || {
            let code = std::fs::read_to_string(&self.ended).ok()?;
            code.trim().parse().ok()
        })
    }

    fn try_command(&self, args: &[&str]) -> Output {
        let mut command = Command::new("tmux");
        command
            .arg("-S")
            .arg(&self.socket)
            .args(args)
            .env("LC_ALL", "C.UTF-8")
            .env_remove("TMUX");
        command.stdin(Stdio::null()).output().expect("tmux runs")
    }
}
