//! The way to the results of calls that were sent before. It reads none.

use std::collections::BTreeMap;

use crate::backend::Results;
use crate::client::{Command, Event, LinkName, LinkState};
use crate::commands::Session;
use crate::commands::around::Around;
use crate::error::{Error, Kind, Result};
use crate::history::Record;
use crate::protocol::TaskId;

/// Where the results of these calls were to be kept, as far as history knows.
pub(super) type KeptAt = BTreeMap<String, TaskId>;

/// Where history has the results of these.
pub(super) fn kept_at<'a>(records: impl Iterator<Item = &'a Record>) -> KeptAt {
    let kept = |record: &Record| Some((record.origin.backend.clone()?, record.id().clone()));
    records.filter_map(kept).collect()
}

/// Waits until results can be read. Where nobody tells where they are, they are read where history has them. Returns why they cannot be
/// read although everybody can be reached: what history and the workers know can be told all the same.
///
/// # Errors
/// What has to be asked is out of reach.
pub(super) async fn reach_backend(
    session: &mut Session,
    around: &mut Around,
    kept: &KeptAt,
) -> Result<Option<Error>> {
    let mut remembered = None;
    let mut up = false;
    loop {
        match &around.results {
            Some(Results::Stored(_)) if up => return Ok(None),
            None | Some(Results::Stored(_)) => {}
            Some(Results::Unknown) if remembered.is_none() && !kept.is_empty() => {
                let address = the_only(kept)?;
                let command = Command::ResultsWereAt(address.clone());
                session.client.send(command).await;
                remembered = Some(address);
                around.results = None;
            }
            Some(other) => return Ok(Some(out_of_reach(other))),
        }
        let event = session.events.recv().await;
        let event =
            event.ok_or_else(|| Error::new(Kind::Internal, "the client ended by itself"))?;
        around.hear(event.clone());
        match event {
            Event::Link(LinkName::Backend, LinkState::Up { .. }) => up = true,
            Event::Link(LinkName::Backend, LinkState::Waiting { reason, .. }) => {
                return Err(reason);
            }
            Event::Link(LinkName::Broker, LinkState::Waiting { reason, .. })
                if around.results.is_none() =>
            {
                return Err(reason);
            }
            Event::ResultsTrouble(error) => {
                return Err(match remembered {
                    Some(address) => not_kept(address, error),
                    None => error,
                });
            }
            Event::Notice(notice) => session.output.warnings(&[notice]),
            _ => {}
        }
    }
}

/// The one place of all results.
///
/// # Errors
/// There are several: one client reads one.
fn the_only(kept: &KeptAt) -> Result<&String> {
    let mut addresses = kept.iter();
    if let (Some((address, _)), None) = (addresses.next(), addresses.next()) {
        return Ok(address);
    }
    let all = kept
        .iter()
        .map(|(address, id)| format!("{id} in {address}"));
    let all = all.collect::<Vec<_>>().join(", ");
    let what = format!("the results of these calls are kept in several places: {all}");
    Err(Error::new(Kind::Config, what).hint("one after another, or --backend URL"))
}

/// A way that history knows, but for what is secret in it.
fn not_kept(address: &str, error: Error) -> Error {
    let what = format!(
        "no worker tells where results are; history has {address}, without what is secret in it"
    );
    Error {
        message: what,
        ..error
    }
}

fn out_of_reach(results: &Results) -> Error {
    let (message, hint) = match results {
        Results::Rpc => (
            "results on rpc:// go to the caller alone: nobody else can read them",
            "umbel call waits for its own; umbel history has those that it heard",
        ),
        Results::Disabled => (
            "this application keeps no results",
            "set result_backend in the application",
        ),
        Results::Unreadable(_) => (
            "results are kept where umbel cannot read them",
            "Celery itself reads them: AsyncResult(id)",
        ),
        _ => (
            "nobody told where results are kept",
            "--backend URL or CELERY_RESULT_BACKEND says it",
        ),
    };
    let message = format!("{message} ({})", results.address());
    Error::new(Kind::BackendUnreachable, message).hint(hint)
}
