//! The form as one JSON document, `{"args": [...], "kwargs": {...}}`, and back. Pure text work; edits nothing.

use crate::protocol::Json;
use crate::protocol::json::{JsonError, Limits};

/// Positional and keyword arguments.
pub type Arguments = (Vec<Json>, Vec<(String, Json)>);

/// What a document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The arguments.
    pub arguments: Arguments,
    /// Whether it is JSON only as Python writes it: NaN or Infinity are inside.
    pub non_finite: bool,
}

/// Why a document cannot be sent, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line and column, from 1, when it has a place.
    pub place: Option<(usize, usize)>,
    /// What is wrong, for people.
    pub reason: String,
}

impl Problem {
    fn shape(reason: impl Into<String>) -> Self {
        Self {
            place: None,
            reason: reason.into(),
        }
    }

    /// With its place in front: `8:15 expected ","`.
    pub fn text(&self) -> String {
        match self.place {
            Some((line, column)) => format!("{line}:{column} {}", self.reason),
            None => self.reason.clone(),
        }
    }
}

impl From<JsonError> for Problem {
    fn from(error: JsonError) -> Self {
        Self {
            place: Some((error.line, error.column)),
            reason: error.discreet().what(),
        }
    }
}

/// The document of these arguments, for people: one argument a line.
pub fn write(arguments: &Arguments) -> String {
    let (args, kwargs) = arguments;
    let document = Json::Object(vec![
        ("args".to_owned(), Json::List(args.clone())),
        ("kwargs".to_owned(), Json::Object(kwargs.clone())),
    ]);
    document.to_pretty()
}

/// Reads a document.
pub fn read(text: &str) -> Result<Document, Problem> {
    let (value, non_finite) = match Json::parse_strict(text) {
        Ok(value) => (value, false),
        Err(error) => match Json::parse(text.as_bytes(), Limits::default()) {
            Ok(value) if value.has_non_finite() => (value, true),
            _ => return Err(error.into()),
        },
    };
    Ok(Document {
        non_finite: non_finite || value.beyond_float(),
        arguments: arguments(value)?,
    })
}

fn arguments(value: Json) -> Result<Arguments, Problem> {
    let Json::Object(entries) = value else {
        return Err(Problem::shape(
            "an object is needed: {\"args\": [...], \"kwargs\": {...}}",
        ));
    };
    let (mut args, mut kwargs) = (None, None);
    for (key, value) in entries {
        match (key.as_str(), value) {
            ("args", Json::List(items)) if args.is_none() => args = Some(items),
            ("kwargs", Json::Object(items)) if kwargs.is_none() => kwargs = Some(items),
            ("args", Json::List(_)) | ("kwargs", Json::Object(_)) => {
                return Err(Problem::shape(format!("{key} is given twice")));
            }
            ("args", _) => return Err(Problem::shape("args must be a list: [...]")),
            ("kwargs", _) => return Err(Problem::shape("kwargs must be an object: {...}")),
            (other, _) => {
                return Err(Problem::shape(format!(
                    "only args and kwargs are taken, not {other:?}"
                )));
            }
        }
    }
    let kwargs = kwargs.unwrap_or_default();
    match twice(kwargs.iter().map(|(name, _)| name.as_str())) {
        Some(name) => Err(Problem::shape(format!(
            "the keyword {name:?} is given twice"
        ))),
        None => Ok((args.unwrap_or_default(), kwargs)),
    }
}

/// The first name that comes a second time.
pub fn twice<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = std::collections::HashSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_document_comes_back_as_itself() {
        let arguments = (
            vec![Json::Number("2".into()), Json::Text("客戶".into())],
            vec![("x".to_owned(), Json::Null)],
        );
        let read = read(&write(&arguments)).unwrap();
        assert_eq!(read.arguments, arguments);
        assert!(!read.non_finite);
    }

    #[test]
    fn a_mistake_has_its_line_and_column() {
        let problem = read("{\n  \"args\": [1,,2]\n}").unwrap_err();
        assert_eq!(problem.place, Some((2, 14)));
    }

    #[test]
    fn a_number_that_python_reads_as_infinity_counts_as_infinity() {
        assert!(read("{\"args\": [1e400]}").unwrap().non_finite);
    }

    #[test]
    fn nan_is_told_apart_from_json() {
        assert!(read("{\"args\": [NaN]}").unwrap().non_finite);
    }

    #[rstest]
    #[case("[1]", "an object is needed")]
    #[case("{\"args\": {}}", "args must be a list")]
    #[case("{\"kwargs\": []}", "kwargs must be an object")]
    #[case("{\"timeout\": 1}", "only args and kwargs")]
    #[case("{\"kwargs\": {\"x\": 1, \"x\": 2}}", "given twice")]
    #[case("{\"args\": [], \"args\": []}", "given twice")]
    fn another_shape_is_told(#[case] text: &str, #[case] says: &str) {
        assert!(read(text).unwrap_err().reason.contains(says));
    }
}
