//! What workers may still push to our list: decides whether the list can be removed at the end, or how long it has to stay,
//! because a push to a list that is gone would make one without a time to live. Touches no network.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::protocol::{Message, TaskId, TaskResult};

/// Open results that are remembered one by one.
const MOST: usize = 1000;

/// A result that is larger is not looked into.
const LARGE: usize = 64 << 10;

/// What is still expected; shared by all connections of a run.
#[derive(Default)]
pub(super) struct Debts {
    open: Mutex<Open>,
    /// A reply came.
    replied: Notify,
}

#[derive(Default)]
struct Open {
    tasks: HashSet<String>,
    /// More tasks than are remembered.
    more: bool,
    /// Replies that are out, at most.
    replies: u64,
    /// Of these, received.
    received: u64,
}

impl Debts {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A task is sent, whose results may come here. Whether it is the only one.
    pub(super) fn task(&self, id: &str) -> bool {
        let mut open = self.open();
        let first = !open.owes_results();
        if open.tasks.len() < MOST {
            open.tasks.insert(id.to_owned());
        } else {
            open.more = true;
        }
        first
    }

    /// It was not sent after all.
    pub(super) fn not_sent(&self, id: &str) {
        self.open().tasks.remove(id);
    }

    /// A result came; a final one is the last.
    pub(super) fn result(&self, message: &Message) {
        let Some(id) = &message.properties.correlation_id else {
            return;
        };
        if !self.open().tasks.contains(id) || message.body.len() > LARGE {
            return;
        }
        let content_type = message.properties.content_type.as_deref();
        let parsed = TaskResult::parse(&message.body, content_type, &TaskId::from(id.as_str()));
        if parsed.is_ok_and(|result| result.state.is_final()) {
            self.open().tasks.remove(id);
        }
    }

    /// Its end was learned elsewhere, from a result backend or an event.
    pub(super) fn settled(&self, id: &TaskId) {
        self.open().tasks.remove(id.as_str());
    }

    /// So many workers were asked.
    pub(super) fn asked(&self, listeners: u64) {
        self.open().replies += listeners;
    }

    /// One reply came.
    pub(super) fn reply(&self) {
        self.open().received += 1;
        self.replied.notify_one();
    }

    /// Returns when every reply that is out has come; so long as one is silent, never.
    pub(super) async fn replies(&self) {
        let out = || {
            let open = self.open();
            open.received < open.replies
        };
        while out() {
            self.replied.notified().await;
        }
    }

    /// What may still come.
    pub(super) fn left(&self) -> Left {
        let open = self.open();
        if open.owes_results() {
            Left::Results
        } else if open.received < open.replies {
            Left::Replies
        } else {
            Left::Nothing
        }
    }
}

impl Open {
    fn owes_results(&self) -> bool {
        !self.tasks.is_empty() || self.more
    }
}

/// What workers still owe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    /// Control replies alone.
    Replies,
    /// Results of tasks, perhaps replies too.
    Results,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(id: &str, state: &str) -> Message {
        let mut message = Message {
            body: format!(r#"{{"status":"{state}","result":null,"task_id":"{id}"}}"#).into(),
            ..Message::default()
        };
        message.properties.content_type = Some("application/json".to_owned());
        message.properties.correlation_id = Some(id.to_owned());
        message
    }

    #[tokio::test]
    async fn replies_are_waited_for_until_the_last_one_is_there() {
        let debts = Debts::default();
        debts.replies().await;
        debts.asked(2);
        debts.reply();
        let waiting = debts.replies();
        tokio::pin!(waiting);
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        debts.reply();
        waiting.await;
    }

    #[test]
    fn a_task_is_owed_until_its_final_result() {
        let debts = Debts::default();
        assert_eq!(debts.left(), Left::Nothing);
        assert!(debts.task("a"));
        assert!(!debts.task("b"));
        debts.settled(&"b".into());
        debts.result(&result("a", "STARTED"));
        debts.result(&result("b", "SUCCESS"));
        assert_eq!(debts.left(), Left::Results);
        debts.result(&result("a", "SUCCESS"));
        assert_eq!(debts.left(), Left::Nothing);
        debts.task("c");
        debts.not_sent("c");
        assert_eq!(debts.left(), Left::Nothing);
        debts.task("d");
        debts.settled(&"d".into());
        assert_eq!(debts.left(), Left::Nothing);
    }

    #[test]
    fn a_worker_that_was_asked_owes_a_reply() {
        let debts = Debts::default();
        debts.asked(2);
        debts.reply();
        assert_eq!(debts.left(), Left::Replies);
        debts.reply();
        assert_eq!(debts.left(), Left::Nothing);
    }

    #[test]
    fn too_many_open_tasks_are_remembered_together() {
        let debts = Debts::default();
        for id in 0..=MOST {
            debts.task(&id.to_string());
        }
        for id in 0..=MOST {
            debts.result(&result(&id.to_string(), "SUCCESS"));
        }
        assert_eq!(debts.left(), Left::Results);
    }
}
