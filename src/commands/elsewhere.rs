//! Calls of history that were made at another broker than the one that is asked now: nothing is concluded about them from what that one
//! says, and nothing is sent to it, unless a person meant it.

use super::output::Output;
use super::stop;
use crate::error::{Error, Kind, Result};
use crate::history::Record;

/// The broker of this run.
#[derive(Clone, Debug, Default)]
pub struct Here {
    /// Its addresses for people, as history keeps them; several for one cluster.
    pub addresses: Vec<String>,
    /// It stands on the command line: a person means this one.
    pub named: bool,
}

impl Here {
    /// Where a call was made, if that was elsewhere.
    fn other<'a>(&self, record: &'a Record) -> Option<&'a str> {
        let there = record.origin.broker.as_str();
        let known = !there.is_empty() && !self.addresses.is_empty();
        let here = self.addresses.iter().any(|address| address == there);
        (known && !here).then_some(there)
    }

    fn address(&self) -> &str {
        self.addresses.first().map_or("", String::as_str)
    }

    /// What a command about this call needs beside its id, with a blank before it: nothing where it was made here.
    pub fn way_to(&self, record: &Record) -> String {
        match self.other(record) {
            None => String::new(),
            Some(there) if there.starts_with("memory:") => " --demo".to_owned(),
            Some(there) => format!(" --broker {there}"),
        }
    }

    /// What is to be said of a call that is asked about here and was made elsewhere.
    pub fn doubt(&self, record: &Record) -> Option<String> {
        let there = self.other(record)?;
        Some(format!(
            "{} was made at {there}; what {} says of queues and workers tells nothing of it",
            record.id(),
            self.address()
        ))
    }

    /// Whether these calls can be asked about here: the broker is theirs, or is named on the command line.
    ///
    /// # Errors
    /// One was made elsewhere, and nobody said that this broker is meant.
    pub fn check<'a>(&self, records: impl IntoIterator<Item = &'a Record>) -> Result<()> {
        if self.named {
            return Ok(());
        }
        let stray = |record| Some((record, self.other(record)?));
        let Some((record, there)) = records.into_iter().find_map(stray) else {
            return Ok(());
        };
        let what = format!(
            "{} was made at {there}, umbel is at {}",
            record.id(),
            self.address()
        );
        let hint = format!("give --broker: the URL of {there}, or the one that is to be asked");
        Err(Error::new(Kind::Config, what).hint(hint))
    }

    /// Whether a call that was made elsewhere may be made here: a person said so before (`yes`, or the broker on the command line), or
    /// says so now. Returns what is to be warned of.
    ///
    /// # Errors
    /// Nobody confirmed it.
    pub async fn confirm(
        &self,
        record: &Record,
        yes: bool,
        output: Output,
        no_input: bool,
    ) -> Result<Option<String>> {
        let Some(there) = self.other(record) else {
            return Ok(None);
        };
        let here = self.address();
        if yes || self.named {
            let warning = format!("this call was made on {there}; now it goes to {here}");
            return Ok(Some(warning));
        }
        let what = format!("this call was made on {there}, and would go to {here}");
        if !output.can_ask(no_input) {
            let what = format!("not confirmed, nothing was sent: {what}");
            let hint = "--yes confirms it, --broker URL names the one that is meant";
            return Err(Error::new(Kind::Refused, what).hint(hint));
        }
        let question = format!("{what}. Y sends it, anything else does not:");
        let asking = tokio::task::spawn_blocking(move || output.ask(&question));
        let answer = tokio::select! {
            answer = asking => answer.unwrap_or_default(),
            _ = stop::stopped() => {
                output.note("");
                return Err(Error::new(Kind::Interrupted, "stopped: nothing was sent"));
            }
        };
        match answer.as_str() {
            "Y" => Ok(None),
            _ => Err(Error::new(Kind::Refused, "not confirmed: nothing was sent")),
        }
    }
}
