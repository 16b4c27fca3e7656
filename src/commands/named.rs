//! Ids as people write them: whole, by their beginning, or in the two groups that the screen shows. Says which of them history knows;
//! asks nobody else.

use std::cell::RefCell;
use std::collections::HashSet;

use super::output::Output;
use crate::config::Env;
use crate::config::file::{self, Config};
use crate::error::{Error, Kind, Result};
use crate::history::store::Store;
use crate::history::{Found, Place, Record};
use crate::protocol::TaskId;

/// Letters and digits of the two groups of [`TaskId::short`].
const GROUPS: (usize, usize) = (2, 6);
/// Characters of a UUID, and where it has its dashes.
const UUID: usize = 36;
const DASHES: [usize; 4] = [8, 13, 18, 23];

/// How ids are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meant {
    /// The beginning of one is enough, where history knows the call.
    Beginning,
    /// The same, but only of a UUID: what acts must not act on `order-12` where `order-1` is meant.
    Uuid,
    /// They are whole.
    Exactly,
}

/// What history knows of the calls that were named.
#[derive(Debug, Default)]
pub struct Named {
    /// The calls.
    pub records: Vec<Record>,
    /// Ids of which it knows nothing.
    pub strangers: Vec<TaskId>,
    /// Why it could not be read: then nothing follows from what it does not know.
    pub unread: Option<Error>,
}

/// Makes the ids whole, as far as history knows them, and tells what it knows. What it does not know stays as it is.
///
/// # Errors
/// Several calls begin so.
pub fn whole(
    ids: &mut Vec<TaskId>,
    meant: Meant,
    config: &Config,
    env: Env<'_>,
    output: Output,
) -> Result<Named> {
    let mut named = Named::default();
    if ids.is_empty() {
        return Ok(named);
    }
    let unread = RefCell::new(None);
    let store = store(config, env).unwrap_or_else(|error| {
        unread.replace(Some(error));
        None
    });
    let look = |id: &str| {
        let found = store
            .as_ref()
            .map_or(Ok(Found::None), |store| store.get(id));
        found.unwrap_or_else(|trouble| {
            unread.replace(Some(trouble.into()));
            Found::None
        })
    };
    if meant != Meant::Exactly {
        join(ids, &look);
    }
    for id in ids.iter_mut() {
        let found = look(id.as_str());
        let found = match meant {
            Meant::Exactly if found.id() != Some(id) => Found::None,
            _ => found,
        };
        if meant == Meant::Uuid && !is_beginning(id) {
            is_whole(id, &found)?;
        }
        if let Some(whole) = found.id().filter(|whole| *whole != id) {
            output.note(&format!("{id} is {whole}"));
            *id = whole.clone();
        }
        match found {
            Found::One(record) => named.records.push(*record),
            Found::Unreadable(..) => {}
            Found::None => named.strangers.push(id.clone()),
            Found::Several(one, other) => {
                let what = format!("several calls begin with {id}: {one}, {other}");
                let hint = match meant {
                    Meant::Uuid => "write more of the id, or --exact if this is the whole id",
                    _ => "write more of the id",
                };
                return Err(Error::new(Kind::Usage, what).hint(hint));
            }
        }
    }
    // Named twice is meant once.
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    let mut seen = HashSet::new();
    named.records.retain(|it| seen.insert(it.id().clone()));
    drop(store);
    named.unread = unread.into_inner();
    Ok(named)
}

/// # Errors
/// It may be the whole of an own id, or the beginning of another one.
fn is_whole(id: &TaskId, found: &Found) -> Result<()> {
    match found.id().filter(|whole| *whole != id) {
        None => Ok(()),
        Some(other) => {
            let what = format!("{id} is the beginning of {other}, which history knows");
            let hint = "write that id whole, or --exact if this is one itself";
            Err(Error::new(Kind::Usage, what).hint(hint))
        }
    }
}

/// Two words that are the groups of one call's short form become one, unless the first is an id by itself.
fn join(ids: &mut Vec<TaskId>, look: &dyn Fn(&str) -> Found) {
    let mut place = 0;
    while let [first, second, ..] = &ids[place..] {
        if are_groups(first.as_str(), second.as_str()) && look(first.as_str()).id() != Some(first) {
            let both = format!("{first}{second}");
            if look(&both) != Found::None {
                ids.splice(place..place + 2, [TaskId(both)]);
            }
        }
        place += 1;
    }
}

/// Whether these two words have the form of [`TaskId::short`].
pub fn are_groups(first: &str, second: &str) -> bool {
    let group = |word: &str, length: usize| {
        word.len() == length && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    group(first, GROUPS.0) && group(second, GROUPS.1)
}

/// History as it is on disk; `None` where there is none.
fn store(config: &Config, env: Env<'_>) -> Result<Option<Store>> {
    let (Place::File(path), _) = file::history(config, env) else {
        return Ok(None);
    };
    let exists = path.try_exists().unwrap_or(false);
    Ok(exists.then(|| Store::open(&path)).transpose()?)
}

/// Whether this looks like the beginning of an id that umbel or Celery gave, and is not the whole of it.
pub fn is_beginning(id: &TaskId) -> bool {
    let letters: Vec<char> = id.as_str().chars().filter(|c| !c.is_whitespace()).collect();
    let fits = |(place, letter): (usize, &char)| {
        if DASHES.contains(&place) {
            *letter == '-'
        } else {
            letter.is_ascii_hexdigit()
        }
    };
    (GROUPS.0..UUID).contains(&letters.len()) && letters.iter().enumerate().all(fits)
}

/// That it is the beginning of no known call.
pub fn of_no_call(id: &TaskId) -> String {
    format!("{id} is the beginning of no call that history knows")
}

/// Refuses what looks like the beginning of an id and is not known: workers take every text for a whole id, and the call that is meant
/// would stay as it is.
///
/// # Errors
/// One of them looks so.
pub fn refuse_beginnings(named: &Named) -> Result<()> {
    let Some(id) = named.strangers.iter().find(|id| is_beginning(id)) else {
        return Ok(());
    };
    let what = match &named.unread {
        None => of_no_call(id),
        Some(error) => format!(
            "{id} looks like the beginning of an id, and history cannot be read: {}",
            error.message
        ),
    };
    let error = Error::new(Kind::Usage, format!("{what}; give the whole id"));
    Err(error.hint("--exact if this is the whole id"))
}

/// That one call is meant.
///
/// # Errors
/// There are two words, and they are not the groups of one call.
pub fn only_one(ids: &[TaskId]) -> Result<()> {
    let [first, second] = ids else {
        return Ok(());
    };
    let error = if are_groups(first.as_str(), second.as_str()) {
        Error::new(Kind::Usage, of_no_call(&TaskId(format!("{first}{second}"))))
            .hint("the screen's two groups are the beginning of an id; give the whole id")
    } else {
        Error::new(Kind::Usage, "one ID is meant, and two are given")
            .hint("umbel wait takes several")
    };
    Err(error)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("3e19c7d1", true)]
    #[case("3e", true)]
    #[case("3e 19c7d1", true)]
    #[case("3E19C7D1-", true)]
    #[case("3e19c7d1-0b1c-4d2e-8f3a-00112233445", true)]
    #[case("3e19c7d1-0b1c-4d2e-8f3a-001122334455", false)]
    #[case("3e19c7d10b1c4d2e8f3a001122334455", false)]
    #[case("dead-beef", false)]
    #[case("order-1", false)]
    #[case("a", false)]
    #[case("", false)]
    fn the_beginning_of_a_uuid_is_known_by_its_form(#[case] id: &str, #[case] expected: bool) {
        assert_eq!(is_beginning(&id.into()), expected);
    }

    #[test]
    fn two_groups_are_joined_only_where_they_name_a_call() {
        let look = |id: &str| match id {
            "bfb4049d" | "aa" => {
                Found::Unreadable(id.into(), crate::history::record::Unreadable("x"))
            }
            _ => Found::None,
        };
        let joined = |words: &[&str]| {
            let mut ids: Vec<TaskId> = words.iter().map(|&word| word.into()).collect();
            join(&mut ids, &look);
            ids.into_iter().map(|id| id.0).collect::<Vec<_>>()
        };
        assert_eq!(joined(&["x", "bf", "b4049d", "y"]), ["x", "bfb4049d", "y"]);
        assert_eq!(joined(&["bf", "b4049e"]), ["bf", "b4049e"]);
        assert_eq!(joined(&["aa", "b4049d"]), ["aa", "b4049d"]);
        assert_eq!(joined(&["bfb4049d"]), ["bfb4049d"]);
    }
}
