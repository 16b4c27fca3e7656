//! What the events of workers say of a call. They come in bundles, in any order and twice; only their logical clock orders them.

use std::sync::Arc;

use super::ending::Told;
use super::evidence::{Sighting, Step, Teller};
use super::{Call, Outcome, Repr, outcome};
use crate::clock::Now;
use crate::protocol::event::{TaskEvent, TaskEventKind};
use crate::protocol::result::{Exception, headline_from_traceback};
use crate::protocol::{Json, State, TaskResult};

impl Call {
    /// Takes in one event of a worker.
    pub(super) fn told(&mut self, event: TaskEvent, now: Now) {
        let TaskEvent {
            node,
            at: sent,
            clock,
            kind,
            ..
        } = event;
        let ends = |outcome, result: Option<TaskResult>| Told {
            at: now,
            outcome,
            node: node.clone(),
            sent,
            runtime: None,
            repr: None,
            result: result.map(Arc::new),
        };
        let step = match kind {
            TaskEventKind::Sent(_) => return,
            TaskEventKind::Received(announced) => Some(Step::Received(Some(announced.retries))),
            TaskEventKind::Started => Some(Step::Started(None)),
            TaskEventKind::Retried {
                exception,
                traceback,
            } => {
                let result = raised(self, State::Retry, &exception, traceback);
                self.ends
                    .retried(Arc::new(result), sent, clock, node.clone());
                Some(Step::Retried(None))
            }
            // It goes back to its queue, or is taken up by another worker.
            TaskEventKind::Rejected { requeue: true } | TaskEventKind::Cancelled => {
                Some(Step::Requeued)
            }
            TaskEventKind::Succeeded { result, runtime } => {
                self.ends.event(Told {
                    runtime,
                    repr: Some(Repr::new(result)),
                    ..ends(Outcome::Ok, None)
                });
                None
            }
            kind => {
                let result = self.failure(kind);
                self.ends.event(ends(outcome(&result), Some(result)));
                None
            }
        };
        self.told_of(now);
        if let Some(step) = step {
            self.evidence.add(Sighting {
                at: now,
                teller: Teller::Event { sent, clock },
                node: Some(node),
                pid: None,
                step,
            });
        }
    }

    /// The result that an event of a failure, a revocation or a rejection stands for.
    fn failure(&self, kind: TaskEventKind) -> TaskResult {
        match kind {
            TaskEventKind::Failed {
                exception,
                traceback,
            } => raised(self, State::Failure, &exception, traceback),
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
                result(self, State::Revoked, exception, None)
            }
            _ => {
                let why = "the worker threw its message away (requeue=False)";
                let exception = exception("Reject", Some(why.into()));
                result(self, State::Failure, exception, None)
            }
        }
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
        exception: Some(exception),
        traceback: traceback.filter(|text| !text.is_empty()),
        ..TaskResult::new(call.id().clone(), state, Json::Null)
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
