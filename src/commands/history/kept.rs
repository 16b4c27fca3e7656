//! What history tells of a call that has not ended as far as it knows. Asks nobody.

use crate::call::diagnosis::diagnose;
use crate::call::{Call, CallState, Look};
use crate::clock::Now;
use crate::commands::around::{self, Around};
use crate::commands::elsewhere::Here;
use crate::history::Record;
use crate::history::record::{Point, Waited};
use crate::protocol::Json;
use crate::text::human;

/// Reasons of a kept diagnosis that are told; `--json` has all.
const REASONS: usize = 6;

/// Where a call without an end was when it was looked for or heard of last; nobody has been asked since.
pub(super) fn words(record: &Record, call: &Call, here: &Here, now: Now) -> String {
    let word = match record.listed() {
        CallState::Lost => CallState::Lost,
        _ => call.final_word(),
    };
    // The time to wait of a call that nobody waited for is nobody's.
    let waited = match record.waited {
        Waited::TimedOut(_) => format!(" {}", human::duration(call.timeout)),
        Waited::Yes | Waited::Detached(_) => String::new(),
    };
    let mut text = format!(
        "{}{waited}  {}  id {}   outcome unknown\n  {}",
        word.word(),
        record.task(),
        record.id(),
        last_known(record, call, now)
    );
    let told = |key: &str| record.diagnosis.as_ref().and_then(|kept| kept.get(key));
    let why = told("why").and_then(Json::as_list).unwrap_or_default();
    for why in why
        .iter()
        .filter_map(|why| why.get("text")?.as_str())
        .take(REASONS)
    {
        text.push_str("\n  why then: ");
        text.push_str(why);
    }
    text.push_str("\n  next: umbel result ");
    text.push_str(record.id().as_str());
    text.push_str(&here.way_to(record));
    text
}

/// `when last asked, 2026-11-29 01:12:41: LOST?`, or when it was heard of if that was later.
fn last_known(record: &Record, call: &Call, now: Now) -> String {
    let kept = record.diagnosis.as_ref();
    let told = |key: &str| kept.and_then(|kept| kept.get(key));
    let asked = told("asked").is_some_and(|asked| !matches!(asked, Json::Null));
    let heard = record.times.heard();
    let later = |point: &Point| heard.is_none_or(|heard| heard.after <= point.after);
    let (how, point, place) = match record.looked.filter(|look| later(&look.at)) {
        Some(look) => (
            "asked",
            look.at,
            Some(found(record, look, told("now"), now)),
        ),
        None if asked => ("asked", record.times.recorded, None),
        None => ("heard of", heard.unwrap_or(record.times.recorded), None),
    };
    let then = record.moment(point, now);
    let place = place.unwrap_or_else(|| {
        let found = diagnose(call, &Around::default().scene(), then);
        around::place(&found.now, then)
    });
    format!("when last {how}, {}: {place}", time(then))
}

/// What a look came to: `LOST?, nothing had it`, `RUN on w1@host`; where nobody confirmed it then, when it was told.
fn found(record: &Record, look: Look<Point>, place: Option<&Json>, now: Now) -> String {
    let worker = place.and_then(|place| place.get("worker")?.as_str());
    let worker = worker.map_or_else(String::new, |worker| format!(" on {worker}"));
    match look.state {
        Some(CallState::Lost) => "LOST?, nothing had it (concluded, not told)".to_owned(),
        Some(CallState::Sent) => "SENT, no worker was seen to hold it".to_owned(),
        Some(state) if look.inferred => {
            let told = record.times.told;
            let told = told.map_or_else(String::new, |told| {
                format!(" at {}", time(record.moment(told, now)))
            });
            format!(
                "{}{worker}, last told{told}, not confirmed then",
                state.word()
            )
        }
        Some(state) => format!("{}{worker}", state.word()),
        None => "nobody knew".to_owned(),
    }
}

fn time(at: Now) -> String {
    let zoned = at.wall.to_zoned(jiff::tz::TimeZone::system());
    zoned.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
