//! What is written of a call by a process that was not told its secrets: it cannot look for them in what came, so it keeps nothing that
//! may quote one. Pure.

use super::{Kept, Known, Record, Scribe};
use crate::call::{Call, Repr};
use crate::clock::Now;
use crate::protocol::Json;

/// What stands where something is not kept.
pub const WITHHELD: &str = "not kept: it may quote a secret";

impl Record {
    /// What is kept of `call`, which another process made and wrote down as `earlier`. That one knew some things better: where the call
    /// came from, and its secrets. If it masked any, only state and times are news. It is as old as the last that was heard of the call,
    /// for that other process may live, and have written down more since `earlier` was read.
    pub fn after(earlier: &Self, call: &Call, scribe: &Scribe, now: Now) -> Self {
        let mut record = Self {
            origin: earlier.origin.clone(),
            masked: earlier.masked.clone(),
            arguments_cut: earlier.arguments_cut,
            ..Self::of(call, scribe, Known::default(), now)
        };
        let news = record.times.news(record.waited);
        let earliest = earlier.times.recorded;
        record.times.recorded = news.map_or(earliest, |news| news.max(earliest));
        // What an earlier look found is not why of a later one.
        if record.looked == earlier.looked {
            record.diagnosis.clone_from(&earlier.diagnosis);
        }
        if !record.masked.is_empty() {
            record.withhold(earlier);
        }
        record
    }

    /// Leaves out what may quote a secret, unless the process that knew them all has written it.
    fn withhold(&mut self, earlier: &Self) {
        let withheld = || Json::from(WITHHELD);
        if self.custom != earlier.custom
            && let Some((_, meta)) = &mut self.custom
        {
            *meta = withheld();
        }
        if self.answer != earlier.answer
            && let Some(answer) = &mut self.answer
        {
            // As of one that was too large: the backend has it still.
            if !matches!(answer.value, Kept::Whole(Json::Null | Json::Bool(_))) {
                answer.value = Kept::Cut {
                    bytes: answer.size,
                    beginning: WITHHELD.to_owned(),
                };
            }
            if let Some(exception) = &mut answer.exception {
                exception.args = vec![withheld()];
            }
            hide(&mut answer.traceback);
            if let Some(opaque) = &mut answer.opaque {
                opaque.lines = vec![WITHHELD.to_owned()];
            }
        }
        if self.repr.is_some() && self.repr != earlier.repr {
            self.repr = Some(Repr::new(WITHHELD.to_owned()));
        }
        if self.headline != earlier.headline && self.headline.is_some() {
            let exception = self.answer.as_ref().and_then(|it| it.exception.as_ref());
            let kind = exception.map_or(String::new(), |it| format!("{}: ", it.kind));
            self.headline = Some(format!("{kind}{WITHHELD}"));
        }
        if self.trouble != earlier.trouble
            && let Some(trouble) = &mut self.trouble
        {
            WITHHELD.clone_into(&mut trouble.message);
        }
    }

    /// Whether something of it is not kept because it may quote a secret.
    pub(super) fn is_withheld(&self) -> bool {
        let stands_in = |value: &Json| value.as_str() == Some(WITHHELD);
        let answer = self.answer.as_ref().is_some_and(|answer| {
            let value = match &answer.value {
                Kept::Whole(_) => false,
                Kept::Cut { beginning, .. } => beginning == WITHHELD,
            };
            let exception = answer.exception.as_ref();
            value
                || exception.is_some_and(|exception| exception.args.iter().any(stands_in))
                || answer.traceback.as_deref() == Some(WITHHELD)
        });
        answer
            || self
                .custom
                .as_ref()
                .is_some_and(|(_, meta)| stands_in(meta))
            || self.repr.as_ref().is_some_and(|repr| repr.text == WITHHELD)
            || self
                .trouble
                .as_ref()
                .is_some_and(|it| it.message == WITHHELD)
    }
}

fn hide(text: &mut Option<String>) {
    if let Some(text) = text {
        WITHHELD.clone_into(text);
    }
}
