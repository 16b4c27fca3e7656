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
