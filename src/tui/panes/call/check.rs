//! What happens when the button is pressed: the form is read, looked at, and either ready to be sent or told why not. Sends nothing itself.

use std::sync::Arc;
use std::time::Duration;

use super::draft::{Draft, Spot};
use crate::call::CallState;
use crate::call::preflight::{self, Preflight};
use crate::cli::options::Name;
use crate::clock::Now;
use crate::error::{Error, Kind};
use crate::history::Masked;
use crate::protocol::message::Sender;
use crate::protocol::{QueueName, Signature};
use crate::tui::state::Shared;

/// Bytes of arguments up to which it is tried while they are typed whether they can be written at all.
const TRIED: usize = 64_000;

/// A call ready to be sent; its id is still to be chosen, unless the user did.
#[derive(Clone, Debug, PartialEq)]
pub struct Ready {
    /// What to call, with an empty id unless it was typed.
    pub signature: Signature,
    /// What looking before sending found: where it goes, in which form, how its outcome is awaited.
    pub seen: Preflight,
    /// How long we wait.
    pub timeout: Duration,
    /// Doubts that were told.
    pub warnings: Vec<String>,
    /// Places that hold secrets because a call of the past says so.
    pub masked: Vec<Masked>,
}

/// What a press leads to.
#[derive(Debug)]
pub enum Press {
    /// It can go.
    Send(Box<Ready>),
    /// Something is wrong at a place of the form.
    Wrong(Option<Spot>, String),
    /// It cannot go just now, whatever the form holds.
    Blocked(String),
    /// There are reasons not to send; they are shown, and the same press again sends nevertheless.
    Doubtful,
    /// Such a press, too soon to have read them.
    TooSoon,
    /// Nobody has told of its queue; ask, an answer may still come.
    Asking(QueueName),
}

/// Reads the form.
pub fn press(draft: &mut Draft, shared: &Shared, now: Now) -> Press {
    draft.commit();
    if let Some((spot, problem)) = problems(draft, shared, now).into_iter().next() {
        return Press::Wrong(Some(spot), problem);
    }
    if let Some(reason) = shared.cannot_send() {
        return Press::Blocked(reason);
    }
    let signature = signature(draft, now);
    if let Some(problem) = cannot_encode(&signature, now) {
        return Press::Wrong(None, problem);
    }
    let mut preflight = look(shared, &signature);
    // Proof that nobody runs it may be overruled by a second press; a call without a way may not.
    let refusal = preflight.refusal.as_ref();
    if let Some(refusal) = refusal.filter(|it| it.kind != Kind::NoWorker) {
        return Press::Wrong(None, refusal_text(refusal));
    }
    let past = of_the_past(draft, shared);
    let doubts = reasons(draft, &preflight, now);
    let why: Vec<String> = past.iter().chain(&doubts).cloned().collect();
    if draft.guard.is_too_soon(&why, now) {
        draft.guard.too_soon(now);
        return Press::TooSoon;
    }
    if !why.is_empty() && !draft.guard.insists(&why, now) {
        draft.guard.arm(why, now);
        return Press::Doubtful;
    }
    let asked = untold(draft, shared, now);
    if let Some(queue) = asked.filter(|queue| draft.guard.awaits(queue, now)) {
        return Press::Asking(queue);
    }
    draft.guard.disarm();
    draft.sent();
    let mut warnings: Vec<String> = preflight.warnings.drain(..).collect();
    // What it repeats is no matter of this call.
    for doubt in doubts {
        if !warnings.contains(&doubt) {
            warnings.push(doubt);
        }
    }
    Press::Send(Box::new(Ready {
        signature,
        timeout: draft.options.timeout(),
        warnings,
        seen: preflight,
        masked: draft.masked(),
    }))
}

/// What is wrong with the form, and where, in its order.
pub fn problems(draft: &Draft, shared: &Shared, now: Now) -> Vec<(Spot, String)> {
    let mut problems = draft.problems(now.wall);
    let (read, _) = draft.options_now().read();
    if let Some(id) = read.wishes.task_id
        && shared.calls.get(&id).is_some()
    {
        let text = format!("task-id: a call of this run has the id {id} already");
        problems.push((Spot::Option(Name::TaskId.into()), text));
    }
    problems
}

/// The call that the form means; its id is empty unless it was typed.
pub fn signature(draft: &Draft, now: Now) -> Signature {
    let (args, kwargs) = draft.arguments().clone();
    Signature {
        args,
        kwargs,
        ..bare(draft, now)
    }
}

/// The call without arguments.
fn bare(draft: &Draft, now: Now) -> Signature {
    let texts = draft.options_now();
    Signature {
        task: draft.task.clone(),
        id: texts.read().0.wishes.task_id.unwrap_or_default(),
        args: Vec::new(),
        kwargs: Vec::new(),
        options: texts.options(now.wall).0,
    }
}

/// What the pre-flight says about a form, whatever its arguments. It is asked many times for every frame and message, and looked at anew
/// when the form or the cluster has changed, or the second of a start or an expiry.
pub fn preflight_of(draft: &Draft, shared: &Shared, now: Now) -> Arc<Preflight> {
    let of = (shared.news, now.wall.as_second());
    draft.preflight(of, || look(shared, &bare(draft, now)))
}

fn look(shared: &Shared, signature: &Signature) -> Preflight {
    preflight::preflight(&shared.cluster, signature, &shared.results)
}

fn reasons(draft: &Draft, preflight: &Preflight, now: Now) -> Vec<String> {
    let refusal = preflight.refusal.as_ref().map(refusal_text);
    let doubts = draft.doubts(now.wall);
    refusal.into_iter().chain(doubts).collect()
}

/// What speaks against sending a call of the past again.
fn of_the_past(draft: &Draft, shared: &Shared) -> Vec<String> {
    let twice = outcome_unknown(draft, shared);
    made_elsewhere(draft).into_iter().chain(twice).collect()
}

/// That the call which is repeated has no outcome, unless it is known by now or is still waited for here, where that is seen.
pub fn outcome_unknown(draft: &Draft, shared: &Shared) -> Option<String> {
    let key = draft.repeats.as_ref()?;
    let held = shared.calls.find(key);
    let unknown = held.is_none_or(|call| {
        let state = call.state();
        let awaited = state.is_waiting() && state != CallState::UnknownDelivery;
        call.whereabouts().is_some() && (!awaited || shared.calls.visits(call))
    });
    let text = format!(
        "the outcome of {} is unknown: it may then run twice",
        key.0.short()
    );
    unknown.then_some(text)
}

/// That the call was made at another broker: what was right there may be wrong here.
fn made_elsewhere(draft: &Draft) -> Option<String> {
    let from = draft.from.as_ref()?;
    Some(format!(
        "it was made at another broker, {from}; it goes to this one now"
    ))
}

/// The queue that the call would go to, if nobody has told anything of it.
pub fn untold(draft: &Draft, shared: &Shared, now: Now) -> Option<QueueName> {
    let seen = preflight_of(draft, shared, now);
    let queue = seen.only_queue()?;
    let told = shared.cluster.queues.contains_key(queue);
    (!told && !queue.as_str().is_empty()).then(|| queue.clone())
}

/// Why what is typed cannot be written as a message, where nothing else is wrong with it and it is small enough to try at every look.
pub fn unwritable(draft: &Draft, now: Now) -> Option<String> {
    if draft.size() > TRIED || !draft.problems(now.wall).is_empty() {
        return None;
    }
    cannot_encode(&signature(draft, now), now)
}

fn cannot_encode(signature: &Signature, now: Now) -> Option<String> {
    let sender = Sender {
        origin: String::new(),
        reply_to: None,
        now: now.wall,
    };
    signature
        .encode(&sender)
        .err()
        .map(|error| error.to_string())
}

/// A warning in the words of the screen: options are set in the form.
pub fn on_screen(warning: &str) -> String {
    warning.replace("--result force asks", "the option result force asks")
}

/// A refusal in the words of the screen: what the command line would do with flags is done here with fields and keys.
pub fn refusal_text(error: &Error) -> String {
    let hints = error.hint.iter().flat_map(|hint| hint.split("; "));
    let hints = hints
        .filter(|hint| !hint.contains("--no-preflight"))
        .map(|hint| {
            hint.replace(" with --queue", "")
                .replace("--queue ", "set queue to ")
        });
    let parts: Vec<String> = std::iter::once(error.message.clone())
        .chain(hints)
        .collect();
    parts.join("; ")
}
