//! The configuration file: where it is, and what it says. Reads one file and writes none but a new one; a mistake in it costs a
//! complaint, never the start.

mod read;

use std::fmt;
use std::fs::File as Disk;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::Env;
use crate::cli::Global;
use crate::error::{Error, Kind, Result};
use crate::history::{Place, Rules, place};

/// What `umbel config init` writes.
pub const TEMPLATE: &str = include_str!("../../assets/config.toml");

/// Bytes of a file that are read.
const LARGEST: u64 = 1 << 20;

/// Complaints that are said where nobody asked for them.
const SAID: usize = 3;

/// What the file says; where it says nothing, or nothing that can be used, what is built in.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The file, whether it is there or not; `None`: nobody says where a home is.
    pub path: Option<PathBuf>,
    /// Whether it is there.
    pub exists: bool,
    /// What is kept of calls.
    pub history: Rules,
    /// What cannot be used.
    pub complaints: Vec<Complaint>,
}

/// Something in the file that cannot be used, for people. Never holds a value of the file: it may be a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Line and column, both from 1, the column in characters; `None`: it is about the whole file.
    pub at: Option<(usize, usize)>,
    /// What is wrong, and what is done instead.
    pub what: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.at {
            write!(f, "{line}:{column}: ")?;
        }
        f.write_str(&self.what)
    }
}

impl Config {
    /// Reads the file that is named by `--config` or `UMBEL_CONFIG`, else the usual one if it is there.
    ///
    /// # Errors
    /// A named one cannot be read (kind `config`).
    pub fn find(global: &Global, env: Env<'_>) -> Result<Self> {
        if let Some((source, path)) = named(global, env) {
            let text = read(&path).map_err(|reason| {
                let what = format!("{source} {}: {reason}", path.display());
                Error::new(Kind::Config, what).hint("umbel config init writes a new one")
            })?;
            return Ok(Self::of(path, &text));
        }
        let Some(path) = usual(env) else {
            return Ok(Self::default());
        };
        // A pipe of this name would be waited for until somebody writes.
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self {
                path: Some(path),
                ..Self::default()
            }),
            Ok(meta) if !meta.is_file() => Ok(Self::unreadable(path, "it is no file")),
            _ => Ok(match read(&path) {
                Ok(text) => Self::of(path, &text),
                Err(reason) => Self::unreadable(path, &reason),
            }),
        }
    }

    /// What `text` says.
    pub fn of(path: PathBuf, text: &str) -> Self {
        let (history, complaints) = read::read(text);
        Self {
            path: Some(path),
            exists: true,
            history,
            complaints,
        }
    }

    /// It may say `persist = false`.
    fn unreadable(path: PathBuf, reason: &str) -> Self {
        let mut config = Self::of(path, "");
        config.history.persist.forbid_all();
        config.complaints.push(Complaint {
            at: None,
            what: format!("it cannot be read ({reason}); {}", read::NOT_KEPT),
        });
        config
    }

    /// What is to be said where nobody asked: the first complaints with file, line and column, and how many more there are.
    pub fn warnings(&self) -> Vec<String> {
        let Some(path) = self.path.as_ref().filter(|_| !self.complaints.is_empty()) else {
            return Vec::new();
        };
        let first = self.complaints.iter().take(SAID);
        let mut said: Vec<String> = first.map(|complaint| complaint.in_file(path)).collect();
        match self.complaints.len().saturating_sub(SAID) {
            0 => {}
            more => said.push(format!(
                "{}: {more} more: umbel config check",
                path.display()
            )),
        }
        said
    }
}

impl Complaint {
    /// With the file before it.
    pub fn in_file(&self, path: &Path) -> String {
        let separator = if self.at.is_some() { ":" } else { ": " };
        format!("{}{separator}{self}", path.display())
    }
}

/// Where history lies: `UMBEL_HISTORY` goes before what the file says of all calls, not before what it says of a task.
pub fn history(config: &Config, env: Env<'_>) -> (Place, Rules) {
    let mut rules = config.history.clone();
    let named = place::named(env);
    if matches!(named, Some(Place::File(_))) {
        rules.persist.set_all(true);
    }
    let place = named.unwrap_or_else(|| place::built_in(env));
    let there = matches!(&place, Place::File(path) if path.exists());
    // No file is made for calls that may not come into it.
    let place = if rules.persist.keeps_any() || there {
        place
    } else {
        Place::Memory
    };
    (place, rules)
}

/// The file that is meant, whether it is there or not.
pub fn path(global: &Global, env: Env<'_>) -> Option<PathBuf> {
    let named = named(global, env).map(|(_, path)| path);
    named.or_else(|| usual(env))
}

fn named(global: &Global, env: Env<'_>) -> Option<(&'static str, PathBuf)> {
    let variable = || env("UMBEL_CONFIG").filter(|path| !path.is_empty());
    let flag = global.config.clone().map(|path| ("--config", path));
    flag.or_else(|| Some(("UMBEL_CONFIG", PathBuf::from(variable()?))))
}

/// `$XDG_CONFIG_HOME/umbel/config.toml`, else `~/.config/umbel/config.toml`, on macOS too; on Windows in `%APPDATA%`.
fn usual(env: Env<'_>) -> Option<PathBuf> {
    let set = |name: &str| {
        env(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let folder = set("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let folder = folder.or_else(|| set("APPDATA").filter(|_| cfg!(windows)));
    let folder = folder.or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(folder.join("umbel").join("config.toml"))
}

fn read(path: &Path) -> std::result::Result<String, String> {
    let mut bytes = Vec::new();
    let opened = Disk::open(path).map_err(|error| error.to_string())?;
    let mut opened = opened.take(LARGEST + 1);
    opened
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LARGEST {
        return Err("it is larger than 1 MiB".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

/// Writes [`TEMPLATE`] into a new file, readable by its owner only.
///
/// # Errors
/// There is one already (kind `refused`), or it cannot be written.
pub fn init(path: &Path) -> Result<()> {
    use crate::error::Kind::{Config, Refused};
    let wrong = |kind, what: &str| Error::new(kind, format!("{}: {what}", path.display()));
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), |folder| builder.create(folder));
    let opened = made.and_then(|()| options.open(path));
    let written = opened.and_then(|mut file| file.write_all(TEMPLATE.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            wrong(Refused, "there is one already").hint("nothing was written")
        }
        _ => wrong(Config, &error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")], Some("/x/umbel/config.toml"))]
    #[case(&[("XDG_CONFIG_HOME", "x"), ("HOME", "/h")], Some("/h/.config/umbel/config.toml"))]
    #[case(&[("XDG_CONFIG_HOME", ""), ("HOME", "/h")], Some("/h/.config/umbel/config.toml"))]
    #[case(&[], None)]
    fn the_usual_place_is_that_of_xdg(
        #[case] variables: &[(&str, &str)],
        #[case] expected: Option<&str>,
    ) {
        let env = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(usual(&env), expected.map(PathBuf::from));
    }

    #[test]
    fn the_template_says_nothing_and_what_it_comments_out_can_be_used() {
        let nothing = Config::of("f".into(), TEMPLATE);
        assert_eq!(nothing.complaints, []);
        let is_setting = |line: &str| line.starts_with('#') && !line.starts_with("# ");
        let settings = TEMPLATE.lines().map(|line| match line {
            line if is_setting(line) => &line[1..],
            line => line,
        });
        let all = Config::of("f".into(), &settings.collect::<Vec<_>>().join("\n"));
        assert_eq!(all.complaints, []);
        let rules = all.history;
        assert_eq!(rules.keep, crate::history::Keep::default());
        assert!(!rules.persist.keeps(&"shop.payments.refund".into()));
        assert!(rules.persist.keeps(&"shop.orders.refund".into()));
        assert!(rules.secrets.is_secret("customer_iban") && rules.secrets.is_secret("token"));
    }
}
