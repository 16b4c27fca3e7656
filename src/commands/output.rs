//! Where answers go: data on stdout, words on stderr. The only place that prints.

use std::io::{BufRead, ErrorKind, IsTerminal, Read, Write};
use std::sync::OnceLock;

use serde::Serialize;

use crate::call::document::ErrorDocument;
use crate::error::{Error, Kind};
use crate::text::sanitise;

/// Bytes of an answer that are read.
const LONGEST_ANSWER: u64 = 1 << 20;

/// Why the answer is not whole: stdout is one for the whole program, whoever writes to it.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// The form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people; may change at any time.
    Human,
    /// Stable text for scripts.
    Plain,
    /// One JSON document.
    Json,
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// The form of the answer.
    pub form: Form,
    /// Whether stdout is a terminal: remote text is made safe and documents are indented.
    pub stdout_terminal: bool,
    /// Whether stderr is a terminal: progress is shown, remote text is made safe.
    pub stderr_terminal: bool,
    /// Every document is one line, on a terminal too.
    pub lines: bool,
    /// How much is not said: 1 no progress, 2 no warnings.
    pub quiet: u8,
    /// How much more is said.
    pub verbose: u8,
}

/// The document `umbel.error/1`.
#[derive(Serialize)]
struct Failure {
    schema: &'static str,
    ok: bool,
    exit: u8,
    error: Short,
}

#[derive(Serialize)]
struct Short {
    kind: String,
    message: String,
    hint: Option<String>,
}

impl Output {
    /// Looks where stdout and stderr go.
    pub fn detect(form: Form) -> Self {
        Self {
            form,
            stdout_terminal: std::io::stdout().is_terminal(),
            stderr_terminal: std::io::stderr().is_terminal(),
            lines: false,
            quiet: 0,
            verbose: 0,
        }
    }

    /// Whether a question can be asked: where a person reads stderr and types.
    pub fn can_ask(&self, no_input: bool) -> bool {
        !no_input && self.stderr_terminal && std::io::stdin().is_terminal()
    }

    /// A question on stderr, whose answer somebody else reads.
    pub fn question(&self, question: &str) {
        let mut stderr = std::io::stderr().lock();
        let _ = write!(stderr, "{} ", sanitise::show_lines(question)).and_then(|()| stderr.flush());
    }

    /// Asks on stderr, and returns the line that was typed, without its end.
    pub fn ask(&self, question: &str) -> String {
        self.question(question);
        let mut line = String::new();
        // No answer is no.
        let _ = std::io::stdin()
            .lock()
            .take(LONGEST_ANSWER)
            .read_line(&mut line);
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    /// A JSON document: indented on a terminal, else one line.
    pub fn document(&self, document: &impl Serialize) {
        let text = if self.stdout_terminal && !self.lines {
            serde_json::to_string_pretty(document)
        } else {
            serde_json::to_string(document)
        };
        match text {
            Ok(text) => self.data(&text),
            Err(error) => self.note(&format!("umbel: the document cannot be written: {error}")),
        }
    }

    /// Lines for stdout; made safe on a terminal. A closed pipe is no error.
    pub fn data(&self, text: &str) {
        let safe = if self.stdout_terminal {
            sanitise::show_lines(text)
        } else {
            text.into()
        };
        let mut stdout = std::io::stdout().lock();
        written(writeln!(stdout, "{safe}").and_then(|()| stdout.flush()));
    }

    /// The exit code of a program that would end with `exit`: an answer that could not be written is no success, and is said.
    pub fn ended(&self, exit: u8) -> u8 {
        let Some(reason) = UNWRITTEN.get() else {
            return exit;
        };
        self.note(&format!("umbel: the answer could not be written: {reason}"));
        match exit {
            0 => Kind::Internal.exit_code(),
            exit => exit,
        }
    }

    /// Words for stderr; always made safe, since they are for people.
    pub fn note(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{}", sanitise::show_lines(text));
    }

    /// Warnings, one a line.
    pub fn warnings(&self, warnings: &[String]) {
        for warning in warnings.iter().filter(|_| self.quiet < 2) {
            self.note(&format!("warning: {warning}"));
        }
    }

    /// A failure that has no document of its own. Returns its exit code.
    pub fn failure(&self, error: &Error) -> u8 {
        self.failure_with(error, error.kind.exit_code())
    }

    /// A listing that the user (130) or the system (143) stopped. Returns the exit code.
    pub fn stopped(&self, exit: u8) -> u8 {
        self.failure_with(
            &Error::new(Kind::Interrupted, "stopped before the answer was complete"),
            exit,
        )
    }

    fn failure_with(self, error: &Error, exit: u8) -> u8 {
        if self.form == Form::Json {
            let short = ErrorDocument::from(error);
            let error = Short {
                kind: short.kind,
                message: short.message,
                hint: short.hint,
            };
            self.document(&Failure {
                schema: "umbel.error/1",
                ok: false,
                exit,
                error,
            });
        } else {
            self.explain(error);
        }
        exit
    }

    /// A failure in words: what, and what next.
    pub fn explain(&self, error: &Error) {
        self.note(&format!("umbel: {}", error.message));
        if let Some(hint) = &error.hint {
            self.note(&format!("  hint: {hint}"));
        }
    }

    /// The progress line on a terminal's stderr: rewritten in place; an empty text removes it.
    pub fn progress(&self, text: &str) {
        if self.stderr_terminal && self.form == Form::Human && self.quiet == 0 {
            let mut stderr = std::io::stderr().lock();
            let _ =
                write!(stderr, "\r\x1b[K{}", sanitise::show(text)).and_then(|()| stderr.flush());
        }
    }
}

/// Remembers what became of writing to stdout. A reader that has gone has read what it wanted.
pub fn written(outcome: std::io::Result<()>) {
    if let Err(error) = outcome
        && error.kind() != ErrorKind::BrokenPipe
    {
        UNWRITTEN.get_or_init(|| error.to_string());
    }
}

/// A table for people: columns as wide as their widest cell, numbers at the right.
pub fn table(header: &[&str], right: &[usize], rows: &[Vec<String>]) -> String {
    let shown: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            row.iter()
                .map(|cell| sanitise::show(cell).into_owned())
                .collect()
        })
        .collect();
    let width = |column: usize| {
        let cells = shown
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| crate::text::width::cells(cell));
        cells.chain([header[column].len()]).max().unwrap_or(0)
    };
    let line = |cells: &[String]| {
        let padded = cells.iter().enumerate().map(|(column, cell)| {
            if right.contains(&column) {
                crate::text::width::pad_left(cell, width(column), "…")
            } else {
                crate::text::width::pad(cell, width(column), "…")
            }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let head: Vec<String> = header.iter().map(|&word| word.to_owned()).collect();
    std::iter::once(line(&head))
        .chain(shown.iter().map(|row| line(row)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Tab-separated lines with a header; control characters in cells are made visible, so that a line stays a line.
pub fn tabbed(header: &[&str], rows: &[Vec<String>]) -> String {
    let line = |row: &Vec<String>| {
        row.iter()
            .map(|cell| sanitise::show(cell).into_owned())
            .collect::<Vec<_>>()
            .join("\t")
    };
    std::iter::once(header.join("\t"))
        .chain(rows.iter().map(line))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_by_cells() {
        let rows = vec![
            vec!["客戶".to_owned(), "3".to_owned()],
            vec!["a".to_owned(), "12".to_owned()],
        ];
        assert_eq!(
            table(&["NAME", "N"], &[1], &rows),
            "NAME   N\n客戶   3\na     12"
        );
    }

    #[test]
    fn a_name_with_control_characters_stays_one_cell() {
        let rows = vec![vec!["a\tb\nc".to_owned()]];
        assert_eq!(tabbed(&["name"], &rows).lines().count(), 2);
    }
}
