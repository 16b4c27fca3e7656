//! How a user or the system stops a command. It decides nothing about what is stopped.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Resolves with the exit code when the user (SIGINT) or the system (SIGTERM) wants to stop; listens from the moment it is called.
pub fn stopped() -> impl Future<Output = u8> {
    let listen = |kind: SignalKind| signal(kind).ok();
    let heard = async |signal: Option<Signal>| match signal {
        Some(mut signal) => signal.recv().await,
        // Not listened to: the signal ends the program by itself.
        None => std::future::pending().await,
    };
    let (interrupt, terminate) = (
        listen(SignalKind::interrupt()),
        listen(SignalKind::terminate()),
    );
    async move {
        tokio::select! {
            _ = heard(interrupt) => 130,
            _ = heard(terminate) => 143,
        }
    }
}
