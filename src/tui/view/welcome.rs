//! The Welcome screen: static, shown when no broker is named. Contacts nothing.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::foot;
use super::layout::Places;
use crate::clock::Now;
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::{Pane, key};
use crate::tui::state::State;
use crate::tui::theme::Role;
use crate::tui::widgets;

/// Draws the screen.
pub fn view(state: &State, area: Rect, buf: &mut Buffer, now: Now) {
    let theme = state.shared.theme;
    let places = Places::of(area, Pane::Tasks, Pane::Call, true);
    let name = concat!(" umbel ", env!("CARGO_PKG_VERSION"));
    buf.set_stringn(
        area.x,
        area.y,
        name,
        usize::from(area.width),
        theme.style(Role::Accent),
    );
    let body = Rect::new(
        area.x,
        area.y + 1,
        area.width,
        area.height.saturating_sub(3),
    );
    let inner = widgets::Pane::titled("Welcome")
        .focused(true)
        .render(body, buf, theme);
    let quit = key(Context::Welcome, Action::Quit);
    let lines = [
        (
            Role::Fg,
            "umbel calls Celery tasks and shows what your workers are doing.".to_owned(),
        ),
        (
            Role::Fg,
            "It needs one thing: where your broker is.".to_owned(),
        ),
        (
            Role::Accent,
            "  umbel --broker amqp://user:password@host:5672//  or CELERY_BROKER_URL".to_owned(),
        ),
        (
            Role::Accent,
            "  umbel --demo  for a pretend cluster: no broker, no network".to_owned(),
        ),
        (Role::Dim, format!("{quit} quits.")),
    ];
    let lines = lines.map(|(role, text)| Line::from(theme.span(role, text)));
    for (y, line) in (inner.y + 1.min(inner.height)..inner.bottom()).zip(&lines) {
        buf.set_line(inner.x + 1, y, line, inner.width.saturating_sub(1));
    }
    foot::notice(state, places.notice, buf, now);
    foot::footer(state, places.footer, buf);
}
