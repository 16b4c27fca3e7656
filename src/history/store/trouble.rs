//! What may go wrong with a database, in words for people.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::error::{Error, Kind};
use crate::history::record::Unreadable;

/// What to do about a record that cannot be read.
pub const UNREADABLE: &str = "umbel history repair moves it aside and saves all others";

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Another program holds it for long.
    Busy,
    /// The disk is full.
    Full,
    /// It may not be written, or its folder may not.
    Unwritable,
    /// It is damaged, or no database.
    Broken,
    /// It is sound, but something in it is nothing that we write.
    Unreadable,
    /// A later umbel made it.
    Newer,
    /// Another program made it.
    Foreign,
    /// Something else.
    Other,
}

/// Why history on disk cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("history {}: {what}", path.display())]
pub struct Trouble {
    /// What sort.
    pub cause: Cause,
    /// In which file.
    pub path: PathBuf,
    /// In words.
    pub what: String,
}

impl Cause {
    /// Whether it may be over later; a broken file may be repaired. What others made is not ours to write at any time.
    pub fn passes(self) -> bool {
        !matches!(self, Self::Newer | Self::Foreign)
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        let hint = match trouble.cause {
            Cause::Broken => "umbel history repair",
            Cause::Unreadable => UNREADABLE,
            Cause::Newer => "use that umbel, or name another file in UMBEL_HISTORY",
            Cause::Foreign => "name another file in UMBEL_HISTORY",
            Cause::Full => "make room on the disk",
            Cause::Unwritable => {
                "make the file and its folder writable, or name another in UMBEL_HISTORY"
            }
            Cause::Busy | Cause::Other => "umbel history repair, if it stays so",
        };
        Self::new(Kind::Config, trouble.to_string()).hint(hint)
    }
}

/// What is wrong, wherever it is.
#[derive(Debug)]
pub(super) struct Reason {
    pub(super) cause: Cause,
    pub(super) what: String,
}

impl Reason {
    pub(super) fn new(cause: Cause, what: impl Into<String>) -> Self {
        Self {
            cause,
            what: what.into(),
        }
    }

    pub(super) fn at(self, path: &Path) -> Trouble {
        Trouble {
            cause: self.cause,
            path: path.to_owned(),
            what: self.what,
        }
    }
}

impl From<rusqlite::Error> for Reason {
    fn from(error: rusqlite::Error) -> Self {
        let cause = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Cause::Busy,
            Some(ErrorCode::DiskFull) => Cause::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Cause::Unwritable
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Cause::Broken,
            // A column that holds what we never put there.
            None => Cause::Unreadable,
            Some(_) => Cause::Other,
        };
        Self::new(cause, error.to_string())
    }
}

impl From<std::io::Error> for Reason {
    fn from(error: std::io::Error) -> Self {
        let cause = match error.kind() {
            std::io::ErrorKind::InvalidInput => Cause::Broken,
            std::io::ErrorKind::StorageFull => Cause::Full,
            _ => Cause::Unwritable,
        };
        Self::new(cause, error.to_string())
    }
}

impl From<Unreadable> for Reason {
    fn from(error: Unreadable) -> Self {
        Self::new(Cause::Unreadable, error.to_string())
    }
}
