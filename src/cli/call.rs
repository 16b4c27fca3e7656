//! `umbel call`, as clap reads it. What the words mean is in [`super::items`] and [`super::options`].

use std::time::Duration;

use clap::Args;

use super::options::{self, Expires, ResultWish, Wishes};
use crate::clock::Timestamp;
use crate::protocol::{Compression, Json, Options, Serializer, TaskId};

/// What is called and how it is sent: `umbel send`, and the larger part of `umbel call`.
#[derive(Debug, Default, Args)]
#[command(after_help = AFTER_HELP)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
pub struct Call {
    /// Registered name of the task, such as shop.tasks.add
    #[arg(value_name = "TASK", required_unless_present = "from")]
    pub task: Option<String>,
    /// Arguments: 2  x=2  note=text  x:=true  amount:decimal=12.50  body=@file
    #[arg(value_name = "ITEM", allow_negative_numbers = true)]
    pub items: Vec<String>,
    /// Positional arguments taken as they are, after --
    #[arg(last = true, value_name = "ITEM")]
    pub rest: Vec<String>,
    /// What the task is called with, beside the ITEMs.
    #[command(flatten)]
    pub given: Given,
    /// How it is sent.
    #[command(flatten)]
    pub sending: Sending,
    /// Whether a result is asked for: auto (the task decides), force (also of a task that ignores it; Celery 5.6+), none
    #[arg(long, value_name = "WHETHER", value_parser = options::result, help_heading = "How long to wait")]
    pub result: Option<ResultWish>,
    /// Print the message that would be sent; no network
    #[arg(long)]
    pub dry_run: bool,
    /// Send without asking first who reads the queue and knows the task
    #[arg(long)]
    pub no_preflight: bool,
    /// A call of history once more (its id, or the beginning of it): no TASK then; ITEMs and options win over what it had
    #[arg(long, value_name = "ID")]
    pub from: Option<String>,
    /// It is meant so: ask nobody, also where the call of history was made at another broker
    #[arg(long)]
    pub yes: bool,
    /// Whether it is kept.
    #[command(flatten)]
    pub keeping: super::history::Keeping,
    /// Whether it is a call of history once more: the one of `from`, else the last.
    #[arg(skip)]
    pub repeats: bool,
    /// Whether `from` was the first of several words, and may have been meant as an argument.
    #[arg(skip)]
    pub bare: bool,
}

/// Arguments that are not ITEMs.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Arguments as JSON")]
pub struct Given {
    /// Positional arguments as a JSON array; positional ITEMs are added behind
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    pub args: Option<String>,
    /// Keyword arguments as a JSON object
    #[arg(long, value_name = "JSON")]
    pub kwargs: Option<String>,
    /// All arguments from a file (- is stdin): {"args": [], "kwargs": {}}
    #[arg(long, value_name = "FILE", conflicts_with_all = ["args", "kwargs", "items", "rest"])]
    pub input: Option<String>,
}

/// How the message is sent.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "How to send")]
pub struct Sending {
    /// Queue to publish to; else the task's own, `task_routes`, `task_default_queue`, celery
    #[arg(long, value_name = "QUEUE", value_parser = options::short)]
    pub queue: Option<String>,
    /// Exchange to publish to; else the default exchange, straight into the queue
    #[arg(long, value_name = "EXCHANGE", value_parser = options::short)]
    pub exchange: Option<String>,
    /// Routing key for the exchange
    #[arg(long, value_name = "KEY", value_parser = options::short)]
    pub routing_key: Option<String>,
    /// Start it so long after it is sent, at the earliest: 30s, 5m
    #[arg(long, value_name = "DUR", value_parser = options::duration)]
    pub countdown: Option<Duration>,
    /// Start it at this time at the earliest, with its offset: 2026-11-22T12:00:00Z, 2026-11-22T20:00+08:00
    #[arg(long, value_name = "TIME", value_parser = options::time)]
    pub eta: Option<Timestamp>,
    /// How long after sending, or until when, a worker may still start it: 60s, 5m, TIME, none
    #[arg(long, value_name = "DUR|TIME", value_parser = options::expires)]
    pub expires: Option<Expires>,
    /// 0 to 255; RabbitMQ: the highest first, in queues with x-max-priority; Redis: 0 first, up to 9
    #[arg(long, value_name = "N", value_parser = options::priority)]
    pub priority: Option<u8>,
    /// Kill the task after so long; overrides its own limit
    #[arg(long, value_name = "DUR", value_parser = options::duration)]
    pub time_limit: Option<Duration>,
    /// Raise `SoftTimeLimitExceeded` in the task after so long
    #[arg(long, value_name = "DUR", value_parser = options::duration)]
    pub soft_time_limit: Option<Duration>,
    /// A header that the task sees as self.request.NAME: tenant=7, flag:=true, zip:str=00501 (again for more)
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = options::header)]
    pub headers: Vec<(String, Json)>,
    /// Id of the call; else a random one
    #[arg(long, value_name = "ID", value_parser = options::task_id)]
    pub task_id: Option<TaskId>,
    /// How the body is written: json, yaml, msgpack; else what the workers accept
    #[arg(long, value_name = "NAME", value_parser = options::serializer)]
    pub serializer: Option<Serializer>,
    /// How the body is compressed: gzip, bzip2, lzma, zstd, brotli
    #[arg(long, value_name = "NAME", value_parser = options::compression)]
    pub compression: Option<Compression>,
    /// Name that logs and events show instead of the task's
    #[arg(long, value_name = "NAME", value_parser = options::short)]
    pub shadow: Option<String>,
}

pub(super) const AFTER_HELP: &str = "\
ITEMs: `text` and `name=text` are JSON where they are valid JSON, else a string; `name:=JSON` must be JSON;
`name:TYPE=text` is typed (int float bool str json null decimal datetime date time uuid bytes);
`name=@FILE` is a file's text, `name:=@FILE` its JSON (- is stdin); without a name they are positional (`:=JSON`, `:TYPE=text`).

DUR: a number with ms, s, m or h; without a unit seconds: 500ms, 10, 1.5, 2m.

The result goes to stdout, everything else to stderr. More: umbel help items, umbel help exit-codes.";

impl Call {
    /// How it is to be sent.
    pub fn wishes(&self) -> Wishes {
        let sending = &self.sending;
        Wishes {
            countdown: sending.countdown,
            eta: sending.eta,
            expires: sending.expires.unwrap_or_default(),
            task_id: sending.task_id.clone(),
            options: Options {
                queue: sending.queue.clone().map(Into::into),
                exchange: sending.exchange.clone(),
                routing_key: sending.routing_key.clone(),
                priority: sending.priority,
                time_limit: sending.time_limit,
                soft_time_limit: sending.soft_time_limit,
                headers: sending.headers.clone(),
                serializer: sending.serializer,
                compression: sending.compression,
                shadow: sending.shadow.clone(),
                ignore_result: self.result.and_then(ResultWish::ignore_result),
                ..Options::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn call(words: &[&str]) -> Call {
        let all = ["umbel", "call"].into_iter().chain(words.iter().copied());
        match Cli::try_parse_from(all).unwrap().command {
            Some(Command::Call(waited)) => waited.call,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn negative_numbers_are_items_and_not_flags() {
        assert_eq!(call(&["t", "-2", "-1.5"]).items, ["-2", "-1.5"]);
    }

    #[test]
    fn flags_go_before_and_after_the_items() {
        let call = call(&["t", "1", "--queue", "mail", "2"]);
        assert_eq!(
            (call.items, call.sending.queue.as_deref()),
            (vec!["1".to_owned(), "2".to_owned()], Some("mail"))
        );
    }

    #[test]
    fn behind_two_dashes_everything_is_positional() {
        let call = call(&["t", "a=1", "--", "a=1", "--queue"]);
        assert_eq!(
            (call.items, call.rest),
            (
                vec!["a=1".to_owned()],
                vec!["a=1".to_owned(), "--queue".to_owned()]
            )
        );
    }

    #[test]
    fn input_stands_alone() {
        assert!(Cli::try_parse_from(["umbel", "call", "t", "1", "--input", "-"]).is_err());
    }
}
