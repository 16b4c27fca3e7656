//! Calls of the command line in history. It never waits for the disk before the end, and its failures are warnings.

use std::path::Path;
use std::time::Duration;

use super::output::Output;
use crate::backend::Results;
use crate::call::Call;
use crate::call::diagnosis::{Diagnosis, DiagnosisDocument};
use crate::cli;
use crate::clock::Now;
use crate::config::Env;
use crate::config::file::{self, Config};
use crate::error::{Error, Kind, Result};
use crate::history::actor::{Notice, Reply, Settings};
use crate::history::record::Face;
use crate::history::store::Store;
use crate::history::{
    self, Closed, Found, Handle, Known, Origin, Place, Record, Rules, Scribe, Secrets, Usual,
};
use crate::protocol::{Json, TaskId, TaskName};

/// So long nothing is said while the disk is waited for.
const SOON: Duration = Duration::from_secs(1);
/// How long it is waited for: SQLite waits 5 s for another program, and what failed is tried once more at the end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Writes calls into history.
pub struct Keeper {
    handle: Handle,
    scribe: Scribe,
}

impl Keeper {
    /// Opens history at `place` for calls to `broker`. What goes wrong with the disk is said as a warning.
    pub fn open(
        (place, rules): (Place, Rules),
        secrets: Secrets,
        broker: String,
        output: Output,
    ) -> Self {
        let scribe = Scribe {
            origin: Origin {
                face: Face::CommandLine,
                broker,
                ..Origin::default()
            },
            secrets,
        };
        Self {
            handle: open(place, &rules, output),
            scribe,
        }
    }

    /// Keeps the call as it is now, with where its result is looked for and what the diagnosis found.
    pub fn keep(
        &self,
        call: &Call,
        results: Option<&Results>,
        diagnosis: Option<&Diagnosis>,
        now: Now,
    ) {
        let mut scribe = self.scribe.clone();
        if let Some(Results::Stored(backend)) = results {
            scribe.origin.backend = Some(backend.address());
        }
        let diagnosis = diagnosis.and_then(|found| document(found, now));
        let known = Known {
            diagnosis: diagnosis.as_ref(),
            ..Known::default()
        };
        let record = Record::of(call, &scribe, known, now);
        self.handle.save(record);
    }

    /// How long the task usually takes on this broker. The answer comes when the disk has it; nothing waits for it.
    pub fn usual(&self, task: &TaskName) -> Reply<Option<Usual>> {
        let broker = self.scribe.origin.broker.clone();
        self.handle.usual(task.clone(), broker, None)
    }

    /// Waits until all is written; see [`close`].
    pub async fn close(&self, output: Output) {
        close(&self.handle, output).await;
    }
}

/// A diagnosis as history keeps it.
pub fn document(found: &Diagnosis, now: Now) -> Option<Json> {
    let text = serde_json::to_string(&DiagnosisDocument::new(found, now)).ok()?;
    Json::parse_strict(&text).ok()
}

/// History, its troubles told as warnings.
pub fn open(place: Place, rules: &Rules, output: Output) -> Handle {
    history::open(Settings::new(place).by(rules), move |notice| match notice {
        Notice::InMemory(error) => output.warnings(&[error.message]),
        Notice::Slimmed(calls) => output.warnings(&[calls_slimmed(calls)]),
        Notice::OnDisk(_) | Notice::Changed => {}
    })
}

fn calls_slimmed(calls: usize) -> String {
    format!("history: memory is full, {calls} calls are kept there without their large values")
}

/// Where a call of `task` is kept: in history where a person called, not where a script did; never where that was not wanted. The calls
/// of the demo are kept only if that is wanted. `--history` goes before the environment and the file, but not before what the file says
/// of the task: that is said as a warning.
pub fn place(
    wanted: cli::Keeping,
    demo: bool,
    config: &Config,
    task: &TaskName,
    env: Env<'_>,
    output: Output,
) -> Option<(Place, Rules)> {
    let by_person = output.stdout_terminal && !demo;
    if wanted.no_history || !(wanted.history || by_person) {
        return None;
    }
    let (mut place, mut rules) = file::history(config, env);
    if wanted.history {
        rules.persist.set_all(true);
        if place == Place::Memory {
            place = history::place::built_in(env);
        }
    }
    if !rules.persist.keeps(task) {
        if wanted.history {
            let warning = "not kept in history: the configuration file says persist = false of it";
            output.warnings(&[warning.to_owned()]);
        }
        return None;
    }
    Some((place, rules)).filter(|(place, _)| *place != Place::Memory)
}

/// History, if there is a file of it; asking makes none.
///
/// # Errors
/// There is one and it cannot be used: nobody knows then whether a call is in it.
pub fn existing(config: &Config, env: Env<'_>, output: Output) -> Result<Option<Handle>> {
    match file::history(config, env) {
        (Place::File(path), rules) if exists(&path)? => {
            Store::open(&path).map_err(Error::from)?;
            Ok(Some(open(Place::File(path), &rules, output)))
        }
        _ => Ok(None),
    }
}

/// Whether there is a file; a folder that may not be looked into is no proof of the contrary.
fn exists(path: &Path) -> Result<bool> {
    path.try_exists().map_err(|error| {
        let what = format!("history {}: {error}", path.display());
        Error::new(Kind::Config, what).hint("name another file in UMBEL_HISTORY, or off")
    })
}

/// History, if there is one, and what it has of calls of these very ids.
pub async fn records(
    ids: &[TaskId],
    config: &Config,
    env: Env<'_>,
    output: Output,
) -> (Option<Handle>, Vec<Option<Box<Record>>>) {
    // The cluster can be asked all the same.
    let history = existing(config, env, output).unwrap_or_else(|error| {
        output.warnings(&[error.message]);
        None
    });
    let mut records = Vec::new();
    for id in ids {
        let found = match &history {
            Some(history) => history.get(id.to_string()).await.unwrap_or_else(|error| {
                output.warnings(&[error.message]);
                Found::None
            }),
            None => Found::None,
        };
        // The cluster can be asked all the same.
        output.warnings(&Vec::from_iter(found.unreadable()));
        records.push(match found {
            Found::One(record) if record.id() == id => Some(record),
            _ => None,
        });
    }
    (history, records)
}

/// Waits until all is written, longer than SQLite itself waits for another program; an interrupt ends it. What was not written is said.
pub async fn close(history: &Handle, output: Output) {
    let waits = |limit| {
        let history = history.clone();
        tokio::task::spawn_blocking(move || history.close_within(limit))
    };
    let mut closed = waits(SOON).await.unwrap_or(Closed::Unwritten(0));
    if closed != Closed::Written && !history.has_ended() {
        output
            .progress("history: waiting for the disk, or for another program that holds the file");
        let stop = super::stop::stopped();
        closed = tokio::select! {
            late = waits(PATIENCE) => late.unwrap_or(closed),
            _ = stop => closed,
        };
        output.progress("");
    }
    if let Closed::Unwritten(calls) = closed {
        let warning = format!(
            "history: not kept for sure, the file could not be written: {calls} of the calls"
        );
        output.warnings(&[warning]);
    }
}
