//! What happens when the button is pressed: the form is read, looked at, and either ready to be sent or told why not. Sends nothing itself.

use std::time::Duration;

use super::draft::{Armed, Draft, Spot};
use crate::call::preflight::{self, Preflight};
use crate::clock::Now;
use crate::error::{Error, Kind};
use crate::protocol::message::Sender;
use crate::protocol::{Options, Signature, TaskId};
use crate::tui::state::Shared;

/// How long a second press counts as "nevertheless".
pub const AGAIN_WITHIN: Duration = Duration::from_secs(5);

/// A call ready to be sent; its id is still to be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Ready {
    /// What to call, with an empty id.
    pub signature: Signature,
    /// What looking before sending found: where it goes, in which form, how its outcome is awaited.
    pub seen: Preflight,
    /// How long we wait.
    pub timeout: Duration,
    /// Doubts that were told.
    pub warnings: Vec<String>,
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
}

/// Reads the form.
pub fn press(draft: &mut Draft, shared: &Shared, now: Now) -> Press {
    draft.commit();
    if let Some((spot, problem)) = draft.problems().into_iter().next() {
        return Press::Wrong(Some(spot), problem);
    }
    if let Some(reason) = shared.cannot_send() {
        return Press::Blocked(reason);
    }
    let timeout = match draft.options.timeout() {
        Ok(timeout) => timeout,
        Err(problem) => return Press::Wrong(None, problem),
    };
    let signature = signature(draft);
    if let Some(problem) = cannot_encode(&signature, now) {
        return Press::Wrong(None, problem);
    }
    let mut preflight = look(shared, &signature);
    // Proof that nobody runs it may be overruled by a second press; a call without a way may not.
    let refusal = preflight.refusal.as_ref();
    if let Some(refusal) = refusal.filter(|it| it.kind != Kind::NoWorker) {
        return Press::Wrong(None, refusal_text(refusal));
    }
    let why = reasons(draft, &preflight);
    if !why.is_empty() && !again(draft, &why, now) {
        draft.armed = Some(Armed { at: now.mono, why });
        return Press::Doubtful;
    }
    draft.armed = None;
    Press::Send(Box::new(Ready {
        signature,
        timeout,
        warnings: preflight.warnings.drain(..).chain(why).collect(),
        seen: preflight,
    }))
}

/// The call that the form means, without an id.
pub fn signature(draft: &Draft) -> Signature {
    let (args, kwargs) = draft.arguments();
    Signature {
        task: draft.task.clone(),
        id: TaskId::default(),
        args,
        kwargs,
        options: draft.options.options().unwrap_or_default(),
    }
}

/// What the pre-flight says about a form, whatever its arguments.
pub fn preflight_of(draft: &Draft, shared: &Shared) -> Preflight {
    let signature = Signature {
        task: draft.task.clone(),
        id: TaskId::default(),
        args: Vec::new(),
        kwargs: Vec::new(),
        options: Options {
            queue: draft.options.queue(),
            ..Options::default()
        },
    };
    look(shared, &signature)
}

fn look(shared: &Shared, signature: &Signature) -> Preflight {
    preflight::preflight(&shared.cluster, signature, &shared.results)
}

fn reasons(draft: &Draft, preflight: &Preflight) -> Vec<String> {
    let refusal = preflight.refusal.as_ref().map(refusal_text);
    refusal.into_iter().chain(draft.doubts()).collect()
}

fn again(draft: &Draft, why: &[String], now: Now) -> bool {
    draft
        .armed
        .as_ref()
        .is_some_and(|armed| armed.why == why && now.mono.since(armed.at) <= AGAIN_WITHIN)
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
