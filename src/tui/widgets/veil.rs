//! What is drawn in the place of text that is not to be seen.

use std::borrow::Cow;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// Covers parts of a text: each of their characters, as a reader counts them, is drawn as one glyph.
#[derive(Clone, Copy, Debug, Default)]
pub struct Veil<'a> {
    /// The parts, in bytes, in their order.
    pub parts: &'a [Range<usize>],
    /// One cell wide.
    pub glyph: &'a str,
}

impl Veil<'_> {
    /// What is seen of `text`, which begins at byte `from` of the text that the parts are of.
    pub fn over<'t>(&self, text: &'t str, from: usize) -> Cow<'t, str> {
        let to = from + text.len();
        let parts = self.parts.iter();
        let mut parts = parts
            .filter(|part| part.start < to && part.end > from)
            .peekable();
        if parts.peek().is_none() {
            return Cow::Borrowed(text);
        }
        let mut shown = String::with_capacity(text.len());
        for (at, cluster) in text.grapheme_indices(true) {
            let (start, end) = (from + at, from + at + cluster.len());
            while parts.next_if(|part| part.end <= start).is_some() {}
            let covered = parts.peek().is_some_and(|part| part.start < end);
            shown.push_str(if covered { self.glyph } else { cluster });
        }
        Cow::Owned(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_a_part_becomes_one_glyph() {
        let text = "pw=客e\u{301}👩‍👩‍👧; x=1";
        let end = text.find(';').unwrap();
        let part = 3..end;
        let veil = Veil {
            parts: std::slice::from_ref(&part),
            glyph: "•",
        };
        assert_eq!(veil.over(text, 0), "pw=•••; x=1");
        assert_eq!(veil.over(&text[3..], 3), "•••; x=1");
        assert_eq!(veil.over(&text[end..], end), "; x=1");
    }

    #[test]
    fn a_mark_that_joins_what_stands_before_a_part_is_covered_with_it() {
        let part = 3..5;
        let veil = Veil {
            parts: std::slice::from_ref(&part),
            glyph: "*",
        };
        assert_eq!(veil.over("pw=\u{301}", 0), "pw*");
    }
}
