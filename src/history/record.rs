//! One call as history keeps it: all that is needed to show it, to repeat it exactly and to pick it up again. Pure.
//!
//! `record/take.rs` makes records of calls, `record/withhold.rs` those of calls whose secrets are not known, `record/give.rs` calls and signatures of records, `record/join.rs` one of two, `record/codec.rs` writes and reads them.

pub(super) mod codec;
mod fields;
mod give;
mod join;
mod lighten;
mod take;
#[cfg(test)]
pub(super) mod tests;
mod withhold;

use std::fmt;
use std::time::Duration;

use super::Path;
use crate::call::{CallState, First, Look, Repr, Source};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::protocol::payload::{Form, Opaque};
use crate::protocol::result::Exception;
use crate::protocol::{Json, NodeName, QueueName, Signature, State, TaskId, TaskName};

pub use codec::Unreadable;
pub use give::NotRepeatable;
pub use take::{Known, Scribe};
pub use withhold::WITHHELD;

/// Bytes of a value that are kept whole; of a larger one the size and the beginning are kept.
pub const LARGEST_VALUE: usize = 4 << 20;

/// Where a call came from and where it went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Which face made it.
    pub face: Face,
    /// The broker for people, without user and password: `amqp://localhost:5672/`.
    pub broker: String,
    /// The result backend for people, password masked, where one is known.
    pub backend: Option<String>,
    /// The profile, once there are profiles.
    pub profile: Option<String>,
}

/// Who made a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::Display, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Face {
    /// A person at the screen.
    #[default]
    Screen,
    /// The command line.
    CommandLine,
}

/// A moment of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Wall clock.
    pub wall: Timestamp,
    /// Since the call was made, on the monotonic clock: what durations are counted with.
    pub after: Duration,
}

/// When things happened; `None` is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// The call was made.
    pub created: Timestamp,
    /// Its message was handed to the broker.
    pub published: Option<Point>,
    /// The broker confirmed it, or was lost before it could.
    pub confirmed: Option<Point>,
    /// A worker had received it by then.
    pub held: Option<Point>,
    /// A worker told that it received it then.
    pub received: Option<Point>,
    /// A worker was seen to run it for the first time.
    pub started: Option<Point>,
    /// A worker was seen to run it for the last time.
    pub last_started: Option<Point>,
    /// How long its last run took, by its worker's clock.
    pub runtime: Option<Duration>,
    /// Whether `started` is told by a worker's clock.
    pub told_start: bool,
    /// Whether `last_started` is.
    pub told_last_start: bool,
    /// Its end was heard.
    pub done: Option<Point>,
    /// Whether `done` is told by a worker's clock.
    pub told_done: bool,
    /// A worker or the backend told of it last.
    pub told: Option<Point>,
    /// This record was made.
    pub recorded: Point,
}

impl Point {
    /// The later one.
    fn max(self, other: Self) -> Self {
        if other.after > self.after {
            other
        } else {
            self
        }
    }
}

/// Whether the caller waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// When the record was made, the caller waited, or the end had come in time.
    Yes,
    /// The deadline passed.
    TimedOut(Point),
    /// The user stopped waiting.
    Detached(Point),
}

/// A value that is kept, whole or its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Exactly as it was.
    Whole(Json),
    /// It is larger than [`LARGEST_VALUE`].
    Cut {
        /// Its size in bytes, about.
        bytes: usize,
        /// Its beginning as Python writes it.
        beginning: String,
    },
}

/// The last state that a result backend told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The state.
    pub state: State,
    /// Return value, or what else the state carries.
    pub value: Kept,
    /// The exception of RETRY, FAILURE and REVOKED.
    pub exception: Option<Exception>,
    /// Python's traceback; a very long one without its middle, which is said in it.
    pub traceback: Option<String>,
    /// When it ended, as the worker says.
    pub done_at: Option<Timestamp>,
    /// Worker, as the result says.
    pub worker: Option<NodeName>,
    /// Process, as the result says.
    pub pid: Option<u64>,
    /// Retries, as the result says.
    pub retries: Option<u64>,
    /// Size of the stored document in bytes.
    pub size: usize,
    /// What it was written in.
    pub form: Form,
    /// What it does, if it is pickled; its outline is the value.
    pub opaque: Option<Opaque>,
}

/// Where in a call's arguments a secret was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Masked {
    /// In which argument.
    pub place: Place,
    /// Where inside of it; empty: all of it.
    pub path: Path,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Positional, from 0.
    Positional(usize),
    /// Keyword.
    Keyword(String),
    /// One of the caller's own headers.
    Header(String),
}

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What was called, secrets masked; without arguments if they were too large to keep.
    pub signature: Signature,
    /// The secrets that were masked, and have to be typed again.
    pub masked: Vec<Masked>,
    /// Size of the arguments in bytes if they were too large to keep.
    pub arguments_cut: Option<usize>,
    /// From where to where.
    pub origin: Origin,
    /// The queue it was published to.
    pub queue: Option<QueueName>,
    /// How long the caller meant to wait, from the confirm.
    pub timeout: Duration,
    /// What happened when.
    pub times: Times,
    /// Its state in one word.
    pub state: CallState,
    /// Where the task was as far as known: SENT, RECV, RUN or RETRY; `None` once it ended or if it was never sent.
    pub whereabouts: Option<CallState>,
    /// Whether the message was queued; `None`: unknown.
    pub sent: Option<bool>,
    /// Whether the end came after the timeout.
    pub late: bool,
    /// Whether the caller waited.
    pub waited: Waited,
    /// Worker that has or had it.
    pub worker: Option<NodeName>,
    /// Process that runs or ran it.
    pub pid: Option<u64>,
    /// Who had it first.
    pub first: First,
    /// Where and when one attempt was seen to start that had been seen to start before.
    pub twice: Option<(NodeName, Point)>,
    /// Whether the worker acknowledged the message, when told.
    pub acknowledged: Option<bool>,
    /// Retries so far, when known.
    pub retries: Option<u64>,
    /// The application's own state and its meta.
    pub custom: Option<(String, Json)>,
    /// What the result backend told last.
    pub answer: Option<Answer>,
    /// Where its end was heard.
    pub source: Option<Source>,
    /// What it returned, as a worker's event tells it.
    pub repr: Option<Repr>,
    /// The exception in one line.
    pub headline: Option<String>,
    /// Why it was not sent, or may not have been, or why its result cannot be read.
    pub trouble: Option<Error>,
    /// Why results could not come.
    pub backend_lost: Option<String>,
    /// What was said before it was sent.
    pub warnings: Vec<String>,
    /// What the last look at where it was came to.
    pub looked: Option<Look<Point>>,
    /// What the diagnosis found, as the documents have it.
    pub diagnosis: Option<Json>,
}

impl Times {
    /// Time it waited before a worker started it.
    pub fn queued(&self) -> Option<Duration> {
        between(self.published, self.started)
    }

    /// Time its last run took: as its worker tells it, else as seen from here.
    pub fn ran(&self) -> Option<Duration> {
        self.runtime
            .or_else(|| between(self.last_started, self.done))
    }

    /// When anything was heard of it last: of the broker that has it, of a worker, of the result backend. `None`: nothing was.
    pub fn heard(&self) -> Option<Point> {
        let heard = [
            self.confirmed,
            self.received,
            self.started,
            self.last_started,
            self.told,
            self.done,
        ];
        heard.into_iter().flatten().reduce(Point::max)
    }

    /// When the last of it was news to anybody: it was heard of, or whoever waited gave up.
    fn news(&self, waited: Waited) -> Option<Point> {
        let given_up = match waited {
            Waited::Yes => None,
            Waited::TimedOut(at) | Waited::Detached(at) => Some(at),
        };
        let known = [self.published, self.held, self.heard(), given_up];
        known.into_iter().flatten().reduce(Point::max)
    }

    /// Time from publishing to its end.
    pub fn total(&self) -> Option<Duration> {
        between(self.published, self.done)
    }
}

fn between(from: Option<Point>, to: Option<Point>) -> Option<Duration> {
    Some(to?.after.saturating_sub(from?.after))
}

/// What tells a call from every other: an id may be used again. The time is in whole microseconds, as histories count it.
pub type Key = (TaskId, Timestamp);

/// The key of the call of this id that was made at this time.
pub fn key(id: &TaskId, created: Timestamp) -> Key {
    let whole = Timestamp::from_microsecond(created.as_microsecond());
    (id.clone(), whole.unwrap_or(created))
}

impl Record {
    /// What tells it from every other call.
    pub fn key(&self) -> Key {
        key(self.id(), self.times.created)
    }

    /// The call's id.
    pub fn id(&self) -> &TaskId {
        &self.signature.id
    }

    /// The task that was called.
    pub fn task(&self) -> &TaskName {
        &self.signature.task
    }

    /// Whether an answer may still come.
    pub fn is_open(&self) -> bool {
        self.sent != Some(false) && !self.state.is_final()
    }

    /// Its state in lists: its own, or LOST? where the last look concluded that and nothing was told since.
    pub fn listed(&self) -> CallState {
        let told = self.times.told.map(|told| told.after);
        let lost =
            |look: &Look<Point>| look.is_lost() && told.is_none_or(|told| told <= look.at.after);
        let open = self.whereabouts.is_some();
        match self.looked.as_ref().filter(|_| open) {
            Some(look) if lost(look) => CallState::Lost,
            _ => self.state,
        }
    }

    /// When the last of it was known: it was written down, or looked for.
    fn known_at(&self) -> Point {
        let recorded = self.times.recorded;
        self.looked.map_or(recorded, |look| look.at.max(recorded))
    }

    /// Time from publishing to the end; of a call that was given up, how long it was waited for.
    pub fn took(&self) -> Option<Duration> {
        let given_up = match self.waited {
            Waited::Yes => None,
            Waited::TimedOut(at) | Waited::Detached(at) => Some(at),
        };
        // NO RESULT and UNSENT ended for us, not for the task.
        let known = self.source.is_some();
        let total = self.times.total().filter(|_| known);
        total.or_else(|| between(self.times.published, given_up))
    }

    /// Which of two records of one call knows more: grows with every stage of the call, and within one stage with time.
    /// Something that is withheld takes the place of nothing that is told whole.
    /// All that is told of one call goes this way, whichever process hears it. A look is not told: whoever looks has an old record in
    /// his hand.
    pub fn revision(&self) -> i64 {
        let moment = self.times.created.checked_add(self.times.recorded.after);
        let moment = moment.unwrap_or(Timestamp::MAX).as_microsecond();
        // Of one stage he knows more who was told the secrets. The others keep the numbers that earlier umbels wrote.
        let withheld = i64::from(self.is_withheld()) << (STAGE_BITS - 1);
        (self.stage() << STAGE_BITS) - withheld + moment.clamp(0, (1 << (STAGE_BITS - 1)) - 1)
    }

    fn stage(&self) -> i64 {
        match self.whereabouts {
            Some(CallState::Recv) => 3,
            Some(CallState::Run | CallState::Retry) => 4,
            Some(CallState::Sent) => 2,
            Some(_) => 1,
            None => match self.state {
                CallState::Draft => 0,
                CallState::Unsent | CallState::NoResult => 5,
                _ => 6,
            },
        }
    }

    /// The call in Python's words, `refund(order_id=42)`, in at most `limit` characters.
    pub fn title(&self, limit: usize) -> String {
        let Signature {
            task, args, kwargs, ..
        } = &self.signature;
        let name = task.as_str().rsplit('.').next().unwrap_or_default();
        match self.arguments_cut {
            Some(bytes) => format!("{name}({} not kept)", crate::text::human::bytes(bytes)),
            None => crate::protocol::python::call_within(name, args, kwargs, limit),
        }
    }

    /// How it ended in one line of at most `limit` characters: the result as Python writes it, the exception, or the trouble.
    pub fn brief(&self, limit: usize) -> String {
        use crate::protocol::python;
        let returned = matches!(self.state, CallState::Ok | CallState::LateOk);
        if let Some(repr) = &self.repr {
            return python::shorten(&repr.text, limit);
        }
        match (&self.headline, &self.answer, &self.trouble) {
            (_, Some(answer), _) if returned => match &answer.value {
                Kept::Whole(value) => python::repr_within(value, limit),
                Kept::Cut { beginning, .. } => python::shorten(beginning, limit),
            },
            (Some(headline), ..) => python::shorten(headline, limit),
            (.., Some(trouble)) => python::shorten(&trouble.message, limit),
            _ => String::new(),
        }
    }
}

/// Microseconds of any year that people call in fit into half of what so many bits hold.
const STAGE_BITS: u32 = 56;

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Positional(index) => write!(f, "args[{index}]")?,
            Place::Keyword(name) => f.write_str(name)?,
            Place::Header(name) => write!(f, "header {name}")?,
        }
        self.path.fmt(f)
    }
}
