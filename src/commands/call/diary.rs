//! When a call that is waited for is written down again: others read in history where it is, and after a kill that is all that is left.

use std::time::Duration;

use crate::call::{Call, CallState};
use crate::clock::{Moment, Now};

/// How often at most, while nothing but what the task itself says is new.
const SELDOM: Duration = Duration::from_secs(1);

/// What was written down last.
#[derive(Debug, Default)]
pub(super) struct Diary {
    written: Option<(Moment, Standing)>,
    heard: bool,
}

/// Where a call stands.
type Standing = (CallState, Option<CallState>, Option<bool>);

impl Diary {
    /// A fact came.
    pub(super) fn hear(&mut self) {
        self.heard = true;
    }

    /// Whether it is to be written down now: at once when it stands elsewhere than before, else once in a while.
    pub(super) fn is_due(&mut self, call: &Call, now: Now) -> bool {
        let standing = (call.state(), call.whereabouts(), call.sent());
        let due = self.written.is_none_or(|(at, before)| {
            before != standing || (self.heard && now.mono.since(at) >= SELDOM)
        });
        if due {
            self.written = Some((now.mono, standing));
            self.heard = false;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Fact;
    use crate::protocol::{Json, Options, Signature, State, TaskResult};

    fn at(ms: u64) -> Now {
        Now::fixed(Duration::from_secs(1_000_000) + Duration::from_millis(ms))
    }

    fn state(name: State) -> Fact {
        Fact::Result(Box::new(TaskResult::new("a".into(), name, Json::Null)))
    }

    #[test]
    fn each_new_stage_is_written_at_once_and_what_a_task_says_once_a_second() {
        let signature = Signature {
            task: "t".into(),
            id: "a".into(),
            args: Vec::new(),
            kwargs: Vec::new(),
            options: Options::default(),
        };
        let mut call = Call::new(signature, Duration::from_secs(3), at(0));
        let mut diary = Diary::default();
        let mut written = Vec::new();
        let stages = [
            (5, Fact::Publishing),
            (10, Fact::Confirmed),
            (20, state(State::Started)),
        ];
        let says = (30..3_500).step_by(10);
        let says = says.map(|ms| (ms, state(State::Custom("STEP".to_owned()))));
        for (ms, fact) in stages.into_iter().chain(says) {
            call.apply(fact, at(ms));
            call.tick(at(ms));
            diary.hear();
            if diary.is_due(&call, at(ms)) {
                written.push((ms, call.state()));
            }
        }
        let timeout = written.iter().position(|it| it.1 == CallState::Timeout);
        assert_eq!(written[0], (5, CallState::Send));
        assert_eq!(written[1], (10, CallState::Sent));
        assert_eq!(written[2], (20, CallState::Run));
        assert_eq!(written[3], (1_020, CallState::Run));
        assert_eq!(written.len(), 6, "{written:?}");
        assert_eq!(timeout, Some(5), "{written:?}");
        assert!(diary.is_due(&call, at(9_000)), "the last that it said");
        assert!(!diary.is_due(&call, at(20_000)), "nothing is new");
    }
}
