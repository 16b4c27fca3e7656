//! What was seen of a task under way, whatever the order in which it was heard. It keeps and orders; [`super::story`] concludes.

use std::collections::BTreeMap;

use crate::clock::{Moment, Now, Timestamp};
use crate::protocol::NodeName;

/// Sightings that are kept of one call. Beyond them the oldest are told for good, and forgotten.
const MOST: usize = 128;
/// How many are forgotten at once.
const OLDEST: usize = 32;
/// Workers that are remembered of what was forgotten. A task was at one or two; more are told by nobody honest.
const WORKERS: usize = 32;

/// A step of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// A worker has it; after so many retries, when told.
    Received(Option<u64>),
    /// It runs; after so many retries, when told.
    Started(Option<u64>),
    /// It failed and will run again; so many retries are ordered with this one, when told.
    Retried(Option<u64>),
    /// It goes back to its queue.
    Requeued,
}

/// Who tells a step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Teller {
    /// An event: its sender's time and logical clock order the events of one worker.
    Event { sent: Option<Timestamp>, clock: u64 },
    /// A state of the result backend.
    State,
    /// A list of a worker, asked for; when it started, by the worker's clock.
    List {
        started: Option<Timestamp>,
        acknowledged: bool,
        /// Whether the broker had delivered it before.
        redelivered: bool,
        /// Whether it is kept there for its time.
        waits: bool,
    },
}

/// One step as it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    /// When we heard it.
    pub at: Now,
    pub teller: Teller,
    pub node: Option<NodeName>,
    pub pid: Option<u64>,
    pub step: Step,
}

impl Sighting {
    /// The worker's own time of it.
    pub fn told(&self) -> Option<Timestamp> {
        match self.teller {
            Teller::Event { sent, .. } => sent,
            Teller::List { started, .. } => started,
            Teller::State => None,
        }
    }

    /// Whether it says the same, but for the time.
    fn repeats(&self, other: &Self) -> bool {
        (&self.teller, &self.node, self.pid, self.step)
            == (&other.teller, &other.node, other.pid, other.step)
    }

    fn order(&self) -> impl Ord + '_ {
        (
            self.at.mono,
            self.at.wall,
            &self.teller,
            &self.node,
            self.pid,
            self.step,
        )
    }
}

/// What is remembered of the sightings that were forgotten.
#[derive(Clone, Debug, Default, PartialEq)]
struct Gone {
    /// When the last of them was heard that was no event.
    until: Option<Moment>,
    /// Of each worker its last event, and whether its clock was found out.
    workers: BTreeMap<NodeName, (Option<Teller>, bool)>,
}

/// The sightings of one call, in the order of hearing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Evidence {
    heard: Vec<Sighting>,
    gone: Gone,
}

impl Gone {
    /// Whether a sighting belongs among those that were forgotten: its time was told for good.
    fn covers(&self, sighting: &Sighting) -> bool {
        match sighting.teller {
            Teller::Event { .. } => {
                let worker = sighting.node.as_ref().and_then(|it| self.workers.get(it));
                worker.is_some_and(|(last, _)| last.as_ref() >= Some(&sighting.teller))
            }
            _ => self.until.is_some_and(|until| sighting.at.mono < until),
        }
    }

    fn take(&mut self, sighting: &Sighting, believed: bool) {
        let event = matches!(sighting.teller, Teller::Event { .. });
        if !event {
            self.until = self.until.max(Some(sighting.at.mono));
        }
        let Some(node) = &sighting.node else {
            return;
        };
        if self.workers.len() >= WORKERS && !self.workers.contains_key(node) {
            return;
        }
        let (last, doubted) = self.workers.entry(node.clone()).or_default();
        if event {
            *last = last.take().max(Some(sighting.teller.clone()));
        }
        *doubted |= !believed;
    }

    /// Whether the clock of `node` was found out, or may have been and nobody remembers.
    fn doubts(&self, node: &NodeName) -> bool {
        let known = self.workers.get(node).map(|(_, doubted)| *doubted);
        known.unwrap_or(self.workers.len() >= WORKERS)
    }
}

impl Evidence {
    /// Takes in a sighting. The same event heard again was heard the first time.
    pub fn add(&mut self, sighting: Sighting) {
        if self.gone.covers(&sighting) {
            return;
        }
        if let Teller::Event { .. } = sighting.teller
            && let Some(known) = self.heard.iter().position(|it| it.repeats(&sighting))
        {
            if self.heard[known].at.mono <= sighting.at.mono {
                return;
            }
            self.heard.remove(known);
        }
        let place = self
            .heard
            .binary_search_by(|it| it.order().cmp(&sighting.order()));
        if let Err(place) = place {
            self.heard.insert(place, sighting);
        }
    }

    /// How many of those that happened first have to be told for good and forgotten, so that there is room for others.
    pub fn surplus(&self) -> Option<usize> {
        (self.heard.len() > MOST).then(|| self.heard.len() - MOST + OLDEST)
    }

    /// Forgets so many of those that happened first. Who told them stays known: whether its clock may be believed, and what of it is
    /// older still.
    pub fn forget(&mut self, count: usize, sent: Now) {
        let first = self.in_order().into_iter().take(count);
        let first: Vec<Sighting> = first.map(|(_, it)| it.clone()).collect();
        let believed: Vec<bool> = first
            .iter()
            .map(|it| self.believes(it.node.as_ref(), sent))
            .collect();
        for (sighting, believed) in first.iter().zip(believed) {
            self.gone.take(sighting, believed);
        }
        self.heard.retain(|it| !first.contains(it));
    }

    /// All of them in the order in which they are believed to have happened, each with the moment at which it had happened at the latest.
    ///
    /// The events of one worker go by its clock; what was heard of it later and happened earlier had happened before the former was
    /// heard. Everything else goes by our own clock.
    pub fn in_order(&self) -> Vec<(Moment, &Sighting)> {
        let mut nodes: BTreeMap<Option<&NodeName>, Vec<&Sighting>> = BTreeMap::new();
        let mut all = Vec::with_capacity(self.heard.len());
        for sighting in &self.heard {
            match sighting.teller {
                Teller::Event { .. } => nodes
                    .entry(sighting.node.as_ref())
                    .or_default()
                    .push(sighting),
                _ => all.push((sighting.at.mono, sighting)),
            }
        }
        for events in nodes.values_mut() {
            events.sort_by(|one, other| (&one.teller, one.step).cmp(&(&other.teller, other.step)));
            let mut latest = Moment(std::time::Duration::MAX);
            for event in events.iter().rev() {
                latest = latest.min(event.at.mono);
                all.push((latest, event));
            }
        }
        // A stable order: of two at one moment events first, each worker's by its clock.
        all.sort_by(|(one_at, one), (other_at, other)| {
            let source = |it: &Sighting| !matches!(it.teller, Teller::Event { .. });
            (one_at, source(one))
                .cmp(&(other_at, source(other)))
                .then_with(|| {
                    if source(one) {
                        one.order().cmp(&other.order())
                    } else {
                        (&one.node, &one.teller, one.step).cmp(&(
                            &other.node,
                            &other.teller,
                            other.step,
                        ))
                    }
                })
        });
        all
    }

    /// Whether the clock of `node` may be believed: what it told lies after `sent` and before we heard it, every time. A clock that is
    /// minutes off is found out at its first word.
    pub fn believes(&self, node: Option<&NodeName>, sent: Now) -> bool {
        if node.is_some_and(|it| self.gone.doubts(it)) {
            return false;
        }
        let of_node = self.heard.iter().filter(|it| it.node.as_ref() == node);
        let mut told = of_node.filter_map(|it| Some((it.told()?, it.at.wall)));
        told.all(|(told, heard)| told >= sent.wall && told <= heard)
    }
}
