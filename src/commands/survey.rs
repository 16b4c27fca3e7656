//! Asks the cluster once and gathers what is heard, for the listing commands.

use crate::broker::Reach;
use crate::client::{Command, Event, LinkName, LinkState};
use crate::cluster::Cluster;
use crate::error::{Error, Kind, Result};
use crate::protocol::QueueName;

use super::Session;

impl Session {
    /// What everybody told within the survey; with `queue`, its depth too. An unreachable broker is an error at the first try.
    pub async fn survey(&mut self, queue: Option<&QueueName>) -> Result<Cluster> {
        let mut cluster = Cluster::default();
        while !(cluster.surveyed && queue.is_none_or(|queue| cluster.queues.contains_key(queue))) {
            match self.events.recv().await {
                Some(Event::Link(LinkName::Broker, LinkState::Waiting { reason, .. })) => {
                    return Err(reason);
                }
                Some(Event::Link(LinkName::Broker, LinkState::Up { .. })) => {
                    if let Some(queue) = queue.filter(|queue| !cluster.queues.contains_key(*queue))
                    {
                        self.client.send(Command::Queue(queue.clone())).await;
                    }
                }
                Some(Event::Heard(heard, at)) => {
                    cluster.apply(heard, at);
                }
                Some(Event::Notice(notice)) => self.output.warnings(&[notice]),
                Some(_) => {}
                None => return Err(Error::new(Kind::Internal, "the client ended by itself")),
            }
        }
        Ok(cluster)
    }
}

/// How many workers there are, answering or not; `None` if that cannot be told.
pub fn workers_known(cluster: &Cluster) -> Option<u64> {
    let answered = cluster.workers.len() as u64;
    match cluster.asked {
        Some((_, Reach::Listeners(listeners))) => Some(listeners.max(answered)),
        Some((_, Reach::Nobody)) => Some(0),
        _ if cluster.queues.is_empty() => None,
        _ => cluster
            .unaccounted()
            .map(|unaccounted| answered + unaccounted),
    }
}

/// Why nobody answered, for people.
pub fn nobody(cluster: &Cluster) -> Error {
    let error = match cluster.asked {
        Some((_, Reach::Nobody | Reach::Listeners(0))) => {
            Error::new(Kind::NoWorker, "no worker listens on this broker")
        }
        _ => Error::new(
            Kind::NoWorker,
            "no worker answered within 1s, though something listens",
        ),
    };
    match &cluster.unreadable {
        Some(reason) => error.hint(format!("an answer could not be read: {reason}")),
        None => {
            error.hint("none runs, another vhost (Redis: database or key prefix), or control is off (worker_enable_remote_control)")
        }
    }
}

/// Warnings about answers that could not be read.
pub fn doubts(cluster: &Cluster) -> Vec<String> {
    let silent = workers_known(cluster).map_or(0, |known| {
        known.saturating_sub(cluster.workers.len() as u64)
    });
    let silent = (silent > 0).then(|| match cluster.asked {
        Some((_, Reach::Listeners(_))) => {
            format!("{silent} more worker(s) heard the question and did not answer")
        }
        _ => format!("{silent} more consumer(s) read these queues and did not answer"),
    });
    let unreadable = cluster
        .unreadable
        .clone()
        .map(|reason| format!("an answer could not be read: {reason}"));
    silent.into_iter().chain(unreadable).collect()
}
