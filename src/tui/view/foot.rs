//! The bottom of the screen: the notice line, and the mode word with the keys that matter now.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::layout::{self, Size};
use super::overlays;
use crate::clock::Now;
use crate::text::width::{cells, cut, cut_middle};
use crate::tui::keymap::{self, Action, Context, Mode};
use crate::tui::panes::{Pane, Scene, key, remote, tasks};
use crate::tui::state::{NoticeKind, Overlay, State};
use crate::tui::theme::Role;

/// The newest notice; without one, why nothing can be sent, else what is cut of the row under the cursor.
pub fn notice(state: &State, area: Rect, buf: &mut Buffer, now: Now) {
    let theme = state.shared.theme;
    let width = usize::from(area.width);
    let Some((notice, more)) = state.notices.shown(now) else {
        if let Some((role, text)) = standing(state, now) {
            let room = width.saturating_sub(1);
            let text = cut_middle(&text, room, theme.glyphs().ellipsis);
            buf.set_stringn(area.x, area.y, format!(" {text}"), width, theme.style(role));
        }
        return;
    };
    let open = key(Context::Tasks, Action::OpenNotice);
    let (role, lead) = match notice.kind {
        NoticeKind::Done => (Role::Fg, String::new()),
        NoticeKind::Problem => (Role::Warn, format!("{open} ")),
        NoticeKind::Late => (Role::Late, format!("{open} ")),
    };
    let stays = notice.kind != NoticeKind::Done;
    let opens = match (&notice.call, stays) {
        (Some(_), true) => format!("   {open} opens it"),
        (None, true) => format!("   {open} seen"),
        _ => String::new(),
    };
    let more = if more > 0 {
        format!("  +{more}")
    } else {
        String::new()
    };
    let tail = format!("{opens}{more}");
    let room = width.saturating_sub(cells(&tail));
    let text = cut(
        &format!(" {lead}{}", remote(&notice.text)),
        room,
        theme.glyphs().ellipsis,
    );
    let line = Line::from(vec![theme.span(role, text), theme.span(Role::Dim, tail)]);
    buf.set_line(area.x, area.y, &line, area.width);
}

/// What is said as long as nothing else is.
fn standing(state: &State, now: Now) -> Option<(Role, String)> {
    let reason = state.shared.cannot_send();
    if let Some(reason) = reason.filter(|_| state.shared.links.any_down()) {
        return Some((Role::Warn, remote(&reason)));
    }
    if state.focus != Pane::Tasks {
        return None;
    }
    let (width, _) = layout::inner(state, Pane::Tasks);
    let scene = Scene {
        shared: &state.shared,
        now,
        focused: true,
        large: Size::of(state.size.0, state.size.1) == Size::Large,
    };
    let name = tasks::view::cut_name(&state.tasks, usize::from(width), &scene)?;
    Some((Role::Dim, name))
}

/// `NAV  Enter open form  / filter  ? help`.
pub fn footer(state: &State, area: Rect, buf: &mut Buffer) {
    let theme = state.shared.theme;
    let context = state.context();
    let mode = context.mode();
    let word = mode.to_string();
    let role = match mode {
        Mode::Nav => Role::Accent,
        Mode::Edit | Mode::Filter => Role::Ok,
        Mode::Dialog => Role::Warn,
    };
    let width = usize::from(area.width);
    let room = width.saturating_sub(cells(&word) + 2);
    let mut spans = vec![theme.span(role, word), Span::raw("  ")];
    let hints = match state.overlay {
        Some(Overlay::Quit { .. }) => overlays::quit_keys().to_vec(),
        _ => keymap::footer(context, room, |action| state.offers(action)),
    };
    for (key, word) in hints {
        spans.push(theme.span(Role::Accent, key));
        spans.push(theme.span(Role::Dim, format!(" {word}  ")));
    }
    buf.set_line(area.x, area.y, &Line::from(spans), area.width);
}
