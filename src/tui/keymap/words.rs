//! What the footer and the help say of the table. They spell no key and no sentence of their own.

use super::table::{self, Row};
use super::{Action, Context, Key, editing, key};

/// The footer's hints for `context` in order of use: keys as shown and a word or two each. Help is the last one.
pub fn hints(context: Context) -> Vec<(String, &'static str)> {
    offered(context, |_| true)
}

fn offered(context: Context, offers: impl Fn(Action) -> bool) -> Vec<(String, &'static str)> {
    let mut rows: Vec<&Row> = table::rows(context)
        .filter(|row| row.hint.is_some() && offers(row.action))
        .collect();
    rows.sort_by_key(|row| row.hint.map(|hint| hint.rank));
    let mut hints: Vec<(String, &'static str)> = Vec::new();
    for row in rows {
        let (Some(hint), Some(key)) = (row.hint, row.keys.first()) else {
            continue;
        };
        match hints.last_mut() {
            Some((keys, word)) if *word == hint.word => {
                keys.push('/');
                keys.push_str(&key.to_string());
            }
            _ => hints.push((key.to_string(), hint.word)),
        }
    }
    hints
}

/// As many of [`hints`] as are offered just now and fit in `width` cells, two blanks between them. Help is never left out.
pub fn footer(
    context: Context,
    width: usize,
    offers: impl Fn(Action) -> bool,
) -> Vec<(String, &'static str)> {
    let mut hints = offered(context, offers);
    while hints.len() > 1 && cells_of(&hints) > width {
        hints.remove(hints.len() - 2);
    }
    hints
}

fn cells_of(hints: &[(String, &'static str)]) -> usize {
    let wide = |(keys, word): &(String, &str)| keys.len() + 1 + word.len() + 2;
    hints.iter().map(wide).sum::<usize>().saturating_sub(2)
}

/// A heading and its entries: keys as shown, and what they do.
pub type Section = (String, Vec<(String, &'static str)>);

/// Help: the bindings of `context` first, then those of the others; grouped by heading.
pub fn help(context: Context) -> Vec<Section> {
    let mut sections = help_here(context);
    sections.extend(help_elsewhere(context));
    sections
}

/// The part of [`help`] that holds in `context`: what is only about it first.
pub fn help_here(context: Context) -> Vec<Section> {
    let here = table::rows(context).filter(|row| !matches!(row.action, Action::Planned(_)));
    let mut rows: Vec<&Row> = here.collect();
    rows.sort_by_key(|row| row.is_shared());
    let mut sections = sections(rows);
    if context.is_text() {
        sections.push(editing::section());
    }
    sections
}

/// The rest of [`help`]: every row that is not bound in `context`, under its own heading.
pub fn help_elsewhere(context: Context) -> Vec<Section> {
    let elsewhere = table::TABLE
        .iter()
        .filter(|row| !row.holds_in(context) && !matches!(row.action, Action::Planned(_)));
    let mut sections = sections(elsewhere);
    if !context.is_text() {
        sections.push(editing::section());
    }
    sections
}

/// Entries under a heading while they are gathered.
type Gathered = (&'static str, Vec<(Vec<Key>, &'static str)>);

/// Rows with the same sentence under the same heading are one entry.
fn sections(rows: impl IntoIterator<Item = &'static Row>) -> Vec<Section> {
    let mut sections: Vec<Gathered> = Vec::new();
    for row in rows {
        match sections
            .iter_mut()
            .find(|(heading, _)| *heading == row.heading)
        {
            Some((_, entries)) => gather(entries, row),
            None => sections.push((row.heading, vec![(row.keys.to_vec(), row.help)])),
        }
    }
    let named = |(keys, help): (Vec<Key>, &'static str)| (key::names(&keys), help);
    sections
        .into_iter()
        .map(|(heading, entries)| (heading.to_owned(), entries.into_iter().map(named).collect()))
        .collect()
}

fn gather(entries: &mut Vec<(Vec<Key>, &'static str)>, row: &Row) {
    match entries.iter_mut().find(|(_, help)| *help == row.help) {
        Some((keys, _)) => keys.extend_from_slice(row.keys),
        None => entries.push((row.keys.to_vec(), row.help)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use strum::IntoEnumIterator;

    use super::*;
    use crate::tui::keymap::lookup;

    #[test]
    fn the_key_that_a_hint_shows_triggers_the_action_it_is_about() {
        for context in Context::iter() {
            for (keys, word) in hints(context) {
                for shown in keys.split('/').filter(|shown| !shown.is_empty()) {
                    let row = table::rows(context)
                        .find(|row| row.keys[0].to_string() == shown)
                        .unwrap_or_else(|| panic!("{context} hints at {shown}"));
                    assert_eq!(row.hint.map(|hint| hint.word), Some(word));
                    assert_eq!(lookup(context, row.keys[0].event()), Some(row.action));
                }
            }
        }
    }

    #[test]
    fn hints_fit_in_a_line_of_80_cells_beside_the_mode_word() {
        for context in Context::iter() {
            let hints = hints(context);
            let width = context.mode().to_string().len() + 2 + cells_of(&hints);
            assert!(width <= 80, "{context}: {width} {hints:?}");
            assert_eq!(footer(context, 80, |_| true), hints);
        }
    }

    #[test]
    fn help_is_the_last_hint_and_never_cut() {
        for context in Context::iter().filter(|context| *context != Context::Confirm) {
            for width in 0..90 {
                let (_, word) = footer(context, width, |_| true).pop().unwrap();
                assert!(word.contains("help"), "{context} at {width}");
            }
        }
    }

    #[test]
    fn help_tells_every_key_once_in_every_context() {
        for context in Context::iter() {
            let sections = help(context);
            let headings: HashSet<&String> = sections.iter().map(|(heading, _)| heading).collect();
            assert!(headings.len() >= 6, "{context}");
            let text = format!("{sections:?}");
            for row in table::TABLE {
                if matches!(row.action, Action::Planned(_)) {
                    continue;
                }
                assert!(text.contains(row.help), "{context}: {}", row.help);
                assert!(!row.help.is_empty() && !row.heading.is_empty());
            }
        }
    }

    #[test]
    fn help_begins_with_what_is_about_the_context() {
        let first = |context| help(context)[0].0.clone();
        assert_eq!(first(Context::Tasks), "Tasks");
        assert_eq!(first(Context::CallNav), "Call form");
        assert_eq!(first(Context::Running), "Call under way");
        assert_eq!(first(Context::Filter), "Filter");
    }

    #[test]
    fn rows_with_the_same_sentence_are_one_entry() {
        let sections = help(Context::Tasks);
        let (_, entries) = sections
            .iter()
            .find(|(heading, _)| heading == "Move")
            .unwrap();
        assert!(entries.contains(&("j Down k Up".to_owned(), "down, up")));
        assert!(entries.contains(&("1..6".to_owned(), "pane by number")));
    }
}
