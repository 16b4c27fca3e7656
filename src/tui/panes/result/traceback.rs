//! Python's tracebacks for reading: a frame on one line, frames of libraries told from those of the application. Sanitises nothing.

use crate::tui::theme::Role;

/// Parts of paths that belong to libraries.
const LIBRARIES: [&str; 4] = ["site-packages/", "/celery/", "/kombu/", "/billiard/"];

/// A traceback with each `File "x.py", line 1, in f` as `x.py:1 in f`. The library frames that every task starts with become one line.
pub fn readable(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().position(|line| frame(line).is_some());
    let own = lines
        .iter()
        .position(|line| frame(line).is_some_and(|it| !it.is_library()));
    let mut shown = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        let skipped =
            first.is_some_and(|first| place >= first) && own.is_some_and(|own| place < own);
        if skipped {
            if Some(place) == first {
                let count = lines[..own.unwrap_or(place)]
                    .iter()
                    .filter(|line| frame(line).is_some());
                shown.push(skipped_frames(count.count()));
            }
            continue;
        }
        shown.push(frame(line).map_or_else(|| (*line).to_owned(), |frame| frame.text()));
    }
    shown.join("\n")
}

fn skipped_frames(count: usize) -> String {
    match count {
        1 => "  (1 frame of a library, copied with the rest)".to_owned(),
        count => format!("  ({count} frames of libraries, copied with the rest)"),
    }
}

/// One frame's first line.
struct Frame<'a> {
    path: &'a str,
    line: &'a str,
    function: Option<&'a str>,
}

impl Frame<'_> {
    fn is_library(&self) -> bool {
        is_library(self.path)
    }

    fn text(&self) -> String {
        let path = self
            .path
            .rsplit_once("site-packages/")
            .map_or(self.path, |(_, path)| path);
        let function = self.function.map(|function| format!(" in {function}"));
        format!("  {path}:{}{}", self.line, function.unwrap_or_default())
    }
}

fn is_library(path: &str) -> bool {
    LIBRARIES.iter().any(|part| path.contains(part))
}

/// Reads `  File "x.py", line 1, in f`.
fn frame(line: &str) -> Option<Frame<'_>> {
    let (path, rest) = line
        .trim_start()
        .strip_prefix("File \"")?
        .split_once("\", line ")?;
    let (line, function) = match rest.split_once(", in ") {
        Some((line, function)) => (line, Some(function)),
        None => (rest, None),
    };
    Some(Frame {
        path,
        line,
        function,
    })
}

/// Tells what a line of [`readable`] text means, line by line.
#[derive(Debug, Default)]
pub struct Frames {
    library: bool,
}

impl Frames {
    /// The role of the next line.
    pub fn role(&mut self, line: &str) -> Role {
        let indent = line.len() - line.trim_start().len();
        match indent {
            0 if line.starts_with("Traceback") || line.is_empty() => Role::Dim,
            0 if line.ends_with(':') && line.contains("exception") => Role::Dim,
            0 => Role::Fail,
            2 if line.starts_with("  (") => Role::Dim,
            2 => {
                // Site-packages were cut off: a library's path is relative now.
                self.library = is_library(line) || !line.starts_with("  /");
                if self.library {
                    Role::Dim
                } else {
                    Role::Accent
                }
            }
            _ if self.library => Role::Dim,
            _ => Role::Fg,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Traceback (most recent call last):
  File \"/usr/lib/python3/site-packages/celery/app/trace.py\", line 477, in trace_task
    R = retval = fun(*args, **kwargs)
        ^^^^^
  File \"/usr/lib/python3/site-packages/celery/app/trace.py\", line 760, in __protected_call__
    return self.run(*args, **kwargs)
  File \"/srv/shop/tasks.py\", line 42, in refund
    service.reserve(order)
  File \"/usr/lib/python3/site-packages/sqlalchemy/orm.py\", line 7, in get
    raise KeyError(1)
KeyError: 1";

    #[test]
    fn frames_are_on_one_line_and_the_first_library_frames_are_counted() {
        let shown = readable(TEXT);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(
            lines,
            [
                "Traceback (most recent call last):",
                "  (2 frames of libraries, copied with the rest)",
                "  /srv/shop/tasks.py:42 in refund",
                "    service.reserve(order)",
                "  sqlalchemy/orm.py:7 in get",
                "    raise KeyError(1)",
                "KeyError: 1",
            ]
        );
    }

    #[test]
    fn a_traceback_of_libraries_alone_is_shown_whole() {
        let text = TEXT.replace("/srv/shop", "/x/site-packages/shop");
        assert_eq!(readable(&text).lines().count(), TEXT.lines().count());
    }

    #[test]
    fn what_is_no_traceback_stays_as_it_is() {
        for text in ["", "File \"x", "no frames\n  here", "  File \"a\", line "] {
            assert_eq!(readable(text).lines().count(), text.lines().count());
        }
    }
}
