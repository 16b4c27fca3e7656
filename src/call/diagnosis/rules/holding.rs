//! What keeps a task from starting: the queue before it, busy slots, a rate limit, its retry, its ETA.

use std::time::Duration;

use super::{SETTLE, expiry, item, loss};
use crate::call::CallState;
use crate::call::diagnosis::verdict::at;
use crate::call::diagnosis::{Case, Loss, Span, Verdict};
use crate::clock::Timestamp;
use crate::cluster::{Queue, RATE_LIMIT, Worker, WorkerState};
use crate::protocol::message::Start;
use crate::protocol::{NodeName, TaskId, TaskName};

/// Busy workers that are told.
const MOST: usize = 3;
/// Workers are asked every few seconds what they run: an answer from before that may be over.
const LOAD_TOLD: Duration = Duration::from_secs(6);

/// It is in its queue, which is read.
pub(super) fn queued(case: &Case<'_>) -> Vec<Verdict> {
    let Some(queue) = waits_in(case) else {
        return Vec::new();
    };
    let waiting = queue.ready.unwrap_or(0);
    let wait = queue.drain_per_s().map(|rate| waiting as f64 / rate);
    let wait = wait.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    vec![Verdict::Queued {
        queue: queue.name.clone(),
        waiting,
        wait_ms: wait.map(Span),
        readers: case.answering_readers().count(),
        held: case.answering_readers().map(|it| holds(case, it)).sum(),
    }]
}

/// The queue in which it waits among others, if somebody reads it.
pub(super) fn waits_in<'a>(case: &Case<'a>) -> Option<&'a Queue> {
    let back = case.retry_is_due() && !case.listed() && case.everybody_denies();
    let queue = case
        .fresh_queue()
        .filter(|_| (case.only_sent() || back) && case.broker_up())?;
    let read = queue
        .consumers
        .unwrap_or_else(|| case.answering_readers().count() as u64)
        > 0;
    (read && queue.ready.is_some_and(|ready| ready > 0)).then_some(queue)
}

/// The slots that it waits for are taken.
pub(super) fn busy(case: &Case<'_>) -> Vec<Verdict> {
    let mut found = Vec::new();
    let back = case.retry_is_due() && !case.listed();
    let holder = case.worker().filter(|_| !case.only_sent() && !back);
    if let Some(worker) = holder.filter(|_| held(case)) {
        found.push(Verdict::Held {
            worker: worker.name.clone(),
            behind: load_age(case, worker)
                .filter(|age| *age < LOAD_TOLD)
                .map(|_| others(case, worker)),
            held: load_age(case, worker)
                .filter(|age| *age < LOAD_TOLD)
                .and_then(|_| holds(case, worker)),
        });
    }
    let suspects: Vec<&Worker> = match holder {
        // What runs, or waits for its time, or is no longer there, waits for no slot.
        Some(worker) if held(case) => vec![worker],
        Some(_) => in_its_pool(case).into_iter().collect(),
        // Workers are the reason only if it still waits, and if none of them is free.
        None if waits_in(case).is_some() && case.answering_readers().all(is_busy) => {
            case.answering_readers().take(MOST).collect()
        }
        None => Vec::new(),
    };
    let busy = suspects.into_iter().filter(|worker| is_busy(worker));
    found.extend(busy.filter_map(|worker| taken(case, worker)));
    found
}

/// What its worker runs beside it, all slots of it.
pub(super) fn beside(case: &Case<'_>) -> Vec<Verdict> {
    let runs = case.call.whereabouts() == Some(CallState::Run) && loss(case).is_none();
    let worker = case.worker().filter(|worker| runs && is_busy(worker));
    worker
        .and_then(|worker| taken(case, worker))
        .into_iter()
        .collect()
}

/// The worker that received it and has it in no list, if it may wait in the pool of that one.
pub(super) fn in_its_pool<'a>(case: &Case<'a>) -> Option<&'a Worker> {
    let asked = case.call.inquiry.asked.unwrap_or(case.now).mono;
    let holder = case.worker().filter(|_| out_of_lists(case));
    holder.filter(|worker| worker.may_hide(asked))
}

/// Whether a worker has it in its hands and has not started it, and not because of the time.
fn held(case: &Case<'_>) -> bool {
    let unstarted = case.call.whereabouts() == Some(CallState::Recv) && start(case).is_none();
    let again = case.retry_is_due() && case.listed();
    (unstarted || again) && loss(case).is_none()
}

fn is_busy(worker: &Worker) -> bool {
    worker.state() == WorkerState::Busy
}

/// Tasks that a worker runs, this one not counted.
fn others(case: &Case<'_>, worker: &Worker) -> u64 {
    let active = worker.active.iter().flatten();
    active.filter(|task| task.id != *case.call.id()).count() as u64
}

/// How long ago a worker was asked for what it runs, if that was after the call went a step further: before that slots were free, or
/// took other tasks.
fn load_age(case: &Case<'_>, worker: &Worker) -> Option<Duration> {
    let timeline = &case.call.timeline;
    let began = timeline.last_started.or(timeline.published)?;
    let asked = worker.running_at().filter(|asked| *asked > began.mono)?;
    Some(case.now.mono.since(asked))
}

/// Tasks that a worker took and did not start, this one not counted, if it told them.
fn holds(case: &Case<'_>, worker: &Worker) -> Option<u64> {
    let runs = |id: &TaskId| worker.active.iter().flatten().any(|task| task.id == *id);
    let held = worker.reserved.as_ref()?.iter();
    let others = held.filter(|task| task.id != *case.call.id() && !runs(&task.id));
    Some(others.count() as u64)
}

/// Why a worker is busy, where that is not this call alone.
fn taken(case: &Case<'_>, worker: &Worker) -> Option<Verdict> {
    let active = worker.active.iter().flatten();
    let others = active.filter(|task| task.id != *case.call.id());
    let oldest = others.min_by(|one, other| {
        let start = |task: &crate::protocol::control::HeldTask| task.started.unwrap_or(f64::MAX);
        start(one).total_cmp(&start(other))
    });
    let (oldest, ago) = (oldest?, load_age(case, worker)?);
    let running = worker.running()?;
    let age = oldest.started.and_then(|started| {
        let now = case.now.wall.as_millisecond() as f64 / 1000.0;
        // A worker's clock may be ahead: no age is told then. Since it told that, it may have ended.
        Duration::try_from_secs_f64(now - ago.as_secs_f64() - started).ok()
    });
    Some(Verdict::WorkerBusy {
        worker: worker.name.clone(),
        running,
        slots: worker.slots()?,
        oldest: Some(oldest.name.clone()),
        oldest_ms: age.map(Span),
        told_ms: Some(Span(ago)).filter(|ago| ago.0 >= LOAD_TOLD),
    })
}

/// Perhaps a rate limit keeps it, or keeps the worker from taking it: such tasks are in no list (protocol.md 11.5).
pub(super) fn rate_limited(case: &Case<'_>) -> Vec<Verdict> {
    let sent = case.call.timeline.confirmed;
    let settled = sent.is_some_and(|at| case.now.mono.since(at.mono) >= SETTLE);
    if !settled || !case.broker_up() {
        return Vec::new();
    }
    let limit = limit_of(case, case.task());
    let hidden = if case.only_sent() {
        let queue = case.fresh_queue();
        let read = queue.is_some_and(|queue| {
            queue.consumers.unwrap_or(1) > 0
                && queue.ready == Some(0)
                && !(queue.held.of_queue() == Some(0) && case.held_is_fresh())
        });
        (read && limit.is_some() && case.everybody_denies()).then_some(None)
    } else {
        let worker = case.call.worker.clone();
        (out_of_lists(case) && (limit.is_some() || !limits_told(case))).then_some(worker)
    };
    if let Some(worker) = hidden {
        return vec![Verdict::RateLimited {
            task: case.task().clone(),
            limit: limit.map(str::to_owned),
            worker,
        }];
    }
    not_taken(case).into_iter().collect()
}

/// Whether a worker received it, and has it in no list although it did not start it nor waits for its time.
fn out_of_lists(case: &Case<'_>) -> bool {
    case.call.whereabouts() == Some(CallState::Recv)
        && loss(case) == Some(Loss::Denied)
        && start(case).is_none()
}

/// Whether the worker that has it told which of its tasks have a limit.
fn limits_told(case: &Case<'_>) -> bool {
    case.worker()
        .is_some_and(|worker| worker.items.contains_key(RATE_LIMIT))
}

/// Whether what a worker received went out of its lists, and no limit hides it there nor its pool.
pub(super) fn vanished_unstarted(case: &Case<'_>) -> bool {
    let unlimited = limits_told(case) && limit_of(case, case.task()).is_none();
    out_of_lists(case) && unlimited && in_its_pool(case).is_none()
}

/// It waits in its queue, and its readers have nothing to do and do not take it.
fn not_taken(case: &Case<'_>) -> Option<Verdict> {
    let queue = waits_in(case)?;
    let idle = |worker: &Worker| {
        let nothing = |tasks: &Option<Vec<_>>| tasks.as_ref().is_some_and(Vec::is_empty);
        nothing(&worker.active) && nothing(&worker.reserved)
    };
    let readers: Vec<&Worker> = case.answering_readers().collect();
    if readers.is_empty() || !readers.iter().all(|worker| idle(worker)) || !case.everybody_denies()
    {
        return None;
    }
    let limited = readers.iter().find_map(|worker| {
        let limits = worker.items.get(RATE_LIMIT)?;
        let (task, limit) = limits.iter().find(|(_, limit)| is_limit(limit))?;
        Some((worker.name.clone(), task.clone(), limit.clone()))
    });
    Some(match limited {
        Some((worker, task, limit)) => Verdict::RateLimited {
            task,
            limit: Some(limit),
            worker: Some(worker),
        },
        None => Verdict::NotTaken {
            queue: queue.name.clone(),
            waiting: queue.ready.unwrap_or(0),
            workers: names(&readers),
        },
    })
}

fn names(workers: &[&Worker]) -> Vec<NodeName> {
    workers.iter().map(|worker| worker.name.clone()).collect()
}

fn limit_of<'a>(case: &Case<'a>, task: &TaskName) -> Option<&'a str> {
    let workers = case.cluster().workers.values();
    let mut limits = workers.filter_map(|worker| worker.items.get(RATE_LIMIT)?.get(task));
    limits.find(|limit| is_limit(limit)).map(String::as_str)
}

/// `None`, `0` and `0/m` are no limits (protocol.md 11.5).
fn is_limit(text: &str) -> bool {
    let number = text.split('/').next().unwrap_or_default();
    number.parse::<f64>().is_ok_and(|number| number > 0.0)
}

/// That its worker lists it nowhere means nothing: it waits for a retry that an older worker does not list.
pub(super) fn denial_is_usual(case: &Case<'_>) -> bool {
    case.call.whereabouts() == Some(CallState::Retry)
}

/// Its time has not come: the next try, or its ETA.
pub(super) fn waiting(case: &Case<'_>) -> Vec<Verdict> {
    let call = case.call;
    let left = |eta: Timestamp| {
        let left = eta.duration_since(case.now.wall);
        Duration::try_from(left).ok().map(Span)
    };
    let expires_before = |eta: Timestamp| expiry(case).is_some_and(|over| over < eta);
    match call.whereabouts() {
        Some(CallState::Retry) => {
            let eta = call.kept_until();
            // Any reader of the queue may get it: who keeps it is known once one told so, until its time is over.
            let kept = (eta.is_some() && !case.retry_is_due()) || case.listed();
            vec![Verdict::RetryWaiting {
                at: eta.map(at),
                left_ms: eta.and_then(left),
                expires_first: eta.is_some_and(expires_before),
                retries: call.retries,
                max: item(case, "max_retries").and_then(|text| text.parse().ok()),
                exception: call.headline(),
                worker: call.worker.clone().filter(|_| case.broker_up() && kept),
            }]
        }
        Some(CallState::Recv | CallState::Sent) => start(case)
            .map(|eta| Verdict::Scheduled {
                at: at(eta),
                left_ms: left(eta),
                expires_first: expires_before(eta),
                worker: call.worker.clone().filter(|_| case.broker_up()),
            })
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

/// When it may start, if that is not over: as the worker told it, else as it was ordered.
fn start(case: &Case<'_>) -> Option<Timestamp> {
    let call = case.call;
    let sent = call.timeline.published;
    let ordered = call.signature.options.start.and_then(|start| match start {
        Start::After(span) => Some(sent?.plus(span).wall),
        Start::At(at) => Some(at),
    });
    call.kept_until()
        .or(ordered)
        .filter(|eta| *eta > case.now.wall)
}
