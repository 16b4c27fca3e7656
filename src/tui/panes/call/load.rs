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
    /// Fills a new form with a call of the past. Secrets that were masked are rows and headers that
    /// mean nothing until they are typed again.
    ///
    /// # Errors
    /// Its arguments were too large to keep, or there is no place for a secret to be typed again.
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
            let text = format!("{masked}: history keeps no secrets; type it again");
            let spot = match &masked.place {
                Place::Positional(index) => Some(Spot::Row(*index)),
                Place::Keyword(name) => {
                    let mut names = signature.kwargs.iter();
                    let at = names.position(|(key, _)| key == name);
                    at.map(|at| Spot::Row(signature.args.len() + at))
                }
                Place::Header(name) => {
                    let mut headers = signature.options.headers.iter();
                    let at = headers.position(|(key, _)| key == name);
                    at.map(|nth| {
                        Spot::Option(Entry {
                            name: Name::Header,
                            nth,
                        })
                    })
                }
            };
            match spot {
                Some(Spot::Row(row)) if row < self.rows.len() => {
                    self.rows[row].item = Err(Error::new(Kind::InvalidArguments, text));
                }
                Some(Spot::Option(entry)) if self.options.is_set(entry) => {
                    self.options.lacks(entry, text);
                    self.open = true;
                }
                // Nobody could type it again; the mask itself is never sent.
                _ => return Err(NotRepeatable::Masked(record.masked.clone())),
            }
            self.spot = spot.unwrap_or(self.spot);
        }
        self.lacks(record.masked.iter().map(|masked| masked.place.clone()));
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
