//! `umbel call` and `umbel send`: look first, send once, and wait for the result or not.

mod diary;
mod plain;

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;

use super::around::Around;
use super::output::Form;
use super::revoke::{Desk, Revoked};
use super::{Session, progress, shape};
use crate::backend::Results;
use crate::call::document::{CallDocument, exit_code};
use crate::call::preflight::preflight;
use crate::call::{Answer, Call, CallState, Fact, Waiting};
use crate::cli::{self, OnInterrupt, OnTimeout, Progress};
use crate::client::{Command, Confirmed, Event, LinkName, LinkState, Order};
use crate::clock::Now;
use crate::error::{Error, Kind};
use crate::protocol::control::Signal;
use crate::protocol::{Signature, State};
use diary::Diary;
use plain::Plain;

/// How long the depth of a queue that no worker named is waited for.
const DEPTH_PATIENCE: Duration = Duration::from_secs(1);
/// How long the confirm of a message is awaited after the user stopped.
const SETTLING: Duration = Duration::from_millis(100);
/// How long everybody is asked at the deadline where the call is.
const LAST_ROUND: Duration = Duration::from_secs(2);
/// How often it is looked whether the call is stuck.
const LOOK: Duration = Duration::from_millis(500);
/// The shortest wait for an event.
const MOMENT: Duration = Duration::from_millis(1);
/// How often the progress line moves.
const FRAME: Duration = Duration::from_millis(100);

/// What the links and the workers told so far.
#[derive(Default)]
struct Known {
    around: Around,
    broker_up: bool,
    backend_up: bool,
    /// What the links have to say.
    notices: Vec<String>,
}

/// Why the waiting ended.
enum End {
    /// The call ended, or its time is over.
    Done,
    /// The user stopped it (exit 130), or the system (143).
    Stopped(u8),
}

/// How it is sent and waited for.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// Send without proof that somebody reads it.
    pub no_preflight: bool,
    /// How it is waited for; `None`: not at all.
    pub waiting: Option<cli::Waiting>,
    /// How the result is printed.
    pub shape: cli::Shape,
}

/// Sends `signature` and waits; prints the outcome; returns the exit code. `stop` resolves with an exit code when the user wants to leave.
pub async fn run(
    session: &mut Session,
    manner: &Manner,
    signature: Signature,
    timeout: Duration,
    warnings: Vec<String>,
    stop: impl Future<Output = u8>,
) -> u8 {
    let mut call = Call::new(signature, timeout, session.clock.now());
    call.queue = call.signature.options.queue.clone();
    call.warnings = warnings;
    if session.output.form != Form::Json {
        session.output.warnings(&call.warnings);
    }
    let mut stop = pin!(stop);
    let mut known = Known::default();
    let end = tokio::select! {
        end = conduct(session, &mut call, &mut known, manner) => end,
        code = &mut stop => End::Stopped(code),
    };
    if matches!(end, End::Stopped(_)) {
        settle(session, &mut call).await;
    }
    let revoked = revoke(session, &mut call, &mut known.around, manner, &end).await;
    let diagnosis = known.around.diagnose(&call, session.clock.now());
    let unresolved = call.whereabouts().is_some() || !diagnosis.why.is_empty();
    let telling = Some(&diagnosis).filter(|_| manner.waiting.is_some() && unresolved);
    let mut kept = call.clone();
    if manner.waiting.is_some() {
        kept.looked_at(&diagnosis, session.clock.now());
    }
    if matches!(end, End::Stopped(_)) && call.state().is_waiting() && call.sent() != Some(false) {
        // Nobody waits any more: the next umbel listens for it at once.
        kept.detach(session.clock.now());
    }
    session.keep(&kept, &known.around, telling);
    report(session, &call, &known.around, manner, &end, revoked)
}

async fn conduct(
    session: &mut Session,
    call: &mut Call,
    known: &mut Known,
    manner: &Manner,
) -> End {
    if let Err(error) = ready(session, call, known, manner.no_preflight).await {
        call.apply(Fact::Unsent(error), session.clock.now());
        return End::Done;
    }
    let said = call.warnings.len();
    let mut order = match choose(call, known, manner.no_preflight) {
        Ok(order) => order,
        Err(error) => {
            call.apply(Fact::Unsent(error), session.clock.now());
            return End::Done;
        }
    };
    if manner.waiting.is_none() {
        order.answer = Answer::Nothing;
        call.warnings.extend(lonely(known.around.results.as_ref()));
    }
    if session.output.form != Form::Json {
        session.output.warnings(&call.warnings[said..]);
    }
    // From here on it may be published: whoever stops it now is not told that nothing was sent.
    call.apply(Fact::Ordered, session.clock.now());
    session.keep(call, &known.around, None);
    session.client.send(Command::Call(Box::new(order))).await;
    match &manner.waiting {
        Some(waiting) => wait(session, call, &mut known.around, waiting.progress).await,
        None => delivered(session, call).await,
    }
    session.output.progress("");
    End::Done
}

/// What is to be said of results that nobody waits for.
fn lonely(results: Option<&Results>) -> Option<String> {
    matches!(results, Some(Results::Rpc)).then(|| {
        "results on rpc:// go to the caller alone: nobody waits, so this one is never seen (umbel call waits)".to_owned()
    })
}

/// Waits until it is known whether the broker has it.
async fn delivered(session: &mut Session, call: &mut Call) {
    while call.state() == CallState::Send {
        match session.events.recv().await {
            Some(Event::Call(id, fact, at)) if id == *call.id() => {
                call.apply(fact, at);
            }
            Some(_) => {}
            None => return,
        }
    }
}

/// Does what the user wished for a call that is not waited for any longer.
async fn revoke(
    session: &mut Session,
    call: &mut Call,
    around: &mut Around,
    manner: &Manner,
    end: &End,
) -> Option<Revoked> {
    let waiting = manner.waiting?;
    let signal = match (end, waiting.on_timeout, waiting.on_interrupt) {
        (End::Stopped(_), _, OnInterrupt::Revoke) | (End::Done, OnTimeout::Revoke, _) => None,
        (End::Done, OnTimeout::Terminate, _) => Some(Signal::default()),
        _ => return None,
    };
    if call.state().is_final() || call.sent() == Some(false) {
        return None;
    }
    let running = call.whereabouts() == Some(CallState::Run);
    let now = session.clock.now().mono;
    let mut desk = Desk::new(
        std::slice::from_ref(call.id()),
        &around.cluster,
        signal,
        now,
    );
    desk.seen(call.id(), call.whereabouts(), call.worker.clone());
    // Naming the flag was the confirmation.
    let confirmed = Confirmed::by_person();
    desk.send(&session.client, confirmed).await;
    // A task that runs on is not revoked, whatever Celery 5.6 writes at once (protocol.md 8).
    let runs_on = running && signal.is_none();
    let patient = !runs_on && matches!(end, End::Done);
    while let Some(left) = desk.open(patient && !call.state().is_final(), session.clock) {
        match tokio::time::timeout(left, session.events.recv()).await {
            Ok(Some(Event::Call(id, fact, at))) if id == *call.id() => {
                if !(runs_on && says_revoked(&fact)) {
                    call.apply(fact, at);
                }
            }
            Ok(Some(event)) => desk.hear(&event),
            Ok(None) => break,
            Err(_) => {}
        }
    }
    let revoked = desk.close().pop();
    around.revoked = revoked.as_ref().map(|it| it.effect);
    revoked
}

fn call_returned(call: &Call) -> bool {
    let revoked = matches!(call.state(), CallState::Revoked | CallState::Killed);
    call.result_known() && !revoked
}

fn says_revoked(fact: &Fact) -> bool {
    match fact {
        Fact::Result(result) => result.state == State::Revoked,
        _ => false,
    }
}

/// Waits until both links are up and the survey is over, or says why that cannot be.
async fn ready(
    session: &mut Session,
    call: &Call,
    known: &mut Known,
    no_preflight: bool,
) -> Result<(), Error> {
    let mut give_up_depth = None;
    let mut expected = false;
    loop {
        if known.backend_up && !expected {
            expected = true;
            session
                .client
                .send(Command::Expect(call.id().clone()))
                .await;
        }
        if known.ready(
            call,
            no_preflight,
            give_up_depth.is_some_and(|at| session.clock.now().mono >= at),
        ) {
            return Ok(());
        }
        if known.around.cluster.surveyed && give_up_depth.is_none() {
            give_up_depth = Some(session.clock.now().mono.after(DEPTH_PATIENCE));
            let (queue, _) =
                crate::call::preflight::choose_queue(&known.around.cluster, &call.signature);
            session.client.send(Command::Queue(queue)).await;
        }
        let Ok(event) = tokio::time::timeout(FRAME, session.events.recv()).await else {
            continue;
        };
        known
            .hear(event.ok_or_else(|| Error::new(Kind::Internal, "the client ended by itself"))?)?;
    }
}

impl Known {
    fn hear(&mut self, event: Event) -> Result<(), Error> {
        self.around.hear(event.clone());
        match event {
            Event::Link(LinkName::Broker, LinkState::Waiting { reason, .. }) => return Err(reason),
            Event::Link(LinkName::Backend, LinkState::Waiting { reason, .. }) => {
                return Err(reason);
            }
            Event::Link(LinkName::Broker, LinkState::Up { .. }) => self.broker_up = true,
            Event::Link(LinkName::Backend, LinkState::Up { .. }) => self.backend_up = true,
            Event::ResultsTrouble(error) => return Err(error),
            Event::Notice(notice) => self.notices.push(notice),
            _ => {}
        }
        Ok(())
    }

    /// Whether the call can be sent: links up, results known, and the look around over (or not wanted, where nothing has to be asked).
    fn ready(&self, call: &Call, no_preflight: bool, depth_given_up: bool) -> bool {
        let links = self.broker_up
            && match &self.around.results {
                Some(Results::Stored(_)) => self.backend_up,
                Some(_) => true,
                None => false,
            };
        let options = &call.signature.options;
        let named = options.exchange.is_some();
        let nothing_to_ask = no_preflight && (named || options.queue.is_some());
        let (queue, _) =
            crate::call::preflight::choose_queue(&self.around.cluster, &call.signature);
        let depth = no_preflight
            || depth_given_up
            || named
            || self.around.cluster.queues.contains_key(&queue);
        links && (nothing_to_ask || (self.around.cluster.surveyed && depth))
    }
}

/// Chooses the way; refuses on proof, which a person may overrule, and where there is no way.
fn choose(call: &mut Call, known: &Known, no_preflight: bool) -> Result<Order, Error> {
    let results = known.around.results.clone().unwrap_or(Results::Unknown);
    let mut seen = preflight(&known.around.cluster, &call.signature, &results);
    call.queue = seen.only_queue().cloned();
    call.route = Some(seen.route.clone());
    let overruled = |refusal: &Error| no_preflight && refusal.kind == Kind::NoWorker;
    if let Some(refusal) = seen.refusal.take().filter(|it| !overruled(it)) {
        return Err(refusal);
    }
    call.warnings.extend(known.notices.iter().cloned());
    call.warnings.append(&mut seen.warnings);
    Ok(Order::new(call.signature.clone(), &seen))
}

/// Follows the call to its end or its deadline; at the deadline everybody is asked once more where it is.
async fn wait(session: &mut Session, call: &mut Call, around: &mut Around, progress: Progress) {
    let (mut plain, mut line) = (Plain::default(), String::new());
    let mut diary = Diary::default();
    let keeper = session.keeper.as_ref();
    let mut usual = keeper.map(|keeper| keeper.usual(&call.signature.task));
    loop {
        let now = session.clock.now();
        if let Some(answer) = usual.as_mut().and_then(FutureExt::now_or_never) {
            usual = None;
            around.usual = answer.ok().flatten();
        }
        around.cluster.tick(now);
        call.tick(now);
        if progress == Progress::Plain {
            let lines = plain.lines(call, around, now);
            for line in lines.iter().filter(|_| session.output.quiet == 0) {
                session.output.note(line);
            }
        }
        if call.state().is_final() || call.refused() || given_up(call, around, now) {
            return;
        }
        if diary.is_due(call, now) {
            session.keep(call, around, None);
        }
        if call.wants_inquiry(now) {
            call.inquiry.wanted(now);
            let (id, queue) = (call.id().clone(), call.queue.clone());
            session
                .client
                .send(Command::Investigate { id, queue })
                .await;
        }
        if progress == Progress::Auto && call.timeline.published.is_some() {
            let new = progress::line(call, around, now);
            if new != line {
                session.output.progress(&new);
                line = new;
            }
        }
        let until_deadline = call.left(now).unwrap_or(FRAME);
        let wake = if session.output.stderr_terminal {
            until_deadline.min(FRAME)
        } else {
            until_deadline.min(LOOK)
        };
        let wake = match progress {
            Progress::Plain => wake.min(plain.due(now).max(MOMENT)),
            Progress::Auto | Progress::None => wake,
        };
        let said = call.warnings.len();
        match tokio::time::timeout(wake, session.events.recv()).await {
            Ok(Some(Event::Call(id, fact, at))) if id == *call.id() => {
                call.apply(fact, at);
                diary.hear();
            }
            Ok(Some(Event::Notice(notice))) => call.warnings.push(notice),
            Ok(Some(event)) => around.hear(event),
            Err(_) => {}
            Ok(None) => return,
        }
        let new = call.warnings.get(said..).unwrap_or_default();
        if !new.is_empty() && session.output.form != Form::Json {
            // They get lines of their own.
            session.output.progress("");
            session.output.warnings(new);
        }
    }
}

/// Whether the time is over and nothing more is to be learned of where the call is.
fn given_up(call: &Call, around: &Around, now: Now) -> bool {
    let Waiting::TimedOut(over) = call.waiting else {
        return false;
    };
    let spent = now.mono.since(over.mono) >= LAST_ROUND;
    spent || around.deaf() || call.inquiry_complete(&around.scene(), now)
}

/// Learns, for a moment, what became of a message that was under way when the user stopped.
async fn settle(session: &mut Session, call: &mut Call) {
    let until = session.clock.now().mono.after(SETTLING);
    while call.state() == CallState::Send {
        let left = until.since(session.clock.now().mono);
        match tokio::time::timeout(left, session.events.recv()).await {
            Ok(Some(Event::Call(id, fact, at))) if id == *call.id() => {
                call.apply(fact, at);
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

fn report(
    session: &Session,
    call: &Call,
    around: &Around,
    manner: &Manner,
    end: &End,
    revoked: Option<Revoked>,
) -> u8 {
    let now = session.clock.now();
    let interrupted = matches!(end, End::Stopped(_));
    let output = session.output;
    output.progress("");
    let exit = code(call, around, manner, end);
    if output.form == Form::Json {
        let diagnosis = around.diagnose(call, now);
        let shown = session.secrets.shown(&call.signature);
        let mut document = CallDocument::new(call, interrupted, now)
            .showing(&shown)
            .between(&session.broker, around.stored());
        if exit == 0 {
            // Who only sends wants no more of it. That a task failed is no less so where nobody checks.
            document.ok |= manner.waiting.is_none();
            document.error = document.error.filter(|_| call.result_known());
        } else {
            document = document.diagnosed(&diagnosis);
        }
        if let (Some(error), Some(effect)) = (&mut document.error, around.revoked) {
            error.message = error
                .message
                .replace("the task is not cancelled", effect.line())
                .replace("the task goes on", effect.line());
        }
        document.revoke = revoked.as_ref().map(Revoked::document);
        document.exit = exit;
        output.document(&document);
        return exit;
    }
    if manner.waiting.is_none() && exit == 0 {
        output.data(call.id().as_str());
        return exit;
    }
    let missing = print(session, call, manner);
    let how = progress::Closing {
        interrupted,
        verbose: output.verbose > 0,
        unkept: session.keeper.is_none(),
    };
    output.note(&progress::closing(call, around, how, now));
    if let Some(revoked) = revoked {
        output.note(&revoked.words());
    }
    if output.verbose > 0 {
        output.note(&progress::timeline(call));
    }
    missing.unwrap_or(exit)
}

/// Prints the result; the exit code if it lacks the field that was wanted.
fn print(session: &Session, call: &Call, manner: &Manner) -> Option<u8> {
    let output = session.output;
    let pretty = output.form == Form::Human && output.stdout_terminal;
    match shape::text(call.value()?, &manner.shape, pretty) {
        Ok(text) => output.data(&text),
        Err(error) => {
            output.explain(&error);
            return Some(error.kind.exit_code());
        }
    }
    None
}

fn code(call: &Call, around: &Around, manner: &Manner, end: &End) -> u8 {
    let sent = manner.waiting.is_none() && call.sent() == Some(true);
    match end {
        _ if sent => 0,
        // What we revoked ourselves because the user stopped is stopped.
        End::Stopped(code) if around.revoked.is_some() && !call_returned(call) => *code,
        _ if call.result_known() && manner.shape.no_check => 0,
        End::Stopped(code) if !call.result_known() => *code,
        end => exit_code(call, call.final_word(), matches!(end, End::Stopped(_))),
    }
}
