//! `demo.math.add(x, y)`: Python's `x + y`, for numbers, texts, lists and decimals, with Python's refusals for everything else.

use super::super::arguments::Arguments;
use super::super::build::object;
use super::super::number;
use super::super::raised::{Frame, Raised};
use super::super::value::type_name;
use crate::protocol::Json;
use crate::protocol::typed::{self, Kind, Typed};

const FRAME: Frame = Frame {
    file: "/srv/demo/math.py",
    line: 11,
    function: "add",
    code: "return x + y",
    mark: "x + y",
};

pub(super) fn add(mut arguments: Arguments) -> Result<Json, Raised> {
    let (x, y) = (arguments.take(0, Json::Null), arguments.take(1, Json::Null));
    plus(x, y).map_err(|(kind, text)| Raised::builtin(kind, text, &[FRAME]))
}

type Refusal = (&'static str, String);

fn plus(x: Json, y: Json) -> Result<Json, Refusal> {
    if let Some(sum) = typed_sum(&x, &y) {
        return sum;
    }
    if let (Some(x), Some(y)) = (as_number(&x), as_number(&y)) {
        let sum = number::sum(x, y).map_err(|text| ("OverflowError", text.to_owned()))?;
        return Ok(Json::Number(sum));
    }
    match (x, y) {
        (Json::Text(x), Json::Text(y)) => Ok(Json::Text(x + &y)),
        (Json::List(mut x), Json::List(y)) => {
            x.extend(y);
            Ok(Json::List(x))
        }
        (x, y) => Err(("TypeError", refusal(&x, &y))),
    }
}

fn refusal(x: &Json, y: &Json) -> String {
    let (left, right) = (type_name(x), type_name(y));
    match left {
        "str" | "list" => format!("can only concatenate {left} (not \"{right}\") to {left}"),
        _ => format!("unsupported operand type(s) for +: '{left}' and '{right}'"),
    }
}

/// `True` and `False` are numbers to Python.
fn as_number(value: &Json) -> Option<&str> {
    match value {
        Json::Number(text) => Some(text),
        Json::Bool(value) => Some(if *value { "1" } else { "0" }),
        _ => None,
    }
}

/// Decimals add up; bytes would in Python, and are refused with the truth. `None`: neither is one of them.
fn typed_sum(x: &Json, y: &Json) -> Option<Result<Json, Refusal>> {
    let refused = |what: &str| {
        Some(Err((
            "NotImplementedError",
            format!("this demo does not add {what}"),
        )))
    };
    let digits = match (typed::recognise(x), typed::recognise(y)) {
        (Some(x), Some(y)) if is_bytes(&x) && is_bytes(&y) => return refused("bytes"),
        (Some(x), Some(y)) if is_decimal(&x) && is_decimal(&y) => {
            number::decimal_sum(x.text, y.text)
        }
        (Some(x), None) if is_decimal(&x) => number::decimal_sum(x.text, whole(y)?),
        (None, Some(y)) if is_decimal(&y) => number::decimal_sum(whole(x)?, y.text),
        _ => return None,
    };
    let Some(digits) = digits else {
        return refused("decimals with exponents");
    };
    let sum = [
        ("__type__", "decimal".into()),
        ("__value__", Json::Text(digits)),
    ];
    Some(Ok(object(sum)))
}

fn is_decimal(typed: &Typed<'_>) -> bool {
    typed.kind == Kind::Decimal
}

fn is_bytes(typed: &Typed<'_>) -> bool {
    matches!(typed.kind, Kind::Bytes | Kind::Base64)
}

fn whole(value: &Json) -> Option<&str> {
    as_number(value).filter(|text| number::is_int(text))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn sum(x: &str, y: &str) -> Result<String, String> {
        let read = |text| Json::parse_strict(text).unwrap();
        plus(read(x), read(y))
            .map(|sum| sum.to_wire())
            .map_err(|(kind, text)| format!("{kind}: {text}"))
    }

    #[rstest]
    #[case("2", "3", "5")]
    #[case("true", "1", "2")]
    #[case(r#""a""#, r#""b""#, r#""ab""#)]
    #[case("[1]", "[2]", "[1,2]")]
    #[case(
        r#"{"__type__":"decimal","__value__":"1.10"}"#,
        "2",
        r#"{"__type__":"decimal","__value__":"3.10"}"#
    )]
    fn what_python_can_add_is_added(#[case] x: &str, #[case] y: &str, #[case] expected: &str) {
        assert_eq!(sum(x, y), Ok(expected.to_owned()));
    }

    #[rstest]
    #[case(
        "1",
        r#""b""#,
        "TypeError: unsupported operand type(s) for +: 'int' and 'str'"
    )]
    #[case(
        r#""b""#,
        "1",
        r#"TypeError: can only concatenate str (not "int") to str"#
    )]
    #[case(
        "[1]",
        "1.5",
        r#"TypeError: can only concatenate list (not "float") to list"#
    )]
    #[case(
        "null",
        "{}",
        "TypeError: unsupported operand type(s) for +: 'NoneType' and 'dict'"
    )]
    #[case(
        r#"{"__type__":"decimal","__value__":"1"}"#,
        "1.5",
        "TypeError: unsupported operand type(s) for +: 'decimal.Decimal' and 'float'"
    )]
    fn what_python_refuses_is_refused_in_its_words(
        #[case] x: &str,
        #[case] y: &str,
        #[case] text: &str,
    ) {
        assert_eq!(sum(x, y), Err(text.to_owned()));
    }
}
