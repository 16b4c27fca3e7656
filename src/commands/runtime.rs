//! What commands and the screen run on. It starts nothing by itself.

use crate::error::{Error, Kind, Result};

/// A command has one thread, so that no message changes threads on its way. Beside the screen the links have one of their own:
/// drawing never delays them.
///
/// # Errors
/// The system gives no threads.
pub fn runtime(screen: bool) -> Result<tokio::runtime::Runtime> {
    let runtime = if screen {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
    } else {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    };
    runtime.map_err(|error| {
        Error::new(
            Kind::Internal,
            format!("the runtime cannot be started: {error}"),
        )
    })
}
