//! The command line face: one command a file, over the client, the cluster and the call. Draws nothing but one progress line.

pub mod again;
pub mod arguments;
pub mod around;
pub mod call;
pub mod config;
pub mod elsewhere;
pub mod errand;
pub mod follow;
pub mod history;
pub mod keeper;
pub mod message;
pub mod named;
pub mod output;
pub mod progress;
pub mod prompt;
pub mod queues;
pub mod revoke;
pub mod runtime;
pub mod shape;
pub mod stop;
pub mod survey;
pub mod tasks;
pub mod usage;
pub mod workers;

use tokio::sync::mpsc;

use crate::call::Call;
use crate::call::diagnosis::Diagnosis;
use crate::client::{Client, Command, Event};
use crate::clock::Clock;
use crate::history::Secrets;

use self::around::Around;
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
    /// Short address of the broker.
    pub broker: String,
    /// What is never printed of arguments.
    pub secrets: Secrets,
    /// Where calls are kept, if they are.
    pub keeper: Option<keeper::Keeper>,
    /// The demo's workers, which live as long as the session.
    pub demo: Option<crate::demo::Demo>,
}

impl Session {
    /// Keeps the call as it is now, where calls are kept.
    pub fn keep(&self, call: &Call, around: &Around, diagnosis: Option<&Diagnosis>) {
        if let Some(keeper) = &self.keeper {
            let now = self.clock.now();
            keeper.keep(call, around.results.as_ref(), diagnosis, now);
        }
    }

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
