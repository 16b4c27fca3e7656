//! What may have it without a word: who heard the question and did not answer, and what was taken and never acknowledged.

use super::SETTLE;
use crate::broker::Held;
use crate::call::diagnosis::{Case, Verdict};

/// Somebody who could have it was asked and has never answered.
pub(super) fn unheard(case: &Case<'_>) -> Option<Verdict> {
    let asked = case.call.inquiry.asked?;
    let settled = case.now.mono.since(asked.mono) >= SETTLE;
    let count = case.unheard_readers();
    if !settled || count == 0 || !case.only_sent() {
        return None;
    }
    let queue = case.call.queue.clone()?;
    Some(if case.counts_no_consumers() {
        Verdict::WorkerUnheard { workers: count }
    } else {
        Verdict::ReaderUnheard {
            queue,
            readers: count,
        }
    })
}

/// Not in its queue, in no list, and a Redis keeps messages that nobody acknowledged: a worker that died may have had it. A broker
/// that notices the death of a consumer gives them out again at once.
pub(super) fn taken(case: &Case<'_>) -> Vec<Verdict> {
    let Some(asked) = case.call.inquiry.asked else {
        return Vec::new();
    };
    let fresh = case.fresh_queue();
    let Some(queue) = fresh.filter(|it| it.looked_at() >= Some(asked.mono)) else {
        return Vec::new();
    };
    let (taken, of_all_queues) = match queue.held {
        Held::Queue(taken) => (taken, false),
        Held::AllQueues(taken) => (taken, true),
        Held::Unknown => (0, false),
    };
    let unseen = case.only_sent()
        && case.broker_up()
        && case.counts_no_consumers()
        && queue.ready == Some(0)
        && case.everybody_denies();
    (unseen && taken > 0)
        .then(|| Verdict::TakenUnseen {
            queue: queue.name.clone(),
            taken,
            of_all_queues,
        })
        .into_iter()
        .collect()
}
