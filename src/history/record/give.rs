//! Calls and signatures out of records. Pure.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::take::{META, small};
use super::withhold::WITHHELD;
use super::{Answer, Kept, Masked, Place, Point, Record, Times, Waited};
use crate::call::document::CallDocument;
use crate::call::restore::Standing;
use crate::call::{Call, CallState, Timeline, Waiting};
use crate::clock::{Moment, Now};
use crate::error::{Error, Kind};
use crate::protocol::{Json, Signature, TaskId, TaskResult};
use crate::text::human;

/// Why a call cannot be repeated as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotRepeatable {
    /// These arguments are secret and have to be typed again.
    Masked(Vec<Masked>),
    /// The arguments, so many bytes, were too large to keep.
    TooLarge(usize),
}

impl Record {
    /// The same call with another id.
    ///
    /// # Errors
    /// Secrets were masked, or the arguments were too large to keep.
    pub fn to_signature(&self, id: TaskId) -> Result<Signature, NotRepeatable> {
        if let Some(bytes) = self.arguments_cut {
            return Err(NotRepeatable::TooLarge(bytes));
        }
        if !self.masked.is_empty() {
            return Err(NotRepeatable::Masked(self.masked.clone()));
        }
        Ok(Signature {
            id,
            ..self.signature.clone()
        })
    }

    /// Puts a secret that was typed again in its place. Returns whether that place was masked.
    pub fn unmask(&mut self, masked: &Masked, value: &Json) -> bool {
        let Some(at) = self.masked.iter().position(|other| other == masked) else {
            return false;
        };
        let mut any = false;
        for into in self.arguments(&masked.place) {
            any |= masked.path.set(into, value);
        }
        if any {
            self.masked.remove(at);
        }
        any
    }

    fn arguments(&mut self, place: &Place) -> Vec<&mut Json> {
        fn named<'a>(entries: &'a mut [(String, Json)], name: &str) -> Vec<&'a mut Json> {
            let same = entries.iter_mut().filter(|(key, _)| key == name);
            same.map(|(_, value)| value).collect()
        }
        match place {
            Place::Positional(index) => self.signature.args.get_mut(*index).into_iter().collect(),
            Place::Keyword(name) => named(&mut self.signature.kwargs, name),
            Place::Header(name) => named(&mut self.signature.options.headers, name),
        }
    }

    /// The call as it was when it was recorded, its moments set back from `now`.
    pub fn to_call(&self, now: Now) -> Call {
        let frame = Frame::new(self, now);
        let at = |point: Option<Point>| point.map(|point| frame.at(point));
        let mut call = Call::new(self.signature.clone(), self.timeout, frame.created(self));
        call.queue.clone_from(&self.queue);
        call.waiting = match self.waited {
            Waited::Yes => Waiting::Yes,
            Waited::TimedOut(point) => Waiting::TimedOut(frame.at(point)),
            Waited::Detached(point) => Waiting::Detached(frame.at(point)),
        };
        call.timeline = Timeline {
            created: frame.created(self),
            published: at(self.times.published),
            confirmed: at(self.times.confirmed),
            held: at(self.times.held),
            received: at(self.times.received),
            started: at(self.times.started),
            last_started: at(self.times.last_started),
            runtime: self.times.runtime,
            told: self.times.told_start,
            last_told: self.times.told_last_start,
            done: at(self.times.done),
            done_told: self.times.told_done,
        };
        call.told_at = at(self.times.told);
        call.worker.clone_from(&self.worker);
        call.pid = self.pid;
        call.first.clone_from(&self.first);
        let twice = self.twice.as_ref();
        call.twice = twice.map(|(worker, point)| (worker.clone(), frame.at(*point)));
        call.acknowledged = self.acknowledged;
        call.retries = self.retries;
        call.custom.clone_from(&self.custom);
        let whole = self.answer.as_ref().filter(|_| self.cut_result().is_none());
        call.result = whole.map(|answer| Arc::new(self.result(answer)));
        call.source = self.source;
        call.repr.clone_from(&self.repr);
        call.trouble = self.trouble.clone().or_else(|| self.not_whole());
        call.backend_lost.clone_from(&self.backend_lost);
        call.warnings = self.all_warnings();
        call.looked = self.looked.map(|look| look.timed(|at| frame.at(at)));
        call.resume(Standing {
            state: self.state,
            whereabouts: self.whereabouts,
            sent: self.sent,
        })
    }

    /// The call, to be listened for again after the program that made it has gone: nobody waits for it any more.
    pub fn pick_up(&self, now: Now) -> Call {
        let mut call = self.to_call(now);
        call.abandoned(Frame::new(self, now).at(self.times.recorded), now);
        call
    }

    /// A moment of it, on this run's clocks.
    pub fn moment(&self, point: Point, now: Now) -> Now {
        Frame::new(self, now).at(point)
    }

    /// When its diagnosis was made.
    pub fn diagnosed(&self) -> Point {
        // Earlier umbels wrote it down at once.
        self.looked.map_or(self.times.recorded, |look| look.at)
    }

    /// The same with what somebody's look at `call` came to, who made it not: that alone is news, and what was written of it meanwhile
    /// stays. Why it was there is left out where secrets are that he was not told.
    #[must_use]
    pub fn looked_for(&self, call: &Call, diagnosis: &Json) -> Self {
        let point = |at: Now| Point {
            wall: at.wall,
            after: at.mono.since(call.timeline.created.mono),
        };
        Self {
            looked: call.looked.map(|look| look.timed(point)),
            diagnosis: self.masked.is_empty().then(|| small(diagnosis, META)),
            ..self.clone()
        }
    }

    /// The same call before anything came of it: its result is asked for anew.
    #[must_use]
    pub fn unanswered(&self) -> Self {
        Self {
            answer: None,
            source: None,
            repr: None,
            headline: None,
            trouble: None,
            late: false,
            state: CallState::Sent,
            whereabouts: Some(CallState::Sent),
            times: Times {
                done: None,
                told_done: false,
                ..self.times
            },
            ..self.clone()
        }
    }

    /// The call with its whole result, which was too large to be kept.
    pub fn completed(&self, result: Json, now: Now) -> Call {
        let mut whole = self.clone();
        if let Some(answer) = &mut whole.answer {
            answer.value = Kept::Whole(result);
        }
        whole.to_call(now)
    }

    /// The document `umbel.call/1` as one line of strict JSON. A result that is too large to keep is `null`, which a warning says.
    pub fn to_line(&self, now: Now) -> String {
        let call = self.to_call(now);
        let mut document = CallDocument::new(&call, false, now)
            .kept(self.diagnosis.as_ref(), self.diagnosed().wall)
            .between(&self.origin.broker, self.origin.backend.clone())
            .profiled(self.origin.profile.as_deref());
        document.state = match self.listed() {
            CallState::Lost => CallState::Lost.to_string(),
            _ => document.state,
        };
        // While it was under way no time was over yet.
        if call.state().is_waiting() && call.trouble.is_none() && call.backend_lost.is_none() {
            document.error = None;
        }
        // Texts, numbers and lists always have a way to be written.
        serde_json::to_string(&document).unwrap_or_default()
    }

    /// The size of what it returned and the beginning as Python writes it, if it was not kept whole.
    pub fn cut_result(&self) -> Option<(usize, &str)> {
        let returned = matches!(self.state, CallState::Ok | CallState::LateOk);
        match &self.answer.as_ref().filter(|_| returned)?.value {
            Kept::Cut { bytes, beginning } => Some((*bytes, beginning)),
            Kept::Whole(_) => None,
        }
    }

    /// It returned, but what it returned cannot be read here.
    fn not_whole(&self) -> Option<Error> {
        let what = match self.cut_result()? {
            (_, WITHHELD) => format!("its result is {WITHHELD}"),
            (bytes, _) => {
                let size = human::bytes(bytes);
                format!("its result is {size}, larger than history keeps")
            }
        };
        let hint = format!("umbel result {} asks the result backend for it", self.id());
        Some(Error::new(Kind::BackendUnreachable, what).hint(hint))
    }

    fn result(&self, answer: &Answer) -> TaskResult {
        TaskResult {
            id: self.signature.id.clone(),
            state: answer.state.clone(),
            value: match &answer.value {
                Kept::Whole(value) => value.clone(),
                // What is left of it is no value.
                Kept::Cut { .. } => Json::Null,
            },
            exception: answer.exception.clone(),
            traceback: answer.traceback.clone(),
            done_at: answer.done_at,
            worker: answer.worker.clone(),
            pid: answer.pid,
            retries: answer.retries,
            size: answer.size,
            form: answer.form,
            opaque: answer.opaque.clone(),
        }
    }

    /// What was warned of, and what history itself does not have.
    fn all_warnings(&self) -> Vec<String> {
        let arguments = self.arguments_cut.map(|bytes| {
            format!(
                "the arguments are {}, larger than history keeps",
                human::bytes(bytes)
            )
        });
        let said = |warning: &String| !self.warnings.contains(warning);
        self.warnings
            .iter()
            .cloned()
            .chain(arguments.filter(said))
            .collect()
    }
}

/// Where a call of the past lies on this run's monotonic clock.
struct Frame {
    created: Moment,
}

impl Frame {
    fn new(record: &Record, now: Now) -> Self {
        let ago = now.wall.duration_since(record.times.created);
        let ago = Duration::try_from(ago).unwrap_or_default();
        // The wall clock may have been set back since; the call is still not younger than what is known of it.
        let ago = ago.max(record.known_at().after);
        Self {
            created: Moment(now.mono.0.saturating_sub(ago)),
        }
    }

    fn created(&self, record: &Record) -> Now {
        Now {
            wall: record.times.created,
            mono: self.created,
        }
    }

    fn at(&self, point: Point) -> Now {
        Now {
            wall: point.wall,
            mono: self.created.after(point.after),
        }
    }
}

impl fmt::Display for NotRepeatable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Masked(masked) => {
                let names: Vec<String> = masked.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "secrets are not kept in history; to be typed again: {}",
                    names.join(", ")
                )
            }
            Self::TooLarge(bytes) => write!(
                f,
                "the arguments were {}, larger than history keeps",
                human::bytes(*bytes)
            ),
        }
    }
}

impl From<NotRepeatable> for Error {
    fn from(reason: NotRepeatable) -> Self {
        Self::new(Kind::InvalidArguments, reason.to_string())
    }
}
