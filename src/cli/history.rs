//! `history` and `again`, as clap reads them. Decides nothing, opens nothing.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Shape, Waited, Waiting};
use crate::call::CallState;
use crate::protocol::Json;

/// `umbel history`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
The calls of the screen, and of the command line on a terminal (--history keeps any call, --no-history none). Secrets are kept as ***.
UMBEL_HISTORY names the file, or is off. An id that was used again has several calls: lists and exports have all of them, a command
that takes an ID means the last. --jsonl gives one document umbel.call/1 a line, the newest first, and is exact. --csv is for
spreadsheets: a cell that they would take for a formula (= + - @) gets an apostrophe before it."
)]
pub struct History {
    /// What is done; nothing: calls are listed.
    #[command(subcommand)]
    pub action: Option<Action>,
    /// Which calls.
    #[command(flatten)]
    pub which: Which,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// As CSV
    #[arg(long)]
    pub csv: bool,
}

/// Which calls.
#[derive(Clone, Debug, Args)]
pub struct Which {
    /// Words that stand somewhere in task, id, arguments (their first 16,000 characters), result (8,000), error or traceback (its last 8,000); `state:fail` and `task:shop.*` as on the screen
    #[arg(value_name = "PATTERN")]
    pub pattern: Vec<String>,
    /// States: ok, fail, timeout, lost, revoked, … (several with commas)
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = state)]
    pub state: Vec<CallState>,
    /// Part of a task's name, or a glob
    #[arg(long, value_name = "GLOB")]
    pub task: Option<String>,
    /// Made in so long until now: 10m, 2h
    #[arg(long, value_name = "DUR", value_parser = super::options::duration)]
    pub since: Option<Duration>,
}

/// What is done with history.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Show one call
    Show {
        /// Its id, or the beginning of it, also as the screen shows it: bf b4049d
        #[arg(value_name = "ID", required = true, num_args = 1..=2)]
        id: Vec<String>,
    },
    /// Show how the results of two calls differ
    Diff {
        /// The earlier one
        #[arg(value_name = "ID")]
        before: String,
        /// The later one
        #[arg(value_name = "ID")]
        after: String,
    },
    /// Write all calls, as JSONL or with --csv as CSV
    Export {
        /// Which calls.
        #[command(flatten)]
        which: Which,
        /// As CSV
        #[arg(long)]
        csv: bool,
    },
    /// Delete a call for good
    Forget {
        /// Its id, or the beginning of it, also as the screen shows it: bf b4049d
        #[arg(value_name = "ID", required = true, num_args = 1..=2)]
        id: Vec<String>,
    },
    /// Move a broken history aside, and save what can be read of it
    Repair,
}

/// `umbel again`.
#[derive(Debug, Args)]
#[command(after_help = "\
The same arguments and options with a new id. ITEMs win over what it was called with: a keyword replaces the keyword of its name, positional
ITEMs replace all positional arguments. An ID comes first; without one (`umbel again x=2`) it is the last call. The beginning of an ID is
enough unless it may be meant as an argument (`umbel again 5`): that is refused.

Secrets are not kept. On a terminal they are asked for, and what is typed is not shown; else they are given as ITEMs: password=@-
reads one from stdin, where `ps` does not show it. More options: umbel call --from ID.

A call that was made at another broker goes to this one only if --yes, --broker or a Y on a terminal says so.")]
pub struct Again {
    /// Id of a call, or the beginning of it; else the last one
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// What is to be otherwise: x=2  note=text  password=@file
    #[arg(value_name = "ITEM", allow_negative_numbers = true)]
    pub items: Vec<String>,
    /// Positional arguments taken as they are, after --
    #[arg(last = true, value_name = "ITEM")]
    pub rest: Vec<String>,
    /// Arguments beside the ITEMs.
    #[command(flatten)]
    pub given: super::call::Given,
    /// A header that the task sees as self.request.NAME; replaces the one of its name (again for more)
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = super::options::header)]
    pub headers: Vec<(String, Json)>,
    /// Print the message that would be sent; no network
    #[arg(long)]
    pub dry_run: bool,
    /// Send without asking first who reads the queue and knows the task
    #[arg(long)]
    pub no_preflight: bool,
    /// It is meant so: ask nobody, also where the call was made at another broker
    #[arg(long)]
    pub yes: bool,
    /// How it is waited for.
    #[command(flatten)]
    pub waiting: Waiting,
    /// How the result is printed.
    #[command(flatten)]
    pub shape: Shape,
    /// Whether it is kept.
    #[command(flatten)]
    pub keeping: Keeping,
}

impl Again {
    /// As the call that it is, and how that is waited for and printed. A first word with a name before `=` is no id.
    pub fn into_call(mut self) -> Waited {
        let named = |word: &String| super::items::parse(word).is_ok_and(|item| item.name.is_some());
        if let Some(item) = self.id.take_if(|word| named(word)) {
            self.items.insert(0, item);
        }
        let sending = super::call::Sending {
            headers: self.headers,
            ..super::call::Sending::default()
        };
        Waited {
            call: super::Call {
                items: self.items,
                rest: self.rest,
                given: self.given,
                sending,
                dry_run: self.dry_run,
                no_preflight: self.no_preflight,
                yes: self.yes,
                bare: self.id.is_some(),
                from: self.id,
                repeats: true,
                keeping: self.keeping,
                ..super::Call::default()
            },
            waiting: self.waiting,
            shape: self.shape,
        }
    }
}

/// Whether a call is kept in history.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Keeping {
    /// Keep the call in history also where stdout is no terminal
    #[arg(long, conflicts_with = "no_history")]
    pub history: bool,
    /// Do not keep the call in history
    #[arg(long)]
    pub no_history: bool,
}

fn state(text: &str) -> Result<CallState, String> {
    let name = text.to_lowercase().replace([' ', '-'], "_");
    name.parse().map_err(|_| {
        format!("{text:?} is no state; such as ok, fail, timeout, late_ok, lost, revoked")
    })
}
