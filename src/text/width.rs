//! Widths in terminal cells per grapheme cluster, by the same table the renderer uses.

/// Cells that `text` takes (no control characters in it: sanitise first).
pub fn cells(text: &str) -> usize {
    let _ = text;
    unimplemented!()
}

/// `text` cut to at most `max` cells, ending in `ellipsis` when cut; never splits a cluster.
pub fn cut(text: &str, max: usize, ellipsis: &str) -> String {
    let _ = (text, max, ellipsis);
    unimplemented!()
}

/// [`cut`], then padded with spaces to exactly `width` cells; text at the left.
pub fn pad(text: &str, width: usize, ellipsis: &str) -> String {
    let _ = (text, width, ellipsis);
    unimplemented!()
}

/// [`cut`], then padded with spaces to exactly `width` cells; text at the right.
pub fn pad_left(text: &str, width: usize, ellipsis: &str) -> String {
    let _ = (text, width, ellipsis);
    unimplemented!()
}

/// `text` broken into lines of at most `max` cells, at spaces where there are any, else between clusters. An empty text is one empty line.
pub fn wrap(text: &str, max: usize) -> Vec<String> {
    let _ = (text, max);
    unimplemented!()
}
