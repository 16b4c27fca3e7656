//! umbel: a terminal dashboard and interactive invoker for Celery.
//!
//! The map of the house (ARCHITECTURE.md has the arrows):
//!
//! * [`protocol`] what Celery says on the wire; pure
//! * [`broker`], [`backend`] the two links, behind traits; [`client`] the actor that owns them
//! * [`cluster`] what has been heard of workers, queues and tasks; [`mod@call`] the life of one call; both pure
//! * [`history`] every call on disk, for recall and for calls that end after we did
//! * [`commands`] and [`tui`] the two faces; [`cli`] and [`config`] what the user asked for
//! * [`demo`] a pretend cluster that speaks the real protocol
//!
//! This file is the composition root, and its `connect` the only place that picks concrete brokers and backends.

pub mod backend;
pub mod broker;
pub mod call;
pub mod cli;
pub mod client;
pub mod clock;
pub mod cluster;
pub mod commands;
pub mod config;
mod connect;
pub mod demo;
pub mod error;
pub mod history;
pub mod logging;
pub mod protocol;
pub mod schema;
pub mod server;
pub mod text;
pub mod tui;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::time::Duration;

use clap::Parser;

use crate::cli::{Cli, Command, Global};
use crate::client::survey::Purpose;
use crate::clock::Clock;
use crate::commands::call::Manner;
use crate::commands::elsewhere::Here;
use crate::commands::errand::{Desk, Errand};
use crate::commands::follow::Patience;
use crate::commands::keeper::Keeper;
use crate::commands::named::{Meant, Named};
use crate::commands::output::{Form, Output};
use crate::commands::{Session, arguments, usage};
use crate::config::Target;
use crate::config::file::Config;
use crate::connect::{Connection, connect};
use crate::error::{Error, Kind, Result};
use crate::protocol::message::Sender;

/// Runs the program with its command line; returns the exit code.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    let exit = obey(words);
    Output::detect(Form::Plain).ended(exit)
}

fn obey(words: impl IntoIterator<Item = OsString>) -> u8 {
    let words = cli::numbers::spelled(words);
    if let Some(topic) = cli::topics::asked(&words) {
        Output::detect(Form::Plain).data(topic);
        return 0;
    }
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) => return usage::usage(error, &words),
    };
    let output = Output {
        lines: cli.global.jsonl,
        quiet: cli.global.quiet,
        verbose: cli.global.verbose,
        ..Output::detect(usage::form(&cli.global))
    };
    match start(cli, output) {
        Ok(code) => code,
        Err(error) => output.failure(&error),
    }
}

/// The environment, as everybody else is handed it.
fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn start(mut cli: Cli, output: Output) -> Result<u8> {
    cli.global.check()?;
    if cli.command.is_none() && !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal())
    {
        return Ok(usage::no_terminal(output));
    }
    if let Some(path) = config::log(&cli.global, &env) {
        logging::start(&path)?;
    }
    // Before what may be wrong elsewhere, and in the file itself.
    if let Some(Command::Config(wanted)) = &cli.command {
        return commands::config::run(wanted, &cli.global, &env, output);
    }
    let config = Config::find(&cli.global, &env)?;
    if cli.command.is_some() {
        output.warnings(&config.warnings());
    }
    commands::again::words(&mut cli.command);
    let known = named(&mut cli.command, &config, output)?;
    let words = match &cli.command {
        Some(Command::Call(waited)) => Some(check(&waited.call)?),
        Some(Command::Send(call)) => Some(check(call)?),
        _ => None,
    };
    let timeout = config::timeout(&cli.global, &env)?;
    let target = config::target(&cli.global, &env)?;
    let here = Here {
        addresses: target.as_ref().map(connect::addresses).unwrap_or_default(),
        named: cli.global.broker.is_some() || cli.global.demo,
    };
    let revoked = matches!(cli.command, Some(Command::Revoke(_)));
    // What history has of a call that has ended needs no broker.
    let records = known.records.iter();
    here.check(records.filter(|it| revoked || !it.state.is_final()))?;
    let confirmed = match &cli.command {
        Some(Command::Revoke(wanted)) => Some(commands::revoke::confirm(
            wanted,
            &known.strangers,
            output,
            cli.global.no_input,
        )?),
        _ => None,
    };
    let runtime = commands::runtime::runtime(cli.command.is_none())?;
    let ready = Ready {
        config,
        target,
        words,
        here,
        known,
        confirmed,
        timeout,
        output,
    };
    let code = runtime.block_on(perform(cli, ready));
    // A thread blocked on stdin must not keep the program alive.
    runtime.shutdown_background();
    code
}

/// The calls that a command names, as history knows them.
fn named(command: &mut Option<Command>, config: &Config, output: Output) -> Result<Named> {
    let mut none = Vec::new();
    let (ids, meant) = match command {
        Some(Command::Wait(wanted)) => (&mut wanted.ids, Meant::Beginning),
        Some(Command::Result(wanted)) => (&mut wanted.ids, Meant::Beginning),
        Some(Command::Revoke(wanted)) if wanted.exact => (&mut wanted.ids, Meant::Exactly),
        Some(Command::Revoke(wanted)) => (&mut wanted.ids, Meant::Uuid),
        _ => (&mut none, Meant::Beginning),
    };
    let known = commands::named::whole(ids, meant, config, &env, output)?;
    match command {
        Some(Command::Result(wanted)) => commands::named::only_one(&wanted.ids)?,
        Some(Command::Revoke(wanted)) if !wanted.exact => {
            commands::named::refuse_beginnings(&known)?;
        }
        _ => {}
    }
    Ok(known)
}

/// What was found out before the command began.
struct Ready {
    config: Config,
    target: Option<Target>,
    words: Option<arguments::Words>,
    here: Here,
    /// What history has of the calls that are named.
    known: Named,
    confirmed: Option<client::Confirmed>,
    timeout: Duration,
    output: Output,
}

async fn perform(cli: Cli, ready: Ready) -> Result<u8> {
    let Ready {
        config,
        target,
        words,
        here,
        known,
        confirmed,
        timeout,
        output,
    } = ready;
    let Cli { global, command } = cli;
    let ask = Desk {
        config: &config,
        env: &env,
        here: &here,
        output,
        no_input: global.no_input,
    };
    match command {
        None => screen(&global, &config, target, timeout).await,
        Some(Command::Call(waited)) => {
            let manner = Manner {
                no_preflight: waited.call.no_preflight,
                waiting: Some(waited.waiting),
                shape: waited.shape,
            };
            call(target, &waited.call, &manner, words, ask, timeout).await
        }
        Some(Command::Send(wanted)) => {
            let manner = Manner {
                no_preflight: wanted.no_preflight,
                ..Manner::default()
            };
            call(target, &wanted, &manner, words, ask, timeout).await
        }
        Some(Command::History(wanted)) => past(&config, &wanted, &here, output).await,
        // It became a call when its words were read.
        Some(Command::Again(_)) => Err(Error::new(Kind::Internal, "again is no call")),
        Some(Command::Wait(wanted)) => {
            let how = (Patience::Until(timeout), &wanted.shape);
            follow((target, &here), &config, wanted.ids, how, output).await
        }
        Some(Command::Result(wanted)) => {
            let how = (Patience::Now, &wanted.shape);
            follow((target, &here), &config, wanted.ids, how, output).await
        }
        Some(Command::Revoke(wanted)) => {
            let doubts = known.records.iter().filter_map(|record| here.doubt(record));
            let unread = known.unread.iter().map(|error| {
                let what = "history cannot be read, so it is not known where these calls were made";
                format!("{what}: {}", error.message)
            });
            let doubts = (doubts.chain(unread).collect(), known.strangers);
            revoke(target, &wanted, confirmed, doubts, output).await
        }
        Some(Command::Tasks(wanted)) => {
            let run = async |session: &mut Session| commands::tasks::run(session, &wanted).await;
            listing(target, Purpose::Tasks, output, run).await
        }
        Some(Command::Queues(wanted)) => queues(target, &config, &wanted, output).await,
        Some(Command::Config(wanted)) => commands::config::run(&wanted, &global, &env, output),
        Some(Command::Workers(wanted)) => {
            let run = async |session: &mut Session| commands::workers::run(session, &wanted).await;
            listing(target, Purpose::Workers, output, run).await
        }
    }
}

/// `queues`; history is opened only where no worker tells of any.
async fn queues(
    target: Option<Target>,
    config: &Config,
    wanted: &cli::Queues,
    output: Output,
) -> Result<u8> {
    let history = || {
        let history = commands::keeper::existing(config, &env, output);
        history.unwrap_or_else(|error| {
            output.warnings(&[error.message]);
            None
        })
    };
    let run = async |session: &mut Session| commands::queues::run(session, wanted, history).await;
    listing(target, Purpose::Tasks, output, run).await
}

/// `history`: repairs it also where it cannot be read.
async fn past(config: &Config, wanted: &cli::History, here: &Here, output: Output) -> Result<u8> {
    let history = match wanted.action {
        Some(cli::history::Action::Repair) => None,
        _ => commands::keeper::existing(config, &env, output)?,
    };
    let (place, now) = (history::place(&env), Clock::default().now());
    commands::history::run(wanted, history.as_ref(), (&place, here), output, now).await
}

/// `revoke`, which was confirmed before anybody was dialled.
async fn revoke(
    target: Option<Target>,
    wanted: &cli::Revoke,
    confirmed: Option<client::Confirmed>,
    (doubts, strangers): (Vec<String>, Vec<protocol::TaskId>),
    output: Output,
) -> Result<u8> {
    let unconfirmed = || Error::new(Kind::Internal, "the revoke was not confirmed");
    let confirmed = confirmed.ok_or_else(unconfirmed)?;
    let run = async |session: &mut Session| {
        commands::revoke::run(session, wanted, confirmed, doubts, &strangers).await
    };
    listing(target, Purpose::Workers, output, run).await
}

fn check(call: &cli::Call) -> Result<arguments::Words> {
    arguments::check(call, Clock::default().now().wall)
}

/// `wait` and `result`: history first, then the cluster.
async fn follow(
    (target, here): (Option<Target>, &Here),
    config: &Config,
    ids: Vec<protocol::TaskId>,
    how: (Patience, &cli::Shape),
    output: Output,
) -> Result<u8> {
    let (history, records) = commands::keeper::records(&ids, config, &env, output).await;
    let told = commands::follow::from_history(output, &records, how.1, Clock::default().now());
    if let Some(exit) = told {
        return Ok(exit);
    }
    let ids = ids.into_iter().zip(records.clone()).collect();
    let run = async |session: &mut Session| {
        commands::follow::run(session, ids, how, history.as_ref(), here).await
    };
    let exit = listing(target, Purpose::Call, output, run).await;
    let exit = exit.or_else(|trouble| {
        let now = Clock::default().now();
        commands::follow::in_spite_of(trouble, output, &records, how.1, now)
    });
    if let Some(history) = &history {
        commands::keeper::close(history, output).await;
    }
    exit
}

/// Runs a command that asks and prints, until it is done or stopped; then removes what is ours on the broker.
async fn listing(
    target: Option<Target>,
    purpose: Purpose,
    output: Output,
    run: impl AsyncFnOnce(&mut Session) -> Result<u8>,
) -> Result<u8> {
    if let Some(Target::Broker { warnings, .. }) = &target {
        output.warnings(warnings);
    }
    let stop = commands::stop::stopped();
    let mut session = session(target, purpose, output)?;
    let outcome = tokio::select! {
        outcome = run(&mut session) => outcome,
        code = stop => Ok(output.stopped(code)),
    };
    session.close().await;
    outcome
}

/// `call`, `send` and `again`.
async fn call(
    target: Option<Target>,
    wanted: &cli::Call,
    manner: &Manner,
    words: Option<arguments::Words>,
    ask: Desk<'_>,
    timeout: Duration,
) -> Result<u8> {
    let words = words.ok_or_else(|| Error::new(Kind::Internal, "the words were not checked"))?;
    if target.is_none() && !wanted.dry_run {
        return Err(config::no_broker());
    }
    let mut errand = ask.prepare(wanted, words, manner).await?;
    if wanted.dry_run {
        let Errand {
            signature,
            warnings,
            ..
        } = &errand;
        return commands::message::dry_run(ask.output, signature, &sender(), warnings);
    }
    ask.confirm(&mut errand, wanted.yes).await?;
    dispatch(target, errand, manner, ask, timeout).await
}

fn sender() -> Sender {
    Sender {
        origin: client::origin(),
        reply_to: Some(format!("umbel.{}", protocol::TaskId::random())),
        now: Clock::default().now().wall,
    }
}

async fn dispatch(
    target: Option<Target>,
    errand: Errand,
    manner: &Manner,
    Desk { config, output, .. }: Desk<'_>,
    timeout: Duration,
) -> Result<u8> {
    let Errand {
        signature,
        mut warnings,
        origin,
        keeping,
    } = errand;
    // What cannot be encoded is told before anybody is dialled.
    if let Err(error) = signature.encode(&sender()) {
        return Err(Error::new(Kind::InvalidArguments, error.to_string()));
    }
    if let Some(Target::Broker { warnings: more, .. }) = &target {
        warnings.extend(more.iter().cloned());
    }
    let masked = origin.as_ref().map_or(&[][..], |record| &record.masked);
    let secrets = config.history.secrets.of_places(masked);
    let stop = commands::stop::stopped();
    let demo = matches!(target, Some(Target::Demo));
    let task = &signature.task;
    let keeps = commands::keeper::place(keeping, demo, config, task, &env, output);
    let mut session = session(target, Purpose::Call, output)?;
    session.secrets = secrets.clone();
    session.keeper =
        keeps.map(|place| Keeper::open(place, secrets, session.broker.clone(), output));
    let code = commands::call::run(&mut session, manner, signature, timeout, warnings, stop).await;
    session.close().await;
    if let Some(keeper) = &session.keeper {
        keeper.close(output).await;
    }
    Ok(code)
}

async fn screen(
    global: &Global,
    config: &Config,
    target: Option<Target>,
    timeout: Duration,
) -> Result<u8> {
    let demo = matches!(target, Some(Target::Demo));
    let mut header = tui::Target {
        demo,
        ..tui::Target::default()
    };
    let (connection, _workers) = match target {
        None => (None, None),
        Some(target) => {
            let Connection {
                client,
                events,
                broker,
                demo,
            } = connect(target, Purpose::Screen)?;
            header.broker = broker;
            (Some((client, events)), demo)
        }
    };
    let look = tui::theme::Look::detect(
        global.color.unwrap_or_default(),
        global.glyphs,
        &tui::theme::Environment::from_fn(env),
        std::io::stdout().is_terminal(),
    );
    let (mut place, mut rules) = config::file::history(config, &env);
    // The list says of each call that it is gone with the program.
    if place == history::Place::Memory {
        rules.persist.forbid_all();
    }
    if demo {
        place = history::Place::Memory;
    }
    let mut past = tui::Past::new(place, &rules, &header.broker);
    past.warnings = config.warnings();
    let setup = tui::Setup {
        connection,
        target: header,
        timeout,
        look,
    };
    tui::run(setup, past)
        .await
        .map(tui::runtime::Ended::exit_code)
}

fn session(target: Option<Target>, purpose: Purpose, output: Output) -> Result<Session> {
    let Connection {
        client,
        events,
        demo,
        broker,
    } = connect(target.ok_or_else(config::no_broker)?, purpose)?;
    Ok(Session {
        client,
        events,
        clock: Clock::default(),
        output,
        broker,
        secrets: history::Secrets::default(),
        keeper: None,
        demo,
    })
}

// What the tests outside share with those inside calls the library by its name.
#[cfg(test)]
extern crate self as umbel;
