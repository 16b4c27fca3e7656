//! The result alone, as stdout has it: whole or a part of it, with or without its types. Pure.

use crate::cli::Shape;
use crate::error::{Error, Kind, Result};
use crate::protocol::{Json, typed};

/// The text of a result. For people (`pretty`) it has lines, and values with a type are shown plainly.
///
/// # Errors
/// It has no such field; the task has run nevertheless, which the kind (exit 1) does not hide.
pub fn text(value: &Json, shape: &Shape, pretty: bool) -> Result<String> {
    let part = match &shape.field {
        None => value.clone(),
        Some(path) => field(value, path).cloned().ok_or_else(|| missing(path))?,
    };
    let part = if shape.flatten || pretty {
        typed::flatten(&part)
    } else {
        part
    };
    Ok(match &part {
        Json::Text(text) if shape.raw => text.clone(),
        part if pretty => part.to_pretty(),
        part => part.to_wire(),
    })
}

fn missing(path: &str) -> Error {
    let message = format!("the task returned, but its result has no {path:?}");
    Error::new(Kind::TaskFailed, message).hint("a path looks like customer.name or items[0].id")
}

/// The part of `value` that `path` leads to: keys between dots, indexes from 0 in brackets or between dots.
fn field<'a>(value: &'a Json, path: &str) -> Option<&'a Json> {
    let plain = path.replace('[', ".").replace(']', "");
    let mut steps = plain.split('.').filter(|step| !step.is_empty());
    steps.try_fold(value, |value, step| match value {
        Json::List(items) => items.get(step.parse::<usize>().ok()?),
        value => value.get(step),
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ORDER: &str = r#"{"customer":{"name":"王"},"items":[{"id":7},{"id":8}],"sum":{"__type__":"decimal","__value__":"1.50"}}"#;

    fn shape(raw: bool, flatten: bool, field: Option<&str>) -> Shape {
        Shape {
            raw,
            flatten,
            field: field.map(str::to_owned),
            no_check: false,
        }
    }

    #[rstest]
    #[case(shape(true, false, Some("customer.name")), "王")]
    #[case(shape(false, false, Some("customer.name")), "\"王\"")]
    #[case(shape(false, false, Some("items[1].id")), "8")]
    #[case(shape(false, true, Some("sum")), "\"1.50\"")]
    #[case(shape(true, true, Some("sum")), "1.50")]
    fn a_part_of_a_result_is_printed_as_it_was_asked_for(
        #[case] shape: Shape,
        #[case] expected: &str,
    ) {
        let value = Json::parse_strict(ORDER).unwrap();
        assert_eq!(text(&value, &shape, false).unwrap(), expected);
    }

    #[test]
    fn people_see_typed_values_plainly_and_programs_exactly() {
        let value = Json::parse_strict(ORDER).unwrap();
        let sum = shape(false, false, Some("sum"));
        assert_eq!(text(&value, &sum, true).unwrap(), "\"1.50\"");
        assert_eq!(
            text(&value, &sum, false).unwrap(),
            r#"{"__type__":"decimal","__value__":"1.50"}"#
        );
    }

    #[rstest]
    #[case("items[2].id")]
    #[case("customer.name.x")]
    #[case("nobody")]
    fn a_field_that_is_not_there_is_said(#[case] path: &str) {
        let value = Json::parse_strict(ORDER).unwrap();
        let error = text(&value, &shape(false, false, Some(path)), false).unwrap_err();
        assert!(error.message.contains(path), "{error}");
    }
}
