//! Under which keys, which are channels too, results are found. Pure.
//!
//! The application's `global_keyprefix` stands before them. Celery 5.3 and 5.4 always put `_` behind it, 5.5 and later only where
//! it does not end in a separator already (protocol.md 2.2), so a prefix may have two spellings. Workers mask it in `conf`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::protocol::TaskId;

/// What stands before a task's id.
const META: &str = "celery-task-meta-";

/// Spellings that are learned; more would be a flood.
const MOST: usize = 8;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Keys(Mutex<State>);

#[derive(Debug)]
struct State {
    /// What may stand before an id.
    stems: Vec<String>,
    knowledge: Knowledge,
}

/// How sure the spellings are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knowledge {
    /// The user said so; nothing else counts.
    Given,
    /// The workers said so.
    Told,
    /// Nobody said anything, most likely there is no prefix.
    Unknown,
    /// There is one, and workers mask it.
    Censored,
}

/// What is to be subscribed for one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subscription {
    /// These channels.
    Channels(Vec<String>),
    /// Every channel that fits this pattern.
    Pattern(String),
}

impl Keys {
    /// With the prefix that the user gave.
    pub(super) fn prefixed(prefix: &str) -> Self {
        Self::new(stems(prefix), Knowledge::Given)
    }

    /// Nobody knows yet.
    pub(super) fn unknown() -> Self {
        Self::new(stems(""), Knowledge::Unknown)
    }

    fn new(stems: Vec<String>, knowledge: Knowledge) -> Self {
        Self(Mutex::new(State { stems, knowledge }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Workers tell their prefix.
    pub(super) fn set(&self, prefix: &str) {
        let mut state = self.lock();
        if state.knowledge != Knowledge::Given {
            *state = State {
                stems: stems(prefix),
                knowledge: Knowledge::Told,
            };
        }
    }

    /// Workers tell that there is a prefix, and not which.
    pub(super) fn censored(&self) {
        let mut state = self.lock();
        if state.knowledge != Knowledge::Given {
            state.knowledge = Knowledge::Censored;
        }
    }

    /// Whether there is a prefix that nobody told and that was not learned either.
    pub(super) fn is_secret(&self) -> bool {
        let state = self.lock();
        state.knowledge == Knowledge::Censored && state.stems == stems("")
    }

    /// What to listen to. `pattern`: the user may listen to patterns.
    pub(super) fn subscription(&self, id: &TaskId, pattern: bool) -> Subscription {
        let state = self.lock();
        match state.knowledge {
            Knowledge::Unknown | Knowledge::Censored if pattern => {
                Subscription::Pattern(format!("*{META}{}", escaped(&id.0)))
            }
            _ => Subscription::Channels(keys(&state, id)),
        }
    }

    /// Where to look, the likeliest first.
    pub(super) fn of(&self, id: &TaskId) -> Vec<String> {
        keys(&self.lock(), id)
    }

    /// Every key that may be the task's, as a pattern for SCAN.
    pub(super) fn pattern(id: &TaskId) -> String {
        format!("*{META}{}", escaped(&id.0))
    }

    /// The task whose channel or key this is; its spelling is remembered.
    pub(super) fn read(&self, channel: &str) -> Option<TaskId> {
        let end = channel.rfind(META)? + META.len();
        let (stem, id) = channel.split_at(end);
        let mut state = self.lock();
        if !state.stems.iter().any(|known| known == stem) && state.stems.len() < MOST {
            state.stems.insert(0, stem.to_owned());
        }
        Some(TaskId::from(id))
    }
}

fn keys(state: &State, id: &TaskId) -> Vec<String> {
    let stems = state.stems.iter();
    stems.map(|stem| format!("{stem}{id}")).collect()
}

/// The spellings of a prefix: that of Celery 5.5 and later, then that of 5.3 and 5.4 where it differs.
fn stems(prefix: &str) -> Vec<String> {
    match prefix.chars().last() {
        None => vec![META.to_owned()],
        Some(':' | '_' | '-' | '.') => {
            vec![format!("{prefix}{META}"), format!("{prefix}_{META}")]
        }
        Some(_) => vec![format!("{prefix}_{META}")],
    }
}

/// A text that stands for itself in a pattern of Redis.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "*?[]\\^".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn id() -> TaskId {
        TaskId::from("a*b")
    }

    #[rstest]
    #[case::none("", &["celery-task-meta-a*b"])]
    #[case::word("acme", &["acme_celery-task-meta-a*b"])]
    #[case::underscore("kp_", &["kp_celery-task-meta-a*b", "kp__celery-task-meta-a*b"])]
    #[case::colon("kp:", &["kp:celery-task-meta-a*b", "kp:_celery-task-meta-a*b"])]
    fn a_prefix_has_the_spellings_of_all_celery_versions(
        #[case] prefix: &str,
        #[case] expected: &[&str],
    ) {
        assert_eq!(Keys::prefixed(prefix).of(&id()), expected);
        let told = Keys::unknown();
        told.set(prefix);
        assert_eq!(told.of(&id()), expected);
        let channels = expected.iter().map(|&key| key.to_owned()).collect();
        assert_eq!(
            told.subscription(&id(), true),
            Subscription::Channels(channels)
        );
    }

    #[test]
    fn a_prefix_that_nobody_tells_is_learned_from_a_channel() {
        let keys = Keys::unknown();
        keys.censored();
        assert!(keys.is_secret());
        let pattern = Subscription::Pattern("*celery-task-meta-a\\*b".to_owned());
        assert_eq!(keys.subscription(&id(), true), pattern);
        let plain = Subscription::Channels(vec!["celery-task-meta-a*b".to_owned()]);
        assert_eq!(keys.subscription(&id(), false), plain);
        assert_eq!(keys.read("kp:celery-task-meta-x"), Some("x".into()));
        assert_eq!(keys.of(&id())[0], "kp:celery-task-meta-a*b");
        assert!(!keys.is_secret());
        assert_eq!(keys.read("other"), None);
    }

    #[test]
    fn what_the_user_says_is_not_changed_by_workers() {
        let keys = Keys::prefixed("mine");
        keys.set("theirs");
        keys.censored();
        assert_eq!(keys.of(&id()), ["mine_celery-task-meta-a*b"]);
        assert!(!keys.is_secret());
    }

    #[test]
    fn a_flood_of_prefixes_is_not_remembered() {
        let keys = Keys::unknown();
        for n in 0..100 {
            keys.read(&format!("{n}celery-task-meta-x"));
        }
        assert_eq!(keys.of(&id()).len(), MOST);
    }
}
