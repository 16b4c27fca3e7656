//! One queue: its depth now and over the last minutes, and whether that is trouble.

use std::collections::VecDeque;
use std::time::Duration;

use crate::broker::{Depth, Held, Rates};
use crate::clock::{Moment, Now};
use crate::protocol::QueueName;

/// Samples that are kept, one a second.
const KEPT: usize = 300;
/// Samples that are drawn at most.
pub const SHOWN: usize = 12;
/// A queue grows when every look over this time found it no smaller and the last one larger.
const GROWING_OVER: Duration = Duration::from_secs(10);
/// A queue is stuck when it has messages and consumers and its depth did not fall for this time.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// Why a queue needs a look; in order of trouble, `Fine` last.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, strum::Display, strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum QueueTrouble {
    /// Nobody reads it.
    NoConsumer,
    /// It has readers and messages, and nothing is taken.
    Stuck,
    /// More comes in than goes out.
    Growing,
    /// Nothing is wrong that can be seen.
    Fine,
}

/// A queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    /// Its name.
    pub name: QueueName,
    /// Messages ready; `None` if not known.
    pub ready: Option<u64>,
    /// Messages delivered and not acknowledged.
    pub held: Held,
    /// When those were counted, at the earliest.
    pub held_at: Option<Moment>,
    /// Consumers; `None` where the broker does not tell.
    pub consumers: Option<u64>,
    /// Messages a second; `None` where the broker does not tell.
    pub rates: Option<Rates>,
    /// Whether the broker has no such queue.
    pub missing: bool,
    /// Whether everybody who listens has answered and none of them reads it. It stands for a count of consumers where the broker
    /// tells none (Redis).
    pub unread: bool,
    /// Why nothing is known, for people.
    pub unknown_because: Option<String>,
    /// Ready messages over time, oldest first, one sample a look.
    samples: VecDeque<Sample>,
}

/// What one look found.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sample {
    /// When the look began.
    began: Moment,
    /// When it was over: what it found is of some moment between.
    at: Moment,
    ready: u64,
}

impl Queue {
    /// A queue of which nothing is known but its name.
    pub fn new(name: QueueName) -> Self {
        Self {
            name,
            ready: None,
            held: Held::Unknown,
            held_at: None,
            consumers: None,
            rates: None,
            missing: false,
            unread: false,
            unknown_because: None,
            samples: VecDeque::new(),
        }
    }

    /// Returns whether anything that can be seen changed.
    pub(super) fn depth(&mut self, depth: Result<Depth, String>, took: Duration, now: Now) -> bool {
        let before = self.visible();
        self.take(depth, took, now);
        self.visible() != before
    }

    fn take(&mut self, depth: Result<Depth, String>, took: Duration, now: Now) {
        self.unknown_because = None;
        self.missing = matches!(depth, Ok(Depth::Missing));
        match depth {
            Ok(Depth::Known {
                ready,
                held,
                held_ago,
                consumers,
                rates,
            }) => {
                self.ready = Some(ready);
                self.held = held;
                self.held_at = Some(now.mono.before(held_ago));
                self.rates = rates;
                self.consumers = consumers;
                self.samples.push_back(Sample {
                    began: now.mono.before(took),
                    at: now.mono,
                    ready,
                });
                if self.samples.len() > KEPT {
                    self.samples.pop_front();
                }
            }
            Ok(Depth::Missing) => self.forget("the broker has no such queue"),
            Ok(Depth::Locked) => self.forget("it belongs to another connection alone"),
            Err(reason) => self.forget(&reason),
        }
    }

    /// Whether it is proved that no worker reads it. Returns whether anything that can be seen changed.
    pub(super) fn set_unread(&mut self, unread: bool) -> bool {
        let before = self.trouble();
        self.unread = unread;
        self.trouble() != before
    }

    /// Nothing was looked at for a while: what was seen before tells nothing of the time between.
    pub(super) fn gap(&mut self) {
        self.samples.clear();
    }

    fn forget(&mut self, reason: &str) {
        self.gap();
        self.ready = None;
        self.held = Held::Unknown;
        self.held_at = None;
        self.consumers = None;
        self.rates = None;
        self.unknown_because = Some(reason.to_owned());
    }

    /// When the last look at it began, if its depth is known now: what was found is not older.
    pub fn looked_at(&self) -> Option<Moment> {
        self.ready?;
        self.samples.back().map(|look| look.began)
    }

    /// When it was known to be empty first, if every look since that began after `since` found it so: what was sent to it by then is
    /// not in it.
    pub fn empty_since(&self, since: Moment) -> Option<Moment> {
        self.ready?;
        let looks = self.samples.iter().rev();
        let empty = looks.take_while(|look| look.ready == 0 && look.began > since);
        empty.last().map(|look| look.at)
    }

    /// Messages a second that leave it: as the broker tells it, else at least what it shrank by over the last 10 s; `None` if that
    /// is not known.
    pub fn drain_per_s(&self) -> Option<f64> {
        if let Some(rates) = self.rates.filter(|rates| rates.out_milli > 0) {
            return Some(rates.out_milli as f64 / 1000.0);
        }
        self.growth_per_s()
            .filter(|rate| *rate < 0.0)
            .map(|rate| -rate)
    }

    /// Ready messages of the last looks, oldest first, at most `count`.
    pub fn recent(&self, count: usize) -> impl Iterator<Item = u64> {
        let skip = self.samples.len().saturating_sub(count);
        self.samples.iter().skip(skip).map(|look| look.ready)
    }

    /// Whether it needs a look.
    pub fn trouble(&self) -> QueueTrouble {
        match (self.ready, self.consumers) {
            (_, Some(0)) => QueueTrouble::NoConsumer,
            (Some(1..), None) if self.unread => QueueTrouble::NoConsumer,
            (Some(ready), _)
                if ready > 0 && self.never_fell(STUCK_AFTER) && !self.rose(STUCK_AFTER) =>
            {
                QueueTrouble::Stuck
            }
            (Some(_), _) if self.never_fell(GROWING_OVER) && self.rose(GROWING_OVER) => {
                QueueTrouble::Growing
            }
            _ => QueueTrouble::Fine,
        }
    }

    /// Change of ready messages a second over the last 10 s; `None` while that is not known.
    pub fn growth_per_s(&self) -> Option<f64> {
        let window = self.window(GROWING_OVER)?;
        let (first, last) = (window.first()?, window.last()?);
        let seconds = last.0.since(first.0).as_secs_f64();
        (seconds > 0.0).then(|| (last.1 as f64 - first.1 as f64) / seconds)
    }

    /// The samples of the last `span`; `None` if we have not looked for that long.
    fn window(&self, span: Duration) -> Option<Vec<(Moment, u64)>> {
        let last = self.samples.back()?.at;
        let oldest = self.samples.front()?.at;
        (last.since(oldest) >= span).then(|| {
            self.samples
                .iter()
                .filter(|look| last.since(look.at) <= span)
                .map(|look| (look.at, look.ready))
                .collect()
        })
    }

    fn never_fell(&self, span: Duration) -> bool {
        self.window(span)
            .is_some_and(|samples| samples.windows(2).all(|pair| pair[1].1 >= pair[0].1))
    }

    fn rose(&self, span: Duration) -> bool {
        self.window(span)
            .is_some_and(|samples| match (samples.first(), samples.last()) {
                (Some(first), Some(last)) => last.1 > first.1,
                _ => false,
            })
    }

    fn visible(&self) -> Visible {
        Visible {
            ready: self.ready,
            held: self.held,
            consumers: self.consumers,
            missing: self.missing,
            unknown_because: self.unknown_because.clone(),
            trouble: self.trouble(),
            growth: self.growth_per_s().map(|rate| rate.round().to_string()),
            line: self.line(),
        }
    }

    /// The line that is drawn; a flat one looks the same however long it is.
    fn line(&self) -> Vec<u64> {
        let line: Vec<u64> = self.recent(SHOWN).collect();
        let flat = line.iter().all(|ready| Some(*ready) == self.ready);
        if flat { Vec::new() } else { line }
    }
}

/// What a redraw depends on.
#[derive(PartialEq)]
struct Visible {
    ready: Option<u64>,
    held: Held,
    consumers: Option<u64>,
    missing: bool,
    unknown_because: Option<String>,
    trouble: QueueTrouble,
    growth: Option<String>,
    line: Vec<u64>,
}
