//! A pretend Celery cluster inside this process: three workers on a broker in memory that speak the real protocol.
//!
//! | worker | pool | queue | state |
//! |---|---|---|---|
//! | `alpha@demo` | prefork, 4 slots | `celery` | OK: answers at once |
//! | `beta@demo` | prefork, 2 slots | `reports`, which grows and drains | BUSY: both slots always taken |
//! | `gamma@demo` | solo | `mail`, a few waiting | SILENT, some seconds after it was first heard: it runs one long task |
//!
//! It behaves as Celery 5.7 does, result backend `rpc://`, `task_track_started` on. Its tasks are listed in [`TASK_NAMES`]. It knows the
//! protocol only through [`crate::protocol`], never opens a socket, and never runs anything but its own tasks.

mod arguments;
mod build;
mod control;
mod inspect;
mod number;
mod outbox;
mod raised;
mod request;
mod revoked;
mod scenario;
mod settings;
mod tasks;
mod time;
mod value;
mod voice;
mod worker;

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::broker::Broker;
use crate::broker::memory::{MemoryBroker, MemoryServer};
use crate::protocol::{NodeName, QueueName};
use scenario::Movement;
use time::Time;
use worker::{Pool, Profile, Worker};

pub use tasks::NAMES as TASK_NAMES;

/// The name of the demo's broker.
pub const NAME: &str = "demo";

/// A running demo. Its workers stop when it is dropped; its broker lives on without them.
pub struct Demo {
    server: MemoryServer,
    broker: Arc<MemoryBroker>,
    _workers: JoinSet<()>,
}

impl Demo {
    /// A client's way to the demo's broker.
    pub fn broker(&self) -> Arc<dyn Broker> {
        Arc::clone(&self.broker) as Arc<dyn Broker>
    }

    /// The demo's broker itself, to look inside and to disturb.
    pub fn server(&self) -> &MemoryServer {
        &self.server
    }
}

/// Starts all three workers on the current tokio runtime; their queues exist when this returns.
pub fn start() -> Demo {
    let mut cluster = Cluster::new();
    cluster.hire(&ALPHA);
    let beta = cluster.hire(&BETA);
    let gamma = cluster.hire(&GAMMA);
    let movement = Movement {
        server: cluster.server.clone(),
        reports: beta.queue,
        mail: gamma.queue,
        heard: gamma.heard,
    };
    movement.fill();
    cluster.workers.spawn(movement.run());
    cluster.open()
}

/// Starts `alpha@demo` alone, on a cluster where nothing moves by itself; for tests.
pub fn start_alone() -> Demo {
    let mut cluster = Cluster::new();
    cluster.hire(&ALPHA);
    cluster.open()
}

const ALPHA: Profile = Profile {
    node: "alpha@demo",
    pool: Pool::Prefork(4),
    queue: "celery",
    pid: 4100,
};

const BETA: Profile = Profile {
    node: "beta@demo",
    pool: Pool::Prefork(2),
    queue: "reports",
    pid: 4200,
};

const GAMMA: Profile = Profile {
    node: "gamma@demo",
    pool: Pool::Solo,
    queue: "mail",
    pid: 4300,
};

struct Cluster {
    server: MemoryServer,
    time: Time,
    workers: JoinSet<()>,
}

/// What the scenario needs to know of a worker.
struct Hired {
    queue: QueueName,
    heard: Arc<tokio::sync::Notify>,
}

impl Cluster {
    fn new() -> Self {
        Self {
            server: MemoryServer::new(NAME),
            time: Time::start(),
            workers: JoinSet::new(),
        }
    }

    fn hire(&mut self, profile: &'static Profile) -> Hired {
        let worker = Worker::new(profile, &self.server, self.time);
        let heard = worker.heard();
        self.workers.spawn(worker.run());
        Hired {
            queue: QueueName::from(profile.queue),
            heard,
        }
    }

    fn open(self) -> Demo {
        Demo {
            broker: Arc::new(self.server.broker()),
            server: self.server,
            _workers: self.workers,
        }
    }
}

/// Names of the demo's workers, in order.
pub fn worker_names() -> [NodeName; 3] {
    [&ALPHA, &BETA, &GAMMA].map(|profile| NodeName::from(profile.node))
}
