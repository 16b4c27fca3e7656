//! The harness itself: if this file fails, no other test that uses it says anything about umbel.

#[path = "harness/private.rs"]
mod private;
#[path = "harness/proxy.rs"]
mod proxy;
#[path = "harness/shared.rs"]
mod shared;
#[path = "support/support.rs"]
mod support;
#[path = "harness/terminals.rs"]
mod terminals;
#[path = "harness/versions.rs"]
mod versions;

use std::path::Path;

use support::WorkerOptions;

fn options(broker: &str, backend: &str) -> WorkerOptions {
    WorkerOptions {
        broker: broker.to_owned(),
        backend: backend.to_owned(),
        ..WorkerOptions::default()
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
