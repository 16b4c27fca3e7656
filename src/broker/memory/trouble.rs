//! The broker's bad days, on request: refusing, cutting, losing, blocking, freezing, being slow. Only clients suffer; workers stay connected.

use std::time::Duration;

use super::MemoryServer;
use super::record::Target;
use super::state::State;
use crate::error::{Error, Kind};

/// What is wrong with the broker right now.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    pub refuse: bool,
    pub refuse_next: usize,
    pub blocked: Option<String>,
    pub frozen: bool,
    pub delay: Duration,
    pub loss: Option<Loss>,
}

/// What is lost when the connection breaks over a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// The broker has the message; only its confirm is lost.
    Confirm,
    /// The message itself.
    Message,
}

impl Trouble {
    /// Whether the next connect is refused; counts it.
    pub(super) fn refuses(&mut self) -> bool {
        if self.refuse_next > 0 {
            self.refuse_next -= 1;
            return true;
        }
        self.refuse
    }

    /// Whether publishes have to wait.
    pub(super) fn holds(&self) -> bool {
        self.frozen || self.blocked.is_some()
    }

    /// What this publish loses; tasks only, once.
    pub(super) fn take_loss(&mut self, target: &Target) -> Option<Loss> {
        match target {
            Target::Queue(_) => self.loss.take(),
            Target::Pidbox => None,
        }
    }
}

impl MemoryServer {
    /// Refuses connects, or accepts them again. Connections that are open stay.
    pub fn refuse(&self, refuse: bool) {
        self.change(|state| state.trouble.refuse = refuse);
    }

    /// Refuses the next `times` connects.
    pub fn refuse_next(&self, times: usize) {
        self.change(|state| state.trouble.refuse_next = times);
    }

    /// Cuts all connections of clients: each hears [`Incoming::Lost`](crate::broker::Incoming::Lost), what it had not
    /// acknowledged goes back, its exclusive queue goes, its result queue stays. Publishes that waited are lost.
    pub fn cut(&self) {
        self.change(|state| {
            let links: Vec<u64> = state.links.keys().copied().collect();
            for link in links {
                let why = Error::new(Kind::Unsent, "connection reset by peer (os error 104)");
                state.end_link(link, Some(why));
            }
        });
    }

    /// The next task published is queued, but its confirm is lost and its connection cut.
    pub fn lose_next_confirm(&self) {
        self.change(|state| state.trouble.loss = Some(Loss::Confirm));
    }

    /// The next task published is lost on its way and its connection cut: to the client this looks the same as a lost confirm.
    pub fn lose_next_publish(&self) {
        self.change(|state| state.trouble.loss = Some(Loss::Message));
    }

    /// Blocks publishers, as RabbitMQ does when memory or disk run out. What they publish meanwhile is queued at [`MemoryServer::unblock`],
    /// also when they have given up waiting.
    pub fn block(&self, reason: &str) {
        self.trouble(|state| state.trouble.blocked = Some(reason.to_owned()));
    }

    /// Ends [`MemoryServer::block`].
    pub fn unblock(&self) {
        self.trouble(|state| state.trouble.blocked = None);
    }

    /// Falls silent: connections stay open, nothing is answered or delivered until [`MemoryServer::thaw`].
    /// There is no heartbeat here: when a real link would notice, [`MemoryServer::cut`] says so.
    pub fn freeze(&self) {
        self.trouble(|state| state.trouble.frozen = true);
    }

    /// Ends [`MemoryServer::freeze`]: what was written meanwhile is dealt with now.
    pub fn thaw(&self) {
        self.trouble(|state| state.trouble.frozen = false);
    }

    /// Every answer (connect, confirm, depth, ping) takes this long; zero is the ordinary speed.
    pub fn delay(&self, delay: Duration) {
        self.change(|state| state.trouble.delay = delay);
    }

    fn trouble(&self, change: impl FnOnce(&mut State)) {
        self.change(|state| {
            change(state);
            state.announce();
        });
    }
}
