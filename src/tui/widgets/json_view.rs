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
