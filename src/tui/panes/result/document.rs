//! What a call brought, as something to scroll: a tree of values, or text. Built once when it comes, from at most its first 256 kB; draws nothing.

use super::traceback;
use crate::call::Call;
use crate::protocol::typed::{self, Kind};
use crate::protocol::{Json, TaskResult};
use crate::text::width::cells;
use crate::tui::panes::{remote, remote_lines};
use crate::tui::theme::Role;
use crate::tui::widgets::{Node, Step, TextLine, TextView, Tree};

/// How much of a result is shown.
const SHOWN: usize = 256_000;
/// A list or an object with more entries than this starts folded below the root.
const OPEN: usize = 3;
/// A text longer than this, or with several lines, is read as text instead of one row.
const ONE_ROW: usize = 120;

/// Something to scroll.
#[derive(Debug)]
pub struct Document {
    /// The values or the text.
    pub body: Body,
    /// Whether not all of it is shown.
    pub cut: bool,
    /// How many characters were made visible because they must not be obeyed.
    pub hidden: usize,
    /// One value that is too long for its row, opened to be read.
    pub reading: Option<TextView>,
}

/// Values or text.
#[derive(Debug)]
pub enum Body {
    /// Values, foldable.
    Tree(Tree),
    /// Text.
    Text(TextView),
}

impl Document {
    /// What `call` brought; `None` while there is nothing to read.
    pub fn of(call: &Call) -> Option<Self> {
        if let Some(repr) = &call.repr {
            let (text, cut) = head(&repr.text, SHOWN);
            return Some(Self::text(text, cut, |_| Role::JsonStr));
        }
        if let Some(opaque) = call.opaque().filter(|_| call.exception().is_none()) {
            let steps = opaque.lines.join("\n");
            let (text, cut) = head(&steps, SHOWN);
            return Some(Self::text(text, cut, |_| Role::Dim));
        }
        let result = call.result.as_ref().filter(|_| call.result_known())?;
        if result.exception.is_some() || result.traceback.is_some() {
            return Some(Self::traceback(result));
        }
        Some(Self::value(&result.value))
    }

    /// Enter: opens a value that is too long for its row, closes it again, else folds or unfolds.
    pub fn enter(&mut self, width: u16, height: u16) {
        let Body::Tree(tree) = &mut self.body else {
            return;
        };
        if self.reading.take().is_some() {
            return;
        }
        match long_leaf(tree, usize::from(width)) {
            Some(text) => self.reading = Some(TextView::plain(&text, Role::JsonStr)),
            None => tree.toggle(usize::from(height)),
        }
    }

    /// Scrolls.
    pub fn step(&mut self, step: Step, width: u16, height: u16) {
        match (&mut self.reading, &mut self.body) {
            (Some(text), _) | (None, Body::Text(text)) => text.step(step, width, height),
            (None, Body::Tree(tree)) => tree.step(step, usize::from(height)),
        }
    }

    /// Closes the value that is being read. Returns whether one was.
    pub fn stop_reading(&mut self) -> bool {
        self.reading.take().is_some()
    }

    /// A value.
    pub fn value(value: &Json) -> Self {
        match value {
            Json::Text(text) if text.len() > ONE_ROW || text.contains('\n') => {
                let (text, cut) = head(text, SHOWN);
                Self::text(text, cut, |_| Role::JsonStr)
            }
            value => {
                let mut planting = Planting::default();
                planting.add("", value, 0);
                Self {
                    cut: planting.left == 0,
                    hidden: 0,
                    reading: None,
                    body: Body::Tree(Tree::new(planting.nodes)),
                }
            }
        }
    }

    fn traceback(result: &TaskResult) -> Self {
        let text = result.traceback.as_deref().unwrap_or_default();
        let (text, cut) = head(text.trim_end(), SHOWN);
        let shown = traceback::readable(text);
        let mut frames = traceback::Frames::default();
        Self {
            hidden: crate::text::sanitise::hidden_count(text),
            ..Self::text(&shown, cut, |line| frames.role(line))
        }
    }

    fn text(text: &str, cut: bool, mut role: impl FnMut(&str) -> Role) -> Self {
        let shown = remote_lines(text);
        let lines = shown.split('\n').map(|line| TextLine {
            role: role(line),
            text: line.to_owned(),
        });
        Self {
            cut,
            hidden: crate::text::sanitise::hidden_count(text),
            reading: None,
            body: Body::Text(TextView::new(lines)),
        }
    }
}

/// The selected value, if it has no children and does not fit in its row.
fn long_leaf(tree: &Tree, width: usize) -> Option<String> {
    let at = tree.selected();
    let node = tree.node(at)?;
    let childless = tree
        .node(at + 1)
        .is_none_or(|next| next.depth <= node.depth);
    let used = usize::from(node.depth) * 2 + 4 + cells(&node.label) + cells(&node.text);
    (childless && used > width).then(|| node.text.clone())
}

/// The first `most` bytes, on a character's border.
fn head(text: &str, most: usize) -> (&str, bool) {
    if text.len() <= most {
        return (text, false);
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at));
    (&text[..end.unwrap_or(0)], true)
}

/// Makes nodes of values until the room is used up.
struct Planting {
    nodes: Vec<Node>,
    left: usize,
}

impl Default for Planting {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            left: SHOWN,
        }
    }
}

impl Planting {
    fn add(&mut self, label: &str, value: &Json, depth: u16) {
        if self.left == 0 {
            return;
        }
        let label = remote(head(label, 1_000).0);
        let (text, role) = self.leaf(value);
        let used = label.len() + text.len() + 8;
        self.left = self.left.saturating_sub(used);
        let many = size(value) > OPEN || depth > 1;
        self.nodes.push(Node {
            depth,
            label,
            text,
            role,
            folded: depth > 0 && many && size(value) > 0,
        });
        if typed::recognise(value).is_some() {
            return;
        }
        match value {
            Json::List(items) => {
                for item in items {
                    if self.left == 0 {
                        break;
                    }
                    self.add("", item, depth + 1);
                }
            }
            Json::Object(entries) => {
                for (key, item) in entries {
                    self.add(key, item, depth + 1);
                }
            }
            _ => {}
        }
    }

    /// A value on one row.
    fn leaf(&self, value: &Json) -> (String, Role) {
        if let Some(typed) = typed::recognise(value) {
            return (
                remote(&typed_text(typed.kind, head(typed.text, self.left).0)),
                Role::JsonNum,
            );
        }
        match value {
            Json::Null => ("null".to_owned(), Role::JsonLit),
            Json::Bool(value) => (value.to_string(), Role::JsonLit),
            Json::Number(digits) => (remote(head(digits, self.left).0), Role::JsonNum),
            Json::Text(text) => {
                let (text, cut) = head(text, self.left);
                let shown = Json::Text(text.to_owned()).to_wire();
                let shown = if cut { format!("{shown}...") } else { shown };
                (remote(&shown), Role::JsonStr)
            }
            Json::List(items) => (format!("[{}]", items.len()), Role::Dim),
            Json::Object(entries) => (format!("{{{}}}", entries.len()), Role::Dim),
        }
    }
}

fn size(value: &Json) -> usize {
    if typed::recognise(value).is_some() {
        return 0;
    }
    match value {
        Json::List(items) => items.len(),
        Json::Object(entries) => entries.len(),
        _ => 0,
    }
}

/// A typed value as what it is: `Decimal "12.50"`, `datetime 2026-11-22 12:04:31+00:00`.
fn typed_text(kind: Kind, text: &str) -> String {
    match kind {
        Kind::Datetime => format!("datetime {}", text.replacen('T', " ", 1)),
        Kind::Date => format!("date {text}"),
        Kind::Time => format!("time {text}"),
        Kind::Decimal => format!("Decimal \"{text}\""),
        Kind::Uuid => format!("UUID {text}"),
        Kind::Bytes => format!("bytes {}", Json::Text(text.to_owned()).to_wire()),
        Kind::Base64 => format!("bytes base64:{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::json::Limits;

    fn tree(text: &str) -> (Vec<String>, bool) {
        let value = Json::parse(text.as_bytes(), Limits::default()).unwrap();
        let document = Document::value(&value);
        let Body::Tree(tree) = &document.body else {
            panic!("text")
        };
        let rows = (0..tree.len()).filter_map(|row| tree.node(row));
        let row = |node: &Node| {
            let fold = if node.folded { " folded" } else { "" };
            format!(
                "{}{}:{}{fold}",
                " ".repeat(node.depth.into()),
                node.label,
                node.text
            )
        };
        (rows.map(row).collect(), document.cut)
    }

    #[test]
    fn typed_values_are_shown_as_what_they_are() {
        let (rows, _) = tree(
            r#"{"amount": {"__type__": "decimal", "__value__": "12.50"},
                "at": {"__type__": "datetime", "__value__": "2026-11-22T12:04:31+00:00"}}"#,
        );
        assert_eq!(
            rows,
            [
                ":{2}",
                " amount:Decimal \"12.50\"",
                " at:datetime 2026-11-22 12:04:31+00:00"
            ]
        );
    }

    #[test]
    fn what_is_long_starts_folded_and_the_root_open() {
        let (rows, _) = tree(r#"{"lines": [1, 2, 3, 4], "few": [true, null]}"#);
        assert_eq!(rows[0], ":{2}");
        assert_eq!(rows[1], " lines:[4] folded");
        assert_eq!(rows[6..], [" few:[2]", "  :true", "  :null"]);
    }

    #[test]
    fn a_large_result_is_cut_at_256_kb_and_says_so() {
        let text = format!(
            "[{}]",
            vec!["\"0123456789012345678901234567890123456789\""; 50_000].join(",")
        );
        let (rows, cut) = tree(&text);
        assert!(cut);
        assert!(rows.iter().map(String::len).sum::<usize>() < 2 * SHOWN);
    }

    #[test]
    fn remote_text_cannot_reach_the_terminal() {
        let (rows, _) = tree("{\"a\\u001b[2J\": \"x\\u001b]52;c;\\u0007\\u202e\"}");
        assert!(
            rows.iter()
                .all(|row| !row.contains(['\u{1b}', '\u{7}', '\u{202e}']))
        );
    }
}
