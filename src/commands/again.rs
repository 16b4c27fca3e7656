//! A call of history once more: as it was, or with other arguments. It sends nothing itself.

use crate::cli;
use crate::error::{Error, Kind, Result};
use crate::history::record::{Masked, Place};
use crate::history::{Filter, Found, Handle, Record};
use crate::protocol::{Options, Signature, TaskId};

/// For somebody who wants a call of a history that is not there.
fn empty() -> Error {
    Error::new(Kind::Usage, "history is empty: there is no call to take")
        .hint("calls on a terminal are kept, others with --history; UMBEL_HISTORY names the file")
}

/// The call of this id or its beginning; without one the newest.
///
/// # Errors
/// There is none, there are several, or history cannot be read.
pub async fn find(history: Option<&Handle>, id: Option<&str>) -> Result<Box<Record>> {
    let history = history.ok_or_else(empty)?;
    let id = if let Some(id) = id {
        id.to_owned()
    } else {
        let newest = history.page(Filter::default(), None, 1).await?.pop();
        newest.ok_or_else(empty)?.id.to_string()
    };
    match history.get(id.clone()).await? {
        Found::One(record) => Ok(record),
        Found::None => Err(Error::new(
            Kind::Usage,
            format!("history has no call whose id is or begins with {id:?}"),
        )),
        Found::Several(one, other) => Err(Error::new(
            Kind::Usage,
            format!("several calls begin with {id:?}: {one}, {other}, …"),
        )
        .hint("write more of the id")),
    }
}

/// The same call with another id.
///
/// # Errors
/// Secrets are not kept (kind `invalid_arguments`): they have to be given again.
pub fn same(record: &Record) -> Result<Signature> {
    let again = record.to_signature(TaskId::random());
    let id = record.id();
    again.map_err(|reason| {
        Error::from(reason).hint(format!("umbel call --from {id} name=value gives them anew"))
    })
}

/// The call of `record` with what `given` says otherwise: keywords by name, positional arguments all together, options one by one.
///
/// # Errors
/// A secret that was not kept is not given anew, or the arguments were too large to keep.
pub fn changed(record: &Record, given: Signature) -> Result<Signature> {
    let mut record = record.clone();
    let anew = |masked: &Masked| match &masked.place {
        Place::Positional(_) => !given.args.is_empty(),
        Place::Keyword(name) => given.kwargs.iter().any(|(key, _)| key == name),
        Place::Header(_) => !given.options.headers.is_empty(),
    };
    record.masked.retain(|masked| !anew(masked));
    let mut signature = same(&record)?;
    if !given.args.is_empty() {
        signature.args = given.args;
    }
    for (name, value) in given.kwargs {
        signature.kwargs.retain(|(key, _)| *key != name);
        signature.kwargs.push((name, value));
    }
    signature.id = given.id;
    signature.options = over(given.options, signature.options);
    Ok(signature)
}

/// What is given, and where nothing is, what was.
fn over(given: Options, was: Options) -> Options {
    let headers = if given.headers.is_empty() {
        was.headers
    } else {
        given.headers
    };
    let (expires, expires_at) = match (given.expires, given.expires_at) {
        (None, None) => (was.expires, was.expires_at),
        given => given,
    };
    Options {
        queue: given.queue.or(was.queue),
        exchange: given.exchange.or(was.exchange),
        routing_key: given.routing_key.or(was.routing_key),
        priority: given.priority.or(was.priority),
        start: given.start.or(was.start),
        expires,
        expires_at,
        time_limit: given.time_limit.or(was.time_limit),
        soft_time_limit: given.soft_time_limit.or(was.soft_time_limit),
        serializer: given.serializer.or(was.serializer),
        compression: given.compression.or(was.compression),
        shadow: given.shadow.or(was.shadow),
        ignore_result: given.ignore_result.or(was.ignore_result),
        headers,
    }
}

/// With `--from`, the first word is an ITEM: the task is known.
pub fn words(command: &mut Option<cli::Command>) {
    let call = match command {
        Some(cli::Command::Call(waited)) => &mut waited.call,
        Some(cli::Command::Send(call)) => call,
        _ => return,
    };
    if call.from.is_some()
        && let Some(first) = call.task.take()
    {
        call.items.insert(0, first);
    }
}

/// What is to be said of a call that went to another broker.
pub fn elsewhere(record: &Record, broker: &str) -> Option<String> {
    let was = &record.origin.broker;
    (was != broker).then(|| format!("this call was made on {was}; now it goes to {broker}"))
}
