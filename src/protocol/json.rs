//! One lenient, bounded reader for the JSON that Python writes, and its writers.
//!
//! Python's `json.dumps` writes `NaN`, `Infinity`, integers of any size and lone surrogates (kombu 5.3 to 5.7 all do);
//! no strict reader takes them. Numbers are kept as text, objects keep order and duplicate keys.
//! The reader itself is in `json/read.rs`, the writers are in `json/write.rs`.

#[cfg(test)]
pub(in crate::protocol) mod arbitrary;
mod read;
mod write;

pub use write::is_number;

/// A JSON value as Python wrote it. Its order is that of its parts and means nothing; it makes two different values comparable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Json {
    /// `null`, Python's `None`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it was written: `1.10`, `1180591620717411303424`, also `NaN`, `Infinity`, `-Infinity`.
    Number(String),
    /// A string; a lone surrogate has become U+FFFD.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// An object: keys in the order of the document, duplicates kept.
    Object(Vec<(String, Self)>),
}

/// What a reader accepts at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the document.
    pub bytes: usize,
    /// Arrays and objects inside each other.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 256 << 20,
            depth: 200,
        }
    }
}

/// Why a text is not JSON, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}{} at line {line}, column {column}", said(*found))]
pub struct JsonError {
    /// What was expected or is wrong, for people.
    pub reason: String,
    /// The character that stood where something else was expected.
    pub found: Option<char>,
    /// Byte offset of the place.
    pub offset: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl JsonError {
    /// The same without a character that may be a part of a secret: a sign of JSON is none.
    #[must_use]
    pub fn discreet(self) -> Self {
        let is_sign = |found: &char| matches!(found, '{' | '}' | '[' | ']' | ',' | ':' | '"');
        let found = self.found.filter(is_sign);
        Self { found, ..self }
    }

    /// What is wrong, without its place.
    pub fn what(&self) -> String {
        format!("{}{}", self.reason, said(self.found))
    }
}

fn said(found: Option<char>) -> String {
    found.map_or_else(String::new, |found| format!(", found {found:?}"))
}

impl Json {
    /// Reads one document leniently (NaN, Infinity, lone surrogates, any integer, duplicate keys) within `limits`. Invalid UTF-8 is an error.
    pub fn parse(bytes: &[u8], limits: Limits) -> Result<Self, JsonError> {
        read::lenient(bytes, limits)
    }

    /// Reads what a person typed: as [`Json::parse`], but NaN and Infinity are refused (RFC 8259), and lone surrogates too.
    pub fn parse_strict(text: &str) -> Result<Self, JsonError> {
        read::strict(text, Limits::default())
    }

    /// The value of `key` in an object (the last one, as Python's reader takes it); `None` for anything else.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let entries = self.as_object()?;
        entries
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of a list.
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of an object.
    pub fn as_object(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Object(entries) => Some(entries),
            _ => None,
        }
    }

    /// A number as `f64`, if it is one and finite or not.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A number as `u64`, if it is a whole one in range.
    pub fn as_u64(&self) -> Option<u64> {
        let Self::Number(text) = self else {
            return None;
        };
        text.parse().ok().or_else(|| whole(text.parse().ok()?))
    }

    /// A truth value.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Whether a NaN or an Infinity is anywhere inside.
    pub fn has_non_finite(&self) -> bool {
        match self {
            Self::Number(text) => is_non_finite(text),
            Self::List(items) => items.iter().any(Self::has_non_finite),
            Self::Object(entries) => entries.iter().any(|(_, value)| value.has_non_finite()),
            Self::Null | Self::Bool(_) | Self::Text(_) => false,
        }
    }

    /// Whether a number, anywhere inside, is one that no double holds: Python's reader makes Infinity of it, although nobody wrote that.
    pub fn beyond_float(&self) -> bool {
        match self {
            Self::Number(text) => {
                let float = is_number(text) && text.contains(['.', 'e', 'E']);
                float && double(text).is_none()
            }
            Self::List(items) => items.iter().any(Self::beyond_float),
            Self::Object(entries) => entries.iter().any(|(_, value)| value.beyond_float()),
            Self::Null | Self::Bool(_) | Self::Text(_) => false,
        }
    }

    /// Compact JSON as Python's reader takes it: non-finite numbers as `NaN`, `Infinity`, `-Infinity`. For the wire and for `compact` human output.
    pub fn to_wire(&self) -> String {
        write::compact(self)
    }

    /// Indented JSON (two spaces), non-finite numbers as Python writes them. For people.
    pub fn to_pretty(&self) -> String {
        write::pretty(self)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Self {
        Self::Number(number.to_string())
    }
}

/// The digits of a double as JSON and Python write them: `1.0`, `1e-07`, `NaN`.
pub(in crate::protocol) fn float_text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned();
    }
    let text = format!("{number:?}");
    let Some((digits, exponent)) = text.split_once('e') else {
        return text;
    };
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// Whether the text of a number is one that JSON or Python writes; any other is written as a text.
pub(in crate::protocol) fn is_real(number: &str) -> bool {
    is_number(number) || is_non_finite(number)
}

/// The double that Python makes of a number's text; `None` if the text is beyond a double or no number.
pub(in crate::protocol) fn double(number: &str) -> Option<f64> {
    let double: f64 = number.parse().ok()?;
    (is_non_finite(number) || (is_number(number) && double.is_finite())).then_some(double)
}

/// `12.0` and `1e3` are whole numbers too; Python writes counters so when a float slipped in.
fn whole(number: f64) -> Option<u64> {
    // Above 2^53 a float no longer names one whole number.
    let exact = number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number);
    exact.then(|| format!("{:.0}", number.abs()))?.parse().ok()
}

fn is_non_finite(number: &str) -> bool {
    matches!(number, "NaN" | "Infinity" | "-Infinity")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn read(text: &str) -> Json {
        Json::parse_strict(text).unwrap()
    }

    #[test]
    fn the_last_of_two_equal_keys_counts_as_in_python() {
        let value = read(r#"{"a": 1, "b": 2, "a": 3}"#);
        assert_eq!(value.get("a"), Some(&Json::from(3)));
        assert_eq!(value.get("c"), None);
        assert_eq!(read("[1]").get("a"), None);
    }

    #[rstest]
    #[case("7", Some(7))]
    #[case("0", Some(0))]
    #[case("-0", Some(0))]
    #[case("12.0", Some(12))]
    #[case("1e3", Some(1000))]
    #[case("18446744073709551615", Some(u64::MAX))]
    #[case("18446744073709551616", None)]
    #[case("1.5", None)]
    #[case("-1", None)]
    #[case("1e400", None)]
    #[case("\"7\"", None)]
    fn whole_numbers_in_range_are_u64(#[case] text: &str, #[case] expected: Option<u64>) {
        assert_eq!(read(text).as_u64(), expected);
    }

    #[test]
    fn numbers_are_floats_finite_or_not() {
        let number = |text: &str| Json::Number(text.to_owned()).as_f64();
        assert_eq!(number("1.10"), Some(1.1));
        assert_eq!(number("-Infinity"), Some(f64::NEG_INFINITY));
        assert_eq!(number("1e400"), Some(f64::INFINITY));
        assert!(number("NaN").unwrap().is_nan());
        assert_eq!(Json::from("1").as_f64(), None);
    }

    #[rstest]
    #[case("[1, {\"a\": [-1e400]}]", true)]
    #[case("1e-400", false)]
    #[case("Infinity", false)]
    fn a_number_that_no_double_holds_is_found_anywhere(#[case] text: &str, #[case] expected: bool) {
        let value = Json::parse(text.as_bytes(), Limits::default()).unwrap();
        assert_eq!(value.beyond_float(), expected);
    }

    #[test]
    fn a_whole_number_is_never_beyond_a_float() {
        assert!(!Json::Number("9".repeat(400)).beyond_float());
    }

    #[rstest]
    #[case("[1, {\"a\": [NaN]}]", true)]
    #[case("-Infinity", true)]
    #[case("[1e400, \"NaN\", {\"Infinity\": 1}]", false)]
    fn non_finite_numbers_are_found_anywhere(#[case] text: &str, #[case] expected: bool) {
        let value = Json::parse(text.as_bytes(), Limits::default()).unwrap();
        assert_eq!(value.has_non_finite(), expected);
    }
}
