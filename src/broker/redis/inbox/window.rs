//! What was read of our list and not yet cut off it: in order, each settled or not. Pure.

use std::collections::VecDeque;

/// Elements between the mark and what is not yet read; the oldest first.
pub(super) struct Window {
    /// The number of the first.
    first: u64,
    settled: VecDeque<bool>,
}

impl Window {
    /// An empty one; its elements are numbered from `first`.
    pub(super) fn new(first: u64) -> Self {
        Self {
            first,
            settled: VecDeque::new(),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.settled.len()
    }

    /// How many are still waited for.
    pub(super) fn unsettled(&self) -> usize {
        self.settled.iter().filter(|&&settled| !settled).count()
    }

    /// One more was read; returns its number.
    pub(super) fn push(&mut self, settled: bool) -> u64 {
        self.settled.push_back(settled);
        self.first + self.settled.len() as u64 - 1
    }

    /// The element with this number was recorded; numbers of other windows are nothing.
    pub(super) fn settle(&mut self, number: u64) {
        let place = number.checked_sub(self.first).map(usize::try_from);
        if let Some(Ok(place)) = place
            && let Some(settled) = self.settled.get_mut(place)
        {
            *settled = true;
        }
    }

    /// How many of the oldest can be removed.
    pub(super) fn ripe(&self) -> usize {
        self.settled.iter().take_while(|&&settled| settled).count()
    }

    /// The oldest `count` are gone.
    pub(super) fn remove(&mut self, count: usize) {
        let count = count.min(self.settled.len());
        self.settled.drain(..count);
        self.first += count as u64;
    }

    /// All are gone, and their numbers are nothing.
    pub(super) fn clear(&mut self) {
        self.remove(self.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_out_of_order_waits_for_what_was_read_before_it() {
        let mut window = Window::new(7);
        let (one, two) = (window.push(false), window.push(false));
        window.push(true);
        window.settle(two);
        assert_eq!((window.ripe(), window.unsettled()), (0, 1));
        window.settle(one);
        assert_eq!(window.ripe(), 3);
        window.remove(2);
        assert_eq!((window.len(), window.ripe()), (1, 1));
        assert_eq!(window.push(false), 10);
    }

    #[test]
    fn numbers_of_another_connection_settle_nothing() {
        let mut window = Window::new(100);
        window.push(false);
        for stranger in [0, 99, 101, u64::MAX] {
            window.settle(stranger);
        }
        assert_eq!(window.ripe(), 0);
        window.clear();
        window.push(false);
        window.settle(100);
        assert_eq!(window.ripe(), 0);
    }
}
