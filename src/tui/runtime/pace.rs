//! How often frames are drawn: at most thirty in a second, and what the user does is never behind what merely happens.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Moment;

/// Frames in one second.
const MOST: usize = 30;

/// The shortest time between two frames.
const GAP: Duration = Duration::from_millis(10);

/// The shortest time between two frames that nobody asked for by a key; leaves room for those.
const CALM: Duration = Duration::from_millis(50);

/// When the frames of the last second were drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    frames: VecDeque<Moment>,
}

impl Pace {
    /// A frame was drawn.
    pub fn drawn(&mut self, now: Moment) {
        self.frames.push_back(now);
        if self.frames.len() > MOST {
            self.frames.pop_front();
        }
    }

    /// When a frame may be drawn that the user waits for.
    pub fn urgent(&self) -> Moment {
        self.after(GAP)
    }

    /// When a frame may be drawn for anything else.
    pub fn relaxed(&self) -> Moment {
        self.after(CALM)
    }

    fn after(&self, gap: Duration) -> Moment {
        let next = self.frames.back().map(|last| last.after(gap));
        let full = (self.frames.len() == MOST)
            .then(|| self.frames.front())
            .flatten();
        let room = full.map(|first| first.after(Duration::from_secs(1)));
        next.max(room).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames_in_a_second(due: impl Fn(&Pace) -> Moment) -> usize {
        let mut pace = Pace::default();
        let mut drawn = Vec::new();
        for ms in 0..5_000 {
            let now = Moment(Duration::from_millis(ms));
            if now >= due(&pace) {
                pace.drawn(now);
                drawn.push(ms);
            }
        }
        let within = |start: u64| {
            drawn
                .iter()
                .filter(|ms| (start..start + 1_000).contains(*ms))
                .count()
        };
        (0..4_000).map(within).max().unwrap()
    }

    #[test]
    fn never_more_than_thirty_frames_in_any_second() {
        assert_eq!(frames_in_a_second(Pace::urgent), 30);
        assert_eq!(frames_in_a_second(Pace::relaxed), 20);
    }

    #[test]
    fn a_key_is_drawn_at_once_also_while_events_flood() {
        let mut pace = Pace::default();
        for frame in 0..100 {
            pace.drawn(Moment(CALM * frame));
        }
        let last = Moment(CALM * 99);
        assert_eq!(pace.urgent(), last.after(GAP));
    }

    #[test]
    fn the_first_frame_is_due_at_once() {
        assert_eq!(Pace::default().relaxed(), Moment::default());
    }
}
