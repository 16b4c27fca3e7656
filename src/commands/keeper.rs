//! Calls of the command line in history. It never waits for the disk before the end, and its failures are warnings.

use super::output::Output;
use crate::call::Call;
use crate::cli;
use crate::clock::Now;
use crate::config::Env;
use crate::history::actor::{Notice, Settings};
use crate::history::record::Face;
use crate::history::{self, Closed, Found, Handle, Known, Origin, Place, Record, Scribe};
use crate::protocol::TaskId;

/// Writes calls into history.
pub struct Keeper {
    handle: Handle,
    scribe: Scribe,
}

impl Keeper {
    /// Opens history at `place` for calls to `broker`. What goes wrong with the disk is said as a warning.
    pub fn open(place: Place, broker: String, backend: Option<String>, output: Output) -> Self {
        let scribe = Scribe {
            origin: Origin {
                face: Face::CommandLine,
                broker,
                backend,
                profile: None,
            },
            ..Scribe::default()
        };
        Self {
            handle: open(place, output),
            scribe,
        }
    }

    /// Keeps the call as it is now.
    pub fn keep(&self, call: &Call, now: Now) {
        let record = Record::of(call, &self.scribe, Known::default(), now);
        self.handle.save(record);
    }

    /// Waits, at most a second, until all is written.
    pub fn close(&self, output: Output) {
        if let Closed::Unwritten(calls) = self.handle.close() {
            let warning = format!("history: {calls} calls may not be written, the disk is slow");
            output.warnings(&[warning]);
        }
    }
}

/// History, its troubles told as warnings.
pub fn open(place: Place, output: Output) -> Handle {
    history::open(Settings::new(place), move |notice| {
        if let Notice::InMemory(error) = notice {
            output.warnings(&[format!("history: {}", error.message)]);
        }
    })
}

/// Where a call is kept: in history where a person called, not where a script did; never where that was not wanted. The calls of the
/// demo are kept only if that is wanted.
pub fn place(wanted: &cli::Call, demo: bool, env: Env<'_>, output: Output) -> Option<Place> {
    let by_person = output.stdout_terminal && !demo;
    let kept = !wanted.no_history && (wanted.history || by_person);
    let place = kept.then(|| history::place(env));
    place.filter(|place| *place != Place::Memory)
}

/// History, if there is a file of it; asking makes none.
pub fn existing(env: Env<'_>, output: Output) -> Option<Handle> {
    match history::place(env) {
        Place::File(path) if path.exists() => Some(open(Place::File(path), output)),
        _ => None,
    }
}

/// What history has of calls of these very ids.
pub async fn records(ids: &[TaskId], env: Env<'_>, output: Output) -> Vec<Option<Box<Record>>> {
    let history = existing(env, output);
    let mut records = Vec::new();
    for id in ids {
        let found = match &history {
            Some(history) => history.get(id.to_string()).await.ok(),
            None => None,
        };
        records.push(match found {
            Some(Found::One(record)) if record.id() == id => Some(record),
            _ => None,
        });
    }
    records
}
