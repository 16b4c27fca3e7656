//! `demo.slow.sleep(seconds)`: sleeps, and returns the seconds. Refuses what Python's `time.sleep` refuses.

use std::time::Duration;

use super::super::arguments::Arguments;
use super::super::raised::{Frame, Raised};
use super::super::value::type_name;
use crate::protocol::Json;

const FRAME: Frame = Frame {
    file: "/srv/demo/slow.py",
    line: 9,
    function: "sleep",
    code: "time.sleep(seconds)",
    mark: "",
};

pub(super) async fn sleep(mut arguments: Arguments) -> Result<Json, Raised> {
    let seconds = arguments.take(0, Json::Null);
    tokio::time::sleep(duration(&seconds, FRAME)?).await;
    Ok(seconds)
}

/// How long `time.sleep` sleeps, or what it raises at `frame`.
pub(super) fn duration(seconds: &Json, frame: Frame) -> Result<Duration, Raised> {
    let raise = |kind, text: String| Err(Raised::builtin(kind, text, &[frame]));
    let seconds = match seconds {
        Json::Bool(value) => f64::from(u8::from(*value)),
        Json::Number(_) => seconds.as_f64().unwrap_or(f64::NAN),
        other => {
            let given = type_name(other);
            let text = format!("'{given}' object cannot be interpreted as an integer");
            return raise("TypeError", text);
        }
    };
    if seconds.is_nan() {
        return raise("ValueError", "Invalid value NaN (not a number)".to_owned());
    }
    if seconds < 0.0 {
        return raise("ValueError", "sleep length must be non-negative".to_owned());
    }
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => raise(
            "OverflowError",
            "timestamp too large to convert to C _PyTime_t".to_owned(),
        ),
    }
}

/// What Python's clock can hold: 2^63 nanoseconds.
const LONGEST: Duration = Duration::from_nanos(i64::MAX as u64);
