//! Rows of a table: columns of fixed or shared width, cut and padded by cells. Columns that do not fit are left out by rank, never squeezed to nothing.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::text::width::{cells, pad, pad_left, pad_middle};
use crate::tui::theme::{Role, Theme};

/// How wide a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// This many cells.
    Fixed(u16),
    /// At least this many cells; columns of this kind share what is left.
    Fill(u16),
}

/// At which side of its column text stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    /// Text.
    #[default]
    Left,
    /// Numbers.
    Right,
}

/// One column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// Its width.
    pub width: Width,
    /// Where its text stands.
    pub align: Align,
    /// Whether text that does not fit loses its middle, not its end.
    pub keeps_end: bool,
    /// 0 is always shown; of the others the highest rank goes first when room is short.
    pub rank: u8,
}

impl Column {
    /// A column of text that is always shown.
    pub const fn new(title: &'static str, width: Width) -> Self {
        Self {
            title,
            width,
            align: Align::Left,
            keeps_end: false,
            rank: 0,
        }
    }

    /// The same column with its text at the right.
    #[must_use]
    pub const fn right(mut self) -> Self {
        self.align = Align::Right;
        self
    }

    /// The same column for names that differ at their ends: what does not fit loses its middle.
    #[must_use]
    pub const fn names(mut self) -> Self {
        self.keeps_end = true;
        self
    }

    /// The same column, left out before those of a lower rank when room is short.
    #[must_use]
    pub const fn rank(mut self, rank: u8) -> Self {
        self.rank = rank;
        self
    }

    fn least(&self) -> usize {
        match self.width {
            Width::Fixed(width) | Width::Fill(width) => usize::from(width),
        }
    }
}

/// The text of one cell of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Its text, sanitised.
    pub text: String,
    /// Its style.
    pub style: Style,
}

impl Cell {
    /// A cell in the style of `role`.
    pub fn new(text: impl Into<String>, role: Role, theme: Theme) -> Self {
        Self {
            text: text.into(),
            style: theme.style(role),
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            style: Style::new(),
        }
    }
}

/// Columns laid out for a width: one blank before each (the first blank takes the marker of a selected row).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    columns: Vec<(Column, usize)>,
    total: usize,
}

impl Columns {
    /// Lays `columns` out in `total` cells.
    pub fn fit(columns: &[Column], total: u16) -> Self {
        let total = usize::from(total);
        let mut shown = columns.iter().map(|_| true).collect::<Vec<_>>();
        while needed(columns, &shown) > total {
            let Some(last) = most_optional(columns, &shown) else {
                break;
            };
            shown[last] = false;
        }
        let spare = total.saturating_sub(needed(columns, &shown));
        Self {
            columns: widths(columns, &shown, spare),
            total,
        }
    }

    /// Whether the column with this title is shown.
    pub fn shows(&self, title: &str) -> bool {
        self.columns
            .iter()
            .any(|(column, width)| column.title == title && *width > 0)
    }

    /// Whether `text` is shown whole in the column with this title.
    pub fn fits(&self, title: &str, text: &str) -> bool {
        let mut columns = self.columns.iter();
        columns.any(|(column, width)| column.title == title && cells(text) <= *width)
    }

    /// The headings.
    pub fn header(&self, theme: Theme) -> Line<'static> {
        let style = theme.style(Role::Dim);
        let titles = self.columns.iter().map(|(column, _)| Cell {
            text: column.title.to_owned(),
            style,
        });
        self.row(titles, theme)
    }

    /// One row: a cell for each column that was given to [`Columns::fit`], shown or not, in the same order. Exactly as wide as asked for.
    pub fn row(&self, cells: impl IntoIterator<Item = Cell>, theme: Theme) -> Line<'static> {
        let ellipsis = theme.glyphs().ellipsis;
        let mut left = self.total;
        let mut spans = Vec::with_capacity(self.columns.len() * 2 + 1);
        for ((column, width), cell) in self.columns.iter().zip(cells) {
            if *width == 0 || left < 2 {
                continue;
            }
            let width = (*width).min(left - 1);
            let text = match column.align {
                Align::Left if column.keeps_end => pad_middle(&cell.text, width, ellipsis),
                Align::Left => pad(&cell.text, width, ellipsis),
                Align::Right => pad_left(&cell.text, width, ellipsis),
            };
            spans.extend([Span::raw(" "), Span::styled(text, cell.style)]);
            left -= width + 1;
        }
        spans.push(Span::raw(" ".repeat(left)));
        Line::from(spans)
    }
}

fn needed(columns: &[Column], shown: &[bool]) -> usize {
    let shown = columns.iter().zip(shown).filter(|(_, shown)| **shown);
    shown.map(|(column, _)| column.least() + 1).sum()
}

fn most_optional(columns: &[Column], shown: &[bool]) -> Option<usize> {
    (0..columns.len())
        .filter(|index| shown[*index] && columns[*index].rank > 0)
        .max_by_key(|index| columns[*index].rank)
}

/// The width of each column; 0 if it is not shown. What is left over is shared by the columns that fill.
fn widths(columns: &[Column], shown: &[bool], spare: usize) -> Vec<(Column, usize)> {
    let fills = |index: usize| shown[index] && matches!(columns[index].width, Width::Fill(_));
    let mut sharers = (0..columns.len()).filter(|index| fills(*index)).count();
    let mut spare = spare;
    let width = |index: usize| {
        let mut width = if shown[index] {
            columns[index].least()
        } else {
            0
        };
        if fills(index) {
            let extra = spare / sharers;
            width += extra;
            spare -= extra;
            sharers -= 1;
        }
        (columns[index], width)
    };
    (0..columns.len()).map(width).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::TEXTS;
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column::new("when", Width::Fixed(8)),
        Column::new("task", Width::Fill(6)),
        Column::new("took", Width::Fixed(6)).right(),
        Column::new("queue", Width::Fixed(7)).right().rank(1),
    ];

    fn row(width: u16) -> String {
        let cells = ["12:04:31", "refund_orders", "30.4s", "0.8s"].map(Cell::from);
        Columns::fit(&COLUMNS, width)
            .row(cells, Theme::default())
            .to_string()
    }

    #[test]
    fn columns_are_padded_and_the_rest_goes_to_those_that_fill() {
        assert_eq!(row(40), " 12:04:31 refund_orders    30.4s    0.8s");
        let header = Columns::fit(&COLUMNS, 40)
            .header(Theme::default())
            .to_string();
        assert_eq!(header, " when     task              took   queue");
    }

    #[test]
    fn a_column_of_names_keeps_their_ends() {
        let columns = [Column::new("task", Width::Fill(6)).names()];
        let columns = Columns::fit(&columns, 15);
        let row = columns.row(
            [Cell::from("do_something_quite_long_499")],
            Theme::default(),
        );
        assert_eq!(row.to_string(), " do_s…_long_499");
        assert!(!columns.fits("task", "do_something_quite_long_499"));
        assert!(columns.fits("task", "refund_orders"));
    }

    #[test]
    fn a_column_that_may_be_missing_goes_first_when_room_is_short() {
        assert_eq!(row(28), " 12:04:31 refund_ord…  30.4s");
        assert!(!Columns::fit(&COLUMNS, 28).shows("queue"));
        assert!(Columns::fit(&COLUMNS, 28).shows("took"));
    }

    proptest! {
        #[test]
        fn every_row_is_exactly_as_wide_as_asked(width in 0u16..300, pick in prop::array::uniform4(0usize..8)) {
            let columns = Columns::fit(&COLUMNS, width);
            let row = columns.row(pick.map(|index| Cell::from(TEXTS[index])), Theme::default());
            prop_assert_eq!(crate::text::width::cells(&row.to_string()), usize::from(width));
            let header = columns.header(Theme::default()).to_string();
            prop_assert_eq!(crate::text::width::cells(&header), usize::from(width));
        }
    }
}
