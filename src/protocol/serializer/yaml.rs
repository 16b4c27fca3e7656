//! YAML 1.1 as PyYAML's `safe_dump` writes and `safe_load` reads it, which is what kombu uses. Never constructs anything: an
//! object's tag becomes a text that names it.
//!
//! `yaml/scalar.rs` knows what plain words mean, `yaml/write.rs` writes.

mod scalar;
mod write;

pub(super) use write::write;

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::super::json::Limits;
use super::super::{Json, python};

/// The deepest nesting ever read or written, whatever the limits say.
const DEEPEST: usize = 200;

/// What aliases may add to a document, in bytes; each value weighs its text and [`NODE`].
const ALIASED: usize = 64 << 20;

/// What a value weighs besides its text.
const NODE: usize = 32;

/// Why a text is not YAML that can be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at line {line}, column {column}")]
pub struct YamlError {
    /// What is wrong, for people.
    pub reason: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// Reads the one document. Times and `!!binary` become kombu's typed values, a key that is no text its Python source, a value
/// of any other tag a text such as `<python/tuple [1, 2]>`; a value inside itself is `<recursive>`.
pub fn read(bytes: &[u8], limits: Limits) -> Result<Json, YamlError> {
    let text = std::str::from_utf8(bytes).map_err(|error| YamlError {
        reason: format!("not UTF-8 after {} bytes", error.valid_up_to()),
        line: 1,
        column: 1,
    })?;
    let mut parser = Parser::new_from_str(text);
    let mut builder = Builder::new(limits);
    loop {
        let Some(next) = parser.next_event() else {
            return Ok(builder.finish());
        };
        let (event, span) = next.map_err(|error| broken(&error))?;
        builder.event(event).map_err(|reason| YamlError {
            reason,
            line: span.start.line(),
            column: span.start.col() + 1,
        })?;
    }
}

fn broken(error: &ScanError) -> YamlError {
    let place = error.marker();
    YamlError {
        reason: error.info().chars().take(120).collect(),
        line: place.line(),
        column: place.col() + 1,
    }
}

/// A list or a mapping that is not complete yet.
struct Open {
    /// To be referred to by this anchor; 0 is none.
    anchor: usize,
    tag: Option<String>,
    inside: Inside,
    /// Levels below, at least.
    below: usize,
}

enum Inside {
    List(Vec<Json>),
    Map(Vec<(String, Json)>, Option<String>),
}

/// A value that aliases may repeat.
struct Anchored {
    value: Json,
    weight: usize,
    depth: usize,
}

struct Builder {
    open: Vec<Open>,
    anchored: HashMap<usize, Anchored>,
    document: Option<Json>,
    documents: usize,
    /// Levels that may be open.
    depth: usize,
    /// What aliases may still add.
    budget: usize,
}

impl Builder {
    fn new(limits: Limits) -> Self {
        Self {
            open: Vec::new(),
            anchored: HashMap::new(),
            document: None,
            documents: 0,
            depth: limits.depth.min(DEEPEST),
            budget: ALIASED.min(limits.bytes),
        }
    }

    /// An empty text is null, as in PyYAML.
    fn finish(self) -> Json {
        self.document.unwrap_or(Json::Null)
    }

    fn event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                match self.documents {
                    1 => Ok(()),
                    _ => Err("a second document".to_owned()),
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let value = scalar::resolve(&text, plain, tag_name(tag.as_deref()).as_deref())?;
                self.complete(value, anchor, 0)
            }
            Event::SequenceStart(anchor, tag) => {
                self.start(anchor, tag.as_deref(), Inside::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.start(anchor, tag.as_deref(), Inside::Map(Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(anchor),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn start(&mut self, anchor: usize, tag: Option<&Tag>, inside: Inside) -> Result<(), String> {
        if self.open.len() >= self.depth {
            return Err("nested too deeply".to_owned());
        }
        self.open.push(Open {
            anchor,
            tag: tag_name(tag),
            inside,
            below: 0,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let (value, own) = match open.inside {
            Inside::List(items) => (Json::List(items), "seq"),
            Inside::Map(entries, _) => (Json::Object(entries), "map"),
        };
        let value = match open.tag.as_deref() {
            None | Some("") => value,
            Some(tag) if tag == own => value,
            Some("set") => set(&value),
            Some(tag) => Json::Text(opaque(tag, &value)),
        };
        self.complete(value, open.anchor, open.below + 1)
    }

    fn alias(&mut self, anchor: usize) -> Result<(), String> {
        let Some(known) = self.anchored.get(&anchor) else {
            // Only a value that is still open has no entry.
            return self.complete(Json::Text("<recursive>".to_owned()), 0, 0);
        };
        if self.open.len() + known.depth > self.depth {
            return Err("nested too deeply".to_owned());
        }
        let left = self.budget.checked_sub(known.weight);
        self.budget = left.ok_or("aliases repeat too much")?;
        let (value, depth) = (known.value.clone(), known.depth);
        self.complete(value, 0, depth)
    }

    fn complete(&mut self, value: Json, anchor: usize, depth: usize) -> Result<(), String> {
        if anchor != 0 {
            let weight = weight(&value);
            self.budget = self
                .budget
                .checked_sub(weight)
                .ok_or("anchors hold too much")?;
            let copy = Anchored {
                value: value.clone(),
                weight,
                depth,
            };
            self.anchored.insert(anchor, copy);
        }
        let Some(open) = self.open.last_mut() else {
            self.document = Some(value);
            return Ok(());
        };
        open.below = open.below.max(depth);
        match &mut open.inside {
            Inside::List(items) => items.push(value),
            Inside::Map(entries, key) => match key.take() {
                Some(key) => entries.push((key, value)),
                None => *key = Some(name(value)),
            },
        }
        Ok(())
    }
}

/// A key as text: Python's source of anything but a text.
fn name(key: Json) -> String {
    match key {
        Json::Text(text) => text,
        other => python::repr(&other),
    }
}

/// `!!set` is a mapping whose values are null; JSON has none.
fn set(value: &Json) -> Json {
    let entries = value.as_object().unwrap_or_default();
    let names = entries.iter().map(|(key, _)| Json::from(key.as_str()));
    Json::Text(opaque("set", &Json::List(names.collect())))
}

/// What cannot be had as a value, as a text that says so.
fn opaque(tag: &str, value: &Json) -> String {
    const LONGEST: usize = 10_000;
    let text = format!("<{tag} {}", python::repr(value));
    python::shorten(&text, LONGEST) + ">"
}

/// The name of a tag: `str` of `!!str`, `!local` of `!local`. To PyYAML a lone `!` is no tag.
fn tag_name(tag: Option<&Tag>) -> Option<String> {
    let tag = tag?;
    let name = format!("{}{}", tag.handle, tag.suffix);
    let core = name.strip_prefix("tag:yaml.org,2002:").map(str::to_owned);
    Some(core.unwrap_or(name)).filter(|name| name != "!")
}

fn weight(value: &Json) -> usize {
    let inner: usize = match value {
        Json::Number(text) | Json::Text(text) => text.len(),
        Json::List(items) => items.iter().map(weight).sum(),
        Json::Object(entries) => entries
            .iter()
            .map(|(key, value)| NODE + key.len() + weight(value))
            .sum(),
        Json::Null | Json::Bool(_) => 0,
    };
    NODE + inner
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn yaml(text: &str) -> Result<Json, YamlError> {
        read(text.as_bytes(), Limits::default())
    }

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes(), Limits::default()).unwrap()
    }

    /// The right sides are what PyYAML 6.0.3's `safe_load` makes of the left; what it refuses (a list as a key, tags of its own)
    /// is told as a text.
    #[rstest]
    #[case("", "null")]
    #[case("~", "null")]
    #[case(
        "[yes, No, ON, off, True, FALSE, y, n, yEs]",
        r#"[true, false, true, false, true, false, "y", "n", "yEs"]"#
    )]
    #[case(
        "[0, 017, 0o17, 0x1F, 0b101, 1_000, -5, +5, 1:30, -1:30:00, 08]",
        r#"[0, 15, "0o17", 31, 5, 1000, -5, 5, 90, -5400, "08"]"#
    )]
    #[case(
        "[1.5, 1., .5, 1e5, 1.0e+5, 1.0e5, -1.5, 1_0.5, 1:30.5, +.5, 1e400]",
        r#"[1.5, 1.0, 0.5, "1e5", 1e+5, "1.0e5", -1.5, 10.5, 90.5, "+.5", "1e400"]"#
    )]
    #[case(
        "[.inf, -.Inf, .NaN, .INF, -.nan, inf]",
        r#"[Infinity, -Infinity, NaN, Infinity, "-.nan", "inf"]"#
    )]
    #[case("1180591620717411303424", "1180591620717411303424")]
    #[case("2024-05-01", r#"{"__type__": "date", "__value__": "2024-05-01"}"#)]
    #[case("2024-5-1", r#""2024-5-1""#)]
    #[case(
        "2001-12-14t21:59:43.10-05:00",
        r#"{"__type__": "datetime", "__value__": "2001-12-14T21:59:43.100000-05:00"}"#
    )]
    #[case(
        "2001-12-14 21:59:43.1234567 Z",
        r#"{"__type__": "datetime", "__value__": "2001-12-14T21:59:43.123456+00:00"}"#
    )]
    #[case(
        "2001-1-1 1:59:43",
        r#"{"__type__": "datetime", "__value__": "2001-01-01T01:59:43"}"#
    )]
    #[case(
        "!!binary |\n  YWJj\n  ZGVm\n",
        r#"{"__type__": "bytes", "__value__": "abcdef"}"#
    )]
    #[case("['1', \"yes\", !!str 5, ! 7]", r#"["1", "yes", "5", 7]"#)]
    #[case(
        "{1: a, null: b, 1.5: c, yes: d, [1, 2]: e}",
        r#"{"1": "a", "None": "b", "1.5": "c", "True": "d", "[1, 2]": "e"}"#
    )]
    #[case("a: &x [1]\nb: *x\n", r#"{"a": [1], "b": [1]}"#)]
    #[case("&a [*a]", r#"["<recursive>"]"#)]
    #[case("!!python/tuple [1, 2]", r#""<python/tuple [1, 2]>""#)]
    #[case(
        "!!python/object/apply:os.system ['id']",
        r#""<python/object/apply:os.system ['id']>""#
    )]
    #[case("!!set {a, b}", r#""<set ['a', 'b']>""#)]
    #[case("!local x", r#""<!local 'x'>""#)]
    fn words_mean_what_pyyaml_makes_of_them(#[case] text: &str, #[case] value: &str) {
        assert_eq!(yaml(text).unwrap(), json(value));
    }

    #[rstest]
    #[case("[1", 2)]
    #[case("a: 1\nb: *x\n", 2)]
    #[case("--- 1\n--- 2\n", 2)]
    #[case("{<<: {a: 1}}", 1)]
    #[case("2024-13-45", 1)]
    #[case("!!int soon", 1)]
    fn what_is_no_yaml_says_where(#[case] text: &str, #[case] line: usize) {
        let error = yaml(text).unwrap_err();
        assert_eq!(error.line, line, "{error}");
    }

    #[test]
    fn aliases_do_not_multiply_without_end() {
        let line = |level: usize| {
            let below = level.checked_sub(1).map(|below| format!("*a{below}"));
            let items = [below.as_deref().unwrap_or("lol"); 10].join(", ");
            format!("a{level}: &a{level} [{items}]\n")
        };
        let laughs = (0..10).map(line).collect::<Vec<_>>().concat();
        assert!(yaml(&laughs).unwrap_err().reason.contains("too much"));
    }

    #[test]
    fn nesting_is_bounded_through_aliases_too() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(yaml(&deep(200)).is_ok());
        assert!(yaml(&deep(201)).unwrap_err().reason.contains("deep"));
        let line = |level: usize| {
            let below = level.checked_sub(1).map(|below| format!("[*a{below}]"));
            format!(
                "a{level}: &a{level} {}\n",
                below.unwrap_or_else(|| deep(100))
            )
        };
        let chain = (0..150).map(line).collect::<Vec<_>>().concat();
        assert!(yaml(&chain).unwrap_err().reason.contains("deep"));
    }

    proptest! {
        #[test]
        fn any_text_is_a_value_or_an_error(text in any::<String>(), marks in "[-:?,&*!a1 \\[\\]{}\n'\"|>#%@~<=.]{0,40}") {
            let _ = (yaml(&text), yaml(&marks));
        }

        #[test]
        fn any_word_is_a_value_or_an_error(word in "[-+0-9a-fA-FxobTZ:._ ]{1,16}") {
            let _ = yaml(&word);
        }
    }
}
