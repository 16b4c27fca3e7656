//! Publishing with confirms: what became of each message, as exactly as AMQP allows. It opens channels, but never a connection,
//! and it never sends anything twice.
//!
//! One message at a time on a channel: lapin hands a returned message to whichever confirm comes next (`acknowledgement.rs`
//! walks a hash map), so two messages under way on one channel could swap their fates. Messages sent at the same time take
//! channels of their own.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation, ErrorKind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::dial::Wire;
use super::errors::{Failure, closes_channel_only};

/// One message on its way.
pub(super) struct Parcel {
    pub(super) exchange: ShortString,
    pub(super) routing_key: ShortString,
    pub(super) properties: BasicProperties,
    pub(super) body: Vec<u8>,
}

/// What became of a message.
#[derive(Debug)]
pub(super) enum Fate {
    /// In at least one queue.
    Routed,
    /// Returned with the broker's code and text: it fits no queue.
    Returned(String),
    /// The broker would not take it.
    Nacked,
    /// Certainly not queued.
    Unsent(Trouble),
    /// Perhaps queued.
    Unknown(Failure),
}

/// Why a message was not sent.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The broker blocks publishers, and ours has not been written.
    Blocked,
    /// Others that were sent before have no confirm yet.
    Busy,
    /// What lapin or the broker said, or silence.
    Failure(Failure),
}

/// The publishing channels of one connection; they are opened when needed and kept.
pub(super) struct Lanes {
    wire: Arc<Wire>,
    idle: Mutex<Vec<Channel>>,
    permits: Arc<Semaphore>,
    reopen: bool,
}

impl Lanes {
    /// Up to `most` channels; the first is opened now.
    pub(super) async fn open(wire: Arc<Wire>, most: usize) -> lapin::Result<Arc<Self>> {
        let first = open_channel(&wire).await?;
        Ok(Self::around(wire, first, most, true))
    }

    /// Only this channel, for as long as it lives: replies to direct reply-to come to the channel that published.
    pub(super) fn only(wire: Arc<Wire>, channel: Channel) -> Arc<Self> {
        Self::around(wire, channel, 1, false)
    }

    fn around(wire: Arc<Wire>, first: Channel, most: usize, reopen: bool) -> Arc<Self> {
        Arc::new(Self {
            wire,
            idle: Mutex::new(vec![first]),
            permits: Arc::new(Semaphore::new(most)),
            reopen,
        })
    }

    /// Publishes with `mandatory` and waits for the confirm until `deadline`. When the wait ends early (deadline, or the
    /// caller is gone), the channel is not used again before its confirm has come.
    pub(super) async fn publish(self: &Arc<Self>, parcel: Parcel, deadline: Instant) -> Fate {
        let lane = match timeout_at(deadline, self.lane()).await {
            Ok(Ok(lane)) => lane,
            Ok(Err(error)) => return Fate::Unsent(Trouble::Failure(error.into())),
            Err(_) => return Fate::Unsent(Trouble::Busy),
        };
        let attempt = Attempt::new(async move {
            let fate = send(&lane.channel, parcel).await;
            drop(lane);
            fate
        });
        timeout_at(deadline, attempt)
            .await
            .unwrap_or_else(|_| Fate::Unknown(Failure::Silence { reached: true }))
    }

    /// A channel that is nobody else's.
    async fn lane(self: &Arc<Self>) -> lapin::Result<Lane> {
        let permit = self
            .permits
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| gone("basic.publish"))?;
        let idle = self.take_idle();
        let channel = match idle {
            Some(channel) => channel,
            None if self.reopen => open_channel(&self.wire).await?,
            None => return Err(gone("basic.publish")),
        };
        Ok(Lane {
            channel,
            home: self.clone(),
            _permit: permit,
        })
    }

    /// An open idle channel; closed ones are thrown away on the way.
    fn take_idle(&self) -> Option<Channel> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(channel) = idle.pop() {
            if channel.status().connected() {
                return Some(channel);
            }
        }
        None
    }

    fn give_back(&self, channel: Channel) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(channel);
    }
}

/// A channel on loan.
struct Lane {
    channel: Channel,
    home: Arc<Lanes>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.home.give_back(self.channel.clone());
    }
}

/// A publish that goes on in the background when nobody waits for it any more, so that its channel comes back clean.
struct Attempt(Option<Pin<Box<dyn Future<Output = Fate> + Send>>>);

impl Attempt {
    fn new(publish: impl Future<Output = Fate> + Send + 'static) -> Self {
        Self(Some(Box::pin(publish)))
    }
}

impl Future for Attempt {
    type Output = Fate;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fate> {
        let Some(publish) = self.0.as_mut() else {
            return Poll::Pending;
        };
        let fate = std::task::ready!(publish.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(fate)
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let runtime = tokio::runtime::Handle::try_current();
        if let (Some(publish), Ok(runtime)) = (self.0.take(), runtime) {
            runtime.spawn(publish);
        }
    }
}

/// A channel that confirms.
pub(super) async fn open_channel(wire: &Wire) -> lapin::Result<Channel> {
    let channel = wire.connection().create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    Ok(channel)
}

/// Writes one message and waits for what the broker says (protocol.md 11.3).
async fn send(channel: &Channel, parcel: Parcel) -> Fate {
    let mandatory = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let written = channel
        .basic_publish(
            parcel.exchange,
            parcel.routing_key,
            mandatory,
            &parcel.body,
            parcel.properties,
        )
        .await;
    match written {
        Ok(confirm) => match confirm.await {
            Ok(confirmation) => judge(confirmation),
            Err(error) => broken(error),
        },
        Err(error) if never_written(&error) => Fate::Unsent(Trouble::Failure(error.into())),
        Err(error) => broken(error),
    }
}

/// A returned message comes as an Ack with the message inside.
fn judge(confirmation: Confirmation) -> Fate {
    match confirmation {
        Confirmation::Ack(None) => Fate::Routed,
        Confirmation::Ack(Some(returned)) => {
            Fate::Returned(format!("{} {}", returned.reply_code, returned.reply_text))
        }
        Confirmation::Nack(_) => Fate::Nacked,
        Confirmation::NotRequested => Fate::Unknown(gone("confirm").into()),
    }
}

/// The channel or the connection broke between writing and confirm. When the broker closed only the channel, it did so over
/// this message, the only one under way on it, and has not queued it.
fn broken(error: lapin::Error) -> Fate {
    if closes_channel_only(&error) {
        Fate::Unsent(Trouble::Failure(error.into()))
    } else {
        Fate::Unknown(error.into())
    }
}

/// lapin looks at the state of the channel before it writes anything, and names the method when that stops it.
fn never_written(error: &lapin::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidChannelState(_, "basic.publish")
    )
}

fn gone(step: &'static str) -> lapin::Error {
    ErrorKind::InvalidChannelState(lapin::ChannelState::Closed, step).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::protocol::{AMQPError, AMQPHardError, AMQPSoftError};

    fn remote(kind: lapin::protocol::AMQPErrorKind) -> lapin::Error {
        ErrorKind::ProtocolError(AMQPError::new(kind, "text".into())).into()
    }

    #[test]
    fn an_ack_is_a_message_in_a_queue() {
        assert!(matches!(judge(Confirmation::Ack(None)), Fate::Routed));
        assert!(matches!(judge(Confirmation::Nack(None)), Fate::Nacked));
    }

    #[test]
    fn a_channel_closed_over_the_message_did_not_queue_it() {
        let refused = broken(remote(AMQPSoftError::ACCESSREFUSED.into()));
        assert!(matches!(refused, Fate::Unsent(_)));
    }

    #[test]
    fn a_connection_that_breaks_before_the_confirm_leaves_it_unknown() {
        let broken_pipe = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert!(matches!(broken(broken_pipe.into()), Fate::Unknown(_)));
        let forced = broken(remote(AMQPHardError::CONNECTIONFORCED.into()));
        assert!(matches!(forced, Fate::Unknown(_)));
    }

    #[test]
    fn only_a_refusal_before_writing_proves_that_nothing_was_written() {
        assert!(never_written(&gone("basic.publish")));
        assert!(!never_written(&gone("confirm")));
        assert!(!never_written(&ErrorKind::MissingHeartbeatError.into()));
    }
}
