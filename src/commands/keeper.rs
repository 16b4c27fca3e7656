//! Calls of the command line in history. It never waits for the disk before the end, and its failures are warnings.

use super::output::Output;
use crate::backend::Results;
use crate::call::Call;
use crate::call::diagnosis::{Diagnosis, DiagnosisDocument};
use crate::cli;
use crate::clock::Now;
use crate::config::Env;
use crate::history::actor::{Notice, Settings};
use crate::history::record::Face;
use crate::history::{self, Closed, Found, Handle, Known, Origin, Place, Record, Scribe};
use crate::protocol::{Json, TaskId};

/// Writes calls into history.
pub struct Keeper {
    handle: Handle,
    scribe: Scribe,
}

impl Keeper {
    /// Opens history at `place` for calls to `broker`. What goes wrong with the disk is said as a warning.
    pub fn open(place: Place, broker: String, output: Output) -> Self {
        let scribe = Scribe {
            origin: Origin {
                face: Face::CommandLine,
                broker,
                ..Origin::default()
            },
            ..Scribe::default()
        };
        Self {
            handle: open(place, output),
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
        let diagnosis = diagnosis.and_then(|found| {
            let text = serde_json::to_string(&DiagnosisDocument::new(found, now)).ok()?;
            Json::parse_strict(&text).ok()
        });
        let known = Known {
            diagnosis: diagnosis.as_ref(),
            ..Known::default()
        };
        let record = Record::of(call, &scribe, known, now);
        self.handle.save(record);
    }

    /// Waits, at most a second, until all is written.
    pub fn close(&self, output: Output) {
        close(&self.handle, output);
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
pub fn place(wanted: cli::Keeping, demo: bool, env: Env<'_>, output: Output) -> Option<Place> {
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

/// History, if there is one, and what it has of calls of these very ids.
pub async fn records(
    ids: &[TaskId],
    env: Env<'_>,
    output: Output,
) -> (Option<Handle>, Vec<Option<Box<Record>>>) {
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
    (history, records)
}

/// Waits, at most a second, until all is written.
pub fn close(history: &Handle, output: Output) {
    if let Closed::Unwritten(calls) = history.close() {
        let warning = format!("history: {calls} calls may not be written, the disk is slow");
        output.warnings(&[warning]);
    }
}
