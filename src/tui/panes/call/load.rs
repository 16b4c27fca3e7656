//! A call of the past in the form: rows, options, timeout. What history does not keep has to be typed again, and is asked for.

use std::time::Duration;

use super::draft::{Draft, Spot};
use super::options::Entry;
use crate::cli::options::Name;
use crate::error::{Error, Kind};
use crate::history::record::Place;
use crate::history::{NotRepeatable, Record};
use crate::protocol::Options;
use crate::protocol::message::Start;

impl Draft {
    /// Fills a new form with a call of the past. Secrets that were masked are rows that mean nothing until they are typed again.
    ///
    /// # Errors
    /// Its arguments were too large to keep.
    pub fn load(&mut self, record: &Record) -> Result<(), NotRepeatable> {
        if let Some(bytes) = record.arguments_cut {
            return Err(NotRepeatable::TooLarge(bytes));
        }
        let signature = &record.signature;
        self.fill(&(signature.args.clone(), signature.kwargs.clone()));
        let given = texts(&signature.options, record.timeout);
        for (entry, text) in given {
            self.options.set(entry, &text);
        }
        for masked in record.masked.iter().rev() {
            let row = match &masked.place {
                Place::Positional(index) => Some(*index),
                Place::Keyword(name) => {
                    let mut names = signature.kwargs.iter();
                    let at = names.position(|(key, _)| key == name);
                    at.map(|at| signature.args.len() + at)
                }
                Place::Header(_) => None,
            };
            if let Some(row) = row.and_then(|row| Some((row, self.rows.get_mut(row)?))) {
                let text = format!("{masked}: history keeps no secrets; type it again");
                row.1.item = Err(Error::new(Kind::InvalidArguments, text));
                self.spot = Spot::Row(row.0);
            }
        }
        Ok(())
    }
}

/// What is typed for these options.
fn texts(options: &Options, timeout: Duration) -> Vec<(Entry, String)> {
    let span = |span: Option<Duration>| span.map(seconds);
    let (countdown, eta) = match options.start {
        Some(Start::After(after)) => (Some(seconds(after)), None),
        Some(Start::At(at)) => (None, Some(at.to_string())),
        None => (None, None),
    };
    let result = options.ignore_result.map(|ignored| {
        let word = if ignored { "none" } else { "force" };
        word.to_owned()
    });
    let single = [
        (Name::Timeout, Some(seconds(timeout))),
        (Name::Queue, options.queue.as_ref().map(ToString::to_string)),
        (Name::Exchange, options.exchange.clone()),
        (Name::RoutingKey, options.routing_key.clone()),
        (Name::Countdown, countdown),
        (Name::Eta, eta),
        (
            Name::Expires,
            options
                .expires_at
                .map(|at| at.to_string())
                .or_else(|| span(options.expires)),
        ),
        (
            Name::Priority,
            options.priority.map(|level| level.to_string()),
        ),
        (Name::TimeLimit, span(options.time_limit)),
        (Name::SoftTimeLimit, span(options.soft_time_limit)),
        (
            Name::Serializer,
            options.serializer.map(|it| it.to_string()),
        ),
        (
            Name::Compression,
            options.compression.map(|it| it.to_string()),
        ),
        (Name::Shadow, options.shadow.clone()),
        (Name::Result, result),
    ];
    let single = single.into_iter();
    let single = single.filter_map(|(name, text)| Some((Entry::from(name), text?)));
    let headers = options.headers.iter().enumerate();
    let headers = headers.map(|(nth, (name, value))| {
        let entry = Entry {
            name: Name::Header,
            nth,
        };
        (entry, format!("{name}:={}", value.to_wire()))
    });
    single.chain(headers).collect()
}

/// Exactly, as an option is typed: `1.5s`.
fn seconds(span: Duration) -> String {
    let text = format!("{}.{:09}", span.as_secs(), span.subsec_nanos());
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}s")
}
