//! Carries what the broker delivers to the client's channel, until the connection ends. Never drops a message: what it cannot hand over goes back.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::MemoryServer;
use super::consumer::Delivered;
use super::state::Signal;
use crate::broker::{AckTag, Incoming};

/// The client's end of the wire.
pub(super) struct Pump {
    pub server: MemoryServer,
    /// Which reader's messages are results; all others are control replies.
    pub results: u64,
    pub deliveries: mpsc::Receiver<Delivered>,
    pub signal: watch::Receiver<Signal>,
    pub incoming: mpsc::Sender<Incoming>,
}

impl Pump {
    /// Runs until the connection is gone or nobody listens any more.
    pub(super) async fn run(mut self) {
        let mut blocked = None;
        loop {
            let now = self.signal.borrow_and_update().clone();
            if let Some(error) = now.lost {
                let _ = self.incoming.send(Incoming::Lost(error)).await;
                return;
            }
            if !now.frozen && now.blocked != blocked {
                blocked.clone_from(&now.blocked);
                if !self.hand_over(Incoming::Blocked(now.blocked)).await {
                    return;
                }
                continue;
            }
            tokio::select! {
                biased;
                changed = self.signal.changed() => if changed.is_err() { return },
                delivered = self.deliveries.recv(), if !now.frozen => match delivered {
                    Some(delivered) => if !self.forward(delivered).await { return },
                    None => self.ended().await,
                },
            }
        }
    }

    /// Hands a message over; `false` when nobody listens any more.
    async fn forward(&mut self, delivered: Delivered) -> bool {
        let tag = delivered.tag;
        let message = Arc::unwrap_or_clone(delivered.message);
        if delivered.reader == self.results {
            let tag = AckTag(tag);
            return self.hand_over(Incoming::Result { message, tag }).await;
        }
        let listens = self.hand_over(Incoming::Reply(message)).await;
        self.server.change(|state| state.ack(tag));
        listens
    }

    /// Waits for room in the client's channel, but not beyond the connection's end.
    async fn hand_over(&mut self, incoming: Incoming) -> bool {
        tokio::select! {
            sent = self.incoming.send(incoming) => sent.is_ok(),
            gone = self.signal.wait_for(|signal| signal.lost.is_some()) => gone.is_ok(),
        }
    }

    /// All readers are gone: the signal with the reason is on its way, or the link was closed.
    async fn ended(&mut self) {
        let _ = self.signal.changed().await;
    }
}
