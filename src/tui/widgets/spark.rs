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
