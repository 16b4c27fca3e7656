//! The ITEM grammar (ux.md 3.2): how one word of the command line, or one row of the form, becomes an argument.
//!
//! The meaning depends on the text alone, never on a signature. Reads no file: `=@file` is returned as a [`Source`]. What is wrong is
//! told by its place and never repeats a value, which may be a secret.

use std::str::FromStr;

use crate::error::{Error, Kind, Result};
use crate::protocol::json::is_number;
use crate::protocol::{Json, python, typed};

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Keyword; `None` = positional.
    pub name: Option<String>,
    /// Its value.
    pub value: Json,
    /// A doubt about it, for people.
    pub warning: Option<String>,
}

/// What an ITEM's text says, before any file is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Keyword; `None` = positional.
    pub name: Option<String>,
    /// Where its value comes from.
    pub source: Source,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Text taken as JSON if it is JSON, else as a string.
    Auto(String),
    /// Text that must be JSON.
    Json(String),
    /// Text of a type.
    Typed(Type, String),
    /// The text of a file (`-` = stdin).
    TextFile(String),
    /// The JSON in a file (`-` = stdin).
    JsonFile(String),
}

/// The types of `name:TYPE=text`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::Display, strum::EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum Type {
    /// A whole number of any size: `42`, `-1`, `0x2a`, `1_000`.
    Int,
    /// A number, `nan`, `inf`, `-inf`.
    Float,
    /// `true` or `false`.
    Bool,
    /// The text itself.
    Str,
    /// JSON.
    Json,
    /// Nothing, or the word `null`.
    Null,
    /// Digits, kept exactly.
    Decimal,
    /// ISO 8601.
    Datetime,
    /// ISO 8601.
    Date,
    /// ISO 8601.
    Time,
    /// A UUID.
    Uuid,
    /// Text, `base64:…` or `hex:…`.
    Bytes,
}

/// Splits an ITEM into name and source. An unknown TYPE is a usage error.
pub fn parse(text: &str) -> Result<Parsed> {
    parse_named(text, python::is_identifier)
}

/// As [`parse`], where another rule tells what a name is.
pub fn parse_named(text: &str, is_name: fn(&str) -> bool) -> Result<Parsed> {
    let auto = || Parsed {
        name: None,
        source: Source::Auto(text.to_owned()),
    };
    let Some(Head { name, kind, tail }) = Head::of(text, is_name) else {
        return Ok(auto());
    };
    let source = match kind {
        None => file(tail, Source::TextFile).unwrap_or_else(|| Source::Auto(tail.to_owned())),
        Some("") => file(tail, Source::JsonFile).unwrap_or_else(|| Source::Json(tail.to_owned())),
        Some(kind) => Source::Typed(type_of(name, kind)?, tail.to_owned()),
    };
    let name = name.map(str::to_owned);
    Ok(Parsed { name, source })
}

/// What stands before an ITEM's value, and the value's text. It is the same whether the ITEM means something or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// Keyword; `None` = positional.
    pub name: Option<&'a str>,
    /// What follows the colon, known or not; empty: JSON.
    pub kind: Option<&'a str>,
    /// The text of the value.
    pub tail: &'a str,
}

impl<'a> Head<'a> {
    /// Splits an ITEM; `None`: all of it is the text of a positional value. `is_name` tells what a name is.
    pub fn of(text: &'a str, is_name: fn(&str) -> bool) -> Option<Self> {
        let (head, tail) = text.split_once('=')?;
        let (name, kind) = match head.split_once(':') {
            Some((name, kind)) => (name, Some(kind)),
            None => (head, None),
        };
        let named = is_name(name);
        let positional = name.is_empty() && kind.is_some();
        let word = kind.is_none_or(|kind| kind.chars().all(|it| it.is_ascii_alphabetic()));
        let name = named.then_some(name);
        ((named || positional) && word).then_some(Self { name, kind, tail })
    }

    /// What stands before the value in the ITEM that this is of: `name:type=`.
    pub fn before(self, item: &'a str) -> &'a str {
        &item[..item.len() - self.tail.len()]
    }
}

fn file(tail: &str, source: fn(String) -> Source) -> Option<Source> {
    tail.strip_prefix('@').map(|path| source(path.to_owned()))
}

fn type_of(name: Option<&str>, word: &str) -> Result<Type> {
    Type::from_str(word).map_err(|_| {
        let known = "int float bool str json null decimal datetime date time uuid bytes";
        let head = format!("{}:{word}=", name.unwrap_or_default());
        let hint = format!("types are: {known}; to pass the text itself: :str={head}...");
        Error::new(Kind::Usage, format!("{head}: there is no type {word:?}")).hint(hint)
    })
}

/// One row of the form: as [`parse`] and [`Source::value`], without files.
pub fn parse_item(text: &str) -> Result<Item> {
    let Parsed { name, source } = parse(text)?;
    if let Source::TextFile(_) | Source::JsonFile(_) = &source {
        let error = Error::new(
            Kind::InvalidArguments,
            format!("{}the form reads no files (=@)", label(name.as_deref())),
        );
        return Err(error.hint("paste the text, or use `umbel call` on the command line"));
    }
    let (value, warning) = source.value(name.as_deref())?;
    Ok(Item {
        name,
        value,
        warning,
    })
}

impl Source {
    /// The value, and a doubt about it. A file is an error here: read it first and make it [`Source::Typed`] or [`Source::Json`].
    pub fn value(&self, name: Option<&str>) -> Result<(Json, Option<String>)> {
        let label = label(name);
        match self {
            Self::Auto(text) => Ok(auto(text, &label)),
            Self::Json(text) => Ok((json(text, &label)?, None)),
            Self::Typed(kind, text) => Ok((kind.value(text, &label)?, None)),
            Self::TextFile(_) | Self::JsonFile(_) => Err(Error::new(
                Kind::Internal,
                format!("{label}its file was not read"),
            )),
        }
    }
}

fn label(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!("{name}: "))
}

/// A doubt about a number that Python reads as Infinity although nobody typed that, for people.
pub fn doubt(value: &Json) -> Option<&'static str> {
    let doubt = "a number is beyond a float: Python reads Infinity";
    value.beyond_float().then_some(doubt)
}

fn auto(text: &str, label: &str) -> (Json, Option<String>) {
    if let Ok(value) = Json::parse_strict(text) {
        return (value, None);
    }
    let meant = match text {
        "True" => Some("true"),
        "False" => Some("false"),
        "None" => Some("null"),
        _ => None,
    };
    let warning = meant.map(|word| {
        format!("{label}{text} is sent as the string {text:?}; write {word} for Python's {text}")
    });
    (Json::Text(text.to_owned()), warning)
}

fn json(text: &str, label: &str) -> Result<Json> {
    Json::parse_strict(text).map_err(|error| {
        let hint = match text.trim() {
            "NaN" | "Infinity" | "-Infinity" => {
                "not JSON; :float=nan or :float=inf sends it on purpose".to_owned()
            }
            _ => "strings need double quotes in JSON; name=text passes text".to_owned(),
        };
        Error::new(
            Kind::InvalidArguments,
            format!("{label}not valid JSON: {}", error.discreet()),
        )
        .hint(hint)
    })
}

impl Type {
    fn value(self, text: &str, label: &str) -> Result<Json> {
        let wrong = |expected: &str| {
            let message = format!("{label}its text is not {expected}");
            Error::new(Kind::InvalidArguments, message)
        };
        match self {
            Self::Int => {
                int(text).ok_or_else(|| wrong("a whole number").hint("42, -1, 1_000 or 0x2a"))
            }
            Self::Float => {
                let value =
                    float(text).ok_or_else(|| wrong("a number").hint("1.5, 1e3, nan or inf"))?;
                match doubt(&value) {
                    None => Ok(value),
                    Some(doubt) => Err(Error::new(
                        Kind::InvalidArguments,
                        format!("{label}{doubt}"),
                    )
                    .hint(
                        "if that is meant: :float=inf or -inf; :decimal= and :str= keep the digits",
                    )),
                }
            }
            Self::Bool => match text {
                "true" | "True" => Ok(Json::Bool(true)),
                "false" | "False" => Ok(Json::Bool(false)),
                _ => Err(wrong("true or false")),
            },
            Self::Str => Ok(Json::Text(text.to_owned())),
            Self::Json => json(text, label),
            Self::Null => match text {
                "" | "null" | "None" => Ok(Json::Null),
                _ => Err(wrong("null").hint("x:null= sends None")),
            },
            Self::Decimal => self.typed(typed::Kind::Decimal, text, label),
            Self::Datetime => self.typed(typed::Kind::Datetime, text, label),
            Self::Date => self.typed(typed::Kind::Date, text, label),
            Self::Time => self.typed(typed::Kind::Time, text, label),
            Self::Uuid => self.typed(typed::Kind::Uuid, text, label),
            Self::Bytes => self.typed(typed::Kind::Bytes, text, label),
        }
    }

    fn typed(self, kind: typed::Kind, text: &str, label: &str) -> Result<Json> {
        typed::build(kind, text).map_err(|reason| {
            let message = format!("{label}its text is not a {self}");
            Error::new(Kind::InvalidArguments, message).hint(reason)
        })
    }
}

fn int(text: &str) -> Option<Json> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let plain = digits.replace('_', "");
    let misplaced = digits.starts_with('_') || digits.ends_with('_') || digits.contains("__");
    if plain.is_empty() || misplaced {
        return None;
    }
    if let Some(hex) = plain
        .strip_prefix("0x")
        .or_else(|| plain.strip_prefix("0X"))
    {
        return u128::from_str_radix(hex, 16)
            .ok()
            .map(|value| Json::Number(format!("{sign}{value}")));
    }
    let all_digits = plain.bytes().all(|byte| byte.is_ascii_digit());
    let trimmed = plain.trim_start_matches('0');
    all_digits.then(|| match trimmed {
        "" => Json::Number("0".to_owned()),
        digits => Json::Number(format!("{sign}{digits}")),
    })
}

/// A float that Python reads as one: with a dot or an exponent, also where whole digits were typed.
fn float(text: &str) -> Option<Json> {
    let plain = text.trim().replace('_', "");
    let number = match plain.to_ascii_lowercase().as_str() {
        "nan" => "NaN".to_owned(),
        "inf" | "+inf" | "infinity" | "+infinity" => "Infinity".to_owned(),
        "-inf" | "-infinity" => "-Infinity".to_owned(),
        _ if is_number(&plain) => pointed(plain),
        _ => {
            // `.5`, `5.`, `+1` and `007` are no JSON; what is beyond a float keeps its digits.
            let value: f64 = plain.parse().ok()?;
            if value.is_finite() {
                format!("{value:?}")
            } else {
                pointed(plain.trim_start_matches('+').to_owned())
            }
        }
    };
    Some(Json::Number(number))
}

fn pointed(digits: String) -> String {
    if digits.contains(['.', 'e', 'E']) {
        digits
    } else {
        format!("{digits}.0")
    }
}

/// The type echo: what will really go on the wire, in short: `int 42`, `str "42"`, `list [3]`, `Decimal 12.50`, `null`.
pub fn echo(value: &Json) -> String {
    if let Some(typed) = typed::recognise(value) {
        return format!("{} {}", class(typed.kind), typed.text);
    }
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => format!("bool {value}"),
        Json::Number(digits)
            if digits
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'-') =>
        {
            format!("int {digits}")
        }
        Json::Number(digits) => format!("float {digits}"),
        Json::Text(_) => format!("str {}", value.to_wire()),
        Json::List(items) => format!("list [{}]", items.len()),
        Json::Object(entries) => format!("dict {{{}}}", entries.len()),
    }
}

/// The type that the echo begins with.
pub fn type_name(value: &Json) -> String {
    let echo = echo(value);
    echo.split(' ').next().unwrap_or_default().to_owned()
}

/// The Python class a typed value stands for.
fn class(kind: typed::Kind) -> &'static str {
    match kind {
        typed::Kind::Datetime => "datetime",
        typed::Kind::Date => "date",
        typed::Kind::Time => "time",
        typed::Kind::Decimal => "Decimal",
        typed::Kind::Uuid => "UUID",
        typed::Kind::Bytes | typed::Kind::Base64 => "bytes",
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn number(digits: &str) -> Json {
        Json::Number(digits.to_owned())
    }

    fn text(text: &str) -> Json {
        Json::Text(text.to_owned())
    }

    #[rstest]
    #[case("2", None, number("2"))]
    #[case("-2", None, number("-2"))]
    #[case("x=2", Some("x"), number("2"))]
    #[case("note=late", Some("note"), text("late"))]
    #[case("note=", Some("note"), text(""))]
    #[case("zip=00501", Some("zip"), text("00501"))]
    #[case("when=null", Some("when"), Json::Null)]
    #[case("code:str=42", Some("code"), text("42"))]
    #[case(":str=42", None, text("42"))]
    #[case(":=[1]", None, Json::List(vec![number("1")]))]
    #[case("n:int=0x2a", Some("n"), number("42"))]
    #[case("n:int=1_000", Some("n"), number("1000"))]
    #[case("n:int=-007", Some("n"), number("-7"))]
    #[case(
        "n:int=1180591620717411303424",
        Some("n"),
        number("1180591620717411303424")
    )]
    #[case("f:float=nan", Some("f"), number("NaN"))]
    #[case("f:float=-inf", Some("f"), number("-Infinity"))]
    #[case("f:float=1.10", Some("f"), number("1.10"))]
    #[case("f:float=.5", Some("f"), number("0.5"))]
    #[case("f:float=1", Some("f"), number("1.0"))]
    #[case("f:float=-0", Some("f"), number("-0.0"))]
    #[case("f:float=007", Some("f"), number("7.0"))]
    #[case("f:float=1_000", Some("f"), number("1000.0"))]
    #[case("f:float=1e3", Some("f"), number("1e3"))]
    #[case(
        "f:float=1180591620717411303424",
        Some("f"),
        number("1180591620717411303424.0")
    )]
    #[case("b:bool=true", Some("b"), Json::Bool(true))]
    #[case("n:null=", Some("n"), Json::Null)]
    #[case(
        "big=1180591620717411303424",
        Some("big"),
        number("1180591620717411303424")
    )]
    #[case("https://shop/?a=1", None, text("https://shop/?a=1"))]
    #[case("1a=2", None, text("1a=2"))]
    #[case("class=2", None, text("class=2"))]
    #[case("host:8080=x", None, text("host:8080=x"))]
    #[case("客戶=王", Some("客戶"), text("王"))]
    #[case("a=b=c", Some("a"), text("b=c"))]
    #[case("@home", None, text("@home"))]
    fn an_item_means_what_its_text_says(
        #[case] item: &str,
        #[case] name: Option<&str>,
        #[case] value: Json,
    ) {
        let parsed = parse_item(item).unwrap();
        assert_eq!((parsed.name.as_deref(), parsed.value), (name, value));
    }

    #[rstest]
    #[case("x:number=1", Kind::Usage)]
    #[case(":number=1", Kind::Usage)]
    #[case("x:=forty", Kind::InvalidArguments)]
    #[case("x:=NaN", Kind::InvalidArguments)]
    #[case("x:int=4.0", Kind::InvalidArguments)]
    #[case("x:int=_1", Kind::InvalidArguments)]
    #[case("x:bool=yes", Kind::InvalidArguments)]
    #[case("x:decimal=abc", Kind::InvalidArguments)]
    #[case("x:null=0", Kind::InvalidArguments)]
    #[case("x:float=1e400", Kind::InvalidArguments)]
    #[case("x:float=+1e400", Kind::InvalidArguments)]
    #[case("x:float=.1e-", Kind::InvalidArguments)]
    fn what_does_not_fit_is_refused(#[case] item: &str, #[case] kind: Kind) {
        assert_eq!(parse_item(item).unwrap_err().kind, kind);
    }

    #[test]
    fn what_no_float_holds_is_refused_with_the_way_to_send_infinity() {
        let error = parse_item("x:float=1e400").unwrap_err();
        assert_eq!(
            error.message,
            "x: a number is beyond a float: Python reads Infinity"
        );
        assert!(error.hint.unwrap().contains(":float=inf"));
    }

    #[rstest]
    #[case("True")]
    #[case("x=None")]
    fn python_words_stay_strings_and_are_warned_about(#[case] item: &str) {
        let parsed = parse_item(item).unwrap();
        assert!(matches!(parsed.value, Json::Text(_)));
        assert!(parsed.warning.is_some());
    }

    #[rstest]
    #[case("password:money=hunter2xyz")]
    #[case("password:int=hunter2xyz")]
    #[case("password:float=hunter2xyz")]
    #[case("password:bool=hunter2xyz")]
    #[case("password:null=hunter2xyz")]
    #[case("password:decimal=hunter2xyz")]
    #[case("password:datetime=hunter2xyz")]
    #[case("password:date=hunter2xyz")]
    #[case("password:time=hunter2xyz")]
    #[case("password:uuid=hunter2xyz")]
    #[case("password:bytes=hex:hunter2xyz")]
    #[case("password:=hunter2xyz")]
    #[case("password=@hunter2xyz")]
    fn what_is_wrong_is_told_by_its_place_and_without_the_value(#[case] item: &str) {
        let error = parse_item(item).unwrap_err();
        let told = format!("{} {}", error.message, error.hint.unwrap_or_default());
        assert!(told.contains("password"), "{told}");
        assert!(!told.contains("'h'") && !told.contains("hunter2"), "{told}");
    }

    #[test]
    fn only_an_at_sign_behind_the_equals_sign_names_a_file() {
        assert_eq!(
            parse("b=@f.txt").unwrap().source,
            Source::TextFile("f.txt".into())
        );
        assert_eq!(parse("b:=@-").unwrap().source, Source::JsonFile("-".into()));
        assert_eq!(parse(":=@f").unwrap().source, Source::JsonFile("f".into()));
        assert_eq!(
            parse("b:str=@f").unwrap().source,
            Source::Typed(Type::Str, "@f".into())
        );
    }

    #[rstest]
    #[case("42", "int 42")]
    #[case("\"42\"", "str \"42\"")]
    #[case("1.5", "float 1.5")]
    #[case("[1,2,3]", "list [3]")]
    #[case("{\"__type__\":\"decimal\",\"__value__\":\"12.50\"}", "Decimal 12.50")]
    fn the_echo_names_the_wire_type(#[case] json: &str, #[case] shown: &str) {
        assert_eq!(echo(&Json::parse_strict(json).unwrap()), shown);
    }
}
