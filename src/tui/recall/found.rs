//! The calls that are looked through, and which of them match what is typed. Pure; asks nothing.

use jiff::tz::TimeZone;
use nucleo_matcher::pattern::{Atom, AtomKind, CaseMatching, Normalization};
use nucleo_matcher::{Config, Matcher, Utf32String};
use unicode_normalization::UnicodeNormalization;

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
    /// All that is looked through, as [`plain`] makes it.
    text: String,
    /// Its beginning, for words that no call holds as they are typed.
    beginning: Utf32String,
}

/// Characters of a call that are looked through letter by letter.
const BEGINNING: usize = 160;

impl Item {
    fn new(row: Row, zone: &TimeZone, now: Now) -> Self {
        let at = row.created.to_zoned(zone.clone());
        // Everything that a person may remember of it: day, date, time, state, task, arguments.
        let time = at.strftime("%a %d %b %Y-%m-%d %H:%M");
        let parent = row.task.as_str().rsplit_once('.');
        let parent = parent.map_or(String::new(), |(parent, _)| format!("{parent}."));
        let text = plain(&format!(
            "{time} {} {parent}{}",
            row.state.word(),
            row.title
        ));
        let beginning: String = text.chars().take(BEGINNING).collect();
        Self {
            when: when(row.created, zone, now),
            beginning: Utf32String::from(beginning),
            text,
            row,
        }
    }

    /// How well it holds `word`: better where a word of its begins so.
    fn holds(&self, word: &str) -> Option<u32> {
        let at = self.text.find(word)?;
        let before = self.text[..at].chars().next_back();
        Some(if before.is_some_and(char::is_alphanumeric) {
            1
        } else {
            2
        })
    }
}

/// Text as it is compared: composed, in small letters.
fn plain(text: &str) -> String {
    text.nfc().flat_map(char::to_lowercase).collect()
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
    pub fn looked_through(&self) -> usize {
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

    /// Lists what matches every word: the best first, of equal ones the newest; without a word all, the newest first.
    ///
    /// A word stands for itself where some call holds it, else for its letters in their order; `!x` leaves out what holds x.
    pub fn narrow(&mut self, typed: &str) {
        let mut left: Vec<(u32, usize)> = (0..self.items.len()).map(|place| (0, place)).collect();
        for word in plain(typed).split_whitespace() {
            left = self.with(word, left);
        }
        left.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        self.found = left.into_iter().map(|(_, place)| place).collect();
    }

    fn with(&self, word: &str, mut left: Vec<(u32, usize)>) -> Vec<(u32, usize)> {
        if let Some(without) = word.strip_prefix('!') {
            left.retain(|(_, place)| {
                without.is_empty() || !self.items[*place].text.contains(without)
            });
            return left;
        }
        let exact = word.strip_prefix('\'');
        let held = self.scored(&left, |item| item.holds(exact.unwrap_or(word)));
        if exact.is_some() || !held.is_empty() {
            return held;
        }
        let letters = Atom::new(
            word,
            CaseMatching::Ignore,
            Normalization::Smart,
            AtomKind::Fuzzy,
            false,
        );
        let mut matcher = Matcher::new(Config::DEFAULT);
        self.scored(&left, |item| {
            letters
                .score(item.beginning.slice(..), &mut matcher)
                .map(u32::from)
        })
    }

    fn scored(
        &self,
        left: &[(u32, usize)],
        mut score: impl FnMut(&Item) -> Option<u32>,
    ) -> Vec<(u32, usize)> {
        let scored = left
            .iter()
            .filter_map(|(sum, place)| Some((sum + score(&self.items[*place])?, *place)));
        scored.collect()
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
