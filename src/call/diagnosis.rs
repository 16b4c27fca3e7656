//! Why a call is slow or silent: from what is known of it, of both links and of the cluster to where it is now and to ordered reasons
//! with their evidence. Pure; it says what is not known, and never asks anybody.
//!
//! The rules and their order are those of ux.md 2.9; where a task shows in each state is in protocol.md 11.5.

mod advice;
mod cause;
mod document;
mod inquiry;
mod place;
mod rules;
#[cfg(test)]
mod tests;
mod usual;
mod verdict;
mod words;

use std::time::Duration;

use super::{Call, CallState};
use crate::backend::Results;
use crate::broker::Reach;
use crate::clock::{Moment, Now};
use crate::cluster::{Cluster, Queue, Worker, WorkerState};
use crate::protocol::{NodeName, TaskName};

pub use advice::Advice;
pub use document::DiagnosisDocument;
pub use inquiry::{Answered, Inquiry, Looked, STUCK_AFTER};
pub use place::Place;
pub use usual::Usual;
pub use verdict::{Loss, Span, Verdict};
pub(super) use words::begun_again;

/// How long a result may take to come after its task has left the lists of its worker.
const SETTLED: Duration = Duration::from_millis(800);
/// The same of an event: workers tell them in bundles, one a second.
const EVENT_SETTLED: Duration = Duration::from_millis(1_500);

/// How one of the two links is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// Not known, or being dialled for the first time.
    #[default]
    Unknown,
    /// Up.
    Up,
    /// Up, but the broker takes no messages; its reason.
    Blocked(String),
    /// Down.
    Down {
        /// Since when.
        since: Now,
        /// Why.
        reason: String,
        /// When the next try is due.
        retry_at: Option<Now>,
    },
}

/// All that is known beside the call.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What was heard of workers and queues.
    pub cluster: &'a Cluster,
    /// The broker's link.
    pub broker: &'a Way,
    /// The link to the result backend, where it has one of its own.
    pub backend: &'a Way,
    /// Where umbel looks for results.
    pub results: &'a Results,
    /// How long this task took before.
    pub usual: Option<Usual>,
}

/// Who was asked where the call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Workers that answered.
    pub replied: usize,
    /// Workers that could have.
    pub of: usize,
    /// How long ago at most those who answered were asked; if nobody did, how long ago the question was.
    pub ago: Duration,
}

/// Where a call is and why, as far as is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// Where it is now.
    pub now: Place,
    /// Who was asked; `None` if nobody was.
    pub asked: Option<Asked>,
    /// The reasons, the first to look at first.
    pub why: Vec<Verdict>,
    /// What can be done.
    pub next: Vec<Advice>,
    /// Whether its result comes to the umbel that called alone, while that runs.
    pub to_caller: bool,
}

impl Diagnosis {
    /// Whether nothing knows the call any longer, as far as can be concluded.
    pub fn lost(&self) -> bool {
        self.now.state == Some(CallState::Lost)
    }

    /// Whether the worker that has or had it is out of reach: nobody can tell whether it still runs.
    pub fn out_of_reach(&self) -> bool {
        let lost = |verdict: &Verdict| matches!(verdict, Verdict::WorkerLost { .. });
        self.now.state.is_none() || self.why.iter().any(lost)
    }

    /// Whether there is something to tell beside that it runs or waits as usual.
    pub fn tells(&self) -> bool {
        self.first_to_tell().is_some()
    }

    /// The first reason that is more than that it runs or waits as usual.
    pub fn first_to_tell(&self) -> Option<&Verdict> {
        let runs = self.now.state == Some(CallState::Run);
        self.why.iter().find(|verdict| match verdict {
            Verdict::Running {
                usual, since_ms, ..
            } => usual
                .zip(*since_ms)
                .is_some_and(|(usual, since)| usual.slower(since.0).is_some()),
            Verdict::WorkerBusy { .. } => !runs,
            Verdict::QueueFine { .. } => false,
            _ => true,
        })
    }
}

/// Where `call` is and why it is not back.
pub fn diagnose(call: &Call, scene: &Scene<'_>, now: Now) -> Diagnosis {
    let case = Case { call, scene, now };
    let why = rules::verdicts(&case);
    Diagnosis {
        now: place::place(&case, &why),
        asked: case.asked(),
        next: rules::advice(&case, &why),
        to_caller: rules::to_caller(&case),
        why,
    }
}

/// A call, what is known beside it, and the time.
#[derive(Clone, Copy)]
struct Case<'a> {
    call: &'a Call,
    scene: &'a Scene<'a>,
    now: Now,
}

impl<'a> Case<'a> {
    fn cluster(&self) -> &'a Cluster {
        self.scene.cluster
    }

    /// Whether what is known of the cluster is of now.
    fn broker_up(&self) -> bool {
        matches!(self.scene.broker, Way::Up | Way::Unknown) && self.cluster().lost_at.is_none()
    }

    /// Since when nothing is heard from the broker: what was told before that may be over.
    fn deaf_since(&self) -> Option<Moment> {
        let lost = self.cluster().lost_at;
        let down = match self.scene.broker {
            Way::Down { since, .. } => Some(*since),
            _ => None,
        };
        [lost, down].into_iter().flatten().map(|at| at.mono).min()
    }

    fn task(&self) -> &'a TaskName {
        &self.call.signature.task
    }

    /// The call's queue, if anything was heard of it.
    fn queue(&self) -> Option<&'a Queue> {
        self.cluster().queues.get(self.call.queue.as_ref()?)
    }

    /// The same, if it was looked at after the call was published.
    fn fresh_queue(&self) -> Option<&'a Queue> {
        let published = self.call.timeline.published?.mono;
        let looked = |queue: &&Queue| queue.looked_at().is_some_and(|at| at > published);
        self.queue().filter(looked)
    }

    /// Workers that said they read the call's queue, silent ones too.
    fn readers(&self) -> impl Iterator<Item = &'a Worker> + use<'a> {
        let queue = self.call.queue.clone();
        let reads = move |worker: &&Worker| queue.as_ref().is_some_and(|queue| worker.reads(queue));
        self.cluster().workers.values().filter(reads)
    }

    fn answering_readers(&self) -> impl Iterator<Item = &'a Worker> + use<'a> {
        self.readers()
            .filter(|worker| worker.state() != WorkerState::Silent)
    }

    fn worker(&self) -> Option<&'a Worker> {
        self.cluster().workers.get(self.call.worker.as_ref()?)
    }

    /// The worker that has it as was told last, if it never answered.
    fn unheard_holder(&self) -> Option<&'a NodeName> {
        let holder = self.call.worker.as_ref();
        holder.filter(|_| !self.only_sent() && self.worker().is_none())
    }

    /// Whether that one is no longer there: since it was heard of nobody hears questions but those who answer, and nobody else reads
    /// its queue. One without remote control hears none and reads, so that where no consumers are counted (Redis) nothing proves it.
    fn holder_is_gone(&self) -> bool {
        let Some(word) = self.call.inquiry.last_word().map(|told| told.mono) else {
            return false;
        };
        let readers = self.answering_readers().count() as u64;
        let unread = |queue: &Queue| {
            let counted = queue.consumers.is_some_and(|all| all <= readers);
            counted && queue.looked_at() > Some(word)
        };
        self.unheard_holder().is_some()
            && self.call.inquiry.asked.is_some()
            && self.cluster().nobody_else(word, self.now)
            && self.queue().is_some_and(unread)
    }

    /// Whether the worker that has it may still answer for the first time what was asked last.
    fn holder_may_answer(&self) -> bool {
        let asked = self.call.inquiry.asked.map(|asked| asked.mono);
        let all = asked.is_some_and(|asked| self.cluster().nobody_else(asked, self.now));
        self.unheard_holder().is_some() && !all
    }

    /// Whether a worker is no longer connected, as far as can be proved.
    fn gone(&self, worker: &Worker) -> bool {
        self.cluster().proved_gone(worker, self.now)
    }

    /// Whether no worker has told of it.
    fn only_sent(&self) -> bool {
        matches!(
            self.call.whereabouts(),
            Some(CallState::Send | CallState::Sent | CallState::UnknownDelivery)
        )
    }

    /// Whether it waits for a retry whose time is over: it may be back in its queue, and another worker may hold it.
    fn retry_is_due(&self) -> bool {
        let came = self.call.time_came(self.now);
        self.call.whereabouts() == Some(CallState::Retry) && came.is_some()
    }

    /// Whether its worker listed it in its answer to the last question, as that was asked after its last run began and after the time
    /// came until which it was kept.
    fn listed(&self) -> bool {
        let began = self.call.timeline.last_started.map(|at| at.mono);
        let since = began.max(self.call.time_came(self.now));
        let answer = self.worker().map(|it| self.call.inquiry.answer(&it.name));
        let held = |answer: Option<(Moment, bool)>| {
            answer.is_some_and(|(asked, held)| held && Some(asked) > since)
        };
        answer.is_some_and(|it| held(it.tasks) || held(it.scheduled))
    }

    /// Whether `node` answered, after it told of the call last, that it has it no longer. The end of a task shows in the lists before
    /// its result is here: a moment is left for that.
    fn denied(&self, node: &NodeName) -> bool {
        self.denies(node) == Some(true)
    }

    /// The same; `Some(false)`: it answered so, and that moment is not over.
    fn denies(&self, node: &NodeName) -> Option<bool> {
        let told = self.call.inquiry.last_word()?;
        let denied = self.call.inquiry.denied_at(node, told.mono)?;
        let stored = matches!(self.scene.results, Results::Rpc | Results::Stored(_));
        let moment = if stored && !rules::ignores(self) {
            SETTLED
        } else {
            EVENT_SETTLED
        };
        Some(self.now.mono.since(denied) >= moment)
    }

    /// Readers of the queue that the broker counts beyond those that ever answered; where it counts none (Redis), whoever else hears
    /// requests, whatever queue that may read.
    fn unheard_readers(&self) -> u64 {
        if let Some(consumers) = self.queue().and_then(|queue| queue.consumers) {
            return consumers.saturating_sub(self.readers().count() as u64);
        }
        match self.cluster().asked {
            Some((_, Reach::Listeners(listeners))) => {
                let there = |worker: &&Worker| !self.gone(worker);
                let known = self.cluster().workers.values().filter(there).count();
                listeners.saturating_sub(known as u64)
            }
            _ => 0,
        }
    }

    /// Whether the broker was seen to keep no count of a queue's consumers, as a Redis does not: what a dead worker held comes back
    /// there only after the visibility timeout (protocol.md 5.2).
    fn counts_no_consumers(&self) -> bool {
        let queue = self.queue();
        queue.is_some_and(|it| it.looked_at().is_some() && it.consumers.is_none())
    }

    /// When its queue was found empty after it was published, and always since: whoever took it had it by then.
    fn emptied(&self) -> Option<Moment> {
        self.queue()?
            .empty_since(self.call.timeline.published?.mono)
    }

    /// Since when a question must have been asked so that a denial tells something: since the last round began; of what is not in
    /// its queue only after that was found empty. Who denied it before may have taken it then.
    fn telling(&self) -> Option<Moment> {
        let asked = self.call.inquiry.asked?.mono;
        let emptied = self.emptied().filter(|_| self.only_sent());
        Some(emptied.map_or(asked, |emptied| emptied.max(asked)))
    }

    /// Whether everybody who could have it said that it is not there.
    fn everybody_denies(&self) -> bool {
        let Some(since) = self.telling() else {
            return false;
        };
        let published = self.call.timeline.published.map(|at| at.mono);
        let mut workers = self.cluster().workers.values().peekable();
        self.unheard_readers() == 0
            && published.is_some_and(|published| since > published)
            && workers.peek().is_some()
            && workers.all(|worker| {
                let answer = self.call.inquiry.answer(&worker.name);
                let denies = answer.both_since(since)
                    && [answer.tasks, answer.scheduled]
                        .into_iter()
                        .flatten()
                        .all(|(_, held)| !held);
                denies || self.gone(worker)
            })
    }

    /// Readers that took more than they list, perhaps this one too.
    fn hiding(&self) -> impl Iterator<Item = &'a Worker> + use<'a> {
        let since = self.telling().unwrap_or(self.now.mono);
        self.answering_readers()
            .filter(move |worker| worker.may_hide(since))
    }

    /// Whether everybody who reads its queue told the rate limits as they are: such a one hides a task from all lists.
    fn limits_are_told(&self) -> bool {
        let since = self.telling().unwrap_or(self.now.mono);
        self.answering_readers()
            .all(|worker| worker.told_limits(since))
    }

    /// Whether what is not acknowledged of its queue was counted after that was found empty: what was taken from it is among them.
    fn held_is_fresh(&self) -> bool {
        self.telling()
            .zip(self.queue().and_then(|queue| queue.held_at))
            .is_some_and(|(since, at)| at >= since)
    }

    fn asked(&self) -> Option<Asked> {
        let asked = self.call.inquiry.asked?;
        let replied = self.call.inquiry.replied();
        let (replied, oldest) = replied.fold((0, None::<Moment>), |(count, oldest), (_, at)| {
            (count + 1, Some(oldest.map_or(at, |oldest| oldest.min(at))))
        });
        let known = self.cluster().workers.values();
        let there = known.filter(|worker| !self.gone(worker)).count();
        let unheard = usize::try_from(self.unheard_readers()).unwrap_or(usize::MAX);
        Some(Asked {
            replied,
            of: there.saturating_add(unheard).max(replied),
            ago: self.now.mono.since(oldest.unwrap_or(asked.mono)),
        })
    }
}

impl Call {
    /// Whether the last round of questions has all the answers that can be expected: nothing is gained by waiting for more.
    pub fn inquiry_complete(&self, scene: &Scene<'_>, now: Now) -> bool {
        let case = Case {
            call: self,
            scene,
            now,
        };
        let over = match self.waiting {
            super::Waiting::TimedOut(over) => over.mono.before(inquiry::FRESH),
            _ => Moment::default(),
        };
        let Some(asked) = self.inquiry.asked.filter(|asked| asked.mono >= over) else {
            return false;
        };
        let cluster = case.cluster();
        let since = case.telling().unwrap_or(asked.mono);
        let told = |worker: &Worker| {
            worker.state() == WorkerState::Silent
                || case.gone(worker)
                || self.inquiry.answer(&worker.name).both_since(since)
        };
        // They are asked once its queue was found empty.
        let vanished = case.only_sent() && case.emptied().is_some();
        let limits = !vanished || case.limits_are_told();
        let queue = match (&self.queue, case.queue()) {
            (Some(_), Some(queue)) => {
                let known = queue.looked_at().is_some_and(|at| at >= asked.mono);
                known || queue.unknown_because.is_some()
            }
            (Some(_), None) => false,
            (None, _) => true,
        };
        let stored = match (scene.results, scene.backend) {
            (Results::Stored(_), Way::Up) => {
                let told = self
                    .inquiry
                    .not_stored
                    .is_some_and(|at| at.mono >= asked.mono);
                told || self.is_read()
            }
            _ => true,
        };
        let settled = case.worker().map(|it| case.denies(&it.name)) != Some(Some(false));
        case.unheard_readers() == 0
            && !case.holder_may_answer()
            && settled
            && stored
            && queue
            && limits
            && cluster.workers.values().all(told)
    }
}
