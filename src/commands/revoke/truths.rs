//! What is true of every revoke, said beside what came of one. Pure.

use crate::cluster::{Cluster, Worker};

/// The first Celery that writes REVOKED at once, whatever is known of the id (protocol.md 8).
const WRITES_AT_ONCE: (u64, u64) = (5, 6);

/// What a revoke does and does not, with these workers.
pub fn truths(cluster: &Cluster, terminate: bool) -> Vec<String> {
    let mut truths = vec![if terminate {
        "terminate kills the process, which may by then run another task".to_owned()
    } else {
        "a task that already runs goes on; --terminate kills its process where the pool is prefork"
            .to_owned()
    }];
    truths.push(
        "revoked ids are kept in the memory of the workers only: one that starts later does not know them".to_owned(),
    );
    let named = |wanted: &str| {
        let pool = |worker: &&Worker| worker.pool().is_some_and(|pool| pool.contains(wanted));
        let names = cluster
            .answering()
            .filter(pool)
            .map(|it| it.name.to_string());
        names.collect::<Vec<_>>().join(", ")
    };
    for (pool, can) in [
        ("thread", "threads cannot be killed"),
        (
            "solo",
            "a solo worker hears it only when its task has ended",
        ),
    ] {
        let workers = named(pool);
        if terminate && !workers.is_empty() {
            truths.push(format!("{workers}: {can}"));
        }
    }
    let at_once = |worker: &Worker| worker.version() >= Some(WRITES_AT_ONCE);
    if cluster.answering().any(at_once) {
        truths.push(
            "Celery 5.6 and later write REVOKED at once, also for an id that never existed: that state proves nothing".to_owned(),
        );
    }
    truths
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Now;
    use crate::cluster::{Answer, Heard};
    use crate::protocol::control::Stats;

    #[test]
    fn what_cannot_be_killed_is_told_by_the_pool_of_its_worker() {
        let mut cluster = Cluster::default();
        let pools = [
            ("w1@h", Some("solo")),
            ("w2@h", Some("threads")),
            ("w3@h", Some("prefork")),
            ("w4@h", None),
        ];
        for (node, pool) in pools {
            let stats = Stats {
                pool: pool.map(str::to_owned),
                ..Stats::default()
            };
            let heard = Heard::Answer {
                node: node.into(),
                answer: Answer::Stats(stats),
                took: Duration::ZERO,
            };
            cluster.apply(heard, Now::fixed(Duration::from_secs(1)));
        }
        let told = truths(&cluster, true);
        let of_workers: Vec<&String> = told.iter().filter(|it| it.contains("@h")).collect();
        assert_eq!(
            of_workers,
            [
                "w2@h: threads cannot be killed",
                "w1@h: a solo worker hears it only when its task has ended"
            ]
        );
        assert!(truths(&cluster, false).iter().all(|it| !it.contains("@h")));
    }
}
