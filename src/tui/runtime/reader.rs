//! Reads the terminal in a thread of its own, so that the time of a key is when it came, not when we had time for it.

use std::time::Duration;

use crossterm::event::{self, Event};
use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::tui::input::{Arrival, Input};

/// Inputs that are handed on together: all that one read of the terminal brings.
const TOGETHER: usize = 1_024;
/// Reads that may wait; more than that and the terminal holds them.
const WAITING: usize = 16;

/// Starts reading. The stream ends when the terminal cannot be read any more; the thread ends with the program.
///
/// What came together has one time and is handed on at once: on a busy machine this thread may have to wait between the keys of a
/// paste, and the first of them must not be taken for one that a person pressed.
pub fn spawn(clock: Clock) -> impl Stream<Item = Arrival> + Unpin {
    let (sender, receiver) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        while let Ok(first) = event::read() {
            let at = clock.now().mono;
            let inputs = together(first).into_iter().filter_map(Input::of);
            let arrivals: Vec<Arrival> = inputs.map(|input| Arrival { input, at }).collect();
            if !arrivals.is_empty() && sender.blocking_send(arrivals).is_err() {
                break;
            }
        }
    });
    let batches = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|batch| (batch, receiver))
    });
    Box::pin(batches.flat_map(stream::iter))
}

/// `first` and what came with it.
fn together(first: Event) -> Vec<Event> {
    let mut events = vec![first];
    while events.len() < TOGETHER
        && matches!(event::poll(Duration::ZERO), Ok(true))
        && let Ok(event) = event::read()
    {
        events.push(event);
    }
    events
}
