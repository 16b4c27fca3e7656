//! The options of a form: one table of names, and what was typed for each. The grammar is the command line's ([`crate::cli::options`]).
//!
//! Texts are kept as they were typed, right or wrong; nothing typed means the default.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cli::options::{self, Name, ResultWish, Wishes};
use crate::clock::Timestamp;
use crate::protocol::{Compression, Json, Options, Serializer, Signature, python, typed};

/// Everything an option's text is read into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// How long we wait; `None` means as by default.
    pub timeout: Option<Duration>,
    /// What goes with the message.
    pub wishes: Wishes,
}

/// One option: its name, what stands there when nothing was typed, what it is about, how its text is read.
pub struct Row {
    /// Its name.
    pub name: Name,
    /// Shown, and taken, when nothing was typed.
    default: &'static str,
    /// A few words for people.
    pub about: &'static str,
    read: fn(&mut Read, &str) -> Result<(), String>,
    choices: fn() -> Vec<String>,
    many: bool,
}

type Reader = fn(&mut Read, &str) -> Result<(), String>;

const fn row(name: Name, default: &'static str, about: &'static str, read: Reader) -> Row {
    Row {
        name,
        default,
        about,
        read,
        choices: Vec::new,
        many: false,
    }
}

impl Row {
    const fn choices(mut self, choices: fn() -> Vec<String>) -> Self {
        self.choices = choices;
        self
    }

    /// It may be given again and again.
    const fn many(mut self) -> Self {
        self.many = true;
        self
    }

    /// The words to choose from, the default first; empty where anything can be typed.
    pub fn words(&self) -> Vec<String> {
        let choices = (self.choices)();
        if choices.is_empty() || choices.iter().any(|word| word == self.default) {
            return choices;
        }
        std::iter::once(self.default.to_owned())
            .chain(choices)
            .collect()
    }
}

/// All options, in the order of the form. The first [`ALWAYS`] are always seen.
#[rustfmt::skip]
pub static TABLE: [Row; 16] = [
    row(Name::Timeout, "", "how long we wait", |it, text| set(&mut it.timeout, options::timeout(text))),
    row(Name::Expires, "none", "until when it may start", |it, text| put(&mut it.wishes.expires, options::expires(text))),
    row(Name::Queue, "auto", "where it goes", |it, text| set(&mut it.wishes.options.queue, options::short(text).map(Into::into))),
    row(Name::Exchange, "none", "instead of the queue", |it, text| set(&mut it.wishes.options.exchange, options::short(text))),
    row(Name::RoutingKey, "auto", "for the exchange", |it, text| set(&mut it.wishes.options.routing_key, options::short(text))),
    row(Name::Countdown, "none", "not before: 30s, 5m", |it, text| set(&mut it.wishes.countdown, options::duration(text))),
    row(Name::Eta, "none", "not before a time", |it, text| set(&mut it.wishes.eta, options::time(text))),
    row(Name::Priority, "none", "0 to 255", |it, text| set(&mut it.wishes.options.priority, options::priority(text))),
    row(Name::TimeLimit, "auto", "then it is killed", |it, text| set(&mut it.wishes.options.time_limit, options::duration(text))),
    row(Name::SoftTimeLimit, "auto", "then it is told", |it, text| set(&mut it.wishes.options.soft_time_limit, options::duration(text))),
    row(Name::Header, "none", "NAME=VALUE", |it, text| options::header(text).map(|header| it.wishes.options.headers.push(header))).many(),
    row(Name::TaskId, "random", "its id", |it, text| set(&mut it.wishes.task_id, options::task_id(text))),
    row(Name::Serializer, "auto", "", |it, text| set(&mut it.wishes.options.serializer, options::serializer(text))).choices(options::choices::<Serializer>),
    row(Name::Compression, "none", "", |it, text| set(&mut it.wishes.options.compression, options::compression(text))).choices(options::choices::<Compression>),
    row(Name::Shadow, "none", "its name in logs", |it, text| set(&mut it.wishes.options.shadow, options::short(text))),
    row(Name::Result, "auto", "", |it, text| put(&mut it.wishes.options.ignore_result, options::result(text).map(ResultWish::ignore_result))).choices(options::choices::<ResultWish>),
];

/// How many options are always seen.
pub const ALWAYS: usize = 3;

fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

fn set<T>(place: &mut Option<T>, value: Result<T, String>) -> Result<(), String> {
    put(place, value.map(Some))
}

fn row_of(name: Name) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name)
}

/// One place of an option; those that may be given again have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Which option.
    pub name: Name,
    /// Which of its places, from 0.
    pub nth: usize,
}

impl Entry {
    /// Whether there are words to choose from.
    pub fn is_choice(self) -> bool {
        row_of(self.name).is_some_and(|row| !row.words().is_empty())
    }
}

impl From<Name> for Entry {
    fn from(name: Name) -> Self {
        Self { name, nth: 0 }
    }
}

/// The options of a form, as they were typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    timeout: Duration,
    given: BTreeMap<Name, Vec<String>>,
    /// Texts of a call of the past in which a secret is masked, and what is said of them until something else is typed there.
    lacking: Vec<(Name, String, String)>,
}

impl Texts {
    /// The options of a new form. `timeout` is the default of the option of that name.
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            given: BTreeMap::new(),
            lacking: Vec::new(),
        }
    }

    /// What stands at this place lacks a secret: it is a problem until something else is typed.
    pub fn lacks(&mut self, entry: Entry, problem: String) {
        let text = self.text(entry).to_owned();
        self.lacking.push((entry.name, text, problem));
    }

    /// The places of these rows, with an empty one behind those that may be given again.
    pub fn places<'a>(&'a self, rows: &'a [Row]) -> impl Iterator<Item = Entry> + 'a {
        let places = |row: &Row| {
            if row.many {
                self.typed(row.name).len() + 1
            } else {
                1
            }
        };
        rows.iter().flat_map(move |row| {
            (0..places(row)).map(move |nth| Entry {
                name: row.name,
                nth,
            })
        })
    }

    /// All places, with an empty one behind those that may be given again.
    pub fn all_places(&self) -> Vec<Entry> {
        self.places(&TABLE).collect()
    }

    fn typed(&self, name: Name) -> &[String] {
        self.given.get(&name).map_or(&[], Vec::as_slice)
    }

    /// What typing starts from: a default gives way to the first key, anything else is edited.
    pub fn text(&self, entry: Entry) -> &str {
        self.typed(entry.name)
            .get(entry.nth)
            .map_or("", String::as_str)
    }

    /// What is shown.
    pub fn shown(&self, entry: Entry) -> String {
        match (self.text(entry), entry.name) {
            ("", Name::Timeout) => exact(self.timeout),
            ("", name) if entry.nth > 0 => format!("another {name}"),
            ("", name) => row_of(name).map_or("", |row| row.default).to_owned(),
            (text, _) => text.to_owned(),
        }
    }

    /// Whether something other than the default is there.
    pub fn is_set(&self, entry: Entry) -> bool {
        !self.text(entry).is_empty()
    }

    /// Whether all is as by default.
    pub fn is_untouched(&self) -> bool {
        self.given.is_empty()
    }

    /// Takes what was typed; nothing, or the default's word, means the default.
    pub fn set(&mut self, entry: Entry, text: &str) {
        let text = text.trim();
        let row = row_of(entry.name);
        let default = match entry.name {
            Name::Timeout => exact(self.timeout) == text,
            _ => row.is_some_and(|row| row.default == text),
        };
        let texts = self.given.entry(entry.name).or_default();
        match (text.is_empty() || default, texts.get_mut(entry.nth)) {
            (true, Some(_)) => {
                texts.remove(entry.nth);
            }
            (true, None) => {}
            (false, Some(known)) => text.clone_into(known),
            (false, None) => texts.push(text.to_owned()),
        }
        if texts.is_empty() {
            self.given.remove(&entry.name);
        }
    }

    /// The next or previous of the words to choose from. False where there are none.
    pub fn choose(&mut self, entry: Entry, forward: bool) -> bool {
        let words = row_of(entry.name).map(Row::words).unwrap_or_default();
        if words.is_empty() {
            return false;
        }
        let shown = self.shown(entry);
        let here = words.iter().position(|word| *word == shown);
        let step = if forward { 1 } else { words.len() - 1 };
        let next = here.map_or(0, |here| (here + step) % words.len());
        self.set(entry, &words[next]);
        true
    }

    /// Reads all texts: what they mean, and what is wrong with which.
    pub fn read(&self) -> (Read, Vec<(Entry, String)>) {
        let mut read = Read::default();
        let mut problems = Vec::new();
        for entry in self.places(&TABLE) {
            let (text, Some(row)) = (self.text(entry), row_of(entry.name)) else {
                continue;
            };
            if text.is_empty() {
                continue;
            }
            let mut lacking = self.lacking.iter();
            if let Some((.., problem)) =
                lacking.find(|(name, known, _)| *name == entry.name && known == text)
            {
                problems.push((entry, problem.clone()));
            } else if let Err(problem) = (row.read)(&mut read, text) {
                problems.push((entry, format!("{}: {problem}", entry.name)));
            }
        }
        (read, problems)
    }

    /// How long we wait.
    pub fn timeout(&self) -> Duration {
        self.read().0.timeout.unwrap_or(self.timeout)
    }

    /// What is wrong with the options of a call sent at `now`: each by itself, else all together.
    pub fn problems(&self, now: Timestamp) -> Vec<(Entry, String)> {
        let (read, mut problems) = self.read();
        if problems.is_empty()
            && let Err(wrong) = read.wishes.settle(now)
        {
            let entry = Entry {
                name: wrong.name,
                nth: wrong.nth,
            };
            problems.push((entry, wrong.text));
        }
        problems
    }

    /// What goes with the message, as far as it makes sense, and doubts about it.
    pub fn options(&self, now: Timestamp) -> (Options, Vec<String>) {
        let wishes = self.read().0.wishes;
        match wishes.settle(now) {
            Ok(settled) => settled,
            Err(_) => (wishes.options, Vec::new()),
        }
    }

    /// The options that are set, of those that are not always seen.
    pub fn set_ones(&self) -> Vec<(Entry, &str)> {
        let places = self.places(&TABLE[ALWAYS..]);
        let set = places.filter(|entry| self.is_set(*entry));
        set.map(|entry| (entry, self.text(entry))).collect()
    }

    /// The keywords of `apply_async` that say the same in Python; what is wrong stands as `?`.
    pub fn keywords(&self) -> Vec<(String, Json)> {
        let (read, problems) = self.read();
        let mut keywords = keywords(read.wishes);
        for (entry, _) in problems
            .iter()
            .filter(|(entry, _)| entry.name != Name::Timeout)
        {
            let name = match entry.name {
                Name::Header => "headers".to_owned(),
                Name::Result => "ignore_result".to_owned(),
                name => name.to_string().replace('-', "_"),
            };
            if keywords.iter().all(|(known, _)| *known != name) {
                // Python shows a number as its digits are.
                keywords.push((name, Json::Number("?".to_owned())));
            }
        }
        keywords
    }
}

fn keywords(wishes: Wishes) -> Vec<(String, Json)> {
    let Options {
        queue,
        exchange,
        routing_key,
        priority,
        time_limit,
        soft_time_limit,
        headers,
        serializer,
        compression,
        shadow,
        ignore_result,
        start: _,
        expires: _,
        expires_at: _,
    } = wishes.options;
    let expires = match wishes.expires {
        options::Expires::Never => None,
        options::Expires::After(after) => Some(seconds(after)),
        options::Expires::At(at) => Some(instant(at)),
    };
    let text = |value: Option<String>| value.map(Json::Text);
    let headers = (!headers.is_empty()).then_some(Json::Object(headers));
    let all = [
        ("queue", text(queue.map(|queue| queue.to_string()))),
        ("exchange", text(exchange)),
        ("routing_key", text(routing_key)),
        ("countdown", wishes.countdown.map(seconds)),
        ("eta", wishes.eta.map(instant)),
        ("expires", expires),
        ("priority", priority.map(|it| Json::Number(it.to_string()))),
        ("time_limit", time_limit.map(seconds)),
        ("soft_time_limit", soft_time_limit.map(seconds)),
        ("headers", headers),
        ("task_id", text(wishes.task_id.map(|id| id.0))),
        ("serializer", text(serializer.map(|it| it.to_string()))),
        ("compression", text(compression.map(|it| it.to_string()))),
        ("shadow", text(shadow)),
        ("ignore_result", ignore_result.map(Json::Bool)),
    ];
    let given = |(name, value): (&str, Option<Json>)| Some((name.to_owned(), value?));
    all.into_iter().filter_map(given).collect()
}

/// The call as Python: `refund(42)`, or with options `refund.apply_async([42], priority=5)`. Arguments and headers are those of `shown`.
pub fn python(name: &str, shown: &Signature, texts: &Texts, limit: usize) -> String {
    let Signature { args, kwargs, .. } = shown;
    let mut options = texts.keywords();
    if options.is_empty() {
        return python::call_within(name, args, kwargs, limit);
    }
    for (name, value) in &mut options {
        if name == "headers" && matches!(value, Json::Object(_)) {
            *value = Json::Object(shown.options.headers.clone());
        }
    }
    let mut given = Vec::new();
    if !(args.is_empty() && kwargs.is_empty()) {
        given.push(Json::List(args.clone()));
    }
    if !kwargs.is_empty() {
        given.push(Json::Object(kwargs.clone()));
    }
    python::call_within(&format!("{name}.apply_async"), &given, &options, limit)
}

/// Seconds as Python writes them.
fn seconds(value: Duration) -> Json {
    let text = format!("{}.{:09}", value.as_secs(), value.subsec_nanos());
    let text = text.trim_end_matches('0').trim_end_matches('.');
    Json::Number(text.to_owned())
}

/// A time as Python's `datetime`.
fn instant(at: Timestamp) -> Json {
    let text = at.strftime("%Y-%m-%dT%H:%M:%S%.f+00:00").to_string();
    typed::build(typed::Kind::Datetime, &text).unwrap_or(Json::Text(text))
}

/// A duration as the DUR grammar reads it.
fn exact(value: Duration) -> String {
    match value.as_millis() {
        millis if millis % 1000 == 0 => format!("{}s", millis / 1000),
        millis => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use strum::IntoEnumIterator;

    use super::*;
    use crate::call::LONGEST_WAIT;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn texts(set: &[(Name, &str)]) -> Texts {
        let mut texts = Texts::new(Duration::from_secs(10));
        for (name, text) in set {
            let nth = texts.typed(*name).len();
            let nth = if *name == Name::Header { nth } else { 0 };
            texts.set(Entry { name: *name, nth }, text);
        }
        texts
    }

    #[test]
    fn the_table_has_every_option_once() {
        for name in Name::iter() {
            assert_eq!(TABLE.iter().filter(|row| row.name == name).count(), 1);
        }
    }

    #[test]
    fn nothing_typed_means_the_default() {
        let mut texts = texts(&[(Name::Timeout, "1.5")]);
        assert_eq!(texts.timeout(), Duration::from_millis(1500));
        texts.set(Name::Timeout.into(), " ");
        assert_eq!(texts.shown(Name::Timeout.into()), "10s");
        assert!(texts.is_untouched());
    }

    #[test]
    fn the_word_of_the_default_means_it_too() {
        for row in TABLE.iter().filter(|row| !row.default.is_empty()) {
            assert!(
                texts(&[(row.name, row.default)]).is_untouched(),
                "{}",
                row.name
            );
        }
    }

    #[test]
    fn none_and_0_wait_a_day_and_garbage_is_told_where_it_is() {
        for text in ["none", "0"] {
            assert_eq!(texts(&[(Name::Timeout, text)]).timeout(), LONGEST_WAIT);
        }
        let problems = texts(&[(Name::Expires, "soon"), (Name::Priority, "9")]).problems(NOW);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].0, Name::Expires.into());
    }

    #[rstest]
    #[case(Name::Countdown, "10", "countdown=10")]
    #[case(Name::Countdown, "1.5s", "countdown=1.5")]
    #[case(
        Name::Eta,
        "1970-01-02T00:00:00Z",
        "eta=datetime.fromisoformat('1970-01-02T00:00:00+00:00')"
    )]
    #[case(Name::Expires, "2m", "expires=120")]
    #[case(Name::Queue, "mail", "queue='mail'")]
    #[case(Name::Exchange, "ex", "exchange='ex'")]
    #[case(Name::RoutingKey, "a.b", "routing_key='a.b'")]
    #[case(Name::Priority, "5", "priority=5")]
    #[case(Name::TimeLimit, "1m", "time_limit=60")]
    #[case(Name::SoftTimeLimit, "200ms", "soft_time_limit=0.2")]
    #[case(Name::Header, "tenant=7", "headers={'tenant': 7}")]
    #[case(Name::TaskId, "id", "task_id='id'")]
    #[case(Name::Serializer, "yaml", "serializer='yaml'")]
    #[case(Name::Compression, "gzip", "compression='gzip'")]
    #[case(Name::Shadow, "other", "shadow='other'")]
    #[case(Name::Result, "force", "ignore_result=False")]
    #[case(Name::Result, "none", "ignore_result=True")]
    fn an_option_is_a_keyword_of_apply_async(
        #[case] name: Name,
        #[case] text: &str,
        #[case] expected: &str,
    ) {
        let texts = texts(&[(name, text)]);
        assert_eq!(texts.problems(NOW), []);
        let call = crate::protocol::python::call("f", &[], &texts.keywords());
        assert_eq!(call, format!("f({expected})"));
    }

    #[test]
    fn a_choice_goes_round_through_the_default() {
        let mut texts = texts(&[]);
        let entry = Entry::from(Name::Serializer);
        let seen: Vec<String> = (0..4)
            .map(|_| {
                assert!(texts.choose(entry, true));
                texts.shown(entry)
            })
            .collect();
        assert_eq!(seen, ["json", "yaml", "msgpack", "auto"]);
        assert!(texts.choose(entry, false));
        assert_eq!(texts.shown(entry), "msgpack");
        assert!(!texts.choose(Name::Priority.into(), true));
    }

    #[test]
    fn headers_have_a_place_behind_the_last() {
        let mut texts = texts(&[(Name::Header, "a=1"), (Name::Header, "b=x")]);
        let places = texts.places(&TABLE).filter(|it| it.name == Name::Header);
        assert_eq!(places.count(), 3);
        texts.set(
            Entry {
                name: Name::Header,
                nth: 0,
            },
            "",
        );
        let (options, _) = texts.options(NOW);
        assert_eq!(
            options.headers,
            [("b".to_owned(), Json::Text("x".to_owned()))]
        );
    }

    #[test]
    fn what_contradicts_is_told_at_one_of_the_two() {
        let both = texts(&[(Name::Countdown, "5"), (Name::Eta, "1970-01-02T00:00:00Z")]);
        assert_eq!(both.problems(NOW)[0].0, Name::Eta.into());
        let limits = texts(&[(Name::TimeLimit, "5"), (Name::SoftTimeLimit, "6")]);
        assert_eq!(limits.problems(NOW)[0].0, Name::SoftTimeLimit.into());
    }
}
