//! Which calls are kept on disk, and which in memory only. Pure.

use std::collections::HashMap;

use globset::{Glob, GlobMatcher};

use super::{Keep, Secrets};
use crate::protocol::TaskName;

/// What is kept, how long, and what of it is never written down.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// How much is kept.
    pub keep: Keep,
    /// Which calls are kept on disk.
    pub persist: Persist,
    /// Which parameters are secret.
    pub secrets: Secrets,
}

/// Which calls are kept on disk; the default: all.
///
/// What is said of a task goes before what is said of all. A name goes before a glob; of several globs one that forbids is enough.
#[derive(Clone, Debug)]
pub struct Persist {
    all: bool,
    names: HashMap<String, bool>,
    globs: Vec<(GlobMatcher, bool)>,
}

impl Default for Persist {
    fn default() -> Self {
        Self {
            all: true,
            names: HashMap::new(),
            globs: Vec::new(),
        }
    }
}

impl Persist {
    /// Whether calls are kept of whose task nothing is said.
    pub fn set_all(&mut self, kept: bool) {
        self.all = kept;
    }

    /// Says it of a task, or of all tasks whose name a glob fits.
    ///
    /// # Errors
    /// It is no glob: why.
    pub fn set(&mut self, task: &str, kept: bool) -> Result<(), String> {
        if task.contains(['*', '?', '[', ']', '{', '}', '\\']) {
            let glob = Glob::new(task).map_err(|error| error.kind().to_string())?;
            self.globs.push((glob.compile_matcher(), kept));
        } else {
            self.names.insert(task.to_owned(), kept);
        }
        Ok(())
    }

    /// Forbids it for all tasks, whatever else was said.
    pub fn forbid_all(&mut self) {
        *self = Self::default();
        self.globs
            .extend(Glob::new("*").map(|glob| (glob.compile_matcher(), false)));
        self.all = false;
    }

    /// What is said of this very task; `None`: nothing.
    pub fn rule(&self, task: &TaskName) -> Option<bool> {
        let task = task.as_str();
        let name = self.names.get(task).copied();
        let mut globs = self.globs.iter().filter(|(glob, _)| glob.is_match(task));
        name.or_else(|| {
            let (_, first) = globs.next()?;
            Some(*first && globs.all(|(_, kept)| *kept))
        })
    }

    /// Whether calls of this task are kept on disk.
    pub fn keeps(&self, task: &TaskName) -> bool {
        self.rule(task).unwrap_or(self.all)
    }

    /// Whether calls of some task are.
    pub fn keeps_any(&self) -> bool {
        let names = self.names.values().copied();
        let globs = self.globs.iter().map(|(_, kept)| *kept);
        self.all || names.chain(globs).any(|kept| kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn persist(all: bool, rules: &[(&str, bool)]) -> Persist {
        let mut persist = Persist::default();
        persist.set_all(all);
        for (task, kept) in rules {
            persist.set(task, *kept).unwrap();
        }
        persist
    }

    #[test]
    fn a_name_goes_before_a_glob_and_a_glob_before_what_is_said_of_all() {
        let rules = [
            ("shop.payments.*", false),
            ("shop.*", true),
            ("shop.payments.list", true),
        ];
        let persist = persist(false, &rules);
        let keeps = |task: &str| persist.keeps(&task.into());
        assert!(!keeps("shop.payments.refund"), "one glob forbids it");
        assert!(keeps("shop.payments.list"));
        assert!(keeps("shop.orders.refund"));
        assert!(!keeps("mail.send"));
        assert!(persist.keeps_any());
        assert_eq!(persist.rule(&"mail.send".into()), None);
    }

    #[test]
    fn without_a_rule_all_is_kept_and_after_a_ban_nothing() {
        let mut persist = persist(true, &[("a", true)]);
        assert!(persist.keeps(&"anything".into()));
        persist.forbid_all();
        persist.set_all(true);
        assert!(!persist.keeps(&"anything".into()) && !persist.keeps(&"a".into()));
    }

    #[test]
    fn a_bracket_that_stays_open_is_no_glob() {
        assert!(Persist::default().set("shop.[a", false).is_err());
    }
}
