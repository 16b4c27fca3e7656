//! Records of calls: secrets masked, sizes bounded. Pure.

use std::borrow::Cow;

use super::{Answer, Kept, LARGEST_VALUE, Masked, Origin, Point, Record, Times, Waited};
use crate::call::{Call, Repr, Waiting};
use crate::clock::Now;
use crate::error::Error;
use crate::history::secrets::{Needles, Secrets};
use crate::protocol::{Json, Signature, TaskResult, python};

/// Bytes of a traceback that are kept from its beginning and from its end.
const TRACEBACK: (usize, usize) = (64 << 10, 192 << 10);

/// Bytes of the meta of a custom state.
pub(super) const META: usize = 64 << 10;

/// Characters of what stands for a value that is too large.
const BEGINNING: usize = 2_000;

/// Characters of an exception's headline, and of one text of trouble.
const HEADLINE: usize = 4_000;

/// Warnings that are kept.
const WARNINGS: usize = 50;

/// Who writes the records of this run: from where to where its calls go, and what is secret in them.
#[derive(Clone, Debug, Default)]
pub struct Scribe {
    /// From where to where.
    pub origin: Origin,
    /// What is never written down.
    pub secrets: Secrets,
}

impl Scribe {
    /// As it writes a call that repeats one of which these places were masked.
    pub fn of_places(&self, masked: &[Masked]) -> Cow<'_, Self> {
        if masked.is_empty() {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Self {
            origin: self.origin.clone(),
            secrets: self.secrets.of_places(masked),
        })
    }
}

/// What is known of a call besides the call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// Names of the task's positional parameters, so that a secret is known among positional arguments too.
    pub parameters: &'a [String],
    /// What the diagnosis found, as the documents have it.
    pub diagnosis: Option<&'a Json>,
}

impl Record {
    /// What is kept of `call` as it is at `now`. Secrets are hidden before anything is shortened: of one that lies on a cut nothing stays.
    pub fn of(call: &Call, scribe: &Scribe, known: Known<'_>, now: Now) -> Self {
        let Taken {
            signature,
            masked,
            arguments_cut,
            needles,
        } = Taken::of(&call.signature, &scribe.secrets, known.parameters);
        let point = |at: Now| Point {
            wall: at.wall,
            after: at.mono.since(call.timeline.created.mono),
        };
        let short = |text: &str| python::shorten(&needles.hide(text), HEADLINE);
        Self {
            signature,
            masked,
            arguments_cut,
            origin: scribe.origin.clone(),
            queue: call.queue.clone(),
            timeout: call.timeout,
            times: times(call, now, point),
            state: call.state(),
            whereabouts: call.whereabouts(),
            sent: call.sent(),
            late: call.late(),
            waited: match call.waiting {
                Waiting::Yes => Waited::Yes,
                Waiting::TimedOut(at) => Waited::TimedOut(point(at)),
                Waiting::Detached(at) => Waited::Detached(point(at)),
            },
            worker: call.worker.clone(),
            pid: call.pid,
            first: call.first.clone(),
            twice: call
                .twice
                .as_ref()
                .map(|(worker, at)| (worker.clone(), point(*at))),
            acknowledged: call.acknowledged,
            retries: call.retries,
            custom: call
                .custom
                .as_ref()
                .map(|(word, meta)| (word.clone(), small(&needles.hidden(meta), META))),
            answer: call.result.as_deref().map(|it| answer(it, &needles)),
            source: call.source,
            repr: call.repr.as_ref().map(|it| Repr::new(short(&it.text))),
            headline: call.headline().map(|line| short(&line)),
            trouble: call.trouble.as_ref().map(|error| Error {
                message: short(&error.message),
                hint: error.hint.as_ref().map(|hint| needles.hide(hint)),
                kind: error.kind,
            }),
            backend_lost: call.backend_lost.as_ref().map(|why| needles.hide(why)),
            warnings: call
                .warnings
                .iter()
                .take(WARNINGS)
                .map(|warning| needles.hide(warning))
                .collect(),
            looked: call.looked.map(|look| look.timed(point)),
            diagnosis: known.diagnosis.map(|it| small(&needles.hidden(it), META)),
        }
    }
}

/// What was called, without its secrets, and what to look for in what came of it.
struct Taken {
    signature: Signature,
    masked: Vec<Masked>,
    arguments_cut: Option<usize>,
    needles: Needles,
}

impl Taken {
    fn of(whole: &Signature, secrets: &Secrets, parameters: &[String]) -> Self {
        let (mut signature, arguments_cut) = arguments(whole);
        let (masked, mut needles) = secrets.mask(&mut signature, parameters);
        if arguments_cut.is_some() {
            // Those among arguments that are not kept.
            needles = secrets.mask(&mut whole.clone(), parameters).1;
        }
        Self {
            signature,
            masked,
            arguments_cut,
            needles,
        }
    }
}

/// The signature, and the size of its arguments if they are left out.
fn arguments(signature: &Signature) -> (Signature, Option<usize>) {
    let lists = signature.args.iter();
    let entries = signature.kwargs.iter();
    let bytes = lists.map(weight).sum::<usize>()
        + entries
            .map(|(key, value)| key.len() + weight(value))
            .sum::<usize>();
    if bytes <= LARGEST_VALUE {
        return (signature.clone(), None);
    }
    let bare = Signature {
        task: signature.task.clone(),
        id: signature.id.clone(),
        args: Vec::new(),
        kwargs: Vec::new(),
        options: signature.options.clone(),
    };
    (bare, Some(bytes))
}

fn times(call: &Call, now: Now, point: impl Fn(Now) -> Point + Copy) -> Times {
    let timeline = &call.timeline;
    Times {
        created: timeline.created.wall,
        published: timeline.published.map(point),
        confirmed: timeline.confirmed.map(point),
        held: timeline.held.map(point),
        received: timeline.received.map(point),
        started: timeline.started.map(point),
        last_started: timeline.last_started.map(point),
        runtime: timeline.runtime,
        told_start: timeline.told,
        told_last_start: timeline.last_told,
        done: timeline.done.map(point),
        told_done: timeline.done_told,
        told: call.told_at.map(point),
        recorded: point(now),
    }
}

fn answer(result: &TaskResult, needles: &Needles) -> Answer {
    let value = kept(&needles.hidden(&result.value));
    let mut exception = result.exception.clone();
    if let Some(exception) = &mut exception {
        if matches!(value, Kept::Cut { .. }) {
            exception.args = Vec::new();
        }
        for argument in &mut exception.args {
            needles.hide_value(argument);
        }
    }
    let traceback = result.traceback.as_deref();
    let mut opaque = result.opaque.clone();
    for line in opaque.iter_mut().flat_map(|opaque| &mut opaque.lines) {
        *line = needles.hide(line);
    }
    Answer {
        state: result.state.clone(),
        value,
        exception,
        traceback: traceback.map(|text| without_middle(&needles.hide(text), TRACEBACK)),
        done_at: result.done_at,
        worker: result.worker.clone(),
        pid: result.pid,
        retries: result.retries,
        size: result.size,
        form: result.form,
        opaque,
    }
}

fn kept(value: &Json) -> Kept {
    match weight(value) {
        bytes if bytes <= LARGEST_VALUE => Kept::Whole(value.clone()),
        bytes => Kept::Cut {
            bytes,
            beginning: python::repr_within(value, BEGINNING),
        },
    }
}

pub(super) fn small(value: &Json, most: usize) -> Json {
    if weight(value) <= most {
        value.clone()
    } else {
        Json::Text(python::repr_within(value, BEGINNING))
    }
}

/// About the bytes of a value as JSON, without writing it.
pub(super) fn weight(value: &Json) -> usize {
    match value {
        Json::Null | Json::Bool(_) => 5,
        Json::Number(text) => text.len(),
        Json::Text(text) => text.len() + 2,
        Json::List(items) => 2 + items.iter().map(|item| 1 + weight(item)).sum::<usize>(),
        Json::Object(entries) => {
            let entry = |(key, value): &(String, Json)| key.len() + 4 + weight(value);
            2 + entries.iter().map(entry).sum::<usize>()
        }
    }
}

/// A traceback tells most at its end and where it began.
pub(super) fn without_middle(text: &str, (head, tail): (usize, usize)) -> String {
    if text.len() <= head + tail {
        return text.to_owned();
    }
    let head = &text[..text.floor_char_boundary(head)];
    let tail = &text[text.ceil_char_boundary(text.len() - tail)..];
    let left_out = text.len() - head.len() - tail.len();
    format!("{head}\n  ... {left_out} bytes are not kept ...\n{tail}")
}
