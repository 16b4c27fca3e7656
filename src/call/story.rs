//! What the sightings of a task come to: how far it is, where, after how many retries, since when. Pure; it hears nothing itself.
//!
//! A task's way is (attempt, stage): 0 sent, 0 received, 0 running, 1 waiting for its retry, 1 running, and so on. Whatever tells a
//! place behind the one that is known is old and moves nothing. Only a worker that gives the task back moves it backwards.
//! An attempt is numbered by the event `received`, by an extended result, else by counting the retries that were told.

mod seat;
mod start;

use std::collections::BTreeMap;
use std::time::Duration;

use self::seat::Seat;
pub(super) use self::start::Start;
use self::start::earliest;
use super::Phase;
use super::evidence::{Evidence, Sighting, Step, Teller};
use super::timeline::First;
use crate::clock::{Moment, Now};
use crate::protocol::NodeName;

/// Workers that are kept in mind of what was forgotten.
const SEATS: usize = 32;

/// How long after it was seen to start a list may still be one from before that.
const SETTLED: Duration = Duration::from_secs(1);

/// How far within one attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// In its queue, or waiting for its retry.
    #[default]
    Sent,
    /// At a worker.
    Held,
    /// Running.
    Run,
}

/// What is known of the way of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Story {
    pub attempt: u64,
    /// When it was heard, or told by a clock that may be believed, that this attempt was ordered.
    pub ordered: Option<Moment>,
    pub stage: Stage,
    /// Whether anything tells the number of retries.
    pub numbered: bool,
    pub worker: Option<NodeName>,
    pub pid: Option<u64>,
    pub acknowledged: Option<bool>,
    /// When it had been received at the latest, by the first worker.
    pub received: Option<Now>,
    /// Whether it was received just then, as its worker told.
    pub received_told: bool,
    /// The start of the first attempt.
    pub first: Option<Start>,
    /// Who had it then.
    pub opened: First,
    /// The start of the run that was told last.
    pub last: Option<Start>,
    /// How long the last run took, as an earlier record has it.
    pub runtime: Option<Duration>,
    /// Where and when an attempt was started that had been started before.
    pub twice: Option<(NodeName, Now)>,
}

/// What a teller has in mind beside the story, to go on with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Memory {
    seats: BTreeMap<NodeName, Seat>,
    /// Retries that states without a number told.
    counted: u64,
    /// The last state told was a retry.
    retrying: bool,
    /// A state was told that may not have been the first: what is counted from there is no number.
    missed: bool,
    /// Its worker stores STARTED (`task_track_started`), which alone tells a process: a retry that follows another has one between.
    tracked: bool,
    /// The attempt that was started last.
    ran: Option<u64>,
    /// When that was heard.
    ran_at: Option<Moment>,
}

/// Within which a story is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// When it was sent.
    pub sent: Now,
    /// When its end was heard.
    pub done: Option<Now>,
}

struct Narrator<'a> {
    story: Story,
    bounds: Bounds,
    /// Whether a state heard then may be an old one.
    late: &'a dyn Fn(Moment) -> bool,
    evidence: &'a Evidence,
    memory: Memory,
}

impl Story {
    /// The phase of the call.
    pub fn phase(&self) -> Phase {
        match (self.attempt, self.stage) {
            (_, Stage::Run) => Phase::Run,
            (0, Stage::Sent) => Phase::Sent,
            (0, Stage::Held) => Phase::Recv,
            _ => Phase::Retry,
        }
    }

    /// What is in mind of a story of which nothing else is known.
    pub fn memory(&self) -> Memory {
        let retrying = self.phase() == Phase::Retry;
        // What waits for a retry was started last for that, or for the one before.
        let ran = self.last.as_ref().filter(|_| !retrying);
        Memory {
            counted: self.attempt,
            retrying,
            missed: retrying && !self.numbered,
            // A list may have told its process.
            tracked: false,
            ran: ran.map(|_| self.attempt),
            ran_at: None,
            seats: BTreeMap::new(),
        }
    }

    /// The story that goes on from `self`, with the first `count` of `evidence`; and what to have in mind to go on from there.
    pub fn told(
        &self,
        memory: Memory,
        (evidence, count): (&Evidence, usize),
        bounds: Bounds,
        late: &dyn Fn(Moment) -> bool,
    ) -> (Self, Memory) {
        let mut teller = Narrator {
            story: self.clone(),
            bounds,
            late,
            evidence,
            memory,
        };
        for (moment, sighting) in evidence.in_order().into_iter().take(count) {
            teller.take(moment, sighting);
        }
        (teller.story, teller.memory)
    }
}

impl Memory {
    /// Keeps a bounded number of workers in mind; more than a few are told by nobody honest.
    pub fn bound(&mut self) {
        while self.seats.len() > SEATS {
            self.seats.pop_first();
        }
    }
}

impl Narrator<'_> {
    fn take(&mut self, moment: Moment, sighting: &Sighting) {
        let after = self.bounds.done.is_some_and(|done| moment > done.mono);
        match &sighting.teller {
            Teller::Event { .. } => self.event(sighting, after),
            // A state or a list after the end tells of before, or of another run.
            _ if after => {}
            Teller::State => self.state(sighting),
            Teller::List {
                acknowledged,
                redelivered,
                waits,
                ..
            } => {
                self.story.acknowledged = Some(*acknowledged);
                if *waits {
                    self.waits_again(sighting, *redelivered);
                }
                self.list(sighting, *redelivered);
            }
        }
    }

    fn event(&mut self, sighting: &Sighting, after: bool) {
        let Some(node) = sighting.node.clone() else {
            return;
        };
        let seat = self.memory.seats.entry(node).or_default();
        match sighting.step {
            Step::Received(number) => {
                let number = number.unwrap_or_default();
                seat.receives(number);
                self.story.numbered = true;
                self.receive(number, sighting, after);
            }
            Step::Started(_) => {
                // Without a number, and after a retry was told, it may be any attempt: at least this one, and not surely the first.
                let sure = seat.received.is_some() || seat.retried > 0 || self.story.attempt == 0;
                let again = std::mem::take(&mut seat.again);
                let number = seat.starts();
                self.start((number, sure), again, sighting, after);
            }
            Step::Retried(_) => {
                let sure = seat.received.is_some();
                let number = seat.retries();
                self.fail(number, sure, sighting, after);
            }
            Step::Requeued => {
                seat.running = None;
                self.give_back(sighting);
            }
        }
    }

    fn state(&mut self, sighting: &Sighting) {
        self.memory.missed |= (self.late)(sighting.at.mono);
        match sighting.step {
            Step::Started(number) => {
                self.memory.retrying = false;
                self.memory.tracked |= sighting.pid.is_some();
                self.story.numbered |= number.is_some();
                self.memory.counted = self.memory.counted.max(number.unwrap_or_default());
                let another = self
                    .story
                    .pid
                    .zip(sighting.pid)
                    .is_some_and(|(one, other)| one != other);
                let attempt = number.unwrap_or(self.memory.counted);
                let sure = number.is_some() || self.story.attempt <= attempt;
                self.start((attempt, sure), another, sighting, false);
            }
            Step::Retried(number) => {
                // The same state fetched again, or a retry whose start nobody told: then nobody knows how many there were.
                let unclear = self.memory.retrying && !self.memory.tracked && number.is_none();
                self.memory.missed |= unclear;
                if unclear && self.memory.seats.is_empty() {
                    self.story.numbered = false;
                }
                let sure = number.is_some() || !self.memory.missed;
                // Where starts are told the same state fetched again is no other retry.
                let more = u64::from(!self.memory.retrying);
                self.memory.retrying = true;
                self.memory.counted = number
                    .unwrap_or(self.memory.counted.saturating_add(more))
                    .max(self.memory.counted);
                self.fail(self.memory.counted, sure, sighting, false);
            }
            Step::Received(_) | Step::Requeued => {}
        }
    }

    fn list(&mut self, sighting: &Sighting, redelivered: bool) {
        let attempt = self.story.attempt;
        if matches!(sighting.step, Step::Started(_)) {
            // The same message, in another process than the one that was seen to run it.
            let pids = self.story.pid.zip(sighting.pid);
            let again = redelivered && pids.is_some_and(|(one, other)| one != other);
            self.start((attempt, true), again, sighting, false);
            return;
        }
        if redelivered && self.lost_its_run(sighting) {
            // It has it again, unstarted: its process that ran it is no more.
            self.story.stage = if attempt == 0 {
                Stage::Held
            } else {
                Stage::Sent
            };
            self.story.pid = None;
        }
        self.receive(attempt, sighting, false);
        if self.story.stage < Stage::Run {
            self.moves_to(sighting, false);
        }
    }

    /// Whether the worker that tells it is the one that was seen to run it, long enough ago that this is no list from before.
    fn lost_its_run(&self, sighting: &Sighting) -> bool {
        self.story.worker == sighting.node && self.ran_before(sighting)
    }

    /// Whether it runs and was seen to so long ago that this is no list from before.
    fn ran_before(&self, sighting: &Sighting) -> bool {
        let settled = |at: Moment| sighting.at.mono.since(at) >= SETTLED;
        self.story.stage == Stage::Run && self.memory.ran_at.is_none_or(settled)
    }

    /// It is kept for its time by whoever tells it. Where nothing but lists tells starts, a run that was seen since the last retry is
    /// over with that, and another retry is ordered; the number of it nobody tells. A second delivery elsewhere may be of before.
    fn waits_again(&mut self, sighting: &Sighting, redelivered: bool) {
        let unseen = self.memory.retrying && self.memory.seats.is_empty();
        let old = redelivered && self.story.worker != sighting.node;
        if unseen && !old && self.ran_before(sighting) {
            let next = self.story.attempt.saturating_add(1);
            self.memory.counted = self.memory.counted.max(next);
            self.memory.missed = true;
            self.fail(next, false, sighting, false);
        }
    }

    /// Whether `(attempt, stage)` is ahead of what is known; it is known from then on.
    fn raise(&mut self, attempt: u64, stage: Stage, sighting: &Sighting, after: bool) -> bool {
        let ahead = (attempt, stage) > (self.story.attempt, self.story.stage);
        if ahead {
            let next = attempt > self.story.attempt;
            (self.story.attempt, self.story.stage) = (attempt, stage);
            if next {
                let told = self.believed(sighting, true).unwrap_or(sighting.at);
                self.story.ordered = Some(told.mono);
                self.story.pid = None;
            }
            self.moves_to(sighting, after);
        }
        ahead
    }

    /// Whoever tells the newest step has it. What is heard after the end names a worker only where none is known.
    fn moves_to(&mut self, sighting: &Sighting, after: bool) {
        if after && self.story.worker.is_some() {
            return;
        }
        if sighting.node.is_some() && sighting.node != self.story.worker {
            self.story.worker.clone_from(&sighting.node);
            self.story.pid = None;
        }
        self.story.pid = sighting.pid.or(self.story.pid);
    }

    fn receive(&mut self, number: u64, sighting: &Sighting, after: bool) {
        let event = matches!(sighting.teller, Teller::Event { .. });
        let told = self.believed(sighting, event);
        let at = told.or_else(|| self.before_end(sighting.at));
        let known = self.story.received;
        let first = match at {
            Some(at) => known.is_none_or(|known| at.mono < known.mono),
            // Without a time it is no earlier than what is known.
            None => known.is_none() && self.story.opened.holder.is_none(),
        };
        if first {
            self.story.opened.holder.clone_from(&sighting.node);
            // A list tells that it is there, not since when; and what is received after a retry had been received before.
            self.story.received_told = event && number == 0 && at.is_some();
        }
        earliest(&mut self.story.received, at);
        // A retry that is announced waits: the one before has failed.
        let stage = if number == 0 {
            Stage::Held
        } else {
            Stage::Sent
        };
        let same = (number, stage) == (self.story.attempt, self.story.stage);
        if !self.raise(number, stage, sighting, after) && same {
            self.moves_to(sighting, after);
        }
    }

    fn start(
        &mut self,
        (number, sure): (u64, bool),
        again: bool,
        sighting: &Sighting,
        after: bool,
    ) {
        let start = self.start_of(sighting);
        let of_first = number == 0 && sure;
        if of_first {
            let first = self.story.first.get_or_insert_default();
            first.join(start.clone());
        }
        self.runs(number, again, start, sighting, after);
        if of_first && self.story.twice.is_none() {
            self.opens(sighting);
        }
    }

    /// What is told of the first run tells who ran it.
    fn opens(&mut self, sighting: &Sighting) {
        let opened = &mut self.story.opened;
        let same = opened.worker.is_none() || sighting.node.is_none();
        if same || opened.worker == sighting.node {
            opened.worker = opened.worker.take().or_else(|| sighting.node.clone());
            opened.pid = opened.pid.or(sighting.pid);
        }
    }

    fn runs(&mut self, number: u64, again: bool, start: Start, sighting: &Sighting, after: bool) {
        if self.raise(number, Stage::Run, sighting, after) {
            if self.memory.ran == Some(number) {
                self.twice(sighting);
            }
            self.memory.ran = Some(number);
            self.memory.ran_at = Some(sighting.at.mono);
            self.story.last = Some(start);
            return;
        }
        if (number, Stage::Run) != (self.story.attempt, self.story.stage) {
            return;
        }
        let known = self.story.worker.is_some() && sighting.node.is_some();
        let elsewhere = known && self.story.worker != sighting.node;
        if elsewhere || again {
            self.memory.ran_at = Some(sighting.at.mono);
            self.twice(sighting);
            self.story.last = Some(start);
        } else {
            self.story.last.get_or_insert_default().join(start);
        }
        self.moves_to(sighting, after);
    }

    /// It waits for a retry; `sure`: for this one, else for this or a later one.
    fn fail(&mut self, number: u64, sure: bool, sighting: &Sighting, after: bool) {
        let same = (number, Stage::Sent) == (self.story.attempt, self.story.stage);
        if self.raise(number, Stage::Sent, sighting, after) {
            self.story.numbered = sure;
        } else if same {
            self.story.numbered |= sure;
        }
    }

    fn give_back(&mut self, sighting: &Sighting) {
        let has_it = self.story.worker == sighting.node;
        if has_it && self.story.stage > Stage::Sent {
            self.story.stage = Stage::Sent;
            self.story.worker = None;
            self.story.pid = None;
        }
    }

    fn twice(&mut self, sighting: &Sighting) {
        let node = sighting.node.clone().or_else(|| self.story.worker.clone());
        if let (None, Some(node)) = (&self.story.twice, node) {
            self.story.twice = Some((node, sighting.at));
        }
    }

    fn start_of(&self, sighting: &Sighting) -> Start {
        let told = self.believed(sighting, true);
        let own = matches!(sighting.teller, Teller::Event { .. });
        let own = sighting.node.clone().zip(sighting.told()).filter(|_| own);
        let heard = self.before_end(sighting.at);
        match sighting.teller {
            Teller::Event { .. } => Start {
                live: None,
                told,
                heard,
                own,
            },
            Teller::State => Start {
                live: heard.filter(|at| !(self.late)(at.mono)),
                ..Start::default()
            },
            Teller::List { .. } => Start {
                told,
                ..Start::default()
            },
        }
    }

    /// What was heard of after the end had happened before, nobody knows when.
    fn before_end(&self, at: Now) -> Option<Now> {
        Some(at).filter(|at| self.bounds.done.is_none_or(|done| at.mono <= done.mono))
    }

    /// A time that a worker told, on our clock, if it may be believed.
    fn believed(&self, sighting: &Sighting, tells: bool) -> Option<Now> {
        let told = sighting.told().filter(|_| tells)?;
        if !self
            .evidence
            .believes(sighting.node.as_ref(), self.bounds.sent)
        {
            return None;
        }
        let ago = Duration::try_from(sighting.at.wall.duration_since(told)).ok()?;
        let at = Now {
            wall: told,
            mono: sighting.at.mono.before(ago).max(self.bounds.sent.mono),
        };
        self.before_end(at)
    }
}
