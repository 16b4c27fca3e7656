//! The screen. Data flows one way: input -> `update` -> effect -> client -> event -> `update` -> `view`.
//!
//! `update` and `view` are pure; [`runtime`] and [`perform`] do all IO, and a writer thread owns stdout.

pub mod archive;
pub mod clipboard;
pub mod effect;
pub mod input;
pub mod keymap;
pub mod message;
pub mod panes;
pub mod past;
pub mod perform;
pub mod popups;
pub mod recall;
pub mod runtime;
pub mod state;
pub mod terminal;
pub mod theme;
pub mod update;
pub mod view;
pub mod widgets;

use std::time::Duration;

use tokio::sync::mpsc;

use crate::client::{Client, Event};
use crate::error::Result;
use crate::history;

/// What the screen is started with.
#[derive(Debug)]
pub struct Setup {
    /// The client and its events; `None` shows the static Welcome screen.
    pub connection: Option<(Client, mpsc::Receiver<Event>)>,
    /// What the header says about the target.
    pub target: Target,
    /// Timeout of new calls.
    pub timeout: Duration,
    /// Drawing: glyphs and colours.
    pub look: theme::Look,
}

/// Where the calls of this run are kept, and those of earlier ones.
#[derive(Debug)]
pub struct Past {
    /// Where history lies.
    pub settings: history::actor::Settings,
    /// Who writes it, and what is secret.
    pub scribe: history::Scribe,
    /// What is to be said of it at the start.
    pub warnings: Vec<String>,
}

impl Past {
    /// History at `place` by these rules; calls on the broker of this short address are written down from here.
    pub fn new(place: history::Place, rules: &history::Rules, broker: &str) -> Self {
        let origin = history::Origin {
            broker: broker.to_owned(),
            ..history::Origin::default()
        };
        Self {
            settings: history::actor::Settings::new(place).by(rules),
            scribe: history::Scribe {
                origin,
                secrets: rules.secrets.clone(),
            },
            warnings: Vec::new(),
        }
    }

    /// Where calls are kept, as far as it is known before the disk is tried.
    pub fn keeping(&self) -> state::Keeping {
        match self.settings.place {
            history::Place::Memory => state::Keeping::Memory,
            history::Place::File(_) | history::Place::Homeless => state::Keeping::Disk,
        }
    }
}

/// The target as the header shows it; no secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Short broker address, `amqp://localhost:5672/`, or `demo`.
    pub broker: String,
    /// Whether this is the pretend cluster.
    pub demo: bool,
}

/// Runs the screen until the user quits or a signal comes; how it ended decides the exit code. The terminal is left as it was found, whatever happens.
pub async fn run(setup: Setup, past: Past) -> Result<runtime::Ended> {
    runtime::run(setup, past).await
}
