//! What goes on in the demo besides our own calls: reports pile up and are worked off, and `gamma@demo` gets a task that never ends.
//! The same every time: its numbers come from a fixed seed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::broker::memory::MemoryServer;
use crate::clock::Timestamp;
use crate::protocol::message::Sender;
use crate::protocol::{Json, Options, QueueName, Signature, TaskId, TaskName};

/// Reports in the queue at the start: two run, eight are taken ahead, the rest waits.
const REPORTS: usize = 24;

/// Below this many waiting, reports pile up; above [`HIGH`], they are worked off.
const LOW: usize = 6;

/// See [`LOW`].
const HIGH: usize = 36;

/// How long `gamma@demo` answers, from the first time it was asked.
const TALKATIVE: Duration = Duration::from_secs(3);

/// Mails that come in while `gamma@demo` is stuck: it takes four ahead, three wait.
const MAILS: usize = 7;

/// The demo's movement.
pub(super) struct Movement {
    pub server: MemoryServer,
    pub reports: QueueName,
    pub mail: QueueName,
    /// Told when gamma was asked for the first time.
    pub heard: Arc<Notify>,
}

impl Movement {
    /// Fills the queue of reports, so that beta is busy from the first moment.
    pub(super) fn fill(&self) {
        let mut chance = Chance(7);
        for _ in 0..REPORTS {
            self.report(&mut chance);
        }
    }

    /// Goes on until dropped.
    pub(super) async fn run(self) {
        tokio::join!(self.pile_up_reports(), self.block_gamma());
    }

    async fn pile_up_reports(&self) {
        let mut chance = Chance(11);
        let mut growing = true;
        loop {
            sleep(Duration::from_millis(1000 + chance.below(900))).await;
            let depth = self.server.queue_depth(self.reports.as_str()).unwrap_or(0);
            growing = depth < LOW || (growing && depth < HIGH);
            let reports = if growing {
                1 + chance.below(3)
            } else {
                chance.below(2)
            };
            for _ in 0..reports {
                self.report(&mut chance);
            }
        }
    }

    fn report(&self, chance: &mut Chance) {
        let milliseconds = 1500 + chance.below(2500);
        self.send(
            &self.reports,
            &format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000),
        );
    }

    async fn block_gamma(&self) {
        self.heard.notified().await;
        sleep(TALKATIVE).await;
        self.send(&self.mail, "86400");
        for _ in 0..MAILS {
            self.send(&self.mail, "0.05");
        }
    }

    /// Somebody else's call: a sleep whose result nobody waits for.
    fn send(&self, queue: &QueueName, seconds: &str) {
        let signature = Signature {
            task: TaskName::from("demo.slow.sleep"),
            id: TaskId::random(),
            args: vec![Json::Number(seconds.to_owned())],
            kwargs: Vec::new(),
            options: Options::default(),
        };
        let sender = Sender {
            origin: "gen4000@demo".to_owned(),
            reply_to: None,
            now: Timestamp::UNIX_EPOCH,
        };
        if let Ok(message) = signature.encode(&sender) {
            self.server.publish(queue, message);
        }
    }
}

/// Pseudo-random numbers: Knuth's linear congruential generator.
struct Chance(u64);

impl Chance {
    /// The next number below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}
