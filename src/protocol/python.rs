//! A call as Python would write it: for the preview, and for the `argsrepr`/`kwargsrepr` headers (display only, cut to 1024 characters by Celery).

use std::fmt::Write;

use super::Json;
use super::typed::{self, Kind, Typed};

const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

/// A value as Python source: `True`, `None`, `'text'`, `Decimal('12.50')`, `float('nan')`.
pub fn repr(value: &Json) -> String {
    repr_within(value, usize::MAX)
}

/// As [`repr`], in at most `limit` characters.
pub fn repr_within(value: &Json, limit: usize) -> String {
    let mut source = Source::new(limit);
    source.value(value);
    shorten(&source.out, limit)
}

/// A call: `refund(42, note='x')`; `name` is shown as given.
pub fn call(name: &str, args: &[Json], kwargs: &[(String, Json)]) -> String {
    call_within(name, args, kwargs, usize::MAX)
}

/// As [`call`], in at most `limit` characters.
pub fn call_within(name: &str, args: &[Json], kwargs: &[(String, Json)], limit: usize) -> String {
    let mut source = Source::new(limit);
    source.out.push_str(name);
    source.out.push('(');
    source.items(args);
    let (plain, other): (Vec<_>, Vec<_>) = kwargs.iter().partition(|(key, _)| is_identifier(key));
    for (index, (key, value)) in plain.into_iter().enumerate() {
        source.comma(index + args.len());
        source.out.push_str(key);
        source.out.push('=');
        source.value(value);
    }
    if !other.is_empty() {
        source.comma(args.len() + kwargs.len() - other.len());
        source.out.push_str("**{");
        source.entries(other.into_iter());
        source.out.push('}');
    }
    source.out.push(')');
    shorten(&source.out, limit)
}

/// The positional arguments as Python's tuple, `(1, 2)`, in at most `limit` characters.
pub fn tuple(args: &[Json], limit: usize) -> String {
    let mut source = Source::new(limit);
    source.out.push('(');
    source.items(args);
    source
        .out
        .push_str(if args.len() == 1 { ",)" } else { ")" });
    shorten(&source.out, limit)
}

/// The keyword arguments as Python's dict, `{'y': 5}`, in at most `limit` characters.
pub fn dict(kwargs: &[(String, Json)], limit: usize) -> String {
    dict_of(kwargs.iter(), limit)
}

/// As [`dict`], of the entries that are picked.
pub fn dict_of<'a>(entries: impl Iterator<Item = &'a (String, Json)>, limit: usize) -> String {
    let mut source = Source::new(limit);
    source.out.push('{');
    source.entries(entries);
    source.out.push('}');
    shorten(&source.out, limit)
}

/// Whether `name` is a Python identifier and no keyword (so that `name=` can be a keyword argument).
pub fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    let first = chars.next();
    first.is_some_and(|char| char == '_' || char.is_alphabetic())
        && chars.all(|char| char == '_' || char.is_alphanumeric())
        && !KEYWORDS.contains(&name)
}

/// `text` cut to at most `limit` characters, with `...` in their number when cut, as Celery's `saferepr` does.
pub fn shorten(text: &str, limit: usize) -> String {
    if text.len() <= limit || text.chars().nth(limit).is_none() {
        return text.to_owned();
    }
    let dots = limit.min(3);
    let kept = text.chars().take(limit - dots);
    kept.chain(std::iter::repeat_n('.', dots)).collect()
}

/// Python source under construction. It stops growing soon after `limit` bytes, so that a header never costs a whole document.
struct Source {
    out: String,
    limit: usize,
}

impl Source {
    fn new(limit: usize) -> Self {
        let out = String::new();
        Self { out, limit }
    }

    fn is_full(&self) -> bool {
        // A character has at most four bytes.
        self.out.len() / 4 > self.limit
    }

    fn comma(&mut self, index: usize) {
        if index > 0 {
            self.out.push_str(", ");
        }
    }

    fn value(&mut self, value: &Json) {
        if let Some(typed) = typed::recognise(value) {
            return self.typed(&typed);
        }
        match value {
            Json::Null => self.out.push_str("None"),
            Json::Bool(true) => self.out.push_str("True"),
            Json::Bool(false) => self.out.push_str("False"),
            Json::Number(number) => self.number(number),
            Json::Text(text) => self.text(text),
            Json::List(items) => {
                self.out.push('[');
                self.items(items);
                self.out.push(']');
            }
            Json::Object(entries) => {
                self.out.push('{');
                self.entries(entries.iter());
                self.out.push('}');
            }
        }
    }

    fn items(&mut self, items: &[Json]) {
        for (index, item) in items.iter().enumerate() {
            if self.is_full() {
                return;
            }
            self.comma(index);
            self.value(item);
        }
    }

    fn entries<'a>(&mut self, entries: impl Iterator<Item = &'a (String, Json)>) {
        for (index, (key, value)) in entries.enumerate() {
            if self.is_full() {
                return;
            }
            self.comma(index);
            self.text(key);
            self.out.push_str(": ");
            self.value(value);
        }
    }

    fn number(&mut self, number: &str) {
        self.out.push_str(match number {
            "NaN" => "float('nan')",
            "Infinity" => "float('inf')",
            "-Infinity" => "float('-inf')",
            _ => number,
        });
    }

    fn typed(&mut self, typed: &Typed<'_>) {
        let constructor = match typed.kind {
            Kind::Datetime => "datetime.fromisoformat",
            Kind::Date => "date.fromisoformat",
            Kind::Time => "time.fromisoformat",
            Kind::Decimal => "Decimal",
            Kind::Uuid => "UUID",
            Kind::Bytes | Kind::Base64 => match typed.bytes() {
                Some(bytes) => return self.bytes(&bytes),
                None => "b64decode",
            },
        };
        self.out.push_str(constructor);
        self.out.push('(');
        self.text(&typed::plain(typed));
        self.out.push(')');
    }

    fn text(&mut self, text: &str) {
        let quote = quote_for(text.contains('\''), text.contains('"'));
        self.out.push(quote);
        for char in text.chars() {
            if self.is_full() {
                return;
            }
            self.char(char, quote);
        }
        self.out.push(quote);
    }

    fn char(&mut self, char: char, quote: char) {
        let code = u32::from(char);
        match char {
            '\n' => self.out.push_str("\\n"),
            '\r' => self.out.push_str("\\r"),
            '\t' => self.out.push_str("\\t"),
            '\\' => self.out.push_str("\\\\"),
            _ if char == quote => self.out.extend(['\\', quote]),
            _ if is_printable(char) => self.out.push(char),
            _ if code < 0x100 => self.escape('x', 2, code),
            _ if code < 0x1_0000 => self.escape('u', 4, code),
            _ => self.escape('U', 8, code),
        }
    }

    fn escape(&mut self, letter: char, digits: usize, code: u32) {
        // Writing to a String never fails.
        let _ = write!(self.out, "\\{letter}{code:0digits$x}");
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let quote = quote_for(bytes.contains(&b'\''), bytes.contains(&b'"'));
        self.out.extend(['b', quote]);
        for &byte in bytes {
            if self.is_full() {
                return;
            }
            match byte {
                0x80.. => self.escape('x', 2, u32::from(byte)),
                _ => self.char(char::from(byte), quote),
            }
        }
        self.out.push(quote);
    }
}

/// Python prefers single quotes, except around a text that has them and no double ones.
fn quote_for(single: bool, double: bool) -> char {
    if single && !double { '"' } else { '\'' }
}

/// As Python's `str.isprintable`; the standard library has the same table but shows it only through `escape_debug`.
fn is_printable(char: char) -> bool {
    if char.is_ascii() {
        return !char.is_ascii_control();
    }
    // Behind a letter combining marks are not escaped, as in Python.
    let mut pair = String::from("a");
    pair.push(char);
    pair.escape_debug().nth(1) == Some(char)
}

#[cfg(test)]
mod tests {
    use super::super::json::arbitrary;
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn read(text: &str) -> Json {
        Json::parse(text.as_bytes(), super::super::json::Limits::default()).unwrap()
    }

    #[rstest]
    #[case("null", "None")]
    #[case("[true, false, 1.10, []]", "[True, False, 1.10, []]")]
    #[case(
        "[NaN, Infinity, -Infinity]",
        "[float('nan'), float('inf'), float('-inf')]"
    )]
    #[case(r#"{"a": {"b": "c"}}"#, "{'a': {'b': 'c'}}")]
    #[case(r#"{"__type__": "decimal", "__value__": "12.50"}"#, "Decimal('12.50')")]
    #[case(r#"{"__type__": "bytes", "__value__": "a'ž"}"#, r#"b"a'\xc5\xbe""#)]
    #[case(r#"{"__type__": "base64", "__value__": "/wA="}"#, r"b'\xff\x00'")]
    #[case(r#"{"__type__": "base64", "__value__": "?"}"#, "b64decode('?')")]
    #[case(
        r#"{"__type__": "money", "__value__": 1}"#,
        "{'__type__': 'money', '__value__': 1}"
    )]
    fn values_are_written_as_python_source(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(repr(&read(text)), expected);
    }

    #[rstest]
    #[case("it's", r#""it's""#)]
    #[case("\"", r#"'"'"#)]
    #[case("'\"", r#"'\'"'"#)]
    #[case("a\\b", r"'a\\b'")]
    #[case("\n\r\t\u{0}\u{7f}", r"'\n\r\t\x00\x7f'")]
    #[case("\u{85}\u{a0}\u{ad}", r"'\x85\xa0\xad'")]
    #[case("\u{202e}\u{2028}\u{3000}", r"'\u202e\u2028\u3000'")]
    #[case("\u{e0001}\u{f0000}", r"'\U000e0001\U000f0000'")]
    #[case("ž😀e\u{301}\u{301}", "'ž😀e\u{301}\u{301}'")]
    #[case("\u{301}", "'\u{301}'")]
    fn strings_are_quoted_as_python_quotes_them(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(repr(&Json::from(text)), expected);
    }

    fn pairs(names: &[&str]) -> Vec<(String, Json)> {
        names
            .iter()
            .map(|name| ((*name).to_owned(), Json::from(1)))
            .collect()
    }

    #[test]
    fn a_call_shows_odd_keywords_as_a_dict() {
        let args = [Json::from(42)];
        assert_eq!(
            call("refund", &args, &pairs(&["note"])),
            "refund(42, note=1)"
        );
        assert_eq!(call("refund", &[], &[]), "refund()");
        let odd = pairs(&["class", "a", "x-y"]);
        assert_eq!(
            call("f", &args, &odd),
            "f(42, a=1, **{'class': 1, 'x-y': 1})"
        );
        assert_eq!(call("f", &[], &pairs(&["in"])), "f(**{'in': 1})");
    }

    #[test]
    fn argument_headers_are_a_tuple_and_a_dict() {
        assert_eq!(tuple(&[], 99), "()");
        assert_eq!(tuple(&[Json::from(1)], 99), "(1,)");
        assert_eq!(tuple(&[Json::from(1), Json::from(2)], 99), "(1, 2)");
        assert_eq!(dict(&pairs(&["y"]), 99), "{'y': 1}");
        let long = [Json::Text("ž".repeat(10_000_000))];
        assert_eq!(tuple(&long, 8), "('žžž...");
    }

    #[rstest]
    #[case("x", true)]
    #[case("_", true)]
    #[case("数量2", true)]
    #[case("print", true)]
    #[case("match", true)]
    #[case("", false)]
    #[case("2x", false)]
    #[case("x-y", false)]
    #[case("http://h/?a", false)]
    #[case("class", false)]
    #[case("None", false)]
    fn identifiers_are_pythons(#[case] name: &str, #[case] expected: bool) {
        assert_eq!(is_identifier(name), expected);
    }

    #[rstest]
    #[case("abcdef", 6, "abcdef")]
    #[case("abcdefg", 6, "abc...")]
    #[case("žžžžž", 4, "ž...")]
    #[case("žžžž", 4, "žžžž")]
    #[case("abc", 2, "..")]
    #[case("abc", 0, "")]
    fn dots_count_among_the_characters(
        #[case] text: &str,
        #[case] limit: usize,
        #[case] expected: &str,
    ) {
        assert_eq!(shorten(text, limit), expected);
    }

    proptest! {
        #[test]
        fn source_is_one_line_without_controls(value in arbitrary::lenient()) {
            prop_assert!(!repr(&value).contains(char::is_control));
        }

        #[test]
        fn headers_are_the_start_of_the_whole(value in arbitrary::lenient(), limit in 3_usize..60) {
            let args = [value];
            let (whole, cut) = (tuple(&args, usize::MAX), tuple(&args, limit));
            prop_assert!(cut.chars().count() <= limit);
            prop_assert!(whole == cut || whole.starts_with(cut.strip_suffix("...").unwrap()));
        }
    }
}
