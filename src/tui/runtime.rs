//! The event loop: one place where keys, the client's events and time meet the state. Input is drained before anything else,
//! events are taken in batches, frames are drawn only when something changed and the last one was written. The loop never waits for a terminal.
//!
//! It is generic over screen, input and clock, so tests run the real loop with a recorded screen and scripted keys ([`testing`]).

pub mod pace;
pub mod reader;
pub mod screen;
pub mod testing;

use std::time::Duration;

use futures_util::{FutureExt, Stream, StreamExt};
use ratatui::Frame;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::archive::Archive;
use super::effect::Outcome;
use super::input::{Arrival, Guard, Input};
use super::keymap::{self, Context};
use super::message::Message;
use super::past::Told;
use super::perform::perform;
use super::state::State;
use super::{Past, Setup, terminal};
use crate::client::{Client, Command, Event};
use crate::clock::{Clock, Moment, Now};
use crate::error::{Error, Kind, Result};

pub use pace::Pace;
pub use screen::Screen;

/// Ticks while something moves by itself, and else.
const FAST: Duration = Duration::from_millis(100);
const SLOW: Duration = Duration::from_secs(1);

/// Inputs and events taken at once, before anything else gets its turn.
const BATCH: usize = 256;

/// How long leaving may take to remove what is ours on the broker: after the user quit, and after a signal.
const CLOSE_QUIT: Duration = Duration::from_millis(250);
const CLOSE_SIGNAL: Duration = Duration::from_secs(1);

/// Why the screen ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The user quit.
    Quit,
    /// SIGINT from outside.
    Interrupted,
    /// SIGTERM.
    Terminated,
    /// SIGHUP, or the terminal is gone.
    HungUp,
}

impl Ended {
    /// The exit code of the program: 128 and the signal's number.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Quit => 0,
            Self::HungUp => 129,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

/// What the loop drives. [`State`] is the one that matters.
pub trait Model {
    /// Something happened.
    fn update(&mut self, message: Message, now: Now) -> Outcome;
    /// Draws everything.
    fn view(&self, frame: &mut Frame, now: Now);
    /// Whether something moves by itself.
    fn animating(&self) -> bool;
    /// Where the focus is, as far as keys are concerned.
    fn context(&self) -> Context;
}

impl Model for State {
    fn update(&mut self, message: Message, now: Now) -> Outcome {
        super::update::update(self, message, now)
    }

    fn view(&self, frame: &mut Frame, now: Now) {
        super::view::view(frame, self, now);
    }

    fn animating(&self) -> bool {
        Self::animating(self)
    }

    fn context(&self) -> Context {
        Self::context(self)
    }
}

/// Runs the screen on the real terminal until the user quits or a signal comes. The terminal is left as it was found, whatever happens.
pub async fn run(setup: Setup, past: Past) -> Result<Ended> {
    let clock = Clock::default();
    let mut state = State::new(&setup, clock.now());
    state.shared.keeping = past.keeping();
    state.shared.scribe = Some(past.scribe);
    // One line: the rest says the check.
    if let Some((first, more)) = past.warnings.split_first() {
        let more = match more.len() {
            0 => String::new(),
            _ => "; and more: umbel config check".to_owned(),
        };
        state.notices.problem(format!("{first}{more}"), clock.now());
    }
    let signals = terminal::signals::ended().map_err(|error| unusable(&error))?;
    let (client, events) = setup.connection.unzip();
    let guard = terminal::enter().map_err(|error| unusable(&error))?;
    let screen = screen::Tty::new().map_err(|error| unusable(&error))?;
    terminal::test_panic_later();
    let (archive, told) = Archive::open(past.settings);
    let running = Loop::new(screen, reader::spawn(clock), move || clock.now());
    let mut running = running.remembering(archive, told);
    if let (Some(client), Some(events)) = (client, events) {
        running = running.connected(client, events);
    }
    let ended = running.run(&mut state, signals).await;
    drop(guard);
    running.close(ended).await;
    Ok(ended)
}

fn unusable(error: &std::io::Error) -> Error {
    Error::new(
        Kind::Config,
        format!("the terminal cannot be used: {error}"),
    )
    .hint("the screen needs a terminal; the commands do not: umbel --help")
}

/// The loop and what it stands between.
#[derive(Debug)]
pub struct Loop<S, I, C> {
    screen: S,
    inputs: I,
    clock: C,
    client: Option<Client>,
    events: Option<mpsc::Receiver<Event>>,
    archive: Option<Archive>,
    told: Option<mpsc::UnboundedReceiver<Told>>,
    guard: Guard,
    pace: Pace,
    dirty: Dirty,
    ticked: Moment,
}

/// Whether and how soon a frame is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Dirty {
    No,
    /// Something came from outside.
    Soon,
    /// The user did something.
    Now,
}

impl<S, I, C> Loop<S, I, C>
where
    S: Screen,
    I: Stream<Item = Arrival> + Unpin,
    C: Fn() -> Now,
{
    /// A loop between `screen` and `inputs`, without a client. When `inputs` end, the terminal is gone.
    pub fn new(screen: S, inputs: I, clock: C) -> Self {
        Self {
            screen,
            inputs,
            clock,
            client: None,
            events: None,
            archive: None,
            told: None,
            guard: Guard::default(),
            pace: Pace::default(),
            dirty: Dirty::Now,
            ticked: Moment::default(),
        }
    }

    /// The same loop with a client to command and to hear.
    #[must_use]
    pub fn connected(mut self, client: Client, events: mpsc::Receiver<Event>) -> Self {
        self.client = Some(client);
        self.events = Some(events);
        self
    }

    /// The same loop with a history to write to and to hear.
    #[must_use]
    pub fn remembering(mut self, archive: Archive, told: mpsc::UnboundedReceiver<Told>) -> Self {
        self.archive = Some(archive);
        self.told = Some(told);
        self
    }

    /// The screen, for tests to look at.
    pub fn screen(&self) -> &S {
        &self.screen
    }

    /// Runs until the user quits, `stop` says so, or the terminal is gone. The model hears of every end.
    pub async fn run(
        &mut self,
        model: &mut impl Model,
        stop: impl Future<Output = Ended>,
    ) -> Ended {
        let ended = self.go_on(model, stop).await;
        if ended != Ended::Quit {
            self.tell(model, Message::Gone);
        }
        ended
    }

    async fn go_on(&mut self, model: &mut impl Model, stop: impl Future<Output = Ended>) -> Ended {
        tokio::pin!(stop);
        self.ticked = self.now();
        let (width, height) = self.screen.size();
        let size = Message::Input(Input::Resize { width, height });
        if let Some(ended) = self.tell(model, size) {
            return ended;
        }
        loop {
            if let Some(ended) = self.timers(model) {
                return ended;
            }
            let wait = self.next_timer(model).since(self.now());
            let blocked = self.dirty > Dirty::No && !self.screen.is_free();
            let happened = tokio::select! {
                biased;
                ended = &mut stop => Happened::Ended(ended),
                arrival = self.inputs.next() => Happened::Input(arrival),
                alive = self.screen.freed(), if blocked => Happened::Freed(alive),
                () = sleep(wait) => Happened::Time,
                told = recalled(&mut self.told) => Happened::Told(told),
                event = heard(&mut self.events) => Happened::Event(event),
            };
            if let Some(ended) = self.handle(model, happened) {
                return ended;
            }
        }
    }

    fn handle(&mut self, model: &mut impl Model, happened: Happened) -> Option<Ended> {
        match happened {
            Happened::Ended(ended) => Some(ended),
            Happened::Input(None) | Happened::Freed(false) => Some(Ended::HungUp),
            Happened::Input(Some(arrival)) => self.drain_inputs(model, arrival),
            Happened::Event(event) => self.drain_events(model, event),
            Happened::Told(told) => self.drain_told(model, told),
            Happened::Freed(true) | Happened::Time => None,
        }
    }

    fn now(&self) -> Moment {
        (self.clock)().mono
    }

    /// Does what is due: the held key, a tick, a frame.
    fn timers(&mut self, model: &mut impl Model) -> Option<Ended> {
        if let Some(input) = self.guard.release(self.now(), false)
            && let Some(ended) = self.tell(model, Message::Input(input))
        {
            return Some(ended);
        }
        if self.now() >= self.tick_due(model) {
            self.ticked = self.now();
            if let Some(ended) = self.tell(model, Message::Tick) {
                return Some(ended);
            }
        }
        if self.frame_due().is_some_and(|due| self.now() >= due) {
            return self.draw(model);
        }
        None
    }

    fn next_timer(&self, model: &impl Model) -> Moment {
        let due = [self.guard.due(), self.frame_due()];
        let due = due.into_iter().flatten().min();
        let tick = self.tick_due(model);
        due.map_or(tick, |due| due.min(tick))
    }

    fn tick_due(&self, model: &impl Model) -> Moment {
        let period = if model.animating() { FAST } else { SLOW };
        self.ticked.after(period)
    }

    /// When the next frame may be drawn; `None` if none is wanted, or the last one is not written yet.
    fn frame_due(&self) -> Option<Moment> {
        match self.dirty {
            _ if !self.screen.is_free() => None,
            Dirty::No => None,
            Dirty::Soon => Some(self.pace.relaxed()),
            Dirty::Now => Some(self.pace.urgent()),
        }
    }

    fn draw(&mut self, model: &impl Model) -> Option<Ended> {
        let now = (self.clock)();
        self.pace.drawn(now.mono);
        self.dirty = Dirty::No;
        let drawn = self.screen.draw(&mut |frame| model.view(frame, now));
        drawn.is_err().then_some(Ended::HungUp)
    }

    /// Takes `arrival` and all input that came with it.
    fn drain_inputs(&mut self, model: &mut impl Model, arrival: Arrival) -> Option<Ended> {
        let mut next = Some(arrival);
        for _ in 0..BATCH {
            let Some(arrival) = next else { break };
            if let Some(ended) = self.arrived(model, arrival) {
                return Some(ended);
            }
            next = self.inputs.next().now_or_never().flatten();
        }
        next.and_then(|arrival| self.arrived(model, arrival))
    }

    fn arrived(&mut self, model: &mut impl Model, arrival: Arrival) -> Option<Ended> {
        // A new size is no key: it says nothing about a paste.
        let key_or_paste = !matches!(arrival.input, Input::Resize { .. });
        if let Some(held) = self.guard.release(arrival.at, key_or_paste)
            && let Some(ended) = self.tell(model, Message::Input(held))
        {
            return Some(ended);
        }
        let context = model.context();
        let hold = |key| keymap::guarded(context, key);
        let input = self.guard.take(arrival, hold)?;
        if matches!(input, Input::Resize { .. }) {
            self.dirty = Dirty::Now;
        }
        self.tell(model, Message::Input(input))
    }

    /// Takes `event` and what came with it, but lets input through after a batch.
    fn drain_events(&mut self, model: &mut impl Model, event: Option<Event>) -> Option<Ended> {
        let mut batch: Vec<Event> = event.into_iter().collect();
        if let Some(events) = &mut self.events {
            while batch.len() < BATCH
                && let Ok(event) = events.try_recv()
            {
                batch.push(event);
            }
            if events.is_closed() && events.is_empty() {
                self.events = None;
            }
        }
        if batch.is_empty() {
            return None;
        }
        self.tell(model, Message::Client(batch))
    }

    /// Takes what history told, and what came with it.
    fn drain_told(&mut self, model: &mut impl Model, told: Option<Told>) -> Option<Ended> {
        let Some(told) = told else {
            self.told = None;
            return None;
        };
        let mut batch = vec![told];
        if let Some(more) = &mut self.told {
            while batch.len() < BATCH
                && let Ok(told) = more.try_recv()
            {
                batch.push(told);
            }
        }
        self.tell(model, Message::History(batch))
    }

    /// Tells the model, performs what it asks for, and tells it what came of that.
    fn tell(&mut self, model: &mut impl Model, message: Message) -> Option<Ended> {
        let wanted = match message {
            Message::Input(_) => Dirty::Now,
            _ => Dirty::Soon,
        };
        let outcome = model.update(message, (self.clock)());
        if outcome.redraw {
            self.dirty = self.dirty.max(wanted);
        }
        let performed = perform(
            outcome.effects,
            self.client.as_ref(),
            self.archive.as_ref(),
            &mut self.screen,
        );
        if self.screen.wants_frame() {
            self.dirty = Dirty::Now;
        }
        if performed.quit {
            return Some(Ended::Quit);
        }
        let mut messages = performed.messages.into_iter();
        messages.find_map(|message| self.tell(model, message))
    }

    /// Lets the client remove what is ours, and history write what is left, for a moment at most. The terminal is restored before.
    pub async fn close(self, ended: Ended) {
        let writing = async {
            if let Some(archive) = self.archive {
                archive.close().await;
            }
        };
        let (Some(client), Some(mut events)) = (self.client, self.events) else {
            return writing.await;
        };
        let patience = match ended {
            Ended::Quit => CLOSE_QUIT,
            _ => CLOSE_SIGNAL,
        };
        let closing = async {
            if client.send(Command::Close).await {
                while !matches!(events.recv().await, None | Some(Event::Closed)) {}
            }
        };
        // Too slow: what is left expires by itself at the broker.
        let _ = tokio::join!(timeout(patience, closing), writing);
    }
}

/// What ended a wait.
enum Happened {
    Ended(Ended),
    Input(Option<Arrival>),
    Freed(bool),
    Time,
    Event(Option<Event>),
    Told(Option<Told>),
}

/// The next event; never, once there are none.
async fn heard(events: &mut Option<mpsc::Receiver<Event>>) -> Option<Event> {
    match events {
        Some(receiver) => receiver.recv().await,
        None => std::future::pending().await,
    }
}

/// What history tells next; never, once it tells nothing more.
async fn recalled(told: &mut Option<mpsc::UnboundedReceiver<Told>>) -> Option<Told> {
    match told {
        Some(receiver) => receiver.recv().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
