//! The calls that are looked through, and which of them match what is typed. Pure; asks nothing.

use jiff::tz::TimeZone;
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32String};

use crate::clock::{Now, Timestamp};
use crate::history::{Cursor, Row};

/// Calls that are looked through: what history keeps unless told otherwise.
pub const WINDOW: usize = 5_000;

/// A call that can be recalled.
#[derive(Debug)]
pub struct Item {
    /// As it lies on disk.
    pub row: Row,
    /// When it was made, in at most [`super::view::WHEN`] cells.
    pub when: String,
    text: Utf32String,
}

impl Item {
    fn new(row: Row, zone: &TimeZone, now: Now) -> Self {
        let at = row.created.to_zoned(zone.clone());
        // Everything that a person may remember of it: day, date, time, state, task, arguments.
        let time = at.strftime("%a %d %b %Y-%m-%d %H:%M");
        let parent = row.task.as_str().rsplit_once('.');
        let parent = parent.map_or(String::new(), |(parent, _)| format!("{parent}."));
        let text = format!("{time} {} {parent}{}", row.state.word(), row.title);
        Self {
            when: when(row.created, zone, now),
            text: Utf32String::from(text),
            row,
        }
    }
}

/// `12:04` today, `Mon` in the last days, `16 Nov` before, `Nov'25` of other years.
fn when(at: Timestamp, zone: &TimeZone, now: Now) -> String {
    let (at, now) = (at.to_zoned(zone.clone()), now.wall.to_zoned(zone.clone()));
    let days = at
        .date()
        .until(now.date())
        .map_or(i32::MAX, |span| span.get_days());
    let format = match days {
        0 => "%H:%M",
        1..=6 => "%a",
        _ if at.year() == now.year() => "%d %b",
        _ => "%b'%y",
    };
    at.strftime(format).to_string()
}

/// The calls at hand, newest first, and those that match, best first.
#[derive(Debug, Default)]
pub struct Calls {
    items: Vec<Item>,
    found: Vec<usize>,
    older: Vec<Item>,
    /// Whether all pages came.
    pub complete: bool,
    /// Whether there are calls older than those that are looked through.
    pub beyond: bool,
}

impl Calls {
    /// How many are looked through.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// How many of them match.
    pub fn matching(&self) -> usize {
        self.found.len()
    }

    /// How many older ones hold the words that are typed.
    pub fn older(&self) -> usize {
        self.older.len()
    }

    /// How many are listed.
    pub fn listed(&self) -> usize {
        self.found.len() + self.older.len()
    }

    /// The call in a row of the list: the best match first, calls older than all others at the end.
    pub fn at(&self, row: usize) -> Option<&Item> {
        match self.found.get(row) {
            Some(place) => self.items.get(*place),
            None => self.older.get(row - self.found.len()),
        }
    }

    /// Where older calls begin.
    pub fn end(&self) -> Option<Cursor> {
        self.items.last().map(|item| item.row.cursor)
    }

    /// The next page came, of at most `page` rows. Returns where the next one begins, if another is wanted.
    pub fn page(
        &mut self,
        rows: Vec<Row>,
        page: usize,
        zone: &TimeZone,
        now: Now,
    ) -> Option<Cursor> {
        let full = rows.len() >= page;
        let rows = rows.into_iter();
        self.items.extend(rows.map(|row| Item::new(row, zone, now)));
        self.beyond = self.items.len() > WINDOW;
        self.items.truncate(WINDOW);
        self.complete = !full || self.beyond;
        self.end().filter(|_| !self.complete)
    }

    /// Older calls that hold the words came; none while others are asked for.
    pub fn set_older(&mut self, rows: Vec<Row>, zone: &TimeZone, now: Now) {
        let rows = rows.into_iter();
        self.older = rows.map(|row| Item::new(row, zone, now)).collect();
    }

    /// Lists what matches: the best first, of equal ones the newest; without a word all, the newest first.
    pub fn narrow(&mut self, typed: &str) {
        if typed.trim().is_empty() {
            self.found = (0..self.items.len()).collect();
            return;
        }
        let pattern = Pattern::parse(typed, CaseMatching::Smart, Normalization::Smart);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let places = self.items.iter().enumerate();
        let mut scored: Vec<(u32, usize)> = places
            .filter_map(|(place, item)| {
                let score = pattern.score(item.text.slice(..), &mut matcher)?;
                Some((score, place))
            })
            .collect();
        scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        self.found = scored.into_iter().map(|(_, place)| place).collect();
    }
}

/// What is typed as words that the store can look for; `None` where it means more than words.
pub fn words(typed: &str) -> Option<String> {
    let typed = typed.trim();
    let plain = !typed.is_empty() && !typed.contains(['!', '^', '$', '\'', '\\']);
    plain.then(|| typed.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, "12:04")]
    #[case(11, "01:04")]
    #[case(13, "Sat")]
    #[case(6 * 24, "Mon")]
    #[case(7 * 24, "15 Nov")]
    #[case(400 * 24, "Oct'25")]
    fn a_time_is_told_as_well_as_six_cells_can(#[case] hours: u64, #[case] said: &str) {
        let now = Now::fixed(Duration::from_secs(1_795_349_071));
        let at = now.wall - Duration::from_hours(hours);
        assert_eq!(when(at, &TimeZone::UTC, now), said);
    }

    #[test]
    fn a_time_to_come_is_told_as_of_today() {
        let now = Now::fixed(Duration::from_secs(1_795_349_071));
        let at = now.wall + Duration::from_hours(48);
        assert_eq!(when(at, &TimeZone::UTC, now), "24 Nov");
    }

    #[rstest]
    #[case("  42 客戶 ", Some("42 客戶"))]
    #[case("", None)]
    #[case("!42", None)]
    #[case("'42", None)]
    fn only_plain_words_are_looked_for_on_disk(#[case] typed: &str, #[case] words: Option<&str>) {
        assert_eq!(super::words(typed).as_deref(), words);
    }
}
