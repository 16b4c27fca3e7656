//! The reader: one pass over the bytes, recursion bounded by [`Limits::depth`].

use std::borrow::Cow;

use super::{Json, JsonError, Limits};

/// The deepest nesting ever read, whatever the limits say: a debug build still fits a 2 MB stack.
const DEEPEST: usize = 500;

pub(super) fn lenient(bytes: &[u8], limits: Limits) -> Result<Json, JsonError> {
    check_size(bytes.len(), limits)?;
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let before = std::str::from_utf8(bytes.get(..at).unwrap_or_default());
        place(before.unwrap_or_default(), Fail::new(at, "not UTF-8"))
    })?;
    Reader::new(text, limits, Rules::Python).document()
}

pub(super) fn strict(text: &str, limits: Limits) -> Result<Json, JsonError> {
    check_size(text.len(), limits)?;
    Reader::new(text, limits, Rules::Rfc8259).document()
}

fn check_size(size: usize, limits: Limits) -> Result<(), JsonError> {
    if size <= limits.bytes {
        return Ok(());
    }
    let reason = format!("{size} bytes are more than the limit of {}", limits.bytes);
    Err(place("", Fail::new(0, reason)))
}

/// Which texts are accepted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rules {
    /// What `json.dumps` writes.
    Python,
    /// The standard, for what people type.
    Rfc8259,
}

/// What is wrong at which byte; line and column are counted only when it is told.
struct Fail {
    at: usize,
    reason: Cow<'static, str>,
}

impl Fail {
    fn new(at: usize, reason: impl Into<Cow<'static, str>>) -> Self {
        let reason = reason.into();
        Self { at, reason }
    }
}

fn place(text: &str, fail: Fail) -> JsonError {
    let before = text.get(..fail.at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    JsonError {
        reason: fail.reason.into_owned(),
        offset: fail.at,
        line: 1 + before.bytes().filter(|&byte| byte == b'\n').count(),
        column: 1 + before[line_start..].chars().count(),
    }
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// How many more arrays and objects may be opened.
    room: usize,
    rules: Rules,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, limits: Limits, rules: Rules) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            room: limits.depth.min(DEEPEST),
            rules,
        }
    }

    fn document(mut self) -> Result<Json, JsonError> {
        self.whole().map_err(|fail| place(self.text, fail))
    }

    fn whole(&mut self) -> Result<Json, Fail> {
        self.skip_space();
        let value = self.value()?;
        self.skip_space();
        match self.peek() {
            None => Ok(value),
            Some(_) => Err(self.expected("the end of the document")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The text from `start` to here. Both are at ASCII characters, so the slice is always there.
    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn value(&mut self) -> Result<Json, Fail> {
        match self.peek() {
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => self.word(),
            None => Err(self.expected("a value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json, Fail>) -> Result<Json, Fail> {
        let Some(room) = self.room.checked_sub(1) else {
            return Err(Fail::new(self.at, "nested too deeply"));
        };
        self.room = room;
        self.at += 1;
        self.skip_space();
        let value = read(self);
        self.room += 1;
        value
    }

    fn list(&mut self) -> Result<Json, Fail> {
        let mut items = Vec::new();
        if self.took(b']') {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value()?);
            if self.closes(b']', "a comma or ]")? {
                return Ok(Json::List(items));
            }
        }
    }

    fn object(&mut self) -> Result<Json, Fail> {
        let mut entries = Vec::new();
        if self.took(b'}') {
            return Ok(Json::Object(entries));
        }
        loop {
            let key = self.key()?;
            entries.push((key, self.value()?));
            if self.closes(b'}', "a comma or }")? {
                return Ok(Json::Object(entries));
            }
        }
    }

    fn key(&mut self) -> Result<String, Fail> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("a key in double quotes"));
        }
        let key = self.string()?;
        self.skip_space();
        if !self.took(b':') {
            return Err(self.expected("a colon"));
        }
        self.skip_space();
        Ok(key)
    }

    fn took(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    /// After an element: whether the container ends here; else steps over the comma.
    fn closes(&mut self, end: u8, wanted: &'static str) -> Result<bool, Fail> {
        self.skip_space();
        if self.took(end) {
            return Ok(true);
        }
        if !self.took(b',') {
            return Err(self.expected(wanted));
        }
        self.skip_space();
        Ok(false)
    }

    fn word(&mut self) -> Result<Json, Fail> {
        let start = self.at;
        while matches!(self.peek(), Some(byte) if byte.is_ascii_alphanumeric() || byte == b'_') {
            self.at += 1;
        }
        let word = self.since(start);
        match word {
            "null" => Ok(Json::Null),
            "true" => Ok(Json::Bool(true)),
            "false" => Ok(Json::Bool(false)),
            "NaN" | "Infinity" => self.non_finite(start),
            _ => {
                self.at = start;
                Err(self.no_value(word))
            }
        }
    }

    fn no_value(&self, word: &str) -> Fail {
        let meant = match word {
            "True" => "true",
            "False" => "false",
            "None" => "null",
            _ => return self.expected("a value"),
        };
        Fail::new(self.at, format!("found {word}; JSON writes {meant}"))
    }

    /// A number that only Python's JSON has and that ends here.
    fn non_finite(&mut self, start: usize) -> Result<Json, Fail> {
        let word = self.since(start);
        match self.rules {
            Rules::Python => Ok(Json::Number(word.to_owned())),
            Rules::Rfc8259 => Err(Fail::new(start, format!("{word} is not JSON"))),
        }
    }

    fn number(&mut self) -> Result<Json, Fail> {
        let start = self.at;
        let negative = self.took(b'-');
        if negative && self.bytes[self.at..].starts_with(b"Infinity") {
            self.at += "Infinity".len();
            return self.non_finite(start);
        }
        if !self.took(b'0') {
            self.digits()?;
        } else if matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(Fail::new(start, "a number cannot start with 0"));
        }
        if self.took(b'.') {
            self.digits()?;
        }
        if self.took(b'e') || self.took(b'E') {
            let _sign = self.took(b'+') || self.took(b'-');
            self.digits()?;
        }
        Ok(Json::Number(self.since(start).to_owned()))
    }

    fn digits(&mut self) -> Result<(), Fail> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start {
            return Ok(());
        }
        Err(self.expected("a digit"))
    }

    fn string(&mut self) -> Result<String, Fail> {
        let open = self.at;
        self.at += 1;
        let mut start = self.at;
        let mut text = String::new();
        loop {
            self.plain();
            match self.peek() {
                Some(b'"') => {
                    text.push_str(self.since(start));
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    text.push_str(self.since(start));
                    text.push(self.escape()?);
                    start = self.at;
                }
                Some(_) => return Err(self.raw_control()),
                None => return Err(Fail::new(open, "a string is not closed")),
            }
        }
    }

    /// Steps over the characters of a string that stand for themselves.
    fn plain(&mut self) {
        let rest = &self.bytes[self.at..];
        let special = |&byte: &u8| byte == b'"' || byte == b'\\' || byte < 0x20;
        self.at += rest.iter().position(special).unwrap_or(rest.len());
    }

    fn raw_control(&self) -> Fail {
        let byte = self.peek().unwrap_or_default();
        let reason = format!("a control character (write \\u{byte:04x}) inside a string");
        Fail::new(self.at, reason)
    }

    fn escape(&mut self) -> Result<char, Fail> {
        let start = self.at;
        self.at += 1;
        let letter = self.peek();
        self.at += 1;
        let char = match letter {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(start),
            _ => return Err(Fail::new(start, "an unknown escape after \\")),
        };
        Ok(char)
    }

    /// The rest of `\uXXXX`, with the second half of a pair when there is one.
    fn unicode(&mut self, start: usize) -> Result<char, Fail> {
        let unit = self.hex(start)?;
        if let Some(char) = char::from_u32(unit) {
            return Ok(char);
        }
        let after = self.at;
        if unit < 0xDC00 && self.bytes[after..].starts_with(b"\\u") {
            self.at += 2;
            let low = self.hex(after)?;
            if (0xDC00..0xE000).contains(&low) {
                let code = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            // Not its other half: what follows is a character of its own.
            self.at = after;
        }
        match self.rules {
            Rules::Python => Ok(char::REPLACEMENT_CHARACTER),
            Rules::Rfc8259 => Err(Fail::new(start, "half of a surrogate pair")),
        }
    }

    fn hex(&mut self, start: usize) -> Result<u32, Fail> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        unit.ok_or_else(|| Fail::new(start, "\\u wants four hexadecimal digits"))
    }

    fn expected(&self, wanted: &str) -> Fail {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let reason = match rest.chars().next() {
            Some(found) => format!("expected {wanted}, found {found:?}"),
            None => format!("expected {wanted}, found the end"),
        };
        Fail::new(self.at, reason)
    }
}
