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
