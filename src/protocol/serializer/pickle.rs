//! Python's pickle, protocols 0 to 5, taken apart and never executed: no name is looked up, nothing is called or imported.
//! What comes out is a listing for people and an outline in which everything that only Python can rebuild is a text.
//!
//! A pickle is a program for a stack machine (`pickletools.py`); this one runs it on marks and outlines. `pickle/cursor.rs`
//! reads operands, `pickle/outline.rs` keeps what was built and tells it. Everything is bounded: steps, lines, output.

mod cursor;
mod outline;

use std::collections::HashMap;

use super::super::json::float_text;
use super::super::payload::Form;
use super::super::result::Exception;
use super::super::{Json, python, typed};
use cursor::Cursor;
use outline::{Heap, Id, Node};

/// Something that only Python can rebuild, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opaque {
    /// What it was written in.
    pub kind: Form,
    /// Its bytes.
    pub size: usize,
    /// What it does, step by step: the offset, then `global shop.errors.OutOfStock`, `text 'abc'`, `call`. At most 2,000 lines
    /// of at most 200 characters.
    pub lines: Vec<String>,
    /// Whether lines or the outline leave something out: too many steps, too large, or damaged data.
    pub truncated: bool,
    /// The plain parts as they are (dicts, lists, tuples as lists, texts, numbers); everything else is a text such as
    /// `<shop.models.Order (1, 'x')>`. Null if nothing could be read.
    pub outline: Json,
    /// The exception under the key `result` of a dict at the top, as Celery stores it with this serializer.
    pub raised: Option<Exception>,
}

/// Steps of the program at most; a list of a million numbers needs two million.
const MOST_STEPS: usize = 4_000_000;
const MOST_LINES: usize = 2_000;
const LONGEST_LINE: usize = 200;

/// Takes a pickle apart. Damaged data gives what could be read before the damage, with a last line that says what is wrong.
pub fn read(data: &[u8]) -> Opaque {
    let mut machine = Machine::new(data);
    let ended = machine.run();
    if let Err(why) = ended {
        let at = machine.start;
        machine.lines.truncate(MOST_LINES - 1);
        machine.lines.push(format!("{at:>7}  stops here: {why}"));
        machine.fold();
    }
    let root = machine.stack.first().copied();
    let told = root.map(|root| machine.heap.tell(root));
    let (outline, whole) = told.unwrap_or((Json::Null, false));
    Opaque {
        kind: Form::Pickle,
        size: data.len(),
        truncated: ended.is_err() || machine.left_out || !whole,
        raised: root.and_then(|root| machine.heap.raised(root)),
        lines: machine.lines,
        outline,
    }
}

/// Whether the program goes on.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Stop,
}

type Step = Result<(), &'static str>;

struct Machine<'a> {
    cursor: Cursor<'a>,
    heap: Heap,
    stack: Vec<Id>,
    /// Heights of the stack at which marks lie.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    lines: Vec<String>,
    left_out: bool,
    /// Offset of the step in hand.
    start: usize,
}

impl<'a> Machine<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self {
            cursor: Cursor::new(data),
            heap: Heap::default(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            lines: Vec::new(),
            left_out: false,
            start: 0,
        }
    }

    fn run(&mut self) -> Step {
        for _ in 0..MOST_STEPS {
            self.start = self.cursor.at();
            let code = self.cursor.byte()?;
            if self.step(code)? == Flow::Stop {
                return Ok(());
            }
        }
        Err("too many steps to follow")
    }

    fn step(&mut self, code: u8) -> Result<Flow, &'static str> {
        match code {
            b'.' => {
                let root = self.pop()?;
                self.stack = vec![root];
                return Ok(Flow::Stop);
            }
            0x80 => drop(self.cursor.byte()?),
            0x95 => drop(self.cursor.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.since_mark()?),
            b'2' => self.stack.push(self.top()?),
            b'N' | b'I' | b'J' | b'K' | b'L' | b'M' | b'F' | b'G' | 0x88..=0x8b => {
                self.number(code)?;
            }
            b'S' | b'T' | b'U' | b'V' | b'X' | b'B' | b'C' | 0x8c..=0x8e | 0x96 => {
                self.text(code)?;
            }
            b'g' | b'h' | b'j' | b'p' | b'q' | b'r' | 0x94 => self.remember(code)?,
            b'c' | b'i' | b'o' | b'R' | b'b' | 0x81 | 0x92 | 0x93 => self.object(code)?,
            b'P' | b'Q' | 0x82..=0x84 | 0x97 | 0x98 => self.elsewhere(code)?,
            _ => self.container(code)?,
        }
        Ok(Flow::On)
    }

    fn pop(&mut self) -> Result<Id, &'static str> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err("nothing on the stack");
        }
        self.stack.pop().ok_or("nothing on the stack")
    }

    fn top(&self) -> Result<Id, &'static str> {
        self.stack.last().copied().ok_or("nothing on the stack")
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, &'static str> {
        let mark = self.marks.pop().ok_or("no mark on the stack")?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn push(&mut self, node: Node) {
        let id = self.heap.add(node);
        self.stack.push(id);
    }

    fn say(&mut self, what: &str, operand: &str) {
        if self.lines.len() >= MOST_LINES {
            self.left_out = true;
            return;
        }
        let (at, level) = (self.start, self.marks.len().min(20));
        let line = format!("{at:>7}  {:level$}{what} {operand}", "");
        let line = line.trim_end();
        self.left_out |= line.len() > LONGEST_LINE;
        self.lines.push(python::shorten(line, LONGEST_LINE));
    }

    fn scalar(&mut self, what: &str, value: Json) {
        if self.lines.len() < MOST_LINES {
            // Only the start of a long text is shown; it is not written out first.
            let shown = python::tuple(std::slice::from_ref(&value), LONGEST_LINE);
            let shown = shown.strip_prefix('(').unwrap_or(&shown);
            self.say(what, shown.strip_suffix(",)").unwrap_or(shown));
        } else {
            self.left_out = true;
        }
        self.push(Node::Plain(value));
    }

    fn number(&mut self, code: u8) -> Step {
        let cursor = &mut self.cursor;
        let digits = match code {
            b'N' => {
                self.scalar("none", Json::Null);
                return Ok(());
            }
            0x88 | 0x89 => {
                self.scalar("bool", Json::Bool(code == 0x88));
                return Ok(());
            }
            b'I' => match cursor.line()? {
                digit @ ("00" | "01") => {
                    self.scalar("bool", Json::Bool(digit == "01"));
                    return Ok(());
                }
                digits => cursor::whole(digits)?,
            },
            b'L' => cursor::whole(cursor.line()?.trim_end_matches('L'))?,
            b'J' => i32::from_le_bytes(cursor.array()?).to_string(),
            b'K' => cursor.byte()?.to_string(),
            b'M' => u16::from_le_bytes(cursor.array()?).to_string(),
            0x8a => {
                let size = usize::from(cursor.byte()?);
                cursor::long(cursor.take(size)?)
            }
            0x8b => cursor::long(cursor.sized(4)?),
            b'F' => {
                let number = cursor.line()?.trim().parse();
                float_text(number.map_err(|_| "a float that is none")?)
            }
            _ => float_text(f64::from_be_bytes(cursor.array()?)),
        };
        let what = if matches!(code, b'F' | b'G') {
            "float"
        } else {
            "int"
        };
        // Too long to be written out it is told in words.
        let worded = digits.starts_with('<');
        let value = if worded { Json::Text } else { Json::Number };
        self.scalar(what, value(digits));
        Ok(())
    }

    fn text(&mut self, code: u8) -> Step {
        let cursor = &mut self.cursor;
        let size = |size: u8| usize::from(size);
        let data = match code {
            b'S' => {
                let text = cursor.quoted()?;
                self.scalar("text", Json::Text(text));
                return Ok(());
            }
            b'V' => {
                let text = cursor::unescape(cursor.line()?);
                self.scalar("text", Json::Text(text));
                return Ok(());
            }
            b'U' | b'C' | 0x8c => {
                let size = size(cursor.byte()?);
                cursor.take(size)?
            }
            b'T' | b'X' | b'B' => cursor.sized(4)?,
            _ => cursor.sized(8)?,
        };
        let raw = matches!(code, b'B' | b'C' | 0x8e | 0x96);
        if raw {
            self.scalar("bytes", typed::of_bytes(data.to_vec()));
        } else {
            let text = String::from_utf8_lossy(data).into_owned();
            self.scalar("text", Json::Text(text));
        }
        Ok(())
    }

    fn remember(&mut self, code: u8) -> Step {
        let cursor = &mut self.cursor;
        let key = match code {
            b'g' | b'p' => cursor
                .line()?
                .trim()
                .parse()
                .map_err(|_| "a memo key that is none")?,
            b'h' | b'q' => cursor.byte()?.into(),
            b'j' | b'r' => u32::from_le_bytes(cursor.array()?).into(),
            _ => self.memo.len() as u64,
        };
        if matches!(code, b'g' | b'h' | b'j') {
            let known = self.memo.get(&key).copied();
            self.stack.push(known.ok_or("nothing under that memo key")?);
        } else {
            self.memo.insert(key, self.top()?);
        }
        Ok(())
    }

    fn container(&mut self, code: u8) -> Step {
        match code {
            b'}' => self.made("dict", Node::Dict(Vec::new())),
            b']' => self.made("list", Node::List(Vec::new())),
            b')' => self.made("tuple", Node::Tuple(Vec::new())),
            0x8f => self.made("set", Node::Set("set", Vec::new())),
            b'd' => {
                let items = self.since_mark()?;
                self.made("dict", Node::Dict(pairs(&items)));
            }
            b'l' => {
                let items = self.since_mark()?;
                self.made("list", Node::List(items));
            }
            b't' => {
                let items = self.since_mark()?;
                self.made("tuple", Node::Tuple(items));
            }
            0x91 => {
                let items = self.since_mark()?;
                self.made("frozenset", Node::Set("frozenset", items));
            }
            0x85..=0x87 => {
                let count = usize::from(code - 0x84);
                let mut items = (0..count)
                    .map(|_| self.pop())
                    .collect::<Result<Vec<_>, _>>()?;
                items.reverse();
                self.made("tuple", Node::Tuple(items));
            }
            b'a' => {
                let item = self.pop()?;
                self.heap.append(self.top()?, &[item]);
            }
            b'e' | 0x90 => {
                let items = self.since_mark()?;
                self.heap.append(self.top()?, &items);
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.heap.set(self.top()?, &[(key, value)]);
            }
            b'u' => {
                let items = self.since_mark()?;
                self.heap.set(self.top()?, &pairs(&items));
            }
            _ => return Err("no such step in any protocol"),
        }
        Ok(())
    }

    fn made(&mut self, what: &str, node: Node) {
        self.say(what, "");
        self.push(node);
    }

    /// Names of classes and functions, and calls of them, none of which happen.
    fn object(&mut self, code: u8) -> Step {
        match code {
            b'c' => {
                let (module, name) = self.cursor.two_lines()?;
                self.global(&module, &name);
            }
            0x93 => {
                let name = self.pop()?;
                let module = self.pop()?;
                let (module, name) = (self.heap.word(module), self.heap.word(name));
                self.global(&module, &name);
            }
            b'i' => {
                let (module, name) = self.cursor.two_lines()?;
                let args = self.since_mark()?;
                self.global(&module, &name);
                let what = self.pop()?;
                let args = self.heap.add(Node::Tuple(args));
                self.call(what, args);
            }
            b'o' => {
                let mut args = self.since_mark()?;
                if args.is_empty() {
                    return Err("nothing to call");
                }
                let what = args.remove(0);
                let args = self.heap.add(Node::Tuple(args));
                self.call(what, args);
            }
            b'b' => {
                let state = self.pop()?;
                self.say("state", "");
                self.heap.append(self.top()?, &[state]);
            }
            0x92 => {
                let keywords = self.pop()?;
                let args = self.pop()?;
                let what = self.pop()?;
                self.call(what, args);
                self.heap.append(self.top()?, &[keywords]);
            }
            _ => {
                let args = self.pop()?;
                let what = self.pop()?;
                self.call(what, args);
            }
        }
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) {
        // Protocols up to 2 write the names of Python 2.
        let module = match module {
            "__builtin__" | "exceptions" => "builtins",
            "copy_reg" => "copyreg",
            other => other,
        };
        self.say("global", &format!("{module}.{name}"));
        self.push(Node::Global(module.to_owned(), name.to_owned()));
    }

    fn call(&mut self, what: Id, args: Id) {
        self.say("call", "");
        self.push(Node::Call(what, args, Vec::new()));
    }

    /// What a pickle only refers to: persistent ids, registered extensions, buffers that travel beside it.
    fn elsewhere(&mut self, code: u8) -> Step {
        let text = match code {
            b'P' => format!("<persistent id {}>", self.cursor.line()?),
            b'Q' => {
                let id = self.pop()?;
                format!("<persistent id {}>", self.heap.word(id))
            }
            0x82 => format!("<extension {}>", self.cursor.byte()?),
            0x83 => format!("<extension {}>", u16::from_le_bytes(self.cursor.array()?)),
            0x84 => format!("<extension {}>", i32::from_le_bytes(self.cursor.array()?)),
            0x98 => return Ok(()),
            _ => "<buffer>".to_owned(),
        };
        self.say("elsewhere", &text);
        self.push(Node::Plain(Json::Text(python::shorten(
            &text,
            LONGEST_LINE,
        ))));
        Ok(())
    }

    /// Puts what is unfinished into the containers it was meant for, so that the start of a huge document is known.
    fn fold(&mut self) {
        while let Some(mark) = self.marks.pop() {
            let items = self.stack.split_off(mark.min(self.stack.len()));
            if let Some(&below) = self.stack.last() {
                self.heap.complete(below, &items);
            } else {
                self.stack = items;
            }
        }
    }
}

fn pairs(items: &[Id]) -> Vec<(Id, Id)> {
    let pairs = items.chunks_exact(2);
    pairs.map(|pair| (pair[0], pair[1])).collect()
}

#[cfg(test)]
mod tests;
