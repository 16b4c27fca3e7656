//! Queues that are known although no worker told of them: from the broker's own lists, from history, and by Celery's default name.
//! Asks how full they are; prints nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::client::{Command, Event};
use crate::cluster::{Cluster, Queue};
use crate::commands::Session;
use crate::error::{Error, Kind, Result};
use crate::history::{Filter, Handle};
use crate::protocol::QueueName;

/// The default of `task_default_queue`.
const DEFAULT: &str = "celery";
/// What knows names of which it is not sure that there is such a queue.
const BY_DEFAULT: &str = "Celery's default name";
const BY_HISTORY: &str = "history";
/// The latest calls of history in which queues are looked for.
const CALLS: usize = 1_000;
/// Queues that are looked at.
const MOST: usize = 500;
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Names, and what knows them.
#[derive(Debug, Default)]
pub(super) struct Hearsay {
    names: BTreeMap<QueueName, &'static str>,
}

impl Hearsay {
    /// What the broker lists goes before history, and that before Celery's default.
    pub(super) async fn gather(session: &mut Session, history: Option<Handle>) -> Self {
        let mut names = BTreeMap::from([(QueueName::from(DEFAULT), BY_DEFAULT)]);
        if let Some(history) = history {
            let filter = Filter {
                broker: Some(session.broker.clone()),
                ..Filter::default()
            };
            match history.page(filter, None, CALLS).await {
                Ok(rows) => {
                    let queues = rows.into_iter().filter_map(|row| row.queue);
                    names.extend(queues.map(|queue| (queue, BY_HISTORY)));
                }
                Err(error) => session.output.warnings(&[error.message]),
            }
        }
        names.extend(listed(session).await);
        while names.len() > MOST {
            names.pop_last();
        }
        Self { names }
    }

    /// Asks how full they are.
    ///
    /// # Errors
    /// The broker went away meanwhile.
    pub(super) async fn look(&self, session: &mut Session, cluster: &mut Cluster) -> Result<()> {
        for name in self.names.keys() {
            session.client.send(Command::Queue(name.clone())).await;
        }
        let until = session.clock.now().mono.after(PATIENCE);
        while !self
            .names
            .keys()
            .all(|name| cluster.queues.contains_key(name))
        {
            let left = until.since(session.clock.now().mono);
            match tokio::time::timeout(left, session.events.recv()).await {
                Ok(Some(Event::Heard(heard, at))) => {
                    cluster.apply(heard, at);
                }
                Ok(Some(Event::Notice(notice))) => session.output.warnings(&[notice]),
                Ok(Some(_)) => {}
                Ok(None) => return Err(Error::new(Kind::Internal, "the client ended by itself")),
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Whether there is such a queue, as far as can be told: a list in Redis that is empty does not exist,
    /// unless something is bound to it.
    pub(super) fn is_worth_telling(&self, queue: &Queue) -> bool {
        let Some(source) = self.names.get(&queue.name) else {
            return true;
        };
        let sure = ![BY_DEFAULT, BY_HISTORY].contains(source);
        !queue.missing && (sure || queue.consumers.is_some() || queue.ready != Some(0))
    }

    /// What knows of it, where no worker does.
    pub(super) fn source(&self, name: &QueueName) -> Option<&'static str> {
        self.names.get(name).copied()
    }

    /// Whether nothing was asked but workers.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// What the broker itself lists.
async fn listed(session: &mut Session) -> Vec<(QueueName, &'static str)> {
    session.client.send(Command::ListQueues).await;
    let until = session.clock.now().mono.after(PATIENCE);
    loop {
        let left = until.since(session.clock.now().mono);
        match tokio::time::timeout(left, session.events.recv()).await {
            Ok(Some(Event::Listed(Ok(listed)))) => {
                let Some(listed) = listed else {
                    return Vec::new();
                };
                if !listed.complete {
                    let what = format!("not all that {} list were looked at", listed.by);
                    session.output.warnings(&[what]);
                }
                let by = listed.by;
                return listed.queues.into_iter().map(|name| (name, by)).collect();
            }
            Ok(Some(Event::Listed(Err(error)))) => {
                session.output.warnings(&[error.message]);
                return Vec::new();
            }
            Ok(Some(Event::Notice(notice))) => session.output.warnings(&[notice]),
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return Vec::new(),
        }
    }
}
