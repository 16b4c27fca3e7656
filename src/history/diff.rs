//! What differs between two results, place by place. Pure and bounded.

use std::collections::HashMap;

use super::{Path, Step};
use crate::protocol::{Json, python};

/// So many changes are told; what comes after is only counted.
pub const MOST_CHANGES: usize = 1_000;

/// Stands for what is not there.
pub const NOTHING: &str = "nothing";

/// Characters of what two long values have in common that are shown before they differ.
const LEAD: usize = 20;

/// One place at which two values differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// Where.
    pub path: Path,
    /// What was there; `None`: nothing.
    pub before: Option<&'a Json>,
    /// What is there now; `None`: nothing.
    pub after: Option<&'a Json>,
}

/// How two values differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference<'a> {
    /// The places, in the order of the values; at most [`MOST_CHANGES`].
    pub changes: Vec<Change<'a>>,
    /// Places that are not told.
    pub more: usize,
}

/// Compares two values. Numbers are equal when they are spelt the same: `1.10` is not `1.1`. Of lists, the elements that both
/// begin and end with are matched, the others by their place.
pub fn diff<'a>(before: &'a Json, after: &'a Json) -> Difference<'a> {
    let mut difference = Difference::default();
    difference.values(&Path::default(), before, after);
    difference
}

/// What is said of places that are not told.
pub fn more(places: usize) -> String {
    format!("… and {places} more")
}

impl Change<'_> {
    /// `.lines[0].qty: 1 -> 2`, each value as JSON in at most `limit` characters; `whole` names the value itself. Of long values
    /// that begin alike the place is shown where they differ.
    pub fn told(&self, whole: &str, limit: usize) -> String {
        let path = self.path.to_string();
        let path = if path.is_empty() { whole } else { &path };
        let text = |value: Option<&Json>| value.map_or_else(|| NOTHING.to_owned(), Json::to_wire);
        let (before, after) = (text(self.before), text(self.after));
        let common = before.chars().zip(after.chars());
        let common = common.take_while(|(one, other)| one == other).count();
        let skip = common.saturating_sub(LEAD);
        let long = common >= limit.saturating_sub(LEAD);
        let [before, after] = [before, after].map(|text| {
            if long {
                let rest: String = text.chars().skip(skip).take(limit + 1).collect();
                format!("…{}", python::shorten(&rest, limit))
            } else {
                python::shorten(&text, limit)
            }
        });
        format!("{path}: {before} -> {after}")
    }
}

impl<'a> Difference<'a> {
    fn push(&mut self, path: Path, before: Option<&'a Json>, after: Option<&'a Json>) {
        if self.changes.len() < MOST_CHANGES {
            self.changes.push(Change {
                path,
                before,
                after,
            });
        } else {
            self.more += 1;
        }
    }

    fn values(&mut self, path: &Path, before: &'a Json, after: &'a Json) {
        match (before, after) {
            (Json::List(before), Json::List(after)) => self.lists(path, before, after),
            (Json::Object(before), Json::Object(after)) => self.objects(path, before, after),
            _ if before == after => {}
            _ => self.push(path.clone(), Some(before), Some(after)),
        }
    }

    fn lists(&mut self, path: &Path, before: &'a [Json], after: &'a [Json]) {
        let equal = |(one, other): &(&Json, &Json)| one == other;
        let head = before.iter().zip(after).take_while(equal).count();
        let (before, after) = (&before[head..], &after[head..]);
        // Of lists of one length each element keeps its place.
        let tail = if before.len() == after.len() {
            0
        } else {
            let ends = before.iter().rev().zip(after.iter().rev());
            ends.take_while(equal).count()
        };
        let (before, after) = (&before[..before.len() - tail], &after[..after.len() - tail]);
        for index in 0..before.len().max(after.len()) {
            let path = path.then(Step::Index(head + index));
            match (before.get(index), after.get(index)) {
                (Some(before), Some(after)) => self.values(&path, before, after),
                (before, after) => self.push(path, before, after),
            }
        }
    }

    fn objects(&mut self, path: &Path, before: &'a [(String, Json)], after: &'a [(String, Json)]) {
        let mut new: HashMap<&str, Vec<&'a Json>> = HashMap::new();
        for (key, value) in after.iter().rev() {
            new.entry(key).or_default().push(value);
        }
        for (key, old) in before {
            let path = path.then(Step::Key(key.clone()));
            // Of equal keys the first meets the first.
            match new.get_mut(key.as_str()).and_then(Vec::pop) {
                Some(value) => self.values(&path, old, value),
                None => self.push(path, Some(old), None),
            }
        }
        for (key, value) in after {
            let left = new.get_mut(key.as_str());
            if let Some(left) = left
                && left.last().is_some_and(|first| std::ptr::eq(*first, value))
            {
                left.pop();
                self.push(path.then(Step::Key(key.clone())), None, Some(value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::record::tests::json;
    use crate::protocol::json::Limits;
    use proptest::prelude::*;
    use rstest::rstest;

    fn said(before: &str, after: &str) -> String {
        let read = |text: &str| Json::parse(text.as_bytes(), Limits::default()).unwrap();
        let (before, after) = (read(before), read(after));
        let word = |value: Option<&Json>| value.map_or("-".to_owned(), Json::to_wire);
        let changes = diff(&before, &after).changes;
        let lines = changes.iter().map(|change| {
            format!(
                "{} {} {}",
                change.path,
                word(change.before),
                word(change.after)
            )
        });
        lines.collect::<Vec<_>>().join("; ")
    }

    #[rstest]
    #[case("1", "1", "")]
    #[case("1.10", "1.1", " 1.10 1.1")]
    #[case("[NaN]", "[NaN]", "")]
    #[case("{\"a\": 1, \"b\": 2}", "{\"b\": 2, \"a\": 1}", "")]
    #[case("{\"a\": 1}", "{\"b\": 1}", ".a 1 -; .b - 1")]
    #[case("{\"a\": {\"b\": [1, 2]}}", "{\"a\": {\"b\": [1, 3]}}", ".a.b[1] 2 3")]
    #[case("[1, 2, 3]", "[1, 9, 2, 3]", "[1] - 9")]
    #[case("[1, 2, 3]", "[2, 3]", "[0] 1 -")]
    #[case("{\"a\": 1, \"a\": 2}", "{\"a\": 1, \"a\": 3}", ".a 2 3")]
    #[case("{\"a\": 1}", "{\"a\": 1, \"a\": 3}", ".a - 3")]
    #[case("[1]", "{}", " [1] {}")]
    fn differences_are_told_place_by_place(
        #[case] before: &str,
        #[case] after: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(said(before, after), expected);
    }

    #[test]
    fn no_more_than_a_thousand_changes_are_told_and_the_rest_is_counted() {
        let list = |first: u64| Json::List((first..first + 1_500).map(Json::from).collect());
        let (before, after) = (list(0), list(10_000));
        let difference = diff(&before, &after);
        assert_eq!((difference.changes.len(), difference.more), (1_000, 500));
    }

    #[test]
    fn long_values_are_shown_where_they_differ() {
        let text = |end: &str| Json::Text(format!("{}{end}", "x".repeat(5_000)));
        let (before, after) = (text("before"), text("after"));
        let line = diff(&before, &after).changes[0].told("result", 40);
        assert_eq!(
            line,
            format!("result: …{x}before\" -> …{x}after\"", x = "x".repeat(20))
        );
        let (one, two) = (Json::from(1_u64), Json::from(2_u64));
        assert_eq!(
            diff(&one, &two).changes[0].told("result", 40),
            "result: 1 -> 2"
        );
    }

    proptest! {
        #[test]
        fn equal_values_have_no_difference_and_others_have_one(one in json(), other in json()) {
            prop_assert!(diff(&one, &one).changes.is_empty());
            if one.to_wire() != other.to_wire() {
                let sorted = |value: &Json| {
                    let mut letters: Vec<char> = value.to_wire().chars().collect();
                    letters.sort_unstable();
                    letters
                };
                // Objects may differ in the order of their keys only.
                prop_assert!(!diff(&one, &other).changes.is_empty() || sorted(&one) == sorted(&other));
            }
        }
    }
}
