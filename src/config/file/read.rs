//! The words of the file, key by key: what can be used is used, all else is a complaint with its place. Pure.
//!
//! Whoever writes `persist` or `secret` means that something shall not come to disk. Where that cannot be understood, nothing does: a call that is
//! not kept is a loss, a secret that is kept is a worse one.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Complaint;
use crate::history::{Keep, Rules, Secrets};

/// What becomes of calls when `persist` or `secret` cannot be understood.
pub(super) const NOT_KEPT: &str = "until then calls are kept in memory only";

/// Tables that are read.
const TABLES: [&str; 2] = ["history", "tasks"];
/// Keys of `[history]`.
const HISTORY: [&str; 4] = ["persist", "calls", "days", "secret"];
/// Keys of a task.
const TASK: [&str; 1] = ["persist"];

/// Syntax errors that are told: one draws others after it.
const SYNTAX: usize = 1;

/// Bounds of `calls` and `days`.
const MOST_CALLS: i64 = 1_000_000;
const MOST_DAYS: i64 = 36_500;

/// What the file says, and what of it cannot be used, in the order of the file.
pub(super) fn read(text: &str) -> (Rules, Vec<Complaint>) {
    // Notepad writes it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader {
        text,
        rules: Rules::default(),
        found: Vec::new(),
        doubt: false,
    };
    for error in errors.iter().take(SYNTAX) {
        reader.syntax(error);
    }
    reader.root(table.get_ref());
    if reader.doubt {
        reader.rules.persist.forbid_all();
    }
    reader.found.sort_by_key(|(start, _)| *start);
    let complaints = reader.found.into_iter().map(|(_, complaint)| complaint);
    (reader.rules, complaints.collect())
}

type Value<'i> = Spanned<DeValue<'i>>;

struct Reader<'a> {
    text: &'a str,
    rules: Rules,
    found: Vec<(usize, Complaint)>,
    /// Something about `persist` or `secret` was not understood.
    doubt: bool,
}

impl Reader<'_> {
    fn complain(&mut self, at: Range<usize>, what: String) {
        let complaint = Complaint {
            at: Some(place(self.text, at.start)),
            what,
        };
        self.found.push((at.start, complaint));
    }

    /// Of a broken file the rest is read as far as it goes; what `persist` and `secret` stand near to is not known any more.
    fn syntax(&mut self, error: &toml::de::Error) {
        let at = error.span().unwrap_or(0..0);
        let doubt = ["persist", "secret"]
            .iter()
            .any(|word| self.text.contains(word));
        self.doubt |= doubt;
        let then = if doubt { NOT_KEPT } else { "the rest is used" };
        self.complain(at, format!("it is no TOML: {}; {then}", error.message()));
    }

    fn root(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "history" => self.history(key, value),
                "tasks" => self.tasks(key, value),
                name if HISTORY.contains(&name) => {
                    let what = format!("{name} stands alone; it belongs below [history]");
                    self.unread(key, value, what);
                }
                name => self.unknown(key, value, "", nearest(name, &TABLES)),
            }
        }
    }

    fn history(&mut self, key: &Spanned<std::borrow::Cow<'_, str>>, value: &Value<'_>) {
        let Some(table) = value.get_ref().as_table() else {
            return self.no_table(key, value, "history");
        };
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "persist" => match value.get_ref().as_bool() {
                    Some(kept) => self.rules.persist.set_all(kept),
                    None => self.no_switch(value, "history.persist"),
                },
                "calls" => {
                    let usual = i64::from(Keep::default().calls);
                    let calls = self.number(value, "history.calls", MOST_CALLS, usual);
                    self.rules.keep.calls = u32::try_from(calls).unwrap_or(u32::MAX);
                }
                "days" => {
                    let usual = Keep::default().age.as_secs() / 86_400;
                    let usual = i64::try_from(usual).unwrap_or(i64::MAX);
                    let days = self.number(value, "history.days", MOST_DAYS, usual);
                    let hours = u64::try_from(days).unwrap_or_default() * 24;
                    self.rules.keep.age = Duration::from_hours(hours);
                }
                "secret" => self.secret(value),
                name => self.unknown(key, value, "history.", nearest(name, &HISTORY)),
            }
        }
    }

    fn tasks(&mut self, key: &Spanned<std::borrow::Cow<'_, str>>, value: &Value<'_>) {
        let Some(tasks) = value.get_ref().as_table() else {
            return self.no_table(key, value, "tasks");
        };
        for (task, value) in tasks {
            let name = task.get_ref();
            let Some(table) = value.get_ref().as_table() else {
                self.no_table(task, value, "tasks.\"NAME\"");
                continue;
            };
            for (key, value) in table {
                match key.get_ref().as_ref() {
                    "persist" => self.persist(name, task.span(), value),
                    other => self.unknown(key, value, "tasks.*.", nearest(other, &TASK)),
                }
            }
        }
    }

    fn persist(&mut self, task: &str, at: Range<usize>, value: &Value<'_>) {
        let Some(kept) = value.get_ref().as_bool() else {
            return self.no_switch(value, "persist");
        };
        if let Err(reason) = self.rules.persist.set(task, kept) {
            self.doubt = true;
            self.complain(
                at,
                format!("no task name and no glob: {reason}; {NOT_KEPT}"),
            );
        }
    }

    /// Names that can be used are; one that cannot is a doubt about what is secret. A single one needs no list.
    fn secret(&mut self, value: &Value<'_>) {
        let single = std::slice::from_ref(value);
        let items = match value.get_ref() {
            DeValue::Array(items) => items,
            DeValue::String(_) => single,
            other => {
                let found = said(other);
                let what = format!("history.secret: expected a list of texts, found {found}");
                return self.no_secret(value.span(), &what);
            }
        };
        let mut names: Vec<&str> = Vec::new();
        for item in items {
            let Some(name) = item.get_ref().as_str() else {
                let found = said(item.get_ref());
                let what = format!("history.secret: expected a text, found {found}");
                self.no_secret(item.span(), &what);
                continue;
            };
            match Secrets::new(&[name]) {
                Ok(_) => names.push(name),
                Err(error) => self.no_secret(item.span(), &format!("history.{error}")),
            }
        }
        match Secrets::with(&names) {
            Ok(secrets) => self.rules.secrets = secrets,
            Err(error) => self.no_secret(value.span(), &error.message),
        }
    }

    fn no_secret(&mut self, at: Range<usize>, what: &str) {
        self.doubt = true;
        self.complain(at, format!("{what}; {NOT_KEPT}"));
    }

    fn number(&mut self, value: &Value<'_>, name: &str, most: i64, usual: i64) -> i64 {
        let found = match value.get_ref() {
            DeValue::Integer(number) => {
                let read = i64::from_str_radix(number.as_str(), number.radix());
                match read.ok().filter(|number| (1..=most).contains(number)) {
                    Some(number) => return number,
                    None => "another",
                }
            }
            other => said(other),
        };
        let what =
            format!("{name}: expected a number from 1 to {most}, found {found}; {usual} is used");
        self.complain(value.span(), what);
        usual
    }

    fn no_switch(&mut self, value: &Value<'_>, name: &str) {
        self.doubt = true;
        let found = said(value.get_ref());
        let what = format!("{name}: expected true or false, found {found}; {NOT_KEPT}");
        self.complain(value.span(), what);
    }

    fn no_table(
        &mut self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Value<'_>,
        name: &str,
    ) {
        let found = said(value.get_ref());
        self.unread(
            key,
            value,
            format!("{name}: expected a table, found {found}"),
        );
    }

    fn unknown(
        &mut self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Value<'_>,
        before: &str,
        near: Option<&str>,
    ) {
        self.doubt |= near == Some("persist");
        let name = crate::protocol::python::shorten(key.get_ref(), 40);
        let what = match near {
            Some(near) => format!("{before}{name} is not read; did you mean {near}?"),
            None => format!("{before}{name} is not read by this umbel"),
        };
        self.unread(key, value, what);
    }

    /// A wish in it that something be not kept is not granted silently.
    fn unread(
        &mut self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Value<'_>,
        mut what: String,
    ) {
        let wished = is_wish(key.get_ref(), value.get_ref()) || forbids(value.get_ref());
        self.doubt |= wished;
        if self.doubt {
            what = format!("{what}; {NOT_KEPT}");
        }
        self.complain(key.span(), what);
    }
}

/// Whether this says that something be not kept: `persist` that is not `true`, or names of secrets.
fn is_wish(key: &str, value: &DeValue<'_>) -> bool {
    (key == "persist" && value.as_bool() != Some(true)) || nearest(key, &["secret"]).is_some()
}

/// Whether there is such a wish in it, however deep. The depth is the parser's, which bounds it.
fn forbids(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::Table(table) => table.iter().any(|(key, value)| {
            is_wish(key.get_ref(), value.get_ref()) || forbids(value.get_ref())
        }),
        DeValue::Array(items) => items.iter().any(|item| forbids(item.get_ref())),
        _ => false,
    }
}

/// The name that was meant, if one is near.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    // A name that is not ours at all may be as long as it likes.
    let name: String = name.chars().take(40).collect();
    let far = |known: &&str| strsim::damerau_levenshtein(&name, known);
    let nearest = known.iter().copied().min_by_key(far)?;
    (far(&nearest) <= (name.len() / 3).clamp(1, 4)).then_some(nearest)
}

fn said(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Line and column of a byte, both from 1.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(byte)];
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn complaints(text: &str) -> Vec<String> {
        read(text).1.iter().map(ToString::to_string).collect()
    }

    fn keeps(text: &str, task: &str) -> bool {
        read(text).0.persist.keeps(&task.into())
    }

    #[test]
    fn what_is_said_is_used_and_the_rest_is_built_in() {
        let text = "[history]\ncalls = 1_000\nsecret = ['*iban*']\n[tasks.'a.*']\npersist = false";
        let (rules, complaints) = read(text);
        assert_eq!(complaints, []);
        assert_eq!(
            (rules.keep.calls, rules.keep.age),
            (1_000, Keep::default().age)
        );
        assert!(rules.secrets.is_secret("IBAN") && rules.secrets.is_secret("password"));
        assert!(!rules.persist.keeps(&"a.b".into()) && rules.persist.keeps(&"b".into()));
        assert_eq!(read("").1, []);
    }

    #[rstest]
    #[case(
        "[history]\ncals = 5",
        "2:1: history.cals is not read; did you mean calls?"
    )]
    #[case(
        "\n[histroy]\ncalls = 5",
        "2:2: histroy is not read; did you mean history?"
    )]
    #[case(
        "[profiles.shop]\nkind = 'dev'",
        "1:2: profiles is not read by this umbel"
    )]
    #[case("calls = 5", "1:1: calls stands alone; it belongs below [history]")]
    #[case("history = 5", "1:1: history: expected a table, found a number")]
    #[case("[history]\n客 = 1; calls = 0", "2:14: it is no TOML: ")]
    #[case(
        "[history]\ncalls = 0",
        "2:9: history.calls: expected a number from 1 to 1000000, found another; 5000 is used"
    )]
    #[case(
        "[history]\ndays = 1.5",
        "2:8: history.days: expected a number from 1 to 36500, found a fraction; 90 is used"
    )]
    fn what_cannot_be_used_is_told_with_its_place(#[case] text: &str, #[case] told: &str) {
        let complaints = complaints(text);
        assert!(
            complaints
                .iter()
                .any(|complaint| complaint.starts_with(told)),
            "{complaints:?}"
        );
        assert!(keeps(text, "t"), "nothing was said of that");
    }

    #[rstest]
    #[case::wrong_type("[history]\npersist = 'no'")]
    #[case::misspelt("[history]\npersits = false")]
    #[case::alone("persist = false")]
    #[case::alone_and_wrong("persist = 0")]
    #[case::unknown_table("[task.'a']\npersist = false")]
    #[case::later_form("[profiles.shop]\npersist = false")]
    #[case::bad_glob("[tasks.'shop.[a']\npersist = false")]
    #[case::no_table("tasks = [{persist = false}]")]
    #[case::secret_of_a_wrong_type("[history]\nsecret = 5")]
    #[case::secret_among_others("[history]\nsecret = [1, 'pin']")]
    #[case::secret_bad_glob("[history]\nsecret = ['[a', 'pin']")]
    #[case::secret_misspelt("[history]\nsecrets = ['pin']")]
    #[case::secret_alone("secret = ['pin']")]
    #[case::secret_elsewhere("[histroy]\nsecret = ['pin']")]
    #[case::secret_of_a_task("[tasks.'a']\nsecret = ['pin']")]
    #[case::secret_without_comma("[history]\nsecret = ['iban' 'pin']")]
    #[case::broken_before("x = = 1\n[history]\npersist = false")]
    #[case::broken_itself("[history]\npersist = \n")]
    #[case::broken_after("[history]\npersist = false\n[")]
    fn a_wish_that_is_not_understood_is_granted_for_all_and_said(#[case] text: &str) {
        assert!(!keeps(text, "any.task"));
        let complaints = complaints(text);
        assert!(
            complaints.iter().any(|it| it.contains(NOT_KEPT)),
            "{complaints:?}"
        );
    }

    #[test]
    fn a_wish_that_all_be_kept_is_no_wish_to_the_contrary() {
        assert!(keeps("[profiles.shop]\npersist = true", "t"));
    }

    #[test]
    fn usable_names_of_secrets_are_used_beside_unusable_ones() {
        let (rules, complaints) = read("[history]\nsecret = [1, '[a', 'pin']");
        assert_eq!(complaints.len(), 2);
        assert!(rules.secrets.is_secret("pin") && rules.secrets.is_secret("password"));
        assert!(read("[history]\nsecret = 'pin'").0.secrets.is_secret("pin"));
    }

    #[test]
    fn no_complaint_quotes_a_value() {
        let text = "broker = 'amqp://u:hunter2xyz@h'\n[history]\ncalls = 'hunter2xyz'\npersist = 'hunter2xyz'\nx = hunter2xyz\ny = 'hunter2xyz";
        let complaints = complaints(text);
        assert!(complaints.len() >= 3, "{complaints:?}");
        assert!(
            !format!("{complaints:?}").contains("hunter2"),
            "{complaints:?}"
        );
    }

    proptest! {
        #[test]
        fn no_text_stops_it_and_every_place_is_in_the_text(text in "(\\[history\\]\n|\\[tasks\\.'?[a-z*\\[]{0,4}'?\\]\n|persist ?= ?|calls = |secret = |true|false|-?[0-9]{1,22}|\\PC{0,3}|[\\[\\]{}=,.'\"#\n ]){0,20}") {
            for complaint in read(&text).1 {
                let (line, column) = complaint.at.unwrap();
                let lines: Vec<&str> = text.trim_start_matches('\u{feff}').split('\n').collect();
                prop_assert!(line <= lines.len());
                prop_assert!(column <= lines[line - 1].chars().count() + 1);
            }
        }
    }
}
