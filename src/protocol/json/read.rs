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
    found: Option<char>,
}

impl Fail {
    fn new(at: usize, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            at,
            reason: reason.into(),
            found: None,
        }
    }
}

fn place(text: &str, fail: Fail) -> JsonError {
    let before = text.get(..fail.at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    JsonError {
        reason: fail.reason.into_owned(),
        found: fail.found,
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
        let found = rest.chars().next();
        let end = if found.is_none() {
            ", found the end"
        } else {
            ""
        };
        Fail {
            found,
            ..Fail::new(self.at, format!("expected {wanted}{end}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::arbitrary;
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn lax(text: &str) -> Result<Json, JsonError> {
        Json::parse(text.as_bytes(), Limits::default())
    }

    fn number(text: &str) -> Json {
        Json::Number(text.to_owned())
    }

    #[rstest]
    #[case("NaN")]
    #[case("Infinity")]
    #[case("-Infinity")]
    #[case("1180591620717411303424")]
    #[case("1.10")]
    #[case("1e400")]
    #[case("-0.0E+7")]
    fn numbers_keep_their_text(#[case] text: &str) {
        assert_eq!(lax(text), Ok(number(text)));
    }

    #[test]
    fn a_number_may_be_as_long_as_the_document() {
        let digits = "9".repeat(100_000);
        assert_eq!(lax(&digits), Ok(number(&digits)));
    }

    #[test]
    fn order_and_duplicate_keys_are_kept() {
        let entry = |key: &str, value: u64| (key.to_owned(), Json::from(value));
        let expected = Json::Object(vec![entry("b", 1), entry("a", 2), entry("b", 3)]);
        assert_eq!(lax(r#"{"b":1,"a":2,"b":3}"#), Ok(expected));
    }

    #[rstest]
    #[case(r#""\ud83d""#, "\u{FFFD}")]
    #[case(r#""a\ud83d b""#, "a\u{FFFD} b")]
    #[case(r#""\ude00\ud83d""#, "\u{FFFD}\u{FFFD}")]
    #[case(r#""\ud83d\ud83d\ude00""#, "\u{FFFD}\u{1F600}")]
    #[case(r#""\ud83dA""#, "\u{FFFD}A")]
    #[case(r#""\ud83d\u0041""#, "\u{FFFD}A")]
    #[case(r#""\uD83D\uDE00""#, "\u{1F600}")]
    fn half_a_surrogate_pair_becomes_the_replacement_character(
        #[case] text: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(lax(text), Ok(Json::from(expected)));
    }

    #[rstest]
    #[case("NaN", "NaN is not JSON at line 1, column 1")]
    #[case("[1, -Infinity]", "-Infinity is not JSON at line 1, column 5")]
    #[case(r#"["\ud83d"]"#, "half of a surrogate pair at line 1, column 3")]
    #[case("", "expected a value, found the end at line 1, column 1")]
    #[case(
        "{\n  \"ž\": 1,\n  \"é\" 2}",
        "expected a colon, found '2' at line 3, column 7"
    )]
    #[case("[1,]", "expected a value, found ']' at line 1, column 4")]
    #[case("[1 2]", "expected a comma or ], found '2' at line 1, column 4")]
    #[case(
        "{\"a\": 1",
        "expected a comma or }, found the end at line 1, column 8"
    )]
    #[case(
        "{a: 1}",
        "expected a key in double quotes, found 'a' at line 1, column 2"
    )]
    #[case("[True]", "found True; JSON writes true at line 1, column 2")]
    #[case(
        "{'a': 1}",
        "expected a key in double quotes, found '\\'' at line 1, column 2"
    )]
    #[case("01", "a number cannot start with 0 at line 1, column 1")]
    #[case("1.", "expected a digit, found the end at line 1, column 3")]
    #[case("+1", "expected a value, found '+' at line 1, column 1")]
    #[case("- 1", "expected a digit, found ' ' at line 1, column 2")]
    #[case("\"a", "a string is not closed at line 1, column 1")]
    #[case(
        "\"a\nb\"",
        "a control character (write \\u000a) inside a string at line 1, column 3"
    )]
    #[case(r#""\x""#, "an unknown escape after \\ at line 1, column 2")]
    #[case(r#""\u12g4""#, "\\u wants four hexadecimal digits at line 1, column 2")]
    #[case(r#""\u123é""#, "\\u wants four hexadecimal digits at line 1, column 2")]
    #[case(
        "1 x",
        "expected the end of the document, found 'x' at line 1, column 3"
    )]
    #[case("\u{feff}1", "expected a value, found '\\u{feff}' at line 1, column 1")]
    fn a_mistake_is_told_with_its_place(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(Json::parse_strict(text).unwrap_err().to_string(), expected);
    }

    #[test]
    fn invalid_utf8_is_told_with_its_place() {
        let error = Json::parse(b"[\n\"a\xff\"]", Limits::default()).unwrap_err();
        assert_eq!((error.offset, error.line, error.column), (4, 2, 3));
    }

    #[test]
    fn the_limits_hold_to_the_byte_and_to_the_level() {
        let limits = Limits { bytes: 6, depth: 2 };
        let read = |text: &str| Json::parse(text.as_bytes(), limits);
        assert!(read("[[12]]").is_ok());
        assert_eq!(
            read("[[123]]").unwrap_err().reason,
            "7 bytes are more than the limit of 6"
        );
        let error = read("[[[]]]").unwrap_err();
        assert_eq!(
            (error.reason.as_str(), error.column),
            ("nested too deeply", 3)
        );
        assert!(read("[{},1]").is_ok(), "leaving a level gives it back");
    }

    #[rstest]
    #[case("[", "]")]
    #[case("{\"a\":", "}")]
    fn the_deepest_document_fits_a_small_stack(#[case] open: &str, #[case] close: &str) {
        let limits = Limits {
            bytes: usize::MAX,
            depth: usize::MAX,
        };
        let (open, close) = (open.to_owned(), close.to_owned());
        let work = move || {
            let deep = |levels| format!("{}1{}", open.repeat(levels), close.repeat(levels));
            assert!(Json::parse(deep(DEEPEST + 1).as_bytes(), limits).is_err());
            assert!(Json::parse(open.repeat(1_000_000).as_bytes(), limits).is_err());
            let value = Json::parse(deep(DEEPEST).as_bytes(), limits).unwrap();
            assert_eq!(value.to_wire(), deep(DEEPEST));
            assert!(serde_json::to_string(&value).is_ok());
            assert!(value.to_pretty().len() > DEEPEST);
            assert!(!value.has_non_finite());
        };
        let thread = std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(work)
            .unwrap();
        thread.join().unwrap();
    }

    /// Pieces of JSON in any order: mostly broken, sometimes not.
    fn rubble() -> impl Strategy<Value = String> {
        let pieces = [
            "[", "]", "{", "}", ",", ":", "\"", "\\", "\\u", "d83d", "de00", "0", "1", "12", "-",
            "+", ".", "e", "E", "true", "false", "null", "\"a\"", "\"a\":", " ", "\n", "\t", "é",
            "\u{1}",
        ];
        let piece = prop::sample::select(pieces.to_vec());
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    /// A document with one character taken out or put in.
    fn damaged() -> impl Strategy<Value = String> {
        let document = arbitrary::strict().prop_map(|value| value.to_wire());
        (
            document,
            any::<prop::sample::Index>(),
            any::<Option<char>>(),
        )
            .prop_map(|(text, index, char)| {
                let mut chars: Vec<char> = text.chars().collect();
                let at = index.index(chars.len());
                match char {
                    Some(char) => chars.insert(at, char),
                    None => drop(chars.remove(at)),
                }
                chars.into_iter().collect()
            })
    }

    /// `serde_json` drops duplicate keys; through it both sides do.
    fn agree(text: &str) {
        let ours = Json::parse_strict(text);
        let theirs: Result<serde_json::Value, _> = serde_json::from_str(text);
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{text:?} {ours:?} {theirs:?}");
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            assert_eq!(as_serde(&ours), theirs);
        }
    }

    fn as_serde(value: &Json) -> serde_json::Value {
        match value {
            Json::Null => serde_json::Value::Null,
            Json::Bool(value) => (*value).into(),
            Json::Number(text) => serde_json::Value::Number(text.parse().unwrap()),
            Json::Text(text) => text.as_str().into(),
            Json::List(items) => items.iter().map(as_serde).collect(),
            Json::Object(entries) => {
                let entry = |(key, value): &(String, Json)| (key.clone(), as_serde(value));
                entries.iter().map(entry).collect()
            }
        }
    }

    proptest! {
        #[test]
        fn strict_reading_agrees_with_serde_json_on_documents(value in arbitrary::strict()) {
            agree(&value.to_wire());
            agree(&value.to_pretty());
        }

        #[test]
        fn strict_reading_agrees_with_serde_json_on_rubble(text in rubble()) {
            agree(&text);
        }

        #[test]
        fn strict_reading_agrees_with_serde_json_on_damaged_documents(text in damaged()) {
            agree(&text);
        }

        #[test]
        fn bytes_of_any_kind_are_read_or_refused(bytes in any::<Vec<u8>>()) {
            let _ = Json::parse(&bytes, Limits::default());
        }

        #[test]
        fn a_mistake_lies_inside_the_document(text in damaged()) {
            if let Err(error) = lax(&text) {
                prop_assert!(error.offset <= text.len());
                prop_assert!(error.line <= 1 + text.matches('\n').count());
                prop_assert!(error.column <= 1 + text.chars().count());
            }
        }
    }
}
