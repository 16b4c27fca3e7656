//! `config`, as clap reads it. Decides nothing, opens nothing.

use clap::{Args, Subcommand};

/// `umbel config`.
#[derive(Debug, Args)]
#[command(after_help = "\
The file is $XDG_CONFIG_HOME/umbel/config.toml, else ~/.config/umbel/config.toml; --config or UMBEL_CONFIG names another.
A mistake in it never stops umbel: it is said, and the rest is used. Where persist cannot be understood, calls are kept in memory only.")]
pub struct Config {
    /// What is done.
    #[command(subcommand)]
    pub action: Action,
}

/// What is done with the configuration file.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Action {
    /// Print where the file is, or would be
    Path,
    /// Say what in it cannot be used; exit code 11 if something cannot
    Check,
    /// Write a new file that holds every setting with its explanation
    Init,
}
