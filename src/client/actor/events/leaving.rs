//! The end of listening: workers that we switched on are switched off again, or left to another umbel that listens; and what others
//! leave to us is taken over, up to the last moment in which they could count on us. Never touches workers that send anyway.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::{Ears, Hearing, PATIENCE};
use crate::broker::{Incoming, LARGEST_NOTE, Link};
use crate::client::actor::{Actor, Done, INCOMING, Inbox, next};
use crate::client::replies::Meaning;
use crate::cluster::Cluster;
use crate::protocol::control::{Method, Reply, Request};
use crate::protocol::{NodeName, TaskId};

/// How long the answers to the last switching are waited for at the end: what we switched on is to be switched off.
const LEAVING: Duration = Duration::from_millis(200);
/// Workers that one umbel takes over from others, in all its life, and how long their names may be, in bytes.
const INHERITED: usize = 10_000;
const LONGEST_NAME: usize = 1024;

impl Ears {
    /// Takes those that are to be switched off: those that we switched on, and those left to us as far as they are known. Anybody
    /// could have written the names of others.
    pub(super) fn take_ours(&mut self, cluster: &Cluster) -> BTreeSet<NodeName> {
        let mut ours = std::mem::take(&mut self.ours);
        let sending = &self.sending;
        let known = |node: &NodeName| cluster.workers.contains_key(node) || sending.contains(node);
        ours.extend(std::mem::take(&mut self.left).into_iter().filter(known));
        ours
    }

    /// What another umbel leaves to us.
    fn inherit(&mut self, note: &[u8]) {
        let room = INHERITED.saturating_sub(self.left.len());
        self.left.extend(left_to_us(note).take(room));
    }

    /// Ends listening, and leaves the workers as they were found.
    pub(super) fn leave(&mut self, link: Arc<dyn Link>, ours: BTreeSet<NodeName>) {
        let before = self.closing.take();
        self.closing = Some(tokio::spawn(async move {
            finished(before).await;
            leave(&*link, ours).await;
        }));
    }
}

impl Actor {
    /// Another umbel has left, and leaves us the workers that send because of it.
    pub(in crate::client::actor) fn inherit(&mut self, note: &[u8]) {
        self.ears.inherit(note);
        // We have just stopped ourselves: it goes on to the next one, or ends here.
        if self.ears.hearing == Hearing::Off
            && let Some(link) = self.broker.link()
        {
            let ours = self.ears.take_ours(&self.cluster);
            self.ears.leave(link, ours);
        }
    }

    /// At the end: hears, for a moment, which workers we have just switched on.
    pub(in crate::client::actor) async fn await_switches(&mut self, inbox: &mut Inbox) {
        let asked = self.ears.asked;
        let recent = asked.is_some_and(|at| self.clock.now().mono.since(at) < PATIENCE);
        let answers = async {
            while recent
                && !self.ears.unanswered.is_empty()
                && let Some(incoming) = next(&mut inbox.broker).await
            {
                self.overheard(&incoming);
            }
        };
        let _ = tokio::time::timeout(LEAVING, answers).await;
    }

    /// At the end: leaves the workers as they were found. Until we listen no longer, others may leave theirs to us: the inbox is read
    /// so long, and what is then in it is the last.
    pub(in crate::client::actor) async fn restore_workers(&mut self, inbox: &mut Inbox) {
        let Some(link) = self.broker.link() else {
            return;
        };
        let (opening, before) = (
            self.ears.hearing == Hearing::Opening,
            self.ears.closing.take(),
        );
        let done = &mut inbox.done;
        let deaf = async {
            finished(before).await;
            // What is being opened is closed only afterwards.
            while opening && !matches!(done.recv().await, None | Some(Done::Hearing(_))) {}
            let _ = link.events(false).await;
        };
        tokio::pin!(deaf);
        loop {
            tokio::select! {
                biased;
                () = &mut deaf => break,
                incoming = next(&mut inbox.broker) => match incoming {
                    Some(incoming) => self.overheard(&incoming),
                    None => inbox.broker = None,
                },
            }
        }
        let rest = inbox.broker.iter_mut();
        let rest = rest.flat_map(|broker| std::iter::from_fn(|| broker.try_recv().ok()));
        for incoming in rest.take(INCOMING) {
            self.overheard(&incoming);
        }
        pass_on(&*link, self.ears.take_ours(&self.cluster)).await;
    }

    /// What still counts at the end: workers that we switched on, and those that others leave to us.
    fn overheard(&mut self, incoming: &Incoming) {
        match incoming {
            Incoming::HandedOver(note) => self.ears.inherit(note),
            Incoming::Reply(message) => {
                if let Ok(reply) = Reply::parse(message)
                    && let Meaning::Switched(node, switched) =
                        self.replies.meaning(reply, self.clock.now())
                {
                    self.ears.note(node, switched);
                }
            }
            _ => {}
        }
    }
}

/// Waits for what was under way.
pub(super) async fn finished(closing: Option<JoinHandle<()>>) {
    if let Some(closing) = closing {
        // It does not panic, and nobody aborts it.
        let _ = closing.await;
    }
}

/// Listens no longer, and leaves the workers as they were found.
async fn leave(link: &dyn Link, ours: BTreeSet<NodeName>) {
    let _ = link.events(false).await;
    pass_on(link, ours).await;
}

/// For one who listens no longer. The workers that send because of us are left to another umbel that listens, which switches them
/// off in its time; if there is none, or they are too many for it, we do it.
async fn pass_on(link: &dyn Link, ours: BTreeSet<NodeName>) {
    if ours.is_empty() {
        return;
    }
    let names: Vec<&str> = ours.iter().map(NodeName::as_str).collect();
    let note = serde_json::to_vec(&names).unwrap_or_default();
    let fits = names.len() <= INHERITED && note.len() <= LARGEST_NOTE;
    if fits && link.hand_over(note).await {
        return;
    }
    let request = Request {
        method: Method::DisableEvents,
        destination: ours.into_iter().collect(),
        ticket: TaskId::random().0,
        reply_to: None,
    };
    restore(link, &request).await;
}

/// The workers of such a note; anybody could have written it.
fn left_to_us(note: &[u8]) -> impl Iterator<Item = NodeName> {
    let names: Vec<String> = match note.len() {
        ..=LARGEST_NOTE => serde_json::from_slice(note).unwrap_or_default(),
        _ => Vec::new(),
    };
    let names = names.into_iter().filter(|name| name.len() <= LONGEST_NAME);
    names.map(NodeName::from)
}

async fn restore(link: &dyn Link, request: &Request) {
    if let Err(error) = link.broadcast(request.encode()).await {
        tracing::warn!(reason = %error.message, "workers that were asked for events go on sending them");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::replies::Switched;

    fn note(names: impl IntoIterator<Item = String>) -> Vec<u8> {
        serde_json::to_vec(&names.into_iter().collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn of_what_others_leave_only_workers_that_are_known_are_switched_off() {
        let mut ears = Ears::default();
        ears.note(
            NodeName::from("switched@on".to_owned()),
            Some(Switched::Now),
        );
        ears.note(
            NodeName::from("sends@before".to_owned()),
            Some(Switched::Before),
        );
        let names = ["sends@before", "nobody@knows"];
        ears.inherit(&note(names.map(str::to_owned)));
        let ours = ears.take_ours(&Cluster::default());
        let ours: Vec<&str> = ours.iter().map(NodeName::as_str).collect();
        assert_eq!(ours, ["sends@before", "switched@on"]);
        assert!(ears.take_ours(&Cluster::default()).is_empty());
    }

    #[test]
    fn notes_are_bounded_in_their_sum_and_each_in_its_size() {
        let mut ears = Ears::default();
        for round in 0..4 {
            ears.inherit(&note((0..4_000).map(|n| format!("{round}-{n}"))));
        }
        assert_eq!(ears.left.len(), INHERITED);
        let mut ears = Ears::default();
        ears.inherit(&note(["x".repeat(LONGEST_NAME + 1)]));
        ears.inherit(&note([" ".repeat(LARGEST_NOTE), "a@b".to_owned()]));
        ears.inherit(b"[\"a@b\", 1]");
        assert!(ears.left.is_empty());
        ears.inherit(b"[\"a@b\"]");
        assert_eq!(ears.left.len(), 1);
    }
}
