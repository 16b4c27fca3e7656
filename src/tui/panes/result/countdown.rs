//! How long a call has been waited for, and how long it still is: a bar that fills, or that there is no limit.

use std::time::Duration;

use ratatui::text::{Line, Span};

use super::lines::Pen;
use crate::call::LONGEST_WAIT;
use crate::text::human::{countdown, duration};
use crate::text::width::{cells, pad};
use crate::tui::theme::Role;
use crate::tui::widgets::bar;

impl Pen<'_> {
    /// `3.2s of 10s ......... 6.8s left` and the bar.
    pub(super) fn countdown(&self) -> Vec<Line<'static>> {
        let whole = self.call.timeout;
        let (Some(elapsed), Some(left)) = (self.call.elapsed(self.now), self.call.left(self.now))
        else {
            let text = format!("   {}, from the broker's confirm", waits(whole, ""));
            return vec![self.line(Role::Dim, text), Line::default()];
        };
        if whole == LONGEST_WAIT {
            let text = format!("   {}  {}", countdown(elapsed), limit(whole));
            return vec![self.line(Role::Fg, text), Line::default()];
        }
        let role = if elapsed.as_secs_f64() >= 0.8 * whole.as_secs_f64() {
            Role::Warn
        } else {
            Role::Fg
        };
        let indent = 3;
        let inside = self.width.saturating_sub(2 * indent);
        let elapsed = elapsed.min(whole);
        let waited = format!("{} of {}", countdown(elapsed), duration(whole));
        let left = format!("{} left", countdown(left));
        let room = inside.saturating_sub(cells(&left));
        let text = format!("{}{left}", pad(&waited, room, ""));
        let mut bar = bar(elapsed, whole, inside, self.theme);
        bar.spans.insert(0, Span::raw(" ".repeat(indent)));
        vec![
            self.line(role, format!("{}{text}", " ".repeat(indent))),
            bar,
        ]
    }
}

/// `waits 10s in all`, `waits without limit (24h)`; `what` is waited for stands after the verb.
pub fn waits(whole: Duration, what: &str) -> String {
    match limit(whole).strip_prefix("no ") {
        Some(limit) => format!("waits{what} without {limit}"),
        None => format!("waits{what} {} in all", duration(whole)),
    }
}

/// How long is waited in all: `10s`, `no limit (24h)`.
pub fn limit(whole: Duration) -> String {
    if whole == LONGEST_WAIT {
        format!("no limit ({}h)", whole.as_secs() / 3600)
    } else {
        duration(whole)
    }
}
