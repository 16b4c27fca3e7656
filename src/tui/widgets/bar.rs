//! A bar that fills: `[####----]`, in the warn style from 80 % on.

use std::time::Duration;

use ratatui::text::Line;

use crate::tui::theme::{Role, Theme};

/// `done` of `whole` as a bar of exactly `width` cells; it warns towards its end.
pub fn bar(done: Duration, whole: Duration, width: usize, theme: Theme) -> Line<'static> {
    let share = share(done, whole);
    let role = if share >= 0.8 { Role::Warn } else { Role::Run };
    filled(share, role, width, theme)
}

/// A share between 0 and 1 as a bar of exactly `width` cells.
pub fn filled(share: f64, role: Role, width: usize, theme: Theme) -> Line<'static> {
    let inside = width.saturating_sub(2);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a screen's width, never negative"
    )]
    let full = ((share.clamp(0.0, 1.0) * inside as f64).round() as usize).min(inside);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(done: u64, whole: u64, width: usize) -> String {
        let seconds = Duration::from_secs;
        bar(seconds(done), seconds(whole), width, Theme::default()).to_string()
    }

    #[test]
    fn the_bar_fills_with_time() {
        assert_eq!(text(0, 10, 12), "[----------]");
        assert_eq!(text(3, 10, 12), "[###-------]");
        assert_eq!(text(10, 10, 12), "[##########]");
        assert_eq!(text(99, 10, 12), "[##########]");
        assert_eq!(text(1, 0, 4), "[##]");
    }

    #[test]
    fn the_bar_warns_from_80_percent_on() {
        let theme = Theme::default();
        let style = |done| {
            bar(
                Duration::from_millis(done),
                Duration::from_secs(10),
                9,
                theme,
            )
            .spans[0]
                .style
        };
        assert_eq!(style(7_999), theme.style(Role::Run));
        assert_eq!(style(8_000), theme.style(Role::Warn));
    }

    proptest! {
        #[test]
        fn the_bar_is_exactly_as_wide_as_asked(done: u64, whole: u64, width in 0usize..300) {
            prop_assert_eq!(text(done, whole, width).len(), width);
        }
    }
}
