//! Exceptions and their tracebacks, as Python 3.11 and Celery 5.7 write them. Never runs Python.

use std::fmt::Write;

use super::build::object;
use crate::protocol::{Json, python};

/// An exception that a task raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Raised {
    kind: &'static str,
    module: &'static str,
    args: Vec<Json>,
    traceback: Option<String>,
}

/// One frame of a traceback.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub file: &'static str,
    pub line: u32,
    pub function: &'static str,
    pub code: &'static str,
    /// The part of the code that Python underlines; empty if it is the whole line.
    pub mark: &'static str,
}

const TRACE: &str = "/srv/venv/lib/python3.11/site-packages/celery/app/trace.py";

/// The frames that stand above those of every task.
pub(super) const CELERY: [Frame; 2] = [
    Frame {
        file: TRACE,
        line: 564,
        function: "trace_task",
        code: "R = retval = fun(*args, **kwargs)",
        mark: "fun(*args, **kwargs)",
    },
    Frame {
        file: TRACE,
        line: 883,
        function: "__protected_call__",
        code: "return self.run(*args, **kwargs)",
        mark: "self.run(*args, **kwargs)",
    },
];

impl Raised {
    /// An exception of `module`, raised in a task at `frames`, below Celery's own.
    pub(super) fn new(
        (module, kind): (&'static str, &'static str),
        message: impl Into<String>,
        frames: &[Frame],
    ) -> Self {
        let bare = Self::bare((module, kind), vec![Json::Text(message.into())]);
        let all: Vec<Frame> = CELERY.iter().chain(frames).copied().collect();
        let traceback = traceback(&all, &bare.headline());
        bare.with_traceback(traceback)
    }

    /// An exception of Python's own.
    pub(super) fn builtin(
        kind: &'static str,
        message: impl Into<String>,
        frames: &[Frame],
    ) -> Self {
        Self::new(("builtins", kind), message, frames)
    }

    /// An exception without a traceback: Celery's own verdicts have none.
    pub(super) fn bare((module, kind): (&'static str, &'static str), args: Vec<Json>) -> Self {
        Self {
            kind,
            module,
            args,
            traceback: None,
        }
    }

    /// The same with this traceback.
    pub(super) fn with_traceback(self, traceback: String) -> Self {
        Self {
            traceback: Some(traceback),
            ..self
        }
    }

    /// The document that a result holds in its place.
    pub(super) fn document(&self) -> Json {
        object([
            ("exc_type", self.kind.into()),
            ("exc_message", Json::List(self.args.clone())),
            ("exc_module", self.module.into()),
        ])
    }

    /// The traceback's text.
    pub(super) fn traceback(&self) -> Option<&str> {
        self.traceback.as_deref()
    }

    /// As Python's `repr` writes it: `ValueError('no', 3)`.
    pub(super) fn repr(&self) -> String {
        let args: Vec<String> = self.args.iter().map(python::repr).collect();
        format!("{}({})", self.kind, args.join(", "))
    }

    /// The last line of its traceback.
    pub(super) fn headline(&self) -> String {
        let name = match self.module {
            "builtins" => self.kind.to_owned(),
            module => format!("{module}.{}", self.kind),
        };
        match self.args.as_slice() {
            [Json::Text(text)] if self.kind != "KeyError" => format!("{name}: {text}"),
            [one] => format!("{name}: {}", python::repr(one)),
            several => format!("{name}: {}", python::tuple(several, usize::MAX)),
        }
    }
}

/// A traceback's text.
pub(super) fn traceback(frames: &[Frame], headline: &str) -> String {
    let mut text = "Traceback (most recent call last):\n".to_owned();
    for frame in frames {
        let Frame {
            file,
            line,
            function,
            code,
            mark,
        } = frame;
        // Writing to a String never fails.
        let _ = writeln!(text, "  File \"{file}\", line {line}, in {function}");
        let _ = writeln!(text, "    {code}");
        if let Some(at) = code.find(mark).filter(|_| !mark.is_empty()) {
            let (pad, marks) = (" ".repeat(at), "^".repeat(mark.len()));
            let _ = writeln!(text, "    {pad}{marks}");
        }
    }
    text.push_str(headline);
    text.push('\n');
    text
}

/// A traceback whose exception was caused by another one (`raise … from …`).
pub(super) fn caused(cause: &str, effect: &str) -> String {
    format!(
        "{cause}\nThe above exception was the direct cause of the following exception:\n\n{effect}"
    )
}

/// A traceback whose exception came up while another one was handled.
pub(super) fn during(first: &str, second: &str) -> String {
    format!(
        "{first}\nDuring handling of the above exception, another exception occurred:\n\n{second}"
    )
}
