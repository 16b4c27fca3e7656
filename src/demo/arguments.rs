//! How Python binds arguments to parameters, with the texts of its `TypeError`s word for word (`CPython` 3.11). Never looks at types.

use crate::protocol::Json;

/// What a task's function takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameters {
    /// The function's name, as it stands in error texts.
    pub function: &'static str,
    /// Whether it takes the task itself first (`bind=True`); Python counts that.
    pub bound: bool,
    /// Names, in order.
    pub names: &'static [&'static str],
    /// How many of them, from the first, have no default.
    pub required: usize,
    /// Whether it takes any number more (`*args, **kwargs`).
    pub open: bool,
}

/// The arguments a function got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    /// One for each name; `None`: the default.
    pub named: Vec<Option<Json>>,
    /// `*args`.
    pub rest: Vec<Json>,
    /// `**kwargs`.
    pub keywords: Vec<(String, Json)>,
}

impl Arguments {
    /// Takes the argument of the parameter at `index`, or its default.
    pub(super) fn take(&mut self, index: usize, default: impl Into<Json>) -> Json {
        let given = self.named.get_mut(index).and_then(Option::take);
        given.unwrap_or_else(|| default.into())
    }
}

impl Parameters {
    /// Binds, in the order of Python's own checks; the error is the text of a `TypeError`.
    pub(super) fn bind(
        &self,
        args: &[Json],
        kwargs: &[(String, Json)],
    ) -> Result<Arguments, String> {
        let mut named: Vec<Option<Json>> = args.iter().cloned().map(Some).collect();
        let rest: Vec<Json> = named
            .drain(self.names.len().min(args.len())..)
            .flatten()
            .collect();
        named.resize(self.names.len(), None);
        let mut keywords = Vec::new();
        for (name, value) in kwargs {
            match self.slot(name, &mut named)? {
                Some(slot) => *slot = Some(value.clone()),
                None => keywords.push((name.clone(), value.clone())),
            }
        }
        if !self.open && !rest.is_empty() {
            return Err(self.too_many(args.len()));
        }
        self.check_missing(&named)?;
        Ok(Arguments {
            named,
            rest,
            keywords,
        })
    }

    /// Where a keyword goes: a free parameter, or `**kwargs`.
    fn slot<'a>(
        &self,
        name: &str,
        named: &'a mut [Option<Json>],
    ) -> Result<Option<&'a mut Option<Json>>, String> {
        let function = self.function;
        let index = self.names.iter().position(|known| *known == name);
        match index.and_then(|index| named.get_mut(index)) {
            Some(Some(_)) => Err(format!(
                "{function}() got multiple values for argument '{name}'"
            )),
            Some(free) => Ok(Some(free)),
            None if self.open => Ok(None),
            None => Err(format!(
                "{function}() got an unexpected keyword argument '{name}'"
            )),
        }
    }

    fn too_many(&self, given: usize) -> String {
        let own = usize::from(self.bound);
        let (least, most, given) = (self.required + own, self.names.len() + own, given + own);
        let takes = if least < most {
            format!("from {least} to {most} positional arguments")
        } else {
            format!("{most} positional argument{}", plural(most))
        };
        let were = if given == 1 { "was" } else { "were" };
        format!("{}() takes {takes} but {given} {were} given", self.function)
    }

    fn check_missing(&self, given: &[Option<Json>]) -> Result<(), String> {
        let required = self.names.iter().zip(given).take(self.required);
        let missing: Vec<String> = required
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| format!("'{name}'"))
            .collect();
        let listed = match missing.as_slice() {
            [] => return Ok(()),
            [one] => one.clone(),
            [one, two] => format!("{one} and {two}"),
            [most @ .., last] => format!("{}, and {last}", most.join(", ")),
        };
        let (function, count) = (self.function, missing.len());
        Err(format!(
            "{function}() missing {count} required positional argument{}: {listed}",
            plural(count)
        ))
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ADD: Parameters = Parameters {
        function: "add",
        bound: false,
        names: &["x", "y"],
        required: 2,
        open: false,
    };

    const COUNT: Parameters = Parameters {
        function: "count",
        bound: true,
        names: &["n", "delay"],
        required: 0,
        open: false,
    };

    const ECHO: Parameters = Parameters {
        function: "echo",
        bound: false,
        names: &[],
        required: 0,
        open: true,
    };

    fn bind(parameters: Parameters, args: u64, kwargs: &[&str]) -> Result<Arguments, String> {
        let args: Vec<Json> = (0..args).map(Json::from).collect();
        let kwargs: Vec<_> = kwargs
            .iter()
            .map(|name| ((*name).to_owned(), Json::Null))
            .collect();
        parameters.bind(&args, &kwargs)
    }

    #[rstest]
    #[case(ADD, 1, &[], "add() missing 1 required positional argument: 'y'")]
    #[case(ADD, 0, &[], "add() missing 2 required positional arguments: 'x' and 'y'")]
    #[case(ADD, 3, &[], "add() takes 2 positional arguments but 3 were given")]
    #[case(ADD, 2, &["z"], "add() got an unexpected keyword argument 'z'")]
    #[case(ADD, 1, &["x"], "add() got multiple values for argument 'x'")]
    #[case(ADD, 3, &["z"], "add() got an unexpected keyword argument 'z'")]
    #[case(COUNT, 3, &[], "count() takes from 1 to 3 positional arguments but 4 were given")]
    fn arguments_that_do_not_fit_get_pythons_words(
        #[case] parameters: Parameters,
        #[case] args: u64,
        #[case] kwargs: &[&str],
        #[case] text: &str,
    ) {
        assert_eq!(bind(parameters, args, kwargs), Err(text.to_owned()));
    }

    #[test]
    fn three_missing_arguments_are_listed_with_a_comma_before_the_and() {
        let three = Parameters {
            names: &["a", "b", "c"],
            required: 3,
            ..ADD
        };
        let text = "add() missing 3 required positional arguments: 'a', 'b', and 'c'";
        assert_eq!(bind(three, 0, &[]), Err(text.to_owned()));
    }

    #[test]
    fn a_function_without_parameters_takes_zero() {
        let none = Parameters {
            names: &[],
            required: 0,
            ..ADD
        };
        let text = "add() takes 0 positional arguments but 1 was given";
        assert_eq!(bind(none, 1, &[]), Err(text.to_owned()));
    }

    #[test]
    fn keywords_fill_what_positions_left() {
        let bound = bind(ADD, 1, &["y"]).unwrap();
        assert_eq!(bound.named, [Some(Json::from(0)), Some(Json::Null)]);
    }

    #[test]
    fn an_open_function_takes_everything() {
        let bound = bind(ECHO, 2, &["a", "b"]).unwrap();
        assert_eq!((bound.rest.len(), bound.keywords.len()), (2, 2));
    }
}
