//! `umbel revoke`, and the revoke that may follow a call: tells all workers, and says what they answered. It is never sent without a
//! person's confirmation, and never claims more than a worker said.

mod look;
mod truths;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::Session;
use super::output::{Form, Output};
use crate::call::CallState;
use crate::cli;
use crate::client::{Client, Command, Confirmed, Event};
use crate::clock::{Clock, Moment};
use crate::cluster::Cluster;
use crate::error::{Error, Kind, Result};
use crate::protocol::control::Signal;
use crate::protocol::{NodeName, TaskId};
pub use truths::truths;

/// How long answers are awaited. A solo worker answers only when its task ends.
const PATIENCE: Duration = Duration::from_secs(1);

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
    /// Whether its process was to be killed.
    terminate: bool,
    /// Where the task was just before, as far as a worker or the backend told.
    was: Option<String>,
    /// At which worker.
    at: Option<NodeName>,
    /// Whether history or a worker knew the id; workers take any text for one.
    known: bool,
    /// How many workers told whether they have it.
    #[serde(skip)]
    asked: usize,
    /// What it does, as far as that can be told.
    pub effect: Effect,
    #[serde(skip)]
    kind: Option<Kind>,
}

/// What a revoke does to a task. Nothing here says what the task itself has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It was not sent, nobody answered, or nobody saw whether it runs.
    #[default]
    Unknown,
    /// All that answered refused.
    Refused,
    /// The workers that answered will not start it.
    WillNotStart,
    /// It runs, and a revoke does not stop what runs.
    GoesOn,
    /// It was seen to run, and the worker that has it kills its process.
    Kills,
}

impl Effect {
    /// For people, of one task.
    pub fn line(self) -> &'static str {
        match self {
            Self::Unknown => "a revoke was sent, unknown what it does",
            Self::Refused => "a revoke was refused, the task goes on",
            Self::WillNotStart => "revoked: workers that answered will not start it",
            Self::GoesOn => "a revoke was sent and changes nothing: the task runs, and goes on",
            Self::Kills => "its worker kills its process",
        }
    }
}

/// What one worker said, in its own words.
#[derive(Debug, Serialize)]
struct Said {
    worker: NodeName,
    ok: bool,
    says: String,
}

/// Asks for the confirmation of tier 3 (ux.md 2.8), before anybody is dialled.
/// Of `strangers` history knows nothing.
pub fn confirm(
    wanted: &cli::Revoke,
    strangers: &[TaskId],
    output: Output,
    no_input: bool,
) -> Result<Confirmed> {
    if wanted.yes {
        return Ok(Confirmed::by_person());
    }
    let does = if wanted.terminate {
        "kill the processes that run them, which may by then run other tasks"
    } else {
        "a task that runs goes on; it cannot be taken back"
    };
    let ids: Vec<&str> = wanted.ids.iter().map(TaskId::as_str).collect();
    let unknown: Vec<&str> = strangers.iter().map(TaskId::as_str).collect();
    let unknown = match unknown.as_slice() {
        [] => String::new(),
        unknown => format!("; history knows nothing of {}", unknown.join(", ")),
    };
    let what = format!("revoke {} at all workers: {does}{unknown}", ids.join(", "));
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
/// `doubts` are said beside that; of `strangers` history knows nothing.
pub async fn run(
    session: &mut Session,
    wanted: &cli::Revoke,
    confirmed: Confirmed,
    doubts: Vec<String>,
    strangers: &[TaskId],
) -> Result<u8> {
    let cluster = session.survey(None).await?;
    let signal = wanted.terminate.then(|| wanted.signal.unwrap_or_default());
    let found = look::look(session, &wanted.ids, &cluster).await;
    let now = session.clock.now().mono;
    let mut desk = Desk::new(&wanted.ids, &cluster, signal, now);
    desk.strange(strangers);
    desk.looked(&found.told);
    for (id, state, worker) in found.places {
        desk.seen(&id, Some(state), Some(worker));
    }
    desk.send(&session.client, confirmed).await;
    while let Some(left) = desk.open(false, session.clock) {
        match tokio::time::timeout(left, session.events.recv()).await {
            Ok(Some(event)) => desk.hear(&event),
            Ok(None) => break,
            Err(_) => {}
        }
    }
    let tasks = desk.close();
    let mut warnings = doubts;
    warnings.extend(tasks.iter().filter_map(Revoked::doubt));
    warnings.extend(truths(&cluster, signal.is_some()));
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
    signal: Option<Signal>,
    expected: BTreeSet<NodeName>,
    until: Moment,
}

impl Desk {
    /// For these ids; the workers of `cluster` are expected to answer. With a signal, the processes are killed.
    pub fn new(ids: &[TaskId], cluster: &Cluster, signal: Option<Signal>, now: Moment) -> Self {
        let revoked = |id: &TaskId| Revoked {
            id: id.clone(),
            answers: Vec::new(),
            silent: Vec::new(),
            error: None,
            terminate: signal.is_some(),
            was: None,
            at: None,
            known: true,
            asked: 0,
            effect: Effect::Unknown,
            kind: None,
        };
        Self {
            tasks: ids.iter().map(revoked).collect(),
            signal,
            expected: cluster.answering().map(|it| it.name.clone()).collect(),
            until: now.after(PATIENCE),
        }
    }

    /// History knows nothing of these: only a worker that has one can tell that there is such a call.
    fn strange(&mut self, ids: &[TaskId]) {
        for task in self.tasks.iter_mut().filter(|task| ids.contains(&task.id)) {
            task.known = false;
        }
    }

    /// These workers told whether they have which.
    fn looked(&mut self, told: &BTreeSet<(TaskId, NodeName)>) {
        for task in &mut self.tasks {
            task.asked = told.iter().filter(|(id, _)| *id == task.id).count();
        }
    }

    /// Where one of them was just before. That it runs somewhere is not taken back: a copy may wait elsewhere.
    pub fn seen(&mut self, id: &TaskId, state: Option<CallState>, worker: Option<NodeName>) {
        let known = self.tasks.iter_mut().find(|task| task.id == *id);
        if let Some(task) = known.filter(|task| state == Some(CallState::Run) || !task.ran()) {
            task.known = true;
            task.was = state.map(|state| state.to_string());
            task.at = worker;
        }
    }

    /// Sends them.
    pub async fn send(&self, client: &Client, confirmed: Confirmed) {
        for task in &self.tasks {
            let id = task.id.clone();
            let command = match self.signal {
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

    /// How long answers are still awaited; `None`: no longer. With `more`, the end of the task is awaited too.
    pub fn open(&self, more: bool, clock: Clock) -> Option<Duration> {
        let complete = |task: &Revoked| {
            let said = |name: &NodeName| task.answers.iter().any(|answer| answer.worker == *name);
            let all = !self.expected.is_empty() && self.expected.iter().all(said);
            task.error.is_some() || (all && !more)
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
            task.effect = task.judged();
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

    /// What it does, as far as the answers and the place of the task tell.
    fn judged(&self) -> Effect {
        let mut took = self.answers.iter().filter(|answer| answer.ok).peekable();
        if took.peek().is_none() {
            let refused = !self.answers.is_empty();
            return if refused {
                Effect::Refused
            } else {
                Effect::Unknown
            };
        }
        // "terminate: ID" of a worker that has it, also of one where it only waits (Celery 5.7, `_find_requests_by_id` looks through
        // all requests); "terminate: tasks unknown" of others.
        let has_it = |answer: &Said| answer.says.contains(self.id.as_str());
        match (self.terminate && took.any(has_it), self.waited()) {
            (true, _) if self.ran() => Effect::Kills,
            (true, false) => Effect::Unknown,
            // It ran, and no worker that answered has it: it ended meanwhile, or is at one that is silent.
            (false, _) if self.terminate && self.ran() => Effect::Unknown,
            (false, _) if self.ran() => Effect::GoesOn,
            _ => Effect::WillNotStart,
        }
    }

    /// Whether it was seen to run.
    fn ran(&self) -> bool {
        self.was.as_deref() == Some("run")
    }

    /// Whether it was seen to wait at a worker.
    fn waited(&self) -> bool {
        matches!(self.was.as_deref(), Some("recv" | "retry"))
    }

    /// That nobody who was asked knows the id: it may be that of no call.
    fn doubt(&self) -> Option<String> {
        (!self.known).then(|| {
            let id = &self.id;
            let nobody = match self.asked {
                0 => format!("history does not know {id}, and no worker told whether it has it"),
                1 => format!("history does not know {id}, and the one worker that told what it has does not have it"),
                asked => format!("history does not know {id}, and none of the {asked} workers that told what they have has it"),
            };
            format!("{nobody}: it may have ended, or there may be no such call")
        })
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
        if self.error.is_some() {
            return text;
        }
        let at = self
            .at
            .as_ref()
            .map_or_else(|| "a worker".to_owned(), ToString::to_string);
        let _ = match self.effect {
            Effect::Unknown if self.answers.is_empty() => write!(
                text,
                "\n  sent; nobody answered, unknown whether a worker heard"
            ),
            Effect::Unknown if self.ran() => write!(
                text,
                "\n  it ran on {at}; no worker that answered has it: unknown whether it ended or goes on"
            ),
            Effect::Unknown => write!(
                text,
                "\n  a worker has it, unknown whether it runs: if so its process is killed, else it is dropped at its turn"
            ),
            Effect::WillNotStart if self.terminate && self.waited() => write!(
                text,
                "\n  {at} holds it and drops it at its turn; had it started meanwhile, its process is killed"
            ),
            Effect::Refused => write!(
                text,
                "\n  every worker that answered refused: the task goes on"
            ),
            Effect::WillNotStart if self.was.as_deref() == Some("recv") => {
                write!(text, "\n  {at} holds it and drops it at its turn")
            }
            Effect::WillNotStart if !self.known => write!(
                text,
                "\n  where it is, is not known; should it come, no worker that answered will start it"
            ),
            Effect::WillNotStart if self.silent.is_empty() => {
                write!(text, "\n  no worker that answered will start it")
            }
            Effect::WillNotStart => write!(
                text,
                "\n  no worker that answered will start it; one that did not answer may"
            ),
            Effect::GoesOn => write!(
                text,
                "\n  it runs on {at}: a revoke does not stop what runs, it goes on\n  umbel revoke {} --terminate kills its process where the pool is prefork, as a last resort",
                self.id
            ),
            Effect::Kills => write!(
                text,
                "\n  {at} kills the process that runs it: whatever it was doing is left half done"
            ),
        };
        text
    }

    /// The same for a document.
    pub fn document(&self) -> crate::protocol::Json {
        let text = serde_json::to_string(self).unwrap_or_default();
        crate::protocol::Json::parse_strict(&text).unwrap_or(crate::protocol::Json::Null)
    }
}
