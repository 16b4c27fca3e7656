//! Where in a JSON value something is. Pure.

use std::fmt;

use crate::protocol::Json;
use crate::protocol::python::is_identifier;

/// The way from a value to something inside of it; empty: the value itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(pub Vec<Step>);

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// To the value of a key; of equal keys, to all.
    Key(String),
    /// To an element, from 0.
    Index(usize),
}

impl Path {
    /// Whether it leads nowhere else.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// This way and one step more.
    #[must_use]
    pub fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// Puts `value` wherever this leads to in `into`; returns whether it led anywhere.
    pub fn set(&self, into: &mut Json, value: &Json) -> bool {
        set(&self.0, into, value)
    }
}

fn set(steps: &[Step], into: &mut Json, value: &Json) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        *into = value.clone();
        return true;
    };
    match (step, into) {
        (Step::Index(index), Json::List(items)) => items
            .get_mut(*index)
            .is_some_and(|item| set(rest, item, value)),
        (Step::Key(key), Json::Object(entries)) => {
            let mut any = false;
            for (_, inner) in entries.iter_mut().filter(|(name, _)| name == key) {
                any |= set(rest, inner, value);
            }
            any
        }
        _ => false,
    }
}

/// As one would write it in Python after the value's name: `.user.token`, `[0]`, `["a key"]`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| match step {
            Step::Key(key) if is_identifier(key) => write!(f, ".{key}"),
            Step::Key(key) => write!(f, "[{}]", Json::from(key.as_str()).to_wire()),
            Step::Index(index) => write!(f, "[{index}]"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_like_python_and_leads_to_all_equal_keys() {
        let path = Path::default()
            .then(Step::Key("user".to_owned()))
            .then(Step::Key("a key".to_owned()))
            .then(Step::Index(1));
        assert_eq!(path.to_string(), ".user[\"a key\"][1]");
        let mut value =
            Json::parse_strict(r#"{"user": {"a key": [1, 2], "a key": [3, 4]}}"#).unwrap();
        assert!(path.set(&mut value, &Json::Null));
        assert_eq!(
            value.to_wire(),
            r#"{"user":{"a key":[1,null],"a key":[3,null]}}"#
        );
        assert!(!path.set(&mut Json::Null, &Json::Null));
    }
}
