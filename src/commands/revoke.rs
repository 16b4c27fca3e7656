//! `umbel revoke`, and the revoke that may follow a call: tells all workers, and says what they answered. It is never sent without a
//! person's confirmation, and never claims more than a worker said.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::Session;
use super::output::{Form, Output};
use crate::cli;
use crate::client::{Client, Command, Confirmed, Event};
use crate::clock::{Clock, Moment};
use crate::cluster::Cluster;
use crate::error::{Error, Kind, Result};
use crate::protocol::control::Signal;
use crate::protocol::{NodeName, TaskId};

/// How long answers are awaited. A solo worker answers only when its task ends.
const PATIENCE: Duration = Duration::from_secs(1);
/// The first Celery that writes REVOKED at once, whatever is known of the id (protocol.md 8).
const WRITES_AT_ONCE: (u64, u64) = (5, 6);

/// The document `umbel.revoke/1`.
#[derive(Serialize)]
struct RevokeDocument<'a> {
    schema: &'static str,
    ok: bool,
    terminate: bool,
    signal: Option<String>,
    tasks: &'a [Revoked],
    warnings: &'a [String],
    exit: u8,
}

/// What became of the revoke of one task.
#[derive(Debug, Serialize)]
pub struct Revoked {
    id: TaskId,
    /// What the workers said.
    answers: Vec<Said>,
    /// Known workers that said nothing in time.
    silent: Vec<NodeName>,
    /// Why it was not sent, or nobody could hear it.
    error: Option<String>,
    #[serde(skip)]
    kind: Option<Kind>,
}

/// What one worker said, in its own words.
#[derive(Debug, Serialize)]
struct Said {
    worker: NodeName,
    ok: bool,
    says: String,
}

/// Asks for the confirmation of tier 3 (ux.md 2.8), before anybody is dialled.
pub fn confirm(wanted: &cli::Revoke, output: Output, no_input: bool) -> Result<Confirmed> {
    if wanted.yes {
        return Ok(Confirmed::by_person());
    }
    let does = if wanted.terminate {
        "kill the processes that run them, which may by then run other tasks"
    } else {
        "a task that runs goes on; it cannot be taken back"
    };
    let ids: Vec<&str> = wanted.ids.iter().map(TaskId::as_str).collect();
    let what = format!("revoke {} at all workers: {does}", ids.join(", "));
    if !output.can_ask(no_input) {
        let error = Error::new(
            Kind::Refused,
            format!("not confirmed, nothing was sent: {what}"),
        );
        return Err(error.hint("--yes confirms it"));
    }
    if output.ask(&format!("{what}. Y revokes, anything else does not:")) == "Y" {
        Ok(Confirmed::by_person())
    } else {
        Err(Error::new(Kind::Refused, "not confirmed: nothing was sent"))
    }
}

/// Revokes, and prints what came of it. Returns the exit code.
pub async fn run(session: &mut Session, wanted: &cli::Revoke, confirmed: Confirmed) -> Result<u8> {
    let cluster = session.survey(None).await?;
    let signal = wanted.terminate.then(|| wanted.signal.unwrap_or_default());
    let mut desk = Desk::new(&wanted.ids, &cluster, session.clock.now().mono);
    desk.send(&session.client, signal, confirmed).await;
    while let Some(left) = desk.open(session.clock) {
        match tokio::time::timeout(left, session.events.recv()).await {
            Ok(Some(event)) => desk.hear(&event),
            Ok(None) => break,
            Err(_) => {}
        }
    }
    let tasks = desk.close();
    let warnings = truths(&cluster, signal.is_some());
    let exit = tasks.iter().map(Revoked::exit).max().unwrap_or(0);
    let output = session.output;
    if output.form == Form::Json {
        output.document(&RevokeDocument {
            schema: "umbel.revoke/1",
            ok: exit == 0,
            terminate: signal.is_some(),
            signal: signal.map(|signal| signal.to_string()),
            tasks: &tasks,
            warnings: &warnings,
            exit,
        });
    } else {
        for task in &tasks {
            output.data(&task.words());
        }
        output.warnings(&warnings);
    }
    Ok(exit)
}

/// Revokes under way, whose answers are awaited.
pub struct Desk {
    tasks: Vec<Revoked>,
    expected: BTreeSet<NodeName>,
    until: Moment,
}

impl Desk {
    /// For these ids; the workers of `cluster` are expected to answer.
    pub fn new(ids: &[TaskId], cluster: &Cluster, now: Moment) -> Self {
        let revoked = |id: &TaskId| Revoked {
            id: id.clone(),
            answers: Vec::new(),
            silent: Vec::new(),
            error: None,
            kind: None,
        };
        Self {
            tasks: ids.iter().map(revoked).collect(),
            expected: cluster.answering().map(|it| it.name.clone()).collect(),
            until: now.after(PATIENCE),
        }
    }

    /// Sends them.
    pub async fn send(&self, client: &Client, signal: Option<Signal>, confirmed: Confirmed) {
        for task in &self.tasks {
            let id = task.id.clone();
            let command = match signal {
                Some(signal) => Command::Terminate {
                    id,
                    signal,
                    confirmed,
                },
                None => Command::Revoke {
                    id,
                    terminate: false,
                    confirmed,
                },
            };
            client.send(command).await;
        }
    }

    /// How long answers are still awaited; `None`: no longer.
    pub fn open(&self, clock: Clock) -> Option<Duration> {
        let complete = |task: &Revoked| {
            let said = |name: &NodeName| task.answers.iter().any(|answer| answer.worker == *name);
            task.error.is_some() || (!self.expected.is_empty() && self.expected.iter().all(said))
        };
        let left = self.until.since(clock.now().mono);
        (!left.is_zero() && !self.tasks.iter().all(complete)).then_some(left)
    }

    /// Takes in what the client tells.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::Revoked { id, node, answer } => {
                if let Some(task) = self.tasks.iter_mut().find(|task| task.id == *id) {
                    task.answers.push(Said {
                        worker: node.clone(),
                        ok: answer.is_ok(),
                        says: answer.clone().unwrap_or_else(|error| error),
                    });
                }
            }
            Event::RevokeFailed { id, reason } => {
                if let Some(task) = self.tasks.iter_mut().find(|task| task.id == *id) {
                    task.error = Some(reason.message.clone());
                    task.kind = Some(reason.kind);
                }
            }
            _ => {}
        }
    }

    /// What came of all of them.
    pub fn close(mut self) -> Vec<Revoked> {
        for task in &mut self.tasks {
            let said = |name: &&NodeName| task.answers.iter().any(|it| it.worker == **name);
            let silent = self.expected.iter().filter(|name| !said(name));
            task.silent = silent.cloned().collect();
        }
        self.tasks
    }
}

impl Revoked {
    /// 0 if a worker took it; 4, 6 or 12 if it was not sent, nobody listens, or nobody answered; 1 if all refused.
    fn exit(&self) -> u8 {
        let took = self.answers.iter().any(|answer| answer.ok);
        match self.kind {
            _ if took => 0,
            Some(kind) => kind.exit_code(),
            None if self.answers.is_empty() => Kind::UnknownDelivery.exit_code(),
            None => 1,
        }
    }

    /// What came of it, for people.
    pub fn words(&self) -> String {
        let mut text = format!("revoke {}", self.id);
        if let Some(error) = &self.error {
            let _ = write!(text, "\n  {error}");
        }
        for Said { worker, ok, says } in &self.answers {
            let refused = if *ok { "" } else { "refused: " };
            let _ = write!(text, "\n  {worker}: {refused}{says}");
        }
        for worker in &self.silent {
            let _ = write!(text, "\n  {worker}: no answer; unknown whether it heard");
        }
        if self.error.is_none() && self.answers.is_empty() && self.silent.is_empty() {
            text.push_str("\n  sent; nobody answered, unknown whether a worker heard");
        }
        text
    }

    /// The same for a document.
    pub fn document(&self) -> crate::protocol::Json {
        let text = serde_json::to_string(self).unwrap_or_default();
        crate::protocol::Json::parse_strict(&text).unwrap_or(crate::protocol::Json::Null)
    }
}

/// What a revoke does and does not, with these workers.
pub fn truths(cluster: &Cluster, terminate: bool) -> Vec<String> {
    let mut truths = vec![if terminate {
        "terminate kills the process, which may by then run another task".to_owned()
    } else {
        "a task that already runs goes on; --terminate kills its process".to_owned()
    }];
    truths.push(
        "revoked ids are kept in the memory of the workers only: one that starts later does not know them".to_owned(),
    );
    let named = |wanted: &str| {
        let pool = |worker: &&crate::cluster::Worker| {
            let pool = worker.stats.as_ref().and_then(|stats| stats.pool.as_ref());
            pool.is_some_and(|pool| pool.contains(wanted))
        };
        let names = cluster
            .answering()
            .filter(pool)
            .map(|it| it.name.to_string());
        names.collect::<Vec<_>>().join(", ")
    };
    for (pool, can) in [
        ("thread", "threads cannot be killed"),
        (
            "solo",
            "a solo worker hears it only when its task has ended",
        ),
    ] {
        let names = named(pool);
        if terminate && !names.is_empty() {
            truths.push(format!("{names}: {can}"));
        }
    }
    let at_once = |worker: &crate::cluster::Worker| worker.version() >= Some(WRITES_AT_ONCE);
    if cluster.answering().any(at_once) {
        truths.push(
            "Celery 5.6 and later write REVOKED at once, also for an id that never existed: that state proves nothing".to_owned(),
        );
    }
    truths
}
