//! What the command line says: clap types and the ITEM grammar. Decides nothing, opens nothing.

pub mod call;
pub mod config;
pub mod history;
pub mod items;
pub mod look;
pub mod numbers;
pub mod options;
pub mod sent;
pub mod topics;
pub mod waiting;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::error::{Error, Kind, Result};

pub use call::Call;
pub use config::Config;
pub use history::{Again, History, Keeping};
pub use options::timeout;
pub use sent::{ResultOf, Revoke, Wait};
pub use waiting::{OnInterrupt, OnTimeout, Progress, Shape, Waited, Waiting};

/// umbel calls Celery tasks and shows what your workers are doing.
///
/// Without a command it opens the screen.
#[derive(Debug, Parser)]
#[command(name = "umbel", version, disable_help_subcommand = false, after_help = AFTER_HELP)]
pub struct Cli {
    /// What is meant for every command.
    #[command(flatten)]
    pub global: Global,
    /// The command; none opens the screen.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The names of all commands.
pub fn commands() -> Vec<String> {
    let cli = <Cli as clap::CommandFactory>::command();
    let names = cli.get_subcommands();
    names.map(|command| command.get_name().to_owned()).collect()
}

const AFTER_HELP: &str = "\
Exit codes:
  0 success                          6 no worker reads the queue, knows the task, or answers
  1 the task failed                  7 revoked, expired or killed
  2 wrong usage                      8 the arguments cannot be encoded
  3 no result in time; it may run    9 refused (confirmation or permission)
  4 unreachable; nothing was sent   11 configuration
  5 result backend lost afterwards  12 unknown whether it was sent
  70 a bug in umbel, or stdout      130, 143 interrupted; the task goes on
     cannot be written

Environment: UMBEL_BROKER CELERY_BROKER_URL UMBEL_BACKEND CELERY_RESULT_BACKEND
  UMBEL_BROKER_OPTIONS UMBEL_BACKEND_OPTIONS UMBEL_MANAGEMENT
  UMBEL_TIMEOUT UMBEL_HISTORY UMBEL_CONFIG UMBEL_LOG UMBEL_GLYPHS UMBEL_AMBIGUOUS
  NO_COLOR

More: umbel help exit-codes | environment | json | items";

/// Flags that go anywhere.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
pub struct Global {
    /// Broker URL: <amqp://user:password@host:5672/vhost> (a password here is visible to others in ps; prefer `CELERY_BROKER_URL`)
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help_heading = "Global options"
    )]
    pub broker: Option<String>,
    /// Result backend URL: <redis://host:6379/0> or rpc://; else the workers are asked
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help_heading = "Global options"
    )]
    pub backend: Option<String>,
    /// Transport option of the broker, as kombu names it: `ssl_ca_certs=/ca.pem`, `global_keyprefix=shop_` (repeatable) [env: `UMBEL_BROKER_OPTIONS` as JSON]
    #[arg(
        long = "broker-option",
        global = true,
        value_name = "NAME=VALUE",
        help_heading = "Global options"
    )]
    pub broker_options: Vec<String>,
    /// The same for the result backend [env: `UMBEL_BACKEND_OPTIONS` as JSON]
    #[arg(
        long = "backend-option",
        global = true,
        value_name = "NAME=VALUE",
        help_heading = "Global options"
    )]
    pub backend_options: Vec<String>,
    /// `RabbitMQ`'s management API, for unacked messages and rates: <http://host:15672> [env: `UMBEL_MANAGEMENT`]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help_heading = "Global options"
    )]
    pub management: Option<String>,
    /// A pretend cluster inside the program: no broker, no network
    #[arg(long, global = true, conflicts_with_all = ["broker", "backend"], help_heading = "Global options")]
    pub demo: bool,
    /// One JSON document on stdout, also on failure
    #[arg(
        long,
        global = true,
        conflicts_with = "plain",
        help_heading = "Global options"
    )]
    pub json: bool,
    /// One JSON document a line
    #[arg(long, global = true, help_heading = "Global options")]
    pub jsonl: bool,
    /// Say less: -q no progress, -qq no warnings either
    #[arg(short, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub quiet: u8,
    /// Say more: when what happened
    #[arg(short, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
    /// Never ask anything
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_input: bool,
    /// Stable plain text: tab-separated listings, compact results
    #[arg(long, global = true, help_heading = "Global options")]
    pub plain: bool,
    /// Settings from FILE instead of ~/.config/umbel/config.toml [env: `UMBEL_CONFIG`]
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Global options"
    )]
    pub config: Option<PathBuf>,
    /// Write a log to FILE (no arguments, results or passwords in it) [env: `UMBEL_LOG`]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Global options"
    )]
    pub log: Option<PathBuf>,
    /// Colours: auto, always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        help_heading = "Global options"
    )]
    pub color: Option<look::ColorWish>,
    /// Glyph set of the screen: unicode or ascii
    #[arg(
        long,
        global = true,
        value_name = "SET",
        help_heading = "Global options"
    )]
    pub glyphs: Option<look::Glyphs>,
    /// How long a call is waited for: 500ms, 10s, 2m, 1.5; none or 0: no limit (24 h) [env: `UMBEL_TIMEOUT`] [default: 10s]
    #[arg(long, global = true, value_name = "DUR", value_parser = timeout, help_heading = "How long to wait")]
    pub timeout: Option<Duration>,
}

impl Global {
    /// Refuses flags that contradict each other; clap sees it only where they stand on the same side of the command.
    pub fn check(&self) -> Result<()> {
        let contradiction = match self {
            Self {
                json: true,
                plain: true,
                ..
            } => "--json and --plain",
            Self {
                jsonl: true,
                plain: true,
                ..
            } => "--jsonl and --plain",
            Self {
                demo: true,
                broker: Some(_),
                ..
            } => "--demo and --broker",
            Self {
                demo: true,
                backend: Some(_),
                ..
            } => "--demo and --backend",
            _ => return Ok(()),
        };
        Err(Error::new(
            Kind::Usage,
            format!("{contradiction} cannot be used together"),
        ))
    }
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Call a task and wait for its result
    Call(Box<Waited>),
    /// Send a task and print its id, without waiting for its result
    Send(Box<Call>),
    /// Wait for the results of calls that were sent before
    Wait(Wait),
    /// Show the state and the result of a call as they are now
    Result(ResultOf),
    /// Tell all workers not to start a task, or to kill it
    Revoke(Revoke),
    /// List the calls that were kept, and show, compare, export or forget them
    History(History),
    /// Call once more as before
    Again(Again),
    /// List the tasks that workers have registered
    Tasks(Tasks),
    /// List the queues that workers consume, with their depth
    Queues(Queues),
    /// List the workers that answer, with their load
    Workers(Workers),
    /// Say where the configuration file is, check it, or write a new one
    Config(Config),
}

/// `umbel tasks`.
#[derive(Debug, Args)]
pub struct Tasks {
    /// Part of a name, or a glob such as 'shop.*.refund'
    #[arg(value_name = "PATTERN")]
    pub pattern: Option<String>,
    /// Celery's own tasks too
    #[arg(long)]
    pub builtins: bool,
}

/// `umbel queues`.
#[derive(Debug, Args)]
#[command(after_help = "\
The queues are those that workers say they read. Where no worker answers: those that kombu bound in Redis, that the management API of
RabbitMQ lists (--management), that history has calls of at this broker, and `celery`; the note says from where each is known, and a
warning that there may be more. Exit 6 only if none is found.")]
pub struct Queues {
    /// Only this queue, also if no worker consumes it
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// `umbel workers`.
#[derive(Debug, Args)]
pub struct Workers {
    /// Only workers whose name contains this
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
