//! Sparklines and spinners: text of a fixed width out of numbers and time.

use std::time::Duration;

use crate::tui::theme::Theme;

/// How long one frame of the spinner stands.
const FRAME: Duration = Duration::from_millis(100);

/// The last `width` samples (oldest first) as bars from zero to the largest; exactly `width` cells, blank where there is no sample yet.
/// Zeros are lowest, and a constant above zero stands in the middle.
pub fn spark(samples: impl IntoIterator<Item = u64>, width: usize, theme: Theme) -> String {
    let samples: Vec<u64> = samples.into_iter().collect();
    let samples = &samples[samples.len().saturating_sub(width)..];
    let levels = theme.glyphs().spark;
    let (least, most) = samples.iter().fold((u64::MAX, 0), |(least, most), sample| {
        (least.min(*sample), most.max(*sample))
    });
    let mut text = " ".repeat(width - samples.len());
    for sample in samples {
        let level = if least == most && most > 0 && samples.len() > 1 {
            levels.len() / 2 - 1
        } else {
            level(*sample, most, levels.len())
        };
        text.push_str(levels[level]);
    }
    text
}

fn level(sample: u64, most: u64, levels: usize) -> usize {
    let top = u128::try_from(levels.saturating_sub(1)).unwrap_or_default();
    let scaled = (u128::from(sample) * top).div_ceil(u128::from(most.max(1)));
    usize::try_from(scaled.min(top)).unwrap_or_default()
}

/// The frame of the spinner at this moment of its life; one cell.
pub fn spinner(elapsed: Duration, theme: Theme) -> &'static str {
    let frames = theme.glyphs().spinner;
    let index = elapsed.as_millis() / FRAME.as_millis();
    let index = usize::try_from(index).unwrap_or_default();
    frames[index % frames.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tui::theme::{Glyphs, Look};

    #[test]
    fn bars_go_from_zero_to_the_largest() {
        let theme = Theme::default();
        assert_eq!(spark([0, 1, 2, 3, 4, 5, 6, 7], 8, theme), "▁▂▃▄▅▆▇█");
        assert_eq!(spark([0, 0, 0], 5, theme), "  ▁▁▁");
        assert_eq!(spark([4, 4, 4], 3, theme), "▄▄▄");
        assert_eq!(spark([9, 9, 0, 0, 0, 7], 4, theme), "▁▁▁█");
        assert_eq!(spark([0, u64::MAX], 2, theme), "▁█");
    }

    #[test]
    fn the_ascii_set_has_four_levels() {
        let look = Look {
            glyphs: Glyphs::Ascii,
            ..Look::default()
        };
        assert_eq!(spark([0, 1, 2, 3], 4, Theme::new(look)), ".:!#");
    }

    #[test]
    fn anything_above_zero_is_seen() {
        assert_eq!(spark([0, 1, 1_000_000], 3, Theme::default()), "▁▂█");
    }

    #[test]
    fn the_spinner_turns_with_time() {
        let at = |ms| spinner(Duration::from_millis(ms), Theme::default());
        assert_eq!((at(0), at(99), at(100), at(1_000)), ("⠋", "⠋", "⠙", "⠋"));
    }

    proptest! {
        #[test]
        fn a_sparkline_is_exactly_as_wide_as_asked(samples: Vec<u64>, width in 0usize..300) {
            let text = spark(samples, width, Theme::default());
            prop_assert_eq!(crate::text::width::cells(&text), width);
        }
    }
}
