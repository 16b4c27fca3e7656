//! The signals that end the screen in good order.

use std::io;

use crate::tui::runtime::Ended;

/// Catches SIGTERM, SIGHUP and SIGINT from now on; the future tells which one came first.
#[cfg(unix)]
pub fn ended() -> io::Result<impl Future<Output = Ended>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => Ended::Terminated,
            _ = hangup.recv() => Ended::HungUp,
            _ = interrupt.recv() => Ended::Interrupted,
        }
    })
}

/// Catches Ctrl-C from outside from now on.
#[cfg(not(unix))]
pub fn ended() -> io::Result<impl Future<Output = Ended>> {
    Ok(async {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Ended::Interrupted,
            Err(_) => std::future::pending().await,
        }
    })
}
