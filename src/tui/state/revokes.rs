//! Revokes that were sent, and what each worker said to them. Never claims more than a worker said; asks nobody.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::protocol::{NodeName, TaskId};

/// Revokes that are remembered.
const KEPT: usize = 1_000;

/// What became of the revoke of one task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revoke {
    /// Whether its process was to be killed.
    pub terminate: bool,
    /// Workers that answered before, of which an answer is expected.
    expected: BTreeSet<NodeName>,
    said: BTreeMap<NodeName, Result<String, String>>,
}

/// All of this run, the newest kept.
#[derive(Debug, Default)]
pub struct Revokes {
    all: HashMap<TaskId, Revoke>,
    order: VecDeque<TaskId>,
}

impl Revokes {
    /// One was sent; these workers are expected to answer.
    pub fn sent(&mut self, id: TaskId, terminate: bool, expected: BTreeSet<NodeName>) {
        let revoke = Revoke {
            terminate,
            expected,
            said: BTreeMap::new(),
        };
        if self.all.insert(id.clone(), revoke).is_some() {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
    }

    /// A worker answered. Returns what all said so far, if we sent it.
    pub fn said(
        &mut self,
        id: &TaskId,
        node: &NodeName,
        answer: &Result<String, String>,
    ) -> Option<&Revoke> {
        let revoke = self.all.get_mut(id)?;
        revoke.said.insert(node.clone(), answer.clone());
        Some(revoke)
    }

    /// It did not go out.
    pub fn failed(&mut self, id: &TaskId) {
        self.all.remove(id);
        self.order.retain(|known| known != id);
    }

    /// The revoke of this task.
    pub fn get(&self, id: &TaskId) -> Option<&Revoke> {
        self.all.get(id)
    }
}

impl Revoke {
    /// `revoke: heard by w1@stg-1, w2@stg-4; no answer from w3@stg-9`. As workers wrote it, not sanitised.
    pub fn words(&self) -> String {
        let what = if self.terminate {
            "revoke and kill"
        } else {
            "revoke"
        };
        let (heard, refused): (Vec<_>, Vec<_>) =
            self.said.iter().partition(|(_, answer)| answer.is_ok());
        let names = |names: &[&NodeName]| {
            let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            names.join(", ")
        };
        let heard: Vec<&NodeName> = heard.into_iter().map(|(node, _)| node).collect();
        let silent = self.expected.iter();
        let silent: Vec<&NodeName> = silent
            .filter(|node| !self.said.contains_key(node))
            .collect();
        let mut parts = Vec::new();
        if !heard.is_empty() {
            parts.push(format!("heard by {}", names(&heard)));
        }
        for (node, answer) in refused {
            let why = answer.as_ref().err().map_or("", String::as_str);
            parts.push(format!("refused by {node}: {why}"));
        }
        if !silent.is_empty() {
            parts.push(format!("no answer from {}", names(&silent)));
        }
        if parts.is_empty() {
            parts.push("sent, nobody answered".to_owned());
        }
        format!("{what}: {}", parts.join("; "))
    }

    /// What the workers answered in words of their own, where that says more than that they heard: `terminate: tasks unknown`.
    pub fn unknown_everywhere(&self) -> bool {
        let unknown = |answer: &Result<String, String>| matches!(answer, Ok(words) if words.contains("tasks unknown"));
        self.terminate && !self.said.is_empty() && self.said.values().all(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(terminate: bool, expected: &[&str]) -> (Revokes, TaskId) {
        let mut revokes = Revokes::default();
        let id = TaskId::from("a");
        let expected = expected.iter().map(|name| NodeName::from(*name)).collect();
        revokes.sent(id.clone(), terminate, expected);
        (revokes, id)
    }

    #[test]
    fn it_is_said_who_heard_who_refused_and_who_did_not_answer() {
        let (mut revokes, id) = sent(false, &["w1", "w2", "w3"]);
        let words = |revokes: &Revokes| revokes.get(&id).unwrap().words();
        assert_eq!(words(&revokes), "revoke: no answer from w1, w2, w3");
        revokes.said(&id, &"w2".into(), &Ok("tasks flagged as revoked".into()));
        revokes.said(&id, &"w1".into(), &Err("no".into()));
        assert_eq!(
            words(&revokes),
            "revoke: heard by w2; refused by w1: no; no answer from w3"
        );
    }

    #[test]
    fn an_answer_to_a_revoke_of_somebody_else_is_none_of_ours() {
        let (mut revokes, _) = sent(false, &[]);
        assert!(
            revokes
                .said(&"b".into(), &"w1".into(), &Ok(String::new()))
                .is_none()
        );
    }

    #[test]
    fn a_task_that_no_worker_has_was_not_killed() {
        let (mut revokes, id) = sent(true, &["w1", "w2"]);
        let unknown = Ok("terminate: tasks unknown".to_owned());
        revokes.said(&id, &"w1".into(), &unknown);
        assert!(revokes.get(&id).unwrap().unknown_everywhere());
        revokes.said(&id, &"w2".into(), &Ok("terminate: a".to_owned()));
        assert!(!revokes.get(&id).unwrap().unknown_everywhere());
    }

    #[test]
    fn only_the_newest_are_remembered() {
        let mut revokes = Revokes::default();
        for number in 0..=KEPT {
            revokes.sent(TaskId(number.to_string()), false, BTreeSet::new());
        }
        assert!(revokes.get(&"0".into()).is_none());
        assert_eq!(revokes.all.len(), KEPT);
    }
}
