//! The command line as scripts and people meet it, on the demo and without any network: stdout, stderr, exit code.

#[path = "commands/calls.rs"]
mod calls;
#[path = "commands/config.rs"]
mod config;
#[path = "commands/contract.rs"]
mod contract;
#[path = "commands/elsewhere.rs"]
mod elsewhere;
#[path = "commands/failures.rs"]
mod failures;
#[path = "commands/history.rs"]
mod history;
#[path = "commands/items.rs"]
mod items;
#[path = "commands/listings.rs"]
mod listings;
#[path = "commands/message.rs"]
mod message;
#[path = "commands/options.rs"]
mod options;
#[path = "commands/prompts.rs"]
mod prompts;
#[path = "commands/records.rs"]
mod records;
#[path = "commands/secrets.rs"]
mod secrets;
#[path = "commands/sent.rs"]
mod sent;
#[path = "commands/settings.rs"]
mod settings;
#[path = "commands/signals.rs"]
mod signals;
#[path = "commands/streams.rs"]
mod streams;
#[path = "support/support.rs"]
mod support;
#[path = "commands/terminal.rs"]
mod terminal;
