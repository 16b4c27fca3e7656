//! How the state looks. Pure: a function of the state and the time.

pub mod foot;
pub mod head;
pub mod layout;
pub mod overlays;
pub mod tiny;
pub mod welcome;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::panes::{Pane, Scene, call, hint, history, queues, result, table, tasks, workers};
use super::recall;
use super::state::State;
use super::theme::Role;
use super::widgets::{self, spinner};
use crate::clock::Now;
use layout::{Places, Size};

/// Draws the whole screen; total for every size. The hardware cursor is where something is typed, else it is hidden.
pub fn view(frame: &mut Frame, state: &State, now: Now) {
    let area = frame.area();
    if let Some(caret) = draw(state, area, frame.buffer_mut(), now) {
        frame.set_cursor_position(caret);
    }
}

fn draw(state: &State, area: Rect, buf: &mut Buffer, now: Now) -> Option<Position> {
    let caret = match Size::of(area.width, area.height) {
        Size::Tiny => {
            tiny::view(state, area, buf, now);
            None
        }
        _ if !state.shared.connected => {
            welcome::view(state, area, buf, now);
            None
        }
        _ => panes(state, area, buf, now),
    };
    let caret = if state.recall.is_open() {
        recall::view::view(&state.recall, area, buf, &over(state, now))
    } else {
        caret
    };
    overlays::view(state, area, buf);
    caret.filter(|_| state.overlay.is_none())
}

/// What the recall popup is drawn with.
fn over(state: &State, now: Now) -> recall::view::Scene<'_> {
    recall::view::Scene {
        shared: &state.shared,
        forms: &state.call,
        now,
    }
}

fn panes(state: &State, area: Rect, buf: &mut Buffer, now: Now) -> Option<Position> {
    let places = Places::of(area, state.focus, state.tab, state.full);
    head::header(state, places.header, buf, now);
    if let Some(strips) = places.strips {
        head::strips(state, strips, buf, now);
    }
    let mut caret = None;
    for (pane, place) in &places.panes {
        let drawn = pane_at(state, *pane, *place, buf, (now, places.large));
        caret = caret.or(drawn);
    }
    foot::notice(state, places.notice, buf, now);
    foot::footer(state, places.footer, buf);
    caret
}

/// One pane with its frame. Returns the caret, if it is there.
fn pane_at(
    state: &State,
    pane: Pane,
    area: Rect,
    buf: &mut Buffer,
    (now, large): (Now, bool),
) -> Option<Position> {
    let scene = Scene {
        shared: &state.shared,
        now,
        focused: state.focus == pane && state.overlay.is_none() && !state.recall.is_open(),
        large,
    };
    let inner = framed(state, pane, area, buf, &scene);
    match pane {
        Pane::Tasks => return tasks::view::view(&state.tasks, inner, buf, &scene),
        Pane::Call => return call::view::view(&state.call, inner, buf, &scene),
        Pane::Result => result::view::view(&state.result, inner, buf, &scene),
        Pane::History => return history::view::view(&state.history, inner, buf, &scene),
        Pane::Queues => {
            let room = queues_room(state, inner, buf, &scene);
            queues::view(&state.queues, room, buf, &scene);
        }
        Pane::Workers => workers::view(&state.workers, inner, buf, &scene),
    }
    None
}

/// In the roomy layout the banner of a lost link takes the top two rows of Queues.
fn queues_room(state: &State, inner: Rect, buf: &mut Buffer, scene: &Scene<'_>) -> Rect {
    let rows = inner.height.min(2);
    let banner = Rect::new(inner.x, inner.y, inner.width, rows);
    if !scene.large || state.full || !head::banner(state, banner, buf, scene.now) {
        return inner;
    }
    Rect::new(inner.x, inner.y + rows, inner.width, inner.height - rows)
}

fn framed(state: &State, pane: Pane, area: Rect, buf: &mut Buffer, scene: &Scene<'_>) -> Rect {
    let alone = scene.large || state.full || !pane.is_tab();
    let mut frame = if alone {
        widgets::Pane::titled(pane.title())
    } else {
        let tabs = [Pane::Call, Pane::Result, Pane::History];
        let chosen = tabs.iter().position(|tab| *tab == pane).unwrap_or(0);
        widgets::Pane::tabbed(tabs.map(Pane::title), chosen)
    };
    if let Some((role, text)) = right(state, pane, scene) {
        frame = frame.right(role, text);
    }
    let width = usize::from(area.width.saturating_sub(6));
    let frame = frame
        .hint(below(state, pane, width, scene))
        .focused(scene.focused);
    frame.render(area, buf, state.shared.theme)
}

/// The word at the right of a title.
fn right(state: &State, pane: Pane, scene: &Scene<'_>) -> Option<(Role, String)> {
    match pane {
        Pane::Tasks => Some(tasks::view::right(&state.tasks, scene)),
        Pane::Call => call::view::right(&state.call, scene),
        Pane::Result => spinning(state, scene),
        Pane::History => Some(history::right(&state.history, scene)),
        Pane::Queues | Pane::Workers => Some(table::right(scene)),
    }
}

/// A spinner while the call that Result shows is waited for.
fn spinning(state: &State, scene: &Scene<'_>) -> Option<(Role, String)> {
    let call = state.result.shown(&state.shared)?;
    if state.shared.calls.visits(call) {
        return None;
    }
    let elapsed = scene.now.mono.since(call.timeline.created.mono);
    let spin = spinner(elapsed, scene.theme()).to_owned();
    call.state().is_waiting().then_some((Role::Run, spin))
}

/// What stands in the bottom of a frame.
fn below(state: &State, pane: Pane, width: usize, scene: &Scene<'_>) -> String {
    use crate::tui::keymap::Context;
    match pane {
        Pane::Tasks => hint(Context::Tasks, width),
        Pane::Call => call::view::place(&state.call).unwrap_or_default(),
        Pane::Result => {
            let shown = state.result.shown(&state.shared);
            let visits = shown.is_some_and(|call| state.shared.calls.visits(call));
            match shown.map(|call| (call.state().is_waiting(), call.whereabouts())) {
                Some((_, Some(_))) if visits => "as written down; ] timeline".to_owned(),
                Some((true, _)) => "live".to_owned(),
                Some((false, Some(_))) => "] timeline, diagnosis".to_owned(),
                _ => String::new(),
            }
        }
        Pane::History if scene.large => hint(Context::History, width / 2),
        Pane::History => hint(Context::History, width / 2),
        Pane::Queues => hint(Context::Queues, width / 2),
        Pane::Workers => hint(Context::Workers, width / 2),
    }
}
