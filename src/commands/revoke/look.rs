//! Where tasks are just before they are revoked, as the workers tell it. Revokes nothing.

use std::collections::BTreeSet;

use super::PATIENCE;
use crate::call::diagnosis::Looked;
use crate::call::{CallState, Fact};
use crate::client::{Command, Event};
use crate::cluster::Cluster;
use crate::commands::Session;
use crate::protocol::control::Place;
use crate::protocol::{NodeName, TaskId};

/// What the workers told of where tasks are.
#[derive(Default)]
pub(super) struct Found {
    /// Where which was seen.
    pub places: Vec<(TaskId, CallState, NodeName)>,
    /// Who told whether it has which.
    pub told: BTreeSet<(TaskId, NodeName)>,
}

/// Answers that are still awaited: of which worker, whether it has which task in which list.
type Awaited = BTreeSet<(TaskId, NodeName, Looked)>;

impl Found {
    /// Takes in what a worker tells. Before Celery 5.7 what waits for its time is in one of the two lists only.
    fn hear(&mut self, id: TaskId, fact: Fact, awaited: &mut Awaited) {
        match fact {
            Fact::Seen { place, node, .. } => {
                let state = match place {
                    Place::Active => CallState::Run,
                    Place::Reserved | Place::Scheduled => CallState::Recv,
                };
                awaited.retain(|(of, at, _)| (of, at) != (&id, &node));
                self.told.insert((id.clone(), node.clone()));
                self.places.push((id, state, node));
            }
            Fact::Answered {
                node, looked, held, ..
            } => {
                // What it has is said right after that.
                if !held {
                    awaited.remove(&(id.clone(), node.clone(), looked));
                }
                let open = awaited.iter().any(|(of, at, _)| (of, at) == (&id, &node));
                if !open {
                    self.told.insert((id, node));
                }
            }
            _ => {}
        }
    }
}

/// Asks the workers which of these tasks they have: what a revoke does depends on that. What is not told in time stays unknown.
pub(super) async fn look(session: &mut Session, ids: &[TaskId], cluster: &Cluster) -> Found {
    let mut awaited = Awaited::new();
    for id in ids {
        for worker in cluster.answering() {
            let of = |looked| (id.clone(), worker.name.clone(), looked);
            awaited.extend([of(Looked::Tasks), of(Looked::Scheduled)]);
        }
        session.client.send(Command::Follow(id.clone())).await;
        let (id, queue) = (id.clone(), None);
        session
            .client
            .send(Command::Investigate { id, queue })
            .await;
    }
    let until = session.clock.now().mono.after(PATIENCE);
    let mut found = Found::default();
    while !awaited.is_empty() {
        let left = until.since(session.clock.now().mono);
        match tokio::time::timeout(left, session.events.recv()).await {
            Ok(Some(Event::Call(id, fact, _))) => found.hear(id, fact, &mut awaited),
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => break,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::protocol::control::HeldTask;

    fn answered(looked: Looked, held: bool) -> Fact {
        Fact::Answered {
            node: "w1@h".into(),
            looked,
            held,
            asked: Moment::default(),
        }
    }

    fn awaited() -> Awaited {
        let of = |looked| (TaskId::from("x"), NodeName::from("w1@h"), looked);
        Awaited::from([of(Looked::Tasks), of(Looked::Scheduled)])
    }

    /// Celery before 5.7 does not say so to `query_task`.
    #[test]
    fn what_waits_for_its_eta_is_found_in_the_second_of_the_lists() {
        let (mut found, mut awaited) = (Found::default(), awaited());
        found.hear("x".into(), answered(Looked::Tasks, false), &mut awaited);
        assert!(!awaited.is_empty() && found.told.is_empty());
        found.hear("x".into(), answered(Looked::Scheduled, true), &mut awaited);
        assert!(!awaited.is_empty(), "it says where right after that");
        let seen = Fact::Seen {
            place: Place::Scheduled,
            node: "w1@h".into(),
            task: HeldTask {
                id: "x".into(),
                name: "shop.refund".into(),
                started: None,
                acknowledged: false,
                pid: None,
                redelivered: false,
            },
        };
        found.hear("x".into(), seen, &mut awaited);
        assert!(awaited.is_empty());
        let place = ("x".into(), CallState::Recv, "w1@h".into());
        assert_eq!((found.places, found.told.len()), (vec![place], 1));
    }

    #[test]
    fn who_denies_it_in_both_lists_has_told() {
        let (mut found, mut awaited) = (Found::default(), awaited());
        for looked in [Looked::Scheduled, Looked::Tasks] {
            found.hear("x".into(), answered(looked, false), &mut awaited);
        }
        assert!(awaited.is_empty() && found.places.is_empty());
        assert_eq!(found.told.len(), 1);
    }
}
