//! The glyph sets: what frames, bars, markers and spinners are drawn with. Our own text takes `·`, `…` and `│` from here too,
//! since all three may be two cells wide on an East Asian terminal. Never an emoji, never a wide character.

use super::Glyphs;

/// The eight pieces of a frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// Horizontal line.
    pub horizontal: &'static str,
    /// Vertical line.
    pub vertical: &'static str,
    /// Upper left corner.
    pub top_left: &'static str,
    /// Upper right corner.
    pub top_right: &'static str,
    /// Lower left corner.
    pub bottom_left: &'static str,
    /// Lower right corner.
    pub bottom_right: &'static str,
}

/// A glyph set. Every entry is one cell wide.
#[derive(Debug, PartialEq, Eq)]
pub struct GlyphSet {
    /// Frame of a pane without the focus.
    pub light: Frame,
    /// Frame of the pane with the focus.
    pub heavy: Frame,
    /// Ends text that was cut.
    pub ellipsis: &'static str,
    /// Between facts on one line (` · `).
    pub dot: &'static str,
    /// Between tabs.
    pub bar: &'static str,
    /// Stands for a character that is not to be seen.
    pub veil: &'static str,
    /// Horizontal rule inside a pane.
    pub rule: &'static str,
    /// Marks the selected row, and steps of a timeline.
    pub marker: &'static str,
    /// In front of an open node.
    pub open: &'static str,
    /// In front of a folded node.
    pub folded: &'static str,
    /// Levels of a sparkline, lowest first.
    pub spark: &'static [&'static str],
    /// Frames of the spinner.
    pub spinner: &'static [&'static str],
}

/// The glyphs of a set.
pub fn of(glyphs: Glyphs) -> &'static GlyphSet {
    match glyphs {
        Glyphs::Unicode => &UNICODE,
        Glyphs::Ascii => &ASCII,
    }
}

static UNICODE: GlyphSet = GlyphSet {
    light: Frame {
        horizontal: "─",
        vertical: "│",
        top_left: "┌",
        top_right: "┐",
        bottom_left: "└",
        bottom_right: "┘",
    },
    heavy: Frame {
        horizontal: "━",
        vertical: "┃",
        top_left: "┏",
        top_right: "┓",
        bottom_left: "┗",
        bottom_right: "┛",
    },
    ellipsis: "…",
    dot: "·",
    bar: "│",
    veil: "•",
    rule: "-",
    marker: "▸",
    open: "▾",
    folded: "▸",
    spark: &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    spinner: &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"],
};

static ASCII: GlyphSet = GlyphSet {
    light: Frame {
        horizontal: "-",
        vertical: "|",
        top_left: "+",
        top_right: "+",
        bottom_left: "+",
        bottom_right: "+",
    },
    heavy: Frame {
        horizontal: "=",
        vertical: "#",
        top_left: "#",
        top_right: "#",
        bottom_left: "#",
        bottom_right: "#",
    },
    ellipsis: "~",
    dot: "-",
    bar: "|",
    veil: "*",
    rule: "-",
    marker: ">",
    open: "v",
    folded: ">",
    spark: &[".", ":", "!", "#"],
    spinner: &["|", "/", "-", "\\"],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::width::cells;

    fn all(set: &GlyphSet) -> Vec<&'static str> {
        let mut all = Vec::new();
        for frame in [&set.light, &set.heavy] {
            all.extend([frame.horizontal, frame.vertical, frame.top_left]);
            all.extend([frame.top_right, frame.bottom_left, frame.bottom_right]);
        }
        all.extend([set.ellipsis, set.dot, set.bar, set.rule, set.marker]);
        all.extend([set.open, set.folded, set.veil]);
        all.extend(set.spark.iter().chain(set.spinner));
        all
    }

    #[test]
    fn every_glyph_is_one_cell_wide() {
        for glyph in all(&UNICODE).into_iter().chain(all(&ASCII)) {
            assert_eq!(cells(glyph), 1, "{glyph}");
        }
    }

    #[test]
    fn the_ascii_set_is_ascii() {
        assert!(all(&ASCII).into_iter().all(str::is_ascii));
    }
}
