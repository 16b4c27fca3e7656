//! Widths in terminal cells per grapheme cluster, by the same table the renderer uses.
//!
//! ratatui lays text out cluster by cluster, so a text is as wide as the sum of its clusters, whatever ligatures a font has.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Cells that `text` takes (no control characters in it: sanitise first).
pub fn cells(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.graphemes(true).map(cluster_cells).sum()
}

/// Cells of one grapheme cluster, as ratatui's `CellWidth` counts them.
fn cluster_cells(cluster: &str) -> usize {
    if cluster.len() == 1 {
        return 1;
    }
    // The width tables say 0 for half-width katakana sound marks, terminals draw a cell for each.
    let marks = cluster.matches(['\u{FF9E}', '\u{FF9F}']).count();
    cluster.width() + marks
}

/// The longest start of `text` of whole clusters in at most `max` cells, in bytes and cells.
fn fitting(text: &str, max: usize) -> (usize, usize) {
    let mut used = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        let width = cluster_cells(cluster);
        if used + width > max {
            return (at, used);
        }
        used += width;
    }
    (text.len(), used)
}

fn head(text: &str, max: usize) -> &str {
    let (end, _) = fitting(text, max);
    &text[..end]
}

/// `text` cut to at most `max` cells, ending in `ellipsis` when cut; never splits a cluster.
pub fn cut(text: &str, max: usize, ellipsis: &str) -> String {
    if fitting(text, max).0 == text.len() {
        return text.to_owned();
    }
    let end = head(ellipsis, max);
    let mut out = head(text, max - cells(end)).to_owned();
    out.push_str(end);
    out
}

/// What of `text` is shown in at most `max` cells when its middle gives way to `ellipsis`: where the start ends and where the end
/// starts, in bytes; both the length of `text` if it fits. The end gets more room: what tells names apart is there.
pub fn middle(text: &str, max: usize, ellipsis: &str) -> (usize, usize) {
    if fitting(text, max).0 == text.len() {
        return (text.len(), text.len());
    }
    let room = max.saturating_sub(cells(ellipsis));
    let (head, used) = fitting(text, room / 3);
    let mut starts = text.grapheme_indices(true).map(|(at, _)| at);
    let tail = starts.find(|at| *at >= head && cells(&text[*at..]) <= room - used);
    (head, tail.unwrap_or(text.len()))
}

/// `text` cut to at most `max` cells, with `ellipsis` in place of its middle when cut; never splits a cluster.
pub fn cut_middle(text: &str, max: usize, ellipsis: &str) -> String {
    let (head, tail) = middle(text, max, ellipsis);
    if head == text.len() || cells(ellipsis) > max {
        return cut(text, max, ellipsis);
    }
    format!("{}{ellipsis}{}", &text[..head], &text[tail..])
}

/// [`cut_middle`], then padded with spaces to exactly `width` cells; text at the left.
pub fn pad_middle(text: &str, width: usize, ellipsis: &str) -> String {
    let mut out = cut_middle(text, width, ellipsis);
    out.extend(blanks(&out, width));
    out
}

/// [`cut`], then padded with spaces to exactly `width` cells; text at the left.
pub fn pad(text: &str, width: usize, ellipsis: &str) -> String {
    let mut out = cut(text, width, ellipsis);
    out.extend(blanks(&out, width));
    out
}

/// [`cut`], then padded with spaces to exactly `width` cells; text at the right.
pub fn pad_left(text: &str, width: usize, ellipsis: &str) -> String {
    let text = cut(text, width, ellipsis);
    let mut out: String = blanks(&text, width).collect();
    out.push_str(&text);
    out
}

fn blanks(text: &str, width: usize) -> impl Iterator<Item = char> + use<> {
    std::iter::repeat_n(' ', width.saturating_sub(cells(text)))
}

/// `text` broken into lines of at most `max` cells, at spaces where there are any, else between clusters. An empty text is one empty line.
pub fn wrap(text: &str, max: usize) -> Vec<String> {
    let max = max.max(1);
    text.split('\n')
        .flat_map(|line| Wrap {
            rest: Some(line),
            max,
        })
        .collect()
}

/// The lines that one line becomes.
struct Wrap<'a> {
    rest: Option<&'a str>,
    max: usize,
}

impl Iterator for Wrap<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let rest = self.rest.take()?;
        let (end, _) = fitting(rest, self.max);
        if end == rest.len() {
            return Some(rest.to_owned());
        }
        let (line, next) = break_at(rest, end);
        self.rest = (!next.is_empty()).then_some(next);
        Some(line)
    }
}

/// Splits `text`, of which `end` bytes fit, at the last space that has a word before it, else at `end`.
fn break_at(text: &str, end: usize) -> (String, &str) {
    let (fits, over) = text.split_at(end);
    if over.graphemes(true).next() == Some(" ") {
        return (trimmed(fits), skip_spaces(over));
    }
    let gap = fits
        .grapheme_indices(true)
        .rfind(|(_, cluster)| *cluster == " ");
    if let Some((at, _)) = gap
        && fits[..at].contains(|char| char != ' ')
    {
        return (trimmed(&fits[..at]), skip_spaces(&text[at..]));
    }
    if fits.is_empty() {
        // Not even one cluster fits: it leaves a blank.
        let wide = over.graphemes(true).next().map_or(0, str::len);
        return (" ".to_owned(), &over[wide..]);
    }
    (fits.to_owned(), over)
}

fn trimmed(text: &str) -> String {
    text.trim_end_matches(' ').to_owned()
}

/// A space that carries a combining mark is a cluster of its own kind and stays.
fn skip_spaces(text: &str) -> &str {
    let word = text
        .grapheme_indices(true)
        .find(|(_, cluster)| *cluster != " ");
    word.map_or("", |(at, _)| &text[at..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ratatui::buffer::CellWidth;
    use rstest::rstest;

    #[rstest]
    #[case("", 0)]
    #[case("abc", 3)]
    #[case("不鏽鋼保溫瓶", 12)]
    #[case("ｶﾞ", 2)]
    #[case("e\u{301}", 1)]
    #[case("\u{1112}\u{1161}\u{11ab}", 2)]
    #[case("👩‍🔬", 2)]
    #[case("🇹🇼", 2)]
    #[case("…", 1)]
    fn cells_are_counted_per_cluster(#[case] text: &str, #[case] expected: usize) {
        assert_eq!(cells(text), expected);
    }

    #[rstest]
    #[case("refund", 6, "refund")]
    #[case("refund", 5, "refu…")]
    #[case("refund", 1, "…")]
    #[case("refund", 0, "")]
    #[case("不鏽鋼", 6, "不鏽鋼")]
    #[case("不鏽鋼", 5, "不鏽…")]
    #[case("不鏽鋼", 4, "不…")]
    #[case("👩‍🔬👩‍🔬", 3, "👩‍🔬…")]
    fn a_cut_text_ends_in_the_ellipsis(
        #[case] text: &str,
        #[case] max: usize,
        #[case] expected: &str,
    ) {
        assert_eq!(cut(text, max, "…"), expected);
    }

    #[rstest]
    #[case("refund", 6, "refund")]
    #[case("do_something_quite_long_499", 14, "do_s…_long_499")]
    #[case("do_something_quite_long_499", 2, "…9")]
    #[case("do_something_quite_long_499", 1, "…")]
    #[case("do_something_quite_long_499", 0, "")]
    #[case("不鏽鋼保溫瓶", 8, "不…溫瓶")]
    #[case("不鏽鋼保溫瓶", 6, "…溫瓶")]
    #[case("不鏽鋼保溫瓶", 2, "…")]
    fn a_name_cut_in_the_middle_keeps_its_end(
        #[case] text: &str,
        #[case] max: usize,
        #[case] expected: &str,
    ) {
        assert_eq!(cut_middle(text, max, "…"), expected);
    }

    #[test]
    fn an_ellipsis_wider_than_the_room_is_cut_itself() {
        assert_eq!(cut("refund", 2, "..."), "..");
    }

    #[test]
    fn padding_fills_to_the_cell_at_either_side() {
        assert_eq!(pad("不鏽鋼", 8, "…"), "不鏽鋼  ");
        assert_eq!(pad_left("42", 5, "…"), "   42");
        assert_eq!(pad("不鏽鋼", 4, "…"), "不… ");
    }

    #[rstest]
    #[case("", 5, &[""])]
    #[case("one two three", 7, &["one two", "three"])]
    #[case("one two three", 8, &["one two", "three"])]
    #[case("one   two", 4, &["one", "two"])]
    #[case("incomprehensible", 6, &["incomp", "rehens", "ible"])]
    #[case("a incomprehensible", 6, &["a", "incomp", "rehens", "ible"])]
    #[case("    indented word", 12, &["    indented", "word"])]
    #[case("    indented", 6, &["    in", "dented"])]
    #[case("不鏽鋼保溫瓶", 5, &["不鏽", "鋼保", "溫瓶"])]
    #[case("a\n\nb c", 3, &["a", "", "b c"])]
    #[case("不a", 1, &[" ", "a"])]
    #[case("abc", 0, &["a", "b", "c"])]
    #[case("abc  ", 3, &["abc"])]
    fn lines_break_at_spaces_else_between_clusters(
        #[case] text: &str,
        #[case] max: usize,
        #[case] expected: &[&str],
    ) {
        assert_eq!(wrap(text, max), expected);
    }

    #[test]
    fn a_huge_line_is_cut_and_wrapped_in_linear_time() {
        let line = "不 ".repeat(300_000);
        assert_eq!(cut(&line, 5, "…"), "不 …");
        assert_eq!(wrap(&line, 80).len(), 300_000_usize.div_ceil(27));
    }

    /// Text without control characters, rich in what joins and combines.
    fn shown() -> impl Strategy<Value = String> {
        let tricky = prop::sample::select(vec![
            ' ', 'a', '不', 'ﾞ', 'ﾟ', 'ｶ', '\u{301}', '\u{200d}', '\u{fe0f}', '👩', '🔬', '🇹', '🇼',
            '\u{1112}', '\u{1161}', '\u{11ab}', '\u{600}', '\u{e33}', '\u{644}', '\u{627}',
        ]);
        let any = any::<char>().prop_filter("sanitised", |char| !char.is_control());
        let char = prop_oneof![3 => tricky, 1 => any];
        prop::collection::vec(char, 0..24).prop_map(|chars| chars.into_iter().collect())
    }

    fn starts(text: &str) -> Vec<usize> {
        let ends = std::iter::once(text.len());
        text.grapheme_indices(true)
            .map(|(at, _)| at)
            .chain(ends)
            .collect()
    }

    proptest! {
        #[test]
        fn a_cluster_is_as_wide_as_the_renderer_draws_it(text in shown()) {
            for cluster in text.graphemes(true) {
                prop_assert_eq!(cells(cluster), usize::from(cluster.cell_width()));
            }
        }

        #[test]
        fn a_cut_text_never_exceeds_its_room(text in shown(), max in 0_usize..20) {
            prop_assert!(cells(&cut(&text, max, "…")) <= max);
            prop_assert!(cells(&cut(&text, max, "...")) <= max);
            prop_assert!(cells(&cut_middle(&text, max, "…")) <= max);
            prop_assert!(cells(&cut_middle(&text, max, "...")) <= max);
        }

        #[test]
        fn a_cut_never_splits_a_cluster(text in shown(), max in 0_usize..20) {
            let cut = cut(&text, max, "");
            prop_assert!(text.starts_with(&cut));
            prop_assert!(starts(&text).contains(&cut.len()));
        }

        #[test]
        fn padded_text_is_exactly_as_wide_as_asked(text in shown(), width in 0_usize..20) {
            prop_assert_eq!(cells(&pad(&text, width, "…")), width);
            prop_assert_eq!(cells(&pad_middle(&text, width, "…")), width);
            prop_assert_eq!(cells(&pad_left(&text, width, "…")), width);
        }

        #[test]
        fn wrapped_lines_fit_and_lose_nothing_but_spaces(text in shown(), max in 2_usize..12) {
            // A cluster wider than a line leaves a blank.
            prop_assume!(text.graphemes(true).all(|cluster| cells(cluster) <= max));
            let lines = wrap(&text, max);
            prop_assert!(lines.iter().all(|line| cells(line) <= max));
            let solid = |text: &str| text.replace(' ', "");
            prop_assert_eq!(solid(&lines.concat()), solid(&text));
        }
    }
}
