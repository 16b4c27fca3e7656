//! What was seen of a task under way, whatever the order in which it was heard. It keeps and orders; [`super::story`] concludes.

use std::collections::BTreeMap;

use crate::clock::{Moment, Now, Timestamp};
use crate::protocol::NodeName;

/// Sightings that are kept of one call. Beyond them repeats are forgotten first, then what is oldest.
const MOST: usize = 128;

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

/// All sightings of one call, in the order of hearing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Evidence {
    heard: Vec<Sighting>,
}

impl Evidence {
    /// Takes in a sighting. The same event heard again was heard the first time.
    pub fn add(&mut self, sighting: Sighting) {
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
            self.bound();
        }
    }

    /// A list that is asked for again and again says the same: of three in a row the middle one goes.
    fn bound(&mut self) {
        if self.heard.len() <= MOST {
            return;
        }
        let middle = self
            .heard
            .windows(3)
            .position(|it| it[0].repeats(&it[1]) && it[1].repeats(&it[2]));
        self.heard.remove(middle.map_or(0, |first| first + 1));
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
        let of_node = self.heard.iter().filter(|it| it.node.as_ref() == node);
        let mut told = of_node.filter_map(|it| Some((it.told()?, it.at.wall)));
        told.all(|(told, heard)| told >= sent.wall && told <= heard)
    }
}
