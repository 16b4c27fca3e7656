//! What the events of workers say of a call. They come in bundles, in any order and twice; only their logical clock orders them.

use super::{Call, Outcome, Phase, Repr, Source, outcome};
use crate::clock::Now;
use crate::protocol::event::{TaskEvent, TaskEventKind};
use crate::protocol::payload::Form;
use crate::protocol::result::{Exception, headline_from_traceback};
use crate::protocol::{Json, State, TaskResult};

impl Call {
    /// Merges one event of a worker.
    pub(super) fn told(&mut self, event: TaskEvent, now: Now) {
        if matches!(event.kind, TaskEventKind::Sent(_)) {
            return;
        }
        // An old event still tells times; where the task is, a newer one said.
        let old = event.clock != 0 && event.clock < self.event_clock;
        self.event_clock = self.event_clock.max(event.clock);
        let unix = event.at.map(|at| at.as_millisecond() as f64 / 1000.0);
        let at = self.timeline.clamp_remote(unix, now);
        if self.outcome.is_some() {
            return;
        }
        self.told_at = Some(now);
        if !old {
            self.worker = Some(event.node);
        }
        match event.kind {
            TaskEventKind::Succeeded { result, .. } => {
                self.repr = Some(Repr::new(result));
                self.result = None;
                self.ends_by_event(Outcome::Ok, now);
            }
            TaskEventKind::Failed {
                exception,
                traceback,
            } => {
                let result = raised(self, State::Failure, &exception, traceback);
                self.fails_by_event(result, now);
            }
            TaskEventKind::Revoked {
                terminated,
                expired,
                ..
            } => {
                let why = match (expired, terminated) {
                    (true, _) => "expired",
                    (_, true) => "terminated",
                    _ => "revoked",
                };
                let exception = exception("TaskRevokedError", Some(why.into()));
                let result = result(self, State::Revoked, exception, None);
                self.fails_by_event(result, now);
            }
            TaskEventKind::Rejected { requeue: false } => {
                let why = "the worker threw its message away (requeue=False)";
                let exception = exception("Reject", Some(why.into()));
                let result = result(self, State::Failure, exception, None);
                self.fails_by_event(result, now);
            }
            kind => self.moves(kind, at, old),
        }
    }

    /// Events that end nothing.
    fn moves(&mut self, kind: TaskEventKind, at: Now, old: bool) {
        match kind {
            TaskEventKind::Received(announced) => {
                self.timeline.received.get_or_insert(at);
                self.retries = self.retries.max(Some(announced.retries));
                if !old && self.phase < Phase::Recv {
                    self.phase = Phase::Recv;
                }
            }
            TaskEventKind::Started => {
                let started = *self.timeline.started.get_or_insert(at);
                self.timeline.received.get_or_insert(started);
                if !old {
                    self.phase = Phase::Run;
                }
            }
            TaskEventKind::Retried {
                exception,
                traceback,
            } if !old => {
                self.result = Some(raised(self, State::Retry, &exception, traceback));
                self.phase = Phase::Retry;
            }
            // It goes back to its queue, or is taken up by another worker.
            TaskEventKind::Rejected { .. } | TaskEventKind::Cancelled if !old => {
                self.phase = Phase::Sent;
                self.worker = None;
                self.pid = None;
            }
            _ => {}
        }
    }

    fn fails_by_event(&mut self, result: TaskResult, now: Now) {
        let outcome = outcome(&result);
        self.result = Some(result);
        self.ends_by_event(outcome, now);
    }

    fn ends_by_event(&mut self, outcome: Outcome, now: Now) {
        self.source = Some(Source::Event);
        self.custom = None;
        self.end(outcome, now);
    }
}

fn raised(call: &Call, state: State, repr: &str, traceback: Option<String>) -> TaskResult {
    let exception = described(repr, traceback.as_deref());
    result(call, state, exception, traceback)
}

/// A result that holds nothing but what an event tells.
fn result(
    call: &Call,
    state: State,
    exception: Exception,
    traceback: Option<String>,
) -> TaskResult {
    TaskResult {
        id: call.id().clone(),
        state,
        value: Json::Null,
        exception: Some(exception),
        traceback: traceback.filter(|text| !text.is_empty()),
        done_at: None,
        worker: None,
        pid: None,
        retries: None,
        size: 0,
        form: Form::Json,
        opaque: None,
    }
}

fn exception(kind: &str, argument: Option<Json>) -> Exception {
    Exception {
        kind: kind.to_owned(),
        module: None,
        args: argument.into_iter().collect(),
    }
}

/// The exception of a Python repr such as `OutOfStock('no stock', 3)`. Its words are those of the traceback where there is one; else what
/// stands in the brackets, as it is written there.
fn described(repr: &str, traceback: Option<&str>) -> Exception {
    let (kind, rest) = match repr.split_once('(') {
        Some((kind, rest)) if is_name(kind) => (kind, rest.strip_suffix(')').unwrap_or(rest)),
        _ => ("Exception", repr),
    };
    let words = rest.trim_end_matches(',');
    let words = quoted(words).unwrap_or(words);
    // Without arguments the traceback's last line is the headline.
    let from_traceback = traceback.and_then(headline_from_traceback).is_some();
    let told = (!from_traceback && !words.is_empty()).then(|| words.into());
    exception(kind, told)
}

/// The text of one plain Python string, where that is all there is.
fn quoted(text: &str) -> Option<&str> {
    let inner = text
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''))?;
    (!inner.contains(['\'', '\\'])).then_some(inner)
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_')
        && chars.all(|char| char.is_alphanumeric() || matches!(char, '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "NotRegistered('shop.tasks.nope')",
        None,
        "NotRegistered: shop.tasks.nope"
    )]
    #[case("OutOfStock('no stock', 3)", None, "OutOfStock: 'no stock', 3")]
    #[case("TimeLimitExceeded(1,)", None, "TimeLimitExceeded: 1")]
    #[case("Ignore()", None, "Ignore")]
    #[case("<odd thing>", None, "Exception: <odd thing>")]
    #[case("", None, "Exception")]
    fn an_exception_is_told_in_the_words_of_its_repr(
        #[case] repr: &str,
        #[case] traceback: Option<&str>,
        #[case] headline: &str,
    ) {
        assert_eq!(described(repr, traceback).headline(), headline);
    }

    #[test]
    fn where_there_is_a_traceback_its_last_line_has_the_words() {
        let traceback = "Traceback (most recent call last):\n  File \"a\", line 1, in f\nshop.errors.OutOfStock: no stock\n";
        let exception = described("OutOfStock('no stock')", Some(traceback));
        assert_eq!(
            (exception.kind.as_str(), exception.args.len()),
            ("OutOfStock", 0)
        );
    }
}
