//! `--progress plain`: a line for each change of a call, one for each new reason why it looks stuck, and one every few seconds while
//! nothing changes, so that who reads along knows that it is waited for. Writes nothing itself.

use std::time::Duration;

use crate::call::{Call, CallState, LONGEST_WAIT};
use crate::clock::{Moment, Now};
use crate::commands::around::Around;
use crate::commands::progress;
use crate::text::human;

/// So long nothing may change before a line says so.
const SILENCE: Duration = Duration::from_secs(5);

/// What was said last.
#[derive(Debug, Default)]
pub(super) struct Plain {
    /// The state, with what the task itself says.
    state: Option<(CallState, Option<String>)>,
    reason: Option<&'static str>,
    at: Option<Moment>,
}

impl Plain {
    /// The lines that are due at `now`.
    pub(super) fn lines(&mut self, call: &Call, around: &Around, now: Now) -> Vec<String> {
        let mut lines = Vec::new();
        let state = Some((call.state(), progress::custom(call)));
        if self.state != state {
            lines.push(progress::change(call, around, now));
            self.state = state;
        }
        lines.extend(progress::stuck(call, around, &mut self.reason, now));
        if lines.is_empty() && self.due(now).is_zero() && call.state().is_waiting() {
            lines.push(unchanged(call, around, now));
        }
        if !lines.is_empty() {
            self.at = Some(now.mono);
        }
        lines
    }

    /// How long until a line is due even if nothing changes.
    pub(super) fn due(&self, now: Now) -> Duration {
        let next = self.at.map_or(now.mono, |at| at.after(SILENCE));
        next.since(now.mono)
    }
}

/// `12:04:36 RUN w1@host  5.2s of 10s`.
fn unchanged(call: &Call, around: &Around, now: Now) -> String {
    let elapsed = human::countdown(call.elapsed(now).unwrap_or_default());
    let of = match call.timeout {
        LONGEST_WAIT => "no limit".to_owned(),
        timeout => format!("of {}", human::duration(timeout)),
    };
    format!("{}  {elapsed} {of}", progress::change(call, around, now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Fact;
    use crate::protocol::{Options, Signature};

    fn at(ms: u64) -> Now {
        Now::fixed(Duration::from_secs(1_000_000) + Duration::from_millis(ms))
    }

    fn sent(timeout: Duration) -> Call {
        let signature = Signature {
            task: "shop.refund".into(),
            id: "a".into(),
            args: Vec::new(),
            kwargs: Vec::new(),
            options: Options::default(),
        };
        let mut call = Call::new(signature, timeout, at(0));
        call.apply(Fact::Publishing, at(0));
        call.apply(Fact::Confirmed, at(0));
        call
    }

    fn said(plain: &mut Plain, call: &Call, ms: u64) -> Vec<String> {
        let lines = plain.lines(call, &Around::default(), at(ms));
        let words = lines.iter().filter_map(|line| line.split_once(' '));
        words.map(|(_, words)| words.to_owned()).collect()
    }

    #[test]
    fn a_line_says_every_five_seconds_that_nothing_changed() {
        let mut call = sent(Duration::from_secs(30));
        let mut plain = Plain::default();
        assert_eq!(said(&mut plain, &call, 100), ["SENT"]);
        assert_eq!(said(&mut plain, &call, 5_000), [""; 0]);
        assert_eq!(plain.due(at(5_000)), Duration::from_millis(100));
        assert_eq!(said(&mut plain, &call, 5_100), ["SENT  5.1s of 30s"]);
        assert_eq!(said(&mut plain, &call, 10_000), [""; 0]);
        assert_eq!(said(&mut plain, &call, 10_100), ["SENT  10.1s of 30s"]);
        // A change is a line too.
        call.custom = Some(("PROGRESS".to_owned(), crate::protocol::Json::from(3)));
        assert_eq!(said(&mut plain, &call, 12_000), ["SENT PROGRESS 3"]);
        assert_eq!(said(&mut plain, &call, 16_900), [""; 0]);
        assert_eq!(said(&mut plain, &call, 17_000).len(), 1);
        call.tick(at(30_000));
        assert_eq!(said(&mut plain, &call, 30_000), ["TIMEOUT PROGRESS 3"]);
        assert_eq!(said(&mut plain, &call, 40_000), [""; 0], "it is over");
    }

    #[test]
    fn a_call_that_is_waited_for_without_limit_is_not_told_one() {
        let call = sent(LONGEST_WAIT);
        let mut plain = Plain::default();
        said(&mut plain, &call, 0);
        assert_eq!(said(&mut plain, &call, 7_000), ["SENT  7.0s no limit"]);
    }
}
