//! What was asked about one call, and who answered what. It grows by facts alone, is bounded, and decides nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::call::{Call, CallState, Fact, Waiting};
use crate::clock::{Moment, Now, Timestamp};
use crate::protocol::NodeName;
use crate::protocol::control::Place;
use crate::protocol::event::TaskEventKind;

/// How long nothing new may be heard of a call before it looks stuck.
pub const STUCK_AFTER: Duration = Duration::from_secs(1);
/// The first pause between two rounds; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A round that began this short a time ago is as good as a new one.
pub(super) const FRESH: Duration = Duration::from_millis(500);
/// Workers whose answers are kept.
const NODES: usize = 10_000;
/// Denials of one question that are kept of a worker: the first ones, of which a word that is heard of late may void some.
const DENIALS: usize = 4;

/// A question whose silence about a call tells something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Looked {
    /// `query_task`: running and prefetched tasks (of Celery 5.7 also those with an ETA).
    Tasks,
    /// `scheduled`: tasks that wait for their ETA or their next try.
    Scheduled,
}

/// What one worker answered to the question that was asked last: when it was asked, and whether it has the task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// To [`Looked::Tasks`].
    pub tasks: Option<(Moment, bool)>,
    /// To [`Looked::Scheduled`].
    pub scheduled: Option<(Moment, bool)>,
}

impl Answered {
    /// Whether it answered both questions as they were asked at or after `since`.
    pub fn both_since(&self, since: Moment) -> bool {
        let at = |answer: Option<(Moment, bool)>| answer.is_some_and(|(asked, _)| asked >= since);
        at(self.tasks) && at(self.scheduled)
    }

    /// Whether it answered both as they were asked after `since`, and has the task in neither list.
    pub fn denied_since(&self, since: Moment) -> bool {
        let no = |answer: Option<(Moment, bool)>| {
            answer.is_some_and(|(asked, held)| asked > since && !held)
        };
        no(self.tasks) && no(self.scheduled)
    }
}

/// What was asked about one call, and what came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inquiry {
    /// When everybody was asked last.
    pub asked: Option<Now>,
    /// When the backend was asked last and had nothing stored.
    pub not_stored: Option<Now>,
    /// When it may start, as a worker that keeps it told, and when it told that.
    pub eta: Option<(Timestamp, Now)>,
    /// The worker that has it after the broker delivered it once before, and when that was told.
    pub redelivered: Option<(NodeName, Now)>,
    /// When a worker or the backend told of it last.
    pub told: Option<Now>,
    /// When a state of it was fetched that the backend had kept: since when that is so, it does not say.
    pub stored: Option<Now>,
    /// Whether the broker's message was acknowledged while it ran, as told last.
    pub acknowledged: Option<bool>,
    /// The same, and when it was told.
    acked: Option<(Moment, bool)>,
    answers: BTreeMap<NodeName, Answered>,
    /// The first answers since the last word that it is not there: when each was asked for, and when it was heard.
    denials: BTreeMap<(NodeName, Looked), Vec<(Moment, Moment)>>,
    wanted: Option<Moment>,
    rounds: u32,
}

impl Inquiry {
    /// What `node` answered.
    pub fn answer(&self, node: &NodeName) -> Answered {
        self.answers.get(node).copied().unwrap_or_default()
    }

    /// Workers that answered where it is as they were asked since the last round began, each with when that was: one that was started
    /// since answers a later question only.
    pub fn replied(&self) -> impl Iterator<Item = (&NodeName, Moment)> {
        let began = self.asked.map(|asked| asked.mono);
        self.answers.iter().filter_map(move |(node, answer)| {
            let (asked, _) = answer.tasks?;
            (asked >= began?).then_some((node, asked))
        })
    }

    /// When anything was heard of it last. Who denies it after that, has it no longer.
    pub fn last_word(&self) -> Option<Now> {
        let words = [self.told, self.stored].into_iter().flatten();
        words.max_by_key(|at| at.mono)
    }

    /// When `node` had answered both questions first, as they were asked after `since`, and had it in neither list; if that is so by
    /// its last answers.
    pub fn denied_at(&self, node: &NodeName, since: Moment) -> Option<Moment> {
        let answer = self.answer(node);
        let first = |looked: Looked, last: Option<(Moment, bool)>| {
            let denials = self.denials.get(&(node.clone(), looked));
            let mut after = denials.into_iter().flatten();
            let first = after.find(|(asked, _)| *asked > since).map(|(_, at)| *at);
            first.or(last.map(|(asked, _)| asked))
        };
        let first =
            first(Looked::Tasks, answer.tasks).max(first(Looked::Scheduled, answer.scheduled));
        first.filter(|_| answer.denied_since(since))
    }

    /// A state was fetched that had been stored before.
    pub fn note_stored(&mut self, now: Now) {
        latest(&mut self.stored, now);
        self.void_denials();
    }

    /// Takes in what a fact says of asking.
    pub fn note(&mut self, fact: &Fact, now: Now) {
        self.take(fact, now);
        self.void_denials();
    }

    /// Who denied it before anything was heard of it may have taken it since.
    fn void_denials(&mut self) {
        if let Some(word) = self.last_word() {
            self.denials.retain(|_, denials| {
                denials.retain(|(asked, _)| *asked > word.mono);
                !denials.is_empty()
            });
        }
    }

    fn take(&mut self, fact: &Fact, now: Now) {
        match fact {
            Fact::Asked => latest(&mut self.asked, now),
            Fact::Answered {
                node,
                looked,
                held,
                asked,
            } => self.answered(node, *looked, (*asked, *held), now),
            Fact::NotStored => latest(&mut self.not_stored, now),
            Fact::Eta(eta) => self.starts(*eta, now),
            Fact::Result(_) => latest(&mut self.told, now),
            Fact::Event(event) => {
                latest(&mut self.told, now);
                if let TaskEventKind::Received(announced) = &event.kind
                    && let Some(eta) = announced.eta
                {
                    self.starts(eta, now);
                }
            }
            Fact::Seen { place, node, task } => {
                let word = (now.mono, task.acknowledged);
                if *place == Place::Active && self.acked.is_none_or(|known| word >= known) {
                    self.acked = Some(word);
                    self.acknowledged = Some(task.acknowledged);
                }
                latest(&mut self.told, now);
                let first = |told: &(NodeName, Now)| (now.mono, node) < (told.1.mono, &told.0);
                if task.redelivered && self.redelivered.as_ref().is_none_or(first) {
                    self.redelivered = Some((node.clone(), now));
                }
            }
            _ => {}
        }
    }

    fn starts(&mut self, eta: Timestamp, now: Now) {
        let newer = |told: &(Timestamp, Now)| (now.mono, eta) >= (told.1.mono, told.0);
        if self.eta.as_ref().is_none_or(newer) {
            self.eta = Some((eta, now));
        }
    }

    fn answered(&mut self, node: &NodeName, looked: Looked, answered: (Moment, bool), now: Now) {
        if self.answers.len() >= NODES && !self.answers.contains_key(node) {
            return;
        }
        let answer = self.answers.entry(node.clone()).or_default();
        let place = match looked {
            Looked::Tasks => &mut answer.tasks,
            Looked::Scheduled => &mut answer.scheduled,
        };
        // Of two answers to one question the one that has it says more.
        *place = (*place).max(Some(answered));
        if let (asked, false) = answered {
            let denials = self.denials.entry((node.clone(), looked)).or_default();
            let denial = (asked, now.mono);
            if let Err(place) = denials.binary_search(&denial) {
                denials.insert(place, denial);
                denials.truncate(DENIALS);
            }
        }
    }

    /// Whether `node` told after `since` that it does not run nor hold it, and was not asked since whether it keeps it for later. What
    /// was there when it was asked last, need not be asked for again: Celery before 5.7 tells of it only there.
    fn half_denied(&self, node: &NodeName, since: Moment) -> bool {
        let Answered { tasks, scheduled } = self.answer(node);
        let gone = tasks.is_some_and(|(asked, held)| asked > since && !held);
        gone && scheduled.is_none_or(|(asked, held)| asked <= since && !held)
    }

    /// Whether the time of a call that is waited for so is over, and nobody was asked since.
    pub fn overdue(&self, waiting: Waiting) -> bool {
        match waiting {
            Waiting::TimedOut(over) => self
                .wanted
                .is_none_or(|wanted| wanted < over.mono.before(FRESH)),
            _ => false,
        }
    }

    /// A round is on its way: the next one waits.
    pub fn wanted(&mut self, now: Now) {
        self.wanted = Some(now.mono);
        self.rounds = self.rounds.saturating_add(1);
    }

    /// What a redraw depends on.
    pub fn summary(&self) -> impl PartialEq + use<> {
        let counts = self.answers.values().fold((0, 0), |(all, held), answer| {
            let has = |it: Option<(Moment, bool)>| it.is_some_and(|(_, held)| held);
            let here = has(answer.tasks) || has(answer.scheduled);
            (all + 1, held + usize::from(here))
        });
        (
            (
                self.asked,
                self.not_stored.is_some(),
                self.eta.map(|(eta, _)| eta),
            ),
            (self.redelivered.is_some(), counts, self.replied().count()),
        )
    }

    fn pause(&self) -> Duration {
        let doublings = self.rounds.saturating_sub(1).min(8);
        (PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
    }
}

fn latest(place: &mut Option<Now>, now: Now) {
    if place.is_none_or(|at| now.mono >= at.mono) {
        *place = Some(now);
    }
}

impl Call {
    /// When it went a step further last: it was sent, or started; that a worker holds it is none. `None` once it ended, or if it was
    /// never sent.
    fn moved_at(&self) -> Option<Moment> {
        self.whereabouts()?;
        let timeline = &self.timeline;
        let stations = [
            timeline.published,
            timeline.confirmed,
            timeline.last_started,
        ];
        stations.into_iter().flatten().map(|at| at.mono).max()
    }

    /// Whether nothing new has been heard of it for a second although it has not ended: it is time to ask where it is.
    pub fn looks_stuck(&self, now: Now) -> bool {
        let quiet = |since: Moment| now.mono.since(since) >= STUCK_AFTER;
        self.moved_at().is_some_and(quiet)
    }

    /// When it may start, as a worker that keeps it told since its last run began and its last retry was ordered: what was told before
    /// that was another wait.
    pub(in crate::call) fn kept_until(&self) -> Option<Timestamp> {
        let (eta, told) = self.inquiry.eta?;
        let ran = self.timeline.last_started;
        let since_run = ran.is_none_or(|ran| told.mono > ran.mono);
        (since_run && Some(told.mono) >= self.ordered).then_some(eta)
    }

    /// When the time came until which it was kept, if it has.
    pub(super) fn time_came(&self, now: Now) -> Option<Moment> {
        let ago = now.wall.duration_since(self.kept_until()?);
        let ago = Duration::try_from(ago).ok()?;
        Some(now.mono.before(ago))
    }

    /// Whether everybody is to be asked (again) where it is: when it looks stuck, then less and less often; also when it does so after
    /// another step, or after its time has come; at once when its timeout passed. A pure question: [`Inquiry::wanted`] notes that it
    /// was done.
    pub fn wants_inquiry(&self, now: Now) -> bool {
        if !self.looks_stuck(now) && self.state() != CallState::Timeout {
            return false;
        }
        let Some(wanted) = self.inquiry.wanted else {
            return self.whereabouts().is_some();
        };
        let quiet = |since: Moment| now.mono.since(since) >= STUCK_AFTER;
        let moved = self.moved_at().max(self.time_came(now));
        let stuck_anew = moved.is_some_and(|at| at > wanted && quiet(at));
        // That it left a list is news: what became of it is asked without the long pause.
        let left = self.worker.as_ref().zip(self.inquiry.last_word());
        let left = left.is_some_and(|(node, word)| self.inquiry.half_denied(node, word.mono));
        let pause = if left { PAUSE } else { self.inquiry.pause() };
        self.whereabouts().is_some()
            && (self.inquiry.overdue(self.waiting) || stuck_anew || now.mono.since(wanted) >= pause)
    }
}
