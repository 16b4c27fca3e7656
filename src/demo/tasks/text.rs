//! `demo.text.echo(*args, **kwargs)` and Celery's own `celery.accumulate`: what goes in comes out.

use super::super::arguments::Arguments;
use super::super::build::object;
use super::super::number;
use super::super::raised::{Frame, Raised};
use super::super::value::type_name;
use crate::protocol::Json;

/// One positional argument: itself. Several: a list. Only keywords: an object. Both: `{"args": […], "kwargs": {…}}`. None: null.
pub(super) fn echo(arguments: Arguments) -> Json {
    let Arguments {
        mut rest, keywords, ..
    } = arguments;
    match (rest.len(), keywords.is_empty()) {
        (0, true) => Json::Null,
        (0, false) => Json::Object(keywords),
        (1, true) => rest.remove(0),
        (_, true) => Json::List(rest),
        (_, false) => object([
            ("args", Json::List(rest)),
            ("kwargs", Json::Object(keywords)),
        ]),
    }
}

const FRAME: Frame = Frame {
    file: "/srv/venv/lib/python3.11/site-packages/celery/app/builtins.py",
    line: 188,
    function: "accumulate",
    code: "return args[index] if index is not None else args",
    mark: "args[index]",
};

/// Its arguments, or the one at `index`.
pub(super) fn accumulate(arguments: Arguments) -> Result<Json, Raised> {
    let raise = |kind, text: String| Err(Raised::builtin(kind, text, &[FRAME]));
    let index = arguments.keywords.iter().find(|(name, _)| name == "index");
    let index = match index {
        None | Some((_, Json::Null)) => return Ok(Json::List(arguments.rest)),
        Some((_, Json::Number(text))) if number::is_int(text) => text.parse::<isize>().ok(),
        Some((_, other)) => {
            let given = type_name(other);
            let text = format!("tuple indices must be integers or slices, not {given}");
            return raise("TypeError", text);
        }
    };
    let from_start = |index: isize| match usize::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => arguments.rest.len().checked_sub(index.unsigned_abs()),
    };
    match index
        .and_then(from_start)
        .and_then(|index| arguments.rest.get(index))
    {
        Some(value) => Ok(value.clone()),
        None => raise("IndexError", "tuple index out of range".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn arguments(args: &[u64], kwargs: &[(&str, &str)]) -> Arguments {
        let keyword =
            |(name, value): &(&str, &str)| ((*name).to_owned(), Json::parse_strict(value).unwrap());
        Arguments {
            rest: args.iter().copied().map(Json::from).collect(),
            keywords: kwargs.iter().map(keyword).collect(),
            ..Arguments::default()
        }
    }

    #[rstest]
    #[case(&[], &[], "null")]
    #[case(&[1], &[], "1")]
    #[case(&[1, 2], &[], "[1,2]")]
    #[case(&[], &[("a", "3")], r#"{"a":3}"#)]
    #[case(&[1], &[("a", "3")], r#"{"args":[1],"kwargs":{"a":3}}"#)]
    fn what_goes_in_comes_out(
        #[case] args: &[u64],
        #[case] kwargs: &[(&str, &str)],
        #[case] out: &str,
    ) {
        assert_eq!(echo(arguments(args, kwargs)).to_wire(), out);
    }

    #[rstest]
    #[case("0", Ok("7"))]
    #[case("-1", Ok("9"))]
    #[case("null", Ok("[7,8,9]"))]
    #[case("3", Err("IndexError: tuple index out of range"))]
    #[case("-4", Err("IndexError: tuple index out of range"))]
    #[case(
        "\"a\"",
        Err("TypeError: tuple indices must be integers or slices, not str")
    )]
    fn accumulate_returns_what_is_at_the_index(
        #[case] index: &str,
        #[case] expected: Result<&str, &str>,
    ) {
        let got = accumulate(arguments(&[7, 8, 9], &[("index", index)]));
        let got = got
            .map(|value| value.to_wire())
            .map_err(|raised| raised.headline());
        assert_eq!(got, expected.map(str::to_owned).map_err(str::to_owned));
    }
}
