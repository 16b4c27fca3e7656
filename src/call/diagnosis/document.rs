//! A diagnosis in the document `umbel.call/1` (ux.md 3.4): spans in milliseconds, unknown is null.

use serde::Serialize;

use super::{Advice, Asked, Diagnosis, Place, Span, Verdict};
use crate::clock::Now;
use crate::protocol::NodeName;

/// `diagnosis` of `umbel.call/1`.
#[derive(Debug, Serialize)]
pub struct DiagnosisDocument<'a> {
    now: NowDocument<'a>,
    asked: Option<AskedDocument>,
    why: Vec<Why<'a>>,
    next: Vec<Next<'a>>,
}

#[derive(Debug, Serialize)]
struct NowDocument<'a> {
    state: String,
    worker: Option<&'a NodeName>,
    pid: Option<u64>,
    since_ms: Option<Span>,
    /// Whether it may be there for longer: it was found there, nobody told since when.
    or_longer: bool,
    acknowledged: Option<bool>,
    inferred: bool,
}

#[derive(Debug, Serialize)]
struct AskedDocument {
    replied: usize,
    of: usize,
    ago_ms: Span,
}

#[derive(Debug, Serialize)]
struct Why<'a> {
    #[serde(flatten)]
    verdict: &'a Verdict,
    inferred: bool,
    text: String,
}

#[derive(Debug, Serialize)]
struct Next<'a> {
    #[serde(flatten)]
    advice: &'a Advice,
    text: String,
}

impl<'a> DiagnosisDocument<'a> {
    /// The document of `diagnosis`, made at `now`.
    pub fn new(diagnosis: &'a Diagnosis, now: Now) -> Self {
        Self {
            now: place(&diagnosis.now, now),
            asked: diagnosis.asked.map(asked),
            why: diagnosis.why.iter().map(why).collect(),
            next: diagnosis.next.iter().map(next).collect(),
        }
    }
}

fn place(place: &Place, now: Now) -> NowDocument<'_> {
    let since = |at: Now| Span(now.mono.since(at.mono));
    NowDocument {
        state: place.name(),
        inferred: place.inferred,
        worker: place.worker.as_ref(),
        pid: place.pid,
        since_ms: place.since.map(since),
        or_longer: place.or_longer,
        acknowledged: place.acknowledged,
    }
}

fn asked(asked: Asked) -> AskedDocument {
    AskedDocument {
        replied: asked.replied,
        of: asked.of,
        ago_ms: Span(asked.ago),
    }
}

fn why(verdict: &Verdict) -> Why<'_> {
    Why {
        verdict,
        inferred: verdict.inferred(),
        text: verdict.line(),
    }
}

fn next(advice: &Advice) -> Next<'_> {
    Next {
        advice,
        text: advice.line(),
    }
}
