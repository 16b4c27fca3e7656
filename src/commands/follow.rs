//! `umbel wait` and `umbel result`: what became of calls that were sent before, and where those are that have not ended. Sends no
//! task, and says when nothing is known.

mod known;
mod reach;
mod told;

use std::sync::LazyLock;
use std::time::Duration;

use super::around::Around;
use super::elsewhere::Here;
use super::output::{Form, Output};
use super::{Session, keeper, progress, shape};
use crate::backend::Results;
use crate::call::document::exit_code;
use crate::call::{Call, Fact};
use crate::cli::Shape;
use crate::client::{Command, Event};
use crate::clock::Now;
use crate::error::{Error, Kind, Result};
use crate::history::{Handle, Record, Scribe};
use crate::protocol::{Options, Signature, TaskId};
use known::Knows;
use reach::{kept_at, reach_backend};
pub use told::{from_history, in_spite_of};
use told::{highest, print};

/// How long the workers are listened to once the backend has answered that it holds nothing final.
const LOOK: Duration = Duration::from_millis(700);
/// How long everybody is asked where a call is.
const LAST_ROUND: Duration = Duration::from_secs(2);
/// What stands for the name of a task that nobody told.
const NAMELESS: &str = "?";

/// Nothing was heard.
static NOTHING: LazyLock<Around> = LazyLock::new(Around::default);

/// One call that is followed.
struct Followed {
    call: Call,
    /// What history has of it.
    record: Option<Box<Record>>,
    /// It is followed since.
    begun: Now,
    /// The backend was asked, and answered.
    asked: Option<Now>,
    /// Who has it, or had it.
    known: Knows,
    /// The workers were asked where it is.
    inquired: bool,
    /// The time to wait is over since.
    spent: Option<Now>,
    printed: bool,
    /// It was made at another broker, and nobody here has told of it: what is heard of queues and workers tells nothing.
    elsewhere: Option<String>,
    /// Its result was to be kept elsewhere than where results are read.
    misread: Option<String>,
    /// How its result is printed.
    shape: Shape,
    /// Why its result cannot be read, whatever becomes of it.
    unread: Option<String>,
}

/// How it is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Until they have ended, at most so long.
    Until(Duration),
    /// What is known now.
    Now,
}

/// Follows calls of these ids, with what history has of them; prints what became of them, and lets history know the end of those that
/// it has. Returns the highest exit code.
pub async fn run(
    session: &mut Session,
    ids: Vec<(TaskId, Option<Box<Record>>)>,
    (mut patience, shape): (Patience, &Shape),
    history: Option<&Handle>,
    here: &Here,
) -> Result<u8> {
    let now = session.clock.now();
    let mut all: Vec<Followed> = ids
        .into_iter()
        .map(|(id, record)| Followed::new(id, record, now).at(here).printed_as(shape))
        .collect();
    if session.output.form != Form::Json {
        let doubts = all.iter().filter_map(|it| it.elsewhere.clone());
        session.output.warnings(&doubts.collect::<Vec<_>>());
    }
    let mut around = Around::default();
    let open: Vec<TaskId> = all
        .iter()
        .filter(|it| !it.ended())
        .map(|it| it.call.id().clone())
        .collect();
    if !open.is_empty() {
        let unended = all.iter().filter(|it| !it.ended());
        let records = unended.filter_map(|it| it.record.as_deref());
        let kept = kept_at(records);
        if let ([one], Some(history)) = (&*all, history) {
            let usual = history.usual(
                one.call.signature.task.clone(),
                session.broker.clone(),
                None,
            );
            around.usual = usual.await.ok().flatten();
        }
        let unread = reach_backend(session, &mut around, &kept).await?;
        if unread.is_some() {
            // What never comes is not waited for.
            patience = Patience::Now;
        }
        let now = session.clock.now();
        for followed in all.iter_mut().filter(|it| !it.ended()) {
            followed.reads(around.results.as_ref());
            if session.output.form != Form::Json {
                session.output.warnings(followed.misread.as_slice());
            }
            followed.begin(patience, now);
            if let Some(unread) = &unread {
                followed.has_no_result(unread, now);
            }
            let id = followed.call.id().clone();
            session.client.send(Command::Follow(id)).await;
        }
        let how = (patience, unread.is_none());
        listen(session, &mut all, &mut around, how, history).await;
        if let Some(unread) = unread.filter(|_| !all.iter().any(Followed::is_told)) {
            return Err(unread);
        }
    }
    let now = session.clock.now();
    print(session.output, &mut all, patience, &around, now);
    for followed in all.iter().filter(|it| open.contains(it.call.id())) {
        followed.keep(history, &around, now);
    }
    Ok(highest(&all))
}

async fn listen(
    session: &mut Session,
    all: &mut [Followed],
    around: &mut Around,
    (patience, lines): (Patience, bool),
    history: Option<&Handle>,
) {
    let lines = lines && session.output.lines;
    loop {
        let now = session.clock.now();
        around.cluster.tick(now);
        for followed in all.iter_mut().filter(|it| !it.printed) {
            followed.tick(patience, now);
            if followed.over(patience, around, now) && lines {
                followed.print(session.output, patience, around, now);
            }
            if followed.wants_inquiry(around, now) {
                session.client.send(followed.inquire(now)).await;
            }
        }
        let open = || all.iter().filter(|it| !it.over(patience, around, now));
        let Some(wake) = open().map(|it| it.wake(patience, now)).min() else {
            session.output.progress("");
            return;
        };
        if let ([one], Patience::Until(_)) = (&*all, patience) {
            let elapsed = now.mono.since(one.begun.mono);
            let line = progress::moving(&one.call, one.around(around), elapsed, now);
            session.output.progress(&line);
        }
        match tokio::time::timeout(wake, session.events.recv()).await {
            Ok(Some(Event::Call(id, fact, at))) => {
                if let Some(it) = all.iter_mut().find(|it| *it.call.id() == id) {
                    it.hear(fact, at);
                    // The others may take long, and the user may stop it.
                    if it.ended() {
                        it.keep(history, around, at);
                    }
                }
            }
            Ok(Some(Event::Notice(notice))) => session.output.warnings(&[notice]),
            Ok(Some(event)) => around.hear(event),
            Err(_) => {}
            Ok(None) => return,
        }
    }
}

impl Followed {
    fn new(id: TaskId, record: Option<Box<Record>>, now: Now) -> Self {
        let call = match &record {
            Some(record) if record.cut_result().is_some() => record.unanswered().pick_up(now),
            Some(record) if record.state.is_final() => record.to_call(now),
            Some(record) => record.pick_up(now),
            None => Call::stranger(nameless(id), LOOK, now),
        };
        Self {
            call,
            known: match record {
                Some(_) => Knows::Witness,
                None => Knows::Nobody,
            },
            record,
            begun: now,
            asked: None,
            inquired: false,
            spent: None,
            printed: false,
            elsewhere: None,
            misread: None,
            shape: Shape::default(),
            unread: None,
        }
    }

    fn printed_as(self, shape: &Shape) -> Self {
        let shape = shape.clone();
        Self { shape, ..self }
    }

    /// The same, asked about `here`.
    fn at(mut self, here: &Here) -> Self {
        let open = self.record.as_deref().filter(|_| !self.ended());
        self.elsewhere = open.and_then(|record| here.doubt(record));
        self
    }

    /// Results are read here.
    fn reads(&mut self, results: Option<&Results>) {
        let kept = self
            .record
            .as_ref()
            .and_then(|it| it.origin.backend.as_ref());
        if let (Some(there), Some(here)) = (kept, results.map(Results::address))
            && *there != here
        {
            let id = self.call.id();
            let doubt = format!("the result of {id} was to be kept in {there}; {here} is read");
            self.misread = Some(doubt);
        }
    }

    /// It can be listened for from now on, and is waited for.
    fn begin(&mut self, patience: Patience, now: Now) {
        self.begun = now;
        if let Patience::Until(timeout) = patience {
            self.call.wait_anew(timeout, now);
        }
    }

    /// Whether it has ended, but history does not have all that it returned: that is asked for.
    fn cut(&self) -> bool {
        let record = self.record.as_deref();
        record.is_some_and(|record| record.cut_result().is_some())
    }

    /// Its result cannot be read: what history and the workers know of it is all that is to be learned.
    fn has_no_result(&mut self, why: &Error, now: Now) {
        self.unread = Some(why.message.clone());
        self.asked = Some(now);
    }

    /// Whether anything can be told of it that is not known to be incomplete.
    fn is_told(&self) -> bool {
        self.is_known() && !self.cut()
    }

    fn ended(&self) -> bool {
        self.call.state().is_final()
    }

    fn hear(&mut self, fact: Fact, at: Now) {
        match &fact {
            Fact::BackendBack | Fact::NotStored => {
                self.asked.get_or_insert(at);
            }
            Fact::Result(_) | Fact::Arriving(_) | Fact::Unreadable { .. } => {
                self.asked.get_or_insert(at);
                self.known = self.known.max(Knows::Backend);
            }
            Fact::Seen { task, .. } => {
                self.known = Knows::Witness;
                // Ids are not given twice: it is here after all.
                self.elsewhere = None;
                if self.call.signature.task.as_str() == NAMELESS {
                    self.call.signature.task = task.name.clone();
                }
            }
            Fact::Event(_) | Fact::Answered { held: true, .. } => {
                self.known = Knows::Witness;
                self.elsewhere = None;
            }
            // That nobody there has it tells nothing.
            Fact::Asked | Fact::Answered { .. } if self.elsewhere.is_some() => return,
            _ => {}
        }
        self.call.apply(fact, at);
    }

    /// The time to wait ends the waiting, nothing else.
    fn tick(&mut self, patience: Patience, now: Now) {
        if matches!(patience, Patience::Until(_)) && self.call.tick(now) {
            self.spent.get_or_insert(now);
        }
    }

    /// Whether everybody is to be asked where it is: soon, then less and less often, and once more when the time is over.
    fn wants_inquiry(&self, around: &Around, now: Now) -> bool {
        // What the backend has kept first: who denies it after that, has it no longer.
        let first = self.asked.is_some() || now.mono.since(self.begun.mono) >= LOOK;
        let due = (!self.inquired && first) || self.call.wants_inquiry(now);
        let open = !self.ended() || self.unwitnessed();
        due && !self.cut() && open && !self.printed && around.looked() && !around.deaf()
    }

    fn inquire(&mut self, now: Now) -> Command {
        self.inquired = true;
        self.call.inquiry.wanted(now);
        Command::Investigate {
            id: self.call.id().clone(),
            queue: self.call.queue.clone(),
        }
    }

    /// Whether no more is waited for: it has ended, or all has been asked that can be.
    fn over(&self, patience: Patience, around: &Around, now: Now) -> bool {
        let complete = || {
            let told = around.looked() && self.call.inquiry_complete(&around.scene(), now);
            around.deaf() || told
        };
        let since = |moment: Now| now.mono.since(moment.mono);
        if self.cut() && self.call.arriving.is_none() {
            let answered = self.asked.is_some_and(|asked| since(asked) >= LOOK);
            return self.ended() || answered || since(self.begun) >= LAST_ROUND + LOOK;
        }
        if self.ended() && self.unwitnessed() {
            return (self.inquired && complete()) || since(self.begun) >= LAST_ROUND + LOOK;
        }
        self.ended()
            || match (patience, self.spent) {
                (Patience::Until(_), None) => false,
                (Patience::Until(_), Some(spent)) => complete() || since(spent) >= LAST_ROUND,
                (Patience::Now, _) if self.call.arriving.is_some() => false,
                (Patience::Now, _) => {
                    let looked = self.asked.is_some_and(|asked| since(asked) >= LOOK);
                    (looked && complete()) || since(self.begun) >= LAST_ROUND + LOOK
                }
            }
    }

    fn wake(&self, patience: Patience, now: Now) -> Duration {
        let soon = Duration::from_millis(100);
        match patience {
            Patience::Until(timeout) if self.spent.is_none() => {
                let left = timeout.saturating_sub(now.mono.since(self.begun.mono));
                left.clamp(Duration::from_millis(1), soon)
            }
            _ => soon,
        }
    }

    fn exit(&self) -> u8 {
        if self.text(false).is_some_and(|text| text.is_err()) {
            return Kind::TaskFailed.exit_code();
        }
        match self.call.final_word() {
            _ if self.call.result_known() && self.shape.no_check => 0,
            word if word.is_final() => exit_code(&self.call, word, false),
            _ if self.call.backend_lost.is_some() => 5,
            _ => Kind::Timeout.exit_code(),
        }
    }

    fn keep(&self, history: Option<&Handle>, around: &Around, now: Now) {
        if let (Some(history), Some(record)) = (history, self.learned(around, now)) {
            history.save(record);
        }
    }

    /// What history is to know of it from now on: only of a call that it has how that ended, or what the look at it came to.
    fn learned(&self, around: &Around, now: Now) -> Option<Record> {
        let earlier = self.record.as_deref().filter(|_| !self.cut())?;
        if !self.ended() {
            return self.looked(earlier, around, now);
        }
        Some(Record {
            timeout: earlier.timeout,
            ..Record::after(earlier, &self.call, &Scribe::default(), now)
        })
    }

    /// Who looks is no caller: how it is waited for stays as it was.
    fn looked(&self, earlier: &Record, around: &Around, now: Now) -> Option<Record> {
        let asked = self.inquired && self.elsewhere.is_none();
        let mut call = self.call.clone();
        let found = around.diagnose(&call, now);
        call.looked_at(&found, now);
        let looked = call.looked.is_some() && call.looked != self.call.looked;
        let document = keeper::document(&found, now).filter(|_| asked && looked)?;
        Some(earlier.looked_for(&call, &document))
    }

    /// A call that had ended is as it was kept, with its whole result if the backend still had it.
    fn settle(&mut self, now: Now) {
        let Some(record) = self.record.as_deref().filter(|_| self.cut()) else {
            return;
        };
        let heard = self.call.value().cloned();
        self.call = match heard {
            Some(result) => record.completed(result, now),
            None => record.to_call(now),
        };
    }

    fn print(&mut self, output: Output, patience: Patience, around: &Around, now: Now) {
        self.printed = true;
        self.settle(now);
        output.progress("");
        match output.form {
            Form::Json => output.document(&self.document(patience, around, now)),
            Form::Human | Form::Plain => {
                match self.text(output.form == Form::Human && output.stdout_terminal) {
                    Some(Ok(text)) => output.data(&text),
                    Some(Err(error)) => output.explain(&error),
                    None => {}
                }
                output.note(&self.words(patience, around, output.verbose > 0, now));
                output.warnings(&self.doubts());
            }
        }
    }

    /// What it returned, as it is to be printed; an error if it has not the part that is wanted.
    fn text(&self, pretty: bool) -> Option<Result<String>> {
        let value = self.call.value()?;
        Some(shape::text(value, &self.shape, pretty))
    }

    /// What was heard that is about this call.
    fn around<'a>(&self, around: &'a Around) -> &'a Around {
        match self.elsewhere {
            None => around,
            Some(_) => &NOTHING,
        }
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

#[cfg(test)]
mod tests;
