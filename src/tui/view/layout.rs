//! Where everything is: a function of the size and of what is looked at, never of the data, so that nothing jumps.

use ratatui::layout::{Constraint, Layout, Rect};

use crate::tui::panes::{Pane, history, queues, tasks, workers};
use crate::tui::state::{Keeping, State};

/// Width of Tasks beside a tabbed pane.
const TASKS: u16 = 27;
/// Below this width Tasks is hidden beside others.
const NARROW: u16 = 76;
/// Widths of the outer columns of the roomy layout.
const LEFT: u16 = 38;
/// See [`LEFT`].
const RIGHT: u16 = 48;
/// Rows of Call in the roomy layout.
const CALL: u16 = 17;

/// Which layout a size gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// No frames: what matters, and how large the window must be.
    Tiny,
    /// Strips, Tasks and one tabbed pane.
    Small,
    /// Three columns with all panes.
    Large,
}

impl Size {
    /// The layout for so many columns and rows.
    pub fn of(width: u16, height: u16) -> Self {
        match (width, height) {
            (..60, _) | (_, ..16) => Self::Tiny,
            (150.., 40..) => Self::Large,
            _ => Self::Small,
        }
    }
}

/// Where everything is.
#[derive(Debug)]
pub struct Places {
    /// The first line.
    pub header: Rect,
    /// Two lines about queues and workers, in the small layout.
    pub strips: Option<Rect>,
    /// The panes that are seen.
    pub panes: Vec<(Pane, Rect)>,
    /// The line above the last.
    pub notice: Rect,
    /// The last line.
    pub footer: Rect,
    /// Whether this is the roomy layout.
    pub large: bool,
}

impl Places {
    /// The places in `area`.
    pub fn of(area: Rect, focus: Pane, tab: Pane, full: bool) -> Self {
        let large = Size::of(area.width, area.height) == Size::Large;
        let strips = (!large).then(|| line(area, 1, 2));
        let top = if large { 1 } else { 3 };
        let body = Rect::new(
            area.x,
            area.y + top.min(area.height),
            area.width,
            area.height.saturating_sub(top + 2),
        );
        let panes = match (full, large) {
            (true, _) => vec![(focus, body)],
            (false, true) => columns(body),
            (false, false) => side_by_side(body, focus, tab),
        };
        Self {
            header: line(area, 0, 1),
            strips,
            panes,
            notice: line(area, area.height.saturating_sub(2), 1),
            footer: line(area, area.height.saturating_sub(1), 1),
            large,
        }
    }

    fn pane(&self, pane: Pane) -> Option<Rect> {
        let found = self.panes.iter().find(|(shown, _)| *shown == pane);
        found.map(|(_, place)| *place)
    }
}

fn line(area: Rect, from: u16, rows: u16) -> Rect {
    Rect::new(area.x, area.y.saturating_add(from), area.width, rows).intersection(area)
}

fn side_by_side(body: Rect, focus: Pane, tab: Pane) -> Vec<(Pane, Rect)> {
    match focus {
        Pane::Queues | Pane::Workers => vec![(focus, body)],
        Pane::Tasks if body.width < NARROW => vec![(Pane::Tasks, body)],
        _ if body.width < NARROW => vec![(tab, body)],
        _ => {
            let [left, right] = split_width(body, TASKS);
            vec![(Pane::Tasks, left), (tab, right)]
        }
    }
}

fn columns(body: Rect) -> Vec<(Pane, Rect)> {
    let [left, rest] = split_width(body, LEFT);
    let [middle, right] = split_width(rest, rest.width.saturating_sub(RIGHT));
    let [call, rest] = split_height(middle, CALL);
    let history = if body.height < 45 { 8 } else { 10 };
    let [result, history] = split_height(rest, rest.height.saturating_sub(history));
    let [queues, workers] = split_height(right, right.height / 2 - 2);
    vec![
        (Pane::Tasks, left),
        (Pane::Call, call),
        (Pane::Result, result),
        (Pane::History, history),
        (Pane::Queues, queues),
        (Pane::Workers, workers),
    ]
}

fn split_width(area: Rect, left: u16) -> [Rect; 2] {
    Layout::horizontal([Constraint::Max(left), Constraint::Fill(1)]).areas(area)
}

fn split_height(area: Rect, top: u16) -> [Rect; 2] {
    Layout::vertical([Constraint::Max(top), Constraint::Fill(1)]).areas(area)
}

/// Columns and rows inside the frame of a pane, also of one that is not seen just now.
pub fn inner(state: &State, pane: Pane) -> (u16, u16) {
    let area = Rect::new(0, 0, state.size.0, state.size.1);
    let places = Places::of(area, state.focus, state.tab, state.full);
    let place = places.pane(pane).or_else(|| {
        let tab = if pane.is_tab() { pane } else { state.tab };
        Places::of(area, pane, tab, state.full).pane(pane)
    });
    let place = place.unwrap_or_default();
    (
        place.width.saturating_sub(2),
        place.height.saturating_sub(2),
    )
}

/// Whether a pane is on the screen.
pub fn sees(state: &State, pane: Pane) -> bool {
    let area = Rect::new(0, 0, state.size.0, state.size.1);
    let places = Places::of(area, state.focus, state.tab, state.full);
    places.pane(pane).is_some()
}

/// Rows of the list of a pane.
pub fn rows(state: &State, pane: Pane) -> usize {
    let (_, height) = inner(state, pane);
    let large = Size::of(state.size.0, state.size.1) == Size::Large;
    match pane {
        Pane::Tasks => usize::from(tasks::view::list_height(height, large)),
        Pane::History => {
            let failed = matches!(state.shared.keeping, Keeping::Failed(_));
            history::list_height(height, state.history.filtering(), failed)
        }
        Pane::Queues => queues::list_height(height),
        Pane::Workers => workers::list_height(height),
        Pane::Call | Pane::Result => usize::from(height),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_as_ruled() {
        assert_eq!(Size::of(59, 30), Size::Tiny);
        assert_eq!(Size::of(60, 15), Size::Tiny);
        assert_eq!(Size::of(60, 16), Size::Small);
        assert_eq!(Size::of(149, 60), Size::Small);
        assert_eq!(Size::of(150, 39), Size::Small);
        assert_eq!(Size::of(150, 40), Size::Large);
    }

    #[test]
    fn panes_fill_the_body_and_do_not_overlap() {
        for (width, height) in [
            (60, 16),
            (76, 20),
            (80, 24),
            (149, 60),
            (150, 40),
            (160, 48),
            (300, 120),
        ] {
            for focus in Pane::ALL {
                let area = Rect::new(0, 0, width, height);
                let places = Places::of(area, focus, Pane::Call, false);
                let strips = if places.large { 0 } else { 2 };
                let body = u32::from(width) * u32::from(height - 3 - strips);
                let seen: u32 = places.panes.iter().map(|(_, place)| place.area()).sum();
                assert_eq!(seen, body, "{width}x{height} {focus}");
            }
        }
    }
}
