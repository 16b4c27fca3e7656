//! One worker: takes tasks from its queue, runs as many as its pool has slots, answers control requests. Never shares its state.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::Instant;

use super::outbox::Outbox;
use super::raised::Raised;
use super::request::{Malformed, Request};
use super::revoked::Revoked;
use super::tasks::{self, Context, Stop, Task};
use super::time::Time;
use super::voice::Voice;
use crate::broker::memory::{Consumer, Delivered, MemoryServer};
use crate::clock::Timestamp;
use crate::protocol::{NodeName, QueueName, TaskName};

/// Messages taken ahead for each slot (`worker_prefetch_multiplier`).
const AHEAD: usize = 4;

/// What a worker is.
#[derive(Debug)]
pub(super) struct Profile {
    pub node: &'static str,
    pub pool: Pool,
    pub queue: &'static str,
    /// Its main process; the pool's processes have the numbers after it.
    pub pid: u64,
}

/// What runs its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pool {
    /// So many processes.
    Prefork(usize),
    /// Itself: while a task runs it hears nothing.
    Solo,
}

impl Pool {
    pub(super) fn slots(self) -> usize {
        match self {
            Self::Prefork(slots) => slots,
            Self::Solo => 1,
        }
    }
}

/// A worker.
pub(super) struct Worker {
    pub profile: &'static Profile,
    pub outbox: Outbox,
    pub desk: Desk,
    deliveries: Consumer,
    control: Consumer,
    running: JoinSet<()>,
    heard: Arc<Notify>,
}

/// What a worker has in hand.
#[derive(Default)]
pub(super) struct Desk {
    pub reserved: VecDeque<Held>,
    pub scheduled: Vec<Held>,
    pub active: BTreeMap<Id, Active>,
    pub revoked: Revoked,
    pub totals: BTreeMap<TaskName, u64>,
    /// Celery's logical clock.
    pub clock: u64,
}

/// A task that was taken and not started.
pub(super) struct Held {
    pub request: Arc<Request>,
    tag: u64,
}

/// A task that runs.
pub(super) struct Active {
    pub request: Arc<Request>,
    pub started: Timestamp,
    pub pid: u64,
    wanted: bool,
    handle: AbortHandle,
}

impl Worker {
    /// A worker that already reads its queue and hears requests; it deals with them when it runs.
    pub(super) fn new(profile: &'static Profile, server: &MemoryServer, time: Time) -> Self {
        let prefetch = profile.pool.slots() * AHEAD;
        Self {
            profile,
            deliveries: server.consume(&QueueName::from(profile.queue), prefetch),
            control: server.hear_control(&NodeName::from(profile.node)),
            outbox: Outbox {
                server: server.clone(),
                time,
                node: profile.node,
                voice: Voice::new(server, time, profile.node, profile.pid),
            },
            desk: Desk::default(),
            running: JoinSet::new(),
            heard: Arc::default(),
        }
    }

    /// Is told when the worker answered its first control request.
    pub(super) fn heard(&self) -> Arc<Notify> {
        Arc::clone(&self.heard)
    }

    /// Works until its queues are gone, or a malformed message kills it.
    pub(super) async fn run(mut self) {
        loop {
            let deaf = self.profile.pool == Pool::Solo && !self.desk.active.is_empty();
            let due = self.next_due();
            let alarm = async move {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let going = tokio::select! {
                Some(ended) = self.running.join_next_with_id() => {
                    self.ended(ended.map(|(id, ())| id));
                    true
                }
                request = self.control.next(), if !deaf => self.asked(request),
                delivered = self.deliveries.next(), if !deaf => self.delivered(delivered),
                () = alarm, if !deaf => self.fell_due(),
            };
            if !going {
                return;
            }
            self.start_reserved();
        }
    }

    fn asked(&mut self, delivered: Option<Delivered>) -> bool {
        let Some(delivered) = delivered else {
            return false;
        };
        self.control.ack(delivered.tag);
        if self.control_request(&delivered.message) {
            self.heard.notify_one();
        }
        true
    }

    /// Takes a message; `false`: it killed the worker.
    fn delivered(&mut self, delivered: Option<Delivered>) -> bool {
        let Some(delivered) = delivered else {
            return false;
        };
        let queue = QueueName::from(self.profile.queue);
        match Request::read(&delivered, &queue) {
            Ok(request) => self.receive(request, delivered.tag),
            Err(Malformed::Lost) => self.deliveries.ack(delivered.tag),
            Err(Malformed::Kills) => return false,
        }
        true
    }

    fn receive(&mut self, request: Request, tag: u64) {
        if tasks::find(request.task.as_str()).is_none() {
            let kind = ("celery.exceptions", "NotRegistered");
            let raised = Raised::bare(kind, vec![request.task.as_str().into()]);
            self.outbox.failed(&request, &raised);
            self.outbox.voice.failed(&request, &raised);
            self.deliveries.ack(tag);
            return;
        }
        let held = Held {
            request: Arc::new(request),
            tag,
        };
        let Some(held) = self.unless_revoked(held) else {
            return;
        };
        self.outbox.voice.received(&held.request);
        match held.request.eta {
            Some(eta) if eta > self.outbox.time.now() => self.desk.scheduled.push(held),
            _ => self.desk.reserved.push_back(held),
        }
    }

    /// Drops a task that was revoked or has expired, and says so.
    fn unless_revoked(&self, held: Held) -> Option<Held> {
        let request = &held.request;
        let now = self.outbox.time.now();
        let expired = request.expires.is_some_and(|expires| expires <= now);
        if !expired && !self.desk.revoked.contains(&request.id) {
            return Some(held);
        }
        let reason = if expired { "expired" } else { "revoked" };
        self.outbox.voice.revoked(request, reason);
        if is_wanted(request) {
            self.outbox.revoked(request, reason);
        }
        self.deliveries.ack(held.tag);
        None
    }

    fn next_due(&self) -> Option<Instant> {
        let etas = self
            .desk
            .scheduled
            .iter()
            .filter_map(|held| held.request.eta);
        etas.min().map(|eta| self.outbox.time.instant(eta))
    }

    fn fell_due(&mut self) -> bool {
        let now = self.outbox.time.now();
        let due = |held: &mut Held| held.request.eta.is_none_or(|eta| eta <= now);
        self.desk
            .reserved
            .extend(self.desk.scheduled.extract_if(.., due));
        true
    }

    fn start_reserved(&mut self) {
        while self.desk.active.len() < self.profile.pool.slots() {
            let Some(held) = self.desk.reserved.pop_front() else {
                return;
            };
            if let Some(held) = self.unless_revoked(held)
                && let Some(task) = tasks::find(held.request.task.as_str())
            {
                self.start(held, task);
            }
        }
    }

    fn start(&mut self, held: Held, task: &'static Task) {
        let Held { request, tag } = held;
        self.deliveries.ack(tag);
        let pid = self.free_process();
        let wanted = is_wanted(&request);
        let context = Context {
            outbox: self.outbox.clone(),
            request: Arc::clone(&request),
            wanted,
        };
        let handle = self.running.spawn(execute(task, context, pid));
        *self.desk.totals.entry(request.task.clone()).or_default() += 1;
        let active = Active {
            started: self.outbox.time.now(),
            request,
            pid,
            wanted,
            handle: handle.clone(),
        };
        self.desk.active.insert(handle.id(), active);
    }

    /// The process of the pool that has nothing to do; a solo pool is the worker itself.
    fn free_process(&self) -> u64 {
        let busy = |pid: &u64| self.desk.active.values().any(|active| active.pid == *pid);
        let free = self.processes().find(|pid| !busy(pid));
        free.unwrap_or(self.profile.pid)
    }

    /// The processes of the pool.
    pub(super) fn processes(&self) -> impl Iterator<Item = u64> + use<> {
        let pid = self.profile.pid;
        let (first, count) = match self.profile.pool {
            Pool::Prefork(slots) => (pid + 1, slots),
            Pool::Solo => (pid, 1),
        };
        (first..).take(count)
    }

    fn ended(&mut self, ended: Result<Id, tokio::task::JoinError>) {
        let (id, killed) = match ended {
            Ok(id) => (id, false),
            Err(error) => (error.id(), error.is_cancelled()),
        };
        let Some(active) = self.desk.active.remove(&id) else {
            return;
        };
        if !killed {
            return;
        }
        self.outbox.voice.revoked(&active.request, "terminated");
        if active.wanted {
            self.outbox.revoked(&active.request, "terminated");
        }
    }

    /// Messages the worker takes ahead.
    pub(super) fn prefetch(&self) -> usize {
        self.profile.pool.slots() * AHEAD
    }
}

impl Active {
    /// Kills the process that runs it.
    pub(super) fn terminate(&self) {
        self.handle.abort();
    }
}

/// Whether its result is wanted: the caller's word first, then the task's own (Celery 5.6 and later).
fn is_wanted(request: &Request) -> bool {
    let task = tasks::find(request.task.as_str());
    let own = task.is_some_and(|task| task.ignore_result);
    !request.ignore_result().unwrap_or(own)
}

/// What a process of the pool does with a task.
async fn execute(task: &'static Task, context: Context, pid: u64) {
    let Context {
        outbox,
        request,
        wanted,
    } = &context;
    outbox.voice.started(request);
    if *wanted {
        outbox.started(request, pid);
    }
    match task.run(&context).await {
        Ok(result) => {
            outbox.voice.succeeded(request, &result);
            if *wanted {
                outbox.succeeded(request, result);
            }
        }
        Err(Stop::Raised(raised)) => {
            outbox.voice.failed(request, &raised);
            if *wanted {
                outbox.failed(request, &raised);
            }
        }
        Err(Stop::Retry { countdown, raised }) => {
            outbox.voice.retried(request, &raised);
            if *wanted {
                outbox.retried(request, &raised);
            }
            let now = outbox.time.now();
            let eta = now.checked_add(countdown).unwrap_or(now);
            outbox.server.publish(&request.queue, request.again(eta));
        }
    }
}
