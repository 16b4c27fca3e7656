//! What stands between a key and a call that was not meant: the button that was just reached, reasons that must be read first, a key that is
//! held down, a queue that was just asked about. Plain times; reads no clock and sends nothing.

use std::time::Duration;

use crate::clock::{Moment, Now};
use crate::protocol::QueueName;

/// How long a second press counts as "nevertheless".
pub const AGAIN_WITHIN: Duration = Duration::from_secs(5);
/// How soon it does: a key that is held down begins to repeat after up to 660 ms (X), and has read nothing.
const AGAIN_AFTER: Duration = Duration::from_millis(700);
/// The gap that a press needs before it so that it is none of a held key.
const HELD: Duration = Duration::from_millis(400);
/// How long the button is deaf after it got the cursor: an Enter may have been meant for the row before.
const BUTTON_DEAF: Duration = Duration::from_millis(150);
/// How long an answer about a queue may take before a call goes without it (ux.md 0.1, ruling 20).
const PATIENCE: Duration = Duration::from_secs(1);
/// When a queue about which nothing was heard is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// The guard of one form.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    armed: Option<Armed>,
    button_since: Moment,
    asked: Option<(QueueName, Moment)>,
}

/// Reasons not to send that have been shown; the same press again sends nevertheless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Armed {
    /// What was said.
    pub why: Vec<String>,
    /// When it was shown.
    at: Moment,
    /// The last press that came too soon.
    pressed: Moment,
}

impl Guard {
    /// Reasons that were shown are no longer set aside by a press.
    pub fn disarm(&mut self) {
        self.armed = None;
    }

    /// Reasons not to send are shown: a press from now on may mean "nevertheless".
    pub fn arm(&mut self, why: Vec<String>, now: Now) {
        let at = now.mono;
        let pressed = at;
        self.armed = Some(Armed { why, at, pressed });
    }

    /// What a press would set aside.
    pub fn armed(&self) -> Option<&Armed> {
        self.armed.as_ref()
    }

    /// A press that is not taken: it came too soon, or the key is held down.
    pub fn too_soon(&mut self, now: Now) {
        if let Some(armed) = &mut self.armed {
            armed.pressed = now.mono;
        }
    }

    /// Whether a press is too soon after these reasons were shown.
    pub fn is_too_soon(&self, why: &[String], now: Now) -> bool {
        let soon = |armed: &Armed| {
            let shown = now.mono.since(armed.at);
            shown < AGAIN_AFTER || now.mono.since(armed.pressed) < HELD
        };
        self.armed
            .as_ref()
            .is_some_and(|armed| armed.why == why && soon(armed))
    }

    /// Whether a press sets exactly these reasons aside.
    pub fn insists(&self, why: &[String], now: Now) -> bool {
        let in_time = |armed: &Armed| now.mono.since(armed.at) <= AGAIN_WITHIN;
        self.armed
            .as_ref()
            .is_some_and(|armed| armed.why == why && in_time(armed))
    }

    /// Time passes; whether a press is no longer asked for.
    pub fn tick(&mut self, now: Now) -> bool {
        let over = |armed: &mut Armed| now.mono.since(armed.at) > AGAIN_WITHIN;
        self.armed.take_if(over).is_some()
    }

    /// The button got the cursor.
    pub fn reached_button(&mut self, now: Moment) {
        self.button_since = now;
    }

    /// Whether Enter on the button may have been meant for the row before.
    pub fn button_is_deaf(&self, now: Moment) -> bool {
        now.since(self.button_since) < BUTTON_DEAF
    }

    /// Whether to ask about this queue, of which nobody has told.
    pub fn asks(&mut self, queue: &QueueName, now: Now) -> bool {
        let recent = |at: Moment| now.mono.since(at) < ASK_AGAIN;
        let asked = self.asked.as_ref();
        if asked.is_some_and(|(known, at)| known == queue && recent(*at)) {
            return false;
        }
        self.asked = Some((queue.clone(), now.mono));
        true
    }

    /// Whether an answer about this queue, of which nobody has told, may still come.
    pub fn awaits(&self, queue: &QueueName, now: Now) -> bool {
        let asked = self.asked.as_ref().filter(|(known, _)| known == queue);
        asked.is_none_or(|(_, at)| now.mono.since(*at) < PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Now {
        Now::fixed(Duration::from_mins(1)).plus(Duration::from_millis(ms))
    }

    fn why() -> Vec<String> {
        vec!["no worker reads it".to_owned()]
    }

    /// Presses at these times, each as the form takes it; when one was taken as "nevertheless".
    fn insisted(presses: impl IntoIterator<Item = u64>) -> Option<u64> {
        let mut guard = Guard::default();
        guard.arm(why(), at(0));
        for ms in presses {
            if guard.is_too_soon(&why(), at(ms)) {
                guard.too_soon(at(ms));
            } else if guard.insists(&why(), at(ms)) {
                return Some(ms);
            }
        }
        None
    }

    #[test]
    fn a_second_press_sets_aside_what_was_read() {
        assert_eq!(insisted([900]), Some(900));
        assert_eq!(insisted([5_001]), None, "that was long ago");
    }

    #[test]
    fn a_held_key_sets_nothing_aside_whatever_its_delay() {
        for delay in [200, 400, 500, 660] {
            let held = (0..150).map(|press| delay + press * 33);
            assert_eq!(insisted(held), None, "{delay}");
        }
    }

    #[test]
    fn who_presses_too_soon_may_press_again() {
        assert_eq!(insisted([600, 1_200]), Some(1_200));
    }

    #[test]
    fn other_reasons_want_a_press_of_their_own() {
        let mut guard = Guard::default();
        guard.arm(why(), at(0));
        assert!(!guard.insists(&["something else".to_owned()], at(1_000)));
    }

    #[test]
    fn a_queue_is_asked_about_once_and_again_after_a_while() {
        let mut guard = Guard::default();
        let (queue, other) = (QueueName::from("a"), QueueName::from("b"));
        assert!(guard.awaits(&queue, at(0)), "nobody was asked yet");
        assert!(guard.asks(&queue, at(0)));
        assert!(!guard.asks(&queue, at(100)));
        assert!(guard.asks(&queue, at(5_000)));
        assert!(guard.asks(&other, at(5_001)));
        assert!(guard.awaits(&other, at(6_000)));
        assert!(
            !guard.awaits(&other, at(6_001)),
            "it goes without an answer"
        );
    }
}
