//! How far a task says it is: the share in the meta of its own state, where it names one. Guesses nothing: what is unclear is no share.

use crate::protocol::{Json, python};

/// How far a task is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Between 0 and 1.
    pub share: f64,
    /// `3 of 10`, or `30%`.
    pub text: String,
}

/// Names under which tasks tell how much is done, and of how much.
const DONE: [&str; 3] = ["current", "done", "processed"];
const WHOLE: [&str; 2] = ["total", "of"];
/// Names of a share in percent, and of one that may be a fraction.
const PERCENT: [&str; 2] = ["percent", "percentage"];

/// The progress in the meta of `update_state(state=..., meta={...})`; `None` if it holds none that is understood.
pub fn of(meta: &Json) -> Option<Progress> {
    counted(meta).or_else(|| percent(meta))
}

/// Names under which tasks say in words what they are at.
const WORDS: [&str; 7] = [
    "msg",
    "message",
    "status",
    "state",
    "desc",
    "description",
    "detail",
];

/// What the meta says beside the share: a lone text that is named like one plainly, all else as Python has it, in at most `limit`
/// characters. `None` if it says nothing else.
pub fn beside(meta: &Json, limit: usize) -> Option<String> {
    let entries = meta.as_object()?;
    let rest = entries.iter().filter(|(key, value)| !is_share(key, value));
    let (first, more) = (rest.clone().next()?, rest.clone().nth(1));
    match (first, more) {
        ((key, Json::Text(text)), None) if WORDS.contains(&key.as_str()) => {
            Some(python::shorten(text, limit)).filter(|text| !text.is_empty())
        }
        _ => Some(python::dict_of(rest, limit)),
    }
}

fn is_share(key: &str, value: &Json) -> bool {
    let mut names = DONE.iter().chain(&WHOLE).chain(&PERCENT);
    (key == "progress" || names.any(|name| *name == key)) && numeric(value).is_some()
}

/// The number under one of the names; none if two of them say different things, or one says something else than a number.
fn number(meta: &Json, names: &[&str]) -> Option<f64> {
    let mut found = names.iter().filter_map(|name| meta.get(name));
    let number = numeric(found.next()?)?;
    let sane = number.is_finite() && number >= 0.0;
    let alike = found.all(|other| numeric(other) == Some(number));
    (sane && alike).then_some(number)
}

/// A number, or a text that is nothing but one (`"3"`).
fn numeric(value: &Json) -> Option<f64> {
    match value {
        Json::Text(text) if text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.')) => {
            text.parse().ok()
        }
        Json::Number(_) => value.as_f64(),
        _ => None,
    }
}

fn counted(meta: &Json) -> Option<Progress> {
    let (done, whole) = (number(meta, &DONE)?, number(meta, &WHOLE)?);
    (whole > 0.0 && done <= whole).then(|| Progress {
        share: done / whole,
        text: format!("{done} of {whole}"),
    })
}

fn percent(meta: &Json) -> Option<Progress> {
    let share = number(meta, &PERCENT).map(|number| number / 100.0);
    let share = share.or_else(|| fraction(meta.get("progress")?))?;
    (share <= 1.0).then(|| Progress {
        share,
        // Never 100% before it is.
        text: format!("{:.0}%", (share * 100.0 + 1e-9).floor()),
    })
}

/// `progress` is a fraction up to 1, or a percentage above. A whole 1 may be either.
fn fraction(value: &Json) -> Option<f64> {
    let number = value.as_f64().filter(|number| number.is_finite())?;
    let whole = matches!(value, Json::Number(text) if !text.contains(['.', 'e', 'E']));
    match number {
        number if whole && (number - 1.0).abs() < f64::EPSILON => None,
        number if (0.0..=1.0).contains(&number) => Some(number),
        number if number > 1.0 => Some(number / 100.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn share(meta: &str) -> Option<(String, String)> {
        let progress =
            of(&Json::parse(meta.as_bytes(), crate::protocol::json::Limits::default()).unwrap())?;
        Some((format!("{:.2}", progress.share), progress.text))
    }

    #[rstest]
    #[case(r#"{"current": 3, "total": 10}"#, "0.30", "3 of 10")]
    #[case(r#"{"done": 0, "of": 4, "now": "x"}"#, "0.00", "0 of 4")]
    #[case(r#"{"percent": 42.4}"#, "0.42", "42%")]
    #[case(r#"{"current": "3", "total": "10"}"#, "0.30", "3 of 10")]
    #[case(r#"{"processed": 10, "total": 10}"#, "1.00", "10 of 10")]
    #[case(r#"{"percent": 99.9}"#, "1.00", "99%")]
    #[case(r#"{"percent": 58}"#, "0.58", "58%")]
    #[case(r#"{"progress": 0.5}"#, "0.50", "50%")]
    #[case(r#"{"progress": 1.0}"#, "1.00", "100%")]
    #[case(r#"{"progress": 50}"#, "0.50", "50%")]
    #[case(r#"{"progress": 0}"#, "0.00", "0%")]
    fn what_a_task_says_of_itself_is_read(
        #[case] meta: &str,
        #[case] share_: &str,
        #[case] text: &str,
    ) {
        assert_eq!(share(meta), Some((share_.to_owned(), text.to_owned())));
    }

    #[rstest]
    #[case(r#"{"current": 2, "total": 30, "msg": "step 2"}"#, Some("step 2"))]
    #[case(r#"{"percent": 7, "status": "loading"}"#, Some("loading"))]
    #[case(r#"{"current": 2, "total": 30, "percent": 7}"#, None)]
    #[case(r#"{"current": 2, "total": 30, "msg": ""}"#, None)]
    #[case(
        r#"{"current": 2, "total": 30, "file": "a.csv"}"#,
        Some("{'file': 'a.csv'}")
    )]
    #[case(
        r#"{"current": 2, "total": 30, "msg": "x", "eta": 5}"#,
        Some("{'msg': 'x', 'eta': 5}")
    )]
    #[case(r#"{"current": 2, "total": 30, "msg": 5}"#, Some("{'msg': 5}"))]
    #[case("[3, 10]", None)]
    fn what_a_task_says_beside_its_share_is_told(#[case] meta: &str, #[case] said: Option<&str>) {
        let meta = Json::parse(meta.as_bytes(), crate::protocol::json::Limits::default()).unwrap();
        assert_eq!(beside(&meta, 400).as_deref(), said);
    }

    #[rstest]
    #[case(r#"{"progress": 1}"#)]
    #[case(r#"{"progress": 120}"#)]
    #[case(r#"{"progress": "half"}"#)]
    #[case(r#"{"current": 11, "total": 10}"#)]
    #[case(r#"{"current": 3, "total": 0}"#)]
    #[case(r#"{"current": -1, "total": 10}"#)]
    #[case(r#"{"current": "three", "total": 10}"#)]
    #[case(r#"{"current": 3, "done": 4, "total": 10}"#)]
    #[case(r#"{"current": true, "total": 10}"#)]
    #[case(r#"{"current": 3, "total": null}"#)]
    #[case(r#"{"current": 3}"#)]
    #[case(r#"{"current": NaN, "total": 10}"#)]
    #[case(r#"{"current": 3, "total": Infinity}"#)]
    #[case(r#"{"current": 1e400, "total": 1e400}"#)]
    #[case(r#"{"percent": 101}"#)]
    #[case(r#"{"percent": -3}"#)]
    #[case(r#"{"percent": NaN}"#)]
    #[case(r#"{"progress": -0.5}"#)]
    #[case("[3, 10]")]
    #[case("42")]
    #[case("null")]
    #[case(r#""3 of 10""#)]
    fn what_is_not_understood_is_no_progress(#[case] meta: &str) {
        assert_eq!(share(meta), None);
    }
}
