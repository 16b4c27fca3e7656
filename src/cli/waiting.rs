//! How long a call is waited for, and what is done and shown meanwhile, as clap reads it. Decides nothing.

use clap::{Args, ValueEnum};

use super::Call;

/// `umbel call`: a call that is waited for.
#[derive(Debug, Args)]
#[command(after_help = super::call::AFTER_HELP)]
pub struct Waited {
    /// What is called.
    #[command(flatten)]
    pub call: Call,
    /// How it is waited for.
    #[command(flatten)]
    pub waiting: Waiting,
    /// How the result is printed.
    #[command(flatten)]
    pub shape: Shape,
}

/// How a call is waited for.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "How long to wait")]
pub struct Waiting {
    /// When the time is over: keep (the task goes on), revoke (no worker is to start it; changes nothing if it runs), terminate (its process is killed, a last resort). Naming it is the confirmation
    #[arg(long, value_name = "WHAT", default_value = "keep")]
    pub on_timeout: OnTimeout,
    /// On Ctrl-C: keep or revoke
    #[arg(long, value_name = "WHAT", default_value = "keep")]
    pub on_interrupt: OnInterrupt,
    /// What stderr shows meanwhile: auto (a line on a terminal), plain (a line for each change of state, and every 5s without one), none
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub progress: Progress,
}

/// How a result is printed; not for `--json`.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "How to print the result")]
pub struct Shape {
    /// A text without its quotes
    #[arg(long)]
    pub raw: bool,
    /// Values with a type, such as decimals and dates, as plain texts
    #[arg(long)]
    pub flatten: bool,
    /// Only this part of the result: customer.name, `items[0].id`; exit 1 if there is none
    #[arg(long, value_name = "PATH", conflicts_with = "json")]
    pub field: Option<String>,
    /// Exit 0 whenever an outcome is known, also if the task failed
    #[arg(long)]
    pub no_check: bool,
}

/// What is done when the time is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnTimeout {
    /// Nothing: the task goes on.
    #[default]
    Keep,
    /// No worker is to start it.
    Revoke,
    /// The process that runs it is killed.
    Terminate,
}

/// What is done when the user stops the waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnInterrupt {
    /// Nothing: the task goes on.
    #[default]
    Keep,
    /// No worker is to start it.
    Revoke,
}

/// What is shown while waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// One moving line on a terminal, else nothing.
    #[default]
    Auto,
    /// One line for each change of state, and every few seconds without one.
    Plain,
    /// Nothing.
    None,
}
