//! Input as the state sees it: crossterm's events without what we do not use, and the guard that tells typing from pastes.
//!
//! Nothing is read here; times come with the keys.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::clock::Moment;

/// A key that comes so soon after another is no typing.
const AFTER_ANOTHER: Duration = Duration::from_millis(30);

/// How long a key that could do harm is held to see whether another one follows. A paste comes in pieces, whose keys come without any gap;
/// programs that type leave up to 12 ms between keys (xdotool). So the rest of a paste shows before this is over, and whoever presses a key
/// sees what it does within 30 ms.
pub const HOLD: Duration = Duration::from_millis(16);

/// Bytes of an escape sequence that was split come within this time.
pub const SPLIT: Duration = Duration::from_millis(50);

/// A key press, a paste, a new size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed (not released). `burst` tells that another key came just before, or just after a key that was held for that: it may be an
    /// unbracketed paste.
    Key {
        /// The key.
        key: crossterm::event::KeyEvent,
        /// Whether it looks like part of a paste.
        burst: bool,
    },
    /// A bracketed paste.
    Paste(String),
    /// The terminal has another size, in cells.
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
}

impl Input {
    /// A key as a person types it.
    pub fn key(key: KeyEvent) -> Self {
        Self::Key { key, burst: false }
    }

    /// What we use of crossterm's events.
    pub fn of(event: Event) -> Option<Self> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => Some(Self::key(key)),
            Event::Paste(text) => Some(Self::Paste(text)),
            Event::Resize(width, height) => Some(Self::Resize { width, height }),
            _ => None,
        }
    }
}

/// Input and when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// What came.
    pub input: Input,
    /// When it was read, by the loop's clock.
    pub at: Moment,
}

/// Tells typing from pastes without brackets. A key that could do harm is held for [`HOLD`] to see whether another one follows;
/// which keys those are the caller says for each, so text is never held. Order is kept: a held key leaves before anything else enters.
///
/// It also swallows the rest of an arrow key whose escape sequence was split: after Esc, a `[` or `O` and what belongs to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    last: Option<Moment>,
    held: Option<Held>,
    sequence: Sequence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    key: KeyEvent,
    at: Moment,
    burst: bool,
}

/// How far into a split escape sequence we are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sequence {
    #[default]
    None,
    /// Esc came then.
    Escape(Moment),
    /// The introducer came then; parameters and a final byte belong to it.
    Open(Moment),
}

impl Guard {
    /// When the held key must be let go, if there is one.
    pub fn due(&self) -> Option<Moment> {
        self.held.map(|held| held.at.after(HOLD))
    }

    /// Lets the held key go: because `now` is its time, or because something else arrived at `now` (`arrived`).
    pub fn release(&mut self, now: Moment, arrived: bool) -> Option<Input> {
        let due = self.due().is_some_and(|due| now >= due);
        if !due && !arrived {
            return None;
        }
        let held = self.held.take()?;
        Some(Input::Key {
            key: held.key,
            burst: held.burst || !due,
        })
    }

    /// Takes what arrived, after [`Guard::release`]. `hold` tells whether a key could do harm if it were part of a paste.
    pub fn take(&mut self, arrival: Arrival, hold: impl FnOnce(KeyEvent) -> bool) -> Option<Input> {
        let Arrival { input, at } = arrival;
        let Input::Key { key, burst } = input else {
            return Some(input);
        };
        if self.swallows(key, at) {
            return None;
        }
        let near = |last: Moment| at.since(last) < AFTER_ANOTHER;
        let burst = burst || self.last.is_some_and(near);
        self.last = Some(at);
        if hold(key) {
            self.held = Some(Held { key, at, burst });
            return None;
        }
        Some(Input::Key { key, burst })
    }

    /// Whether `key` is the rest of a split escape sequence.
    fn swallows(&mut self, key: KeyEvent, at: Moment) -> bool {
        let soon = |since: Moment| at.since(since) < SPLIT;
        let char = match key.code {
            KeyCode::Char(char) if key.modifiers.difference(KeyModifiers::SHIFT).is_empty() => char,
            _ => '\0',
        };
        let (next, swallowed) = match (self.sequence, char) {
            (Sequence::Escape(since), '[' | 'O') if soon(since) => (Sequence::Open(at), true),
            (Sequence::Open(since), '0'..='9' | ';') if soon(since) => (Sequence::Open(at), true),
            (Sequence::Open(since), '@'..='~') if soon(since) => (Sequence::None, true),
            _ if key.code == KeyCode::Esc => (Sequence::Escape(at), false),
            _ => (Sequence::None, false),
        };
        self.sequence = next;
        swallowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment(Duration::from_millis(ms))
    }

    fn press(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    /// Feeds keys at their times as the loop does; returns what came out and whether as a burst.
    fn feed(keys: &[(u64, KeyCode)], hold: bool) -> Vec<(KeyCode, bool)> {
        let mut guard = Guard::default();
        let mut out = Vec::new();
        let mut push = |input: Option<Input>| {
            if let Some(Input::Key { key, burst }) = input {
                out.push((key.code, burst));
            }
        };
        for (ms, code) in keys {
            push(guard.release(at(*ms), true));
            let input = Input::key(press(*code));
            push(guard.take(Arrival { input, at: at(*ms) }, |_| hold));
        }
        push(guard.release(at(1_000_000), false));
        out
    }

    use KeyCode::Char;

    #[test]
    fn keys_typed_by_a_person_are_no_burst() {
        let out = feed(&[(0, Char('q')), (100, Char('c')), (131, Char('y'))], true);
        assert_eq!(
            out,
            [(Char('q'), false), (Char('c'), false), (Char('y'), false)]
        );
    }

    #[test]
    fn the_first_key_of_a_paste_is_a_burst_too() {
        let out = feed(&[(0, Char('q')), (1, Char('X')), (2, Char('.'))], true);
        assert_eq!(
            out,
            [(Char('q'), true), (Char('X'), true), (Char('.'), true)]
        );
    }

    #[test]
    fn the_last_key_of_a_paste_is_a_burst_too() {
        let out = feed(&[(0, Char('q')), (1, Char('Y')), (500, Char('c'))], true);
        assert_eq!(out[1..], [(Char('Y'), true), (Char('c'), false)]);
    }

    #[test]
    fn keys_typed_by_a_program_are_a_burst() {
        let out = feed(&[(0, Char('q')), (12, Char('X')), (24, Char('.'))], true);
        assert!(out.iter().all(|(_, burst)| *burst), "{out:?}");
    }

    #[test]
    fn a_key_is_near_the_one_before_for_longer_than_it_is_held() {
        let out = feed(&[(0, Char('j')), (25, Char('X'))], true);
        assert_eq!(out, [(Char('j'), false), (Char('X'), true)]);
    }

    #[test]
    fn where_keys_are_text_nothing_is_held() {
        let mut guard = Guard::default();
        let input = Input::key(press(Char('a')));
        let out = guard.take(
            Arrival {
                input: input.clone(),
                at: at(0),
            },
            |_| false,
        );
        assert_eq!(out, Some(input));
        assert_eq!(guard.due(), None);
    }

    #[test]
    fn a_held_key_leaves_after_16_ms_and_not_before() {
        let mut guard = Guard::default();
        let input = Input::key(press(Char('q')));
        assert_eq!(
            guard.take(
                Arrival {
                    input: input.clone(),
                    at: at(0)
                },
                |_| true
            ),
            None
        );
        assert_eq!(guard.release(at(15), false), None);
        assert_eq!(guard.release(at(16), false), Some(input));
        assert_eq!(guard.release(at(17), false), None);
    }

    #[test]
    fn the_rest_of_a_split_arrow_key_is_swallowed() {
        let keys = [
            (0, KeyCode::Esc),
            (5, Char('[')),
            (6, Char('A')),
            (900, Char('j')),
        ];
        let out = feed(&keys, false);
        assert_eq!(out, [(KeyCode::Esc, false), (Char('j'), false)]);
        let keys = [
            (0, KeyCode::Esc),
            (5, Char('[')),
            (6, Char('1')),
            (7, Char(';')),
            (8, Char('5')),
            (9, Char('C')),
        ];
        assert_eq!(feed(&keys, false), [(KeyCode::Esc, false)]);
    }

    #[test]
    fn a_bracket_typed_later_is_a_key() {
        let out = feed(
            &[(0, KeyCode::Esc), (80, Char('[')), (200, Char('A'))],
            false,
        );
        assert_eq!(out.len(), 3);
    }

    #[test]
    fn releases_and_unused_events_are_no_input() {
        let mut key = press(Char('a'));
        key.kind = KeyEventKind::Release;
        assert_eq!(Input::of(Event::Key(key)), None);
        assert_eq!(Input::of(Event::FocusGained), None);
    }
}
