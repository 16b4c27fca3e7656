//! Where history lies and how much of it is kept. Reads the environment through a function that is handed in.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where history lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this file.
    File(PathBuf),
    /// In memory only, because that was asked for (`UMBEL_HISTORY=off`, `persist = false`, the demo).
    Memory,
    /// In memory only, because nobody says where a home is.
    Homeless,
}

/// How much is kept: whichever is less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// So many calls, the newest.
    pub calls: u32,
    /// Calls of so long.
    pub age: Duration,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            calls: 5_000,
            age: Duration::from_hours(90 * 24),
        }
    }
}

/// The place that `UMBEL_HISTORY` names (`off`, or a file), if it names one.
pub fn named(env: &dyn Fn(&str) -> Option<String>) -> Option<Place> {
    let named = env("UMBEL_HISTORY").filter(|value| !value.is_empty())?;
    Some(match named.as_str() {
        "off" => Place::Memory,
        file => Place::File(PathBuf::from(file)),
    })
}

/// The place by precedence: [`named`], then [`built_in`].
pub fn place(env: &dyn Fn(&str) -> Option<String>) -> Place {
    named(env).unwrap_or_else(|| built_in(env))
}

/// `$XDG_DATA_HOME/umbel/history.db`, `~/.local/share/umbel/history.db`. As the XDG specification has it, a relative
/// `XDG_DATA_HOME` does not count.
pub fn built_in(env: &dyn Fn(&str) -> Option<String>) -> Place {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let data = set("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(Path::new(&set("HOME")?).join(".local/share")));
    match data {
        Some(data) => Place::File(data.join("umbel/history.db")),
        None => Place::Homeless,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&[("UMBEL_HISTORY", "off"), ("HOME", "/h")], Place::Memory)]
    #[case(&[("UMBEL_HISTORY", "/x/y.db"), ("HOME", "/h")], Place::File("/x/y.db".into()))]
    #[case(&[("UMBEL_HISTORY", ""), ("HOME", "/h")], Place::File("/h/.local/share/umbel/history.db".into()))]
    #[case(&[("XDG_DATA_HOME", "/d"), ("HOME", "/h")], Place::File("/d/umbel/history.db".into()))]
    #[case(&[("XDG_DATA_HOME", "d"), ("HOME", "/h")], Place::File("/h/.local/share/umbel/history.db".into()))]
    #[case(&[], Place::Homeless)]
    fn the_place_is_found_by_precedence(
        #[case] variables: &[(&str, &str)],
        #[case] expected: Place,
    ) {
        let env = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(place(&env), expected);
    }
}
