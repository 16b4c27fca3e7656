//! Listens to the events of workers and tasks, on a connection of its own, so that a flood of them delays nothing. Events that
//! find no room are dropped.

use std::collections::VecDeque;
use std::future::pending;
use std::hash::{DefaultHasher, Hash, Hasher};

use futures_util::{FutureExt, StreamExt};
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, Msg, RedisResult};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::oneshot;

use crate::broker::{Incoming, LARGEST_NOTE};
use crate::protocol::envelope;

/// An event is small, a list of many still is; what is larger is passed over.
const LARGEST: usize = 8 << 20;

/// Messages that are remembered where the same one may come on two channels.
const REMEMBERED: usize = 256;

/// Where the pump is told what it listens to from now on.
pub(super) type Switch = mpsc::Sender<Change>;

/// What is listened to from now on; `None`: nothing.
pub(super) struct Change {
    pub(super) to: Option<Subscription>,
    /// Told when what others left to us before is passed on.
    pub(super) done: oneshot::Sender<()>,
}

/// The pump's end of the switch.
pub(super) struct Events {
    wanted: mpsc::Receiver<Change>,
    subscription: Option<Subscription>,
}

/// What comes on a connection that is subscribed.
pub(super) struct Subscription {
    stream: PubSubStream,
    /// Channels on which those who listen tell each other what they leave behind.
    heirs: Vec<String>,
    /// On two channels the same message may come twice.
    seen: Option<VecDeque<u64>>,
}

/// Nothing is listened to at first.
pub(super) fn switch() -> (Switch, Events) {
    let (switch, wanted) = mpsc::channel(1);
    let events = Events {
        wanted,
        subscription: None,
    };
    (switch, events)
}

/// Connects and subscribes. The connection ends when both are dropped.
pub(super) async fn listen(
    client: &Client,
    patterns: &[String],
    heirs: &[String],
) -> RedisResult<(PubSubSink, Subscription)> {
    let mut listening = client.get_async_pubsub().await?;
    for pattern in patterns {
        listening.psubscribe(pattern).await?;
    }
    for channel in heirs {
        // Whoever may not listen there inherits nothing.
        if let Err(error) = listening.subscribe(channel).await {
            tracing::debug!(%error, channel, "what other umbels leave behind is not heard");
        }
    }
    let (sink, stream) = listening.split();
    let subscription = Subscription {
        stream,
        heirs: heirs.to_vec(),
        seen: (patterns.len() > 1).then(VecDeque::new),
    };
    Ok((sink, subscription))
}

impl Subscription {
    fn is_left_to_us(&self, event: &Msg) -> bool {
        let channel = event.get_channel_name();
        self.heirs.iter().any(|heir| heir == channel)
    }
}

/// Waits for room: nobody else knows these workers.
async fn pass_note(event: &Msg, incoming: &mpsc::Sender<Incoming>) {
    let note = event.get_payload_bytes();
    if note.len() <= LARGEST_NOTE {
        // An error means that nobody listens.
        let _ = incoming.send(Incoming::HandedOver(note.to_vec())).await;
    }
}

impl Events {
    /// Carries what comes until the connection ends; says why.
    pub(super) async fn run(&mut self, incoming: &mpsc::Sender<Incoming>) -> String {
        loop {
            let next = async {
                match &mut self.subscription {
                    Some(subscription) => subscription.stream.next().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                wanted = self.wanted.recv() => match wanted {
                    Some(change) => self.change(change, incoming).await,
                    // The link is gone.
                    None => return pending().await,
                },
                event = next => match event {
                    Some(event) => self.pass(&event, incoming).await,
                    None => return "the server closed the connection for events".to_owned(),
                },
            }
        }
    }

    /// Whoever left something to us counted on us: it is passed on before we are deaf.
    async fn change(&mut self, change: Change, incoming: &mpsc::Sender<Incoming>) {
        if let Some(mut last) = self.subscription.take() {
            while let Some(Some(event)) = last.stream.next().now_or_never() {
                if last.is_left_to_us(&event) {
                    pass_note(&event, incoming).await;
                }
            }
        }
        self.subscription = change.to;
        // Nobody waits for it any longer: no matter.
        let _ = change.done.send(());
    }

    async fn pass(&mut self, event: &Msg, incoming: &mpsc::Sender<Incoming>) {
        let subscription = self.subscription.as_ref();
        if subscription.is_some_and(|it| it.is_left_to_us(event)) {
            return pass_note(event, incoming).await;
        }
        let payload = event.get_payload_bytes();
        if payload.len() > LARGEST || self.is_known(payload) {
            return;
        }
        match envelope::decode(payload) {
            Ok(message) => match incoming.try_send(Incoming::Event(message)) {
                Ok(()) | Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {}
            },
            Err(error) => tracing::debug!(%error, "an event cannot be read"),
        }
    }

    /// Whether the same message came on the other channel. Every one has a tag of its own.
    fn is_known(&mut self, payload: &[u8]) -> bool {
        let seen = self.subscription.as_mut().and_then(|s| s.seen.as_mut());
        let Some(seen) = seen else {
            return false;
        };
        let mut hasher = DefaultHasher::new();
        payload.hash(&mut hasher);
        let hash = hasher.finish();
        if seen.contains(&hash) {
            return true;
        }
        if seen.len() == REMEMBERED {
            seen.pop_front();
        }
        seen.push_back(hash);
        false
    }
}
