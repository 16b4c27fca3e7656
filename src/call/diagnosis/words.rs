//! The verdicts in words, for people. Names in them come from others: they are to be shown safely.

mod lost;

use self::lost::{Again, TIMEOUT, lost_with};
use super::cause::Cause;
use super::verdict::{Span, Verdict};
use crate::call::Call;
use crate::protocol::{NodeName, QueueName};
use crate::text::human::count;

impl Verdict {
    /// In one sentence, for people. Names in it come from others: it is to be shown safely.
    pub fn line(&self) -> String {
        match self {
            Self::BrokerDown { .. }
            | Self::PublishersBlocked { .. }
            | Self::NoConsumer { .. }
            | Self::QueueMissing { .. }
            | Self::NotRegistered { .. } => self.no_way_in(),
            Self::ResultIgnored { .. }
            | Self::BackendMismatch { .. }
            | Self::BackendUnreachable { .. } => self.no_way_back(),
            Self::Expired { .. }
            | Self::Queued { .. }
            | Self::NotTaken { .. }
            | Self::Held { .. }
            | Self::WorkerBusy { .. }
            | Self::RateLimited { .. }
            | Self::QueueFine { .. } => self.waits(),
            Self::RetryWaiting { .. } | Self::Scheduled { .. } | Self::Running { .. } => {
                self.at_a_worker()
            }
            _ => self.out_of_sight(),
        }
    }

    fn no_way_in(&self) -> String {
        match self {
            Self::BrokerDown {
                reason,
                since_ms,
                retry_ms,
                result_backend_too,
            } => {
                let since = since_ms.lasting();
                let retry =
                    retry_ms.map_or_else(String::new, |span| format!(", next try in {span}"));
                if *result_backend_too {
                    let what = Cause::of(reason).what;
                    format!("the broker and the result backend are down{since}{retry}: {what}")
                } else {
                    format!("the broker is down{since}{retry}: {reason}")
                }
            }
            Self::PublishersBlocked { reason } => {
                format!("the broker blocks publishers, workers too: {reason}")
            }
            Self::NoConsumer { queue, waiting } => match waiting {
                Some(waiting) => format!("nobody reads queue {queue}: {} waiting", count(*waiting)),
                None => format!("nobody reads queue {queue}"),
            },
            Self::QueueMissing { queue } => {
                format!("queue {queue} is gone, and what was in it too")
            }
            Self::NotRegistered {
                task,
                queue,
                readers,
                lacking,
                elsewhere,
            } => {
                let who = lack(queue, *readers, *lacking);
                // What others have is not known where not even who lacks it has told its tasks.
                let others = match (lacking, elsewhere.is_empty()) {
                    (0, true) => String::new(),
                    _ => registered_elsewhere(elsewhere),
                };
                format!("{who} {task}{others}")
            }
            _ => String::new(),
        }
    }

    fn no_way_back(&self) -> String {
        match self {
            Self::ResultIgnored { task } => {
                format!("{task} ignores its result: no value comes back, whether it ran or not")
            }
            Self::BackendMismatch {
                workers_write_to,
                looked_for_in,
                workers,
                ..
            } => {
                let perhaps = if self.inferred() { "perhaps " } else { "" };
                let who = workers.first().map_or("the workers", NodeName::as_str);
                let whither = if workers_write_to.starts_with("rpc:") {
                    "to its caller alone"
                } else {
                    "elsewhere"
                };
                format!(
                    "{perhaps}the result goes {whither}: {who} writes to {workers_write_to}, umbel reads {looked_for_in}"
                )
            }
            Self::BackendUnreachable {
                address,
                reason,
                since_ms,
            } => {
                let since = since_ms.map_or_else(String::new, Span::lasting);
                format!("the result cannot be read: {address} is down{since} ({reason})")
            }
            _ => String::new(),
        }
    }

    fn waits(&self) -> String {
        match self {
            Self::Expired { dropped: true, .. } => {
                "it expired: a worker met it too late and dropped it unstarted".to_owned()
            }
            Self::Expired { ago_ms, .. } => {
                format!("it expired {ago_ms} ago: a worker that meets it will drop it")
            }
            Self::Queued {
                queue,
                waiting,
                wait_ms,
                readers,
                held,
            } => queued(queue, *waiting, *wait_ms, (*readers, *held)),
            Self::NotTaken {
                queue,
                waiting,
                workers,
            } => {
                let who = workers.first().map_or("its reader", NodeName::as_str);
                format!(
                    "{} waiting in {queue} and {who} has nothing to do: perhaps it lost its consumer, or a rate limit holds it up",
                    count(*waiting)
                )
            }
            Self::Held {
                worker,
                behind,
                held,
            } => held_by(worker, *behind, held.unwrap_or(0)),
            Self::WorkerBusy {
                worker,
                running,
                slots,
                oldest,
                oldest_ms,
                told_ms,
            } => {
                let longest = match (oldest, oldest_ms) {
                    (Some(task), Some(span)) => format!(", oldest {task} {span}"),
                    (Some(task), None) => format!(", oldest {task}"),
                    _ => String::new(),
                };
                match told_ms {
                    None => format!("{worker} is BUSY {running}/{slots}{longest}"),
                    Some(ago) => {
                        format!("{worker} was BUSY {running}/{slots} {ago} ago{longest} then")
                    }
                }
            }
            Self::RateLimited {
                task,
                limit,
                worker,
            } => {
                let limit = limit
                    .as_ref()
                    .map_or_else(String::new, |limit| format!(" of {limit}"));
                let who = worker.as_ref().map_or("a worker", NodeName::as_str);
                format!(
                    "perhaps held back by {who} for the rate limit{limit} of {task}: such tasks are in no list"
                )
            }
            Self::QueueFine { queue, waiting } => {
                format!("queue {queue} is fine ({} waiting)", count(*waiting))
            }
            _ => String::new(),
        }
    }

    fn at_a_worker(&self) -> String {
        match self {
            Self::RetryWaiting {
                left_ms,
                expires_first,
                retries,
                max,
                exception,
                worker,
                at,
            } => {
                let number = match (retries, max) {
                    (Some(retries), Some(max)) => format!(" {retries}/{max}"),
                    (Some(retries), None) => format!(" {retries}"),
                    _ => String::new(),
                };
                let when = match (left_ms, at) {
                    (Some(span), _) => format!(", next try in {span}"),
                    (None, Some(_)) => ", its time has come".to_owned(),
                    (None, None) => String::new(),
                };
                let over = if *expires_first {
                    ", but expires before that"
                } else {
                    ""
                };
                let at = on(worker.as_ref());
                let why = exception
                    .as_ref()
                    .map_or_else(String::new, |why| format!(": {why}"));
                format!("it failed and waits for retry{number}{at}{when}{over}{why}")
            }
            Self::Scheduled {
                at,
                left_ms,
                expires_first,
                worker,
            } => {
                let when = match (left_ms, expires_first) {
                    (None, _) => format!(": was due at {at}"),
                    (Some(span), false) => format!(": starts in {span}, at {at}"),
                    (Some(span), true) => {
                        format!(" in {span}, at {at}, but expires before that: no worker runs it")
                    }
                };
                format!("it is kept{} for its ETA{when}", on(worker.as_ref()))
            }
            Self::Running {
                worker,
                since_ms,
                told_ms,
                only_stored,
                usual,
            } => {
                let told = match told_ms {
                    Some(span) => format!(", last told {span} ago"),
                    None if *only_stored => {
                        ", as the result backend has kept it; no worker told of it".to_owned()
                    }
                    None => String::new(),
                };
                let slow = usual.zip(*since_ms);
                let slow = slow.and_then(|(usual, since)| usual.slower(since.0));
                let since = since_ms.map_or_else(String::new, |span| format!(" for {span}"));
                let slow = slow.map_or_else(String::new, |text| format!(": {text}"));
                format!("it runs{}{since}{told}{slow}", on(worker.as_ref()))
            }
            _ => String::new(),
        }
    }

    fn out_of_sight(&self) -> String {
        match self {
            Self::WorkerLost {
                worker,
                how,
                started,
                runs_again,
                after_visibility_timeout,
                back_in_queue,
                only_stored,
            } => {
                let again = Again::of(*runs_again, *after_visibility_timeout, *back_in_queue);
                lost_with(worker, (*how, *only_stored), *started, again)
            }
            Self::WorkerSilent {
                worker,
                heard_ms,
                solo,
                has_it,
            } => {
                let has = if *has_it { ", which has it," } else { "" };
                let solo = match (solo, heard_ms) {
                    (Some(true), _) => "; a solo pool cannot answer while it runs a task",
                    (Some(false), _) => "",
                    (None, Some(_)) => ": busy with a solo pool, hanging or cut off",
                    (None, None) => {
                        ": busy with a solo pool, without remote control, hanging, cut off or gone"
                    }
                };
                let heard =
                    heard_ms.map_or_else(String::new, |span| format!(", last heard {span} ago"));
                format!("{worker}{has} does not answer{heard}{solo}")
            }
            Self::ReaderUnheard { queue, readers } => reader_unheard(queue, *readers),
            Self::WorkerUnheard { workers } => worker_unheard(*workers),
            Self::TakenUnseen {
                queue,
                taken,
                of_all_queues,
            } => taken_unseen(queue, *taken, *of_all_queues),
            Self::PoolUnseen {
                worker,
                running,
                slots,
            } => {
                let full = running.zip(*slots);
                let full = full.map_or_else(String::new, |(running, slots)| {
                    format!(", which runs {running}/{slots} and")
                });
                format!(
                    "perhaps it waits in the pool of {worker}{full} does not list what waits there"
                )
            }
            Self::Redelivered {
                worker,
                started: true,
                ..
            } => started_again(worker),
            Self::Redelivered { worker, .. } => delivered_again(worker),
            Self::Lost { queue, replied } => lost(queue, *replied),
            Self::NoRecord { replied, of } => no_record(*replied, *of),
            Self::NotKnown { of: 0, .. } => "nothing is known of it: no worker answers".to_owned(),
            Self::NotKnown { replied, of } => {
                format!("nothing is known yet: {replied} of {of} workers answered")
            }
            _ => String::new(),
        }
    }
}

/// What is to be known of a call that was started, or delivered, for a second time.
pub fn begun_again(call: &Call) -> Option<String> {
    let started = call.started_again();
    let started = started.map(|(worker, _)| started_again(worker));
    let delivered = || Some(delivered_again(call.delivered_again()?.0));
    Some(format!("it was {}", started.or_else(delivered)?))
}

/// That one attempt was seen to start for a second time; the timeline says when.
fn started_again(worker: &NodeName) -> String {
    format!("started again on {worker}: it may have run twice")
}

/// That the broker delivered it a second time says nothing of the first: its worker may have stopped before it started it.
fn delivered_again(worker: &NodeName) -> String {
    format!("delivered a second time, to {worker}: whether it had started before is not known")
}

fn reader_unheard(queue: &QueueName, readers: u64) -> String {
    let who = match readers {
        1 => "one reader".to_owned(),
        _ => format!("{readers} readers"),
    };
    format!(
        "perhaps it is at {who} of {queue} that did not answer: busy with a solo pool, frozen, or no Celery worker"
    )
}

fn worker_unheard(workers: u64) -> String {
    let who = match workers {
        1 => "a worker that heard us and did not answer".to_owned(),
        _ => format!("one of {workers} workers that heard us and did not answer"),
    };
    format!("perhaps it is at {who}: busy with a solo pool, or frozen; what it reads is not known")
}

fn lost(queue: &QueueName, replied: usize) -> String {
    let nobody = match replied {
        1 => "the one worker that answered does not have it".to_owned(),
        _ => format!("none of the {replied} workers that answered has it"),
    };
    format!("no trace of it: queue {queue} is empty, {nobody}, nothing is stored")
}

fn no_record(replied: usize, of: usize) -> String {
    let asked = match (replied, of) {
        (_, 0) => "no worker answers".to_owned(),
        (0, _) => format!("none of {of} workers answered"),
        _ => format!("{replied} of {of} workers answered, and none has it"),
    };
    format!(
        "{asked}; it was not sent from here: it may wait in a queue, its result may be gone or elsewhere, or it was never sent"
    )
}

fn on(worker: Option<&NodeName>) -> String {
    worker.map_or_else(String::new, |worker| format!(" on {worker}"))
}

fn held_by(worker: &NodeName, behind: Option<u64>, held: u64) -> String {
    let more = match held {
        0 => String::new(),
        held => format!(" and at most {} held", count(held)),
    };
    match (behind, held) {
        (None, _) => format!("held by {worker}, not started"),
        (Some(0), 0) => format!("held by {worker}, which runs nothing else"),
        (Some(0), held) => format!(
            "held by {worker}, which runs nothing else, behind at most {} held",
            count(held)
        ),
        (Some(behind), _) => format!("held by {worker} behind {behind} running{more}"),
    }
}

fn queued(
    queue: &QueueName,
    waiting: u64,
    wait: Option<Span>,
    (readers, held): (usize, Option<u64>),
) -> String {
    let ahead = match waiting {
        1 => "it alone waits".to_owned(),
        _ => format!("{} waiting, it among them", count(waiting)),
    };
    let wait = wait.map_or_else(String::new, |span| format!(", wait~ {span} at most"));
    let readers = match readers {
        1 => ", 1 worker reads it".to_owned(),
        _ => format!(", {readers} workers read it"),
    };
    let held = held
        .filter(|held| *held > 0)
        .map_or_else(String::new, |held| {
            format!(", {} taken before and not started", count(held))
        });
    format!("in queue {queue}: {ahead}{wait}{readers}{held}")
}

/// Whoever of the readers lacks the task.
fn lack(queue: &QueueName, readers: usize, lacking: usize) -> String {
    match (readers, lacking) {
        (1, 1) => format!("the one worker that reads {queue} does not have"),
        (_, 0) => format!("a worker that read {queue} did not have"),
        _ if lacking < readers => {
            let verb = if lacking == 1 { "does" } else { "do" };
            format!("{lacking} of the {readers} workers that read {queue} {verb} not have")
        }
        _ => format!("none of the {readers} workers that read {queue} has"),
    }
}

fn registered_elsewhere(elsewhere: &[(NodeName, Vec<QueueName>)]) -> String {
    let Some((node, queues)) = elsewhere.first() else {
        return ", nor has any other that answered".to_owned();
    };
    let queues: Vec<&str> = queues.iter().map(QueueName::as_str).collect();
    let more = match elsewhere.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let reads = if queues.is_empty() {
        String::new()
    } else {
        format!(" (reads {})", queues.join(", "))
    };
    format!("; {node}{reads}{more} has it")
}

fn taken_unseen(queue: &QueueName, taken: u64, of_all_queues: bool) -> String {
    let place = if of_all_queues {
        "all queues"
    } else {
        queue.as_str()
    };
    format!(
        "perhaps a worker took it and died: {} unacknowledged in {place}, given out again after {TIMEOUT}",
        count(taken)
    )
}
