//! The command line face: one command a file, over the client, the cluster and the call. Draws nothing but one progress line.

pub mod arguments;
pub mod around;
pub mod call;
pub mod output;
pub mod progress;
pub mod queues;
pub mod survey;
pub mod tasks;
pub mod workers;

use tokio::sync::mpsc;

use crate::client::{Client, Command, Event};
use crate::clock::Clock;

use self::output::Output;

/// A client for one command.
pub struct Session {
    /// Its handle.
    pub client: Client,
    /// What it tells.
    pub events: mpsc::Receiver<Event>,
    /// Time.
    pub clock: Clock,
    /// Where answers go.
    pub output: Output,
    /// The demo's workers, which live as long as the session.
    pub demo: Option<crate::demo::Demo>,
}

impl Session {
    /// Lets the client remove what is ours and waits until it has; bounded by the client.
    pub async fn close(&mut self) {
        if self.client.send(Command::Close).await {
            while let Some(event) = self.events.recv().await {
                if matches!(event, Event::Closed) {
                    break;
                }
            }
        }
    }
}
