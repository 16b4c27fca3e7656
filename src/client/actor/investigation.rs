//! Asking where a call is that looks stuck: all at once, bounded, and seldom. It asks when a face says so and tells what was answered;
//! what that means is decided in [`crate::call::diagnosis`].

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::{Actor, Done};
use crate::call::Fact;
use crate::call::diagnosis::Looked;
use crate::client::replies::Found;
use crate::clock::{Moment, Now};
use crate::cluster::RATE_LIMIT;
use crate::protocol::control::Method;
use crate::protocol::{NodeName, QueueName, TaskId};

/// Rounds follow each other no sooner, however many calls are asked about.
const EVERY: Duration = Duration::from_millis(500);
/// Calls in one round, and at most so many answers to tell.
const MOST: usize = 50;
const ANSWERS: usize = 2_000;
/// Calls that may wait for a round.
const WAITING: usize = 1_000;
/// What tasks are like is asked again after this time.
const ITEMS_EVERY: Duration = Duration::from_mins(1);
/// How long after its last round answers about a call are still told one by one.
const REMEMBERED: Duration = Duration::from_mins(1);
/// What of the tasks a diagnosis rests on.
const ITEMS: [&str; 3] = [RATE_LIMIT, "acks_late", "max_retries"];

/// Calls that are asked about.
#[derive(Debug, Default)]
pub(super) struct Investigation {
    waiting: Vec<(TaskId, Option<QueueName>)>,
    about: HashMap<TaskId, Moment>,
    /// Calls by their queue, at which nobody has looked since their round. As many of each queue as of a round at most: they are asked
    /// about together.
    unlooked: HashMap<QueueName, Vec<(TaskId, Moment)>>,
    last: Option<Moment>,
    items: Option<Moment>,
}

/// What a look at a queue is to the calls that wait for one.
#[derive(Debug, Default, PartialEq)]
struct Look {
    /// It is the one that was waited for, for these.
    at: Vec<TaskId>,
    /// It began before the round of others: it tells nothing of them.
    too_early: bool,
}

impl Investigation {
    /// When the next round is due.
    pub(super) fn due(&self) -> Option<Moment> {
        let next = self
            .last
            .map_or_else(Moment::default, |last| last.after(EVERY));
        (!self.waiting.is_empty()).then_some(next)
    }

    /// Whether answers about this call are awaited.
    pub(super) fn is_about(&self, id: &TaskId) -> bool {
        self.about.contains_key(id)
    }

    fn push(&mut self, id: TaskId, queue: Option<QueueName>) {
        let known = self.waiting.iter().any(|(waiting, _)| *waiting == id);
        if !known && self.waiting.len() < WAITING {
            self.waiting.push((id, queue));
        }
    }

    /// The calls of the next round.
    fn take(&mut self, workers: usize, now: Moment) -> Vec<(TaskId, Option<QueueName>)> {
        self.last = Some(now);
        self.about.retain(|_, at| now.since(*at) < REMEMBERED);
        let most = (ANSWERS / workers.max(1)).clamp(1, MOST);
        let round: Vec<_> = self.waiting.drain(..most.min(self.waiting.len())).collect();
        self.about
            .extend(round.iter().map(|(id, _)| (id.clone(), now)));
        self.unlooked.retain(|_, calls| {
            calls.retain(|(_, at)| now.since(*at) < REMEMBERED);
            !calls.is_empty()
        });
        for (id, queue) in &round {
            if let Some(queue) = queue {
                let calls = self.unlooked.entry(queue.clone()).or_default();
                // Whoever is asked about again waits still for the look of the first time, however long it takes.
                if calls.len() < most && calls.iter().all(|(known, _)| known != id) {
                    calls.push((id.clone(), now));
                }
            }
        }
        round
    }

    /// A look at a queue that began then is over.
    fn looked(&mut self, queue: &QueueName, began: Moment) -> Look {
        let Some(calls) = self.unlooked.remove(queue) else {
            return Look::default();
        };
        let (at, later): (Vec<_>, Vec<_>) = calls.into_iter().partition(|(_, at)| began >= *at);
        let too_early = !later.is_empty();
        if too_early {
            self.unlooked.insert(queue.clone(), later);
        }
        Look {
            at: at.into_iter().map(|(id, _)| id).collect(),
            too_early,
        }
    }

    fn items_due(&mut self, now: Moment) -> bool {
        let due = self.items.is_none_or(|at| now.since(at) >= ITEMS_EVERY);
        if due {
            self.items = Some(now);
        }
        due
    }
}

impl Actor {
    /// Asks where a call is, soon.
    pub(super) async fn investigate(&mut self, id: TaskId, queue: Option<QueueName>) {
        self.investigation.push(id, queue);
        self.investigate_due(self.now()).await;
    }

    /// Asks about those that wait, if it is time.
    pub(super) async fn investigate_due(&mut self, now: Now) {
        if self.investigation.due().is_none_or(|due| now.mono < due) {
            return;
        }
        let workers = self.cluster.workers.len();
        let round = self.investigation.take(workers, now.mono);
        let ids: Vec<TaskId> = round.iter().map(|(id, _)| id.clone()).collect();
        if self.broker.link().is_some() {
            self.ask_workers(&ids, now).await;
            let queues: BTreeSet<QueueName> =
                round.into_iter().filter_map(|(_, queue)| queue).collect();
            for queue in queues {
                self.ask_depth(queue);
            }
        }
        self.ask_backend(ids);
    }

    async fn ask_workers(&mut self, ids: &[TaskId], now: Now) {
        for id in ids {
            self.fact(id.clone(), Fact::Asked).await;
        }
        self.ask_ping();
        self.ask_load();
        if self.investigation.items_due(now.mono) {
            self.ask_tasks();
            for item in ITEMS {
                self.ask_item(item);
            }
        }
        // Last: who has answered these has answered all.
        self.ask_where(ids.to_vec());
    }

    fn ask_item(&mut self, item: &str) {
        self.ask(Method::Registered {
            item: Some(item.to_owned()),
            builtins: true,
        });
    }

    fn ask_where(&mut self, ids: Vec<TaskId>) {
        self.ask(Method::QueryTask(ids));
        self.ask(Method::Scheduled);
    }

    /// A look at a queue is over that began then. Whoever took a call from a queue that is found empty can be asked for it only now:
    /// who denied it before may have taken it since.
    pub(super) fn look_closer(&mut self, queue: QueueName, began: Moment, empty: bool) {
        let Look { at, too_early } = self.investigation.looked(&queue, began);
        if empty && !at.is_empty() {
            // What hides a task from all lists: a limit that was set a moment ago, and a full pool of greenlets.
            self.ask_item(RATE_LIMIT);
            self.ask(Method::Active);
            self.ask_where(at);
        }
        if too_early {
            self.ask_depth(queue);
        }
    }

    fn ask_backend(&self, ids: Vec<TaskId>) {
        let Some(link) = self.backend.link() else {
            return;
        };
        let tracked = ids.into_iter().filter(|id| self.calls.contains_key(id));
        for id in tracked {
            let (link, done) = (Arc::clone(&link), self.done.clone());
            tokio::spawn(async move {
                let document = link.fetch(&id).await;
                let _ = done.send(Done::Fetched(id, document)).await;
            });
        }
    }

    /// A worker said, asked so and then, which tasks it has: `about` were asked for, none means all.
    pub(super) async fn places(
        &mut self,
        node: NodeName,
        (looked, asked): (Looked, Moment),
        about: &[TaskId],
        places: Vec<Found>,
    ) {
        let all: Vec<TaskId> = self.investigation.about.keys().cloned().collect();
        let about = if about.is_empty() { &all } else { about };
        let about = about.iter().filter(|id| self.investigation.is_about(id));
        let about: Vec<&TaskId> = about.collect();
        for id in about {
            let fact = Fact::Answered {
                node: node.clone(),
                looked,
                held: places.iter().any(|(found, ..)| found == id),
                asked,
            };
            self.fact(id.clone(), fact).await;
        }
        for (id, place, task, eta) in places {
            if !self.calls.contains_key(&id) {
                continue;
            }
            let node = node.clone();
            self.fact(id.clone(), Fact::Seen { place, node, task })
                .await;
            if let Some(eta) = eta {
                self.fact(id, Fact::Eta(eta)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment(Duration::from_millis(ms))
    }

    fn full() -> Investigation {
        let mut investigation = Investigation::default();
        for number in 0..5_000 {
            investigation.push(TaskId(format!("t{number}")), None);
        }
        investigation
    }

    #[test]
    fn however_many_calls_are_stuck_a_round_is_bounded_and_the_next_one_waits() {
        let mut investigation = full();
        assert_eq!(investigation.due(), Some(at(0)));
        assert_eq!(investigation.take(3, at(7_000)).len(), MOST);
        assert_eq!(investigation.due(), Some(at(7_500)));
        assert_eq!(investigation.take(200, at(7_500)).len(), 10);
        assert_eq!(investigation.waiting.len(), WAITING - MOST - 10);
    }

    #[test]
    fn a_call_is_asked_about_once_a_round_however_often_it_is_wished() {
        let mut investigation = Investigation::default();
        for _ in 0..3 {
            investigation.push("a".into(), None);
        }
        assert_eq!(investigation.take(1, at(0)).len(), 1);
        assert_eq!(investigation.due(), None);
    }

    #[test]
    fn the_first_look_at_its_queue_that_began_with_the_round_is_the_one_that_counts_for_a_call() {
        let mut investigation = Investigation::default();
        let celery = QueueName::from("celery");
        investigation.push("a".into(), Some(celery.clone()));
        investigation.push("b".into(), None);
        assert_eq!(investigation.looked(&celery, at(900)), look(&[], false));
        investigation.take(1, at(1_000));
        assert_eq!(investigation.looked(&celery, at(900)), look(&[], true));
        let mail = QueueName::from("mail");
        assert_eq!(investigation.looked(&mail, at(1_000)), look(&[], false));
        let calls = look(&["a"], false);
        assert_eq!(investigation.looked(&celery, at(1_000)), calls);
        assert_eq!(investigation.looked(&celery, at(1_100)), look(&[], false));
    }

    fn look(calls: &[&str], too_early: bool) -> Look {
        let at = calls.iter().map(|id| TaskId::from(*id)).collect();
        Look { at, too_early }
    }

    #[test]
    fn a_round_leaves_the_looks_that_earlier_calls_wait_for() {
        let mut investigation = Investigation::default();
        let (slow, quick) = (QueueName::from("slow"), QueueName::from("quick"));
        investigation.push("a".into(), Some(slow.clone()));
        investigation.take(1, at(1_000));
        for (id, queue) in [("b", &slow), ("c", &quick), ("a", &slow)] {
            investigation.push(id.into(), Some(queue.clone()));
        }
        investigation.take(1, at(1_500));
        let first = look(&["a"], true);
        assert_eq!(investigation.looked(&slow, at(1_000)), first);
        assert_eq!(investigation.looked(&slow, at(1_700)), look(&["b"], false));
        assert_eq!(investigation.looked(&quick, at(1_500)), look(&["c"], false));
    }

    #[test]
    fn those_that_wait_for_a_look_that_never_ends_are_no_more_than_a_round_and_are_forgotten() {
        let mut investigation = Investigation::default();
        let celery = QueueName::from("celery");
        for round in 0..5 {
            for number in 0..MOST {
                let id = TaskId(format!("{round}-{number}"));
                investigation.push(id, Some(celery.clone()));
            }
            investigation.take(1, at(round * 500));
        }
        assert_eq!(investigation.unlooked[&celery].len(), MOST);
        investigation.take(1, at(60_000));
        assert!(investigation.unlooked.is_empty());
    }

    #[test]
    fn a_call_nobody_asks_about_any_longer_is_forgotten() {
        let mut investigation = full();
        investigation.take(1, at(0));
        assert!(investigation.is_about(&"t0".into()));
        investigation.take(1, at(61_000));
        assert!(!investigation.is_about(&"t0".into()));
    }
}
