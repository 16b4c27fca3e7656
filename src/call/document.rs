//! One call as the document `umbel.call/1` (ux.md 3.3, 3.4): always all its keys; unknown is `null`.

mod error;
pub mod options;

use jiff::Timestamp;
use serde::Serialize;

pub use self::error::{CUT_SHORT, ErrorDocument};
use super::diagnosis::{Diagnosis, DiagnosisDocument, begun_again};
use super::timeline::Clock;
use super::{Call, CallState, Source};
use crate::clock::Now;
use crate::error::{Error, Kind};
use crate::protocol::payload::Opaque;
use crate::protocol::result::Exception;
use crate::protocol::{Json, NodeName, QueueName, Signature, TaskId, TaskName};

/// The document `umbel.call/1`.
#[derive(Debug, Serialize)]
pub struct CallDocument<'a> {
    schema: &'static str,
    /// Whether the task returned.
    pub ok: bool,
    profile: Option<&'a str>,
    kind: Option<&'a str>,
    task: &'a TaskName,
    id: &'a TaskId,
    /// State name of ux.md 0.1, ruling 22.
    pub state: String,
    custom: Option<&'a str>,
    /// What it says beside (`meta` of `update_state`).
    custom_meta: Option<&'a Json>,
    sent: Option<bool>,
    args: &'a [Json],
    kwargs: Json,
    result: Option<&'a Json>,
    result_known: bool,
    /// Where the outcome was heard: `backend`, `event`, or null.
    result_source: Option<Source>,
    /// What the task returned as the worker's event tells it: Python's repr, no value.
    result_repr: Option<&'a str>,
    /// Whether that looks cut (at 1,024 characters); null where there is no repr.
    result_truncated: Option<bool>,
    /// What the result was written in, where there is one: `json`, `yaml`, `msgpack`, `pickle`.
    result_form: Option<String>,
    /// What a pickled result would do, step by step; it is never executed.
    result_opaque: Option<&'a [String]>,
    /// Why it is not ok.
    pub error: Option<ErrorDocument>,
    queue: Option<&'a QueueName>,
    worker: Option<&'a NodeName>,
    pid: Option<u64>,
    retries: Option<u64>,
    sent_at: Option<String>,
    /// As its worker told in an event.
    received_at: Option<String>,
    /// A worker had received it by then: it was found there, or it ran.
    received_by_at: Option<String>,
    started_at: Option<String>,
    /// When it was started last: after a retry, or after it was given to another worker.
    last_started_at: Option<String>,
    /// The worker that started it first, and the process that ran it then.
    first_worker: Option<&'a NodeName>,
    first_pid: Option<u64>,
    /// When one attempt was seen to start that had been seen to start before; where is in the warnings.
    started_again_at: Option<String>,
    done_at: Option<String>,
    timeout_ms: u64,
    expires_at: Option<String>,
    queued_ms: Option<u64>,
    /// Whose clock that is on: `ours`, or `both` (from ours to the worker's: as wrong as they differ); null where it is not known.
    queued_clock: Option<Clock>,
    /// The last run alone.
    ran_ms: Option<u64>,
    /// Whose clock that is on: `ours`, `worker`, `both`.
    ran_clock: Option<Clock>,
    total_ms: Option<u64>,
    /// Whose clock that is on: `ours`, or `both`.
    total_clock: Option<Clock>,
    late: bool,
    warnings: Vec<String>,
    diagnosis: Option<Found<'a>>,
    /// What the workers answered to the revoke that followed; null if none did.
    pub revoke: Option<Json>,
    /// Exit code of the command line.
    pub exit: u8,
    /// The options that were asked for, as `apply_async` names them.
    options: Json,
    /// The broker it went to, without a password; null where it is not known.
    broker: Option<String>,
    /// Where its result was looked for, without a password; null where it is not known.
    backend: Option<String>,
    /// When the call was made, sent or not; null where it is not known.
    created_at: Option<String>,
    /// When `diagnosis` was made; null where there is none.
    diagnosed_at: Option<String>,
    #[serde(skip)]
    at: Now,
}

/// What the diagnosis found: now, or when the call was kept.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Found<'a> {
    Now(DiagnosisDocument<'a>),
    Kept(&'a Json),
}

/// A moment as the documents have it: RFC 3339, UTC, milliseconds.
pub fn rfc3339(at: Timestamp) -> String {
    format!("{at:.3}")
}

impl<'a> CallDocument<'a> {
    /// The document of `call` as known at `now`; `interrupted` tells that the user stopped the waiting.
    pub fn new(call: &'a Call, interrupted: bool, now: Now) -> Self {
        let state = call.final_word();
        let error = error::of(call, state, interrupted);
        let timeline = &call.timeline;
        let at = |moment: Option<Now>| moment.map(|moment| rfc3339(moment.wall));
        let ms = |duration: Option<std::time::Duration>| duration.map(whole_ms);
        let sent = timeline.published.map(|sent| sent.wall);
        let expires = sent.and_then(|sent| call.signature.options.expiry(sent));
        Self {
            schema: "umbel.call/1",
            ok: matches!(
                state,
                CallState::Ok | CallState::LateOk | CallState::NoResult
            ),
            profile: None,
            kind: None,
            task: &call.signature.task,
            id: &call.signature.id,
            state: state.to_string(),
            custom: call.custom.as_ref().map(|(word, _)| word.as_str()),
            custom_meta: call.custom.as_ref().map(|(_, meta)| meta),
            sent: call.sent(),
            args: &call.signature.args,
            kwargs: Json::Object(call.signature.kwargs.clone()),
            result: call.value(),
            result_known: call.value_known(),
            result_source: call.source,
            result_repr: call.repr.as_ref().map(|repr| repr.text.as_str()),
            result_truncated: call.repr.as_ref().map(|repr| repr.cut),
            result_form: form(call),
            result_opaque: call.opaque().map(|opaque| opaque.lines.as_slice()),
            revoke: None,
            exit: exit_code(call, state, interrupted),
            error,
            queue: call.queue.as_ref(),
            worker: call.worker.as_ref(),
            pid: call.pid,
            retries: call.retries,
            sent_at: at(timeline.published.filter(|_| call.sent() != Some(false))),
            received_at: at(timeline.received),
            received_by_at: at(timeline.held),
            started_at: at(timeline.started),
            last_started_at: at(timeline.last_started),
            first_worker: call.first.worker.as_ref(),
            first_pid: call.first.pid,
            started_again_at: at(call.started_again().map(|(_, again)| again)),
            done_at: at(timeline.done.filter(|_| call.result_known())),
            timeout_ms: whole_ms(call.timeout),
            expires_at: expires.map(rfc3339),
            queued_ms: ms(timeline.queued()),
            queued_clock: timeline.queued_on(),
            ran_ms: ms(timeline.ran()),
            ran_clock: timeline.ran_on(),
            total_ms: ms(timeline.total().filter(|_| call.result_known())),
            total_clock: timeline.total_on().filter(|_| call.result_known()),
            late: call.late(),
            warnings: warnings(call),
            diagnosis: None,
            options: options::of(&call.signature.options),
            broker: None,
            backend: None,
            created_at: (!call.is_strange()).then(|| rfc3339(timeline.created.wall)),
            diagnosed_at: None,
            at: now,
        }
    }

    /// The same with what a diagnosis found when the call was kept, at `kept`.
    #[must_use]
    pub fn kept(mut self, diagnosis: Option<&'a Json>, kept: Timestamp) -> Self {
        self.diagnosis = diagnosis.map(Found::Kept);
        self.diagnosed_at = diagnosis.map(|_| rfc3339(kept));
        self
    }

    /// The same with other arguments to be seen: those without secrets.
    #[must_use]
    pub fn showing(mut self, signature: &'a Signature) -> Self {
        self.args = &signature.args;
        self.kwargs = Json::Object(signature.kwargs.clone());
        self.options = options::of(&signature.options);
        self
    }

    /// The same with where it went, and where its result is looked for.
    #[must_use]
    pub fn between(mut self, broker: &str, backend: Option<String>) -> Self {
        self.broker = Some(broker.to_owned()).filter(|broker| !broker.is_empty());
        self.backend = backend;
        self
    }

    /// The same with the profile it was made with.
    #[must_use]
    pub fn profiled(mut self, profile: Option<&'a str>) -> Self {
        self.profile = profile;
        self
    }

    /// The same with what is known of where it is and why: for a call that was given up, or whose end does not say why.
    #[must_use]
    pub fn diagnosed(mut self, diagnosis: &'a Diagnosis) -> Self {
        let unresolved = ["timeout", "detached", "unknown_delivery"].contains(&self.state.as_str());
        if unresolved && diagnosis.lost() {
            CallState::Lost.to_string().clone_into(&mut self.state);
        }
        let interrupted = self
            .error
            .as_ref()
            .is_some_and(|it| it.kind == Kind::Interrupted.to_string());
        if unresolved || interrupted || !diagnosis.why.is_empty() {
            self.diagnosis = Some(Found::Now(DiagnosisDocument::new(diagnosis, self.at)));
            self.diagnosed_at = Some(rfc3339(self.at.wall));
        }
        self
    }
}

fn form(call: &Call) -> Option<String> {
    let result = call.result.as_ref()?;
    (call.result_known() && call.source == Some(Source::Backend)).then(|| result.form.to_string())
}

/// What was said before sending, and what the result makes us say.
fn warnings(call: &Call) -> Vec<String> {
    let mut warnings = said(call);
    if let Some(repr) = call.repr.as_ref() {
        warnings.push(format!(
            "the result itself is not known: result_repr is the {}",
            repr.label()
        ));
    }
    warnings.extend(begun_again(call));
    if call.opaque().is_some() {
        warnings.push("the result is pickled, and pickle is never executed: result_opaque says what it would do".to_owned());
    }
    if let Some(trouble) = call.unreadable() {
        warnings.push(trouble.message.clone());
    }
    warnings
}

fn said(call: &Call) -> Vec<String> {
    let strange = call.value().is_some_and(Json::has_non_finite).then(|| {
        "the result holds NaN or Infinity, which JSON cannot say: they are strings here".to_owned()
    });
    call.warnings.iter().cloned().chain(strange).collect()
}

fn whole_ms(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Call {
    /// The state for a document: as [`Call::state`], but a call that was given up while its delivery is unknown is `unknown_delivery`, not a timeout.
    pub fn final_word(&self) -> CallState {
        match self.state() {
            CallState::Timeout if self.sent().is_none() => CallState::UnknownDelivery,
            state => state,
        }
    }

    fn is_ok(&self) -> bool {
        matches!(self.state(), CallState::Ok | CallState::LateOk)
    }

    /// What the task returned, as the value it is; `None` also where only a repr or something pickled is known.
    pub fn value(&self) -> Option<&Json> {
        let result = self.result.as_ref().filter(|_| self.is_ok())?;
        (result.opaque.is_none() && self.source == Some(Source::Backend)).then_some(&result.value)
    }

    /// Whether all is known that can be: of a task that returned, its value.
    fn value_known(&self) -> bool {
        self.result_known() && (!self.is_ok() || self.value().is_some())
    }

    /// Why what it returned or raised cannot be read, although it is known to have ended.
    pub fn unreadable(&self) -> Option<&Error> {
        let unread = self.result.is_none() && self.source == Some(Source::Backend);
        self.trouble
            .as_ref()
            .filter(|_| unread && self.result_known())
    }

    /// What it returned, where that is pickled.
    pub fn opaque(&self) -> Option<&Opaque> {
        let result = self.result.as_ref().filter(|_| self.result_known());
        result.and_then(|result| result.opaque.as_ref())
    }

    /// The exception it ended with, or is retried after.
    pub fn exception(&self) -> Option<&Exception> {
        self.result.as_ref()?.exception.as_ref()
    }

    /// The exception's headline for people: `Type: message`; where the message is empty, the end of the traceback.
    pub fn headline(&self) -> Option<String> {
        let result = self.result.as_ref()?;
        let exception = result.exception.as_ref()?;
        let from_traceback =
            || crate::protocol::result::headline_from_traceback(result.traceback.as_deref()?);
        Some(if exception.args.is_empty() {
            from_traceback().unwrap_or_else(|| exception.headline())
        } else {
            exception.headline()
        })
    }
}

/// The exit code of ux.md 3.3 for a call.
pub fn exit_code(call: &Call, state: CallState, interrupted: bool) -> u8 {
    match state {
        CallState::Ok | CallState::LateOk | CallState::NoResult => 0,
        CallState::Fail | CallState::LateFail | CallState::NoTask => 1,
        CallState::Expired | CallState::Revoked | CallState::Killed => 7,
        _ if interrupted => Kind::Interrupted.exit_code(),
        CallState::Unsent => 4,
        CallState::Draft => call
            .trouble
            .as_ref()
            .map_or(Kind::Internal, |error| error.kind)
            .exit_code(),
        CallState::UnknownDelivery => 12,
        _ if call.backend_lost.is_some() => 5,
        _ => 3,
    }
}
