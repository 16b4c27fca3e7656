//! The versions of Celery that this run has; never chooses one by itself where a test names one.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A line of Celery releases (`5.3`) with a Python of its own that has it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Version(&'static Installed);

#[derive(Debug, Eq, PartialEq)]
struct Installed {
    name: String,
    number: (u32, u32),
    python: PathBuf,
}

/// What this run has, oldest first: the oldest and the newest that umbel supports, and all between with `tests/run --all`.
pub fn versions() -> &'static [Version] {
    static VERSIONS: OnceLock<Vec<Version>> = OnceLock::new();
    VERSIONS.get_or_init(|| {
        let list = std::env::var("UMBEL_TEST_PYTHONS").expect("tests/run names its Pythons");
        list.split(':').map(Version::parse).collect()
    })
}

impl Version {
    /// What workers and clients run where a test does not say: `UMBEL_TEST_CELERY`, else the newest.
    pub fn usual() -> Self {
        std::env::var("UMBEL_TEST_CELERY")
            .map_or_else(|_| Self::newest(), |name| Self::named(&name))
    }

    /// The oldest that umbel supports.
    pub fn oldest() -> Self {
        versions()[0]
    }

    /// The newest that umbel supports.
    pub fn newest() -> Self {
        *versions().last().expect("at least one version")
    }

    /// `5.3`; panics when this run does not have it.
    #[track_caller]
    pub fn named(name: &str) -> Self {
        let mut all = versions().iter();
        *all.find(|version| version.name() == name)
            .unwrap_or_else(|| panic!("Celery {name} is not among {:?}", versions()))
    }

    /// Its name, `5.3`.
    pub fn name(self) -> &'static str {
        &self.0.name
    }

    /// Whether it is this version or a later one: `version.at_least("5.7")`.
    pub fn at_least(self, name: &str) -> bool {
        self.0.number >= number(name)
    }

    /// The Python interpreter that has it.
    pub fn python(self) -> &'static Path {
        &self.0.python
    }

    fn parse(pair: &str) -> Self {
        let (name, python) = pair.split_once('=').expect("VERSION=PYTHON");
        // Once for each version and process.
        Self(Box::leak(Box::new(Installed {
            name: name.to_owned(),
            number: number(name),
            python: PathBuf::from(python),
        })))
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[track_caller]
fn number(name: &str) -> (u32, u32) {
    let parts = name.split_once('.');
    let parts = parts.and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    parts.unwrap_or_else(|| panic!("{name:?} is no version such as 5.3"))
}
