//! How a call is sent, as text: the grammar of `--countdown`, `--eta`, `--header` and their kin, the same on the command line and in the form.
//!
//! Pure: reads no clock and no file. What only makes sense together is looked at by [`Wishes::settle`], which is given the time.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use strum::IntoEnumIterator;

use super::items::{self, Source};
use crate::call::LONGEST_WAIT;
use crate::clock::Timestamp;
use crate::error::{Error, Kind};
use crate::protocol::message::{EncodeError, Start};
use crate::protocol::{Compression, Json, Options, Serializer, TaskId};
use crate::text::human;

/// An option of a call, by the name of its flag.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::IntoStaticStr,
    strum::EnumIter,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Name {
    /// How long we wait.
    Timeout,
    /// How long a worker may still start it.
    Expires,
    /// Where it goes.
    Queue,
    /// Through which exchange.
    Exchange,
    /// With which routing key.
    RoutingKey,
    /// Not before so much time has passed.
    Countdown,
    /// Not before this time.
    Eta,
    /// Before which others.
    Priority,
    /// When its process is killed.
    TimeLimit,
    /// When it is told to end.
    SoftTimeLimit,
    /// What else the task sees of its request.
    Header,
    /// Its id.
    TaskId,
    /// How the body is written.
    Serializer,
    /// How the body is compressed.
    Compression,
    /// What logs call it.
    Shadow,
    /// Whether a result is asked for.
    Result,
}

/// `--expires`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expires {
    /// A worker may start it whenever it comes to it.
    #[default]
    Never,
    /// So long after it is sent.
    After(Duration),
    /// At this time.
    At(Timestamp),
}

/// `--result`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, strum::Display, strum::EnumString, strum::EnumIter,
)]
#[strum(serialize_all = "lowercase")]
pub enum ResultWish {
    /// The task decides.
    #[default]
    Auto,
    /// A result, also of a task that ignores it (Celery 5.6 and later).
    Force,
    /// No result.
    None,
}

/// Everything wished about how one call is sent, before it has a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `--countdown`.
    pub countdown: Option<Duration>,
    /// `--eta`.
    pub eta: Option<Timestamp>,
    /// `--expires`.
    pub expires: Expires,
    /// `--task-id`; else a random one.
    pub task_id: Option<TaskId>,
    /// The options that are what they say; `start` and `expires` are filled by [`Wishes::settle`].
    pub options: Options,
}

/// Options that contradict each other, or the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The one to change.
    pub name: Name,
    /// Which of its places, if it was given several times.
    pub nth: usize,
    /// What is wrong, for people.
    pub text: String,
    /// What to do, as the command line says it.
    pub hint: Option<String>,
}

impl From<Wrong> for Error {
    fn from(wrong: Wrong) -> Self {
        let error = Self::new(Kind::Usage, wrong.text);
        match wrong.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// How far ahead a time may lie.
const FAR: Duration = Duration::from_hours(100 * 365 * 24);

impl Wishes {
    /// The options of a call that is sent at `now`, and doubts about them.
    pub fn settle(&self, now: Timestamp) -> Result<(Options, Vec<String>), Wrong> {
        let mut doubts = Vec::new();
        let start = self.start(now, &mut doubts)?;
        let (expires, expires_at) = self.expires(now)?;
        let over = expires.or_else(|| until(now, expires_at?));
        let at = match start {
            Some(Start::After(wait)) => Some(wait),
            Some(Start::At(at)) => Some(until(now, at).unwrap_or_default()),
            None => None,
        };
        if let (Some(start), Some(over)) = (at, over)
            && over <= start
        {
            doubts.push("it expires before it may start: no worker will run it".to_owned());
        }
        let options = Options {
            start,
            expires,
            expires_at,
            ..self.options.clone()
        };
        match options.check() {
            Ok(()) => Ok((options, doubts)),
            Err(error) => Err(self.refused(&error)),
        }
    }

    fn start(&self, now: Timestamp, doubts: &mut Vec<String>) -> Result<Option<Start>, Wrong> {
        match (self.countdown, self.eta) {
            (Some(_), Some(_)) => Err(Wrong {
                name: Name::Eta,
                nth: 0,
                text: "countdown and eta exclude each other".to_owned(),
                hint: Some("--countdown 10s counts from now, --eta names the time".to_owned()),
            }),
            (Some(wait), None) => Ok(Some(Start::After(wait))),
            (None, Some(at)) => {
                not_too_far(Name::Eta, now, at)?;
                if at <= now {
                    doubts.push(format!(
                        "eta {} is in the past: a worker may start it at once",
                        shown(at)
                    ));
                }
                Ok(Some(Start::At(at)))
            }
            (None, None) => Ok(None),
        }
    }

    /// How long after sending, or at which time: that is never counted from now, for the sending comes later.
    fn expires(&self, now: Timestamp) -> Result<(Option<Duration>, Option<Timestamp>), Wrong> {
        let at = match self.expires {
            Expires::Never => return Ok((None, None)),
            Expires::After(after) => return Ok((Some(after), None)),
            Expires::At(at) => at,
        };
        not_too_far(Name::Expires, now, at)?;
        match until(now, at) {
            Some(_) => Ok((None, Some(at))),
            None => Err(Wrong {
                name: Name::Expires,
                nth: 0,
                text: format!(
                    "expires {} is in the past: no worker would run it",
                    shown(at)
                ),
                hint: Some("--expires 5m counts from now".to_owned()),
            }),
        }
    }

    /// What no worker should meet.
    fn refused(&self, error: &EncodeError) -> Wrong {
        let options = &self.options;
        let (name, nth, hint) = match error {
            EncodeError::Limit(limit) if options.time_limit == Some(*limit) => {
                (Name::TimeLimit, 0, None)
            }
            EncodeError::Limit(_) => (Name::SoftTimeLimit, 0, None),
            EncodeError::SoftLimit { .. } => {
                let hint = "--soft-time-limit 50s --time-limit 60s";
                (Name::SoftTimeLimit, 0, Some(hint.to_owned()))
            }
            EncodeError::Eta => (Name::Eta, 0, None),
            EncodeError::Header(header, _) => {
                let place = options.headers.iter().rposition(|(name, _)| name == header);
                (Name::Header, place.unwrap_or_default(), None)
            }
            _ => (Name::Header, options.headers.len().saturating_sub(1), None),
        };
        Wrong {
            name,
            nth,
            text: error.to_string(),
            hint,
        }
    }
}

/// The time from `now` to `at`; `None` if it has passed.
fn until(now: Timestamp, at: Timestamp) -> Option<Duration> {
    let left = Duration::try_from(at.duration_since(now)).ok()?;
    (!left.is_zero()).then_some(left)
}

fn not_too_far(name: Name, now: Timestamp, at: Timestamp) -> Result<(), Wrong> {
    if until(now, at).is_none_or(|left| left <= FAR) {
        return Ok(());
    }
    Err(Wrong {
        name,
        nth: 0,
        text: format!("{name} {} is more than a hundred years ahead", shown(at)),
        hint: None,
    })
}

fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `--timeout`: `none` and `0` mean as long as we ever wait (24 h; ux.md 0.1, ruling 17).
pub fn timeout(text: &str) -> Result<Duration, String> {
    match text {
        "none" | "0" => Ok(LONGEST_WAIT),
        _ => duration(text).map(|wait| wait.min(LONGEST_WAIT)),
    }
}

/// DUR (ux.md 0.1, ruling 17).
pub fn duration(text: &str) -> Result<Duration, String> {
    human::parse_duration(text)
}

/// A time with its offset from UTC; without one it is refused, for Celery would take it as UTC and a person means the local time.
pub fn time(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return if at < Timestamp::UNIX_EPOCH {
            Err(format!("{text:?} is before 1970"))
        } else {
            Ok(at)
        };
    }
    match text.parse::<jiff::civil::DateTime>() {
        // A date alone is a time too, for the library.
        Ok(naive) if text.contains(':') => {
            let naive = naive.strftime("%Y-%m-%dT%H:%M:%S");
            Err(format!(
                "{text:?} does not say in which time zone; write {naive}Z for UTC, or the offset of yours, such as {naive}+08:00"
            ))
        }
        _ => Err(format!(
            "{text:?} is not a time; write date, time and offset, such as 2026-11-22T12:00:00Z or 2026-11-22T20:00:00+08:00"
        )),
    }
}

/// `--expires`: DUR, a time, or `none`.
pub fn expires(text: &str) -> Result<Expires, String> {
    if text == "none" {
        return Ok(Expires::Never);
    }
    // `10-…` is neither; what has a date's hyphen or a colon was meant as a time.
    if text.contains([':', '-']) && !text.starts_with('-') {
        return time(text).map(Expires::At);
    }
    duration(text).map(Expires::After)
}

/// `--priority`.
pub fn priority(text: &str) -> Result<u8, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = digits.then(|| text.parse::<u8>().ok()).flatten();
    value.ok_or_else(|| format!("{text:?} is not a priority; write a whole number from 0 to 255"))
}

/// What AMQP takes as a short string: a queue, an exchange, a routing key, an id.
const LONGEST: usize = 255;

/// A name that travels as an AMQP short string.
pub fn short(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("it is empty; leave it out for the default".to_owned()),
        1..=LONGEST => Ok(text.to_owned()),
        bytes => Err(format!(
            "it is {bytes} bytes; at most {LONGEST} are possible"
        )),
    }
}

/// `--task-id`.
pub fn task_id(text: &str) -> Result<TaskId, String> {
    short(text).map(TaskId)
}

/// `--serializer`.
pub fn serializer(text: &str) -> Result<Serializer, String> {
    if text == "pickle" {
        return Err(format!(
            "pickle is never written, because reading it runs code; one of {}",
            choices::<Serializer>().join(", ")
        ));
    }
    choice(text, "serializer")
}

/// `--compression`.
pub fn compression(text: &str) -> Result<Compression, String> {
    choice(text, "compression")
}

/// `--result`.
pub fn result(text: &str) -> Result<ResultWish, String> {
    choice(text, "choice")
}

impl ResultWish {
    /// As the header `ignore_result` says it.
    pub fn ignore_result(self) -> Option<bool> {
        match self {
            Self::Auto => None,
            Self::Force => Some(false),
            Self::None => Some(true),
        }
    }
}

fn choice<T: FromStr + IntoEnumIterator + Display>(text: &str, what: &str) -> Result<T, String> {
    let wrong = |_| {
        format!(
            "{text:?} is no {what}; one of {}",
            choices::<T>().join(", ")
        )
    };
    text.parse().map_err(wrong)
}

/// The words that a chooser offers.
pub fn choices<T: IntoEnumIterator + Display>() -> Vec<String> {
    T::iter().map(|choice| choice.to_string()).collect()
}

/// One header: `NAME=text` is JSON where it is valid JSON, `NAME:=json`, `NAME:TYPE=text`: the ITEM rules, for any name.
pub fn header(text: &str) -> Result<(String, Json), String> {
    const SHAPE: &str = "write NAME=value, NAME:=json or NAME:TYPE=text, such as tenant=7";
    let wrong = || format!("that is not a header; {SHAPE}");
    let parsed = items::parse_named(text, |name| !name.is_empty()).map_err(|error| told(&error))?;
    let name = parsed.name.ok_or_else(wrong)?;
    if let Source::TextFile(_) | Source::JsonFile(_) = &parsed.source {
        return Err(format!(
            "{name:?}: a header is not read from a file (=@); {name}:str=@… passes the text"
        ));
    }
    if name.len() > LONGEST {
        return Err(format!("the name of a header has at most {LONGEST} bytes"));
    }
    let (value, _) = parsed
        .source
        .value(Some(&name))
        .map_err(|error| told(&error))?;
    Ok((name, value))
}

fn told(error: &Error) -> String {
    match &error.hint {
        Some(hint) => format!("{}; {hint}", error.message),
        None => error.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[rstest]
    #[case("2026-11-22T12:00:00Z")]
    #[case("2026-11-22T20:00:00+08:00")]
    #[case("2026-11-22 12:00Z")]
    #[case("20261122T120000Z")]
    #[case("2026-11-22T12:00:00.000Z")]
    fn a_time_with_its_offset_is_taken(#[case] text: &str) {
        assert_eq!(time(text), Ok(at("2026-11-22T12:00:00Z")));
    }

    #[rstest]
    #[case("2026-11-22T12:00:00", "2026-11-22T12:00:00Z for UTC")]
    #[case("2026-11-22 12:00", "2026-11-22T12:00:00+08:00")]
    #[case("2026-11-22", "not a time")]
    #[case("12:00", "not a time")]
    #[case("1969-12-31T23:59:59Z", "before 1970")]
    #[case("", "not a time")]
    fn what_leaves_a_doubt_about_the_time_is_refused(#[case] text: &str, #[case] says: &str) {
        assert!(time(text).unwrap_err().contains(says));
    }

    #[test]
    fn none_and_zero_are_the_longest_wait_and_less_is_refused() {
        assert_eq!(timeout("none"), Ok(LONGEST_WAIT));
        assert_eq!(timeout("0"), Ok(LONGEST_WAIT));
        assert_eq!(timeout(".5s"), Ok(Duration::from_millis(500)));
        assert!(timeout("-1").is_err());
        assert!(timeout("0s").is_err());
    }

    #[test]
    fn expires_is_a_duration_a_time_or_none() {
        assert_eq!(expires("none"), Ok(Expires::Never));
        assert_eq!(expires("5m"), Ok(Expires::After(Duration::from_mins(5))));
        let time = at("2026-11-22T12:00:00Z");
        assert_eq!(expires("2026-11-22T12:00:00Z"), Ok(Expires::At(time)));
        assert!(expires("-5").unwrap_err().contains("duration"));
    }

    #[test]
    fn a_call_that_expires_before_its_eta_is_doubted() {
        let wishes = Wishes {
            eta: Some(at("2026-11-22T12:00:00Z")),
            expires: Expires::At(at("2026-11-22T11:59:59Z")),
            ..Wishes::default()
        };
        let (options, doubts) = wishes.settle(at("2026-11-22T11:00:00Z")).unwrap();
        assert_eq!(options.expires_at, Some(at("2026-11-22T11:59:59Z")));
        assert_eq!(options.expires, None);
        assert_eq!(doubts.len(), 1);
    }

    #[rstest]
    #[case("a=1", "a", "1")]
    #[case("x-zip=00501", "x-zip", "\"00501\"")]
    #[case("a:str=1", "a", "\"1\"")]
    #[case("a:=[1]", "a", "[1]")]
    #[case("url=http://x/?a=1", "url", "\"http://x/?a=1\"")]
    fn a_header_follows_the_rules_of_items(
        #[case] text: &str,
        #[case] name: &str,
        #[case] value: &str,
    ) {
        let (known, read) = header(text).unwrap();
        assert_eq!((known.as_str(), read.to_wire().as_str()), (name, value));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_grammar_panic(text in "\\PC{0,40}") {
            let _ = (timeout(&text), time(&text), expires(&text), priority(&text), short(&text));
            let _ = (serializer(&text), compression(&text), result(&text), header(&text));
        }
    }
}
