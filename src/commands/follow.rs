//! `umbel wait` and `umbel result`: what became of calls that were sent before. Sends no task, and says when nothing is known.

use std::time::Duration;

use serde_json::Value;

use super::around::Around;
use super::output::{Form, Output};
use super::{Session, progress, shape};
use crate::backend::Results;
use crate::call::document::{CallDocument, exit_code};
use crate::call::{Call, CallState, Fact};
use crate::cli::Shape;
use crate::client::{Command, Event, LinkName, LinkState};
use crate::clock::Now;
use crate::error::{Error, Kind, Result};
use crate::history::Record;
use crate::protocol::{Options, Signature, TaskId};
use crate::text::human;

/// How long the workers are listened to once the backend has answered that it holds nothing final.
const LOOK: Duration = Duration::from_millis(700);
/// What stands for the name of a task that nobody told.
const NAMELESS: &str = "?";

/// One call that is followed.
struct Followed {
    call: Call,
    /// What history has of it.
    record: Option<Box<Record>>,
    /// The backend was asked, and answered.
    asked: Option<Now>,
    /// Something was heard of it.
    known: bool,
    printed: bool,
}

/// How it is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Until they have ended, at most so long.
    Until(Duration),
    /// What is known now.
    Now,
}

/// Follows calls of these ids, with what history has of them; prints what became of them. Returns the highest exit code.
pub async fn run(
    session: &mut Session,
    ids: Vec<(TaskId, Option<Box<Record>>)>,
    patience: Patience,
) -> Result<u8> {
    let now = session.clock.now();
    let mut all: Vec<Followed> = ids
        .into_iter()
        .map(|(id, record)| Followed::new(id, record, patience, now))
        .collect();
    if all.iter().any(|it| !it.ended()) {
        reach_backend(session).await?;
        let now = session.clock.now();
        for followed in all.iter_mut().filter(|it| !it.ended()) {
            followed.begin(now);
            let id = followed.call.id().clone();
            session.client.send(Command::Follow(id)).await;
        }
        listen(session, &mut all, patience).await;
    }
    let now = session.clock.now();
    let output = session.output;
    for followed in all.iter_mut().filter(|it| !it.printed) {
        followed.print(output, patience, now);
    }
    Ok(all.iter().map(Followed::exit).max().unwrap_or(0))
}

/// What history alone can tell of these calls; `None` where a network is needed.
pub fn from_history(output: Output, records: &[Option<Box<Record>>], now: Now) -> Option<u8> {
    let ended = |record: &Option<Box<Record>>| {
        record
            .as_ref()
            .is_some_and(|record| record.state.is_final())
    };
    if !records.iter().all(ended) {
        return None;
    }
    let mut exit = 0;
    for record in records.iter().flatten() {
        let id = record.id().clone();
        let mut followed = Followed::new(id, Some(record.clone()), Patience::Now, now);
        followed.print(output, Patience::Now, now);
        exit = exit.max(followed.exit());
    }
    Some(exit)
}

/// Waits until results can be read, or says why they never can.
async fn reach_backend(session: &mut Session) -> Result<()> {
    let mut results = None;
    let mut up = false;
    loop {
        match &results {
            Some(Results::Stored(_)) if up => return Ok(()),
            None | Some(Results::Stored(_)) => {}
            Some(other) => return Err(out_of_reach(other)),
        }
        match session.events.recv().await {
            Some(Event::Link(LinkName::Backend, LinkState::Up { .. })) => up = true,
            Some(Event::Link(LinkName::Backend, LinkState::Waiting { reason, .. })) => {
                return Err(reason);
            }
            Some(Event::Link(LinkName::Broker, LinkState::Waiting { reason, .. }))
                if results.is_none() =>
            {
                return Err(reason);
            }
            Some(Event::Results(told)) => results = Some(told),
            Some(Event::ResultsTrouble(error)) => return Err(error),
            Some(Event::Notice(notice)) => session.output.warnings(&[notice]),
            Some(_) => {}
            None => return Err(Error::new(Kind::Internal, "the client ended by itself")),
        }
    }
}

fn out_of_reach(results: &Results) -> Error {
    let (message, hint) = match results {
        Results::Rpc => (
            "results on rpc:// go to the caller alone: nobody else can read them",
            "umbel call waits for its own; umbel history has those that it heard",
        ),
        Results::Disabled => (
            "this application keeps no results",
            "set result_backend in the application",
        ),
        Results::Unreadable(_) => (
            "results are kept where umbel cannot read them",
            "Celery itself reads them: AsyncResult(id)",
        ),
        _ => (
            "nobody told where results are kept",
            "--backend URL or CELERY_RESULT_BACKEND says it",
        ),
    };
    let message = format!("{message} ({})", results.address());
    Error::new(Kind::BackendUnreachable, message).hint(hint)
}

async fn listen(session: &mut Session, all: &mut [Followed], patience: Patience) {
    loop {
        let now = session.clock.now();
        for followed in all.iter_mut().filter(|it| !it.printed) {
            followed.call.tick(now);
            if followed.over(patience, now) && session.output.lines {
                followed.print(session.output, patience, now);
            }
        }
        let open = || all.iter().filter(|it| !it.over(patience, now));
        let Some(wake) = open().map(|it| it.wake(patience, now)).min() else {
            session.output.progress("");
            return;
        };
        if let ([one], Patience::Until(_)) = (&*all, patience) {
            let line = progress::line(&one.call, &Around::default(), now);
            session.output.progress(&line);
        }
        match tokio::time::timeout(wake, session.events.recv()).await {
            Ok(Some(Event::Call(id, fact, at))) => {
                if let Some(it) = all.iter_mut().find(|it| *it.call.id() == id) {
                    it.hear(fact, at);
                }
            }
            Ok(Some(Event::Notice(notice))) => session.output.warnings(&[notice]),
            Ok(Some(_)) | Err(_) => {}
            Ok(None) => return,
        }
    }
}

impl Followed {
    fn new(id: TaskId, record: Option<Box<Record>>, patience: Patience, now: Now) -> Self {
        let timeout = match patience {
            Patience::Until(timeout) => timeout,
            Patience::Now => crate::call::LONGEST_WAIT,
        };
        let ended = record.as_ref().filter(|record| record.state.is_final());
        let call = match (ended, &record) {
            (Some(record), _) => record.to_call(now),
            (None, Some(record)) => {
                let mut call = Call::new(record.signature.clone(), timeout, now);
                call.queue.clone_from(&record.queue);
                call
            }
            (None, None) => Call::new(nameless(id), timeout, now),
        };
        Self {
            call,
            known: ended.is_some(),
            record,
            asked: None,
            printed: false,
        }
    }

    /// It was sent before; the waiting begins now.
    fn begin(&mut self, now: Now) {
        self.call.apply(Fact::Publishing, now);
        self.call.apply(Fact::Confirmed, now);
    }

    fn ended(&self) -> bool {
        self.call.state().is_final()
    }

    fn hear(&mut self, fact: Fact, at: Now) {
        match &fact {
            Fact::BackendBack | Fact::NotStored => {
                self.asked.get_or_insert(at);
            }
            Fact::Result(_) | Fact::Seen { .. } | Fact::Arriving(_) | Fact::Unreadable { .. } => {
                self.asked.get_or_insert(at);
                self.known = true;
            }
            _ => {}
        }
        self.call.apply(fact, at);
    }

    /// Whether no more is waited for.
    fn over(&self, patience: Patience, now: Now) -> bool {
        let looked = |asked: Now| now.mono.since(asked.mono) >= LOOK;
        self.ended()
            || match patience {
                Patience::Until(_) => self.call.state() == CallState::Timeout,
                Patience::Now => self.call.arriving.is_none() && self.asked.is_some_and(looked),
            }
    }

    fn wake(&self, patience: Patience, now: Now) -> Duration {
        let soon = Duration::from_millis(100);
        match patience {
            Patience::Until(_) => self.call.left(now).unwrap_or(soon).min(soon),
            Patience::Now => soon,
        }
    }

    fn exit(&self) -> u8 {
        match self.call.final_word() {
            word if word.is_final() => exit_code(&self.call, word, false),
            _ if self.call.backend_lost.is_some() => 5,
            _ => Kind::Timeout.exit_code(),
        }
    }

    fn print(&mut self, output: Output, patience: Patience, now: Now) {
        self.printed = true;
        output.progress("");
        self.forget_our_own_times(now);
        match output.form {
            Form::Json => output.document(&self.document(patience, now)),
            Form::Human | Form::Plain => {
                if let Some(value) = self.call.value() {
                    let pretty = output.form == Form::Human && output.stdout_terminal;
                    // Without a field it always has a text.
                    let text = shape::text(value, &Shape::default(), pretty);
                    output.data(&text.unwrap_or_default());
                }
                output.note(&self.words(patience, now));
            }
        }
    }

    /// When it was sent and how long it took is not known from here: only when its end was written, as the worker says.
    fn forget_our_own_times(&mut self, now: Now) {
        if self
            .record
            .as_ref()
            .is_some_and(|record| record.state.is_final())
        {
            return;
        }
        let done = self.call.result.as_ref().and_then(|it| it.done_at);
        let timeline = &mut self.call.timeline;
        if timeline.done.is_some() {
            timeline.started = None;
            timeline.received = None;
            timeline.done = done.map(|wall| Now { wall, ..now });
        }
        timeline.published = None;
    }

    fn words(&self, patience: Patience, now: Now) -> String {
        let id = self.call.id();
        if self.ended() {
            return progress::closing(&self.call, &Around::default(), false, now);
        }
        let waited = match patience {
            Patience::Until(timeout) => format!("TIMEOUT {}  ", human::duration(timeout)),
            Patience::Now => String::new(),
        };
        if !self.known {
            return format!(
                "{waited}id {id}  nothing is known of this id\n  it may wait for a worker, its result may have expired or lie elsewhere, or it was never sent here"
            );
        }
        let place = self.call.whereabouts().map_or("?", CallState::word);
        let on = self
            .call
            .worker
            .as_ref()
            .map_or_else(String::new, |worker| format!(" on {worker}"));
        format!("{waited}id {id}  now: {place}{on}; no result yet")
    }

    /// `umbel.call/1`, with null for what a stranger to the call cannot know.
    fn document(&self, patience: Patience, now: Now) -> Value {
        let document = CallDocument::new(&self.call, false, now);
        let mut value = serde_json::to_value(&document).unwrap_or_default();
        let mut put = |key: &str, new: Value| value[key] = new;
        put("exit", self.exit().into());
        if self.record.is_none() {
            for key in ["task", "args", "kwargs", "timeout_ms"] {
                put(key, Value::Null);
            }
        }
        if !self.known {
            put("sent", Value::Null);
        }
        if !self.ended() {
            let place = self.call.whereabouts().filter(|_| self.known);
            if patience == Patience::Now || place.is_none() {
                let state = place.map(|place| Value::from(place.to_string()));
                put("state", state.unwrap_or_default());
            }
            value["error"]["message"] = match place {
                None => "nothing is known of this id".into(),
                Some(place) => format!("no result yet: it is {}", place.word()).into(),
            };
        }
        value
    }
}

fn nameless(id: TaskId) -> Signature {
    Signature {
        task: NAMELESS.into(),
        id,
        args: Vec::new(),
        kwargs: Vec::new(),
        options: Options::default(),
    }
}
