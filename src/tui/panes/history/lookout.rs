//! When calls that nobody waits for any more are asked for again: those of runs that have gone, and those that another umbel leaves to
//! us while we run. Pure; only what is new is asked for.

use std::time::Duration;

use crate::clock::{Now, Timestamp};

/// Nothing is asked oftener.
const PAUSE: Duration = Duration::from_secs(10);

/// A call is written down within this time.
const WRITTEN: Duration = Duration::from_mins(1);

/// A call that another umbel still waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// When it was made.
    pub made: Timestamp,
    /// When nobody waits any more, if that is not written down: the program was killed.
    pub over: Timestamp,
}

/// What was asked, and who still waits.
#[derive(Debug, Default)]
pub struct Lookout {
    /// When it was asked last.
    asked: Option<Now>,
    /// Another program wrote since, or the answer did not come.
    news: bool,
    waiting: Vec<Waiting>,
}

impl Lookout {
    /// Whether it was asked before.
    pub fn began(&self) -> bool {
        self.asked.is_some()
    }

    /// It is asked for all calls now, for the first time.
    pub fn begin(&mut self, now: Now) {
        self.asked = Some(now);
        self.news = false;
    }

    /// Another program wrote, or an answer was lost.
    pub fn news(&mut self) {
        self.news = true;
    }

    /// The answer: these are waited for elsewhere. All older ones were told before.
    pub fn found(&mut self, waiting: Vec<Waiting>) {
        self.waiting = waiting;
    }

    /// Since when calls are to be asked for now; `None`: there can be no new ones, or it was asked a moment ago.
    pub fn due(&mut self, now: Now) -> Option<Timestamp> {
        let asked = self.asked?;
        if now.mono.since(asked.mono) < PAUSE {
            return None;
        }
        let over = self.waiting.iter().any(|call| call.over <= now.wall);
        if !self.news && !over {
            return None;
        }
        self.begin(now);
        let made = self.waiting.iter().map(|call| call.made);
        let unseen = asked.wall.checked_sub(WRITTEN).unwrap_or(Timestamp::MIN);
        made.chain([unseen]).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Now {
        Now::fixed(Duration::from_secs(1_000_000 + secs))
    }

    #[test]
    fn nothing_is_asked_while_nobody_writes_and_nobody_s_time_is_over() {
        let mut lookout = Lookout::default();
        assert_eq!(lookout.due(at(0)), None);
        lookout.begin(at(0));
        assert_eq!(lookout.due(at(3_600)), None);
    }

    #[test]
    fn what_others_wrote_is_asked_for_after_a_pause_and_once() {
        let mut lookout = Lookout::default();
        lookout.begin(at(100));
        lookout.news();
        assert_eq!(lookout.due(at(105)), None);
        assert_eq!(lookout.due(at(110)), Some(at(40).wall));
        assert_eq!(lookout.due(at(200)), None);
    }

    #[test]
    fn a_call_whose_time_is_over_is_asked_for_however_long_ago_it_was_made() {
        let mut lookout = Lookout::default();
        lookout.begin(at(10_000));
        lookout.found(vec![Waiting {
            made: at(5).wall,
            over: at(10_060).wall,
        }]);
        assert_eq!(lookout.due(at(10_059)), None);
        assert_eq!(lookout.due(at(10_060)), Some(at(5).wall));
        lookout.found(Vec::new());
        assert_eq!(lookout.due(at(10_100)), None);
    }
}
