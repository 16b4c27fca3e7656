//! Where a list stands: the selected row, the first row drawn, and a selection that follows a thing by its id. Plain numbers; draws nothing.

use std::ops::Range;

/// A movement in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One down.
    Down,
    /// One up.
    Up,
    /// Half of the visible rows down.
    HalfDown,
    /// Half of the visible rows up.
    HalfUp,
    /// The visible rows down.
    PageDown,
    /// The visible rows up.
    PageUp,
    /// To the first.
    First,
    /// To the last.
    Last,
}

impl Step {
    /// Where this step leads from `at` in a list of `len`, of which `height` are visible. Never beyond the ends.
    pub fn from(self, at: usize, len: usize, height: usize) -> usize {
        let page = height.max(1);
        let half = (height / 2).max(1);
        let to = match self {
            Self::Down => at.saturating_add(1),
            Self::Up => at.saturating_sub(1),
            Self::HalfDown => at.saturating_add(half),
            Self::HalfUp => at.saturating_sub(half),
            Self::PageDown => at.saturating_add(page),
            Self::PageUp => at.saturating_sub(page),
            Self::First => 0,
            Self::Last => usize::MAX,
        };
        to.min(len.saturating_sub(1))
    }
}

/// The selected row and the first visible one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scroll {
    /// The selected row.
    pub selected: usize,
    /// The first row drawn, as far as decided by [`Scroll::settle`].
    pub offset: usize,
}

impl Scroll {
    /// Moves the selection and keeps it visible.
    pub fn step(&mut self, step: Step, len: usize, height: usize) {
        self.selected = step.from(self.selected, len, height);
        self.settle(len, height);
    }

    /// Selects `index` (or the last row) and keeps it visible.
    pub fn select(&mut self, index: usize, len: usize, height: usize) {
        self.selected = index.min(len.saturating_sub(1));
        self.settle(len, height);
    }

    /// Makes the numbers fit a list of `len` rows of which `height` are visible: nothing points beyond the end, the selected row is visible,
    /// and no room is left empty below the last row. Call it from `update` whenever the list or its height changed.
    pub fn settle(&mut self, len: usize, height: usize) {
        self.selected = self.selected.min(len.saturating_sub(1));
        self.offset = self.window(len, height).start;
    }

    /// The rows to draw. Pure: right also when nobody settled; then the window moves as little as it must.
    pub fn window(&self, len: usize, height: usize) -> Range<usize> {
        if height == 0 || len == 0 {
            return 0..0;
        }
        let selected = self.selected.min(len - 1);
        let lowest = (selected + 1).saturating_sub(height);
        let start = self.offset.clamp(lowest, selected);
        let start = start.min(len.saturating_sub(height));
        start..(start + height).min(len)
    }
}

/// What became of the selection when the list changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// It stayed where it was, or there was none.
    Same,
    /// The thing has another row now; the selection went with it.
    Moved,
    /// The thing is gone: nothing is selected, never silently its neighbour. Tell the user.
    Lost,
}

/// A selection of a thing, not of a row: it survives sorting, filtering and refreshes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked<K> {
    key: Option<K>,
    scroll: Scroll,
}

impl<K> Default for Picked<K> {
    fn default() -> Self {
        Self {
            key: None,
            scroll: Scroll::default(),
        }
    }
}

impl<K: Clone + PartialEq> Picked<K> {
    /// The selected thing.
    pub fn key(&self) -> Option<&K> {
        self.key.as_ref()
    }

    /// The row of the selected thing, as of the last change; `None` if nothing is selected.
    pub fn row(&self) -> Option<usize> {
        self.key.is_some().then_some(self.scroll.selected)
    }

    /// Where the list stands; for [`Scroll::window`].
    pub fn scroll(&self) -> Scroll {
        self.scroll
    }

    /// Selects nothing; the place in the list is kept.
    pub fn clear(&mut self) {
        self.key = None;
    }

    /// Moves by `step` in a list of `len` things, of which `height` are visible. From nothing selected, the first step selects the row at hand.
    pub fn step(&mut self, step: Step, len: usize, height: usize, key_at: impl Fn(usize) -> K) {
        let start = self.scroll.selected.min(len.saturating_sub(1));
        let row = match (self.key.is_some(), step) {
            (false, Step::Down | Step::Up) => start,
            _ => step.from(start, len, height),
        };
        self.select(row, len, height, key_at);
    }

    /// Selects the thing in `row`.
    pub fn select(&mut self, row: usize, len: usize, height: usize, key_at: impl Fn(usize) -> K) {
        self.scroll.select(row, len, height);
        self.key = (len > 0).then(|| key_at(self.scroll.selected));
    }

    /// Finds the selected thing again after the list changed.
    pub fn follow(&mut self, len: usize, height: usize, key_at: impl Fn(usize) -> K) -> Followed {
        let Some(key) = &self.key else {
            self.scroll.settle(len, height);
            return Followed::Same;
        };
        let row = self.scroll.selected;
        if row < len && key_at(row) == *key {
            self.scroll.settle(len, height);
            return Followed::Same;
        }
        let found = (0..len).find(|row| key_at(*row) == *key);
        if let Some(row) = found {
            self.move_with(row);
        } else {
            self.key = None;
        }
        self.scroll.settle(len, height);
        found.map_or(Followed::Lost, |_| Followed::Moved)
    }

    /// Keeps the thing at the same height of the window.
    fn move_with(&mut self, row: usize) {
        let above = self.scroll.selected.saturating_sub(self.scroll.offset);
        self.scroll.selected = row;
        self.scroll.offset = row.saturating_sub(above);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_window_moves_only_when_it_must() {
        let mut scroll = Scroll::default();
        for _ in 0..5 {
            scroll.step(Step::Down, 100, 10);
        }
        assert_eq!(scroll.window(100, 10), 0..10);
        for _ in 0..5 {
            scroll.step(Step::Down, 100, 10);
        }
        assert_eq!(scroll.window(100, 10), 1..11);
        scroll.step(Step::Up, 100, 10);
        assert_eq!(scroll.window(100, 10), 1..11);
    }

    #[test]
    fn first_last_and_pages_stay_in_the_list() {
        let mut scroll = Scroll::default();
        scroll.step(Step::Last, 25, 10);
        assert_eq!((scroll.selected, scroll.window(25, 10)), (24, 15..25));
        scroll.step(Step::PageDown, 25, 10);
        assert_eq!(scroll.selected, 24);
        scroll.step(Step::PageUp, 25, 10);
        assert_eq!(scroll.selected, 14);
        scroll.step(Step::HalfUp, 25, 10);
        assert_eq!(scroll.selected, 9);
        scroll.step(Step::First, 25, 10);
        assert_eq!((scroll.selected, scroll.window(25, 10)), (0, 0..10));
    }

    fn picked(names: &[&'static str], row: usize) -> Picked<&'static str> {
        let mut picked = Picked::default();
        picked.select(row, names.len(), 5, |row| names[row]);
        picked
    }

    #[test]
    fn a_selection_goes_with_its_thing() {
        let mut picked = picked(&["a", "b", "c"], 1);
        let after = ["n1", "n2", "n3", "n4", "n5", "a", "b", "c"];
        assert_eq!(picked.follow(8, 5, |row| after[row]), Followed::Moved);
        assert_eq!((picked.key(), picked.row()), (Some(&"b"), Some(6)));
        assert_eq!(picked.follow(8, 5, |row| after[row]), Followed::Same);
    }

    #[test]
    fn a_selection_whose_thing_is_gone_never_goes_to_its_neighbour() {
        let mut picked = picked(&["a", "b", "c"], 1);
        let after = ["a", "c"];
        assert_eq!(picked.follow(2, 5, |row| after[row]), Followed::Lost);
        assert_eq!((picked.key(), picked.row()), (None, None));
        picked.step(Step::Down, 2, 5, |row| after[row]);
        assert_eq!(picked.key(), Some(&"c"));
    }

    #[test]
    fn nothing_can_be_selected_in_an_empty_list() {
        let mut picked = picked(&["a"], 0);
        assert_eq!(picked.follow(0, 5, |_| "a"), Followed::Lost);
        picked.step(Step::Down, 0, 5, |_| "a");
        assert_eq!(picked.key(), None);
    }

    proptest! {
        #[test]
        fn the_selected_row_is_always_seen_and_no_room_is_wasted(
            selected in 0usize..400, offset in 0usize..400, len in 0usize..300, height in 0usize..120,
        ) {
            let mut scroll = Scroll { selected, offset };
            scroll.settle(len, height);
            let window = scroll.window(len, height);
            prop_assert!(window.end <= len);
            prop_assert_eq!(window.len(), height.min(len));
            if len > 0 && height > 0 {
                prop_assert!(window.contains(&scroll.selected));
            }
        }
    }
}
