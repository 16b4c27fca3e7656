//! Reads the terminal in a thread of its own, so that the time of a key is when it came, not when we had time for it.

use crossterm::event;
use futures_util::stream::{self, Stream};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::tui::input::{Arrival, Input};

/// Inputs that may wait; more than that and the terminal holds them.
const WAITING: usize = 4_096;

/// Starts reading. The stream ends when the terminal cannot be read any more; the thread ends with the program.
pub fn spawn(clock: Clock) -> impl Stream<Item = Arrival> + Unpin {
    let (sender, receiver) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            let at = clock.now().mono;
            let Some(input) = Input::of(event) else {
                continue;
            };
            if sender.blocking_send(Arrival { input, at }).is_err() {
                break;
            }
        }
    });
    Box::pin(stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|arrival| (arrival, receiver))
    }))
}
