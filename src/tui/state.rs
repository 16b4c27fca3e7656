//! The state of the screen: a model of plain data. What all panes share is in [`Shared`]; a pane holds its own cursor, filter and folds, nothing else.
//!
//! Reads no clock (the time comes with each message) and does no IO.

pub mod awaited;
pub mod calls;
pub mod links;
pub mod notices;
pub mod revokes;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::keymap::{Action, Context};
use super::panes::{Pane, call, history, queues, result, tasks, workers};
use super::popups::{diff, help};
use super::recall;
use super::theme::Theme;
use super::{Setup, Target};
use crate::backend::Results;
use crate::call::Call;
use crate::call::diagnosis::{Scene, Usual, Way};
use crate::clock::{Moment, Now, Timestamp};
use crate::cluster::Cluster;
use crate::error::Error;
use crate::history::{Key, Record, Scribe, Secrets};
use crate::protocol::{Signature, TaskId, TaskName, python};

pub use awaited::Awaited;
pub use calls::Calls;
pub use links::{Link, Links};
pub use notices::{Notice, NoticeKind, Notices};
pub use revokes::{Revoke, Revokes};

/// Everything the screen knows.
#[derive(Debug)]
pub struct State {
    /// What all panes look at.
    pub shared: Shared,
    /// The pane that has the focus.
    pub focus: Pane,
    /// Which of Call, Result and History is shown where only one has room.
    pub tab: Pane,
    /// Whether the focused pane fills the screen.
    pub full: bool,
    /// What lies over the panes.
    pub overlay: Option<Overlay>,
    /// The calls of the past to choose from, under the overlay, while that is open.
    pub recall: recall::State,
    /// What is there again when the help closes that was opened over it.
    pub beneath: Option<Overlay>,
    /// Lines about what happened elsewhere.
    pub notices: Notices,
    /// The list of tasks.
    pub tasks: tasks::State,
    /// The call forms.
    pub call: call::State,
    /// The answer of history that the user waits for.
    pub awaited: Awaited,
    /// The call that is looked at.
    pub result: result::State,
    /// The list of calls.
    pub history: history::State,
    /// The list of queues.
    pub queues: queues::State,
    /// The list of workers.
    pub workers: workers::State,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Until when the keys that send are deaf.
    pub deaf_until: Moment,
    /// When Ctrl-C was pressed last.
    pub interrupted_at: Option<Moment>,
    /// Where the ids of new calls come from.
    pub ids: Ids,
    /// How we leave: set once the user quit.
    pub leaving: bool,
}

/// What all panes look at.
#[derive(Debug)]
pub struct Shared {
    /// What the header says about the target.
    pub target: Target,
    /// Whether there is a broker to talk to; else the Welcome screen is shown.
    pub connected: bool,
    /// How to draw.
    pub theme: Theme,
    /// The time zone of times that are shown.
    pub zone: TimeZone,
    /// Timeout of new calls.
    pub timeout: Duration,
    /// When the screen started.
    pub started: Now,
    /// What has been heard of the cluster.
    pub cluster: Cluster,
    /// Grows with every change of what is known of the cluster and of results: what was found of them before may be old then.
    pub news: u64,
    /// The two links.
    pub links: Links,
    /// Where results of this application are.
    pub results: Results,
    /// Why results cannot be read although it is known where they are.
    pub results_trouble: Option<Error>,
    /// The calls of this run.
    pub calls: Calls,
    /// Revokes of this run.
    pub revokes: Revokes,
    /// Who writes calls down; `None`: nobody does.
    pub scribe: Option<Scribe>,
    /// Where calls are kept.
    pub keeping: Keeping,
    /// How long tasks took before.
    pub usual: HashMap<TaskName, Usual>,
}

/// Where the calls of this run are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Keeping {
    /// On disk.
    #[default]
    Disk,
    /// In memory until the end of the program, because that was asked for.
    Memory,
    /// In memory until the disk is back: why, and what to do.
    Failed(Error),
}

/// The way to a backend that has no link of its own.
static NO_WAY: Way = Way::Unknown;

/// What is known of the cluster beside a call that is only looked at: nothing, for what is so now is no reason of what was then.
static NO_CLUSTER: LazyLock<Cluster> = LazyLock::new(Cluster::default);

/// Characters of a call's arguments that are ever shown on one line.
pub const PYTHON: usize = 600;

/// What is secret where nobody says more.
static BY_NAME: LazyLock<Secrets> = LazyLock::new(Secrets::default);

/// What lies over the panes.
#[derive(Debug)]
pub enum Overlay {
    /// The keys.
    Help(help::State),
    /// What differs between two calls.
    Diff(diff::State),
    /// Shall this call be revoked? It is the one that was asked for, whatever is selected now.
    Revoke {
        /// Which.
        key: Key,
        /// When the dialog opened.
        since: Moment,
        /// Whether a yes came too soon, which is said.
        hasty: bool,
    },
    /// Calls are in the air, or a form holds what was not sent: leave nevertheless?
    Quit {
        /// When the dialog opened.
        since: Moment,
        /// Whether a yes came too soon, which is said.
        hasty: bool,
    },
}

/// Where the ids of new calls come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// Random UUIDs.
    Random,
    /// Numbered ids, for tests and fixed screens.
    Counted(u64),
}

impl Ids {
    /// The id of the next call.
    pub fn issue(&mut self) -> TaskId {
        match self {
            Self::Random => TaskId::random(),
            Self::Counted(count) => {
                *count += 1;
                TaskId(format!("{count:08x}-0000-4000-8000-000000000000"))
            }
        }
    }
}

impl State {
    /// The state at start.
    pub fn new(setup: &Setup, now: Now) -> Self {
        Self {
            shared: Shared::new(setup, now),
            focus: Pane::Tasks,
            tab: Pane::Call,
            full: false,
            overlay: None,
            recall: recall::State::default(),
            beneath: None,
            notices: Notices::default(),
            tasks: tasks::State::new(setup.target.demo),
            call: call::State::default(),
            awaited: Awaited::default(),
            result: result::State::default(),
            history: history::State::default(),
            queues: queues::State::default(),
            workers: workers::State::default(),
            size: (80, 24),
            deaf_until: Moment::default(),
            interrupted_at: None,
            ids: Ids::Random,
            leaving: false,
        }
    }

    /// Whether something on the screen moves by itself (countdown, spinner): ticks come every 100 ms then, else every second.
    pub fn animating(&self) -> bool {
        self.shared.calls.waiting().next().is_some()
    }

    /// Where the focus is, as far as keys are concerned.
    pub fn context(&self) -> Context {
        match &self.overlay {
            Some(Overlay::Help(_)) => return Context::Help,
            Some(Overlay::Diff(_)) => return Context::Diff,
            Some(Overlay::Revoke { .. } | Overlay::Quit { .. }) => return Context::Confirm,
            None => {}
        }
        if !self.shared.connected {
            return Context::Welcome;
        }
        if self.recall.is_open() {
            return Context::Recall;
        }
        match self.focus {
            Pane::Tasks => self.tasks.context(),
            Pane::Call => self.call.context(),
            Pane::Result => self.result.context(&self.shared),
            Pane::History => self.history.context(),
            Pane::Queues => Context::Queues,
            Pane::Workers => Context::Workers,
        }
    }

    /// Whether an action of this place can do something: a call that is only looked at is not waited for, and nothing is done to it at
    /// a broker that is not its own.
    pub fn offers(&self, action: Action) -> bool {
        let shown = self.result.shown(&self.shared);
        let shown = shown.filter(|_| self.context() == Context::Running);
        let Some(call) = shown.filter(|call| self.shared.calls.visits(call)) else {
            return true;
        };
        match action {
            Action::Longer
            | Action::Shorter
            | Action::NoLimit
            | Action::Detach
            | Action::Interrupt => false,
            Action::Revoke => self.shared.made_elsewhere(call).is_none(),
            _ => true,
        }
    }

    /// Whether keys are text just now.
    pub fn typing(&self) -> bool {
        self.context().is_text()
    }
}

impl Shared {
    fn new(setup: &Setup, now: Now) -> Self {
        Self {
            target: setup.target.clone(),
            connected: setup.connection.is_some(),
            theme: Theme::new(setup.look),
            zone: TimeZone::system(),
            timeout: setup.timeout,
            started: now,
            cluster: Cluster::default(),
            news: 0,
            links: Links::default(),
            results: Results::Unknown,
            results_trouble: None,
            calls: Calls::default(),
            revokes: Revokes::default(),
            scribe: None,
            keeping: Keeping::default(),
            usual: HashMap::new(),
        }
    }

    /// The broker at which a call was made that is kept, if it is not this one.
    pub fn elsewhere<'a>(&self, record: &'a Record) -> Option<&'a str> {
        let here = self.scribe.as_ref()?.origin.broker.as_str();
        let there = record.origin.broker.as_str();
        (!there.is_empty() && there != here).then_some(there)
    }

    /// The same of a call that is shown: what this broker and its workers say tells nothing of it, and nothing is done to it there.
    pub fn made_elsewhere(&self, call: &Call) -> Option<&str> {
        self.elsewhere(self.calls.visited(call)?)
    }

    /// What is never shown, whether calls are written down or not.
    pub fn secrets(&self) -> &Secrets {
        let scribe = self.scribe.as_ref();
        scribe.map_or(&*BY_NAME, |scribe| &scribe.secrets)
    }

    /// What was called, as it may be shown: secrets masked.
    pub fn shown<'a>(&self, call: &'a Call) -> Cow<'a, Signature> {
        match self.calls.masked(call) {
            [] => self.secrets().shown(&call.signature),
            masked => self.secrets().of_places(masked).shown(&call.signature),
        }
    }

    /// A call as Python would write it, secrets masked, in at most `limit` characters; no more than [`PYTHON`] are there.
    pub fn python(&self, name: &str, call: &Call, limit: usize) -> String {
        let make = || {
            let signature = self.shown(call);
            python::call_within("", &signature.args, &signature.kwargs, PYTHON)
        };
        let text = match self.calls.shown(call, make) {
            Some(arguments) => format!("{name}{arguments}"),
            None => format!("{name}{}", make()),
        };
        python::shorten(&text, limit)
    }

    /// What is known beside a call, as its diagnosis wants it.
    pub fn scene(&self, call: &Call) -> Scene<'_> {
        if self.calls.visits(call) {
            return Scene {
                cluster: &NO_CLUSTER,
                broker: &NO_WAY,
                backend: &NO_WAY,
                results: &Results::Unknown,
                usual: None,
            };
        }
        let backend = self.links.backend.as_ref();
        Scene {
            cluster: &self.cluster,
            broker: &self.links.broker.way,
            backend: backend.map_or(&NO_WAY, |link| &link.way),
            results: &self.results,
            usual: self.usual.get(&call.signature.task).copied(),
        }
    }

    /// The time of day of `at` if it is today, `12:04:31`, with the day before it else.
    pub fn when(&self, at: Timestamp, now: Timestamp) -> String {
        let [day, today] = [at, now].map(|at| at.to_zoned(self.zone.clone()));
        let format = match (day.date() == today.date(), day.year() == today.year()) {
            (true, _) => "%H:%M:%S",
            (false, true) => "%d %b %H:%M:%S",
            (false, false) => "%d %b %Y %H:%M:%S",
        };
        self.strftime(at, format)
    }

    /// The time of day of `at`, `12:04:31`.
    pub fn clock(&self, at: Now) -> String {
        self.strftime(at.wall, "%H:%M:%S")
    }

    /// As [`Shared::when`], today with milliseconds, `12:04:31.102`.
    pub fn exactly_when(&self, at: Timestamp, now: Timestamp) -> String {
        let [day, today] = [at, now].map(|at| at.to_zoned(self.zone.clone()).date());
        if day == today {
            return self.strftime(at, "%H:%M:%S%.3f");
        }
        self.when(at, now)
    }

    /// The time of day of a worker's unix time; `None` if there is no such time.
    pub fn unix_clock(&self, unix: f64) -> Option<String> {
        let wall = std::time::Duration::try_from_secs_f64(unix).ok()?;
        let wall = Timestamp::UNIX_EPOCH.checked_add(wall).ok()?;
        Some(self.strftime(wall, "%H:%M:%S"))
    }

    fn strftime(&self, wall: Timestamp, format: &str) -> String {
        let zoned = wall.to_zoned(self.zone.clone());
        zoned.strftime(format).to_string()
    }

    /// Why nothing can be sent just now, whatever the form holds.
    pub fn cannot_send(&self) -> Option<String> {
        let broker = &self.links.broker;
        if let crate::client::LinkState::Blocked(reason) = &broker.state {
            return Some(format!(
                "calls are not sent while the broker blocks publishers: {reason}"
            ));
        }
        if !broker.is_up() {
            return Some(match broker.word() {
                links::Word::Connecting => {
                    "calls are not sent before the broker is up (nothing is queued locally)"
                        .to_owned()
                }
                _ => "calls are not sent while the broker is down (nothing is queued locally)"
                    .to_owned(),
            });
        }
        if let Some(trouble) = &self.results_trouble {
            return Some(format!("not sent: {}", trouble.message));
        }
        let backend = self.links.backend.as_ref()?;
        let stored = matches!(self.results, Results::Stored(_));
        (stored && !backend.is_up()).then(|| {
            "calls are not sent while the result backend is down (nothing is queued locally)"
                .to_owned()
        })
    }
}
