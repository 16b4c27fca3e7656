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
mod tests {
    use super::*;
    use base64::prelude::{BASE64_STANDARD, Engine};
    use proptest::prelude::*;
    use rstest::rstest;

    fn outline(data: &[u8]) -> String {
        read(data).outline.to_wire()
    }

    /// What Python 3.11 writes in protocols 0, 2 and 5.
    #[rstest]
    #[case(
        "KGRwMApWYQpwMQpJMQpzVmIKcDIKKGxwMwpJMDEKYU5hRjEuNQphcy4=",
        r#"{"a":1,"b":[true,null,1.5]}"#
    )]
    #[case(
        "gAJ9cQAoWAEAAABhcQFLAVgBAAAAYnECXXEDKIhORz/4AAAAAAAAZXUu",
        r#"{"a":1,"b":[true,null,1.5]}"#
    )]
    #[case(
        "gAWVHwAAAAAAAAB9lCiMAWGUSwGMAWKUXZQoiE5HP/gAAAAAAABldS4=",
        r#"{"a":1,"b":[true,null,1.5]}"#
    )]
    fn plain_values_are_as_they_are(#[case] data: &str, #[case] expected: &str) {
        assert_eq!(outline(&BASE64_STANDARD.decode(data).unwrap()), expected);
    }

    #[rstest]
    #[case(
        b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x40.",
        "1180591620717411303424"
    )]
    #[case(b"\x8a\x01\xff.", "-1")]
    #[case(b"\x8a\x01\x80.", "-128")]
    #[case(b"\x8a\x00.", "0")]
    #[case(b"L-12345678901234567890123L\n.", "-12345678901234567890123")]
    #[case(b"K\x05K\x06\x86.", "[5,6]")]
    #[case(b"V\\u017e\\x\n.", "\"ž\\\\x\"")]
    #[case(b"\x8f(K\x01\x90.", "\"<set (1,)>\"")]
    #[case(b"}K\x01K\x02s.", r#"{"1":2}"#)]
    #[case(b"cposix\nsystem\n(S'id'\ntR.", "\"<posix.system ('id',)>\"")]
    #[case(b"(S'id'\niposix\nsystem\n.", "\"<posix.system ('id',)>\"")]
    #[case(b"(cposix\nsystem\nS'id'\no.", "\"<posix.system ('id',)>\"")]
    #[case(
        b"\x8c\x04shop\x8c\x05Order\x93)\x81}\x8c\x01nK\x02sb.",
        "\"<shop.Order () {'n': 2}>\""
    )]
    #[case(b"c__builtin__\nset\n.", "\"<builtins.set>\"")]
    #[case(
        b"ccopy_reg\n_reconstructor\n(cshop\nOrder\nc__builtin__\nobject\nNtR.",
        "\"<shop.Order ()>\""
    )]
    #[case(b"K\x07Q.", "\"<persistent id 7>\"")]
    #[case(b"]q\x00h\x00a.", r#"["<recursive>"]"#)]
    fn what_only_python_can_rebuild_is_a_text(#[case] data: &[u8], #[case] expected: &str) {
        assert_eq!(outline(data), expected);
    }

    #[test]
    fn the_listing_names_classes_and_values() {
        let opaque = read(b"\x80\x04cshop.errors\nOutOfStock\n\x8c\x03teaK\x03\x86R.");
        let lines = [
            "      2  global shop.errors.OutOfStock",
            "     26  text 'tea'",
            "     31  int 3",
            "     33  tuple",
            "     34  call",
        ];
        assert_eq!(opaque.lines, lines);
        assert!(!opaque.truncated);
    }

    #[test]
    fn an_exception_is_read_without_building_it() {
        let opaque = read(b"\x80\x04}\x8c\x06resultcshop\nGone\n\x8c\x01a\x85Rs.");
        let raised = opaque.raised.unwrap();
        assert_eq!(
            (raised.kind.as_str(), raised.module.as_deref()),
            ("Gone", Some("shop"))
        );
        assert_eq!(raised.args, [Json::from("a")]);
    }

    #[rstest]
    #[case(b"", "stops here: the data is cut off")]
    #[case(b"K", "stops here: the data is cut off")]
    #[case(
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff",
        "stops here: the data is cut off"
    )]
    #[case(b"\xff", "stops here: no such step in any protocol")]
    #[case(b".", "stops here: nothing on the stack")]
    #[case(b"h\x05", "stops here: nothing under that memo key")]
    #[case(b"u", "stops here: no mark on the stack")]
    fn damaged_data_says_where_it_ends(#[case] data: &[u8], #[case] expected: &str) {
        let opaque = read(data);
        assert!(opaque.truncated);
        let last = opaque.lines.last().unwrap();
        assert!(last.ends_with(expected), "{last}");
    }

    #[test]
    fn what_stood_before_the_damage_is_kept() {
        let cut = b"\x80\x04}(\x8c\x06status\x8c\x07SUCCESS\x8c\x06result](K\x01K\x02";
        let opaque = read(cut);
        assert_eq!(
            opaque.outline.to_wire(),
            r#"{"status":"SUCCESS","result":[1,2]}"#
        );
        assert!(opaque.truncated);
    }

    #[test]
    fn a_bomb_of_references_is_told_in_bounds() {
        let mut bomb = b"K\x01".to_vec();
        bomb.extend(b"2\x86".repeat(80));
        bomb.push(b'.');
        let opaque = read(&bomb);
        assert!(opaque.truncated);
        let text = opaque.outline.to_wire();
        assert!(text.len() < HEAVIEST_SEEN, "{}", text.len());
        let calls = [b"cshop\nOrder\n".as_slice(), &b"2\x85R".repeat(500), b"."].concat();
        assert!(outline(&calls).len() < 10_000);
    }

    const HEAVIEST_SEEN: usize = 128 << 20;

    #[test]
    fn deep_nesting_and_long_listings_are_cut() {
        let deep = [b"K\x01".as_slice(), &b"\x85".repeat(100_000), b"."].concat();
        let opaque = read(&deep);
        assert!(opaque.truncated && opaque.lines.len() == MOST_LINES);
        assert!(opaque.outline.to_wire().contains("<nested too deeply>"));
        let long = format!("V{}\n.", "ž".repeat(1_000_000));
        let opaque = read(long.as_bytes());
        assert!(opaque.truncated);
        assert!(opaque.lines[0].chars().count() <= LONGEST_LINE);
    }

    proptest! {
        #[test]
        fn any_bytes_are_told(data in any::<Vec<u8>>()) {
            prop_assert_eq!(read(&data).size, data.len());
        }

        #[test]
        fn any_program_is_told(steps in prop::collection::vec(prop::sample::select(STEPS.to_vec()), 0..60)) {
            let data = steps.concat();
            let opaque = read(&data);
            prop_assert!(opaque.lines.len() <= MOST_LINES);
        }
    }

    /// Steps of every kind, with operands.
    const STEPS: [&[u8]; 40] = [
        b"(",
        b".",
        b"0",
        b"1",
        b"2",
        b"N",
        b"K\x01",
        b"J\xff\xff\xff\xff",
        b"I01\n",
        b"L5L\n",
        b"F1.5\n",
        b"\x8a\x01\x80",
        b"\x8c\x01a",
        b"\x8c\x06result",
        b"C\x01\xff",
        b"V\\u12\n",
        b"S'a'\n",
        b"}",
        b"]",
        b")",
        b"\x8f",
        b"d",
        b"l",
        b"t",
        b"\x91",
        b"\x85",
        b"\x87",
        b"a",
        b"e",
        b"\x90",
        b"s",
        b"u",
        b"q\x00",
        b"h\x00",
        b"\x94",
        b"cshop\nA\n",
        b"\x93",
        b"R",
        b"b",
        b"\x92",
    ];
}
