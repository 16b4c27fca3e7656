//! A bar that fills: `[####----]`, in the warn style from 80 % on.

use std::time::Duration;

use ratatui::text::Line;

use crate::tui::theme::{Role, Theme};

/// `done` of `whole` as a bar of exactly `width` cells.
pub fn bar(done: Duration, whole: Duration, width: usize, theme: Theme) -> Line<'static> {
    let inside = width.saturating_sub(2);
    let share = share(done, whole);
    let role = if share >= 0.8 { Role::Warn } else { Role::Run };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a screen's width, never negative"
    )]
    let full = ((share * inside as f64).round() as usize).min(inside);
    let text = match width {
        0 | 1 => " ".repeat(width),
        _ => format!("[{}{}]", "#".repeat(full), "-".repeat(inside - full)),
    };
    Line::from(theme.span(role, text))
}

/// Between 0 and 1; a whole of nothing is done.
fn share(done: Duration, whole: Duration) -> f64 {
    if whole.is_zero() {
        return 1.0;
    }
    (done.as_secs_f64() / whole.as_secs_f64()).min(1.0)
}
