//! One row of the form: one ITEM, kept as it was typed. Rows are keyed, so that named and typed fields can take their place later.

use crate::cli::items::{self, Item};
use crate::error::Error;
use crate::protocol::Json;

/// Bytes of a text that are echoed.
const ECHO: usize = 1_000;

/// What a row is, whatever its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowKey(pub u64);

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its key.
    pub key: RowKey,
    /// As it was typed.
    pub text: String,
    /// What it means.
    pub item: Result<Item, Error>,
    /// Whether no ITEM can say it (a keyword that is no Python name): it is edited as JSON only.
    pub json_only: bool,
    /// A doubt about it.
    warning: Option<String>,
}

impl Row {
    /// A row of what was typed.
    pub fn typed(key: RowKey, text: String) -> Self {
        let item = items::parse_item(&text);
        Self {
            key,
            text,
            warning: item.as_ref().ok().and_then(doubt),
            item,
            json_only: false,
        }
    }

    /// A row that means exactly `value`, written in the plainest way that does.
    pub fn of(key: RowKey, name: Option<&str>, value: &Json) -> Self {
        let head = name.unwrap_or_default();
        let plain = value.as_str().map(str::to_owned);
        let auto = plain
            .or_else(|| Some(value.to_wire()))
            .map(|text| match name {
                Some(name) => format!("{name}={text}"),
                None => text,
            });
        let exact = format!("{head}:={}", value.to_wire());
        let float = non_finite(value).map(|word| format!("{head}:float={word}"));
        let same = |text: &String| {
            items::parse_item(text).is_ok_and(|item| {
                item.warning.is_none() && item.name.as_deref() == name && item.value == *value
            })
        };
        let mut ways = auto.into_iter().chain([exact.clone()]).chain(float);
        if let Some(text) = ways.find(same) {
            return Self::typed(key, text);
        }
        let item = Item {
            name: name.map(str::to_owned),
            value: value.clone(),
            warning: None,
        };
        Self {
            key,
            text: exact,
            warning: doubt(&item),
            item: Ok(item),
            json_only: true,
        }
    }

    /// Its keyword.
    pub fn name(&self) -> Option<&str> {
        self.item.as_ref().ok()?.name.as_deref()
    }

    /// What will really go on the wire, in short; `?` while it means nothing.
    pub fn echo(&self) -> String {
        match self.item.as_ref().map(|item| &item.value) {
            Err(_) => "?".to_owned(),
            // Nobody sees the end of a long one.
            Ok(Json::Text(text)) if text.len() > ECHO => {
                let end = text.floor_char_boundary(ECHO);
                items::echo(&Json::from(&text[..end]))
            }
            Ok(value) => items::echo(value),
        }
    }

    /// A doubt about it.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref().filter(|_| self.item.is_ok())
    }
}

fn doubt(item: &Item) -> Option<String> {
    let infinite = || items::doubt(&item.value).map(str::to_owned);
    item.warning.clone().or_else(infinite).or_else(|| {
        item.value.has_non_finite().then(|| {
            let label = item.name.as_ref().map(|name| format!("{name}: "));
            let label = label.unwrap_or_default();
            format!("{label}NaN and Infinity are not JSON; Python reads them")
        })
    })
}

fn non_finite(value: &Json) -> Option<&'static str> {
    match value {
        Json::Number(digits) => match digits.as_str() {
            "NaN" => Some("nan"),
            "Infinity" => Some("inf"),
            "-Infinity" => Some("-inf"),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes(), crate::protocol::json::Limits::default()).unwrap()
    }

    #[rstest]
    #[case(None, "2", "2")]
    #[case(Some("x"), "2", "x=2")]
    #[case(Some("note"), "\"late\"", "note=late")]
    #[case(None, "\"42\"", ":=\"42\"")]
    #[case(None, "\"a=b\"", ":=\"a=b\"")]
    #[case(Some("x"), "NaN", "x:float=nan")]
    #[case(None, "\"None\"", ":=\"None\"")]
    fn a_value_is_written_in_the_plainest_way_that_means_it(
        #[case] name: Option<&str>,
        #[case] value: &str,
        #[case] text: &str,
    ) {
        let row = Row::of(RowKey(1), name, &json(value));
        assert_eq!(row.text, text);
        assert!(!row.json_only);
    }

    #[test]
    fn a_keyword_that_is_no_python_name_is_kept_for_json() {
        let row = Row::of(RowKey(1), Some("a-b"), &json("1"));
        assert!(row.json_only);
        assert_eq!(row.name(), Some("a-b"));
    }

    proptest! {
        #[test]
        fn every_text_comes_back_as_itself(text in ".*", named in any::<bool>()) {
            let value = Json::Text(text);
            let row = Row::of(RowKey(1), named.then_some("x"), &value);
            prop_assert_eq!(row.item.map(|item| item.value), Ok(value));
        }
    }
}
