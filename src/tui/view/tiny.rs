//! A window too small for panes: the size that is needed, the call that is looked at, one line of health. Keys still work.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::call::{Call, LONGEST_WAIT};
use crate::clock::Now;
use crate::text::human::{countdown, short_count};
use crate::text::width::cut;
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::result::countdown::limit;
use crate::tui::panes::{key, remote, role};
use crate::tui::state::State;
use crate::tui::theme::Role;

/// Draws the screen.
pub fn view(state: &State, area: Rect, buf: &mut Buffer, now: Now) {
    let theme = state.shared.theme;
    let mut lines = vec![(
        Role::Fg,
        format!("umbel needs 60x16, this is {}x{}.", area.width, area.height),
    )];
    let waited = state.shared.calls.waiting().next();
    let call = waited.or_else(|| state.result.shown(&state.shared));
    if let Some(call) = call {
        lines.push((Role::Fg, String::new()));
        lines.extend(about(call, now));
    }
    if state.shared.connected {
        lines.push((Role::Fg, String::new()));
        lines.push((Role::Fg, health(state)));
    }
    lines.push((Role::Fg, String::new()));
    lines.extend(advice(waited.is_some()));
    if let Some((notice, _)) = state.notices.shown(now) {
        lines.push((Role::Warn, remote(&notice.text)));
    }
    let width = usize::from(area.width);
    for (y, (role, text)) in (area.y..area.bottom()).zip(lines) {
        let text = cut(&text, width, theme.glyphs().ellipsis);
        buf.set_stringn(area.x, y, &text, width, theme.style(role));
    }
}

/// `RUN  shop.orders.refund`, `3.2s of 10s   6.8s left`.
fn about(call: &Call, now: Now) -> Vec<(Role, String)> {
    let state = call.state();
    let name = remote(call.signature.task.as_str());
    let mut lines = vec![(role(state), format!("{}  {name}", state.word()))];
    if let (Some(elapsed), Some(left)) = (call.elapsed(now), call.left(now)) {
        let whole = limit(call.timeout);
        let elapsed = countdown(elapsed);
        let text = match call.timeout {
            LONGEST_WAIT => format!("     {elapsed}  {whole}"),
            _ => format!("     {elapsed} of {whole}   {} left", countdown(left)),
        };
        lines.push((Role::Fg, text));
    }
    lines
}

/// `broker up  workers 5  reports 3.4k`.
fn health(state: &State) -> String {
    let shared = &state.shared;
    let broker = shared.links.broker.word().text();
    let workers = if shared.links.broker.is_up() {
        shared.cluster.answering().count().to_string()
    } else {
        "?".to_owned()
    };
    let worst = shared.cluster.queues_by_trouble().into_iter().next();
    let worst = worst.map(|queue| {
        let ready = queue.ready.map_or_else(|| "?".to_owned(), short_count);
        format!("  {} {ready}", remote(queue.name.as_str()))
    });
    format!(
        "broker {broker}  workers {workers}{}",
        worst.unwrap_or_default()
    )
}

fn advice(running: bool) -> Vec<(Role, String)> {
    let quit = key(Context::Tasks, Action::Quit);
    let stop = key(Context::Running, Action::Interrupt);
    if running {
        return vec![
            (
                Role::Dim,
                "The call goes on. Make the window larger, or".to_owned(),
            ),
            (Role::Dim, format!("{stop} stops waiting.   {quit} quits.")),
        ];
    }
    vec![(
        Role::Dim,
        format!("Make the window larger.   {quit} quits."),
    )]
}
