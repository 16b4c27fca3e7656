//! Where a message is published to, and which queues will take it, as far as the workers told. Pure.

use crate::broker::{Reach, Route};
use crate::clock::Timestamp;
use crate::cluster::Cluster;
use crate::error::{Error, Kind};
use crate::protocol::control::ConsumedQueue;
use crate::protocol::{QueueName, Signature, delayed, message::Start};

/// The first Celery with native delayed delivery.
const DELAYING: (u64, u64) = (5, 5);
/// The highest priority on Redis (kombu's default steps end below it).
const LOWEST_ON_REDIS: u8 = 9;

/// Where it goes.
#[derive(Debug)]
pub(super) struct Routing {
    pub route: Route,
    /// Routing key of the queue, where a message with an ETA goes through native delayed delivery.
    pub delayed: Option<String>,
    /// Queues that take it; as far as is known where the user named an exchange.
    pub takers: Vec<QueueName>,
    pub refusal: Option<Error>,
    pub warnings: Vec<String>,
}

/// The way of `signature`, whose queue is `queue` unless an exchange is named.
pub(super) fn look(cluster: &Cluster, signature: &Signature, queue: &QueueName) -> Routing {
    let options = &signature.options;
    let mut routing = match (&options.exchange, &options.routing_key) {
        (None, None) => straight(cluster, signature, queue),
        (Some(exchange), key) => {
            let own = options
                .queue
                .as_ref()
                .and_then(|queue| told(cluster, queue));
            let own = own.map(|queue| queue.routing_key.clone());
            let key = key.clone().or(own).unwrap_or_default();
            through(cluster, exchange.clone(), key)
        }
        (None, Some(key)) => match told(cluster, queue) {
            Some(queue) => through(cluster, queue.exchange.clone(), key.clone()),
            None => Routing {
                refusal: Some(no_exchange(queue, key)),
                ..plain(Route::to_queue(queue), Vec::new())
            },
        },
    };
    routing
        .warnings
        .extend(priority(cluster, signature, &routing.takers));
    routing
}

fn plain(route: Route, takers: Vec<QueueName>) -> Routing {
    Routing {
        route,
        delayed: None,
        takers,
        refusal: None,
        warnings: Vec::new(),
    }
}

fn no_exchange(queue: &QueueName, key: &str) -> Error {
    let message = format!(
        "routing key {key:?}: through which exchange is not known, because no worker that answers reads queue {queue}"
    );
    Error::new(Kind::Usage, message)
        .hint("name the exchange with --exchange, or a queue that a worker reads with --queue")
}

/// Through the default exchange to this one queue; with an ETA through native delayed delivery where the workers use it (protocol.md 6.4).
fn straight(cluster: &Cluster, signature: &Signature, queue: &QueueName) -> Routing {
    let native = |queue: &&ConsumedQueue| {
        let topic = queue.exchange_type.as_deref() == Some("topic");
        queue.is_quorum() && topic && alone(cluster, queue)
    };
    let delayed = signature.options.start.and_then(|_| {
        let queue = told(cluster, queue).filter(native)?;
        delays(cluster, &queue.name).then(|| queue.routing_key.clone())
    });
    Routing {
        delayed,
        ..plain(Route::to_queue(queue), vec![queue.clone()])
    }
}

/// Whether the exchange brings the queue's own routing key to it alone; else a delayed message would run more than once.
fn alone(cluster: &Cluster, queue: &ConsumedQueue) -> bool {
    takers(cluster, &queue.exchange, &queue.routing_key) == [queue.name.clone()]
}

/// Whether all workers that read the queue told a version that declares the exchanges of native delayed delivery.
fn delays(cluster: &Cluster, queue: &QueueName) -> bool {
    let mut readers = cluster.answering().filter(|it| it.reads(queue)).peekable();
    readers.peek().is_some() && readers.all(|it| it.version().is_some_and(|it| it >= DELAYING))
}

/// The exchange and routing key of a message with this start, if it is to be held back by the broker. Whole seconds: the worker holds it for the rest.
pub fn delayed_route(start: Start, now: Timestamp, routing_key: &str) -> Option<Route> {
    let seconds = match start {
        Start::After(span) => span.as_secs(),
        Start::At(at) => u64::try_from(at.duration_since(now).as_secs()).ok()?,
    };
    let (exchange, routing_key) = delayed::route(seconds, routing_key)?;
    Some(Route {
        exchange,
        routing_key,
    })
}

/// Through a named exchange.
fn through(cluster: &Cluster, exchange: String, routing_key: String) -> Routing {
    if exchange.is_empty() {
        let queue = QueueName(routing_key);
        return plain(Route::to_queue(&queue), vec![queue]);
    }
    let takers = takers(cluster, &exchange, &routing_key);
    let warning = match takers.as_slice() {
        [] => Some(format!(
            "no worker that answers reads a queue that {routing_key:?} leads to in the exchange {exchange:?}: if none is bound, the broker returns the message"
        )),
        [_] => None,
        several => {
            let names: Vec<&str> = several.iter().map(QueueName::as_str).collect();
            Some(format!(
                "the exchange {exchange:?} brings it to {} queues ({}): it runs once for each",
                several.len(),
                names.join(", ")
            ))
        }
    };
    let route = Route {
        exchange,
        routing_key,
    };
    Routing {
        warnings: warning.into_iter().collect(),
        ..plain(route, takers)
    }
}

/// Queues of the workers that this exchange brings this key to.
fn takers(cluster: &Cluster, exchange: &str, key: &str) -> Vec<QueueName> {
    let bound = consumed(cluster).filter(|queue| queue.exchange == exchange);
    let mut names: Vec<QueueName> = bound
        .filter(|queue| match queue.exchange_type.as_deref() {
            Some("fanout") => true,
            Some("topic") => fits(&queue.routing_key, key),
            Some("direct") | None => queue.routing_key == key,
            // Headers and plugins: nobody can tell.
            _ => false,
        })
        .map(|queue| queue.name.clone())
        .collect();
    names.sort();
    names.dedup();
    names
}

fn consumed(cluster: &Cluster) -> impl Iterator<Item = &ConsumedQueue> {
    let told = cluster.workers.values();
    told.flat_map(|worker| worker.queues.iter().flatten())
}

/// A queue as a worker that reads it describes it.
fn told<'a>(cluster: &'a Cluster, name: &QueueName) -> Option<&'a ConsumedQueue> {
    consumed(cluster).find(|queue| queue.name == *name)
}

/// Whether a routing key fits the pattern of a topic binding: words between dots, `*` is one word, `#` any number of them.
fn fits(pattern: &str, key: &str) -> bool {
    let words: Vec<&str> = key.split('.').collect();
    // Which beginnings of the key the pattern so far fits.
    let mut fit = vec![false; words.len() + 1];
    fit[0] = true;
    for part in pattern.split('.') {
        let mut next = vec![false; words.len() + 1];
        for end in 0..=words.len() {
            next[end] = match part {
                "#" => fit[end] || (end > 0 && next[end - 1]),
                "*" => end > 0 && fit[end - 1],
                word => end > 0 && fit[end - 1] && words[end - 1] == word,
            };
        }
        fit = next;
    }
    fit[words.len()]
}

/// What a priority does not do.
fn priority(cluster: &Cluster, signature: &Signature, takers: &[QueueName]) -> Option<String> {
    let priority = signature.options.priority?;
    if matches!(cluster.asked, Some((_, Reach::Listeners(_)))) {
        let beyond = if priority > LOWEST_ON_REDIS {
            format!("; {priority} is as {LOWEST_ON_REDIS}, the last")
        } else {
            String::new()
        };
        return Some(format!(
            "priority {priority}: 0 is served first on Redis{beyond}"
        ));
    }
    let without =
        |name: &&QueueName| told(cluster, name).is_some_and(|queue| queue.max_priority.is_none());
    let queue = takers.iter().find(without)?;
    Some(format!(
        "queue {queue} has no priorities: priority {priority} is ignored"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::time::Duration;

    #[rstest]
    #[case("shop.orders", "shop.orders", true)]
    #[case("shop.*", "shop.orders", true)]
    #[case("shop.*", "shop", false)]
    #[case("shop.*", "shop.orders.new", false)]
    #[case("shop.#", "shop", true)]
    #[case("shop.#", "shop.orders.new", true)]
    #[case("#", "anything.at.all", true)]
    #[case("#", "", true)]
    #[case("#.new", "shop.orders.new", true)]
    #[case("#.new", "new", true)]
    #[case("*.#.new", "new", false)]
    #[case("*.*", "a.b", true)]
    #[case("a.#.b.#.c", "a.x.b.c", true)]
    #[case("a.#.b.#.c", "a.x.c", false)]
    fn a_topic_binding_fits_by_words(#[case] pattern: &str, #[case] key: &str, #[case] fit: bool) {
        assert_eq!(fits(pattern, key), fit);
    }

    #[test]
    fn a_delay_is_of_whole_seconds_from_now() {
        let now = Timestamp::from_second(1000).unwrap();
        let keys = |start| delayed_route(start, now, "q").map(|route| route.routing_key);
        let three = "0.".repeat(26) + "1.1.q";
        let at = |ms| Start::At(Timestamp::from_millisecond(ms).unwrap());
        assert_eq!(
            keys(Start::After(Duration::from_millis(3900))),
            Some(three.clone())
        );
        assert_eq!(keys(at(1_003_200)), Some(three));
        assert_eq!(keys(at(999_000)), None, "in the past: at once");
        assert_eq!(keys(Start::After(Duration::from_millis(900))), None);
    }
}
