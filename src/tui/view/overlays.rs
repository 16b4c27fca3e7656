//! What lies over the panes: help, differences, and the two questions. Says of a revoke what it really does.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::backend::Results;
use crate::call::{Call, CallState};
use crate::protocol::TaskName;
use crate::text::width::wrap;
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::{key, last_part, remote};
use crate::tui::popups::{Confirm, confirm};
use crate::tui::state::{Overlay, Shared, State};
use crate::tui::theme::Role;
use crate::tui::widgets::{Pane, center, overlay};

/// Cells inside the question whether to leave.
const WIDTH: u16 = 64;

/// Draws what lies over the panes.
pub fn view(state: &State, area: Rect, buf: &mut Buffer) {
    let theme = state.shared.theme;
    match &state.overlay {
        Some(Overlay::Help(help)) => help.render(area, buf, theme),
        Some(Overlay::Diff(diff)) => diff.render(area, buf, theme),
        Some(Overlay::Revoke { key, hasty, .. }) => {
            if let Some(call) = state.shared.calls.find(key) {
                let asked = Confirm {
                    hasty: *hasty,
                    ..revoke(call, &state.shared)
                };
                asked.render(area, buf, theme);
            }
        }
        Some(Overlay::Quit { hasty, .. }) => quit(state, *hasty, area, buf),
        None => {}
    }
}

/// What a revoke does depends on whether the task has started.
fn revoke(call: &Call, shared: &Shared) -> Confirm {
    let task = remote(call.signature.task.as_str());
    let python = shared.python(&task, call, 300);
    let state = call.whereabouts().map_or("?", CallState::word);
    let worker = call.worker.as_ref();
    let at = worker.map(|worker| format!(" on {}", remote(worker.as_str())));
    let then = shared.calls.visits(call);
    let heard = if then { ", when last heard of" } else { "" };
    let does = match call.whereabouts() {
        Some(CallState::Run) if then => {
            "It ran then: if it still does, it will go on. A revoke without terminate does nothing to a started task; only a retry of it will not run."
        }
        Some(CallState::Run) => {
            "started: it will go on. A revoke without terminate does nothing to a started task; only a retry of it will not run."
        }
        Some(CallState::Recv) => "The worker that holds it drops it unstarted.",
        Some(CallState::Retry) => "Its next retry will not run.",
        _ => {
            "The worker that gets it drops it unstarted; if it has started meanwhile, it will go on."
        }
    };
    Confirm {
        title: format!("Revoke {task} ?"),
        facts: vec![
            ("call", remote(&python)),
            ("id", remote(call.id().as_str())),
            ("state", format!("{state}{}{heard}", at.unwrap_or_default())),
            (
                "tells",
                format!("all workers at {}", remote(&shared.target.broker)),
            ),
            ("revoke", does.to_owned()),
            ("kill", kills(call, shared).to_owned()),
        ],
        warning: "Neither can be undone.".to_owned(),
        yes: "revoke it",
        other: Some((Action::Terminate, "kill it too")),
        hasty: false,
    }
}

/// What a revoke with terminate does beside that: it depends on the pool of the worker that runs it.
fn kills(call: &Call, shared: &Shared) -> &'static str {
    let worker = call.worker.as_ref();
    let worker = worker.and_then(|name| shared.cluster.workers.get(name));
    let pool = worker.and_then(|worker| worker.stats.as_ref()?.pool.as_deref());
    match pool {
        Some(pool) if pool.contains("thread") => {
            "does not work here: its worker runs tasks in threads, which cannot be killed."
        }
        Some(pool) if pool.contains("solo") => {
            "does not work here: a solo worker hears it only when its task has ended."
        }
        _ => match call.whereabouts() {
            Some(CallState::Run) if !shared.calls.visits(call) => {
                "The same, and the process that runs it gets SIGTERM. When that arrives it may run another task, which is killed instead."
            }
            Some(CallState::Recv | CallState::Retry) => {
                "The same while it waits: no process is killed. Has it started meanwhile, the process that runs it gets SIGTERM."
            }
            _ => {
                "The same, and if it runs, its process gets SIGTERM. When that arrives it may run another task, which is killed instead."
            }
        },
    }
}

/// `2 calls have no result yet. What runs goes on at the workers; ...  [q] quit  [Esc] stay`.
fn quit(state: &State, hasty: bool, area: Rect, buf: &mut Buffer) {
    let theme = state.shared.theme;
    let [(quit, _), (stay, _)] = quit_keys();
    let width = (WIDTH + 4).min(area.width);
    let mut lines = vec![String::new()];
    let room = usize::from(width.saturating_sub(4)).max(1);
    let said = [in_the_air(&state.shared), unsent(&state.call.unsent())];
    for text in said.iter().flatten() {
        lines.extend(wrap(text, room));
    }
    let hasty = if hasty { confirm::TOO_SOON } else { "" };
    lines.extend([hasty.to_owned(), format!("[{quit}] quit   [{stay}] stay")]);
    let height = u16::try_from(lines.len() + 3).unwrap_or(u16::MAX);
    let frame = center(area, width, height);
    overlay(frame, buf);
    let inner = Pane::titled("Quit ?")
        .focused(true)
        .role(Role::Warn)
        .render(frame, buf, theme);
    for (y, line) in (inner.y..inner.bottom()).zip(&lines) {
        let room = usize::from(inner.width.saturating_sub(1));
        buf.set_stringn(inner.x + 1, y, line, room, theme.style(Role::Fg));
    }
}

fn in_the_air(shared: &Shared) -> Option<String> {
    let run = match shared.calls.in_the_air() {
        0 => return None,
        1 => "1 call has no result yet. If it runs, it goes on at its worker".to_owned(),
        count => format!("{count} calls have no result yet. What runs goes on at the workers"),
    };
    let results = match shared.results {
        Results::Rpc => "; rpc results die with this program.",
        Results::Stored(_) => "; results are kept by the backend.",
        _ => ".",
    };
    Some(format!("{run}{results}"))
}

fn unsent(forms: &[&TaskName]) -> Option<String> {
    let first = remote(last_part(forms.first()?.as_str()));
    Some(match forms.len() {
        1 => format!("The form of {first} holds what was not sent. It is lost when you quit."),
        count => format!(
            "{count} forms ({first}, ...) hold what was not sent. It is lost when you quit."
        ),
    })
}

/// The keys of the question whether to leave.
pub fn quit_keys() -> [(String, &'static str); 2] {
    let quit = key(Context::Welcome, Action::Quit);
    [
        (quit, "quit"),
        (key(Context::Confirm, Action::Back), "stay"),
    ]
}
