//! The rules, in the order in which their verdicts are told. Each looks at what was told and says what that proves or makes likely.

mod backend;
mod holder;
mod holding;
mod unseen;

use std::time::Duration;

pub(super) use self::backend::to_caller;
use self::holder::loss;
use super::{Advice, Case, Loss, Span, Verdict, Way};
use crate::broker::Reach;
use crate::call::CallState;
use crate::call::kept_at::can_be_read;
use crate::clock::Timestamp;
use crate::cluster::{Kept, Worker};
use crate::protocol::{NodeName, QueueName};

/// How long after it was sent nothing at all may be concluded from silence.
const SETTLE: Duration = Duration::from_millis(1_500);

/// Finds what it looks for.
type Rule = fn(&Case<'_>) -> Vec<Verdict>;

/// What a rule tells of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// The call, the links, and what was ordered: that holds whoever can be asked.
    Call,
    /// Queues and workers as they are now: while the broker is down that is not known.
    Cluster,
}

/// All rules, in their order.
const RULES: [(Of, Rule); 18] = [
    (Of::Call, broker),
    (Of::Cluster, no_consumer),
    (Of::Cluster, not_registered),
    (Of::Call, ignored),
    (Of::Cluster, backend::mismatch),
    (Of::Call, backend::unreachable),
    (Of::Call, expired),
    (Of::Cluster, holding::queued),
    (Of::Cluster, holding::busy),
    (Of::Cluster, holding::rate_limited),
    (Of::Call, holding::waiting),
    (Of::Call, running),
    (Of::Cluster, holding::beside),
    (Of::Cluster, holder::worker_lost),
    (Of::Cluster, holder::silent),
    (Of::Cluster, unseen::in_a_pool),
    (Of::Cluster, unseen::taken),
    (Of::Call, holder::redelivered),
];

/// All that the rules find, in their order.
pub(super) fn verdicts(case: &Case<'_>) -> Vec<Verdict> {
    if case.call.whereabouts().is_none() {
        return of_the_end(case);
    }
    let up = case.broker_up();
    let rules = RULES.iter().filter(|(of, _)| up || *of == Of::Call);
    let mut found: Vec<Verdict> = rules.flat_map(|(_, rule)| rule(case)).collect();
    if up {
        found.extend(unseen::lost(case, &found));
        found.extend(backend::doubt(case));
    }
    if found.is_empty() {
        let (replied, of) = case
            .asked()
            .map_or((0, case.cluster().workers.len()), |asked| {
                (asked.replied, asked.of)
            });
        found.push(if case.call.is_strange() {
            Verdict::NoRecord { replied, of }
        } else {
            Verdict::NotKnown { replied, of }
        });
    }
    if up && holding::waits_in(case).is_none() {
        found.extend(queue_fine(case));
    }
    found
}

/// Why a call ended as it did, where its result does not say it.
fn of_the_end(case: &Case<'_>) -> Vec<Verdict> {
    match case.call.state() {
        CallState::Unsent => broker(case),
        CallState::NoResult => ignored(case),
        CallState::NoTask => not_registered(case),
        CallState::Expired => expired(case),
        _ => Vec::new(),
    }
}

fn broker(case: &Case<'_>) -> Vec<Verdict> {
    match case.scene.broker {
        Way::Down {
            since,
            reason,
            retry_at,
        } => {
            let together = backend::down_with_broker(case);
            let (since, retry_at) = together.unwrap_or((*since, *retry_at));
            vec![Verdict::BrokerDown {
                reason: reason.clone(),
                since_ms: Span(case.now.mono.since(since.mono)),
                retry_ms: retry_at.map(|at| Span(at.mono.since(case.now.mono))),
                result_backend_too: together.is_some(),
            }]
        }
        Way::Blocked(reason) => vec![Verdict::PublishersBlocked {
            reason: reason.clone(),
        }],
        Way::Up | Way::Unknown => Vec::new(),
    }
}

/// Nobody reads the queue, and no worker has taken the task before.
fn no_consumer(case: &Case<'_>) -> Vec<Verdict> {
    let Some(queue) = case
        .queue()
        .filter(|_| case.only_sent() && case.broker_up())
    else {
        return nobody_at_all(case);
    };
    if queue.missing {
        return vec![Verdict::QueueMissing {
            queue: queue.name.clone(),
        }];
    }
    let nobody = match queue.consumers {
        Some(consumers) => consumers == 0,
        // Redis counts no consumers, but whoever hears requests: if all of them answered, there are no other readers.
        None => everybody_heard(case) && case.answering_readers().next().is_none(),
    };
    // From an empty queue it was taken: who reads it now is no matter.
    let waits = case.fresh_queue().is_some_and(|it| it.ready > Some(0));
    (nobody && waits)
        .then(|| Verdict::NoConsumer {
            queue: queue.name.clone(),
            waiting: queue.ready,
        })
        .into_iter()
        .collect()
}

/// The same where the queue was never looked at: nobody hears requests.
fn nobody_at_all(case: &Case<'_>) -> Vec<Verdict> {
    let nobody = nobody_listens(case);
    let queue = case.call.queue.clone();
    let queue = queue.filter(|_| nobody && case.only_sent() && case.broker_up());
    queue
        .map(|queue| Verdict::NoConsumer {
            queue,
            waiting: None,
        })
        .into_iter()
        .collect()
}

fn nobody_listens(case: &Case<'_>) -> bool {
    let asked = case.cluster().asked;
    matches!(asked, Some((_, Reach::Nobody | Reach::Listeners(0))))
}

/// Whether a request reaches no worker. What is revoked they keep in their memory: one that is started later knows nothing of it.
fn nobody_hears(case: &Case<'_>) -> bool {
    let mut workers = case.cluster().workers.values().peekable();
    let all_gone = workers.peek().is_some() && workers.all(|worker| case.gone(worker));
    case.broker_up() && (nobody_listens(case) || (all_gone && case.unheard_readers() == 0))
}

fn everybody_heard(case: &Case<'_>) -> bool {
    match case.cluster().asked {
        Some((_, Reach::Nobody)) => true,
        Some((_, Reach::Listeners(count))) => {
            let told = case.cluster().answering().filter(|it| it.queues.is_some());
            count <= told.count() as u64
        }
        _ => false,
    }
}

/// Every reader of the queue told its tasks, and none has this one; or one of them said so by its result.
fn not_registered(case: &Case<'_>) -> Vec<Verdict> {
    let (Some(queue), task) = (&case.call.queue, case.task()) else {
        return Vec::new();
    };
    let said = case.call.state() == CallState::NoTask;
    // Once the broker is down, what the workers have is not known.
    let up = case.broker_up();
    let told: Vec<&Worker> = case
        .answering_readers()
        .filter(|it| up && it.tasks.is_some())
        .collect();
    let all_told = match case.queue().and_then(|queue| queue.consumers) {
        Some(consumers) => consumers == told.len() as u64,
        None => everybody_heard(case),
    };
    let none_has = told.iter().all(|worker| worker.knows(task) == Some(false));
    let proved = !told.is_empty() && all_told && none_has && case.only_sent();
    if !said && !proved {
        return Vec::new();
    }
    let lacking = told.iter().filter(|it| it.knows(task) == Some(false));
    let lacking = lacking.count();
    vec![Verdict::NotRegistered {
        task: task.clone(),
        queue: queue.clone(),
        readers: told.len().max(usize::from(said)),
        // Who answered with NotRegistered may be gone since, or have told nothing.
        lacking,
        elsewhere: if up { elsewhere(case) } else { Vec::new() },
    }]
}

/// Workers that have the task, with the queues they read.
fn elsewhere(case: &Case<'_>) -> Vec<(NodeName, Vec<QueueName>)> {
    let having = case
        .cluster()
        .answering()
        .filter(|worker| worker.knows(case.task()) == Some(true));
    let queues = |worker: &Worker| {
        let queues = worker.queues.iter().flatten();
        queues.map(|queue| queue.name.clone()).collect()
    };
    having
        .map(|worker| (worker.name.clone(), queues(worker)))
        .collect()
}

fn ignored(case: &Case<'_>) -> Vec<Verdict> {
    let ended = case.call.whereabouts().is_none();
    // While a worker has it, that is no reason to wait.
    let out_of_sight = case.only_sent() || loss(case).is_some();
    let reason = ignores(case) && (ended || out_of_sight);
    let task = case.task().clone();
    reason
        .then_some(Verdict::ResultIgnored { task })
        .into_iter()
        .collect()
}

/// Whether its end comes by event alone, because the task keeps no result.
pub(super) fn ignores(case: &Case<'_>) -> bool {
    // Whatever was declared: a state came back.
    if case.call.was_read() {
        return false;
    }
    match case.call.signature.options.ignore_result {
        Some(wish) => wish,
        None => case
            .cluster()
            .task(case.task())
            .is_some_and(|row| row.kept == Kept::Ignored),
    }
}

/// When it expires, by our clock: with every try, and whoever gets it.
pub(super) fn expiry(case: &Case<'_>) -> Option<Timestamp> {
    let sent = case.call.timeline.published?.wall;
    case.call.signature.options.expiry(sent)
}

/// Its `expires` passed before it was started, or while it waits for a retry: a worker looks at it each time.
fn expired(case: &Case<'_>) -> Vec<Verdict> {
    let call = case.call;
    let dropped = call.state() == CallState::Expired;
    let over = expiry(case);
    let waits = call.whereabouts() != Some(CallState::Run);
    let passed = waits && over.is_some_and(|over| case.now.wall > over);
    let ago = over.map(|over| case.now.wall.duration_since(over));
    let ago = ago.and_then(|ago| Duration::try_from(ago).ok());
    let ago = ago.unwrap_or_default();
    (dropped || passed)
        .then_some(Verdict::Expired {
            ago_ms: Span(ago),
            dropped,
        })
        .into_iter()
        .collect()
}

/// It runs, as far as its worker or the backend told last.
fn running(case: &Case<'_>) -> Vec<Verdict> {
    let call = case.call;
    if call.whereabouts() != Some(CallState::Run) {
        return Vec::new();
    }
    if loss(case).is_some() {
        return Vec::new();
    }
    let ago = |told: crate::clock::Now| Span(case.now.mono.since(told.mono));
    let told = call.inquiry.told.map(ago);
    vec![Verdict::Running {
        worker: call.worker.clone(),
        since_ms: call.timeline.last_started.map(ago),
        told_ms: told.filter(|_| !super::place::confirmed(case)),
        only_stored: told.is_none(),
        usual: case.scene.usual,
    }]
}

/// An attribute of the task, as any worker told it.
pub(super) fn item<'a>(case: &Case<'a>, name: &str) -> Option<&'a str> {
    case.cluster().item(case.task(), name)
}

/// At a worker already: its queue is not the reason.
fn queue_fine(case: &Case<'_>) -> Option<Verdict> {
    let queue = case.fresh_queue().filter(|_| !case.only_sent())?;
    let fine = queue.consumers.is_some_and(|count| count > 0)
        && queue.trouble() == crate::cluster::QueueTrouble::Fine;
    fine.then(|| Verdict::QueueFine {
        queue: queue.name.clone(),
        waiting: queue.ready.unwrap_or(0),
    })
}

/// What can be done, given the reasons.
pub(super) fn advice(case: &Case<'_>, why: &[Verdict]) -> Vec<Advice> {
    let mut next: Vec<Advice> = why.iter().filter_map(cure).collect();
    let lost = |it: &Verdict| matches!(it, Verdict::WorkerLost { .. });
    let gone = |it: &Verdict| matches!(it, Verdict::WorkerLost { how, .. } if *how == Loss::Gone);
    // One that is lost for good is not given out again, whoever reads its queue.
    let lost_for_good = |it: &Verdict| {
        matches!(
            it,
            Verdict::WorkerLost {
                runs_again: Some(false),
                ..
            }
        )
    };
    let comes_back = why.iter().any(gone) && !why.iter().any(lost_for_good);
    if comes_back && case.answering_readers().next().is_none() {
        let queue = case.call.queue.clone();
        next.extend(queue.map(|queue| Advice::StartWorker { queue }));
    }
    if let Some(state) = case.call.whereabouts() {
        let over = why.iter().any(|it| match it {
            Verdict::Lost { .. } => true,
            Verdict::WorkerLost {
                runs_again, how, ..
            } => *runs_again == Some(false) || matches!(how, Loss::Denied | Loss::Unseen),
            _ => false,
        });
        let unseen = |it: &Verdict| matches!(it, Verdict::BackendMismatch { .. });
        let unseen = why.iter().any(|it| unseen(it) && !it.inferred());
        if !unseen {
            next.push(Advice::Wait);
        }
        let strange = case.call.is_strange();
        let nowhere = strange && case.only_sent();
        let none_answers = case.cluster().answering().next().is_none();
        let nobody = nobody_hears(case) || (why.iter().any(lost) && none_answers);
        if !over && !nowhere && !nobody {
            let runs = state == CallState::Run && !why.iter().any(lost);
            let kills = !case.worker().is_some_and(Worker::never_kills);
            next.extend(match (runs, kills) {
                (true, true) => Some(Advice::Terminate),
                (true, false) => None,
                (false, _) => Some(Advice::Revoke),
            });
        }
        // Of what was sent elsewhere the arguments are not known.
        if !strange {
            next.push(Advice::CallAgain { twice: true });
        }
    }
    next
}

fn cure(verdict: &Verdict) -> Option<Advice> {
    Some(match verdict {
        Verdict::NoConsumer { queue, .. } | Verdict::QueueMissing { queue } => {
            Advice::StartWorker {
                queue: queue.clone(),
            }
        }
        Verdict::NotRegistered {
            elsewhere, queue, ..
        } => {
            let mut others = elsewhere.iter().flat_map(|(_, queues)| queues);
            Advice::OtherQueue {
                queue: others.find(|other| *other != queue)?.clone(),
            }
        }
        Verdict::BackendMismatch {
            workers_write_to, ..
        } if can_be_read(workers_write_to) && !verdict.inferred() => Advice::ReadResultsAt {
            backend: workers_write_to.clone(),
        },
        Verdict::WorkerSilent {
            worker,
            solo: None | Some(false),
            ..
        } => Advice::LookAtWorker {
            worker: worker.clone(),
        },
        _ => return None,
    })
}
