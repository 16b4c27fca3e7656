//! One worker: what it answered and when, and what that makes of its state.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::{Answer, SILENT_AFTER, replace};
use crate::clock::{Moment, Now};
use crate::protocol::control::{Conf, ConsumedQueue, HeldTask, Report, Stats};
use crate::protocol::{NodeName, QueueName, TaskName};

/// The attribute of a task that tells its rate limit.
pub const RATE_LIMIT: &str = "rate_limit";
/// How long a worker may take to clear a doubt before it is shown: those that are there answer at once, and nothing flickers.
const DOUBT_AFTER: Duration = Duration::from_millis(500);

/// Pings that the shown band rests on.
const PINGS: usize = 5;

/// A worker's state in one word; in order of trouble.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, strum::Display, strum::IntoStaticStr,
)]
#[strum(serialize_all = "UPPERCASE")]
pub enum WorkerState {
    /// It answered earlier in this run, and not within 2 s when asked last.
    Silent,
    /// All its slots are active.
    Busy,
    /// It answers and has a free slot, or its slots are not known.
    Ok,
}

/// A worker that answered at least once in this run.
#[derive(Clone, Debug, PartialEq)]
pub struct Worker {
    /// Its node name.
    pub name: NodeName,
    /// Tasks it has registered.
    pub tasks: Option<BTreeSet<TaskName>>,
    /// Attributes of its tasks: item, then task, then value.
    pub items: BTreeMap<String, BTreeMap<TaskName, String>>,
    /// Queues it consumes.
    pub queues: Option<Vec<ConsumedQueue>>,
    /// Pool and counters.
    pub stats: Option<Stats>,
    /// When it told them.
    stats_at: Option<Moment>,
    /// When its former main process was heard last.
    process_of_before: Option<Moment>,
    /// Running tasks.
    pub active: Option<Vec<HeldTask>>,
    /// When they were asked for, at the latest.
    active_at: Option<Moment>,
    /// When the rate limits of its tasks were.
    limits_at: Option<Moment>,
    /// Prefetched tasks.
    pub reserved: Option<Vec<HeldTask>>,
    /// Settings.
    pub conf: Option<Conf>,
    /// Versions.
    pub report: Option<Report>,
    /// Time its last ping took.
    pub ping: Option<Duration>,
    /// The same as it is shown: of the last few pings, and only changed when it clearly did.
    pub band: Option<Band>,
    pings: VecDeque<Duration>,
    /// When it was heard last.
    pub heard_at: Now,
    /// When it was asked and has not been heard since.
    asked_at: Option<Moment>,
    /// Whether it is SILENT.
    silent: bool,
    /// Since when one of several workers, perhaps this one, is known to be gone and it has not been heard.
    doubted_at: Option<Moment>,
    /// Whether that is so for long enough to be shown.
    doubted: bool,
}

impl Worker {
    /// A worker heard for the first time.
    pub fn new(name: NodeName, now: Now) -> Self {
        Self {
            name,
            tasks: None,
            items: BTreeMap::new(),
            queues: None,
            stats: None,
            stats_at: None,
            process_of_before: None,
            active: None,
            active_at: None,
            limits_at: None,
            reserved: None,
            conf: None,
            report: None,
            ping: None,
            band: None,
            pings: VecDeque::new(),
            heard_at: now,
            asked_at: None,
            silent: false,
            doubted_at: None,
            doubted: false,
        }
    }

    /// Returns whether anything that can be seen changed.
    pub(super) fn answer(&mut self, answer: Answer, took: Duration, now: Now) -> bool {
        self.heard_at = now;
        self.asked_at = None;
        let was_silent = std::mem::take(&mut self.silent);
        let asked = now.mono.before(took);
        // An answer that it gave before it may have gone proves nothing.
        let cleared = self.doubted_at.is_some_and(|at| at <= asked);
        let was_doubted = cleared && self.trusted();
        let changed = match answer {
            Answer::Pong => self.pong(took),
            Answer::Tasks(names) => replace(&mut self.tasks, Some(names.into_iter().collect())),
            Answer::Item { item, values } => {
                if item == RATE_LIMIT {
                    self.limits_at = Some(asked);
                }
                let values = values.into_iter().collect();
                let before = self.items.insert(item.clone(), values);
                before.as_ref() != self.items.get(&item)
            }
            Answer::Queues(queues) => replace(&mut self.queues, Some(queues)),
            Answer::Stats(stats) => {
                let before = self.stats.as_ref().and_then(|stats| stats.pid);
                if before.is_some_and(|before| stats.pid.is_some_and(|pid| pid != before)) {
                    self.process_of_before = self.stats_at;
                }
                self.stats_at = Some(now.mono);
                self.counted(stats)
            }
            Answer::Active(tasks) => {
                self.active_at = Some(asked);
                replace(&mut self.active, Some(tasks))
            }
            Answer::Reserved(tasks) => {
                let held = Some(tasks.len());
                let before = self.reserved.replace(tasks);
                before.map(|tasks| tasks.len()) != held
            }
            Answer::Conf(conf) => replace(&mut self.conf, Some(*conf)),
            Answer::Report(report) => replace(&mut self.report, Some(report)),
        };
        changed | was_silent | was_doubted
    }

    /// Counters that only grow are not shown: pool and slots are.
    fn counted(&mut self, stats: Stats) -> bool {
        let shown = |stats: &Stats| (stats.pool.clone(), stats.slots, stats.pid);
        let now = Some(shown(&stats));
        let before = self.stats.replace(stats);
        before.as_ref().map(shown) != now
    }

    fn pong(&mut self, took: Duration) -> bool {
        self.ping = Some(took);
        self.pings.push_back(took);
        if self.pings.len() > PINGS {
            self.pings.pop_front();
        }
        let mut sorted: Vec<Duration> = self.pings.iter().copied().collect();
        sorted.sort_unstable();
        let median = sorted[sorted.len() / 2];
        let band = Some(Band::settled(self.band, median));
        replace(&mut self.band, band)
    }

    pub(super) fn pinged(&mut self, now: Now) {
        self.asked_at = self.asked_at.or(Some(now.mono));
    }

    /// The open ping is not held against it.
    pub(super) fn not_asked(&mut self) {
        self.asked_at = None;
    }

    /// It, or another one, is gone: until it is heard again it may be the one.
    pub(super) fn doubt(&mut self, now: Now) {
        if !self.silent {
            self.doubted_at = self.doubted_at.or(Some(now.mono));
        }
    }

    /// It is not the one. Returns whether the doubt was shown.
    fn trusted(&mut self) -> bool {
        self.doubted_at = None;
        std::mem::take(&mut self.doubted)
    }

    /// Whether it is to be asked at once: it may be gone, and no question to it is open.
    pub(super) fn wants_ping(&self) -> bool {
        self.doubted_at.is_some() && self.asked_at.is_none() && !self.silent
    }

    /// Whether it may be gone: what it told last may hold no longer.
    pub fn in_doubt(&self) -> bool {
        self.doubted && !self.silent
    }

    pub(super) fn tick(&mut self, now: Now) -> bool {
        let doubted = self
            .doubted_at
            .is_some_and(|at| now.mono.since(at) >= DOUBT_AFTER);
        let doubts = doubted && !std::mem::replace(&mut self.doubted, doubted);
        let overdue = self
            .asked_at
            .is_some_and(|asked| now.mono.since(asked) >= SILENT_AFTER);
        let changed = overdue && !self.silent;
        self.silent |= overdue;
        if self.silent {
            self.trusted();
        }
        changed | doubts
    }

    /// Its state in one word.
    pub fn state(&self) -> WorkerState {
        if self.silent {
            return WorkerState::Silent;
        }
        match (self.running(), self.slots()) {
            (Some(running), Some(slots)) if slots > 0 && running >= slots => WorkerState::Busy,
            _ => WorkerState::Ok,
        }
    }

    /// What the state rests on, in words.
    pub fn evidence(&self) -> String {
        if self.silent {
            let note = if self.pool() == Some("solo") {
                "; a solo pool cannot answer while it runs a task"
            } else {
                ""
            };
            return format!("no reply within {}s{note}", SILENT_AFTER.as_secs());
        }
        if self.in_doubt() {
            return "perhaps gone: a worker has left, and this one is asked".to_owned();
        }
        match (self.running(), self.slots()) {
            (Some(running), Some(slots)) => format!("{running}/{slots} slots active"),
            _ => "replied; slots not known yet".to_owned(),
        }
    }

    /// A moment before which it was not started: its uptime tells it, rounded to the second (Celery 5.3 to 5.7), and a new main
    /// process. `None` if it told neither.
    pub fn begun(&self) -> Option<Moment> {
        let rounded = Duration::from_millis(500);
        let uptime = self.stats.as_ref().and_then(|stats| stats.uptime);
        let told = self.stats_at.zip(uptime);
        let told = told.map(|(at, uptime)| at.before(Duration::from_secs(uptime)).before(rounded));
        told.max(self.process_of_before)
    }

    /// Its pool: `prefork`, `solo`, `threads`; `None` if it never told it.
    pub fn pool(&self) -> Option<&str> {
        self.stats.as_ref()?.pool.as_deref()
    }

    /// Whether its pool can never stop what it runs: threads cannot be killed, and a solo worker hears nothing meanwhile.
    pub fn never_kills(&self) -> bool {
        let never = |pool: &str| pool == "solo" || pool.contains("thread");
        self.pool().is_some_and(never)
    }

    /// Slots of its pool.
    pub fn slots(&self) -> Option<u64> {
        self.stats.as_ref().and_then(|stats| stats.slots)
    }

    /// Whether a task that it took before `since` may be in none of its lists, although it was asked for them after that: a pool of
    /// greenlets takes more than it runs, and lists only what it runs (protocol.md 11.6). What its pool is not known to be may do so too.
    pub fn may_hide(&self, since: Moment) -> bool {
        if matches!(self.pool(), Some("prefork" | "threads" | "solo")) {
            return false;
        }
        let free = self.running() < Some(self.slots().unwrap_or(1).max(1));
        let known = self.running().is_some() && self.active_at >= Some(since);
        !(known && free)
    }

    /// Whether it told the rate limits of its tasks as it was asked at `since` or later.
    pub fn told_limits(&self, since: Moment) -> bool {
        self.limits_at >= Some(since)
    }

    /// Tasks it runs.
    pub fn running(&self) -> Option<u64> {
        self.active.as_ref().map(|tasks| tasks.len() as u64)
    }

    /// When it was asked for the tasks it runs, at the latest, as it told them last.
    pub fn running_at(&self) -> Option<Moment> {
        self.active_at
    }

    /// Celery's version as its report has it, `5.7.0` as (5, 7).
    pub fn version(&self) -> Option<(u64, u64)> {
        let text = self.report.as_ref()?.celery.as_deref()?;
        let mut parts = text.split(|char: char| !char.is_ascii_digit());
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }

    /// Whether it said that it consumes `queue`.
    pub fn reads(&self, queue: &QueueName) -> bool {
        self.queues
            .as_ref()
            .is_some_and(|queues| queues.iter().any(|consumed| consumed.name == *queue))
    }

    /// Whether it has `task` registered; `None` if it never told its tasks.
    pub fn knows(&self, task: &TaskName) -> Option<bool> {
        self.tasks.as_ref().map(|tasks| tasks.contains(task))
    }
}

/// A ping as it is shown in strips and lists: in bands, so that numbers do not jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::Display)]
pub enum Band {
    /// Under 10 ms.
    #[strum(serialize = "<10ms")]
    Fast,
    /// Under 100 ms.
    #[strum(serialize = "<100ms")]
    Fair,
    /// Under 1 s.
    #[strum(serialize = "<1s")]
    Slow,
    /// 1 s and more.
    #[strum(serialize = ">1s")]
    Awful,
}

impl Band {
    /// The band of a latency.
    pub fn of(latency: Duration) -> Self {
        match latency.as_millis() {
            0..10 => Self::Fast,
            10..100 => Self::Fair,
            100..1000 => Self::Slow,
            _ => Self::Awful,
        }
    }

    /// The band to show after `before`: another one only when the latency lies clearly in it (by a factor of 2), so that one around a limit does not flicker.
    fn settled(before: Option<Self>, latency: Duration) -> Self {
        let band = Self::of(latency);
        match before {
            Some(before) if band > before && Self::of(latency / 2) <= before => before,
            Some(before) if band < before && Self::of(latency * 2) >= before => before,
            _ => band,
        }
    }
}
