//! What is true of every revoke, said beside what came of one. Pure.

use crate::cluster::Cluster;

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
        let pool = |worker: &&crate::cluster::Worker| {
            let pool = worker.stats.as_ref().and_then(|stats| stats.pool.as_ref());
            pool.is_some_and(|pool| pool.contains(wanted))
        };
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
    let at_once = |worker: &crate::cluster::Worker| worker.version() >= Some(WRITES_AT_ONCE);
    if cluster.answering().any(at_once) {
        truths.push(
            "Celery 5.6 and later write REVOKED at once, also for an id that never existed: that state proves nothing".to_owned(),
        );
    }
    truths
}
