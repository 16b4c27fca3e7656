//! Where secrets stand in text that is being typed, whether it means something yet or not. Pure; forgives every mistake.

use std::ops::Range;

use super::{MASK, Secrets};
use crate::history::record::Place;

/// Parts of a text, in bytes, in their order.
pub type Parts = Vec<Range<usize>>;

impl Secrets {
    /// Where secrets stand in the text of one argument's value.
    pub fn in_value(&self, place: &Place, text: &str) -> Parts {
        let named = match place {
            Place::Positional(_) => false,
            Place::Keyword(name) | Place::Header(name) => self.is_secret(name),
        };
        if named || self.places.contains(place) {
            return if says_nothing(text.trim()) {
                Parts::new()
            } else {
                std::iter::once(0..text.len()).collect()
            };
        }
        Scan::new(self, text, false).run()
    }

    /// Where secrets stand in a document `{"args": [...], "kwargs": {...}}`.
    pub fn in_document(&self, text: &str) -> Parts {
        Scan::new(self, text, true).run()
    }

    /// Whether a word of this text is a secret name, wherever it stands.
    pub fn are_named_in(&self, text: &str) -> bool {
        let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
        let mut words = text.split(|letter| !is_part(letter));
        words.any(|word| self.is_secret(word))
    }
}

/// A switch, an empty place and a mask hold no secret.
fn says_nothing(text: &str) -> bool {
    matches!(
        text,
        "" | "\"\"" | "null" | "true" | "false" | "[]" | "{}" | MASK
    )
}

/// What is open where the scan is.
enum Level {
    /// The place in a list.
    List(usize),
    /// The key that came last in an object.
    Object(String),
}

struct Scan<'a> {
    secrets: &'a Secrets,
    text: &'a str,
    at: usize,
    levels: Vec<Level>,
    document: bool,
    found: Parts,
}

impl<'a> Scan<'a> {
    fn new(secrets: &'a Secrets, text: &'a str, document: bool) -> Self {
        Self {
            secrets,
            text,
            at: 0,
            levels: Vec::new(),
            document,
            found: Parts::new(),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn run(mut self) -> Parts {
        while let Some(byte) = self.peek() {
            match byte {
                b'}' | b']' => {
                    self.levels.pop();
                    self.at += 1;
                }
                b',' => {
                    match self.levels.last_mut() {
                        Some(Level::List(index)) => *index += 1,
                        Some(Level::Object(key)) => key.clear(),
                        None => {}
                    }
                    self.at += 1;
                }
                byte if byte.is_ascii_whitespace() || byte == b':' => self.at += 1,
                byte => self.value(byte),
            }
        }
        self.found
    }

    /// A key, or something that has a value.
    fn value(&mut self, first: u8) {
        let from = self.at;
        if self.is_secret() {
            self.skip();
            let part = self.without_quotes(from..self.at);
            let said = &self.text[part.clone()];
            if !says_nothing(said) {
                self.found.push(part);
            }
            return;
        }
        match first {
            b'[' => self.open(Level::List(0)),
            b'{' => self.open(Level::Object(String::new())),
            _ => {
                self.word();
                self.key(from..self.at);
            }
        }
    }

    fn open(&mut self, level: Level) {
        self.levels.push(level);
        self.at += 1;
    }

    /// What a colon follows is a key, quoted or not.
    fn key(&mut self, word: Range<usize>) {
        let rest = &self.text[self.at..];
        let Some(Level::Object(key)) = self.levels.last_mut() else {
            return;
        };
        if rest.trim_start().starts_with(':') {
            let part = unquoted(self.text, word);
            let text = &self.text[part];
            let read = serde_json::from_str(&format!("\"{text}\""));
            *key = read.unwrap_or_else(|_| text.to_owned());
        }
    }

    /// Whether what begins here is secret.
    fn is_secret(&self) -> bool {
        let named = match self.levels.last() {
            Some(Level::Object(key)) => !key.is_empty() && self.secrets.is_secret(key),
            _ => false,
        };
        let known = &self.secrets.places;
        let lent = || self.place().is_some_and(|place| known.contains(&place));
        named || (self.document && !known.is_empty() && lent())
    }

    /// The argument of a document that begins here.
    fn place(&self) -> Option<Place> {
        match self.levels.as_slice() {
            [Level::Object(part), Level::List(index)] if part == "args" => {
                Some(Place::Positional(*index))
            }
            [Level::Object(part), Level::Object(name)] if part == "kwargs" && !name.is_empty() => {
                Some(Place::Keyword(name.clone()))
            }
            _ => None,
        }
    }

    /// Steps over a value with all that is in it; what is not closed goes to the end.
    fn skip(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'[' | b'{' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => {}
                _ => {
                    self.word();
                    if depth == 0 {
                        return;
                    }
                    continue;
                }
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    /// Steps over a string or over what stands up to the next sign of JSON.
    fn word(&mut self) {
        let rest = &self.text[self.at..];
        let quote = rest.bytes().next().unwrap_or_default();
        let length = if matches!(quote, b'"' | b'\'') {
            closed(rest, quote)
        } else {
            let ends = |letter: char| matches!(letter, ',' | ':' | '[' | ']' | '{' | '}' | '\n');
            rest.find(ends).map(|end| rest[..end].trim_end().len())
        };
        // A space of another script is a letter here, and not one byte.
        let letter = rest.chars().next().map_or(1, char::len_utf8);
        self.at += length.unwrap_or(rest.len()).max(letter);
    }

    fn without_quotes(&self, part: Range<usize>) -> Range<usize> {
        unquoted(self.text, part)
    }
}

/// Behind the quote that closes what a quote opens.
fn closed(text: &str, quote: u8) -> Option<usize> {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == quote && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map(|end| end + 2)
}

/// Without the quotes around it; the one at the end may be lacking.
fn unquoted(text: &str, part: Range<usize>) -> Range<usize> {
    let bytes = text.as_bytes();
    let quote = bytes[part.start];
    if !matches!(quote, b'"' | b'\'') {
        return part;
    }
    let whole = closed(&text[part.clone()], quote).is_some();
    part.start + 1..part.end - usize::from(whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::history::Path;
    use crate::history::record::Masked;

    fn veiled(text: &str, parts: &[Range<usize>]) -> String {
        let mut shown = String::new();
        let mut at = 0;
        for part in parts {
            shown += &text[at..part.start];
            shown += "***";
            at = part.end;
        }
        shown + &text[at..]
    }

    fn places(places: &[Place]) -> Secrets {
        let masked: Vec<Masked> = places
            .iter()
            .map(|place| Masked {
                place: place.clone(),
                path: Path::default(),
            })
            .collect();
        Secrets::default().of_places(&masked)
    }

    #[rstest]
    #[case(r#"{"password": "hunter2"}"#, r#"{"password": "***"}"#)]
    #[case(r#"{"password": "hunt"#, r#"{"password": "***"#)]
    #[case(r#"{"password": hunter2, "x": 1}"#, r#"{"password": ***, "x": 1}"#)]
    #[case(r#"{"pass\u0077ord": "hunter2"}"#, r#"{"pass\u0077ord": "***"}"#)]
    #[case(
        r#"{"a": [{"Api-Key": "it's \"x\""}], "b": 2}"#,
        r#"{"a": [{"Api-Key": "***"}], "b": 2}"#
    )]
    #[case(
        r#"{"token": {"a": ["b", "]"]}, "b": "c"}"#,
        r#"{"token": ***, "b": "c"}"#
    )]
    #[case(r#"{"token": ["a""#, r#"{"token": ***"#)]
    #[case("{'password': 'hunter2'}", "{'password': '***'}")]
    #[case("{password: hunter2}", "{password: ***}")]
    #[case(
        r#"{"use_token": true, "password": null, "token": ""}"#,
        r#"{"use_token": true, "password": null, "token": ""}"#
    )]
    #[case(
        r#"{"password": 1, "password": 2}"#,
        r#"{"password": ***, "password": ***}"#
    )]
    #[case(
        "{\u{2028}\n\"password\": \"hunter2\"}",
        "{\u{2028}\n\"password\": \"***\"}"
    )]
    #[case("\u{3000},\u{a0}\n", "\u{3000},\u{a0}\n")]
    #[case(r#"["password", "x"]"#, r#"["password", "x"]"#)]
    #[case("no JSON at all: password", "no JSON at all: password")]
    fn what_stands_behind_a_secret_key_is_found_also_in_half_a_document(
        #[case] text: &str,
        #[case] expected: &str,
    ) {
        let parts = Secrets::default().in_document(text);
        assert_eq!(veiled(text, &parts), expected);
    }

    #[test]
    fn a_place_that_is_known_to_hold_a_secret_is_found_whatever_its_name() {
        let secrets = places(&[Place::Positional(1), Place::Keyword("note".to_owned())]);
        let text = r#"{"args": [1, "two", 3], "kwargs": {"note": "x", "other": {"note": "y"}}}"#;
        assert_eq!(
            veiled(text, &secrets.in_document(text)),
            r#"{"args": [1, "***", 3], "kwargs": {"note": "***", "other": {"note": "y"}}}"#
        );
        let part = secrets.in_value(&Place::Positional(1), "two");
        assert_eq!(veiled("two", &part), "***");
        assert!(secrets.in_value(&Place::Positional(0), "one").is_empty());
    }

    #[rstest]
    #[case("password", "hunter2", "***")]
    #[case("password", "true", "true")]
    #[case("password", "", "")]
    #[case("password", "***", "***")]
    #[case(
        "user",
        r#"{"api_token": "x", "b": 1}"#,
        r#"{"api_token": "***", "b": 1}"#
    )]
    #[case("user", "password", "password")]
    fn of_an_argument_all_is_secret_or_what_stands_behind_a_secret_key(
        #[case] name: &str,
        #[case] text: &str,
        #[case] expected: &str,
    ) {
        let parts = Secrets::default().in_value(&Place::Keyword(name.to_owned()), text);
        assert_eq!(veiled(text, &parts), expected);
    }

    proptest! {
        #[test]
        fn whatever_is_typed_parts_are_in_order_and_between_characters(
            text in r#"([\[\]{},:'"\\ \n]|password|é|王|x|1){0,40}"#
        ) {
            let mut last = 0;
            for part in Secrets::default().in_document(&text) {
                prop_assert!(part.start >= last && part.end > part.start);
                prop_assert!(text.get(part.clone()).is_some());
                last = part.end;
            }
        }
    }
}
