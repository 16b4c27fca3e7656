//! Which parameters are secret, and how their values are kept out of everything that is written down. Pure.

mod typing;

use std::borrow::Cow;
use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::record::{Masked, Place};
use super::{Path, Step};
use crate::error::{Error, Kind, Result};
use crate::protocol::{Json, Signature, python};

pub use typing::Parts;

/// What stands in the place of a secret.
pub const MASK: &str = "***";

/// Names that are secret unless the configuration says otherwise.
pub const DEFAULT_NAMES: [&str; 7] = [
    "*password*",
    "*passwd*",
    "*token*",
    "*secret*",
    "*api_key*",
    "*apikey*",
    "authorization",
];

/// Shorter values are masked where they stand and not looked for elsewhere: every second text would hold them.
const SHORTEST_NEEDLE: usize = 4;

/// The names of parameters whose values are never written down, and the places of one call that are known to hold a secret.
#[derive(Clone, Debug)]
pub struct Secrets {
    names: GlobSet,
    places: Vec<Place>,
}

impl Default for Secrets {
    fn default() -> Self {
        // A pattern of ours that did not compile would be found by every test of this file.
        Self::new(&DEFAULT_NAMES).unwrap_or_else(|_| Self {
            names: GlobSet::empty(),
            places: Vec::new(),
        })
    }
}

impl Secrets {
    /// Names by glob, without regard to case; `-` counts as `_`.
    ///
    /// # Errors
    /// A pattern is no glob.
    pub fn new<P: AsRef<str>>(patterns: &[P]) -> Result<Self> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            let glob = GlobBuilder::new(&pattern.as_ref().replace('-', "_"))
                .case_insensitive(true)
                .build()
                .map_err(|error| {
                    let message = format!("secret = {:?}: {}", pattern.as_ref(), error.kind());
                    Error::new(Kind::Config, message)
                })?;
            set.add(glob);
        }
        let names = set
            .build()
            .map_err(|error| Error::new(Kind::Config, format!("secret: {error}")))?;
        Ok(Self {
            names,
            places: Vec::new(),
        })
    }

    /// The built-in names and these.
    ///
    /// # Errors
    /// A pattern is no glob.
    pub fn with<P: AsRef<str>>(patterns: &[P]) -> Result<Self> {
        let own = patterns.iter().map(AsRef::as_ref);
        let all: Vec<&str> = DEFAULT_NAMES.into_iter().chain(own).collect();
        Self::new(&all)
    }

    /// For a call that repeats one of which these were masked, maybe by other names: what stands there now is as secret.
    #[must_use]
    pub fn of_places(&self, masked: &[Masked]) -> Self {
        Self {
            names: self.names.clone(),
            places: masked.iter().map(|it| it.place.clone()).collect(),
        }
    }

    /// Whether a parameter, key or header of this name is secret.
    pub fn is_secret(&self, name: &str) -> bool {
        self.names.is_match(name.replace('-', "_"))
    }

    /// A signature as it may be shown: with its secrets masked.
    pub fn shown<'a>(&self, signature: &'a Signature) -> Cow<'a, Signature> {
        let headers = &signature.options.headers;
        let names = signature.kwargs.iter().chain(headers);
        let secret = |(name, value): &(String, Json)| self.is_secret(name) || self.is_in(value);
        if !self.places.is_empty()
            || names.into_iter().any(secret)
            || signature.args.iter().any(|value| self.is_in(value))
        {
            let mut signature = signature.clone();
            self.mask(&mut signature, &[]);
            Cow::Owned(signature)
        } else {
            Cow::Borrowed(signature)
        }
    }

    /// Whether a key in it is secret.
    fn is_in(&self, value: &Json) -> bool {
        match value {
            Json::List(items) => items.iter().any(|item| self.is_in(item)),
            Json::Object(entries) => entries
                .iter()
                .any(|(key, value)| self.is_secret(key) || self.is_in(value)),
            _ => false,
        }
    }

    /// Masks the secrets of a signature. `parameters` are the names of the positional parameters, as far as known.
    /// Returns where they were, and their values to be looked for elsewhere.
    pub fn mask(&self, signature: &mut Signature, parameters: &[String]) -> (Vec<Masked>, Needles) {
        let mut mask = Masking {
            secrets: self,
            found: Vec::new(),
            needles: Needles::default(),
        };
        for (index, value) in signature.args.iter_mut().enumerate() {
            let name = parameters.get(index).map_or("", String::as_str);
            mask.argument(name, &Place::Positional(index), value);
        }
        for (name, value) in &mut signature.kwargs {
            mask.argument(name, &Place::Keyword(name.clone()), value);
        }
        for (name, value) in &mut signature.options.headers {
            mask.argument(name, &Place::Header(name.clone()), value);
        }
        if let Some(shadow) = &mut signature.options.shadow {
            *shadow = mask.needles.hide(shadow);
        }
        // A secret that stands a second time under a harmless name is one all the same.
        let Masking {
            mut found, needles, ..
        } = mask;
        let args = signature.args.iter_mut().enumerate();
        for (index, value) in args {
            needles.hide_argument(&Place::Positional(index), value, &mut found);
        }
        for (name, value) in &mut signature.kwargs {
            needles.hide_argument(&Place::Keyword(name.clone()), value, &mut found);
        }
        for (name, value) in &mut signature.options.headers {
            needles.hide_argument(&Place::Header(name.clone()), value, &mut found);
        }
        (found, needles)
    }
}

struct Masking<'a> {
    secrets: &'a Secrets,
    found: Vec<Masked>,
    needles: Needles,
}

impl Masking<'_> {
    fn argument(&mut self, name: &str, place: &Place, value: &mut Json) {
        let secret = self.secrets.is_secret(name) || self.secrets.places.contains(place);
        self.walk(secret, place, &Path::default(), value);
    }

    fn walk(&mut self, secret: bool, place: &Place, path: &Path, value: &mut Json) {
        if secret && !says_nothing(value) {
            self.needles.add(value);
            *value = Json::from(MASK);
            let masked = Masked {
                place: place.clone(),
                path: path.clone(),
            };
            // Equal keys have one path.
            if self.found.last() != Some(&masked) {
                self.found.push(masked);
            }
            return;
        }
        match value {
            Json::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.walk(false, place, &path.then(Step::Index(index)), item);
                }
            }
            Json::Object(entries) => {
                for (key, inner) in entries {
                    let secret = self.secrets.is_secret(key);
                    self.walk(secret, place, &path.then(Step::Key(key.clone())), inner);
                }
            }
            _ => {}
        }
    }
}

/// A switch and an empty place hold no secret, whatever their name.
fn says_nothing(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(_) => true,
        Json::Text(text) => text.is_empty(),
        Json::List(items) => items.is_empty(),
        Json::Object(entries) => entries.is_empty(),
        Json::Number(_) => false,
    }
}

/// Values of secrets, in the ways in which a result, a traceback or an error may quote them.
#[derive(Default)]
pub struct Needles(BTreeSet<String>);

impl Needles {
    fn add(&mut self, value: &Json) {
        match value {
            Json::List(items) => items.iter().for_each(|item| self.add(item)),
            Json::Object(entries) => entries
                .iter()
                .filter(|(key, _)| key != "__type__")
                .for_each(|(_, value)| self.add(value)),
            Json::Text(text) => {
                self.add_text(text);
                self.add_text(inside(&value.to_wire()));
                self.add_text(inside(&python::repr(value)));
            }
            Json::Number(text) => self.add_text(text),
            Json::Null | Json::Bool(_) => {}
        }
    }

    fn add_text(&mut self, text: &str) {
        if text.chars().count() >= SHORTEST_NEEDLE {
            self.0.insert(text.to_owned());
        }
    }

    /// Text without the secrets.
    pub fn hide(&self, text: &str) -> String {
        // The longest first: one may stand in another.
        let mut needles: Vec<&String> = self.0.iter().collect();
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
        needles.into_iter().fold(text.to_owned(), |text, needle| {
            if text.contains(needle.as_str()) {
                text.replace(needle.as_str(), MASK)
            } else {
                text
            }
        })
    }

    /// As [`Needles::hide_value`], of a value that is looked at only; a large one is copied only if there is something to hide.
    pub fn hidden<'a>(&self, value: &'a Json) -> Cow<'a, Json> {
        if self.0.is_empty() {
            return Cow::Borrowed(value);
        }
        let mut value = value.clone();
        self.hide_value(&mut value);
        Cow::Owned(value)
    }

    /// A value without the secrets, in keys and texts.
    pub fn hide_value(&self, value: &mut Json) {
        if self.0.is_empty() {
            return;
        }
        match value {
            Json::Text(text) => *text = self.hide(text),
            Json::Number(number) if self.0.contains(number.as_str()) => *value = Json::from(MASK),
            Json::List(items) => items.iter_mut().for_each(|item| self.hide_value(item)),
            Json::Object(entries) => {
                for (key, inner) in entries {
                    *key = self.hide(key);
                    self.hide_value(inner);
                }
            }
            _ => {}
        }
    }

    /// An argument that holds a secret is masked as a whole: a part of it is of no use.
    fn hide_argument(&self, place: &Place, value: &mut Json, found: &mut Vec<Masked>) {
        let mut hidden = value.clone();
        if self.0.is_empty() {
            return;
        }
        self.hide_value(&mut hidden);
        if hidden != *value {
            *value = Json::from(MASK);
            found.retain(|masked| masked.place != *place);
            found.push(Masked {
                place: place.clone(),
                path: Path::default(),
            });
        }
    }
}

/// What stands between the quotes.
fn inside(quoted: &str) -> &str {
    let mut letters = quoted.chars();
    letters.next();
    letters.next_back();
    letters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Options;
    use rstest::rstest;

    fn signature(args: &str, kwargs: &str) -> Signature {
        let Json::List(args) = Json::parse_strict(args).unwrap() else {
            panic!("no list")
        };
        let Json::Object(kwargs) = Json::parse_strict(kwargs).unwrap() else {
            panic!("no object")
        };
        Signature {
            task: "t".into(),
            id: "i".into(),
            args,
            kwargs,
            options: Options::default(),
        }
    }

    fn said(found: &[Masked]) -> Vec<String> {
        found.iter().map(ToString::to_string).collect()
    }

    #[rstest]
    #[case("password", true)]
    #[case("db_PassWord_2", true)]
    #[case("X-Api-Key", true)]
    #[case("Authorization", true)]
    #[case("authorization_id", false)]
    #[case("order_id", false)]
    #[case("", false)]
    fn names_are_secret_by_glob_without_case(#[case] name: &str, #[case] expected: bool) {
        assert_eq!(Secrets::default().is_secret(name), expected);
    }

    #[test]
    fn secrets_are_masked_wherever_they_stand_and_said_where() {
        let mut call = signature(
            r#"["hunter2xyz", {"user": {"api-key": [1, "k"]}}, 7]"#,
            r#"{"token": "abc", "use_token": true, "password": null, "note": "pw hunter2xyz!"}"#,
        );
        call.options.headers = vec![("Authorization".to_owned(), Json::from("Bearer x"))];
        let names = ["password".to_owned()];
        let (found, needles) = Secrets::default().mask(&mut call, &names);
        assert_eq!(
            said(&found),
            [
                "args[0]",
                "args[1].user[\"api-key\"]",
                "token",
                "header Authorization",
                "note"
            ]
        );
        assert_eq!(
            Json::List(call.args).to_wire(),
            r#"["***",{"user":{"api-key":"***"}},7]"#
        );
        assert_eq!(
            Json::Object(call.kwargs).to_wire(),
            r#"{"token":"***","use_token":true,"password":null,"note":"***"}"#
        );
        assert_eq!(
            needles.hide("KeyError: 'hunter2xyz' abc"),
            "KeyError: '***' abc"
        );
    }

    #[test]
    fn what_is_shown_has_no_secret_and_is_copied_only_then() {
        let secrets = Secrets::default();
        let plain = signature(r#"[1, {"a": [2]}]"#, r#"{"note": "x"}"#);
        assert!(matches!(secrets.shown(&plain), Cow::Borrowed(_)));
        let deep = signature(r#"[{"a": [{"Token": "hunter2xyz"}]}]"#, "{}");
        let shown = secrets.shown(&deep).into_owned();
        assert_eq!(
            Json::List(shown.args).to_wire(),
            r#"[{"a":[{"Token":"***"}]}]"#
        );
    }

    #[test]
    fn a_secret_is_found_in_every_way_of_quoting_it() {
        let mut call = signature("[]", r#"{"password": "it's \"ž\n"}"#);
        let (_, needles) = Secrets::default().mask(&mut call, &[]);
        for quoted in ["it's \"ž\n", "it's \\\"ž\\n", "it\\'s \"ž\\n"] {
            assert_eq!(needles.hide(quoted), MASK, "{quoted}");
        }
    }

    #[test]
    fn a_pattern_that_is_none_is_named() {
        let error = Secrets::new(&["[a"]).unwrap_err();
        assert!(error.message.contains("[a"), "{error}");
    }
}
