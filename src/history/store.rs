//! The database: opened, brought to the present form, written and asked. It blocks; only the actor and tests hold one.
//!
//! Several umbels at once write into one file: SQLite's write-ahead log keeps them apart, and of two records of one
//! call the one with the greater [`Record::revision`] stays, with what only the other knew. A file of a later umbel, of another program, or a broken one is never written to.

mod query;
mod read;
pub mod repair;
mod schema;
mod slim;
pub mod trouble;
mod write;

use std::fs::{DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::Record;
pub use read::Records;
use trouble::Reason;
pub use trouble::{Cause, Trouble};

/// How long a write waits for another program's.
const PATIENCE: Duration = Duration::from_secs(5);

/// An open history.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: Option<PathBuf>,
    /// Which file it was when it was opened.
    identity: Option<Identity>,
    /// Whether something that was deleted may still stand in the log.
    leftovers: bool,
}

/// Tells one file from another that has taken its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity(u64, u64);

impl Identity {
    /// Of the file that has this name now.
    pub fn of(path: &Path) -> Option<Self> {
        let meta = std::fs::metadata(path).ok()?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Some(Self(meta.dev(), meta.ino()))
        }
        #[cfg(not(unix))]
        {
            let _ = meta;
            Some(Self(0, 0))
        }
    }
}

impl Store {
    /// Opens or makes the history at `path`: the file readable by its owner only, missing folders too.
    ///
    /// # Errors
    /// [`Cause`] has the reasons; nothing was changed then.
    pub fn open(path: &Path) -> Result<Self, Trouble> {
        prepare(path).map_err(|error| Reason::from(error).at(path))?;
        let opened = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE);
        let connection = opened.map_err(|reason| reason.at(path))?;
        schema::bring_up(&connection).map_err(|reason| reason.at(path))?;
        Ok(Self {
            connection,
            path: Some(path.to_owned()),
            identity: Identity::of(path),
            leftovers: false,
        })
    }

    /// A history in memory, gone with the program.
    ///
    /// # Errors
    /// There is no memory.
    pub fn memory() -> Result<Self, Trouble> {
        let made = Connection::open_in_memory().map_err(Reason::from);
        let made = made.and_then(|connection| {
            schema::bring_up(&connection)?;
            Ok(connection)
        });
        Ok(Self {
            connection: made.map_err(|reason| reason.at(Path::new(":memory:")))?,
            path: None,
            identity: None,
            leftovers: false,
        })
    }

    /// The file; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Which file it was when it was opened; `None` in memory.
    pub fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Whether somebody took the file away, to repair it or for good: what is written now would be found by nobody.
    pub fn is_gone(&self) -> bool {
        self.path()
            .is_some_and(|path| Identity::of(path) != self.identity)
    }

    /// Says in which file it went wrong.
    fn told<T>(&self, result: Result<T, Reason>) -> Result<T, Trouble> {
        let path = self.path().unwrap_or(Path::new(":memory:"));
        result.map_err(|reason| reason.at(path))
    }
}

/// A connection that waits its turn, and finds damage rather than believe it.
fn connect(path: &Path, access: OpenFlags) -> Result<Connection, Reason> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// Makes folder and file with the owner's rights only; SQLite gives its side files the rights of the file.
fn prepare(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => close_to_others(path),
        Err(error) => Err(error),
    }
}

/// A file that somebody else may read is closed to them, if it is ours to close.
fn close_to_others(path: &Path) -> std::io::Result<()> {
    let meta = std::fs::metadata(path)?;
    if !meta.is_file() {
        let message = "it is no file";
        return Err(std::io::Error::new(ErrorKind::InvalidInput, message));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = meta.permissions().mode();
        if mode & 0o077 != 0 {
            // Not ours: SQLite will tell whether it can be used at all.
            let _ = std::fs::set_permissions(path, PermissionsExt::from_mode(mode & 0o700));
        }
    }
    Ok(())
}
