//! A tree of values that can be folded. It is built once and never flattened: what is seen is found by walking from the top row,
//! so a million nodes cost no more than those on the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::scroll::Step;
use crate::text::width::pad;
use crate::tui::theme::{Role, Theme};

/// One value. Nodes are given in the order they are read (a parent before its children), with their depth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// 0 for the root.
    pub depth: u16,
    /// Its key, sanitised; empty for the root and for items of a list.
    pub label: String,
    /// Its value, sanitised: `42`, `"王小明"`, `{5}`, `[12]`.
    pub text: String,
    /// What its value is.
    pub role: Role,
    /// Whether it starts folded.
    pub folded: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Slot {
    node: Node,
    parent: u32,
    /// The first node that is not under this one.
    end: u32,
}

/// A tree, the selected node and the first one drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    slots: Vec<Slot>,
    selected: usize,
    top: usize,
}

impl Tree {
    /// A tree of `nodes`, at most 2^32. Depths that jump by more than one are taken as one.
    pub fn new(nodes: Vec<Node>) -> Self {
        let mut slots: Vec<Slot> = Vec::with_capacity(nodes.len());
        let mut open: Vec<usize> = Vec::new();
        for (index, mut node) in nodes.into_iter().enumerate() {
            while open.len() > usize::from(node.depth) {
                close(&mut slots, &mut open, index);
            }
            node.depth = u16::try_from(open.len()).unwrap_or(u16::MAX);
            let parent = open.last().copied().unwrap_or(index);
            slots.push(Slot {
                node,
                parent: small(parent),
                end: 0,
            });
            open.push(index);
        }
        let count = slots.len();
        while !open.is_empty() {
            close(&mut slots, &mut open, count);
        }
        Self {
            slots,
            selected: 0,
            top: 0,
        }
    }

    /// How many nodes there are, seen or not.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The number of the selected node.
    pub fn selected(&self) -> usize {
        self.selected
    }

    /// The node of this number.
    pub fn node(&self, index: usize) -> Option<&Node> {
        self.slots.get(index).map(|slot| &slot.node)
    }

    /// Folds or unfolds the selected node; on a value without children, its parent is folded and selected.
    pub fn toggle(&mut self, height: usize) {
        let Some(slot) = self.slots.get(self.selected) else {
            return;
        };
        let target = if self.has_children(self.selected) {
            self.selected
        } else {
            slot.parent as usize
        };
        self.slots[target].node.folded ^= true;
        self.selected = target;
        self.settle(height);
    }

    /// Folds the selected node, or goes to its parent if there is nothing to fold.
    pub fn fold(&mut self, height: usize) {
        if self.is_open(self.selected) {
            self.slots[self.selected].node.folded = true;
        } else if let Some(slot) = self.slots.get(self.selected) {
            self.selected = slot.parent as usize;
        }
        self.settle(height);
    }

    /// Unfolds the selected node, or goes to its first child if it is open already.
    pub fn unfold(&mut self, height: usize) {
        if self.is_open(self.selected) {
            self.selected += 1;
        } else if let Some(slot) = self.slots.get_mut(self.selected) {
            slot.node.folded = false;
        }
        self.settle(height);
    }

    /// Moves the selection among the rows that are seen, and keeps it visible in `height` rows.
    pub fn step(&mut self, step: Step, height: usize) {
        let page = height.max(1);
        let half = (height / 2).max(1);
        match step {
            Step::Down => self.go(1, Self::after),
            Step::Up => self.go(1, Self::before),
            Step::HalfDown => self.go(half, Self::after),
            Step::HalfUp => self.go(half, Self::before),
            Step::PageDown => self.go(page, Self::after),
            Step::PageUp => self.go(page, Self::before),
            Step::First => self.selected = 0,
            Step::Last => self.selected = self.before(self.slots.len()).unwrap_or(0),
        }
        self.settle(height);
    }

    fn go(&mut self, count: usize, next: impl Fn(&Self, usize) -> Option<usize>) {
        for _ in 0..count {
            match next(self, self.selected) {
                Some(index) => self.selected = index,
                None => break,
            }
        }
    }

    /// The next row that is seen.
    fn after(&self, index: usize) -> Option<usize> {
        let slot = self.slots.get(index)?;
        let next = if slot.node.folded {
            slot.end as usize
        } else {
            index + 1
        };
        (next < self.slots.len()).then_some(next)
    }

    /// The row before that is seen: the node before, or the outermost folded one above it.
    fn before(&self, index: usize) -> Option<usize> {
        let mut seen = index.checked_sub(1)?;
        let mut above = seen;
        loop {
            let parent = self.slots.get(above)?.parent as usize;
            if parent == above {
                return Some(seen);
            }
            if self.slots[parent].node.folded {
                seen = parent;
            }
            above = parent;
        }
    }

    /// Moves the first row drawn as little as needed for the selected one to be seen in `height` rows.
    pub fn settle(&mut self, height: usize) {
        self.top = self.first_row(height);
    }

    fn first_row(&self, height: usize) -> usize {
        let top = self.visible(self.top.min(self.slots.len().saturating_sub(1)));
        if self.selected <= top {
            return self.selected;
        }
        let mut lowest = self.selected;
        for _ in 1..height.max(1) {
            match self.before(lowest) {
                Some(row) if row > top => lowest = row,
                _ => return top,
            }
        }
        lowest
    }

    /// `index`, or the outermost folded node above it.
    fn visible(&self, index: usize) -> usize {
        self.before(index + 1).unwrap_or(0)
    }

    fn has_children(&self, index: usize) -> bool {
        self.slots
            .get(index)
            .is_some_and(|slot| slot.end as usize > index + 1)
    }

    fn is_open(&self, index: usize) -> bool {
        self.has_children(index) && !self.slots[index].node.folded
    }

    /// Draws the rows that are seen; the selected one is marked if the pane has the focus.
    pub fn render(&self, area: Rect, buf: &mut Buffer, theme: Theme, focused: bool) {
        let area = area.intersection(buf.area);
        if area.is_empty() || self.is_empty() {
            return;
        }
        let mut row = Some(self.first_row(usize::from(area.height)));
        for y in area.y..area.bottom() {
            let Some(index) = row else { break };
            let line = self.line(index, usize::from(area.width), theme);
            buf.set_line(area.x, y, &line, area.width);
            if focused && index == self.selected {
                let cells = Rect::new(area.x, y, area.width, 1);
                buf.set_style(cells, theme.style(Role::Select));
            }
            row = self.after(index);
        }
    }

    /// One row, exactly `width` cells: indent, fold mark, key, value.
    fn line(&self, index: usize, width: usize, theme: Theme) -> Line<'static> {
        let Slot { node, .. } = &self.slots[index];
        let glyphs = theme.glyphs();
        let mark = match (self.has_children(index), node.folded) {
            (false, _) => " ",
            (true, true) => glyphs.folded,
            (true, false) => glyphs.open,
        };
        let indent = (usize::from(node.depth) * 2).min(width / 2);
        let lead = format!("{}{mark} ", " ".repeat(indent));
        let label = match node.label.as_str() {
            "" => String::new(),
            label => format!("{label}: "),
        };
        let parts = [
            (Role::Dim, lead),
            (Role::JsonKey, label),
            (node.role, node.text.clone()),
        ];
        clipped(parts, width, theme)
    }
}

fn clipped<const N: usize>(
    parts: [(Role, String); N],
    width: usize,
    theme: Theme,
) -> Line<'static> {
    let mut left = width;
    let mut spans = Vec::with_capacity(N + 1);
    for (role, text) in parts {
        let text = crate::text::width::cut(&text, left, theme.glyphs().ellipsis);
        left -= crate::text::width::cells(&text);
        spans.push(theme.span(role, text));
    }
    spans.push(Span::raw(pad("", left, "")));
    Line::from(spans)
}

fn close(slots: &mut [Slot], open: &mut Vec<usize>, end: usize) {
    if let Some(index) = open.pop() {
        slots[index].end = small(end);
    }
}

fn small(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{TEXTS, blank, rows};
    use super::*;

    fn node(depth: u16, label: &str, text: &str) -> Node {
        Node {
            depth,
            label: label.to_owned(),
            text: text.to_owned(),
            ..Node::default()
        }
    }

    fn order() -> Tree {
        let mut lines = node(1, "lines", "[2]");
        lines.folded = true;
        Tree::new(vec![
            node(0, "", "{3}"),
            node(1, "order_id", "42"),
            lines,
            node(2, "", "{1}"),
            node(3, "sku", "\"A-1009\""),
            node(2, "", "2"),
            node(1, "customer", "\"王小明\""),
        ])
    }

    fn seen(tree: &Tree, width: u16, height: u16) -> Vec<String> {
        let mut buffer = blank(width, height);
        tree.render(buffer.area, &mut buffer, Theme::default(), true);
        rows(&buffer)
            .iter()
            .map(|row| row.trim_end().to_owned())
            .collect()
    }

    #[test]
    fn folded_values_hide_what_is_in_them() {
        assert_eq!(
            seen(&order(), 30, 5),
            [
                "▾ {3}",
                "    order_id: 42",
                "  ▸ lines: [2]",
                "    customer: \"王小明\"",
                ""
            ]
        );
    }

    #[test]
    fn unfolding_shows_the_children_and_folding_hides_them() {
        let mut tree = order();
        tree.step(Step::Down, 9);
        tree.step(Step::Down, 9);
        tree.toggle(9);
        assert_eq!(
            seen(&tree, 30, 7)[2..6],
            [
                "  ▾ lines: [2]",
                "    ▾ {1}",
                "        sku: \"A-1009\"",
                "      2"
            ]
        );
        tree.step(Step::Down, 9);
        tree.step(Step::Down, 9);
        assert_eq!(tree.node(tree.selected()).unwrap().label, "sku");
        tree.toggle(9);
        assert_eq!((tree.selected(), tree.node(3).unwrap().folded), (3, true));
        tree.fold(9);
        assert_eq!(tree.selected(), 2);
        tree.fold(9);
        assert_eq!(seen(&tree, 30, 7).len() - 3, seen(&order(), 30, 4).len());
    }

    #[test]
    fn moving_skips_what_is_hidden() {
        let mut tree = order();
        tree.step(Step::Last, 3);
        assert_eq!(tree.selected(), 6);
        tree.step(Step::Up, 3);
        assert_eq!(tree.selected(), 2);
        tree.unfold(3);
        tree.unfold(3);
        assert_eq!(tree.selected(), 3);
        tree.step(Step::First, 3);
        assert_eq!(tree.selected(), 0);
        tree.step(Step::PageDown, 3);
        assert_eq!(tree.selected(), 3);
    }

    #[test]
    fn a_million_values_are_no_work_until_they_are_seen() {
        let nodes = (0..1_000_000)
            .map(|index| node(u16::from(index > 0), "n", "1"))
            .collect();
        let mut tree = Tree::new(nodes);
        let start = std::time::Instant::now();
        for _ in 0..100 {
            tree.step(Step::Last, 40);
            assert_eq!(seen(&tree, 80, 40)[39], "    n: 1");
            tree.step(Step::PageUp, 40);
            tree.step(Step::First, 40);
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(5));
    }

    #[test]
    fn an_empty_tree_is_drawn_and_moved_in() {
        let mut tree = Tree::default();
        for step in [Step::Down, Step::Last, Step::PageUp] {
            tree.step(step, 5);
        }
        tree.toggle(5);
        tree.fold(5);
        tree.unfold(5);
        assert_eq!(seen(&tree, 10, 2), ["", ""]);
    }

    fn nodes() -> impl Strategy<Value = Vec<Node>> {
        let node = (0u16..8, 0usize..8, any::<bool>()).prop_map(|(depth, text, folded)| Node {
            folded,
            ..node(depth, TEXTS[text], TEXTS[7 - text])
        });
        prop::collection::vec(node, 0..60)
    }

    proptest! {
        #[test]
        fn every_tree_is_drawn_exactly_and_its_selection_is_seen(
            nodes in nodes(), moves in prop::collection::vec(0usize..11, 0..40), width in 0u16..300, height in 1u16..120,
        ) {
            let mut tree = Tree::new(nodes);
            let rows_high = usize::from(height);
            for step in moves {
                match step {
                    0 => tree.step(Step::Down, rows_high),
                    1 => tree.step(Step::Up, rows_high),
                    2 => tree.step(Step::HalfDown, rows_high),
                    3 => tree.step(Step::HalfUp, rows_high),
                    4 => tree.step(Step::PageDown, rows_high),
                    5 => tree.step(Step::PageUp, rows_high),
                    6 => tree.step(Step::First, rows_high),
                    7 => tree.step(Step::Last, rows_high),
                    8 => tree.fold(rows_high),
                    9 => tree.unfold(rows_high),
                    _ => tree.toggle(rows_high),
                }
                let mut row = Some(tree.top);
                let window: Vec<usize> = std::iter::from_fn(|| {
                    let this = row?;
                    row = tree.after(this);
                    Some(this)
                }).take(rows_high).collect();
                prop_assert!(tree.is_empty() || window.contains(&tree.selected), "{window:?} {}", tree.selected);
            }
            let mut buffer = blank(width, height);
            tree.render(buffer.area, &mut buffer, Theme::default(), true);
            rows(&buffer);
        }
    }
}
