//! Notices: one line about something that happened elsewhere. A notice never opens, covers or focuses anything.

use std::time::Duration;

use crate::clock::{Moment, Now};
use crate::protocol::TaskId;

/// How long a notice about something done stays.
const DONE_STAYS: Duration = Duration::from_secs(6);
/// How many are kept.
const KEPT: usize = 200;

/// What sort of notice it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// Something was done, or a key explains itself: goes by itself.
    Done,
    /// Something went wrong: stays until seen.
    Problem,
    /// A late result: stays until seen.
    Late,
}

/// One notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What sort.
    pub kind: NoticeKind,
    /// What happened; not sanitised yet.
    pub text: String,
    /// The call it is about.
    pub call: Option<TaskId>,
    at: Moment,
    seen: bool,
}

/// The notices of this run, newest last.
#[derive(Debug, Default)]
pub struct Notices {
    list: Vec<Notice>,
}

impl Notices {
    /// Something was done.
    pub fn done(&mut self, text: impl Into<String>, now: Now) {
        self.push(NoticeKind::Done, text.into(), None, now);
    }

    /// Something went wrong.
    pub fn problem(&mut self, text: impl Into<String>, now: Now) {
        self.push(NoticeKind::Problem, text.into(), None, now);
    }

    /// Something about a call.
    pub fn about(&mut self, kind: NoticeKind, call: TaskId, text: impl Into<String>, now: Now) {
        self.push(kind, text.into(), Some(call), now);
    }

    fn push(&mut self, kind: NoticeKind, text: String, call: Option<TaskId>, now: Now) {
        self.list
            .retain(|notice| !(notice.kind == kind && notice.text == text));
        if self.list.len() == KEPT {
            self.list.remove(0);
        }
        self.list.push(Notice {
            kind,
            text,
            call,
            at: now.mono,
            seen: false,
        });
    }

    /// The notice to show, and how many more have not been seen.
    pub fn shown(&self, now: Now) -> Option<(&Notice, usize)> {
        let mut fresh = self
            .list
            .iter()
            .rev()
            .filter(|notice| notice.is_fresh(now.mono));
        let newest = fresh.next()?;
        let more = fresh
            .filter(|notice| notice.kind != NoticeKind::Done)
            .count();
        Some((newest, more))
    }

    /// Takes the newest notice as seen; returns the call it is about.
    pub fn open(&mut self, now: Now) -> Option<Notice> {
        let newest = self
            .list
            .iter_mut()
            .rev()
            .find(|notice| notice.is_fresh(now.mono))?;
        newest.seen = true;
        Some(newest.clone())
    }

    /// The outcome of `call` has been looked at: its notices are seen.
    pub fn seen(&mut self, call: &TaskId) {
        for notice in &mut self.list {
            notice.seen |= notice.call.as_ref() == Some(call);
        }
    }

    /// Whether one will go by itself.
    pub fn expiring(&self) -> bool {
        self.list
            .iter()
            .any(|notice| notice.kind == NoticeKind::Done && !notice.seen)
    }

    /// Lets go what was shown long enough. Returns whether something did.
    pub fn tick(&mut self, now: Now) -> bool {
        let mut changed = false;
        for notice in &mut self.list {
            let over = notice.kind == NoticeKind::Done && !notice.is_fresh(now.mono);
            changed |= over && !notice.seen;
            notice.seen |= over;
        }
        changed
    }
}

impl Notice {
    fn is_fresh(&self, now: Moment) -> bool {
        !self.seen && (self.kind != NoticeKind::Done || now.since(self.at) < DONE_STAYS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now {
        wall: crate::clock::Timestamp::UNIX_EPOCH,
        mono: Moment(Duration::from_secs(50)),
    };

    #[test]
    fn what_was_done_goes_after_six_seconds_and_problems_stay_until_seen() {
        let mut notices = Notices::default();
        notices.problem("it broke", NOW);
        notices.done("copied", NOW.plus(Duration::from_secs(1)));
        let text =
            |notices: &Notices, now| notices.shown(now).map(|(it, more)| (it.text.clone(), more));
        assert_eq!(
            text(&notices, NOW.plus(Duration::from_secs(2))),
            Some(("copied".into(), 1))
        );
        assert!(notices.expiring());
        let later = NOW.plus(Duration::from_secs(8));
        assert!(notices.tick(later));
        assert!(!notices.tick(later));
        assert!(!notices.expiring());
        assert_eq!(text(&notices, later), Some(("it broke".into(), 0)));
        assert_eq!(
            notices.open(later).map(|it| it.text),
            Some("it broke".into())
        );
        assert_eq!(text(&notices, later), None);
    }

    #[test]
    fn the_same_words_twice_are_one_notice() {
        let mut notices = Notices::default();
        notices.problem("it broke", NOW);
        notices.problem("it broke", NOW);
        assert_eq!(notices.shown(NOW).map(|(_, more)| more), Some(0));
    }
}
