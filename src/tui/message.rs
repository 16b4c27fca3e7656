//! Everything that can happen to the screen's state.

use super::input::Input;
use super::past::Told;
use crate::client::{Command, Event};

/// One thing that happened; handed to [`super::update::update`] with the time it happened.
#[derive(Debug)]
pub enum Message {
    /// A key, a paste or a resize.
    Input(Input),
    /// What the client tells, in its order: all that was there at once, so that lists are made anew once.
    Client(Vec<Event>),
    /// What history tells, in its order.
    History(Vec<Told>),
    /// The client was too busy for this command, or is gone: it was not done, and will not be.
    CommandRefused(Box<Command>),
    /// The screen ends without a word of the user: by a signal, or with its terminal.
    Gone,
    /// Time passed: at least every second, every 100 ms while [`super::state::State::animating`].
    Tick,
}
