//! The bottom of the screen: the notice line, and the mode word with the keys that matter now.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::overlays;
use crate::clock::Now;
use crate::text::width::{cells, cut};
use crate::tui::keymap::{self, Action, Context, Mode};
use crate::tui::panes::{key, remote};
use crate::tui::state::{NoticeKind, Overlay, State};
use crate::tui::theme::Role;

/// The newest notice; without one, why nothing can be sent.
pub fn notice(state: &State, area: Rect, buf: &mut Buffer, now: Now) {
    let theme = state.shared.theme;
    let width = usize::from(area.width);
    let Some((notice, more)) = state.notices.shown(now) else {
        if let Some(reason) = state
            .shared
            .cannot_send()
            .filter(|_| state.shared.links.any_down())
        {
            let text = cut(
                &format!(" {}", remote(&reason)),
                width,
                theme.glyphs().ellipsis,
            );
            buf.set_stringn(area.x, area.y, &text, width, theme.style(Role::Warn));
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
        _ => keymap::footer(context, room),
    };
    for (key, word) in hints {
        spans.push(theme.span(Role::Accent, key));
        spans.push(theme.span(Role::Dim, format!(" {word}  ")));
    }
    buf.set_line(area.x, area.y, &Line::from(spans), area.width);
}
