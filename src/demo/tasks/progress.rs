//! `demo.progress.count(n=10, delay=0.3)`: counts, and tells how far it is in the state `PROGRESS`.

use super::super::arguments::Arguments;
use super::super::build::object;
use super::super::number::is_int;
use super::super::raised::{Frame, Raised};
use super::super::value::type_name;
use super::{Context, slow};
use crate::protocol::Json;

/// How far it counts at most; each step is a message.
const MOST: u64 = 10_000;

const RANGE: Frame = Frame {
    file: "/srv/demo/progress.py",
    line: 14,
    function: "count",
    code: "for current in range(1, n + 1):",
    mark: "range(1, n + 1)",
};

const CHECK: Frame = Frame {
    line: 13,
    code: "raise ValueError('n must be 10000 at most')",
    mark: "",
    ..RANGE
};

const SLEEP: Frame = Frame {
    line: 15,
    code: "time.sleep(delay)",
    mark: "",
    ..RANGE
};

pub(super) async fn count(mut arguments: Arguments, context: &Context) -> Result<Json, Raised> {
    let total = steps(&arguments.take(0, 10))?;
    let delay = arguments.take(1, Json::Number("0.3".to_owned()));
    for current in 1..=total {
        let delay = slow::duration(&delay, SLEEP)?;
        if delay.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(delay).await;
        }
        let meta = object([("current", current.into()), ("total", total.into())]);
        context.update_state("PROGRESS", &meta);
    }
    Ok(object([("counted", total.into())]))
}

fn steps(n: &Json) -> Result<u64, Raised> {
    match n {
        Json::Bool(value) => Ok(u64::from(*value)),
        Json::Number(text) if text.starts_with('-') && is_int(text) => Ok(0),
        Json::Number(text) if is_int(text) => match text.parse() {
            Ok(n) if n <= MOST => Ok(n),
            _ => Err(Raised::builtin(
                "ValueError",
                format!("n must be {MOST} at most"),
                &[CHECK],
            )),
        },
        other => Err(Raised::builtin(
            "TypeError",
            format!(
                "'{}' object cannot be interpreted as an integer",
                type_name(other)
            ),
            &[RANGE],
        )),
    }
}
